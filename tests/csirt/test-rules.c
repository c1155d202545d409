/* The files of rules: all load; and each of their members, taken away or replaced by something else, is either refused or was not needed. */
#include "csirt/rules.h"

#include <string.h>

static const struct {
    const char *name;
    bool (*load)(const json_t *data, GError **error);
} files[] = {
    {"csirt/facts.json", facts_load},           {"csirt/cvss4.json", cvss4_load},
    {"csirt/priority.json", priority_load},     {"csirt/release.json", release_load},
    {"csirt/escalation.json", escalation_load}, {"csirt/holidays.json", holidays_load},
    {"csirt/clocks.json", clocks_load},         {"csirt/ssvc.json", ssvc_load},
    {"csirt/taxonomy.json", taxonomy_load},     {"csirt/workload.json", workload_load},
};

typedef struct {
    json_t *root;
    size_t file;
    int refused, accepted;
} Mutation;

/* Loads the file as it is now. What is refused says why; what is accepted is noted. */
static bool accepted(Mutation *mutation, const char *where, const char *how) {
    g_autoptr(GError) error = NULL;
    bool loads = files[mutation->file].load(mutation->root, &error);
    g_assert_true(loads == !error);
    if (error)
        g_assert_cmpuint(strlen(error->message), >, 5);
    mutation->refused += !loads;
    mutation->accepted += loads;
    if (loads && g_test_verbose())
        g_test_message("%s %s: %s is accepted", files[mutation->file].name, where, how);
    return loads;
}

static json_t *const *others(void) {
    static json_t *values[8];
    if (!values[0]) {
        json_t *made[] = {json_null(),     json_true(),  json_integer(-1), json_integer(1000),
                          json_string(""), json_array(), json_object()};
        memcpy(values, made, sizeof made);
    }
    return values;
}

static void mutate(Mutation *mutation, json_t *value, const char *where);

static void mutate_member(Mutation *mutation, json_t *object, const char *name, const char *where) {
    json_t *kept = json_incref(json_object_get(object, name));
    g_autofree char *path = g_strdup_printf("%s.%s", where, name);
    json_object_del(object, name);
    accepted(mutation, path, "without it");
    for (json_t *const *other = others(); *other; other++) {
        if (json_equal(*other, kept))
            continue;
        json_object_set(object, name, *other);
        accepted(mutation, path, "something else");
    }
    json_object_set_new(object, name, kept);
    mutate(mutation, kept, path);
}

static void mutate_element(Mutation *mutation, json_t *array, size_t i, const char *where) {
    json_t *kept = json_incref(json_array_get(array, i));
    g_autofree char *path = g_strdup_printf("%s[%zu]", where, i);
    for (json_t *const *other = others(); *other; other++) {
        if (json_equal(*other, kept))
            continue;
        json_array_set(array, i, *other);
        accepted(mutation, path, "something else");
    }
    json_array_set_new(array, i, kept);
    mutate(mutation, kept, path);
}

/* Every fifth element of long lists: they are alike. */
static void mutate(Mutation *mutation, json_t *value, const char *where) {
    size_t size = json_array_size(value);
    for (size_t i = 0; i<size; i += size> 6 ? 5 : 1)
        mutate_element(mutation, value, i, where);
    if (!json_is_object(value))
        return;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name = NULL;
    json_t *member = NULL;
    json_object_foreach(value, name, member) g_ptr_array_add(names, g_strdup(name));
    for (guint i = 0; i<names->len; i += names->len> 20 ? 5 : 1)
        mutate_member(mutation, value, names->pdata[i], where);
}

static void test_file(gconstpointer data) {
    Mutation mutation = {.file = GPOINTER_TO_SIZE(data)};
    g_autoptr(GError) error = NULL;
    mutation.root = vigie_knowledge_json(files[mutation.file].name, &error);
    g_assert_no_error(error);
    g_assert_true(files[mutation.file].load(mutation.root, NULL));
    mutate(&mutation, mutation.root, "");
    g_test_message("%d refused, %d accepted", mutation.refused, mutation.accepted);
    /* What is left are whole entries of a list, and flags. */
    g_assert_cmpint(mutation.refused, >, 20 * mutation.accepted);
    g_assert_true(files[mutation.file].load(mutation.root, NULL));
    json_decref(mutation.root);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    if (!csirt_rules_load(&error))
        g_error("%s", error->message);
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_strdup_printf("/rules/%s", files[i].name);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_file);
    }
    return g_test_run();
}
