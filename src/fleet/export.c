/* The fleet as a GMAO takes it: the columns it gave, and at the end what was seen. */
#include "fleet/csv.h"
#include "fleet/mapping.h"

#include <string.h>

/* "443/https", or with its host where that is not the device's own. */
static void append_endpoint(GString *out, const json_t *device, const json_t *endpoint) {
    const char *fqdn = vigie_member_text(device, "fqdn"), *ip = vigie_member_text(device, "ip"),
               *host = vigie_member_text(endpoint, "host");
    bool own = strcmp(host, *fqdn ? fqdn : ip) == 0;
    const char *target = vigie_member_text(endpoint, "target");
    g_string_append(out, out->len ? " " : "");
    if (own)
        g_string_append_printf(out, "%" JSON_INTEGER_FORMAT "/%s",
                               json_integer_value(json_object_get(endpoint, "port")),
                               vigie_member_text(endpoint, "protocol"));
    else
        g_string_append(out, target);
}

static char *endpoints_text(const json_t *device, const json_t *endpoints) {
    GString *out = g_string_new(NULL);
    size_t index;
    json_t *endpoint;
    json_array_foreach(endpoints, index, endpoint) append_endpoint(out, device, endpoint);
    return g_string_free(out, FALSE);
}

/* The versions that any of its endpoints offers, oldest first. */
static char *versions_text(const json_t *endpoints) {
    GString *out = g_string_new(NULL);
    for (int version = 0; version < VIGIE_VERSIONS; version++) {
        const char *name = tls_version_name((VigieVersion)version);
        bool offered = false;
        size_t index, inner;
        json_t *endpoint, *one;
        json_array_foreach(endpoints, index, endpoint) {
            json_array_foreach(json_object_get(endpoint, "versions"), inner, one) {
                offered |= strcmp(json_string_value(one), name) == 0;
            }
        }
        if (offered)
            g_string_append_printf(out, "%s%s", out->len ? " " : "", name);
    }
    return g_string_free(out, FALSE);
}

static char *local_of(const json_t *device, const char *member, GTimeZone *zone, const char *format) {
    VigieTime time = 0;
    const char *text = vigie_member_text(device, member);
    return *text && vigie_time_parse_rfc3339(text, &time, NULL) ? local_text(time, zone, format)
                                                                : g_strdup("");
}

typedef struct {
    VigieStore *store;
    const VigieFleetMapping *mapping;
    VigieLang lang;
    GTimeZone *zone;
    VigieTime now;
    GString *out;
} Export;

static char *field_text(const Export *to, const json_t *device, const json_t *endpoints, MapField field) {
    if (field == MAP_ORGANISATION)
        return g_strdup(vigie_member_text(json_object_get(device, "organisation"), "name"));
    if (field == MAP_ENDPOINTS)
        return endpoints_text(device, endpoints);
    if (field == MAP_RETIRED)
        return g_strdup(
            mapping_word(to->mapping, field, *vigie_member_text(device, "retired") ? "yes" : "no"));
    const char *text = vigie_member_text(device, map_names[field]);
    return g_strdup(*text && mapping_has_words(field) ? mapping_word(to->mapping, field, text) : text);
}

static char *extra_text(const Export *to, const json_t *device, const json_t *endpoints, int extra) {
    g_autofree char *state_key = g_strconcat("fleet.state.", vigie_member_text(device, "state"), NULL);
    switch (extra) {
    case EXTRA_END:
        return local_of(device, "not_after", to->zone, "%Y-%m-%d");
    case EXTRA_VERSIONS:
        return versions_text(endpoints);
    case EXTRA_CHECKED:
        return local_of(device, "checked", to->zone, "%Y-%m-%d %H:%M:%S");
    default:
        return g_strdup(vigie_word(to->lang, state_key));
    }
}

static void append_cell(const Export *to, int column, const char *text) {
    if (column > 0)
        g_string_append_c(to->out, ';');
    csv_append_cell(to->out, text, ';');
}

static void append_header(const Export *to) {
    g_string_append(to->out, "\xEF\xBB\xBF");
    for (MapField field = 0; field < MAP_FIELDS; field++)
        append_cell(to, (int)field, mapping_header(to->mapping, field));
    for (int i = 0; i < EXTRAS; i++)
        append_cell(to, MAP_FIELDS + i, vigie_word(to->lang, extra_words[i]));
    g_string_append(to->out, "\r\n");
}

static bool append_device(const Export *to, const json_t *device, GError **error) {
    g_autoptr(json_t) endpoints =
        device_endpoints(to->store, json_integer_value(json_object_get(device, "id")), to->now, error);
    if (!endpoints)
        return false;
    for (MapField field = 0; field < MAP_FIELDS; field++) {
        g_autofree char *text = field_text(to, device, endpoints, field);
        append_cell(to, (int)field, text);
    }
    for (int i = 0; i < EXTRAS; i++) {
        g_autofree char *text = extra_text(to, device, endpoints, i);
        append_cell(to, MAP_FIELDS + i, text);
    }
    g_string_append(to->out, "\r\n");
    return true;
}

/* By id, a page after the other from where the last ended, so that a long export costs no more a row than a short. */
bool fleet_export(VigieStore *store, const VigieFleetFilter *filter, const VigieFleetMapping *mapping,
                  VigieLang lang, GTimeZone *zone, VigieTime now, GString *out, GError **error) {
    Export to = {store, mapping, lang, zone, now, out};
    VigieFleetFilter by_id = *filter;
    by_id.sort = "id";
    by_id.descending = false;
    append_header(&to);
    for (json_int_t last = 0;;) {
        g_autofree char *after = g_strdup_printf(" AND x.id > %" JSON_INTEGER_FORMAT, last);
        g_autoptr(json_t) devices =
            list_items(store, &device_list, &by_id, after, FLEET_PAGE_SIZE_MAX, now, error);
        if (!devices)
            return false;
        size_t index;
        json_t *device;
        json_array_foreach(devices, index, device) {
            if (!append_device(&to, device, error))
                return false;
            last = json_integer_value(json_object_get(device, "id"));
        }
        if (json_array_size(devices) < FLEET_PAGE_SIZE_MAX)
            return true;
    }
}
