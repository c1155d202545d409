/* Escalations: the rules propose, a person decides. What was not decided is proposed anew from the facts each time, so that a
 * proposal never outlives its reason. */
#include "csirt/desk.h"

#include <string.h>

static const json_t *with(const json_t *list, const char *member, const char *value) {
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item) {
        if (strcmp(vigie_member_text(item, member), value) == 0)
            return item;
    }
    return NULL;
}

/* The facts with those that are the case's own. */
static json_t *facts_of(const json_t *item) {
    json_t *facts =
        json_object_get(item, "facts") ? json_copy(json_object_get(item, "facts")) : json_object();
    json_object_set(facts, "kind", json_object_get(item, "kind"));
    if (json_is_string(json_object_get(item, "likelihood")))
        json_object_set(facts, "likelihood", json_object_get(item, "likelihood"));
    json_object_set(facts, "urgent", json_object_get(item, "urgent"));
    if (json_is_string(json_object_get(item, "verified")))
        json_object_set_new(facts, "verified", json_true());
    return facts;
}

static const json_t *partner_of(const VigieTeam *team, const char *id) {
    return with(json_object_get(csirt_team_json(team), "partners"), "id", id);
}

json_t *csirt_escalation_offers(const VigieTeam *team, const json_t *item, GError **error) {
    g_autoptr(json_t) facts = facts_of(item);
    g_autoptr(json_t) list = csirt_escalations(facts, error);
    size_t index;
    json_t *row, *proposal;
    if (!list)
        return NULL;
    json_array_foreach(list, index, proposal) {
        const char *id = vigie_member_text(proposal, "partner");
        const json_t *partner = partner_of(team, id),
                     *decided = with(json_object_get(item, "escalations"), "partner", id);
        json_object_set_new(proposal, "name", json_string(partner ? vigie_member_text(partner, "name") : id));
        json_object_set_new(proposal, "state",
                            json_string(decided ? vigie_member_text(decided, "state") : "proposed"));
        json_object_set_new(proposal, "decided",
                            decided ? json_incref(json_object_get(decided, "decided")) : json_null());
        json_object_set_new(proposal, "decided_by",
                            decided ? json_incref(json_object_get(decided, "decided_by")) : json_null());
        json_object_set_new(proposal, "why_not",
                            decided ? json_incref(json_object_get(decided, "reason")) : json_null());
    }
    /* What was decided stays to be seen, whatever the facts became. */
    json_array_foreach(json_object_get(item, "escalations"), index, row) {
        if (!with(list, "partner", vigie_member_text(row, "partner"))) {
            const json_t *partner = partner_of(team, vigie_member_text(row, "partner"));
            json_array_append_new(
                list,
                json_pack("{s:O, s:s, s:O, s:O, s:O, s:O, s:n, s:[], s:b}", "partner",
                          json_object_get(row, "partner"), "name",
                          partner ? vigie_member_text(partner, "name") : vigie_member_text(row, "partner"),
                          "state", json_object_get(row, "state"), "decided", json_object_get(row, "decided"),
                          "decided_by", json_object_get(row, "decided_by"), "why_not",
                          json_object_get(row, "reason"), "reason", "sees", "urgent", 0));
        }
    }
    return g_steal_pointer(&list);
}

/* ---- Deciding ----------------------------------------------------------------------------------------------- */
typedef struct {
    VigieStore *store;
    const VigieTeam *team;
    const VigieAnalyst *who;
    int64_t id;
    const json_t *proposal;
    VigieTime now;
} Decision;

/* A thread of its own, with the part that the rule gives. */
static bool add_party(const Decision *of, const json_t *item, GError **error) {
    static const char *const copied[] = {"mail", "phone", "fingerprint", "language"};
    const char *id = vigie_member_text(of->proposal, "partner");
    const json_t *partner = partner_of(of->team, id);
    if (with(json_object_get(item, "parties"), "partner", id))
        return true;
    g_autoptr(json_t) fields = json_pack(
        "{s:s, s:O, s:s, s:O}", "role", strcmp(id, "cert-fr") == 0 ? "csirt" : "authority", "name",
        json_object_get(of->proposal, "name"), "partner", id, "sees", json_object_get(of->proposal, "sees"));
    for (size_t i = 0; i < G_N_ELEMENTS(copied); i++)
        if (json_is_string(json_object_get(partner, copied[i])))
            json_object_set(fields, copied[i], json_object_get(partner, copied[i]));
    return csirt_party_save(of->store, of->who->name, of->id, 0, fields, of->now, NULL, NULL, error);
}

