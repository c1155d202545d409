/* Lists: filtered, sorted and cut into pages by the database. */
#include "fleet/internal.h"

#include <string.h>

static bool invalid(GError **error, const char *member, const char *value, const char *wanted) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: \"%s\" is not %s", member, value, wanted);
    return false;
}

/* ---- The filter -------------------------------------------------------------------------------------- */
typedef struct {
    const char *name;
    size_t offset;
    enum { FILTER_TEXT, FILTER_NUMBER, FILTER_TIME, FILTER_BOOL } type;
} Member;

static const Member members[] = {
    {"organisation", offsetof(VigieFleetFilter, organisation), FILTER_NUMBER},
    {"device", offsetof(VigieFleetFilter, device), FILTER_NUMBER},
    {"endpoint", offsetof(VigieFleetFilter, endpoint), FILTER_NUMBER},
    {"certificate", offsetof(VigieFleetFilter, certificate), FILTER_NUMBER},
    {"class", offsetof(VigieFleetFilter, class_), FILTER_TEXT},
    {"owner", offsetof(VigieFleetFilter, owner), FILTER_TEXT},
    {"criticality", offsetof(VigieFleetFilter, criticality), FILTER_TEXT},
    {"state", offsetof(VigieFleetFilter, state), FILTER_TEXT},
    {"severity", offsetof(VigieFleetFilter, severity), FILTER_TEXT},
    {"kind", offsetof(VigieFleetFilter, kind), FILTER_TEXT},
    {"q", offsetof(VigieFleetFilter, q), FILTER_TEXT},
    {"ends_before", offsetof(VigieFleetFilter, ends_before), FILTER_TIME},
    {"retired", offsetof(VigieFleetFilter, retired), FILTER_BOOL},
    {"page", offsetof(VigieFleetFilter, page), FILTER_NUMBER},
    {"page_size", offsetof(VigieFleetFilter, page_size), FILTER_NUMBER},
};

static bool set_number(int64_t *ret_number, const char *name, const char *value, GError **error) {
    guint64 number = 0;
    if (!g_ascii_string_to_unsigned(value, 10, 1, G_MAXINT64, &number, NULL))
        return invalid(error, name, value, "a number from 1");
    if (strcmp(name, "page_size") == 0 && number > FLEET_PAGE_SIZE_MAX)
        return invalid(error, name, value, "500 or less");
    *ret_number = (int64_t)number;
    return true;
}

