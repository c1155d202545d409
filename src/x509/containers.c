/* containers: PKCS#12, PKCS#7 and keys under a password. libcrypto reads them, in bounded time: a file may name any
 * number of iterations, and more than a million are not counted for one object, nor three million for a file. */
#include "x509/identify.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include <string.h>

enum {
    ITERATIONS_MAX = 1000000,
    ROUNDS_MAX = 3 * ITERATIONS_MAX,
    ROUNDS_LEAST = 100,
    UNKNOWN = -1,
    DEPTH_MAX = 3
};

static json_t *algorithm_name(const ASN1_OBJECT *oid) {
    char name[80];
    OBJ_obj2txt(name, sizeof name, oid, 0);
    return json_string(name);
}

static int64_t count_of(const ASN1_INTEGER *number) {
    int64_t count = 0;
    return number && ASN1_INTEGER_get_int64(&count, number) && count > 0 ? count : UNKNOWN;
}

/* scrypt (RFC 7914) costs about N times r times p iterations of PBKDF2. */
static int64_t scrypt_cost(const SCRYPT_PARAMS *scrypt) {
    int64_t n = count_of(scrypt->costParameter), r = count_of(scrypt->blockSize),
            p = count_of(scrypt->parallelizationParameter), most = INT64_C(1) << 20;
    return n > 0 && r > 0 && p > 0 && MAX(n, MAX(r, p)) <= most ? n * r * p : UNKNOWN;
}

/* What a derivation of RFC 8018 costs, in iterations. */
static int64_t derivation_cost(const X509_ALGOR *derivation) {
    const ASN1_OBJECT *oid = NULL;
    X509_ALGOR_get0(&oid, NULL, NULL, derivation);
    int64_t cost = UNKNOWN;
    if (OBJ_obj2nid(oid) == NID_id_pbkdf2) {
        PBKDF2PARAM *pbkdf2 = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), derivation->parameter);
        cost = pbkdf2 ? count_of(pbkdf2->iter) : UNKNOWN;
        PBKDF2PARAM_free(pbkdf2);
    } else if (OBJ_obj2nid(oid) == NID_id_scrypt) {
        SCRYPT_PARAMS *scrypt =
            ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), derivation->parameter);
        cost = scrypt ? scrypt_cost(scrypt) : UNKNOWN;
        SCRYPT_PARAMS_free(scrypt);
    }
    return cost;
}

/* { "scheme", "cipher", "iterations", "legacy" }: RFC 8018's PBES2, or one of PKCS#12's old schemes. The number of
 * iterations too, since that is what an attempt costs. */
static json_t *protection(const X509_ALGOR *algorithm, int64_t *ret_iterations) {
    const ASN1_OBJECT *oid = NULL;
    const void *parameter = NULL;
    int type = 0;
    X509_ALGOR_get0(&oid, &type, &parameter, algorithm);
    json_t *answer = json_pack("{s:o}", "scheme", algorithm_name(oid));
    *ret_iterations = UNKNOWN;
    if (type != V_ASN1_SEQUENCE)
        return answer;
    const ASN1_STRING *octets = parameter;
    const unsigned char *at = ASN1_STRING_get0_data(octets);
    if (OBJ_obj2nid(oid) == NID_pbes2) {
        PBE2PARAM *pbes2 = d2i_PBE2PARAM(NULL, &at, ASN1_STRING_length(octets));
        if (pbes2) {
            json_object_set_new(answer, "cipher", algorithm_name(pbes2->encryption->algorithm));
            *ret_iterations = derivation_cost(pbes2->keyfunc);
        }
        PBE2PARAM_free(pbes2);
    } else {
        PBEPARAM *old = d2i_PBEPARAM(NULL, &at, ASN1_STRING_length(octets));
        if (old)
            *ret_iterations = count_of(old->iter);
        PBEPARAM_free(old);
    }
    json_object_set_new(answer, "legacy", json_boolean(OBJ_obj2nid(oid) != NID_pbes2));
    json_object_set_new(answer, "iterations", json_integer(MAX(*ret_iterations, 0)));
    return answer;
}

/* RC2 and single DES, in which Windows sealed certificates until 2022, are of libcrypto's legacy provider. Asked for where
 * such a file is met; it stays without where the process may load nothing any more. */
static void want_old_ciphers(const X509_ALGOR *algorithm) {
    static const int old[] = {NID_pbe_WithSHA1And40BitRC2_CBC, NID_pbe_WithSHA1And128BitRC2_CBC,
                              NID_pbeWithMD5AndDES_CBC,        NID_pbeWithSHA1AndDES_CBC,
                              NID_pbeWithMD5AndRC2_CBC,        NID_pbeWithSHA1AndRC2_CBC,
                              NID_pbe_WithSHA1And40BitRC4,     NID_pbe_WithSHA1And128BitRC4};
    static gsize asked = 0;
    const ASN1_OBJECT *oid = NULL;
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    for (size_t i = 0; i < G_N_ELEMENTS(old); i++)
        if (OBJ_obj2nid(oid) == old[i] && g_once_init_enter(&asked)) {
            OSSL_PROVIDER_try_load(NULL, "legacy", 1);
            g_once_init_leave(&asked, 1);
        }
}

