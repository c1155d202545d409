/* key.c: keys found, made and used in a token. */
#include "token/key.h"
#include "x509/der-write.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

enum { SIGNATURE_MAX = 1024, VALUE_MAX = 1024, NEW_ID = 16 };

/* An object identifier as CKA_EC_PARAMS has it, by kind. */
static const struct {
    VigieNewKey kind;
    const uint8_t params[10];
    CK_ULONG size;
} curves[] = {{X509_KEY_P256, {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}, 10},
              {X509_KEY_P384, {0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22}, 7}};

void token_key_close(VigieTokenKey *key) {
    if (!key)
        return;
    p11_clear(&key->session);
    if (key->pin)
        OPENSSL_cleanse(key->pin, strlen(key->pin));
    g_free(key->pin);
    if (key->spki)
        g_byte_array_unref(key->spki);
    g_free(key);
}

const VigieKeyKind *token_key_kind(const VigieTokenKey *key) {
    return key->kind;
}

VigieBytes token_key_spki(const VigieTokenKey *key) {
    return der_bytes(key->spki);
}

/* ---- Signing --------------------------------------------------------------------------------------------- */
/* RFC 5758 3.2: ECDSA's two numbers, which the token gives one after the other. */
static void put_ecdsa(GByteArray *out, const uint8_t *pair, size_t size) {
    size_t sequence = der_open(out, DER_SEQUENCE);
    for (size_t i = 0; i < 2; i++)
        der_put_magnitude(out, vigie_bytes(pair + i * size / 2, size / 2));
    der_close(out, sequence);
}

bool token_key_sign(VigieTokenKey *key, VigieBytes octets, GByteArray *out, GError **error) {
    /* RFC 8017 9.2, note 1: DigestInfo of SHA-256. */
    static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                          0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    const Session *session = &key->session;
    bool rsa = key->kind->curve == NULL;
    uint8_t input[sizeof digest_info + 64], signature[SIGNATURE_MAX];
    size_t head = rsa ? sizeof digest_info : 0;
    CK_ULONG size = sizeof signature;
    CK_MECHANISM mechanism = {.mechanism = rsa ? CKM_RSA_PKCS : CKM_ECDSA};
    memcpy(input, digest_info, head);
    key->kind->digest(octets.data, octets.size, input + head);
    CK_RV code = session->module->C_SignInit(session->handle, &mechanism, key->private);
    if (code == CKR_OK && key->pin)
        code = session->module->C_Login(session->handle, CKU_CONTEXT_SPECIFIC,
                                        (CK_UTF8CHAR_PTR)(uintptr_t)key->pin, strlen(key->pin));
    if (code == CKR_OK)
        code =
            session->module->C_Sign(session->handle, input, head + key->kind->digest_size, signature, &size);
    if (code != CKR_OK)
        return p11_fail(session, "C_Sign", code, error);
    if (rsa)
        g_byte_array_append(out, signature, (guint)size);
    else
        put_ecdsa(out, signature, size);
    return true;
}

/* ---- Finding and reading --------------------------------------------------------------------------------- */
/* The one key of this class that the URI names; *ret_found false where there is none. */
static bool find_private(VigieTokenKey *key, bool *ret_found, GError **error) {
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[3] = {{CKA_CLASS, &class, sizeof class}};
    const CK_ATTRIBUTE_TYPE types[] = {CKA_LABEL, CKA_ID};
    size_t wanted_count = 1, count = 0;
    CK_OBJECT_HANDLE found[2];
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        const CK_ATTRIBUTE *given = p11_kit_uri_get_attribute(key->session.uri, types[i]);
        if (given)
            wanted[wanted_count++] = *given;
    }
    if (!p11_find(&key->session, wanted, wanted_count, found, 2, &count, error))
        return false;
    if (count > 1)
        return p11_refuse(&key->session, VIGIE_ERROR_CONFLICT, "keys", error);
    *ret_found = count == 1;
    key->private = count == 1 ? found[0] : 0;
    return true;
}

