/* The load of the desk. Counts stop at CSIRT_LOAD_MAX, so that they cost the same however many cases there are. */
#include "csirt/judge.h"
#include "csirt/rules.h"

#include <string.h>

typedef struct {
    VigieStore *store;
    const VigieAnalyst *who;
    json_t *load;
} Load;

/* Active cases of which `sql` ("" or " AND …", one ?i for `number`) holds. */
static bool count(const Load *load, const char *sql, int64_t number, int64_t *ret_count, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    bool due = strstr(sql, "c.due") != NULL; /* has an index of its own */
    query_add(query, "SELECT count(*) FROM (SELECT 1 FROM csirt_case c WHERE ");
    query_add(query, due ? "c.active + 0 = 1" : "c.active = 1");
    query_add(query, sql, number);
    case_visible(query, load->who);
    query_add(query, " LIMIT ?i) x", (int64_t)CSIRT_LOAD_MAX);
    return query_int(load->store, query, ret_count, error);
}

static bool count_into(const Load *load, json_t *object, const char *member, const char *sql, int64_t number,
                       GError **error) {
    int64_t found = 0;
    if (!count(load, sql, number, &found, error))
        return false;
    json_object_set_new(object, member, json_integer(found));
    return true;
}

static bool by_band(const Load *load, GError **error) {
    json_t *bands = json_object();
    json_object_set_new(load->load, "by_band", bands);
    int64_t urgent = 0;
    for (int64_t band = 1; band <= 4; band++) {
        const char name[] = {(char)('0' + band), '\0'};
        int64_t found = 0;
        if (!count_into(load, bands, name, " AND c.band = ?i", band, error) ||
            !count(load, " AND c.urgent = 1 AND c.band = ?i", band, &found, error))
            return false;
        urgent += found;
    }
    json_object_set_new(load->load, "urgent", json_integer(urgent));
    return true;
}

static bool by_state(const Load *load, GError **error) {
    static const struct {
        const char *state, *sql;
    } states[] = {{"received", " AND c.state = 'received'"},
                  {"acknowledged", " AND c.state = 'acknowledged'"},
                  {"qualified", " AND c.state = 'qualified'"},
                  {"in-progress", " AND c.state = 'in-progress'"},
                  {"resolved", " AND c.state = 'resolved'"}};
    json_t *counts = json_object();
    json_object_set_new(load->load, "by_state", counts);
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++)
        if (!count_into(load, counts, states[i].state, states[i].sql, 0, error))
            return false;
    return true;
}

static bool by_assignee(const Load *load, VigieTime now, GError **error) {
    static const Cell cells[] = {
        {"name", "c.assignee", CELL_STRING}, {"cases", "count(*)", CELL_INT}, {"overdue", "", CELL_INT}, {0}};
    g_autoptr(VigieQuery) query = query_new();
    query_add(
        query,
        "SELECT c.assignee, count(*), sum(CASE WHEN c.due > 0 AND c.due < ?i THEN 1 ELSE 0 END) FROM (SELECT "
        "c.assignee, c.due FROM csirt_case c WHERE c.active = 1",
        now);
    case_visible(query, load->who);
    query_add(
        query,
        " ORDER BY c.active DESC, c.band, c.urgent DESC, c.score DESC, c.received, c.id LIMIT ?i) c WHERE "
        "c.assignee <> '' GROUP BY c.assignee ORDER BY 2 DESC, 1",
        (int64_t)CSIRT_LOAD_MAX);
    json_t *assignees = cells_run(load->store, query, cells, error);
    json_object_set_new(load->load, "by_assignee", assignees ? assignees : json_null());
    return assignees != NULL;
}

static bool tasks_due(const Load *load, VigieTime now, GError **error) {
    int64_t due = 0;
    g_autoptr(VigieQuery) query = query_new();
    query_add(query,
              "SELECT count(*) FROM (SELECT 1 FROM csirt_task t JOIN csirt_case c ON c.id = t.case_id WHERE "
              "t.done = 0 AND "
              "t.due > 0 AND t.due <= ?i",
              now);
    case_visible(query, load->who);
    query_add(query, " LIMIT ?i) x", (int64_t)CSIRT_LOAD_MAX);
    if (!query_int(load->store, query, &due, error))
        return false;
    json_object_set_new(load->load, "tasks_due", json_integer(due));
    return true;
}

