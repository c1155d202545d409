/* enrolment-secret.c: what a client of an enrolment knows, and the store does not say. 213 random bits want no slow hash: there is nothing to
 * guess them from. MACs want the secret itself, which is sealed under a key that is not in the store. */
#include "pki/csr.h"
#include "pki/enrolment.h"
#include "pki/row.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>

enum { AT_ONCE = 256 };

const VigieSealed pki_enrolment_sealed = {.table = "pki_enrolment", .column = "sealed"};

/* ---- The file of keys --------------------------------------------------------------------------------------- */
char *pki_enrolment_key_path(const VigieConfig *config) {
    const char *path = vigie_config_text(config, "pki.enrolment_key"),
               *url = vigie_config_text(config, "store.url");
    if (*path)
        return g_strdup(path);
    g_autofree char *folder = g_str_has_prefix(url, "sqlite:") ? g_path_get_dirname(url + strlen("sqlite:"))
                                                               : g_strdup("/var/lib/vigie");
    return g_build_filename(folder, "enrolment-key", NULL);
}

/* Names of enrolments that can be used, and whose secret none of these keys seals; `seal` NULL: there are no keys. */
json_t *pki_enrolment_lost(VigieStore *store, const VigieSeal *seal, VigieTime now, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT name, seal_key FROM pki_enrolment WHERE seal_key <> '' AND ended = 0 AND ends > "
                    "$1 AND (uses = 0 OR used < uses) ORDER BY id",
                    "i", now);
    g_autoptr(json_t) names = json_array();
    GError *why = NULL;
    while (rows && rows_next(rows, &why))
        if (!seal || !store_seal_knows(seal, rows_text(rows, 1)))
            json_array_append_new(names, json_string(rows_text(rows, 0)));
    return rows_ended(rows, &why, error) ? g_steal_pointer(&names) : NULL;
}

static char *joined(const json_t *names) {
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < json_array_size(names); i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "", json_string_value(json_array_get(names, i)));
    return g_string_free(text, FALSE);
}

VigieSeal *pki_enrolment_seal(VigieStore *store, const VigieConfig *config, VigieTime now, GError **error) {
    g_autofree char *path = pki_enrolment_key_path(config);
    struct stat found;
    g_autoptr(json_t) lost = NULL;
    if (stat(path, &found) != 0 && errno == ENOENT && !(lost = pki_enrolment_lost(store, NULL, now, error)))
        return NULL;
    if (json_array_size(lost) == 0)
        return store_seal_make("pki.enrolment_key", path, error);
    g_autofree char *names = joined(lost);
    g_set_error(
        error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
        "pki.enrolment_key: the file of keys %s is gone, by which the secrets of enrolments are sealed: "
        "put it back from a backup, or where it is lost for good make another (openssl rand -out %s "
        "32, mode 0600, of the account of vigie serve), and other enrolments for clients of ACME and "
        "CMP in the place of: %s",
        path, path, names);
    return NULL;
}

/* ---- The secret --------------------------------------------------------------------------------------------- */
char *enrolment_digest(const char *secret) {
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, secret, -1);
}

/* Any secret is hashed, whatever it is held against: how long that takes tells nothing. */
bool enrolment_proves(const json_t *enrolment, const char *secret) {
    const char *known = json_string_value(json_object_get(enrolment, "sha256"));
    g_autofree char *digest = enrolment_digest(secret);
    size_t size = strlen(digest);
    return known && strlen(known) == size && CRYPTO_memcmp(digest, known, size) == 0;
}

char *pki_enrolment_secret(VigieStore *store, const VigieSeal *seal, const json_t *enrolment,
                           GError **error) {
    int64_t id = json_integer_value(json_object_get(enrolment, "id"));
    const char *name = json_string_value(json_object_get(enrolment, "name"));
    g_autoptr(GError) why = NULL;
    g_autoptr(GBytes) clear = seal ? store_seal_get(store, seal, &pki_enrolment_sealed, id, &why) : NULL;
    if (clear)
        return g_strndup(g_bytes_get_data(clear, NULL), g_bytes_get_size(clear));
    g_set_error(
        error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
        "enrolment %s: its secret cannot be opened, which ACME and CMP want: %s. vigie doctor says what "
        "to do",
        name, why ? why->message : "the file of keys pki.enrolment_key was not there at the start");
    return NULL;
}

void enrolment_wipe(char *secret) {
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    g_free(secret);
}

