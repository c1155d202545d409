/* Sealed at rest: AES-256-GCM, a random nonce before the ciphertext and the tag behind it. */
#include "store/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY = STORE_SEAL_KEY, KEYS_MAX = 8, NONCE = 12, TAG = 16, ID = 16, AT_ONCE = 64 };

typedef struct {
    char id[ID + 1];
    uint8_t octets[KEY];
} SealKey;

struct VigieSeal {
    char *name, *path;
    SealKey keys[KEYS_MAX];
    size_t count;
};

/* ---- The file ----------------------------------------------------------------------------------------------- */
void store_seal_free(VigieSeal *seal) {
    if (!seal)
        return;
    OPENSSL_cleanse(seal->keys, sizeof seal->keys);
    g_free(seal->name);
    g_free(seal->path);
    g_free(seal);
}

static bool take_keys(VigieSeal *seal, const char *bytes, size_t size) {
    if (size == 0 || size % KEY != 0 || size > (size_t)KEYS_MAX * KEY)
        return false;
    for (seal->count = 0; seal->count < size / KEY; seal->count++) {
        SealKey *key = &seal->keys[seal->count];
        memcpy(key->octets, bytes + seal->count * KEY, KEY);
        g_autofree char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, key->octets, KEY);
        g_strlcpy(key->id, digest, sizeof key->id);
    }
    return true;
}

VigieSeal *store_seal_load(const char *name, const char *path, GError **error) {
    g_autoptr(VigieSeal) seal = g_new0(VigieSeal, 1);
    struct stat found;
    char *bytes = NULL;
    gsize size = 0;
    seal->name = g_strdup(name);
    seal->path = g_strdup(path);
    if (stat(path, &found) != 0 || !g_file_get_contents(path, &bytes, &size, NULL)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s: the file of keys %s cannot be read (%s)",
                    name, path, g_strerror(errno));
        return NULL;
    }
    bool fits = take_keys(seal, bytes, size);
    OPENSSL_cleanse(bytes, size);
    g_free(bytes);
    if (found.st_mode & 027) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s: others can read the file of keys %s: chmod 0640 %s", name, path, path);
        return NULL;
    }
    if (!fits) {
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            "%s: the file %s has %zu octets: keys of 32 octets are wanted, %d at most, as from: openssl rand "
            "-out %s 32",
            name, path, size, KEYS_MAX, path);
        return NULL;
    }
    return g_steal_pointer(&seal);
}

/* Under another name first: whoever reads it finds the whole key or none, and of two who make one, one does. */
static bool write_new(const char *name, const char *path, int folder_fd, const struct stat *folder,
                      GError **error) {
    g_autofree char *draft = g_strconcat(path, ".XXXXXX", NULL);
    uint8_t octets[KEY];
    int fd = g_mkstemp_full(draft, O_WRONLY | O_CLOEXEC, 0600);
    bool well = fd >= 0 && (geteuid() != 0 || fchown(fd, folder->st_uid, folder->st_gid) == 0) &&
                RAND_bytes(octets, sizeof octets) == 1 && write(fd, octets, sizeof octets) == KEY &&
                fsync(fd) == 0 && (link(draft, path) == 0 || errno == EEXIST) && fsync(folder_fd) == 0;
    if (!well)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "%s: the file of keys %s cannot be made (%s)", name, path, g_strerror(errno));
    OPENSSL_cleanse(octets, sizeof octets);
    if (fd >= 0) {
        close(fd);
        unlink(draft);
    }
    return well;
}

VigieSeal *store_seal_make(const char *name, const char *path, GError **error) {
    g_autofree char *folder = g_path_get_dirname(path);
    struct stat found, of_folder;
    if (stat(path, &found) == 0 || errno != ENOENT)
        return store_seal_load(name, path, error);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &of_folder) != 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "%s: the file of keys %s cannot be made: its folder (%s)", name, path, g_strerror(errno));
    bool made = fd >= 0 && write_new(name, path, fd, &of_folder, error);
    if (fd >= 0)
        close(fd);
    return made ? store_seal_load(name, path, error) : NULL;
}

const char *store_seal_id(const VigieSeal *seal) {
    return seal->keys[0].id;
}

static const SealKey *find_key(const VigieSeal *seal, const char *id) {
    for (size_t i = 0; i < seal->count; i++)
        if (strcmp(seal->keys[i].id, id) == 0)
            return &seal->keys[i];
    return NULL;
}

bool store_seal_knows(const VigieSeal *seal, const char *id) {
    return find_key(seal, id) != NULL;
}

