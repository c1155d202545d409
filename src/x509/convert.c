/* convert: the objects of files, written as a file of another format. A private key only where it was asked for. */
#include "x509/convert.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include <string.h>

static const char *const format_names[] = {"pem",        "der", "pkcs7",   "pkcs12",
                                           "pkcs12-old", "key", "key-der", "key-traditional"};

const char *x509_format_name(VigieFileFormat format) {
    return format_names[format];
}

/* What the file will be called is what a technician knows of its format. */
static const struct {
    const char *extension;
    VigieFileFormat format;
} extensions[] = {{"p12", X509_TO_PKCS12}, {"pfx", X509_TO_PKCS12}, {"p7b", X509_TO_PKCS7}};

bool x509_format_parse(const char *name, VigieFileFormat *ret_format) {
    for (size_t i = 0; i < X509_FILE_FORMATS; i++)
        if (g_ascii_strcasecmp(format_names[i], name) == 0) {
            *ret_format = (VigieFileFormat)i;
            return true;
        }
    for (size_t i = 0; i < G_N_ELEMENTS(extensions); i++)
        if (g_ascii_strcasecmp(extensions[i].extension, name) == 0) {
            *ret_format = extensions[i].format;
            return true;
        }
    return false;
}

void x509_contents_clear(X509Contents *contents) {
    EVP_PKEY_free(contents->key);
    sk_X509_pop_free(contents->certificates, X509_free);
    sk_X509_CRL_pop_free(contents->crls, X509_CRL_free);
    sk_X509_REQ_pop_free(contents->requests, X509_REQ_free);
    ERR_clear_error();
}

static bool refuse(GError **error, VigieErrorCode code, const char *why) {
    g_set_error_literal(error, VIGIE_ERROR, (int)code, why);
    return false;
}

static bool has_certificate(const X509Contents *contents, const X509 *certificate) {
    for (int i = 0; i < sk_X509_num(contents->certificates); i++)
        if (X509_cmp(sk_X509_value(contents->certificates, i), certificate) == 0)
            return true;
    return false;
}

static void add_key(X509Contents *contents, EVP_PKEY *key) {
    if (!contents->key) {
        contents->key = key;
        return;
    }
    contents->several_keys |= EVP_PKEY_eq(contents->key, key) != 1;
    EVP_PKEY_free(key);
}

static bool add_object(X509Contents *contents, const VigieFileObject *object, GError **error) {
    const unsigned char *at = object->der;
    long size = (long)object->size;
    if (strcmp(object->kind, "certificate") == 0) {
        X509 *certificate = d2i_X509(NULL, &at, size);
        if (certificate &&
            (has_certificate(contents, certificate) || !sk_X509_push(contents->certificates, certificate)))
            X509_free(certificate);
        return certificate || refuse(error, VIGIE_ERROR_INVALID,
                                     "a certificate does not decode: vigie lint tells what is wrong with it");
    }
    if (strcmp(object->kind, "crl") == 0) {
        X509_CRL *crl = d2i_X509_CRL(NULL, &at, size);
        return (crl && sk_X509_CRL_push(contents->crls, crl)) ||
               refuse(error, VIGIE_ERROR_INVALID, "a revocation list does not decode");
    }
    if (strcmp(object->kind, "certificate-request") == 0) {
        X509_REQ *request = d2i_X509_REQ(NULL, &at, size);
        return (request && sk_X509_REQ_push(contents->requests, request)) ||
               refuse(error, VIGIE_ERROR_INVALID, "a certificate request does not decode");
    }
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, size);
    if (!key)
        return refuse(error, VIGIE_ERROR_INVALID, "a private key does not decode");
    add_key(contents, key);
    return true;
}

/* The certificate of the key, else the first that is no authority's, else the first. */
static int leaf_of(const X509Contents *contents) {
    int count = sk_X509_num(contents->certificates);
    for (int i = 0; contents->key && i < count; i++)
        if (X509_check_private_key(sk_X509_value(contents->certificates, i), contents->key) == 1)
            return i;
    for (int i = 0; i < count; i++)
        if (X509_check_ca(sk_X509_value(contents->certificates, i)) == 0)
            return i;
    return 0;
}

/* From the leaf each is followed by its issuer; what does not belong to that path keeps its order behind it. */
static void order_chain(X509Contents *contents) {
    STACK_OF(X509) *ordered = sk_X509_new_null();
    int next = sk_X509_num(contents->certificates) ? leaf_of(contents) : -1;
    while (next >= 0) {
        X509 *certificate = sk_X509_delete(contents->certificates, next);
        sk_X509_push(ordered, certificate);
        next = -1;
        for (int i = 0; i < sk_X509_num(contents->certificates); i++)
            if (X509_check_issued(sk_X509_value(contents->certificates, i), certificate) == X509_V_OK) {
                next = i;
                break;
            }
    }
    while (sk_X509_num(contents->certificates) > 0)
        sk_X509_push(ordered, sk_X509_shift(contents->certificates));
    sk_X509_free(contents->certificates);
    contents->certificates = ordered;
}

