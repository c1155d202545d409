/* page-case-queue: the queue, as the analyst on duty reads it. */
#include "portal/page-case.h"
#include "portal/present.h"

#include <string.h>

static const char *const states[] = {"active",   "received", "acknowledged", "qualified", "in-progress",
                                     "resolved", "closed",   "rejected",     "merged",    "all",
                                     NULL};
static const char *const kinds[] = {"incident", "vulnerability", "incident-report", "request", NULL};
static const char *const labels[] = {"RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR", NULL};
static const char *const bands[] = {"1", "2", "3", "4", NULL};

/* ---- The form that filters ---------------------------------------------------------------------------------- */
static void add_select(const Request *request, json_t *filters, const char *name, const char *label,
                       json_t *options) {
    g_autofree char *key = g_strconcat("desk.column.", label, NULL);
    (void)request;
    json_array_append_new(filters, json_pack("{s:s, s:s, s:o}", "name", name, "label",
                                             vigie_word(request->lang, key), "options", options));
}

static json_t *option(const char *value, const char *label, bool selected) {
    return json_pack("{s:s, s:s, s:b}", "value", value, "label", label, "selected", selected);
}

/* Nobody, oneself, and who else has cases. */
static json_t *assignees(const Request *request, const json_t *load) {
    const char *selected = request_query(request, "assignee"), *me = request->reader.name;
    json_t *options = json_array(), *row;
    g_autofree char *mine = vigie_words(request->lang, "desk.filter.me", "name", me, NULL);
    json_array_append_new(
        options, option("-", vigie_word(request->lang, "desk.filter.nobody"), g_strcmp0(selected, "-") == 0));
    json_array_append_new(options, option(me, mine, g_strcmp0(selected, me) == 0));
    size_t index;
    json_array_foreach(json_object_get(load, "by_assignee"), index, row) {
        const char *name = json_string_value(json_object_get(row, "name"));
        if (name && *name && strcmp(name, me) != 0)
            json_array_append_new(options, option(name, name, g_strcmp0(selected, name) == 0));
    }
    return options;
}

static json_t *filters(const Request *request, const json_t *load) {
    json_t *array = json_array(), *late = json_array();
    bool overdue = g_strcmp0(request_query(request, "overdue"), "1") == 0;
    add_select(request, array, "state", "state",
               present_options(request, "csirt.state.", states, request_query(request, "state")));
    add_select(request, array, "kind", "kind",
               present_options(request, "csirt.kind.", kinds, request_query(request, "kind")));
    add_select(request, array, "band", "priority",
               present_options(request, "desk.band-long.", bands, request_query(request, "band")));
    add_select(request, array, "assignee", "assignee", assignees(request, load));
    json_array_append_new(late, option("1", vigie_word(request->lang, "desk.filter.overdue-yes"), overdue));
    add_select(request, array, "overdue", "due", late);
    add_select(request, array, "tlp", "tlp",
               present_options(request, "", labels, request_query(request, "tlp")));
    return array;
}

/* ---- What is wrong now -------------------------------------------------------------------------------------- */
static json_int_t count_of(const json_t *load, const char *member) {
    return json_integer_value(json_object_get(load, member));
}

/* The worst that is true, first: lateness and urgency are told together. */
static json_t *headline(const Request *request, const json_t *load) {
    json_int_t urgent = count_of(load, "urgent"), overdue = count_of(load, "overdue"),
               unassigned = count_of(load, "unassigned"), active = count_of(load, "active");
    g_autofree char *first = page_count_text(request, "desk.queue.urgent", urgent);
    g_autofree char *second = page_count_text(request, "desk.queue.overdue", overdue);
    g_autofree char *both = urgent && overdue ? g_strconcat(first, ", ", second, NULL)
                            : urgent          ? g_strdup(first)
                            : overdue         ? g_strdup(second)
                            : unassigned      ? page_count_text(request, "desk.queue.unassigned", unassigned)
                            : active          ? page_count_text(request, "desk.queue.active", active)
                                              : g_strdup(vigie_word(request->lang, "desk.queue.none"));
    const char *state = urgent || overdue ? "broken" : unassigned ? "soon" : active ? "well" : "empty";
    return json_pack("{s:s, s:s}", "state", state, "text", both);
}

static json_t *tiles(const Request *request, const json_t *load) {
    static const struct {
        const char *member, *state, *link;
    } shown[] = {{"urgent", "broken", "/cases?band=1"},
                 {"overdue", "broken", "/cases?overdue=1"},
                 {"unassigned", "soon", "/cases?assignee=-"},
                 {"active", "unknown", "/cases"}};
    json_t *array = json_array();
    for (size_t i = 0; i < G_N_ELEMENTS(shown); i++) {
        g_autofree char *key = g_strconcat("desk.tile.", shown[i].member, NULL);
        json_int_t count = count_of(load, shown[i].member);
        json_array_append_new(array, json_pack("{s:I, s:s, s:s, s:s, s:b}", "count", count, "state",
                                               shown[i].state, "text", vigie_word(request->lang, key), "link",
                                               shown[i].link, "none", count == 0));
    }
    return array;
}

void case_present_duty(const Request *request, json_t *view, json_t *load) {
    present(request, load);
    json_object_set(view, "on_call", json_object_get(load, "on_call"));
    json_object_set(view, "open", json_object_get(load, "open"));
    json_object_set(view, "tasks_due", json_object_get(load, "tasks_due"));
}

DRESS(dress_cases) {
    VigieAnalyst who = case_analyst(request);
    int64_t changes = 0;
    size_t index;
    json_t *item;
    g_autoptr(json_t) load = csirt_load(request->store, request->portal->team, &who, request->now, error);
    if (!load || !csirt_changes(request->store, &who, 0, &changes, error))
        return false;
    json_array_foreach(json_object_get(view, "items"), index, item) {
        case_present(request, item);
    }
    json_object_set_new(view, "at_queue", json_true());
    json_object_set_new(view, "title", json_string(vigie_word(request->lang, "desk.nav.queue")));
    json_object_set_new(view, "changes", json_integer((json_int_t)changes));
    json_object_set_new(view, "headline", headline(request, load));
    json_object_set_new(view, "tiles", tiles(request, load));
    json_object_set_new(view, "none_yet", json_boolean(count_of(load, "active") == 0));
    json_object_set_new(view, "many", json_boolean(count_of(view, "total") >= (json_int_t)CSIRT_COUNT_MAX));
    case_present_duty(request, view, load);
    page_narrow(request, view, filters(request, load));
    return dress_plain_list(request, view, error);
}
