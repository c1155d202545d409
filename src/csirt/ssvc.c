/* SSVC: decision tables, the answers that are known, and what they leave open.
 *
 * A point that follows from others takes their answers. What is not answered may be any value: the outcomes that remain are those of all
 * combinations, some hundreds at most. */
#include "csirt/rules.h"

#include <string.h>

enum { POINTS_MAX = 8, VALUES_MAX = 9, CELLS_MAX = 1024 };

static const json_t *points(void) {
    return json_object_get(rules(RULES_SSVC), "points");
}

const json_t *csirt_ssvc_trees(void) {
    return rules(RULES_SSVC);
}

static const char *name_at(const json_t *list, size_t i) {
    return json_string_value(json_object_get(json_array_get(list, i), "name"));
}

/* The position of a named value; -1: none. */
static int position(const json_t *list, const char *name) {
    for (size_t i = 0; name && i < json_array_size(list); i++)
        if (strcmp(name_at(list, i), name) == 0)
            return (int)i;
    return -1;
}

static size_t value_count(const json_t *all, const char *point) {
    return json_array_size(json_object_get(json_object_get(all, point), "values"));
}

/* ---- The file --------------------------------------------------------------------------------------------- */
static bool load_named(const json_t *list, const char *where, GError **error) {
    size_t size = json_array_size(list);
    if (size < 2 || size > VALUES_MAX)
        return rules_refuse(error, where, "two to nine values are wanted");
    for (size_t i = 0; i < size; i++)
        if (!rules_members(json_array_get(list, i), "name!s text!t", where, error))
            return false;
    return true;
}

/* One digit below `outcomes` for each combination of the points of `from`. */
static bool load_table(const json_t *all, const json_t *from, const char *table, size_t outcomes,
                       const char *where, GError **error) {
    size_t cells = 1, digits = 0;
    if (json_array_size(from) == 0 || json_array_size(from) > POINTS_MAX)
        return rules_refuse(error, where, "a table has one to eight points");
    for (size_t i = 0; i < json_array_size(from); i++) {
        const char *point = json_string_value(json_array_get(from, i));
        if (!point || value_count(all, point) == 0)
            return rules_refuse(error, where, "a point of the table is not declared");
        cells *= value_count(all, point);
        if (cells > CELLS_MAX)
            return rules_refuse(error, where, "1,024 combinations are the most");
    }
    for (const char *c = table; c && *c; c++) {
        if (*c == ' ')
            continue;
        if (*c < '0' || (size_t)(*c - '0') >= outcomes)
            return rules_refuse(error, where, "a digit of \"table\" names no outcome");
        digits++;
    }
    return digits == cells || rules_refuse(error, where, "\"table\" has not one digit for each combination");
}

static bool load_points(const json_t *all, GError **error) {
    const char *name = NULL;
    json_t *point = NULL;
    json_object_foreach((json_t *)all, name, point) {
        const json_t *from = json_object_get(point, "from"), *values = json_object_get(point, "values");
        if (!rules_members(point, "version!s text!t values!a from?a table?s", name, error) ||
            !load_named(values, name, error))
            return false;
        if (from && !load_table(all, from, json_string_value(json_object_get(point, "table")),
                                json_array_size(values), name, error))
            return false;
        for (size_t i = 0; i < json_array_size(from); i++)
            if (json_object_get(json_object_get(all, json_string_value(json_array_get(from, i))), "from"))
                return rules_refuse(error, name, "it follows from points that follow from others");
    }
    return true;
}

bool ssvc_load(const json_t *data, GError **error) {
    const json_t *all = json_object_get(data, "points");
    const char *name = NULL;
    json_t *tree = NULL;
    if (!rules_members(data, "source!s reading!s points!o trees!o", "ssvc", error) ||
        !load_points(all, error))
        return false;
    json_object_foreach(json_object_get(data, "trees"), name, tree) {
        const json_t *outcomes = json_object_get(tree, "outcomes");
        if (!rules_members(tree, "version!s text!t points!a outcomes!a table!s", name, error) ||
            !load_named(outcomes, name, error) ||
            !load_table(all, json_object_get(tree, "points"),
                        json_string_value(json_object_get(tree, "table")), json_array_size(outcomes), name,
                        error))
            return false;
    }
    return true;
}

