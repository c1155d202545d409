/* The files of rules: loaded and checked once, in an order in which each may refer to those before it. */
#include "csirt/rules.h"

#include <string.h>

static const struct {
    const char *name;
    bool (*load)(const json_t *data, GError **error);
} files[RULES] = {
    [RULES_FACTS] = {"csirt/facts.json", facts_load},
    [RULES_CVSS4] = {"csirt/cvss4.json", cvss4_load},
    [RULES_PRIORITY] = {"csirt/priority.json", priority_load},
    [RULES_RELEASE] = {"csirt/release.json", release_load},
    [RULES_ESCALATION] = {"csirt/escalation.json", escalation_load},
    [RULES_HOLIDAYS] = {"csirt/holidays.json", holidays_load},
    [RULES_CLOCKS] = {"csirt/clocks.json", clocks_load},
    [RULES_SSVC] = {"csirt/ssvc.json", ssvc_load},
    [RULES_TAXONOMY] = {"csirt/taxonomy.json", taxonomy_load},
    [RULES_WORKLOAD] = {"csirt/workload.json", workload_load},
};

static json_t *loaded[RULES]; /* filled once, read by all threads */

bool csirt_rules_load(GError **error) {
    for (size_t i = 0; i < RULES; i++) {
        if (loaded[i])
            continue;
        loaded[i] = vigie_knowledge_json(files[i].name, error);
        if (!loaded[i])
            return false;
        if (!files[i].load(loaded[i], error)) {
            g_prefix_error(error, "%s/%s: ", vigie_knowledge_folder(), files[i].name);
            g_clear_pointer(&loaded[i], json_decref);
            return false;
        }
    }
    return true;
}

const json_t *rules(RulesFile file) {
    if (!loaded[file])
        g_error("the rules of the CSIRT are not loaded: csirt_rules_load comes first");
    return loaded[file];
}

bool rules_refuse(GError **error, const char *where, const char *why) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: %s", where, why);
    return false;
}

bool rules_texts(const json_t *texts, const char *where, GError **error) {
    if (*vigie_text_in(VIGIE_FR, texts) && *vigie_text_in(VIGIE_EN, texts) && json_object_size(texts) == 2)
        return true;
    return rules_refuse(error, where, "two texts are wanted, { \"fr\": \"…\", \"en\": \"…\" }");
}

static const struct {
    char letter;
    json_type type;
    bool may_be_empty;
    const char *wanted;
} member_types[] = {
    {'s', JSON_STRING, false, "a text"},
    {'i', JSON_INTEGER, true, "a whole number"},
    {'a', JSON_ARRAY, false, "a list that is not empty"},
    {'A', JSON_ARRAY, true, "a list"},
    {'o', JSON_OBJECT, false, "an object that is not empty"},
    {'O', JSON_OBJECT, true, "an object"},
    {'b', JSON_TRUE, true, "true or false"},
    {'t', JSON_OBJECT, true, "two texts, { \"fr\": \"…\", \"en\": \"…\" }"},
};

static bool is_empty(const json_t *value) {
    return json_string_length(value) + json_array_size(value) + json_object_size(value) == 0;
}

/* What is wrong with a member of the type that `letter` says; NULL: nothing. */
static const char *wanted_of(const json_t *value, char letter) {
    size_t i = 0;
    while (member_types[i].letter != letter)
        i++;
    bool fits = member_types[i].type == JSON_TRUE ? json_is_boolean(value)
                                                  : json_typeof(value) == member_types[i].type;
    fits = fits && (member_types[i].may_be_empty || !is_empty(value));
    if (letter == 't')
        fits = fits && rules_texts(value, "", NULL);
    return fits ? NULL : member_types[i].wanted;
}

bool rules_members(const json_t *object, const char *known, const char *where, GError **error) {
    g_auto(GStrv) names = g_strsplit(known, " ", -1);
    size_t found = 0;
    if (!json_is_object(object))
        return rules_refuse(error, where, "an object is wanted");
    for (char **name = names; *name; name++) {
        char *mark = *name + strlen(*name) - 2, kind = mark[0], letter = mark[1];
        mark[0] = '\0';
        const json_t *value = json_object_get(object, *name);
        const char *wanted = value ? wanted_of(value, letter) : kind == '!' ? "it is missing" : NULL;
        g_autofree char *place = g_strdup_printf("%s, \"%s\"", where, *name);
        if (wanted)
            return rules_refuse(error, place, wanted);
        found += value != NULL;
    }
    return found == json_object_size(object) ||
           rules_refuse(error, where, "it has a member that is not known");
}
