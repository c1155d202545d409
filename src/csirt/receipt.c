/* What the declarant sees and adds, by the reference and the code of the acknowledgement. */
#include "csirt/internal.h"

#include <string.h>

static bool denied(GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "the reference and the code do not go together");
    return false;
}

/* Follows a merged case to the one that it became. */
static bool follow(VigieStore *store, int64_t id, int64_t *ret_id, GError **error) {
    enum { MERGES_MAX = 16 };
    for (int i = 0; i < MERGES_MAX; i++) {
        g_auto(Case) of = {0};
        if (!case_load(store, NULL, id, &of, error))
            return false;
        if (!of.merged_into)
            break;
        id = of.merged_into;
    }
    *ret_id = id;
    return true;
}

bool csirt_receipt_open(VigieStore *store, const VigieTeam *team, const char *reference, const char *code,
                        int64_t *ret_id, GError **error) {
    VigieReference parsed;
    if (strnlen(code, CSIRT_LINE_MAX) == CSIRT_LINE_MAX ||
        !csirt_reference_parse(team_prefix(team), reference, &parsed, NULL))
        return denied(error);
    g_autofree char *text = csirt_reference_text(team_prefix(team), parsed);
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT id, receipt FROM csirt_case WHERE reference = $1 AND receipt <> ''", "t", text);
    GError *failure = NULL;
    int64_t id = 0;
    bool matches = rows && rows_next(rows, &failure) && csirt_code_matches(code, rows_text(rows, 1));
    if (matches)
        id = rows_int(rows, 0);
    if (!rows_ended(rows, &failure, error))
        return false;
    *ret_id = matches ? id : *ret_id;
    return matches || denied(error);
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */
static const Cell receipt_cells[] = {
    {"reference", "reference", CELL_STRING}, {"state", "state", CELL_STRING},
    {"received", "received", CELL_TIME},     {"title", "title", CELL_STRING},
    {"expected", "expected", CELL_STRING},   {0},
};
static const Cell message_cells[] = {
    {"id", "m.id", CELL_INT},
    {"direction", "m.direction", CELL_STRING},
    {"channel", "m.channel", CELL_STRING},
    {"time", "m.time", CELL_TIME},
    {"subject", "m.subject", CELL_STRING},
    {"body", "m.body", CELL_STRING},
    {0},
};

/* The thread of this receipt: with the declarant or, where nobody knows who that is, by the form alone. After a merge, what came
 * with the case. */
static json_t *thread(VigieStore *store, int64_t id, int64_t now_in, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    cells_select(query, message_cells);
    query_add(query,
              "FROM csirt_message m LEFT JOIN csirt_party p ON p.id = m.party_id WHERE m.case_id = ?i AND "
              "m.origin = ?i AND (p.role = 'declarant' OR (m.party_id = 0 AND m.channel = 'form')) "
              "ORDER BY m.time, m.id",
              now_in, id == now_in ? INT64_C(0) : id);
    return cells_run(store, query, message_cells, error);
}

json_t *csirt_receipt_get(VigieStore *store, int64_t id, VigieTime now, GError **error) {
    (void)now;
    int64_t now_in = 0;
    g_auto(Case) of = {0};
    if (!follow(store, id, &now_in, error) || !case_load(store, NULL, now_in, &of, error))
        return NULL;
    g_autoptr(json_t) found = cells_array(store, receipt_cells, "FROM csirt_case WHERE id = ?i", id, error);
    json_t *messages = found ? thread(store, id, now_in, error) : NULL;
    if (!messages)
        return NULL;
    json_t *receipt = json_incref(json_array_get(found, 0));
    json_object_set_new(receipt, "state", json_string(of.state));
    json_object_set_new(receipt, "messages", messages);
    return receipt;
}

/* ---- Adding ------------------------------------------------------------------------------------------------- */
static bool declarant_of(VigieStore *store, int64_t id, int64_t origin, int64_t *ret_party, GError **error) {
    return store_get_int(
        store, ret_party, error,
        "SELECT coalesce(min(id), 0) FROM csirt_party WHERE case_id = $1 AND origin = $2 AND "
        "role = 'declarant'",
        "ii", id, origin);
}

static bool add_facts(VigieStore *store, const VigieTeam *team, int64_t id, const json_t *facts,
                      VigieTime now, GError **error) {
    g_autoptr(json_t) fields = facts ? json_pack("{s:O}", "facts", facts) : NULL;
    return !fields || csirt_case_change(store, team, NULL, id, fields, now, error);
}

static bool add_text(VigieStore *store, const VigieTeam *team, int64_t id, int64_t origin, const char *text,
                     const char *unique_key, VigieTime now, int64_t *ret_message, GError **error) {
    int64_t party = 0, message = 0;
    if (!text || !*text)
        return true;
    if (!declarant_of(store, id, origin, &party, error))
        return false;
    const VigieCaseMessage of = {.party = party,
                                 .direction = "in",
                                 .channel = "form",
                                 .subject = "",
                                 .body = text,
                                 .unique_key = unique_key};
    if (!csirt_message_add(store, team, id, &of, now, &message, error) ||
        (origin && !store_exec(store, error, "UPDATE csirt_message SET origin = $2 WHERE id = $1", "ii",
                               message, origin)))
        return false;
    if (ret_message)
        *ret_message = message;
    return true;
}

/* More from the declarant takes up again what was over. */
static bool reopen(VigieStore *store, const VigieTeam *team, int64_t id, const char *state, VigieTime now,
                   GError **error) {
    const char *next = strcmp(state, "rejected") == 0 ? "acknowledged" : "in-progress";
    return state_active(state) ||
           csirt_case_move(store, team, NULL, id, next, "csirt.receipt.again", now, error);
}

bool csirt_receipt_add(VigieStore *store, const VigieTeam *team, int64_t id, const char *text,
                       const json_t *facts, const char *unique_key, VigieTime now, int64_t *ret_message,
                       GError **error) {
    int64_t now_in = 0;
    g_auto(Case) of = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && follow(store, id, &now_in, error) && case_load(store, NULL, now_in, &of, error) &&
           add_facts(store, team, now_in, facts, now, error) &&
           add_text(store, team, now_in, id == now_in ? 0 : id, text, unique_key, now, ret_message, error) &&
           reopen(store, team, now_in, of.state, now, error) && store_commit(&tx, error);
}
