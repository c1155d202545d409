/* The dashboard's facts, and search. Each part is one query that walks one index. */
#include "fleet/internal.h"

#include <string.h>

enum { SHOWN = 10, ORGANISATIONS_SHOWN = 50, WEEK = 7 * FLEET_DAY, WEEKS = 53, FOUND = 20, COUNTED = 1000 };

/* ---- Devices by organisation and class --------------------------------------------------------------- */
typedef struct {
    json_t *total;
    GHashTable *organisations; /* id → json_t */
    GHashTable *classes;       /* id → json_t */
} Groups;

static void groups_clear(Groups *groups) {
    g_clear_pointer(&groups->total, json_decref);
    g_clear_pointer(&groups->organisations, g_hash_table_unref);
    g_clear_pointer(&groups->classes, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Groups, groups_clear)

static void json_unref(void *value) {
    json_decref(value);
}

/* The group of this key; `table` owns both. */
static json_t *group_of(GHashTable *table, const char *key, const char *member, json_t *value) {
    json_t *group = g_hash_table_lookup(table, key);
    if (!group) {
        group = json_object();
        json_object_set(group, member, value);
        g_hash_table_insert(table, g_strdup(key), group);
    }
    json_decref(value);
    return group;
}

static bool read_groups(VigieStore *store, const VigieFleetFilter *filter, Groups *groups, GError **error) {
    g_autoptr(VigieRows) rows = device_groups(store, filter, error);
    if (!rows)
        return false;
    groups->total = json_object();
    groups->organisations = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, json_unref);
    groups->classes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, json_unref);
    group_add(groups->total, STATE_WELL, 0, FLEET_NEVER);
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        int64_t state = rows_int(rows, 2), count = rows_int(rows, 3), end = rows_int(rows, 4);
        g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, rows_int(rows, 0));
        const char *class_ = rows_text(rows, 1);
        group_add(groups->total, state, count, end);
        group_add(group_of(groups->organisations, id, "id", json_integer(rows_int(rows, 0))), state, count,
                  end);
        group_add(group_of(groups->classes, class_, "class", *class_ ? json_string(class_) : json_null()),
                  state, count, end);
    }
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

/* Worst first: by how many are broken, then soon, then by the first end. */
static int compare_groups(gconstpointer a, gconstpointer b) {
    const json_t *one = *(json_t *const *)a, *two = *(json_t *const *)b;
    static const char *const states[] = {"broken", "soon", "unknown"};
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
        json_int_t left = json_integer_value(json_object_get(json_object_get(one, "by_state"), states[i]));
        json_int_t right = json_integer_value(json_object_get(json_object_get(two, "by_state"), states[i]));
        if (left != right)
            return left > right ? -1 : 1;
    }
    const char *left = json_string_value(json_object_get(one, "not_after"));
    const char *right = json_string_value(json_object_get(two, "not_after"));
    return g_strcmp0(left ? left : "9", right ? right : "9");
}

static json_t *sorted_groups(GHashTable *table, guint most) {
    g_autoptr(GPtrArray) groups = g_ptr_array_new();
    GHashTableIter iter;
    gpointer group;
    g_hash_table_iter_init(&iter, table);
    while (g_hash_table_iter_next(&iter, NULL, &group))
        g_ptr_array_add(groups, group);
    g_ptr_array_sort(groups, compare_groups);
    json_t *array = json_array();
    for (guint i = 0; i < groups->len && i < most; i++)
        json_array_append(array, groups->pdata[i]);
    return array;
}

static bool name_organisations(VigieStore *store, json_t *groups, GError **error) {
    size_t index;
    json_t *group;
    json_array_foreach(groups, index, group) {
        int64_t id = json_integer_value(json_object_get(group, "id"));
        g_autoptr(VigieRows) rows =
            store_query(store, error, "SELECT name FROM organisation WHERE id = $1", "i", id);
        if (!rows_first(rows, error, "organisation %" G_GINT64_FORMAT ": there is none", id))
            return false;
        json_object_set_new(group, "name", json_string(rows_text(rows, 0)));
    }
    return true;
}

static bool add_devices(VigieStore *store, const VigieFleetFilter *filter, json_t *out, GError **error) {
    g_auto(Groups) groups = {0};
    if (!read_groups(store, filter, &groups, error))
        return false;
    json_t *organisations = sorted_groups(groups.organisations, ORGANISATIONS_SHOWN);
    json_object_set_new(out, "devices",
                        json_pack("{s:O, s:O}", "total", json_object_get(groups.total, "devices"), "by_state",
                                  json_object_get(groups.total, "by_state")));
    json_object_set_new(out, "organisations", organisations);
    json_object_set_new(out, "classes", sorted_groups(groups.classes, G_MAXUINT));
    return name_organisations(store, organisations, error);
}

