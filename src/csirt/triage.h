/* The rules of the CSIRT that need no store: facts, priority, escalation, deadlines, marking, scores, references.
 *
 * Part of the public header csirt/csirt.h; apart from it, so that the rules can be read and tested without the cases.
 * Every function here is pure: what it needs comes in, what it decides comes out with its reasons, the same each time.
 * The rules themselves are data below knowledge/csirt/; texts for people are {"fr", "en"} objects within them. JSON that
 * is returned is new (the caller's) unless it is const (borrowed). */
#pragma once

#include "base/base.h"

/* Reads and checks all of knowledge/csirt/ once; idempotent, not thread-safe: call it at start, beside vigie_words_load.
 * The error names file and member. Whatever below needs rules aborts where this was not called. */
bool csirt_rules_load(GError **error);

/* ---- Facts (facts.c; facts.json) ----------------------------------------------------------------------------
 * What is known of a case, one flat object: { "threat": "high", "care": ["emergency"], "beds": 320, "degraded": true … }.
 * A fact that is not known is absent. facts.json declares each: its type (choice: one of its values, in rising order;
 * choices: several; flag; number; text; time: RFC 3339; vector: CVSS), its words, its block of the declaration. */
const json_t *
csirt_facts(void); /* { name: { "type", "text", "values": [ { "name", "text" } ], "max", "block", "of" } } */
/* Each member must be declared and of its type; the error names it. Facts "of" the case itself (kind, likelihood, urgent,
 * verified) are refused: the store adds them from its own columns when it asks for priority, escalations and clocks. */
bool csirt_facts_check(const json_t *facts, GError **error);

/* ---- Priority (priority.c; priority.json) -------------------------------------------------------------------
 * { "score": 0 to 100, "band": 1 (first) to 4, "reasons": [ { "id", "points", "text" } ], heaviest first, after the one
 *   whose "floor" set the band }.
 * A worse value of an ordered fact never lowers the score nor the band. NULL where a fact is wrong. */
json_t *csirt_priority(const json_t *facts, GError **error);
/* [ fact ]: those that are not known and could still make the band more pressing, the strongest first. Tries each: ten times
 * the price of the priority. */
json_t *csirt_priority_missing(const json_t *facts, GError **error);

/* ---- Escalation (escalation.c; escalation.json) -------------------------------------------------------------
 * Who should be told, for a person to confirm, one entry a partner, the urgent first: [ { "partner": "corruss", "name", "audience" (of
 *   csirt_may_leave), "rule", "reason", "reference" (of the weightiest rule), "reasons": [ { "rule", "text", "reference" } ], "urgent",
 *   "mandated": whether the team's mission asks for it, without the owner's consent, "sees": [ members ] } ].
 * Members: csirt_members. Never the source. */
json_t *csirt_escalations(const json_t *facts, GError **error);
/* What a case consists of, for who may see which part: { name: { "text", "from": [ members of the case ] } } of release.json. */
const json_t *csirt_members(void);

/* ---- Calendar (calendar.c; holidays.json) -------------------------------------------------------------------
 * Opening hours of the team: "hours": { "mon": "09:00-12:30 13:30-18:00" …, a day that is absent is closed }, "closed":
 * [ "2026-12-24" ], "holidays": "metropole", "alsace-moselle", "guadeloupe" … or "none". Wall clock times of `zone`. */
typedef struct VigieCalendar VigieCalendar;
VigieCalendar *csirt_calendar_new(const json_t *team, GTimeZone *zone, GError **error);
void csirt_calendar_free(VigieCalendar *calendar);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieCalendar, csirt_calendar_free)

bool csirt_calendar_open_at(const VigieCalendar *calendar, VigieTime time);
/* When it opens next: `time` itself while open; 0 where it never does within two years. */
VigieTime csirt_calendar_opening(const VigieCalendar *calendar, VigieTime time);
/* `days` working days on: what comes outside the hours counts from the next opening; the clock's time is kept, and moved to
 * that day's closing where the day is shorter. 0 as above. */
VigieTime csirt_calendar_add_days(const VigieCalendar *calendar, VigieTime start, int days);
/* So many seconds of open hours on. 0 as above. */
VigieTime csirt_calendar_add_open(const VigieCalendar *calendar, VigieTime start, int64_t seconds);
/* Why the team is closed on that day: { "fr", "en" }, borrowed; NULL where it is no holiday. */
const json_t *csirt_holiday(const char *region, int year, int month, int day);
/* Sunday of Easter in the Gregorian calendar; year 1583 on. */
void csirt_easter(int year, int *ret_month, int *ret_day);

/* ---- Roster (roster.c) --------------------------------------------------------------------------------------
 * The team's "roster": [ { "name", "phone", "mail", "account", "from", "until" } ] (RFC 3339), and any of { "rotation": [ { "name",
 * "phone", "mail", "account" } ], "from", "days": 7 }, which changes hands every so many days at the wall clock time of "from". What
 * stands later replaces what stands earlier: an exchange is one more line. */
