/* Contacts: whom to tell, how we know, and how much that is worth. */
#include "csirt/telling.h"
#include "fleet/fleet.h"

#include <inttypes.h>
#include <string.h>

enum { CONTACTS_MAX = 300, STRUCK = 40 }; /* what a bounce costs */

static const Cell contact_cells[] = {
    {"id", "id", CELL_INT},
    {"kind", "kind", CELL_STRING},
    {"value", "value", CELL_STRING},
    {"name", "name", CELL_TEXT},
    {"language", "language", CELL_TEXT},
    {"source", "source", CELL_STRING},
    {"place", "place", CELL_TEXT},
    {"confidence", "CASE WHEN confirmed > 0 THEN 100 ELSE confidence END", CELL_INT},
    {"details", "details", CELL_JSON},
    {"found", "found", CELL_TIME},
    {"seen", "seen", CELL_TIME},
    {"confirmed", "confirmed", CELL_TIME},
    {"confirmed_by", "confirmed_by", CELL_TEXT},
    {"rejected", "rejected", CELL_TIME},
    {"bounces", "bounces", CELL_INT},
    {"bounced", "bounced", CELL_TIME},
    {"fingerprint", "fingerprint", CELL_TEXT},
    {0},
};
#define IN_SCOPE                                                                                             \
    "FROM csirt_contact WHERE ((organisation_id = ?i AND organisation_id > 0) OR (domain = ?t AND domain "   \
    "<> ''))"
#define BEST_FIRST                                                                                           \
    " ORDER BY CASE WHEN rejected > 0 THEN 1 ELSE 0 END, "                                                   \
    "CASE WHEN confirmed > 0 THEN 100 ELSE confidence END - 40 * bounces DESC, id LIMIT ?i"

/* ---- What a case's contacts hang on ------------------------------------------------------------------------- */
void scope_clear(Scope *scope) {
    g_clear_pointer(&scope->domain, g_free);
}

bool scope_load(VigieStore *store, int64_t case_id, Scope *ret_scope, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error,
                                            "SELECT organisation_id, COALESCE((SELECT domain FROM "
                                            "csirt_lookup WHERE case_id = $1 ORDER BY id DESC LIMIT 1), '') "
                                            "FROM csirt_case WHERE id = $1",
                                            "i", case_id);
    if (!rows_first(rows, error, "case %" PRId64 ": there is none", case_id))
        return false;
    *ret_scope = (Scope){rows_int(rows, 0), g_strdup(rows_text(rows, 1))};
    return true;
}

static json_t *contacts_run(VigieStore *store, const Scope *scope, const char *more, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    cells_select(query, contact_cells);
    query_add(query, IN_SCOPE, scope->organisation, scope->domain);
    query_add(query, more);
    query_add(query, BEST_FIRST, (int64_t)CONTACTS_MAX);
    return cells_run(store, query, contact_cells, error);
}

json_t *contacts_usable(VigieStore *store, const Scope *scope, GError **error) {
    return contacts_run(store, scope, " AND rejected = 0", error);
}

/* ---- Keeping ------------------------------------------------------------------------------------------------- */
/* Found again, what is known of it stays, and a better place replaces a worse one. */
static bool keep(VigieStore *store, const Scope *scope, const char *domain, const json_t *contact,
                 VigieTime now, GError **error) {
    g_autofree char *details = vigie_json_text(json_object_get(contact, "details"));
    const char *name = vigie_member(contact, "name"), *place = vigie_member(contact, "place");
    const char *language = vigie_member(contact, "language");
    return store_exec(
        store, error,
        "INSERT INTO csirt_contact (organisation_id, domain, kind, value, name, language, source, place, "
        "confidence, details, "
        "found, seen) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) "
        "ON CONFLICT (organisation_id, domain, kind, value) DO UPDATE SET seen = excluded.seen, "
        "source = CASE WHEN excluded.confidence >= csirt_contact.confidence THEN excluded.source ELSE "
        "csirt_contact.source END, "
        "place = CASE WHEN excluded.confidence >= csirt_contact.confidence THEN excluded.place ELSE "
        "csirt_contact.place END, "
        "details = CASE WHEN excluded.confidence >= csirt_contact.confidence THEN excluded.details "
        "ELSE csirt_contact.details END, "
        "confidence = CASE WHEN excluded.confidence >= csirt_contact.confidence OR csirt_contact.source = "
        "excluded.source "
        "THEN excluded.confidence ELSE csirt_contact.confidence END",
        "itttttttiti", scope->organisation, domain, vigie_member(contact, "kind"),
        vigie_member(contact, "value"), name ? name : "", language ? language : "",
        vigie_member(contact, "source"), place ? place : "",
        (int64_t)json_integer_value(json_object_get(contact, "confidence")), details, now);
}

