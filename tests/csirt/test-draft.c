/* Drafts: only who holds the code reads one, and only for a while. */
#include "csirt/declaration.h"
#include "store-test.h"

#include <string.h>

#define NOW ((VigieTime)1795248000)
enum { DAY = 86400 };

static json_t *put_aside(const char *text) {
    return json_pack("{s:s, s:{s:s}}", "form", "incident", "values", "text", text);
}

static char *save(VigieStore *store, const char *code, const char *text, VigieTime now) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) values = put_aside(text);
    char *given = NULL;
    const VigieDraft draft = {values, NULL, 0, now + CSIRT_DRAFT_DAYS * DAY, false};
    csirt_draft_save(store, code, &draft, now, &given, &error);
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
    g_autoptr(json_t) wanted = put_aside("Le PACS"),
                      found = csirt_draft_open(store, typed, NOW + DAY, &error);
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
    g_autoptr(json_t) wanted = put_aside("two"), found = csirt_draft_open(store, code, NOW, &error);
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
    g_autoptr(json_t) large = put_aside(text), small = put_aside("x");
    g_assert_false(csirt_draft_save(
        store, NULL, &(VigieDraft){large, NULL, 0, NOW + CSIRT_DRAFT_DAYS * DAY, false}, NOW, &code, &error));
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
    g_assert_false(csirt_draft_save(
        store, NULL, &(VigieDraft){small, NULL, 0, NOW + CSIRT_DRAFT_DAYS * DAY, false}, NOW, &code, &error));
    test_error_says(&error, VIGIE_ERROR_BUSY, "5000", NULL);
    g_assert_true(csirt_draft_save(
        store, NULL, &(VigieDraft){small, NULL, 0, NOW + 2 * DAY + CSIRT_DRAFT_DAYS * DAY, false},
        NOW + 2 * DAY, &code, &error));
}

/* Files come back with the code, and with it alone; they are replaced together, are not to be read in the store, go with their draft,
 * and stop at the limit of all. */
static void test_files(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) values = put_aside("x"), other = put_aside("y");
    g_autofree char *code = NULL, *again = NULL;
    const VigieDeclarationFile two[] = {{"écran.png", vigie_bytes("PNG\0secret", 10)},
                                        {"vide.txt", vigie_bytes("", 0)}};
    int64_t count = 0;
    const VigieDraft draft = {values, two, 2, NOW + DAY, false}, less = {other, two + 1, 1, NOW + 3600, true};
    g_assert_true(csirt_draft_save(store, NULL, &draft, NOW, &code, &error));
    g_autoptr(GPtrArray) files = csirt_draft_files(store, code, NOW, &error);
    g_assert_cmpuint(files->len, ==, 2);
    const VigieDraftFile *first = g_ptr_array_index(files, 0);
    g_assert_cmpstr(first->name, ==, "écran.png");
    g_assert_cmpmem(g_bytes_get_data(first->content, NULL), g_bytes_get_size(first->content), "PNG\0secret",
                    10);
    g_autoptr(GPtrArray) late = csirt_draft_files(store, code, NOW + DAY, &error);
    g_autoptr(GPtrArray) others = csirt_draft_files(store, "AAAA-AAAA-AAAA-AAAA-AAAA", NOW, &error);
    g_assert_cmpuint(late->len + others->len, ==, 0);
    g_autoptr(VigieRows) rows =
        store_query(store, &error, "SELECT sealed FROM csirt_draft_file ORDER BY seq", "");
    g_assert_true(rows_next(rows, &error));
    VigieBytes sealed = rows_blob(rows, 0);
    g_assert_null(memmem(sealed.data, sealed.size, "secret", 6));
    g_assert_null(memmem(sealed.data, sealed.size, "cran.png", 8));
    g_clear_pointer(&rows, rows_free);
    g_assert_true(csirt_draft_save(store, code, &less, NOW, &again, &error));
    g_autoptr(GPtrArray) one =
        csirt_draft_files(store, code, NOW + 7200, &error); /* it still ends when it did */
    g_assert_cmpuint(one->len, ==, 1);
    g_autoptr(json_t) as_before = csirt_draft_open(store, code, NOW, &error);
    g_assert_true(json_equal(as_before, values));
    g_assert_true(store_exec(store, &error, "UPDATE csirt_draft_file SET size = $1", "i",
                             (int64_t)CSIRT_DRAFT_FILES_BYTES));
    g_autofree char *none = NULL;
    g_assert_false(csirt_draft_save(store, NULL, &draft, NOW, &none, &error));
    test_error_says(&error, VIGIE_ERROR_BUSY, "files", NULL);
    g_assert_true(csirt_draft_remove(store, code, &error));
    g_assert_true(store_get_int(store, &count, &error, "SELECT count(*) FROM csirt_draft_file", ""));
    g_assert_cmpint(count, ==, 0);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/draft/open", test_open);
    g_test_add_func("/draft/again", test_again);
    g_test_add_func("/draft/end", test_end);
    g_test_add_func("/draft/sealed", test_sealed);
    g_test_add_func("/draft/bounds", test_bounds);
    g_test_add_func("/draft/files", test_files);
    return test_store_run(argc, argv);
}
