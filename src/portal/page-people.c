/* page-people: organisations, and those whom the alarms of their devices reach. */
#include "portal/keep.h"
#include "portal/present.h"

#include <string.h>

static json_t *languages(Request *request, const char *selected, GError **error) {
    static const char *const names[] = {"fr", "en", NULL};
    (void)error;
    return present_options(request, "portal.language.", names, selected);
}

static const Input organisation_inputs[] = {
    {.name = "name", .most = 200, .must = true},
    {.name = "finess", .most = 20},
    {.name = "note", .kind = INPUT_NOTE, .most = 2000},
    {0},
};

static const Input contact_inputs[] = {
    {.name = "name", .most = 200, .must = true},
    {.name = "mail", .most = 254, .must = true, .type = "email"},
    {.name = "role", .kind = INPUT_CHOICE, .options = keep_owners, .must = true},
    {.name = "language", .kind = INPUT_CHOICE, .options = languages, .must = true},
    {.name = "manufacturer", .most = 200},
    {0},
};

static const Sheet organisation_sheet = {FLEET_ORGANISATION, fleet_organisation_save, organisation_inputs};
static const Sheet contact_sheet = {FLEET_CONTACT, fleet_contact_save, contact_inputs};

/* ---- Organisations ------------------------------------------------------------------------------------------ */
static json_t *get_organisation(Request *request, int64_t id, GError **error) {
    const VigieFleetFilter scope = {.organisation = request->reader.organisation};
    return fleet_organisation_get(request->store, &scope, id, request->now, error);
}

/* Who is confined to an organisation makes no other. */
static bool may_make(const Request *request, GError **error) {
    if (request->reader.organisation)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                            "the role or the token does not allow this");
    return request->reader.organisation == 0;
}

RESOURCE(page_organisation_new) {
    return may_make(request, error) ? sheet_new(&organisation_sheet, 0, NULL) : NULL;
}

RESOURCE(page_organisation_form) {
    g_autoptr(json_t) organisation = get_organisation(request, request->id, error);
    return organisation ? sheet_new(&organisation_sheet, request->id, organisation) : NULL;
}

DRESS(dress_organisation_form) {
    int64_t id = json_integer_value(json_object_get(view, "id"));
    json_object_set_new(view, "old", json_boolean(id != 0));
    json_object_set_new(
        view, "title",
        json_string(vigie_word(request->lang, id ? "keep.organisation.change" : "keep.organisation.add")));
    return sheet_dress(request, &organisation_sheet, view, error);
}

static json_t *organisation_write(Request *request, int64_t id, GError **error) {
    g_auto(Sent) sent = sheet_read(request, &organisation_sheet, id);
    g_autofree char *changed = sheet_changed_text(request->lang, sent.changed);
    bool written = false;
    int64_t saved = 0;
    g_autoptr(VigieTransaction) tx = store_begin(request->store, error);
    if (!tx || !sheet_write(request, &organisation_sheet, &sent, id, &saved, &written, error))
        return NULL;
    if (!written) {
        request->here = id ? g_strdup_printf("/organisations/%" G_GINT64_FORMAT "/change", id)
                           : g_strdup("/organisations/new");
        return sheet_refused(request, &sent, error);
    }
    g_autoptr(json_t) organisation = get_organisation(request, saved, error);
    if (!organisation ||
        !keep_audit(request, id ? "organisation-changed" : "organisation-added",
                    vigie_member(organisation, "name"), changed, error) ||
        !store_commit(&tx, error))
        return NULL;
    request->id = saved;
    request->go = g_strdup_printf("/organisations/%" G_GINT64_FORMAT, saved);
    return g_steal_pointer(&organisation);
}

RESOURCE(page_organisation_add) {
    json_t *organisation = may_make(request, error) ? organisation_write(request, 0, error) : NULL;
    if (organisation && request->go)
        request->status = 201;
    return organisation;
}

RESOURCE(page_organisation_change) {
    g_autoptr(json_t) before = get_organisation(request, request->id, error);
    return before ? organisation_write(request, request->id, error) : NULL;
}

/* ---- Contacts ----------------------------------------------------------------------------------------------- */
static json_t *contact_shown(json_t *form, const json_t *organisation) {
    if (form)
        json_object_set_new(form, "organisation",
                            json_pack("{s:O, s:O}", "id", json_object_get(organisation, "id"), "name",
                                      json_object_get(organisation, "name")));
    return form;
}

