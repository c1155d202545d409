/* Organisations as resources, their devices counted, and who is told of what. */
#include "fleet/internal.h"

#include <string.h>

static const Column columns[] = {
    {"id", "x.id", COLUMN_INT},
    {"name", "x.name", COLUMN_STRING},
    {"finess", "x.finess", COLUMN_TEXT},
    {"note", "x.note", COLUMN_TEXT},
    {"devices", "(SELECT count(*) FROM device WHERE organisation_id = x.id AND retired = 0)", COLUMN_INT},
    {"created", "x.created", COLUMN_TIME},
    {0},
};

static const Sort sorts[] = {
    {"name", NULL, "x.fold, x.id", "x.fold DESC, x.id DESC", NULL, NULL},
    {"devices", NULL, "(SELECT count(*) FROM device WHERE organisation_id = x.id AND retired = 0) DESC, x.id",
     "(SELECT count(*) FROM device WHERE organisation_id = x.id AND retired = 0), x.id DESC", NULL, NULL},
    {0},
};

const List organisation_list = {
    .table = "organisation",
    .columns = columns,
    .sorts = sorts,
    .live = "1 = 1",
    .by = 0,
};

/* ---- Counts ------------------------------------------------------------------------------------------ */
json_t *by_state_new(void) {
    json_t *counts = json_object();
    for (int64_t state = 0; state < STATES; state++)
        json_object_set_new(counts, fleet_state_name(state), json_integer(0));
    return counts;
}

/* In the order of the index device_counts, so that nothing has to be sorted. */
VigieRows *device_groups(VigieStore *store, const VigieFleetFilter *filter, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT x.organisation_id, x.class, x.state, count(*), min(x.not_after) FROM device x");
    if (!list_where(query, &device_list, filter, error))
        return NULL;
    query_add(query, " GROUP BY x.organisation_id, x.class, x.state");
    return query_run(store, query, error);
}

static void increase(json_t *object, const char *member, int64_t by) {
    json_int_t before = json_integer_value(json_object_get(object, member));
    json_object_set_new(object, member, json_integer(before + by));
}

void group_add(json_t *object, int64_t state, int64_t count, VigieTime not_after) {
    json_t *by_state = json_object_get(object, "by_state");
    if (!by_state) {
        by_state = by_state_new();
        json_object_set_new(object, "by_state", by_state);
        json_object_set_new(object, "not_after", json_null());
    }
    increase(object, "devices", count);
    increase(by_state, fleet_state_name(state), count);
    if (not_after >= FLEET_NEVER)
        return;
    g_autoptr(json_t) end = json_time(not_after);
    const char *first = json_string_value(json_object_get(object, "not_after"));
    if (!first || strcmp(json_string_value(end), first) < 0)
        json_object_set(object, "not_after", end);
}

static bool add_counts(VigieStore *store, json_t *organisation, GError **error) {
    VigieFleetFilter own = {.organisation = json_integer_value(json_object_get(organisation, "id"))};
    g_autoptr(VigieRows) rows = device_groups(store, &own, error);
    if (!rows)
        return false;
    json_object_set_new(organisation, "devices", json_integer(0));
    group_add(organisation, STATE_WELL, 0, FLEET_NEVER);
    GError *failure = NULL;
    while (rows_next(rows, &failure))
        group_add(organisation, rows_int(rows, 2), rows_int(rows, 3), rows_int(rows, 4));
    if (!failure)
        return true;
    g_propagate_error(error, failure);
    return false;
}

json_t *fleet_organisation_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now,
                                GError **error) {
    g_autoptr(json_t) page = list_page(store, &organisation_list, filter, now, error);
    size_t index;
    json_t *item;
    json_array_foreach(json_object_get(page, "items"), index, item) {
        if (!add_counts(store, item, error))
            return NULL;
    }
    return g_steal_pointer(&page);
}

