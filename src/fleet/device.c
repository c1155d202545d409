/* Devices as resources. */
#include "fleet/internal.h"

static const Column columns[] = {
    {"id", "x.id", COLUMN_INT},
    {"name", "x.name", COLUMN_STRING},
    ORGANISATION_COLUMNS,
    {"gmao", "x.gmao", COLUMN_TEXT},
    {"class", "x.class", COLUMN_TEXT},
    {"manufacturer", "x.manufacturer", COLUMN_TEXT},
    {"model", "x.model", COLUMN_TEXT},
    {"serial", "x.serial", COLUMN_TEXT},
    {"firmware", "x.firmware", COLUMN_TEXT},
    {"location", "x.location", COLUMN_TEXT},
    {"fqdn", "x.fqdn", COLUMN_TEXT},
    {"ip", "x.ip", COLUMN_TEXT},
    {"owner", "x.owner", COLUMN_STRING},
    {"criticality", "x.criticality", COLUMN_CRITICALITY},
    {"note", "x.note", COLUMN_TEXT},
    {"retired", "x.retired", COLUMN_TIME},
    {"state", "x.state", COLUMN_STATE},
    {"severity", "x.severity", COLUMN_SEVERITY},
    {"active_findings", "x.active_findings", COLUMN_INT},
    {"endpoint_count", "x.endpoint_count", COLUMN_INT},
    {"not_after", "x.not_after", COLUMN_END},
    {"days_left", "x.not_after", COLUMN_DAYS},
    {"checked", "x.checked", COLUMN_TIME},
    {"created", "x.created", COLUMN_TIME},
    {"updated", "x.updated", COLUMN_TIME},
    {0},
};

static const Sort sorts[] = {
    {"state", NULL, "x.state DESC, x.not_after, x.id", "x.state, x.not_after DESC, x.id DESC", NULL, NULL},
    {"id", NULL, "x.id", "x.id DESC", NULL, NULL},
    {"name", NULL, "x.fold, x.id", "x.fold DESC, x.id DESC", NULL, NULL},
    {"gmao", NULL, "x.gmao, x.id", "x.gmao DESC, x.id DESC", NULL, NULL},
    {"class", NULL, "x.class, x.state DESC, x.not_after, x.id",
     "x.class DESC, x.state, x.not_after DESC, x.id DESC", NULL, NULL},
    {"manufacturer", NULL, "x.manufacturer, x.model, x.id", "x.manufacturer DESC, x.model DESC, x.id DESC",
     NULL, NULL},
    {"model", NULL, "x.model, x.id", "x.model DESC, x.id DESC", NULL, NULL},
    {"location", NULL, "x.location, x.id", "x.location DESC, x.id DESC", NULL, NULL},
    {"owner", NULL, "x.owner, x.id", "x.owner DESC, x.id DESC", NULL, NULL},
    {"criticality", NULL, "x.criticality DESC, x.id", "x.criticality, x.id DESC", NULL, NULL},
    {"not_after", NULL, "x.not_after, x.id", "x.not_after DESC, x.id DESC", NULL, NULL},
    {"checked", NULL, "x.checked, x.id", "x.checked DESC, x.id DESC", NULL, NULL},
    {"organisation", "JOIN organisation so ON so.id = x.organisation_id",
     "so.fold, x.state DESC, x.not_after, x.id", "so.fold DESC, x.state, x.not_after DESC, x.id DESC", NULL,
     NULL},
    {0},
};

const List device_list = {
    .table = "device",
    .joins = "JOIN organisation o ON o.id = x.organisation_id",
    .columns = columns,
    .sorts = sorts,
    .live = "x.retired = 0",
    .by = BY_ORGANISATION | BY_DEVICE_FACTS | BY_STATE | BY_SEVERITY | BY_END | BY_ID_DEVICE,
    .words = WORDS_DEVICE,
};

json_t *fleet_device_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    return list_page(store, &device_list, filter, now, error);
}

json_t *device_endpoints(VigieStore *store, int64_t device, VigieTime now, GError **error) {
    VigieFleetFilter own = {.device = device, .retired = true, .sort = "id"};
    return list_items(store, &endpoint_list, &own, " AND x.removed = 0", FLEET_PAGE_SIZE_MAX, now, error);
}

json_t *fleet_device_get(VigieStore *store, const VigieFleetFilter *filter, int64_t id, VigieTime now,
                         GError **error) {
    g_autoptr(json_t) device = list_one(store, &device_list, filter, id, now, error);
    if (!device)
        return NULL;
    VigieFleetFilter own = {.device = id, .retired = true};
    if (!set_part(device, "endpoints", device_endpoints(store, id, now, error)) ||
        !set_part(device, "findings", findings_of(store, &own, now, error)) ||
        !set_part(device, "certificates", certificates_seen(store, id, 0, now, error)) ||
        !set_part(device, "history", list_items(store, &event_list, &own, NULL, 100, now, error)) ||
        !set_part(device, "contacts", contacts_told(store, id, error)))
        return NULL;
    return g_steal_pointer(&device);
}
