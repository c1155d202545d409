/* pki: certification authorities. A hierarchy declared in a file, profiles as data, requests checked, certificates
 * issued, revoked and told of by lists (CRL) and answers (OCSP).
 *
 * Nobody is given a certificate that the store does not hold, and the store holds none without a line in the log, which is
 * one chain of hashes whose end an authority signs at each commit. Keys are used behind one interface (signer.h); they
 * stand in PKCS#8 files sealed with a passphrase, or in PKCS#11 tokens. `who` is whose act it is, for the log.
 *
 * Two ways lead to a certificate. Who holds the authority's key issues at once (pki_issue). Everyone else adds a request
 * to the store (pki_request_add); a person or a protocol's proof validates it, and the resident signer, the only process
 * of `vigie serve` with keys, checks it all again and issues. */
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

/* ---- Profiles ----------------------------------------------------------------------------------------------- */
typedef struct VigieProfiles VigieProfiles;
/* All of knowledge/profiles; one that is wrong fails them all. */
VigieProfiles *pki_profiles_load(GError **error);
void pki_profiles_free(VigieProfiles *profiles);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieProfiles, pki_profiles_free)
/* All that may be granted (below): "registration", "operator", and whom the profiles name as validators. NULL-terminated, owned. */
GPtrArray *pki_role_list(const VigieProfiles *profiles);
/* [ { "name", "title", "days", "hold", "dual_control", "validators": [], "names": [ "dns" … ],
 *     "fields": [ { "name", "optional" } ] } ] */
json_t *pki_profile_list(const VigieProfiles *profiles, VigieLang lang);

/* What a profile has to say of a certificate, or of a request for one: what the signer would never have signed. */
typedef struct {
    const char *profile;
    const char *policy; /* the OID that an authority names for it, of a certificate; NULL: not looked at */
    const char *const *waived; /* ids that are passed over; may be NULL */
    bool request;              /* it is one, PKCS#10 */
} VigieProfileLint;
/* { "findings": [ as x509_lint has them, and rules "profile.…" whose clause is the profile's member ],
 *   "waived": [ the same: broken rules that the profile passes over ] }. NOT_FOUND; INVALID where it is no certificate. */
json_t *pki_profile_lint(const VigieProfiles *profiles, const VigieProfileLint *lint, VigieBytes der,
                         GError **error);
bool pki_profile_lint_known(const char *id);

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

/* ---- Who may what -------------------------------------------------------------------------------------------
 * A grant gives an account a role over a scope: an organisation of the fleet, or 0, all of them; and of what is asked for,
 * one profession or department, or "", any. What names no profession or department lies in no scope that does. Roles are those that
 * profiles name as validators ("ordre", "ars", "director", "biomed" …); "registration", who may ask for others and
 * attach evidence; "operator", who may revoke, hold and release. An account is told apart without case. */
typedef struct {
    const char *role;
    int64_t organisation;
    const char *profession; /* its code: "10"; "": any */
    const char *department; /* "75"; "": any */
} VigieGrant;
bool pki_grant_add(VigieStore *store, const VigieProfiles *profiles, const char *account,
                   const VigieGrant *grant, const char *who, VigieTime now, GError **error);
/* NOT_FOUND where there is no such grant; `grant` NULL: all of the account's. */
bool pki_grant_remove(VigieStore *store, const char *account, const VigieGrant *grant, const char *who,
                      VigieTime now, GError **error);
/* [ { "account", "role", "organisation", "since", "by", "profession", "department" } ]; `account` NULL: all. */
json_t *pki_grant_list(VigieStore *store, const char *account, GError **error);

/* ---- Requests -----------------------------------------------------------------------------------------------
 * A row that any process may add, and nobody changes but by the functions below:
 *
 *     requested ──▶ validated ──▶ issued (or, of a revocation, done)
 *         └────────────┴────────▶ refused, with the reason
 *
 * What comes with a proof that its profile accepts is validated when it is added; else a person whose role covers the
 * profile and the organisation validates it. Where the profile wants dual control, the person is never who asked. */
typedef enum { VIGIE_REQUEST_ISSUE, VIGIE_REQUEST_RENEW, VIGIE_REQUEST_REVOKE } VigiePkiKind;
typedef enum {
    VIGIE_REQUEST_WAITING, /* "requested": for a person's validation */
    VIGIE_REQUEST_VALIDATED,
    VIGIE_REQUEST_ISSUED,
    VIGIE_REQUEST_REFUSED
} VigiePkiState;

/* What a protocol has verified before it adds a request. It verifies signatures, MACs and challenges; the signer verifies
 * again what the store can tell: that the certificate is ours, good and of that name and profile, that the enrolment is
 * open, of that profile, and allows each name. */
