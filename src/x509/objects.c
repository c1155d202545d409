/* objects: what a DER object is, told by its structure and not by its name. */
#include "x509/identify.h"

#include "x509/der.h"
#include "x509/text.h"
#include "x509/view.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <string.h>

/* The tags of the first elements of a SEQUENCE: enough to tell the objects of the trade apart. */
enum { SHAPE_MAX = 10 };

typedef struct {
    size_t count;
    DerElement elements[SHAPE_MAX];
} Shape;

static bool shape_of(VigieBytes octets, Shape *ret_shape) {
    VigieReader in = vigie_reader(octets);
    const char *clause = NULL;
    DerElement outer;
    if (!der_expect(&in, DER_SEQUENCE, &outer, &clause))
        return false;
    VigieReader content = vigie_reader(outer.value);
    while (ret_shape->count < SHAPE_MAX && !vigie_reader_empty(&content)) {
        if (!der_next(&content, &ret_shape->elements[ret_shape->count], &clause))
            return false;
        ret_shape->count++;
    }
    return ret_shape->count > 0;
}

static bool shape_is(const Shape *shape, size_t count, const uint8_t *tags) {
    if (shape->count < count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (shape->elements[i].tag != tags[i])
            return false;
    return true;
}
#define SHAPE_IS(shape, ...)                                                                                 \
    shape_is(shape, sizeof((const uint8_t[]){__VA_ARGS__}), (const uint8_t[]){__VA_ARGS__})

static void set_hex(json_t *object, const char *name, const uint8_t *octets, size_t size) {
    g_autofree char *text = vigie_hex_text(vigie_bytes(octets, size));
    json_object_set_new(object, name, json_string(text));
}

static void set_key(json_t *object, const EVP_PKEY *key) {
    char curve[64] = "";
    EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL);
    if (g_str_equal(curve, "prime256v1")) /* the one name that libcrypto keeps of X9.62 (SEC 2, 2.4.2) */
        g_strlcpy(curve, "secp256r1", sizeof curve);
    const char *type = EVP_PKEY_is_a(key, "ED25519") ? x509_key_name(VIGIE_KEY_ED25519)
                       : EVP_PKEY_is_a(key, "ED448") ? x509_key_name(VIGIE_KEY_ED448)
                                                     : EVP_PKEY_get0_type_name(key);
    json_object_set_new(object, "key",
                        json_pack("{s:s,s:i,s:o}", "type", type ? type : "unknown", "bits",
                                  EVP_PKEY_get_bits(key), "curve",
                                  *curve ? json_string(curve) : json_null()));
}

static void set_spki(json_t *object, VigieBytes spki) {
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (spki.size > 0 && EVP_Digest(spki.data, spki.size, digest, NULL, EVP_sha256(), NULL))
        set_hex(object, "spki_sha256", digest, 32);
}

void identify_pkey_facts(json_t *object, const EVP_PKEY *key) {
    unsigned char *spki = NULL;
    int size = i2d_PUBKEY(key, &spki);
    set_key(object, key);
    set_spki(object, vigie_bytes(spki, size > 0 ? (size_t)size : 0));
    OPENSSL_free(spki);
}

void identify_spki_facts(json_t *object, VigieBytes spki) {
    const unsigned char *at = spki.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.size);
    if (key) {
        set_key(object, key);
        set_spki(object, spki);
    }
    EVP_PKEY_free(key);
}

/* What PKCS#8 says of its key; NID_undef where it is another encoding. */
static int key_type(VigieBytes private_key) {
    const unsigned char *at = private_key.data;
    PKCS8_PRIV_KEY_INFO *read = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)private_key.size);
    const ASN1_OBJECT *algorithm = NULL;
    int type =
        read && PKCS8_pkey_get0(&algorithm, NULL, NULL, NULL, read) ? OBJ_obj2nid(algorithm) : NID_undef;
    PKCS8_PRIV_KEY_INFO_free(read);
    return type;
}

/* Untold of the type, libcrypto tries all the decoders it has: three times as long. */
static EVP_PKEY *read_key(VigieBytes private_key) {
    const unsigned char *at = private_key.data;
    int type = key_type(private_key);
    EVP_PKEY *key = type != NID_undef ? d2i_PrivateKey(type, NULL, &at, (long)private_key.size) : NULL;
    at = private_key.data;
    return key ? key : d2i_AutoPrivateKey(NULL, &at, (long)private_key.size);
}

void identify_key_facts(json_t *object, VigieBytes private_key) {
    EVP_PKEY *key = read_key(private_key);
    if (key)
        identify_pkey_facts(object, key);
    EVP_PKEY_free(key);
}

static void set_name(json_t *object, const char *member, VigieBytes name) {
    GString *text = g_string_new(NULL);
    const char *clause = NULL;
    text_append_name(text, name, &clause);
    json_object_set_new(object, member, json_string(text->str));
    g_string_free(text, TRUE);
}

