/* What an endpoint and its device are in: well, unknown, soon, broken. */
#include "fleet/internal.h"

State status_of(bool seen, bool silent, int64_t severity, VigieTime not_after, int soon_days, VigieTime now) {
    if (severity >= VIGIE_SEVERITY_HIGH || not_after <= now)
        return STATE_BROKEN;
    if (severity == VIGIE_SEVERITY_MEDIUM || not_after <= now + (VigieTime)soon_days * FLEET_DAY)
        return STATE_SOON;
    return seen && !silent ? STATE_WELL : STATE_UNKNOWN;
}

/* A device is as badly off as its worst endpoint; without one, nothing is known of it. */
bool status_device(VigieStore *store, int64_t device, GError **error) {
    return store_exec(
        store, error,
        "UPDATE device SET state = t.state, severity = t.severity, active_findings = t.findings, "
        "endpoint_count = t.endpoints, not_after = t.not_after, checked = t.checked FROM (SELECT "
        "COALESCE(max(state), 1) AS state, COALESCE(max(severity), -1) AS severity, "
        "COALESCE(sum(active_findings), 0) AS findings, count(*) AS endpoints, "
        "COALESCE(min(not_after), 253402300800) AS not_after, COALESCE(max(checked), 0) AS checked FROM "
        "endpoint WHERE device_id = $1 AND removed = 0) t WHERE device.id = $2",
        "ii", device, device);
}

/* Endpoints whose state is better than their certificate's end allows now. */
static bool worsen(VigieStore *store, State from, State to, VigieTime end, GError **error) {
    g_autoptr(GArray) devices = g_array_new(FALSE, FALSE, sizeof(int64_t));
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT DISTINCT device_id FROM endpoint WHERE live = 1 AND state = $1 AND not_after <= $2", "ii",
        (int64_t)from, end);
    if (!rows)
        return false;
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        int64_t device = rows_int(rows, 0);
        g_array_append_val(devices, device);
    }
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    if (devices->len == 0)
        return true;
    if (!store_exec(store, error,
                    "UPDATE endpoint SET state = $1 WHERE live = 1 AND state = $2 AND not_after <= $3", "iii",
                    (int64_t)to, (int64_t)from, end))
        return false;
    for (guint i = 0; i < devices->len; i++)
        if (!status_device(store, g_array_index(devices, int64_t, i), error))
            return false;
    return true;
}

bool status_refresh(VigieStore *store, int soon_days, VigieTime now, GError **error) {
    VigieTime soon = now + (VigieTime)soon_days * FLEET_DAY;
    return worsen(store, STATE_WELL, STATE_SOON, soon, error) &&
           worsen(store, STATE_UNKNOWN, STATE_SOON, soon, error) &&
           worsen(store, STATE_SOON, STATE_BROKEN, now, error);
}
