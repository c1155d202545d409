/* Two cases that are one, and one that is two. */
#include "csirt/judge.h"

#include <inttypes.h>
#include <string.h>

/* ---- Merge -------------------------------------------------------------------------------------------------- */
/* What goes along; where both have the same, the one that stays keeps its own. The timeline stays: each line belongs to the
 * chain that it is in. The sealed source stays, too: it is of that declaration. */
static const char *const merge_steps[] = {
    "UPDATE csirt_message SET case_id = $1, origin = CASE WHEN origin = 0 THEN $2 ELSE origin END WHERE "
    "case_id = $2",
    "UPDATE csirt_party SET case_id = $1, origin = CASE WHEN origin = 0 THEN $2 ELSE origin END WHERE "
    "case_id = $2",
    "UPDATE csirt_artefact SET case_id = $1 WHERE case_id = $2",
    "UPDATE csirt_task SET case_id = $1 WHERE case_id = $2",
    "UPDATE csirt_consent SET case_id = $1 WHERE case_id = $2",
    "INSERT INTO csirt_link (case_id, kind, ref, note) SELECT $1, kind, ref, note FROM csirt_link WHERE "
    "case_id = $2 "
    "AND NOT (kind = 'case' AND ref = $1) ON CONFLICT DO NOTHING",
    "UPDATE csirt_escalation SET case_id = $1 WHERE case_id = $2 AND NOT EXISTS (SELECT 1 FROM "
    "csirt_escalation e WHERE "
    "e.case_id = $1 AND e.partner = csirt_escalation.partner)",
    "UPDATE csirt_notice SET case_id = $1 WHERE case_id = $2",
    "UPDATE csirt_verification SET case_id = $1 WHERE case_id = $2",
    "UPDATE csirt_lookup SET case_id = $1 WHERE case_id = $2",
    "UPDATE csirt_follow SET case_id = $1 WHERE case_id = $2 AND NOT EXISTS (SELECT 1 FROM csirt_follow f "
    "WHERE "
    "f.case_id = $1)",
    "UPDATE csirt_follow SET days = 0 WHERE case_id = $2 AND $1 > 0",
    "UPDATE csirt_case SET indexed = 0 WHERE id = $1 AND $2 > 0",
    "DELETE FROM csirt_word WHERE case_id = $2 AND $1 > 0",
};

static bool check_merge(const Case *into, const Case *other, const char *reason, GError **error) {
    if (into->id == other->id)
        return csirt_invalid(error, "%s: a case is not merged with itself", into->reference);
    if (!reason || !*reason)
        return csirt_invalid(error, "reason: why they are one");
    const Case *merged = into->merged_into ? into : other->merged_into ? other : NULL;
    if (merged)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "%s: it is merged already", merged->reference);
    return !merged && csirt_text_check("reason", reason, CSIRT_NOTE_BYTES, error);
}

/* The one that stays is confided as strictly as the stricter of both. */
static bool stricter(VigieStore *store, const Case *into, const Case *other, GError **error) {
    VigieTlp a = VIGIE_TLP_RED, b = VIGIE_TLP_RED;
    VigiePap c = VIGIE_PAP_RED, d = VIGIE_PAP_RED;
    return csirt_tlp_parse(into->tlp, &a, error) && csirt_tlp_parse(other->tlp, &b, error) &&
           csirt_pap_parse(into->pap, &c, error) && csirt_pap_parse(other->pap, &d, error) &&
           store_exec(store, error,
                      "UPDATE csirt_case SET tlp = $2, pap = $3, restricted = $4, urgent = $5 WHERE id = $1",
                      "ittii", into->id, csirt_tlp_name(csirt_tlp_combine(a, b)),
                      csirt_pap_name(csirt_pap_combine(c, d)),
                      (int64_t)(into->restricted || other->restricted),
                      (int64_t)(into->urgent || other->urgent));
}

/* Where both are restricted, those remain who were named for both; where one is, those of that one. */
static bool narrow_access(VigieStore *store, const Case *into, const Case *other, GError **error) {
    if (!other->restricted)
        return true;
    if (into->restricted)
        return store_exec(
            store, error,
            "DELETE FROM csirt_access WHERE case_id = $1 AND account NOT IN (SELECT account FROM "
            "csirt_access WHERE case_id = $2)",
            "ii", into->id, other->id);
    return store_exec(store, error, "DELETE FROM csirt_access WHERE case_id = $1", "i", into->id) &&
           store_exec(store, error,
                      "INSERT INTO csirt_access (case_id, account, author, time) SELECT $1, account, author, "
                      "time FROM "
                      "csirt_access WHERE case_id = $2",
                      "ii", into->id, other->id);
}

static bool merge_parts(VigieStore *store, const Case *into, const Case *other, GError **error) {
    for (size_t i = 0; i < G_N_ELEMENTS(merge_steps); i++)
        if (!store_exec(store, error, merge_steps[i], "ii", into->id, other->id))
            return false;
    return stricter(store, into, other, error) && narrow_access(store, into, other, error);
}

static bool end_other(VigieStore *store, const Case *into, const Case *other, VigieTime now, GError **error) {
    return store_exec(store, error,
                      "UPDATE csirt_case SET state = 'merged', active = 0, merged_into = $2, closed = $3, "
                      "due = 0 WHERE id = "
                      "$1",
                      "iii", other->id, into->id, now);
}

