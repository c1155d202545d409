/* authorities: made in a ceremony, opened, told of; and a passphrase that people share. Part of pki/pki.h. */
#pragma once

#include "base/base.h"
#include "store/store.h"

/* ---- Authorities -------------------------------------------------------------------------------------------- */
/* Answers the passphrase of an authority's key; NULL and an error where there is none. Wiped and freed by the caller. */
typedef char *(*VigiePassphrase)(const char *authority, bool new_key, void *data, GError **error);

/* One of the codes into which a passphrase is divided: given to a person, whose name is the answer, NULL where it is refused.
 * Free with g_free. */
typedef char *(*VigieShareGiven)(const char *authority, int number, int of, const char *code, void *data,
                                 GError **error);

typedef struct {
    const char *file; /* the hierarchy, vigie-ca(1) has its keys */
    VigiePassphrase passphrase;
    VigieShareGiven share; /* NULL: an authority whose passphrase is shared cannot be made */
    void *data;
    const GPtrArray *present; /* names of who is there, for the log; read at the end; may be NULL */
    const char *who;
    VigieTime now;
} VigieCeremony;

/* Makes the keys and certificates of the authorities that the store does not have yet, and takes the settings of those it
 * has: all or nothing, also when it is killed; then the same again goes on. One that succeeds another takes over what that
 * one's requests and enrolments ask for; a root and the one it succeeds vouch for each other; for authorities that are not
 * ours the declared certificates are made. Questions are asked before the store is locked.
 * { "made": [ names ], "kept": [ names ], "links": [ names of what is published of them ] }. CONFLICT where a key's file is
 * there already. */
json_t *pki_ceremony(VigieStore *store, const VigieCeremony *ceremony, GError **error);

typedef struct VigieAuthority VigieAuthority;
/* Without a passphrase it has no key: it cannot sign, all else works. NOT_FOUND, DENIED. */
VigieAuthority *pki_authority_open(VigieStore *store, const char *name, const char *passphrase,
                                   GError **error);
void pki_authority_close(VigieAuthority *authority);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieAuthority, pki_authority_close)

/* [ { "name", "title", "issuer", "succeeds", "successor": names or null, "subject", "not_before", "not_after", "sha256",
 *     "serial", "key": "EC 384", "key_file", "shares": how many open it, 0: it is not shared, "destroyed": time or null, "certificates": n, "revoked": n, "settings": {} } ], issuers first; `name` NULL: all. */
json_t *pki_authority_list(VigieStore *store, const char *name, GError **error);
/* { name: title }, of all. Cheap: pages ask again and again. */
json_t *pki_authority_titles(VigieStore *store, GError **error);
/* Its certificate, PEM. Free with g_free. */
char *pki_authority_pem(VigieStore *store, const char *name, GError **error);

/* ---- A passphrase that people share ---------------------------------------------------------------------------
 * Where the hierarchy says shares = 3/5, the passphrase is 128 bits of chance that nobody sees, divided (Shamir) into five
 * codes of 40 letters, any three of which give it back. A code holds its number, which division it is of, and a checksum over
 * all of it and the authority's name. Codes are kept by those who were given them, and nowhere else. */
enum { PKI_SHARES_MAX = 16, PKI_SHARE_SECRET = 16 };
typedef struct {
    int number, threshold;
    uint8_t set[4], octets[PKI_SHARE_SECRET];
} VigieShare;
/* Wiped by the caller, with explicit_bzero. INVALID where a letter is wrong or the code is another authority's. */
bool pki_share_read(const char *authority, const char *code, VigieShare *ret_share, GError **error);
/* The passphrase, of as many as they ask for; INVALID where two are the same, or not of one division. Wiped and freed by the
 * caller. */
char *pki_shares_join(const VigieShare *shares, int count, GError **error);
/* { "threshold": 0 where it is not shared, "holders": [ names, that of share 1 first ] }. NOT_FOUND. */
json_t *pki_share_holders(VigieStore *store, const char *authority, GError **error);
/* The log tells whose shares opened a key. */
bool pki_present_note(VigieStore *store, const char *authority, const GPtrArray *present, const char *who,
                      VigieTime now, GError **error);
