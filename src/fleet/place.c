/* Endpoints are written, and follow their device where it goes. */
#include "fleet/form.h"

#include <string.h>

static const Field fields_[] = {
    {"device", "device_id", FIELD_REFERENCE, true, 0, NULL, "device"},
    {"host", "host", FIELD_HOST, true, 253, NULL, NULL},
    {"port", "port", FIELD_PORT, true, 0, NULL, NULL},
    {"protocol", "protocol", FIELD_PROTOCOL, false, 20, NULL, NULL},
    {"connect", "connect", FIELD_ADDRESS, false, 45, NULL, NULL},
    {"name", "name", FIELD_HOST, false, 253, NULL, NULL},
    {"gentle", "gentle", FIELD_FLAG, false, 0, NULL, NULL},
};

const Form endpoint_form = {"endpoint", false, fields_, G_N_ELEMENTS(fields_)};

char *target_text(const char *host, int64_t port, const char *protocol) {
    bool bracket = strchr(host, ':') != NULL;
    return g_strdup_printf("%s%s%s:%" G_GINT64_FORMAT "/%s", bracket ? "[" : "", host, bracket ? "]" : "",
                           port, protocol);
}

bool place_parse(const char *text, char **ret_host, int64_t *ret_port, char **ret_protocol) {
    const char *slash = strchr(text, '/');
    g_autofree char *place = slash ? g_strndup(text, (gsize)(slash - text)) : g_strdup(text);
    char *colon = strrchr(place, ':');
    guint64 port = 0;
    if (!g_ascii_string_to_unsigned(colon ? colon + 1 : place, 10, 1, 65535, &port, NULL))
        return false;
    *ret_host = NULL;
    if (colon) {
        *colon = '\0';
        size_t size = strlen(place);
        bool bracketed = size > 2 && place[0] == '[' && place[size - 1] == ']';
        *ret_host = bracketed ? g_strndup(place + 1, size - 2) : g_strdup(place);
    }
    *ret_port = (int64_t)port;
    *ret_protocol = slash ? g_ascii_strdown(slash + 1, -1) : NULL;
    return true;
}

json_t *place_fields(const char *host, int64_t port, const char *protocol, const char *connect) {
    json_t *fields = json_pack("{s:s, s:I}", "host", host, "port", (json_int_t)port);
    if (*connect)
        json_object_set_new(fields, "connect", json_string(connect));
    if (protocol)
        json_object_set_new(fields, "protocol", json_string(protocol));
    return fields;
}

/* What an endpoint repeats of its device. */
typedef struct {
    int64_t organisation, criticality, retired;
    char *class_, *owner;
} Facts;

static void facts_clear(Facts *facts) {
    g_free(facts->class_);
    g_free(facts->owner);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Facts, facts_clear)

static bool load_facts(VigieStore *store, int64_t device, Facts *facts, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT organisation_id, criticality, retired, class, owner FROM device WHERE id = $1",
        "i", device);
    if (!rows_first(rows, error, "device %" G_GINT64_FORMAT ": there is none", device))
        return false;
    facts->organisation = rows_int(rows, 0);
    facts->criticality = rows_int(rows, 1);
    facts->retired = rows_int(rows, 2);
    facts->class_ = g_strdup(rows_text(rows, 3));
    facts->owner = g_strdup(rows_text(rows, 4));
    return true;
}

/* A device whose class is not known may well be a medical one. */
static bool gentle_class(const char *class_) {
    bool medical = true;
    return !*class_ || !fleet_class_known(class_, &medical) || medical;
}

static bool set_words(VigieStore *store, int64_t id, const FormValues *before, const FormValues *after,
                      GError **error) {
    const char *old[4] = {0}, *new[4] = {0};
    static const char *const names[] = {"host", "connect", "name"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        old[i] = before ? form_text(&endpoint_form, before, names[i]) : NULL;
        new[i] = form_text(&endpoint_form, after, names[i]);
    }
    return words_set(store, WORDS_ENDPOINT, id, before ? old : NULL, new, error);
}

