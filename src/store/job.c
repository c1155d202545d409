#include "store/backend.h"

enum { FIRST_BACK_OFF = 30, LONGEST_BACK_OFF = 6 * 3600, DEAD_SHOWN = 100 };

void job_free(VigieJob *job) {
    if (!job)
        return;
    g_free(job->kind);
    json_decref(job->payload);
    g_free(job->unique_key);
    g_free(job);
}

bool store_job_add(VigieStore *store, const char *kind, json_t *payload, VigieTime run_at,
                   const char *unique_key, int64_t *ret_id, GError **error) {
    if (!json_is_object(payload)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL,
                    "store: the payload of a job (%s) is a JSON object", kind);
        return false;
    }
    g_autofree char *text = vigie_json_text(payload);
    int64_t id = 0;
    /* The update changes nothing: without one, the id of the job that is there would not be returned. */
    if (!store_get_int(
            store, &id, error,
            "INSERT INTO job (kind, payload, unique_key, state, due_at) VALUES ($1, $2, $3, 'waiting', $4) "
            "ON CONFLICT (unique_key) WHERE state <> 'dead' DO UPDATE SET unique_key = job.unique_key "
            "RETURNING id",
            "ttti", kind, text, unique_key, run_at) ||
        !store->backend->job_notify(store, error))
        return false;
    if (ret_id)
        *ret_id = id;
    return true;
}

/* ---- Taking ---------------------------------------------------------------------------------------------- */

/* " AND kind IN ($3, $4)", its values appended to those of `types`. */
static char *kinds_clause(const char *const *kinds, GString *types, GArray *values) {
    if (!kinds)
        return g_strdup("");
    GString *clause = g_string_new(" AND kind IN (");
    for (size_t i = 0; kinds[i]; i++) {
        VigieValue value = {.t = kinds[i]};
        g_array_append_val(values, value);
        g_string_append_c(types, 't');
        g_string_append_printf(clause, "%s$%u", i ? ", " : "", values->len);
    }
    return g_string_free(g_string_append_c(clause, ')'), FALSE);
}

static VigieRows *query_kinds(VigieStore *store, const char *const *kinds, const char *before,
                              const char *after, const char *types, const VigieValue *first, GError **error) {
    g_autoptr(GString) all_types = g_string_new(types);
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(VigieValue));
    g_array_append_vals(values, first, (guint)all_types->len);
    g_autofree char *clause = kinds_clause(kinds, all_types, values);
    g_autofree char *sql = g_strconcat(before, clause, after, NULL);
    return store_query_values(store, error, sql, all_types->str, (const VigieValue *)(void *)values->data);
}

/* Without taking any lock, so that idle workers do not stand in a writer's way. */
static bool any_due(VigieStore *store, const char *const *kinds, VigieTime now, bool *ret_due,
                    GError **error) {
    VigieValue values[] = {{.i = now}};
    g_autoptr(VigieRows) rows =
        query_kinds(store, kinds, "SELECT 1 FROM job WHERE state <> 'dead' AND due_at <= $1", " LIMIT 1", "i",
                    values, error);
    if (!rows)
        return false;
    GError *failure = NULL;
    *ret_due = rows_next(rows, &failure);
    if (failure)
        g_propagate_error(error, failure);
    return failure == NULL;
}

static VigieJob *read_job(const VigieRows *rows) {
    VigieJob *job = g_new(VigieJob, 1);
    *job = (VigieJob){
        .id = rows_int(rows, 0),
        .kind = g_strdup(rows_text(rows, 1)),
        .payload = json_loads(rows_text(rows, 2), 0, NULL),
        .tries = rows_int(rows, 3),
        .unique_key = g_strdup(rows_text(rows, 4)),
    };
    return job;
}

