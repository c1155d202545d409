/* csr.c: our own walk. libcrypto's takes longer than all the rest of an issuance, and accepts more. */
#include "pki/csr.h"
#include "pki/build.h"
#include "pki/name.h"
#include "x509/der.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY_CTX, EVP_PKEY_CTX_free)

typedef struct {
    VigieBytes info, subject, spki, attributes, algorithm,
        signature; /* info: tag and length too; algorithm: its OID */
} Frame;

static bool refuse(GError **error, VigieErrorCode code, const char *why) {
    g_set_error(error, VIGIE_ERROR, (gint)code, "certificate request: %s", why);
    return false;
}

void csr_free(Csr *request) {
    if (!request)
        return;
    g_ptr_array_unref(request->names);
    g_free(request->der);
    g_free(request);
}

/* ---- PEM ---------------------------------------------------------------------------------------------------- */
/* Between the lines that say CERTIFICATE REQUEST, or NEW CERTIFICATE REQUEST as some devices have it. */
static bool decode_pem(const char *text, size_t size, uint8_t **ret_der, size_t *ret_size) {
    static const char *const labels[] = {"CERTIFICATE REQUEST-----", "NEW CERTIFICATE REQUEST-----"};
    for (size_t i = 0; i < G_N_ELEMENTS(labels); i++) {
        g_autofree char *begin = g_strconcat("-----BEGIN ", labels[i], NULL),
                        *end = g_strconcat("-----END ", labels[i], NULL);
        const char *from = g_strstr_len(text, (gssize)size, begin);
        const char *body = from ? from + strlen(begin) : NULL;
        const char *to = body ? g_strstr_len(body, (gssize)(size - (size_t)(body - text)), end) : NULL;
        if (!to)
            continue;
        g_autofree char *base64 = g_strndup(body, (gsize)(to - body));
        *ret_der = g_base64_decode(base64, ret_size);
        return true;
    }
    return false;
}

/* ---- The frame ---------------------------------------------------------------------------------------------- */
static bool read_frame(VigieBytes der, Frame *ret_frame, const char **clause) {
    DerElement whole, info, algorithm, signature, element;
    VigieReader in = vigie_reader(der);
    Frame frame = {0};
    if (!der_expect(&in, DER_SEQUENCE, &whole, clause) || in.rest.size > 0)
        return false;
    in = vigie_reader(whole.value);
    if (!der_expect(&in, DER_SEQUENCE, &info, clause) || !der_expect(&in, DER_SEQUENCE, &algorithm, clause) ||
        !der_expect(&in, DER_BIT_STRING, &signature, clause) || in.rest.size > 0 ||
        signature.value.size < 2 || signature.value.data[0] != 0)
        return false;
    frame.info = info.whole;
    frame.signature = vigie_bytes(signature.value.data + 1, signature.value.size - 1);
    in = vigie_reader(algorithm.value);
    if (!der_expect(&in, DER_OID, &element, clause))
        return false;
    frame.algorithm = element.value;
    in = vigie_reader(info.value);
    if (!der_expect(&in, DER_INTEGER, &element, clause) || element.value.size != 1 ||
        element.value.data[0] != 0)
        return false;
    if (!der_expect(&in, DER_SEQUENCE, &element, clause))
        return false;
    frame.subject = element.whole;
    if (!der_expect(&in, DER_SEQUENCE, &element, clause))
        return false;
    frame.spki = element.whole;
    if (der_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &element, clause))
        frame.attributes = element.value;
    if (in.failed || in.rest.size > 0 || *clause)
        return false;
    *ret_frame = frame;
    return true;
}

/* ---- Names -------------------------------------------------------------------------------------------------- */
/* What the subject says is not taken over; but who hides something in it has nothing good in mind. */
static const char *text_fault(const DerElement *value) {
    if (value->tag != DER_UTF8 && value->tag != DER_PRINTABLE && value->tag != DER_IA5 &&
        value->tag != DER_NUMERIC && value->tag != DER_T61)
        return "a name is of a type that nobody can read";
    if (value->value.size > 0 && memchr(value->value.data, 0, value->value.size))
        return "a name holds a NUL";
    g_autofree char *text = g_strndup((const char *)value->value.data, value->value.size);
    if (value->tag == DER_T61)
        return NULL;
    return value->value.size == 0 ? NULL : name_text_fault(text, 256);
}

