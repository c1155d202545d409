/* authority: one of them, as the store knows it, with or without its key. */
#pragma once

#include "pki/pki.h"
#include "pki/signer.h"
#include "x509/der.h"

/* Where its certificates point: for each shard, NULL-terminated. */
typedef struct {
    char **crl, **delta;
} AuthorityPoints;

struct VigieAuthority {
    int64_t id;
    char *name, *key_file;
    GByteArray *der;
    VigieBytes subject, spki; /* in `der` */
    uint8_t key_id[20];
    VigieTime not_before, not_after;
    json_t *
        settings; /* of the hierarchy's keys: profiles, policies, crl_urls, delta_urls, issuer_urls, ocsp_urls,
                         crl_hours, delta_hours, crl_shards, answer_hours */
    char **issuer_urls, **ocsp_urls;
    AuthorityPoints *points;
    size_t shards;
    Signer *signer; /* or NULL */
};

int64_t authority_setting(const VigieAuthority *authority, const char *key);
/* Its policy for a profile, or NULL. */
const char *authority_policy(const VigieAuthority *authority, const char *profile);
/* Free with g_free. */
char *authority_name(VigieStore *store, int64_t id, GError **error);
/* DENIED without a key. */
bool authority_must_sign(const VigieAuthority *authority, GError **error);
VigieAuthority *authority_new(int64_t id, const char *name, const char *key_file, VigieBytes der,
                              const char *settings, GError **error);

/* The parts of a certificate that whoever follows it needs, as views into it. */
typedef struct {
    VigieBytes tbs, serial, issuer, subject, spki;
    VigieBytes extensions; /* the contents of their SEQUENCE; empty where there are none */
    VigieBytes signature;  /* without the octet of unused bits */
    VigieTime not_before, not_after;
} CertificateView;
bool certificate_view(VigieBytes der, CertificateView *ret_view);
