/* The knowledge folder: found once, its files read whole. */
#include "base/base.h"

#include <unistd.h>

enum { KNOWLEDGE_MAX = 16 * 1024 * 1024 };

static char *folder_beside_program(void) {
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    if (!program)
        return NULL;
    g_autofree char *bin = g_path_get_dirname(program);
    for (int up = 0; up < 4; up++) {
        g_autofree char *parent = g_path_get_dirname(bin);
        g_autofree char *folder = g_build_filename(parent, "knowledge", NULL);
        g_autofree char *words = g_build_filename(folder, "words", NULL);
        if (g_file_test(words, G_FILE_TEST_IS_DIR))
            return g_steal_pointer(&folder);
        g_free(bin);
        bin = g_steal_pointer(&parent);
    }
    return NULL;
}

const char *vigie_knowledge_folder(void) {
    static char *folder;
    if (g_once_init_enter(&folder)) {
        const char *set = g_getenv("VIGIE_KNOWLEDGE");
        char *found = set ? g_strdup(set) : folder_beside_program();
        if (!found)
            found = g_build_filename(VIGIE_DATA_FOLDER, "knowledge", NULL);
        g_once_init_leave(&folder, found);
    }
    return folder;
}

char *vigie_knowledge_text(const char *name, gsize *ret_size, GError **error) {
    g_autofree char *path = g_build_filename(vigie_knowledge_folder(), name, NULL);
    g_autofree char *text = NULL;
    gsize size = 0;
    if (!g_file_get_contents(path, &text, &size, error))
        return NULL;
    if (size > KNOWLEDGE_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "%s: more than 16 MiB is not read", path);
        return NULL;
    }
    if (ret_size)
        *ret_size = size;
    return g_steal_pointer(&text);
}

json_t *vigie_knowledge_json(const char *name, GError **error) {
    gsize size = 0;
    g_autofree char *text = vigie_knowledge_text(name, &size, error);
    if (!text)
        return NULL;
    json_error_t where;
    json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    if (!value)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s/%s: line %d, column %d: this is no JSON (%s)", vigie_knowledge_folder(), name,
                    where.line, where.column, where.text);
    return value;
}