static const char *subject_fault(VigieBytes subject) {
    const char *clause = NULL, *fault = NULL;
    DerElement sequence, rdn, pair, type, value;
    VigieReader in = vigie_reader(subject);
    if (!der_expect(&in, DER_SEQUENCE, &sequence, &clause))
        return "its subject cannot be read";
    in = vigie_reader(sequence.value);
    while (!fault && der_next(&in, &rdn, &clause)) {
        VigieReader members = vigie_reader(rdn.value);
        while (!fault && der_next(&members, &pair, &clause)) {
            VigieReader parts = vigie_reader(pair.value);
            if (!der_expect(&parts, DER_OID, &type, &clause) || !der_next(&parts, &value, &clause))
                return "its subject cannot be read";
            fault = text_fault(&value);
        }
    }
    return fault ? fault : clause;
}

static char *name_text(const DerElement *name) {
    char address[INET6_ADDRSTRLEN];
    const VigieBytes value = name->value;
    if (name->tag == DER_CONTEXT(7)) {
        if (value.size != 4 && value.size != 16)
            return NULL;
        inet_ntop(value.size == 4 ? AF_INET : AF_INET6, value.data, address, sizeof address);
        return g_strconcat("ip:", address, NULL);
    }
    if ((name->tag != DER_CONTEXT(1) && name->tag != DER_CONTEXT(2)) || value.size == 0 ||
        memchr(value.data, 0, value.size))
        return NULL;
    g_autofree char *text = g_strndup((const char *)value.data, value.size);
    g_autofree char *lower = name->tag == DER_CONTEXT(2) ? g_ascii_strdown(text, -1) : g_strdup(text);
    return g_strconcat(name->tag == DER_CONTEXT(2) ? "dns:" : "email:", lower, NULL);
}

static bool read_names(Csr *request, VigieBytes value, GError **error) {
    const char *clause = NULL;
    DerElement sequence, name;
    VigieReader in = vigie_reader(value);
    if (!der_expect(&in, DER_SEQUENCE, &sequence, &clause))
        return refuse(error, VIGIE_ERROR_INVALID, "its alternative names cannot be read");
    in = vigie_reader(sequence.value);
    while (der_next(&in, &name, &clause)) {
        if (request->names->len == CSR_NAMES_MAX)
            return refuse(error, VIGIE_ERROR_LIMIT, "it asks for more than 100 names");
        char *text = name_text(&name);
        if (!text)
            return refuse(error, VIGIE_ERROR_INVALID,
                          "it asks for a name that is no DNS name, IP address or mail address");
        g_ptr_array_add(request->names, text);
        const char *fault = general_name_fault(text, false);
        if (fault)
            return refuse(error, VIGIE_ERROR_INVALID, fault);
    }
    return clause ? refuse(error, VIGIE_ERROR_INVALID, clause) : true;
}

/* The extensionRequest attribute's subjectAltName (RFC 2985 5.4.2). Other wishes are the profile's to fulfil. */
static bool read_attributes(Csr *request, VigieBytes attributes, GError **error) {
    static const uint8_t extension_request[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x0E};
    static const uint8_t challenge[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x07};
    static const uint8_t alternative[] = {0x55, 0x1D, 0x11};
    const char *clause = NULL;
    DerElement attribute, type, set, list, extension, oid, critical, value;
    VigieReader in = vigie_reader(attributes);
    while (der_next(&in, &attribute, &clause)) {
        VigieReader parts = vigie_reader(attribute.value);
        if (!der_expect(&parts, DER_OID, &type, &clause) || !der_expect(&parts, DER_SET, &set, &clause))
            break;
        request->challenge |= vigie_bytes_equal(type.value, vigie_bytes(challenge, sizeof challenge));
        if (!vigie_bytes_equal(type.value, vigie_bytes(extension_request, sizeof extension_request)))
            continue;
        VigieReader inner = vigie_reader(set.value);
        if (!der_expect(&inner, DER_SEQUENCE, &list, &clause))
            break;
        inner = vigie_reader(list.value);
        while (der_next(&inner, &extension, &clause)) {
            VigieReader one = vigie_reader(extension.value);
            if (!der_expect(&one, DER_OID, &oid, &clause))
                break;
            der_optional(&one, DER_BOOLEAN, &critical, &clause);
            if (der_expect(&one, DER_OCTET_STRING, &value, &clause) &&
                vigie_bytes_equal(oid.value, vigie_bytes(alternative, sizeof alternative)) &&
                !read_names(request, value.value, error))
                return false;
        }
    }
    return clause ? refuse(error, VIGIE_ERROR_INVALID, clause) : true;
}

