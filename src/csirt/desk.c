#include "csirt/desk.h"
#include "csirt/internal.h"

#include <string.h>

/* ---- What changed ------------------------------------------------------------------------------------------- */
/* Every change of a case ends in one line of its timeline: the last line's number is the count of changes. */
static bool last_of_case(VigieStore *store, const VigieAnalyst *who, int64_t id, int64_t *ret_seq,
                         GError **error) {
    g_autoptr(GError) failure = NULL;
    if (who->may &&
        store_get_int(store, ret_seq, &failure,
                      "SELECT coalesce((SELECT max(seq) FROM csirt_entry e WHERE e.case_id = c.id), 0) "
                      "FROM csirt_case c WHERE c.id = $1 AND (c.restricted = 0 OR $2 = 1 OR EXISTS "
                      "(SELECT 1 FROM csirt_access a WHERE a.case_id = c.id AND a.account = $3))",
                      "iit", id, (int64_t)who->head, who->name))
        return true;
    if (failure && !g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND))
        g_propagate_error(error, g_steal_pointer(&failure));
    else
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is no case %" G_GINT64_FORMAT, id);
    return false;
}

bool csirt_changes(VigieStore *store, const VigieAnalyst *who, int64_t id, int64_t *ret_changes,
                   GError **error) {
    if (id)
        return last_of_case(store, who, id, ret_changes, error);
    if (who->may)
        return store_get_int(store, ret_changes, error, "SELECT coalesce(max(id), 0) FROM csirt_entry", "");
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "cases are for those who work at the desk");
    return false;
}

bool csirt_case_unchanged(VigieStore *store, const VigieAnalyst *who, int64_t id, int64_t seen,
                          GError **error) {
    int64_t last = 0;
    if (!last_of_case(store, who, id, &last, error))
        return false;
    if (last == seen)
        return true;
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT author, kind FROM csirt_entry WHERE case_id = $1 AND seq = $2", "ii", id, last);
    if (!rows || !rows_next(rows, error))
        return false;
    const char *author = rows_text(rows, 0);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                "the case changed while you worked on it (%s: %s): look at it again, then change it",
                *author ? author : "vigie", rows_text(rows, 1));
    return false;
}

static json_t *time_or_null(int64_t time) {
    g_autofree char *text = time ? vigie_time_rfc3339(time) : NULL;
    return text ? json_string(text) : json_null();
}

json_t *csirt_reading_list(VigieStore *store, const VigieAnalyst *who, int64_t id, GError **error) {
    if (!who->head) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "who read a case is for the head of CSIRT");
        return NULL;
    }
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT account, time, what FROM csirt_reading WHERE case_id = $1 ORDER BY id DESC LIMIT 200", "i",
        id);
    g_autoptr(json_t) array = json_array();
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure))
        json_array_append_new(array, json_pack("{s:s, s:o, s:s}", "account", rows_text(rows, 0), "time",
                                               time_or_null(rows_int(rows, 1)), "what", rows_text(rows, 2)));
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (rows)
        return g_steal_pointer(&array);
    return NULL;
}

/* ---- What to do next ---------------------------------------------------------------------------------------- */
static bool any_with(const json_t *array, const char *member, const char *value) {
    size_t index;
    json_t *item;
    json_array_foreach(array, index, item) {
        if (strcmp(vigie_member_text(item, member), value) == 0)
            return true;
    }
    return false;
}

/* Of a vulnerability, nobody is told before it is verified; whoever did not ask has to be notified. */
static const char *step_of_qualified(const json_t *item) {
    const char *kind = vigie_member_text(item, "kind");
    bool vulnerability = strcmp(kind, "vulnerability") == 0;
    if (vulnerability && !json_is_string(json_object_get(item, "verified")))
        return "verify";
    if (any_with(json_object_get(item, "escalations"), "state", "proposed"))
        return "escalate";
    if (any_with(json_object_get(item, "messages"), "direction", "out"))
        return "follow";
    return vulnerability || strcmp(kind, "incident-report") == 0 ? "notify" : "answer";
}

