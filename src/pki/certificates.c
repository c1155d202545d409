/* certificates.c: what was issued, told and given out again. */
#include "pki/link.h"
#include "pki/revoke.h"
#include "pki/row.h"
#include "x509/der-write.h"

#include <openssl/pem.h>
#include <string.h>

enum { LIST_MAX = 1000 };

static const char *state_of(int64_t reason, VigieTime not_after, VigieTime now) {
    if (reason == REASON_HOLD)
        return "held";
    if (reason >= 0 && reason != REASON_RELEASE)
        return "revoked";
    return not_after < now ? "expired" : "good";
}

#define LIST_COLUMNS                                                                                         \
    "SELECT c.id, c.serial, a.name, c.profile, c.subject, c.not_before, c.not_after, COALESCE(r.reason, "    \
    "-1), "                                                                                                  \
    "COALESCE(r.at, 0), c.device, COALESCE(q.id, 0), q.requester, COALESCE(q.organisation, 0), a.revoked "   \
    "FROM pki_certificate c JOIN pki_authority a ON a.id = c.authority "                                     \
    "LEFT JOIN pki_revocation r ON r.certificate = c.id LEFT JOIN pki_request q ON q.issued = c.id WHERE 1 " \
    "= 1"

static json_t *tell(VigieRows *rows, VigieTime now) {
    g_autofree char *serial = vigie_hex_text(rows_blob(rows, 1)),
                    *from = vigie_time_rfc3339(rows_int(rows, 5)),
                    *to = vigie_time_rfc3339(rows_int(rows, 6));
    int64_t reason = rows_int(rows, 7), since = rows_int(rows, 8), ended = rows_int(rows, 13);
    /* Of an authority that was revoked nothing is good. */
    if (ended && (reason < 0 || reason == REASON_RELEASE || reason == REASON_HOLD)) {
        reason = REASON_CA_COMPROMISE;
        since = ended;
    }
    const char *state = state_of(reason, rows_int(rows, 6), now);
    bool revoked = strcmp(state, "revoked") == 0 || strcmp(state, "held") == 0;
    g_autofree char *at = revoked ? vigie_time_rfc3339(since) : NULL;
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:I, s:I, s:s?, s:I}", "id",
                     (json_int_t)rows_int(rows, 0), "serial", serial, "authority", rows_text(rows, 2),
                     "profile", rows_text(rows, 3), "subject", rows_text(rows, 4), "not_before", from,
                     "not_after", to, "state", state, "reason", revoked ? revoke_reason_name(reason) : NULL,
                     "revoked_at", at, "device", (json_int_t)rows_int(rows, 9), "request",
                     (json_int_t)rows_int(rows, 10), "requester", rows_text(rows, 11), "organisation",
                     (json_int_t)rows_int(rows, 12));
}

/* Who asked for it, or has a role over its organisation. */
static void add_account(VigieQuery *query, const char *account) {
    g_autofree char *folded = vigie_text_fold(account);
    query_add(
        query,
        " AND (q.requester_fold = ?t OR EXISTS (SELECT 1 FROM pki_grant g WHERE g.account = ?t AND "
        "(g.organisation = 0 OR g.organisation = q.organisation) AND (g.profession = '' OR g.profession = "
        "q.profession) AND (g.department = '' OR g.department = q.department)))",
        folded, folded);
}

static bool add_serial(VigieQuery *query, const char *text, GError **error) {
    uint8_t octets[32];
    VigieBytes serial;
    if (!revoke_serial(text, octets, &serial, error))
        return false;
    query_add(query, " AND c.authority IN (SELECT id FROM pki_authority) AND c.serial = ?b", serial);
    return true;
}