/* ---- The key ------------------------------------------------------------------------------------------------ */
typedef struct {
    const char *name;
    uint8_t size, oid[8];
    size_t point;
} Curve;

static const Curve curves[] = {
    {"P-256", 8, {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}, 65},
    {"P-384", 5, {0x2B, 0x81, 0x04, 0x00, 0x22}, 97},
    {"P-521", 5, {0x2B, 0x81, 0x04, 0x00, 0x23}, 133},
};

/* An INTEGER in its one form: no more leading zeros than the sign needs (X.690 8.3.2). */
static bool is_shortest(VigieBytes integer) {
    VigieBytes magnitude = der_magnitude(integer);
    return magnitude.size > 0 && integer.size == magnitude.size + (magnitude.data[0] >> 7);
}

/* RSAPublicKey (RFC 8017 A.1.1), its parameters NULL (RFC 3279 2.3.1), nothing more. */
static bool read_rsa(VigieBytes key, const DerElement *parameters, unsigned *ret_bits) {
    const char *clause = NULL;
    DerElement outer, modulus, exponent;
    VigieReader in = vigie_reader(key);
    if (parameters->tag != 0x05 || parameters->value.size > 0 ||
        !der_expect(&in, DER_SEQUENCE, &outer, &clause) || in.rest.size > 0)
        return false;
    in = vigie_reader(outer.value);
    if (!der_expect(&in, DER_INTEGER, &modulus, &clause) ||
        !der_expect(&in, DER_INTEGER, &exponent, &clause) || in.rest.size > 0 || clause ||
        !is_shortest(modulus.value) || !is_shortest(exponent.value))
        return false;
    *ret_bits = der_bits(modulus.value);
    return true;
}

/* A key has one encoding here, or one that was revoked as compromised would come back in another. */
static bool read_key(Csr *request, VigieBytes *ret_key, GError **error) {
    static const uint8_t ec[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};
    static const uint8_t rsa[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01};
    const char *clause = NULL;
    DerElement whole, algorithm, type, parameters = {0}, bits;
    VigieReader in = vigie_reader(request->spki);
    if (!der_expect(&in, DER_SEQUENCE, &whole, &clause))
        return refuse(error, VIGIE_ERROR_INVALID, "its key cannot be read");
    in = vigie_reader(whole.value);
    if (!der_expect(&in, DER_SEQUENCE, &algorithm, &clause) ||
        !der_expect(&in, DER_BIT_STRING, &bits, &clause) || bits.value.size < 2 || bits.value.data[0] != 0 ||
        in.rest.size > 0)
        return refuse(error, VIGIE_ERROR_INVALID, "its key cannot be read");
    *ret_key = vigie_bytes(bits.value.data + 1, bits.value.size - 1);
    VigieReader parts = vigie_reader(algorithm.value);
    if (!der_expect(&parts, DER_OID, &type, &clause) || !der_next(&parts, &parameters, &clause) ||
        parts.rest.size > 0 || clause)
        return refuse(error, VIGIE_ERROR_INVALID, "its key is not encoded as RFC 5280 4.1.2.7 wants it");
    if (vigie_bytes_equal(type.value, vigie_bytes(rsa, sizeof rsa)))
        return read_rsa(*ret_key, &parameters, &request->rsa_bits) ||
               refuse(error, VIGIE_ERROR_INVALID, "its RSA key is not encoded as RFC 3279 2.3.1 wants it");
    for (size_t i = 0; i < G_N_ELEMENTS(curves) && vigie_bytes_equal(type.value, vigie_bytes(ec, sizeof ec));
         i++)
        if (parameters.tag == DER_OID &&
            vigie_bytes_equal(parameters.value, vigie_bytes(curves[i].oid, curves[i].size)) &&
            ret_key->size == curves[i].point && ret_key->data[0] == 4)
            request->curve = curves[i].name;
    return request->curve ? true
                          : refuse(error, VIGIE_ERROR_INVALID,
                                   "its key is neither RSA nor of the curves P-256, P-384, P-521");
}

