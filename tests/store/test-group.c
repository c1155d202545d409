/* Writes of several threads in shared commits: all on the disk when they return, each fails alone, one commit carries
 * those that wait. */
#include "store-test.h"

enum { THREADS = 8, EACH = 50 };

typedef struct {
    const char *url;
    VigieStoreGroup *group;
    int64_t first; /* keys to write, from here */
    int count;
    gint *arrived;
    int failed;
    GThread *ran_by; /* of the last write */
} Writer;

typedef struct {
    Writer *writer;
    int64_t key;
} Write;

static bool write_row(VigieStore *store, void *data, GError **error) {
    Write *write = data;
    write->writer->ran_by = g_thread_self();
    return store_exec(store, error, "INSERT INTO grouped (key) VALUES ($1)", "i", write->key);
}

static void *run_writer(void *data) {
    Writer *writer = data;
    g_autoptr(VigieStore) store = test_store_open(writer->url);
    for (int i = 0; i < writer->count; i++) {
        Write write = {writer, writer->first + i};
        g_autoptr(GError) error = NULL;
        g_atomic_int_inc(writer->arrived);
        bool well = store_group_write(writer->group, store, write_row, &write, &error);
        g_assert_true(well == !error);
        writer->failed += !well;
        g_assert_true(well || g_error_matches(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT));
        /* What returned is there for others. */
        int64_t found = 0;
        g_autoptr(GError) none = NULL;
        store_get_int(store, &found, &none, "SELECT count(*) FROM grouped WHERE key = $1", "i", write.key);
        g_assert_no_error(none);
        g_assert_cmpint(found, ==, 1);
    }
    return NULL;
}

static char *new_store(void) {
    char *url = test_store_url();
    g_autoptr(VigieStore) store = test_store_open(url);
    g_autoptr(GError) error = NULL;
    store_exec(store, &error, "CREATE TABLE grouped (key BIGINT PRIMARY KEY)", "");
    g_assert_no_error(error);
    return url;
}

static VigieStoreGroup *open_group(const char *url) {
    g_autoptr(GError) error = NULL;
    VigieStoreGroup *group = store_group_open(url, &error);
    g_assert_no_error(error);
    return group;
}

static int64_t count_rows(VigieStore *store) {
    int64_t count = 0;
    g_autoptr(GError) error = NULL;
    store_get_int(store, &count, &error, "SELECT count(*) FROM grouped", "");
    g_assert_no_error(error);
    return count;
}

/* Half of the keys are written by two threads: one of each pair fails, and takes nobody with it. */
static void test_alone(void) {
    g_autofree char *url = new_store();
    g_autoptr(VigieStoreGroup) group = open_group(url);
    g_autoptr(VigieStore) store = test_store_open(url);
    gint arrived = 0;
    Writer writers[THREADS];
    GThread *threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (Writer){url, group, (i < 2 ? 0 : i) * EACH, EACH, &arrived, 0, NULL};
        threads[i] = g_thread_new("writer", run_writer, &writers[i]);
    }
    int failed = 0;
    for (int i = 0; i < THREADS; i++) {
        g_thread_join(threads[i]);
        failed += writers[i].failed;
    }
    g_assert_cmpint(failed, ==, EACH);
    g_assert_cmpint(count_rows(store), ==, (THREADS - 1) * EACH);
}

/* While the store is locked, eight writes gather: the first to come commits them, or those that came after it. */
static void test_shared(void) {
    if (test_on_postgresql()) {
        g_test_skip("the server shares its commits itself");
        return;
    }
    g_autofree char *url = new_store();
    g_autoptr(VigieStoreGroup) group = open_group(url);
    g_autoptr(VigieStore) store = test_store_open(url);
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieTransaction) lock = store_begin(store, &error);
    gint arrived = 0;
    Writer writers[THREADS];
    GThread *threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (Writer){url, group, i, 1, &arrived, 0, NULL};
        threads[i] = g_thread_new("writer", run_writer, &writers[i]);
    }
    while (g_atomic_int_get(&arrived) < THREADS)
        g_usleep(1000);
    g_usleep(G_USEC_PER_SEC);
    g_assert_cmpint(count_rows(store), ==, 0);
    store_commit(&lock, &error);
    g_assert_no_error(error);
    g_autoptr(GHashTable) leaders = g_hash_table_new(NULL, NULL);
    for (int i = 0; i < THREADS; i++) {
        g_thread_join(threads[i]);
        g_hash_table_add(leaders, writers[i].ran_by);
    }
    g_assert_cmpint(count_rows(store), ==, THREADS);
    g_assert_cmpuint(g_hash_table_size(leaders), <=, 2);
}

static bool write_twice(VigieStore *store, void *data, GError **error) {
    (void)data;
    return store_exec(store, error, "INSERT INTO grouped (key) VALUES (1)", "") &&
           store_exec(store, error, "INSERT INTO grouped (key) VALUES (1)", "");
}

static bool write_mutely(VigieStore *store, void *data, GError **error) {
    (void)data;
    store_exec(store, error, "INSERT INTO grouped (key) VALUES (2)", "");
    return false;
}

/* What failed half-way has written nothing, and the store serves on. */
static void test_half(void) {
    g_autofree char *url = new_store();
    g_autoptr(VigieStoreGroup) group = open_group(url);
    g_autoptr(VigieStore) store = test_store_open(url);
    g_autoptr(GError) error = NULL;
    g_assert_false(store_group_write(group, store, write_twice, NULL, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT);
    g_clear_error(&error);
    g_assert_false(store_group_write(group, store, write_mutely, NULL, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL);
    g_clear_error(&error);
    g_assert_cmpint(count_rows(store), ==, 0);
    Writer writer = {.url = url};
    Write write = {&writer, 7};
    g_assert_true(store_group_write(group, store, write_row, &write, &error));
    g_assert_no_error(error);
    g_assert_cmpint(count_rows(store), ==, 1);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/group/alone", test_alone);
    g_test_add_func("/group/shared", test_shared);
    g_test_add_func("/group/half", test_half);
    return test_store_run(argc, argv);
}
