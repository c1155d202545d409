/* Organisations, contacts and devices are written. */
#include "fleet/form.h"

#include <string.h>

enum { LINE = 200, NOTE = 2000 };

static const Field organisation_fields[] = {
    {"name", "name", FIELD_LINE, true, LINE, NULL, NULL},
    {"finess", "finess", FIELD_LINE, false, 20, NULL, NULL},
    {"note", "note", FIELD_NOTE, false, NOTE, NULL, NULL},
};

const Form organisation_form = {"organisation", true, organisation_fields, G_N_ELEMENTS(organisation_fields)};

static const Field contact_fields[] = {
    {"organisation", "organisation_id", FIELD_REFERENCE, true, 0, NULL, "organisation"},
    {"device", "device_id", FIELD_REFERENCE, false, 0, NULL, "device"},
    {"role", "role", FIELD_OWNER, true, LINE, NULL, NULL},
    {"name", "name", FIELD_LINE, true, LINE, NULL, NULL},
    {"mail", "mail", FIELD_MAIL, true, 254, NULL, NULL},
    {"language", "language", FIELD_LANGUAGE, false, 2, "fr", NULL},
    {"manufacturer", "manufacturer", FIELD_LINE, false, LINE, NULL, NULL},
};

const Form contact_form = {"contact", false, contact_fields, G_N_ELEMENTS(contact_fields)};

static const Field device_fields[] = {
    {"organisation", "organisation_id", FIELD_REFERENCE, true, 0, NULL, "organisation"},
    {"name", "name", FIELD_LINE, true, LINE, NULL, NULL},
    {"gmao", "gmao", FIELD_LINE, false, LINE, NULL, NULL},
    {"class", "class", FIELD_CLASS, false, LINE, NULL, NULL},
    {"manufacturer", "manufacturer", FIELD_LINE, false, LINE, NULL, NULL},
    {"model", "model", FIELD_LINE, false, LINE, NULL, NULL},
    {"serial", "serial", FIELD_LINE, false, LINE, NULL, NULL},
    {"firmware", "firmware", FIELD_LINE, false, LINE, NULL, NULL},
    {"location", "location", FIELD_LINE, false, LINE, NULL, NULL},
    {"fqdn", "fqdn", FIELD_HOST, false, 253, NULL, NULL},
    {"ip", "ip", FIELD_ADDRESS, false, 45, NULL, NULL},
    {"owner", "owner", FIELD_OWNER, false, LINE, "biomed", NULL},
    {"criticality", "criticality", FIELD_CRITICALITY, false, 0, NULL, NULL},
    {"note", "note", FIELD_NOTE, false, NOTE, NULL, NULL},
    {"retired", "retired", FIELD_FLAG, false, 0, NULL, NULL},
};

const Form device_form = {"device", true, device_fields, G_N_ELEMENTS(device_fields)};

G_STATIC_ASSERT(G_N_ELEMENTS(device_fields) <= FIELDS_MAX);

/* Whether another row has what has to be this one's alone. */
static bool taken(VigieStore *store, const VigieQuery *query, bool *ret_taken, GError **error) {
    int64_t count = 0;
    if (!query_int(store, query, &count, error))
        return false;
    *ret_taken = count > 0;
    return true;
}

/* ---- Organisations and contacts ----------------------------------------------------------------------------- */
static bool organisation_check(VigieStore *store, int64_t id, const FormValues *values, json_t **ret_problem,
                               GError **error) {
    const char *name = form_text(&organisation_form, values, "name");
    if (!name)
        return true;
    g_autofree char *fold = vigie_text_fold(name);
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT count(*) FROM organisation WHERE fold = ?t AND id <> ?i", fold, id);
    bool other = false;
    return taken(store, query, &other, error) &&
           (!other || form_problem("name", "exists", -1, name, ret_problem, error));
}

/* A contact of a device belongs to the device's organisation. */
static bool contact_check(VigieStore *store, int64_t id, const FormValues *values, json_t **ret_problem,
                          GError **error) {
    (void)id;
    int64_t device = form_number(&contact_form, values, "device");
    if (!device)
        return true;
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT count(*) FROM device WHERE id = ?i AND organisation_id <> ?i", device,
              form_number(&contact_form, values, "organisation"));
    bool elsewhere = false;
    return taken(store, query, &elsewhere, error) &&
           (!elsewhere || form_problem("device", "not-found", -1, NULL, ret_problem, error));
}

typedef bool (*Check)(VigieStore *store, int64_t id, const FormValues *values, json_t **ret_problem,
                      GError **error);

static bool save(VigieStore *store, const Form *form, Check check, int64_t id, const json_t *fields,
                 VigieTime now, int64_t *ret_id, json_t **ret_problem, GError **error) {
    g_auto(FormValues) before = {0}, values = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || (id && !form_load(store, form, id, &before, error)) ||
        !form_read(store, form, fields, &values, ret_problem, error) ||
        (!id && !form_complete(form, &values, ret_problem, error)))
        return false;
    if (id)
        form_merge(form, &before, &values);
    if (!check(store, id, &values, ret_problem, error))
        return false;
    if (id ? !form_update(store, form, id, &values, now, error)
           : !form_insert(store, form, &values, now, &id, error))
        return false;
    if (!store_commit(&tx, error))
        return false;
    if (ret_id)
        *ret_id = id;
    return true;
}

bool fleet_organisation_save(VigieStore *store, int64_t id, const json_t *fields, const char *by,
                             VigieTime now, int64_t *ret_id, json_t **ret_problem, GError **error) {
    (void)by;
    return save(store, &organisation_form, organisation_check, id, fields, now, ret_id, ret_problem, error);
}

