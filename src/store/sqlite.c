/* SQLite behind store.h: one file, write-ahead log, every commit on the disk before it is told. */
#include "store/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

typedef struct {
    VigieStore base;
    sqlite3 *db;
    char *path;
    GHashTable *statements; /* its SQL → Statement * */
    int64_t seen;           /* data_version when jobs were last looked for */
    int watch;              /* inotify on the log, 0: not yet; -1: the kernel has none */
} SqliteStore;

typedef struct {
    sqlite3_stmt *handle;
    bool busy;   /* a VigieRows reads from it */
    bool cached; /* in the store's table, which frees it */
} Statement;

typedef struct {
    VigieRows base;
    Statement *statement;
    int state; /* what the last sqlite3_step answered and was not yet told */
    bool unread;
    int64_t changed;
} SqliteRows;

/* How often a waiting worker looks whether another connection wrote where the kernel does not tell. Where it does, the
 * commit follows the write when the disk has it, of which nothing tells: it looks again and again, ever less often. */
enum { POLL_MS = 100, FIRST_LOOK_MS = 2, LAST_LOOK_MS = 256 };

/* ---- Errors ---------------------------------------------------------------------------------------------- */

/* `sql` may be NULL: a bug of ours is told with its statement. */
static void set_error(SqliteStore *store, const char *sql, GError **error) {
    int code = sqlite3_extended_errcode(store->db);
    const char *detail = sqlite3_errmsg(store->db);
    const char *path = store->path;
    g_autofree char *folder = g_path_get_dirname(path);
    switch (code & 0xff) {
    case SQLITE_FULL:
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
            "store %s: the disk is full, the change was not made and nothing written before is lost; free "
            "some space (df -h %s), then try again",
            path, folder);
        return;
    case SQLITE_CONSTRAINT:
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "it contradicts what is stored (%s)", detail);
        return;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_BUSY,
            "store %s: locked by another process for too long; try again, and if it stays so, see who holds "
            "it: fuser -v %s",
            path, path);
        return;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
            "store %s: cannot be written; give it and its folder to the user who runs vigie (ls -la %s), and "
            "check that the file system is not mounted read-only",
            path, path);
        return;
    case SQLITE_CORRUPT:
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "store %s: the file is damaged (%s); stop vigie, keep a copy of it, then put back the "
                    "last backup, "
                    "or save what can be read: sqlite3 %s .recover | sqlite3 %s.new",
                    path, detail, path, path);
        return;
    case SQLITE_NOTADB:
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
            "store %s: not a SQLite database, or one whose beginning is damaged; name another file in "
            "store.url, or put back the last backup",
            path);
        return;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "store %s: cannot be read or written (%s); a full disk (df -h %s), a quota or a limit on "
                    "the file's "
                    "size (ulimit -f), a wrong owner (ls -la %s) or a failing disk (dmesg) does this",
                    path, detail, folder, folder);
        return;
    default:
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "store %s: it refuses a statement (%s%s%s)",
                    path, detail, sql ? "; in: " : "", sql ? sql : "");
    }
}

/* ---- Statements ------------------------------------------------------------------------------------------ */

static void statement_free(Statement *statement) {
    sqlite3_finalize(statement->handle);
    g_free(statement);
}

static gboolean idle(gpointer sql, gpointer statement, gpointer data) {
    (void)sql;
    (void)data;
    return !((Statement *)statement)->busy;
}

static bool blank(const char *text) {
    return text[strspn(text, " \t\r\n;")] == '\0';
}

static Statement *statement_get(SqliteStore *store, const char *sql, GError **error) {
    Statement *statement = g_hash_table_lookup(store->statements, sql);
    if (statement && !statement->busy)
        return statement;
    sqlite3_stmt *handle = NULL;
    const char *tail = NULL;
    if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, &tail) != SQLITE_OK) {
        set_error(store, sql, error);
        return NULL;
    }
    if (!handle || !blank(tail)) {
        sqlite3_finalize(handle);
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "store: one statement is wanted; in: %s", sql);
        return NULL;
    }
    bool cache = statement == NULL;
    statement = g_new(Statement, 1);
    *statement = (Statement){.handle = handle, .cached = cache};
    if (cache) {
        if (g_hash_table_size(store->statements) >= STORE_STATEMENTS)
            g_hash_table_foreach_remove(store->statements, idle, NULL);
        g_hash_table_insert(store->statements, g_strdup(sql), statement);
    }
    return statement;
}

