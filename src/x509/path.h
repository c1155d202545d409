/* path: the paths that may lead from a certificate to a root (RFC 4158), shortest first, in bounded work. Private to x509/. */
#pragma once

#include "x509/roots.h"

#include <openssl/x509.h>

enum {
    PATH_DEPTH_MAX = 10,       /* certificates of a path */
    PATH_NODES_MAX = 512,      /* certificates looked at */
    PATH_SIGNATURES_MAX = 512, /* signatures verified while looking for issuers */
    PATH_STEPS_MAX = 20000,    /* certificates walked over while paths are put together */
    PATH_VISITS_MAX = 32       /* paths validated */
};

/* Where an issuer may be had that was not given: adds certificates to `pool`; the caller takes any that fit. */
typedef void (*PathFetch)(const X509 *certificate, STACK_OF(X509) * pool, void *data);
/* One path, leaf first; `anchored`: its last is among the roots. True: no other is wanted. */
typedef bool (*PathVisit)(STACK_OF(X509) * path, bool anchored, void *data);

typedef struct {
    unsigned visits; /* paths that were shown */
    bool cut;        /* a bound was met: there may be more */
} PathSearch;

/* Shows the paths from `leaf` by what is in `pool` and `roots`. Signatures hold in all of them, unless there is no such path; without any
 * that ends at a root, the longest there is. No path holds a certificate twice, nor a subject twice with the same key (RFC 4158 2.4.2).
 * `fetch` may be NULL. */
PathSearch path_search(const VigieRoots *roots, X509 *leaf, STACK_OF(X509) * pool, VigieTime at,
                       PathFetch fetch, PathVisit visit, void *data);

/* Does the certificate's key identifier speak against this issuer? RFC 5280 asks nothing of it, some programs do. */
bool path_misleads(const X509 *certificate, const X509 *issuer);
/* The same subject with the same key: one authority, whoever certified it. */
bool path_same_authority(const X509 *one, const X509 *other);
/* Is the moment within the certificate's validity, both ends included (RFC 5280 4.1.2.5)? -1 before, 0 within, 1 after. */
int path_validity(const X509 *certificate, VigieTime at);
