/* pki: certification authorities. A hierarchy declared in a file, profiles as data, requests checked, certificates
 * issued, revoked and told of by lists (CRL) and answers (OCSP).
 *
 * Nobody is given a certificate that the store does not hold, and the store holds none without a line in the log, which is
 * one chain of hashes whose end an authority signs at each commit. Keys are used behind one interface (signer.h); they
 * stand in PKCS#8 files sealed with a passphrase, or in PKCS#11 tokens. `who` is whose act it is, for the log.
 *
 * Two ways lead to a certificate. Who holds the authority's key issues at once (pki_issue). Everyone else adds a request
 * to the store (pki_request_add); a person or a protocol's proof validates it, and the resident signer, the only process
 * of `vigie serve` with keys, checks it all again and issues.
 *
 * Here is how certificates are issued, enrolled and revoked, and the log; the headers below have the rest. */
#pragma once

#include "pki/authorities.h"
#include "pki/profiles.h"
#include "pki/publication.h"
#include "pki/requests.h"

/* ---- Issuing ------------------------------------------------------------------------------------------------ */
typedef struct {
    const char *profile;
    VigieBytes csr;       /* PKCS#10, PEM or DER, 32 KiB at most */
    VigieBytes spki;      /* instead: a SubjectPublicKeyInfo whose possession was proven otherwise */
    const json_t *fields; /* of the profile, texts; may be NULL */
    const char *const
        *names; /* "dns:…", "ip:…", "email:…" that were validated; NULL-terminated, may be NULL */
    bool accept_names;     /* those of the request were validated too */
    int days;              /* a shorter life than the profile's; 0: the profile's */
    int64_t device;        /* of the fleet; 0: none */
    const char *requester; /* who asked, who validated; NULL where the profile asks for no second person */
    const char *validator;
    const char *
        renews; /* hexadecimal: this one's subject, own extensions and names, or fewer of them; then no fields */
    int64_t request; /* pki_request_add's, which this answers; 0: none */
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

/* What is zero or NULL does not restrict. */
typedef struct {
    const char *authority, *serial;
    int64_t id, device;
    const char *account; /* who asked for it, or has a role over its organisation */
    int64_t before;      /* of an id less than this one: the next page */
    int limit;           /* 0: 1,000 */
} VigieIssuedFilter;
/* [ { "id", "serial", "authority", "profile", "subject", "not_before", "not_after", "state": "good" "held" "revoked"
 *     "expired", "reason", "revoked_at", "device", "request", "organisation": numbers, 0 none, "requester" or null } ], the
 * newest first. */
json_t *pki_certificate_list(VigieStore *store, const VigieIssuedFilter *filter, VigieTime now,
                             GError **error);
/* A certificate that was issued, its issuers up to the root, which is left out, and what leads to the root's other generations
 * as in pki_authority_chain, PEM. Free with g_free. */
char *pki_certificate_pem(VigieStore *store, const char *serial, VigieTime now, GError **error);
/* All by which the fleet says that others call a device, of fleet_device_get: "dns:…" and "ip:…"; NULL-terminated, owned. */
GPtrArray *pki_device_names(const json_t *device);
/* SHA-256, hexadecimal, of the newest certificate issued for a device of the fleet that is not revoked. NOT_FOUND. Free with
 * g_free. */
char *pki_device_certificate(VigieStore *store, int64_t device, GError **error);

/* ---- Enrolments ---------------------------------------------------------------------------------------------
 * A validation given in advance, for machines that ask by a protocol: what may be asked for, how often, until when, and
 * the secret that proves the right to it. For profiles without dual control. */
typedef struct {
    const char *label;     /* for people */
    const char *authority; /* NULL: the only one that issues the profile */
    const char *profile;
    const json_t *fields; /* all that its certificates say beside names; may be NULL */
    /* Which may be asked for, each with all below it: "dns:chu.example", "ip:10.1.0.0/16"; NULL: any that passed a
     * challenge. */
    const char *const *names;
    bool challenge; /* each name wants to be proven by a challenge (ACME) */
    bool open;      /* without a secret; wants `challenge` */
    int uses;       /* certificates at most; 0: any number */
    VigieTime ends;
    int64_t device, organisation; /* as of a request */
    const char
        *account; /* who makes it: a validator of the profile over the organisation, now and at each issue */
} VigieEnrolment;

/* What the secrets of enrolments are sealed by, which is not in the store (enrolment-secret.c): the keys of the file
 * pki.enrolment_key, made where there is none. CONFLICT where it is gone and some are sealed already: the message names them. */
VigieSeal *pki_enrolment_seal(VigieStore *store, const VigieConfig *config, VigieTime now, GError **error);
/* Where it is. Free with g_free. */
char *pki_enrolment_key_path(const VigieConfig *config);
extern const VigieSealed pki_enrolment_sealed;
/* [ names ] of those that could be used and whose secret no key of these opens (`seal` NULL: there is none). EST and SCEP know it all the
 * same; clients of ACME and CMP want another enrolment. */
json_t *pki_enrolment_lost(VigieStore *store, const VigieSeal *seal, VigieTime now, GError **error);
/* Seals the secrets that an earlier version wrote in clear, also those in requests of SCEP. In no transaction; may be killed. */
bool pki_enrolments_seal(VigieStore *store, const VigieSeal *seal, GError **error);

/* { "id", "name": "e7k2-…", "secret" }: name and secret are for the client, and told once. UNAVAILABLE: `seal` is NULL. */
json_t *pki_enrolment_add(VigieStore *store, const VigieProfiles *profiles, const VigieSeal *seal,
                          const VigieEnrolment *enrolment, VigieTime now, GError **error);
/* By its name: { "id", "name", "label", "authority", "profile", "names": [] or null, "challenge", "open", "uses", "used", "ends",
 * "usable": now, "device", "organisation", "account", "sha256" of its secret }. Also where it cannot be used any more: by it a client hears
 * what came of a request of then; new ones are refused. NOT_FOUND. */
json_t *pki_enrolment_find(VigieStore *store, const char *name, VigieTime now, GError **error);
/* The secret itself, for MACs. UNAVAILABLE where it does not open. Wipe and free. */
char *pki_enrolment_secret(VigieStore *store, const VigieSeal *seal, const json_t *enrolment, GError **error);
/* The same as pki_enrolment_find for a name with its secret. DENIED, the same for a wrong name and a wrong secret. */
json_t *pki_enrolment_login(VigieStore *store, const char *name, const char *secret, VigieTime now,
                            GError **error);
/* [ as above without "sha256" ], newest first. */
json_t *pki_enrolment_list(VigieStore *store, VigieTime now, GError **error);
bool pki_enrolment_end(VigieStore *store, const VigieProfiles *profiles, int64_t id, const char *account,
                       VigieTime now, GError **error);

/* ---- A certificate that is shown to us ------------------------------------------------------------------------
 * By a client over TLS or in a signed message, whose signature the caller verified: is it one of ours, and good now?
 * { "serial", "authority", "profile", "subject", "not_before", "not_after", "device": number }. DENIED with why not. */
json_t *pki_certificate_shown(VigieStore *store, VigieBytes der, VigieTime now, GError **error);
/* An authority's certificate and its issuers up to the root, GByteArrays of DER; then those by which the root's other
 * generations vouch for it, so that whoever trusts one of them trusts this one. */
GPtrArray *pki_authority_chain(VigieStore *store, const char *name, VigieTime now, GError **error);
/* The authority that issues now in the place of this one: itself, or the generation that succeeded it. Free with g_free. */
char *pki_authority_current(VigieStore *store, const char *name, GError **error);

/* RFC 9810 5.3.19.15, RFC 9483 4.3.2: what follows a root, `known` (DER), or where that is empty the root above `authority`:
 * the root that succeeds it, and the certificates by which the two vouch for each other, NULL where they are not good now.
 * All NULL: nothing succeeds it, or it is not ours. `ret_update` begins zeroed. */
typedef struct {
    GByteArray *new_with_new, *new_with_old, *old_with_new;
} VigieRootUpdate;
void pki_root_update_clear(VigieRootUpdate *update);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VigieRootUpdate, pki_root_update_clear)
bool pki_root_update(VigieStore *store, const char *authority, VigieBytes known, VigieTime now,
                     VigieRootUpdate *ret_update, GError **error);

