/* An observation and what follows from it, in one transaction. */
#include "fleet/observe.h"

#include <string.h>

static void observed_clear(Observed *at) {
    g_free(at->class_);
    g_free(at->owner);
    g_free(at->target);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Observed, observed_clear)

Event observed_event(const Observed *at, const char *kind, bool notable) {
    return (Event){.kind = kind,
                   .notable = notable,
                   .organisation = at->organisation,
                   .device = at->device,
                   .endpoint = at->endpoint,
                   .run = at->run};
}

/* ---- The record -------------------------------------------------------------------------------------- */
static void hash_text(GChecksum *sum, const char *text) {
    g_checksum_update(sum, (const guchar *)(text ? text : "\1"), (gssize)strlen(text ? text : "\1") + 1);
}

static void hash_numbers(GChecksum *sum, const int64_t *numbers, size_t count) {
    g_checksum_update(sum, (const guchar *)numbers, (gssize)(count * sizeof *numbers));
}

static void hash_offer(GChecksum *sum, const VigieRecord *record) {
    for (int version = 0; version < VIGIE_VERSIONS; version++) {
        hash_numbers(sum, &(int64_t){(int64_t)record->suites[version].count}, 1);
        for (size_t i = 0; i < record->suites[version].count; i++)
            hash_numbers(sum, &(int64_t){record->suites[version].ids[i]}, 1);
    }
    for (size_t i = 0; i < record->group_count; i++)
        hash_numbers(sum, &(int64_t){record->groups[i]}, 1);
    for (size_t i = 0; record->chain && i < record->chain->count; i++)
        g_checksum_update(sum, record->chain->certificates[i]->sha256, 32);
}

/* What a record says, its times and what jitters with them aside: two records of one hash need one JSON. */
static void content_hash(const VigieRecord *record, guint8 ret_hash[32]) {
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    const int64_t numbers[] = {record->target.port,
                               record->target.protocol,
                               record->depth,
                               record->outcome,
                               record->versions_tested,
                               record->versions_offered,
                               record->server_preference,
                               record->version,
                               record->trust.verdict,
                               (int64_t)record->trust.at,
                               record->trust.order_wrong,
                               record->trust.superfluous,
                               record->name_match,
                               record->client_certificate,
                               record->clock_known,
                               (int64_t)record->finding_count,
                               (int64_t)record->group_count};
    hash_numbers(sum, numbers, G_N_ELEMENTS(numbers));
    hash_text(sum, record->target.host);
    hash_text(sum, record->address);
    hash_text(sum, record->detail);
    hash_text(sum, record->trust.anchor);
    hash_text(sum, record->trust.detail);
    hash_text(sum, record->clock_known ? record->clock_source : NULL);
    hash_offer(sum, record);
    for (size_t i = 0; i < record->finding_count; i++) {
        hash_text(sum, record->findings[i].id);
        hash_numbers(sum, &(int64_t){record->findings[i].severity}, 1);
    }
    gsize size = 32;
    g_checksum_get_digest(sum, ret_hash, &size);
}

static char *outcome_text(const VigieRecord *record) {
    const char *name = vigie_outcome_name(record->outcome);
    return record->detail[0] ? g_strdup_printf("%s:%s", name, record->detail) : g_strdup(name);
}

/* Whether nobody answered: no name, no route, no listener, no word. */
static bool failed(const VigieRecord *record) {
    switch (record->outcome) {
    case VIGIE_OUTCOME_NAME_NOT_FOUND:
    case VIGIE_OUTCOME_NAME_FAILED:
    case VIGIE_OUTCOME_REFUSED:
    case VIGIE_OUTCOME_UNREACHABLE:
    case VIGIE_OUTCOME_TIMEOUT_CONNECT:
    case VIGIE_OUTCOME_TIMEOUT_HANDSHAKE:
        return true;
    default:
        return false;
    }
}

/* ---- The endpoint as it stood ------------------------------------------------------------------------ */
static bool load(VigieStore *store, Observed *at, const guint8 hash[32], GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error,
                                            "SELECT device_id, organisation_id, class, owner, criticality, "
                                            "live, target, state, severity, active_findings, "
                                            "versions, failures, content_id, certificate_id, ending_id, "
                                            "seen, chain_seen, silent_since, not_after, "
                                            "content_hash FROM endpoint WHERE id = $1",
                                            "i", at->endpoint);
    if (!rows_first(rows, error, "endpoint %" G_GINT64_FORMAT ": there is none", at->endpoint))
        return false;
    at->device = rows_int(rows, 0);
    at->organisation = rows_int(rows, 1);
    at->class_ = g_strdup(rows_text(rows, 2));
    at->owner = g_strdup(rows_text(rows, 3));
    at->criticality = rows_int(rows, 4);
    at->live = rows_int(rows, 5);
    at->target = g_strdup(rows_text(rows, 6));
    int64_t *const numbers[] = {&at->state,    &at->severity,   &at->active_findings, &at->versions,
                                &at->failures, &at->content,    &at->certificate,     &at->ending,
                                &at->seen,     &at->chain_seen, &at->silent_since,    &at->not_after};
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        *numbers[i] = rows_int(rows, 7 + (int)i);
    at->same = at->content > 0 && vigie_bytes_equal(rows_blob(rows, 19), vigie_bytes(hash, 32));
    return true;
}

