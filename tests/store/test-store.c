/* Values, statements, transactions and migrations; the same on SQLite and PostgreSQL. */
#include "store-test.h"

#include <math.h>
#include <string.h>

static void exec(VigieStore *store, const char *sql) {
    g_autoptr(GError) error = NULL;
    store_exec(store, &error, sql, "");
    g_assert_no_error(error);
}

static int64_t count(VigieStore *store, const char *sql) {
    g_autoptr(GError) error = NULL;
    int64_t value = -1;
    store_get_int(store, &value, &error, sql, "");
    g_assert_no_error(error);
    return value;
}

/* A store with one table: thing(id, name unique, size). */
static VigieStore *things(void) {
    VigieStore *store = test_store_new();
    exec(store, "CREATE TABLE thing (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, size BIGINT)");
    exec(store, "INSERT INTO thing VALUES (1, 'one', 10), (2, 'two', 20), (3, 'three', 30)");
    return store;
}

static void test_values(void) {
    g_autoptr(VigieStore) store = test_store_new();
    const char *blob = store_kind(store) == VIGIE_STORE_SQLITE ? "BLOB" : "BYTEA";
    g_autofree char *create =
        g_strdup_printf("CREATE TABLE v (k BIGINT, i BIGINT, d DOUBLE PRECISION, t TEXT, b %s)", blob);
    exec(store, create);
    const int64_t numbers[] = {0, 1, -1, INT64_MAX, INT64_MIN};
    const double reals[] = {0.0, 0.1, -1e300, 5e-324, 1.7976931348623157e308};
    const char *texts[] = {"", "ça va 🏥", "it's $1 \"quoted\" \\ %", "line\nline", "x"};
    uint8_t all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    const VigieBytes blobs[] = {{all, 0}, {all, 256}, {all, 1}, {all + 92, 1}, {NULL, 0}};
    g_autoptr(GError) error = NULL;
    for (int64_t i = 0; i < 5; i++) {
        store_exec(store, &error, "INSERT INTO v VALUES ($1, $2, $3, $4, $5)", "iidtb", i, numbers[i],
                   reals[i], texts[i], &blobs[i]);
        g_assert_no_error(error);
    }
    g_autoptr(VigieRows) rows = store_query(store, &error, "SELECT i, d, t, b FROM v ORDER BY k", "");
    g_assert_no_error(error);
    for (int i = 0; i < 5; i++) {
        g_assert_true(rows_next(rows, &error));
        g_assert_cmpint(rows_int(rows, 0), ==, numbers[i]);
        g_assert_true(rows_double(rows, 1) == reals[i]);
        g_assert_cmpstr(rows_text(rows, 2), ==, texts[i]);
        g_assert_false(rows_null(rows, 3));
        g_assert_true(vigie_bytes_equal(rows_blob(rows, 3), blobs[i]));
    }
    g_assert_false(rows_next(rows, &error));
    g_assert_false(rows_next(rows, &error));
    g_assert_no_error(error);
}

static void test_null(void) {
    g_autoptr(VigieStore) store = things();
    g_autoptr(GError) error = NULL;
    exec(store, "CREATE TABLE v (i BIGINT, t TEXT)");
    store_exec(store, &error, "INSERT INTO v VALUES ($1, $2)", "nt", NULL);
    g_assert_no_error(error);
    g_autoptr(VigieRows) rows = store_query(store, &error, "SELECT i, t FROM v WHERE i IS NULL", "");
    g_assert_true(rows_next(rows, &error));
    g_assert_true(rows_null(rows, 0));
    g_assert_true(rows_null(rows, 1));
    g_assert_cmpint(rows_int(rows, 0), ==, 0);
    g_assert_true(rows_double(rows, 0) == 0.0);
    g_assert_null(rows_text(rows, 1));
    g_assert_cmpuint(rows_blob(rows, 1).size, ==, 0);
}

static void test_parameters(void) {
    g_autoptr(VigieStore) store = things();
    g_autoptr(GError) error = NULL;
    int64_t id = 0;
    /* Out of order, and one of them twice. */
    store_get_int(store, &id, &error, "SELECT id FROM thing WHERE name = $2 AND size > $1 AND size < $1 + 15",
                  "it", (int64_t)10, "two");
    g_assert_no_error(error);
    g_assert_cmpint(id, ==, 2);
    /* Never code: what would end the text stays text. */
    g_assert_false(
        store_get_int(store, &id, &error, "SELECT id FROM thing WHERE name = $1", "t", "x' OR 'a'='a"));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, "no row", NULL);
    g_assert_cmpint(id, ==, 2);
    g_assert_false(store_exec(store, &error, "DELETE FROM thing WHERE name = $1", ""));
    test_error_says(&error, VIGIE_ERROR_INTERNAL, "DELETE FROM thing", NULL);
    g_assert_false(store_exec(store, &error, "DELETE FROM thing; DELETE FROM thing", ""));
    test_error_says(&error, VIGIE_ERROR_INTERNAL, "DELETE FROM thing", NULL);
    g_assert_cmpint(count(store, "SELECT count(*) FROM thing"), ==, 3);
}

