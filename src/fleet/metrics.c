/* Prometheus' text format 0.0.4. Label sets are bounded: enums, and the METERED endpoints whose certificates end first. */
#include "fleet/internal.h"

#include <string.h>

enum { METERED = 10000 };

static void head(GString *out, const char *name, const char *help) {
    g_string_append_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void label_text(GString *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            g_string_append_printf(out, "\\%c", *text);
        else if (*text == '\n')
            g_string_append(out, "\\n");
        else
            g_string_append_c(out, *text);
    }
}

/* One label after another: name="text". */
static void label(GString *out, const char *name, const char *text) {
    g_string_append(out, out->str[out->len - 1] == '{' ? "" : ",");
    g_string_append_printf(out, "%s=\"", name);
    label_text(out, text);
    g_string_append_c(out, '"');
}

static void value(GString *out, int64_t number) {
    g_string_append_printf(out, " %" G_GINT64_FORMAT "\n", number);
}

/* ---- Counts by a label -------------------------------------------------------------------------------------- */
typedef const char *(*NameOf)(int64_t rank);

static const char *severity_name(int64_t rank) {
    return vigie_severity_name((VigieSeverity)rank);
}

/* SELECT rank, count(*) … GROUP BY rank; every rank is told, those without rows as 0. */
static bool by_rank(VigieStore *store, const List *list, const VigieFleetFilter *filter, const char *column,
                    const char *also, int64_t ranks, NameOf name_of, const char *metric,
                    const char *label_name, GString *out, GError **error) {
    int64_t counts[8] = {0};
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT ");
    query_add(query, column);
    query_add(query, ", count(*) FROM ");
    query_add(query, list->table);
    query_add(query, " x");
    if (!list_where(query, list, filter, error))
        return false;
    query_add(query, also);
    query_add(query, " GROUP BY ");
    query_add(query, column);
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    if (!rows)
        return false;
    GError *failure = NULL;
    while (rows_next(rows, &failure))
        counts[CLAMP(rows_int(rows, 0), 0, ranks - 1)] += rows_int(rows, 1);
    for (int64_t rank = 0; rank < ranks; rank++) {
        g_string_append_printf(out, "%s{", metric);
        label(out, label_name, name_of(rank));
        g_string_append_c(out, '}');
        value(out, counts[rank]);
    }
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

/* Outcomes without their detail: "alert", not which. */
static bool by_outcome(VigieStore *store, const VigieFleetFilter *filter, GString *out, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT x.outcome, count(*) FROM endpoint x");
    if (!list_where(query, &endpoint_list, filter, error))
        return false;
    query_add(query, " GROUP BY x.outcome");
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    if (!rows)
        return false;
    int64_t counts[VIGIE_OUTCOMES] = {0};
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        const char *text = rows_text(rows, 0);
        size_t size = strcspn(text, ":");
        for (int i = 0; i < VIGIE_OUTCOMES; i++) {
            const char *name = vigie_outcome_name((VigieOutcome)i);
            if (strlen(name) == size && memcmp(name, text, size) == 0)
                counts[i] += rows_int(rows, 1);
        }
    }
    head(out, "vigie_endpoint_outcomes", "Endpoints by the outcome of their last examination.");
    for (int i = 0; i < VIGIE_OUTCOMES; i++) {
        g_string_append(out, "vigie_endpoint_outcomes{");
        label(out, "outcome", vigie_outcome_name((VigieOutcome)i));
        g_string_append_c(out, '}');
        value(out, counts[i]);
    }
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

/* ---- Endpoints ---------------------------------------------------------------------------------------------- */
static void append_end(GString *out, const VigieRows *rows) {
    g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, rows_int(rows, 0));
    const char *criticality = fleet_criticality_name(rows_int(rows, 4));
    g_string_append(out, "vigie_certificate_not_after_timestamp_seconds{");
    label(out, "endpoint_id", id);
    label(out, "endpoint", rows_text(rows, 1));
    label(out, "class", rows_text(rows, 2));
    label(out, "owner", rows_text(rows, 3));
    label(out, "criticality", criticality ? criticality : "");
    label(out, "device", rows_text(rows, 5));
    label(out, "organisation", rows_text(rows, 6));
    g_string_append_c(out, '}');
    value(out, rows_int(rows, 7));
}

