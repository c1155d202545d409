/* shown.c: certificates that clients show us, and the chains that they want. */
#include "pki/link.h"
#include "pki/revoke.h"
#include "pki/row.h"
#include "x509/x509.h"

enum { SHOWN_MAX = 65536, DEPTH_MAX = 16 };

static json_t *deny(GError **error, const char *why) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "certificate: %s", why);
    return NULL;
}

static json_t *tell(const VigieRows *rows, const char *authority, const VigieCertificate *certificate) {
    g_autofree char *from = vigie_time_rfc3339(certificate->not_before),
                    *to = vigie_time_rfc3339(certificate->not_after);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "serial", certificate->serial, "authority",
                     authority, "profile", rows_text(rows, ROW_PROFILE), "subject", certificate->subject,
                     "not_before", from, "not_after", to, "device", (json_int_t)rows_int(rows, ROW_DEVICE));
}

/* All of its bytes are those that we issued: nothing in it wants to be believed. */
json_t *pki_certificate_shown(VigieStore *store, VigieBytes der, VigieTime now, GError **error) {
    g_autoptr(GError) why = NULL;
    g_autoptr(VigieCertificate) certificate = der.size <= SHOWN_MAX ? x509_certificate_new(der, NULL) : NULL;
    if (!certificate || !*certificate->serial)
        return deny(error, "it cannot be read");
    g_autoptr(VigieRows) rows = row_of_serial(store, certificate->serial, &why);
    if (why && !g_error_matches(why, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&why));
        return NULL;
    }
    if (!rows || !vigie_bytes_equal(rows_blob(rows, ROW_DER), der))
        return deny(error, "no authority here issued it");
    int64_t reason = rows_int(rows, ROW_REASON);
    if (reason >= 0 && reason != REASON_RELEASE)
        return deny(error, "it is revoked or held");
    if (now < certificate->not_before || now > certificate->not_after)
        return deny(error, "it is not valid now");
    int64_t ended = 0;
    if (!store_get_int(store, &ended, error, "SELECT revoked FROM pki_authority WHERE id = $1", "i",
                       rows_int(rows, ROW_AUTHORITY)))
        return NULL;
    if (ended)
        return deny(error, "its authority is revoked");
    g_autofree char *authority = authority_name(store, rows_int(rows, ROW_AUTHORITY), error);
    return authority ? tell(rows, authority, certificate) : NULL;
}

static void free_bytes(gpointer bytes) {
    g_byte_array_unref(bytes);
}

GPtrArray *pki_authority_chain(VigieStore *store, const char *name, VigieTime now, GError **error) {
    g_autoptr(VigieAuthority) authority = pki_authority_open(store, name, NULL, error);
    g_autoptr(GPtrArray) chain = g_ptr_array_new_with_free_func(free_bytes);
    int64_t id = authority ? authority->id : 0, root = id;
    for (int depth = 0; id != 0 && depth < DEPTH_MAX; depth++) {
        g_autoptr(VigieRows) rows =
            store_query(store, error,
                        "SELECT COALESCE(parent, 0), certificate FROM pki_authority WHERE id = $1", "i", id);
        if (!rows_first(rows, error, "there is no such authority"))
            return NULL;
        VigieBytes der = rows_blob(rows, 1);
        g_ptr_array_add(chain, g_byte_array_append(g_byte_array_new(), der.data, (guint)der.size));
        root = id;
        id = rows_int(rows, 0);
    }
    return authority && link_add_generations(store, root, now, chain, error) ? g_steal_pointer(&chain) : NULL;
}