/* ---- Sets of values that remain --------------------------------------------------------------------------- */
/* A set is a bit mask over the values of a point, or over the outcomes. */
static unsigned table_digit(const char *table, size_t cell) {
    for (; *table == ' ' || cell > 0; table++)
        cell -= *table != ' ';
    return (unsigned)(*table - '0');
}

/* The digits of a table that remain when each of its points may have the values of its set. */
static unsigned remaining(const json_t *from, const char *table, const unsigned *sets) {
    unsigned found = 0;
    size_t cells = 1, count = json_array_size(from);
    for (size_t i = 0; i < count; i++)
        cells *= value_count(points(), json_string_value(json_array_get(from, i)));
    for (size_t cell = 0; cell < cells; cell++) {
        size_t rest = cell;
        bool fits = true;
        for (size_t i = count; i-- > 0;) {
            size_t values = value_count(points(), json_string_value(json_array_get(from, i)));
            fits = fits && (sets[i] >> rest % values & 1);
            rest /= values;
        }
        if (fits)
            found |= 1U << table_digit(table, cell);
    }
    return found;
}

/* The values that a point may still have. `asked`, where it is this point, has the value `supposed` alone. */
typedef struct {
    const json_t *answers;
    const char *asked;
    int supposed;
} Known;

static unsigned point_set(const Known *known, const char *name) {
    const json_t *point = json_object_get(points(), name), *from = json_object_get(point, "from");
    const json_t *values = json_object_get(point, "values");
    int answered = position(values, json_string_value(json_object_get(known->answers, name)));
    unsigned sets[POINTS_MAX];
    if (known->asked && strcmp(known->asked, name) == 0)
        return 1U << known->supposed;
    if (answered >= 0)
        return 1U << answered;
    if (!from)
        return (1U << json_array_size(values)) - 1;
    for (size_t i = 0; i < json_array_size(from); i++)
        sets[i] = point_set(known, json_string_value(json_array_get(from, i)));
    return remaining(from, json_string_value(json_object_get(point, "table")), sets);
}

static unsigned outcome_set(const json_t *tree, const Known *known) {
    const json_t *from = json_object_get(tree, "points");
    unsigned sets[POINTS_MAX];
    for (size_t i = 0; i < json_array_size(from); i++)
        sets[i] = point_set(known, json_string_value(json_array_get(from, i)));
    return remaining(from, json_string_value(json_object_get(tree, "table")), sets);
}

static int set_size(unsigned set) {
    return __builtin_popcount(set);
}

/* ---- The next question ------------------------------------------------------------------------------------ */
typedef struct {
    const char *point;
    int worst, sum; /* outcomes that remain after its answer: at most, and over all its values */
} Question;

static void weigh(Question *best, const json_t *tree, const json_t *answers, const char *point) {
    Question question = {.point = point};
    if (json_object_get(answers, point))
        return;
    for (size_t i = 0; i < value_count(points(), point); i++) {
        Known known = {answers, point, (int)i};
        int size = set_size(outcome_set(tree, &known));
        question.worst = MAX(question.worst, size);
        question.sum += size;
    }
    if (!best->point || question.worst < best->worst ||
        (question.worst == best->worst && question.sum < best->sum))
        *best = question;
}

