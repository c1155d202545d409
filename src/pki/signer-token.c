/* signer-token.c: keys in PKCS#11 tokens (v2.40). They are made there and never leave; p11-kit finds the module and reads URIs.
 * What a token answers is believed as far as its length: it is our own hardware. */
#include "pki/signer.h"
#include "x509/der-write.h"

#include <openssl/rand.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>
#include <string.h>

enum { SLOTS_MAX = 64, KEYS_MAX = 2, SIGNATURE_MAX = 1024, VALUE_MAX = 1024, ID = 16, PIN_MAX = 255 };

typedef struct {
    CK_FUNCTION_LIST *module;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    const SignerType *type;
    char *label;
    bool begun, open;
} TokenKey;

/* An object identifier as CKA_EC_PARAMS has it, by curve. */
static const struct {
    const char *curve;
    const uint8_t params[10];
    CK_ULONG size;
    int bits;
} curves[] = {{"P-256", {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}, 10, 256},
              {"P-384", {0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22}, 7, 384}};

static bool fail(const char *what, CK_RV code, const TokenKey *key, GError **error) {
    static const struct {
        CK_RV code;
        VigieErrorCode as;
        const char *text;
    } known[] = {
        {CKR_PIN_INCORRECT, VIGIE_ERROR_DENIED, "the PIN is wrong"},
        {CKR_PIN_LEN_RANGE, VIGIE_ERROR_DENIED, "the PIN is wrong"},
        {CKR_PIN_LOCKED, VIGIE_ERROR_DENIED,
         "the PIN is locked: the token's security officer sets a new one"},
        {CKR_DEVICE_REMOVED, VIGIE_ERROR_UNAVAILABLE, "the token was removed"},
        {CKR_TOKEN_NOT_PRESENT, VIGIE_ERROR_UNAVAILABLE, "the token was removed"},
        {CKR_MECHANISM_INVALID, VIGIE_ERROR_INVALID, "the token cannot do this kind of key"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (known[i].code == code) {
            g_set_error(error, VIGIE_ERROR, (gint)known[i].as, "token, key %s: %s: %s", key->label, what,
                        known[i].text);
            return false;
        }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "token, key %s: %s: %s (0x%lx)", key->label,
                what, p11_kit_strerror(code), code);
    return false;
}

static void token_free(void *data) {
    TokenKey *key = data;
    if (key->open)
        key->module->C_CloseSession(key->session);
    if (key->begun)
        p11_kit_module_finalize(key->module);
    if (key->module)
        p11_kit_module_release(key->module);
    g_free(key->label);
    g_free(key);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TokenKey, token_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(P11KitUri, p11_kit_uri_free)

/* ---- Signing ---------------------------------------------------------------------------------------------------------- */
/* RFC 5758 3.2: ECDSA's two numbers, which the token gives one after the other. */
static void put_ecdsa(GByteArray *out, const uint8_t *pair, size_t size) {
    size_t sequence = der_open(out, DER_SEQUENCE);
    for (size_t i = 0; i < 2; i++)
        der_put_magnitude(out, vigie_bytes(pair + i * size / 2, size / 2));
    der_close(out, sequence);
}

static bool token_sign(void *data, VigieBytes octets, GByteArray *out, GError **error) {
    /* RFC 8017 9.2, note 1: DigestInfo of SHA-256. */
    static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                          0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    TokenKey *key = data;
    bool rsa = key->type->curve == NULL;
    uint8_t input[sizeof digest_info + 64], signature[SIGNATURE_MAX];
    size_t head = rsa ? sizeof digest_info : 0;
    CK_ULONG size = sizeof signature;
    CK_MECHANISM mechanism = {.mechanism = rsa ? CKM_RSA_PKCS : CKM_ECDSA};
    memcpy(input, digest_info, head);
    key->type->digest(octets.data, octets.size, input + head);
    CK_RV code = key->module->C_SignInit(key->session, &mechanism, key->key);
    if (code == CKR_OK)
        code = key->module->C_Sign(key->session, input, head + key->type->digest_size, signature, &size);
    if (code != CKR_OK)
        return fail("signing", code, key, error);
    if (rsa)
        g_byte_array_append(out, signature, (guint)size);
    else
        put_ecdsa(out, signature, size);
    return true;
}

static const SignerKind token_kind = {token_sign, token_free};

/* ---- Finding the token --------------------------------------------------------------------------------------------------- */
static bool read_uri(const char *text, P11KitUri **ret_uri, char **ret_label, GError **error) {
    g_autoptr(P11KitUri) uri = p11_kit_uri_new();
    int code = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
    CK_ATTRIBUTE *label = code == P11_KIT_URI_OK ? p11_kit_uri_get_attribute(uri, CKA_LABEL) : NULL;
    const char *why = code != P11_KIT_URI_OK              ? p11_kit_uri_message(code)
                      : !label                            ? "object= names the key"
                      : !p11_kit_uri_get_module_path(uri) ? "?module-path= names the token's PKCS#11 library"
                      : p11_kit_uri_get_pin_value(uri)
                          ? "a PIN does not stand in a file for all to read: leave "
                            "pin-value out"
                          : NULL;
    if (why) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s: %s, as in pkcs11:token=CA;object=racine?module-path=/usr/lib/softhsm/libsofthsm2.so",
                    text, why);
        return false;
    }
    *ret_label = g_strndup(label->pValue, label->ulValueLen);
    *ret_uri = g_steal_pointer(&uri);
    return true;
}