typedef enum {
    VIGIE_PROOF_NONE,
    /* The client knows the secret of `enrolment` (EST's password, SCEP's challenge, CMP's MAC, ACME's external account),
     * or the enrolment is open; where it wants challenges, `proven` are the names that passed one. */
    VIGIE_PROOF_ENROLMENT,
    /* The client signed with the key of the certificate `serial`, which it renews or revokes. */
    VIGIE_PROOF_CERTIFICATE,
} VigieProof;

/* What a client means that asks again. Those of some protocols do, where they heard nothing or were told to wait. */
typedef enum {
    VIGIE_AGAIN_NEW, /* another request */
    VIGIE_AGAIN_SAME, /* with the CSR of a request of its own of the last day, which was not refused, nor what came of it
                                revoked: that request */
    VIGIE_AGAIN_TRANSACTION, /* `requester` names one transaction: the request that there is of it */
} VigieAgain;

typedef struct {
    VigiePkiKind kind;
    const char *profile;   /* ISSUE, without an enrolment; else NULL */
    const char *authority; /* the same; NULL: the only one that issues the profile */
    VigieBytes csr;        /* ISSUE and RENEW: PKCS#10, PEM or DER */
    VigieBytes spki; /* instead, where the protocol proved the possession (CMP): a SubjectPublicKeyInfo */
    const json_t *fields;     /* ISSUE, without an enrolment: of the profile; may be NULL */
    const char *const *names; /* ISSUE: beside those of the CSR; NULL-terminated, may be NULL */
    int days;                 /* a shorter life than the profile's; 0: the profile's */
    const char *serial;       /* RENEW and REVOKE: of which certificate, hexadecimal */
    const char *reason;       /* REVOKE: as pki_revoke has it */
    int64_t device;           /* of the fleet, whose organisation the request is for; 0: none */
    int64_t organisation;     /* for which, where there is no device; 0: none */
    const char *requester;    /* the account, or what the proof says of the client ("acme:12", "CN=…") */
    const char *mail;         /* whom to remind before the certificate ends; may be NULL */
    const char *protocol;     /* "portal" "cli" "rest" "acme" "est" "scep" "cmp" */
    VigieBytes
        sealed_key;      /* a PKCS#8 key sealed with a password, to give out with the certificate; or empty */
    const char *address; /* where from; may be NULL */
    VigieProof proof;
    int64_t enrolment;
    const char *const *proven; /* NULL-terminated, may be NULL */
    VigieAgain again;
} VigiePkiRequest;

/* Adds it, unless it is there already (VigieAgain); state and number in ret_state (may be NULL) and ret_id. What the profile would refuse in any case is refused
 * here and not added: INVALID, DENIED, LIMIT, NOT_FOUND; CONFLICT where the same key is asked for and not decided yet. */
bool pki_request_add(VigieStore *store, const VigieProfiles *profiles, const VigiePkiRequest *request,
                     VigieTime now, int64_t *ret_id, VigiePkiState *ret_state, GError **error);

/* { "id", "kind": "issue" "renew" "revoke", "state": "requested" "validated" "issued" "refused", "profile", "authority",
 *   "names": [], "fields": {}, "key": "EC 256" or null, "csr_sha256" or null, "days", "replaces": serial or null, "certificate": its number, 0 none,
 *   "reason": of a revocation or null, "serial": of what was issued or null, "refusal": text or null, "device",
 *   "organisation": numbers, 0 none, "requester", "validator" or null, "protocol", "address" or null,
 *   "proof": "none" "enrolment" "certificate", "enrolment": number, 0 none, "requested", "validated", "ended": times or
 *   null, "dual_control", "validators": [ roles ], "evidence": [ { "id", "name", "type", "size", "sha256", "by", "at",
 *   "erased": bool, then without name and type } ] }. NOT_FOUND. */
json_t *pki_request_get(VigieStore *store, const VigieProfiles *profiles, int64_t id, GError **error);

typedef struct {
    int state;                       /* a VigiePkiState, or -1: any */
    const char *account;             /* whose own, or within whose roles' scope; NULL: any */
    int64_t device;                  /* 0: any */
    int64_t before;                  /* of a number less than this one: the next page; 0: from the newest */
    int limit;                       /* 0: 100 */
    const char *requester, *profile; /* NULL: any */
} VigiePkiFilter;
/* [ as above without "evidence" ], newest first. */
json_t *pki_request_list(VigieStore *store, const VigieProfiles *profiles, const VigiePkiFilter *filter,
                         GError **error);