/* A file of many parts, each of which is affordable, is not for that. */
static bool affordable(Identified *found, int64_t iterations) {
    if (iterations < 0 || iterations > ITERATIONS_MAX || found->rounds + iterations > ROUNDS_MAX)
        return false;
    found->rounds += iterations + ROUNDS_LEAST;
    return true;
}

static void keep_key(Identified *found, const PKCS8_PRIV_KEY_INFO *clear) {
    unsigned char *der = NULL;
    int size = clear && found->kept ? i2d_PKCS8_PRIV_KEY_INFO(clear, &der) : 0;
    if (size > 0)
        identified_keep(found, "private-key", vigie_bytes(der, (size_t)size));
    OPENSSL_clear_free(der, size > 0 ? (size_t)size : 0);
}

static const char *password_of(const Identified *found) {
    return found->null_password ? NULL : found->password;
}

/* The decrypted PKCS#8's facts into `object`. False where the password is not the right one. */
static bool open_key(Identified *found, json_t *object, const X509_SIG *sealed, int64_t iterations) {
    if (!found->password || !affordable(found, iterations))
        return false;
    const X509_ALGOR *algorithm = NULL;
    X509_SIG_get0(sealed, &algorithm, NULL);
    want_old_ciphers(algorithm);
    PKCS8_PRIV_KEY_INFO *clear = PKCS8_decrypt(sealed, password_of(found), (int)strlen(found->password));
    EVP_PKEY *key = clear ? EVP_PKCS82PKEY(clear) : NULL;
    if (key)
        identify_pkey_facts(object, key);
    keep_key(found, clear);
    bool opened = key != NULL;
    EVP_PKEY_free(key);
    PKCS8_PRIV_KEY_INFO_free(clear);
    return opened;
}

static void add_sealed_key(Identified *found, const Where *where, const X509_SIG *sealed) {
    json_t *object = identified_add(found, where, "private-key");
    if (!object)
        return;
    const X509_ALGOR *algorithm = NULL;
    X509_SIG_get0(sealed, &algorithm, NULL);
    int64_t iterations = 0;
    json_object_set_new(object, "format", json_string("PKCS#8"));
    json_object_set_new(object, "protection", protection(algorithm, &iterations));
    bool opened = open_key(found, object, sealed, iterations);
    json_object_set_new(object, "opened", json_boolean(opened));
    json_object_set_new(object, "private",
                        json_string(opened && found->without_password ? "clear" : "encrypted"));
}

/* Schemes that seal with a password; a signature's DigestInfo has the same shape. */
static bool seals(const X509_SIG *sealed) {
    const X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *oid = NULL;
    X509_SIG_get0(sealed, &algorithm, NULL);
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    int cipher = 0, digest = 0;
    return OBJ_obj2nid(oid) == NID_undef ||
           EVP_PBE_find(EVP_PBE_TYPE_OUTER, OBJ_obj2nid(oid), &cipher, &digest, NULL);
}

bool identify_encrypted_key(Identified *found, const Where *where, VigieBytes octets) {
    const unsigned char *at = octets.data;
    X509_SIG *sealed = d2i_X509_SIG(NULL, &at, (long)octets.size);
    bool known = sealed && seals(sealed);
    if (known)
        add_sealed_key(found, where, sealed);
    X509_SIG_free(sealed);
    ERR_clear_error();
    return known;
}

static void add_certificate(Identified *found, const Where *where, X509 *certificate) {
    unsigned char *der = NULL;
    int size = certificate ? i2d_X509(certificate, &der) : 0;
    if (size > 0)
        identify_der(found, where, vigie_bytes(der, (size_t)size));
    OPENSSL_free(der);
}

static void add_bags(Identified *found, const Where *where, const STACK_OF(PKCS12_SAFEBAG) * bags,
                     int depth) {
    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); i++) {
        PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);
        switch (PKCS12_SAFEBAG_get_nid(bag)) {
        case NID_keyBag: {
            unsigned char *der = NULL;
            int size = i2d_PKCS8_PRIV_KEY_INFO(PKCS12_SAFEBAG_get0_p8inf(bag), &der);
            if (size > 0)
                identify_der(found, where, vigie_bytes(der, (size_t)size));
            OPENSSL_clear_free(der, size > 0 ? (size_t)size : 0);
            break;
        }
        case NID_pkcs8ShroudedKeyBag:
            add_sealed_key(found, where, PKCS12_SAFEBAG_get0_pkcs8(bag));
            break;
        case NID_certBag: {
            X509 *certificate = PKCS12_SAFEBAG_get1_cert(bag);
            add_certificate(found, where, certificate);
            X509_free(certificate);
            break;
        }
        case NID_safeContentsBag:
            if (depth < 4)
                add_bags(found, where, PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
            break;
        case NID_crlBag:
            break;
        default: { /* a secret of any kind */
            json_t *object = identified_add(found, where, "unreadable");
            if (object)
                json_object_set_new(object, "private", json_string("possible"));
            break;
        }
        }
    }
}