static bool find_slot(const TokenKey *key, P11KitUri *uri, CK_SLOT_ID *ret_slot, GError **error) {
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    CK_TOKEN_INFO info;
    CK_RV code = key->module->C_GetSlotList(CK_TRUE, slots, &count);
    if (code != CKR_OK)
        return fail("looking for the token", code, key, error);
    for (CK_ULONG i = 0; i < count; i++)
        if (key->module->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
            p11_kit_uri_match_token_info(uri, &info)) {
            *ret_slot = slots[i];
            return true;
        }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                "token, key %s: no such token is there: pkcs11-tool --module MODULE --list-slots shows those "
                "that are",
                key->label);
    return false;
}

static bool log_in(TokenKey *key, CK_SLOT_ID slot, const char *pin, bool write, GError **error) {
    CK_FLAGS flags = CKF_SERIAL_SESSION | (write ? CKF_RW_SESSION : 0);
    CK_RV code = key->module->C_OpenSession(slot, flags, NULL, NULL, &key->session);
    if (code != CKR_OK)
        return fail("opening it", code, key, error);
    key->open = true;
    code = key->module->C_Login(key->session, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)pin,
                                MIN(strlen(pin), PIN_MAX));
    return code == CKR_OK || code == CKR_USER_ALREADY_LOGGED_IN || fail("login", code, key, error);
}

static TokenKey *open_token(const char *text, const char *pin, bool write, GError **error) {
    g_autoptr(TokenKey) key = g_new0(TokenKey, 1);
    g_autoptr(P11KitUri) uri = NULL;
    CK_SLOT_ID slot = 0;
    if (!read_uri(text, &uri, &key->label, error))
        return NULL;
    const char *path = p11_kit_uri_get_module_path(uri);
    key->module = p11_kit_module_load(path, P11_KIT_MODULE_CRITICAL);
    CK_RV code = key->module ? p11_kit_module_initialize(key->module) : CKR_GENERAL_ERROR;
    if (code != CKR_OK) {
        const char *why = key->module ? p11_kit_strerror(code) : p11_kit_message();
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "PKCS#11 library %s: %s", path,
                    why ? why : "cannot be loaded");
        return NULL;
    }
    key->begun = true;
    return find_slot(key, uri, &slot, error) && log_in(key, slot, pin, write, error) ? g_steal_pointer(&key)
                                                                                     : NULL;
}