bool x509_contents_read(const GPtrArray *objects, X509Contents *contents, GError **error) {
    contents->certificates = sk_X509_new_null();
    contents->crls = sk_X509_CRL_new_null();
    contents->requests = sk_X509_REQ_new_null();
    for (guint i = 0; i < objects->len; i++)
        if (!add_object(contents, objects->pdata[i], error))
            return false;
    order_chain(contents);
    return true;
}

/* ---- Writers: each into `out`, false with the error ------------------------------------------------------ */

static bool write_key(const X509Contents *contents, const char *password, BIO *out, GError **error) {
    return PEM_write_bio_PKCS8PrivateKey(out, contents->key, password ? EVP_aes_256_cbc() : NULL, NULL, 0,
                                         NULL, (void *)password) == 1 ||
           refuse(error, VIGIE_ERROR_INTERNAL, "the private key could not be written");
}

static bool write_pem(const X509Contents *contents, const char *password, BIO *out, GError **error) {
    if (contents->key && !write_key(contents, password, out, error))
        return false;
    bool written = true;
    for (int i = 0; i < sk_X509_num(contents->certificates); i++)
        written = written && PEM_write_bio_X509(out, sk_X509_value(contents->certificates, i));
    for (int i = 0; i < sk_X509_CRL_num(contents->crls); i++)
        written = written && PEM_write_bio_X509_CRL(out, sk_X509_CRL_value(contents->crls, i));
    for (int i = 0; i < sk_X509_REQ_num(contents->requests); i++)
        written = written && PEM_write_bio_X509_REQ(out, sk_X509_REQ_value(contents->requests, i));
    return written || refuse(error, VIGIE_ERROR_INTERNAL, "the objects could not be written");
}

static bool write_der(const X509Contents *contents, const char *password, BIO *out, GError **error) {
    (void)password;
    int certificates = sk_X509_num(contents->certificates), crls = sk_X509_CRL_num(contents->crls),
        requests = sk_X509_REQ_num(contents->requests);
    if (certificates + crls + requests > 1)
        return refuse(
            error, VIGIE_ERROR_INVALID,
            "DER holds one object, and there are several: use --to pem or --to pkcs7, or give one file");
    return (certificates && i2d_X509_bio(out, sk_X509_value(contents->certificates, 0))) ||
           (crls && i2d_X509_CRL_bio(out, sk_X509_CRL_value(contents->crls, 0))) ||
           (requests && i2d_X509_REQ_bio(out, sk_X509_REQ_value(contents->requests, 0))) ||
           refuse(error, VIGIE_ERROR_INVALID, "there is no certificate, request or revocation list to write");
}

static bool write_pkcs7(const X509Contents *contents, const char *password, BIO *out, GError **error) {
    (void)password;
    PKCS7 *envelope = PKCS7_new();
    bool made = PKCS7_set_type(envelope, NID_pkcs7_signed) && PKCS7_content_new(envelope, NID_pkcs7_data) &&
                PKCS7_set_detached(envelope, 1) >= 0;
    for (int i = 0; made && i < sk_X509_num(contents->certificates); i++)
        made = PKCS7_add_certificate(envelope, sk_X509_value(contents->certificates, i));
    for (int i = 0; made && i < sk_X509_CRL_num(contents->crls); i++)
        made = PKCS7_add_crl(envelope, sk_X509_CRL_value(contents->crls, i));
    made = made && i2d_PKCS7_bio(out, envelope);
    PKCS7_free(envelope);
    return made || refuse(error, VIGIE_ERROR_INTERNAL, "the PKCS#7 could not be made");
}

static bool write_sealed(const X509Contents *contents, const char *password, int cipher, const EVP_MD *digest,
                         BIO *out, GError **error) {
    if (!password || !*password)
        return refuse(error, VIGIE_ERROR_INVALID,
                      "a PKCS#12 wants a password: --out-password-file FILE; at least 12 characters, by "
                      "another channel");
    X509 *leaf = contents->key ? sk_X509_shift(contents->certificates) : NULL;
    PKCS12 *pfx = PKCS12_create(password, NULL, contents->key, leaf, contents->certificates, cipher, cipher,
                                10000, -1, 0);
    if (leaf)
        sk_X509_unshift(contents->certificates, leaf);
    bool made = pfx && PKCS12_set_mac(pfx, password, -1, NULL, 0, 10000, digest) && i2d_PKCS12_bio(out, pfx);
    PKCS12_free(pfx);
    return made || refuse(error, VIGIE_ERROR_INVALID,
                          "the PKCS#12 could not be made; does the private key belong to the certificate?");
}