bool csirt_roster_check(const json_t *roster, GError **error);
/* { "name", "phone", "mail", "account", "until" }, or NULL: nobody. */
json_t *csirt_roster_at(const json_t *roster, GTimeZone *zone, VigieTime time);

/* ---- Clocks (clocks.c; clocks.json) -------------------------------------------------------------------------
 * The promises of the CSIRT and the legal deadlines of the declarant, side by side. `events` are times by name: { "received",
 * "answered", "found", "qualified", "closed", "rejected", "ans-declared", "nis2-warned", "nis2-notified", "nis2-reported",
 * "cnil-notified" … }, RFC 3339 or null; csirt_clock_events lists those that the rules know.
 * [ { "id", "owner": "csirt" or "declarant", "text", "delay": { "fr", "en" }, "law", "starts_by", "stops_by", "start", "due",
 *   "end", "state": "not-started", "running", "late", "met", "stopped", "on_time": null until met, "left": seconds, negative
 *   when late } ]; "due" is null where the law says "without delay". Clocks that the facts do not call for are left out. */
json_t *csirt_clocks(const json_t *facts, const json_t *events, const VigieCalendar *calendar, VigieTime now,
                     GError **error);
const json_t *csirt_clock_events(void); /* { name: { "fr", "en" } } */

/* ---- Labels (label.c) ---------------------------------------------------------------------------------------
 * TLP 2.0 (FIRST, 2022) and PAP; in rising strictness, so that the stricter is the greater. Labels are never translated. */
typedef enum {
    VIGIE_TLP_CLEAR,
    VIGIE_TLP_GREEN,
    VIGIE_TLP_AMBER,
    VIGIE_TLP_AMBER_STRICT,
    VIGIE_TLP_RED,
    VIGIE_TLPS
} VigieTlp;
typedef enum { VIGIE_PAP_CLEAR, VIGIE_PAP_GREEN, VIGIE_PAP_AMBER, VIGIE_PAP_RED, VIGIE_PAPS } VigiePap;

/* "AMBER+STRICT", "TLP:amber+strict"; TLP 1.0's WHITE is refused with what to write instead. */
bool csirt_tlp_parse(const char *text, VigieTlp *ret_tlp, GError **error);
bool csirt_pap_parse(const char *text, VigiePap *ret_pap, GError **error);
const char *csirt_tlp_name(VigieTlp tlp);   /* "AMBER+STRICT" */
const char *csirt_tlp_label(VigieTlp tlp);  /* "TLP:AMBER+STRICT" */
const char *csirt_tlp_colour(VigieTlp tlp); /* "#FFC000", on black */
const char *csirt_pap_name(VigiePap pap);
const char *csirt_pap_label(VigiePap pap);
const char *csirt_pap_colour(VigiePap pap);
/* The label of what holds both: the stricter. */
VigieTlp csirt_tlp_combine(VigieTlp a, VigieTlp b);
VigiePap csirt_pap_combine(VigiePap a, VigiePap b);
/* "[TLP:AMBER+STRICT] subject"; marks that stood in front of it are taken off. Free with g_free. */
char *csirt_tlp_subject(VigieTlp tlp, const char *subject);
/* The label before and after the text, PAP beside it where it is not CLEAR: "TLP:GREEN PAP:AMBER\n\n…". Free with g_free. */
char *csirt_tlp_body(VigieTlp tlp, VigiePap pap, const char *body);
/* The strictest label that a text bears ("[TLP:RED]" in a subject); false where there is none. WHITE counts as CLEAR. */
bool csirt_tlp_find(const char *text, VigieTlp *ret_tlp);

/* ---- What may leave (release.c; release.json) --------------------------------------------------------------- */
typedef struct {
    VigieTlp tlp;
    const char *audience; /* declarant organisation authority partner supplier community public */
    const char *channel;  /* mail phone page portal api export feed statistics */
    bool encrypted; /* to the recipient; of a channel that is confidential by itself it need not be said */
    bool consent;   /* of the owner, recorded, valid now, for this audience and these members */
    bool mandated;  /* a confirmed escalation that a rule calls for */
} VigieRelease;

/* Whether it may; *ret_reason (may be NULL) is the key of the words that say why, or what would be needed:
 * "csirt.release.encrypt" … What is not in the table may not. */
bool csirt_may_leave(const VigieRelease *release, const char **ret_reason);
/* Whether the label allows what somebody wants to do with the information: "offline" (look into what we hold), "block",
 * "lookup" (ask a third party), "active" (touch the attacker's infrastructure). */
bool csirt_pap_may(VigiePap pap, const char *action);

/* ---- CVSS (cvss.c, cvss3.c, cvss4.c; cvss4.json) ------------------------------------------------------------ */
typedef enum {
    CSIRT_CVSS_NONE,
    CSIRT_CVSS_LOW,
    CSIRT_CVSS_MEDIUM,
    CSIRT_CVSS_HIGH,
    CSIRT_CVSS_CRITICAL
} VigieCvssSeverity;
enum { CSIRT_CVSS_VECTOR_MAX = 320 };

