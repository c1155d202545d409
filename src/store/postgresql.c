/* PostgreSQL behind store.h, through libpq: one session, its statements prepared once, answers in text form.
 *
 * A lost session comes back by itself where nothing can have been lost with it: before a statement outside a
 * transaction, and after one that only reads. In any other case the caller is told, and the next statement
 * finds a new session. */
#include "store/backend.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* pg_type.h: their numbers never change. */
enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_FLOAT8 = 701 };

typedef struct {
    VigieStore base;
    PGconn *session;
    char *name;           /* for messages: without user or password */
    GHashTable *prepared; /* parameter types, space, SQL → the statement's name */
    unsigned last_name;
    bool listening;
} PgStore;

typedef struct {
    VigieRows base;
    PGresult *result;
    int row;
    GPtrArray *blobs; /* decoded for this row */
} PgRows;

/* ---- Errors ---------------------------------------------------------------------------------------------- */

typedef struct {
    const char *state; /* the beginning of a SQLSTATE */
    VigieErrorCode code;
    const char *remedy;
} Failure;

static const Failure failures[] = {
    {"53100", VIGIE_ERROR_UNAVAILABLE,
     "the server's disk is full, the change was not made and nothing written before is lost; free some space "
     "there, "
     "then try again"},
    {"53300", VIGIE_ERROR_UNAVAILABLE, "the server has too many sessions; raise its max_connections"},
    {"53", VIGIE_ERROR_UNAVAILABLE, "the server lacks a resource; see its log"},
    {"40", VIGIE_ERROR_BUSY, "another process was changing the same; try again"},
    {"55P03", VIGIE_ERROR_BUSY,
     "locked by another process for too long; try again, and if it stays so, see who holds it in "
     "pg_stat_activity"},
    {"57014", VIGIE_ERROR_BUSY, "the server's time limit ended the statement; try again"},
    {"25006", VIGIE_ERROR_UNAVAILABLE,
     "the server accepts no change (a replica, or read-only); name the primary in store.url"},
    {"42501", VIGIE_ERROR_UNAVAILABLE,
     "the user of store.url lacks a right; grant it, or make it the owner of the schema"},
    {"28", VIGIE_ERROR_UNAVAILABLE,
     "the server refuses the user of store.url; check its name, password and pg_hba.conf"},
    {"58", VIGIE_ERROR_UNAVAILABLE, "the server cannot read or write its files; see its log and the disk"},
    {"XX00", VIGIE_ERROR_UNAVAILABLE,
     "the server's data are damaged; stop vigie, keep a copy of them, then put back the last backup"},
    {"22021", VIGIE_ERROR_INVALID,
     "the text is not valid in the database's encoding; make the database with UTF8"},
};

static void set_lost(PgStore *store, GError **error) {
    g_autofree char *detail = g_strstrip(g_strdelimit(g_strdup(PQerrorMessage(store->session)), "\n\t", ' '));
    g_set_error(
        error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
        "store %s: the server does not answer (%s); check that it runs, and the host, port, user, password "
        "and database in store.url: psql, given the same address, should connect",
        store->name, detail);
}

/* `sql` may be NULL: a bug of ours is told with its statement. */
static void set_error(PgStore *store, const PGresult *result, const char *sql, GError **error) {
    if (PQstatus(store->session) == CONNECTION_BAD) {
        set_lost(store, error);
        return;
    }
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    if (!said)
        said = PQerrorMessage(store->session);
    if (state && g_str_has_prefix(state, "23")) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "it contradicts what is stored (%s%s%s)", said,
                    detail ? "; " : "", detail ? detail : "");
        return;
    }
    for (size_t i = 0; state && i < G_N_ELEMENTS(failures); i++)
        if (g_str_has_prefix(state, failures[i].state)) {
            g_set_error(error, VIGIE_ERROR, (int)failures[i].code, "store %s: %s (%s%s%s)", store->name,
                        failures[i].remedy, said, detail ? "; " : "", detail ? detail : "");
            return;
        }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "store %s: it refuses a statement (%s%s%s)",
                store->name, said, sql ? "; in: " : "", sql ? sql : "");
}

/* ---- Session --------------------------------------------------------------------------------------------- */

static void silent(void *data, const char *message) {
    (void)data;
    (void)message;
}