RESOURCE(page_contact_new) {
    g_autoptr(json_t) organisation = get_organisation(request, request->id, error);
    json_t *form = organisation ? contact_shown(sheet_new(&contact_sheet, 0, NULL), organisation) : NULL;
    json_t *values = json_object_get(form, "values");
    if (form)
        json_object_set_new(values, "language", json_string(vigie_lang_code(request->lang)));
    return form;
}

static json_t *get_contact(Request *request, GError **error) {
    const VigieFleetFilter scope = {.organisation = request->reader.organisation};
    return fleet_contact_get(request->store, &scope, request->id, error);
}

RESOURCE(page_contact_form) {
    g_autoptr(json_t) contact = get_contact(request, error);
    return contact ? contact_shown(sheet_new(&contact_sheet, request->id, contact),
                                   json_object_get(contact, "organisation"))
                   : NULL;
}

DRESS(dress_contact_form) {
    int64_t id = json_integer_value(json_object_get(view, "id"));
    json_object_set_new(view, "old", json_boolean(id != 0));
    json_object_set_new(
        view, "title",
        json_string(vigie_word(request->lang, id ? "keep.contact.change" : "keep.contact.add")));
    return sheet_dress(request, &contact_sheet, view, error);
}

/* `organisation`: the contact's, { "id", "name" }. */
static json_t *contact_write(Request *request, int64_t id, const json_t *organisation, GError **error) {
    int64_t of = json_integer_value(json_object_get(organisation, "id")), saved = 0;
    g_auto(Sent) sent = sheet_read(request, &contact_sheet, id);
    bool written = false;
    if (!id)
        json_object_set_new(sent.changed, "organisation", json_integer(of));
    g_autoptr(VigieTransaction) tx = store_begin(request->store, error);
    if (!tx || !sheet_write(request, &contact_sheet, &sent, id, &saved, &written, error))
        return NULL;
    if (!written) {
        request->here = id ? g_strdup_printf("/contacts/%" G_GINT64_FORMAT "/change", id)
                           : g_strdup_printf("/organisations/%" G_GINT64_FORMAT "/contacts/new", of);
        return contact_shown(sheet_refused(request, &sent, error), organisation);
    }
    const char *mail = json_string_value(json_object_get(json_object_get(sent.shown, "values"), "mail"));
    if (!keep_audit(request, id ? "contact-changed" : "contact-added", vigie_member(organisation, "name"),
                    mail, error) ||
        !store_commit(&tx, error))
        return NULL;
    request->go = g_strdup_printf("/organisations/%" G_GINT64_FORMAT "#contacts", of);
    return get_organisation(request, of, error);
}

RESOURCE(page_contact_add) {
    g_autoptr(json_t) organisation = get_organisation(request, request->id, error);
    json_t *told = organisation ? contact_write(request, 0, organisation, error) : NULL;
    if (told && request->go)
        request->status = 201;
    return told;
}

RESOURCE(page_contact_change) {
    g_autoptr(json_t) contact = get_contact(request, error);
    return contact ? contact_write(request, request->id, json_object_get(contact, "organisation"), error)
                   : NULL;
}

RESOURCE(page_contact_remove) {
    g_autoptr(json_t) contact = get_contact(request, error);
    const json_t *organisation = json_object_get(contact, "organisation");
    int64_t of = json_integer_value(json_object_get(organisation, "id"));
    g_autoptr(VigieTransaction) tx = contact ? store_begin(request->store, error) : NULL;
    if (!tx || !fleet_contact_remove(request->store, request->id, error) ||
        !keep_audit(request, "contact-removed", vigie_member(organisation, "name"),
                    vigie_member(contact, "mail"), error) ||
        !store_commit(&tx, error))
        return NULL;
    request->go = g_strdup_printf("/organisations/%" G_GINT64_FORMAT "#contacts", of);
    return get_organisation(request, of, error);
}

/* When they are told: the configuration's, for reading. */
static char *days_text(const Request *request, const VigieFleetPolicy *policy) {
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < policy->day_count; i++)
        if (policy->days[i] > 0)
            g_string_append_printf(text, "%s%d", text->len ? ", " : "", policy->days[i]);
    g_autofree char *hour = g_strdup_printf("%d", policy->hour);
    return vigie_words(request->lang, "keep.told", "days", text->str, "hour", hour, NULL);
}

DRESS(dress_organisation) {
    VigieFleetPolicy policy;
    if (!fleet_policy_load(request->portal->config, &policy, error))
        return false;
    g_autofree char *text = days_text(request, &policy);
    json_object_set_new(view, "told", json_string(text));
    json_object_set_new(view, "fallback", json_string(policy.fallback ? policy.fallback : ""));
    json_object_set(view, "title", json_object_get(view, "name"));
    return true;
}
