/* Rows as the JSON of resources, by a table of columns. */
#include "fleet/internal.h"

#include <string.h>

json_t *json_time(VigieTime time) {
    if (time == 0)
        return json_null();
    g_autofree char *text = vigie_time_rfc3339(time);
    return json_string(text);
}

int64_t days_left(VigieTime not_after, VigieTime now) {
    int64_t left = not_after - now;
    return left >= 0 ? left / FLEET_DAY : -((-left + FLEET_DAY - 1) / FLEET_DAY);
}

static json_t *json_name(const char *name) {
    return name ? json_string(name) : json_null();
}

static json_t *versions(int64_t mask) {
    json_t *names = json_array();
    for (int version = 0; mask > 0 && version < VIGIE_VERSIONS; version++)
        if (mask & (1 << version))
            json_array_append_new(names, json_string(tls_version_name((VigieVersion)version)));
    return names;
}

static json_t *hex(VigieBytes bytes) {
    g_autofree char *text = vigie_hex_text(bytes);
    return json_string(text);
}

static json_t *parsed(const char *text) {
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    return value ? value : json_null();
}

static json_t *cell(const VigieRows *rows, int at, ColumnType type, VigieTime now) {
    int64_t number = rows_int(rows, at);
    const char *text = NULL;
    switch (type) {
    case COLUMN_INT:
        return json_integer(number);
    case COLUMN_NATURAL:
        return number < 0 ? json_null() : json_integer(number);
    case COLUMN_ID:
        return number ? json_integer(number) : json_null();
    case COLUMN_TEXT:
        text = rows_text(rows, at);
        return json_name(text && *text ? text : NULL);
    case COLUMN_STRING:
        text = rows_text(rows, at);
        return json_string(text ? text : "");
    case COLUMN_TIME:
        return json_time(number);
    case COLUMN_END:
        return rows_null(rows, at) || number >= FLEET_NEVER ? json_null() : json_time(number);
    case COLUMN_DAYS:
        return rows_null(rows, at) || number >= FLEET_NEVER ? json_null()
                                                            : json_integer(days_left(number, now));
    case COLUMN_BOOL:
        return json_boolean(number != 0);
    case COLUMN_STATE:
        return json_name(fleet_state_name(number));
    case COLUMN_LIFE:
        return json_name(fleet_life_name(number));
    case COLUMN_SEVERITY:
        return json_name(rows_null(rows, at) || number < 0 ? NULL
                                                           : vigie_severity_name((VigieSeverity)number));
    case COLUMN_CRITICALITY:
        return json_name(fleet_criticality_name(number));
    case COLUMN_DEPTH:
        return json_name(fleet_depth_name(number));
    case COLUMN_VERSIONS:
        return versions(number);
    case COLUMN_HEX:
        return hex(rows_blob(rows, at));
    case COLUMN_JSON:
        return parsed(rows_text(rows, at));
    }
    return json_null();
}

/* The object that holds "object.member", made where it is missing. */
static json_t *holder(json_t *object, const char *name) {
    json_t *inner = json_object_get(object, name);
    if (!inner) {
        inner = json_object();
        json_object_set_new(object, name, inner);
    }
    return inner;
}

json_t *row_object(const VigieRows *rows, const Column *columns, VigieTime now) {
    json_t *object = json_object();
    g_autoptr(GPtrArray) absent = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; columns[i].member; i++) {
        const char *dot = strchr(columns[i].member, '.');
        json_t *value = cell(rows, i, columns[i].type, now);
        if (!dot) {
            json_object_set_new(object, columns[i].member, value);
            continue;
        }
        g_autofree char *name = g_strndup(columns[i].member, (gsize)(dot - columns[i].member));
        json_t *inner = holder(object, name);
        if (json_object_size(inner) == 0 && json_is_null(value))
            g_ptr_array_add(absent, g_steal_pointer(&name));
        json_object_set_new(inner, dot + 1, value);
    }
    for (guint i = 0; i < absent->len; i++)
        json_object_set_new(object, absent->pdata[i], json_null());
    return object;
}

void query_columns(VigieQuery *query, const Column *columns) {
    for (int i = 0; columns[i].member; i++) {
        query_add(query, i ? ", " : "");
        query_add(query, columns[i].sql);
    }
}

json_t *query_array(VigieStore *store, const VigieQuery *query, const Column *columns, VigieTime now,
                    GError **error) {
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    if (!rows)
        return NULL;
    g_autoptr(json_t) array = json_array();
    GError *failure = NULL;
    while (rows_next(rows, &failure))
        json_array_append_new(array, row_object(rows, columns, now));
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    return g_steal_pointer(&array);
}

bool set_part(json_t *object, const char *name, json_t *part) {
    return part && json_object_set_new(object, name, part) == 0;
}

char *local_text(VigieTime time, GTimeZone *zone, const char *format) {
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(time);
    if (!utc)
        return g_strdup("");
    if (!zone)
        return g_date_time_format(utc, format);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, zone);
    return g_date_time_format(local, format);
}
