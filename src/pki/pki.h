/* pki: certification authorities. A hierarchy declared in a file, profiles as data, requests checked, certificates
 * issued, revoked and told of by lists (CRL) and answers (OCSP).
 *
 * Nobody is given a certificate that the store does not hold, and the store holds none without a line in the log, which is
 * one chain of hashes whose end an authority signs at each commit. Keys are used behind one interface (signer.h); today
 * they stand in PKCS#8 files sealed with a passphrase. `who` is whose act it is, for the log. */
#pragma once

#include "base/base.h"
#include "store/store.h"

/* ---- Authorities -------------------------------------------------------------------------------------------- */
/* Answers the passphrase of an authority's key; NULL and an error where there is none. Wiped and freed by the caller. */
typedef char *(*VigiePassphrase)(const char *authority, bool new_key, void *data, GError **error);

typedef struct {
    const char *file; /* the hierarchy, vigie-ca(1) has its keys */
    VigiePassphrase passphrase;
    void *data;
    const char *who;
    VigieTime now;
} VigieCeremony;

/* Makes the keys and certificates of the authorities that the store does not have yet, and takes the settings of those it
 * has: all or nothing. { "made": [ names ], "kept": [ names ] }. CONFLICT where a key's file is there already. */
json_t *pki_ceremony(VigieStore *store, const VigieCeremony *ceremony, GError **error);

typedef struct VigieAuthority VigieAuthority;
/* Without a passphrase it has no key: it cannot sign, all else works. NOT_FOUND, DENIED. */
VigieAuthority *pki_authority_open(VigieStore *store, const char *name, const char *passphrase,
                                   GError **error);
void pki_authority_close(VigieAuthority *authority);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieAuthority, pki_authority_close)

/* [ { "name", "title", "issuer": name or null, "subject", "not_before", "not_after", "sha256", "key": "EC 384",
 *     "key_file", "certificates": n, "revoked": n, "settings": {} } ], issuers first; `name` NULL: all. */
json_t *pki_authority_list(VigieStore *store, const char *name, GError **error);
/* Its certificate, PEM. Free with g_free. */
char *pki_authority_pem(VigieStore *store, const char *name, GError **error);
