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

bool rules_members(const json_t *object, const char *known, const char *where, GError **error) {
    g_auto(GStrv) names = g_strsplit(known, " ", -1);
    if (!json_is_object(object))
        return rules_refuse(error, where, "an object is wanted");
    size_t found = 0;
    for (char **name = names; *name; name++) {
        bool required = g_str_has_suffix(*name, "!");
        if (required)
            (*name)[strlen(*name) - 1] = '\0';
        bool there = json_object_get(object, *name);
        found += there;
        if (required && !there) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: \"%s\" is missing", where, *name);
            return false;
        }
    }
    if (found == json_object_size(object))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: a member is not known; those are %s", where,
                known);
    return false;
}
