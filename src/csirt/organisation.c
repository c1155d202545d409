/* Which organisation of the fleet a case may be about: proposed with why, and with what is known of it; a person decides. */
#include "csirt/internal.h"

#include <string.h>

enum { PROPOSED_MAX = 3, CONTACTS_SHOWN = 5 };

static bool is_proposed(const json_t *proposals, int64_t id) {
    for (size_t i = 0; i < json_array_size(proposals); i++)
        if (json_integer_value(json_object_get(json_array_get(proposals, i), "id")) == id)
            return true;
    return false;
}

/* What the desk would look for next: who can be told, and how much of it is watched. */
static bool add(VigieStore *store, json_t *proposals, int64_t id, const char *by, const char *value,
                GError **error) {
    static const Cell cells[] = {
        {"name", "o.name", CELL_STRING},
        {"finess", "o.finess", CELL_TEXT},
        {"devices", "(SELECT count(*) FROM device d WHERE d.organisation_id = o.id)", CELL_INT},
        {0}};
    static const Cell contact_cells[] = {
        {"role", "role", CELL_STRING}, {"name", "name", CELL_STRING}, {"mail", "mail", CELL_STRING}, {0}};
    if (is_proposed(proposals, id) || json_array_size(proposals) >= PROPOSED_MAX)
        return true;
    g_autoptr(json_t) found = cells_array(store, cells, "FROM organisation o WHERE o.id = ?i", id, error);
    g_autoptr(VigieQuery) query = query_new();
    cells_select(query, contact_cells);
    query_add(
        query,
        "FROM contact WHERE organisation_id = ?i AND device_id IS NULL ORDER BY role, name, id LIMIT ?i", id,
        (int64_t)CONTACTS_SHOWN);
    g_autoptr(json_t) contacts = found ? cells_run(store, query, contact_cells, error) : NULL;
    json_t *proposal = json_array_get(found, 0);
    if (!contacts)
        return false;
    if (!proposal)
        return true;
    json_object_set_new(proposal, "id", json_integer((json_int_t)id));
    json_object_set_new(proposal, "by", json_string(by));
    json_object_set_new(proposal, "value", json_string(value));
    json_object_set(proposal, "contacts", contacts);
    json_array_append(proposals, proposal);
    return true;
}

/* Adds those that `sql`, with one text, finds; none where there are several: then it says nothing of one. */
static bool look(VigieStore *store, json_t *proposals, const char *sql, const char *wanted, const char *by,
                 const char *value, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error, sql, "t", wanted);
    GError *failure = NULL;
    int64_t id = 0, count = 0;
    for (; rows && rows_next(rows, &failure); count++)
        id = rows_int(rows, 0);
    if (!rows_ended(rows, &failure, error))
        return false;
    g_clear_pointer(&rows, rows_free);
    return count != 1 || add(store, proposals, id, by, value, error);
}

/* "@chu.test" of the declarant, who is a party of an open case alone: of a source that is protected nothing is here to be looked for. */
static char *declarant_domain(const json_t *item) {
    const json_t *parties = json_object_get(item, "parties");
    for (size_t i = 0; i < json_array_size(parties); i++) {
        const json_t *party = json_array_get(parties, i);
        const char *at = strrchr(vigie_member_text(party, "mail"), '@');
        if (strcmp(vigie_member_text(party, "role"), "declarant") == 0 && at && at[1])
            return g_utf8_strdown(at, -1);
    }
    return NULL;
}

bool case_organisations(VigieStore *store, const json_t *item, json_t *proposals, GError **error) {
    const json_t *organisation = json_object_get(item, "organisation");
    const char *finess = vigie_member_text(json_object_get(item, "facts"), "finess");
    const char *name = vigie_member_text(organisation, "name");
    g_autofree char *fold = vigie_text_fold(name), *upper = g_ascii_strup(finess, -1);
    g_autofree char *domain =
        strcmp(vigie_member_text(item, "source"), "open") == 0 ? declarant_domain(item) : NULL;
    if (json_is_integer(json_object_get(organisation, "id")))
        return true; /* a person said so already */
    return (!*finess || look(store, proposals, "SELECT id FROM organisation WHERE finess = $1 LIMIT 2", upper,
                             "finess", finess, error)) &&
           (!*name || look(store, proposals, "SELECT id FROM organisation WHERE fold = $1 LIMIT 2", fold,
                           "name", name, error)) &&
           (!domain ||
            look(store, proposals,
                 "SELECT DISTINCT organisation_id FROM contact WHERE lower(substr(mail, length(mail) - "
                 "length($1) + 1)) = $1 LIMIT 2",
                 domain, "domain", domain + 1, error));
}
