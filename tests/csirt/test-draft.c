/* Drafts: only who holds the code reads one, and only for a while. */
#include "csirt/declaration.h"
#include "store-test.h"

#include <string.h>

#define NOW ((VigieTime)1795248000)
enum { DAY = 86400 };

static json_t *draft(const char *text) {
    return json_pack("{s:s, s:{s:s}}", "form", "incident", "values", "text", text);
}

static char *save(VigieStore *store, const char *code, const char *text, VigieTime now) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) values = draft(text);
    char *given = NULL;
    csirt_draft_save(store, code, values, now, &given, &error);
    g_assert_no_error(error);
    return given;
}

static void assert_none(VigieStore *store, const char *code, VigieTime now) {
    g_autoptr(GError) error = NULL;
    g_assert_null(csirt_draft_open(store, code, now, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, "no draft", NULL);
}

/* The code opens it, however it is written; another does not; nor does it once removed. */
static void test_open(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *code = save(store, NULL, "Le PACS", NOW);
    g_autofree char *typed = g_ascii_strdown(code, -1);
    g_strdelimit(typed, "-", ' ');
    g_autoptr(json_t) wanted = draft("Le PACS"), found = csirt_draft_open(store, typed, NOW + DAY, &error);
    g_assert_no_error(error);
    g_assert_true(json_equal(found, wanted));
    assert_none(store, "AAAA-AAAA-AAAA-AAAA-AAAA", NOW);
    assert_none(store, "", NOW);
    assert_none(store, "é!", NOW);
    g_assert_true(csirt_draft_remove(store, typed, &error));
    assert_none(store, code, NOW);
}

/* Saved again with its code it is replaced, not doubled. */
static void test_again(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *code = save(store, NULL, "one", NOW), *again = save(store, code, "two", NOW + 1);
    int64_t count = 0;
    g_assert_cmpstr(code, ==, again);
    g_autoptr(json_t) wanted = draft("two"), found = csirt_draft_open(store, code, NOW, &error);
    g_assert_true(json_equal(found, wanted));
    g_assert_true(store_get_int(store, &count, &error, "SELECT count(*) FROM csirt_draft", ""));
    g_assert_cmpint(count, ==, 1);
}

/* It ends after two weeks, and what has ended is gone from the store with the next one saved. */
static void test_end(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *code = save(store, NULL, "one", NOW);
    int64_t count = 0;
    assert_none(store, code, NOW + CSIRT_DRAFT_DAYS * DAY);
    g_autofree char *other = save(store, NULL, "two", NOW + CSIRT_DRAFT_DAYS * DAY);
    g_assert_true(store_get_int(store, &count, &error, "SELECT count(*) FROM csirt_draft", ""));
    g_assert_cmpint(count, ==, 1);
}

/* Nothing that was typed, nor the code, can be found in what is stored; what was altered is refused. */
static void test_sealed(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *code = save(store, NULL, "Clinique Sainte-Anne", NOW);
    g_autofree char *hash = csirt_code_hash(code);
    {
        g_autoptr(VigieRows) rows = store_query(store, &error, "SELECT hash, sealed FROM csirt_draft", "");
        g_assert_true(rows_next(rows, &error));
        VigieBytes sealed = rows_blob(rows, 1);
        g_assert_null(memmem(sealed.data, sealed.size, "Anne", 4));
        g_assert_cmpstr(rows_text(rows, 0), !=, hash);
    }
    const uint8_t altered[64] = {0};
    VigieBytes bytes = vigie_bytes(altered, sizeof altered);
    g_assert_true(store_exec(store, &error, "UPDATE csirt_draft SET sealed = $1", "b", &bytes));
    g_assert_null(csirt_draft_open(store, code, NOW, &error));
    test_error_says(&error, VIGIE_ERROR_INTERNAL, "altered", NULL);
}

/* One that is too large, or one too many, is refused and said why. */
static void test_bounds(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strnfill(CSIRT_DRAFT_SIZE_MAX, 'a'), *code = NULL;
    g_autoptr(json_t) large = draft(text), small = draft("x");
    g_assert_false(csirt_draft_save(store, NULL, large, NOW, &code, &error));
    test_error_says(&error, VIGIE_ERROR_LIMIT, "octets", NULL);
    g_autoptr(VigieTransaction) tx = store_begin(store, &error);
    for (int i = 0; i < CSIRT_DRAFTS_MAX; i++) {
        g_autofree char *hash = g_strdup_printf("%d", i);
        VigieBytes bytes = vigie_bytes(hash, 1);
        g_assert_true(store_exec(store, &error,
                                 "INSERT INTO csirt_draft (hash, sealed, ends) VALUES ($1, $2, $3)", "tbi",
                                 hash, &bytes, NOW + DAY));
    }
    g_assert_true(store_commit(&tx, &error));
    g_assert_false(csirt_draft_save(store, NULL, small, NOW, &code, &error));
    test_error_says(&error, VIGIE_ERROR_BUSY, "5000", NULL);
    g_assert_true(csirt_draft_save(store, NULL, small, NOW + 2 * DAY, &code, &error));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/draft/open", test_open);
    g_test_add_func("/draft/again", test_again);
    g_test_add_func("/draft/end", test_end);
    g_test_add_func("/draft/sealed", test_sealed);
    g_test_add_func("/draft/bounds", test_bounds);
    return test_store_run(argc, argv);
}
