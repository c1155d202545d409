/* evidence.c: papers beside a request. Copies of identity papers, often: sealed at rest, each reading in the log, erased when
 * their time is over. */
#include "pki/journal.h"
#include "pki/registration.h"
#include "pki/row.h"

#include <string.h>

enum { EVIDENCE_MAX = 4 * 1024 * 1024, EVIDENCES_MAX = 16, NAME_MAX_CHARACTERS = 120, AT_ONCE = 100 };

const VigieSealed pki_sealed = {.table = "pki_evidence", .column = "content", .owner = "request"};

static bool refuse(GError **error, VigieErrorCode code, const char *why) {
    g_set_error(error, VIGIE_ERROR, (gint)code, "evidence: %s", why);
    return false;
}

static bool need_key(const VigieSeal *seal, GError **error) {
    return seal || refuse(error, VIGIE_ERROR_UNAVAILABLE,
                          "it is kept sealed: pki.evidence_key names no key (openssl rand -out FILE 32)");
}

/* The log keeps the digest for good; the name, which may be a person's, goes with the file. */
static bool add_line(Journal *journal, const char *kind, int64_t request, int64_t id, const char *sha256,
                     GError **error) {
    g_autofree char *object = g_strdup_printf("request %" G_GINT64_FORMAT, request);
    g_autoptr(json_t) told = json_pack("{s:I, s:s}", "evidence", (json_int_t)id, "sha256", sha256);
    g_autofree char *details = vigie_json_text(told);
    return journal_add(journal, kind, object, details, error);
}

/* ---- Adding ------------------------------------------------------------------------------------------------- */
static bool check_room(VigieStore *store, int64_t request, GError **error) {
    int64_t open = 0, count = 0;
    if (!store_get_int(store, &open, error,
                       "SELECT COUNT(*) FROM pki_request WHERE id = $1 AND state = 'requested'", "i",
                       request) ||
        !store_get_int(store, &count, error, "SELECT COUNT(*) FROM pki_evidence WHERE request = $1", "i",
                       request))
        return false;
    if (open == 0)
        return refuse(error, VIGIE_ERROR_CONFLICT, "the request is decided, or there is none of this number");
    return count < EVIDENCES_MAX || refuse(error, VIGIE_ERROR_LIMIT, "16 files a request");
}

bool pki_evidence_add(VigieStore *store, const VigieSeal *seal, int64_t request, const char *name,
                      const char *type, VigieBytes content, const char *account, VigieTime now,
                      GError **error) {
    const VigieBytes nothing = vigie_bytes("", 0);
    Journal journal;
    int64_t id = 0;
    if (!need_key(seal, error))
        return false;
    if (content.size == 0 || content.size > EVIDENCE_MAX)
        return refuse(error, VIGIE_ERROR_LIMIT, "a file of 4 MiB at most is wanted");
    if (!registration_text("evidence, name", name, NAME_MAX_CHARACTERS, error) ||
        !registration_text("evidence, type", type, NAME_MAX_CHARACTERS, error))
        return false;
    g_autofree char *sha256 = g_compute_checksum_for_data(G_CHECKSUM_SHA256, content.data, content.size);
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && journal_begin(&journal, store, account, now, error) && check_room(store, request, error) &&
           store_get_int(
               store, &id, error,
               "INSERT INTO pki_evidence (request, name, type, sha256, added_by, at, size, content) "
               "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
               "ittttiib", request, name, type, sha256, account, now, (int64_t)content.size, &nothing) &&
           store_seal_put(store, seal, &pki_sealed, id, content, error) &&
           add_line(&journal, "evidence", request, id, sha256, error) &&
           journal_end(&journal, NULL, 0, error) && store_commit(&tx, error);
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */
GBytes *pki_evidence_get(VigieStore *store, const VigieSeal *seal, int64_t request, int64_t id,
                         const char *account, VigieTime now, char **ret_name, GError **error) {
    Journal journal;
    if (!need_key(seal, error))
        return NULL;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !journal_begin(&journal, store, account, now, error))
        return NULL;
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT name, sha256 FROM pki_evidence WHERE request = $1 AND id = $2",
                    "ii", request, id);
    if (!rows_first(rows, error, "evidence: there is no such file"))
        return NULL;
    g_autofree char *name = g_strdup(rows_text(rows, 0)), *sha256 = g_strdup(rows_text(rows, 1));
    g_clear_pointer(&rows, rows_free);
    g_autoptr(GBytes) clear = store_seal_get(store, seal, &pki_sealed, id, error);
    if (!clear || !add_line(&journal, "evidence-read", request, id, sha256, error) ||
        !journal_end(&journal, NULL, 0, error) || !store_commit(&tx, error))
        return NULL;
    *ret_name = g_steal_pointer(&name);
    return g_steal_pointer(&clear);
}

