/* A case as a resource: what the queue shows of it, and all that belongs to it. */
#include "csirt/judge.h"

#include <string.h>

const Cell case_cells[] = {
    {"id", "c.id", CELL_INT},
    {"reference", "c.reference", CELL_STRING},
    {"kind", "c.kind", CELL_STRING},
    {"state", "c.state", CELL_STRING},
    {"channel", "c.channel", CELL_STRING},
    {"title", "c.title", CELL_STRING},
    {"organisation_id", "c.organisation_id", CELL_ID},
    {"organisation_name", "c.organisation_name", CELL_TEXT},
    {"category", "c.category", CELL_TEXT},
    {"likelihood", "c.likelihood", CELL_TEXT},
    {"verified", "c.verified", CELL_TIME},
    {"tlp", "c.tlp", CELL_STRING},
    {"pap", "c.pap", CELL_STRING},
    {"restricted", "c.restricted", CELL_BOOL},
    {"source", "c.source", CELL_STRING},
    {"urgent", "c.urgent", CELL_BOOL},
    {"band", "c.band", CELL_INT},
    {"score", "c.score", CELL_INT},
    {"reasons", "c.reasons", CELL_JSON},
    {"override", "c.override", CELL_JSON},
    {"assignee", "c.assignee", CELL_TEXT},
    {"due", "c.due", CELL_TIME},
    {"received", "c.received", CELL_TIME},
    {"answered", "c.answered", CELL_TIME},
    {"closed", "c.closed", CELL_TIME},
    {"updated", "c.updated", CELL_TIME},
    {0},
};

void case_shape(json_t *a_case) {
    json_t *organisation = json_object();
    json_object_set(organisation, "id", json_object_get(a_case, "organisation_id"));
    json_object_set(organisation, "name", json_object_get(a_case, "organisation_name"));
    bool none = json_is_null(json_object_get(organisation, "id")) &&
                json_is_null(json_object_get(organisation, "name"));
    json_object_set_new(a_case, "organisation", none ? json_null() : json_incref(organisation));
    json_decref(organisation);
    json_object_del(a_case, "organisation_id");
    json_object_del(a_case, "organisation_name");
}

static const Cell more_cells[] = {
    {"facts", "facts", CELL_JSON},
    {"events", "events", CELL_JSON},
    {"expected", "expected", CELL_STRING},
    {"merged_into", "merged_into", CELL_ID},
    {0},
};
static const Cell party_cells[] = {
    {"id", "id", CELL_INT},
    {"role", "role", CELL_STRING},
    {"name", "name", CELL_STRING},
    {"mail", "mail", CELL_TEXT},
    {"phone", "phone", CELL_TEXT},
    {"language", "language", CELL_TEXT},
    {"fingerprint", "fingerprint", CELL_TEXT},
    {"partner", "partner", CELL_TEXT},
    {"sees", "sees", CELL_JSON},
    {"created", "created", CELL_TIME},
    {0},
};
static const Cell message_cells[] = {
    {"id", "id", CELL_INT},
    {"party", "party_id", CELL_ID},
    {"direction", "direction", CELL_STRING},
    {"channel", "channel", CELL_STRING},
    {"time", "time", CELL_TIME},
    {"author", "author", CELL_TEXT},
    {"subject", "subject", CELL_STRING},
    {"body", "body", CELL_STRING},
    {"protection", "protection", CELL_JSON},
    {"mail", "mail_id", CELL_ID},
    {"message_id", "message_id", CELL_TEXT},
    {0},
};
static const Cell artefact_cells[] = {
    {"id", "id", CELL_INT},        {"message", "message_id", CELL_ID}, {"name", "name", CELL_STRING},
    {"note", "note", CELL_TEXT},   {"size", "size", CELL_INT},         {"sha256", "sha256", CELL_STRING},
    {"added", "added", CELL_TIME}, {"author", "author", CELL_TEXT},    {0},
};
static const Cell task_cells[] = {
    {"id", "id", CELL_INT},
    {"kind", "kind", CELL_STRING},
    {"title", "title", CELL_STRING},
    {"details", "details", CELL_JSON},
    {"assignee", "assignee", CELL_TEXT},
    {"due", "due", CELL_TIME},
    {"created", "created", CELL_TIME},
    {"author", "author", CELL_TEXT},
    {"done", "done", CELL_TIME},
    {"done_by", "done_by", CELL_TEXT},
    {"outcome", "outcome", CELL_TEXT},
    {0},
};
/* A link's name is what people call the thing; a case's is its reference, which says nothing of what it is about. */
static const Cell link_cells[] = {
    {"kind", "l.kind", CELL_STRING},
    {"ref", "l.ref", CELL_INT},
    {"note", "l.note", CELL_TEXT},
    {"name",
     "coalesce((SELECT name FROM device WHERE l.kind = 'device' AND id = l.ref), "
     "(SELECT target FROM endpoint WHERE l.kind = 'endpoint' AND id = l.ref), "
     "(SELECT f.kind || ', ' || e.target FROM finding f JOIN endpoint e ON e.id = f.endpoint_id WHERE l.kind "
     "= "
     "'finding' AND f.id = l.ref), "
     "(SELECT reference FROM csirt_case WHERE l.kind = 'case' AND id = l.ref))",
     CELL_TEXT},
    {0},
};
static const Cell consent_cells[] = {
    {"id", "id", CELL_INT},
    {"owner", "owner", CELL_STRING},
    {"scope", "scope", CELL_JSON},
    {"evidence", "evidence", CELL_STRING},
    {"given", "given", CELL_TIME},
    {"ends", "ends", CELL_TIME},
    {"author", "author", CELL_STRING},
    {"withdrawn", "withdrawn", CELL_TIME},
    {0},
};
static const Cell access_cells[] = {
    {"account", "account", CELL_STRING}, {"author", "author", CELL_STRING}, {"time", "time", CELL_TIME}, {0}};
