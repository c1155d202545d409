/* page-keep: devices and endpoints added, changed, retired by those who keep the fleet. */
#include "portal/account.h"
#include "portal/keep.h"
#include "portal/present.h"

#include <string.h>

/* ---- What is chosen from ------------------------------------------------------------------------------------ */
json_t *keep_organisations(Request *request, const char *selected, GError **error) {
    return present_organisations(request, selected, error);
}

static json_t *classes(Request *request, const char *selected, GError **error) {
    (void)error;
    return present_kinds(request, "classes", selected);
}

json_t *keep_owners(Request *request, const char *selected, GError **error) {
    (void)error;
    return present_kinds(request, "owners", selected);
}

static json_t *criticalities(Request *request, const char *selected, GError **error) {
    (void)error;
    return present_kinds(request, "criticalities", selected);
}

static json_t *protocols(Request *request, const char *selected, GError **error) {
    (void)error;
    const char *names[VIGIE_PROTOCOLS + 1] = {0};
    for (int i = 0; i < VIGIE_PROTOCOLS; i++)
        names[i] = vigie_protocol_name((VigieProtocol)i);
    return present_options(request, "protocol.", names, selected);
}

static const Input device_inputs[] = {
    {.name = "organisation", .kind = INPUT_CHOICE, .must = true, .options = keep_organisations},
    {.name = "name", .most = 200, .must = true},
    {.name = "class", .kind = INPUT_CHOICE, .options = classes, .blank = true},
    {.name = "criticality", .kind = INPUT_CHOICE, .options = criticalities, .blank = true},
    {.name = "owner", .kind = INPUT_CHOICE, .options = keep_owners, .must = true},
    {.name = "location", .most = 200},
    {.name = "manufacturer", .most = 200},
    {.name = "model", .most = 200},
    {.name = "serial", .most = 200},
    {.name = "firmware", .most = 200},
    {.name = "gmao", .most = 200},
    {.name = "fqdn", .most = 253},
    {.name = "ip", .most = 45},
    {.name = "endpoints", .most = 2000, .first = true},
    {.name = "note", .kind = INPUT_NOTE, .most = 2000},
    {0},
};

static const Input endpoint_inputs[] = {
    {.name = "host", .most = 253, .must = true},
    {.name = "port", .most = 5, .must = true, .type = "number"},
    {.name = "protocol", .kind = INPUT_CHOICE, .options = protocols},
    {.name = "connect", .most = 45},
    {.name = "name", .most = 253},
    {.name = "gentle", .kind = INPUT_FLAG},
    {0},
};

static bool device_save(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                        int64_t *ret_id, json_t **ret_problem, GError **error);

static const Sheet device_sheet = {FLEET_DEVICE, device_save, device_inputs};
static const Sheet endpoint_sheet = {FLEET_ENDPOINT, fleet_endpoint_save, endpoint_inputs};

/* A device and, where it is new, its endpoints. */
static bool device_save(VigieStore *store, int64_t id, const json_t *fields, const char *by, VigieTime now,
                        int64_t *ret_id, json_t **ret_problem, GError **error) {
    const char *endpoints = json_string_value(json_object_get(fields, "endpoints"));
    g_autoptr(json_t) own = json_copy((json_t *)fields);
    json_object_del(own, "endpoints");
    return fleet_device_save(store, id, own, by, now, ret_id, ret_problem, error) &&
           (!endpoints || fleet_device_endpoints_add(store, *ret_id, endpoints, by, now, ret_problem, error));
}

char *keep_sentence(const Request *request, const char *message) {
    g_autofree char *said = present_refusal(request->lang, message);
    g_autofree char *first = *said ? g_utf8_strup(said, g_utf8_next_char(said) - said) : g_strdup("");
    return g_strconcat(first, *said ? g_utf8_next_char(said) : "", NULL);
}

bool keep_audit(Request *request, const char *action, const char *object, const char *details,
                GError **error) {
    return audit_add(request->store, request->now, request->reader.name, request->address, action, object,
                     details, error);
}

