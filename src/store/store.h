/* store: one database interface; SQLite and PostgreSQL behind it; migrations; the job queue.
 *
 * One SQL dialect, the common part of both, with $1 parameters, always bound. Types: BIGINT (times are seconds
 * UTC), DOUBLE PRECISION, TEXT (UTF-8), and in a schema file the words @ID@ (an automatic BIGINT primary key) and
 * @BLOB@. Booleans are BIGINT 0 or 1 (`WHERE acknowledged = 1`). A new row's id comes from `RETURNING id`. An order
 * by a column that may be NULL says NULLS FIRST or NULLS LAST, and one by names uses a column of vigie_text_fold.
 * LIKE tells case apart. TEXT is valid UTF-8: what strangers sent is stored as bytes, or converted first.
 *
 * A VigieStore is one connection and belongs to one thread; open as many as there are threads. Errors are
 * VIGIE_ERROR: CONFLICT for a broken constraint, BUSY for a lock not had in time, UNAVAILABLE for a full disk, a file that
 * may not be written or a server that is down, each with the remedy in words. DENIED is never the store's: it is a reader's. */
#pragma once

#include "base/base.h"

typedef struct VigieStore VigieStore;

typedef enum { VIGIE_STORE_SQLITE, VIGIE_STORE_POSTGRESQL } VigieStoreKind;

/* `url` is "sqlite:PATH" (created, mode 0600, where it is missing) or "postgresql://…" as libpq takes it. A process
 * that has a SQLite store open must not open its file otherwise: closing it would drop the locks (fcntl(2)). */
VigieStore *store_open(const char *url, GError **error);
void store_close(VigieStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieStore, store_close)
VigieStoreKind store_kind(const VigieStore *store);
/* An empty store of this program's schema in memory, to try out what is not to be: it ends with store_close, and a reference to a
 * row that is not there is no fault in it. */
VigieStore *store_scratch(GError **error);
/* Copies all rows of a table with an id into a scratch store; of the source nothing is locked against writing. */
bool store_copy(VigieStore *from, VigieStore *scratch, const char *table, GError **error);

/* Brings the schema to this program's version, all pending migrations in one transaction. Safe when several
 * processes start at once. Fails, and says so, where the store is newer than the program. */
bool store_migrate(VigieStore *store, GError **error);
/* The schema's version in the store and in the program. */
bool store_version(VigieStore *store, int64_t *ret_store, int64_t *ret_program, GError **error);

/* Parameters: one letter each in `types`: i int64_t, d double, t const char * (NULL is SQL NULL), b
 * VigieBytes * (NULL is SQL NULL), n nothing, SQL NULL. So: store_exec(s, &e, "UPDATE x SET a = $1 WHERE id =
 * $2", "ti", a, id). Pass integers as (int64_t). */
bool store_exec(VigieStore *store, GError **error, const char *sql, const char *types, ...);
/* The same, with the number of rows touched. */
bool store_exec_count(VigieStore *store, int64_t *ret_rows, GError **error, const char *sql,
                      const char *types, ...);
/* One integer from the first row: a count, a new id. NOT_FOUND where there is no row. */
bool store_get_int(VigieStore *store, int64_t *ret_value, GError **error, const char *sql, const char *types,
                   ...);

/* A query's rows, read one by one; one statement may be open inside another's loop (where the inner one
 * writes, begin a transaction before the outer). PostgreSQL hands over the whole answer at once: page through
 * large ones (WHERE id > $1 ORDER BY id LIMIT $2). */
typedef struct VigieRows VigieRows;
VigieRows *store_query(VigieStore *store, GError **error, const char *sql, const char *types, ...);
/* The same with parameters built at run time: values[i] of kind types[i]. */
typedef union {
    int64_t i;
    double d;
    const char *t;
    const VigieBytes *b;
} VigieValue;
VigieRows *store_query_values(VigieStore *store, GError **error, const char *sql, const char *types,
                              const VigieValue *values);
bool store_exec_values(VigieStore *store, int64_t *ret_rows, GError **error, const char *sql,
                       const char *types, const VigieValue *values);
/* True with the next row; false at the end, or on an error: then `*error` is set. */
bool rows_next(VigieRows *rows, GError **error);
/* After a loop over rows_next(rows, failure): true where all was read. `rows` NULL: the query failed, and said why. */
bool rows_ended(const VigieRows *rows, GError **failure, GError **error);
/* Steps onto the row that a query is for. False where the query failed (`rows` NULL), or with NOT_FOUND and this message where there
 * is none. */
