/* revoke: is a certificate of a path revoked? Lists by RFC 5280 6.3, responses by RFC 6960, and what the network has to say where it
 * may be asked. Private to x509/. */
#pragma once

#include "x509/validate.h"

#include <openssl/ocsp.h>

/* ---- What is known ---- */
/* A revocation list and what matters of its extensions. */
typedef struct {
    X509_CRL *crl;
    ISSUING_DIST_POINT *scope;   /* or NULL */
    VigieBytes scope_der;        /* borrowed; equal scopes are equal octets */
    ASN1_INTEGER *number, *base; /* or NULL; `base`: it is a delta to lists from this number on */
    const char *flaw;            /* why it cannot be used at all, or NULL; static */
    char *source;                /* the address it came from, or NULL */
    EVP_PKEY *made_by, *not_by;  /* keys that did and did not sign it, the last of each; borrowed */
} List;

typedef struct {
    const VigieRoots *roots;
    VigieTime at;
    STACK_OF(X509) * pool;         /* certificates that may have signed lists and responses */
    GPtrArray *lists;              /* List */
    GPtrArray *responses;          /* Response */
    unsigned searches, signatures; /* paths looked for to signers of lists; signatures of lists verified */
} Evidence;

typedef struct {
    OCSP_BASICRESP *basic; /* NULL: none, or no success */
    char *source;          /* the address it came from, or NULL */
} Response;

typedef struct {
    enum { REVOKE_UNKNOWN, REVOKE_GOOD, REVOKE_REVOKED } status;
    const char *by;     /* "crl" "ocsp", or NULL */
    const char *source; /* the address that told, or NULL; the evidence's */
    const char *reason; /* "keyCompromise" …, where revoked and told; static */
    const char *clause; /* why it is not good, or NULL; static */
    int progress;       /* how near an unknown came to an answer */
} Revocation;

void evidence_init(Evidence *evidence, const VigieRoots *roots, STACK_OF(X509) * pool, VigieTime at);
void evidence_clear(Evidence *evidence);
/* Takes a reference; 256 lists at most are kept. `source` may be NULL. */
void evidence_add_list(Evidence *evidence, X509_CRL *crl, const char *source);
/* What is no response counts as one that does not answer. */
void evidence_add_response(Evidence *evidence, VigieBytes der, const char *source);

/* What lists, and what responses, say of path[depth], which is not the last. `signer`: it is asked of one who signs lists or responses
 * himself, so that nobody's word hangs on his own for ever. */
Revocation revoke_by_lists(Evidence *evidence, STACK_OF(X509) * path, int depth, bool signer);
Revocation revoke_by_responses(Evidence *evidence, STACK_OF(X509) * path, int depth);
/* Revoked by any, else good by any, else the better reason why not. */
Revocation revoke_judge(Evidence *evidence, STACK_OF(X509) * path, int depth);

/* ---- What the network says ---- */
typedef struct Online Online;
Online *online_new(const VigieFetcher *fetcher, Evidence *evidence);
void online_free(Online *online);
/* A PathFetch whose data is the Online. */
void online_fetch_issuer(Online *online, const X509 *certificate, STACK_OF(X509) * pool);
/* Asks the responder that the certificate names, and for its lists where that does not help. True: something was fetched, or there is
 * nothing to fetch; false: the certificate names where to ask, and nobody there answered. */
bool online_ask(Online *online, STACK_OF(X509) * path, int depth, Revocation *revocation);
/* [ { "url", "kind": "issuer" "ocsp" "crl" "delta", "for": subject, "outcome": "fetched" "failed", "detail" } ]; a new reference. */
json_t *online_fetches(const Online *online);
