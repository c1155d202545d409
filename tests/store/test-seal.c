/* What is sealed at rest: to its row, with keys that can be changed, without a trace of what was there before. */
#include "store-test.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char canary[] = "copie de la carte d'identite de Zoe Dupont";
static const VigieSealed papers = {.table = "paper", .column = "content", .owner = "request"};
static const VigieSealed samples = {.table = "paper", .column = "content", .old_bound = "vigie artefact "};

static char *folder;

/* A key file of keys 'a', 'b' …: 32 times that letter. */
static char *key_file(const char *letters, mode_t mode) {
    static int count;
    g_autofree char *name = g_strdup_printf("key%d", ++count);
    char *path = g_build_filename(folder, name, NULL);
    g_autoptr(GString) bytes = g_string_new(NULL);
    for (; *letters; letters++)
        for (int i = 0; i < 32; i++)
            g_string_append_c(bytes, *letters);
    g_assert_true(g_file_set_contents(path, bytes->str, (gssize)bytes->len, NULL));
    g_assert_cmpint(chmod(path, mode), ==, 0);
    return path;
}

static VigieSeal *keys(const char *letters) {
    g_autofree char *path = key_file(letters, 0600);
    g_autoptr(GError) error = NULL;
    VigieSeal *seal = store_seal_load("pki.evidence_key", path, &error);
    g_assert_no_error(error);
    return seal;
}

static VigieStore *new_store(char **ret_url) {
    g_autofree char *url = test_store_url();
    VigieStore *store = test_store_open(url);
    g_autoptr(GError) error = NULL;
    store_exec(store, &error,
               test_on_postgresql()
                   ? "CREATE TABLE paper (id BIGINT PRIMARY KEY, request BIGINT, sha256 TEXT, "
                     "seal_key TEXT, content BYTEA)"
                   : "CREATE TABLE paper (id INTEGER PRIMARY KEY, request BIGINT, sha256 TEXT, "
                     "seal_key TEXT, content BLOB)",
               "");
    g_assert_no_error(error);
    if (ret_url)
        *ret_url = g_steal_pointer(&url);
    return store;
}

static void insert(VigieStore *store, int64_t id, int64_t request, const char *text, VigieBytes content) {
    g_autofree char *sha256 =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, strlen(text));
    g_autoptr(GError) error = NULL;
    store_exec(store, &error,
               "INSERT INTO paper (id, request, sha256, seal_key, content) VALUES ($1, $2, $3, '', $4)",
               "iitb", id, request, sha256, &content);
    g_assert_no_error(error);
}

static void put(VigieStore *store, const VigieSeal *seal, int64_t id, int64_t request, const char *text) {
    g_autoptr(GError) error = NULL;
    insert(store, id, request, text, vigie_bytes("", 0));
    store_seal_put(store, seal, &papers, id, vigie_bytes(text, strlen(text)), &error);
    g_assert_no_error(error);
}

static void change(VigieStore *store, const char *sql) {
    g_autoptr(GError) error = NULL;
    store_exec(store, &error, sql, "");
    g_assert_no_error(error);
}

static void opens(VigieStore *store, const VigieSeal *seal, int64_t id, const char *text) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) clear = store_seal_get(store, seal, &papers, id, &error);
    g_assert_no_error(error);
    gsize size = 0;
    const void *data = g_bytes_get_data(clear, &size);
    g_assert_cmpmem(data, size, text, strlen(text));
}

static void refused(VigieStore *store, const VigieSeal *seal, int64_t id, VigieErrorCode code,
                    const char *word) {
    g_autoptr(GError) error = NULL;
    g_assert_null(store_seal_get(store, seal, &papers, id, &error));
    test_error_says(&error, code, word, NULL);
}

