/* enrol: what the enrolment protocols share, inside the room. */
#pragma once

#include "pki/pki.h"

#include <openssl/cmp.h>
#include <openssl/x509v3.h>

struct VigieRegistrar {
    X509 *certificate;
    EVP_PKEY *key;
    char *authority; /* which issued it, and for which it answers */
    const VigieSeal *seal;
};

/* The alternative names of a request's extensions as the path of requests writes them ("dns:…"), NULL-terminated. Free with
 * g_strfreev. */
char **enrol_names(const X509_EXTENSIONS *extensions);
/* The newest request that bears this name, by which a protocol knows a transaction again; 0: none. */
bool enrol_find(VigieStore *store, const char *protocol, const char *requester, int64_t *ret_id,
                GError **error);
/* The authority whose certificate has this subject, DER; 0: none. */
bool enrol_authority(VigieStore *store, VigieBytes name, int64_t *ret_id, GError **error);
/* A certificate decoded. */
X509 *enrol_x509(const GByteArray *der);
/* pki_certificate_shown of one that is decoded. */
json_t *enrol_shown(VigieStore *store, const X509 *certificate, VigieTime now, GError **error);
/* Whether the registrar's certificate is good now; else UNAVAILABLE: it answers nobody. */
bool enrol_registrar_good(const VigieRegistrar *registrar, VigieStore *store, VigieTime now, GError **error);
/* The chain of the authority that issued `certificate`; where that is NULL, of the generation that issues now in the place of
 * the registrar's authority, and of this, each certificate once. NULL: none. */
GPtrArray *enrol_chain(VigieStore *store, const VigieRegistrar *registrar, const GByteArray *certificate,
                       VigieTime now);
/* pki_certs_only, with a CRL; each may be NULL. */
GByteArray *enrol_signed_data(const GByteArray *first, const GPtrArray *others, const GByteArray *list);
