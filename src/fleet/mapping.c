/* A mapping file: [columns] field = headers, and a group of words for each field whose values are words. */
#include "fleet/mapping.h"

#include <string.h>

const char *const map_names[MAP_FIELDS] = {
    "gmao",     "organisation", "name", "class",     "manufacturer", "model",       "serial",  "firmware",
    "location", "fqdn",         "ip",   "endpoints", "owner",        "criticality", "retired", "note",
};

const char *const extra_words[EXTRAS] = {
    "fleet.export.end",
    "fleet.export.versions",
    "fleet.export.checked",
    "fleet.export.state",
};

struct VigieFleetMapping {
    GHashTable *fields;               /* header's key → MapField + 1 */
    char *headers[MAP_FIELDS];        /* the first of each, or NULL */
    GHashTable *meanings[MAP_FIELDS]; /* word's key → meaning; NULL where the field has no words */
    GHashTable *words[MAP_FIELDS];    /* meaning → its first word */
};

void fleet_mapping_free(VigieFleetMapping *mapping) {
    if (!mapping)
        return;
    g_hash_table_unref(mapping->fields);
    for (int i = 0; i < MAP_FIELDS; i++) {
        g_free(mapping->headers[i]);
        g_clear_pointer(&mapping->meanings[i], g_hash_table_unref);
        g_clear_pointer(&mapping->words[i], g_hash_table_unref);
    }
    g_free(mapping);
}

/* Letters and digits alone, folded; "N°", "Nº" and "N." are one. */
static char *key_of(const char *text) {
    GString *kept = g_string_new(NULL);
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        if (c != 0xBA && c != 0xAA && (g_unichar_isalnum(c) || g_unichar_ismark(c)))
            g_string_append_unichar(kept, c);
    }
    char *key = vigie_text_fold(kept->str);
    g_string_free(kept, TRUE);
    return key;
}

bool mapping_has_words(MapField field) {
    return field == MAP_CLASS || field == MAP_OWNER || field == MAP_CRITICALITY || field == MAP_RETIRED;
}

static bool meaning_known(MapField field, const char *meaning) {
    int64_t rank;
    switch (field) {
    case MAP_CLASS:
        return fleet_class_known(meaning, NULL);
    case MAP_OWNER:
        return fleet_owner_known(meaning);
    case MAP_CRITICALITY:
        return fleet_criticality_parse(meaning, &rank);
    default:
        return strcmp(meaning, "yes") == 0 || strcmp(meaning, "no") == 0;
    }
}

static MapField field_named(const char *name) {
    MapField field = 0;
    while (field < MAP_FIELDS && strcmp(map_names[field], name) != 0)
        field++;
    return field;
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */
static void add_word(VigieFleetMapping *mapping, MapField field, const char *meaning, const char *word) {
    char *key = key_of(word);
    if (*key && !g_hash_table_contains(mapping->meanings[field], key))
        g_hash_table_insert(mapping->meanings[field], key, g_strdup(meaning));
    else
        g_free(key);
    if (!g_hash_table_contains(mapping->words[field], meaning))
        g_hash_table_insert(mapping->words[field], g_strdup(meaning), g_strdup(word));
}

static bool read_columns(VigieFleetMapping *mapping, GKeyFile *file, GError **error) {
    g_auto(GStrv) names = g_key_file_get_keys(file, "columns", NULL, error);
    for (char **name = names; name && *name; name++) {
        MapField field = field_named(*name);
        if (field == MAP_FIELDS) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "[columns] %s: there is no such field",
                        *name);
            return false;
        }
        g_auto(GStrv) headers = g_key_file_get_string_list(file, "columns", *name, NULL, NULL);
        for (char **header = headers; header && *header; header++) {
            g_autofree char *key = key_of(*header);
            gpointer other = g_hash_table_lookup(mapping->fields, key);
            if (other && GPOINTER_TO_UINT(other) != field + 1) {
                g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "[columns] %s: \"%s\" is %s's already",
                            *name, *header, map_names[GPOINTER_TO_UINT(other) - 1]);
                return false;
            }
            g_hash_table_insert(mapping->fields, g_steal_pointer(&key), GUINT_TO_POINTER(field + 1));
            if (!mapping->headers[field])
                mapping->headers[field] = g_strdup(*header);
        }
    }
    return names != NULL;
}

