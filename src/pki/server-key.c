/* server-key.c: keys that we make for clients that cannot (RFC 7030 4.4). They are in this process's memory, and nowhere else. */
#include "pki/csr.h"
#include "pki/enrol.h"
#include "pki/profile.h"
#include "pki/request.h"
#include "x509/der-write.h"
#include "x509/x509.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CMS_ContentInfo, CMS_ContentInfo_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free_all)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_REQ, X509_REQ_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ASN1_OBJECT, ASN1_OBJECT_free)

enum { WAIT_MS = 5000, IDENTIFIER_MAX = 64 };

static bool refuse(GError **error, VigieErrorCode code, const char *why) {
    ERR_clear_error();
    g_set_error(error, VIGIE_ERROR, (gint)code, "serverkeygen: %s", why);
    return false;
}

/* ---- Making --------------------------------------------------------------------------------------------------------- */
/* As the CSR's own key is; the nearest that we make. */
static VigieNewKey kind_of(const Csr *csr) {
    if (csr->curve)
        return strcmp(csr->curve, "P-256") == 0 ? X509_KEY_P256 : X509_KEY_P384;
    return csr->rsa_bits > 2048 ? X509_KEY_RSA_3072 : X509_KEY_RSA_2048;
}

static GPtrArray *make(const Csr *csr, GError **error) {
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; i < csr->names->len; i++) {
        const char *name = csr->names->pdata[i];
        if (g_str_has_prefix(name, "email:")) {
            refuse(error, VIGIE_ERROR_INVALID, "a key for a mail address is its owner's to make");
            return NULL;
        }
        g_ptr_array_add(names, strchr(name, ':') + 1);
    }
    g_ptr_array_add(names, NULL);
    const VigieRequest wanted = {.key = kind_of(csr),
                                 .common_name = names->pdata[0] ? NULL : "serverkeygen",
                                 .names = (const char *const *)names->pdata};
    return x509_request_new(&wanted, NULL, error);
}

static VigieBytes request_of(const GPtrArray *made) {
    for (guint i = 0; i < made->len; i++) {
        const VigieFileObject *object = made->pdata[i];
        if (strcmp(object->kind, "certificate-request") == 0)
            return vigie_bytes(object->der, object->size);
    }
    return (VigieBytes){0};
}

/* ---- Asking --------------------------------------------------------------------------------------------------------- */
/* What was issued meanwhile stays so. */
static bool withdraw(VigieStore *store, const VigiePkiRequest *request, int64_t id, VigieTime now,
                     GError **error) {
    Journal journal;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && journal_begin(&journal, store, request->requester, now, error) &&
           request_refuse(&journal, id, "its key was made here, and nobody decided while the client waited",
                          error) &&
           journal_end(&journal, NULL, 0, error) && store_commit(&tx, error);
}

static GByteArray *ask(VigieStore *store, const VigieProfiles *profiles, const VigiePkiRequest *request,
                       VigieTime now, GError **error) {
    int64_t id = 0;
    VigiePkiState state = VIGIE_REQUEST_WAITING;
    if (!pki_request_add(store, profiles, request, now, &id, NULL, error) ||
        !pki_request_wait(store, id, WAIT_MS, &state, error))
        return NULL;
    if (state == VIGIE_REQUEST_ISSUED || state == VIGIE_REQUEST_REFUSED)
        return pki_request_certificate(store, id, error);
    if (!withdraw(store, request, id, now, error) || !pki_request_wait(store, id, 0, &state, error))
        return NULL;
    if (state == VIGIE_REQUEST_ISSUED)
        return pki_request_certificate(store, id, error);
    refuse(error, VIGIE_ERROR_UNAVAILABLE, "the authority does not answer now: try again later");
    return NULL;
}

bool pki_server_key_ask(VigieStore *store, const VigieProfiles *profiles, const char *profile_name,
                        const VigiePkiRequest *request, VigieTime now, GByteArray **ret_key,
                        GByteArray **ret_certificate, GError **error) {
    const Profile *profile = profile_find(profiles, profile_name);
    VigiePkiRequest own = *request;
    size_t size = 0;
    if (!profile || !profile->server_key)
        return refuse(error, VIGIE_ERROR_DENIED, "this profile's keys are their owners' to make");
    g_autoptr(Csr) csr = csr_parse(request->csr, error);
    g_autoptr(GPtrArray) made = csr ? make(csr, error) : NULL;
    uint8_t *key = made ? x509_file_write(made, X509_TO_KEY_DER, true, NULL, &size, error) : NULL;
    if (!key)
        return false;
    own.csr = request_of(made);
    own.again = VIGIE_AGAIN_NEW;
    *ret_certificate = ask(store, profiles, &own, now, error);
    if (*ret_certificate)
        *ret_key = g_byte_array_append(g_byte_array_sized_new((guint)size), key, (guint)size);
    OPENSSL_cleanse(key, size);
    g_free(key);
    return *ret_certificate != NULL;
}

/* ---- Sealing -------------------------------------------------------------------------------------------------------- */
/* An attribute whose value is an OCTET STRING; NULL: none. */
static const ASN1_OCTET_STRING *attribute(const X509_REQ *request, const char *oid) {
    g_autoptr(ASN1_OBJECT) object = OBJ_txt2obj(oid, 1);
    int place = X509_REQ_get_attr_by_OBJ(request, object, -1);
    X509_ATTRIBUTE *found = place >= 0 ? X509_REQ_get_attr(request, place) : NULL;
    const ASN1_TYPE *value = found ? X509_ATTRIBUTE_get0_type(found, 0) : NULL;
    return value && value->type == V_ASN1_OCTET_STRING ? value->value.octet_string : NULL;
}

