/* cmp-look: who speaks in a PKIMessage (RFC 9810 5.1), before the message is let at libcrypto. Borrowed views. */
#pragma once

#include "base/bytes.h"

typedef struct {
    VigieBytes transaction, kid, nonce; /* the sender's */
    VigieBytes certificate;             /* the first of extraCerts: that of the protection (RFC 9483 3.3) */
    bool mac;                           /* protected by a shared secret */
} CmpLook;

/* False where it is none, or has no transaction. */
bool cmp_look(VigieBytes message, CmpLook *look);
/* The value of a genm's question, by its place; empty where it has none. libcrypto's own reading of it is typed in ways that
 * differ from one version to the next. */
VigieBytes cmp_look_value(VigieBytes message, size_t place);
/* The reason (RFC 5280 5.3.1) in a rr's crlEntryDetails; 0 (unspecified) where there is none. False where they say anything else. */
bool cmp_look_reason(VigieBytes message, int64_t *ret_reason);
