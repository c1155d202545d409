/* What a database behind store.h does: the public functions check, count transactions and forward to it.
 *
 * A backend's own store and rows begin with the structures below, so that a pointer to one is a pointer to
 * the other. */
#pragma once

#include "store/store.h"

typedef struct {
    VigieStoreKind kind;
    const char *id_type;       /* what @ID@ stands for in a schema file */
    const char *blob_type;     /* what @BLOB@ stands for */
    const char *begin;         /* opens an outermost transaction */
    const char *skip_locked;   /* ends the choice of a job, so that no two workers choose the same */
    const char *find_versions; /* counts the tables schema_migration: 0 or 1 */

    /* Runs one statement up to its first row, so that what it changes is changed and its errors are told
     * here. */
    VigieRows *(*query)(VigieStore *store, const char *sql, const char *types, const VigieValue *values,
                        GError **error);
    bool (*next)(VigieRows *rows, GError **error);
    int64_t (*changed)(const VigieRows *rows);
    bool (*is_null)(const VigieRows *rows, int column);
    int64_t (*get_int)(const VigieRows *rows, int column);
    double (*get_double)(const VigieRows *rows, int column);
    const char *(*get_text)(const VigieRows *rows, int column);
    VigieBytes (*get_blob)(const VigieRows *rows, int column);
    void (*free_rows)(VigieRows *rows);

    /* Several statements without parameters, or one that opens or ends a transaction. */
    bool (*script)(VigieStore *store, const char *sql, GError **error);
    /* In a transaction: keeps other processes from migrating until it ends. */
    bool (*migration_lock)(VigieStore *store, GError **error);
    /* Tells waiting workers that a job was added, once the transaction is committed. */
    bool (*job_notify)(VigieStore *store, GError **error);
    /* Called before looking for a job: what is added from here on ends the next wait. */
    bool (*job_mark)(VigieStore *store, GError **error);
    bool (*job_wait)(VigieStore *store, int timeout_ms, GError **error);
    void (*close)(VigieStore *store);
} StoreBackend;

struct VigieStore {
    const StoreBackend *backend;
    int depth;     /* transactions open, the outermost included */
    bool broken;   /* a statement failed in the innermost: only a rollback will do */
    char *failure; /* the first failure's message */
};

struct VigieRows {
    VigieStore *store;
};

VigieStore *sqlite_open(const char *path, GError **error);
VigieStore *sqlite_scratch(GError **error);
VigieStore *postgresql_open(const char *url, GError **error);

/* How long a statement waits for a lock before it is BUSY. */
enum { STORE_LOCK_WAIT_MS = 10000 };

/* A connection keeps its prepared statements, up to this many; a statement built at run time may be one of
 * many. */
enum { STORE_STATEMENTS = 256 };

/* The migrations of src/store/schema/, in order; generated at build time, ends with a NULL name. */
typedef struct {
    int64_t id;
    const char *name;
    const char *sql;
} StoreMigration;

extern const StoreMigration store_migrations[];