static bool read_words(VigieFleetMapping *mapping, GKeyFile *file, const char *group, GError **error) {
    MapField field = field_named(group);
    if (field == MAP_FIELDS || !mapping_has_words(field)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "[%s]: columns, class, owner, criticality or retired is wanted", group);
        return false;
    }
    g_auto(GStrv) meanings = g_key_file_get_keys(file, group, NULL, NULL);
    for (char **meaning = meanings; meaning && *meaning; meaning++) {
        if (!meaning_known(field, *meaning)) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "[%s] %s: there is no such %s", group,
                        *meaning, group);
            return false;
        }
        g_auto(GStrv) words = g_key_file_get_string_list(file, group, *meaning, NULL, NULL);
        for (char **word = words; word && *word; word++)
            add_word(mapping, field, *meaning, *word);
    }
    return true;
}

/* Our own ids and the words of the pages are understood in every file. */
static void add_own_words(VigieFleetMapping *mapping, MapField field, const char *member) {
    const json_t *entries = json_object_get(fleet_classes(NULL), member);
    size_t index;
    json_t *entry;
    json_array_foreach(entries, index, entry) {
        const char *id = json_string_value(json_object_get(entry, "id"));
        add_word(mapping, field, id, vigie_text_in(VIGIE_FR, entry));
        add_word(mapping, field, id, vigie_text_in(VIGIE_EN, entry));
        add_word(mapping, field, id, id);
    }
}

static bool read_file(VigieFleetMapping *mapping, GKeyFile *file, GError **error) {
    if (!read_columns(mapping, file, error))
        return false;
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
    for (char **group = groups; *group; group++)
        if (strcmp(*group, "columns") != 0 && !read_words(mapping, file, *group, error))
            return false;
    add_own_words(mapping, MAP_CLASS, "classes");
    add_own_words(mapping, MAP_OWNER, "owners");
    add_own_words(mapping, MAP_CRITICALITY, "criticalities");
    add_word(mapping, MAP_RETIRED, "yes", "yes");
    add_word(mapping, MAP_RETIRED, "no", "no");
    return true;
}

VigieFleetMapping *fleet_mapping_load(const char *path, GError **error) {
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(VigieFleetMapping) mapping = g_new0(VigieFleetMapping, 1);
    mapping->fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (MapField field = 0; field < MAP_FIELDS; field++) {
        if (!mapping_has_words(field))
            continue;
        mapping->meanings[field] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        mapping->words[field] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    }
    if (!fleet_classes(error))
        return NULL;
    g_autofree char *text = path ? NULL : vigie_knowledge_text("fleet-mapping.conf", NULL, error);
    GError *failure = NULL;
    bool read = path ? g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &failure)
                     : text && g_key_file_load_from_data(file, text, (gsize)-1, G_KEY_FILE_NONE, &failure);
    if (!path && !text)
        return NULL;
    if (!read || !read_file(mapping, file, &failure)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "mapping %s: %s",
                    path ? path : "fleet-mapping.conf", failure ? failure->message : "it cannot be read");
        g_clear_error(&failure);
        return NULL;
    }
    return g_steal_pointer(&mapping);
}

/* ---- Asking ------------------------------------------------------------------------------------------------- */
MapField mapping_field(const VigieFleetMapping *mapping, const char *header) {
    g_autofree char *key = key_of(header);
    gpointer found = g_hash_table_lookup(mapping->fields, key);
    return found ? (MapField)(GPOINTER_TO_UINT(found) - 1) : MAP_FIELDS;
}

const char *mapping_header(const VigieFleetMapping *mapping, MapField field) {
    return mapping->headers[field] ? mapping->headers[field] : map_names[field];
}

const char *mapping_meaning(const VigieFleetMapping *mapping, MapField field, const char *word) {
    g_autofree char *key = key_of(word);
    return g_hash_table_lookup(mapping->meanings[field], key);
}

const char *mapping_word(const VigieFleetMapping *mapping, MapField field, const char *meaning) {
    const char *word = g_hash_table_lookup(mapping->words[field], meaning);
    return word ? word : meaning;
}

bool mapping_is_extra(const char *header) {
    g_autofree char *key = key_of(header);
    for (int i = 0; i < EXTRAS; i++) {
        for (VigieLang lang = 0; lang < VIGIE_LANGS; lang++) {
            g_autofree char *ours = key_of(vigie_word(lang, extra_words[i]));
            if (strcmp(key, ours) == 0)
                return true;
        }
    }
    return false;
}