bool csirt_case_merge(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                      int64_t other, const char *reason, VigieTime now, GError **error) {
    g_auto(Case) into = {0}, from = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && case_load(store, who, id, &into, error) && case_load(store, who, other, &from, error) &&
           check_merge(&into, &from, reason, error) && merge_parts(store, &into, &from, error) &&
           end_other(store, &into, &from, now, error) &&
           entry_add(store, id, analyst_name(who), "merge",
                     json_pack("{s:s, s:s}", "from", from.reference, "reason", reason), now, error) &&
           entry_add(store, other, analyst_name(who), "merged",
                     json_pack("{s:s, s:s}", "into", into.reference, "reason", reason), now, error) &&
           case_judge(store, team, id, now, error) && store_commit(&tx, error);
}

/* ---- Split -------------------------------------------------------------------------------------------------- */
/* The new case as the old one is confided and sourced, whose words the messages are. */
static bool insert_split(VigieStore *store, const VigieTeam *team, const Case *of, const char *title,
                         VigieTime now, VigieOpened *ret, GError **error) {
    g_autofree char *reference = reference_next(store, team, now, error);
    if (!reference ||
        !store_get_int(
            store, &ret->id, error,
            "INSERT INTO csirt_case (reference, kind, state, channel, title, organisation_id, "
            "organisation_name, tlp, pap, restricted, source, urgent, received, updated) SELECT $2, kind, "
            "'acknowledged', channel, $3, organisation_id, organisation_name, tlp, pap, restricted, source, "
            "urgent, received, $4 FROM csirt_case WHERE id = $1 RETURNING id",
            "itti", of->id, reference, title, now))
        return false;
    ret->reference = g_steal_pointer(&reference);
    return true;
}

static const char *const split_steps[] = {
    "INSERT INTO csirt_access (case_id, account, author, time) SELECT $1, account, author, time FROM "
    "csirt_access WHERE "
    "case_id = $2",
    "INSERT INTO csirt_source (case_id, sealed) SELECT $1, sealed FROM csirt_source WHERE case_id = $2",
    "INSERT INTO csirt_link (case_id, kind, ref, note) VALUES ($1, 'case', $2, '')",
    "INSERT INTO csirt_link (case_id, kind, ref, note) VALUES ($2, 'case', $1, '')",
};

/* The message, its artefacts, and its party's twin. */
static bool move_message(VigieStore *store, int64_t to, int64_t from, int64_t message, GError **error) {
    int64_t party = 0, twin = 0;
    GError *failure = NULL;
    if (!store_get_int(store, &party, &failure,
                       "SELECT party_id FROM csirt_message WHERE id = $1 AND case_id = $2", "ii", message,
                       from)) {
        if (g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND)) {
            g_clear_error(&failure);
            g_set_error(&failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                        "message %" PRId64 ": this case has none", message);
        }
        g_propagate_error(error, failure);
        return false;
    }
    if (party &&
        !store_get_int(
            store, &twin, error,
            "SELECT coalesce(min(n.id), 0) FROM csirt_party n JOIN csirt_party o ON o.name = n.name AND "
            "o.mail = n.mail AND o.role = n.role WHERE n.case_id = $1 AND o.id = $2",
            "ii", to, party))
        return false;
    if (party && !twin &&
        !store_get_int(
            store, &twin, error,
            "INSERT INTO csirt_party (case_id, role, name, mail, phone, language, fingerprint, partner, "
            "sees, "
            "created) SELECT $1, role, name, mail, phone, language, fingerprint, partner, sees, created FROM "
            "csirt_party WHERE id = $2 RETURNING id",
            "ii", to, party))
        return false;
    return store_exec(store, error,
                      "UPDATE csirt_message SET case_id = $1, party_id = $2, origin = 0 WHERE id = $3", "iii",
                      to, twin, message) &&
           store_exec(store, error, "UPDATE csirt_artefact SET case_id = $1 WHERE message_id = $2", "ii", to,
                      message);
}

static bool split_parts(VigieStore *store, const VigieOpened *to, const Case *from, const int64_t *messages,
                        size_t count, GError **error) {
    for (size_t i = 0; i < G_N_ELEMENTS(split_steps); i++)
        if (!store_exec(store, error, split_steps[i], "ii", to->id, from->id))
            return false;
    for (size_t i = 0; i < count; i++)
        if (!move_message(store, to->id, from->id, messages[i], error))
            return false;
    return store_exec(store, error, "DELETE FROM csirt_word WHERE case_id = $1", "i", from->id) &&
           case_words_changed(store, from->id, error);
}

bool csirt_case_split(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                      const char *title, const int64_t *messages, size_t count, VigieTime now,
                      VigieOpened *ret, GError **error) {
    g_auto(Case) from = {0};
    g_auto(VigieOpened) to = {0};
    if (!title || !*title)
        return csirt_invalid(error, "title: what the new case is about");
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !csirt_line_check("title", title, CSIRT_LINE_MAX, error) ||
        !case_load(store, who, id, &from, error) ||
        !insert_split(store, team, &from, title, now, &to, error) ||
        !split_parts(store, &to, &from, messages, count, error) ||
        !entry_add(store, to.id, analyst_name(who), "split-from", json_pack("{s:s}", "case", from.reference),
                   now, error) ||
        !entry_add(store, id, analyst_name(who), "split",
                   json_pack("{s:s, s:I}", "into", to.reference, "messages", (json_int_t)count), now,
                   error) ||
        !case_judge(store, team, to.id, now, error) || !store_commit(&tx, error))
        return false;
    *ret = to;
    to = (VigieOpened){0};
    return true;
}