json_t *csirt_step_next(const json_t *item) {
    static const struct {
        const char *state, *step, *leads_to;
    } steps[] = {
        {"received", "acknowledge", "acknowledged"},
        {"acknowledged", "qualify", "qualified"},
        {"qualified", NULL, "in-progress"},
        {"in-progress", NULL, "resolved"},
        {"resolved", "close", "closed"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        if (strcmp(steps[i].state, vigie_member_text(item, "state")) != 0)
            continue;
        const char *step = steps[i].step ? steps[i].step : step_of_qualified(item);
        return json_pack("{s:s, s:s}", "step", step, "state", steps[i].leads_to);
    }
    return json_pack("{s:s, s:n}", "step", "done", "state");
}

/* ---- The change of shift ------------------------------------------------------------------------------------ */
static bool may_work(const VigieAnalyst *who, GError **error) {
    if (!who->may)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "cases are for those who work at the desk");
    return who->may;
}

#define BRIEF "SELECT id, reference, title, band, urgent, state, assignee, due FROM csirt_case "

/* Consumes `rows`; NULL: the query failed. */
static json_t *briefs(VigieRows *rows, GError **error) {
    g_autoptr(VigieRows) owned = rows;
    g_autoptr(json_t) array = json_array();
    g_autoptr(GError) failure = NULL;
    while (owned && rows_next(owned, &failure))
        json_array_append_new(
            array, json_pack("{s:I, s:s, s:s, s:I, s:b, s:s, s:s, s:o}", "id", (json_int_t)rows_int(owned, 0),
                             "reference", rows_text(owned, 1), "title", rows_text(owned, 2), "band",
                             (json_int_t)rows_int(owned, 3), "urgent", rows_int(owned, 4) != 0, "state",
                             rows_text(owned, 5), "assignee", rows_text(owned, 6), "due",
                             time_or_null(rows_int(owned, 7))));
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (owned)
        return g_steal_pointer(&array);
    return NULL;
}

static json_t *due_tasks(VigieStore *store, VigieTime until, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT t.id, t.case_id, c.reference, t.title, t.due, t.details FROM csirt_task t JOIN csirt_case c "
        "ON c.id = "
        "t.case_id WHERE t.done = 0 AND t.due > 0 AND t.due <= $1 AND c.restricted = 0 ORDER BY t.due, t.id "
        "LIMIT $2",
        "ii", until, (int64_t)CSIRT_HANDOVER_ROWS);
    g_autoptr(json_t) array = json_array();
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        json_t *task = json_pack("{s:I, s:I, s:s, s:s, s:o, s:o}", "id", (json_int_t)rows_int(rows, 0),
                                 "case", (json_int_t)rows_int(rows, 1), "reference", rows_text(rows, 2),
                                 "title", rows_text(rows, 3), "due", time_or_null(rows_int(rows, 4)),
                                 "details", csirt_json_parse(rows_text(rows, 5)));
        task_shape(task);
        json_object_del(task, "details");
        json_array_append_new(array, task);
    }
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (rows)
        return g_steal_pointer(&array);
    return NULL;
}

json_t *csirt_handover_draft(VigieStore *store, const VigieAnalyst *who, VigieTime now, GError **error) {
    VigieTime until = now + CSIRT_HANDOVER_HOURS * 3600;
    int64_t active = 0, unassigned = 0, restricted = 0, rows = CSIRT_HANDOVER_ROWS;
    if (!may_work(who, error) ||
        !store_get_int(store, &active, error, "SELECT count(*) FROM csirt_case WHERE active = 1", "") ||
        !store_get_int(store, &unassigned, error,
                       "SELECT count(*) FROM csirt_case WHERE active = 1 AND assignee = ''", "") ||
        !store_get_int(store, &restricted, error,
                       "SELECT count(*) FROM csirt_case WHERE active = 1 AND restricted = 1", ""))
        return NULL;
    g_autoptr(json_t) urgent =
        briefs(store_query(store, error,
                           BRIEF "WHERE active = 1 AND band = 1 AND restricted = 0 ORDER BY urgent DESC, "
                                 "score DESC, received, id LIMIT $1",
                           "i", rows),
               error);
    g_autoptr(json_t) due =
        urgent ? briefs(store_query(store, error,
                                    BRIEF "WHERE active = 1 AND due > 0 AND due <= $1 AND restricted = 0 "
                                          "ORDER BY due, id LIMIT $2",
                                    "ii", until, rows),
                        error)
               : NULL;
    g_autoptr(json_t) tasks = due ? due_tasks(store, until, error) : NULL;
    return tasks ? json_pack("{s:I, s:I, s:I, s:O, s:O, s:O}", "active", (json_int_t)active, "unassigned",
                             (json_int_t)unassigned, "restricted", (json_int_t)restricted, "urgent", urgent,
                             "due", due, "tasks", tasks)
                 : NULL;
}

