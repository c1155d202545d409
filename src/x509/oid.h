/* oid: the object identifiers that certificates are made of, and what they are called. */
#pragma once

#include "base/bytes.h"

typedef enum {
    OID_SIGNATURE,
    OID_CURVE,
    OID_ATTRIBUTE,
    OID_KEY,
    OID_DIGEST,
    OID_EXTENSION,
    OID_PURPOSE
} OidKind;

/* Of what an OID stands for; which fields are used depends on the kind. */
typedef struct {
    OidKind kind;
    uint8_t size, der[11];
    const char *name;
    bool weak; /* signatures and digests: MD2, MD4, MD5, SHA-1 */
    uint16_t
        value; /* curves: bits; keys: VigieKeyType; extensions: OidExtension; purposes: whether for servers */
} Oid;

typedef enum { EXTENSION_ALTERNATIVE_NAME = 1, EXTENSION_BASIC_CONSTRAINTS, EXTENSION_PURPOSES } OidExtension;

/* NULL where it is not known. */
const Oid *oid_find(OidKind kind, VigieBytes oid);
