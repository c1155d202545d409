/* Surveys as the store knows them: a scope, a depth, and the observations that carry the run's id. What is
 * left of a run is what it has not observed, so that it needs no bookkeeping to be resumed. */
#include "fleet/internal.h"

#include <string.h>

enum { TARGETS_READ = 1000 };

static const Column columns[] = {
    {"id", "x.id", COLUMN_INT},
    {"state", "x.state", COLUMN_STRING},
    {"scope", "x.scope", COLUMN_JSON},
    {"depth", "x.depth", COLUMN_DEPTH},
    {"requested_by", "x.requested_by", COLUMN_STRING},
    {"requested", "x.requested", COLUMN_TIME},
    {"started", "x.started", COLUMN_TIME},
    {"finished", "x.finished", COLUMN_TIME},
    {"targets", "x.targets", COLUMN_INT},
    {"reason", "x.reason", COLUMN_TEXT},
    {"result", "x.result", COLUMN_JSON},
    {0},
};

static const Sort sorts[] = {
    {"requested", NULL, "x.id DESC", "x.id", NULL, NULL},
    {0},
};

const List run_list = {
    .table = "survey_run",
    .columns = columns,
    .sorts = sorts,
    .live = "1 = 1",
    .by = BY_ORGANISATION,
};

/* ---- Scope ------------------------------------------------------------------------------------------- */
static const struct {
    const char *name;
    size_t offset;
} scope_numbers[] =
    {
        {"organisation", offsetof(VigieFleetFilter, organisation)},
        {"device", offsetof(VigieFleetFilter, device)},
        {"endpoint", offsetof(VigieFleetFilter, endpoint)},
},
  scope_texts[] = {
      {"class", offsetof(VigieFleetFilter, class_)},
      {"owner", offsetof(VigieFleetFilter, owner)},
      {"criticality", offsetof(VigieFleetFilter, criticality)},
      {"state", offsetof(VigieFleetFilter, state)},
      {"q", offsetof(VigieFleetFilter, q)},
};

static json_t *scope_json(const VigieFleetFilter *scope) {
    json_t *out = json_object();
    for (size_t i = 0; i < G_N_ELEMENTS(scope_numbers); i++) {
        int64_t value = *(const int64_t *)(const void *)((const char *)scope + scope_numbers[i].offset);
        if (value)
            json_object_set_new(out, scope_numbers[i].name, json_integer(value));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(scope_texts); i++) {
        const char *value = *(const char *const *)(const void *)((const char *)scope + scope_texts[i].offset);
        if (value)
            json_object_set_new(out, scope_texts[i].name, json_string(value));
    }
    return out;
}

/* The filter that a run's scope was; borrows from the JSON. */
static VigieFleetFilter scope_filter(const json_t *scope) {
    VigieFleetFilter filter = {0};
    for (size_t i = 0; i < G_N_ELEMENTS(scope_numbers); i++)
        *(int64_t *)(void *)((char *)&filter + scope_numbers[i].offset) =
            json_integer_value(json_object_get(scope, scope_numbers[i].name));
    for (size_t i = 0; i < G_N_ELEMENTS(scope_texts); i++)
        *(const char **)(void *)((char *)&filter + scope_texts[i].offset) =
            json_string_value(json_object_get(scope, scope_texts[i].name));
    return filter;
}

