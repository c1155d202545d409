/* convert: the objects of files as libcrypto has them. Private to x509/. */
#pragma once

#include "x509/x509.h"

#include <openssl/x509.h>

DEFINE_STACK_OF(X509_REQ)

typedef struct {
    EVP_PKEY *key;                 /* the first */
    bool several_keys;             /* there are others besides */
    STACK_OF(X509) * certificates; /* each once, leaf first, then each by its issuer as far as that goes */
    STACK_OF(X509_CRL) * crls;
    STACK_OF(X509_REQ) * requests;
} X509Contents;

/* Decodes VigieFileObjects. INVALID for what does not decode. */
bool x509_contents_read(const GPtrArray *objects, X509Contents *contents, GError **error);
void x509_contents_clear(X509Contents *contents);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(X509Contents, x509_contents_clear)
