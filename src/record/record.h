/* record: what was seen at one endpoint, the same whoever saw it: the survey, later the listener and the capture.
 *
 * A target says where to look; a record says what was there, immutable once made; findings say what of it is wrong,
 * derived by rules that live in knowledge/; a diagnosis says it in words. The fleet stores records, the faces show them.
 */
#pragma once

#include "base/base.h"
#include "tls/tls.h"
#include "x509/x509.h"

/* ---- Targets ------------------------------------------------------------------------------------------------ */
/* What is spoken on a port. Direct: TLS from the first byte. STARTTLS: a clear dialogue first. */
typedef enum {
    VIGIE_PROTOCOL_TLS, /* TLS direct, what is inside is not known */
    VIGIE_PROTOCOL_HTTPS,
    VIGIE_PROTOCOL_DICOM, /* DICOM TLS, PS3.15 B.1, port 2762 */
    VIGIE_PROTOCOL_MLLP,  /* HL7 v2 MLLP over TLS */
    VIGIE_PROTOCOL_FHIR,
    VIGIE_PROTOCOL_DICOMWEB,
    VIGIE_PROTOCOL_LDAPS,
    VIGIE_PROTOCOL_SMTPS,
    VIGIE_PROTOCOL_IMAPS,
    VIGIE_PROTOCOL_POP3S,
    VIGIE_PROTOCOL_FTPS,
    VIGIE_PROTOCOL_SMTP, /* from here on STARTTLS */
    VIGIE_PROTOCOL_IMAP,
    VIGIE_PROTOCOL_POP3,
    VIGIE_PROTOCOL_FTP,
    VIGIE_PROTOCOL_LDAP,
    VIGIE_PROTOCOL_POSTGRESQL,
    VIGIE_PROTOCOL_MYSQL,
    VIGIE_PROTOCOL_XMPP,
    VIGIE_PROTOCOLS
} VigieProtocol;

const char *vigie_protocol_name(VigieProtocol protocol); /* "https", "dicom" … */
bool vigie_protocol_parse(const char *name, VigieProtocol *ret_protocol);
VigieProtocol vigie_protocol_of_port(uint16_t port); /* 443 https, 2762 dicom, 25 and 587 smtp … else tls */
bool vigie_protocol_starttls(VigieProtocol protocol);

typedef struct {
    char *host;    /* as given, UTF-8: a name or an address */
    char *connect; /* address to dial instead of resolving host; NULL: resolve */
    char *name;    /* name for SNI and for the match; NULL: host */
    uint16_t port;
    VigieProtocol protocol;
    bool gentle; /* belongs to a medical device: one connection at a time, pauses, nothing unusual sent */
    int64_t tag; /* the caller's own, handed back in the record (an endpoint's id) */
} VigieTarget;

void vigie_target_clear(VigieTarget *target);
/* "host:port/protocol", an IPv6 address in brackets: the form that records show. Free with g_free. */
char *vigie_target_text(const VigieTarget *target);

/* ---- Records ------------------------------------------------------------------------------------------------ */
typedef enum { VIGIE_DEPTH_CERTIFICATE, VIGIE_DEPTH_PROTOCOLS, VIGIE_DEPTH_FULL } VigieDepth;

typedef enum {
    VIGIE_OUTCOME_OK,
    VIGIE_OUTCOME_NAME_NOT_FOUND,
    VIGIE_OUTCOME_NAME_FAILED, /* the resolver did not answer */
    VIGIE_OUTCOME_REFUSED,
    VIGIE_OUTCOME_UNREACHABLE,
    VIGIE_OUTCOME_TIMEOUT_CONNECT,
    VIGIE_OUTCOME_TIMEOUT_HANDSHAKE,
    VIGIE_OUTCOME_RESET_AFTER_HELLO,
    VIGIE_OUTCOME_CLOSED_AFTER_HELLO,
    VIGIE_OUTCOME_NOT_TLS,   /* detail: what it speaks: http smtp ssh dicom mllp telnet ftp … unknown */
    VIGIE_OUTCOME_ALERT,     /* detail: the alert's name, RFC 8446 B.2 */
    VIGIE_OUTCOME_MALFORMED, /* detail: the clause that the answer breaks */
    VIGIE_OUTCOME_STARTTLS_REFUSED, /* detail: the protocol's own answer, shortened */
    VIGIE_OUTCOME_LIMIT,            /* detail: which of our bounds the answer went past */
    VIGIE_OUTCOME_INTERRUPTED,
    VIGIE_OUTCOMES
} VigieOutcome;

/* "ok", "refused", "not-tls", "alert" …: the outcome's first part; with its detail: "alert:handshake_failure". */
const char *vigie_outcome_name(VigieOutcome outcome);

typedef enum { VIGIE_UNKNOWN = -1, VIGIE_NO = 0, VIGIE_YES = 1 } VigieTernary;

