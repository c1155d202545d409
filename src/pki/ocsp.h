/* ocsp: requests read (RFC 6960 4.1), answers written (4.2). */
#pragma once

#include "pki/pki.h"

enum { OCSP_ASKED_MAX = 16, OCSP_REQUEST_MAX = 8192, OCSP_NONCE_MAX = 128 };

typedef struct {
    VigieBytes id; /* CertID, DER; empty: made of our own hashes */
    bool sha256;   /* else SHA-1 */
    VigieBytes name_hash, key_hash, serial;
} OcspAsked;

typedef struct {
    OcspAsked asked[OCSP_ASKED_MAX];
    size_t count;
    VigieBytes nonce; /* 1 to OCSP_NONCE_MAX octets; empty: none */
} OcspRequest;

/* Views into `der`. */
bool ocsp_request_parse(VigieBytes der, OcspRequest *ret_request);
/* An answer about serial numbers of this authority onto answer->der, their CertIDs made of our own hashes (of request->asked[i] only
 * sha256 and serial count); nothing where the authority's key was not given. */
bool ocsp_answer_serials(VigieOcsp *ocsp, VigieStore *store, int64_t authority, const OcspRequest *request,
                         VigieTime now, VigieOcspAnswer *answer, GError **error);
/* Was it given the key of this authority's responder? */
bool ocsp_has_key(const VigieOcsp *ocsp, const char *authority);