static VigieJob *lease_next(VigieStore *store, const char *const *kinds, const char *worker, int64_t lease,
                            VigieTime now, GError **error) {
    VigieValue values[] = {{.i = now}, {.i = now + lease}, {.t = worker}};
    g_autofree char *after = g_strconcat(" ORDER BY due_at, id LIMIT 1", store->backend->skip_locked,
                                         ") RETURNING id, kind, payload, tries, unique_key", NULL);
    g_autoptr(VigieRows) rows = query_kinds(
        store, kinds,
        "UPDATE job SET state = 'running', due_at = $2, worker = $3, tries = tries + 1 WHERE id = "
        "(SELECT id FROM job WHERE state <> 'dead' AND due_at <= $1",
        after, "iit", values, error);
    return rows && rows_next(rows, error) ? read_job(rows) : NULL;
}

/* Where this lease still holds, as its worker and its number of tries tell. */
#define OURS "id = $1 AND worker = $2 AND tries = $3 AND state = 'running'"

static bool held(int64_t rows, const VigieJob *job, GError **error) {
    if (rows == 1)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                "store: job %" G_GINT64_FORMAT
                " (%s) is not this worker's any more, its lease ended; leave it to the "
                "one that took it",
                job->id, job->kind);
    return false;
}

/* One dead job of a key is enough to show: the former ones leave. */
static bool bury(VigieStore *store, const VigieJob *job, const char *worker, const char *reason,
                 VigieTime now, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    int64_t rows = 0;
    return tx &&
           store_exec(store, error, "DELETE FROM job WHERE unique_key = $1 AND state = 'dead'", "t",
                      job->unique_key) &&
           store_exec_count(
               store, &rows, error,
               "UPDATE job SET state = 'dead', due_at = $4, worker = NULL, reason = $5 WHERE " OURS, "itiit",
               job->id, worker, job->tries, now, reason) &&
           held(rows, job, error) && store_commit(&tx, error);
}

/* A job that may not run again: NULL where it may. */
static const char *unfit(const VigieJob *job) {
    if (!json_is_object(job->payload))
        return "its payload is not a JSON object";
    if (job->tries > STORE_JOB_TRIES)
        return "its worker died, or lost its lease, at each try";
    return NULL;
}

VigieJob *store_job_take(VigieStore *store, const char *const *kinds, const char *worker, int64_t lease,
                         VigieTime now, GError **error) {
    if (!store->backend->job_mark(store, error))
        return NULL;
    for (;;) {
        bool due = false;
        if (!any_due(store, kinds, now, &due, error) || !due)
            return NULL;
        GError *failure = NULL;
        g_autoptr(VigieJob) job = lease_next(store, kinds, worker, lease, now, &failure);
        if (failure) {
            g_propagate_error(error, failure);
            return NULL;
        }
        /* Another worker was faster. */
        if (!job)
            return NULL;
        const char *why = unfit(job);
        if (!why)
            return g_steal_pointer(&job);
        if (!bury(store, job, worker, why, now, error))
            return NULL;
    }
}

/* ---- Life of a lease ------------------------------------------------------------------------------------- */

bool store_job_renew(VigieStore *store, const VigieJob *job, const char *worker, int64_t lease, VigieTime now,
                     GError **error) {
    int64_t rows = 0;
    return store_exec_count(store, &rows, error, "UPDATE job SET due_at = $4 WHERE " OURS, "itii", job->id,
                            worker, job->tries, now + lease) &&
           held(rows, job, error);
}

bool store_job_done(VigieStore *store, const VigieJob *job, const char *worker, GError **error) {
    int64_t rows = 0;
    return store_exec_count(store, &rows, error, "DELETE FROM job WHERE " OURS, "iti", job->id, worker,
                            job->tries) &&
           held(rows, job, error);
}

/* Up to a fifth sooner than its due, by chance, so that jobs which failed together do not come back together.
 */
static int64_t back_off(int64_t tries) {
    int64_t delay = LONGEST_BACK_OFF;
    if (tries < 12)
        delay = MIN((int64_t)FIRST_BACK_OFF << (tries - 1), LONGEST_BACK_OFF);
    return delay - g_random_int_range(0, (gint32)(delay / 5) + 1);
}