typedef enum {
    VIGIE_SEVERITY_INFO,
    VIGIE_SEVERITY_LOW,
    VIGIE_SEVERITY_MEDIUM,
    VIGIE_SEVERITY_HIGH,
    VIGIE_SEVERITY_CRITICAL
} VigieSeverity;
const char *vigie_severity_name(VigieSeverity severity);
bool vigie_severity_parse(const char *name, VigieSeverity *ret_severity);

/* One thing that is wrong, or will be. `id` is one of knowledge/diagnosis.json's. */
typedef struct {
    const char *id; /* static or interned: never freed */
    VigieSeverity severity;
    json_t *evidence; /* an object, what was measured: {"days": 3, "not_after": "…"}; owned by the finding */
} VigieFinding;

typedef struct {
    VigieTarget target;
    char address[48]; /* the address dialled, "" where none */
    VigieDepth depth;
    VigieTime time; /* when the examination began */
    VigieOutcome outcome;
    char detail[96]; /* printable ASCII */

    uint8_t versions_tested; /* bit masks of 1 << VigieVersion */
    uint8_t versions_offered;
    struct {
        uint32_t *ids; /* IANA values (SSLv2: three octets), in server preference order; owned */
        size_t count;
    } suites[VIGIE_VERSIONS];
    VigieTernary server_preference;
    uint16_t *groups; /* IANA values; owned */
    size_t group_count;

    VigieVersion version; /* of the handshake in which the chain was read; VIGIE_VERSIONS where none was */
    uint32_t suite;       /* chosen in it, by its IANA value; 0 where there was none */
    VigieChain *chain;    /* as served, leaf first; shared, counted (x509/); NULL where none was seen */
    VigieTrust trust;     /* x509/'s verdict on it against the roots given */
    VigieTernary name_match;
    VigieTernary client_certificate; /* demanded */
    bool clock_known;
    int64_t clock_offset;     /* seconds, device minus here */
    const char *clock_source; /* "http-date", "tls-random", "smtp-date" …; static */

    struct {
        double resolve_ms, connect_ms, handshake_ms, total_ms; /* -1 where it did not come to it */
        unsigned connections;
        unsigned bytes_sent, bytes_received;
    } timings;

    VigieFinding *findings; /* in the order in which to act; owned */
    size_t finding_count;
} VigieRecord;

/* Frees what it holds and leaves a record of which nothing is known; good on a zeroed record too, so an engine starts
 * each one with it. */
void vigie_record_clear(VigieRecord *record);

/* One line of JSON without the newline: the record's public form, described in doc/record.md. */
void record_append_json(const VigieRecord *record, GString *out);

/* ---- Findings ----------------------------------------------------------------------------------------------- */
/* Derives record->findings from what was seen, by the rules of knowledge/findings.json, at `now`. */
typedef struct VigieRules VigieRules;
VigieRules *record_rules_load(GError **error);
void record_rules_free(VigieRules *rules);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieRules, record_rules_free)
void record_rules_apply(const VigieRules *rules, VigieRecord *record, VigieTime now);

/* ---- Diagnosis ----------------------------------------------------------------------------------------------
 * A record in words, in the order of what to do first (the golden rule: the clock before all else): an object
 *     { "target", "address", "protocol", "outcome": …, "healthy": bool, "headline": "…",
 *       "causes": [ { "id", "severity", "order", "name", "title", "symptom", "cause", "evidence",
 *                     "action": [ "…" ], "ask_dsi", "next": "…" or null, "terms": [ "csr" … ],
 *                     "measured": { the finding's evidence } } ],
 *       "checks": [ { "id", "known": bool, "text" } ], what was found in order, or could not be known,
 *       "advice": [ "…" ], what to check on a device that fails although this end is sound,
 *       "glossary": [ { "id", "term", "definition", "remember" } ] }
 * from knowledge/diagnosis.json and knowledge/glossary.json. Both are loaded and checked by record_rules_load.
 * Findings of severity info are remarks: they do not make an endpoint unhealthy. "order" is the id's rank among all
 * in the order of what to do first. "name" is short and fixed ("Certificat expiré"), "title" tells what was measured.
 */
json_t *record_diagnose(const VigieRules *rules, const VigieRecord *record, VigieLang lang, GTimeZone *zone,
                        VigieTime now);
/* The short title of a finding's id in a language ("Certificat expiré"); the id itself where it is unknown. */
const char *record_finding_title(const VigieRules *rules, const char *id, VigieLang lang);
/* One finding in words, the same object as in "causes": for pages that show stored findings. */
json_t *record_explain(const VigieRules *rules, const char *id, VigieSeverity severity,
                       const json_t *evidence, VigieLang lang, GTimeZone *zone, VigieTime now);