static void test_not_utf8(void) {
    g_autoptr(VigieStore) store = things();
    g_autoptr(GError) error = NULL;
    g_assert_false(store_exec(store, &error, "INSERT INTO thing VALUES (4, $1, 0)", "t", "caf\xe9"));
    test_error_says(&error, VIGIE_ERROR_INVALID, "$1", "UTF-8", NULL);
    g_assert_cmpint(count(store, "SELECT count(*) FROM thing"), ==, 3);
}

static void test_rows_touched(void) {
    g_autoptr(VigieStore) store = things();
    g_autoptr(GError) error = NULL;
    int64_t rows = -1;
    store_exec_count(store, &rows, &error, "UPDATE thing SET size = size + 1 WHERE id <= $1", "i",
                     (int64_t)2);
    g_assert_no_error(error);
    g_assert_cmpint(rows, ==, 2);
    store_exec_count(store, &rows, &error, "DELETE FROM thing WHERE id = $1", "i", (int64_t)9);
    g_assert_no_error(error);
    g_assert_cmpint(rows, ==, 0);
    store_exec_count(store, &rows, &error, "UPDATE thing SET size = 0 RETURNING id", "");
    g_assert_no_error(error);
    g_assert_cmpint(rows, ==, 3);
}

/* An INSERT … RETURNING has inserted even where its row is not read. */
static void test_returning(void) {
    g_autoptr(VigieStore) store = test_store_new();
    const char *type = store_kind(store) == VIGIE_STORE_SQLITE
                           ? "INTEGER PRIMARY KEY AUTOINCREMENT"
                           : "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
    g_autofree char *create = g_strdup_printf("CREATE TABLE auto (id %s, n BIGINT)", type);
    exec(store, create);
    g_autoptr(GError) error = NULL;
    rows_free(store_query(store, &error, "INSERT INTO auto (n) VALUES (7) RETURNING id", ""));
    g_assert_no_error(error);
    int64_t first = 0, second = 0;
    store_get_int(store, &first, &error, "SELECT id FROM auto", "");
    exec(store, "DELETE FROM auto");
    store_get_int(store, &second, &error, "INSERT INTO auto (n) VALUES (8) RETURNING id", "");
    g_assert_no_error(error);
    g_assert_cmpint(second, >, first);
}

static void test_same_dialect(void) {
    g_autoptr(VigieStore) store = things();
    g_assert_cmpint(count(store, "SELECT count(*) FROM thing WHERE name LIKE 'T%'"), ==, 0);
    g_assert_cmpint(count(store, "SELECT count(*) FROM thing WHERE name LIKE 't%'"), ==, 2);
    g_assert_cmpint(count(store, "SELECT sum(size) FROM thing"), ==, 60);
    g_assert_cmpint(count(store, "SELECT 7 / 2"), ==, 3);
    exec(store, "INSERT INTO thing VALUES (4, 'none', NULL)");
    g_assert_cmpint(count(store, "SELECT id FROM thing ORDER BY size DESC NULLS LAST LIMIT 1"), ==, 3);
    exec(store,
         "INSERT INTO thing VALUES (9, 'one', 5) ON CONFLICT (name) DO UPDATE SET size = excluded.size");
    g_assert_cmpint(count(store, "SELECT size FROM thing WHERE id = 1"), ==, 5);
}

static void test_constraints(void) {
    g_autoptr(VigieStore) store = things();
    g_autoptr(GError) error = NULL;
    g_assert_false(store_exec(store, &error, "INSERT INTO thing VALUES (4, 'one', 0)", ""));
    test_error_says(&error, VIGIE_ERROR_CONFLICT, "name", NULL);
    exec(store, "CREATE TABLE part (thing BIGINT NOT NULL REFERENCES thing (id) ON DELETE CASCADE)");
    g_assert_false(store_exec(store, &error, "INSERT INTO part VALUES (99)", ""));
    test_error_says(&error, VIGIE_ERROR_CONFLICT, NULL);
    exec(store, "INSERT INTO part VALUES (1)");
    exec(store, "DELETE FROM thing WHERE id = 1");
    g_assert_cmpint(count(store, "SELECT count(*) FROM part"), ==, 0);
    g_assert_false(store_exec(store, &error, "SELECT colour FROM nowhere", ""));
    test_error_says(&error, VIGIE_ERROR_INTERNAL, "nowhere", NULL);
}