bool contacts_take_fleet(VigieStore *store, const Scope *scope, VigieTime now, GError **error) {
    if (scope->organisation == 0)
        return true;
    VigieFleetFilter all = {0};
    GError *failure = NULL;
    g_autoptr(json_t) organisation = fleet_organisation_get(store, &all, scope->organisation, now, &failure);
    if (!organisation && g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND)) {
        g_clear_error(&failure);
        return true;
    }
    if (!organisation) {
        g_propagate_error(error, failure);
        return false;
    }
    const json_t *contacts = json_object_get(organisation, "contacts");
    int64_t confidence = lookup_confidence("fleet");
    for (size_t i = 0; i < json_array_size(contacts); i++) {
        const json_t *one = json_array_get(contacts, i);
        if (!vigie_member(one, "mail") || json_is_integer(json_object_get(one, "device")))
            continue;
        bool vendor = g_strcmp0(vigie_member(one, "role"), "vendor") == 0;
        g_autoptr(json_t) contact = json_pack(
            "{s:s, s:O, s:O, s:O, s:s, s:I, s:{s:O}}", "kind", "mail", "value", json_object_get(one, "mail"),
            "name", json_object_get(one, "name"), "language", json_object_get(one, "language"), "source",
            "fleet", "confidence", (json_int_t)(vendor ? confidence / 3 : confidence), "details", "role",
            json_object_get(one, "role"));
        if (!keep(store, scope, "", contact, now, error))
            return false;
    }
    return store_exec(
        store, error,
        "DELETE FROM csirt_contact WHERE organisation_id = $1 AND source = 'fleet' AND seen < $2 AND "
        "confirmed = 0 AND rejected = 0 AND bounces = 0",
        "ii", scope->organisation, now);
}

bool contact_bounced(VigieStore *store, int64_t contact, VigieTime now, GError **error) {
    return store_exec(store, error,
                      "UPDATE csirt_contact SET bounces = bounces + 1, bounced = $2 WHERE id = $1", "ii",
                      contact, now);
}

/* ---- The search ---------------------------------------------------------------------------------------------- */
/* What the fleet knows of what the case is linked to: the name by which an endpoint or a device is reached. */
static char *name_of_link(VigieStore *store, const char *kind, int64_t ref, VigieTime now) {
    VigieFleetFilter all = {0};
    g_autoptr(json_t) finding =
        strcmp(kind, "finding") == 0 ? fleet_finding_get(store, &all, ref, now, NULL) : NULL;
    if (finding)
        ref = json_integer_value(json_object_get(json_object_get(finding, "endpoint"), "id"));
    bool device = strcmp(kind, "device") == 0;
    g_autoptr(json_t) thing = device ? fleet_device_get(store, &all, ref, now, NULL)
                                     : fleet_endpoint_get(store, &all, ref, now, NULL);
    const char *name = vigie_member(thing, device ? "fqdn" : "name");
    return g_strdup(name && *name ? name : vigie_member(thing, device ? "ip" : "host"));
}

static char *linked_domain(VigieStore *store, int64_t case_id, VigieTime now, GError **error) {
    static const Cell cells[] = {{"kind", "kind", CELL_STRING}, {"ref", "ref", CELL_INT}, {0}};
    g_autoptr(json_t) links =
        cells_array(store, cells,
                    "FROM csirt_link WHERE case_id = ?i AND kind IN ('endpoint', 'finding', "
                    "'device') ORDER BY kind DESC, ref LIMIT 20",
                    case_id, error);
    if (!links)
        return NULL;
    for (size_t i = 0; i < json_array_size(links); i++) {
        const json_t *link = json_array_get(links, i);
        g_autofree char *name = name_of_link(store, vigie_member(link, "kind"),
                                             json_integer_value(json_object_get(link, "ref")), now);
        if (name && *name)
            return g_steal_pointer(&name);
    }
    g_set_error_literal(
        error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
        "no domain is known for this case: name one, or link the endpoint or device that it is about");
    return NULL;
}

