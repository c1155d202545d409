/* Endpoints as resources, and the history of what was observed at them. */
#include "fleet/internal.h"

#include <string.h>

enum { STRETCHES = 50, EVENTS = 50 };

static const Column columns[] = {
    {"id", "x.id", COLUMN_INT},
    {"target", "x.target", COLUMN_STRING},
    {"host", "x.host", COLUMN_STRING},
    {"port", "x.port", COLUMN_INT},
    {"protocol", "x.protocol", COLUMN_STRING},
    {"connect", "x.connect", COLUMN_TEXT},
    {"name", "x.name", COLUMN_TEXT},
    {"gentle", "x.gentle", COLUMN_BOOL},
    DEVICE_COLUMNS,
    ORGANISATION_COLUMNS,
    {"state", "x.state", COLUMN_STATE},
    {"outcome", "x.outcome", COLUMN_TEXT},
    {"checked", "x.checked", COLUMN_TIME},
    {"seen", "x.seen", COLUMN_TIME},
    {"failures", "x.failures", COLUMN_INT},
    {"silent_since", "x.silent_since", COLUMN_TIME},
    {"versions", "x.versions", COLUMN_VERSIONS},
    {"severity", "x.severity", COLUMN_SEVERITY},
    {"active_findings", "x.active_findings", COLUMN_INT},
    {"certificate.id", "c.id", COLUMN_ID},
    {"certificate.sha256", "c.sha256", COLUMN_HEX},
    {"certificate.subject", "c.subject", COLUMN_STRING},
    {"certificate.common_name", "c.common_name", COLUMN_TEXT},
    {"certificate.issuer", "c.issuer", COLUMN_STRING},
    {"certificate.not_before", "c.not_before", COLUMN_TIME},
    {"certificate.not_after", "c.not_after", COLUMN_END},
    {"not_after", "x.not_after", COLUMN_END},
    {"days_left", "x.not_after", COLUMN_DAYS},
    {0},
};

static const Sort sorts[] = {
    {"state", NULL, "x.state DESC, x.not_after, x.id", "x.state, x.not_after DESC, x.id DESC", NULL, NULL},
    {"id", NULL, "x.id", "x.id DESC", NULL, NULL},
    {"not_after", NULL, "x.not_after, x.id", "x.not_after DESC, x.id DESC", NULL, NULL},
    {"checked", NULL, "x.checked, x.id", "x.checked DESC, x.id DESC", NULL, NULL},
    {"target", NULL, "x.target, x.id", "x.target DESC, x.id DESC", NULL, NULL},
    {"outcome", NULL, "x.outcome, x.id", "x.outcome DESC, x.id DESC", NULL, NULL},
    {"silent_since", NULL, "x.silent_since, x.id", "x.silent_since DESC, x.id DESC", NULL, NULL},
    {"device", "JOIN device sd ON sd.id = x.device_id", "sd.fold, sd.id, x.id",
     "sd.fold DESC, sd.id DESC, x.id DESC", "device sd CROSS JOIN ",
     " AND sd.id = x.device_id AND sd.retired = 0"},
    {0},
};

const List endpoint_list = {
    .table = "endpoint",
    .joins = "JOIN device d ON d.id = x.device_id JOIN organisation o ON o.id = x.organisation_id "
             "LEFT JOIN certificate c ON c.id = x.certificate_id",
    .columns = columns,
    .sorts = sorts,
    .live = "x.live = 1",
    .by = BY_ORGANISATION | BY_DEVICE_FACTS | BY_DEVICE | BY_ID_ENDPOINT | BY_STATE | BY_SEVERITY | BY_END |
          BY_CERTIFICATE,
    .words = WORDS_ENDPOINT,
    .words_also = "x.device_id",
};

json_t *fleet_endpoint_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now,
                            GError **error) {
    return list_page(store, &endpoint_list, filter, now, error);
}

/* ---- History ----------------------------------------------------------------------------------------- */
/* The ids of an array's findings, or its certificates' fingerprints: what of them is worth comparing. */
static json_t *members_of(const json_t *array, const char *member) {
    json_t *out = json_array();
    size_t index;
    json_t *item;
    json_array_foreach(array, index, item) json_array_append(out, json_object_get(item, member));
    return out;
}

static json_t *comparable(const json_t *record, const char *member) {
    json_t *value = json_object_get(record, member);
    if (strcmp(member, "chain") == 0)
        return members_of(value, "sha256");
    if (strcmp(member, "findings") == 0)
        return members_of(value, "id");
    if (strcmp(member, "trust") == 0)
        value = json_object_get(value, "verdict");
    return value ? json_incref(value) : json_null();
}

