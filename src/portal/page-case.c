/* page-case: the desk's resources, as the room of cases gives them, and the words that all of its pages put beside them. */
#include "portal/page-case.h"
#include "portal/account.h"
#include "portal/present.h"

#include <string.h>

VigieAnalyst case_analyst(const Request *request) {
    unsigned may = request->reader.organisation == 0 ? request->reader.may : 0;
    return (VigieAnalyst){
        .name = request->reader.name,
        .may = (may & (1U << MAY_CASE)) != 0,
        .head = (may & (1U << MAY_HEAD)) != 0,
    };
}

bool case_desk(const Request *request, GError **error) {
    if (request->portal->team)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                "there is no CSIRT's desk here: csirt.team names no file (vigie.conf(5))");
    return false;
}

const char *case_form(const Request *request, const char *name) {
    const char *value = request_form(request, name);
    return value ? value : "";
}

bool case_ticked(const char *text) {
    return text && (strcmp(text, "1") == 0 || strcmp(text, "yes") == 0);
}

/* ---- Words -------------------------------------------------------------------------------------------------- */
void case_present_word(const Request *request, json_t *object, const char *member, const char *prefix) {
    const char *value = json_string_value(json_object_get(object, member));
    g_autofree char *name = g_strconcat(member, "_text", NULL);
    g_autofree char *key = g_strconcat(prefix, value ? value : "", NULL);
    const char *word = vigie_word(request->lang, key);
    if (value)
        json_object_set_new(object, name, json_string(strcmp(word, key) == 0 ? value : word));
}

/* As FIRST's TLP 2.0 draws them: the label's words as they are, its colour by a class. */
void case_present_label(json_t *item) {
    const char *tlp = json_string_value(json_object_get(item, "tlp"));
    g_autofree char *class = g_ascii_strdown(tlp ? tlp : "", -1);
    class[strcspn(class, "+")] = '\0';
    json_object_set_new(item, "tlp_class", json_string(class));
}

/* The reasons that weigh most, in words. */
enum { REASONS_SHOWN = 3 };

static int heavier(const void *a, const void *b) {
    json_int_t points[2] = {json_integer_value(json_object_get(*(json_t *const *)a, "points")),
                            json_integer_value(json_object_get(*(json_t *const *)b, "points"))};
    return points[0] == points[1] ? 0 : points[0] > points[1] ? -1 : 1;
}

static json_t *reasons(const Request *request, const json_t *item) {
    json_t *reason, *words = json_array();
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    size_t index;
    json_array_foreach(json_object_get(item, "reasons"), index, reason) {
        g_ptr_array_add(all, reason);
    }
    g_ptr_array_sort(all, heavier);
    for (guint i = 0; i < all->len; i++)
        json_array_append_new(
            words, json_pack("{s:s, s:O?, s:b}", "text",
                             vigie_text_in(request->lang, json_object_get(g_ptr_array_index(all, i), "text")),
                             "points", json_object_get(g_ptr_array_index(all, i), "points"), "rest",
                             i >= REASONS_SHOWN));
    return words;
}

static void present_band(const Request *request, json_t *item) {
    json_int_t band = json_integer_value(json_object_get(item, "band"));
    g_autofree char *shortly = g_strdup_printf("desk.band.%d", (int)band);
    g_autofree char *fully = g_strdup_printf("desk.band-long.%d", (int)band);
    json_object_set_new(item, "band_text", json_string(vigie_word(request->lang, shortly)));
    json_object_set_new(item, "band_long", json_string(vigie_word(request->lang, fully)));
}

void case_present(const Request *request, json_t *item) {
    case_present_word(request, item, "state", "csirt.state.");
    case_present_word(request, item, "kind", "csirt.kind.");
    case_present_word(request, item, "channel", "csirt.channel.");
    case_present_word(request, item, "likelihood", "csirt.likelihood.");
    case_present_label(item);
    present_band(request, item);
    json_object_set_new(item, "why", reasons(request, item));
    const char *assignee = json_string_value(json_object_get(item, "assignee"));
    json_object_set_new(item, "unassigned", json_boolean(!assignee || !*assignee));
    json_object_set_new(item, "mine", json_boolean(g_strcmp0(assignee, request->reader.name) == 0));
}

/* A whole reference typed into the search of the head leads to its case, for whom it exists. */
bool case_go(Request *request, const char *words) {
    VigieAnalyst who = case_analyst(request);
    int64_t id = 0;
    if (!request->portal->team || !who.may ||
        !csirt_case_find(request->store, request->portal->team, &who, words, &id, NULL))
        return false;
    request->go = g_strdup_printf("/cases/%" G_GINT64_FORMAT, id);
    return true;
}

/* ---- Resources ---------------------------------------------------------------------------------------------- */
static bool read_filter(const Request *request, VigieCaseFilter *ret_filter, GError **error) {
    for (const char *const *name = request->route->parameters; name && *name; name++) {
        const char *value = request_query(request, *name);
        if (value && *value && !csirt_filter_set(ret_filter, *name, value, error))
            return false;
    }
    return true;
}

RESOURCE(page_cases) {
    VigieAnalyst who = case_analyst(request);
    VigieCaseFilter filter = {0};
    return case_desk(request, error) && read_filter(request, &filter, error)
               ? csirt_case_list(request->store, &who, &filter, request->now, error)
               : NULL;
}

RESOURCE(page_case) {
    VigieAnalyst who = case_analyst(request);
    return case_desk(request, error)
               ? csirt_case_get(request->store, request->portal->team, &who, request->id, request->now, error)
               : NULL;
}

RESOURCE(page_case_load) {
    VigieAnalyst who = case_analyst(request);
    return case_desk(request, error)
               ? csirt_load(request->store, request->portal->team, &who, request->now, error)
               : NULL;
}

RESOURCE(page_case_tasks) {
    VigieAnalyst who = case_analyst(request);
    g_autoptr(json_t) tasks =
        case_desk(request, error) ? csirt_task_list(request->store, &who, 0, error) : NULL;
    return tasks ? json_pack("{s:O}", "items", tasks) : NULL;
}

RESOURCE(page_case_changes) {
    VigieAnalyst who = case_analyst(request);
    int64_t changes = 0;
    return case_desk(request, error) && csirt_changes(request->store, &who, request->id, &changes, error)
               ? json_pack("{s:I}", "changes", (json_int_t)changes)
               : NULL;
}
