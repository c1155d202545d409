/* record: a signed certificate on its way into the store and the log. */
#pragma once

#include "pki/authority.h"
#include "pki/journal.h"
#include "x509/x509.h"

typedef struct {
    const VigieAuthority *authority;
    const VigieCertificate *certificate;
    const char *profile;
    size_t shard;
    int64_t device;                    /* of the fleet, 0: none */
    const char *requester, *validator; /* or NULL */
} IssuedRecord;

/* In the journal's transaction: the line, then the certificate. ret_id may be NULL. */
bool record_issued(Journal *journal, const IssuedRecord *record, int64_t *ret_id, GError **error);