static bool tell(VigieStore *store, int64_t id, int64_t device, int64_t organisation, const char *kind,
                 json_t *details, const char *by, VigieTime now, GError **error) {
    Event event = {.kind = kind,
                   .organisation = organisation,
                   .device = device,
                   .endpoint = id,
                   .by = by,
                   .details = details};
    return event_add(store, event, now, NULL, error);
}

/* Another endpoint of the device at this place: its id, and whether it was removed; 0: none. */
static bool find_place(VigieStore *store, const FormValues *values, int64_t *ret_id, bool *ret_removed,
                       GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT id, removed FROM endpoint WHERE device_id = $1 AND host = $2 AND port = $3",
        "iti", form_number(&endpoint_form, values, "device"), form_text(&endpoint_form, values, "host"),
        form_number(&endpoint_form, values, "port"));
    GError *failure = NULL;
    if (!rows)
        return false;
    bool found = rows_next(rows, &failure);
    *ret_id = found ? rows_int(rows, 0) : 0;
    *ret_removed = found && rows_int(rows, 1) != 0;
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

static bool insert(VigieStore *store, const FormValues *values, const Facts *facts, VigieTime now,
                   int64_t *ret_id, GError **error) {
    const char *host = form_text(&endpoint_form, values, "host"),
               *protocol = form_text(&endpoint_form, values, "protocol");
    int64_t port = form_number(&endpoint_form, values, "port");
    g_autofree char *target = target_text(host, port, protocol);
    return store_get_int(
        store, ret_id, error,
        "INSERT INTO endpoint (device_id, organisation_id, class, owner, criticality, live, host, port, "
        "protocol, connect, name, target, gentle, created, updated) VALUES ($1, $2, $3, $4, $5, $6, $7, "
        "$8, $9, $10, $11, $12, $13, $14, $15) RETURNING id",
        "iittiititttti"
        "ii",
        form_number(&endpoint_form, values, "device"), facts->organisation, facts->class_, facts->owner,
        facts->criticality, (int64_t)(facts->retired == 0), host, port, protocol,
        form_text(&endpoint_form, values, "connect"), form_text(&endpoint_form, values, "name"), target,
        form_number(&endpoint_form, values, "gentle"), now, now);
}

/* The protocol that the port is known for, and gentleness by the device's class, where not given. */
static void fill_defaults(FormValues *values, const Facts *facts, bool gentle_given) {
    FieldValue *protocol = &values->at[form_index(&endpoint_form, "protocol")];
    FieldValue *gentle = &values->at[form_index(&endpoint_form, "gentle")];
    if (!protocol->text || !*protocol->text) {
        uint16_t port = (uint16_t)form_number(&endpoint_form, values, "port");
        g_free(protocol->text);
        protocol->text = g_strdup(vigie_protocol_name(vigie_protocol_of_port(port)));
    }
    if (!gentle_given)
        gentle->number = gentle_class(facts->class_);
}

/* One that was removed comes back with its history. */
static bool revive(VigieStore *store, int64_t id, const Facts *facts, GError **error) {
    return store_exec(store, error, "UPDATE endpoint SET removed = 0, live = $1 WHERE id = $2", "ii",
                      (int64_t)(facts->retired == 0), id) &&
           store_exec(store, error,
                      "UPDATE finding SET live = $1, active = CASE WHEN state < 3 THEN $2 ELSE 0 END WHERE "
                      "endpoint_id "
                      "= $3",
                      "iii", (int64_t)(facts->retired == 0), (int64_t)(facts->retired == 0), id);
}

static bool create(VigieStore *store, FormValues *values, const char *by, VigieTime now, int64_t *ret_id,
                   Written *ret_written, json_t **ret_problem, GError **error) {
    g_auto(Facts) facts = {0};
    bool gentle_given = values->at[form_index(&endpoint_form, "gentle")].given, removed = false;
    int64_t device = 0, there = 0;
    if (!form_complete(&endpoint_form, values, ret_problem, error))
        return false;
    device = form_number(&endpoint_form, values, "device");
    if (!load_facts(store, device, &facts, error) || !find_place(store, values, &there, &removed, error))
        return false;
    if (there && !removed)
        return form_problem("host", "exists", -1, form_text(&endpoint_form, values, "host"), ret_problem,
                            error);
    fill_defaults(values, &facts, gentle_given);
    *ret_written = WRITE_CREATED;
    *ret_id = there;
    return (there ? revive(store, there, &facts, error)
                  : insert(store, values, &facts, now, ret_id, error) &&
                        set_words(store, *ret_id, NULL, values, error)) &&
           tell(store, *ret_id, device, facts.organisation, "endpoint-added", NULL, by, now, error) &&
           status_device(store, device, error);
}

