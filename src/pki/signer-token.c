/* signer-token.c: an authority's key in a PKCS#11 token. */
#include "pki/signer.h"
#include "token/token.h"

static bool token_sign(void *key, VigieBytes octets, GByteArray *out, GError **error) {
    return token_key_sign(key, octets, out, error);
}

static void token_free(void *key) {
    token_key_close(key);
}

static const SignerKind token_kind = {token_sign, token_free};

/* Takes `key`. */
static Signer *signer_of(VigieTokenKey *key, const char *uri, GError **error) {
    if (!key)
        return NULL;
    g_autoptr(Signer) signer = g_new0(Signer, 1);
    VigieBytes spki = token_key_spki(key);
    const VigieKeyKind *kind = token_key_kind(key);
    *signer = (Signer){.kind = &token_kind, .key = key, .algorithm = kind->algorithm};
    signer->spki = g_byte_array_append(g_byte_array_new(), spki.data, (guint)spki.size);
    if (signer_kind(kind->name) && signer_key_id(spki, signer->key_id))
        return g_steal_pointer(&signer);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: an authority's key is %s", uri,
                signer_key_types);
    return NULL;
}

Signer *signer_token_open(const char *uri, const char *pin, GError **error) {
    const VigieTokenAccess access = {.uri = uri, .pin = pin};
    return signer_of(token_key_open(&access, error), uri, error);
}

/* A key of that name and kind is taken as it is: a ceremony that was broken off goes on with it. */
Signer *signer_token_make(const char *uri, const char *type, const char *pin, GError **error) {
    const VigieKeyKind *wanted = signer_kind(type);
    const VigieTokenAccess access = {.uri = uri, .pin = pin};
    g_autoptr(GError) why = NULL;
    VigieTokenKey *key = wanted ? token_key_open(&access, &why) : NULL;
    if (!key && g_error_matches(why, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND))
        key = token_key_make(&access, wanted, error);
    else if (!key)
        g_propagate_error(error, g_steal_pointer(&why));
    g_autoptr(Signer) signer = signer_of(key, uri, error);
    if (signer && token_key_kind(signer->key) != wanted) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "%s: the key there is no %s", uri, type);
        return NULL;
    }
    return g_steal_pointer(&signer);
}
