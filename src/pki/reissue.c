/* reissue.c: what an authority issued, issued again by the one in its place, for the same keys and names. */
#include "pki/authority.h"
#include "pki/row.h"

#include <string.h>

enum { AT_ONCE = 16 };

typedef struct {
    char *serial, *profile;
    GByteArray *spki;
    int64_t device;
} Old;

static void old_free(void *data) {
    Old *old = data;
    g_free(old->serial);
    g_free(old->profile);
    g_byte_array_unref(old->spki);
    g_free(old);
}

/* Good ones, issued by `name`, that were not renewed. */
static GPtrArray *read_old(VigieStore *store, const char *name, int64_t *after, VigieTime now,
                           GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT c.id, c.serial, c.profile, c.der, c.device FROM pki_certificate c JOIN "
                    "pki_authority a ON a.id = "
                    "c.authority LEFT JOIN pki_revocation r ON r.certificate = c.id WHERE a.name = $1 AND "
                    "c.id > $2 AND c.not_after "
                    "> $3 AND (r.reason IS NULL OR r.reason = 8) AND c.profile NOT IN ('authority', "
                    "'ocsp-responder', 'adopted') AND "
                    "NOT EXISTS (SELECT 1 FROM pki_renewal w WHERE w.old = c.id) ORDER BY c.id LIMIT $4",
                    "tiii", name, *after, now, (int64_t)AT_ONCE);
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(old_free);
    GError *why = NULL;
    CertificateView view;
    while (rows && rows_next(rows, &why)) {
        *after = rows_int(rows, 0);
        if (!certificate_view(rows_blob(rows, 3), &view))
            continue;
        Old *old = g_new0(Old, 1);
        *old = (Old){vigie_hex_text(rows_blob(rows, 1)), g_strdup(rows_text(rows, 2)),
                     g_byte_array_append(g_byte_array_new(), view.spki.data, (guint)view.spki.size),
                     rows_int(rows, 4)};
        g_ptr_array_add(list, old);
    }
    return rows_ended(rows, &why, error) ? g_steal_pointer(&list) : NULL;
}

static json_t *tell(const GPtrArray *olds, const VigieIssued *issued) {
    json_t *list = json_array();
    for (guint i = 0; i < olds->len; i++) {
        const Old *old = olds->pdata[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s?, s:s?}", "old", old->serial, "serial", issued[i].serial,
                                        "refusal", issued[i].error ? issued[i].error->message : NULL));
    }
    return list;
}

json_t *pki_reissue(VigieStore *store, VigieAuthority *authority, const VigieProfiles *profiles,
                    const char *of, int64_t *after, const char *who, VigieTime now, GError **error) {
    g_autoptr(GPtrArray) olds = read_old(store, of, after, now, error);
    VigieIssueRequest requests[AT_ONCE];
    VigieIssued issued[AT_ONCE] = {0};
    if (!olds)
        return NULL;
    for (guint i = 0; i < olds->len; i++) {
        const Old *old = olds->pdata[i];
        requests[i] = (VigieIssueRequest){.profile = old->profile,
                                          .spki = vigie_bytes(old->spki->data, old->spki->len),
                                          .device = old->device,
                                          .renews = old->serial};
    }
    bool well =
        olds->len == 0 || pki_issue(store, authority, profiles, requests, olds->len, issued, who, now, error);
    json_t *list = well ? tell(olds, issued) : NULL;
    for (guint i = 0; i < olds->len; i++)
        pki_issued_clear(&issued[i]);
    return list;
}

json_t *pki_renewed_list(VigieStore *store, const char *of, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT o.serial, n.serial, n.subject FROM pki_renewal w JOIN pki_certificate o ON o.id = w.old JOIN "
        "pki_certificate n ON n.id = w.certificate JOIN pki_authority a ON a.id = o.authority WHERE a.name = "
        "$1 AND "
        "n.authority <> o.authority ORDER BY n.id",
        "t", of);
    g_autoptr(json_t) list = json_array();
    GError *why = NULL;
    while (rows && rows_next(rows, &why)) {
        g_autofree char *old = vigie_hex_text(rows_blob(rows, 0)), *new = vigie_hex_text(rows_blob(rows, 1));
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s}", "old", old, "serial", new, "subject", rows_text(rows, 2)));
    }
    return rows_ended(rows, &why, error) ? g_steal_pointer(&list) : NULL;
}