/* Writes host, port, protocol … of an endpoint, the words and the target that follow from them. */
static bool rewrite(VigieStore *store, int64_t id, const FormValues *before, FormValues *values,
                    VigieTime now, GError **error) {
    g_autofree char *target =
        target_text(form_text(&endpoint_form, values, "host"), form_number(&endpoint_form, values, "port"),
                    form_text(&endpoint_form, values, "protocol"));
    return form_update(store, &endpoint_form, id, values, now, error) &&
           store_exec(store, error, "UPDATE endpoint SET target = $1 WHERE id = $2", "ti", target, id) &&
           set_words(store, id, before, values, error);
}

static bool change(VigieStore *store, int64_t id, FormValues *values, const char *by, VigieTime now,
                   Written *ret_written, json_t **ret_problem, GError **error) {
    g_auto(FormValues) before = {0};
    g_auto(Facts) facts = {0};
    if (!form_load(store, &endpoint_form, id, &before, error))
        return false;
    int64_t device = form_number(&endpoint_form, &before, "device"), there = 0;
    size_t device_field = form_index(&endpoint_form, "device");
    if (values->at[device_field].given && values->at[device_field].number != device)
        return form_problem("device", "fixed", -1, NULL, ret_problem, error);
    form_merge(&endpoint_form, &before, values);
    fill_defaults(values, &facts, true);
    g_autoptr(json_t) changes = form_changes(&endpoint_form, &before, values);
    *ret_written = json_object_size(changes) ? WRITE_UPDATED : WRITE_UNCHANGED;
    if (*ret_written == WRITE_UNCHANGED)
        return true;
    bool removed = false;
    if (!load_facts(store, device, &facts, error) || !find_place(store, values, &there, &removed, error))
        return false;
    if (there && there != id)
        return form_problem("host", "exists", -1, form_text(&endpoint_form, values, "host"), ret_problem,
                            error);
    return rewrite(store, id, &before, values, now, error) &&
           tell(store, id, device, facts.organisation, "endpoint-moved", json_incref(changes), by, now,
                error);
}

bool endpoint_write(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                    int64_t *ret_id, Written *ret_written, json_t **ret_problem, GError **error) {
    g_auto(FormValues) values = {0};
    Written written = WRITE_CREATED;
    if (!form_read(store, &endpoint_form, fields, &values, ret_problem, error))
        return false;
    if (id ? !change(store, id, &values, by, now, &written, ret_problem, error)
           : !create(store, &values, by, now, &id, &written, ret_problem, error))
        return false;
    if (ret_id)
        *ret_id = id;
    if (ret_written)
        *ret_written = written;
    return true;
}

bool fleet_endpoint_save(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                         int64_t *ret_id, json_t **ret_problem, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    int64_t saved = 0;
    if (!tx || !endpoint_write(store, id, fields, by, now, &saved, NULL, ret_problem, error) ||
        !store_commit(&tx, error))
        return false;
    if (ret_id)
        *ret_id = saved;
    return true;
}

/* What was observed is kept; it is no longer watched, nor shown as wrong. */
bool fleet_endpoint_remove(VigieStore *store, int64_t id, const char *by, VigieTime now, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx)
        return false;
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT device_id, organisation_id FROM endpoint WHERE id = $1 AND removed = 0", "i", id);
    if (!rows_first(rows, error, "endpoint %" G_GINT64_FORMAT ": there is none", id))
        return false;
    int64_t device = rows_int(rows, 0), organisation = rows_int(rows, 1);
    g_clear_pointer(&rows, rows_free);
    return store_exec(store, error, "UPDATE endpoint SET removed = $1, live = 0, updated = $2 WHERE id = $3",
                      "iii", now, now, id) &&
           store_exec(store, error, "UPDATE finding SET live = 0, active = 0 WHERE endpoint_id = $1", "i",
                      id) &&
           tell(store, id, device, organisation, "endpoint-removed", NULL, by, now, error) &&
           status_device(store, device, error) && store_commit(&tx, error);
}

