/* Rows as the JSON of resources, by a table of cells. */
#include "csirt/internal.h"

json_t *csirt_json_time(VigieTime time) {
    if (time == 0)
        return json_null();
    g_autofree char *text = vigie_time_rfc3339(time);
    return json_string(text);
}

json_t *csirt_json_parse(const char *text) {
    json_t *value = text && *text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    return value ? value : json_null();
}

static json_t *cell(const VigieRows *rows, int at, CellType type) {
    const char *text = type >= CELL_TEXT ? rows_text(rows, at) : NULL;
    int64_t number = type < CELL_TEXT ? rows_int(rows, at) : 0;
    switch (type) {
    case CELL_INT:
        return json_integer(number);
    case CELL_ID:
        return number ? json_integer(number) : json_null();
    case CELL_TIME:
        return csirt_json_time(number);
    case CELL_BOOL:
        return json_boolean(number != 0);
    case CELL_TEXT:
        return text && *text ? json_string(text) : json_null();
    case CELL_STRING:
        return json_string(text ? text : "");
    case CELL_JSON:
        return csirt_json_parse(text);
    }
    return json_null();
}

json_t *cells_object(const VigieRows *rows, const Cell *cells) {
    json_t *object = json_object();
    for (int i = 0; cells[i].member; i++)
        json_object_set_new(object, cells[i].member, cell(rows, i, cells[i].type));
    return object;
}

void cells_select(VigieQuery *query, const Cell *cells) {
    query_add(query, "SELECT ");
    for (int i = 0; cells[i].member; i++) {
        query_add(query, i ? ", " : "");
        query_add(query, cells[i].sql);
    }
    query_add(query, " ");
}

json_t *cells_run(VigieStore *store, const VigieQuery *query, const Cell *cells, GError **error) {
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    g_autoptr(json_t) array = json_array();
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure))
        json_array_append_new(array, cells_object(rows, cells));
    return rows_ended(rows, &failure, error) ? g_steal_pointer(&array) : NULL;
}

json_t *cells_array(VigieStore *store, const Cell *cells, const char *rest, int64_t id, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    cells_select(query, cells);
    query_add(query, rest, id);
    return cells_run(store, query, cells, error);
}
