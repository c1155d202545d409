/* What an analyst does at a case beside changing it: tasks, links, who may read it, what its owner consents to. */
#include "csirt/internal.h"

#include <inttypes.h>
#include <string.h>

static bool none(const char *what, int64_t id, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s %" PRId64 ": there is none", what, id);
    return false;
}

/* ---- Tasks -------------------------------------------------------------------------------------------------- */
static const char *const task_kinds[] = {
    "todo", "call", "private-message", "verify", "escalate", "review", "read-mail", "key", NULL};

bool csirt_task_add(VigieStore *store, const char *author, int64_t id, const char *kind, const char *title,
                    json_t *details, const char *assignee, VigieTime due, VigieTime now, int64_t *ret_id,
                    GError **error) {
    g_autoptr(json_t) owned = details ? details : json_object();
    g_autofree char *text = vigie_json_text(owned);
    g_auto(Case) of = {0};
    int64_t task = 0;
    if (!title || !*title)
        return csirt_invalid(error, "title: what is to be done");
    if (!csirt_one_of("kind", kind, task_kinds, error) ||
        !csirt_line_check("title", title, CSIRT_LINE_MAX, error) ||
        !csirt_line_check("assignee", assignee, CSIRT_LINE_MAX, error) ||
        !csirt_text_check("details", text, CSIRT_FACTS_BYTES, error))
        return false;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, NULL, id, &of, error) ||
        !store_get_int(
            store, &task, error,
            "INSERT INTO csirt_task (case_id, kind, title, details, assignee, due, created, author) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
            "ittttiit", id, kind, title, text, assignee ? assignee : "", due, now, author ? author : "") ||
        !entry_add(store, id, author, "task",
                   json_pack("{s:I, s:s, s:s, s:O*}", "task", (json_int_t)task, "kind", kind, "title", title,
                             "values", json_object_get(owned, "values")),
                   now, error) ||
        !store_commit(&tx, error))
        return false;
    if (ret_id)
        *ret_id = task;
    return true;
}

/* Tasks set before sentences were kept by their keys have both languages in "text". */
void task_shape(json_t *task) {
    const json_t *details = json_object_get(task, "details"), *values = json_object_get(details, "values");
    json_t *text = json_object_get(details, "text");
    json_object_set_new(task, "text",
                        json_is_object(values) ? csirt_sentences(vigie_member(task, "title"), values)
                        : json_is_object(text) ? json_incref(text)
                                               : json_null());
}

const char *csirt_task_title(VigieLang lang, const json_t *task) {
    const char *text = vigie_text_in(lang, json_object_get(task, "text"));
    return *text ? text : vigie_member_text(task, "title");
}

/* The case of a task that is not done yet. */
static bool open_task(VigieStore *store, int64_t task, int64_t *ret_case, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT case_id, done FROM csirt_task WHERE id = $1", "i", task);
    GError *failure = NULL;
    bool found = rows && rows_next(rows, &failure), done = found && rows_int(rows, 1) > 0;
    if (found)
        *ret_case = rows_int(rows, 0);
    if (!rows_ended(rows, &failure, error))
        return false;
    if (done)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "task %" PRId64 ": it is done already", task);
    return found ? !done : none("task", task, error);
}

bool csirt_task_done(VigieStore *store, const VigieAnalyst *who, int64_t task, const char *outcome,
                     VigieTime now, GError **error) {
    g_auto(Case) of = {0};
    GError *failure = NULL;
    int64_t id = 0, changed = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !csirt_may(who, error) || !csirt_text_check("outcome", outcome, CSIRT_NOTE_BYTES, error) ||
        !open_task(store, task, &id, error))
        return false;
    if (!case_load(store, who, id, &of,
                   &failure)) { /* nor does the task exist for who does not see its case */
        bool hidden = g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND);
        if (!hidden)
            g_propagate_error(error, g_steal_pointer(&failure));
        g_clear_error(&failure);
        return hidden ? none("task", task, error) : false;
    }
    if (!store_exec_count(
            store, &changed, error,
            "UPDATE csirt_task SET done = $2, done_by = $3, outcome = $4 WHERE id = $1 AND done = 0", "iitt",
            task, now, analyst_name(who), outcome ? outcome : ""))
        return false;
    if (changed == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "task %" PRId64 ": it is done already", task);
        return false;
    }
    return entry_add(store, id, analyst_name(who), "task-done",
                     json_pack("{s:I, s:s}", "task", (json_int_t)task, "outcome", outcome ? outcome : ""),
                     now, error) &&
           store_commit(&tx, error);
}

static const Cell task_cells[] = {
    {"id", "t.id", CELL_INT},
    {"case", "c.id", CELL_INT},
    {"reference", "c.reference", CELL_STRING},
    {"case_title", "c.title", CELL_STRING},
    {"kind", "t.kind", CELL_STRING},
    {"title", "t.title", CELL_STRING},
    {"details", "t.details", CELL_JSON},
    {"assignee", "t.assignee", CELL_TEXT},
    {"due", "t.due", CELL_TIME},
    {0},
};