/* ---- Enrolment protocols ---------------------------------------------------------------------------------------
 * Adds the request, waits 5 s at most for the signer, and answers the certificate, DER (of a revocation: nothing); NULL
 * without an error where it is not decided yet: the client may ask again. `group`, may be NULL, shares the commit with other
 * threads' (`store` is then in no transaction). */
GByteArray *pki_request_ask(VigieStore *store, VigieStoreGroup *group, const VigieProfiles *profiles,
                            const VigiePkiRequest *request, VigieTime now, GError **error);
/* SignedData without signatures (RFC 5652 5, RFC 8951 3.1): `first`, may be NULL, and the certificates of `others`. */
GByteArray *pki_certs_only(const GByteArray *first, const GPtrArray *others);

/* What a profile asks of a request, for EST's clients: CsrAttrs, DER (RFC 8951, RFC 9908); NULL: there is no such profile. */
GByteArray *pki_csr_attributes(const VigieProfiles *profiles, const char *profile);

/* RFC 7030 4.4: the names and the kind of key of `request`'s CSR, whose signature says nothing, and a key made here, in memory,
 * where `profile` allows that. ret_key is PKCS#8, DER, in clear: wipe it. Nothing of it is kept; where nobody decides in time the
 * request is withdrawn: UNAVAILABLE. DENIED: the profile's keys are their owners' to make. */
