/* shown.c: certificates that clients show us, and the chains that they want. */
#include "pki/authority.h"
#include "x509/x509.h"

#include <string.h>

enum { SHOWN_MAX = 65536, DEPTH_MAX = 16 };

static json_t *deny(GError **error, const char *why) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "certificate: %s", why);
    return NULL;
}

static json_t *tell(const VigieRows *rows, const VigieCertificate *certificate) {
    g_autofree char *from = vigie_time_rfc3339(rows_int(rows, 3)),
                    *to = vigie_time_rfc3339(rows_int(rows, 4));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "serial", certificate->serial, "authority",
                     rows_text(rows, 0), "profile", rows_text(rows, 1), "subject", rows_text(rows, 2),
                     "not_before", from, "not_after", to, "device", (json_int_t)rows_int(rows, 5));
}

/* All of its bytes are those that we issued: nothing in it wants to be believed. */
json_t *pki_certificate_shown(VigieStore *store, VigieBytes der, VigieTime now, GError **error) {
    CertificateView view;
    if (der.size > SHOWN_MAX || !certificate_view(der, &view))
        return deny(error, "it cannot be read");
    g_autoptr(VigieCertificate) certificate = x509_certificate_new(der, error);
    if (!certificate)
        return NULL;
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT a.name, c.profile, c.subject, c.not_before, c.not_after, c.device, c.der, COALESCE(r.reason, "
        "8) "
        "FROM pki_certificate c JOIN pki_authority a ON a.id = c.authority LEFT JOIN pki_revocation r ON "
        "r.certificate = c.id WHERE c.authority IN (SELECT id FROM pki_authority) AND c.serial = $1",
        "b", &view.serial);
    GError *why = NULL;
    if (!rows)
        return NULL;
    while (rows_next(rows, &why)) {
        if (!vigie_bytes_equal(rows_blob(rows, 6), der))
            continue;
        if (rows_int(rows, 7) != 8)
            return deny(error, "it is revoked or held");
        if (now < rows_int(rows, 3) || now > rows_int(rows, 4))
            return deny(error, "it is not valid now");
        return tell(rows, certificate);
    }
    if (why) {
        g_propagate_error(error, why);
        return NULL;
    }
    return deny(error, "no authority here issued it");
}

static void free_bytes(gpointer bytes) {
    g_byte_array_unref(bytes);
}

GPtrArray *pki_authority_chain(VigieStore *store, const char *name, GError **error) {
    g_autoptr(VigieAuthority) authority = pki_authority_open(store, name, NULL, error);
    g_autoptr(GPtrArray) chain = g_ptr_array_new_with_free_func(free_bytes);
    int64_t id = authority ? authority->id : 0;
    for (int depth = 0; id != 0 && depth < DEPTH_MAX; depth++) {
        g_autoptr(VigieRows) rows =
            store_query(store, error,
                        "SELECT COALESCE(parent, 0), certificate FROM pki_authority WHERE id = $1", "i", id);
        GError *why = NULL;
        if (!rows || !rows_next(rows, &why)) {
            if (why)
                g_propagate_error(error, why);
            return NULL;
        }
        VigieBytes der = rows_blob(rows, 1);
        g_ptr_array_add(chain, g_byte_array_append(g_byte_array_new(), der.data, (guint)der.size));
        id = rows_int(rows, 0);
    }
    return authority ? g_steal_pointer(&chain) : NULL;
}