json_t *pki_certificate_list(VigieStore *store, const VigieIssuedFilter *filter, VigieTime now,
                             GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    g_autoptr(json_t) list = json_array();
    GError *why = NULL;
    query_add(query, LIST_COLUMNS);
    if (filter->serial && !add_serial(query, filter->serial, error))
        return NULL;
    if (filter->id)
        query_add(query, " AND c.id = ?i", filter->id);
    if (filter->authority)
        query_add(query, " AND a.name = ?t", filter->authority);
    if (filter->device)
        query_add(query, " AND c.device = ?i", filter->device);
    if (filter->before)
        query_add(query, " AND c.id < ?i", filter->before);
    if (filter->account)
        add_account(query, filter->account);
    query_add(query, " ORDER BY c.id DESC LIMIT ?i", (int64_t)(filter->limit > 0 ? filter->limit : LIST_MAX));
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    if (!rows)
        return NULL;
    while (rows_next(rows, &why))
        json_array_append_new(list, tell(rows, now));
    return rows_ended(rows, &why, error) ? g_steal_pointer(&list) : NULL;
}

static void append_pem(BIO *out, VigieBytes der) {
    PEM_write_bio(out, "CERTIFICATE", "", der.data, (long)der.size);
}

/* Up to, and without, the root. */
static bool append_issuers(VigieStore *store, BIO *out, int64_t authority, VigieTime now, GError **error) {
    g_autoptr(GPtrArray) links = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
    for (int64_t root = authority; authority != 0; root = authority ? authority : root) {
        g_autoptr(VigieRows) rows = store_query(
            store, error, "SELECT COALESCE(parent, 0), certificate FROM pki_authority WHERE id = $1", "i",
            authority);
        if (!rows || !rows_next(rows, error))
            return false;
        authority = rows_int(rows, 0);
        if (authority != 0)
            append_pem(out, rows_blob(rows, 1));
        else if (!link_add_generations(store, root, now, links, error))
            return false;
    }
    for (guint i = 0; i < links->len; i++)
        append_pem(out, der_bytes(links->pdata[i]));
    return true;
}

char *pki_certificate_pem(VigieStore *store, const char *serial, VigieTime now, GError **error) {
    g_autoptr(VigieRows) rows = row_of_serial(store, serial, error);
    if (!rows)
        return NULL;
    BIO *out = BIO_new(BIO_s_mem());
    append_pem(out, rows_blob(rows, ROW_DER));
    char *pem = NULL, *text = NULL;
    if (append_issuers(store, out, rows_int(rows, ROW_AUTHORITY), now, error)) {
        long size = BIO_get_mem_data(out, &text);
        pem = g_strndup(text, (gsize)size);
    }
    BIO_free(out);
    return pem;
}

static void add_name(GPtrArray *names, const json_t *host) {
    const char *text = json_string_value(host);
    if (!text || !*text)
        return;
    g_autofree char *lower = g_ascii_strdown(text, -1);
    char *name = g_strconcat(g_hostname_is_ip_address(text) ? "ip:" : "dns:", lower, NULL);
    if (g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
        g_free(name);
    else
        g_ptr_array_add(names, name);
}

GPtrArray *pki_device_names(const json_t *device) {
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    size_t index;
    json_t *endpoint;
    add_name(names, json_object_get(device, "fqdn"));
    add_name(names, json_object_get(device, "ip"));
    json_array_foreach(json_object_get(device, "endpoints"), index, endpoint) {
        add_name(names, json_object_get(endpoint, "name"));
        add_name(names, json_object_get(endpoint, "host"));
    }
    g_ptr_array_add(names, NULL);
    return names;
}

char *pki_device_certificate(VigieStore *store, int64_t device, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT c.der FROM pki_certificate c LEFT JOIN pki_revocation r ON r.certificate = c.id "
                    "WHERE c.device = $1 AND (r.reason IS NULL OR r.reason = 8) ORDER BY c.id DESC LIMIT 1",
                    "i", device);
    if (!rows_first(rows, error, "no certificate was issued for this device: see vigie ca renew"))
        return NULL;
    VigieBytes der = rows_blob(rows, 0);
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, der.data, der.size);
}