/* ---- Finding and reading the key ------------------------------------------------------------------------------------------- */
static bool find_object(const TokenKey *key, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *ret_object,
                        bool *ret_found, GError **error) {
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, key->label, strlen(key->label)}};
    CK_OBJECT_HANDLE found[KEYS_MAX];
    CK_ULONG count = 0;
    CK_RV code = key->module->C_FindObjectsInit(key->session, wanted, G_N_ELEMENTS(wanted));
    if (code == CKR_OK) {
        code = key->module->C_FindObjects(key->session, found, KEYS_MAX, &count);
        key->module->C_FindObjectsFinal(key->session);
    }
    if (code != CKR_OK)
        return fail("looking for it", code, key, error);
    if (count > 1) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                    "token, key %s: there is more than one of this name", key->label);
        return false;
    }
    *ret_found = count == 1;
    *ret_object = count == 1 ? found[0] : 0;
    return true;
}

/* An attribute's octets; empty where it has none. */
static VigieBytes attribute(const TokenKey *key, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                            uint8_t buffer[VALUE_MAX]) {
    CK_ATTRIBUTE wanted = {type, buffer, VALUE_MAX};
    CK_RV code = key->module->C_GetAttributeValue(key->session, object, &wanted, 1);
    return code == CKR_OK && wanted.ulValueLen <= VALUE_MAX ? vigie_bytes(buffer, wanted.ulValueLen)
                                                            : (VigieBytes){0};
}

/* RFC 5480 2: the point, out of the OCTET STRING in which PKCS#11 gives it. */
static bool put_ec(GByteArray *spki, VigieBytes params, VigieBytes point) {
    const char *clause = NULL;
    VigieReader in = vigie_reader(point);
    DerElement inner;
    if (!der_expect(&in, DER_OCTET_STRING, &inner, &clause))
        return false;
    size_t whole = der_open(spki, DER_SEQUENCE), algorithm = der_open(spki, DER_SEQUENCE);
    der_put_oid(spki, "1.2.840.10045.2.1");
    der_put_whole(spki, params);
    der_close(spki, algorithm);
    der_put_bits(spki, inner.value);
    der_close(spki, whole);
    return true;
}

/* RFC 3279 2.3.1. */
static void put_rsa(GByteArray *spki, VigieBytes modulus, VigieBytes exponent) {
    g_autoptr(GByteArray) key = g_byte_array_new();
    size_t numbers = der_open(key, DER_SEQUENCE);
    der_put_magnitude(key, modulus);
    der_put_magnitude(key, exponent);
    der_close(key, numbers);
    size_t whole = der_open(spki, DER_SEQUENCE), algorithm = der_open(spki, DER_SEQUENCE);
    der_put_oid(spki, "1.2.840.113549.1.1.1");
    der_put(spki, 0x05, "", 0);
    der_close(spki, algorithm);
    der_put_bits(spki, der_bytes(key));
    der_close(spki, whole);
}

static bool read_public(TokenKey *key, CK_OBJECT_HANDLE public, GByteArray *spki) {
    uint8_t one[VALUE_MAX], other[VALUE_MAX];
    VigieBytes params = attribute(key, public, CKA_EC_PARAMS, one);
    for (size_t i = 0; i < G_N_ELEMENTS(curves); i++)
        if (vigie_bytes_equal(params, vigie_bytes(curves[i].params, curves[i].size))) {
            key->type = signer_type_of("EC", curves[i].bits);
            return put_ec(spki, params, attribute(key, public, CKA_EC_POINT, other));
        }
    VigieBytes modulus = attribute(key, public, CKA_MODULUS, one),
               exponent = attribute(key, public, CKA_PUBLIC_EXPONENT, other);
    key->type = modulus.size > 0 ? signer_type_of("RSA", (int)modulus.size * 8) : NULL;
    if (key->type)
        put_rsa(spki, modulus, exponent);
    return key->type != NULL;
}

/* Takes `key`. */
static Signer *signer_of(TokenKey *key, GError **error) {
    g_autoptr(Signer) signer = g_new0(Signer, 1);
    CK_OBJECT_HANDLE public = 0;
    bool found = false, has_public = false;
    *signer = (Signer){.kind = &token_kind, .key = key, .spki = g_byte_array_new()};
    if (!find_object(key, CKO_PRIVATE_KEY, &key->key, &found, error) ||
        !find_object(key, CKO_PUBLIC_KEY, &public, &has_public, error))
        return NULL;
    if (!found || !has_public) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "token, key %s: a private and a public key of this name are wanted there", key->label);
        return NULL;
    }
    if (!read_public(key, public, signer->spki) || !signer_key_id(der_bytes(signer->spki), signer->key_id)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "token, key %s: %s is wanted", key->label,
                    signer_key_types);
        return NULL;
    }
    signer->algorithm = key->type->algorithm;
    return g_steal_pointer(&signer);
}

