/* csirt: the desk. What is declared or found becomes a case; a case is qualified, ordered, told of in confidence and
 * followed until it is mended.
 *
 * Reading functions return a resource as JSON: the API's answer and what page templates render. Raw facts alone: ids, RFC
 * 3339 times, enumerations by name; words are in knowledge/words/csirt.json ("csirt.state.received" …). Members that are
 * not known are null, never missing. Every function is one thread's, the store's; those that write are each one
 * transaction (a savepoint in the caller's), which ends in one line of the case's timeline.
 *
 * Enumerations:
 *   kind        incident (declared by who suffers it), vulnerability and incident-report (signalements: about another),
 *               request
 *   state       received acknowledged qualified in-progress resolved closed, rejected, merged; what may follow what is a table
 *               in state.c
 *   channel     form mail phone api survey partner
 *   source      open: the declarant is a party of the case; protected: sealed to the head of CSIRT's key, read by no process
 *               of ours; anonymous: nothing was kept
 *   likelihood  certain likely uncertain, null
 *   tlp         RED AMBER+STRICT AMBER GREEN CLEAR          pap  RED AMBER GREEN CLEAR
 *   band        1 (first) to 4
 *
 * Who asks is a VigieAnalyst. Nobody without `may` sees any case; a restricted case is seen by those whom it names and the
 * head alone, and for the others it does not exist (NOT_FOUND). Each look at a RED case is kept. */
#pragma once

#include "base/base.h"
#include "csirt/triage.h"
#include "store/store.h"

typedef struct {
    const char *name; /* the account */
    bool may;         /* works at the desk */
    bool head;        /* of the CSIRT: decides on access, consent, overrides of the label */
} VigieAnalyst;

/* ---- The team -----------------------------------------------------------------------------------------------
 * Who we are: the file csirt.team, JSON, as the examples of knowledge/csirt/teams/ (one for each kind of team):
 *   { "name", "prefix": "VIG", "language", "address", "site", "phones": [ { "number", "note" } ],
 *     "mailboxes": { "incident", "contact" }, "openpgp": { "fingerprint", "url" }, "constituency", "authority",
 *     "hours": { "mon": "09:00-18:00" … }, "closed": [ days ], "holidays": "metropole", "urgent": "24/7" or "hours",
 *     "first_answer": "1 working day", "roster": [ … ], "signature": { "fr", "en" },
 *     "call_back": { "number", "script": { "fr", "en" } },
 *     "partners": [ { "id": "corruss", "name", "mail", "phone", "fingerprint", "language" } ] } */
typedef struct VigieTeam VigieTeam;
/* From csirt.team, and the keys that csirt.artefact_key and csirt.head_certificate name; each thing that is wrong is said with its
 * member and an example. NULL without an error where csirt.team is empty: there is no desk. */
VigieTeam *csirt_team_load(const VigieConfig *config, GError **error);
void csirt_team_free(VigieTeam *team);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieTeam, csirt_team_free)
const json_t *csirt_team_json(const VigieTeam *team); /* borrowed */

/* ---- Opening ------------------------------------------------------------------------------------------------ */
typedef struct {
    const char *kind, *channel, *source, *title;
    int64_t organisation; /* of the fleet; 0: not known */
    const char *organisation_name;
    const char *tlp, *pap; /* NULL: the team's default, AMBER */
    bool urgent;
    const json_t *facts; /* csirt_facts_check's members; may be NULL */
    const char *text;    /* what happened, in the declarant's words: becomes the first message; may be NULL */
    const json_t *
        declarant; /* { "name", "mail", "phone", "role", "language" }; open: becomes a party; protected: sealed;
                                anonymous: refused */
    const char *author;     /* the analyst who opens it; NULL: comes from outside */
    const char *unique_key; /* accepted once: a second opening answers the first one's; may be NULL */
    const char *receipt;    /* the code of the receipt, where whoever opens it has made it; NULL: a new one */
} VigieOpening;

typedef struct {
    int64_t id;
    char *reference; /* "VIG-2026-000123-K" */
    char
        *receipt; /* the secret code that goes with it; told once, a hash is kept; NULL on a second opening */
} VigieOpened;
void csirt_opened_clear(VigieOpened *opened);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VigieOpened, csirt_opened_clear)

