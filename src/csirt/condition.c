/* Conditions of rules on facts. */
#include "csirt/rules.h"

#include <string.h>

static bool has_value(const json_t *declared, const json_t *value) {
    return json_is_string(value) && fact_rank(declared, json_string_value(value)) >= 0;
}

/* "min" of a number, of a score, of an ordered choice. */
static bool check_bound(const json_t *declared, const char *type, const json_t *bound) {
    const json_t *min = json_object_get(bound, "min");
    if (json_object_size(bound) != 1 || !min)
        return false;
    if (strcmp(type, "choice") == 0)
        return has_value(declared, min);
    return (strcmp(type, "number") == 0 || strcmp(type, "vector") == 0) && json_is_integer(min);
}

static bool check_member(const json_t *declared, const json_t *wanted) {
    const char *type = json_string_value(json_object_get(declared, "type"));
    bool chosen = strcmp(type, "choice") == 0 || strcmp(type, "choices") == 0;
    if (json_is_object(wanted))
        return check_bound(declared, type, wanted);
    if (json_is_boolean(wanted))
        return strcmp(type, "flag") == 0;
    if (json_is_string(wanted))
        return chosen && has_value(declared, wanted);
    for (size_t i = 0; i < json_array_size(wanted); i++)
        if (!chosen || !has_value(declared, json_array_get(wanted, i)))
            return false;
    return json_array_size(wanted) > 0;
}

bool condition_check(const json_t *when, const char *where, GError **error) {
    if (json_object_size(when) == 0)
        return rules_refuse(error, where, "\"when\" has facts");
    const char *name = NULL;
    json_t *wanted = NULL;
    json_object_foreach((json_t *)when, name, wanted) {
        const json_t *declared = json_object_get(csirt_facts(), name);
        if (declared && check_member(declared, wanted))
            continue;
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s: \"when\" has “%s”, which facts.json does not declare so", where, name);
        return false;
    }
    return true;
}

static int64_t measure(const json_t *declared, const json_t *value) {
    if (json_is_integer(value))
        return json_integer_value(value);
    VigieCvss cvss;
    if (strcmp(json_string_value(json_object_get(declared, "type")), "vector") == 0)
        return csirt_cvss_score(json_string_value(value), &cvss, NULL) ? cvss.score : -1;
    return fact_rank(declared, json_string_value(value));
}

/* `value` is `wanted`, or has it among its choices. */
static bool equal_or_among(const json_t *value, const json_t *wanted) {
    for (size_t i = 0; i < json_array_size(value); i++)
        if (json_equal(json_array_get(value, i), wanted))
            return true;
    return json_equal(value, wanted);
}

static bool member_holds(const json_t *declared, const json_t *wanted, const json_t *value) {
    if (!value)
        return false;
    if (json_is_object(wanted))
        return measure(declared, value) >= measure(declared, json_object_get(wanted, "min"));
    if (!json_is_array(wanted))
        return equal_or_among(value, wanted);
    for (size_t i = 0; i < json_array_size(wanted); i++)
        if (equal_or_among(value, json_array_get(wanted, i)))
            return true;
    return false;
}

bool condition_holds(const json_t *when, const json_t *facts) {
    const char *name = NULL;
    json_t *wanted = NULL;
    json_object_foreach((json_t *)when, name,
                        wanted) if (!member_holds(json_object_get(csirt_facts(), name), wanted,
                                                  json_object_get(facts, name))) return false;
    return true;
}

bool condition_any(const json_t *list, const json_t *facts) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (condition_holds(json_array_get(list, i), facts))
            return true;
    return false;
}
