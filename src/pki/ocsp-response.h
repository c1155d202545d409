/* ocsp-response: an answer, written (RFC 6960 4.2.1). Inside the room. */
#pragma once

#include "pki/ocsp-responder.h"

typedef enum { OCSP_MALFORMED = 1, OCSP_TRY_LATER = 3, OCSP_UNAUTHORIZED = 6 } OcspFailure;

typedef struct {
    bool known;
    int64_t reason; /* -1: not revoked */
    VigieTime at;
} OcspStatus;

/* Onto `out`: an OCSPResponse that says no more than why there is none. */
void response_put_failure(GByteArray *out, OcspFailure failure);
/* A SingleResponse. The CertID is the one that was asked by, or is made of our own hashes where `asked` has none. */
void response_put_single(GByteArray *out, const Responder *responder, const OcspAsked *asked,
                         const OcspStatus *status, VigieTime from, VigieTime to);
/* `singles` are SingleResponses; the whole OCSPResponse, signed, onto `out`. False where the key does not sign. */
bool response_put(GByteArray *out, const Responder *responder, const GByteArray *singles, VigieBytes nonce,
                  VigieTime now, GError **error);
/* ocsp.c: columns from this one on: the reason (-1: not revoked), when, and when the authority itself was (0: never). */
void ocsp_read_status(const VigieRows *rows, int column, OcspStatus *status);
