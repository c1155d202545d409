#include "store/backend.h"

#include <string.h>

struct VigieTransaction {
    VigieStore *store;
    int depth; /* 1 for the outermost */
};

VigieStore *store_open(const char *url, GError **error) {
    if (g_str_has_prefix(url, "sqlite:"))
        return sqlite_open(url + strlen("sqlite:"), error);
    if (g_str_has_prefix(url, "postgresql://") || g_str_has_prefix(url, "postgres://"))
        return postgresql_open(url, error);
    /* Not quoted: it may hold a password. */
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "store: the address must begin with sqlite: or postgresql://, as in "
                        "sqlite:/var/lib/vigie/vigie.db or postgresql://vigie@db.example.org/vigie");
    return NULL;
}

void store_close(VigieStore *store) {
    if (!store)
        return;
    g_free(store->failure);
    store->backend->close(store);
}

VigieStoreKind store_kind(const VigieStore *store) {
    return store->backend->kind;
}

/* ---- Statements ------------------------------------------------------------------------------------------ */

/* PostgreSQL refuses everything after an error inside a transaction. SQLite would go on, so code that forgets
 * the rollback would work on one and fail on the other; here it fails on both. */
static bool usable(VigieStore *store, GError **error) {
    if (!store->broken)
        return true;
    g_set_error(
        error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL,
        "store: an earlier statement of this transaction failed and it was not rolled back; that was: %s",
        store->failure);
    return false;
}

static void note_failure(VigieStore *store, const GError *error) {
    if (store->depth == 0 || store->broken)
        return;
    store->broken = true;
    g_free(store->failure);
    store->failure = g_strdup(error->message);
}

static bool values_valid(const char *sql, const char *types, const VigieValue *values, GError **error) {
    for (size_t i = 0; types[i]; i++) {
        if (types[i] != 't' || !values[i].t || g_utf8_validate(values[i].t, -1, NULL))
            continue;
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "store: parameter $%zu is not UTF-8 text; convert it first, or store it as bytes; in: %s",
                    i + 1, sql);
        return false;
    }
    return true;
}

VigieRows *store_query_values(VigieStore *store, GError **error, const char *sql, const char *types,
                              const VigieValue *values) {
    if (!usable(store, error))
        return NULL;
    GError *failure = NULL;
    VigieRows *rows = NULL;
    if (values_valid(sql, types, values, &failure))
        rows = store->backend->query(store, sql, types, values, &failure);
    if (!rows) {
        note_failure(store, failure);
        g_propagate_error(error, failure);
    }
    return rows;
}

bool store_exec_values(VigieStore *store, int64_t *ret_rows, GError **error, const char *sql,
                       const char *types, const VigieValue *values) {
    g_autoptr(VigieRows) rows = store_query_values(store, error, sql, types, values);
    if (!rows)
        return false;
    GError *failure = NULL;
    while (rows_next(rows, &failure))
        ;
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    if (ret_rows)
        *ret_rows = store->backend->changed(rows);
    return true;
}

/* The arguments after `types`, as an array to free with g_free. */
static VigieValue *collect(const char *types, va_list list) {
    size_t count = strlen(types);
    VigieValue *values = g_new0(VigieValue, count + 1);
    for (size_t i = 0; i < count; i++)
        switch (types[i]) {
        case 'i':
            values[i].i = va_arg(list, int64_t);
            break;
        case 'd':
            values[i].d = va_arg(list, double);
            break;
        case 't':
            values[i].t = va_arg(list, const char *);
            break;
        case 'b':
            values[i].b = va_arg(list, const VigieBytes *);
            break;
        case 'n':
            break;
        default:
            g_error("store: parameter type '%c' is none of i d t b n", types[i]);
        }
    return values;
}

#define COLLECT(values)                                                                                      \
    va_list list;                                                                                            \
    va_start(list, types);                                                                                   \
    g_autofree VigieValue *values = collect(types, list);                                                    \
    va_end(list)

bool store_exec(VigieStore *store, GError **error, const char *sql, const char *types, ...) {
    COLLECT(values);
    return store_exec_values(store, NULL, error, sql, types, values);
}

bool store_exec_count(VigieStore *store, int64_t *ret_rows, GError **error, const char *sql,
                      const char *types, ...) {
    COLLECT(values);
    return store_exec_values(store, ret_rows, error, sql, types, values);
}

VigieRows *store_query(VigieStore *store, GError **error, const char *sql, const char *types, ...) {
    COLLECT(values);
    return store_query_values(store, error, sql, types, values);
}