/* The question whose answer narrows most, in the worst case; NULL where none is open. */
static const char *next_question(const json_t *tree, const json_t *answers) {
    const json_t *from = json_object_get(tree, "points");
    Known known = {.answers = answers};
    Question best = {0};
    for (size_t i = 0; i < json_array_size(from); i++) {
        const char *name = json_string_value(json_array_get(from, i));
        const json_t *parts = json_object_get(json_object_get(points(), name), "from");
        if (set_size(point_set(&known, name)) == 1)
            continue;
        for (size_t j = 0; j < json_array_size(parts); j++)
            weigh(&best, tree, answers, json_string_value(json_array_get(parts, j)));
        if (!parts)
            weigh(&best, tree, answers, name);
    }
    return best.point;
}

/* ---- The answer ------------------------------------------------------------------------------------------- */
static bool check_answers(const json_t *answers, GError **error) {
    const char *name = NULL;
    json_t *value = NULL;
    if (!json_is_object(answers))
        return rules_refuse(error, "SSVC", "answers are wanted by point, as in \"exploitation\": \"active\"");
    json_object_foreach((json_t *)answers, name, value) {
        const json_t *point = json_object_get(points(), name), *from = json_object_get(point, "from");
        g_autofree char *where = g_strdup_printf("SSVC, “%.40s”", name);
        if (!point)
            return rules_refuse(error, where, "there is no such question");
        int answered = position(json_object_get(point, "values"), json_string_value(value));
        if (answered < 0)
            return rules_refuse(error, where, "that is none of its values");
        if (!from)
            continue;
        g_autoptr(json_t) others = json_copy((json_t *)answers);
        json_object_del(others, name);
        Known known = {.answers = others};
        if (!(point_set(&known, name) >> answered & 1))
            return rules_refuse(error, where, "the answers that it follows from say otherwise");
    }
    return true;
}

static json_t *path_step(const char *name, int value) {
    json_t *point = json_object_get(points(), name);
    json_t *chosen = json_array_get(json_object_get(point, "values"), (size_t)value);
    return json_pack("{s:s, s:O, s:O, s:O}", "point", name, "value", json_object_get(chosen, "name"),
                     "question", json_object_get(point, "text"), "text", json_object_get(chosen, "text"));
}

/* What is settled, in the tree's order; before a point that follows from others, those. */
static json_t *path_of(const json_t *tree, const json_t *answers) {
    const json_t *from = json_object_get(tree, "points");
    Known known = {.answers = answers};
    json_t *path = json_array();
    for (size_t i = 0; i < json_array_size(from); i++) {
        const char *name = json_string_value(json_array_get(from, i));
        const json_t *parts = json_object_get(json_object_get(points(), name), "from");
        for (size_t j = 0; j <= json_array_size(parts); j++) {
            const char *step =
                j < json_array_size(parts) ? json_string_value(json_array_get(parts, j)) : name;
            unsigned set = point_set(&known, step);
            if (set_size(set) == 1)
                json_array_append_new(path, path_step(step, __builtin_ctz(set)));
        }
    }
    return path;
}

json_t *csirt_ssvc_decide(const char *name, const json_t *answers, GError **error) {
    const json_t *tree = json_object_get(json_object_get(rules(RULES_SSVC), "trees"), name);
    const json_t *outcomes = json_object_get(tree, "outcomes");
    if (!tree) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "SSVC has no tree “%s”", name);
        return NULL;
    }
    if (!check_answers(answers, error))
        return NULL;
    Known known = {.answers = answers};
    unsigned set = outcome_set(tree, &known);
    json_t *possible = json_array(), *outcome = NULL;
    for (size_t i = 0; i < json_array_size(outcomes); i++)
        if (set >> i & 1)
            json_array_append(possible, json_object_get(json_array_get(outcomes, i), "name"));
    if (set_size(set) == 1)
        outcome = json_array_get(outcomes, (size_t)__builtin_ctz(set));
    return json_pack("{s:s, s:O, s:O?, s:O?, s:o, s:s?, s:o}", "tree", name, "version",
                     json_object_get(tree, "version"), "outcome", json_object_get(outcome, "name"), "text",
                     json_object_get(outcome, "text"), "possible", possible, "next",
                     outcome ? NULL : next_question(tree, answers), "path", path_of(tree, answers));
}
