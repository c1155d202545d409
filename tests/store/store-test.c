#include "store-test.h"

#include <glib/gstdio.h>
#include <string.h>

static char *folder;
static int stores;

bool test_on_postgresql(void) {
    return g_getenv("VIGIE_TEST_POSTGRESQL") != NULL;
}

char *test_store_url(void) {
    const char *server = g_getenv("VIGIE_TEST_POSTGRESQL");
    int number = ++stores;
    if (!server)
        return g_strdup_printf("sqlite:%s/%d.db", folder, number);
    /* The process id, so that several test programs can share a server. */
    g_autofree char *name = g_strdup_printf("t%d_%d", (int)getpid(), number);
    g_autofree char *create = g_strdup_printf("CREATE SCHEMA %s", name);
    g_autoptr(VigieStore) store = test_store_open(server);
    g_autoptr(GError) error = NULL;
    store_exec(store, &error, create, "");
    g_assert_no_error(error);
    return g_strdup_printf("%s%coptions=-csearch_path%%3D%s", server, strchr(server, '?') ? '&' : '?', name);
}

VigieStore *test_store_open(const char *url) {
    g_autoptr(GError) error = NULL;
    VigieStore *store = store_open(url, &error);
    g_assert_no_error(error);
    g_assert_nonnull(store);
    return store;
}

VigieStore *test_store_new(void) {
    g_autofree char *url = test_store_url();
    VigieStore *store = test_store_open(url);
    g_autoptr(GError) error = NULL;
    store_migrate(store, &error);
    g_assert_no_error(error);
    return store;
}

const char *test_store_path(const char *url) {
    return url + strlen("sqlite:");
}

void test_error_says(GError **error, VigieErrorCode code, ...) {
    g_assert_error(*error, VIGIE_ERROR, (int)code);
    g_test_message("%s", (*error)->message);
    va_list words;
    va_start(words, code);
    for (const char *word = va_arg(words, const char *); word; word = va_arg(words, const char *))
        if (!strstr((*error)->message, word))
            g_error("\"%s\" does not say \"%s\"", (*error)->message, word);
    va_end(words);
    g_clear_error(error);
}

int test_store_run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    g_autoptr(GError) error = NULL;
    folder = g_dir_make_tmp("vigie-store-XXXXXX", &error);
    g_assert_no_error(error);
    int status = g_test_run();
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_unlink(path);
    }
    g_rmdir(folder);
    g_free(folder);
    return status;
}
