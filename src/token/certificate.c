/* certificate.c: a certificate beside its key, as programs that use the token look for it: with the key's id and name. */
#include "token/key.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

enum { OLDER_MAX = 16, CERTIFICATE_MAX = 64 * 1024 };

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

static VigieBytes encoded(int size, const unsigned char *der) {
    return vigie_bytes(der, size > 0 ? (size_t)size : 0);
}

/* The key's certificate among the objects; NULL where there is none. */
static X509 *find_certificate(const VigieTokenKey *key, const GPtrArray *objects) {
    for (guint i = 0; i < objects->len; i++) {
        const VigieFileObject *object = objects->pdata[i];
        const unsigned char *at = object->der;
        if (strcmp(object->kind, "certificate") != 0 || object->size > CERTIFICATE_MAX)
            continue;
        g_autoptr(X509) certificate = d2i_X509(NULL, &at, (long)object->size);
        unsigned char *der = NULL;
        int size = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der) : 0;
        bool same = vigie_bytes_equal(encoded(size, der), token_key_spki(key));
        OPENSSL_free(der);
        if (same)
            return g_steal_pointer(&certificate);
    }
    ERR_clear_error();
    return NULL;
}

static bool create(const VigieTokenKey *key, const KeyMatch *match, X509 *certificate, GError **error) {
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_CERTIFICATE_TYPE type = CKC_X_509;
    CK_OBJECT_HANDLE created = 0;
    unsigned char *value = NULL, *subject = NULL, *issuer = NULL, *serial = NULL;
    int value_size = i2d_X509(certificate, &value),
        subject_size = i2d_X509_NAME(X509_get_subject_name(certificate), &subject),
        issuer_size = i2d_X509_NAME(X509_get_issuer_name(certificate), &issuer),
        serial_size = i2d_ASN1_INTEGER(X509_get_serialNumber(certificate), &serial);
    CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &class, sizeof class},
                                 {CKA_CERTIFICATE_TYPE, &type, sizeof type},
                                 {CKA_TOKEN, &yes, sizeof yes},
                                 {CKA_PRIVATE, &no, sizeof no},
                                 {CKA_LABEL, (void *)(uintptr_t)match->label.data, match->label.size},
                                 {CKA_ID, (void *)(uintptr_t)match->id.data, match->id.size},
                                 {CKA_SUBJECT, subject, encoded(subject_size, subject).size},
                                 {CKA_ISSUER, issuer, encoded(issuer_size, issuer).size},
                                 {CKA_SERIAL_NUMBER, serial, encoded(serial_size, serial).size},
                                 {CKA_VALUE, value, encoded(value_size, value).size}};
    CK_RV code = key->session.module->C_CreateObject(key->session.handle, attributes,
                                                     G_N_ELEMENTS(attributes), &created);
    OPENSSL_free(value);
    OPENSSL_free(subject);
    OPENSSL_free(issuer);
    OPENSSL_free(serial);
    return code == CKR_OK || p11_fail(&key->session, "C_CreateObject", code, error);
}

/* The new one first: where it does not fit, the older ones are still there. */
bool token_key_keep(VigieTokenKey *key, const GPtrArray *objects, GError **error) {
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_OBJECT_HANDLE older[OLDER_MAX];
    KeyMatch match;
    size_t count = 0;
    g_autoptr(X509) certificate = find_certificate(key, objects);
    if (!certificate)
        return p11_refuse(&key->session, VIGIE_ERROR_INVALID, "no-certificate", error);
    if (p11_match(key, &class, &match) &&
        !p11_find(&key->session, match.wanted, G_N_ELEMENTS(match.wanted), older, OLDER_MAX, &count, error))
        return false;
    if (!create(key, &match, certificate, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        CK_RV code = key->session.module->C_DestroyObject(key->session.handle, older[i]);
        if (code != CKR_OK)
            return p11_fail(&key->session, "C_DestroyObject", code, error);
    }
    return true;
}