/* ---- Endpoints --------------------------------------------------------------------------------------- */
static bool add_endpoints(VigieStore *store, const VigieFleetFilter *filter, json_t *out, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT x.state, count(*) FROM endpoint x");
    if (!list_where(query, &endpoint_list, filter, error))
        return false;
    query_add(query, " GROUP BY x.state");
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    if (!rows)
        return false;
    int64_t counts[STATES] = {0}, total = 0;
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        int64_t state = CLAMP(rows_int(rows, 0), 0, STATES - 1);
        counts[state] += rows_int(rows, 1);
        total += rows_int(rows, 1);
    }
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    json_t *by_state = by_state_new();
    for (int64_t state = 0; state < STATES; state++)
        json_object_set_new(by_state, fleet_state_name(state), json_integer(counts[state]));
    json_object_set_new(out, "endpoints",
                        json_pack("{s:I, s:o}", "total", (json_int_t)total, "by_state", by_state));
    return true;
}

/* How many end from `from` on and before `until`: a walk through one index. */
static bool count_ends(VigieStore *store, const VigieFleetFilter *filter, VigieTime from, VigieTime until,
                       int64_t *ret_count, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT count(*) FROM endpoint x");
    if (!list_where(query, &endpoint_list, filter, error))
        return false;
    query_add(query, " AND x.not_after >= ?i AND x.not_after < ?i", from, until);
    return query_int(store, query, ret_count, error);
}

/* Most ends are far away: they are what remains of the total. */
static bool add_expiry(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, json_t *out,
                       GError **error) {
    static const struct {
        const char *member;
        int days;
    } ranges[] = {{"ended", 0}, {"days_1", 1}, {"days_7", 7}, {"days_30", 30}, {"days_90", 90}};
    int64_t later = json_integer_value(json_object_get(json_object_get(out, "endpoints"), "total")),
            count = 0;
    json_t *expiry = json_object();
    json_object_set_new(out, "expiry", expiry);
    VigieTime from = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++) {
        VigieTime until = now + (VigieTime)ranges[i].days * FLEET_DAY + 1;
        if (!count_ends(store, filter, from, until, &count, error))
            return false;
        json_object_set_new(expiry, ranges[i].member, json_integer(count));
        later -= count;
        from = until;
    }
    if (!count_ends(store, filter, FLEET_NEVER, FLEET_NEVER + 1, &count, error))
        return false;
    json_object_set_new(expiry, "later", json_integer(later - count));
    json_object_set_new(expiry, "none", json_integer(count));
    return true;
}

/* The Monday on or before `now`; 1970-01-01 was a Thursday. */
static VigieTime monday(VigieTime now) {
    return now - (now + 3 * FLEET_DAY) % WEEK;
}

static json_t *week(VigieTime start, int64_t count) {
    g_autofree char *text = vigie_time_rfc3339(start);
    text[strlen("2026-11-16")] = '\0';
    return json_pack("{s:s, s:I}", "start", text, "count", (json_int_t)count);
}

/* A count a week is quicker than grouping, which would have to sort. */
static bool add_timeline(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, json_t *out,
                         GError **error) {
    json_t *weeks = json_array();
    json_object_set_new(out, "timeline", json_pack("{s:s, s:o}", "unit", "week", "weeks", weeks));
    VigieTime start = monday(now);
    for (int i = 0; i < WEEKS; i++, start += WEEK) {
        int64_t count = 0;
        if (!count_ends(store, filter, start, start + WEEK, &count, error))
            return false;
        json_array_append_new(weeks, week(start, count));
    }
    return true;
}

static bool add_silent(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, json_t *out,
                       GError **error) {
    static const char silent[] = " AND x.silent_since > 0";
    VigieFleetFilter longest = *filter;
    longest.sort = "silent_since";
    g_autoptr(VigieQuery) query = query_new();
    int64_t total = 0;
    query_add(query, "SELECT count(*) FROM endpoint x");
    if (!list_where(query, &endpoint_list, filter, error))
        return false;
    query_add(query, silent);
    if (!query_int(store, query, &total, error))
        return false;
    json_object_set_new(out, "silent_total", json_integer(total));
    return set_part(out, "silent", list_items(store, &endpoint_list, &longest, silent, SHOWN, now, error));
}