static void statement_put(Statement *statement) {
    if (!statement->cached) {
        statement_free(statement);
        return;
    }
    sqlite3_reset(statement->handle);
    sqlite3_clear_bindings(statement->handle);
    statement->busy = false;
}

static int bind_one(sqlite3_stmt *handle, int at, char type, const VigieValue *value) {
    /* SQLITE_TRANSIENT copies: rows are read after the caller's texts are gone. */
    switch (type) {
    case 'i':
        return sqlite3_bind_int64(handle, at, value->i);
    case 'd':
        return sqlite3_bind_double(handle, at, value->d);
    case 't':
        return sqlite3_bind_text64(handle, at, value->t, value->t ? strlen(value->t) : 0, SQLITE_TRANSIENT,
                                   SQLITE_UTF8);
    case 'b':
        if (value->b && value->b->size == 0)
            return sqlite3_bind_zeroblob(handle, at, 0);
        return sqlite3_bind_blob64(handle, at, value->b ? value->b->data : NULL,
                                   value->b ? value->b->size : 0, SQLITE_TRANSIENT);
    default:
        return sqlite3_bind_null(handle, at);
    }
}

/* SQLite numbers $1, $2 … in order of appearance, as it takes them for names. */
static bool bind_all(SqliteStore *store, sqlite3_stmt *handle, const char *sql, const char *types,
                     const VigieValue *values, GError **error) {
    int count = sqlite3_bind_parameter_count(handle);
    if ((size_t)count != strlen(types)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL,
                    "store: %d parameters are wanted, %zu given; in: %s", count, strlen(types), sql);
        return false;
    }
    for (int at = 1; at <= count; at++) {
        const char *name = sqlite3_bind_parameter_name(handle, at);
        int number = name && name[0] == '$' ? atoi(name + 1) : 0;
        if (number < 1 || number > count) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL,
                        "store: parameters are $1 to $%d, not %s; in: %s", count, name ? name : "?", sql);
            return false;
        }
        if (bind_one(handle, at, types[number - 1], &values[number - 1]) != SQLITE_OK) {
            set_error(store, sql, error);
            return false;
        }
    }
    return true;
}

static bool step(SqliteRows *rows, GError **error) {
    SqliteStore *store = (SqliteStore *)rows->base.store;
    sqlite3_stmt *handle = rows->statement->handle;
    int before = sqlite3_total_changes(store->db);
    rows->state = sqlite3_step(handle);
    if (rows->state != SQLITE_ROW && rows->state != SQLITE_DONE) {
        set_error(store, sqlite3_sql(handle), error);
        return false;
    }
    if (sqlite3_total_changes(store->db) != before)
        rows->changed = sqlite3_changes(store->db);
    return true;
}

static VigieRows *query(VigieStore *base, const char *sql, const char *types, const VigieValue *values,
                        GError **error) {
    SqliteStore *store = (SqliteStore *)base;
    Statement *statement = statement_get(store, sql, error);
    if (!statement)
        return NULL;
    statement->busy = true;
    SqliteRows *rows = g_new(SqliteRows, 1);
    *rows = (SqliteRows){.base.store = base, .statement = statement, .unread = true};
    if (!bind_all(store, statement->handle, sql, types, values, error) || !step(rows, error)) {
        statement_put(statement);
        g_free(rows);
        return NULL;
    }
    return &rows->base;
}

static bool next(VigieRows *base, GError **error) {
    SqliteRows *rows = (SqliteRows *)base;
    /* The first row was read with the query. */
    if (rows->unread)
        rows->unread = false;
    else if (rows->state == SQLITE_ROW && !step(rows, error))
        return false;
    return rows->state == SQLITE_ROW;
}

static void free_rows(VigieRows *base) {
    SqliteRows *rows = (SqliteRows *)base;
    statement_put(rows->statement);
    g_free(rows);
}

static int64_t changed(const VigieRows *base) {
    return ((const SqliteRows *)base)->changed;
}

static sqlite3_stmt *handle_of(const VigieRows *rows) {
    return ((const SqliteRows *)rows)->statement->handle;
}