bool pki_server_key_ask(VigieStore *store, const VigieProfiles *profiles, const char *profile,
                        const VigiePkiRequest *request, VigieTime now, GByteArray **ret_key,
                        GByteArray **ret_certificate, GError **error);

/* A registration authority's key and certificate (RFC 9810 4.1): messages are signed with it and, in SCEP, encrypted to it; it
 * issues nothing. Read only once it is made: lanes may share it. */
typedef struct VigieRegistrar VigieRegistrar;
/* `path`: PEM, both. `seal`: of enrolments, kept by the caller; NULL: no client proves itself by a secret that is not sent. INVALID where they are not that; DENIED where the certificate is not one of ours, good now. */
VigieRegistrar *pki_registrar_load(VigieStore *store, const char *path, const VigieSeal *seal, VigieTime now,
                                   GError **error);
void pki_registrar_free(VigieRegistrar *registrar);
/* How a client wants a key made for it to be sealed (RFC 7030 4.4.1). */
typedef enum { VIGIE_SEAL_NONE, VIGIE_SEAL_CERTIFICATE, VIGIE_SEAL_SECRET } VigieKeySeal;
/* ret_identifier, may stay NULL: by which key. Free with g_byte_array_unref. */
VigieKeySeal pki_seal_wanted(VigieBytes csr, GByteArray **ret_identifier);
/* INVALID where `identifier` is not that certificate's key, or the key may not decrypt. */
bool pki_seal_check(VigieBytes certificate, const GByteArray *identifier, GError **error);
/* The key, signed by the registrar and encrypted to `certificate` (RFC 7030 4.4.2, RFC 5958), DER. */
GByteArray *pki_seal_key(const VigieRegistrar *registrar, const GByteArray *key, VigieBytes certificate,
                         GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieRegistrar, pki_registrar_free)

/* CMP (RFC 9810, 9483). What an exchange of several messages has come to is in the store: any process goes on. An answer, DER, also where it refuses; NULL with INVALID or DENIED where none can be
 * made: the message cannot be read, or nobody we know speaks. */
enum { CMP_BYTES_MAX = 64 * 1024, SCEP_BYTES_MAX = 64 * 1024 };
GByteArray *pki_cmp_answer(const VigieRegistrar *registrar, VigieStore *store, const VigieProfiles *profiles,
                           VigieBytes message, const char *address, VigieTime now, GError **error);

