/* page-fleet: the fleet's resources, as its room gives them. */
#include "portal/account.h"
#include "portal/page-case.h"

#include <string.h>

static bool is_filter(const Route *route, const char *name) {
    for (const char *const *parameter = route->parameters; parameter && *parameter; parameter++)
        if (strcmp(*parameter, name) == 0)
            return true;
    return false;
}

bool page_filter(const Request *request, VigieFleetFilter *ret_filter, GError **error) {
    VigieFleetFilter filter = {0};
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, request->query);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        g_autoptr(GError) failure = NULL;
        if (!*(const char *)value || !is_filter(request->route, name) ||
            fleet_filter_set(&filter, name, value, &failure))
            continue;
        if (!g_str_has_prefix(failure->message, name))
            g_prefix_error(&failure, "%s: ", (const char *)name);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (request->reader.organisation)
        filter.organisation = request->reader.organisation;
    *ret_filter = filter;
    return true;
}

typedef json_t *(*ListFunction)(VigieStore *, const VigieFleetFilter *, VigieTime, GError **);
typedef json_t *(*GetFunction)(VigieStore *, const VigieFleetFilter *, int64_t, VigieTime, GError **);

static json_t *list(Request *request, ListFunction function, GError **error) {
    VigieFleetFilter filter;
    return page_filter(request, &filter, error) ? function(request->store, &filter, request->now, error)
                                                : NULL;
}

static json_t *get(Request *request, GetFunction function, GError **error) {
    VigieFleetFilter filter = {.organisation = request->reader.organisation};
    return function(request->store, &filter, request->id, request->now, error);
}

RESOURCE(page_overview) {
    return list(request, fleet_overview, error);
}

RESOURCE(page_devices) {
    return list(request, fleet_device_list, error);
}

RESOURCE(page_device) {
    return get(request, fleet_device_get, error);
}

RESOURCE(page_endpoints) {
    return list(request, fleet_endpoint_list, error);
}

RESOURCE(page_endpoint) {
    return get(request, fleet_endpoint_get, error);
}

RESOURCE(page_findings) {
    return list(request, fleet_finding_list, error);
}

RESOURCE(page_finding) {
    return get(request, fleet_finding_get, error);
}

RESOURCE(page_certificates) {
    return list(request, fleet_certificate_list, error);
}

RESOURCE(page_certificate) {
    return get(request, fleet_certificate_get, error);
}

RESOURCE(page_organisations) {
    return list(request, fleet_organisation_list, error);
}

RESOURCE(page_organisation) {
    return get(request, fleet_organisation_get, error);
}

RESOURCE(page_events) {
    return list(request, fleet_event_list, error);
}

RESOURCE(page_alarms) {
    return list(request, fleet_alarm_list, error);
}

RESOURCE(page_search) {
    const char *q = request_query(request, "q");
    g_autofree char *words = g_strstrip(g_strdup(q ? q : ""));
    if (!request->api && case_go(request, words))
        return json_object();
    if (!*words) /* nothing asked, nothing found: the page says what can be */
        return json_pack("{s:s, s:[], s:[], s:[], s:i, s:i, s:i}", "q", "", "devices", "endpoints",
                         "certificates", "total_devices", 0, "total_endpoints", 0, "total_certificates", 0);
    return list(request, fleet_search, error);
}

RESOURCE(page_acknowledge) {
    /* Whether the reader may see it at all is the reading's business. */
    g_autoptr(json_t) before = get(request, fleet_finding_get, error);
    g_autoptr(VigieTransaction) tx = before ? store_begin(request->store, error) : NULL;
    g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, request->id);
    const char *note = request_form(request, "note");
    if (!tx ||
        !fleet_finding_acknowledge(request->store, request->id, request->reader.name,
                                   note && *note ? note : NULL, request->now, error) ||
        !audit_add(request->store, request->now, request->reader.name, request->address, "acknowledged", id,
                   note, error) ||
        !store_commit(&tx, error))
        return NULL;
    request->go = g_strdup_printf("/findings/%s", id);
    return get(request, fleet_finding_get, error);
}