static bool write_pkcs12(const X509Contents *contents, const char *password, BIO *out, GError **error) {
    return write_sealed(contents, password, NID_aes_256_cbc, EVP_sha256(), out, error);
}

static bool write_pkcs12_old(const X509Contents *contents, const char *password, BIO *out, GError **error) {
    return write_sealed(contents, password, NID_pbe_WithSHA1And3_Key_TripleDES_CBC, EVP_sha1(), out, error);
}

static bool write_key_der(const X509Contents *contents, const char *password, BIO *out, GError **error) {
    (void)password;
    return i2d_PKCS8PrivateKeyInfo_bio(out, contents->key) ||
           refuse(error, VIGIE_ERROR_INTERNAL, "the private key could not be written");
}

static bool write_key_traditional(const X509Contents *contents, const char *password, BIO *out,
                                  GError **error) {
    (void)password;
    return PEM_write_bio_PrivateKey_traditional(out, contents->key, NULL, NULL, 0, NULL, NULL) ||
           refuse(error, VIGIE_ERROR_INVALID, "a key of this kind has no traditional form: use --to key");
}

static const struct {
    bool (*write)(const X509Contents *contents, const char *password, BIO *out, GError **error);
    enum { KEY_NEVER, KEY_IF_ASKED, KEY_ALONE } key;
} writers[X509_FILE_FORMATS] = {
    [X509_TO_PEM] = {write_pem, KEY_IF_ASKED},
    [X509_TO_DER] = {write_der, KEY_NEVER},
    [X509_TO_PKCS7] = {write_pkcs7, KEY_NEVER},
    [X509_TO_PKCS12] = {write_pkcs12, KEY_IF_ASKED},
    [X509_TO_PKCS12_OLD] = {write_pkcs12_old, KEY_IF_ASKED},
    [X509_TO_KEY] = {write_key, KEY_ALONE},
    [X509_TO_KEY_DER] = {write_key_der, KEY_ALONE},
    [X509_TO_KEY_TRADITIONAL] = {write_key_traditional, KEY_ALONE},
};

/* Leaves in `contents` what may be written. */
static bool allow(X509Contents *contents, VigieFileFormat format, bool private_key, GError **error) {
    int others = sk_X509_num(contents->certificates) + sk_X509_CRL_num(contents->crls) +
                 sk_X509_REQ_num(contents->requests);
    if (writers[format].key == KEY_ALONE && !private_key)
        return refuse(error, VIGIE_ERROR_DENIED, "this format is a private key: say so with --private-key");
    if (private_key && writers[format].key == KEY_NEVER)
        return refuse(error, VIGIE_ERROR_INVALID,
                      "this format holds no private key: leave --private-key out");
    if (private_key && !contents->key)
        return refuse(error, VIGIE_ERROR_INVALID,
                      "there is no private key in what was given, or its password is not the right one "
                      "(--password-file)");
    if (private_key && contents->several_keys)
        return refuse(error, VIGIE_ERROR_INVALID,
                      "there are two different private keys: give one of them alone (keytool -importkeystore "
                      "-srcalias takes one out of a key store)");
    if (private_key && sk_X509_num(contents->certificates) &&
        X509_check_private_key(sk_X509_value(contents->certificates, 0), contents->key) != 1)
        return refuse(error, VIGIE_ERROR_INVALID, "the private key belongs to none of the certificates");
    if (!private_key && others == 0)
        return refuse(error, VIGIE_ERROR_INVALID,
                      contents->key
                          ? "there is only a private key, which is not written without --private-key"
                          : "there is nothing to convert: vigie identify tells what was given");
    bool certificates = format == X509_TO_PKCS7 || format == X509_TO_PKCS12 || format == X509_TO_PKCS12_OLD;
    if (certificates && sk_X509_num(contents->certificates) == 0 && sk_X509_CRL_num(contents->crls) == 0)
        return refuse(error, VIGIE_ERROR_INVALID,
                      "there is no certificate in what was given; vigie identify tells what it is");
    if (!private_key)
        g_clear_pointer(&contents->key, EVP_PKEY_free);
    return true;
}

uint8_t *x509_file_write(const GPtrArray *objects, VigieFileFormat format, bool private_key,
                         const char *password, size_t *ret_size, GError **error) {
    g_auto(X509Contents) contents = {0};
    if (!x509_contents_read(objects, &contents, error) || !allow(&contents, format, private_key, error))
        return NULL;
    BIO *out = BIO_new(BIO_s_secmem());
    uint8_t *file = NULL;
    if (writers[format].write(&contents, password, out, error)) {
        char *data = NULL;
        long size = BIO_get_mem_data(out, &data);
        file = g_memdup2(data, (size_t)size);
        *ret_size = (size_t)size;
    }
    BIO_free(out);
    return file;
}
