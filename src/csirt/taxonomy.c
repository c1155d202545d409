/* The Reference Security Incident Taxonomy: classes and their types. */
#include "csirt/rules.h"

#include <string.h>

const json_t *csirt_taxonomy(void) {
    return json_object_get(rules(RULES_TAXONOMY), "classes");
}

static bool load_entry(const json_t *entry, const char *known, GHashTable *ids, GError **error) {
    const char *id = json_string_value(json_object_get(entry, "id"));
    if (!id || !g_hash_table_add(ids, (void *)id))
        return rules_refuse(error, id ? id : "classes", "an \"id\" of its own is wanted");
    return rules_members(entry, known, id, error);
}

bool taxonomy_load(const json_t *data, GError **error) {
    const json_t *classes = json_object_get(data, "classes");
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    if (!rules_members(data, "source!s classes!a", "taxonomy", error))
        return false;
    for (size_t i = 0; i < json_array_size(classes); i++) {
        const json_t *class_ = json_array_get(classes, i), *types = json_object_get(class_, "types");
        if (!load_entry(class_, "id!s name!t types!a", ids, error))
            return false;
        g_autofree char *prefix = g_strdup_printf("%s/", json_string_value(json_object_get(class_, "id")));
        for (size_t j = 0; j < json_array_size(types); j++) {
            const json_t *type = json_array_get(types, j);
            if (!load_entry(type, "id!s name!t description!t", ids, error))
                return false;
            if (!g_str_has_prefix(json_string_value(json_object_get(type, "id")), prefix))
                return rules_refuse(error, prefix, "the id of a type begins with its class");
        }
    }
    return true;
}

static const json_t *find(const json_t *list, const char *id) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        if (strcmp(json_string_value(json_object_get(entry, "id")), id) == 0)
            return entry;
    }
    return NULL;
}

const json_t *csirt_category(const char *id) {
    g_autofree char *class_id = g_strndup(id, strcspn(id, "/"));
    const json_t *class_ = find(csirt_taxonomy(), class_id);
    const json_t *entry = strchr(id, '/') ? find(json_object_get(class_, "types"), id) : class_;
    return json_object_get(entry, "name");
}
