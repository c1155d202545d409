/* vouch.c: an authority's certificate signed, whoever's authority that is. */
#include "pki/vouch.h"
#include "pki/build.h"
#include "x509/der-write.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_REQ, X509_REQ_free)

enum { USE_CERTIFICATES_AND_LISTS = 0x0600, SECURITY_BITS = 112 };

static void put_extensions(GByteArray *out, const Vouched *vouched, const VigieAuthority *issuer) {
    extension_put_basic_constraints(out, true, vouched->path_length);
    extension_put_key_usage(out, USE_CERTIFICATES_AND_LISTS);
    extension_put_subject_key(out, vouched->key_id);
    extension_put_constraints(out, vouched->permitted, vouched->excluded);
    if (!issuer)
        return;
    extension_put_authority_key(out, issuer->key_id);
    extension_put_policies(out, vouched->policies);
    extension_put_mappings(out, vouched->mappings);
    extension_put_points(out, "2.5.29.31", (const char *const *)issuer->points[0].crl);
    extension_put_points(out, "2.5.29.46", (const char *const *)issuer->points[0].delta);
    extension_put_access(out, (const char *const *)issuer->ocsp_urls,
                         (const char *const *)issuer->issuer_urls);
}

VigieCertificate *vouch_sign(const Vouched *vouched, Signer *signer, const VigieAuthority *issuer,
                             GError **error) {
    static const char *const waived[] = {"rfc5280.unknown-critical", NULL};
    g_autoptr(GByteArray) extensions = g_byte_array_new(), tbs = g_byte_array_new(), der = g_byte_array_new();
    uint8_t serial[SERIAL_OCTETS];
    Signer *by = issuer ? issuer->signer : signer;
    if (!build_serial(serial, vouched->now, error))
        return NULL;
    const CertificateParts parts = {.serial = serial,
                                    .issuer = issuer ? issuer->subject : vouched->subject,
                                    .subject = vouched->subject,
                                    .spki = vouched->spki,
                                    .not_before = vouched->not_before,
                                    .not_after = vouched->not_after,
                                    .extensions = extensions};
    put_extensions(extensions, vouched, issuer);
    build_tbs(tbs, &parts, by->algorithm);
    if (!build_check(der_bytes(tbs), by->algorithm, waived, vouched->what, error) ||
        !build_sign(der, der_bytes(tbs), by, error))
        return NULL;
    return x509_certificate_new(der_bytes(der), error);
}

/* ---- Others ------------------------------------------------------------------------------------------------- */
void stranger_clear(Stranger *stranger) {
    GByteArray *const parts[] = {stranger->subject, stranger->spki, stranger->key_id};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        if (parts[i])
            g_byte_array_unref(parts[i]);
    *stranger = (Stranger){0};
}

static GByteArray *copied(const void *data, int size) {
    return g_byte_array_append(g_byte_array_new(), data, (guint)MAX(0, size));
}

/* As it writes it, else as most do: RFC 5280 4.2.1.2 (1). */
static GByteArray *key_id_of(const ASN1_OCTET_STRING *written, X509_PUBKEY *key) {
    const unsigned char *bits = NULL;
    unsigned char digest[SHA_DIGEST_LENGTH];
    int size = 0;
    if (written)
        return copied(ASN1_STRING_get0_data(written), ASN1_STRING_length(written));
    X509_PUBKEY_get0_param(NULL, &bits, &size, NULL, key);
    SHA1(bits, (size_t)MAX(0, size), digest);
    return copied(digest, sizeof digest);
}

static const char *take(Stranger *stranger, const X509_NAME *name, X509_PUBKEY *key,
                        const ASN1_OCTET_STRING *key_id) {
    unsigned char *subject = NULL, *spki = NULL;
    int subject_size = i2d_X509_NAME(name, &subject), spki_size = i2d_X509_PUBKEY(key, &spki);
    EVP_PKEY *public = X509_PUBKEY_get0(key);
    const char *fault = !public || spki_size <= 0 ? "its key cannot be read"
                        : EVP_PKEY_get_security_bits(public) < SECURITY_BITS
                            ? "its key is weak: RSA of 2048 bits or P-256 at least is wanted"
                        : subject_size <= 2 ? "it has no name"
                                            : NULL;
    stranger->subject = copied(subject, subject_size);
    stranger->spki = copied(spki, spki_size);
    stranger->key_id = key_id_of(key_id, key);
    OPENSSL_free(subject);
    OPENSSL_free(spki);
    return fault;
}

static const char *take_certificate(Stranger *stranger, const VigieFileObject *object) {
    const unsigned char *at = object->der;
    g_autoptr(X509) certificate = d2i_X509(NULL, &at, (long)object->size);
    if (!certificate)
        return "the certificate cannot be read";
    if (X509_check_ca(certificate) != 1)
        return "this is no authority's certificate (RFC 5280 4.2.1.9)";
    if (X509_check_issued(certificate, certificate) == X509_V_OK &&
        X509_verify(certificate, X509_get0_pubkey(certificate)) != 1)
        return "its own signature does not hold";
    return take(stranger, X509_get_subject_name(certificate), X509_get_X509_PUBKEY(certificate),
                X509_get0_subject_key_id(certificate));
}

static const char *take_request(Stranger *stranger, const VigieFileObject *object) {
    const unsigned char *at = object->der;
    g_autoptr(X509_REQ) request = d2i_X509_REQ(NULL, &at, (long)object->size);
    if (!request || X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) != 1)
        return "the request cannot be read, or is not signed with its key";
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    ASN1_OCTET_STRING *key_id = X509V3_get_d2i(extensions, NID_subject_key_identifier, NULL, NULL);
    const char *fault =
        take(stranger, X509_REQ_get_subject_name(request), X509_REQ_get_X509_PUBKEY(request), key_id);
    ASN1_OCTET_STRING_free(key_id);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return fault;
}

static const char *take_file(Stranger *stranger, const GPtrArray *objects) {
    const VigieFileObject *found = NULL;
    for (guint i = 0; i < objects->len; i++) {
        const VigieFileObject *one = objects->pdata[i];
        if (strcmp(one->kind, "certificate") != 0 && strcmp(one->kind, "certificate-request") != 0)
            continue;
        if (found)
            return "it holds several certificates or requests: the one that is meant is wanted alone";
        found = one;
    }
    if (!found)
        return "neither a certificate nor a request is in it: vigie identify tells what it is";
    return (strcmp(found->kind, "certificate") == 0 ? take_certificate : take_request)(stranger, found);
}

bool stranger_read(const char *path, Stranger *ret_stranger, GError **error) {
    g_autofree char *text = NULL;
    gsize size = 0;
    g_auto(Stranger) stranger = {0};
    g_autoptr(GError) why = NULL;
    const char *fault = NULL;
    if (!g_file_get_contents(path, &text, &size, &why)) {
        fault = why->message;
    } else if (size > X509_FILE_MAX) {
        fault = "larger than 16 MiB";
    } else {
        g_autoptr(GPtrArray) objects = x509_file_objects(vigie_bytes(text, size), NULL);
        fault = take_file(&stranger, objects);
    }
    ERR_clear_error();
    if (fault) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: %s", path, fault);
        return false;
    }
    *ret_stranger = stranger;
    stranger = (Stranger){0};
    return true;
}