/* ---- Devices ------------------------------------------------------------------------------------------------ */
static json_t *get_device(Request *request, int64_t id, GError **error) {
    VigieFleetFilter scope = {.organisation = request->reader.organisation};
    return fleet_device_get(request->store, &scope, id, request->now, error);
}

RESOURCE(page_device_new) {
    (void)error;
    json_t *form = sheet_new(&device_sheet, 0, NULL), *values = json_object_get(form, "values");
    const char *organisation = request_query(request, "organisation");
    json_object_set_new(values, "organisation", json_string(organisation ? organisation : ""));
    json_object_set_new(values, "owner", json_string("biomed"));
    return form;
}

RESOURCE(page_device_form) {
    g_autoptr(json_t) device = get_device(request, request->id, error);
    json_t *form = device ? sheet_new(&device_sheet, request->id, device) : NULL;
    if (form)
        json_object_set(form, "retired", json_object_get(device, "retired"));
    return form;
}

DRESS(dress_device_form) {
    int64_t id = json_integer_value(json_object_get(view, "id"));
    if (!sheet_dress(request, &device_sheet, view, error))
        return false;
    const json_t *organisations =
        json_object_get(json_array_get(json_object_get(view, "inputs"), 0), "options");
    json_object_set_new(view, "homeless", json_boolean(json_array_size(organisations) == 0));
    json_object_set_new(view, "old", json_boolean(id != 0));
    json_object_set_new(view, "alike",
                        json_boolean(json_object_size(json_object_get(view, "others")) > 0 &&
                                     json_is_true(json_object_get(view, "may_be_alike"))));
    json_object_set_new(
        view, "title",
        id ? json_sprintf("%s%s%s", vigie_word(request->lang, "keep.device.change"),
                          vigie_word(request->lang, "portal.colon"),
                          json_string_value(json_object_get(json_object_get(view, "was"), "name")))
           : json_string(vigie_word(request->lang, "portal.title.device-form")));
    return true;
}

/* Another that has the same number, name or address is shown; that it is another has to be said. */
static bool look_at_alike(Request *request, Sent *sent, int64_t id, GError **error) {
    VigieFleetFilter scope = {.organisation = request->reader.organisation};
    const char *alike = request_form(request, "alike");
    bool said = alike && strcmp(alike, "yes") == 0;
    g_autoptr(json_t) found = fleet_device_alike(request->store, &scope, id, sent->changed, error);
    json_t *others = json_object_get(sent->shown, "others"), *one;
    size_t index;
    json_array_foreach(found, index, one) {
        const char *field = json_string_value(json_object_get(one, "field"));
        bool number = strcmp(field, "gmao") == 0; /* each once: the fleet refuses it where it is so */
        g_autoptr(json_t) problem = json_pack("{s:s, s:s}", "field", field, "problem", "alike");
        if (said && !number)
            continue;
        if (!json_object_get(others, field))
            json_object_set_new(others, field, json_array());
        json_array_append(json_object_get(others, field), json_object_get(one, "device"));
        if (!number) {
            sheet_complain(request, sent, problem);
            json_object_set_new(sent->shown, "may_be_alike", json_true());
        }
    }
    return found != NULL;
}

/* Confined to an organisation, one adds there, and moves nothing elsewhere. */
static void confine(const Request *request, Sent *sent, int64_t id) {
    if (!request->reader.organisation)
        return;
    if (id)
        json_object_del(sent->changed, "organisation");
    else
        json_object_set_new(sent->changed, "organisation", json_integer(request->reader.organisation));
}

/* Who changed it last, for the form that came too late. */
static void say_who(const Request *request, Sent *sent, const json_t *events) {
    VigieTime time = 0;
    const json_t *last = json_array_get(events, 0);
    const char *by = json_string_value(json_object_get(last, "by")),
               *at = json_string_value(json_object_get(last, "time"));
    if (!by || !at || !vigie_time_parse_rfc3339(at, &time, NULL))
        return;
    g_autofree char *when = vigie_when_text(request->lang, request->portal->zone, time, request->now);
    g_autofree char *text = vigie_words(request->lang, "keep.raced-by", "by", by, "when", when, NULL);
    json_object_set_new(sent->shown, "meanwhile_by", json_string(text));
}