static bool append_ends(VigieStore *store, const VigieFleetFilter *filter, GString *out, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(
        query,
        "SELECT p.id, p.target, p.class, p.owner, p.criticality, d.name, o.name, p.not_after FROM (SELECT "
        "x.id, x.target, x.class, x.owner, x.criticality, x.device_id, x.organisation_id, x.not_after FROM "
        "endpoint x");
    if (!list_where(query, &endpoint_list, filter, error))
        return false;
    query_add(query,
              " AND x.not_after < ?i ORDER BY x.not_after, x.id LIMIT ?i) p JOIN device d ON d.id = "
              "p.device_id JOIN "
              "organisation o ON o.id = p.organisation_id",
              FLEET_NEVER, (int64_t)METERED);
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    if (!rows)
        return false;
    head(out, "vigie_certificate_not_after_timestamp_seconds",
         "When the chain served at an endpoint ends, for the 10000 that end first.");
    GError *failure = NULL;
    while (rows_next(rows, &failure))
        append_end(out, rows);
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

/* ---- The program itself ------------------------------------------------------------------------------------- */
static bool append_jobs(VigieStore *store, GString *out, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT kind, state, count(*) FROM job GROUP BY kind, state ORDER BY kind, state", "");
    if (!rows)
        return false;
    head(out, "vigie_jobs", "Jobs in the queue; a dead one was given up after too many tries.");
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        g_string_append(out, "vigie_jobs{");
        label(out, "kind", rows_text(rows, 0));
        label(out, "state", rows_text(rows, 1));
        g_string_append_c(out, '}');
        value(out, rows_int(rows, 2));
    }
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

static bool append_number(VigieStore *store, const char *sql, const char *metric, const char *help,
                          GString *out, GError **error) {
    int64_t number = 0;
    if (!store_get_int(store, &number, error, sql, ""))
        return false;
    head(out, metric, help);
    g_string_append(out, metric);
    value(out, number);
    return true;
}

static bool append_program(VigieStore *store, GString *out, GError **error) {
    return append_jobs(store, out, error) &&
           append_number(
               store,
               "SELECT COALESCE(max(finished), 0) FROM survey_run WHERE finished > 0 AND state = 'finished'",
               "vigie_survey_last_finished_timestamp_seconds",
               "When the last survey came to its end; 0: never.", out, error) &&
           append_number(store, "SELECT count(*) FROM survey_run WHERE finished = 0",
                         "vigie_surveys_unfinished", "Surveys that wait or run.", out, error) &&
           append_number(store, "SELECT count(*) FROM notice WHERE sent = 0", "vigie_notices_unsent",
                         "Alarm mails that were not sent yet.", out, error);
}

bool fleet_metrics_append(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GString *out,
                          GError **error) {
    (void)now;
    head(out, "vigie_devices", "Devices by state.");
    if (!by_rank(store, &device_list, filter, "x.state", "", STATES, fleet_state_name, "vigie_devices",
                 "state", out, error))
        return false;
    head(out, "vigie_endpoints", "Endpoints by state.");
    if (!by_rank(store, &endpoint_list, filter, "x.state", "", STATES, fleet_state_name, "vigie_endpoints",
                 "state", out, error))
        return false;
    head(out, "vigie_findings", "Findings that are not mended, by severity.");
    if (!by_rank(store, &finding_list, filter, "x.severity", " AND x.active = 1", VIGIE_SEVERITY_CRITICAL + 1,
                 severity_name, "vigie_findings", "severity", out, error))
        return false;
    /* What the whole program does is not an organisation's business. */
    return by_outcome(store, filter, out, error) && append_ends(store, filter, out, error) &&
           (filter->organisation || append_program(store, out, error));
}
