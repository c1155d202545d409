/* token: private keys in PKCS#11 tokens (v2.40): HSMs, smart cards, USB keys. A key is made there and never leaves; what is
 * to be signed goes in, a signature comes out. A URI (RFC 7512) names token and key:
 *     pkcs11:token=CA;object=racine?module-path=/usr/lib/softhsm/libsofthsm2.so
 * token=, serial=, manufacturer=, model=, slot-id= tell the token; object= and id= the key. What a token answers is
 * believed as far as its length: it is our own hardware. One thread at a time. */
#pragma once

#include "x509/x509.h"

typedef struct {
    const char *uri;
    const char *pin;
    bool write; /* something is to be stored there */
} VigieTokenAccess;

/* Is it such a URI, by its beginning? */
bool token_uri_is(const char *text);
/* The same token's URI for another key, or the text itself where it is none. Free with g_free. */
char *token_uri_beside(const char *uri, const char *object);

/* A key in a token that is open and logged in to. */
typedef struct VigieTokenKey VigieTokenKey;
/* A key that wants its PIN for each signature, as those of qualified cards do, keeps it until it is closed.
 * NOT_FOUND: no such token, or no such key; CONFLICT: several are called so; DENIED: the PIN is wrong or locked, or
 * the token lets nothing be stored; INVALID: the URI, or a key of a kind that we do not use; UNAVAILABLE. */
VigieTokenKey *token_key_open(const VigieTokenAccess *access, GError **error);
/* Makes one: sensitive, never extractable. object= is wanted; id= where it is given. CONFLICT where one is there. */
VigieTokenKey *token_key_make(const VigieTokenAccess *access, const VigieKeyKind *kind, GError **error);
void token_key_close(VigieTokenKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieTokenKey, token_key_close)

const VigieKeyKind *token_key_kind(const VigieTokenKey *key);
/* Its public half, SubjectPublicKeyInfo in DER. Borrowed. */
VigieBytes token_key_spki(const VigieTokenKey *key);
/* Appends the signature as it goes into the BIT STRING of whatever is signed. */
bool token_key_sign(VigieTokenKey *key, VigieBytes octets, GByteArray *out, GError **error);

/* Stores that certificate of `objects` (VigieFileObject) which is the key's beside it, instead of an older one. INVALID
 * where none of them is. The key must have been opened to write. */
bool token_key_keep(VigieTokenKey *key, const GPtrArray *objects, GError **error);