bool store_get_int(VigieStore *store, int64_t *ret_value, GError **error, const char *sql, const char *types,
                   ...) {
    COLLECT(values);
    g_autoptr(VigieRows) rows = store_query_values(store, error, sql, types, values);
    if (!rows)
        return false;
    GError *failure = NULL;
    if (!rows_next(rows, &failure)) {
        if (!failure)
            g_set_error(&failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "store: no row; in: %s", sql);
        g_propagate_error(error, failure);
        return false;
    }
    *ret_value = rows_int(rows, 0);
    return true;
}

/* ---- Rows ------------------------------------------------------------------------------------------------ */

bool rows_next(VigieRows *rows, GError **error) {
    GError *failure = NULL;
    if (rows->store->backend->next(rows, &failure))
        return true;
    if (failure) {
        note_failure(rows->store, failure);
        g_propagate_error(error, failure);
    }
    return false;
}

bool rows_ended(const VigieRows *rows, GError **failure, GError **error) {
    if (!*failure)
        return rows != NULL;
    g_propagate_error(error, g_steal_pointer(failure));
    return false;
}

bool rows_first(VigieRows *rows, GError **error, const char *format, ...) {
    GError *failure = NULL;
    if (rows && rows_next(rows, &failure))
        return true;
    if (!rows_ended(rows, &failure, error))
        return false;
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, message);
    return false;
}

void rows_free(VigieRows *rows) {
    if (rows)
        rows->store->backend->free_rows(rows);
}

bool rows_null(const VigieRows *rows, int column) {
    return rows->store->backend->is_null(rows, column);
}

int64_t rows_int(const VigieRows *rows, int column) {
    return rows->store->backend->get_int(rows, column);
}

double rows_double(const VigieRows *rows, int column) {
    return rows->store->backend->get_double(rows, column);
}

const char *rows_text(const VigieRows *rows, int column) {
    return rows->store->backend->get_text(rows, column);
}

VigieBytes rows_blob(const VigieRows *rows, int column) {
    return rows->store->backend->get_blob(rows, column);
}

/* ---- Transactions ---------------------------------------------------------------------------------------- */

static bool run_savepoint(VigieStore *store, const char *verb, int depth, GError **error) {
    g_autofree char *sql = g_strdup_printf("%s level%d", verb, depth);
    return store->backend->script(store, sql, error);
}

VigieTransaction *store_begin(VigieStore *store, GError **error) {
    if (!usable(store, error))
        return NULL;
    GError *failure = NULL;
    bool begun = store->depth == 0 ? store->backend->script(store, store->backend->begin, &failure)
                                   : run_savepoint(store, "SAVEPOINT", store->depth + 1, &failure);
    if (!begun) {
        note_failure(store, failure);
        g_propagate_error(error, failure);
        return NULL;
    }
    VigieTransaction *tx = g_new(VigieTransaction, 1);
    *tx = (VigieTransaction){.store = store, .depth = ++store->depth};
    return tx;
}

bool store_commit(VigieTransaction **tx, GError **error) {
    VigieTransaction *mine = *tx;
    VigieStore *store = mine->store;
    /* Guards leave their scopes in the reverse order of entering them; only a hand-written commit can be
     * early. */
    g_assert(mine->depth == store->depth);
    *tx = NULL;
    GError *failure = NULL;
    bool done = usable(store, &failure) &&
                (mine->depth == 1 ? store->backend->script(store, "COMMIT", &failure)
                                  : run_savepoint(store, "RELEASE SAVEPOINT", mine->depth, &failure));
    if (!done) {
        note_failure(store, failure);
        store_rollback(mine);
        g_propagate_error(error, failure);
        return false;
    }
    store->depth--;
    g_free(mine);
    return true;
}

void store_rollback(VigieTransaction *tx) {
    if (!tx)
        return;
    VigieStore *store = tx->store;
    g_assert(tx->depth == store->depth);
    /* Where a rollback fails, the database has done it already (a full disk, a lost connection). */
    if (tx->depth == 1) {
        store->broken = false;
        store->backend->script(store, "ROLLBACK", NULL);
    } else {
        store->broken = !run_savepoint(store, "ROLLBACK TO SAVEPOINT", tx->depth, NULL) ||
                        !run_savepoint(store, "RELEASE SAVEPOINT", tx->depth, NULL);
    }
    store->depth--;
    g_free(tx);
}