static bool set_flag(bool *ret_flag, const char *name, const char *value, GError **error) {
    bool yes = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (!yes && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
        return invalid(error, name, value, "true or false");
    *ret_flag = yes;
    return true;
}

static bool set_member(const Member *member, void *at, const char *value, GError **error) {
    switch (member->type) {
    case FILTER_TEXT:
        *(const char **)at = value;
        return true;
    case FILTER_NUMBER:
        return set_number(at, member->name, value, error);
    case FILTER_TIME:
        return vigie_time_parse_rfc3339(value, at, error);
    case FILTER_BOOL:
        return set_flag(at, member->name, value, error);
    }
    return false;
}

bool fleet_filter_set(VigieFleetFilter *filter, const char *name, const char *value, GError **error) {
    if (*value == '\0') /* an empty field of a search form */
        return true;
    if (strcmp(name, "sort") == 0) {
        filter->descending = *value == '-';
        filter->sort = value + (*value == '-');
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
        if (strcmp(members[i].name, name) == 0)
            return set_member(&members[i], (char *)filter + members[i].offset, value, error);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s: no filter has this name", name);
    return false;
}

/* ---- WHERE ------------------------------------------------------------------------------------------- */
static void where_organisation(VigieQuery *query, const List *list, const VigieFleetFilter *filter) {
    if (!filter->organisation)
        return;
    if (list->by & BY_ORGANISATION)
        query_add(query, " AND x.organisation_id = ?i", filter->organisation);
    else if (list->by & BY_SERVED)
        query_add(
            query,
            " AND x.id IN (SELECT certificate_id FROM endpoint_certificate WHERE organisation_id = ?i AND "
            "current = 1)",
            filter->organisation);
    else
        query_add(query, " AND x.id = ?i", filter->organisation);
}

static bool where_device_facts(VigieQuery *query, const List *list, const VigieFleetFilter *filter,
                               GError **error) {
    if (!(list->by & BY_DEVICE_FACTS))
        return true;
    int64_t rank = 0;
    if (filter->class_ && *filter->class_ && !fleet_class_known(filter->class_, NULL))
        return invalid(error, "class", filter->class_, "a class of knowledge/fleet-classes.json");
    if (filter->owner && !fleet_owner_known(filter->owner))
        return invalid(error, "owner", filter->owner, "biomed, dsi or vendor");
    if (filter->criticality && !fleet_criticality_parse(filter->criticality, &rank))
        return invalid(error, "criticality", filter->criticality, "minor, moderate, major or vital");
    if (filter->class_)
        query_add(query, " AND x.class = ?t", filter->class_);
    if (filter->owner)
        query_add(query, " AND x.owner = ?t", filter->owner);
    if (filter->criticality)
        query_add(query, " AND x.criticality = ?i", rank);
    return true;
}

static void where_ids(VigieQuery *query, const List *list, const VigieFleetFilter *filter) {
    if (filter->device && list->by & BY_DEVICE)
        query_add(query, " AND x.device_id = ?i", filter->device);
    if (filter->endpoint && list->by & BY_ENDPOINT)
        query_add(query, " AND x.endpoint_id = ?i", filter->endpoint);
    if (filter->device && list->by & BY_ID_DEVICE)
        query_add(query, " AND x.id = ?i", filter->device);
    if (filter->endpoint && list->by & BY_ID_ENDPOINT)
        query_add(query, " AND x.id = ?i", filter->endpoint);
    if (filter->certificate && list->by & BY_ID_CERTIFICATE)
        query_add(query, " AND x.id = ?i", filter->certificate);
    if (filter->certificate && list->by & BY_CERTIFICATE)
        query_add(query,
                  " AND x.id IN (SELECT endpoint_id FROM endpoint_certificate WHERE certificate_id = ?i AND "
                  "current = 1)",
                  filter->certificate);
    if (filter->device && list->by & BY_SERVED)
        query_add(
            query,
            " AND x.id IN (SELECT ec.certificate_id FROM endpoint_certificate ec JOIN endpoint e ON e.id = "
            "ec.endpoint_id WHERE e.device_id = ?i AND ec.current = 1)",
            filter->device);
    if (filter->endpoint && list->by & BY_SERVED)
        query_add(query,
                  " AND x.id IN (SELECT certificate_id FROM endpoint_certificate WHERE endpoint_id = ?i AND "
                  "current = 1)",
                  filter->endpoint);
}

static bool where_state(VigieQuery *query, const List *list, const VigieFleetFilter *filter, GError **error) {
    int64_t rank = 0;
    if (!filter->state)
        return true;
    if (list->by & BY_STATE) {
        if (!fleet_state_parse(filter->state, &rank))
            return invalid(error, "state", filter->state, "well, unknown, soon or broken");
        query_add(query, " AND x.state = ?i", rank);
    }
    if (list->by & BY_LIFE) {
        if (strcmp(filter->state, "active") == 0)
            query_add(query, " AND x.active = 1");
        else if (fleet_life_parse(filter->state, &rank))
            query_add(query, " AND x.state = ?i", rank);
        else
            return invalid(error, "state", filter->state, "active, open, acknowledged, reopened or mended");
    }
    return true;
}

bool list_where(VigieQuery *query, const List *list, const VigieFleetFilter *filter, GError **error) {
    query_add(query, " WHERE ");
    query_add(query, filter->retired ? "1 = 1" : list->live);
    where_organisation(query, list, filter);
    where_ids(query, list, filter);
    if (!where_device_facts(query, list, filter, error) || !where_state(query, list, filter, error))
        return false;
    if (filter->severity && list->by & BY_SEVERITY) {
        int64_t severity = 0;
        if (!fleet_severity_parse(filter->severity, &severity))
            return invalid(error, "severity", filter->severity, "info, low, medium, high or critical");
        query_add(query, " AND x.severity = ?i", severity);
    }
    if (filter->kind && list->by & BY_KIND)
        query_add(query, " AND x.kind = ?t", filter->kind);
    if (filter->ends_before && list->by & BY_END)
        query_add(query, " AND x.not_after < ?i", filter->ends_before);
    return words_where(query, list, filter->q, error);
}

/* ---- Pages ------------------------------------------------------------------------------------------- */
static const Sort *find_sort(const List *list, const VigieFleetFilter *filter, GError **error) {
    if (!filter->sort)
        return list->sorts;
    for (const Sort *sort = list->sorts; sort->name; sort++)
        if (strcmp(sort->name, filter->sort) == 0)
            return sort;
    GString *names = g_string_new("one of");
    for (const Sort *sort = list->sorts; sort->name; sort++)
        g_string_append_printf(names, " %s", sort->name);
    invalid(error, "sort", filter->sort, names->str);
    g_string_free(names, TRUE);
    return NULL;
}

static int64_t page_size(const VigieFleetFilter *filter) {
    return filter->page_size > 0 ? MIN(filter->page_size, FLEET_PAGE_SIZE_MAX) : FLEET_PAGE_SIZE;
}

/* The rows' ids are found by indexes first; only those of the page are then read with all that is joined to
 * them. */
bool list_query(VigieQuery *query, const List *list, const VigieFleetFilter *filter, const char *also,
                GError **error) {
    const Sort *sort = find_sort(list, filter, error);
    if (!sort)
        return false;
    const char *order = filter->descending ? sort->reverse : sort->order;
    bool first = sort->first && !filter->retired && !filter->organisation && !filter->q && !filter->device;
    int64_t size = page_size(filter), page = MAX(filter->page, 1);
    query_add(query, "SELECT ");
    query_columns(query, list->columns);
    query_add(query, " FROM (SELECT x.id FROM ");
    query_add(query, first ? sort->first : "");
    query_add(query, list->table);
    query_add(query, " x ");
    query_add(query, sort->join && !first ? sort->join : "");
    if (!list_where(query, list, filter, error))
        return false;
    query_add(query, first ? sort->tie : "");
    query_add(query, also ? also : "");
    query_add(query, " ORDER BY ");
    query_add(query, order);
    query_add(query, " LIMIT ?i OFFSET ?i) p JOIN ", size,
              page > G_MAXINT32 ? INT64_C(0) : (page - 1) * size);
    query_add(query, list->table);
    query_add(query, " x ON x.id = p.id ");
    query_add(query, sort->join ? sort->join : "");
    query_add(query, " ");
    query_add(query, list->joins ? list->joins : "");
    query_add(query, " ORDER BY ");
    query_add(query, order);
    return true;
}

static bool count(VigieStore *store, const List *list, const VigieFleetFilter *filter, int64_t *ret_total,
                  GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT count(*) FROM ");
    query_add(query, list->table);
    query_add(query, " x");
    return list_where(query, list, filter, error) && query_int(store, query, ret_total, error);
}

json_t *list_page(VigieStore *store, const List *list, const VigieFleetFilter *filter, VigieTime now,
                  GError **error) {
    int64_t total = 0, size = page_size(filter);
    g_autoptr(VigieQuery) query = query_new();
    if (!list_query(query, list, filter, NULL, error) || !count(store, list, filter, &total, error))
        return NULL;
    json_t *items = query_array(store, query, list->columns, now, error);
    if (!items)
        return NULL;
    return json_pack("{s:I, s:I, s:I, s:I, s:s, s:b, s:o}", "total", (json_int_t)total, "page",
                     (json_int_t)MAX(filter->page, 1), "page_size", (json_int_t)size, "pages",
                     (json_int_t)MAX((total + size - 1) / size, 1), "sort",
                     filter->sort ? filter->sort : list->sorts->name, "descending", filter->descending,
                     "items", items);
}

json_t *list_items(VigieStore *store, const List *list, const VigieFleetFilter *filter, const char *also,
                   int count, VigieTime now, GError **error) {
    VigieFleetFilter page = *filter;
    page.page = 1;
    page.page_size = count;
    g_autoptr(VigieQuery) query = query_new();
    return list_query(query, list, &page, also, error) ? query_array(store, query, list->columns, now, error)
                                                       : NULL;
}

json_t *list_one(VigieStore *store, const List *list, const VigieFleetFilter *filter, int64_t id,
                 VigieTime now, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT ");
    query_columns(query, list->columns);
    query_add(query, " FROM ");
    query_add(query, list->table);
    query_add(query, " x ");
    query_add(query, list->joins ? list->joins : "");
    query_add(query, " WHERE x.id = ?i", id);
    if (filter->organisation && list->by & BY_SERVED) /* what was served there once can still be looked at */
        query_add(query,
                  " AND EXISTS (SELECT 1 FROM endpoint_certificate WHERE certificate_id = x.id AND "
                  "organisation_id = ?i)",
                  filter->organisation);
    else
        where_organisation(query, list, filter);
    g_autoptr(json_t) found = query_array(store, query, list->columns, now, error);
    if (!found)
        return NULL;
    json_t *one = json_array_get(found, 0);
    if (!one)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s %" G_GINT64_FORMAT ": there is none",
                    list->table, id);
    return json_incref(one);
}