/* ACME (RFC 8555). `base` is where it is reached, "https://vigie.chu.example/acme"; paths are below it. */
typedef struct {
    const char *base;
    const VigieProfiles *profiles;
    const char *address;   /* the client's; may be NULL */
    const VigieSeal *seal; /* of enrolments; NULL: no account is bound */
    int64_t wait;          /* seconds until this address may have a new account; 0: now */
    VigieTime now;
} VigieAcme;
typedef struct {
    unsigned status;
    const char *type;            /* of the body; NULL: none */
    char *body;                  /* text, NUL-terminated */
    char *nonce, *location, *up; /* Replay-Nonce, Location, Link rel="up"; NULL: none */
    int retry_after;             /* seconds; 0: none */
} VigieAcmeAnswer;
void pki_acme_answer_clear(VigieAcmeAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VigieAcmeAnswer, pki_acme_answer_clear)
/* Answers also where it refuses; false where the store failed. `answer` begins zeroed. */
bool pki_acme_get(VigieStore *store, const VigieAcme *server, const char *path, VigieAcmeAnswer *answer,
                  GError **error);
bool pki_acme_post(VigieStore *store, const VigieAcme *server, const char *path, VigieBytes body,
                   VigieAcmeAnswer *answer, GError **error);
/* Forgets nonces that ended, and a month later orders that came to nothing. */
bool pki_acme_forget(VigieStore *store, VigieTime now, GError **error);

/* A challenge to be looked at: a job of this kind, payload { "authorization": id }. Speaks to the name's owner: http-01 on
 * `http_port` (RFC 8555 8.3), tls-alpn-01 on `tls_port` (RFC 8737), dns-01 by `resolvers` ("ADDRESS[:PORT],…"; NULL: the
 * system's). Blocks for 30 s at most. */
#define PKI_JOB_CHALLENGE "acme-challenge"
typedef struct {
    int http_port, tls_port;
    const char *resolvers;
    bool itself; /* names may also lead to this machine itself and to its link */
} VigieAcmeReach;
bool pki_acme_look(VigieStore *store, const VigieAcmeReach *reach, int64_t authorization, VigieTime now,
                   GError **error);

/* SCEP (RFC 8894): PKIOperation, and GetCACert (the registrar's certificate before the authority's chain). */
GByteArray *pki_scep_answer(const VigieRegistrar *registrar, VigieStore *store, const VigieProfiles *profiles,
                            VigieBytes message, const char *address, VigieTime now, GError **error);
GByteArray *pki_scep_authorities(const VigieRegistrar *registrar, VigieStore *store, VigieTime now,
                                 GError **error);

/* ---- Revoking ----------------------------------------------------------------------------------------------- */
/* `reason` as RFC 5280 writes it ("keyCompromise", "certificateHold" …); "removeFromCRL" ends a hold. DENIED where the
 * profile knows no hold, CONFLICT where it is revoked for good already. */
bool pki_revoke(VigieStore *store, const VigieProfiles *profiles, const char *serial, const char *reason,
                const char *who, VigieTime now, GError **error);

/* ---- Great days and bad ones ---------------------------------------------------------------------------------
 * [ { "name", "title", "state": "current"; "succeeded": it issues no more, its lists go on; "done": all that it issued has
 *     ended, too; "revoked", "ended", "succeeds", "successor": names or null, "not_after", "living": certificates that have
 *     not ended, "last_end": when the last of all that it issued ends, or null, "issues_for": days, the longest life of what
 *     it issues, 0: nothing, "roll_over_by": from when on what it issues would outlive it, or null, "late": that has come } ],
 * issuers first. */
json_t *pki_authority_lives(VigieStore *store, const VigieProfiles *profiles, VigieTime now, GError **error);
/* What is to be told now to those who run the authorities: [ { "kind", "name", "title": of the authority, "at": by when, "days": so
 * many before, 0: that has come } ], each once it was said to be told no more. Kinds: "generation", the next one is wanted, and
 * "end", it ends (180, 90, 30, 7 days); "responder", "registrar", "cross": that certificate ends, `name` of a registrar its
 * subject, of a certificate for another's authority its published name (90, 30, 7); "list": the full ones lapse (30, 14, 7, 1). Nothing
 * before a quarter of the life is left, at which a resident signer makes anew by itself. */
json_t *pki_deadlines_due(VigieStore *store, const VigieProfiles *profiles, VigieTime now, GError **error);
bool pki_deadline_told(VigieStore *store, const json_t *deadline, VigieTime now, GError **error);
/* Those revoked below which something has not ended: [ { "name", "title", "revoked": time, "successor": name or null } ]. Cheap:
 * each page asks. */
