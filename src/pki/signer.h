/* signer: whatever holds a private key of an authority. Today an encrypted PKCS#8 file; a token stands behind the same
 * functions. One thread at a time. */
#pragma once

#include "base/base.h"

typedef struct {
    /* Appends the signature of `data` as it goes into the BIT STRING. */
    bool (*sign)(void *key, VigieBytes data, GByteArray *out, GError **error);
    void (*free)(void *key);
} SignerKind;

typedef struct {
    const SignerKind *kind;
    void *key;
    VigieBytes algorithm; /* AlgorithmIdentifier of its signatures, DER, static */
    GByteArray *spki;     /* SubjectPublicKeyInfo, DER */
    uint8_t key_id[20];   /* of subjectKeyIdentifier: RFC 7093 method 1 */
} Signer;

void signer_free(Signer *signer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Signer, signer_free)
bool signer_sign(Signer *signer, VigieBytes data, GByteArray *out, GError **error);

/* Is this a key that we make: "P-256" "P-384" "RSA-3072" "RSA-4096"? */
bool signer_key_known(const char *type);
extern const char signer_key_types[]; /* them all, for messages */
/* Makes a key, writes it to `path`, which must not exist, mode 0600, PKCS#8 sealed with scrypt and AES-256, durable. */
Signer *signer_file_make(const char *path, const char *type, const char *passphrase, GError **error);
/* DENIED where the passphrase does not open it. */
Signer *signer_file_open(const char *path, const char *passphrase, GError **error);

/* The identifier of a key from its SubjectPublicKeyInfo: the first 160 bits of SHA-256 over the key's bits. */
bool signer_key_id(VigieBytes spki, uint8_t ret_id[20]);