static const Cell escalation_cells[] = {
    {"id", "id", CELL_INT},
    {"partner", "partner", CELL_STRING},
    {"rule", "rule", CELL_STRING},
    {"state", "state", CELL_STRING},
    {"reason", "reason", CELL_TEXT},
    {"decided_by", "decided_by", CELL_TEXT},
    {"decided", "decided", CELL_TIME},
    {"message", "message_id", CELL_ID},
    {"created", "created", CELL_TIME},
    {0},
};
static const Cell reading_cells[] = {
    {"account", "account", CELL_STRING}, {"time", "time", CELL_TIME}, {"what", "what", CELL_STRING}, {0}};
static const Cell entry_cells[] = {
    {"seq", "seq", CELL_INT},      {"time", "time", CELL_TIME},       {"author", "author", CELL_TEXT},
    {"kind", "kind", CELL_STRING}, {"details", "details", CELL_JSON}, {0},
};

static const struct {
    const char *member;
    const Cell *cells;
    const char *rest;
} parts[] = {
    {"parties", party_cells, "FROM csirt_party WHERE case_id = ?i ORDER BY id"},
    {"messages", message_cells, "FROM csirt_message WHERE case_id = ?i ORDER BY time, id"},
    {"artefacts", artefact_cells, "FROM csirt_artefact WHERE case_id = ?i ORDER BY id"},
    {"tasks", task_cells, "FROM csirt_task WHERE case_id = ?i ORDER BY done, due, id"},
    {"links", link_cells, "FROM csirt_link l WHERE l.case_id = ?i ORDER BY l.kind, l.ref"},
    {"consents", consent_cells, "FROM csirt_consent WHERE case_id = ?i ORDER BY id"},
    {"access", access_cells, "FROM csirt_access WHERE case_id = ?i ORDER BY account"},
    {"escalations", escalation_cells, "FROM csirt_escalation WHERE case_id = ?i ORDER BY id"},
    {"timeline", entry_cells, "FROM csirt_entry WHERE case_id = ?i ORDER BY seq"},
};

