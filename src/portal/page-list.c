/* page-list: what a table needs around it: columns that sort, a form that filters, a pager. All by address. */
#include "portal/pages.h"
#include "portal/present.h"

#include <string.h>

typedef struct {
    const char *sort; /* the list's sort key, and the column's word: portal.column.SORT */
    bool number;      /* right-aligned */
} Column;

typedef struct {
    const char *name;  /* of the query, and its label's word: portal.column.NAME */
    const char *words; /* the prefix of the values' words, or a list of knowledge/fleet-classes.json */
    const char *const *values; /* NULL: those of the list */
    const char *blank;         /* the word of none of them; NULL: "all" */
} Select;

typedef struct {
    const Column *columns;
    const Select *selects;
    bool organisations; /* offers them, too, where the reader is not confined to one */
} Table;

static const char *const states[] = {"broken", "soon", "unknown", "well", NULL};
static const char *const lives[] = {"active", "open", "acknowledged", "reopened", "mended", NULL};
static const char *const retired[] = {"true", NULL};
static const char *const severities[] = {"critical", "high", "medium", "low", "info", NULL};

static const Column device_columns[] = {{"name", false},      {"state", false},       {"class", false},
                                        {"location", false},  {"criticality", false}, {"owner", false},
                                        {"not_after", false}, {"checked", false},     {0}};
static const Column endpoint_columns[] = {{"target", false},
                                          {"state", false},
                                          {"device", false},
                                          {"outcome", false},
                                          {"not_after", false},
                                          {"checked", false},
                                          {0}};
static const Column finding_columns[] = {{"kind", false},
                                         {"severity", false},
                                         {"device", false},
                                         {"state", false},
                                         {"first_seen", false},
                                         {"last_seen", false},
                                         {0}};
static const Column certificate_columns[] = {{"subject", false},    {"issuer", false},   {"not_after", false},
                                             {"first_seen", false}, {"endpoints", true}, {0}};

static const Select device_selects[] = {{"state", "fleet.state.", states, NULL},
                                        {"class", "classes", NULL, NULL},
                                        {"owner", "owners", NULL, NULL},
                                        {"criticality", "criticalities", NULL, NULL},
                                        {"retired", "keep.retired.", retired, "keep.retired.without"},
                                        {0}};
static const Select endpoint_selects[] = {{"state", "fleet.state.", states, NULL},
                                          {"class", "classes", NULL, NULL},
                                          {"owner", "owners", NULL, NULL},
                                          {"criticality", "criticalities", NULL, NULL},
                                          {0}};
static const Select finding_selects[] = {{"state", "fleet.life.", lives, NULL},
                                         {"severity", "fleet.severity.", severities, NULL},
                                         {"class", "classes", NULL, NULL},
                                         {"owner", "owners", NULL, NULL},
                                         {0}};
static const Select no_selects[] = {{0}};

static const Table device_table = {device_columns, device_selects, true};
static const Table endpoint_table = {endpoint_columns, endpoint_selects, true};
static const Table finding_table = {finding_columns, finding_selects, true};
static const Table certificate_table = {certificate_columns, no_selects, true};

static const char *label(const Request *request, const char *name) {
    g_autofree char *key = g_strconcat("portal.column.", name, NULL);
    return vigie_word(request->lang, key);
}

/* A click sorts by the column; a second one turns it round. */
static json_t *columns(const Request *request, const json_t *view, const Column *column) {
    const char *sorted = json_string_value(json_object_get(view, "sort"));
    bool descending = json_is_true(json_object_get(view, "descending"));
    json_t *array = json_array();
    for (; column->sort; column++) {
        bool here = g_strcmp0(sorted, column->sort) == 0;
        g_autofree char *key = g_strconcat(here && !descending ? "-" : "", column->sort, NULL);
        g_autofree char *link = request_link(request, request->path, "sort", key, "page", NULL, NULL);
        json_array_append_new(array,
                              json_pack("{s:s, s:s, s:b, s:b, s:b}", "label", label(request, column->sort),
                                        "link", link, "number", column->number, "up", here && !descending,
                                        "down", here && descending));
    }
    return array;
}

