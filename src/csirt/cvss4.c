/* CVSS 4.0 (FIRST, section 8): the score of the vector's macrovector, less the mean of how far the vector lies below the
 * most severe one there, equivalence class by class.
 *
 * All in whole numbers: classes, levels and depths are small integers, so the mean is a fraction whose denominator divides
 * 840 × 5. Round half up falls where the specification means it, not where a float does.
 *
 * Of the highest severity vectors of a macrovector, at least one dominates the vector, and all of one class are equally deep;
 * so that only the sum of their levels matters here (`highest`). */
#include "csirt/cvss.h"

#include <string.h>

enum { CLASSES = 6, NO_SCORE = -1, SCALE = 840 };

static int scores[3][2][3][3][3][2]; /* tenths by EQ1 … EQ6; NO_SCORE where there is no such macrovector */

typedef struct {
    int eq[CLASSES];
} Macro;

static int macro_score(const Macro *macro) {
    static const int sizes[CLASSES] = {3, 2, 3, 3, 3, 2};
    for (int i = 0; i < CLASSES; i++)
        if (macro->eq[i] >= sizes[i])
            return NO_SCORE;
    const int *eq = macro->eq;
    return scores[eq[0]][eq[1]][eq[2]][eq[3]][eq[4]][eq[5]];
}

/* ---- The table -------------------------------------------------------------------------------------------- */
static bool load_class(const json_t *lists, int eq1, int eq2, int eq3, const char *key, GError **error) {
    if (json_array_size(lists) != 3)
        return rules_refuse(error, key, "three lists are wanted, one for each level of EQ4");
    for (int i = 0; i < 18; i++) {
        const json_t *list = json_array_get(lists, (size_t)(i / 6));
        const json_t *score = json_array_get(list, (size_t)(i % 6));
        bool none = eq3 == 2 && i % 2 == 0; /* no impact is high, so none is where it is required most */
        json_int_t tenths = json_integer_value(score);
        if (json_array_size(list) != 6 || json_is_null(score) != none || tenths < 0 || tenths > 100)
            return rules_refuse(error, key, "six scores are wanted, in tenths up to 100");
        scores[eq1][eq2][eq3][i / 6][i % 6 / 2][i % 2] = none ? NO_SCORE : (int)tenths;
    }
    return true;
}

/* A less severe class never scores more: what the distances below rest on. */
static bool table_falls(GError **error) {
    for (int n = 0; n < 3 * 2 * 3 * 3 * 3 * 2; n++) {
        Macro macro = {{n % 3, n / 3 % 2, n / 6 % 3, n / 18 % 3, n / 54 % 3, n / 162}};
        for (int i = 0; i < CLASSES; i++) {
            Macro next = macro;
            next.eq[i]++;
            if (macro_score(&macro) != NO_SCORE && macro_score(&next) > macro_score(&macro))
                return rules_refuse(error, "scores", "a less severe macrovector scores more");
        }
    }
    return true;
}

bool cvss4_load(const json_t *data, GError **error) {
    const json_t *table = json_object_get(data, "scores");
    if (!rules_members(data, "source!s reading!s scores!o", "cvss4", error))
        return false;
    for (int n = 0; n < 18; n++) {
        char key[] = {(char)('0' + n / 6), (char)('0' + n / 3 % 2), (char)('0' + n % 3), '\0'};
        if (!load_class(json_object_get(table, key), n / 6, n / 3 % 2, n % 3, key, error))
            return false;
    }
    return table_falls(error);
}

/* ---- The vector ------------------------------------------------------------------------------------------- */
/* How far below the worst value a metric's value is. */
static const struct {
    const char *name, *values;
    int first; /* the level of the first value */
} levels[] = {
    {"AV", "NALP", 0}, {"PR", "NLH", 0},  {"UI", "NPA", 0},  {"AC", "LH", 0},
    {"AT", "NP", 0},   {"VC", "HLN", 0},  {"VI", "HLN", 0},  {"VA", "HLN", 0},
    {"SC", "HLN", 1},  {"SI", "SHLN", 0}, {"SA", "SHLN", 0},
};

static char value_of(const CvssVector *vector, const char *name) {
    return cvss_effective(vector, name);
}

static char requirement(const CvssVector *vector, const char *name) {
    return cvss_value_or(vector, name, 'H');
}

static int level(const CvssVector *vector, const char *name) {
    size_t i = 0;
    while (strcmp(levels[i].name, name) != 0)
        i++;
    return (int)(strchr(levels[i].values, value_of(vector, name)) - levels[i].values) + levels[i].first;
}