/* ---- Erasing ------------------------------------------------------------------------------------------------ */
/* Issued on its strength: the certificate, and those that renewed it, one after the other; what a revocation's paper speaks of
 * is the certificate that it ended. What was refused has none. */
#define EVIDENCE_OVER                                                                                        \
    "WITH RECURSIVE based (request, certificate) AS ("                                                       \
    "SELECT q.id, COALESCE(q.issued, q.certificate) FROM pki_request q WHERE q.state = 'issued' AND "        \
    "EXISTS (SELECT 1 FROM pki_evidence e WHERE e.request = q.id AND e.name <> '') "                         \
    "UNION SELECT b.request, n.certificate FROM based b JOIN ("                                              \
    "SELECT old, certificate FROM pki_renewal UNION "                                                        \
    "SELECT certificate, issued FROM pki_request WHERE kind = 'renew' AND issued IS NOT NULL) n "            \
    "ON n.old = b.certificate), "                                                                            \
    "over (request) AS (SELECT b.request FROM based b JOIN pki_certificate c ON c.id = b.certificate "       \
    "GROUP BY b.request HAVING MAX(c.not_after) <= $1 "                                                      \
    "UNION SELECT q.id FROM pki_request q WHERE q.state = 'refused' AND q.ended <= $2) "                     \
    "SELECT e.id, e.request, e.sha256 FROM pki_evidence e JOIN over o ON o.request = e.request "             \
    "WHERE e.name <> '' ORDER BY e.id LIMIT $3"

typedef struct {
    int64_t id, request;
    char *sha256;
} Paper;

static void paper_clear(void *data) {
    g_free(((Paper *)data)->sha256);
}

static GArray *papers_over(VigieStore *store, VigieTime issued, VigieTime refused, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, EVIDENCE_OVER, "iii", issued, refused, (int64_t)AT_ONCE);
    g_autoptr(GArray) papers = g_array_new(FALSE, FALSE, sizeof(Paper));
    GError *why = NULL;
    g_array_set_clear_func(papers, paper_clear);
    if (!rows)
        return NULL;
    while (rows_next(rows, &why)) {
        Paper paper = {rows_int(rows, 0), rows_int(rows, 1), g_strdup(rows_text(rows, 2))};
        g_array_append_val(papers, paper);
    }
    return rows_ended(rows, &why, error) ? g_steal_pointer(&papers) : NULL;
}

static bool erase(Journal *journal, const Paper *paper, GError **error) {
    return store_seal_erase(journal->store, &pki_sealed, paper->id, error) &&
           store_exec(journal->store, error, "UPDATE pki_evidence SET name = '', type = '' WHERE id = $1",
                      "i", paper->id) &&
           add_line(journal, "evidence-erased", paper->request, paper->id, paper->sha256, error);
}

/* A hundred a transaction: ret_found of them. */
static bool forget_some(VigieStore *store, VigieTime issued, VigieTime refused, const char *who,
                        VigieTime now, guint *ret_found, GError **error) {
    Journal journal;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !journal_begin(&journal, store, who, now, error))
        return false;
    g_autoptr(GArray) papers = papers_over(store, issued, refused, error);
    if (!papers)
        return false;
    for (guint i = 0; i < papers->len; i++)
        if (!erase(&journal, &g_array_index(papers, Paper, i), error))
            return false;
    *ret_found = papers->len;
    return papers->len == 0 || (journal_end(&journal, NULL, 0, error) && store_commit(&tx, error));
}

bool pki_evidence_forget(VigieStore *store, VigieTime issued, VigieTime refused, const char *who,
                         VigieTime now, int64_t *ret_count, GError **error) {
    *ret_count = 0;
    for (guint found = AT_ONCE; found == AT_ONCE; *ret_count += found)
        if (!forget_some(store, issued, refused, who, now, &found, error))
            return false;
    return true;
}