/* A key that others can read, or that is none, is refused with the remedy. */
static void test_file(void) {
    static const struct {
        const char *letters;
        mode_t mode;
        const char *says;
    } wrong[] = {{"a", 0644, "chmod 0640"},
                 {"a", 0660, "chmod 0640"},
                 {"", 0600, "32 octets"},
                 {"aaaaaaaaa", 0600, "8 at most"}};
    g_autoptr(GError) error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *path = key_file(wrong[i].letters, wrong[i].mode);
        g_assert_null(store_seal_load("pki.evidence_key", path, &error));
        test_error_says(&error, VIGIE_ERROR_INVALID, "pki.evidence_key", path, wrong[i].says, NULL);
    }
    g_assert_null(store_seal_load("pki.evidence_key", "/nowhere/key", &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, "/nowhere/key", NULL);
    g_autofree char *odd = key_file("a", 0640);
    g_assert_cmpint(truncate(odd, 31), ==, 0);
    g_assert_null(store_seal_load("pki.evidence_key", odd, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "31 octets", NULL);
}

/* It opens in its own row, unchanged, with its own key, and nowhere else. */
static void test_bound(void) {
    g_autoptr(VigieStore) store = new_store(NULL);
    g_autoptr(VigieSeal) a = keys("a"), b = keys("b");
    put(store, a, 1, 10, canary);
    put(store, a, 2, 20, canary);
    opens(store, a, 1, canary);
    refused(store, b, 1, VIGIE_ERROR_CONFLICT, store_seal_id(a));
    change(store, "UPDATE paper SET content = (SELECT content FROM paper WHERE id = 1) WHERE id = 2");
    refused(store, a, 2, VIGIE_ERROR_INVALID, "another row");
    change(store, "UPDATE paper SET request = 20 WHERE id = 1");
    refused(store, a, 1, VIGIE_ERROR_INVALID, "does not open");
    change(store, "UPDATE paper SET request = 10 WHERE id = 1");
    opens(store, a, 1, canary);
    change(store, "UPDATE paper SET sha256 = 'x' WHERE id = 1");
    refused(store, a, 1, VIGIE_ERROR_INVALID, "does not open");
    put(store, a, 3, 10, canary);
    g_autofree char *other =
        g_strdup_printf("UPDATE paper SET seal_key = '%s' WHERE id = 3", store_seal_id(b));
    g_autoptr(VigieSeal) both = keys("ab");
    change(store, other);
    refused(store, both, 3, VIGIE_ERROR_INVALID, "does not open");
    change(store, "UPDATE paper SET content = '', seal_key = '' WHERE id = 3");
    refused(store, a, 3, VIGIE_ERROR_INVALID, "not sealed");
    refused(store, a, 99, VIGIE_ERROR_NOT_FOUND, "none");
}

static void renew(VigieStore *store, const VigieSeal *seal, const VigieSealed *sealed, bool bare,
                  int64_t wanted) {
    g_autoptr(GError) error = NULL;
    int64_t count = -1;
    store_seal_renew(store, seal, sealed, bare, &count, &error);
    g_assert_no_error(error);
    g_assert_cmpint(count, ==, wanted);
}

/* A new key before the old: all is sealed with it, nothing needs the old one any more; one row that was changed meanwhile is
 * said, and keeps no other from being sealed. */
static void test_renewed(void) {
    g_autoptr(VigieStore) store = new_store(NULL);
    g_autoptr(VigieSeal) a = keys("a"), ba = keys("ba"), b = keys("b");
    g_autoptr(GError) error = NULL;
    int64_t count = 0;
    for (int64_t id = 1; id <= 150; id++)
        put(store, a, id, id, canary);
    opens(store, ba, 1, canary);
    renew(store, ba, &papers, true, 0);
    change(store, "UPDATE paper SET request = 1000 WHERE id = 7");
    g_assert_false(store_seal_renew(store, ba, &papers, false, &count, &error));
    g_assert_cmpint(count, ==, 149);
    test_error_says(&error, VIGIE_ERROR_INVALID, "149 sealed", "1 left", "paper 7", NULL);
    change(store, "UPDATE paper SET request = 7 WHERE id = 7");
    renew(store, ba, &papers, false, 1);
    renew(store, ba, &papers, false, 0);
    for (int64_t id = 1; id <= 150; id++)
        opens(store, b, id, canary);
    g_autoptr(json_t) counts = store_seal_count(store, &papers, &error);
    g_assert_cmpint(json_integer_value(json_object_get(counts, store_seal_id(b))), ==, 150);
    g_assert_cmpuint(json_object_size(counts), ==, 1);
}

/* Killed again and again: each row is sealed with the one key or the other, and what is left is done the next time. */
static void test_killed(void) {
    g_autofree char *url = NULL;
    g_autoptr(VigieStore) store = new_store(&url);
    g_autoptr(VigieSeal) a = keys("a"), b = keys("b"), ba = keys("ba");
    g_autoptr(GError) error = NULL;
    g_autofree char *large = g_strnfill(200000, 'x');
    enum { ROWS = 60 };
    int64_t left = ROWS, before = ROWS;
    for (int64_t id = 1; id <= ROWS; id++)
        put(store, a, id, id, large);
    store_close(g_steal_pointer(&store)); /* no connection is open while it forks */
    for (int round = 0; round < 200 && left > 0; round++) {
        pid_t child = fork();
        if (child == 0) {
            VigieStore *own = store_open(url, NULL);
            int64_t count = 0;
            _exit(own && store_seal_renew(own, ba, &papers, false, &count, NULL) ? 0 : 1);
        }
        g_usleep((gulong)(4000 + 1500 * round));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        store = test_store_open(url);
        store_get_int(store, &left, &error, "SELECT COUNT(*) FROM paper WHERE seal_key <> $1", "t",
                      store_seal_id(b));
        g_assert_no_error(error);
        g_assert_cmpint(left, <=, before);
        before = left;
        for (int64_t id = 1; id <= ROWS; id += 7)
            opens(store, ba, id, large);
        store_close(g_steal_pointer(&store));
    }
    store = test_store_open(url);
    renew(store, ba, &papers, false, left);
    for (int64_t id = 1; id <= ROWS; id++)
        opens(store, b, id, large);
}

/* No file of the store holds these octets: the database, its log. */
static void nowhere(const char *url, const char *octets, bool wanted) {
    static const char *const endings[] = {"", "-wal"};
    bool found = false;
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
        g_autofree char *path = g_strconcat(test_store_path(url), endings[i], NULL), *bytes = NULL;
        gsize size = 0;
        if (g_file_get_contents(path, &bytes, &size, NULL))
            found = found || memmem(bytes, size, octets, strlen(octets));
    }
    g_assert_cmpint(found, ==, wanted);
}