static int requirement_level(const CvssVector *vector, const char *name) {
    return (int)(strchr("HML", requirement(vector, name)) - "HML");
}

static bool is(const CvssVector *vector, const char *name, char value) {
    return value_of(vector, name) == value;
}

static int eq1(const CvssVector *v) {
    int easy = is(v, "AV", 'N') + is(v, "PR", 'N') + is(v, "UI", 'N');
    return easy == 3 ? 0 : easy > 0 && !is(v, "AV", 'P') ? 1 : 2;
}

static int eq3(const CvssVector *v) {
    if (is(v, "VC", 'H') && is(v, "VI", 'H'))
        return 0;
    return is(v, "VC", 'H') || is(v, "VI", 'H') || is(v, "VA", 'H') ? 1 : 2;
}

static int eq4(const CvssVector *v) {
    if (is(v, "SI", 'S') || is(v, "SA", 'S'))
        return 0;
    return is(v, "SC", 'H') || is(v, "SI", 'H') || is(v, "SA", 'H') ? 1 : 2;
}

static int eq6(const CvssVector *v) {
    bool most = (requirement(v, "CR") == 'H' && is(v, "VC", 'H')) ||
                (requirement(v, "IR") == 'H' && is(v, "VI", 'H')) ||
                (requirement(v, "AR") == 'H' && is(v, "VA", 'H'));
    return most ? 0 : 1;
}

static Macro macro_of(const CvssVector *v) {
    int exploited = (int)(strchr("APU", cvss_value_or(v, "E", 'A')) - "APU");
    return (Macro){{eq1(v), is(v, "AC", 'L') && is(v, "AT", 'N') ? 0 : 1, eq3(v), eq4(v), exploited, eq6(v)}};
}

/* The best score of the macrovectors one step below in EQ3 and EQ6, which are one dimension together. */
static int next_impact(const Macro *macro) {
    Macro required = *macro, impact = *macro;
    required.eq[5]++;
    impact.eq[2]++;
    if (macro->eq[2] == 1 && macro->eq[5] == 0)
        return macro_score(&required);
    if (macro->eq[5] == 1)
        return macro_score(&impact);
    return MAX(macro_score(&required), macro_score(&impact));
}

static int next_score(const Macro *macro, int class_) {
    Macro next = *macro;
    next.eq[class_]++;
    return macro_score(&next);
}

/* ---- The score -------------------------------------------------------------------------------------------- */
typedef struct {
    int below;    /* the score one class down, or NO_SCORE */
    int distance; /* steps below the class's most severe vectors */
    int depth;    /* steps that the class has */
} Step;

static int no_impact(const CvssVector *v) {
    return is(v, "VC", 'N') && is(v, "VI", 'N') && is(v, "VA", 'N') && is(v, "SC", 'N') && is(v, "SI", 'N') &&
           is(v, "SA", 'N');
}

int cvss4_score(const CvssVector *v) {
    static const int highest1[] = {0, 1, 3}, depth1[] = {1, 4, 5}, depth2[] = {1, 2};
    static const int highest36[3][2] = {{0, 3}, {1, 3}, {0, 3}}, depth36[3][2] = {{7, 6}, {8, 8}, {1, 10}};
    static const int highest4[] = {1, 3, 6}, depth4[] = {6, 5, 4};
    if (no_impact(v))
        return 0;
    Macro macro = macro_of(v);
    const int *eq = macro.eq;
    int impact = level(v, "VC") + level(v, "VI") + level(v, "VA") + requirement_level(v, "CR") +
                 requirement_level(v, "IR") + requirement_level(v, "AR");
    const Step steps[] = {
        {next_score(&macro, 0), level(v, "AV") + level(v, "PR") + level(v, "UI") - highest1[eq[0]],
         depth1[eq[0]]},
        {next_score(&macro, 1), level(v, "AC") + level(v, "AT") - eq[1], depth2[eq[1]]},
        {next_impact(&macro), impact - highest36[eq[2]][eq[5]], depth36[eq[2]][eq[5]]},
        {next_score(&macro, 3), level(v, "SC") + level(v, "SI") + level(v, "SA") - highest4[eq[3]],
         depth4[eq[3]]},
        {next_score(&macro, 4), 0, 1},
    };
    int score = macro_score(&macro), sum = 0, count = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        if (steps[i].below == NO_SCORE)
            continue;
        sum += (score - steps[i].below) * steps[i].distance * (SCALE / steps[i].depth);
        count++;
    }
    if (count == 0)
        return score;
    int whole = SCALE * count;
    return (2 * (score * whole - sum) + whole) / (2 * whole);
}
