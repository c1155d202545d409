/* Findings as resources, and their acknowledgement. How they come and go is observe's. */
#include "fleet/internal.h"

#include <string.h>

enum { NOTE_MAX = 2000, FINDINGS_SHOWN = 200 };

static const Column columns[] = {
    {"id", "x.id", COLUMN_INT},
    {"kind", "x.kind", COLUMN_STRING},
    {"severity", "x.severity", COLUMN_SEVERITY},
    {"state", "x.state", COLUMN_LIFE},
    {"evidence", "x.evidence", COLUMN_JSON},
    {"first_seen", "x.first_seen", COLUMN_TIME},
    {"last_seen", "x.last_seen", COLUMN_TIME},
    {"mended", "x.mended", COLUMN_TIME},
    {"reopened", "x.reopened", COLUMN_TIME},
    {"reopenings", "x.reopenings", COLUMN_INT},
    {"acknowledged.time", "x.acknowledged", COLUMN_TIME},
    {"acknowledged.by", "x.acknowledged_by", COLUMN_STRING},
    {"acknowledged.note", "x.acknowledged_note", COLUMN_TEXT},
    ENDPOINT_COLUMNS,
    DEVICE_COLUMNS,
    ORGANISATION_COLUMNS,
    {0},
};

static const Sort sorts[] = {
    {"severity", NULL, "x.severity DESC, x.last_seen DESC, x.id DESC", "x.severity, x.last_seen, x.id", NULL,
     NULL},
    {"last_seen", NULL, "x.last_seen, x.id", "x.last_seen DESC, x.id DESC", NULL, NULL},
    {"first_seen", NULL, "x.first_seen, x.id", "x.first_seen DESC, x.id DESC", NULL, NULL},
    {"kind", NULL, "x.kind, x.id", "x.kind DESC, x.id DESC", NULL, NULL},
    {"state", NULL, "x.state, x.severity DESC, x.last_seen DESC, x.id DESC",
     "x.state DESC, x.severity, x.last_seen, x.id", NULL, NULL},
    {"device", "JOIN device sd ON sd.id = x.device_id", "sd.fold, sd.id, x.id",
     "sd.fold DESC, sd.id DESC, x.id DESC", "device sd CROSS JOIN ",
     " AND sd.id = x.device_id AND sd.retired = 0"},
    {0},
};

const List finding_list = {
    .table = "finding",
    .joins = "JOIN endpoint e ON e.id = x.endpoint_id JOIN device d ON d.id = x.device_id "
             "JOIN organisation o ON o.id = x.organisation_id",
    .columns = columns,
    .sorts = sorts,
    .live = "x.live = 1",
    .by = BY_ORGANISATION | BY_DEVICE_FACTS | BY_DEVICE | BY_ENDPOINT | BY_LIFE | BY_SEVERITY | BY_KIND,
    .words = WORDS_NONE,
    .words_also = "x.device_id",
};

json_t *fleet_finding_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    return list_page(store, &finding_list, filter, now, error);
}

json_t *fleet_finding_get(VigieStore *store, const VigieFleetFilter *filter, int64_t id, VigieTime now,
                          GError **error) {
    return list_one(store, &finding_list, filter, id, now, error);
}

json_t *findings_of(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    g_autoptr(json_t) active =
        list_items(store, &finding_list, filter, " AND x.state < 3", FINDINGS_SHOWN, now, error);
    if (!active)
        return NULL;
    int room = FINDINGS_SHOWN - (int)json_array_size(active);
    if (room > 0) {
        g_autoptr(json_t) mended =
            list_items(store, &finding_list, filter, " AND x.state = 3", room, now, error);
        if (!mended)
            return NULL;
        json_array_extend(active, mended);
    }
    return g_steal_pointer(&active);
}

bool fleet_finding_acknowledge(VigieStore *store, int64_t id, const char *by, const char *note, VigieTime now,
                               GError **error) {
    if (note && (!g_utf8_validate(note, -1, NULL) || g_utf8_strlen(note, -1) > NOTE_MAX)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "note: %d characters of UTF-8 at most",
                    NOTE_MAX);
        return false;
    }
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx)
        return false;
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT state, organisation_id, device_id, endpoint_id FROM finding WHERE id = $1", "i",
        id);
    if (!rows_first(rows, error, "finding %" G_GINT64_FORMAT ": there is none", id))
        return false;
    if (rows_int(rows, 0) == LIFE_MENDED) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                    "finding %" G_GINT64_FORMAT " is mended already", id);
        return false;
    }
    Event event = {.kind = "finding-acknowledged",
                   .organisation = rows_int(rows, 1),
                   .device = rows_int(rows, 2),
                   .endpoint = rows_int(rows, 3),
                   .finding = id,
                   .by = by,
                   .details = note ? json_pack("{s:s}", "note", note) : NULL};
    g_clear_pointer(&rows, rows_free);
    return store_exec(store, error,
                      "UPDATE finding SET state = 1, acknowledged = $1, acknowledged_by = $2, "
                      "acknowledged_note = $3 "
                      "WHERE id = $4",
                      "itti", now, by, note ? note : "", id) &&
           event_add(store, event, now, NULL, error) && store_commit(&tx, error);
}