bool store_job_failed(VigieStore *store, const VigieJob *job, const char *worker, const char *reason,
                      VigieTime now, GError **error) {
    if (job->tries >= STORE_JOB_TRIES)
        return bury(store, job, worker, reason, now, error);
    int64_t rows = 0;
    return store_exec_count(
               store, &rows, error,
               "UPDATE job SET state = 'waiting', due_at = $4, worker = NULL, reason = $5 WHERE " OURS,
               "itiit", job->id, worker, job->tries, now + back_off(job->tries), reason) &&
           held(rows, job, error);
}

bool store_job_wait(VigieStore *store, int timeout_ms, GError **error) {
    return store->backend->job_wait(store, timeout_ms, error);
}

bool store_wake(VigieStore *store, GError **error) {
    return store->backend->job_notify(store, error);
}

bool store_mark(VigieStore *store, GError **error) {
    return store->backend->job_mark(store, error);
}

/* ---- Telling --------------------------------------------------------------------------------------------- */

static json_t *kinds_json(VigieStore *store, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT kind, sum(CASE WHEN state = 'waiting' THEN 1 ELSE 0 END), "
        "sum(CASE WHEN state = 'running' THEN 1 ELSE 0 END), sum(CASE WHEN state = 'dead' THEN 1 ELSE 0 "
        "END), min(CASE WHEN state = 'waiting' THEN due_at END) FROM job GROUP BY kind ORDER BY kind",
        "");
    if (!rows)
        return NULL;
    g_autoptr(json_t) kinds = json_array();
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        json_t *kind = json_pack("{s:s, s:I, s:I, s:I, s:o}", "kind", rows_text(rows, 0), "waiting",
                                 (json_int_t)rows_int(rows, 1), "running", (json_int_t)rows_int(rows, 2),
                                 "dead", (json_int_t)rows_int(rows, 3), "next_at",
                                 rows_null(rows, 4) ? json_null() : json_integer(rows_int(rows, 4)));
        json_array_append_new(kinds, kind);
    }
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    return g_steal_pointer(&kinds);
}

static json_t *dead_json(VigieStore *store, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT id, kind, unique_key, tries, due_at, reason FROM job WHERE "
                    "state = 'dead' ORDER BY due_at DESC, id DESC LIMIT $1",
                    "i", (int64_t)DEAD_SHOWN);
    if (!rows)
        return NULL;
    g_autoptr(json_t) dead = json_array();
    GError *failure = NULL;
    while (rows_next(rows, &failure))
        json_array_append_new(dead, json_pack("{s:I, s:s, s:s?, s:I, s:I, s:s?}", "id",
                                              (json_int_t)rows_int(rows, 0), "kind", rows_text(rows, 1),
                                              "unique_key", rows_text(rows, 2), "tries",
                                              (json_int_t)rows_int(rows, 3), "died_at",
                                              (json_int_t)rows_int(rows, 4), "reason", rows_text(rows, 5)));
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    return g_steal_pointer(&dead);
}

json_t *store_job_list(VigieStore *store, GError **error) {
    g_autoptr(json_t) kinds = kinds_json(store, error);
    if (!kinds)
        return NULL;
    g_autoptr(json_t) dead = dead_json(store, error);
    if (!dead)
        return NULL;
    return json_pack("{s:O, s:O}", "kinds", kinds, "dead", dead);
}

bool store_job_retry(VigieStore *store, int64_t id, VigieTime now, GError **error) {
    int64_t rows = 0;
    if (!store_exec_count(
            store, &rows, error,
            "UPDATE job SET state = 'waiting', due_at = $2, tries = 0 WHERE id = $1 AND state = 'dead'", "ii",
            id, now)) {
        if (error && g_error_matches(*error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT))
            g_prefix_error(error, "the same job waits or runs already: ");
        return false;
    }
    if (rows == 1)
        return store->backend->job_notify(store, error);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                "store: no job %" G_GINT64_FORMAT " is set aside; vigie doctor lists those that are", id);
    return false;
}