typedef struct {
    const char *version; /* "3.0", "3.1", "4.0" */
    const char *
        groups; /* what the score is made of, 4.0's nomenclature: "B", "BT" (temporal, threat), "BE", "BTE" */
    int score;  /* times 10: of all metrics given */
    int base;   /* times 10: of the base metrics alone */
    VigieCvssSeverity severity;         /* of score */
    char vector[CSIRT_CVSS_VECTOR_MAX]; /* in the order of the specification, without what is not defined */
} VigieCvss;

/* Exact: no floating point decides a tenth. The error says which metric and why. */
bool csirt_cvss_score(const char *vector, VigieCvss *ret_cvss, GError **error);
const char *
csirt_cvss_severity_name(VigieCvssSeverity severity); /* "none" "low" "medium" "high" "critical" */

/* ---- SSVC (ssvc.c; ssvc.json) -------------------------------------------------------------------------------
 * Trees: "deployer", "coordinator-triage", "coordinator-publish", "supplier", "cisa", "bod". */
const json_t *csirt_ssvc_trees(
    void); /* { tree: { "text", "points": [ names ], "outcomes" … } } and the points with values */
/* answers: { point: value }; a point that follows from others ("human-impact" from "safety" and "mission") may be given
 * itself or by them. { "tree", "outcome": name or null, "text", "possible": [ outcomes that the answers leave, mildest first ],
 * "next": the question that narrows most, or null, "path": [ { "point", "value", "text" } ] }. */
json_t *csirt_ssvc_decide(const char *tree, const json_t *answers, GError **error);

/* ---- Taxonomy (taxonomy.c; taxonomy.json) -------------------------------------------------------------------
 * The Reference Security Incident Taxonomy: [ { "id": "malicious-code", "name", "types": [ { "id":
 * "malicious-code/c2-server", "name", "description" } ] } ]. A category of a case is the id of either. */
const json_t *csirt_taxonomy(void);
/* Its "name"; NULL where there is no such category. */
const json_t *csirt_category(const char *id);

/* ---- References (reference.c) -------------------------------------------------------------------------------
 * "VIG-2026-000123-K": prefix of the team, year, number within the year (six digits, more when needed), check letter.
 * The check letter catches any one wrong digit and any two digits (or digit and letter) that changed places. */
typedef struct {
    int year;       /* 2000 to 9999 */
    int64_t number; /* 1 to 999,999,999 */
} VigieReference;

enum { CSIRT_REFERENCE_MAX = 40 }; /* characters, its NUL included */

/* Two to twelve capital letters or digits, the first a letter: what the team's "prefix" may be. */
bool csirt_prefix_valid(const char *prefix);
/* Free with g_free. */
char *csirt_reference_text(const char *prefix, VigieReference reference);
/* Accepts lower case, and spaces or dashes (of any kind) anywhere or nowhere. The error says what is wrong: another
 * team's prefix, not a digit, missing or wrong check letter. */
bool csirt_reference_parse(const char *prefix, const char *text, VigieReference *ret_reference,
                           GError **error);
/* The valid references within a text (a mail's subject), each once, in their order; 16 at most, from the first 4,096
 * bytes. Free with g_array_unref; elements are VigieReference. */
GArray *csirt_references_find(const char *prefix, const char *text);

/* ---- Codes (code.c) -----------------------------------------------------------------------------------------
 * Secrets that people copy, type and read aloud: groups of four of 32 letters and digits, none of I, L, O, U.
 * Four groups are 80 bits (a receipt), three are 60 (the code by which a notice is checked, behind a rate limit). */
enum { CSIRT_CODE_RECEIPT = 4, CSIRT_CODE_NOTICE = 3 };
char *csirt_code_new(int groups); /* "K7QM-4XTB-…"; free with g_free */
/* What is stored: SHA-256 of the code as it is meant, whatever its case and separators, with O read as 0, I and L as 1, U as V.
 * NULL where it cannot be a code. Hexadecimal; free with g_free. */
char *csirt_code_hash(const char *code);
bool csirt_code_matches(const char *code, const char *hash); /* in constant time */
/* "Kléber, sept, Québec …", "Kilo, seven …": to be read on the phone. Free with g_free. */
char *csirt_code_spell(VigieLang lang, const char *code);

/* ---- Statistics (suppress.c) --------------------------------------------------------------------------------
 * A table of counts by two dimensions, published with the totals of its rows and columns and its grand total. What is
 * hidden cannot be computed from what is shown, to the exact number nor to a range narrower than the threshold. */
enum { CSIRT_TABLE_MAX = 64 }; /* rows, and columns */
typedef struct {
    size_t rows, columns;
    const int64_t *counts;            /* rows × columns, none negative */
    bool *hidden;                     /* the same */
    bool *row_hidden, *column_hidden; /* totals that are held back too */
    bool total_hidden;
    /* Totals that another table of the same publication shows, or lets be computed; may be NULL. */
    const bool *row_known, *column_known;
    bool total_known;
} VigieTable;
/* Hides counts of 1 to threshold - 1, small totals alike, and as few others as protect those: never a total that is known and not
 * small, since that would protect nothing. INVALID where what is known gives a small count away, whatever is hidden. */
bool csirt_suppress(VigieTable *table, int64_t threshold, GError **error);