/* A person's decisions. DENIED: no role of `account` covers it, or it is who asked; CONFLICT: not in a state for it. */
bool pki_request_validate(VigieStore *store, const VigieProfiles *profiles, int64_t id, const char *account,
                          VigieTime now, GError **error);
/* By who may validate, or by who asked. */
bool pki_request_refuse(VigieStore *store, const VigieProfiles *profiles, int64_t id, const char *account,
                        const char *reason, VigieTime now, GError **error);
/* Those that wait and that `account` may decide, newest first, `limit` (which is said) at most; of the newest 5,000. */
json_t *pki_request_queue(VigieStore *store, const VigieProfiles *profiles, const VigiePkiFilter *filter,
                          GError **error);
/* Many in one action, each by the rules above, in one commit: [ { "id", "done": bool, "why": text or null } ], in their order.
 * NULL where none was looked at: INVALID without a reason, or where there are too many. */
enum { PKI_DECIDE_MAX = 500 };
typedef struct {
    const int64_t *ids;
    size_t count;
    const char *account;
    const char *reason; /* they are refused with it; NULL: validated */
} VigiePkiDecision;
json_t *pki_request_decide(VigieStore *store, const VigieProfiles *profiles, const VigiePkiDecision *decision,
                           VigieTime now, GError **error);
/* May this account see it (asked, validates, or has another role over its organisation), decide it? */
bool pki_request_may(VigieStore *store, const VigieProfiles *profiles, int64_t id, const char *account,
                     bool *ret_see, bool *ret_decide, GError **error);

/* Waits until it is issued or refused, or so long; what it is then. A signer on an idle machine takes some 10 ms. */
bool pki_request_wait(VigieStore *store, int64_t id, int timeout_ms, VigiePkiState *ret_state,
                      GError **error);
/* The issued certificate, DER; CONFLICT where it is not issued (the refusal's text, where it is refused). Free with
 * g_byte_array_unref. */
GByteArray *pki_request_certificate(VigieStore *store, int64_t id, GError **error);

/* The sealed key that came with it, to be given out once: with the certificate, to who knows its password. NOT_FOUND where
 * there is none, or it was given out. Free with g_byte_array_unref. */
GByteArray *pki_request_key(VigieStore *store, int64_t id, GError **error);
/* It is given out to `account` now, and kept no longer; CONFLICT where another was faster. */
bool pki_request_key_taken(VigieStore *store, int64_t id, const char *account, VigieTime now, GError **error);

/* Papers that prove an identity or a right, 4 MiB at most, 16 a request: kept in the store, sealed with the key of
 * pki.evidence_key (`seal` NULL: there is none, UNAVAILABLE), their SHA-256 in the log. */
extern const VigieSealed pki_sealed;
bool pki_evidence_add(VigieStore *store, const VigieSeal *seal, int64_t request, const char *name,
                      const char *type, VigieBytes content, const char *account, VigieTime now,
                      GError **error);
/* That `account` read it is in the log. Free with g_bytes_unref; ret_name with g_free. NOT_FOUND. Ask pki_request_may first. */
GBytes *pki_evidence_get(VigieStore *store, const VigieSeal *seal, int64_t request, int64_t id,
                         const char *account, VigieTime now, char **ret_name, GError **error);
/* Erases those of requests whose certificate, and all that renewed it, ended until `issued`, and of requests refused until
 * `refused`. Size and SHA-256 stay. In no transaction. */
bool pki_evidence_forget(VigieStore *store, VigieTime issued, VigieTime refused, const char *who,
                         VigieTime now, int64_t *ret_count, GError **error);

/* What is to be told now of certificates that end, to the address that their request gave: [ { "certificate": id, "days": 90 30
 * 7, or 0: its authority was revoked, "serial", "subject", "not_after", "mail", "request": number, "profile", "device": number } ], each once it was said to
 * be sent no more. None of what was revoked or has a successor. */
json_t *pki_reminders_due(VigieStore *store, VigieTime now, GError **error);
bool pki_reminder_sent(VigieStore *store, int64_t certificate, int64_t days, VigieTime now, GError **error);

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

/* { "id", "name": "e7k2-…", "secret" }: name and secret are for the client. */
json_t *pki_enrolment_add(VigieStore *store, const VigieProfiles *profiles, const VigieEnrolment *enrolment,
                          VigieTime now, GError **error);
/* By its name: { "id", "name", "label", "authority", "profile", "names": [] or null, "challenge", "open", "uses", "used", "ends",
 * "usable": now, "device", "organisation", "account", "secret" }. Also where it cannot be used any more: by it a client hears
 * what came of a request of then; new ones are refused. NOT_FOUND. The secret is for MACs; compare it in constant time. */
