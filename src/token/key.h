/* key: a key in an open session. Private to token/. */
#pragma once

#include "token/session.h"

struct VigieTokenKey {
    Session session;
    CK_OBJECT_HANDLE private;
    char *pin; /* of a key that wants it for each signature (CKA_ALWAYS_AUTHENTICATE); else NULL */
    const VigieKeyKind *kind;
    GByteArray *spki;
};

/* What stands beside a private key in its token: objects of a class with the same id, or name where it has no id. */
typedef struct {
    CK_ATTRIBUTE wanted[2];
    VigieBytes id, label; /* of the private key */
    uint8_t id_octets[256], label_octets[256];
} KeyMatch;
/* False where the key has neither. `class` and `match` must outlive what is looked for. */
bool p11_match(const VigieTokenKey *key, CK_OBJECT_CLASS *class, KeyMatch *match);
