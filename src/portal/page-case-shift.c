/* page-case-shift: tasks, load, the note at the change of shift, and a case that an analyst opens. */
#include "csirt/notify.h"
#include "portal/page-case.h"
#include "portal/present.h"

#include <string.h>

/* ---- Tasks -------------------------------------------------------------------------------------------------- */
DRESS(dress_case_tasks) {
    (void)error;
    size_t index;
    json_t *task;
    json_array_foreach(json_object_get(view, "items"), index, task) {
        case_present_task(request, task);
        const json_t *item = json_object_get(task, "case");
        json_object_set(task, "case_id", json_object_get(item, "id"));
        json_object_set(task, "case_reference", json_object_get(item, "reference"));
        json_object_set(task, "case_title", json_object_get(item, "title"));
    }
    json_object_set_new(view, "at_tasks", json_true());
    json_object_set_new(view, "title", json_string(vigie_word(request->lang, "desk.nav.tasks")));
    json_object_set_new(view, "empty", json_boolean(json_array_size(json_object_get(view, "items")) == 0));
    return true;
}

/* ---- Load --------------------------------------------------------------------------------------------------- */
static json_t *counts(const Request *request, const json_t *load, const char *member, const char *prefix,
                      const char *query) {
    json_t *rows = json_array(), *count;
    const char *name;
    json_object_foreach(json_object_get(load, member), name, count) {
        g_autofree char *key = g_strconcat(prefix, name, NULL);
        g_autofree char *link = g_strdup_printf("/cases?%s=%s", query, name);
        json_array_append_new(rows, json_pack("{s:s, s:O, s:s}", "label", vigie_word(request->lang, key),
                                              "count", count, "link", link));
    }
    return rows;
}

DRESS(dress_case_load) {
    (void)error;
    json_object_set_new(view, "bands", counts(request, view, "by_band", "desk.band-long.", "band"));
    json_object_set_new(view, "states", counts(request, view, "by_state", "csirt.state.", "state"));
    json_object_set_new(view, "at_load", json_true());
    json_object_set_new(view, "title", json_string(vigie_word(request->lang, "desk.nav.load")));
    return true;
}

/* ---- The change of shift ------------------------------------------------------------------------------------ */
RESOURCE(page_case_handover) {
    VigieAnalyst who = case_analyst(request);
    g_autoptr(json_t) list =
        case_desk(request, error) ? csirt_handover_list(request->store, &who, error) : NULL;
    json_t *draft = list ? csirt_handover_draft(request->store, &who, request->now, error) : NULL;
    return draft ? json_pack("{s:o, s:O}", "draft", draft, "items", json_object_get(list, "items")) : NULL;
}

RESOURCE(page_case_handover_add) {
    VigieAnalyst who = case_analyst(request);
    g_autoptr(GError) failure = NULL;
    int64_t id = 0;
    if (!case_desk(request, error))
        return NULL;
    if (csirt_handover_add(request->store, &who, case_form(request, "text"), request->now, &id, &failure)) {
        request->go = g_strdup("/cases/handover");
        return page_case_handover(request, error);
    }
    if (request->api || !g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_INVALID)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    request->status = 400;
    json_t *page = page_case_handover(request, error);
    if (page)
        json_object_set_new(page, "problem", json_string(vigie_word(request->lang, "desk.handover.empty")));
    return page;
}

RESOURCE(page_case_handover_read) {
    VigieAnalyst who = case_analyst(request);
    if (!case_desk(request, error) ||
        !csirt_handover_read(request->store, &who, request->id, request->now, error))
        return NULL;
    request->go = g_strdup("/cases/handover");
    return page_case_handover(request, error);
}

static void present_picture(const Request *request, json_t *picture) {
    static const char *const lists[] = {"urgent", "due", NULL};
    size_t index;
    json_t *item;
    for (const char *const *list = lists; *list; list++) {
        json_array_foreach(json_object_get(picture, *list), index, item) {
            case_present(request, item);
        }
    }
    json_array_foreach(json_object_get(picture, "tasks"), index, item) {
        case_present_task(request, item);
    }
}

static bool was_read_by(const json_t *note, const char *account) {
    size_t index;
    json_t *reading;
    json_array_foreach(json_object_get(note, "read"), index, reading) {
        if (g_strcmp0(json_string_value(json_object_get(reading, "account")), account) == 0)
            return true;
    }
    return false;
}

DRESS(dress_case_handover) {
    (void)error;
    size_t index;
    json_t *note;
    present_picture(request, json_object_get(view, "draft"));
    json_array_foreach(json_object_get(view, "items"), index, note) {
        const char *author = json_string_value(json_object_get(note, "author"));
        bool mine = g_strcmp0(author, request->reader.name) == 0;
        present_picture(request, json_object_get(note, "picture"));
        json_object_set_new(note, "to_read", json_boolean(!mine && !was_read_by(note, request->reader.name)));
        json_object_set_new(note, "last", json_boolean(index == 0));
    }
    json_object_set_new(view, "at_handover", json_true());
    json_object_set_new(view, "title", json_string(vigie_word(request->lang, "desk.nav.handover")));
    json_object_set_new(view, "text", json_string(case_form(request, "text")));
    return true;
}

/* ---- A case that an analyst opens: after a call, from a partner's word, from a finding ----------------------- */
static const char *const kinds[] = {"incident", "vulnerability", "incident-report", "request", NULL};
static const char *const channels[] = {"phone", "mail", "partner", "survey", NULL};
static const char *const labels[] = {"RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR", NULL};

/* What the form begins with: by the address, so that a finding's page can lead here; or what was typed. */
static void begin(const Request *request, json_t *view, const char *name) {
    const char *typed = request_form(request, name), *asked = request_query(request, name);
    json_object_set_new(view, name, json_string(typed ? typed : asked ? asked : ""));
}