static bool is_null(const VigieRows *rows, int column) {
    return sqlite3_column_type(handle_of(rows), column) == SQLITE_NULL;
}

static int64_t get_int(const VigieRows *rows, int column) {
    return sqlite3_column_int64(handle_of(rows), column);
}

static double get_double(const VigieRows *rows, int column) {
    return sqlite3_column_double(handle_of(rows), column);
}

static const char *get_text(const VigieRows *rows, int column) {
    return (const char *)sqlite3_column_text(handle_of(rows), column);
}

static VigieBytes get_blob(const VigieRows *rows, int column) {
    const void *data = sqlite3_column_blob(handle_of(rows), column);
    return vigie_bytes(data, (size_t)sqlite3_column_bytes(handle_of(rows), column));
}

/* ---- Jobs, migrations ------------------------------------------------------------------------------------ */

static bool script(VigieStore *base, const char *sql, GError **error) {
    SqliteStore *store = (SqliteStore *)base;
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    set_error(store, NULL, error);
    return false;
}

/* BEGIN IMMEDIATE has the lock. Foreign keys are checked at the commit, so that a table can be rebuilt. */
static bool migration_lock(VigieStore *base, GError **error) {
    return script(base, "PRAGMA defer_foreign_keys = ON", error);
}

static bool job_notify(VigieStore *base, GError **error) {
    (void)base;
    (void)error;
    return true;
}

/* Changes whenever another connection commits. */
static bool data_version(SqliteStore *store, int64_t *ret_version, GError **error) {
    return store_get_int(&store->base, ret_version, error, "PRAGMA data_version", "");
}

static bool job_mark(VigieStore *base, GError **error) {
    SqliteStore *store = (SqliteStore *)base;
    return data_version(store, &store->seen, error);
}

/* Each commit writes to the log, which is there as long as we have the store open. */
static void watch_log(SqliteStore *store) {
    g_autofree char *log = g_strconcat(store->path, "-wal", NULL);
    store->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (store->watch >= 0 && inotify_add_watch(store->watch, log, IN_MODIFY) < 0) {
        close(store->watch);
        store->watch = -1;
    }
}

/* True where something was written. */
static bool wait_for_log(SqliteStore *store, int timeout_ms) {
    char events[4096];
    struct pollfd poll_on = {.fd = store->watch, .events = POLLIN};
    if (store->watch < 0) {
        g_usleep((gulong)MIN(timeout_ms, POLL_MS) * 1000);
        return false;
    }
    if (poll(&poll_on, 1, timeout_ms) <= 0)
        return false;
    while (read(store->watch, events, sizeof events) > 0)
        continue;
    return true;
}

static bool job_wait(VigieStore *base, int timeout_ms, GError **error) {
    SqliteStore *store = (SqliteStore *)base;
    int64_t version = store->seen;
    gint64 end = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    if (store->watch == 0)
        watch_log(store);
    for (int look = LAST_LOOK_MS + 1;;) {
        if (!data_version(store, &version, error))
            return false;
        gint64 left = (end - g_get_monotonic_time() + 999) / 1000;
        if (version != store->seen || left <= 0)
            return true;
        if (look > LAST_LOOK_MS && !wait_for_log(store, (int)left))
            continue;
        look = look > LAST_LOOK_MS ? FIRST_LOOK_MS : 2 * look;
        g_usleep((gulong)MIN(left, look) * 1000);
    }
}

/* ---- Opening --------------------------------------------------------------------------------------------- */

static void close_store(VigieStore *base) {
    SqliteStore *store = (SqliteStore *)base;
    g_hash_table_destroy(store->statements);
    sqlite3_close_v2(store->db);
    if (store->watch > 0)
        close(store->watch);
    g_free(store->path);
    g_free(store);
}

