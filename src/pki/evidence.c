/* evidence.c: papers beside a request. */
#include "pki/journal.h"
#include "pki/registration.h"
#include "pki/row.h"

#include <string.h>

enum { EVIDENCE_MAX = 4 * 1024 * 1024, EVIDENCES_MAX = 16, NAME_MAX_CHARACTERS = 120 };

static bool refuse(GError **error, VigieErrorCode code, const char *why) {
    g_set_error(error, VIGIE_ERROR, (gint)code, "evidence: %s", why);
    return false;
}

static bool note(VigieStore *store, int64_t request, const char *name, const char *sha256,
                 const char *account, VigieTime now, GError **error) {
    Journal journal;
    g_autofree char *object = g_strdup_printf("request %" G_GINT64_FORMAT, request);
    g_autoptr(json_t) told = json_pack("{s:s, s:s}", "name", name, "sha256", sha256);
    g_autofree char *details = vigie_json_text(told);
    return journal_begin(&journal, store, account, now, error) &&
           journal_add(&journal, "evidence", object, details, error) && journal_end(&journal, NULL, 0, error);
}

bool pki_evidence_add(VigieStore *store, int64_t request, const char *name, const char *type,
                      VigieBytes content, const char *account, VigieTime now, GError **error) {
    int64_t open = 0, count = 0;
    if (content.size == 0 || content.size > EVIDENCE_MAX)
        return refuse(error, VIGIE_ERROR_LIMIT, "a file of 4 MiB at most is wanted");
    if (!registration_text("evidence, name", name, NAME_MAX_CHARACTERS, error) ||
        !registration_text("evidence, type", type, NAME_MAX_CHARACTERS, error))
        return false;
    g_autofree char *sha256 = g_compute_checksum_for_data(G_CHECKSUM_SHA256, content.data, content.size);
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx ||
        !store_get_int(store, &open, error,
                       "SELECT COUNT(*) FROM pki_request WHERE id = $1 AND state = 'requested'", "i",
                       request) ||
        !store_get_int(store, &count, error, "SELECT COUNT(*) FROM pki_evidence WHERE request = $1", "i",
                       request))
        return false;
    if (open == 0)
        return refuse(error, VIGIE_ERROR_CONFLICT, "the request is decided, or there is none of this number");
    if (count >= EVIDENCES_MAX)
        return refuse(error, VIGIE_ERROR_LIMIT, "16 files a request");
    return note(store, request, name, sha256, account, now, error) &&
           store_exec(store, error,
                      "INSERT INTO pki_evidence (request, name, type, sha256, added_by, at, size, content) "
                      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                      "ittttiib", request, name, type, sha256, account, now, (int64_t)content.size,
                      &content) &&
           store_commit(&tx, error);
}

GByteArray *pki_evidence_get(VigieStore *store, int64_t request, int64_t id, char **ret_name, char **ret_type,
                             GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT name, type, content FROM pki_evidence WHERE request = $1 AND id = $2", "ii",
        request, id);
    if (!row_first(rows, error, "evidence: there is no such file"))
        return NULL;
    VigieBytes content = rows_blob(rows, 2);
    *ret_name = g_strdup(rows_text(rows, 0));
    *ret_type = g_strdup(rows_text(rows, 1));
    return g_byte_array_append(g_byte_array_new(), content.data, (guint)content.size);
}