json_t *pki_enrolment_find(VigieStore *store, const char *name, VigieTime now, GError **error);
/* The same for a name with its secret. DENIED, the same for a wrong name and a wrong secret. */
json_t *pki_enrolment_login(VigieStore *store, const char *name, const char *secret, VigieTime now,
                            GError **error);
/* [ as above without "secret" ], newest first. */
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
/* `path`: PEM, both. INVALID where they are not that; DENIED where the certificate is not one of ours, good now. */
VigieRegistrar *pki_registrar_load(VigieStore *store, const char *path, VigieTime now, GError **error);
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
    const char *address; /* the client's; may be NULL */
    int64_t wait;        /* seconds until this address may have a new account; 0: now */
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

/* ---- Lists and answers --------------------------------------------------------------------------------------- */
/* Makes and keeps what lists are due: one that is missing, one of whose life a quarter is left, one that something changed
 * after (in a delta list, where the authority has these, else in a full one); `full`: full ones at any rate.
 * [ { "file": "equipements.crl", "number", "entries", "next_update" } ], empty where none was due. */
json_t *pki_crl_publish(VigieStore *store, VigieAuthority *authority, bool full, const char *who,
                        VigieTime now, GError **error);
/* The list "equipements.crl" or "equipements-delta.crl", the certificate "equipements.cer", or one beside the tree
 * "racine-2-by-racine.cer", DER, as `file` names it below the address of publication; since when it holds and until when it
 * may be cached (0: not said). NOT_FOUND. Free with g_byte_array_unref. */
GByteArray *pki_published(VigieStore *store, const char *file, VigieTime *ret_since, VigieTime *ret_until,
                          GError **error);
/* The number of a list, which changes with it; 0 of what is no list. Cheap. */
bool pki_published_number(VigieStore *store, const char *file, int64_t *ret_number, GError **error);
/* Names of all that is published: [ "racine.cer", "racine.crl" … ]. */
json_t *pki_published_list(VigieStore *store, GError **error);

/* ---- The directory ------------------------------------------------------------------------------------------------
 * Certificates and lists in an LDAP directory (RFC 4523), below `base`: the authorities' own, and those of profiles that say
 * `directory`. */
typedef struct {
    const char *url, *base; /* "ldaps://annuaire.chu.example", "ou=certificats,dc=chu,dc=example" */
    const char *user, *password_file, *ca_file; /* "": none */
    bool start_tls;                             /* on ldap:// */
} VigieDirectory;
/* Of the configuration (pki.directory…), which it borrows; false where none is named. */
bool pki_directory_settings(const VigieConfig *config, VigieDirectory *ret_directory);
#define PKI_JOB_DIRECTORY "pki-directory"
/* Sends what differs from what was sent before. UNAVAILABLE where the directory does not answer or refuses: what was sent stays
 * sent, and the rest is due. ret_changed, may be NULL. */
bool pki_directory_publish(VigieStore *store, const VigieProfiles *profiles, const VigieDirectory *directory,
                           VigieTime now, int64_t *ret_changed, GError **error);

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
/* A process without keys asks one that has them, over a pair of sockets (SOCK_SEQPACKET) that both keep: for an answer with a
 * nonce, about several certificates, and about what was not signed beforehand. It waits 250 ms at most, for one answer at a time, a
 * thousand certificates a second; where none comes it answers as without keys. Any thread. `fd` is borrowed. */
typedef struct VigieOcspClient VigieOcspClient;
VigieOcspClient *pki_ocsp_client_new(int fd);
void pki_ocsp_client_free(VigieOcspClient *client);
/* Borrowed; it outlives `ocsp`, or what is answered by it. */
void pki_ocsp_set_client(VigieOcsp *ocsp, VigieOcspClient *client);

/* The process with the keys: takes the key of the authority's responder where it is another than the one it has. NOT_FOUND. */
bool pki_ocsp_follow(VigieOcsp *ocsp, VigieStore *store, const char *authority, VigiePassphrase passphrase,
                     void *data, GError **error);
/* Answers one question that waits at `fd`, which is taken as a stranger's. Does not wait. False where the store or the key
 * fails; who asked is told that there is no answer. */
bool pki_ocsp_serve(VigieOcsp *ocsp, VigieStore *store, int fd, VigieTime now, GError **error);

/* Signs answers for the certificates of an authority that have none, or one half of whose life is over. */
bool pki_ocsp_sign_all(VigieOcsp *ocsp, VigieStore *store, const char *authority, const char *who,
                       VigieTime now, int64_t *ret_signed, GError **error);

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