static bool succeeded(const PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static bool simple(PgStore *store, const char *sql, GError **error) {
    PGresult *result = PQexec(store->session, sql);
    bool done = succeeded(result);
    if (!done)
        set_error(store, result, NULL, error);
    PQclear(result);
    return done;
}

static bool prepare_session(PgStore *store, GError **error) {
    g_autofree char *settings =
        g_strdup_printf("SET lock_timeout = %d; SET client_min_messages = warning; "
                        "SET bytea_output = hex; SET standard_conforming_strings = on",
                        STORE_LOCK_WAIT_MS);
    g_hash_table_remove_all(store->prepared);
    store->listening = false;
    return simple(store, settings, error);
}

/* A server that was restarted has closed the session, and that can be read before anything is sent: first a
 * farewell, then the end. */
static bool closed_meanwhile(PgStore *store) {
    struct pollfd poll_on = {.fd = PQsocket(store->session), .events = POLLIN};
    while (PQstatus(store->session) == CONNECTION_OK && poll(&poll_on, 1, 0) > 0)
        if (!PQconsumeInput(store->session))
            break;
    return PQstatus(store->session) == CONNECTION_BAD;
}

static bool reconnect(PgStore *store, GError **error) {
    PQreset(store->session);
    if (PQstatus(store->session) == CONNECTION_OK)
        return prepare_session(store, error);
    set_lost(store, error);
    return false;
}

static bool connected(PgStore *store, GError **error) {
    if (store->base.depth > 0 || !closed_meanwhile(store))
        return true;
    return reconnect(store, error);
}

/* Running it twice does no harm. */
static bool repeatable(PgStore *store, const char *sql) {
    return store->base.depth == 0 && (g_str_has_prefix(sql, "SELECT") || g_str_has_prefix(sql, "BEGIN"));
}

/* After a failed statement: whether to try it again on a new session. */
static bool worth_again(PgStore *store, const char *sql, int try) {
    return try == 0 && PQstatus(store->session) == CONNECTION_BAD && repeatable(store, sql) &&
           reconnect(store, NULL);
}

static bool script(VigieStore *base, const char *sql, GError **error) {
    PgStore *store = (PgStore *)base;
    if (!connected(store, error))
        return false;
    for (int try = 0;; try++) {
        GError *failure = NULL;
        if (simple(store, sql, &failure))
            return true;
        if (!worth_again(store, sql, try)) {
            g_propagate_error(error, failure);
            return false;
        }
        g_error_free(failure);
    }
}

/* ---- Statements ------------------------------------------------------------------------------------------ */

typedef struct {
    Oid *types;
    const char **values;
    int *lengths;
    int *formats;    /* 1: binary */
    uint64_t *words; /* what the values of numbers point to */
    int count;
} Parameters;

static void parameters_clear(Parameters *parameters) {
    g_free(parameters->types);
    g_free(parameters->values);
    g_free(parameters->lengths);
    g_free(parameters->formats);
    g_free(parameters->words);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Parameters, parameters_clear)

static void parameter_set(Parameters *parameters, int i, char type, const VigieValue *value) {
    parameters->formats[i] = type != 't';
    switch (type) {
    case 'i':
    case 'd':
        memcpy(&parameters->words[i], value, sizeof parameters->words[i]);
        parameters->words[i] = GUINT64_TO_BE(parameters->words[i]);
        parameters->types[i] = type == 'i' ? OID_INT8 : OID_FLOAT8;
        parameters->values[i] = (const char *)&parameters->words[i];
        parameters->lengths[i] = sizeof parameters->words[i];
        break;
    case 't':
        parameters->types[i] = OID_TEXT;
        parameters->values[i] = value->t;
        break;
    case 'b':
        parameters->types[i] = OID_BYTEA;
        if (!value->b)
            break;
        parameters->values[i] = value->b->size > 0 ? (const char *)value->b->data : "";
        parameters->lengths[i] = (int)value->b->size;
        break;
    default:
        break; /* NULL, of whatever type is wanted */
    }
}

static Parameters parameters_make(const char *types, const VigieValue *values) {
    int count = (int)strlen(types);
    Parameters parameters = {
        .types = g_new0(Oid, (gsize)count + 1),
        .values = g_new0(const char *, (gsize)count + 1),
        .lengths = g_new0(int, (gsize)count + 1),
        .formats = g_new0(int, (gsize)count + 1),
        .words = g_new0(uint64_t, (gsize)count + 1),
        .count = count,
    };
    for (int i = 0; i < count; i++)
        parameter_set(&parameters, i, types[i], &values[i]);
    return parameters;
}

/* The name under which it is prepared, or NULL. */
static const char *prepare(PgStore *store, const char *sql, const char *types, const Parameters *parameters,
                           GError **error) {
    g_autofree char *key = g_strconcat(types, " ", sql, NULL);
    const char *known = g_hash_table_lookup(store->prepared, key);
    if (known)
        return known;
    if (g_hash_table_size(store->prepared) >= STORE_STATEMENTS) {
        g_hash_table_remove_all(store->prepared);
        if (!simple(store, "DEALLOCATE ALL", error))
            return NULL;
    }
    g_autofree char *name = g_strdup_printf("s%u", ++store->last_name);
    PGresult *result = PQprepare(store->session, name, sql, parameters->count, parameters->types);
    bool done = succeeded(result);
    if (!done)
        set_error(store, result, sql, error);
    PQclear(result);
    if (!done)
        return NULL;
    const char *kept = name;
    g_hash_table_insert(store->prepared, g_steal_pointer(&key), g_steal_pointer(&name));
    return kept;
}

/* The server ignores parameters that a statement does not mention; that is a caller's mistake all the same. */
static bool parameters_fit(const char *sql, int count, GError **error) {
    g_autofree char *last = g_strdup_printf("$%d", count);
    if (count == 0 || strstr(sql, last))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL,
                "store: %d parameters given, there is no %s; in: %s", count, last, sql);
    return false;
}

