/* Drafts: sealed with a key that is made from the owner's code, and forgotten after two weeks. */
#include "csirt/declaration.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <string.h>

enum { KEY = 32, NONCE = 12, TAG = 16, DRAFT_GROUPS = 5, DAY = 86400 };

/* Both from the code as it is meant (csirt_code_hash), and neither from the other: where it is stored, and what seals it. */
typedef struct {
    char *hash;
    uint8_t key[KEY];
} Place;

static void place_clear(Place *place) {
    g_free(place->hash);
    OPENSSL_cleanse(place, sizeof *place);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

static bool derive(const char *secret, const char *purpose, uint8_t *ret_key) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    size_t size = KEY;
    bool well = context && EVP_PKEY_derive_init(context) == 1 &&
                EVP_PKEY_CTX_set_hkdf_md(context, EVP_sha256()) == 1 &&
                EVP_PKEY_CTX_set1_hkdf_key(context, (const uint8_t *)secret, (int)strlen(secret)) == 1 &&
                EVP_PKEY_CTX_add1_hkdf_info(context, (const uint8_t *)purpose, (int)strlen(purpose)) == 1 &&
                EVP_PKEY_derive(context, ret_key, &size) == 1;
    EVP_PKEY_CTX_free(context);
    return well;
}

static bool unknown(GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is no draft of this code, or not any more");
    return false;
}

static bool find_place(const char *code, Place *ret_place, GError **error) {
    g_autofree char *secret = csirt_code_hash(code);
    uint8_t id[KEY];
    if (!secret)
        return unknown(error);
    if (!derive(secret, "draft id", id) || !derive(secret, "draft key", ret_place->key)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "libcrypto does not derive a key (HKDF)");
        return false;
    }
    ret_place->hash = vigie_hex_text(vigie_bytes(id, sizeof id));
    return true;
}

/* Nonce, text, tag. The draft's place is authenticated with it. */
static GByteArray *seal(const Place *place, VigieBytes clear, GError **error) {
    size_t size = clear.size;
    g_autoptr(GByteArray) sealed = g_byte_array_sized_new((guint)(NONCE + size + TAG));
    g_byte_array_set_size(sealed, (guint)(NONCE + size + TAG));
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int done = 0;
    bool well = context && RAND_bytes(sealed->data, NONCE) == 1 &&
                EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, place->key, sealed->data) == 1 &&
                EVP_EncryptUpdate(context, NULL, &done, (const uint8_t *)place->hash,
                                  (int)strlen(place->hash)) == 1 &&
                EVP_EncryptUpdate(context, sealed->data + NONCE, &done, clear.data, (int)size) == 1 &&
                EVP_EncryptFinal_ex(context, sealed->data + NONCE + size, &done) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG, sealed->data + NONCE + size) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!well)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL,
                    "libcrypto does not seal a draft (AES-256-GCM)");
    return well ? g_steal_pointer(&sealed) : NULL;
}

/* What was sealed, a NUL behind it. */
static char *unseal(const Place *place, VigieBytes sealed, size_t *ret_size) {
    if (sealed.size < NONCE + TAG)
        return NULL;
    size_t size = sealed.size - NONCE - TAG;
    g_autofree uint8_t *text = g_malloc0(size + 1);
    uint8_t tag[TAG];
    memcpy(tag, sealed.data + NONCE + size, TAG);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int done = 0;
    bool well =
        context && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, place->key, sealed.data) == 1 &&
        EVP_DecryptUpdate(context, NULL, &done, (const uint8_t *)place->hash, (int)strlen(place->hash)) ==
            1 &&
        EVP_DecryptUpdate(context, text, &done, sealed.data + NONCE, (int)size) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
        EVP_DecryptFinal_ex(context, text + size, &done) == 1;
    EVP_CIPHER_CTX_free(context);
    *ret_size = size;
    return well ? (char *)g_steal_pointer(&text) : NULL;
}

/* Drafts that have ended go, and files whose draft went. */
static bool make_room(VigieStore *store, VigieTime now, GError **error) {
    int64_t count = 0;
    if (!store_exec(store, error, "DELETE FROM csirt_draft WHERE ends <= $1", "i", now) ||
        !store_exec(
            store, error,
            "DELETE FROM csirt_draft_file WHERE NOT EXISTS (SELECT 1 FROM csirt_draft d WHERE d.hash = "
            "csirt_draft_file.hash)",
            "") ||
        !store_get_int(store, &count, error, "SELECT count(*) FROM csirt_draft", ""))
        return false;
    if (count >= CSIRT_DRAFTS_MAX)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_BUSY, "%d drafts are kept already: no more at the moment",
                    CSIRT_DRAFTS_MAX);
    return count < CSIRT_DRAFTS_MAX;
}

static bool write_draft(VigieStore *store, const Place *place, const char *text, const VigieDraft *draft,
                        GError **error) {
    g_autoptr(GByteArray) sealed = seal(place, vigie_bytes(text, strlen(text)), error);
    VigieBytes bytes = sealed ? vigie_bytes(sealed->data, sealed->len) : (VigieBytes){0};
    return sealed &&
           store_exec(
               store, error,
               "INSERT INTO csirt_draft (hash, sealed, ends) VALUES ($1, $2, $3) ON CONFLICT (hash) DO "
               "UPDATE SET sealed = CASE WHEN $4 = 1 THEN csirt_draft.sealed ELSE $2 END, ends = CASE WHEN "
               "csirt_draft.ends > $3 THEN csirt_draft.ends ELSE $3 END",
               "tbii", place->hash, &bytes, draft->ends, (int64_t)draft->files_alone);
}

