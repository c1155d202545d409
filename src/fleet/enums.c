/* The enums by their names, and what knowledge/fleet-classes.json says of classes. */
#include "fleet/internal.h"

#include <string.h>

static const char *const states[STATES] = {"well", "unknown", "soon", "broken"};
static const char *const lives[LIVES] = {"open", "acknowledged", "reopened", "mended"};
static const char *const criticalities[CRITICALITIES] = {NULL, "minor", "moderate", "major", "vital"};
static const char *const depths[] = {"certificate", "protocols", "full"};
static const char *const owners[] = {"biomed", "dsi", "vendor"};

static bool find(const char *const *names, size_t count, const char *name, int64_t *ret_index) {
    for (size_t i = 0; i < count; i++) {
        if (names[i] && strcmp(names[i], name) == 0) {
            *ret_index = (int64_t)i;
            return true;
        }
    }
    return false;
}

static const char *name_of(const char *const *names, size_t count, int64_t index) {
    return index >= 0 && (size_t)index < count ? names[index] : NULL;
}

const char *fleet_state_name(int64_t state) {
    return name_of(states, STATES, state);
}

const char *fleet_life_name(int64_t life) {
    return name_of(lives, LIVES, life);
}

const char *fleet_criticality_name(int64_t rank) {
    return name_of(criticalities, CRITICALITIES, rank);
}

const char *fleet_depth_name(int64_t depth) {
    return name_of(depths, G_N_ELEMENTS(depths), depth);
}

bool fleet_state_parse(const char *name, int64_t *ret_state) {
    return find(states, STATES, name, ret_state);
}

bool fleet_life_parse(const char *name, int64_t *ret_life) {
    return find(lives, LIVES, name, ret_life);
}

bool fleet_criticality_parse(const char *name, int64_t *ret_rank) {
    return find(criticalities, CRITICALITIES, name, ret_rank);
}

bool fleet_severity_parse(const char *name, int64_t *ret_severity) {
    for (int64_t i = VIGIE_SEVERITY_INFO; i <= VIGIE_SEVERITY_CRITICAL; i++) {
        if (strcmp(vigie_severity_name((VigieSeverity)i), name) == 0) {
            *ret_severity = i;
            return true;
        }
    }
    return false;
}

bool fleet_owner_known(const char *owner) {
    int64_t index;
    return find(owners, G_N_ELEMENTS(owners), owner, &index);
}

/* Every entry has an id and both languages, so that no reader meets a gap later. */
static bool check_entries(const json_t *classes, const char *member, GError **error) {
    const json_t *entries = json_object_get(classes, member);
    size_t index;
    json_t *entry;
    json_array_foreach(entries, index, entry) {
        if (json_is_string(json_object_get(entry, "id")) && *vigie_text_in(VIGIE_FR, entry) &&
            *vigie_text_in(VIGIE_EN, entry))
            continue;
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "fleet-classes.json: %s[%zu]: \"id\", \"fr\" and \"en\" are wanted", member, index);
        return false;
    }
    if (json_array_size(entries) > 0)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "fleet-classes.json: \"%s\" is missing", member);
    return false;
}

const json_t *fleet_classes(GError **error) {
    static GMutex lock;
    static json_t *loaded;
    g_mutex_lock(&lock);
    if (!loaded) {
        g_autoptr(json_t) classes = vigie_knowledge_json("fleet-classes.json", error);
        if (classes && check_entries(classes, "classes", error) && check_entries(classes, "owners", error) &&
            check_entries(classes, "criticalities", error))
            loaded = g_steal_pointer(&classes);
    }
    const json_t *classes = loaded;
    g_mutex_unlock(&lock);
    return classes;
}

bool fleet_class_known(const char *class_, bool *ret_medical) {
    const json_t *classes = json_object_get(fleet_classes(NULL), "classes");
    size_t index;
    json_t *entry;
    json_array_foreach(classes, index, entry) {
        if (strcmp(json_string_value(json_object_get(entry, "id")), class_) != 0)
            continue;
        if (ret_medical)
            *ret_medical = json_is_true(json_object_get(entry, "medical"));
        return true;
    }
    return false;
}