static PGresult *execute(PgStore *store, const char *sql, const char *types, const Parameters *parameters,
                         GError **error) {
    const char *name = prepare(store, sql, types, parameters, error);
    if (!name)
        return NULL;
    PGresult *result = PQexecPrepared(store->session, name, parameters->count, parameters->values,
                                      parameters->lengths, parameters->formats, 0);
    if (succeeded(result))
        return result;
    set_error(store, result, sql, error);
    PQclear(result);
    return NULL;
}

static VigieRows *query(VigieStore *base, const char *sql, const char *types, const VigieValue *values,
                        GError **error) {
    PgStore *store = (PgStore *)base;
    g_auto(Parameters) parameters = parameters_make(types, values);
    if (!parameters_fit(sql, parameters.count, error) || !connected(store, error))
        return NULL;
    for (int try = 0;; try++) {
        GError *failure = NULL;
        PGresult *result = execute(store, sql, types, &parameters, &failure);
        if (result) {
            PgRows *rows = g_new(PgRows, 1);
            *rows = (PgRows){.base.store = base,
                             .result = result,
                             .row = -1,
                             .blobs = g_ptr_array_new_with_free_func(PQfreemem)};
            return &rows->base;
        }
        if (!worth_again(store, sql, try)) {
            g_propagate_error(error, failure);
            return NULL;
        }
        g_error_free(failure);
    }
}

/* ---- Rows ------------------------------------------------------------------------------------------------ */

static bool next(VigieRows *base, GError **error) {
    (void)error;
    PgRows *rows = (PgRows *)base;
    g_ptr_array_set_size(rows->blobs, 0);
    if (rows->row + 1 >= PQntuples(rows->result))
        return false;
    rows->row++;
    return true;
}

static void free_rows(VigieRows *base) {
    PgRows *rows = (PgRows *)base;
    g_ptr_array_unref(rows->blobs);
    PQclear(rows->result);
    g_free(rows);
}

static int64_t changed(const VigieRows *base) {
    PGresult *result = ((const PgRows *)base)->result;
    return g_str_has_prefix(PQcmdStatus(result), "SELECT") ? 0 : atoll(PQcmdTuples(result));
}

static bool is_null(const VigieRows *base, int column) {
    const PgRows *rows = (const PgRows *)base;
    return PQgetisnull(rows->result, rows->row, column);
}

static const char *get_text(const VigieRows *base, int column) {
    const PgRows *rows = (const PgRows *)base;
    return is_null(base, column) ? NULL : PQgetvalue(rows->result, rows->row, column);
}

static int64_t get_int(const VigieRows *base, int column) {
    const char *text = get_text(base, column);
    if (!text)
        return 0;
    if (PQftype(((const PgRows *)base)->result, column) == OID_BOOL)
        return text[0] == 't';
    return g_ascii_strtoll(text, NULL, 10);
}

static double get_double(const VigieRows *base, int column) {
    const char *text = get_text(base, column);
    return text ? g_ascii_strtod(text, NULL) : 0.0;
}