/* ---- Octets ------------------------------------------------------------------------------------------------- */
GBytes *store_seal_octets(const uint8_t key[STORE_SEAL_KEY], VigieBytes clear, const char *bound,
                          GError **error) {
    uint8_t *out = g_try_malloc(NONCE + clear.size + TAG);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int size = 0, last = 0;
    bool well = out && ctx && RAND_bytes(out, NONCE) == 1 &&
                EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
                EVP_EncryptUpdate(ctx, NULL, &size, (const uint8_t *)bound, (int)strlen(bound)) == 1 &&
                EVP_EncryptUpdate(ctx, out + NONCE, &size, clear.data, (int)clear.size) == 1 &&
                EVP_EncryptFinal_ex(ctx, out + NONCE + size, &last) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE + clear.size) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (well)
        return g_bytes_new_take(out, NONCE + clear.size + TAG);
    g_free(out);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "what is kept could not be sealed");
    return NULL;
}

GBytes *store_seal_open(const uint8_t key[STORE_SEAL_KEY], VigieBytes sealed, const char *bound) {
    size_t size = sealed.size >= NONCE + TAG ? sealed.size - NONCE - TAG : 0;
    uint8_t *out = sealed.size >= NONCE + TAG ? g_try_malloc(size + 1) : NULL;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int done = 0, last = 0;
    bool well =
        out && ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, sealed.data) == 1 &&
        EVP_DecryptUpdate(ctx, NULL, &done, (const uint8_t *)bound, (int)strlen(bound)) == 1 &&
        EVP_DecryptUpdate(ctx, out, &done, sealed.data + NONCE, (int)size) == 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, (void *)(sealed.data + NONCE + size)) == 1 &&
        EVP_DecryptFinal_ex(ctx, out + done, &last) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (well)
        return g_bytes_new_take(out, size);
    g_free(out);
    return NULL;
}

/* ---- Rows --------------------------------------------------------------------------------------------------- */
typedef struct {
    char *key, *sha256, *bound; /* key NULL: nothing is there any more */
    GBytes *sealed;
} Row;

static void row_clear(Row *row) {
    g_free(row->key);
    g_free(row->sha256);
    g_free(row->bound);
    if (row->sealed)
        g_bytes_unref(row->sealed);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Row, row_clear)

/* "artefact", of csirt_artefact. */
static const char *kind_of(const VigieSealed *sealed) {
    const char *room = strchr(sealed->table, '_');
    return room ? room + 1 : sealed->table;
}

static bool read_row(VigieStore *store, const VigieSealed *sealed, int64_t id, Row *ret_row, GError **error) {
    g_autofree char *sql =
        g_strdup_printf("SELECT seal_key, sha256, %s, %s FROM %s WHERE id = $1",
                        sealed->owner ? sealed->owner : "0", sealed->column, sealed->table);
    g_autoptr(VigieRows) rows = store_query(store, error, sql, "i", id);
    GError *failure = NULL;
    if (!rows)
        return false;
    if (!rows_next(rows, &failure)) {
        if (!failure)
            g_set_error(&failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s %" PRId64 ": there is none",
                        kind_of(sealed), id);
        g_propagate_error(error, failure);
        return false;
    }
    VigieBytes content = rows_blob(rows, 3);
    *ret_row = (Row){.key = g_strdup(rows_text(rows, 0)),
                     .sha256 = g_strdup(rows_text(rows, 1)),
                     .bound = g_strdup_printf("vigie %s %" PRId64 " %" PRId64 " %s", sealed->table,
                                              rows_int(rows, 2), id, rows_text(rows, 1)),
                     .sealed = g_bytes_new(content.data, content.size)};
    return true;
}

static bool refuse(const VigieSealed *sealed, int64_t id, VigieErrorCode code, const char *why,
                   GError **error) {
    g_set_error(error, VIGIE_ERROR, (gint)code, "%s %" PRId64 ": %s", kind_of(sealed), id, why);
    return false;
}

static GBytes *open_row(const VigieSeal *seal, const VigieSealed *sealed, int64_t id, const Row *row,
                        GError **error) {
    const SealKey *key = find_key(seal, row->key);
    if (!key) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                    "%s %" PRId64 ": it is sealed with the key %s, which %s (%s) does not hold: append that "
                    "key to the file, from a backup, or start again what was started before it was there",
                    kind_of(sealed), id, row->key, seal->path, seal->name);
        return NULL;
    }
    GBytes *clear = store_seal_open(key->octets, vigie_bytes_view(row->sealed), row->bound);
    if (!clear)
        refuse(sealed, id, VIGIE_ERROR_INVALID,
               "it does not open: the row was changed, or what it holds is another row's", error);
    return clear;
}

