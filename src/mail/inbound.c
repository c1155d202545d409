/* What came in, in the store: kept before anybody is told that we have it, filed once. */
#include "mail/mailbox.h"

#include <openssl/evp.h>
#include <string.h>

enum { FIRST_WAIT = 60, LONGEST_WAIT = 6 * 3600 };

void mail_inbound_free(VigieMailInbound *inbound) {
    if (!inbound)
        return;
    g_free(inbound->mailbox);
    g_clear_pointer(&inbound->raw, g_bytes_unref);
    g_free(inbound->sha256);
    g_free(inbound);
}

/* ---- Keeping ---- */
static bool add_job(VigieStore *store, VigieTime run_at, GError **error) {
    g_autoptr(json_t) nothing = json_object();
    return store_job_add(store, MAIL_JOB_INBOUND, nothing, run_at, NULL, NULL, error);
}

static char *sha256_of(GBytes *bytes) {
    gsize size = 0;
    const void *data = g_bytes_get_data(bytes, &size);
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_size = 0;
    EVP_Digest(data, size, digest, &digest_size, EVP_sha256(), NULL);
    return vigie_hex_text(vigie_bytes(digest, digest_size));
}

/* Whether the same bytes came from that mailbox when its UIDs were others. */
static bool known(VigieStore *store, const InboundOrigin *origin, const char *sha256, bool *ret_known,
                  GError **error) {
    int64_t count = 0;
    if (!store_get_int(
            store, &count, error,
            "SELECT COUNT(*) FROM mail_inbound WHERE mailbox = $1 AND sha256 = $2 AND uidvalidity <> $3",
            "tti", origin->mailbox, sha256, origin->uidvalidity))
        return false;
    *ret_known = count > 0;
    return true;
}

static bool insert(VigieStore *store, const InboundOrigin *origin, const char *sha256, GBytes *raw,
                   VigieTime now, int64_t *ret_rows, GError **error) {
    VigieBytes bytes = vigie_bytes_view(raw);
    bool cut = origin->size > (int64_t)bytes.size;
    return store_exec_count(
        store, ret_rows, error,
        "INSERT INTO mail_inbound (mailbox, uidvalidity, uid, received, raw, size, sha256, moved, "
        "next_try) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $4) "
        "ON CONFLICT (mailbox, uidvalidity, uid) DO NOTHING",
        "tiiibiti", origin->mailbox, origin->uidvalidity, origin->uid, now, &bytes,
        MAX(origin->size, (int64_t)bytes.size), sha256, (int64_t)cut);
}

bool inbound_keep(VigieStore *store, const InboundOrigin *origin, GBytes *raw, VigieTime now, bool *ret_new,
                  GError **error) {
    g_autofree char *sha256 = sha256_of(raw);
    bool again = false;
    int64_t rows = 0;
    if (!known(store, origin, sha256, &again, error) ||
        (!again && !insert(store, origin, sha256, raw, now, &rows, error)))
        return false;
    *ret_new = rows == 1;
    return true;
}

bool mail_inbound_add(VigieStore *store, const char *mailbox, GBytes *raw, VigieTime now, int64_t *ret_id,
                      GError **error) {
    VigieBytes bytes = vigie_bytes_view(raw);
    g_autofree char *sha256 = sha256_of(raw);
    int64_t id = 0;
    if (!store_get_int(store, &id, error,
                       "INSERT INTO mail_inbound (mailbox, received, raw, size, sha256, moved, next_try) "
                       "VALUES ($1, $2, $3, $4, $5, 1, $2) RETURNING id",
                       "tibit", mailbox, now, &bytes, (int64_t)bytes.size, sha256) ||
        !add_job(store, now, error))
        return false;
    if (ret_id)
        *ret_id = id;
    return true;
}

bool inbound_ask(VigieStore *store, VigieTime now, GError **error) {
    return add_job(store, now, error);
}

/* ---- Filing ---- */
static VigieMailInbound *read_row(VigieRows *rows) {
    VigieMailInbound *inbound = g_new0(VigieMailInbound, 1);
    VigieBytes raw = rows_blob(rows, 3);
    inbound->id = rows_int(rows, 0);
    inbound->mailbox = g_strdup(rows_text(rows, 1));
    inbound->received = rows_int(rows, 2);
    inbound->raw = g_bytes_new(raw.data, raw.size);
    inbound->size = rows_int(rows, 4);
    inbound->sha256 = g_strdup(rows_text(rows, 5));
    inbound->tries = rows_int(rows, 6);
    return inbound;
}

#define COLUMNS "id, mailbox, received, raw, size, sha256, tries"

VigieMailInbound *mail_inbound_next(VigieStore *store, int64_t after, VigieTime now, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT " COLUMNS " FROM mail_inbound WHERE handled IS NULL AND id > $1 AND next_try <= $2 "
        "ORDER BY id LIMIT 1",
        "ii", after, now);
    return rows && rows_next(rows, error) ? read_row(rows) : NULL;
}

VigieMailInbound *mail_inbound_get(VigieStore *store, int64_t id, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT " COLUMNS " FROM mail_inbound WHERE id = $1", "i", id);
    g_autoptr(GError) failure = NULL;
    if (rows && rows_next(rows, &failure))
        return read_row(rows);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (rows)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "mail: there is no inbound message %" G_GINT64_FORMAT, id);
    return NULL;
}

bool mail_inbound_done(VigieStore *store, int64_t id, const char *outcome, VigieTime now, GError **error) {
    int64_t rows = 0;
    if (!store_exec_count(store, &rows, error,
                          "UPDATE mail_inbound SET handled = $2, outcome = $3, next_try = NULL "
                          "WHERE id = $1 AND handled IS NULL",
                          "iit", id, now, outcome))
        return false;
    if (rows == 1)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                "mail: the inbound message %" G_GINT64_FORMAT " was filed by another meanwhile", id);
    return false;
}

bool mail_inbound_failed(VigieStore *store, int64_t id, const char *reason, VigieTime now, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    int64_t tries = 0;
    if (!tx || !store_get_int(
                   store, &tries, error,
                   "UPDATE mail_inbound SET tries = tries + 1, outcome = $2 WHERE id = $1 RETURNING tries",
                   "it", id, reason))
        return false;
    int64_t wait = tries > 9 ? LONGEST_WAIT : MIN((int64_t)FIRST_WAIT << (tries - 1), (int64_t)LONGEST_WAIT);
    return store_exec(store, error, "UPDATE mail_inbound SET next_try = $2 WHERE id = $1 AND handled IS NULL",
                      "ii", id, now + wait) &&
           add_job(store, now + wait, error) && store_commit(&tx, error);
}

bool mail_inbound_erase(VigieStore *store, int64_t id, GError **error) {
    return store_exec(store, error, "UPDATE mail_inbound SET raw = NULL WHERE id = $1", "i", id);
}

bool mail_inbound_forget(VigieStore *store, VigieTime before, GError **error) {
    return store_exec(store, error,
                      "UPDATE mail_inbound SET raw = NULL WHERE handled < $1 AND raw IS NOT NULL", "i",
                      before);
}
