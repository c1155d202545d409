/* signer: whatever holds a private key of an authority, behind the same functions: an encrypted PKCS#8 file, named by its
 * path, or a PKCS#11 token (an HSM, a card), named by its URI (RFC 7512):
 *     pkcs11:token=CA;object=racine?module-path=/usr/lib/softhsm/libsofthsm2.so
 * The passphrase opens the one, and is the PIN of the other. One thread at a time. */
#pragma once

#include "x509/x509.h"

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

/* An authority's kinds of keys: "P-256" "P-384" "RSA-3072" "RSA-4096"; NULL where it is none of them. */
const VigieKeyKind *signer_kind(const char *name);
extern const char signer_key_types[]; /* them all, for messages */

/* Does a token hold it? */
bool signer_in_token(const char *where);
/* Makes a key of `type` at `where`. A file must not exist; in a token, a key of that name and type is taken as it is. */
Signer *signer_make(const char *where, const char *type, const char *passphrase, GError **error);
/* DENIED where the passphrase does not open it. */
Signer *signer_open(const char *where, const char *passphrase, GError **error);
/* A key in a file is made at signer_new_path(where), free with g_free, and comes to its place by signer_settle, once the store
 * knows of it; what a ceremony that was killed left there before is taken away by signer_clear. Nothing to do in a token. */
char *signer_new_path(const char *where);
bool signer_settle(const char *where, GError **error);
/* CONFLICT where a key stands at `where` already. */
bool signer_clear(const char *where, GError **error);
/* Where a second key, `name`, stands beside the one at `where`. Free with g_free. */
char *signer_beside(const char *where, const char *name);

/* signer-token.c */
Signer *signer_token_make(const char *uri, const char *type, const char *pin, GError **error);
Signer *signer_token_open(const char *uri, const char *pin, GError **error);

/* Makes a key, writes it to `path`, which must not exist, mode 0600, PKCS#8 sealed with scrypt and AES-256, durable.
 * A passphrase of fewer than 12 characters is refused. */
Signer *signer_file_make(const char *path, const char *type, const char *passphrase, GError **error);
/* DENIED where the passphrase does not open it. */
Signer *signer_file_open(const char *path, const char *passphrase, GError **error);

/* The identifier of a key from its SubjectPublicKeyInfo: the first 160 bits of SHA-256 over the key's bits. */
bool signer_key_id(VigieBytes spki, uint8_t ret_id[20]);