/* A case marked PAP:RED is not to be hinted at by what we ask others. */
static bool may_ask(const Case *of, GError **error) {
    VigiePap pap = VIGIE_PAP_RED;
    if (csirt_pap_parse(of->pap, &pap, NULL) && csirt_pap_may(pap, "lookup"))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                "PAP:%s: nobody may be asked; add a contact that you know, or change the label", of->pap);
    return false;
}

bool csirt_contacts_request(VigieStore *store, const VigieAnalyst *who, int64_t case_id, const char *domain,
                            VigieTime now, GError **error) {
    g_auto(Case) of = {0};
    g_auto(Scope) scope = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, who, case_id, &of, error) || !scope_load(store, case_id, &scope, error) ||
        !contacts_take_fleet(store, &scope, now, error) || !may_ask(&of, error))
        return false;
    g_autofree char *asked =
        domain && *domain ? csirt_domain_check(domain, error) : linked_domain(store, case_id, now, error);
    int64_t lookup = 0;
    if (!asked || !store_get_int(store, &lookup, error,
                                 "INSERT INTO csirt_lookup (case_id, domain, author, requested) VALUES ($1, "
                                 "$2, $3, $4) RETURNING id",
                                 "itti", case_id, asked, analyst_name(who), now))
        return false;
    g_autoptr(json_t) payload = json_pack("{s:I}", "lookup", (json_int_t)lookup);
    g_autofree char *key = g_strdup_printf(CSIRT_JOB_CONTACTS ":%" PRId64, lookup);
    return store_job_add(store, CSIRT_JOB_CONTACTS, payload, now, key, NULL, error) &&
           entry_add(store, case_id, analyst_name(who), "contacts-asked", json_pack("{s:s}", "domain", asked),
                     now, error) &&
           store_commit(&tx, error);
}

/* The case and domain of a search; `ret_case` 0: it is done, or not there any more. */
static bool load_lookup(VigieStore *store, int64_t lookup, int64_t *ret_case, char **ret_domain,
                        GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT case_id, domain FROM csirt_lookup WHERE id = $1 AND finished = 0", "i", lookup);
    GError *failure = NULL;
    *ret_case = 0;
    if (rows && rows_next(rows, &failure)) {
        *ret_case = rows_int(rows, 0);
        *ret_domain = g_strdup(rows_text(rows, 1));
    }
    return rows_ended(rows, &failure, error);
}

/* A signed file is asked whose signature it bears, now that its keys are here; one that was changed is hardly to be believed. */
static bool judge_signature(VigieStore *store, const VigieNotifier *notifier, const char *domain,
                            json_t *file, VigieTime now, GError **error) {
    const char *data = vigie_member(file, "data");
    if (!data)
        return true;
    gsize size = 0;
    guchar *bytes = g_base64_decode(data, &size);
    g_autoptr(GBytes) text = g_bytes_new_take(bytes, size);
    g_autoptr(json_t) signatures =
        notifier->cell ? mail_verify(notifier->cell, text, NULL, NULL, NULL) : NULL;
    const char *state = vigie_member(json_array_get(signatures, 0), "state");
    json_object_del(file, "data");
    json_object_set_new(file, "signatures", signatures ? json_incref(signatures) : json_null());
    return g_strcmp0(state, "bad") != 0 ||
           store_exec(store, error,
                      "UPDATE csirt_contact SET confidence = $3 WHERE domain = $1 AND source = "
                      "'security-txt' AND seen = $2",
                      "tii", domain, now, lookup_confidence("security-txt-forged"));
}

static bool keep_found(VigieStore *store, const VigieNotifier *notifier, int64_t lookup, int64_t case_id,
                       const char *domain, const json_t *found, VigieTime now, GError **error) {
    g_auto(Scope) scope = {0};
    const json_t *contacts = json_object_get(found, "contacts");
    json_t *file = json_object_get(found, "security_txt");
    g_autofree char *steps = vigie_json_text(json_object_get(found, "steps"));
    if (!scope_load(store, case_id, &scope, error))
        return false;
    for (size_t i = 0; i < json_array_size(contacts); i++)
        if (!keep(store, &scope, domain, json_array_get(contacts, i), now, error))
            return false;
    if (!keys_keep(store, notifier, case_id, domain, json_object_get(found, "keys"), now, error) ||
        !judge_signature(store, notifier, domain, file, now, error))
        return false;
    g_autofree char *security_txt = json_is_object(file) ? vigie_json_text(file) : g_strdup("");
    return store_exec(store, error,
                      "UPDATE csirt_lookup SET finished = $2, steps = $3, security_txt = $4 WHERE id = $1",
                      "iitt", lookup, now, steps, security_txt) &&
           entry_add(store, case_id, "", "contacts-found",
                     json_pack("{s:s, s:i, s:b}", "domain", domain, "contacts",
                               (int)json_array_size(contacts), "security_txt", json_is_object(file)),
                     now, error);
}

