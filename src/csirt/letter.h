/* Letters: what an analyst writes to one party of a case, in its own thread. Notices, which climb a ladder until somebody answers,
 * are notify.h's.
 *
 * How a letter goes is decided by the label, the party's key and the owner's consent (csirt_may_leave), never by whoever writes it:
 *   encrypted  by mail, to the party's OpenPGP key
 *   clear      by mail, signed where we have a key: the label allows it
 *   page       on the page that the declarant's receipt opens; the mail says only that something waits there
 *   none       not at all: "why" says what is missing */
#pragma once

#include "csirt/notify.h"

/* ---- Canned texts (canned.c; knowledge/csirt/canned.json) ----------------------------------------------------
 * [ { "id", "title", "subject", "body": { "fr", "en" } …, "state": where the case stands once it is sent, or null } ], borrowed, checked by the
 * first call: variables are {reference} {title} {received} {organisation} {name} {team} {analyst} {phone}. Not thread-safe until it
 * was called once, at start. */
const json_t *csirt_canned(GError **error);
/* A text filled for a case (csirt_case_get) and a party of it (NULL: nobody). Free with g_free. */
char *csirt_canned_fill(const char *text, const json_t *item, const json_t *party, const VigieTeam *team,
                        const char *analyst, VigieLang lang, GTimeZone *zone);

/* ---- Letters (letter.c) ------------------------------------------------------------------------------------- */
typedef struct {
    int64_t party; /* 0: whoever has the receipt */
    const char *subject, *text;
    const char *state; /* where the case stands once it is written, or NULL: as it is */
} VigieLetter;

/* Exactly what would leave: { "party", "name", "to": address or null, "how": as above, "why": key of csirt.release or null, "fingerprint", "tlp",
 * "subject", "body": with label and signature, "notice": { "subject", "body" } of the mail that says nothing, or null, "language" }. */
json_t *csirt_letter_preview(VigieStore *store, const VigieConfig *config, const VigieTeam *team,
                             const VigieAnalyst *who, int64_t id, const VigieLetter *letter, VigieTime now,
                             GError **error);
/* Keeps it in the thread; the worker sends it. DENIED where it may not leave. */
bool csirt_letter_send(VigieStore *store, const VigieConfig *config, const VigieTeam *team,
                       const VigieAnalyst *who, int64_t id, const VigieLetter *letter, VigieTime now,
                       int64_t *ret_message, GError **error);

/* What was said on the phone: kept in the thread. `direction` "in": they called. */
bool csirt_call_add(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                    int64_t party, const char *direction, const char *text, VigieTime now, GError **error);

/* The worker's part: { "message" }. What cannot be encrypted is never sent in clear: it becomes a task. */
#define CSIRT_JOB_LETTER "csirt-letter"
bool csirt_letter_work(VigieStore *store, const VigieNotifier *notifier, const json_t *payload, VigieTime now,
                       GError **error);