/* ---- Findings ---------------------------------------------------------------------------------------- */
static bool add_findings(VigieStore *store, const VigieFleetFilter *filter, json_t *out, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT x.severity, count(*) FROM finding x");
    if (!list_where(query, &finding_list, filter, error))
        return false;
    query_add(query, " AND x.active = 1 GROUP BY x.severity");
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    if (!rows)
        return false;
    json_t *by_severity = json_object();
    for (int i = VIGIE_SEVERITY_CRITICAL; i >= VIGIE_SEVERITY_INFO; i--)
        json_object_set_new(by_severity, vigie_severity_name((VigieSeverity)i), json_integer(0));
    int64_t total = 0;
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        total += rows_int(rows, 1);
        json_object_set_new(by_severity, vigie_severity_name((VigieSeverity)rows_int(rows, 0)),
                            json_integer(rows_int(rows, 1)));
    }
    json_object_set_new(out, "findings",
                        json_pack("{s:I, s:o}", "total", (json_int_t)total, "by_severity", by_severity));
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

static bool add_last_survey(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, json_t *out,
                            GError **error) {
    g_autoptr(json_t) runs = list_items(store, &run_list, filter, " AND x.finished > 0", 1, now, error);
    if (!runs)
        return false;
    json_t *last = json_array_get(runs, 0);
    if (!last)
        return json_object_set_new(out, "last_survey", json_null()) == 0;
    int64_t id = json_integer_value(json_object_get(last, "id"));
    return set_part(out, "last_survey", fleet_survey_progress(store, filter, id, now, error));
}

json_t *fleet_overview(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    g_autoptr(json_t) out = json_object();
    VigieFleetFilter all = *filter; /* of states and severities the dashboard shows every one */
    all.state = all.severity = all.kind = all.sort = NULL;
    all.descending = all.retired = false;
    VigieFleetFilter ending = all;
    ending.sort = "not_after";
    g_autofree char *next = g_strdup_printf(
        " AND x.not_after > %" G_GINT64_FORMAT " AND x.not_after < %" G_GINT64_FORMAT, now, FLEET_NEVER);
    json_object_set_new(out, "time", json_time(now));
    if (!add_devices(store, &all, out, error) || !add_endpoints(store, &all, out, error) ||
        !add_expiry(store, &all, now, out, error) ||
        !set_part(out, "next", list_items(store, &endpoint_list, &ending, next, SHOWN, now, error)) ||
        !add_findings(store, &all, out, error) ||
        !set_part(out, "worst",
                  list_items(store, &finding_list, &all, " AND x.active = 1", SHOWN, now, error)) ||
        !add_silent(store, &all, now, out, error) || !add_timeline(store, &all, now, out, error) ||
        !add_last_survey(store, &all, now, out, error) ||
        !set_part(out, "events",
                  list_items(store, &event_list, &all, " AND x.notable = 1", SHOWN, now, error)))
        return NULL;
    return g_steal_pointer(&out);
}

/* ---- Search ------------------------------------------------------------------------------------------ */
static bool add_found(VigieStore *store, const List *list, const VigieFleetFilter *filter, const char *member,
                      VigieTime now, json_t *out, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    int64_t total = 0;
    query_add(query, "SELECT count(*) FROM (SELECT x.id FROM ");
    query_add(query, list->table);
    query_add(query, " x");
    if (!list_where(query, list, filter, error))
        return false;
    query_add(query, " LIMIT ?i) t", (int64_t)COUNTED);
    if (!query_int(store, query, &total, error))
        return false;
    g_autofree char *total_member = g_strconcat("total_", member, NULL);
    json_object_set_new(out, total_member, json_integer(total));
    return set_part(out, member, list_items(store, list, filter, NULL, FOUND, now, error));
}

json_t *fleet_search(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    VigieFleetFilter found = {.organisation = filter->organisation, .q = filter->q ? filter->q : ""};
    g_autoptr(json_t) out = json_pack("{s:s}", "q", found.q);
    if (!out) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "q: it is not UTF-8");
        return NULL;
    }
    if (!add_found(store, &device_list, &found, "devices", now, out, error) ||
        !add_found(store, &endpoint_list, &found, "endpoints", now, out, error) ||
        !add_found(store, &certificate_list, &found, "certificates", now, out, error))
        return NULL;
    return g_steal_pointer(&out);
}