/* ---- Files ---- */
static bool write_file(VigieStore *store, const Place *place, int64_t seq, const VigieDeclarationFile *file,
                       GError **error) {
    g_autoptr(GByteArray) clear = g_byte_array_new();
    g_byte_array_append(clear, (const guint8 *)file->name, (guint)strlen(file->name) + 1);
    g_byte_array_append(clear, file->content.data, (guint)file->content.size);
    g_autoptr(GByteArray) sealed = seal(place, vigie_bytes(clear->data, clear->len), error);
    VigieBytes bytes = sealed ? vigie_bytes(sealed->data, sealed->len) : (VigieBytes){0};
    return sealed &&
           store_exec(store, error,
                      "INSERT INTO csirt_draft_file (hash, seq, size, sealed) VALUES ($1, $2, $3, $4)",
                      "tiib", place->hash, seq, (int64_t)sealed->len, &bytes);
}

/* These instead of those that were there. All drafts' files together have a limit: this is no store for strangers. */
static bool write_files(VigieStore *store, const Place *place, const VigieDeclarationFile *files,
                        size_t count, GError **error) {
    int64_t kept = 0;
    if (!store_exec(store, error, "DELETE FROM csirt_draft_file WHERE hash = $1", "t", place->hash) ||
        (count > 0 &&
         !store_get_int(store, &kept, error, "SELECT coalesce(sum(size), 0) FROM csirt_draft_file", "")))
        return false;
    for (size_t i = 0; i < MIN(count, (size_t)CSIRT_FILES_MAX); i++) {
        kept += (int64_t)files[i].content.size;
        if (kept > CSIRT_DRAFT_FILES_BYTES) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_BUSY,
                        "drafts hold as many files as they may: no more at the moment");
            return false;
        }
        if (!write_file(store, place, (int64_t)i, &files[i], error))
            return false;
    }
    return true;
}

static void draft_file_free(void *data) {
    VigieDraftFile *file = data;
    g_free(file->name);
    g_bytes_unref(file->content);
    g_free(file);
}

static VigieDraftFile *read_file(const Place *place, VigieBytes sealed) {
    size_t size = 0;
    g_autofree char *clear = unseal(place, sealed, &size);
    size_t name = clear ? strlen(clear) + 1 : 0;
    if (!clear || name > size)
        return NULL;
    VigieDraftFile *file = g_new0(VigieDraftFile, 1);
    file->name = g_strdup(clear);
    file->content = g_bytes_new(clear + name, size - name);
    OPENSSL_cleanse(clear, size);
    return file;
}

GPtrArray *csirt_draft_files(VigieStore *store, const char *code, VigieTime now, GError **error) {
    g_auto(Place) place = {0};
    if (!find_place(code, &place, error))
        return NULL;
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(draft_file_free);
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT f.sealed FROM csirt_draft_file f JOIN csirt_draft d ON d.hash "
                    "= f.hash WHERE f.hash = $1 AND d.ends > $2 ORDER BY f.seq",
                    "ti", place.hash, now);
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        VigieDraftFile *file = read_file(&place, rows_blob(rows, 0));
        if (file)
            g_ptr_array_add(files, file);
    }
    return rows_ended(rows, &failure, error) ? g_steal_pointer(&files) : NULL;
}

bool csirt_draft_save(VigieStore *store, const char *code, const VigieDraft *draft, VigieTime now,
                      char **ret_code, GError **error) {
    g_autofree char *text = vigie_json_text(draft->values),
                    *own = code ? g_strdup(code) : csirt_code_new(DRAFT_GROUPS);
    g_auto(Place) place = {0};
    if (strlen(text) > CSIRT_DRAFT_SIZE_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "a draft has %d octets at most",
                    CSIRT_DRAFT_SIZE_MAX);
        return false;
    }
    if (!find_place(own, &place, error))
        return false;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !make_room(store, now, error) || !write_draft(store, &place, text, draft, error) ||
        !write_files(store, &place, draft->files, draft->file_count, error) || !store_commit(&tx, error))
        return false;
    *ret_code = g_steal_pointer(&own);
    return true;
}

json_t *csirt_draft_open(VigieStore *store, const char *code, VigieTime now, GError **error) {
    g_auto(Place) place = {0};
    if (!find_place(code, &place, error))
        return NULL;
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT sealed FROM csirt_draft WHERE hash = $1 AND ends > $2", "ti", place.hash, now);
    g_autoptr(GError) failure = NULL;
    if (!rows)
        return NULL;
    if (!rows_next(rows, &failure)) {
        if (failure)
            g_propagate_error(error, g_steal_pointer(&failure));
        else
            unknown(error);
        return NULL;
    }
    size_t size = 0;
    g_autofree char *text = unseal(&place, rows_blob(rows, 0), &size);
    json_t *values = text ? json_loads(text, 0, NULL) : NULL;
    if (!values)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "the draft was altered in the store");
    return values;
}

bool csirt_draft_remove(VigieStore *store, const char *code, GError **error) {
    g_auto(Place) place = {0};
    return find_place(code, &place, error) &&
           store_exec(store, error, "DELETE FROM csirt_draft WHERE hash = $1", "t", place.hash) &&
           store_exec(store, error, "DELETE FROM csirt_draft_file WHERE hash = $1", "t", place.hash);
}
