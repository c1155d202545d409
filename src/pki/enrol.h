/* enrol: what the enrolment protocols share, inside the room. */
#pragma once

#include "pki/pki.h"

#include <openssl/cmp.h>
#include <openssl/x509v3.h>

struct VigieRegistrar {
    X509 *certificate;
    EVP_PKEY *key;
    char *authority; /* which issued it, and for which it answers */
};

/* The alternative names of a request's extensions as the path of requests writes them ("dns:…"), NULL-terminated. Free with
 * g_strfreev. */
char **enrol_names(const X509_EXTENSIONS *extensions);
/* The newest request that bears this name, by which a protocol knows a transaction again; 0: none. */
bool enrol_find(VigieStore *store, const char *protocol, const char *requester, int64_t *ret_id,
                GError **error);
/* A certificate decoded. */
X509 *enrol_x509(const GByteArray *der);