/* What differs between two records. A member that a shallower examination did not look at has not changed. */
static json_t *changes_between(const json_t *before, const json_t *after) {
    static const char *const always[] = {
        "outcome", "address", "chain", "trust", "name_match", "client_certificate", "findings"};
    static const char *const same_depth[] = {"versions", "suites", "server_preference", "groups"};
    bool deep = json_equal(json_object_get(before, "depth"), json_object_get(after, "depth"));
    json_t *changes = json_array();
    for (size_t i = 0; i < G_N_ELEMENTS(always) + (deep ? G_N_ELEMENTS(same_depth) : 0); i++) {
        const char *member = i < G_N_ELEMENTS(always) ? always[i] : same_depth[i - G_N_ELEMENTS(always)];
        g_autoptr(json_t) old = comparable(before, member), new = comparable(after, member);
        if (!json_equal(old, new))
            json_array_append_new(
                changes, json_pack("{s:s, s:O, s:O}", "member", member, "before", old, "after", new));
    }
    return changes;
}

static const Column stretch_columns[] = {
    {"from", "t.first_time", COLUMN_TIME}, {"to", "t.last_time", COLUMN_TIME},
    {"observations", "t.n", COLUMN_INT},   {"outcome", "y.outcome", COLUMN_STRING},
    {"record", "y.record", COLUMN_JSON},   {0},
};

/* Stretches of observations that said the same, newest first; each record is compared with the one before it.
 */
static json_t *history(VigieStore *store, int64_t endpoint, VigieTime now, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT ");
    query_columns(query, stretch_columns);
    query_add(query,
              " FROM (SELECT COALESCE(same_as, id) AS head, min(time) AS first_time, max(time) AS last_time, "
              "count(*) "
              "AS n FROM observation WHERE endpoint_id = ?i GROUP BY COALESCE(same_as, id) ORDER BY head "
              "DESC LIMIT "
              "?i) t JOIN observation y ON y.id = t.head ORDER BY t.head DESC",
              endpoint, (int64_t)STRETCHES + 1);
    g_autoptr(json_t) stretches = query_array(store, query, stretch_columns, now, error);
    if (!stretches)
        return NULL;
    for (size_t i = 0; i < json_array_size(stretches); i++) {
        json_t *stretch = json_array_get(stretches, i), *earlier = json_array_get(stretches, i + 1);
        json_object_set_new(
            stretch, "changes",
            earlier ? changes_between(json_object_get(earlier, "record"), json_object_get(stretch, "record"))
                    : json_array());
        json_object_del(stretch, "record");
    }
    json_array_remove(stretches, STRETCHES);
    return g_steal_pointer(&stretches);
}

static const Column last_columns[] = {
    {"record", "y.record", COLUMN_JSON},
    {"time", "l.time", COLUMN_TIME},
    {"clock_offset", "l.clock_offset", COLUMN_INT},
    {0},
};

/* The last record: the JSON of the observation that holds it, with what the last one measured anew. */
static json_t *last_record(VigieStore *store, int64_t endpoint, VigieTime now, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT ");
    query_columns(query, last_columns);
    query_add(query,
              " FROM observation l JOIN observation y ON y.id = COALESCE(l.same_as, l.id) WHERE l.id = "
              "(SELECT max(id) "
              "FROM observation WHERE endpoint_id = ?i)",
              endpoint);
    g_autoptr(json_t) found = query_array(store, query, last_columns, now, error);
    if (!found)
        return NULL;
    json_t *row = json_array_get(found, 0), *record = json_object_get(row, "record");
    if (!json_is_object(record))
        return json_null();
    json_object_set(record, "time", json_object_get(row, "time"));
    if (!json_is_null(json_object_get(record, "clock_offset")))
        json_object_set(record, "clock_offset", json_object_get(row, "clock_offset"));
    return json_incref(record);
}

json_t *fleet_endpoint_get(VigieStore *store, const VigieFleetFilter *filter, int64_t id, VigieTime now,
                           GError **error) {
    g_autoptr(json_t) endpoint = list_one(store, &endpoint_list, filter, id, now, error);
    if (!endpoint)
        return NULL;
    VigieFleetFilter own = {.endpoint = id, .retired = true};
    if (!set_part(endpoint, "record", last_record(store, id, now, error)) ||
        !set_part(endpoint, "findings", findings_of(store, &own, now, error)) ||
        !set_part(endpoint, "certificates", certificates_seen(store, 0, id, now, error)) ||
        !set_part(endpoint, "history", history(store, id, now, error)) ||
        !set_part(endpoint, "events", list_items(store, &event_list, &own, NULL, EVENTS, now, error)))
        return NULL;
    return g_steal_pointer(&endpoint);
}
