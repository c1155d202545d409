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
static GByteArray *seal(const Place *place, const char *text, GError **error) {
    size_t size = strlen(text);
    g_autoptr(GByteArray) sealed = g_byte_array_sized_new((guint)(NONCE + size + TAG));
    g_byte_array_set_size(sealed, (guint)(NONCE + size + TAG));
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int done = 0;
    bool well =
        context && RAND_bytes(sealed->data, NONCE) == 1 &&
        EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, place->key, sealed->data) == 1 &&
        EVP_EncryptUpdate(context, NULL, &done, (const uint8_t *)place->hash, (int)strlen(place->hash)) ==
            1 &&
        EVP_EncryptUpdate(context, sealed->data + NONCE, &done, (const uint8_t *)text, (int)size) == 1 &&
        EVP_EncryptFinal_ex(context, sealed->data + NONCE + size, &done) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG, sealed->data + NONCE + size) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!well)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL,
                    "libcrypto does not seal a draft (AES-256-GCM)");
    return well ? g_steal_pointer(&sealed) : NULL;
}

static char *unseal(const Place *place, VigieBytes sealed) {
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
    return well ? (char *)g_steal_pointer(&text) : NULL;
}

static bool make_room(VigieStore *store, VigieTime now, GError **error) {
    int64_t count = 0;
    if (!store_exec(store, error, "DELETE FROM csirt_draft WHERE ends <= $1", "i", now) ||
        !store_get_int(store, &count, error, "SELECT count(*) FROM csirt_draft", ""))
        return false;
    if (count >= CSIRT_DRAFTS_MAX)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_BUSY, "%d drafts are kept already: no more at the moment",
                    CSIRT_DRAFTS_MAX);
    return count < CSIRT_DRAFTS_MAX;
}

bool csirt_draft_save(VigieStore *store, const char *code, const json_t *values, VigieTime now,
                      char **ret_code, GError **error) {
    g_autofree char *text = vigie_json_text(values),
                    *own = code ? g_strdup(code) : csirt_code_new(DRAFT_GROUPS);
    g_auto(Place) place = {0};
    if (strlen(text) > CSIRT_DRAFT_SIZE_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "a draft has %d octets at most",
                    CSIRT_DRAFT_SIZE_MAX);
        return false;
    }
    if (!find_place(own, &place, error))
        return false;
    g_autoptr(GByteArray) sealed = seal(&place, text, error);
    g_autoptr(VigieTransaction) tx = sealed ? store_begin(store, error) : NULL;
    VigieBytes bytes = sealed ? vigie_bytes(sealed->data, sealed->len) : (VigieBytes){0};
    if (!tx || !store_exec(store, error, "DELETE FROM csirt_draft WHERE hash = $1", "t", place.hash) ||
        !make_room(store, now, error) ||
        !store_exec(store, error, "INSERT INTO csirt_draft (hash, sealed, ends) VALUES ($1, $2, $3)", "tbi",
                    place.hash, &bytes, now + (VigieTime)CSIRT_DRAFT_DAYS * DAY) ||
        !store_commit(&tx, error))
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
    g_autofree char *text = unseal(&place, rows_blob(rows, 0));
    json_t *values = text ? json_loads(text, 0, NULL) : NULL;
    if (!values)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "the draft was altered in the store");
    return values;
}

bool csirt_draft_remove(VigieStore *store, const char *code, GError **error) {
    g_auto(Place) place = {0};
    return find_place(code, &place, error) &&
           store_exec(store, error, "DELETE FROM csirt_draft WHERE hash = $1", "t", place.hash);
}
