/* ocsp-beforehand.c: an answer for each certificate, signed before anybody asks. */
#include "pki/journal.h"
#include "pki/ocsp-response.h"
#include "x509/der-write.h"

enum { HOUR = 3600, BATCH = 1000 };

static bool sign_one(VigieStore *store, const Responder *responder, VigieRows *rows, VigieTime now,
                     GError **error) {
    g_autoptr(GByteArray) singles = g_byte_array_sized_new(512), out = g_byte_array_sized_new(1536);
    OcspStatus status = {.known = true};
    ocsp_read_status(rows, 2, &status);
    VigieTime next = now + responder->hours * HOUR;
    for (int sha256 = 0; sha256 < 2; sha256++) {
        const OcspAsked asked = {.sha256 = sha256 != 0, .serial = rows_blob(rows, 1)};
        response_put_single(singles, responder, &asked, &status, now, next);
    }
    if (!response_put(out, responder, singles, (VigieBytes){0}, now, error))
        return false;
    VigieBytes der = der_bytes(out);
    return store_exec(
        store, error,
        "INSERT INTO pki_answer (certificate, this_update, next_update, der) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (certificate) DO UPDATE SET this_update = $2, next_update = $3, der = $4",
        "iiib", rows_int(rows, 0), now, next, &der);
}

/* Certificates that never had an answer, and answers one half of whose life is over: each is found by an index, so that
 * nothing is read of the many for which nothing is due. $1 the last id or the time, $2 the authority, $3 now, $4 how many. */
static const char *const due_queries[] = {
    "SELECT c.id, c.serial, COALESCE(r.reason, -1), COALESCE(r.at, 0), (SELECT revoked FROM pki_authority "
    "WHERE id = $2) FROM pki_certificate c LEFT JOIN "
    "pki_revocation r ON r.certificate = c.id WHERE c.id > $1 AND c.authority = $2 AND c.not_after >= $3 AND "
    "NOT EXISTS "
    "(SELECT 1 FROM pki_answer a WHERE a.certificate = c.id) ORDER BY c.id LIMIT $4",
    "SELECT c.id, c.serial, COALESCE(r.reason, -1), COALESCE(r.at, 0), (SELECT revoked FROM pki_authority "
    "WHERE id = $2) FROM pki_answer a JOIN pki_certificate "
    "c ON c.id = "
    "a.certificate LEFT JOIN pki_revocation r ON r.certificate = c.id WHERE a.next_update <= $1 AND "
    "c.authority = $2 AND "
    "c.not_after >= $3 ORDER BY a.next_update LIMIT $4"};

static bool sign_rows(VigieStore *store, const Responder *responder, const char *query, int64_t from,
                      VigieTime now, int64_t *ret_last, int64_t *ret_count, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, query, "iiii", from, responder->id, now, (int64_t)BATCH);
    g_autoptr(GError) why = NULL;
    int64_t count = 0;
    if (!rows)
        return false;
    for (; rows_next(rows, &why); count++) {
        *ret_last = MAX(*ret_last, rows_int(rows, 0));
        if (!sign_one(store, responder, rows, now, error))
            return false;
    }
    *ret_count = count;
    return rows_ended(rows, &why, error);
}

/* In the log's lock: no revocation comes between the status that is read and the answer that is kept. */
static bool sign_batch(VigieStore *store, Responder *responder, const char *query, int64_t from,
                       const char *who, VigieTime now, int64_t *ret_count, GError **error) {
    Journal journal;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    int64_t last = responder->seen;
    if (!tx || !journal_begin(&journal, store, who, now, error) ||
        !sign_rows(store, responder, query, from, now, &last, ret_count, error) || !store_commit(&tx, error))
        return false;
    responder->seen = last;
    return true;
}

static bool is_due(VigieStore *store, const Responder *responder, const char *query, int64_t from,
                   VigieTime now, bool *ret_due, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, query, "iiii", from, responder->id, now, (int64_t)1);
    GError *why = NULL;
    *ret_due = rows && rows_next(rows, &why);
    return rows && rows_ended(rows, &why, error);
}

static bool sign_due(VigieStore *store, Responder *responder, size_t which, const char *who, VigieTime now,
                     int64_t *count, GError **error) {
    const char *query = due_queries[which];
    for (int64_t batch = BATCH; batch == BATCH; *count += batch) {
        int64_t from = which == 0 ? responder->seen : now + responder->hours * HOUR / 2;
        bool due = false;
        if (!is_due(store, responder, query, from, now, &due, error))
            return false;
        if (!due)
            return true;
        if (!sign_batch(store, responder, query, from, who, now, &batch, error))
            return false;
    }
    return true;
}

/* Of certificates that ended, nobody asks any more. */
static bool forget_ended(VigieStore *store, VigieTime now, GError **error) {
    int64_t ended = 0;
    return store_get_int(store, &ended, error, "SELECT COUNT(*) FROM pki_answer WHERE next_update <= $1", "i",
                         now) &&
           (ended == 0 ||
            store_exec(store, error,
                       "DELETE FROM pki_answer WHERE next_update <= $1 AND certificate IN (SELECT id FROM "
                       "pki_certificate WHERE not_after < $1)",
                       "i", now));
}

bool pki_ocsp_sign_all(VigieOcsp *ocsp, VigieStore *store, const char *authority, const char *who,
                       VigieTime now, int64_t *ret_signed, GError **error) {
    int64_t count = 0;
    Responder *responder = responder_by_name(ocsp, authority);
    if (!responder || !responder->signer) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                    "%s: the key of its responder was not given (--passphrase-file)", authority);
        return false;
    }
    for (size_t which = 0; which < G_N_ELEMENTS(due_queries); which++)
        if (!sign_due(store, responder, which, who, now, &count, error))
            return false;
    if (!forget_ended(store, now, error))
        return false;
    *ret_signed = count;
    return true;
}