bool p11_match(const VigieTokenKey *key, CK_OBJECT_CLASS *class, KeyMatch *match) {
    match->id = p11_read(&key->session, key->private, CKA_ID, match->id_octets, sizeof match->id_octets);
    match->label =
        p11_read(&key->session, key->private, CKA_LABEL, match->label_octets, sizeof match->label_octets);
    bool by_id = match->id.size > 0;
    const VigieBytes name = by_id ? match->id : match->label;
    match->wanted[0] = (CK_ATTRIBUTE){CKA_CLASS, class, sizeof *class};
    match->wanted[1] =
        (CK_ATTRIBUTE){by_id ? CKA_ID : CKA_LABEL, (void *)(uintptr_t)name.data, (CK_ULONG)name.size};
    return name.size > 0;
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

static bool read_public(VigieTokenKey *key, CK_OBJECT_HANDLE public) {
    uint8_t one[VALUE_MAX], other[VALUE_MAX];
    VigieBytes params = p11_read(&key->session, public, CKA_EC_PARAMS, one, sizeof one);
    for (size_t i = 0; i < G_N_ELEMENTS(curves); i++)
        if (vigie_bytes_equal(params, vigie_bytes(curves[i].params, curves[i].size))) {
            key->kind = x509_key_kind(curves[i].kind);
            return put_ec(key->spki, params,
                          p11_read(&key->session, public, CKA_EC_POINT, other, sizeof other));
        }
    VigieBytes modulus = p11_read(&key->session, public, CKA_MODULUS, one, sizeof one),
               exponent = p11_read(&key->session, public, CKA_PUBLIC_EXPONENT, other, sizeof other);
    key->kind = modulus.size > 0 ? x509_key_kind_of("RSA", (int)modulus.size * 8) : NULL;
    if (key->kind)
        put_rsa(key->spki, modulus, exponent);
    return key->kind != NULL;
}

/* The public half of the private key that was found: of the same id, or of the same name where it has none. */
static bool read_key(VigieTokenKey *key, GError **error) {
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    KeyMatch match;
    CK_OBJECT_HANDLE public[2];
    size_t count = 0;
    key->spki = g_byte_array_new();
    if (p11_match(key, &class, &match) &&
        !p11_find(&key->session, match.wanted, G_N_ELEMENTS(match.wanted), public, 2, &count, error))
        return false;
    if (count != 1)
        return p11_refuse(&key->session, VIGIE_ERROR_NOT_FOUND, "no-public", error);
    return read_public(key, public[0]) || p11_refuse(&key->session, VIGIE_ERROR_INVALID, "kind", error);
}

VigieTokenKey *token_key_open(const VigieTokenAccess *access, GError **error) {
    g_autoptr(VigieTokenKey) key = g_new0(VigieTokenKey, 1);
    bool found = false;
    CK_BBOOL each_time = CK_FALSE;
    if (!p11_open(&key->session, access, error) || !find_private(key, &found, error))
        return NULL;
    if (!found) {
        p11_refuse(&key->session, VIGIE_ERROR_NOT_FOUND, "no-key", error);
        return NULL;
    }
    p11_read(&key->session, key->private, CKA_ALWAYS_AUTHENTICATE, &each_time, sizeof each_time);
    key->pin = each_time ? g_strdup(access->pin) : NULL;
    return read_key(key, error) ? g_steal_pointer(&key) : NULL;
}

/* ---- Making ---------------------------------------------------------------------------------------------- */
static size_t curve_of(const VigieKeyKind *kind) {
    size_t i = 0;
    while (x509_key_kind(curves[i].kind) != kind)
        i++;
    return i;
}

/* Sensitive and never extractable: it stays where it is made. */
static bool generate(VigieTokenKey *key, const VigieKeyKind *kind, CK_ATTRIBUTE label, CK_ATTRIBUTE id,
                     GError **error) {
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG bits = (CK_ULONG)kind->bits;
    uint8_t exponent[] = {1, 0, 1};
    CK_OBJECT_HANDLE public = 0;
    CK_ATTRIBUTE of_public[6] = {{CKA_TOKEN, &yes, sizeof yes}, {CKA_VERIFY, &yes, sizeof yes}, label, id};
    CK_ULONG count = 4;
    if (kind->curve) {
        size_t curve = curve_of(kind);
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
                                 label,
                                 id};
    CK_MECHANISM mechanism = {.mechanism = kind->curve ? CKM_EC_KEY_PAIR_GEN : CKM_RSA_PKCS_KEY_PAIR_GEN};
    CK_RV code =
        key->session.module->C_GenerateKeyPair(key->session.handle, &mechanism, of_public, count, of_private,
                                               G_N_ELEMENTS(of_private), &public, &key->private);
    return code == CKR_OK || p11_fail(&key->session, "C_GenerateKeyPair", code, error);
}

VigieTokenKey *token_key_make(const VigieTokenAccess *access, const VigieKeyKind *kind, GError **error) {
    g_autoptr(VigieTokenKey) key = g_new0(VigieTokenKey, 1);
    VigieTokenAccess writing = *access;
    writing.write = true;
    bool found = false;
    uint8_t octets[NEW_ID];
    if (!p11_open(&key->session, &writing, error) || !find_private(key, &found, error))
        return NULL;
    const CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(key->session.uri, CKA_LABEL),
                       *id = p11_kit_uri_get_attribute(key->session.uri, CKA_ID),
                       random = {CKA_ID, octets, sizeof octets};
    if (found || !label) {
        p11_refuse(&key->session, found ? VIGIE_ERROR_CONFLICT : VIGIE_ERROR_INVALID,
                   found ? "taken" : "uri-object", error);
        return NULL;
    }
    if (RAND_bytes(octets, sizeof octets) != 1)
        g_error("the system gives no random numbers");
    return generate(key, kind, *label, id ? *id : random, error) && read_key(key, error)
               ? g_steal_pointer(&key)
               : NULL;
}