/* Accepts: the case, its first line and message, its priority by the rules, its word index. Durable when the caller's
 * transaction is. What is too long is refused by member; nothing else of what a stranger says is. */
bool csirt_case_open(VigieStore *store, const VigieTeam *team, const VigieOpening *opening, VigieTime now,
                     VigieOpened *ret, GError **error);
/* The case that a reference and a code open, whatever their spelling. DENIED, the same for both, where they do not go together. */
bool csirt_receipt_open(VigieStore *store, const VigieTeam *team, const char *reference, const char *code,
                        int64_t *ret_id, GError **error);
/* What the declarant may see with the receipt: { "reference", "state", "received", "title", "messages": [ to and from the declarant
 * ], "expected" }. */
json_t *csirt_receipt_get(VigieStore *store, int64_t id, VigieTime now, GError **error);
/* More, later: a message of the declarant, by receipt. Reopens what was closed. A `unique_key` (may be NULL) that is there
 * already changes nothing. */
bool csirt_receipt_add(VigieStore *store, const VigieTeam *team, int64_t id, const char *text,
                       const json_t *facts, const char *unique_key, VigieTime now, int64_t *ret_message,
                       GError **error);

/* ---- Reading ------------------------------------------------------------------------------------------------ */
enum { CSIRT_PAGE_SIZE = 50, CSIRT_COUNT_MAX = 10000, CSIRT_LOAD_MAX = 1000 };

typedef struct {
    const char *state;                 /* a state, "active" (also NULL), or "all" */
    const char *kind, *tlp, *assignee; /* assignee "-": nobody's */
    int64_t organisation, band;
    bool overdue;
    const char *q; /* words, each the beginning of one of the case's, or a reference */
    int64_t page;  /* from 1; 0 is 1 */
} VigieCaseFilter;
bool csirt_filter_set(VigieCaseFilter *filter, const char *name, const char *value, GError **error);

/* The queue: { "total", "counted": false where there are that many or more, "page", "pages", "items": [ case ] }, by band, urgent
 * first, then score, then age.
 * A case: { "id", "reference", "kind", "state", "channel", "title", "organisation": { "id", "name" }, "category", "likelihood", "verified",
 *   "tlp", "pap", "restricted", "source", "urgent", "band", "score", "reasons": [ { "id", "points", "text": { "fr", "en" } } ],
 *   "override": { "band", "reason", "by", "time" } or null, "assignee", "due", "received", "answered", "closed", "updated" } */
json_t *csirt_case_list(VigieStore *store, const VigieAnalyst *who, const VigieCaseFilter *filter,
                        VigieTime now, GError **error);
/* "proposed": the organisations of the fleet that it may be about, none where a person said which: [ { "id", "name", "finess", "devices": how
 * many, "contacts": [ { "role", "name", "mail" } ], "by": finess name domain (of the declarant, where the source is open), "value" } ].
 * A case with "facts", "expected", "merged_into", "parties", "messages", "artefacts" (without their content), "tasks", "links" (each with a
 * "name"), "consents", "access", "escalations", "timeline": [ { "seq", "time", "author", "kind", "details" } ], "clocks"
 * (csirt_clocks), "missing" (facts that could still make it more pressing), "events", "readings" (for the head: who looked at it
 * while it was RED), "next": [ states that may follow ]. Keeps the look where it is RED. */
json_t *csirt_case_get(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                       VigieTime now, GError **error);
/* NOT_FOUND where it does not exist for `who`, DENIED where `who` does not work at the desk: asked before the functions below
 * that take an author's name alone, where a person acts. */
bool csirt_case_check(VigieStore *store, const VigieAnalyst *who, int64_t id, GError **error);
/* The id of a reference as people write it. */
bool csirt_case_find(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, const char *reference,
                     int64_t *ret_id, GError **error);
/* Indexes the words of at most so many cases that came or changed since; a search does it for a few hundred, a job of the worker for
 * the rest. *ret_indexed 0: none is left. */
#define CSIRT_JOB_WORDS "case-words" /* no payload */
bool csirt_words_ask(VigieStore *store, VigieTime now,
                     GError **error); /* adds the job where there is something to do */
bool csirt_words_index(VigieStore *store, int64_t most, int64_t *ret_indexed, GError **error);
/* Counts stop at CSIRT_LOAD_MAX: { "active", "unassigned", "overdue", "urgent", "by_band": { "1" … }, "by_state", "by_assignee": [ { "name", "cases", "overdue" } ],
 *   "tasks_due", "on_call": { "name", "phone" } or null, "open": bool (opening hours) } */