/* id-aa-decryptKeyID and id-aa-asymmDecryptKeyID (RFC 4108 2.2.5, RFC 7030 4.4.1.2). */
VigieKeySeal pki_seal_wanted(VigieBytes csr, GByteArray **ret_identifier) {
    const unsigned char *at = csr.data;
    g_autoptr(X509_REQ) request = d2i_X509_REQ(NULL, &at, (long)csr.size);
    const ASN1_OCTET_STRING *key = request ? attribute(request, "1.2.840.113549.1.9.16.2.54") : NULL;
    ERR_clear_error();
    if (key && ASN1_STRING_length(key) <= IDENTIFIER_MAX)
        *ret_identifier = g_byte_array_append(g_byte_array_new(), ASN1_STRING_get0_data(key),
                                              (guint)ASN1_STRING_length(key));
    if (key)
        return VIGIE_SEAL_CERTIFICATE;
    return request && attribute(request, "1.2.840.113549.1.9.16.2.37") ? VIGIE_SEAL_SECRET : VIGIE_SEAL_NONE;
}

bool pki_seal_check(VigieBytes certificate, const GByteArray *identifier, GError **error) {
    const unsigned char *at = certificate.data;
    g_autoptr(X509) recipient = d2i_X509(NULL, &at, (long)certificate.size);
    const ASN1_OCTET_STRING *own = recipient ? X509_get0_subject_key_id(recipient) : NULL;
    if (!own || !identifier || (guint)ASN1_STRING_length(own) != identifier->len ||
        memcmp(ASN1_STRING_get0_data(own), identifier->data, identifier->len) != 0)
        return refuse(
            error, VIGIE_ERROR_INVALID,
            "RFC 7030 4.4.1.2: the key to encrypt to is not that of the certificate shown over TLS");
    return (EVP_PKEY_is_a(X509_get0_pubkey(recipient), "RSA") &&
            (X509_get_key_usage(recipient) & KU_KEY_ENCIPHERMENT)) ||
           refuse(error, VIGIE_ERROR_INVALID,
                  "RFC 7030 4.4.1.2: the certificate shown over TLS has no key that may decrypt");
}

/* AsymmetricKeyPackage (RFC 5958 2): one key. Wiped by the caller. */
static GByteArray *package(const GByteArray *key) {
    GByteArray *out = g_byte_array_sized_new(key->len + 8);
    der_put(out, DER_SEQUENCE, key->data, key->len);
    return out;
}

static BIO *sign_package(const VigieRegistrar *registrar, const GByteArray *content) {
    unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP;
    g_autoptr(BIO) in = BIO_new_mem_buf(content->data, (int)content->len);
    g_autoptr(BIO) out = BIO_new(BIO_s_mem());
    g_autoptr(CMS_ContentInfo) cms = CMS_sign(NULL, NULL, NULL, in, flags);
    g_autoptr(ASN1_OBJECT) type = OBJ_txt2obj("2.16.840.1.101.2.1.2.78.5", 1); /* id-ct-KP-aKeyPackage */
    bool well = cms && CMS_set1_eContentType(cms, type) == 1 &&
                CMS_add1_signer(cms, registrar->certificate, registrar->key, EVP_sha256(), flags) &&
                CMS_final(cms, in, NULL, CMS_BINARY) == 1 && i2d_CMS_bio(out, cms) == 1;
    return well ? g_steal_pointer(&out) : NULL;
}

static GByteArray *envelop(BIO *in, X509 *certificate) {
    g_autoptr(BIO) out = BIO_new(BIO_s_mem());
    STACK_OF(X509) *recipients = sk_X509_new_null();
    g_autoptr(CMS_ContentInfo) cms = NULL;
    if (recipients && sk_X509_push(recipients, certificate))
        cms = CMS_encrypt(recipients, in, EVP_aes_256_cbc(), CMS_BINARY | CMS_PARTIAL);
    sk_X509_free(recipients);
    if (!cms || CMS_set1_eContentType(cms, OBJ_nid2obj(NID_pkcs7_signed)) != 1 ||
        CMS_final(cms, in, NULL, CMS_BINARY) != 1 || i2d_CMS_bio(out, cms) != 1)
        return NULL;
    char *data = NULL;
    long size = BIO_get_mem_data(out, &data);
    return g_byte_array_append(g_byte_array_new(), (const guint8 *)data, (guint)size);
}

GByteArray *pki_seal_key(const VigieRegistrar *registrar, const GByteArray *key, VigieBytes certificate,
                         GError **error) {
    const unsigned char *at = certificate.data;
    g_autoptr(X509) recipient = d2i_X509(NULL, &at, (long)certificate.size);
    g_autoptr(GByteArray) content = package(key);
    g_autoptr(BIO) inner = sign_package(registrar, content);
    GByteArray *sealed = inner && recipient ? envelop(inner, recipient) : NULL;
    OPENSSL_cleanse(content->data, content->len);
    if (!sealed)
        refuse(error, VIGIE_ERROR_INTERNAL, "the key could not be sealed");
    return sealed;
}
