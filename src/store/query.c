/* SQL that depends on what is asked for, its parameters numbered as they come. */
#include "store/store.h"

#include <string.h>

struct VigieQuery {
    GString *sql, *types;
    GArray *values;   /* of VigieValue */
    GPtrArray *owned; /* what they point at */
};

VigieQuery *query_new(void) {
    VigieQuery *query = g_new(VigieQuery, 1);
    query->sql = g_string_new(NULL);
    query->types = g_string_new(NULL);
    query->values = g_array_new(FALSE, TRUE, sizeof(VigieValue));
    query->owned = g_ptr_array_new_with_free_func(g_free);
    return query;
}

void query_free(VigieQuery *query) {
    if (!query)
        return;
    g_string_free(query->sql, TRUE);
    g_string_free(query->types, TRUE);
    g_array_unref(query->values);
    g_ptr_array_unref(query->owned);
    g_free(query);
}

static char *own_text(VigieQuery *query, const char *text) {
    char *copy = g_strdup(text);
    g_ptr_array_add(query->owned, copy);
    return copy;
}

static VigieBytes *own_bytes(VigieQuery *query, VigieBytes bytes) {
    void *copy = g_memdup2(bytes.data, bytes.size);
    g_ptr_array_add(query->owned, copy);
    VigieBytes *view = g_new(VigieBytes, 1);
    *view = vigie_bytes(copy, bytes.size);
    g_ptr_array_add(query->owned, view);
    return view;
}

void query_add(VigieQuery *query, const char *sql, ...) {
    va_list args;
    va_start(args, sql);
    for (const char *mark; (mark = strchr(sql, '?')); sql = mark + 2) {
        VigieValue value = {0};
        if (mark[1] == 'i')
            value.i = va_arg(args, int64_t);
        else if (mark[1] == 't')
            value.t = own_text(query, va_arg(args, const char *));
        else
            value.b = own_bytes(query, va_arg(args, VigieBytes));
        g_array_append_val(query->values, value);
        g_string_append_c(query->types, mark[1]);
        g_string_append_len(query->sql, sql, mark - sql);
        g_string_append_printf(query->sql, "$%u", query->values->len);
    }
    va_end(args);
    g_string_append(query->sql, sql);
}

VigieRows *query_run(VigieStore *store, const VigieQuery *query, GError **error) {
    return store_query_values(store, error, query->sql->str, query->types->str,
                              (const VigieValue *)(void *)query->values->data);
}

bool query_int(VigieStore *store, const VigieQuery *query, int64_t *ret_value, GError **error) {
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    if (!rows)
        return false;
    GError *failure = NULL;
    if (!rows_next(rows, &failure)) {
        if (failure)
            g_propagate_error(error, failure);
        else
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is no such row");
        return false;
    }
    *ret_value = rows_int(rows, 0);
    return true;
}