Csr *csr_parse(VigieBytes csr, GError **error) {
    g_autoptr(Csr) request = g_new0(Csr, 1);
    const char *clause = NULL, *fault = NULL;
    Frame frame;
    VigieBytes key;
    request->names = g_ptr_array_new_with_free_func(g_free);
    if (csr.size > CSR_BYTES_MAX) {
        refuse(error, VIGIE_ERROR_LIMIT, "larger than 32 KiB");
        return NULL;
    }
    request->size = csr.size;
    if (!decode_pem((const char *)csr.data, csr.size, &request->der, &request->size))
        request->der = g_memdup2(csr.data, csr.size);
    if (!read_frame(vigie_bytes(request->der, request->size), &frame, &clause)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "this is no PKCS#10 request, PEM or DER (%s); vigie identify tells what it is",
                    clause ? clause : "RFC 2986 4");
        return NULL;
    }
    request->spki = frame.spki;
    fault = subject_fault(frame.subject);
    if (fault)
        refuse(error, VIGIE_ERROR_INVALID, fault);
    if (fault || !read_key(request, &key, error) || !read_attributes(request, frame.attributes, error))
        return NULL;
    return g_steal_pointer(&request);
}

Csr *csr_of_key(VigieBytes spki, GError **error) {
    g_autoptr(Csr) request = g_new0(Csr, 1);
    VigieBytes key;
    request->names = g_ptr_array_new_with_free_func(g_free);
    if (spki.size > CSR_BYTES_MAX) {
        refuse(error, VIGIE_ERROR_LIMIT, "larger than 32 KiB");
        return NULL;
    }
    request->size = spki.size;
    request->der = g_memdup2(spki.data, spki.size);
    request->spki = vigie_bytes(request->der, request->size);
    return read_key(request, &key, error) ? g_steal_pointer(&request) : NULL;
}

/* ---- The proof ---------------------------------------------------------------------------------------------- */
typedef struct {
    uint8_t size, oid[9];
    bool rsa;
    const EVP_MD *(*md)(void);
} Algorithm;

static const Algorithm algorithms[] = {
    {8, {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02}, false, EVP_sha256},
    {8, {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03}, false, EVP_sha384},
    {8, {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x04}, false, EVP_sha512},
    {9, {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B}, true, EVP_sha256},
    {9, {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0C}, true, EVP_sha384},
    {9, {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0D}, true, EVP_sha512},
};

/* From the point: through d2i_PUBKEY the same key costs several times as much. */
static EVP_PKEY *curve_key(const char *curve, VigieBytes point) {
    g_autoptr(EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)curve, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point.data, point.size),
        OSSL_PARAM_construct_end(),
    };
    if (!context || EVP_PKEY_fromdata_init(context) <= 0 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) <= 0)
        return NULL;
    return key;
}

static bool verify(const Csr *request, const Frame *frame, VigieBytes key_bits) {
    const Algorithm *algorithm = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(algorithms); i++)
        if (vigie_bytes_equal(frame->algorithm, vigie_bytes(algorithms[i].oid, algorithms[i].size)))
            algorithm = &algorithms[i];
    if (!algorithm || algorithm->rsa != (request->curve == NULL))
        return false;
    const uint8_t *at = request->spki.data;
    g_autoptr(EVP_PKEY) key = request->curve ? curve_key(request->curve, key_bits)
                                             : d2i_PUBKEY(NULL, &at, (long)request->spki.size);
    g_autoptr(EVP_PKEY_CTX) context = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    return context &&
           EVP_Digest(frame->info.data, frame->info.size, digest, &size, algorithm->md(), NULL) == 1 &&
           EVP_PKEY_verify_init(context) > 0 &&
           (!algorithm->rsa || EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0) &&
           EVP_PKEY_CTX_set_signature_md(context, algorithm->md()) > 0 &&
           EVP_PKEY_verify(context, frame->signature.data, frame->signature.size, digest, size) == 1;
}

Csr *csr_read(VigieBytes csr, GError **error) {
    g_autoptr(Csr) request = csr_parse(csr, error);
    const char *clause = NULL;
    Frame frame;
    VigieBytes key = {0};
    if (!request)
        return NULL;
    if (!read_frame(vigie_bytes(request->der, request->size), &frame, &clause) ||
        !read_key(request, &key, error))
        return NULL;
    if (verify(request, &frame, key))
        return g_steal_pointer(&request);
    ERR_clear_error();
    refuse(error, VIGIE_ERROR_DENIED,
           "its signature is not by its key (proof of possession), or is by SHA-1 or a rarer algorithm");
    return NULL;
}
