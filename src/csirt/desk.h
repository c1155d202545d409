/* The analysts' desk, beside the cases: what changed, what to do next, canned texts, the note at the change of shift.
 *
 * Functions are one thread's, the store's; those that write are each one transaction. */
#pragma once

#include "csirt/csirt.h"

/* ---- What changed -------------------------------------------------------------------------------------------
 * A number that grows with each change of any case, or of the case `id`: cheap, so that open pages may ask for it every few
 * seconds. It is no look at the case. NOT_FOUND as csirt_case_get. */
bool csirt_changes(VigieStore *store, const VigieAnalyst *who, int64_t id, int64_t *ret_changes,
                   GError **error);
/* CONFLICT where the case changed after `seen`, a number that csirt_changes gave: the message says who did what. Asked for
 * within the transaction that changes it, two analysts do not overwrite each other unawares. */
bool csirt_case_unchanged(VigieStore *store, const VigieAnalyst *who, int64_t id, int64_t seen,
                          GError **error);

/* Who looked at a RED case, newest first, the last 200: [ { "account", "time", "what" } ]. For the head. */
json_t *csirt_reading_list(VigieStore *store, const VigieAnalyst *who, int64_t id, GError **error);

/* ---- What to do next ----------------------------------------------------------------------------------------
 * Of a case as csirt_case_get has it: { "step", "state": the state it leads to or null }. Steps: acknowledge, qualify,
 * verify, escalate, notify, answer, follow, close, done. Pure. */
json_t *csirt_step_next(const json_t *item);

/* ---- Escalations (decide.c) ----------------------------------------------------------------------------------
 * Of a case (csirt_case_get): what the rules propose now (csirt_escalations) and what was decided: [ { "partner", "name", "rule", "reason",
 * "reasons", "urgent", "sees", "state": proposed confirmed declined, "decided", "decided_by", "why_not" } ]. */
json_t *csirt_escalation_offers(const VigieTeam *team, const json_t *item, GError **error);
/* { "escalation", "leaves": csirt_release's answer, "channel": mail, or phone where nothing may be mailed, "encrypted" } as it would be once confirmed. NOT_FOUND where no rule proposes the partner. */
json_t *csirt_escalation_preview(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who,
                                 int64_t id, const char *partner, VigieTime now, GError **error);
/* Confirmed, the partner becomes a party that sees its part; declined, a reason is wanted. CONFLICT where it was decided already. */
bool csirt_escalation_settle(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                             const char *partner, bool confirm, const char *reason, VigieTime now,
                             GError **error);

/* ---- The change of shift ------------------------------------------------------------------------------------
 * What the next shift must know, from the store: { "active", "unassigned", "restricted": how many are not named here, "urgent": [
 * brief ], "due": [ brief ], "tasks": [ { "id", "case", "reference", "title", "due" } ] }; brief: { "id", "reference", "title", "band",
 * "urgent", "state", "assignee", "due" }. `due` and `tasks` are those of the next `hours`, and what is late. A restricted case is
 * counted, and named to nobody. */
enum { CSIRT_HANDOVER_ROWS = 30, CSIRT_HANDOVER_HOURS = 8, CSIRT_HANDOVER_MAX = 20000 };
json_t *csirt_handover_draft(VigieStore *store, const VigieAnalyst *who, VigieTime now, GError **error);
/* Keeps the note with that picture of the moment. `text`: what no list says, 1 to CSIRT_HANDOVER_MAX octets. */
bool csirt_handover_add(VigieStore *store, const VigieAnalyst *who, const char *text, VigieTime now,
                        int64_t *ret_id, GError **error);
/* "I have read it and take over": once for each account, the first time counts. */
bool csirt_handover_read(VigieStore *store, const VigieAnalyst *who, int64_t id, VigieTime now,
                         GError **error);
/* The last ten, newest first: { "items": [ { "id", "author", "time", "text", "picture": a draft, "read": [ { "account", "time" } ] } ] } */
json_t *csirt_handover_list(VigieStore *store, const VigieAnalyst *who, GError **error);