static void set_time(json_t *object, const char *member, const DerElement *element) {
    VigieTime time = 0;
    const char *clause = NULL;
    if (!der_time(element, &time, &clause))
        return;
    g_autofree char *text = vigie_time_rfc3339(time);
    json_object_set_new(object, member, json_string(text));
}

json_t *certificate_names_json(const VigieCertificate *certificate) {
    json_t *names = json_array();
    for (size_t i = 0; i < certificate->name_count && i < 100; i++)
        json_array_append_new(names, json_string(certificate->names[i].text));
    return names;
}

static bool try_certificate(Identified *found, const Where *where, VigieBytes octets) {
    X509View view;
    if (!x509_view(octets, &view))
        return false;
    g_autoptr(VigieCertificate) certificate = x509_certificate_new(octets, NULL);
    if (certificate)
        identified_keep(found, "certificate", view.der);
    json_t *object = certificate ? identified_add(found, where, "certificate") : NULL;
    if (!object)
        return certificate != NULL;
    g_autofree char *not_before = vigie_time_rfc3339(certificate->not_before);
    g_autofree char *not_after = vigie_time_rfc3339(certificate->not_after);
    json_t *names = certificate_names_json(certificate);
    set_hex(object, "sha256", certificate->sha256, 32);
    set_hex(object, "spki_sha256", certificate->spki_sha256, 32);
    json_object_update_new(
        object,
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:{s:s,s:i,s:s?},s:s,s:b,s:b,s:b,s:s?}", "subject",
                  certificate->subject, "issuer", certificate->issuer, "serial", certificate->serial,
                  "not_before", not_before, "not_after", not_after, "names", names, "key", "type",
                  x509_key_name(certificate->key), "bits", (int)certificate->key_bits, "curve",
                  certificate->curve, "signature_algorithm", certificate->signature_algorithm,
                  "signature_weak", certificate->signature_weak, "self_issued", certificate->self_issued,
                  "is_ca", certificate->is_ca, "malformed", certificate->malformed));
    return true;
}

/* CertificationRequest (RFC 2986 4.2): its content begins with INTEGER 0, Name, SubjectPublicKeyInfo. */
static bool try_request(Identified *found, const Where *where, const Shape *outer, VigieBytes octets) {
    Shape content = {0};
    if (!SHAPE_IS(outer, DER_SEQUENCE, DER_SEQUENCE, DER_BIT_STRING) || outer->count != 3 ||
        !shape_of(outer->elements[0].whole, &content) ||
        !SHAPE_IS(&content, DER_INTEGER, DER_SEQUENCE, DER_SEQUENCE) ||
        (content.count > 3 && content.elements[3].tag != DER_CONTEXT_CONSTRUCTED(0)))
        return false;
    identified_keep(found, "certificate-request", octets);
    json_t *object = identified_add(found, where, "certificate-request");
    if (!object)
        return true;
    set_name(object, "subject", content.elements[1].whole);
    const unsigned char *at = octets.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)octets.size);
    EVP_PKEY *key = request ? X509_REQ_get0_pubkey(request) : NULL;
    if (key) {
        set_key(object, key);
        set_spki(object, content.elements[2].whole);
    }
    json_object_set_new(object, "proof_of_possession",
                        json_boolean(key && X509_REQ_verify(request, key) == 1));
    X509_REQ_free(request);
    return true;
}

/* CertificateList (RFC 5280 5.1): [version], algorithm, issuer, thisUpdate, [nextUpdate]. */
static bool try_crl(Identified *found, const Where *where, const Shape *outer, VigieBytes octets) {
    Shape content = {0};
    if (!SHAPE_IS(outer, DER_SEQUENCE, DER_SEQUENCE, DER_BIT_STRING) ||
        !shape_of(outer->elements[0].whole, &content))
        return false;
    size_t at = content.elements[0].tag == DER_INTEGER ? 1 : 0;
    if (content.count < at + 3 || content.elements[at].tag != DER_SEQUENCE ||
        content.elements[at + 1].tag != DER_SEQUENCE ||
        (content.elements[at + 2].tag != DER_UTC_TIME &&
         content.elements[at + 2].tag != DER_GENERALIZED_TIME))
        return false;
    identified_keep(found, "crl", octets);
    json_t *object = identified_add(found, where, "crl");
    if (!object)
        return true;
    set_name(object, "issuer", content.elements[at + 1].whole);
    set_time(object, "this_update", &content.elements[at + 2]);
    if (content.count > at + 3 && content.elements[at + 3].tag != DER_SEQUENCE)
        set_time(object, "next_update", &content.elements[at + 3]);
    return true;
}

