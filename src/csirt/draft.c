/* Drafts: sealed with a key that is made from the owner's code, and forgotten after two weeks. */
#include "csirt/declaration.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

enum { KEY = STORE_SEAL_KEY, DRAFT_GROUPS = 5 };

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
    g_autoptr(GBytes) sealed =
        store_seal_octets(place->key, vigie_bytes(text, strlen(text)), place->hash, error);
    VigieBytes bytes = vigie_bytes_view(sealed);
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
    g_autoptr(GBytes) sealed =
        store_seal_octets(place->key, vigie_bytes(clear->data, clear->len), place->hash, error);
    VigieBytes bytes = vigie_bytes_view(sealed);
    return sealed &&
           store_exec(store, error,
                      "INSERT INTO csirt_draft_file (hash, seq, size, sealed) VALUES ($1, $2, $3, $4)",
                      "tiib", place->hash, seq, (int64_t)bytes.size, &bytes);
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

/* Its name, a NUL, its content. */
static VigieDraftFile *read_file(const Place *place, VigieBytes sealed) {
    g_autoptr(GBytes) opened = store_seal_open(place->key, sealed, place->hash);
    const VigieBytes clear = vigie_bytes_view(opened);
    const uint8_t *end = clear.size > 0 ? memchr(clear.data, '\0', clear.size) : NULL;
    if (!end)
        return NULL;
    size_t name = (size_t)(end - clear.data) + 1;
    VigieDraftFile *file = g_new0(VigieDraftFile, 1);
    file->name = g_strdup((const char *)clear.data);
    file->content = g_bytes_new_from_bytes(opened, name, clear.size - name);
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
    g_autoptr(GBytes) opened = store_seal_open(place.key, rows_blob(rows, 0), place.hash);
    const VigieBytes clear = vigie_bytes_view(opened);
    json_t *values = opened ? json_loadb((const char *)clear.data, clear.size, 0, NULL) : NULL;
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