json_t *csirt_load(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, VigieTime now,
                   GError **error);
/* Recomputes the chain of hashes: { "cases", "entries", "faults": [ { "reference", "seq", "fault": "changed" "missing" "cut" "head"
 * } ] }, the first 1,000; `id` 0: of every case. */
json_t *csirt_timeline_verify(VigieStore *store, int64_t id, GError **error);
/* An anchor of all timelines as they are: four lines of text to keep where the database is not. Makes it where something happened
 * since the last one. NOT_FOUND where there is no case. Free with g_free. */
char *csirt_anchor(VigieStore *store, VigieTime now, GError **error);
/* Holds the store against an anchor that was kept, as it was written or within a mail; adds what is wrong to `faults`, as
 * csirt_timeline_verify's: "anchor" (a line is another than it was), "anchor-missing", "anchor-digest" (the heads were rewritten). Whether
 * the lines before are the same is what csirt_timeline_verify says. INVALID where it is none. */
bool csirt_anchor_verify(VigieStore *store, const char *text, json_t *faults, GError **error);

/* ---- Sentences ----------------------------------------------------------------------------------------------
 * What the program itself says is kept as the key of its words and what fills them, and said in the reader's language. */
/* `values` (may be NULL) are texts, numbers, or texts in both languages. Free with g_free. */
char *csirt_sentence(VigieLang lang, const char *key, const json_t *values);
json_t *csirt_sentences(const char *key, const json_t *values); /* { "fr", "en" } */

/* ---- Working ------------------------------------------------------------------------------------------------ */
/* The members of `fields` that change: title organisation organisation_name kind category likelihood verified (RFC 3339) tlp
 * pap urgent assignee expected restricted (head), and facts and events (of csirt_clock_events), which are merged member by
 * member, null removing one. Recomputes priority and deadlines. A label that becomes
 * less strict needs "reason" (head, or the owner's consent); of the program (`who` NULL) it is the key of the words. */
bool csirt_case_change(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                       const json_t *fields, VigieTime now, GError **error);
/* CONFLICT where the table does not allow it; `reason` is needed for rejected and reopened; of the program (`who` NULL), which
 * has reasons of its own, it is the key of the words. */
bool csirt_case_move(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                     const char *state, const char *reason, VigieTime now, GError **error);
/* band 0 gives the order back to the rules. */
bool csirt_case_override(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                         int64_t band, const char *reason, VigieTime now, GError **error);
/* All of `other` goes to `id`; `other` remains as a merged reference to it. */
bool csirt_case_merge(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                      int64_t other, const char *reason, VigieTime now, GError **error);
/* A new case from some messages and artefacts of this one, linked to it. */
bool csirt_case_split(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                      const char *title, const int64_t *messages, size_t count, VigieTime now,
                      VigieOpened *ret, GError **error);
/* A line in the timeline: kind "note", "call", "handover" … with its text. */
bool csirt_note_add(VigieStore *store, const VigieAnalyst *who, int64_t id, const char *kind,
                    const char *text, VigieTime now, GError **error);
/* What the program itself did or saw, within the caller's transaction. */
bool csirt_entry_add(VigieStore *store, int64_t id, const char *author, const char *kind, json_t *details,
                     VigieTime now, GError **error);

bool csirt_link_add(VigieStore *store, const VigieAnalyst *who, int64_t id, const char *kind, int64_t ref,
                    const char *note, VigieTime now, GError **error);
bool csirt_link_remove(VigieStore *store, const VigieAnalyst *who, int64_t id, const char *kind, int64_t ref,
                       VigieTime now, GError **error);
bool csirt_access_set(VigieStore *store, const VigieAnalyst *who, int64_t id, const char *account, bool may,
                      VigieTime now, GError **error);
/* { "owner", "audiences": [], "members": [], "evidence", "ends": RFC 3339 } */
bool csirt_consent_add(VigieStore *store, const VigieAnalyst *who, int64_t id, const json_t *consent,
                       VigieTime now, int64_t *ret_id, GError **error);
bool csirt_consent_withdraw(VigieStore *store, const VigieAnalyst *who, int64_t id, int64_t consent,
                            VigieTime now, GError **error);