GBytes *store_seal_get(VigieStore *store, const VigieSeal *seal, const VigieSealed *sealed, int64_t id,
                       GError **error) {
    g_auto(Row) row = {0};
    if (!read_row(store, sealed, id, &row, error))
        return NULL;
    bool there =
        row.key || refuse(sealed, id, VIGIE_ERROR_NOT_FOUND, "it was erased when its time was over", error);
    bool sealed_well =
        there && (*row.key || refuse(sealed, id, VIGIE_ERROR_INVALID,
                                     "it is not sealed as it should be: vigie reseal does that", error));
    return sealed_well ? open_row(seal, sealed, id, &row, error) : NULL;
}

/* ret_done: the row was still as it was read. */
static bool write_row(VigieStore *store, const VigieSeal *seal, const VigieSealed *sealed, int64_t id,
                      const Row *row, VigieBytes clear, bool *ret_done, GError **error) {
    g_autofree char *sql =
        g_strdup_printf("UPDATE %s SET %s = $2, seal_key = $3 WHERE id = $1 AND seal_key = $4", sealed->table,
                        sealed->column);
    g_autoptr(GBytes) octets = store_seal_octets(seal->keys[0].octets, clear, row->bound, error);
    VigieBytes bytes = octets ? vigie_bytes_view(octets) : vigie_bytes("", 0);
    int64_t changed = 0;
    if (!octets ||
        !store_exec_count(store, &changed, error, sql, "ibtt", id, &bytes, store_seal_id(seal), row->key))
        return false;
    *ret_done = changed == 1;
    return true;
}

bool store_seal_put(VigieStore *store, const VigieSeal *seal, const VigieSealed *sealed, int64_t id,
                    VigieBytes clear, GError **error) {
    g_auto(Row) row = {0};
    bool done = false;
    return read_row(store, sealed, id, &row, error) &&
           write_row(store, seal, sealed, id, &row, clear, &done, error) &&
           (done || refuse(sealed, id, VIGIE_ERROR_CONFLICT, "it is sealed already", error));
}

/* ---- No trace ----------------------------------------------------------------------------------------------- */
/* What is overwritten or deleted in SQLite stays in the file's free pages, unless it is told to wipe them. */
static bool wipe(VigieStore *store, bool on, GError **error) {
    return store_kind(store) != VIGIE_STORE_SQLITE ||
           store->backend->script(store, on ? "PRAGMA secure_delete = ON" : "PRAGMA secure_delete = OFF",
                                  error);
}

bool store_seal_erase(VigieStore *store, const VigieSealed *sealed, int64_t id, GError **error) {
    g_autofree char *sql = g_strdup_printf("UPDATE %s SET %s = $2, seal_key = NULL WHERE id = $1",
                                           sealed->table, sealed->column);
    const VigieBytes nothing = vigie_bytes("", 0);
    bool erased = wipe(store, true, error) && store_exec(store, error, sql, "ib", id, &nothing);
    return wipe(store, false, erased ? error : NULL) && erased;
}

/* What lay in clear is gone from the write-ahead log, too, and from the dead rows of PostgreSQL. */
static bool leave_no_trace(VigieStore *store, const VigieSealed *sealed, GError **error) {
    g_autofree char *vacuum = g_strconcat("VACUUM FULL ", sealed->table, NULL);
    return store->backend->script(
        store, store_kind(store) == VIGIE_STORE_SQLITE ? "PRAGMA wal_checkpoint(TRUNCATE)" : vacuum, error);
}

bool store_seal_wipe(VigieStore *store, const char *const *tables, GError **error) {
    bool well = store_kind(store) != VIGIE_STORE_SQLITE || store->backend->script(store, "VACUUM", error);
    for (; well && *tables; tables++) {
        const VigieSealed sealed = {.table = *tables};
        well = leave_no_trace(store, &sealed, error);
    }
    return well;
}

/* ---- Anew --------------------------------------------------------------------------------------------------- */
/* As it came into the store before seals named their keys: in clear, or bound to its digest alone. */
static GBytes *open_old(const VigieSeal *seal, const VigieSealed *sealed, int64_t id, const Row *row,
                        GError **error) {
    if (!sealed->old_bound)
        return g_bytes_ref(row->sealed);
    g_autofree char *bound = g_strconcat(sealed->old_bound, row->sha256, NULL);
    for (size_t i = 0; i < seal->count; i++) {
        GBytes *clear = store_seal_open(seal->keys[i].octets, vigie_bytes_view(row->sealed), bound);
        if (clear)
            return clear;
    }
    refuse(sealed, id, VIGIE_ERROR_INVALID,
           "no key of the file opens it: it was sealed with another, or was changed", error);
    return NULL;
}