/* ---- What earlier versions wrote ---------------------------------------------------------------------------- */
/* Where a challenge password stands in a request, the key alone is kept, whose possession was proven when it came. */
static bool keep_key(VigieStore *store, int64_t id, VigieBytes der, GError **error) {
    g_autoptr(Csr) csr = csr_parse(der, NULL);
    return !csr || !csr->challenge ||
           store_exec(store, error, "UPDATE pki_request SET csr = $2, bare = 1 WHERE id = $1", "ib", id,
                      &csr->spki);
}

static bool keep_keys(VigieStore *store, GError **error) {
    for (int64_t last = 0, at = -1; at != last;) {
        at = last;
        g_autoptr(VigieTransaction) tx = store_begin(store, error);
        g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int64_t));
        g_autoptr(VigieRows) rows =
            tx ? store_query(store, error,
                             "SELECT id, csr FROM pki_request WHERE bare = 0 AND csr IS NOT NULL AND id > $1 "
                             "ORDER BY id LIMIT $2",
                             "ii", last, (int64_t)AT_ONCE)
               : NULL;
        GError *why = NULL;
        while (rows && rows_next(rows, &why)) {
            VigieBytes der = rows_blob(rows, 1);
            last = rows_int(rows, 0);
            g_array_append_val(ids, last);
            g_ptr_array_add(found, g_byte_array_append(g_byte_array_new(), der.data, (guint)der.size));
        }
        bool well = rows_ended(rows, &why, error);
        g_clear_pointer(&rows, rows_free);
        for (guint i = 0; well && i < ids->len; i++) {
            const GByteArray *der = found->pdata[i];
            well = keep_key(store, g_array_index(ids, int64_t, i), vigie_bytes(der->data, der->len), error);
        }
        if (!well || !store_commit(&tx, error))
            return false;
    }
    return true;
}

/* Sealed, but what it was in clear may still be found in the database's files. */
#define TO_BE_WIPED "-"

/* NULL: none is left. */
static bool next_clear(VigieStore *store, int64_t *ret_id, char **ret_secret, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error,
                                            "SELECT id, secret FROM pki_enrolment WHERE secret <> '' AND "
                                            "secret <> '" TO_BE_WIPED "' ORDER BY id LIMIT 1",
                                            "");
    GError *why = NULL;
    bool found = rows && rows_next(rows, &why);
    *ret_id = found ? rows_int(rows, 0) : 0;
    *ret_secret = found ? g_strdup(rows_text(rows, 1)) : NULL;
    return rows_ended(rows, &why, error);
}

bool enrolment_keep_secret(VigieStore *store, const VigieSeal *seal, int64_t id, const char *secret,
                           GError **error) {
    return store_seal_put(store, seal, &pki_enrolment_sealed, id, vigie_bytes(secret, strlen(secret)), error);
}

static bool seal_one(VigieStore *store, const VigieSeal *seal, int64_t id, const char *secret,
                     GError **error) {
    const VigieBytes nothing = vigie_bytes("", 0);
    g_autofree char *digest = enrolment_digest(secret);
    int64_t taken = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx &&
           store_exec_count(store, &taken, error,
                            "UPDATE pki_enrolment SET secret = '" TO_BE_WIPED "', sha256 = $2, sealed = $3 "
                            "WHERE id = $1 AND secret = $4",
                            "itbt", id, digest, &nothing, secret) &&
           (taken == 0 || enrolment_keep_secret(store, seal, id, secret, error)) && store_commit(&tx, error);
}

static bool seal_all(VigieStore *store, const VigieSeal *seal, GError **error) {
    int64_t id = 0;
    char *secret = NULL;
    bool well = true;
    while (well && next_clear(store, &id, &secret, error) && secret) {
        well = seal_one(store, seal, id, secret, error);
        enrolment_wipe(secret);
        secret = NULL;
    }
    return well && id == 0;
}

bool pki_enrolments_seal(VigieStore *store, const VigieSeal *seal, GError **error) {
    static const char *const tables[] = {"pki_enrolment", "pki_request", NULL};
    int64_t count = 0;
    if (!store_get_int(store, &count, error, "SELECT COUNT(*) FROM pki_enrolment WHERE secret <> ''", ""))
        return false;
    return count == 0 ||
           (keep_keys(store, error) && seal_all(store, seal, error) &&
            store_seal_wipe(store, tables, error) &&
            store_exec(store, error, "UPDATE pki_enrolment SET secret = '' WHERE secret = '" TO_BE_WIPED "'",
                       ""));
}
