/* trouble.c: an authority whose key is another's too, and keys that are to be no more. */
#include "pki/journal.h"
#include "pki/link.h"
#include "pki/row.h"
#include "pki/share.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(GError **error, VigieErrorCode code, const char *name, const char *why) {
    g_set_error(error, VIGIE_ERROR, (gint)code, "authority %s: %s", name, why);
    return false;
}

/* ---- Compromise --------------------------------------------------------------------------------------------- */
/* All certificates for its key that are not revoked: its own, where another issued it, and those by which others vouch for it. */
static GPtrArray *certificates_of(VigieStore *store, const VigieAuthority *authority, GError **error) {
    CertificateView view;
    if (!certificate_view(vigie_bytes(authority->der->data, authority->der->len), &view))
        return NULL;
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT c.serial FROM pki_certificate c LEFT JOIN pki_revocation r ON r.certificate = "
                    "c.id WHERE (r.reason IS "
                    "NULL OR r.reason = 8) AND (c.id IN (SELECT certificate FROM pki_link WHERE subject = "
                    "$1) OR (c.serial = $2 "
                    "AND c.authority = (SELECT parent FROM pki_authority WHERE id = $1))) ORDER BY c.id",
                    "ib", authority->id, &view.serial);
    g_autoptr(GPtrArray) serials = g_ptr_array_new_with_free_func(g_free);
    GError *why = NULL;
    while (rows && rows_next(rows, &why))
        g_ptr_array_add(serials, vigie_hex_text(rows_blob(rows, 0)));
    return rows_ended(rows, &why, error) ? g_steal_pointer(&serials) : NULL;
}

#define TREE                                                                                                 \
    "WITH RECURSIVE tree (id) AS (SELECT id FROM pki_authority WHERE id = $1 UNION SELECT a.id FROM "        \
    "pki_authority a JOIN tree t ON a.parent = t.id) "

/* Those of whom the signatures are to be doubted, issuers first. */
static json_t *below(VigieStore *store, int64_t authority, VigieTime now, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    TREE "SELECT a.name, p.profile, COUNT(*) FROM tree t JOIN "
                         "pki_authority a ON a.id = t.id JOIN pki_certificate p ON "
                         "p.authority = a.id LEFT JOIN pki_revocation r ON r.certificate "
                         "= p.id WHERE p.not_after >= $2 AND (r.reason IS "
                         "NULL OR r.reason = 8) AND p.der <> a.certificate GROUP BY a.id, "
                         "a.name, p.profile ORDER BY a.id, p.profile",
                    "ii", authority, now);
    json_t *list = json_array();
    GError *why = NULL;
    while (rows && rows_next(rows, &why))
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:I}", "authority", rows_text(rows, 0), "profile",
                                        rows_text(rows, 1), "certificates", (json_int_t)rows_int(rows, 2)));
    if (!rows_ended(rows, &why, error))
        g_clear_pointer(&list, json_decref);
    return list;
}

/* It and all below it are of no authority any more, and answers that were signed for what they issued do not count. */
static bool mark(VigieStore *store, const VigieAuthority *authority, const char *who, VigieTime now,
                 GError **error) {
    Journal journal;
    return journal_begin(&journal, store, who, now, error) &&
           journal_add(&journal, "compromised", authority->name, "{}", error) &&
           store_exec(store, error,
                      "UPDATE pki_authority SET revoked = $2 WHERE revoked = 0 AND id IN (" TREE
                      "SELECT id FROM tree)",
                      "ii", authority->id, now) &&
           store_exec(store, error,
                      "UPDATE pki_answer SET next_update = 0 WHERE certificate IN (SELECT id FROM "
                      "pki_certificate WHERE authority IN (" TREE "SELECT id FROM tree))",
                      "i", authority->id) &&
           journal_end(&journal, NULL, 0, error) && store_wake(store, error);
}