json_t *csirt_task_list(VigieStore *store, const VigieAnalyst *who, int64_t id, GError **error) {
    enum { TASKS_MAX = 500 };
    g_autoptr(VigieQuery) query = query_new();
    if (!csirt_may(who, error))
        return NULL;
    cells_select(query, task_cells);
    query_add(query, "FROM csirt_task t JOIN csirt_case c ON c.id = t.case_id WHERE t.done = 0");
    if (id)
        query_add(query, " AND t.case_id = ?i", id);
    case_visible(query, who);
    query_add(query, " ORDER BY t.due = 0, t.due, t.id LIMIT ?i", (int64_t)TASKS_MAX);
    json_t *tasks = cells_run(store, query, task_cells, error);
    for (size_t i = 0; i < json_array_size(tasks); i++) {
        json_t *task = json_array_get(tasks, i);
        json_t *of = json_object();
        task_shape(task);
        json_object_set(of, "id", json_object_get(task, "case"));
        json_object_set(of, "reference", json_object_get(task, "reference"));
        json_object_set(of, "title", json_object_get(task, "case_title"));
        json_object_set_new(task, "case", of);
        json_object_del(task, "reference");
        json_object_del(task, "case_title");
    }
    return tasks;
}

/* ---- Links -------------------------------------------------------------------------------------------------- */
static const struct {
    const char *kind, *table;
} link_kinds[] = {
    {"device", "device"}, {"endpoint", "endpoint"}, {"finding", "finding"}, {"case", "csirt_case"}};

static bool check_link(VigieStore *store, const VigieAnalyst *who, int64_t id, const char *kind, int64_t ref,
                       GError **error) {
    for (size_t i = 0; i < G_N_ELEMENTS(link_kinds); i++) {
        if (strcmp(link_kinds[i].kind, kind) != 0)
            continue;
        g_auto(Case) other = {0};
        int64_t count = 0;
        if (strcmp(kind, "case") == 0)
            return (ref != id || csirt_invalid(error, "link: a case is not linked to itself")) &&
                   case_load(store, who, ref, &other, error);
        g_autofree char *sql = g_strdup_printf("SELECT count(*) FROM %s WHERE id = $1", link_kinds[i].table);
        return store_get_int(store, &count, error, sql, "i", ref) && (count > 0 || none(kind, ref, error));
    }
    return csirt_invalid(error, "kind: a link is to a device, an endpoint, a finding or a case");
}

static bool write_link(VigieStore *store, int64_t id, const char *kind, int64_t ref, const char *note,
                       GError **error) {
    return store_exec(store, error,
                      "INSERT INTO csirt_link (case_id, kind, ref, note) VALUES ($1, $2, $3, $4) "
                      "ON CONFLICT (case_id, kind, ref) DO UPDATE SET note = $4",
                      "itit", id, kind, ref, note ? note : "");
}

bool csirt_link_add(VigieStore *store, const VigieAnalyst *who, int64_t id, const char *kind, int64_t ref,
                    const char *note, VigieTime now, GError **error) {
    g_auto(Case) of = {0};
    bool both = strcmp(kind, "case") == 0; /* seen from either */
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && case_load(store, who, id, &of, error) &&
           csirt_line_check("note", note, CSIRT_LINE_MAX, error) &&
           check_link(store, who, id, kind, ref, error) && write_link(store, id, kind, ref, note, error) &&
           (!both || write_link(store, ref, kind, id, note, error)) &&
           entry_add(store, id, analyst_name(who), "link",
                     json_pack("{s:s, s:I, s:s?}", "kind", kind, "ref", (json_int_t)ref, "note", note), now,
                     error) &&
           (!both ||
            entry_add(store, ref, analyst_name(who), "link",
                      json_pack("{s:s, s:I, s:s?}", "kind", kind, "ref", (json_int_t)id, "note", note), now,
                      error)) &&
           store_commit(&tx, error);
}

static bool drop_link(VigieStore *store, const VigieAnalyst *who, int64_t id, const char *kind, int64_t ref,
                      VigieTime now, GError **error) {
    int64_t changed = 0;
    if (!store_exec_count(store, &changed, error,
                          "DELETE FROM csirt_link WHERE case_id = $1 AND kind = $2 AND ref = $3", "iti", id,
                          kind, ref))
        return false;
    if (changed == 0)
        return none("link", ref, error);
    return entry_add(store, id, analyst_name(who), "unlink",
                     json_pack("{s:s, s:I}", "kind", kind, "ref", (json_int_t)ref), now, error);
}

bool csirt_link_remove(VigieStore *store, const VigieAnalyst *who, int64_t id, const char *kind, int64_t ref,
                       VigieTime now, GError **error) {
    g_auto(Case) of = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && case_load(store, who, id, &of, error) && drop_link(store, who, id, kind, ref, now, error) &&
           (strcmp(kind, "case") != 0 || drop_link(store, who, ref, kind, id, now, error)) &&
           store_commit(&tx, error);
}

