/* view: a certificate's parts as views into its octets, in one pass (RFC 5280 4.1). No allocation. */
#pragma once

#include "x509/der.h"

typedef struct {
    VigieBytes der; /* the certificate alone, without what may follow it */
    VigieBytes serial;
    unsigned version;           /* 1 to 3 */
    VigieBytes issuer, subject; /* the Name, tag and length too */
    DerElement not_before, not_after;
    VigieBytes spki;       /* tag and length too */
    VigieBytes extensions; /* the contents of the SEQUENCE; empty where there are none */
    VigieBytes algorithm;  /* signatureAlgorithm, tag and length too */
    VigieBytes signature;  /* without the octet of unused bits */
    const char *clause;    /* the first that is broken, or NULL */
} X509View;

/* False where it is not a certificate at all: then `clause` alone is set. */
bool x509_view(VigieBytes octets, X509View *ret_view);
