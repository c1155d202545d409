/* profiles.c: all profiles of the knowledge, by name. */
#include "pki/profile.h"

#include <string.h>

struct VigieProfiles {
    GHashTable *by_name; /* Profile */
};

static bool load_one(VigieProfiles *profiles, const char *file, GError **error) {
    g_autofree char *path = g_build_filename("profiles", file, NULL);
    g_autofree char *name = g_strndup(file, strlen(file) - strlen(".json"));
    gsize size = 0;
    g_autofree char *text = vigie_knowledge_text(path, &size, error);
    Profile *profile = text ? profile_parse(text, size, name, error) : NULL;
    if (profile)
        g_hash_table_insert(profiles->by_name, profile->name, profile);
    return profile != NULL;
}

VigieProfiles *pki_profiles_load(GError **error) {
    g_autofree char *folder = g_build_filename(vigie_knowledge_folder(), "profiles", NULL);
    g_autoptr(GError) why = NULL;
    g_autoptr(GDir) listing = g_dir_open(folder, 0, &why);
    if (!listing) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "profiles: %s", why->message);
        return NULL;
    }
    g_autoptr(VigieProfiles) profiles = g_new0(VigieProfiles, 1);
    profiles->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)profile_free);
    for (const char *file = g_dir_read_name(listing); file; file = g_dir_read_name(listing))
        if (g_str_has_suffix(file, ".json") && !load_one(profiles, file, error))
            return NULL;
    return g_steal_pointer(&profiles);
}

void pki_profiles_free(VigieProfiles *profiles) {
    if (!profiles)
        return;
    g_hash_table_unref(profiles->by_name);
    g_free(profiles);
}

char **profile_in_directory(const VigieProfiles *profiles) {
    GPtrArray *names = g_ptr_array_new();
    GHashTableIter iter;
    gpointer profile;
    g_hash_table_iter_init(&iter, profiles->by_name);
    while (g_hash_table_iter_next(&iter, NULL, &profile))
        if (((const Profile *)profile)->directory)
            g_ptr_array_add(names, g_strdup(((const Profile *)profile)->name));
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

const Profile *profile_find(const VigieProfiles *profiles, const char *name) {
    return g_hash_table_lookup(profiles->by_name, name);
}

static bool decides(const ProfileValidator *validator, const json_t *fields) {
    GHashTableIter iter;
    gpointer field, pattern;
    g_hash_table_iter_init(&iter, validator->when);
    while (fields && g_hash_table_iter_next(&iter, &field, &pattern)) {
        const char *value = json_string_value(json_object_get(fields, field));
        if (!value || !g_regex_match(pattern, value, 0, NULL))
            return false;
    }
    return true;
}

GPtrArray *profile_validators(const Profile *profile, const json_t *fields) {
    GPtrArray *roles = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < profile->validators->len; i++) {
        const ProfileValidator *validator = profile->validators->pdata[i];
        if (decides(validator, fields) &&
            !g_ptr_array_find_with_equal_func(roles, validator->role, g_str_equal, NULL))
            g_ptr_array_add(roles, g_strdup(validator->role));
    }
    g_ptr_array_add(roles, NULL);
    return roles;
}

static json_t *list_of(char **texts) {
    json_t *list = json_array();
    for (; texts && *texts; texts++)
        json_array_append_new(list, json_string(*texts));
    return list;
}

json_t *pki_profile_list(const VigieProfiles *profiles, VigieLang lang) {
    json_t *list = json_array();
    g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(profiles->by_name), (GCompareFunc)strcmp);
    for (const GList *name = names; name; name = name->next) {
        const Profile *profile = profile_find(profiles, name->data);
        g_autoptr(GPtrArray) roles = profile_validators(profile, NULL);
        json_t *fields = json_array();
        for (guint j = 0; j < profile->fields->len; j++) {
            const ProfileField *field = profile->fields->pdata[j];
            json_array_append_new(fields,
                                  json_pack("{s:s, s:b}", "name", field->name, "optional", field->optional));
        }
        json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:b, s:b, s:o, s:o, s:o}", "name",
                                              profile->name, "title", vigie_text_in(lang, profile->title),
                                              "days", profile->days, "hold", profile->hold, "dual_control",
                                              profile->dual, "validators", list_of((char **)roles->pdata),
                                              "names", list_of(profile->names), "fields", fields));
    }
    return list;
}