static bool integer_is(const DerElement *element, uint8_t value) {
    return element->tag == DER_INTEGER && element->value.size == 1 && element->value.data[0] == value;
}

/* The clear encodings of a private key, by the structure that RFC 5958, 8017 A.1.2, 5915 and OpenSSL's DSA have. */
static const char *private_key_format(const Shape *shape) {
    if (SHAPE_IS(shape, DER_INTEGER, DER_SEQUENCE, DER_OCTET_STRING) &&
        (integer_is(&shape->elements[0], 0) || integer_is(&shape->elements[0], 1)))
        return "PKCS#8";
    if (integer_is(&shape->elements[0], 1) && SHAPE_IS(shape, DER_INTEGER, DER_OCTET_STRING))
        return "SEC 1";
    if (integer_is(&shape->elements[0], 0) && shape->count >= 9 &&
        SHAPE_IS(shape, DER_INTEGER, DER_INTEGER, DER_INTEGER, DER_INTEGER, DER_INTEGER, DER_INTEGER,
                 DER_INTEGER, DER_INTEGER, DER_INTEGER))
        return "PKCS#1";
    if (integer_is(&shape->elements[0], 0) && shape->count == 6 &&
        SHAPE_IS(shape, DER_INTEGER, DER_INTEGER, DER_INTEGER, DER_INTEGER, DER_INTEGER, DER_INTEGER))
        return "DSA";
    return NULL;
}

static bool try_private_key(Identified *found, const Where *where, const Shape *shape, VigieBytes octets) {
    const char *format = private_key_format(shape);
    if (!format)
        return false;
    identified_keep(found, "private-key", octets);
    json_t *object = identified_add(found, where, "private-key");
    if (!object)
        return true;
    json_object_set_new(object, "format", json_string(format));
    json_object_set_new(object, "private", json_string("clear"));
    identify_key_facts(object, octets);
    return true;
}

bool identify_private_key(Identified *found, const Where *where, VigieBytes octets) {
    Shape shape = {0};
    return shape_of(octets, &shape) && try_private_key(found, where, &shape, octets);
}

static bool try_public(Identified *found, const Where *where, const Shape *shape, VigieBytes octets) {
    if (shape->count == 2 && SHAPE_IS(shape, DER_SEQUENCE, DER_BIT_STRING)) {
        json_t *object = identified_add(found, where, "public-key");
        if (object)
            identify_spki_facts(object, octets);
        return true;
    }
    if (shape->count == 2 && SHAPE_IS(shape, DER_INTEGER, DER_INTEGER)) {
        /* A generator is 2 or 5; a public exponent is 3 (two bits, as 2 is) at the least. */
        bool rsa = der_bits(shape->elements[1].value) > 3 || integer_is(&shape->elements[1], 3);
        return identified_add(found, where, rsa ? "public-key" : "dh-parameters") != NULL;
    }
    return false;
}

bool identify_der(Identified *found, const Where *where, VigieBytes octets) {
    Shape shape = {0};
    bool known = shape_of(octets, &shape) &&
                 (try_certificate(found, where, octets) || try_request(found, where, &shape, octets) ||
                  try_crl(found, where, &shape, octets) || try_private_key(found, where, &shape, octets) ||
                  try_public(found, where, &shape, octets));
    /* What is left may be BER, which libcrypto reads. */
    return known || identify_encrypted_key(found, where, octets) || identify_pkcs12(found, where, octets) ||
           identify_pkcs7(found, where, octets);
}

/* Behind a TRUSTED CERTIFICATE stands what OpenSSL trusts it for: numbers and names. */
static bool openssl_settings(const Where *where, VigieBytes octets) {
    const unsigned char *at = octets.data;
    if (!where->label || strcmp(where->label, "TRUSTED CERTIFICATE") != 0)
        return false;
    X509_CERT_AUX *settings = d2i_X509_CERT_AUX(NULL, &at, (long)octets.size);
    bool all = settings && at == octets.data + octets.size;
    X509_CERT_AUX_free(settings);
    ERR_clear_error();
    return all;
}

bool identify_sequence(Identified *found, const Where *where, VigieBytes octets) {
    bool any = false;
    while (octets.size > 0 && !found->too_many) {
        VigieReader in = vigie_reader(octets);
        const char *clause = NULL;
        DerElement first;
        bool der = der_next(&in, &first, &clause);
        if (!identify_der(found, where, der ? first.whole : octets))
            break;
        any = true;
        octets = der ? in.rest : (VigieBytes){0}; /* of BER nobody knows where it ends */
        while (octets.size > 0 && (octets.data[0] == 0 || g_ascii_isspace(octets.data[0])))
            octets = vigie_bytes(octets.data + 1, octets.size - 1);
    }
    if (any && octets.size > 0 && !found->too_many && !openssl_settings(where, octets))
        identified_unreadable(found, where, "unreadable");
    return any;
}