bool csirt_contacts_work(VigieStore *store, const VigieNotifier *notifier, VigieLookup *lookup,
                         const json_t *payload, const volatile int *stop, VigieTime (*clock)(void),
                         GError **error) {
    int64_t id = json_integer_value(json_object_get(payload, "lookup")), case_id = 0;
    g_autofree char *domain = NULL;
    if (!load_lookup(store, id, &case_id, &domain, error) || case_id == 0)
        return case_id == 0 && !(error && *error);
    g_autoptr(json_t) found = csirt_lookup_domain(lookup, domain, clock(), stop, error);
    if (!found)
        return false;
    if (stop && *stop) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_BUSY,
                            "the search was interrupted, and is made again");
        return false;
    }
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && keep_found(store, notifier, id, case_id, domain, found, clock(), error) &&
           store_commit(&tx, error);
}

/* ---- Reading -------------------------------------------------------------------------------------------------- */
static json_t *lookup_of(VigieStore *store, int64_t case_id, GError **error) {
    static const Cell cells[] = {
        {"state", "CASE WHEN finished > 0 THEN 'done' ELSE 'waiting' END", CELL_STRING},
        {"requested", "requested", CELL_TIME},
        {"finished", "finished", CELL_TIME},
        {"domain", "domain", CELL_STRING},
        {"steps", "steps", CELL_JSON},
        {"security_txt", "security_txt", CELL_JSON},
        {0},
    };
    g_autoptr(json_t) rows = cells_array(
        store, cells, "FROM csirt_lookup WHERE case_id = ?i ORDER BY id DESC LIMIT 1", case_id, error);
    if (!rows)
        return NULL;
    json_t *last = json_array_get(rows, 0);
    return last ? json_incref(last) : json_pack("{s:s}", "state", "none");
}

/* A contact shows the key that it is written to with, by its fingerprint. */
json_t *csirt_contacts_get(VigieStore *store, const VigieAnalyst *who, int64_t case_id, VigieTime now,
                           GError **error) {
    g_auto(Case) of = {0};
    g_auto(Scope) scope = {0};
    if (!case_load(store, who, case_id, &of, error) ||
        !reading_add(store, who, &of, "contacts", now, error) || !scope_load(store, case_id, &scope, error))
        return NULL;
    g_autoptr(json_t) lookup = lookup_of(store, case_id, error);
    g_autoptr(json_t) contacts = lookup ? contacts_run(store, &scope, "", error) : NULL;
    g_autoptr(json_t) keys = contacts ? keys_of(store, scope.domain, error) : NULL;
    if (!keys)
        return NULL;
    return json_pack("{s:I, s:s?, s:O, s:O, s:O}", "case", (json_int_t)case_id, "domain",
                     *scope.domain ? scope.domain : NULL, "lookup", lookup, "contacts", contacts, "keys",
                     keys);
}

/* ---- A person's word ------------------------------------------------------------------------------------------ */
/* The value as it is kept; NULL with the error. */
static char *check_value(const char *kind, const char *value, GError **error) {
    static const char *const kinds[] = {"mail", "phone", "page", "private", NULL};
    if (!csirt_one_of("kind", kind ? kind : "", kinds, error))
        return NULL;
    if (strcmp(kind, "mail") == 0)
        return mail_address(value ? value : "", error);
    g_autofree char *number = strcmp(kind, "phone") == 0 && value ? lookup_phone(value) : NULL;
    bool text = strcmp(kind, "phone") != 0 && value && *value;
    if (number || text)
        return number ? g_steal_pointer(&number) : g_strdup(value);
    csirt_invalid(error, "value: %s",
                  strcmp(kind, "phone") == 0 ? "a telephone number is wanted, as in +33 9 72 43 91 25"
                                             : "where to write is wanted");
    return NULL;
}