static json_t *options_of(const Request *request, const Select *select) {
    const char *selected = request_query(request, select->name);
    return select->values ? present_options(request, select->words, select->values, selected)
                          : present_kinds(request, select->words, selected);
}

static json_t *filters(Request *request, const Table *table, GError **error) {
    json_t *array = json_array();
    if (table->organisations && !request->reader.organisation) {
        json_t *options = present_organisations(request, request_query(request, "organisation"), error);
        if (json_array_size(options) > 1)
            json_array_append_new(array, json_pack("{s:s, s:s, s:o}", "name", "organisation", "label",
                                                   label(request, "organisation"), "options", options));
        else
            json_decref(options);
    }
    for (const Select *select = table->selects; select->name; select++)
        json_array_append_new(
            array, json_pack("{s:s, s:s, s:o, s:s}", "name", select->name, "label",
                             label(request, select->name), "options", options_of(request, select), "blank",
                             select->blank ? vigie_word(request->lang, select->blank) : ""));
    return array;
}

static json_t *page_link(const Request *request, int64_t page) {
    g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, page);
    g_autofree char *link = request_link(request, request->path, "page", page > 1 ? number : NULL, NULL);
    return json_string(link);
}

static void add_pager(const Request *request, json_t *view) {
    int64_t page = json_integer_value(json_object_get(view, "page"));
    int64_t pages = json_integer_value(json_object_get(view, "pages"));
    if (pages < 2)
        return;
    json_t *pager = json_pack("{s:I, s:I}", "page", (json_int_t)page, "pages", (json_int_t)pages);
    if (page > 1)
        json_object_set_new(pager, "previous", page_link(request, page - 1));
    if (page < pages)
        json_object_set_new(pager, "next", page_link(request, page + 1));
    json_object_set_new(view, "pager", pager);
}

/* What of the query narrows the list: shown, and taken away by one link. */
static bool is_narrowed(const Request *request) {
    static const char *const neutral[] = {"sort", "page", "page_size", "lang", NULL};
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, request->query);
    while (g_hash_table_iter_next(&iter, &name, &value))
        if (*(const char *)value && !g_strv_contains(neutral, name))
            return true;
    return false;
}

void page_narrow(const Request *request, json_t *view, json_t *filters) {
    const char *q = request_query(request, "q"), *sort = request_query(request, "sort");
    json_object_set_new(view, "filters", filters);
    json_object_set_new(view, "path", json_string(request->path));
    json_object_set_new(view, "q", json_string(q ? q : ""));
    json_object_set_new(view, "sort_given", json_string(sort ? sort : ""));
    json_object_set_new(view, "narrowed", json_boolean(is_narrowed(request)));
}

static bool dress(Request *request, json_t *view, const Table *table, GError **error) {
    g_autoptr(GError) failure = NULL;
    json_object_set_new(view, "columns", columns(request, view, table->columns));
    page_narrow(request, view, filters(request, table, &failure));
    json_object_set_new(view, "empty", json_boolean(json_integer_value(json_object_get(view, "total")) == 0));
    add_pager(request, view);
    if (!failure)
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

DRESS(dress_devices) {
    g_autofree char *export = request_link(request, "/devices/export.csv", "page", NULL, "sort", NULL, NULL);
    json_object_set_new(view, "export", json_string(export));
    return dress(request, view, &device_table, error);
}

DRESS(dress_endpoints) {
    return dress(request, view, &endpoint_table, error);
}

DRESS(dress_findings) {
    return dress(request, view, &finding_table, error);
}

DRESS(dress_certificates) {
    return dress(request, view, &certificate_table, error);
}

DRESS(dress_plain_list) {
    (void)error;
    json_object_set_new(view, "empty", json_boolean(json_integer_value(json_object_get(view, "total")) == 0));
    add_pager(request, view);
    return true;
}
