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

/* ---- Profiles ----------------------------------------------------------------------------------------------- */
typedef struct VigieProfiles VigieProfiles;
/* All of knowledge/profiles; one that is wrong fails them all. */
VigieProfiles *pki_profiles_load(GError **error);
void pki_profiles_free(VigieProfiles *profiles);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieProfiles, pki_profiles_free)
/* [ { "name", "title", "days", "hold", "dual_control", "validators": [], "names": [ "dns" … ],
 *     "fields": [ { "name", "optional" } ] } ] */
json_t *pki_profile_list(const VigieProfiles *profiles, VigieLang lang);

/* ---- Issuing ------------------------------------------------------------------------------------------------ */
typedef struct {
    const char *profile;
    VigieBytes csr;       /* PKCS#10, PEM or DER, 32 KiB at most */
    const json_t *fields; /* of the profile, texts; may be NULL */
    const char *const
        *names; /* "dns:…", "ip:…", "email:…" that were validated; NULL-terminated, may be NULL */
    bool accept_names;     /* those of the request were validated too */
    int days;              /* a shorter life than the profile's; 0: the profile's */
    int64_t device;        /* of the fleet; 0: none */
    const char *requester; /* who asked, who validated; NULL where the profile asks for no second person */
    const char *validator;
} VigieIssueRequest;

typedef struct {
    char *serial;    /* hexadecimal */
    GByteArray *der; /* the certificate; NULL where it was refused */
    GError *error;   /* then why */
} VigieIssued;

void pki_issued_clear(VigieIssued *issued);

/* Issues what may be issued of `requests` in one commit; each has its own answer in ret[0..count), which begins zeroed.
 * False where nothing was committed: then nothing exists. */
bool pki_issue(VigieStore *store, VigieAuthority *authority, const VigieProfiles *profiles,
               const VigieIssueRequest *requests, size_t count, VigieIssued *ret, const char *who,
               VigieTime now, GError **error);

/* [ { "serial", "authority", "profile", "subject", "not_before", "not_after", "state": "good" "held" "revoked" "expired",
 *     "reason", "revoked_at" } ], the newest first, 1,000 at most; `authority` and `serial` NULL: any. */
json_t *pki_certificate_list(VigieStore *store, const char *authority, const char *serial, VigieTime now,
                             GError **error);
/* A certificate that was issued, and its issuers up to the root, which is left out, PEM. Free with g_free. */
char *pki_certificate_pem(VigieStore *store, const char *serial, GError **error);
/* SHA-256, hexadecimal, of the newest certificate issued for a device of the fleet that is not revoked. NOT_FOUND. Free with
 * g_free. */
char *pki_device_certificate(VigieStore *store, int64_t device, GError **error);

/* ---- Revoking ----------------------------------------------------------------------------------------------- */
/* `reason` as RFC 5280 writes it ("keyCompromise", "certificateHold" …); "removeFromCRL" ends a hold. DENIED where the
 * profile knows no hold, CONFLICT where it is revoked for good already. */
bool pki_revoke(VigieStore *store, const VigieProfiles *profiles, const char *serial, const char *reason,
                const char *who, VigieTime now, GError **error);

/* ---- The log ------------------------------------------------------------------------------------------------ */
/* Reads all of it back: { "entries", "certificates", "checkpoints", "last": { "seq", "time", "hash" }, "faults":
 * [ { "seq", "fault" } ] }. A fault: a line changed, missing or added, a certificate or a revocation without its line or
 * other than its line says, a signature that does not hold. `known`, may be NULL, is the text of a checkpoint kept
 * elsewhere, which the log must contain. */
json_t *pki_log_verify(VigieStore *store, const char *known, GError **error);
/* The newest signed end, as text to keep elsewhere: three lines and the signature. Free with g_free. */
char *pki_log_checkpoint(VigieStore *store, GError **error);

/* ---- Lists and answers --------------------------------------------------------------------------------------- */
/* Makes and keeps what lists are due: one that is missing, one of whose life a quarter is left, one that something changed
 * after (in a delta list, where the authority has these, else in a full one); `full`: full ones at any rate.
 * [ { "file": "equipements.crl", "number", "entries", "next_update" } ], empty where none was due. */
json_t *pki_crl_publish(VigieStore *store, VigieAuthority *authority, bool full, const char *who,
                        VigieTime now, GError **error);
/* The list "equipements.crl" or "equipements-delta.crl", or the certificate "equipements.cer", DER, as `file` names it below
 * the address of publication; until when it may be cached in ret_until. NOT_FOUND. Free with g_byte_array_unref. */
GByteArray *pki_published(VigieStore *store, const char *file, VigieTime *ret_until, GError **error);
/* Names of all that is published: [ "racine.cer", "racine.crl" … ]. */
json_t *pki_published_list(VigieStore *store, GError **error);

/* ---- OCSP --------------------------------------------------------------------------------------------------- */
/* Makes a key and a certificate (profile ocsp-responder) of `authority` for answering in its name; the one before is
 * replaced. The key is sealed beside the authority's. */
bool pki_responder_make(VigieStore *store, VigieAuthority *authority, const VigieProfiles *profiles,
                        const char *passphrase, const char *who, VigieTime now, GError **error);

/* Who answers: the authorities of the store, and the keys it was given. One thread. */
typedef struct VigieOcsp VigieOcsp;
VigieOcsp *pki_ocsp_new(void);
void pki_ocsp_free(VigieOcsp *ocsp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieOcsp, pki_ocsp_free)
/* With its responder's key it signs on the spot: with a nonce, and for serial numbers that were never issued (unknown). */
bool pki_ocsp_add_key(VigieOcsp *ocsp, VigieStore *store, const char *authority, const char *passphrase,
                      GError **error);

typedef struct {
    GByteArray *der;                    /* an OCSPResponse, always */
    VigieTime this_update, next_update; /* next_update 0: not to be kept */
} VigieOcspAnswer;

/* Answers a request, 8 KiB at most. Without keys it gives out what was signed beforehand; what was not is `unauthorized` or
 * `tryLater`, never good. False where the store does not answer. */
bool pki_ocsp_answer(VigieOcsp *ocsp, VigieStore *store, VigieBytes request, VigieTime now,
                     VigieOcspAnswer *ret_answer, GError **error);
/* Signs answers for the certificates of an authority that have none, or one half of whose life is over. */
bool pki_ocsp_sign_all(VigieOcsp *ocsp, VigieStore *store, const char *authority, const char *who,
                       VigieTime now, int64_t *ret_signed, GError **error);
