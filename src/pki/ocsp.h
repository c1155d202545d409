/* ocsp: requests read (RFC 6960 4.1), answers written (4.2). */
#pragma once

#include "pki/pki.h"

enum { OCSP_ASKED_MAX = 16, OCSP_REQUEST_MAX = 8192, OCSP_NONCE_MAX = 128 };

typedef struct {
    VigieBytes id; /* CertID, DER */
    bool sha256;   /* else SHA-1 */
    VigieBytes name_hash, key_hash, serial;
} OcspAsked;

typedef struct {
    OcspAsked asked[OCSP_ASKED_MAX];
    size_t count;
    VigieBytes nonce; /* the extension's value; empty: none */
} OcspRequest;

/* Views into `der`. */
bool ocsp_request_parse(VigieBytes der, OcspRequest *ret_request);
/* Was it given the key of this authority's responder? */
bool ocsp_has_key(const VigieOcsp *ocsp, const char *authority);
