/* Priority: points by factor, bands by points, and rules that set the least band whatever the points. */
#include "csirt/rules.h"

#include <string.h>

enum { SCORE_MAX = 100, BANDS = 4, CVSS_MAX = 100 };

/* ---- The file --------------------------------------------------------------------------------------------- */
static bool load_bands(const json_t *bands, GError **error) {
    json_int_t above = SCORE_MAX + 1;
    for (size_t i = 0; i < json_array_size(bands); i++) {
        const json_t *band = json_array_get(bands, i);
        json_int_t min = json_integer_value(json_object_get(band, "min"));
        if (!rules_members(band, "band!i min!i", "bands", error))
            return false;
        if (json_integer_value(json_object_get(band, "band")) != (json_int_t)i + 1 || min >= above)
            return rules_refuse(error, "bands",
                                "they are 1 to 4, each with a lower \"min\" than the one before");
        above = min;
    }
    if (json_array_size(bands) != BANDS || above != 0)
        return rules_refuse(error, "bands", "there are four, and the last begins at 0");
    return true;
}

static bool load_rule(const json_t *rule, json_int_t max, GHashTable *ids, GError **error) {
    const char *id = json_string_value(json_object_get(rule, "id"));
    if (!id || !g_hash_table_add(ids, g_strdup(id)))
        return rules_refuse(error, id ? id : "rules", "a rule has an \"id\" of its own");
    json_int_t points = json_integer_value(json_object_get(rule, "points"));
    json_t *floor = json_object_get(rule, "floor");
    json_int_t band = json_integer_value(floor);
    if (!rules_members(rule, "id!s when!o points!i floor?i text!t", id, error) ||
        !condition_check(json_object_get(rule, "when"), id, error))
        return false;
    if (points < 1 || points > max)
        return rules_refuse(error, id, "\"points\" are 1 to the factor's \"max\"");
    if (floor && (band < 1 || band >= BANDS))
        return rules_refuse(error, id, "\"floor\" is a band, 1 to 3");
    return true;
}

bool priority_load(const json_t *data, GError **error) {
    const json_t *factors = json_object_get(data, "factors");
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    json_int_t sum = 0;
    if (!rules_members(data, "bands!a factors!a", "priority", error) ||
        !load_bands(json_object_get(data, "bands"), error))
        return false;
    for (size_t i = 0; i < json_array_size(factors); i++) {
        const json_t *factor = json_array_get(factors, i);
        const json_t *list = json_object_get(factor, "rules");
        json_int_t max = json_integer_value(json_object_get(factor, "max"));
        const char *count = json_string_value(json_object_get(factor, "count"));
        if (!rules_members(factor, "id!s count!s max!i rules!a", "factors", error))
            return false;
        if (!count || (strcmp(count, "worst") != 0 && strcmp(count, "sum") != 0))
            return rules_refuse(error, "factors", "\"count\" is worst or sum");
        for (size_t j = 0; j < json_array_size(list); j++)
            if (!load_rule(json_array_get(list, j), max, ids, error))
                return false;
        sum += max;
    }
    if (sum != SCORE_MAX)
        return rules_refuse(error, "factors", "the \"max\" of all are 100 together");
    return true;
}

/* ---- Counting --------------------------------------------------------------------------------------------- */
typedef struct {
    json_int_t score, band;
    json_t *reasons;  /* NULL: not asked for */
    json_t *decisive; /* the rule whose floor is the band; borrowed */
} Result;

static void give_reason(Result *result, json_t *rule, json_int_t points) {
    if (result->reasons && points > 0)
        json_array_append_new(result->reasons,
                              json_pack("{s:O, s:I, s:O}", "id", json_object_get(rule, "id"), "points",
                                        points, "text", json_object_get(rule, "text")));
}

static void apply_floor(Result *result, json_t *rule) {
    json_int_t floor = json_integer_value(json_object_get(rule, "floor"));
    if (floor > 0 && floor < result->band) {
        result->band = floor;
        result->decisive = rule;
    }
}

static void count_factor(Result *result, const json_t *factor, const json_t *facts) {
    const json_t *list = json_object_get(factor, "rules");
    json_int_t max = json_integer_value(json_object_get(factor, "max")), sum = 0;
    bool worst = strcmp(json_string_value(json_object_get(factor, "count")), "worst") == 0;
    json_t *heaviest = NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *rule = json_array_get(list, i);
        json_int_t points = json_integer_value(json_object_get(rule, "points"));
        if (!condition_holds(json_object_get(rule, "when"), facts))
            continue;
        apply_floor(result, rule);
        if (!worst) {
            points = MIN(points, max - sum);
            give_reason(result, rule, points);
            sum += points;
        } else if (points > sum) {
            heaviest = rule;
            sum = points;
        }
    }
    if (heaviest)
        give_reason(result, heaviest, sum);
    result->score += sum;
}