/* What lay there in clear is sealed, and leaves no trace in the files; so does what is erased. */
static void test_traces(void) {
    g_autofree char *url = NULL;
    g_autoptr(VigieStore) store = new_store(&url);
    g_autoptr(VigieSeal) a = keys("a");
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) large = g_string_new(NULL);
    while (large->len < 50000)
        g_string_append(large, canary);
    for (int64_t id = 1; id <= 3; id++)
        insert(store, id, id, large->str, vigie_bytes(large->str, large->len));
    if (!test_on_postgresql())
        nowhere(url, canary, true);
    renew(store, a, &papers, true, 3);
    if (!test_on_postgresql())
        nowhere(url, canary, false);
    opens(store, a, 2, large->str);
    g_autoptr(VigieRows) rows = store_query(store, &error, "SELECT content FROM paper WHERE id = 2", "");
    g_assert_true(rows_next(rows, &error));
    g_autofree char *sealed = g_strndup((const char *)rows_blob(rows, 0).data + 100, 24);
    g_clear_pointer(&rows, rows_free);
    g_assert_true(store_seal_erase(store, &papers, 2, &error));
    g_assert_no_error(error);
    refused(store, a, 2, VIGIE_ERROR_NOT_FOUND, "erased");
    renew(store, a, &papers, false, 0);
    if (!test_on_postgresql() && strlen(sealed) == 24)
        nowhere(url, sealed, false);
}

