/* One case, and whether it exists for who asks. */
#include "csirt/internal.h"

#include <inttypes.h>
#include <string.h>

void case_clear(Case *a_case) {
    g_free(a_case->reference);
    g_free(a_case->kind);
    g_free(a_case->state);
    g_free(a_case->tlp);
    g_free(a_case->pap);
    g_free(a_case->source);
    g_free(a_case->assignee);
    *a_case = (Case){0};
}

const char *analyst_name(const VigieAnalyst *who) {
    return who ? who->name : "";
}

bool csirt_may(const VigieAnalyst *who, GError **error) {
    if (!who || who->may)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "the CSIRT's cases are for its analysts");
    return false;
}

bool csirt_head_only(const VigieAnalyst *who, const char *what, GError **error) {
    if (!who || (who->may && who->head))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s is for the head of the CSIRT to decide", what);
    return false;
}

void case_visible(VigieQuery *query, const VigieAnalyst *who) {
    if (!who || who->head)
        return;
    query_add(query,
              " AND (c.restricted = 0 OR EXISTS (SELECT 1 FROM csirt_access a WHERE a.case_id = c.id AND "
              "a.account = ?t))",
              who->name);
}

void case_hidden(VigieQuery *query, const VigieAnalyst *who) {
    if (who)
        query_add(query,
                  " AND NOT EXISTS (SELECT 1 FROM csirt_access a WHERE a.case_id = c.id AND a.account = ?t)",
                  who->name);
}

static void read_case(const VigieRows *rows, Case *ret_case) {
    *ret_case = (Case){
        .id = rows_int(rows, 0),
        .reference = g_strdup(rows_text(rows, 1)),
        .kind = g_strdup(rows_text(rows, 2)),
        .state = g_strdup(rows_text(rows, 3)),
        .tlp = g_strdup(rows_text(rows, 4)),
        .pap = g_strdup(rows_text(rows, 5)),
        .source = g_strdup(rows_text(rows, 6)),
        .assignee = g_strdup(rows_text(rows, 7)),
        .active = rows_int(rows, 8) != 0,
        .restricted = rows_int(rows, 9) != 0,
        .urgent = rows_int(rows, 10) != 0,
        .merged_into = rows_int(rows, 11),
        .received = rows_int(rows, 12),
    };
}

bool case_load(VigieStore *store, const VigieAnalyst *who, int64_t id, Case *ret_case, GError **error) {
    if (!csirt_may(who, error))
        return false;
    g_autoptr(VigieQuery) query = query_new();
    query_add(query,
              "SELECT c.id, c.reference, c.kind, c.state, c.tlp, c.pap, c.source, c.assignee, c.active, "
              "c.restricted, c.urgent, c.merged_into, c.received FROM csirt_case c WHERE c.id = ?i",
              id);
    case_visible(query, who);
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    if (!rows_first(rows, error, "case %" PRId64 ": there is none", id))
        return false;
    read_case(rows, ret_case);
    return true;
}

bool reading_add(VigieStore *store, const VigieAnalyst *who, const Case *a_case, const char *what,
                 VigieTime now, GError **error) {
    return !who || strcmp(a_case->tlp, "RED") != 0 ||
           store_exec(store, error,
                      "INSERT INTO csirt_reading (case_id, account, time, what) VALUES ($1, $2, $3, $4)",
                      "itit", a_case->id, who->name, now, what);
}