/* ---- Following the device ----------------------------------------------------------------------------------- */
static bool repeat_facts(VigieStore *store, int64_t device, const FormValues *after, GError **error) {
    int64_t organisation = form_number(&device_form, after, "organisation");
    int64_t criticality = form_number(&device_form, after, "criticality");
    int64_t in_service = form_number(&device_form, after, "retired") == 0;
    const char *class_ = form_text(&device_form, after, "class"),
               *owner = form_text(&device_form, after, "owner");
    return store_exec(store, error,
                      "UPDATE endpoint SET organisation_id = $1, class = $2, owner = $3, criticality = $4, "
                      "live = CASE "
                      "WHEN removed = 0 THEN $5 ELSE 0 END WHERE device_id = $6",
                      "ittiii", organisation, class_, owner, criticality, in_service, device) &&
           store_exec(store, error,
                      "UPDATE finding SET organisation_id = $1, class = $2, owner = $3, criticality = $4, "
                      "live = (SELECT "
                      "live FROM endpoint WHERE endpoint.id = finding.endpoint_id) WHERE device_id = $5",
                      "ittii", organisation, class_, owner, criticality, device) &&
           store_exec(
               store, error,
               "UPDATE finding SET active = CASE WHEN state < 3 THEN live ELSE 0 END WHERE device_id = $1",
               "i", device) &&
           store_exec(
               store, error,
               "UPDATE endpoint_certificate SET organisation_id = $1 WHERE endpoint_id IN (SELECT id FROM "
               "endpoint WHERE device_id = $2)",
               "ii", organisation, device) &&
           store_exec(store, error, "UPDATE contact SET organisation_id = $1 WHERE device_id = $2", "ii",
                      organisation, device);
}

/* A place that had the device's old address or name gets the new one. */
static void follow_text(FormValues *values, const char *field, const char *old, const char *new) {
    FieldValue *value = &values->at[form_index(&endpoint_form, field)];
    if (!*old || !*new || strcmp(value->text, old) != 0)
        return;
    g_free(value->text);
    value->text = g_strdup(new);
    value->given = true;
}

static bool move(VigieStore *store, int64_t id, const FormValues *before, const FormValues *after,
                 const char *by, VigieTime now, GError **error) {
    g_auto(FormValues) old = {0}, new = {0};
    if (!form_load(store, &endpoint_form, id, &old, error))
        return false;
    form_merge(&endpoint_form, &old, &new);
    static const char *const fields[] = {"host", "connect", "name"};
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        follow_text(&new, fields[i], form_text(&device_form, before, "ip"),
                    form_text(&device_form, after, "ip"));
        if (strcmp(fields[i], "connect") != 0)
            follow_text(&new, fields[i], form_text(&device_form, before, "fqdn"),
                        form_text(&device_form, after, "fqdn"));
    }
    g_autoptr(json_t) changes = form_changes(&endpoint_form, &old, &new);
    int64_t there = 0;
    bool removed = false;
    if (json_object_size(changes) == 0)
        return true;
    if (!find_place(store, &new, &there, &removed, error))
        return false;
    if (there && there != id) /* it is watched at the new place already */
        return true;
    return rewrite(store, id, &old, &new, now, error) &&
           tell(store, id, form_number(&endpoint_form, &old, "device"),
                form_number(&device_form, after, "organisation"), "endpoint-moved", json_incref(changes), by,
                now, error);
}

bool endpoints_follow(VigieStore *store, int64_t device, const FormValues *before, const FormValues *after,
                      const char *by, VigieTime now, GError **error) {
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int64_t));
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT id FROM endpoint WHERE device_id = $1 AND removed = 0", "i", device);
    if (!rows)
        return false;
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        int64_t id = rows_int(rows, 0);
        g_array_append_val(ids, id);
    }
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    g_clear_pointer(&rows, rows_free);
    for (guint i = 0; i < ids->len; i++)
        if (!move(store, g_array_index(ids, int64_t, i), before, after, by, now, error))
            return false;
    return repeat_facts(store, device, after, error);
}
