/* cmp-look: who speaks in a PKIMessage (RFC 9810 5.1), before the message is let at libcrypto. Borrowed views. */
#pragma once

#include "base/bytes.h"

typedef struct {
    VigieBytes transaction, kid;
    VigieBytes certificate; /* the first of extraCerts: that of the protection (RFC 9483 3.3) */
    bool mac;               /* protected by a shared secret */
} CmpLook;

/* False where it is none, or has no transaction. */
bool cmp_look(VigieBytes message, CmpLook *look);