/* ---- Request ----------------------------------------------------------------------------------------- */
static bool insert_run(VigieStore *store, const VigieFleetFilter *scope, const char *scope_text,
                       int64_t depth, int64_t targets, const char *by, VigieTime now, int64_t *ret_run,
                       GError **error) {
    if (!store_exec(
            store, error,
            "INSERT INTO survey_run (state, scope, organisation_id, depth, requested_by, requested, targets) "
            "VALUES ('waiting', $1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            "tiitii", scope_text, scope->organisation, depth, by, now, targets))
        return false;
    return store_get_int(store, ret_run, error,
                         "SELECT id FROM survey_run WHERE scope = $1 AND depth = $2 AND finished = 0", "ti",
                         scope_text, depth);
}

bool fleet_survey_request(VigieStore *store, const VigieFleetFilter *scope, VigieDepth depth,
                          const char *requested_by, VigieTime now, int64_t *ret_run, GError **error) {
    g_autoptr(json_t) scope_object = scope_json(scope);
    g_autofree char *scope_text = vigie_json_text(scope_object);
    VigieFleetFilter filter = scope_filter(scope_object);
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT count(*) FROM endpoint x");
    int64_t targets = 0, run = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !list_where(query, &endpoint_list, &filter, error) ||
        !query_int(store, query, &targets, error) ||
        !insert_run(store, &filter, scope_text, (int64_t)depth, targets, requested_by, now, &run, error))
        return false;
    g_autofree char *key = g_strdup_printf(FLEET_JOB_SURVEY ":%" G_GINT64_FORMAT, run);
    g_autoptr(json_t) payload = json_pack("{s:I}", "run", (json_int_t)run);
    if (!store_job_add(store, FLEET_JOB_SURVEY, payload, now, key, NULL, error) || !store_commit(&tx, error))
        return false;
    if (ret_run)
        *ret_run = run;
    return true;
}

/* ---- Targets ----------------------------------------------------------------------------------------- */
struct VigieFleetTargets {
    VigieStore *store;
    json_t *scope;
    VigieFleetFilter filter;
    int64_t run, last;
    VigieTime requested;
    VigieTarget *read; /* the page at hand */
    size_t count, at;
};

void fleet_targets_free(VigieFleetTargets *targets) {
    if (!targets)
        return;
    while (targets->at < targets->count)
        vigie_target_clear(&targets->read[targets->at++]);
    g_free(targets->read);
    json_decref(targets->scope);
    g_free(targets);
}

VigieFleetTargets *fleet_survey_targets(VigieStore *store, int64_t run, VigieTime now, VigieDepth *ret_depth,
                                        GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT scope, depth, requested, finished FROM survey_run WHERE id = $1", "i", run);
    if (!rows_first(rows, error, "survey %" G_GINT64_FORMAT ": there is none", run))
        return NULL;
    if (rows_int(rows, 3) > 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "survey %" G_GINT64_FORMAT " is finished", run);
        return NULL;
    }
    g_autoptr(VigieFleetTargets) targets = g_new0(VigieFleetTargets, 1);
    targets->store = store;
    targets->run = run;
    targets->scope = json_loads(rows_text(rows, 0), 0, NULL);
    targets->filter = scope_filter(targets->scope);
    targets->requested = rows_int(rows, 2);
    targets->read = g_new0(VigieTarget, TARGETS_READ);
    VigieDepth depth = (VigieDepth)rows_int(rows, 1);
    g_clear_pointer(&rows, rows_free);
    if (!store_exec(store, error,
                    "UPDATE survey_run SET state = 'running', started = $1 WHERE id = $2 AND started = 0",
                    "ii", now, run))
        return NULL;
    *ret_depth = depth;
    return g_steal_pointer(&targets);
}

static char *text_or_null(const char *text) {
    return text && *text ? g_strdup(text) : NULL;
}

static bool read_page(VigieFleetTargets *targets, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT x.id, x.host, x.port, x.protocol, x.connect, x.name, x.gentle FROM endpoint x");
    if (!list_where(query, &endpoint_list, &targets->filter, error))
        return false;
    query_add(query,
              " AND x.id > ?i AND x.created <= ?i AND NOT EXISTS (SELECT 1 FROM observation b WHERE b.run_id "
              "= ?i AND "
              "b.endpoint_id = x.id) ORDER BY x.id LIMIT ?i",
              targets->last, targets->requested, targets->run, (int64_t)TARGETS_READ);
    g_autoptr(VigieRows) rows = query_run(targets->store, query, error);
    if (!rows)
        return false;
    targets->at = targets->count = 0;
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        VigieTarget *target = &targets->read[targets->count++];
        *target = (VigieTarget){.host = g_strdup(rows_text(rows, 1)),
                                .connect = text_or_null(rows_text(rows, 4)),
                                .name = text_or_null(rows_text(rows, 5)),
                                .port = (uint16_t)rows_int(rows, 2),
                                .gentle = rows_int(rows, 6) != 0,
                                .tag = rows_int(rows, 0)};
        target->protocol = VIGIE_PROTOCOL_TLS;
        vigie_protocol_parse(rows_text(rows, 3), &target->protocol);
        targets->last = target->tag;
    }
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

bool fleet_targets_next(VigieFleetTargets *targets, VigieTarget *ret_target, GError **error) {
    if (targets->at == targets->count && !read_page(targets, error))
        return false;
    if (targets->at == targets->count)
        return false;
    *ret_target = targets->read[targets->at];
    targets->read[targets->at++] = (VigieTarget){0};
    return true;
}