/* What was in clear and is no longer what its row says is left as it is, and said. */
static void test_changed_before(void) {
    g_autoptr(VigieStore) store = new_store(NULL);
    g_autoptr(VigieSeal) a = keys("a");
    g_autoptr(GError) error = NULL;
    int64_t count = 0;
    insert(store, 1, 1, canary, vigie_bytes("forged", 6));
    g_assert_false(store_seal_renew(store, a, &papers, true, &count, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "SHA-256", NULL);
    refused(store, a, 1, VIGIE_ERROR_INVALID, "not sealed");
    /* Nor does what was never sealed as the old form was pass for it. */
    g_assert_false(store_seal_renew(store, a, &samples, true, &count, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "no key of the file", NULL);
}

/* As the versions before sealed: nonce, ciphertext, tag, bound to the digest alone. */
static GBytes *seal_old(uint8_t letter, const char *text, const char *bound) {
    enum { NONCE = 12, TAG = 16 };
    uint8_t key[32], *out = g_malloc0(NONCE + strlen(text) + TAG);
    int size = 0;
    memset(key, letter, sizeof key);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    g_assert_true(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
                  EVP_EncryptUpdate(ctx, NULL, &size, (const uint8_t *)bound, (int)strlen(bound)) == 1 &&
                  EVP_EncryptUpdate(ctx, out + NONCE, &size, (const uint8_t *)text, (int)strlen(text)) == 1 &&
                  EVP_EncryptFinal_ex(ctx, out + NONCE + size, &size) == 1 &&
                  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE + strlen(text)) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return g_bytes_new_take(out, NONCE + strlen(text) + TAG);
}

/* Artefacts from before seals named their key: bound to their row from now on. */
static void test_old(void) {
    g_autoptr(VigieStore) store = new_store(NULL);
    g_autoptr(VigieSeal) ba = keys("ba"), b = keys("b");
    g_autoptr(GError) error = NULL;
    g_autofree char *sha256 =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)canary, strlen(canary));
    g_autofree char *bound = g_strconcat("vigie artefact ", sha256, NULL);
    g_autoptr(GBytes) old = seal_old('a', canary, bound);
    gsize size = 0;
    const void *data = g_bytes_get_data(old, &size);
    insert(store, 1, 1, canary, vigie_bytes(data, size));
    renew(store, ba, &samples, true, 1);
    g_autoptr(GBytes) clear = store_seal_get(store, b, &samples, 1, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(clear, NULL), g_bytes_get_size(clear), canary, strlen(canary));
    change(store, "UPDATE paper SET id = 2");
    g_assert_null(store_seal_get(store, b, &samples, 2, &error));
    test_error_says(&error, VIGIE_ERROR_INVALID, "does not open", NULL);
}

int main(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    folder = g_dir_make_tmp("vigie-seal-XXXXXX", &error);
    g_assert_no_error(error);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/seal/file", test_file);
    g_test_add_func("/seal/bound", test_bound);
    g_test_add_func("/seal/renewed", test_renewed);
    g_test_add_func("/seal/killed", test_killed);
    g_test_add_func("/seal/traces", test_traces);
    g_test_add_func("/seal/changed-before", test_changed_before);
    g_test_add_func("/seal/old", test_old);
    int status = test_store_run(argc, argv);
    g_autoptr(GDir) listing = g_dir_open(folder, 0, NULL);
    for (const char *name = g_dir_read_name(listing); name; name = g_dir_read_name(listing)) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_unlink(path);
    }
    g_rmdir(folder);
    g_free(folder);
    return status;
}