static json_t *device_write(Request *request, int64_t id, Sent *sent, GError **error) {
    g_autofree char *changed = sheet_changed_text(request->lang, sent->changed);
    bool written = false;
    int64_t saved = 0;
    g_autoptr(VigieTransaction) tx = store_begin(request->store, error);
    if (!tx || !look_at_alike(request, sent, id, error) ||
        !sheet_write(request, &device_sheet, sent, id, &saved, &written, error))
        return NULL;
    if (!written) {
        g_autoptr(json_t) now = id ? get_device(request, id, NULL) : NULL;
        say_who(request, sent, json_object_get(now, "history"));
        request->here =
            id ? g_strdup_printf("/devices/%" G_GINT64_FORMAT "/change", id) : g_strdup("/devices/new");
        return sheet_refused(request, sent, error);
    }
    g_autoptr(json_t) device = get_device(request, saved, error);
    if (!device ||
        (json_object_size(sent->changed) > 0 &&
         !keep_audit(request, id ? "device-changed" : "device-added",
                     json_string_value(json_object_get(device, "name")), changed, error)) ||
        !store_commit(&tx, error))
        return NULL;
    request->id = saved;
    request->go = g_strdup_printf("/devices/%" G_GINT64_FORMAT, saved);
    return g_steal_pointer(&device);
}

RESOURCE(page_device_add) {
    g_auto(Sent) sent = sheet_read(request, &device_sheet, 0);
    confine(request, &sent, 0);
    json_t *device = device_write(request, 0, &sent, error);
    if (device && request->go)
        request->status = 201;
    return device;
}

RESOURCE(page_device_change) {
    g_autoptr(json_t) before = get_device(request, request->id, error);
    g_auto(Sent) sent = sheet_read(request, &device_sheet, request->id);
    if (!before)
        return NULL;
    json_object_set(sent.shown, "retired", json_object_get(before, "retired"));
    confine(request, &sent, request->id);
    return device_write(request, request->id, &sent, error);
}

static json_t *set_retired(Request *request, bool retired, GError **error) {
    g_autoptr(json_t) before = get_device(request, request->id, error),
                      fields = json_pack("{s:b}", "retired", retired);
    g_autoptr(VigieTransaction) tx = before ? store_begin(request->store, error) : NULL;
    if (!tx ||
        !fleet_device_save(request->store, request->id, fields, request->reader.name, request->now, NULL,
                           NULL, error) ||
        (json_is_null(json_object_get(before, "retired")) == retired &&
         !keep_audit(request, retired ? "device-retired" : "device-returned",
                     json_string_value(json_object_get(before, "name")), NULL, error)) ||
        !store_commit(&tx, error))
        return NULL;
    request->go = g_strdup_printf("/devices/%" G_GINT64_FORMAT, request->id);
    return get_device(request, request->id, error);
}

RESOURCE(page_device_retire) {
    return set_retired(request, true, error);
}

RESOURCE(page_device_return) {
    return set_retired(request, false, error);
}

/* ---- Endpoints ---------------------------------------------------------------------------------------------- */
static json_t *get_endpoint(Request *request, GError **error) {
    VigieFleetFilter scope = {.organisation = request->reader.organisation};
    return fleet_endpoint_get(request->store, &scope, request->id, request->now, error);
}

/* Several at once, on the device's own page. */
static json_t *endpoints_refused(Request *request, json_t *device, const json_t *problem, GError **error) {
    g_auto(Sent) sent = sheet_read(request, &device_sheet, 0);
    const char *text = request_form(request, "endpoints");
    sheet_complain(request, &sent, problem);
    g_autoptr(json_t) shown = sheet_refused(request, &sent, error);
    if (!shown)
        return NULL;
    json_object_set(
        device, "endpoint_problem",
        json_object_get(json_object_get(json_object_get(shown, "problems"), "endpoints"), "text"));
    json_object_set_new(device, "endpoint_value", json_string(text ? text : ""));
    request->here = g_strdup_printf("/devices/%" G_GINT64_FORMAT, request->id);
    return json_incref(device);
}

