/* What happened, newest first. */
#include "fleet/internal.h"

static const Column columns[] = {
    {"id", "x.id", COLUMN_INT},
    {"time", "x.time", COLUMN_TIME},
    {"kind", "x.kind", COLUMN_STRING},
    {"organisation", "x.organisation_id", COLUMN_ID},
    {"device.id", "d.id", COLUMN_ID},
    {"device.name", "d.name", COLUMN_STRING},
    {"endpoint.id", "e.id", COLUMN_ID},
    {"endpoint.target", "e.target", COLUMN_STRING},
    {"certificate", "x.certificate_id", COLUMN_ID},
    {"finding", "x.finding_id", COLUMN_ID},
    {"by", "x.author", COLUMN_TEXT},
    {"details", "x.details", COLUMN_JSON},
    {0},
};

static const Sort sorts[] = {
    {"time", NULL, "x.id DESC", "x.id", NULL, NULL},
    {0},
};

const List event_list = {
    .table = "event",
    .joins = "LEFT JOIN device d ON d.id = x.device_id LEFT JOIN endpoint e ON e.id = x.endpoint_id",
    .columns = columns,
    .sorts = sorts,
    .live = "1 = 1",
    .by = BY_ORGANISATION | BY_DEVICE | BY_ENDPOINT | BY_KIND,
};

json_t *fleet_event_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    return list_page(store, &event_list, filter, now, error);
}

bool event_add(VigieStore *store, Event event, VigieTime now, int64_t *ret_id, GError **error) {
    g_autoptr(json_t) details = event.details ? event.details : json_object();
    g_autofree char *text = vigie_json_text(details);
    int64_t id = 0;
    bool added = store_get_int(
        store, &id, error,
        "INSERT INTO event (time, kind, notable, organisation_id, device_id, endpoint_id, "
        "certificate_id, finding_id, run_id, author, details) VALUES ($1, $2, $3, $4, $5, $6, "
        "$7, $8, NULLIF($9, 0), $10, $11) RETURNING id",
        "itiiiiiiitt", now, event.kind, (int64_t)event.notable, event.organisation, event.device,
        event.endpoint, event.certificate, event.finding, event.run, event.by ? event.by : "", text);
    if (added && ret_id)
        *ret_id = id;
    return added;
}