json_t *csirt_load(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who, VigieTime now,
                   GError **error) {
    g_autoptr(json_t) object = json_object();
    const Load load = {store, who, object};
    if (!csirt_may(who, error) || !count_into(&load, object, "active", "", 0, error) ||
        !count_into(&load, object, "unassigned", " AND c.assignee = ''", 0, error) ||
        !count_into(&load, object, "overdue", " AND c.due > 0 AND c.due < ?i", now, error) ||
        !by_band(&load, error) || !by_state(&load, error) || !by_assignee(&load, now, error) ||
        !tasks_due(&load, now, error))
        return NULL;
    json_t *on_call =
        team ? csirt_roster_at(json_object_get(csirt_team_json(team), "roster"), team_zone(team), now) : NULL;
    json_object_set_new(object, "on_call", on_call ? on_call : json_null());
    json_object_set_new(object, "open",
                        json_boolean(team && csirt_calendar_open_at(team_calendar(team), now)));
    return g_steal_pointer(&object);
}

/* ---- The fact "load" ------------------------------------------------------------------------------------------
 * What the team can still take, by the queue: cases a head, and deadlines missed. */
static bool check_limits(const json_t *data, const char *measure, GError **error) {
    const json_t *limits = json_object_get(data, measure);
    json_int_t high = json_integer_value(json_object_get(limits, "high"));
    return rules_members(limits, "high!i saturated!i", measure, error) &&
           ((high > 0 && high < json_integer_value(json_object_get(limits, "saturated"))) ||
            rules_refuse(error, measure, "\"high\" is more than 0 and less than \"saturated\""));
}

bool workload_load(const json_t *data, GError **error) {
    return rules_members(data, "source!s per_analyst!o overdue!o text!t", "workload", error) &&
           check_limits(data, "per_analyst", error) && check_limits(data, "overdue", error);
}

/* 0 normal, 1 high, 2 saturated. */
static int level(const char *measure, int64_t value) {
    const json_t *limits = json_object_get(rules(RULES_WORKLOAD), measure);
    return (value >= json_integer_value(json_object_get(limits, "high"))) +
           (value >= json_integer_value(json_object_get(limits, "saturated")));
}

static json_t *load_name(const char *name) {
    const json_t *values = json_object_get(json_object_get(csirt_facts(), "load"), "values");
    for (size_t i = 0; i < json_array_size(values); i++)
        if (strcmp(vigie_member_text(json_array_get(values, i), "name"), name) == 0)
            return json_incref(json_object_get(json_array_get(values, i), "text"));
    return NULL;
}

static json_t *load_text(const char *name, int64_t cases, int64_t analysts, int64_t overdue) {
    g_autoptr(json_t) values =
        json_pack("{s:o, s:I, s:I, s:I}", "load", load_name(name), "cases", (json_int_t)cases, "analysts",
                  (json_int_t)analysts, "overdue", (json_int_t)overdue);
    json_t *texts = json_object();
    for (int lang = 0; lang < VIGIE_LANGS; lang++) {
        g_autofree char *text = csirt_filled(
            (VigieLang)lang, vigie_text_in((VigieLang)lang, json_object_get(rules(RULES_WORKLOAD), "text")),
            values);
        json_object_set_new(texts, vigie_lang_code((VigieLang)lang), json_string(text));
    }
    return texts;
}

bool case_workload(VigieStore *store, VigieTime now, bool always, CaseFacts *facts, GError **error) {
    static const char *const names[] = {"normal", "high", "saturated"};
    bool asked =
        always || json_object_get(facts->facts, "precision") || json_object_get(facts->facts, "complexity");
    if (!asked || json_object_get(facts->facts, "load") || !state_active(facts->state))
        return true;
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT count(*), count(DISTINCT CASE WHEN assignee <> '' THEN assignee END), sum(CASE WHEN due > 0 "
        "AND "
        "due < $1 THEN 1 ELSE 0 END) FROM (SELECT assignee, due FROM csirt_case WHERE active = 1 LIMIT $2) x",
        "ii", now, (int64_t)CSIRT_LOAD_MAX);
    GError *failure = NULL;
    bool found = rows && rows_next(rows, &failure);
    int64_t cases = found ? rows_int(rows, 0) : 0, analysts = found ? rows_int(rows, 1) : 0;
    int64_t overdue = found ? rows_int(rows, 2) : 0;
    if (!rows_ended(rows, &failure, error))
        return false;
    facts->load = names[MAX(level("per_analyst", cases / MAX(analysts, 1)), level("overdue", overdue))];
    facts->load_text = load_text(facts->load, cases, analysts, overdue);
    return true;
}
