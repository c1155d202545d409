/* The facts of a case: what may be said of it, checked against knowledge/csirt/facts.json. */
#include "csirt/rules.h"

#include <string.h>

enum { FACT_TEXT_MAX = 20000 };

const json_t *csirt_facts(void) {
    return rules(RULES_FACTS);
}

int fact_rank(const json_t *declared, const char *value) {
    const json_t *values = json_object_get(declared, "values");
    for (size_t i = 0; value && i < json_array_size(values); i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(values, i), "name")), value) == 0)
            return (int)i;
    return -1;
}

/* ---- Types: what a fact's value must be ------------------------------------------------------------------- */
typedef const char *(*Check)(const json_t *declared, const json_t *value); /* NULL, or what is wanted */

static const char *check_choice(const json_t *declared, const json_t *value) {
    return fact_rank(declared, json_string_value(value)) >= 0 ? NULL : "one of its values is wanted";
}

static const char *check_choices(const json_t *declared, const json_t *value) {
    static const char wanted[] = "a list of its values is wanted, each once";
    size_t size = json_array_size(value);
    if (!json_is_array(value) || size > json_array_size(json_object_get(declared, "values")))
        return wanted;
    for (size_t i = 0; i < size; i++) {
        if (check_choice(declared, json_array_get(value, i)))
            return wanted;
        for (size_t j = 0; j < i; j++)
            if (json_equal(json_array_get(value, i), json_array_get(value, j)))
                return wanted;
    }
    return NULL;
}

static const char *check_flag(const json_t *declared, const json_t *value) {
    (void)declared;
    return json_is_boolean(value) ? NULL : "true or false is wanted";
}

static const char *check_number(const json_t *declared, const json_t *value) {
    json_int_t number = json_integer_value(value);
    bool fits = json_is_integer(value) && number >= 0 &&
                number <= json_integer_value(json_object_get(declared, "max"));
    return fits ? NULL : "a whole number within its bounds is wanted";
}

static const char *check_text(const json_t *declared, const json_t *value) {
    size_t max = (size_t)json_integer_value(json_object_get(declared, "max"));
    return json_is_string(value) && json_string_length(value) <= max
               ? NULL
               : "a text that is not too long is wanted";
}

static const char *check_time(const json_t *declared, const json_t *value) {
    (void)declared;
    VigieTime time;
    bool fits = json_is_string(value) && vigie_time_parse_rfc3339(json_string_value(value), &time, NULL);
    return fits ? NULL : "a time is wanted, as 2026-11-21T20:15:00+01:00";
}

static const char *check_vector(const json_t *declared, const json_t *value) {
    (void)declared;
    VigieCvss cvss;
    bool fits = json_is_string(value) && csirt_cvss_score(json_string_value(value), &cvss, NULL);
    return fits ? NULL : "a CVSS vector of version 3.0, 3.1 or 4.0 is wanted";
}

static const struct {
    const char *name;
    Check check;
    bool has_values, has_max;
} types[] = {
    {"choice", check_choice, true, false},  {"choices", check_choices, true, false},
    {"flag", check_flag, false, false},     {"number", check_number, false, true},
    {"text", check_text, false, true},      {"time", check_time, false, false},
    {"vector", check_vector, false, false},
};

static size_t type_of(const json_t *declared) {
    const char *name = json_string_value(json_object_get(declared, "type"));
    size_t i = 0;
    while (i < G_N_ELEMENTS(types) && (!name || strcmp(types[i].name, name) != 0))
        i++;
    return i;
}

/* ---- The file --------------------------------------------------------------------------------------------- */
static bool load_values(const json_t *values, const char *fact, GError **error) {
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        if (!rules_members(value, "name!s text!t", fact, error))
            return false;
        const char *name = json_string_value(json_object_get(value, "name"));
        if (!g_hash_table_add(names, (void *)name))
            return rules_refuse(error, fact, "two values have the same name");
    }
    return true;
}

bool facts_load(const json_t *data, GError **error) {
    const char *name = NULL;
    json_t *declared = NULL;
    json_object_foreach((json_t *)data, name, declared) {
        size_t type = type_of(declared);
        if (type == G_N_ELEMENTS(types))
            return rules_refuse(error, name,
                                "\"type\" is choice, choices, flag, number, text, time or vector");
        if (!rules_members(declared, "type!s text!t values?a max?i block?s of?s", name, error))
            return false;
        json_t *values = json_object_get(declared, "values"), *max = json_object_get(declared, "max");
        if (types[type].has_values != !!values || types[type].has_max != (json_integer_value(max) > 0))
            return rules_refuse(error, name, "a choice has \"values\"; a number and a text have \"max\"");
        if (json_integer_value(max) > FACT_TEXT_MAX && strcmp(types[type].name, "text") == 0)
            return rules_refuse(error, name, "20,000 bytes are the most of a text");
        if (values && !load_values(values, name, error))
            return false;
    }
    return true;
}

/* ---- Facts of a case -------------------------------------------------------------------------------------- */
static bool check(const json_t *facts, bool of_case, GError **error) {
    if (!json_is_object(facts))
        return rules_refuse(error, "facts", "an object is wanted, as { \"patients\": \"potential\" }");
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)facts, name, value) {
        const json_t *declared = json_object_get(csirt_facts(), name);
        g_autofree char *printable = g_strdup_printf("fact “%.40s”", name);
        if (!declared)
            return rules_refuse(error, printable, "not known; knowledge/csirt/facts.json has those that are");
        if (!of_case && json_object_get(declared, "of"))
            return rules_refuse(error, printable, "belongs to the case itself and is not declared");
        const char *wanted = types[type_of(declared)].check(declared, value);
        if (wanted)
            return rules_refuse(error, printable, wanted);
    }
    return true;
}

bool csirt_facts_check(const json_t *facts, GError **error) {
    return check(facts, false, error);
}

bool facts_check_all(const json_t *facts, GError **error) {
    return check(facts, true, error);
}
