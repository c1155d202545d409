/* certificates.c: what was issued, told and given out again. */
#include "pki/authority.h"
#include "pki/revoke.h"

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

static json_t *tell(VigieRows *rows, VigieTime now) {
    VigieBytes serial = rows_blob(rows, 0);
    g_autoptr(GString) digits = g_string_new(NULL);
    for (size_t i = 0; i < serial.size; i++)
        g_string_append_printf(digits, "%02x", serial.data[i]);
    g_autofree char *from = vigie_time_rfc3339(rows_int(rows, 4)),
                    *to = vigie_time_rfc3339(rows_int(rows, 5));
    const char *state = state_of(rows_int(rows, 6), rows_int(rows, 5), now);
    bool revoked = strcmp(state, "revoked") == 0 || strcmp(state, "held") == 0;
    g_autofree char *at = revoked ? vigie_time_rfc3339(rows_int(rows, 7)) : NULL;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?}", "serial", digits->str, "authority",
                     rows_text(rows, 1), "profile", rows_text(rows, 2), "subject", rows_text(rows, 3),
                     "not_before", from, "not_after", to, "state", state, "reason",
                     revoked ? revoke_reason_name(rows_int(rows, 6)) : NULL, "revoked_at", at);
}

#define LIST_COLUMNS                                                                                         \
    "SELECT c.serial, a.name, c.profile, c.subject, c.not_before, c.not_after, COALESCE(r.reason, -1), "     \
    "COALESCE(r.at, 0) FROM pki_certificate c JOIN pki_authority a ON a.id = c.authority "                   \
    "LEFT JOIN pki_revocation r ON r.certificate = c.id "

json_t *pki_certificate_list(VigieStore *store, const char *authority, const char *serial, VigieTime now,
                             GError **error) {
    uint8_t octets[32];
    VigieBytes wanted;
    if (serial && !revoke_serial(serial, octets, &wanted, error))
        return NULL;
    g_autoptr(VigieRows) rows =
        serial ? store_query(store, error,
                             LIST_COLUMNS
                             "WHERE c.authority IN (SELECT id FROM pki_authority) AND c.serial = $1",
                             "b", &wanted)
        : authority
            ? store_query(store, error, LIST_COLUMNS "WHERE a.name = $1 ORDER BY c.id DESC LIMIT $2", "ti",
                          authority, (int64_t)LIST_MAX)
            : store_query(store, error, LIST_COLUMNS "ORDER BY c.id DESC LIMIT $1", "i", (int64_t)LIST_MAX);
    g_autoptr(json_t) list = json_array();
    g_autoptr(GError) why = NULL;
    if (!rows)
        return NULL;
    while (rows_next(rows, &why))
        json_array_append_new(list, tell(rows, now));
    if (why) {
        g_propagate_error(error, g_steal_pointer(&why));
        return NULL;
    }
    return g_steal_pointer(&list);
}

static void append_pem(BIO *out, VigieBytes der) {
    PEM_write_bio(out, "CERTIFICATE", "", der.data, (long)der.size);
}

/* Up to, and without, the root. */
static bool append_issuers(VigieStore *store, BIO *out, int64_t authority, GError **error) {
    while (authority != 0) {
        g_autoptr(VigieRows) rows = store_query(
            store, error, "SELECT COALESCE(parent, 0), certificate FROM pki_authority WHERE id = $1", "i",
            authority);
        if (!rows || !rows_next(rows, error))
            return false;
        authority = rows_int(rows, 0);
        if (authority != 0)
            append_pem(out, rows_blob(rows, 1));
    }
    return true;
}

char *pki_certificate_pem(VigieStore *store, const char *serial, GError **error) {
    uint8_t octets[32];
    VigieBytes wanted;
    if (!revoke_serial(serial, octets, &wanted, error))
        return NULL;
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT authority, der FROM pki_certificate WHERE authority IN (SELECT id FROM "
                    "pki_authority) AND serial = $1",
                    "b", &wanted);
    g_autoptr(GError) why = NULL;
    if (!rows)
        return NULL;
    if (!rows_next(rows, &why)) {
        if (why)
            g_propagate_error(error, g_steal_pointer(&why));
        else
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                        "serial %s: no authority here issued such a certificate", serial);
        return NULL;
    }
    BIO *out = BIO_new(BIO_s_mem());
    append_pem(out, rows_blob(rows, 1));
    char *pem = NULL, *text = NULL;
    if (append_issuers(store, out, rows_int(rows, 0), error)) {
        long size = BIO_get_mem_data(out, &text);
        pem = g_strndup(text, (gsize)size);
    }
    BIO_free(out);
    return pem;
}

char *pki_device_certificate(VigieStore *store, int64_t device, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT c.der FROM pki_certificate c LEFT JOIN pki_revocation r ON r.certificate = c.id "
                    "WHERE c.device = $1 AND (r.reason IS NULL OR r.reason = 8) ORDER BY c.id DESC LIMIT 1",
                    "i", device);
    g_autoptr(GError) why = NULL;
    if (!rows)
        return NULL;
    if (rows_next(rows, &why)) {
        VigieBytes der = rows_blob(rows, 0);
        return g_compute_checksum_for_data(G_CHECKSUM_SHA256, der.data, der.size);
    }
    if (why)
        g_propagate_error(error, g_steal_pointer(&why));
    else
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                            "no certificate was issued for this device: see vigie ca renew");
    return NULL;
}