json_t *pki_authority_revoked(VigieStore *store, VigieTime now, GError **error);
/* The key of an authority is another's too: all certificates for it that were issued here are revoked (cACompromise), it
 * issues no more, nothing that it issued is good any more (OCSP says so, too), its key is never certified again. Lists of those
 * who issued it want to be made. { "authority", "revoked": [ serials ], "below": [ { "authority", "profile", "certificates":
 * that had not ended } ] }. CONFLICT where nobody here vouches for it: a root alone. */
json_t *pki_authority_compromise(VigieStore *store, const VigieProfiles *profiles, const char *name,
                                 const char *who, VigieTime now, GError **error);
/* Up to 16 of the good certificates that `of` issued, from *after on, which moves, that have not been renewed yet: issued again
 * by `authority`, for the same key, subject and names. [ { "old", "serial" or null, "refusal" or null } ], empty at the end.
 * Called again and again, also later and by others, it issues none twice. */
json_t *pki_reissue(VigieStore *store, VigieAuthority *authority, const VigieProfiles *profiles,
                    const char *of, int64_t *after, const char *who, VigieTime now, GError **error);
/* What was issued again so: [ { "old", "serial", "subject" } ]. */
json_t *pki_renewed_list(VigieStore *store, const char *of, GError **error);
/* Overwrites and removes an authority's key, where that is in a file, and notes that it is no more. CONFLICT while it issues or
 * lists of it are wanted. `present`: names, may be NULL. */
bool pki_key_destroy(VigieStore *store, const char *name, const GPtrArray *present, const char *who,
                     VigieTime now, GError **error);
/* What a store restored from a backup has forgotten and others still have: certificates and lists (in any file that holds them)
 * that an authority here signed, and a checkpoint of the log. { "certificates", "revocations": so many the store did not
 * know, "known", "others": not signed by an authority here }. Numbers of lists go on above those seen. */
json_t *pki_adopt(VigieStore *store, VigieBytes file, const char *who, VigieTime now, GError **error);

/* ---- The log ------------------------------------------------------------------------------------------------ */
/* Reads all of it back: { "entries", "certificates", "checkpoints", "signed_to": the last line that a signature covers,
 * "compared": whether with `known`, "last": { "seq", "time", "hash" }, "faults": [ { "seq", "fault" } ] }. A fault: a line
 * changed, missing or added, a certificate or a revocation (or what the store says of either) without its line or other than
 * its line says, a signature that does not hold, or none over what was issued. `known`, may be NULL, is the text of a
 * checkpoint kept elsewhere, which the log must contain: alone it shows a store rolled back or rewritten as a whole. */
json_t *pki_log_verify(VigieStore *store, const char *known, GError **error);
/* An authority whose clock is behind the last line of its log does nothing. Where the clock was ahead when that line was
 * written and is right now, this goes on from now: `who` and `reason` become a line of the log, and lists and answers of the
 * future are made anew. CONFLICT where no line is ahead. */
bool pki_log_resume(VigieStore *store, const char *who, const char *reason, VigieTime now, GError **error);
/* The newest signed end, as text to keep elsewhere: three lines and the signature. Free with g_free. */
char *pki_log_checkpoint(VigieStore *store, GError **error);

/* ---- The resident signer --------------------------------------------------------------------------------------
 * What the process with the keys does, again and again. */
typedef struct VigieSigner VigieSigner;
/* Opens the authorities named, and the responders' keys they have. `who` is its name in the log. */
VigieSigner *pki_signer_new(VigieStore *store, const char *const *authorities, VigiePassphrase passphrase,
                            void *data, const char *who, GError **error);
void pki_signer_free(VigieSigner *signer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieSigner, pki_signer_free)
/* Answers the validated requests of its authorities, many a commit: issued, done, or refused with the reason. ret_stirred:
 * something was done, by it or by others, after which pki_signer_keep is due. False where the store or the clock does not
 * allow it: nothing happened, and all wait. */
bool pki_signer_answer(VigieSigner *signer, VigieStore *store, VigieTime now, bool *ret_stirred,
                       GError **error);
/* Makes what is due: the log's end signed, lists, responders' certificates, answers beforehand. */
bool pki_signer_keep(VigieSigner *signer, VigieStore *store, VigieTime now, GError **error);