/* Tasks. `details` belongs to the kind (a call's script). Where it has an object "values", `title` is the key of the words that these
 * fill, as "advice" is one where there is more to say. */
bool csirt_task_add(VigieStore *store, const char *author, int64_t id, const char *kind, const char *title,
                    json_t *details, const char *assignee, VigieTime due, VigieTime now, int64_t *ret_id,
                    GError **error);
bool csirt_task_done(VigieStore *store, const VigieAnalyst *who, int64_t task, const char *outcome,
                     VigieTime now, GError **error);
/* Open ones, the first due first: [ { "id", "case": { "id", "reference", "title" }, "kind", "title", "text", "details", "assignee", "due"
 * } ]; `id` 0: of all cases. "text" says in both languages what the program itself set; null where a person did. */
json_t *csirt_task_list(VigieStore *store, const VigieAnalyst *who, int64_t id, GError **error);
/* What it says in that language. Borrowed. */
const char *csirt_task_title(VigieLang lang, const json_t *task);

/* ---- Parties and messages -----------------------------------------------------------------------------------
 * A party has a thread of its own with its own part: it is told members that `sees` names, and nothing of the source, ever. */
/* { "role", "name", "mail", "phone", "language", "fingerprint", "partner", "sees": [ members ] }; ret_code (may be NULL): the code by which the
 * party can check that a message is ours. */
bool csirt_party_save(VigieStore *store, const char *author, int64_t id, int64_t party, const json_t *fields,
                      VigieTime now, int64_t *ret_id, char **ret_code, GError **error);
/* Keeps what came in or went out; sending is mail's business. The first that a person of ours sends is the answer. A `unique_key`
 * that is there already changes nothing and answers its message. */
typedef struct {
    int64_t party;
    const char *direction, *channel, *author, *subject, *body;
    const json_t *protection;
    int64_t mail;
    const char *message_id;
    const char *unique_key;
} VigieCaseMessage;
bool csirt_message_add(VigieStore *store, const VigieTeam *team, int64_t id, const VigieCaseMessage *message,
                       VigieTime now, int64_t *ret_id, GError **error);

/* ---- What may leave ------------------------------------------------------------------------------------------
 * The one place that decides it: whatever goes out of the CSIRT about a case is made of what this function gives. */
typedef struct {
    const char *audience, *channel; /* as VigieRelease has them */
    int64_t party;                  /* whose part is told; 0: nobody's in particular */
    const char *partner;            /* an escalation partner that is no party (yet); NULL */
    const json_t *members;          /* [ names ] that the occasion is about; NULL: all */
    bool encrypted;                 /* to the recipient */
} VigieRecipient;
/* The audience that a party of this role is; NULL: of "other", which a person judges. Static. */
const char *csirt_audience_of(const char *role);
/* { "tlp", "pap", "members": { name: { "text": { "fr", "en" }, "values": { "title": …, "facts.patients": … } } },
 *   "withheld": [ { "member", "reason": key of the words } ] }. Consent and mandate are read from the case: a consent that holds now
 * for this audience and member, an escalation of the partner that a rule proposed and a person confirmed. */
json_t *csirt_release(VigieStore *store, int64_t id, const VigieRecipient *to, VigieTime now, GError **error);
/* The source as it is sealed, for the head to open elsewhere: openssl cms -decrypt -inform DER -inkey KEY. Kept in the timeline.
 * NOT_FOUND where there is none. Free with g_bytes_unref. */
GBytes *csirt_source_get(VigieStore *store, const VigieAnalyst *who, int64_t id, VigieTime now,
                         GError **error);

/* ---- Artefacts ---------------------------------------------------------------------------------------------- */
enum { CSIRT_ARTEFACT_MAX = 64 << 20 };
/* Sealed with the key of csirt.artefact_key before it touches the store. */
extern const VigieSealed csirt_sealed;
bool csirt_artefact_add(VigieStore *store, const VigieTeam *team, const char *author, int64_t id,
                        int64_t message, const char *name, VigieBytes content, VigieTime now, int64_t *ret_id,
                        GError **error);
/* Its content, to be served as a download of a harmless type. Kept in the timeline. */
GBytes *csirt_artefact_open(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who,
                            int64_t artefact, VigieTime now, char **ret_name, GError **error);