bool csirt_handover_add(VigieStore *store, const VigieAnalyst *who, const char *text, VigieTime now,
                        int64_t *ret_id, GError **error) {
    g_autofree char *trimmed = g_strstrip(g_strdup(text ? text : ""));
    if (!may_work(who, error))
        return false;
    if (!*trimmed || strlen(trimmed) > CSIRT_HANDOVER_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "text: what the next shift must know is wanted, at most %d octets", CSIRT_HANDOVER_MAX);
        return false;
    }
    g_autoptr(json_t) draft = csirt_handover_draft(store, who, now, error);
    g_autofree char *picture = draft ? vigie_json_text(draft) : NULL;
    return picture && store_get_int(store, ret_id, error,
                                    "INSERT INTO csirt_handover (author, time, text, picture) VALUES ($1, "
                                    "$2, $3, $4) RETURNING id",
                                    "titt", who->name, now, trimmed, picture);
}

bool csirt_handover_read(VigieStore *store, const VigieAnalyst *who, int64_t id, VigieTime now,
                         GError **error) {
    int64_t known = 0;
    if (!may_work(who, error) ||
        !store_get_int(store, &known, error, "SELECT count(*) FROM csirt_handover WHERE id = $1", "i", id))
        return false;
    if (known == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is no hand-over note %" G_GINT64_FORMAT,
                    id);
        return false;
    }
    return store_exec(store, error,
                      "INSERT INTO csirt_handover_reading (handover_id, account, time) VALUES ($1, $2, $3) "
                      "ON CONFLICT (handover_id, account) DO NOTHING",
                      "iti", id, who->name, now);
}

static json_t *readings(VigieStore *store, int64_t id, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT account, time FROM csirt_handover_reading WHERE handover_id = $1 ORDER BY time, account", "i",
        id);
    g_autoptr(json_t) array = json_array();
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure))
        json_array_append_new(array, json_pack("{s:s, s:o}", "account", rows_text(rows, 0), "time",
                                               time_or_null(rows_int(rows, 1))));
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (rows)
        return g_steal_pointer(&array);
    return NULL;
}

static json_t *note(VigieStore *store, const VigieRows *rows, GError **error) {
    json_t *read = readings(store, rows_int(rows, 0), error);
    return read ? json_pack("{s:I, s:s, s:o, s:s, s:o, s:o}", "id", (json_int_t)rows_int(rows, 0), "author",
                            rows_text(rows, 1), "time", time_or_null(rows_int(rows, 2)), "text",
                            rows_text(rows, 3), "picture", json_loads(rows_text(rows, 4), 0, NULL), "read",
                            read)
                : NULL;
}

json_t *csirt_handover_list(VigieStore *store, const VigieAnalyst *who, GError **error) {
    if (!may_work(who, error))
        return NULL;
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT id, author, time, text, picture FROM csirt_handover ORDER BY id DESC LIMIT 10",
        "");
    g_autoptr(json_t) items = json_array();
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        json_t *item = note(store, rows, &failure);
        if (!item)
            break;
        json_array_append_new(items, item);
    }
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (rows)
        return json_pack("{s:O}", "items", items);
    return NULL;
}