static const StoreBackend backend = {
    .kind = VIGIE_STORE_SQLITE,
    /* AUTOINCREMENT: the id of a row that was deleted never names another one. */
    .id_type = "INTEGER PRIMARY KEY AUTOINCREMENT",
    .blob_type = "BLOB",
    /* A transaction that begins by reading and then writes could be refused in the middle: it locks first. */
    .begin = "BEGIN IMMEDIATE",
    .skip_locked = "",
    .find_versions = "SELECT count(*) FROM sqlite_master WHERE name = 'schema_migration'",
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

/* The file exists before SQLite opens it, so that it and its log are never readable by others. One that exists is
 * not opened here: to close it would drop the locks of this process's other connections (fcntl(2)), and a program
 * beside it would take the log away under them. */
static bool make_file(const char *path, GError **error) {
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0) {
        close(file);
        return true;
    }
    int cause = errno;
    if (cause == EEXIST && g_file_test(path, G_FILE_TEST_IS_DIR))
        cause = EISDIR;
    else if (cause == EEXIST && access(path, R_OK | W_OK) == 0)
        return true;
    else if (cause == EEXIST)
        cause = errno;
    g_autofree char *folder = g_path_get_dirname(path);
    if (cause == ENOENT)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "store %s: its folder is missing; make it (mkdir -p %s), or name another configuration "
                    "with --config",
                    path, folder);
    else if (cause == EACCES || cause == EPERM || cause == EROFS)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "store %s: cannot be written (%s); give it and its folder to the user who runs vigie (ls "
                    "-la %s), "
                    "and check that the file system is not mounted read-only",
                    path, g_strerror(cause), folder);
    else
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "store %s: cannot be opened (%s); check store.url", path, g_strerror(cause));
    return false;
}

/* The log and its index are written by readers too; LIKE tells case apart, as PostgreSQL's does. */
static const char *const settings = "PRAGMA synchronous = FULL;"
                                    "PRAGMA foreign_keys = ON;"
                                    "PRAGMA case_sensitive_like = ON;"
                                    "PRAGMA trusted_schema = OFF;"
                                    "PRAGMA cell_size_check = ON;"
                                    "PRAGMA journal_size_limit = 67108864;"
                                    "PRAGMA cache_size = -16384;";

/* SQLite's own waiting grows to a tenth of a second between two looks: beside a process that writes without pause it would hardly
 * ever find the lock free. */
static int wait_for_lock(void *unused, int tries) {
    (void)unused;
    enum { LOOK_US = 1000 };
    if (tries >= STORE_LOCK_WAIT_MS * 1000 / LOOK_US)
        return 0;
    g_usleep(LOOK_US);
    return 1;
}

/* Becoming a write-ahead log needs the file for itself for a moment, and SQLite does not wait for that:
 * several processes that open a new store at once would refuse each other. */
static bool use_log(SqliteStore *store, GError **error) {
    for (int left = STORE_LOCK_WAIT_MS;; left -= 10) {
        int code = sqlite3_exec(store->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (code == SQLITE_OK)
            return true;
        if ((code & 0xff) != SQLITE_BUSY || left <= 0) {
            set_error(store, NULL, error);
            return false;
        }
        g_usleep(10000);
    }
}

static SqliteStore *connect(const char *path, GError **error) {
    SqliteStore *store = g_new0(SqliteStore, 1);
    store->base.backend = &backend;
    store->path = g_strdup(path);
    store->statements =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)statement_free);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &store->db, flags, NULL) == SQLITE_OK &&
        sqlite3_busy_handler(store->db, wait_for_lock, NULL) == SQLITE_OK &&
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK)
        return store;
    set_error(store, NULL, error);
    store_close(&store->base);
    return NULL;
}

VigieStore *sqlite_open(const char *path, GError **error) {
    /* ":memory:" and the empty name would be a store that ends with the process: see sqlite_scratch. */
    if (*path == '\0' || *path == ':') {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "store: sqlite:%s names no file; name one, as in sqlite:/var/lib/vigie/vigie.db", path);
        return NULL;
    }
    if (!make_file(path, error))
        return NULL;
    SqliteStore *store = connect(path, error);
    if (store && (!use_log(store, error) || !script(&store->base, settings, error))) {
        store_close(&store->base);
        return NULL;
    }
    return store ? &store->base : NULL;
}

/* What it is filled with comes table by table, and not all of them. */
VigieStore *sqlite_scratch(GError **error) {
    SqliteStore *store = connect(":memory:", error);
    if (store && (!script(&store->base, settings, error) ||
                  !script(&store->base, "PRAGMA foreign_keys = OFF", error))) {
        store_close(&store->base);
        return NULL;
    }
    return store ? &store->base : NULL;
}