bool rows_first(VigieRows *rows, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
void rows_free(VigieRows *rows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieRows, rows_free)
/* Columns from 0. Views are valid until the next rows_next. NULL reads as 0, 0.0, NULL, empty. */
bool rows_null(const VigieRows *rows, int column);
int64_t rows_int(const VigieRows *rows, int column);
double rows_double(const VigieRows *rows, int column);
const char *rows_text(const VigieRows *rows, int column);
VigieBytes rows_blob(const VigieRows *rows, int column);

/* A query put together at run time: SQL in which ?i (int64_t), ?t (const char *) and ?b (VigieBytes) stand for
 * parameters, numbered as they come; values are copied. */
typedef struct VigieQuery VigieQuery;
VigieQuery *query_new(void);
void query_free(VigieQuery *query);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieQuery, query_free)
void query_add(VigieQuery *query, const char *sql, ...);
VigieRows *query_run(VigieStore *store, const VigieQuery *query, GError **error);
bool query_int(VigieStore *store, const VigieQuery *query, int64_t *ret_value, GError **error);

/* Transactions. A guard rolls back where it leaves the scope uncommitted:
 *     g_autoptr(VigieTransaction) tx = store_begin(store, error);
 *     … return store_commit(&tx, error);
 * A transaction inside a transaction is a savepoint. A commit that fails has rolled back. After a statement
 * failed, the transaction it was in accepts nothing but the rollback; what may fail and be passed over (a
 * CONFLICT) goes in a savepoint of its own, or says ON CONFLICT. Others' commits are seen between two
 * statements of a transaction: to change a value that was read, say so in one UPDATE. */
typedef struct VigieTransaction VigieTransaction;
VigieTransaction *store_begin(VigieStore *store, GError **error);
bool store_commit(VigieTransaction **tx, GError **error);
void store_rollback(VigieTransaction *tx);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieTransaction, store_rollback)

/* ---- Shared commits --------------------------------------------------------------------------------------
 * What costs is the commit. Threads that each have something small to write, and answer only once it is on the disk,
 * share commits: while one commit is under way, what comes meanwhile waits and goes together with the next. On
 * PostgreSQL, whose server shares its commits itself, each is written on its own connection. */
typedef struct VigieStoreGroup VigieStoreGroup; /* one a process and store; any number of threads */
VigieStoreGroup *store_group_open(const char *url, GError **error);
void store_group_close(VigieStoreGroup *group); /* no write is under way */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieStoreGroup, store_group_close)

/* What is to be written. It runs once, in a transaction that it does not end, in whichever of the waiting threads
 * commits, on the group's store: it writes through its argument alone, and waits for nothing. */
typedef bool (*VigieStoreWrite)(VigieStore *store, void *data, GError **error);

/* Returns once `write` is on the disk, or failed: alone where it returned false, for all who shared the commit where
 * that failed. `store` is the caller's own, in no transaction. */
bool store_group_write(VigieStoreGroup *group, VigieStore *store, VigieStoreWrite write, void *data,
                       GError **error);

/* ---- Sealed at rest --------------------------------------------------------------------------------------
 * What nobody is to read in the database's files, its dumps and backups is sealed before it comes here: AES-256-GCM, bound
 * to its row, so that it opens in no other and not where the row was changed. A file holds the keys, 32 random octets each,
 * one after the other, eight at most: the first seals, all open. A key is changed by writing a new one before it,
 * store_seal_renew, and taking the old one away. A key's id, which each row names, is the beginning of its SHA-256. */
typedef struct VigieSeal VigieSeal; /* the keys of a file; read only once it is made: threads may share it */
/* `name` is what the configuration calls it, for messages. NOT_FOUND; INVALID where these are no keys, or others than owner
 * and group can read them. */
VigieSeal *store_seal_load(const char *name, const char *path, GError **error);
/* The same; where there is no file, one with a new key is made, for its owner alone: root gives it to who has the folder.
 * UNAVAILABLE where it cannot be made. */
VigieSeal *store_seal_make(const char *name, const char *path, GError **error);
void store_seal_free(VigieSeal *seal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieSeal, store_seal_free)
const char *store_seal_id(const VigieSeal *seal); /* of the key that seals */
bool store_seal_knows(const VigieSeal *seal, const char *id);

/* A table with the columns id, sha256 (of the content in clear), seal_key (the key's id; "": not sealed so; NULL: erased)
 * and one for what is sealed. */
typedef struct {
    const char *table, *column;
    const char *owner; /* the column of what a row belongs to for good, bound too; NULL: it may move */
    const char
        *old_bound; /* with seal_key "": what it was bound to, before its digest; NULL: it is in clear */
} VigieSealed;

/* Into the row `id`, just inserted with seal_key "" and an empty column. */
bool store_seal_put(VigieStore *store, const VigieSeal *seal, const VigieSealed *sealed, int64_t id,
                    VigieBytes clear, GError **error);
