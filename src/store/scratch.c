/* A store to try things out in, and what it is filled with. */
#include "store/backend.h"

enum { AT_ONCE = 2000 };

VigieStore *store_scratch(GError **error) {
    g_autoptr(VigieStore) scratch = sqlite_scratch(error);
    return scratch && store_migrate(scratch, error) ? g_steal_pointer(&scratch) : NULL;
}

typedef struct {
    GString *names, *marks; /* "id, name …", "$1, $2 …" */
    GString *types;         /* as store_exec has them */
} Columns;

static void columns_clear(Columns *columns) {
    g_string_free(columns->names, TRUE);
    g_string_free(columns->marks, TRUE);
    g_string_free(columns->types, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Columns, columns_clear)

/* The id first, by which the rows are paged. */
static bool read_columns(VigieStore *scratch, const char *table, Columns *columns, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(scratch, error,
                    "SELECT name, type FROM pragma_table_info($1) ORDER BY CASE name WHEN 'id' THEN 0 ELSE "
                    "1 END, cid",
                    "t", table);
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        const char *type = rows_text(rows, 1);
        g_string_append_c(columns->types, g_str_equal(type, "TEXT")          ? 't'
                                          : g_str_equal(type, "BLOB")        ? 'b'
                                          : g_str_has_prefix(type, "DOUBLE") ? 'd'
                                                                             : 'i');
        g_string_append_printf(columns->names, "%s%s", columns->names->len ? ", " : "", rows_text(rows, 0));
        g_string_append_printf(columns->marks, "%s$%zu", columns->marks->len ? ", " : "",
                               columns->types->len);
    }
    return rows_ended(rows, &failure, error);
}

static bool copy_row(const VigieRows *rows, VigieStore *scratch, const char *insert, const char *types,
                     GError **error) {
    size_t count = strlen(types);
    g_autofree VigieValue *values = g_new0(VigieValue, count);
    g_autofree VigieBytes *blobs = g_new0(VigieBytes, count);
    g_autofree char *own = g_strdup(types);
    for (size_t i = 0; i < count; i++) {
        int column = (int)i;
        if (rows_null(rows, column))
            own[i] = 'n';
        else if (types[i] == 't')
            values[i].t = rows_text(rows, column);
        else if (types[i] == 'd')
            values[i].d = rows_double(rows, column);
        else if (types[i] == 'i')
            values[i].i = rows_int(rows, column);
        else
            blobs[i] = rows_blob(rows, column), values[i].b = &blobs[i];
    }
    return store_exec_values(scratch, NULL, error, insert, own, values);
}

bool store_copy(VigieStore *from, VigieStore *scratch, const char *table, GError **error) {
    g_auto(Columns) columns = {g_string_new(NULL), g_string_new(NULL), g_string_new(NULL)};
    g_autoptr(VigieTransaction) tx = store_begin(scratch, error);
    if (!tx || !read_columns(scratch, table, &columns, error))
        return false;
    g_autofree char *select = g_strdup_printf("SELECT %s FROM %s WHERE id > $1 ORDER BY id LIMIT %d",
                                              columns.names->str, table, AT_ONCE);
    g_autofree char *insert =
        g_strdup_printf("INSERT INTO %s (%s) VALUES (%s)", table, columns.names->str, columns.marks->str);
    for (int64_t last = 0, before = -1; last != before;) {
        before = last;
        g_autoptr(VigieRows) rows = store_query(from, error, select, "i", last);
        GError *failure = NULL;
        while (rows && rows_next(rows, &failure)) {
            last = rows_int(rows, 0);
            if (!copy_row(rows, scratch, insert, columns.types->str, error))
                return false;
        }
        if (!rows_ended(rows, &failure, error))
            return false;
    }
    return store_commit(&tx, error);
}