RESOURCE(page_endpoints_add) {
    const char *text = request_form(request, "endpoints");
    g_autoptr(json_t) device = get_device(request, request->id, error), problem = NULL;
    g_autoptr(VigieTransaction) tx = device ? store_begin(request->store, error) : NULL;
    g_autoptr(GError) failure = NULL;
    if (!tx)
        return NULL;
    if (!text || !*text)
        problem = json_pack("{s:s, s:s}", "field", "endpoints", "problem", "required");
    else if (fleet_device_endpoints_add(request->store, request->id, text, request->reader.name, request->now,
                                        &problem, &failure) &&
             keep_audit(request, "endpoint-added", json_string_value(json_object_get(device, "name")), text,
                        &failure) &&
             store_commit(&tx, &failure)) {
        request->go = g_strdup_printf("/devices/%" G_GINT64_FORMAT "#endpoints", request->id);
        return get_device(request, request->id, error);
    }
    if (problem)
        return endpoints_refused(request, device, problem, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}

static json_t *endpoint_shown(json_t *form, const json_t *endpoint) {
    if (form) {
        json_object_set(form, "device", json_object_get(endpoint, "device"));
        json_object_set(form, "target", json_object_get(endpoint, "target"));
    }
    return form;
}

RESOURCE(page_endpoint_form) {
    g_autoptr(json_t) endpoint = get_endpoint(request, error);
    return endpoint ? endpoint_shown(sheet_new(&endpoint_sheet, request->id, endpoint), endpoint) : NULL;
}

DRESS(dress_endpoint_form) {
    json_object_set(view, "title", json_object_get(view, "target"));
    return sheet_dress(request, &endpoint_sheet, view, error);
}

RESOURCE(page_endpoint_change) {
    g_autoptr(json_t) before = get_endpoint(request, error);
    g_auto(Sent) sent = sheet_read(request, &endpoint_sheet, request->id);
    g_autofree char *changed = sheet_changed_text(request->lang, sent.changed);
    bool written = false;
    int64_t saved = 0;
    g_autoptr(VigieTransaction) tx = before ? store_begin(request->store, error) : NULL;
    if (!tx || !sheet_write(request, &endpoint_sheet, &sent, request->id, &saved, &written, error))
        return NULL;
    if (!written) {
        request->here = g_strdup_printf("/endpoints/%" G_GINT64_FORMAT "/change", request->id);
        say_who(request, &sent, json_object_get(before, "events"));
        return endpoint_shown(sheet_refused(request, &sent, error), before);
    }
    if ((json_object_size(sent.changed) > 0 &&
         !keep_audit(request, "endpoint-changed", json_string_value(json_object_get(before, "target")),
                     changed, error)) ||
        !store_commit(&tx, error))
        return NULL;
    request->go = g_strdup_printf("/endpoints/%" G_GINT64_FORMAT, request->id);
    return get_endpoint(request, error);
}

RESOURCE(page_endpoint_remove) {
    g_autoptr(json_t) before = get_endpoint(request, error);
    g_autoptr(VigieTransaction) tx = before ? store_begin(request->store, error) : NULL;
    if (!tx ||
        !fleet_endpoint_remove(request->store, request->id, request->reader.name, request->now, error) ||
        !keep_audit(request, "endpoint-removed", json_string_value(json_object_get(before, "target")), NULL,
                    error) ||
        !store_commit(&tx, error))
        return NULL;
    int64_t device = json_integer_value(json_object_get(json_object_get(before, "device"), "id"));
    request->go = g_strdup_printf("/devices/%" G_GINT64_FORMAT "#endpoints", device);
    return get_device(request, device, error);
}
