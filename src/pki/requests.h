/* requests: who may ask and decide, what is asked, and what comes with it. Part of pki/pki.h. */
#pragma once

#include "pki/profiles.h"
#include "store/store.h"

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