/* As `old` says where no key sealed it yet; held against its digest, which the log has, too. */
static GBytes *open_any(const VigieSeal *seal, const VigieSealed *sealed, int64_t id, const Row *row,
                        GError **error) {
    g_autoptr(GBytes) clear =
        *row->key ? open_row(seal, sealed, id, row, error) : open_old(seal, sealed, id, row, error);
    g_autofree char *sha256 = clear ? g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, clear) : NULL;
    if (!clear || strcmp(sha256, row->sha256) == 0)
        return g_steal_pointer(&clear);
    refuse(sealed, id, VIGIE_ERROR_INVALID,
           "its SHA-256 is another than the row says: it was changed, and is left as it is", error);
    return NULL;
}

/* What came of all rows: one that does not open keeps no other from being sealed. */
typedef struct {
    int64_t sealed, faults;
    GError *first;
} Renewal;

static bool renew_row(VigieStore *store, const VigieSeal *seal, const VigieSealed *sealed, int64_t id,
                      Renewal *renewal, GError **error) {
    g_auto(Row) row = {0};
    bool done = false;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !read_row(store, sealed, id, &row, error))
        return false;
    if (!row.key || strcmp(row.key, store_seal_id(seal)) == 0)
        return true; /* another was faster */
    g_autoptr(GBytes) clear = open_any(seal, sealed, id, &row, renewal->first ? NULL : &renewal->first);
    renewal->faults += !clear;
    if (clear && (!write_row(store, seal, sealed, id, &row, vigie_bytes_view(clear), &done, error) ||
                  !store_commit(&tx, error)))
        return false;
    renewal->sealed += done;
    return true;
}

/* The next rows after `last` that the first key has not sealed. */
static GArray *rows_due(VigieStore *store, const VigieSeal *seal, const VigieSealed *sealed, bool bare,
                        int64_t last, GError **error) {
    g_autofree char *sql =
        g_strdup_printf("SELECT id FROM %s WHERE seal_key %s $1 AND id > $2 ORDER BY id LIMIT $3",
                        sealed->table, bare ? "=" : "<>");
    g_autoptr(VigieRows) rows =
        store_query(store, error, sql, "tii", bare ? "" : store_seal_id(seal), last, (int64_t)AT_ONCE);
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int64_t));
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        int64_t id = rows_int(rows, 0);
        g_array_append_val(ids, id);
    }
    return rows_ended(rows, &failure, error) ? g_steal_pointer(&ids) : NULL;
}

static bool renew_all(VigieStore *store, const VigieSeal *seal, const VigieSealed *sealed, bool bare,
                      Renewal *renewal, GError **error) {
    for (int64_t last = 0;;) {
        g_autoptr(GArray) ids = rows_due(store, seal, sealed, bare, last, error);
        if (!ids || ids->len == 0)
            return ids != NULL;
        for (guint i = 0; i < ids->len; i++)
            if (!renew_row(store, seal, sealed, last = g_array_index(ids, int64_t, i), renewal, error))
                return false;
    }
}

bool store_seal_renew(VigieStore *store, const VigieSeal *seal, const VigieSealed *sealed, bool bare,
                      int64_t *ret_count, GError **error) {
    Renewal renewal = {0};
    bool done = wipe(store, true, error) && renew_all(store, seal, sealed, bare, &renewal, error);
    done = wipe(store, false, done ? error : NULL) && done &&
           ((bare && renewal.sealed == 0) || leave_no_trace(store, sealed, error));
    *ret_count = renewal.sealed;
    if (done && renewal.first)
        g_set_error(error, renewal.first->domain, renewal.first->code,
                    "%" PRId64 " sealed, %" PRId64 " left as they are: %s", renewal.sealed, renewal.faults,
                    renewal.first->message);
    bool well = done && !renewal.first;
    g_clear_error(&renewal.first);
    return well;
}

json_t *store_seal_count(VigieStore *store, const VigieSealed *sealed, GError **error) {
    g_autofree char *sql = g_strdup_printf(
        "SELECT seal_key, COUNT(*) FROM %s WHERE seal_key IS NOT NULL GROUP BY seal_key", sealed->table);
    g_autoptr(VigieRows) rows = store_query(store, error, sql, "");
    g_autoptr(json_t) counts = json_object();
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure))
        json_object_set_new(counts, rows_text(rows, 0), json_integer(rows_int(rows, 1)));
    return rows_ended(rows, &failure, error) ? g_steal_pointer(&counts) : NULL;
}