Signer *signer_token_open(const char *uri, const char *pin, GError **error) {
    TokenKey *key = open_token(uri, pin, false, error);
    return key ? signer_of(key, error) : NULL;
}

/* ---- Making a key -------------------------------------------------------------------------------------------------------------- */
static size_t curve_of(const SignerType *type) {
    size_t i = 0;
    while (strcmp(curves[i].curve, type->curve) != 0)
        i++;
    return i;
}

/* Sensitive and never extractable: it stays where it is made. */
static bool generate(const TokenKey *key, const SignerType *type, GError **error) {
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG bits = (CK_ULONG)type->bits;
    uint8_t id[ID], exponent[] = {1, 0, 1};
    CK_OBJECT_HANDLE public = 0, private = 0;
    if (RAND_bytes(id, sizeof id) != 1)
        g_error("the system gives no random numbers");
    CK_ATTRIBUTE of_public[8] = {{CKA_TOKEN, &yes, sizeof yes},
                                 {CKA_VERIFY, &yes, sizeof yes},
                                 {CKA_LABEL, key->label, strlen(key->label)},
                                 {CKA_ID, id, sizeof id}};
    CK_ULONG count = 4;
    if (type->curve) {
        size_t curve = curve_of(type);
        of_public[count++] =
            (CK_ATTRIBUTE){CKA_EC_PARAMS, (void *)(uintptr_t)curves[curve].params, curves[curve].size};
    } else {
        of_public[count++] = (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof bits};
        of_public[count++] = (CK_ATTRIBUTE){CKA_PUBLIC_EXPONENT, exponent, sizeof exponent};
    }
    CK_ATTRIBUTE of_private[] = {{CKA_TOKEN, &yes, sizeof yes},
                                 {CKA_PRIVATE, &yes, sizeof yes},
                                 {CKA_SENSITIVE, &yes, sizeof yes},
                                 {CKA_EXTRACTABLE, &no, sizeof no},
                                 {CKA_SIGN, &yes, sizeof yes},
                                 {CKA_LABEL, key->label, strlen(key->label)},
                                 {CKA_ID, id, sizeof id}};
    CK_MECHANISM mechanism = {.mechanism = type->curve ? CKM_EC_KEY_PAIR_GEN : CKM_RSA_PKCS_KEY_PAIR_GEN};
    CK_RV code = key->module->C_GenerateKeyPair(key->session, &mechanism, of_public, count, of_private,
                                                G_N_ELEMENTS(of_private), &public, &private);
    return code == CKR_OK || fail("making it", code, key, error);
}

Signer *signer_token_make(const char *uri, const char *type, const char *pin, GError **error) {
    const SignerType *wanted = signer_type(type);
    g_autoptr(TokenKey) key = wanted ? open_token(uri, pin, true, error) : NULL;
    bool found = false;
    if (!key || !find_object(key, CKO_PRIVATE_KEY, &key->key, &found, error) ||
        (!found && !generate(key, wanted, error)))
        return NULL;
    g_autoptr(Signer) signer = signer_of(g_steal_pointer(&key), error);
    if (signer && ((const TokenKey *)signer->key)->type != wanted) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "%s: the key there is no %s", uri, type);
        return NULL;
    }
    return g_steal_pointer(&signer);
}

char *signer_token_beside(const char *text, const char *name) {
    g_autoptr(P11KitUri) uri = p11_kit_uri_new();
    CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t)name, strlen(name)};
    char *beside = NULL;
    if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK &&
        p11_kit_uri_set_attribute(uri, &label) == P11_KIT_URI_OK)
        p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &beside);
    char *copy = g_strdup(beside ? beside : text);
    free(beside);
    return copy;
}