/* NOT_FOUND where it was erased; CONFLICT where its key is not in the file; INVALID where it does not open. Free with
 * g_bytes_unref. */
GBytes *store_seal_get(VigieStore *store, const VigieSeal *seal, const VigieSealed *sealed, int64_t id,
                       GError **error);
/* Takes what is sealed out of the row, and of the database's file. */
bool store_seal_erase(VigieStore *store, const VigieSealed *sealed, int64_t id, GError **error);
/* Seals with the first key what it has not sealed yet (`bare`: only what has seal_key ""), each row in a transaction of its
 * own: interrupted, it goes on where it was. In no transaction. What was there before leaves no trace in the database. False
 * also where some did not open, which are left as they are. */
bool store_seal_renew(VigieStore *store, const VigieSeal *seal, const VigieSealed *sealed, bool bare,
                      int64_t *ret_count, GError **error);
/* What rows of these tables, NULL-terminated, held before they were overwritten is gone from the database: SQLite's file is written
 * anew, of PostgreSQL's the tables. In no transaction. */
bool store_seal_wipe(VigieStore *store, const char *const *tables, GError **error);
/* How many rows each key has sealed: { "9f1c…": 12, "": 3 }. */
json_t *store_seal_count(VigieStore *store, const VigieSealed *sealed, GError **error);

/* The same for octets whose key is the caller's own: sealed, and opened again where key and `bound` are those that sealed them;
 * else NULL, without an error. Free with g_bytes_unref. */
enum { STORE_SEAL_KEY = 32 };
GBytes *store_seal_octets(const uint8_t key[STORE_SEAL_KEY], VigieBytes clear, const char *bound,
                          GError **error);
GBytes *store_seal_open(const uint8_t key[STORE_SEAL_KEY], VigieBytes sealed, const char *bound);

/* ---- Jobs -----------------------------------------------------------------------------------------------
 * What has to be done later or by another process, durable, run at least once. A job is leased to a worker; a
 * worker that dies loses its lease and the job is taken again. A failed job comes back after a back-off that
 * doubles (30 s to 6 h), and is set aside as `dead`, visible, after STORE_JOB_TRIES (about half a day). */
enum { STORE_JOB_TRIES = 12 };

typedef struct {
    int64_t id;
    char *kind;       /* "survey", "mail", … : the room that handles it declares it */
    json_t *payload;  /* an object; what may not be lost or repeated is in the store, not here */
    int64_t tries;    /* this one included */
    char *unique_key; /* or NULL */
} VigieJob;

void job_free(VigieJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieJob, job_free)

/* Adds a job to run at `run_at`. With a `unique_key`, a waiting or running job of that key is left as it is
 * and its id returned: adding twice is adding once. ret_id may be NULL. */
bool store_job_add(VigieStore *store, const char *kind, json_t *payload, VigieTime run_at,
                   const char *unique_key, int64_t *ret_id, GError **error);
/* The next job due of one of `kinds` (NULL-terminated; NULL for all), leased for `lease` seconds to `worker`;
 * NULL without an error where there is none. */
VigieJob *store_job_take(VigieStore *store, const char *const *kinds, const char *worker, int64_t lease,
                         VigieTime now, GError **error);
/* Extends the lease; DENIED where it was lost meanwhile: stop working on it. */
bool store_job_renew(VigieStore *store, const VigieJob *job, const char *worker, int64_t lease, VigieTime now,
                     GError **error);
bool store_job_done(VigieStore *store, const VigieJob *job, const char *worker, GError **error);
bool store_job_failed(VigieStore *store, const VigieJob *job, const char *worker, const char *reason,
                      VigieTime now, GError **error);
/* Waits until a job was added since it was last looked for one, or `timeout_ms` passed (PostgreSQL: LISTEN; SQLite:
 * inotify on its log, so that every commit of another connection ends it). */
bool store_job_wait(VigieStore *store, int timeout_ms, GError **error);
/* The same for what is no job: who changed what others wait for says so in its transaction; who waits calls mark, looks,
 * and then waits with store_job_wait. */
bool store_wake(VigieStore *store, GError **error);
bool store_mark(VigieStore *store, GError **error);

/* What waits, runs and was set aside, for the dashboard and the doctor:
 *     { "kinds": [ { "kind", "waiting", "running", "dead", "next_at": time or null } ],
 *       "dead": [ { "id", "kind", "unique_key", "tries", "died_at", "reason" } ] }   the last 100 */
json_t *store_job_list(VigieStore *store, GError **error);
/* Runs a dead job again, its tries forgotten. */
bool store_job_retry(VigieStore *store, int64_t id, VigieTime now, GError **error);