/* The same statement open in its own loop, and writes in the loop. */
static void test_nested(void) {
    g_autoptr(VigieStore) store = things();
    g_autoptr(GError) error = NULL;
    const char *sql = "SELECT id, name FROM thing ORDER BY id";
    g_autoptr(VigieTransaction) tx = store_begin(store, &error);
    g_autoptr(VigieRows) outer = store_query(store, &error, sql, "");
    int pairs = 0;
    while (rows_next(outer, &error)) {
        g_autoptr(VigieRows) inner = store_query(store, &error, sql, "");
        while (rows_next(inner, &error))
            pairs++;
        store_exec(store, &error, "UPDATE thing SET size = $1 WHERE id = $2", "ii", (int64_t)pairs,
                   rows_int(outer, 0));
        g_assert_no_error(error);
    }
    g_assert_no_error(error);
    g_assert_cmpint(pairs, ==, 9);
    store_commit(&tx, &error);
    g_assert_no_error(error);
    g_assert_cmpint(count(store, "SELECT size FROM thing WHERE id = 3"), ==, 9);
}

/* More distinct statements than the cache holds, one of them open all the while. */
static void test_many_statements(void) {
    g_autoptr(VigieStore) store = things();
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieRows) open = store_query(store, &error, "SELECT id FROM thing ORDER BY id", "");
    for (int i = 0; i < 700; i++) {
        g_autofree char *sql = g_strdup_printf("SELECT %d + $1", i);
        int64_t value = 0;
        store_get_int(store, &value, &error, sql, "i", (int64_t)1);
        g_assert_no_error(error);
        g_assert_cmpint(value, ==, i + 1);
    }
    int seen = 0;
    while (rows_next(open, &error))
        seen++;
    g_assert_no_error(error);
    g_assert_cmpint(seen, ==, 3);
}

static void add(VigieStore *store, int64_t id, GError **error) {
    g_autofree char *name = g_strdup_printf("thing %d", (int)id);
    store_exec(store, error, "INSERT INTO thing VALUES ($1, $2, 0)", "it", id, name);
}

static void test_transactions(void) {
    g_autoptr(VigieStore) store = things();
    g_autoptr(GError) error = NULL;
    {
        g_autoptr(VigieTransaction) left = store_begin(store, &error);
        g_assert_nonnull(left);
        add(store, 4, &error);
        g_assert_no_error(error);
    }
    g_assert_cmpint(count(store, "SELECT count(*) FROM thing"), ==, 3);
    g_autoptr(VigieTransaction) outer = store_begin(store, &error);
    add(store, 4, &error);
    {
        g_autoptr(VigieTransaction) left = store_begin(store, &error);
        g_assert_nonnull(left);
        add(store, 5, &error);
        g_autoptr(VigieTransaction) kept_in_left = store_begin(store, &error);
        add(store, 6, &error);
        g_assert_true(store_commit(&kept_in_left, &error));
    }
    g_autoptr(VigieTransaction) inner = store_begin(store, &error);
    add(store, 7, &error);
    g_assert_true(store_commit(&inner, &error));
    g_assert_null(inner);
    g_assert_true(store_commit(&outer, &error));
    g_assert_no_error(error);
    g_assert_cmpint(count(store, "SELECT sum(id) FROM thing"), ==, 1 + 2 + 3 + 4 + 7);
}

/* Both databases: after a failure, only the rollback; a savepoint confines it. */
static void test_failure_in_transaction(void) {
    g_autoptr(VigieStore) store = things();
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieTransaction) tx = store_begin(store, &error);
    add(store, 4, &error);
    {
        g_autoptr(VigieTransaction) point = store_begin(store, &error);
        g_assert_nonnull(point);
        add(store, 5, &error);
        g_assert_no_error(error);
        add(store, 4, &error);
        test_error_says(&error, VIGIE_ERROR_CONFLICT, NULL);
    }
    add(store, 6, &error);
    g_assert_no_error(error);
    add(store, 4, &error);
    test_error_says(&error, VIGIE_ERROR_CONFLICT, NULL);
    add(store, 7, &error);
    test_error_says(&error, VIGIE_ERROR_INTERNAL, "rolled back", "contradicts", NULL);
    g_assert_false(store_commit(&tx, &error));
    test_error_says(&error, VIGIE_ERROR_INTERNAL, "contradicts", NULL);
    g_assert_null(tx);
    g_assert_cmpint(count(store, "SELECT count(*) FROM thing"), ==, 3);
    add(store, 4, &error);
    g_assert_no_error(error);
    g_assert_cmpint(count(store, "SELECT count(*) FROM thing"), ==, 4);
}

/* ---- Migrations ------------------------------------------------------------------------------------------ */