/* ---- Access ------------------------------------------------------------------------------------------------- */
bool csirt_access_set(VigieStore *store, const VigieAnalyst *who, int64_t id, const char *account, bool may,
                      VigieTime now, GError **error) {
    g_auto(Case) of = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!account || !*account)
        return csirt_invalid(error, "account: who may read the case");
    return tx && csirt_line_check("account", account, CSIRT_LINE_MAX, error) &&
           case_load(store, who, id, &of, error) &&
           csirt_head_only(who, "who may read a restricted case", error) &&
           (may ? store_exec(
                      store, error,
                      "INSERT INTO csirt_access (case_id, account, author, time) VALUES ($1, $2, $3, $4) "
                      "ON CONFLICT (case_id, account) DO NOTHING",
                      "itti", id, account, analyst_name(who), now)
                : store_exec(store, error, "DELETE FROM csirt_access WHERE case_id = $1 AND account = $2",
                             "it", id, account)) &&
           entry_add(store, id, analyst_name(who), "access",
                     json_pack("{s:s, s:b}", "account", account, "may", may), now, error) &&
           store_commit(&tx, error);
}

/* ---- Consent ------------------------------------------------------------------------------------------------ */
static const char *const audiences[] = {"declarant", "organisation", "authority", "partner",
                                        "supplier",  "community",    "public",    NULL};

static bool check_list(const char *member, const json_t *list, bool members, GError **error) {
    if (!json_is_array(list) || json_array_size(list) == 0)
        return csirt_invalid(error, "%s: a list that is not empty is wanted", member);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (members ? !name || !json_object_get(csirt_members(), name)
                    : !name || !g_strv_contains(audiences, name))
            return csirt_invalid(error, "%s: \"%s\" is none", member, name ? name : "what is no text");
    }
    return true;
}

/* Who, by what evidence, for whom, what of it, until when: all of it, or it is no consent. */
static bool check_consent(const json_t *consent, VigieTime now, VigieTime *ret_ends, GError **error) {
    const char *owner = vigie_member(consent, "owner"), *evidence = vigie_member(consent, "evidence"),
               *ends = vigie_member(consent, "ends");
    if (!owner || !*owner || !evidence || !*evidence)
        return csirt_invalid(
            error, "consent: \"owner\" and \"evidence\" are wanted: who consented, and how it is known");
    if (!ends || !vigie_time_parse_rfc3339(ends, ret_ends, NULL) || *ret_ends <= now)
        return csirt_invalid(error, "ends: a time to come is wanted, as in 2027-01-31T00:00:00Z");
    return csirt_line_check("owner", owner, CSIRT_LINE_MAX, error) &&
           csirt_text_check("evidence", evidence, CSIRT_NOTE_BYTES, error) &&
           check_list("audiences", json_object_get(consent, "audiences"), false, error) &&
           check_list("members", json_object_get(consent, "members"), true, error);
}

bool csirt_consent_add(VigieStore *store, const VigieAnalyst *who, int64_t id, const json_t *consent,
                       VigieTime now, int64_t *ret_id, GError **error) {
    g_auto(Case) of = {0};
    VigieTime ends = 0;
    int64_t added = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, who, id, &of, error) || !check_consent(consent, now, &ends, error))
        return false;
    g_autoptr(json_t) scope = json_pack("{s:O, s:O}", "audiences", json_object_get(consent, "audiences"),
                                        "members", json_object_get(consent, "members"));
    g_autofree char *text = vigie_json_text(scope);
    if (!store_get_int(store, &added, error,
                       "INSERT INTO csirt_consent (case_id, owner, scope, evidence, given, ends, author) "
                       "VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
                       "itttiit", id, vigie_member(consent, "owner"), text, vigie_member(consent, "evidence"),
                       now, ends, analyst_name(who)) ||
        !entry_add(store, id, analyst_name(who), "consent",
                   json_pack("{s:I, s:O}", "consent", (json_int_t)added, "given", (json_t *)consent), now,
                   error) ||
        !store_commit(&tx, error))
        return false;
    if (ret_id)
        *ret_id = added;
    return true;
}

bool csirt_consent_withdraw(VigieStore *store, const VigieAnalyst *who, int64_t id, int64_t consent,
                            VigieTime now, GError **error) {
    g_auto(Case) of = {0};
    int64_t changed = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, who, id, &of, error) ||
        !store_exec_count(
            store, &changed, error,
            "UPDATE csirt_consent SET withdrawn = $3 WHERE id = $1 AND case_id = $2 AND withdrawn = 0", "iii",
            consent, id, now))
        return false;
    if (changed == 0)
        return none("consent", consent, error);
    return entry_add(store, id, analyst_name(who), "consent-withdrawn",
                     json_pack("{s:I}", "consent", (json_int_t)consent), now, error) &&
           store_commit(&tx, error);
}