bool fleet_contact_save(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                        int64_t *ret_id, json_t **ret_problem, GError **error) {
    (void)by;
    return save(store, &contact_form, contact_check, id, fields, now, ret_id, ret_problem, error);
}

bool fleet_contact_remove(VigieStore *store, int64_t id, GError **error) {
    return store_get_int(store, &id, error, "DELETE FROM contact WHERE id = $1 RETURNING id", "i", id);
}

/* ---- Devices ------------------------------------------------------------------------------------------------ */
static bool device_check(VigieStore *store, int64_t id, const FormValues *values, json_t **ret_problem,
                         GError **error) {
    const char *gmao = form_text(&device_form, values, "gmao");
    if (!*gmao)
        return true;
    g_autoptr(VigieQuery) query = query_new();
    query_add(
        query,
        "SELECT count(*) FROM device WHERE organisation_id = ?i AND gmao = ?t AND gmao <> '' AND id <> ?i",
        form_number(&device_form, values, "organisation"), gmao, id);
    bool other = false;
    return taken(store, query, &other, error) &&
           (!other || form_problem("gmao", "exists", -1, gmao, ret_problem, error));
}

/* The words a device is found by. */
static const char *const *device_words(const FormValues *values, const char **words) {
    static const char *const names[] = {"name",   "gmao",     "manufacturer", "model",
                                        "serial", "location", "fqdn",         "ip"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        words[i] = form_text(&device_form, values, names[i]);
    words[G_N_ELEMENTS(names)] = NULL;
    return words;
}

static bool set_device_words(VigieStore *store, int64_t id, const FormValues *before, const FormValues *after,
                             GError **error) {
    const char *old[FIELDS_MAX], *new[FIELDS_MAX];
    return words_set(store, WORDS_DEVICE, id, before ? device_words(before, old) : NULL,
                     device_words(after, new), error);
}

static const char *change_kind(const json_t *changes) {
    const json_t *retired = json_object_get(changes, "retired");
    if (retired)
        return json_is_true(json_object_get(retired, "after")) ? "device-retired" : "device-returned";
    return json_object_get(changes, "location") || json_object_get(changes, "organisation")
               ? "device-moved"
               : "device-changed";
}

static bool tell(VigieStore *store, int64_t id, const FormValues *values, const char *kind, json_t *details,
                 const char *by, VigieTime now, GError **error) {
    Event event = {.kind = kind,
                   .notable = g_str_equal(kind, "device-moved"),
                   .organisation = form_number(&device_form, values, "organisation"),
                   .device = id,
                   .by = by,
                   .details = details};
    return event_add(store, event, now, NULL, error);
}

static bool create(VigieStore *store, FormValues *values, const char *by, VigieTime now, int64_t *ret_id,
                   json_t **ret_problem, GError **error) {
    return form_complete(&device_form, values, ret_problem, error) &&
           device_check(store, 0, values, ret_problem, error) &&
           form_insert(store, &device_form, values, now, ret_id, error) &&
           set_device_words(store, *ret_id, NULL, values, error) &&
           tell(store, *ret_id, values, "device-created", NULL, by, now, error);
}

static bool set_changes(json_t **ret_changes, json_t *changes) {
    if (ret_changes)
        *ret_changes = json_incref(changes);
    return true;
}

static bool change(VigieStore *store, int64_t id, FormValues *values, const char *by, VigieTime now,
                   Written *ret_written, json_t **ret_changes, json_t **ret_problem, GError **error) {
    g_auto(FormValues) before = {0};
    if (!form_load(store, &device_form, id, &before, error))
        return false;
    g_autoptr(json_t) changes = form_changes(&device_form, &before, values);
    *ret_written = json_object_size(changes) ? WRITE_UPDATED : WRITE_UNCHANGED;
    if (*ret_written == WRITE_UNCHANGED)
        return true;
    size_t retired = form_index(&device_form, "retired");
    if (values->at[retired].given && values->at[retired].number && before.at[retired].number)
        values->at[retired].number = before.at[retired].number; /* since when it has been */
    form_merge(&device_form, &before, values);
    return device_check(store, id, values, ret_problem, error) &&
           form_update(store, &device_form, id, values, now, error) &&
           set_device_words(store, id, &before, values, error) &&
           endpoints_follow(store, id, &before, values, by, now, error) &&
           tell(store, id, values, change_kind(changes), json_incref(changes), by, now, error) &&
           set_changes(ret_changes, changes);
}

bool device_write(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                  int64_t *ret_id, Written *ret_written, json_t **ret_changes, json_t **ret_problem,
                  GError **error) {
    g_auto(FormValues) values = {0};
    if (!form_read(store, &device_form, fields, &values, ret_problem, error))
        return false;
    size_t retired = form_index(&device_form, "retired");
    if (values.at[retired].number)
        values.at[retired].number = now;
    Written written = WRITE_CREATED;
    if (id ? !change(store, id, &values, by, now, &written, ret_changes, ret_problem, error)
           : !create(store, &values, by, now, &id, ret_problem, error))
        return false;
    if (ret_id)
        *ret_id = id;
    if (ret_written)
        *ret_written = written;
    return true;
}

bool fleet_device_save(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                       int64_t *ret_id, json_t **ret_problem, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    int64_t saved = 0;
    if (!tx || !device_write(store, id, fields, by, now, &saved, NULL, NULL, ret_problem, error) ||
        !store_commit(&tx, error))
        return false;
    if (ret_id)
        *ret_id = saved;
    return true;
}
