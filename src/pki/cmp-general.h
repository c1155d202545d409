/* cmp-general: support messages of CMP (RFC 9810 5.3.19, RFC 9483 4.3), inside the room. */
#pragma once

#include "pki/enrol.h"

typedef struct {
    VigieStore *store;
    const VigieRegistrar *registrar;
    const VigieProfiles *profiles;
    const char *profile; /* of the enrolment or the certificate that proves the client */
    VigieTime now;
} CmpGeneral;

/* The answer to one question, whose value stands in the message as `value`; NULL: it is none that we know. */
OSSL_CMP_ITAV *cmp_general_answer(const CmpGeneral *general, const OSSL_CMP_ITAV *question, VigieBytes value);
/* Of a crls' request (CRLStatusListValue): the first source, an address or a name, and since when. Borrowed; false: malformed. */
bool cmp_general_source(VigieBytes value, VigieBytes *ret_url, VigieBytes *ret_issuer, VigieTime *ret_since);
/* Whether a PKIStatusInfo takes the certificate. */
bool cmp_general_accepts(const OSSL_CMP_PKISI *status);