/* A link to a case that `who` may not see is not there. */
static bool hide_links(VigieStore *store, const VigieAnalyst *who, json_t *links, GError **error) {
    for (size_t i = json_array_size(links); i > 0; i--) {
        const json_t *link = json_array_get(links, i - 1);
        g_auto(Case) other = {0};
        GError *failure = NULL;
        if (strcmp(vigie_member(link, "kind"), "case") != 0 ||
            case_load(store, who, json_integer_value(json_object_get(link, "ref")), &other, &failure))
            continue;
        if (!g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND)) {
            g_propagate_error(error, failure);
            return false;
        }
        g_clear_error(&failure);
        json_array_remove(links, i - 1);
    }
    return true;
}

json_t *case_object(VigieStore *store, int64_t id, GError **error) {
    g_autoptr(json_t) found = cells_array(store, case_cells, "FROM csirt_case c WHERE c.id = ?i", id, error);
    g_autoptr(json_t) more =
        found ? cells_array(store, more_cells, "FROM csirt_case WHERE id = ?i", id, error) : NULL;
    json_t *a_case = json_array_get(found, 0);
    if (!more || !a_case)
        return NULL;
    case_shape(a_case);
    json_object_update(a_case, json_array_get(more, 0));
    return json_incref(a_case);
}

static bool set_judgement(VigieStore *store, const VigieTeam *team, json_t *a_case, int64_t id, VigieTime now,
                          GError **error) {
    g_auto(CaseFacts) facts = {0};
    if (!case_facts_load(store, id, &facts, error) || !case_workload(store, now, true, &facts, error))
        return false;
    json_t *clocks = team ? case_clocks(team, &facts, now, error) : json_array();
    json_t *missing = clocks ? case_missing(&facts, error) : NULL;
    json_object_set_new(a_case, "clocks", clocks ? clocks : json_null());
    json_object_set_new(a_case, "missing", missing ? missing : json_null());
    json_object_set_new(a_case, "next", state_next(vigie_member(a_case, "state")));
    return missing != NULL;
}

json_t *csirt_case_get(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, int64_t id,
                       VigieTime now, GError **error) {
    g_auto(Case) found = {0};
    if (!case_load(store, who, id, &found, error) || !reading_add(store, who, &found, "case", now, error))
        return NULL;
    g_autoptr(json_t) a_case = case_object(store, id, error);
    for (size_t i = 0; a_case && i < G_N_ELEMENTS(parts); i++) {
        json_t *part = cells_array(store, parts[i].cells, parts[i].rest, id, error);
        if (!part)
            return NULL;
        json_object_set_new(a_case, parts[i].member, part);
    }
    size_t index;
    json_t *task;
    json_array_foreach(json_object_get(a_case, "tasks"), index, task) {
        task_shape(task);
    }
    json_t *proposed = json_array();
    json_object_set_new(a_case, "proposed", proposed);
    if (!a_case || !case_organisations(store, a_case, proposed, error))
        return NULL;
    json_t *readings =
        a_case && (!who || who->head)
            ? cells_array(store, reading_cells,
                          "FROM csirt_reading WHERE case_id = ?i ORDER BY id DESC LIMIT 1000", id, error)
            : json_null();
    if (!readings || json_object_set_new(a_case, "readings", readings) != 0 ||
        !hide_links(store, who, json_object_get(a_case, "links"), error) ||
        !set_judgement(store, team, a_case, id, now, error))
        return NULL;
    return g_steal_pointer(&a_case);
}

bool csirt_case_find(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, const char *reference,
                     int64_t *ret_id, GError **error) {
    VigieReference parsed;
    g_auto(Case) found = {0};
    int64_t id = 0;
    if (!csirt_may(who, error) || !csirt_reference_parse(team_prefix(team), reference, &parsed, error))
        return false;
    g_autofree char *text = csirt_reference_text(team_prefix(team), parsed);
    GError *failure = NULL;
    if (store_get_int(store, &id, &failure, "SELECT id FROM csirt_case WHERE reference = $1", "t", text) &&
        case_load(store, who, id, &found, &failure)) {
        *ret_id = id;
        return true;
    }
    if (g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND))
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "case %s: there is none", text);
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    g_clear_error(&failure);
    return false;
}

bool csirt_case_check(VigieStore *store, const VigieAnalyst *who, int64_t id, GError **error) {
    g_auto(Case) found = {0};
    return case_load(store, who, id, &found, error);
}
