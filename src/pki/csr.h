/* csr: a PKCS#10 certification request (RFC 2986) from a stranger. */
#pragma once

#include "base/base.h"

enum { CSR_BYTES_MAX = 32 * 1024, CSR_NAMES_MAX = 100 };

typedef struct {
    uint8_t *der;
    size_t size;
    VigieBytes spki;   /* in `der` */
    GPtrArray *names;  /* the alternative names it asks for: "dns:…", "ip:…", "email:…" */
    const char *curve; /* "P-256" "P-384" "P-521", or NULL */
    unsigned rsa_bits; /* 0: no RSA */
    bool challenge;    /* it holds a challenge password (RFC 2985 5.4.1), which is somebody's secret */
} Csr;

void csr_free(Csr *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Csr, csr_free)
/* Reads PEM or DER, refuses names that hide something, and verifies the proof of possession. */
Csr *csr_read(VigieBytes csr, GError **error);
/* The same without the proof: for those who look at requests, and for the fuzzer. */
Csr *csr_parse(VigieBytes csr, GError **error);
/* As if a request for this key, without names, had been read. */
Csr *csr_of_key(VigieBytes spki, GError **error);