json_t *pki_authority_compromise(VigieStore *store, const VigieProfiles *profiles, const char *name,
                                 const char *who, VigieTime now, GError **error) {
    g_autoptr(VigieAuthority) authority = pki_authority_open(store, name, NULL, error);
    g_autoptr(VigieTransaction) tx = authority ? store_begin(store, error) : NULL;
    g_autoptr(GPtrArray) serials = tx ? certificates_of(store, authority, error) : NULL;
    g_autoptr(json_t) revoked = json_array();
    if (!serials)
        return NULL;
    if (serials->len == 0) {
        refuse(error, VIGIE_ERROR_CONFLICT, name,
               "nothing of it is left to revoke: nobody here vouches for it. A root is taken out of what "
               "trusts it");
        return NULL;
    }
    for (guint i = 0; i < serials->len; i++) {
        if (!pki_revoke(store, profiles, serials->pdata[i], "cACompromise", who, now, error))
            return NULL;
        json_array_append_new(revoked, json_string(serials->pdata[i]));
    }
    json_t *told = mark(store, authority, who, now, error) ? below(store, authority->id, now, error) : NULL;
    if (!told)
        return NULL;
    json_t *report = json_pack("{s:s, s:O, s:o}", "authority", name, "revoked", revoked, "below", told);
    if (!store_commit(&tx, error))
        g_clear_pointer(&report, json_decref);
    return report;
}

/* ---- Destroying a key --------------------------------------------------------------------------------------- */
/* Still wanted where it issues, or where lists are wanted for what it has issued. */
static bool check_useless(VigieStore *store, const VigieAuthority *authority, VigieTime now, GError **error) {
    bool done = false;
    int64_t revoked = 0;
    if (!generation_done(store, authority, now, &done, error) ||
        !store_get_int(store, &revoked, error, "SELECT revoked FROM pki_authority WHERE id = $1", "i",
                       authority->id))
        return false;
    return done || revoked > 0 || authority->not_after < now ||
           refuse(error, VIGIE_ERROR_CONFLICT, authority->name,
                  "its key is still wanted: it issues, or lists are wanted until the last of its "
                  "certificates ends");
}

/* Overwritten once: on what does not keep older states that is enough, on what does nothing is. */
static bool destroy_file(const char *path, GError **error) {
    struct stat about;
    uint8_t noise[4096];
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return true;
    bool well = fd >= 0 && fstat(fd, &about) == 0;
    for (off_t left = well ? about.st_size : 0; well && left > 0; left -= (off_t)sizeof noise)
        well =
            RAND_bytes(noise, sizeof noise) == 1 && write(fd, noise, sizeof noise) == (ssize_t)sizeof noise;
    well = well && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    if (well && unlink(path) == 0)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "key %s could not be destroyed: %s", path,
                g_strerror(errno));
    return false;
}

bool pki_key_destroy(VigieStore *store, const char *name, const GPtrArray *present, const char *who,
                     VigieTime now, GError **error) {
    Journal journal;
    g_autoptr(VigieAuthority) authority = pki_authority_open(store, name, NULL, error);
    if (!authority || !check_useless(store, authority, now, error))
        return false;
    g_autofree char *left = signer_new_path(authority->key_file);
    /* In a token its own tool destroys it; that it was done is noted here. */
    if (!signer_in_token(authority->key_file) &&
        (!destroy_file(authority->key_file, error) || !destroy_file(left, error)))
        return false;
    g_autoptr(json_t) told =
        json_pack("{s:s, s:o}", "key_file", authority->key_file, "present", share_names(present));
    g_autofree char *details = vigie_json_text(told);
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && journal_begin(&journal, store, who, now, error) &&
           journal_add(&journal, "key-destroyed", name, details, error) &&
           store_exec(store, error, "UPDATE pki_authority SET destroyed = $2 WHERE id = $1", "ii",
                      authority->id, now) &&
           journal_end(&journal, NULL, 0, error) && store_commit(&tx, error);
}