static void test_migrate(void) {
    g_autofree char *url = test_store_url();
    g_autoptr(VigieStore) store = test_store_open(url);
    g_autoptr(GError) error = NULL;
    int64_t version = -1, program = -1;
    g_assert_true(store_version(store, &version, &program, &error));
    g_assert_cmpint(version, ==, 0);
    g_assert_cmpint(program, >, 0);
    for (int i = 0; i < 2; i++) {
        store_migrate(store, &error);
        g_assert_no_error(error);
    }
    g_assert_true(store_version(store, &version, &program, &error));
    g_assert_cmpint(version, ==, program);
    g_assert_cmpint(count(store, "SELECT count(*) FROM job"), ==, 0);
}

static gpointer migrate_thread(gpointer url) {
    g_autoptr(VigieStore) store = test_store_open(url);
    g_autoptr(GError) error = NULL;
    store_migrate(store, &error);
    g_assert_no_error(error);
    return NULL;
}

/* A new store opened and migrated by eight at once. */
static void test_migrate_together(void) {
    g_autofree char *url = test_store_url();
    GThread *threads[8];
    for (int i = 0; i < 8; i++)
        threads[i] = g_thread_new("migrate", migrate_thread, url);
    for (int i = 0; i < 8; i++)
        g_thread_join(threads[i]);
    g_autoptr(VigieStore) store = test_store_open(url);
    g_assert_cmpint(count(store, "SELECT count(*) FROM schema_migration WHERE id = 1"), ==, 1);
}

static void test_newer(void) {
    g_autoptr(VigieStore) store = test_store_new();
    exec(store, "INSERT INTO schema_migration VALUES (9001, 'future', 0)");
    g_autoptr(GError) error = NULL;
    g_assert_false(store_migrate(store, &error));
    test_error_says(&error, VIGIE_ERROR_CONFLICT, "9001", "newer", NULL);
    int64_t version = 0, program = 0;
    g_assert_true(store_version(store, &version, &program, &error));
    g_assert_cmpint(version, ==, 9001);
    g_assert_cmpint(program, <, 9001);
}

/* A store without a room's later migration gets it, even after another room's higher number. */
static void test_gap(void) {
    g_autoptr(VigieStore) store = test_store_new();
    exec(store, "DELETE FROM schema_migration WHERE id = 1");
    exec(store, "DROP TABLE job");
    g_autoptr(GError) error = NULL;
    int64_t version = -1, program = -1;
    g_assert_true(store_version(store, &version, &program, &error));
    g_assert_cmpint(version, ==, 0);
    store_migrate(store, &error);
    g_assert_no_error(error);
    g_assert_cmpint(count(store, "SELECT count(*) FROM job"), ==, 0);
}

/* One that fails leaves nothing behind. */
static void test_migrate_all_or_nothing(void) {
    g_autofree char *url = test_store_url();
    g_autoptr(VigieStore) store = test_store_open(url);
    exec(store, "CREATE TABLE job (id BIGINT)");
    g_autoptr(GError) error = NULL;
    g_assert_false(store_migrate(store, &error));
    test_error_says(&error, VIGIE_ERROR_INTERNAL, "0001-jobs", "job", NULL);
    int64_t version = -1, program = -1;
    g_assert_true(store_version(store, &version, &program, &error));
    g_assert_cmpint(version, ==, 0);
    exec(store, "DROP TABLE job");
    g_assert_true(store_migrate(store, &error));
}

static void test_address(void) {
    g_autoptr(GError) error = NULL;
    g_assert_null(store_open("mysql://user:secret@host/db", &error));
    g_assert_null(strstr(error->message, "secret"));
    test_error_says(&error, VIGIE_ERROR_INVALID, "sqlite:", NULL);
    g_assert_null(store_open("sqlite:", &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "names no file", NULL);
    g_assert_null(store_open("sqlite::memory:", &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "names no file", NULL);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/values", test_values);
    g_test_add_func("/store/null", test_null);
    g_test_add_func("/store/parameters", test_parameters);
    g_test_add_func("/store/not-utf8", test_not_utf8);
    g_test_add_func("/store/rows-touched", test_rows_touched);
    g_test_add_func("/store/returning", test_returning);
    g_test_add_func("/store/same-dialect", test_same_dialect);
    g_test_add_func("/store/constraints", test_constraints);
    g_test_add_func("/store/nested", test_nested);
    g_test_add_func("/store/many-statements", test_many_statements);
    g_test_add_func("/store/transactions", test_transactions);
    g_test_add_func("/store/failure-in-transaction", test_failure_in_transaction);
    g_test_add_func("/store/migrate", test_migrate);
    g_test_add_func("/store/migrate-together", test_migrate_together);
    g_test_add_func("/store/newer", test_newer);
    g_test_add_func("/store/gap", test_gap);
    g_test_add_func("/store/migrate-all-or-nothing", test_migrate_all_or_nothing);
    g_test_add_func("/store/address", test_address);
    return test_store_run(argc, argv);
}