static bool check_fingerprint(const char *fingerprint, GError **error) {
    return !fingerprint || mail_fingerprint_valid(fingerprint) ||
           csirt_invalid(error, "fingerprint: 40 hexadecimal digits without spaces are wanted");
}

static bool insert_contact(VigieStore *store, const VigieAnalyst *who, const Scope *scope,
                           const json_t *fields, VigieTime now, int64_t *ret_id, GError **error) {
    const char *kind = vigie_member(fields, "kind");
    g_autofree char *value = check_value(kind, vigie_member(fields, "value"), error);
    return value &&
           store_get_int(
               store, ret_id, error,
               "INSERT INTO csirt_contact (organisation_id, domain, kind, value, source, confidence, found, "
               "seen, confirmed, confirmed_by) VALUES ($1, $2, $3, $4, 'person', 100, $5, $5, $5, $6) "
               "ON CONFLICT (organisation_id, domain, kind, value) DO UPDATE SET confirmed = "
               "excluded.confirmed, confirmed_by = excluded.confirmed_by, rejected = 0 RETURNING id",
               "itttit", scope->organisation, scope->domain, kind, value, now, analyst_name(who));
}

static bool write_details(VigieStore *store, const Scope *scope, int64_t contact, const json_t *fields,
                          GError **error) {
    static const char *const members[] = {"name", "language", "fingerprint"};
    int64_t found = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
        const char *text = vigie_member(fields, members[i]);
        g_autofree char *sql = g_strdup_printf(
            "UPDATE csirt_contact SET %s = $4 WHERE id = $1 AND (organisation_id = $2 OR domain = $3)",
            members[i]);
        if (text &&
            (!csirt_line_check(members[i], text, CSIRT_LINE_MAX, error) ||
             !store_exec(store, error, sql, "iitt", contact, scope->organisation, scope->domain, text)))
            return false;
    }
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT COUNT(*) " IN_SCOPE " AND id = ?i", scope->organisation, scope->domain, contact);
    if (!query_int(store, query, &found, error))
        return false;
    if (found == 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "contact %" PRId64 ": this case has none",
                    contact);
    return found > 0;
}

bool csirt_contact_save(VigieStore *store, const VigieAnalyst *who, int64_t case_id, int64_t contact,
                        const json_t *fields, VigieTime now, int64_t *ret_id, GError **error) {
    g_auto(Case) of = {0};
    g_auto(Scope) scope = {0};
    int64_t saved = contact;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, who, case_id, &of, error) || !scope_load(store, case_id, &scope, error) ||
        !check_fingerprint(vigie_member(fields, "fingerprint"), error))
        return false;
    if (scope.organisation == 0 && !*scope.domain)
        return csirt_invalid(
            error, "organisation: a contact belongs to an organisation or a domain; say which first");
    if ((contact == 0 && !insert_contact(store, who, &scope, fields, now, &saved, error)) ||
        !write_details(store, &scope, saved, fields, error) ||
        !entry_add(store, case_id, analyst_name(who), "contact",
                   json_pack("{s:I}", "contact", (json_int_t)saved), now, error) ||
        !store_commit(&tx, error))
        return false;
    if (ret_id)
        *ret_id = saved;
    return true;
}

bool csirt_contact_decide(VigieStore *store, const VigieAnalyst *who, int64_t case_id, int64_t contact,
                          bool good, VigieTime now, GError **error) {
    g_auto(Case) of = {0};
    g_auto(Scope) scope = {0};
    g_autoptr(json_t) nothing = json_object();
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, who, case_id, &of, error) || !scope_load(store, case_id, &scope, error) ||
        !write_details(store, &scope, contact, nothing, error))
        return false;
    return store_exec(
               store, error,
               good
                   ? "UPDATE csirt_contact SET confirmed = $2, confirmed_by = $3, rejected = 0, bounces = 0 "
                     "WHERE id = $1"
                   : "UPDATE csirt_contact SET rejected = $2, confirmed = 0, confirmed_by = $3 WHERE id = $1",
               "iit", contact, now, analyst_name(who)) &&
           entry_add(store, case_id, analyst_name(who), good ? "contact-confirmed" : "contact-rejected",
                     json_pack("{s:I}", "contact", (json_int_t)contact), now, error) &&
           store_commit(&tx, error);
}