/* One part of a PKCS#12: in clear, or sealed as a whole. True where it was looked into. */
static bool add_part(Identified *found, const Where *inside, PKCS7 *part, json_t *container) {
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    if (PKCS7_type_is_data(part)) {
        bags = PKCS12_unpack_p7data(part);
    } else if (PKCS7_type_is_encrypted(part) && part->d.encrypted) { /* its content is optional */
        int64_t iterations = 0;
        json_t *sealed = protection(part->d.encrypted->enc_data->algorithm, &iterations);
        json_object_set_new(container, "protection", sealed);
        want_old_ciphers(part->d.encrypted->enc_data->algorithm);
        if (found->password && affordable(found, iterations))
            bags = PKCS12_unpack_p7encdata(part, password_of(found), (int)strlen(found->password));
    }
    if (!bags)
        return false;
    add_bags(found, inside, bags, 0);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return true;
}

/* Is the empty password its password, or none, as GnuTLS and NSS have it? Then whoever has the file has the key. */
static bool opens_for_anyone(Identified *found, PKCS12 *pfx) {
    const ASN1_INTEGER *iterations = NULL;
    if (!PKCS12_mac_present(pfx))
        return false;
    PKCS12_get0_mac(NULL, NULL, NULL, &iterations, pfx);
    int64_t count = iterations ? count_of(iterations) : 1;
    if (affordable(found, count) && PKCS12_verify_mac(pfx, "", 0) == 1)
        return true;
    found->null_password = affordable(found, count) && PKCS12_verify_mac(pfx, NULL, 0) == 1;
    return found->null_password;
}

bool identify_pkcs12(Identified *found, const Where *where, VigieBytes octets) {
    const unsigned char *at = octets.data;
    const char *password = found->password;
    PKCS12 *pfx = d2i_PKCS12(NULL, &at, (long)octets.size);
    found->without_password = pfx && !password && opens_for_anyone(found, pfx);
    if (found->without_password)
        found->password = "";
    STACK_OF(PKCS7) *parts = pfx ? PKCS12_unpack_authsafes(pfx) : NULL;
    json_t *container = pfx ? identified_add(found, where, "pkcs12") : NULL;
    bool opened = parts != NULL;
    const Where inside = {.encoding = "pkcs12"};
    for (int i = 0; container && i < sk_PKCS7_num(parts); i++)
        opened = add_part(found, &inside, sk_PKCS7_value(parts, i), container) && opened;
    if (container) {
        json_object_set_new(container, "opened", json_boolean(opened));
        json_object_set_new(container, "password_required", json_boolean(PKCS12_mac_present(pfx) != 0));
    }
    found->password = password;
    found->without_password = found->null_password = false;
    sk_PKCS7_pop_free(parts, PKCS7_free);
    PKCS12_free(pfx);
    ERR_clear_error();
    return pfx != NULL;
}

/* What an envelope carries: anything. NULL: nothing, or what was named; else what may be in it. */
static const char *content_of_pkcs7(Identified *found, CMS_ContentInfo *cms, const Where *inside) {
    int type = OBJ_obj2nid(CMS_get0_type(cms));
    if (type != NID_pkcs7_data && type != NID_pkcs7_signed && type != NID_pkcs7_digest)
        return "possible"; /* sealed or compressed */
    ASN1_OCTET_STRING **carried = CMS_get0_content(cms);
    if (!carried || !*carried || ASN1_STRING_length(*carried) == 0)
        return NULL;
    VigieBytes octets = vigie_bytes(ASN1_STRING_get0_data(*carried), (size_t)ASN1_STRING_length(*carried));
    if (found->depth >= DEPTH_MAX)
        return "unknown";
    found->depth++;
    bool known = identify_sequence(found, inside, octets);
    bool text = g_utf8_validate((const char *)octets.data, (gssize)octets.size, NULL);
    identify_traces(found, octets, text ? TRACES_IN_TEXT : TRACES_WITHIN);
    found->depth--;
    return known || text ? NULL : "unknown";
}

bool identify_pkcs7(Identified *found, const Where *where, VigieBytes octets) {
    const unsigned char *at = octets.data;
    const Where inside = {.encoding = "pkcs7"};
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)octets.size);
    if (!cms) {
        ERR_clear_error();
        return false;
    }
    json_t *object = identified_add(found, where, "pkcs7");
    if (object)
        json_object_set_new(object, "content", algorithm_name(CMS_get0_type(cms)));
    const char *content = content_of_pkcs7(found, cms, &inside);
    if (object && content)
        json_object_set_new(object, "private", json_string(content));
    STACK_OF(X509) *certificates = CMS_get1_certs(cms);
    for (int i = 0; i < sk_X509_num(certificates); i++)
        add_certificate(found, &inside, sk_X509_value(certificates, i));
    sk_X509_pop_free(certificates, X509_free);
    CMS_ContentInfo_free(cms);
    ERR_clear_error();
    return true;
}