/* ---- Progress ---------------------------------------------------------------------------------------- */
/* Adds text → count rows to an object, what follows a ':' in the text left out. */
static json_t *counted(VigieStore *store, const char *sql, int64_t run, int64_t *ret_total, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error, sql, "i", run);
    if (!rows)
        return NULL;
    g_autoptr(json_t) counts = json_object();
    GError *failure = NULL;
    *ret_total = 0;
    while (rows_next(rows, &failure)) {
        const char *text = rows_text(rows, 0);
        g_autofree char *name = g_strndup(text, strcspn(text, ":"));
        json_int_t before = json_integer_value(json_object_get(counts, name));
        json_object_set_new(counts, name, json_integer(before + rows_int(rows, 1)));
        *ret_total += rows_int(rows, 1);
    }
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    return g_steal_pointer(&counts);
}

static json_int_t sum_of(const json_t *counts, const char *const *names) {
    json_int_t sum = 0;
    for (; *names; names++)
        sum += json_integer_value(json_object_get(counts, *names));
    return sum;
}

/* What a run has brought so far. */
static json_t *result_of(VigieStore *store, int64_t run, GError **error) {
    static const char *const opened[] = {"finding-opened", "finding-reopened", NULL},
                             *const mended[] = {"finding-mended", NULL},
                             *const fresh[] = {"certificate-first-seen", "certificate-renewed",
                                               "certificate-changed", NULL};
    int64_t done = 0, ignored = 0;
    json_t *outcomes =
        counted(store, "SELECT outcome, count(*) FROM observation WHERE run_id = $1 GROUP BY outcome", run,
                &done, error);
    if (!outcomes)
        return NULL;
    g_autoptr(json_t) events = counted(
        store, "SELECT kind, count(*) FROM event WHERE run_id = $1 GROUP BY kind", run, &ignored, error);
    if (!events) {
        json_decref(outcomes);
        return NULL;
    }
    return json_pack("{s:I, s:o, s:I, s:I, s:I}", "done", (json_int_t)done, "outcomes", outcomes,
                     "findings_opened", sum_of(events, opened), "findings_mended", sum_of(events, mended),
                     "certificates_new", sum_of(events, fresh));
}

static void add_estimate(json_t *run, VigieTime now) {
    json_int_t targets = json_integer_value(json_object_get(run, "targets"));
    json_int_t done = json_integer_value(json_object_get(run, "done"));
    const char *started_text = json_string_value(json_object_get(run, "started"));
    VigieTime started = 0;
    bool known = started_text && json_is_null(json_object_get(run, "finished")) && done > 0 &&
                 targets >= done && vigie_time_parse_rfc3339(started_text, &started, NULL) && now >= started;
    json_object_set_new(run, "seconds_left",
                        known ? json_integer((now - started) * (targets - done) / done) : json_null());
}

static bool complete(VigieStore *store, json_t *run, VigieTime now, GError **error) {
    g_autoptr(json_t) result = json_incref(json_object_get(run, "result"));
    json_object_del(run, "result");
    if (!json_is_object(result)) {
        json_decref(result);
        result = result_of(store, json_integer_value(json_object_get(run, "id")), error);
        if (!result)
            return false;
    }
    json_object_update(run, result);
    add_estimate(run, now);
    return true;
}

json_t *fleet_survey_progress(VigieStore *store, const VigieFleetFilter *filter, int64_t run, VigieTime now,
                              GError **error) {
    g_autoptr(json_t) progress = list_one(store, &run_list, filter, run, now, error);
    return progress && complete(store, progress, now, error) ? g_steal_pointer(&progress) : NULL;
}

json_t *fleet_survey_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    g_autoptr(json_t) page = list_page(store, &run_list, filter, now, error);
    size_t index;
    json_t *run;
    json_array_foreach(json_object_get(page, "items"), index, run) {
        if (!complete(store, run, now, error))
            return NULL;
    }
    return g_steal_pointer(&page);
}

bool fleet_survey_finish(VigieStore *store, int64_t run, const char *reason, VigieTime now, GError **error) {
    g_autoptr(json_t) result = result_of(store, run, error);
    if (!result)
        return false;
    g_autofree char *text = vigie_json_text(result);
    return store_exec(
        store, error,
        "UPDATE survey_run SET state = $1, finished = $2, reason = $3, result = $4 WHERE id = $5 AND "
        "finished = 0",
        "titti", reason ? "failed" : "finished", now, reason ? reason : "", text, run);
}