static void evaluate(Result *result, const json_t *facts) {
    const json_t *factors = json_object_get(rules(RULES_PRIORITY), "factors");
    const json_t *bands = json_object_get(rules(RULES_PRIORITY), "bands");
    json_int_t band = 1;
    result->band = BANDS;
    for (size_t i = 0; i < json_array_size(factors); i++)
        count_factor(result, json_array_get(factors, i), facts);
    while (result->score <
           json_integer_value(json_object_get(json_array_get(bands, (size_t)band - 1), "min")))
        band++;
    if (band <= result->band)
        result->decisive = NULL; /* the points alone come as far */
    result->band = MIN(band, result->band);
}

/* ---- What is not known ------------------------------------------------------------------------------------ */
/* The value of a fact that makes the most of it. */
static json_t *worst_value(const json_t *declared) {
    const char *type = json_string_value(json_object_get(declared, "type"));
    const json_t *values = json_object_get(declared, "values");
    if (strcmp(type, "flag") == 0)
        return json_true();
    if (strcmp(type, "number") == 0)
        return json_incref(json_object_get(declared, "max"));
    if (strcmp(type, "vector") == 0)
        return json_integer(CVSS_MAX);
    if (strcmp(type, "choice") == 0)
        return json_incref(json_object_get(json_array_get(values, json_array_size(values) - 1), "name"));
    if (strcmp(type, "choices") != 0)
        return NULL;
    json_t *all = json_array();
    for (size_t i = 0; i < json_array_size(values); i++)
        json_array_append(all, json_object_get(json_array_get(values, i), "name"));
    return all;
}

typedef struct {
    const char *fact;
    Result result;
} Missing;

static int compare_missing(const void *a, const void *b) {
    const Result *x = &((const Missing *)a)->result, *y = &((const Missing *)b)->result;
    if (x->band != y->band)
        return x->band < y->band ? -1 : 1;
    return x->score > y->score ? -1 : x->score < y->score;
}

static json_t *missing_facts(const json_t *facts, json_int_t band) {
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(Missing));
    g_autoptr(json_t) supposed = json_copy((json_t *)facts);
    const char *name = NULL;
    json_t *declared = NULL;
    json_object_foreach((json_t *)csirt_facts(), name, declared) {
        json_t *worst = json_object_get(facts, name) ? NULL : worst_value(declared);
        Missing missing = {.fact = name};
        if (!worst)
            continue;
        json_object_set_new(supposed, name, worst);
        evaluate(&missing.result, supposed);
        json_object_del(supposed, name);
        if (missing.result.band < band)
            g_array_append_val(found, missing);
    }
    g_array_sort(found, compare_missing);
    json_t *names = json_array();
    for (guint i = 0; i < found->len; i++)
        json_array_append_new(names, json_string(g_array_index(found, Missing, i).fact));
    return names;
}

/* ---- The answer ------------------------------------------------------------------------------------------- */
static json_int_t points_of(const json_t *reason) {
    return json_integer_value(json_object_get(reason, "points"));
}

static bool is_rule(const json_t *reason, const json_t *rule) {
    return rule && json_equal(json_object_get(reason, "id"), json_object_get(rule, "id"));
}

/* Heaviest first, in the file's order where they weigh the same; the rule that decides the band before all. */
static json_t *sort_reasons(const json_t *reasons, json_t *decisive) {
    json_t *sorted = json_array(), *first = NULL;
    if (decisive) {
        first = json_pack("{s:O, s:i, s:O, s:O}", "id", json_object_get(decisive, "id"), "points", 0, "text",
                          json_object_get(decisive, "text"), "floor", json_object_get(decisive, "floor"));
        json_array_append_new(sorted, first);
    }
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        json_t *reason = json_array_get(reasons, i);
        size_t at = json_array_size(sorted), least = decisive ? 1 : 0;
        while (at > least && points_of(json_array_get(sorted, at - 1)) < points_of(reason))
            at--;
        if (is_rule(reason, decisive))
            json_object_set(first, "points", json_object_get(reason, "points"));
        else
            json_array_insert(sorted, at, reason);
    }
    return sorted;
}

/* The facts, checked, with the score of a vector in its place: it is asked for by many rules. */
static json_t *measured(const json_t *facts, GError **error) {
    VigieCvss cvss;
    if (!facts_check_all(facts, error))
        return NULL;
    json_t *copy = json_copy((json_t *)facts);
    const char *vector = json_string_value(json_object_get(facts, "cvss"));
    if (vector && csirt_cvss_score(vector, &cvss, NULL))
        json_object_set_new(copy, "cvss", json_integer(cvss.score));
    return copy;
}

json_t *csirt_priority(const json_t *facts, GError **error) {
    g_autoptr(json_t) known = measured(facts, error);
    g_autoptr(json_t) reasons = json_array();
    Result result = {.reasons = reasons};
    if (!known)
        return NULL;
    evaluate(&result, known);
    return json_pack("{s:I, s:I, s:o}", "score", result.score, "band", result.band, "reasons",
                     sort_reasons(reasons, result.decisive));
}

json_t *csirt_priority_missing(const json_t *facts, GError **error) {
    g_autoptr(json_t) known = measured(facts, error);
    Result result = {0};
    if (!known)
        return NULL;
    evaluate(&result, known);
    return missing_facts(known, result.band);
}
