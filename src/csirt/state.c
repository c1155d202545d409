/* What may follow what. Reopening and rejecting need a reason, which stands in the timeline. */
#include "csirt/internal.h"

#include <string.h>

static const char *const states[] = {"received", "acknowledged", "qualified", "in-progress", "resolved",
                                     "closed",   "rejected",     "merged",    NULL};

static const struct {
    const char *from, *to;
    bool reason;
} table[] = {
    {"received", "acknowledged", false}, {"received", "qualified", false},
    {"received", "rejected", true},      {"acknowledged", "qualified", false},
    {"acknowledged", "rejected", true},  {"qualified", "in-progress", false},
    {"qualified", "resolved", false},    {"qualified", "rejected", true},
    {"in-progress", "qualified", true}, /* it is something else than was thought */
    {"in-progress", "resolved", false},  {"resolved", "closed", false},
    {"resolved", "in-progress", true},   {"closed", "in-progress", true},
    {"rejected", "acknowledged", true},
};

bool state_known(const char *state) {
    return g_strv_contains(states, state);
}

bool state_active(const char *state) {
    return strcmp(state, "closed") != 0 && strcmp(state, "rejected") != 0 && strcmp(state, "merged") != 0;
}

bool state_may_follow(const char *from, const char *to, bool *ret_reason) {
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
        if (strcmp(table[i].from, from) == 0 && strcmp(table[i].to, to) == 0) {
            *ret_reason = table[i].reason;
            return true;
        }
    return false;
}

json_t *state_next(const char *from) {
    json_t *next = json_array();
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
        if (strcmp(table[i].from, from) == 0)
            json_array_append_new(next, json_string(table[i].to));
    return next;
}

static bool check_move(const Case *a_case, const char *state, const char *reason, GError **error) {
    bool wanted = false;
    if (!state_known(state))
        return csirt_one_of("state", state, states, error);
    if (!state_may_follow(a_case->state, state, &wanted)) {
        g_autoptr(json_t) next = state_next(a_case->state);
        g_autofree char *names = vigie_json_text(next);
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "%s is %s: %s cannot follow, but %s",
                    a_case->reference, a_case->state, state, names);
        return false;
    }
    if (wanted && (!reason || !*reason))
        return csirt_invalid(error, "reason: from %s to %s needs one", a_case->state, state);
    return csirt_text_check("reason", reason, CSIRT_NOTE_BYTES, error);
}

/* The move itself. */
static bool write_state(VigieStore *store, const Case *a_case, const char *state, VigieTime now,
                        GError **error) {
    int64_t changed = 0;
    bool active = state_active(state);
    if (!store_exec_count(
            store, &changed, error,
            "UPDATE csirt_case SET state = $2, active = $3, closed = $4 WHERE id = $1 AND state = $5",
            "itiit", a_case->id, state, (int64_t)active, active ? INT64_C(0) : now, a_case->state))
        return false;
    if (changed == 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                    "%s: its state was changed meanwhile; look again", a_case->reference);
    return changed > 0;
}

bool csirt_case_move(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                     const char *state, const char *reason, VigieTime now, GError **error) {
    g_auto(Case) a_case = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, who, id, &a_case, error) || !check_move(&a_case, state, reason, error) ||
        !write_state(store, &a_case, state, now, error))
        return false;
    json_t *details = json_pack("{s:s, s:s, s:s?, s:o*}", "from", a_case.state, "to", state, "reason",
                                reason && *reason ? reason : NULL, "values", who ? NULL : json_object());
    return entry_add(store, id, analyst_name(who), "state", details, now, error) &&
           case_judge(store, team, id, now, error) && store_commit(&tx, error);
}