/* ---- Contacts ---------------------------------------------------------------------------------------- */
static const Column contact_columns[] = {
    {"id", "x.id", COLUMN_INT},
    {"role", "x.role", COLUMN_STRING},
    {"name", "x.name", COLUMN_STRING},
    {"mail", "x.mail", COLUMN_STRING},
    {"language", "x.language", COLUMN_STRING},
    {"device", "x.device_id", COLUMN_ID},
    {"manufacturer", "x.manufacturer", COLUMN_TEXT},
    {0},
};

static json_t *contacts_of(VigieStore *store, int64_t organisation, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT ");
    query_columns(query, contact_columns);
    query_add(query, " FROM contact x WHERE x.organisation_id = ?i ORDER BY x.role, x.id", organisation);
    return query_array(store, query, contact_columns, 0, error);
}

json_t *fleet_contact_get(VigieStore *store, const VigieFleetFilter *filter, int64_t id, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT x.organisation_id FROM contact x WHERE x.id = $1 AND ($2 = 0 OR x.organisation_id = "
        "$2)",
        "ii", id, filter->organisation);
    if (!rows_first(rows, error, "contact %" G_GINT64_FORMAT ": there is none", id))
        return NULL;
    int64_t organisation = rows_int(rows, 0);
    g_clear_pointer(&rows, rows_free);
    g_autoptr(json_t) whole = list_one(store, &organisation_list, filter, organisation, 0, error),
                      all = whole ? contacts_of(store, organisation, error) : NULL;
    json_t *contact, *found = NULL;
    size_t index;
    json_array_foreach(all, index, contact) {
        if (json_integer_value(json_object_get(contact, "id")) == id)
            found = json_incref(contact);
    }
    if (found)
        json_object_set_new(found, "organisation",
                            json_pack("{s:O, s:O}", "id", json_object_get(whole, "id"), "name",
                                      json_object_get(whole, "name")));
    return found;
}

json_t *fleet_organisation_get(VigieStore *store, const VigieFleetFilter *filter, int64_t id, VigieTime now,
                               GError **error) {
    g_autoptr(json_t) organisation = list_one(store, &organisation_list, filter, id, now, error);
    if (!organisation || !add_counts(store, organisation, error) ||
        !set_part(organisation, "contacts", contacts_of(store, id, error)))
        return NULL;
    return g_steal_pointer(&organisation);
}

/* How near a contact is to a device: the owner's own for it, the owner's for its maker, the owner's, the
 * biomedical service, anyone of the organisation. 0: not for this device. */
enum { NEAREST = 1, FARTHEST = 5 };

static int nearness(const json_t *contact, int64_t device, const char *owner, const char *manufacturer) {
    const char *role = json_string_value(json_object_get(contact, "role"));
    const char *maker = json_string_value(json_object_get(contact, "manufacturer"));
    json_int_t only = json_integer_value(json_object_get(contact, "device"));
    bool owns = strcmp(role, owner) == 0;
    if (only)
        return only == device ? (owns ? 1 : FARTHEST) : 0;
    if (maker) {
        g_autofree char *wanted = vigie_text_fold(manufacturer), *his = vigie_text_fold(maker);
        return owns && strcmp(wanted, his) == 0 ? 2 : 0;
    }
    return owns ? 3 : strcmp(role, "biomed") == 0 ? 4 : FARTHEST;
}

json_t *contacts_told(VigieStore *store, int64_t device, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT organisation_id, owner, manufacturer FROM device WHERE id = $1", "i", device);
    if (!rows_first(rows, error, "device %" G_GINT64_FORMAT ": there is none", device))
        return NULL;
    g_autoptr(json_t) all = contacts_of(store, rows_int(rows, 0), error);
    if (!all)
        return NULL;
    for (int near = NEAREST; near <= FARTHEST; near++) {
        g_autoptr(json_t) told = json_array();
        size_t index;
        json_t *contact;
        json_array_foreach(all, index, contact) {
            if (nearness(contact, device, rows_text(rows, 1), rows_text(rows, 2)) == near)
                json_array_append(told, contact);
        }
        if (json_array_size(told) > 0)
            return g_steal_pointer(&told);
    }
    return json_array();
}