/* False without an error where this run has seen the endpoint already. */
static bool insert(VigieStore *store, Observed *at, const char *outcome, GError **error) {
    GString *json = at->same ? NULL : g_string_sized_new(4096);
    if (json)
        record_append_json(at->record, json);
    g_autofree char *text = json ? g_string_free(json, FALSE) : NULL;
    const VigieValue values[] = {{.i = at->endpoint},
                                 {.i = at->run},
                                 {.i = at->record->time},
                                 {.t = outcome},
                                 {.i = at->record->clock_offset},
                                 {.d = at->record->timings.total_ms},
                                 {.i = at->same ? at->content : 0},
                                 {.t = text}};
    g_autoptr(VigieRows) rows = store_query_values(
        store, error,
        "INSERT INTO observation (endpoint_id, run_id, time, outcome, clock_offset, total_ms, same_as, "
        "record) VALUES "
        "($1, NULLIF($2, 0), $3, $4, $5, $6, NULLIF($7, 0), $8) ON CONFLICT DO NOTHING RETURNING id",
        at->record->clock_known ? "iiitidit" : "iiitndit", values);
    if (!rows || !rows_next(rows, error))
        return false;
    at->observation = rows_int(rows, 0);
    return true;
}

/* ---- What follows ------------------------------------------------------------------------------------ */
/* Counts failures; tells when the endpoint fell silent, and when it came back. */
static bool follow_silence(VigieStore *store, Observed *at, GError **error) {
    if (!failed(at->record)) {
        bool was_silent = at->silent_since > 0;
        Event back = observed_event(at, "endpoint-back", true);
        if (was_silent)
            back.details = json_pack("{s:o, s:I}", "silent_since", json_time(at->silent_since), "failures",
                                     (json_int_t)at->failures);
        at->failures = 0;
        at->silent_since = 0;
        at->seen = at->record->time;
        return !was_silent || event_add(store, back, at->now, NULL, error);
    }
    at->failures++;
    if (at->seen == 0 || at->silent_since > 0 || at->failures < at->policy->silent_after)
        return true;
    at->silent_since = at->record->time;
    g_autofree char *outcome = outcome_text(at->record);
    Event silent = observed_event(at, "endpoint-silent", true);
    silent.details = json_pack("{s:s, s:I, s:o}", "outcome", outcome, "failures", (json_int_t)at->failures,
                               "seen", json_time(at->seen));
    int64_t id = 0;
    return event_add(store, silent, at->now, &id, error) &&
           alarm_raise(store, at->policy, "endpoint-silent", at->endpoint, at->organisation, 0, id, id,
                       at->criticality >= CRITICALITY_MAJOR, at->now, error);
}

/* A shallow examination adds to what deeper ones found, and corrects only what it tested. */
static void follow_versions(Observed *at) {
    if (at->record->outcome != VIGIE_OUTCOME_OK)
        return;
    int64_t known = MAX(at->versions, 0);
    at->versions = (known & ~(int64_t)at->record->versions_tested) | at->record->versions_offered;
}

static bool update(VigieStore *store, Observed *at, const Observed *before, const char *outcome,
                   const guint8 hash[32], GError **error) {
    VigieBytes digest = vigie_bytes(hash, 32);
    at->state = status_of(at->seen > 0, at->silent_since > 0, at->trouble, at->not_after,
                          at->policy->soon_days, at->now);
    if (!store_exec(
            store, error,
            "UPDATE endpoint SET state = $1, outcome = $2, checked = $3, seen = $4, chain_seen = $5, "
            "failures = "
            "$6, silent_since = $7, versions = $8, certificate_id = NULLIF($9, 0), ending_id = NULLIF($10, "
            "0), "
            "not_after = $11, severity = $12, active_findings = $13, content_id = $14, content_hash = $15 "
            "WHERE id = $16",
            "itiiiiiiiiiiiibi", at->state, outcome, at->record->time, at->seen, at->chain_seen, at->failures,
            at->silent_since, at->versions, at->certificate, at->ending, at->not_after, at->severity,
            at->active_findings, at->same ? at->content : at->observation, &digest, at->endpoint))
        return false;
    if (before->state == at->state && before->severity == at->severity &&
        before->not_after == at->not_after && before->active_findings == at->active_findings)
        return store_exec(store, error, "UPDATE device SET checked = $1 WHERE id = $2 AND checked < $3",
                          "iii", at->record->time, at->device, at->record->time);
    return status_device(store, at->device, error);
}

bool fleet_observe(VigieStore *store, const VigieFleetPolicy *policy, int64_t endpoint, int64_t run,
                   const VigieRecord *record, VigieTime now, GError **error) {
    if (record->outcome == VIGIE_OUTCOME_INTERRUPTED)
        return true;
    guint8 hash[32];
    content_hash(record, hash);
    g_autofree char *outcome = outcome_text(record);
    g_auto(Observed) at = {.policy = policy, .record = record, .now = now, .endpoint = endpoint, .run = run};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !load(store, &at, hash, error))
        return false;
    Observed before = at;
    GError *failure = NULL;
    if (!insert(store, &at, outcome, &failure)) {
        if (failure)
            g_propagate_error(error, failure);
        return !failure;
    }
    follow_versions(&at);
    if (!observed_chain(store, &at, error) || !observed_findings(store, &at, error) ||
        !follow_silence(store, &at, error) || !update(store, &at, &before, outcome, hash, error))
        return false;
    return store_commit(&tx, error);
}
