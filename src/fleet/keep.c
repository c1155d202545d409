/* What people who keep the fleet by hand need beside writing: what changed meanwhile, what is there already. */
#include "fleet/form.h"

#include <string.h>

static const Form *const forms[] = {[FLEET_ORGANISATION] = &organisation_form,
                                    [FLEET_CONTACT] = &contact_form,
                                    [FLEET_DEVICE] = &device_form,
                                    [FLEET_ENDPOINT] = &endpoint_form};

/* An update that changes nothing holds the row: PostgreSQL shows others' commits within a transaction. */
static bool hold(VigieStore *store, const Form *form, int64_t id, GError **error) {
    g_autofree char *sql = g_strdup_printf("UPDATE %s SET updated = updated WHERE id = $1", form->table);
    return store_exec(store, error, sql, "i", id);
}

json_t *fleet_meanwhile(VigieStore *store, VigieFleetThing thing, int64_t id, const json_t *was,
                        GError **error) {
    const Form *form = forms[thing];
    g_auto(FormValues) now = {0}, then = {0};
    if (!hold(store, form, id, error) || !form_load(store, form, id, &now, error) ||
        !form_read(store, form, was, &then, NULL, error))
        return NULL;
    return form_changes(form, &now, &then);
}

/* ---- What is there already ---------------------------------------------------------------------------------- */
enum { ALIKE_MAX = 3 };

static bool add_alike(VigieStore *store, const VigieFleetFilter *filter, int64_t id, const char *field,
                      const char *value, json_t *alike, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT id, name, gmao, retired FROM device WHERE ");
    query_add(query, field);
    query_add(query, " = ?t AND id <> ?i AND (?i = 0 OR organisation_id = ?i) ORDER BY retired, id LIMIT ?i",
              value, id, filter->organisation, filter->organisation, (int64_t)ALIKE_MAX);
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure))
        json_array_append_new(alike,
                              json_pack("{s:s, s:{s:I, s:s, s:s, s:b}}", "field", field, "device", "id",
                                        (json_int_t)rows_int(rows, 0), "name", rows_text(rows, 1), "gmao",
                                        rows_text(rows, 2), "retired", rows_int(rows, 3) != 0));
    return rows_ended(rows, &failure, error);
}

json_t *fleet_device_alike(VigieStore *store, const VigieFleetFilter *filter, int64_t id,
                           const json_t *fields, GError **error) {
    static const char *const telling[] = {"gmao", "serial", "fqdn", "ip"};
    g_autoptr(json_t) alike = json_array();
    for (size_t i = 0; i < G_N_ELEMENTS(telling); i++) {
        const char *given = json_string_value(json_object_get(fields, telling[i]));
        g_autofree char *value = given ? g_utf8_normalize(given, -1, G_NORMALIZE_NFC) : NULL;
        if (value && *g_strstrip(value) && !add_alike(store, filter, id, telling[i], value, alike, error))
            return NULL;
    }
    return g_steal_pointer(&alike);
}

/* ---- Endpoints, several at once ----------------------------------------------------------------------------- */
static bool add_one(VigieStore *store, int64_t device, const FormValues *of, const char *item, const char *by,
                    VigieTime now, json_t **ret_problem, GError **error) {
    const char *fqdn = form_text(&device_form, of, "fqdn"), *ip = form_text(&device_form, of, "ip");
    g_autofree char *host = NULL, *protocol = NULL;
    g_autoptr(json_t) problem = NULL;
    int64_t port = 0;
    if (!place_parse(item, &host, &port, &protocol))
        return form_problem("endpoints", "not-endpoint", -1, item, ret_problem, error);
    bool own = host == NULL;
    if (own)
        host = g_strdup(*fqdn ? fqdn : ip);
    if (!*host)
        return form_problem("endpoints", "no-address", -1, item, ret_problem, error);
    g_autoptr(json_t) fields = place_fields(host, port, protocol, own && *fqdn ? ip : "");
    json_object_set_new(fields, "device", json_integer(device));
    g_autoptr(GError) failure = NULL;
    if (endpoint_write(store, 0, fields, by, now, NULL, NULL, &problem, &failure))
        return true;
    if (problem)
        return form_problem("endpoints", json_string_value(json_object_get(problem, "problem")), -1, item,
                            ret_problem, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool fleet_device_endpoints_add(VigieStore *store, int64_t device, const char *text, const char *by,
                                VigieTime now, json_t **ret_problem, GError **error) {
    g_auto(FormValues) values = {0};
    g_auto(GStrv) items = g_strsplit_set(text, " \t\r\n,;|", -1);
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    size_t count = 0;
    if (!tx || !form_load(store, &device_form, device, &values, error))
        return false;
    for (char **item = items; *item; item++) {
        if (**item && ++count > FLEET_ENDPOINTS_MAX)
            return form_problem("endpoints", "too-many-endpoints", -1, *item, ret_problem, error);
        if (**item && !add_one(store, device, &values, *item, by, now, ret_problem, error))
            return false;
    }
    return store_commit(&tx, error);
}
