/* Certificates made by libcrypto at test time, as an authority would make them: what a test wants wrong, it says. */
#pragma once

#include "x509/x509.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

/* 2026-11-21T20:15:10Z */
#define NOW ((VigieTime)1795292110)
#define DAY ((VigieTime)86400)

typedef struct {
    X509 *certificate;
    EVP_PKEY *key;
} Issued;

typedef struct {
    const char *name;         /* CN */
    const char *organisation; /* O, or NULL */
    const Issued *issuer;     /* NULL: itself */
    const Issued *same_key;   /* as this one: a cross-certificate; NULL: a new key */
    int64_t from, until;      /* days from NOW; 0, 0: -10 to 365 */
    unsigned rsa;             /* bits; 0: P-256 */
    bool sha1, authority;
    const char *extensions[6]; /* pairs: name, value as in openssl.cnf ("subjectAltName", "DNS:a") */
} Wish;

static inline void issue_name(X509_NAME *name, const char *type, const char *text) {
    if (text)
        g_assert_cmpint(
            X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0), ==,
            1);
}

static inline void issue_extension(X509 *certificate, const Issued *issuer, const char *name,
                                   const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer ? issuer->certificate : certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_nconf(NULL, &context, name, value);
    g_assert_nonnull(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static inline EVP_PKEY *issue_key(const Wish *wish) {
    if (wish->same_key) {
        EVP_PKEY_up_ref(wish->same_key->key);
        return wish->same_key->key;
    }
    return wish->rsa ? EVP_RSA_gen(wish->rsa) : EVP_EC_gen("P-256");
}

static inline Issued issue(Wish wish) {
    static long serial = 1000;
    Issued made = {.certificate = X509_new(), .key = issue_key(&wish)};
    const Issued *issuer = wish.issuer ? wish.issuer : &made;
    int64_t until = wish.until == 0 && wish.from == 0 ? 365 : wish.until;
    int64_t from = wish.until == 0 && wish.from == 0 ? -10 : wish.from;
    X509_set_version(made.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
    ASN1_TIME_set(X509_getm_notBefore(made.certificate), NOW + from * DAY);
    ASN1_TIME_set(X509_getm_notAfter(made.certificate), NOW + until * DAY);
    issue_name(X509_get_subject_name(made.certificate), "O", wish.organisation);
    issue_name(X509_get_subject_name(made.certificate), "CN", wish.name);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(issuer->certificate));
    X509_set_pubkey(made.certificate, made.key);
    issue_extension(made.certificate, NULL, "subjectKeyIdentifier", "hash");
    if (wish.issuer)
        issue_extension(made.certificate, issuer, "authorityKeyIdentifier", "keyid");
    if (wish.authority &&
        !g_strv_contains((const char *const[]){wish.extensions[0], NULL}, "basicConstraints"))
        issue_extension(made.certificate, issuer, "basicConstraints", "critical,CA:TRUE");
    for (size_t i = 0; i + 1 < G_N_ELEMENTS(wish.extensions) && wish.extensions[i]; i += 2)
        issue_extension(made.certificate, issuer, wish.extensions[i], wish.extensions[i + 1]);
    g_assert_cmpint(X509_sign(made.certificate, issuer->key, wish.sha1 ? EVP_sha1() : EVP_sha256()), >, 0);
    return made;
}

static inline void issued_clear(Issued *issued) {
    X509_free(issued->certificate);
    EVP_PKEY_free(issued->key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Issued, issued_clear)

/* The chain of these, as served; the list ends with NULL. */
static inline VigieChain *served(VigieChainCache *cache, const Issued *const *list) {
    VigieBytes der[32];
    unsigned char *bytes[32] = {NULL};
    size_t count = 0;
    for (; list[count]; count++) {
        int size = i2d_X509(list[count]->certificate, &bytes[count]);
        der[count] = vigie_bytes(bytes[count], (size_t)size);
    }
    g_autoptr(GError) error = NULL;
    VigieChain *chain = x509_chain_cache_get(cache, der, count, &error);
    g_assert_no_error(error);
    for (size_t i = 0; i < count; i++)
        OPENSSL_free(bytes[i]);
    return chain;
}
#define SERVED(cache, ...) served(cache, (const Issued *const[]){__VA_ARGS__, NULL})

static inline void add_root(VigieRoots *roots, const Issued *root, const char *label) {
    g_autofree char *path = NULL;
    int file = g_file_open_tmp("vigie-root-XXXXXX", &path, NULL);
    g_assert_cmpint(file, >=, 0);
    FILE *out = fdopen(file, "w");
    PEM_write_X509(out, root->certificate);
    fclose(out);
    size_t count = 0;
    g_autoptr(GError) error = NULL;
    g_assert_true(x509_roots_add_file(roots, path, label, &count, &error));
    g_assert_cmpuint(count, ==, 1);
    remove(path);
}