static VigieBytes get_blob(const VigieRows *base, int column) {
    const PgRows *rows = (const PgRows *)base;
    const char *text = get_text(base, column);
    if (!text)
        return vigie_bytes(NULL, 0);
    if (PQftype(rows->result, column) != OID_BYTEA)
        return vigie_bytes(text, strlen(text));
    size_t size = 0;
    unsigned char *data = PQunescapeBytea((const unsigned char *)text, &size);
    if (!data)
        g_error("store: out of memory");
    g_ptr_array_add(rows->blobs, data);
    return vigie_bytes(data, size);
}

/* ---- Jobs, migrations ------------------------------------------------------------------------------------ */

/* Another process may migrate for longer than a lock is worth waiting for otherwise. The number spells
 * "vigie". */
static bool migration_lock(VigieStore *base, GError **error) {
    return script(base, "SET LOCAL lock_timeout = '10min'; SELECT pg_advisory_xact_lock(508574525797)",
                  error);
}

static bool job_notify(VigieStore *base, GError **error) {
    return store_exec(base, error, "SELECT pg_notify('vigie_jobs', '')", "");
}

static bool take_notifications(PgStore *store) {
    bool any = false;
    for (PGnotify *notify; (notify = PQnotifies(store->session)); any = true)
        PQfreemem(notify);
    return any;
}

static bool job_mark(VigieStore *base, GError **error) {
    PgStore *store = (PgStore *)base;
    if (!connected(store, error))
        return false;
    if (!store->listening && !script(base, "LISTEN vigie_jobs", error))
        return false;
    store->listening = true;
    PQconsumeInput(store->session);
    take_notifications(store);
    return true;
}

static bool job_wait(VigieStore *base, int timeout_ms, GError **error) {
    PgStore *store = (PgStore *)base;
    gint64 end = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    while (!take_notifications(store)) {
        gint64 left = (end - g_get_monotonic_time() + 999) / 1000;
        struct pollfd poll_on = {.fd = PQsocket(store->session), .events = POLLIN};
        if (left <= 0 || poll(&poll_on, 1, (int)left) == 0)
            return true;
        /* A lost session also ends the wait: whoever comes back looks for jobs first. */
        if (!PQconsumeInput(store->session))
            return reconnect(store, error);
    }
    return true;
}

/* ---- Opening --------------------------------------------------------------------------------------------- */

static void close_store(VigieStore *base) {
    PgStore *store = (PgStore *)base;
    g_hash_table_destroy(store->prepared);
    PQfinish(store->session);
    g_free(store->name);
    g_free(store);
}

static const StoreBackend backend = {
    .kind = VIGIE_STORE_POSTGRESQL,
    .id_type = "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    .blob_type = "BYTEA",
    .begin = "BEGIN",
    .skip_locked = " FOR UPDATE SKIP LOCKED",
    .find_versions = "SELECT count(*) FROM pg_class WHERE oid = to_regclass('schema_migration')",
    .query = query,
    .next = next,
    .changed = changed,
    .is_null = is_null,
    .get_int = get_int,
    .get_double = get_double,
    .get_text = get_text,
    .get_blob = get_blob,
    .free_rows = free_rows,
    .script = script,
    .migration_lock = migration_lock,
    .job_notify = job_notify,
    .job_mark = job_mark,
    .job_wait = job_wait,
    .close = close_store,
};

static bool start_session(PgStore *store, const char *url, GError **error) {
    /* What the address says wins over what comes before it. */
    const char *keys[] = {"connect_timeout", "tcp_user_timeout", "fallback_application_name",
                          "client_encoding", "dbname",           NULL};
    const char *values[] = {"10", "30000", "vigie", "UTF8", url, NULL};
    store->session = PQconnectdbParams(keys, values, 1);
    if (!store->session)
        g_error("store: out of memory");
    const char *host = PQhost(store->session), *name = PQdb(store->session);
    store->name = g_strdup_printf("postgresql:///%s?host=%s&port=%s", name ? name : "", host ? host : "",
                                  PQport(store->session));
    PQsetNoticeProcessor(store->session, silent, NULL);
    if (PQstatus(store->session) == CONNECTION_OK)
        return prepare_session(store, error);
    set_lost(store, error);
    return false;
}

VigieStore *postgresql_open(const char *url, GError **error) {
    PgStore *store = g_new0(PgStore, 1);
    store->base.backend = &backend;
    store->prepared = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (start_session(store, url, error))
        return &store->base;
    store_close(&store->base);
    return NULL;
}