/* The finding or endpoint that the case is to be about: its title, and what it becomes linked to. */
static void begin_from_finding(Request *request, json_t *view) {
    const char *finding = request_query(request, "finding");
    if (!finding)
        return;
    VigieFleetFilter filter = {.organisation = request->reader.organisation};
    g_autoptr(json_t) item =
        fleet_finding_get(request->store, &filter, g_ascii_strtoll(finding, NULL, 10), request->now, NULL);
    if (!item)
        return;
    present(request, item);
    const char *title = json_string_value(json_object_get(json_object_get(item, "explained"), "title"));
    const char *device = json_string_value(json_object_get(json_object_get(item, "device"), "name"));
    g_autofree char *whole =
        g_strdup_printf("%s%s%s", title ? title : "", device ? " – " : "", device ? device : "");
    json_object_set_new(view, "title", json_string(whole));
    json_object_set(view, "about", item);
}

RESOURCE(page_case_new) {
    return case_desk(request, error) ? json_object() : NULL;
}

DRESS(dress_case_new) {
    static const char *const members[] = {
        "title", "organisation_name", "text", "name",   "mail", "phone", "finding", "source",
        "kind",  "channel",           "tlp",  "urgent", NULL};
    (void)error;
    for (const char *const *name = members; *name; name++)
        begin(request, view, *name);
    if (!request_form(request, "title"))
        begin_from_finding(request, view);
    const char *kind = json_string_value(json_object_get(view, "kind"));
    bool finding = *json_string_value(json_object_get(view, "finding")) != '\0';
    const char *channel = json_string_value(json_object_get(view, "channel"));
    const char *tlp = json_string_value(json_object_get(view, "tlp"));
    json_object_set_new(view, "kinds",
                        present_options(request, "csirt.kind.", kinds,
                                        *kind     ? kind
                                        : finding ? "vulnerability"
                                                  : "incident"));
    json_object_set_new(view, "channels",
                        present_options(request, "csirt.channel.", channels,
                                        *channel  ? channel
                                        : finding ? "survey"
                                                  : "phone"));
    json_object_set_new(view, "labels", present_options(request, "", labels, *tlp ? tlp : "AMBER"));
    json_object_set(view, "form_title", json_object_get(view, "title"));
    json_object_set_new(view, "title", json_string(vigie_word(request->lang, "desk.nav.new")));
    json_object_set_new(view, "at_new", json_true());
    return true;
}

static bool open_case(Request *request, const VigieAnalyst *who, int64_t *ret_id, GError **error) {
    const char *source = case_form(request, "source");
    bool open = !*source || strcmp(source, "open") == 0;
    g_autoptr(json_t) declarant =
        open && (*case_form(request, "name") || *case_form(request, "mail") || *case_form(request, "phone"))
            ? json_pack("{s:s, s:s, s:s}", "name", case_form(request, "name"), "mail",
                        case_form(request, "mail"), "phone", case_form(request, "phone"))
            : NULL;
    VigieOpening opening = {
        .kind = case_form(request, "kind"),
        .channel = case_form(request, "channel"),
        .source = open ? "open" : source,
        .title = case_form(request, "title"),
        .organisation = g_ascii_strtoll(case_form(request, "organisation"), NULL, 10),
        .organisation_name = case_form(request, "organisation_name"),
        .tlp = *case_form(request, "tlp") ? case_form(request, "tlp") : NULL,
        .urgent = case_ticked(case_form(request, "urgent")),
        .text = *case_form(request, "text") ? case_form(request, "text") : NULL,
        .declarant = declarant,
        .author = who->name,
    };
    g_auto(VigieOpened) opened = {0};
    if (!csirt_case_open(request->store, request->portal->team, &opening, request->now, &opened, error))
        return false;
    *ret_id = opened.id;
    return true;
}

static bool prove(Request *request, const VigieAnalyst *who, int64_t id, int64_t finding, GError **error) {
    g_autoptr(json_t) fields = json_pack("{s:s, s:I}", "kind", "finding", "ref", (json_int_t)finding);
    int64_t verification = 0;
    return csirt_link_add(request->store, who, id, "finding", finding, "", request->now, error) &&
           csirt_verification_add(request->store, request->portal->team, who, id, fields, request->now,
                                  &verification, error);
}

/* The finding of a survey is itself the proof: linked, and kept as the verification. */
static bool open_with_links(Request *request, const VigieAnalyst *who, int64_t *ret_id, GError **error) {
    int64_t finding = g_ascii_strtoll(case_form(request, "finding"), NULL, 10);
    g_autoptr(VigieTransaction) tx = store_begin(request->store, error);
    if (!tx || !open_case(request, who, ret_id, error))
        return false;
    g_autoptr(json_t) mine = json_pack("{s:s}", "assignee", who->name);
    return csirt_case_change(request->store, request->portal->team, who, *ret_id, mine, request->now,
                             error) &&
           (!finding || prove(request, who, *ret_id, finding, error)) && store_commit(&tx, error);
}

RESOURCE(page_case_open) {
    VigieAnalyst who = case_analyst(request);
    g_autoptr(GError) failure = NULL;
    if (!case_desk(request, error))
        return NULL;
    if (open_with_links(request, &who, &request->id, &failure)) {
        request->go = g_strdup_printf("/cases/%" G_GINT64_FORMAT, request->id);
        return page_case(request, error);
    }
    if (request->api || !g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_INVALID)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    request->status = 400;
    request->here = g_strdup("/cases/new");
    g_autofree char *said = present_refusal(request->lang, failure->message);
    return json_pack("{s:s}", "problem", said);
}