static bool write_row(const Decision *of, const char *state, const char *reason, GError **error) {
    return store_exec(
        of->store, error,
        "INSERT INTO csirt_escalation (case_id, partner, rule, state, reason, decided_by, decided, created) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (case_id, partner) DO UPDATE SET rule = $3, "
        "state = $4, reason = $5, decided_by = $6, decided = $7",
        "ittttti", of->id, vigie_member_text(of->proposal, "partner"),
        vigie_member_text(of->proposal, "rule"), state, reason ? reason : "", of->who->name, of->now);
}

/* The proposal of this partner that is still to be decided. The list is the caller's. */
static const json_t *open_proposal(const json_t *list, const char *partner, GError **error) {
    const json_t *proposal = with(list, "partner", partner);
    if (proposal && strcmp(vigie_member_text(proposal, "state"), "proposed") == 0)
        return proposal;
    g_set_error(error, VIGIE_ERROR, proposal ? VIGIE_ERROR_CONFLICT : VIGIE_ERROR_NOT_FOUND,
                proposal ? "%s: this was decided already" : "%s: no rule proposes it", partner);
    return NULL;
}

bool csirt_escalation_settle(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                             const char *partner, bool confirm, const char *reason, VigieTime now,
                             GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    g_autoptr(json_t) item = tx ? csirt_case_get(store, team, who, id, now, error) : NULL;
    g_autoptr(json_t) list = item ? csirt_escalation_offers(team, item, error) : NULL;
    const json_t *proposal = list ? open_proposal(list, partner, error) : NULL;
    if (!proposal)
        return false;
    if (!confirm && (!reason || !*reason)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "reason: why the partner is not told is wanted");
        return false;
    }
    Decision of = {store, team, who, id, proposal, now};
    json_t *details =
        json_pack("{s:s, s:s, s:s*}", "partner", vigie_member_text(proposal, "name"), "decision",
                  confirm ? "confirmed" : "declined", "reason", reason && *reason ? reason : NULL);
    if (!write_row(&of, confirm ? "confirmed" : "declined", reason, error) ||
        (confirm && !add_party(&of, item, error))) {
        json_decref(details);
        return false;
    }
    return csirt_entry_add(store, id, who->name, "escalation", details, now, error) &&
           store_commit(&tx, error);
}

static json_t *release(const Decision *of, const char *channel, bool encrypted, GError **error) {
    VigieRecipient to = {.audience = "authority",
                         .channel = channel,
                         .partner = vigie_member_text(of->proposal, "partner"),
                         .members = json_object_get(of->proposal, "sees"),
                         .encrypted = encrypted};
    return csirt_release(of->store, of->id, &to, of->now, error);
}

json_t *csirt_escalation_preview(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who,
                                 int64_t id, const char *partner, VigieTime now, GError **error) {
    /* As if it were confirmed, which its mandate hangs on; then taken back. */
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    g_autoptr(json_t) item = tx ? csirt_case_get(store, team, who, id, now, error) : NULL;
    g_autoptr(json_t) list = item ? csirt_escalation_offers(team, item, error) : NULL;
    const json_t *proposal = list ? open_proposal(list, partner, error) : NULL;
    if (!proposal)
        return NULL;
    Decision of = {store, team, who, id, proposal, now};
    bool key = *vigie_member_text(partner_of(team, partner), "fingerprint") != '\0';
    g_autoptr(json_t) leaves = NULL;
    const char *channel = "mail";
    if (write_row(&of, "confirmed", NULL, error))
        leaves = release(&of, channel, key, error);
    if (leaves && !key && json_object_size(json_object_get(leaves, "members")) == 0) {
        channel = "phone"; /* what may not be mailed in clear may be said */
        json_decref(leaves);
        leaves = release(&of, channel, false, error);
    }
    return leaves ? json_pack("{s:O, s:O, s:s, s:b}", "escalation", proposal, "leaves", leaves, "channel",
                              channel, "encrypted", key)
                  : NULL;
}
