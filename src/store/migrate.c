/* Brings a store's schema to the program's version.
 *
 * Migrations are a set, not a count: rooms take their numbers from ranges of their own, so that 0011 may come
 * into being after 0020 was applied somewhere. The table schema_migration holds those a store has. */
#include "store/backend.h"

static bool is_applied(GHashTable *applied, int64_t id) {
    return g_hash_table_contains(applied, &id);
}

static bool known(int64_t id) {
    for (const StoreMigration *migration = store_migrations; migration->name; migration++)
        if (migration->id == id)
            return true;
    return false;
}

/* The ids of the table schema_migration. */
static GHashTable *read_applied(VigieStore *store, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error, "SELECT id FROM schema_migration", "");
    if (!rows)
        return NULL;
    g_autoptr(GHashTable) applied = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        int64_t *id = g_new(int64_t, 1);
        *id = rows_int(rows, 0);
        g_hash_table_add(applied, id);
    }
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    return g_steal_pointer(&applied);
}

/* The last migration up to which none is missing or, in a newer store, its own last. */
static int64_t version_of(GHashTable *applied) {
    int64_t version = 0, newest = 0;
    for (const StoreMigration *migration = store_migrations; is_applied(applied, migration->id); migration++)
        version = migration->id;
    GHashTableIter iter;
    gpointer id;
    g_hash_table_iter_init(&iter, applied);
    while (g_hash_table_iter_next(&iter, &id, NULL))
        if (!known(*(int64_t *)id))
            newest = MAX(newest, *(int64_t *)id);
    return MAX(version, newest);
}

static int64_t program_version(void) {
    int64_t version = 0;
    for (const StoreMigration *migration = store_migrations; migration->name; migration++)
        version = migration->id;
    return version;
}

static bool apply(VigieStore *store, const StoreMigration *migration, GError **error) {
    GString *sql = g_string_new(migration->sql);
    g_string_replace(sql, "@ID@", store->backend->id_type, 0);
    g_string_replace(sql, "@BLOB@", store->backend->blob_type, 0);
    g_autofree char *text = g_string_free(sql, FALSE);
    if (!store->backend->script(store, text, error)) {
        g_prefix_error(error, "schema %04d-%s: ", (int)migration->id, migration->name);
        return false;
    }
    return store_exec(store, error, "INSERT INTO schema_migration (id, name, applied_at) VALUES ($1, $2, $3)",
                      "iti", migration->id, migration->name, vigie_time_now());
}

static bool refuse_newer(GHashTable *applied, GError **error) {
    int64_t version = version_of(applied);
    if (version == 0 || known(version))
        return true;
    g_set_error(
        error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
        "store: its schema %04d is newer than this program's, %04d; start the version of vigie that made it, "
        "or a later one",
        (int)version, (int)program_version());
    return false;
}

bool store_migrate(VigieStore *store, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !store->backend->migration_lock(store, error) ||
        !store->backend->script(store,
                                "CREATE TABLE IF NOT EXISTS schema_migration ("
                                "id BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)",
                                error))
        return false;
    g_autoptr(GHashTable) applied = read_applied(store, error);
    if (!applied || !refuse_newer(applied, error))
        return false;
    for (const StoreMigration *migration = store_migrations; migration->name; migration++)
        if (!is_applied(applied, migration->id) && !apply(store, migration, error))
            return false;
    return store_commit(&tx, error);
}

bool store_version(VigieStore *store, int64_t *ret_store, int64_t *ret_program, GError **error) {
    int64_t tables = 0;
    if (!store_get_int(store, &tables, error, store->backend->find_versions, ""))
        return false;
    int64_t version = 0;
    if (tables > 0) {
        g_autoptr(GHashTable) applied = read_applied(store, error);
        if (!applied)
            return false;
        version = version_of(applied);
    }
    *ret_store = version;
    *ret_program = program_version();
    return true;
}
