/* published: what authorities tell the world: certificates, revocation lists, OCSP answers. Public, over plain HTTP as
 * RFC 5280 8 wants it: whoever reads them verifies their signatures. */
#include "pki/pki.h"
#include "portal/pages.h"

#include <string.h>

static void destroy_ocsp(gpointer ocsp) {
    pki_ocsp_free(ocsp);
}

/* Each lane's own. It has no key: what is not signed yet is answered when it is. */
static GPrivate lane_ocsp = G_PRIVATE_INIT(destroy_ocsp);

static void add_date(Request *request, const char *name, VigieTime time) {
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(time);
    g_autofree char *text = g_date_time_format(when, "%a, %d %b %Y %H:%M:%S GMT");
    request_header(request, name, text);
}

/* RFC 9111: to be kept until what was signed ends. */
static void let_cache(Request *request, VigieTime until) {
    g_autofree char *control = g_strdup_printf(
        "max-age=%" G_GINT64_FORMAT ", public, no-transform, must-revalidate", MAX(0, until - request->now));
    request_header(request, "Cache-Control", control);
    add_date(request, "Expires", until);
}

static void answer_der(Request *request, const char *type, const GByteArray *der) {
    request->type = type;
    g_string_append_len(request->answer, (const char *)der->data, (gssize)der->len);
}

RAW(feed_published) {
    VigieTime until = 0;
    const char *file = request->path + strlen("/pki/");
    GByteArray *der = pki_published(request->store, file, &until, error);
    if (!der)
        return false;
    answer_der(request, g_str_has_suffix(file, ".crl") ? "application/pkix-crl" : "application/pkix-cert",
               der);
    g_byte_array_unref(der);
    if (until != 0)
        let_cache(request, until);
    else
        request_header(request, "Cache-Control", "max-age=86400, public");
    return true;
}

/* RFC 5019 5 and RFC 9654: ETag is the answer's digest. */
static bool answer_ocsp(Request *request, VigieBytes asked, GError **error) {
    VigieOcsp *ocsp = g_private_get(&lane_ocsp);
    VigieOcspAnswer answer;
    if (!ocsp) {
        ocsp = pki_ocsp_new();
        g_private_set(&lane_ocsp, ocsp);
    }
    if (!pki_ocsp_answer(ocsp, request->store, asked, request->now, &answer, error))
        return false;
    answer_der(request, "application/ocsp-response", answer.der);
    if (answer.next_update != 0) {
        g_autofree char *digest =
            g_compute_checksum_for_data(G_CHECKSUM_SHA256, answer.der->data, answer.der->len);
        g_autofree char *tag = g_strdup_printf("\"%s\"", digest);
        let_cache(request, answer.next_update);
        add_date(request, "Last-Modified", answer.this_update);
        request_header(request, "ETag", tag);
    }
    g_byte_array_unref(answer.der);
    return true;
}

RAW(feed_ocsp_post) {
    return answer_ocsp(request, vigie_bytes(request->body->str, request->body->len), error);
}

/* RFC 6960 A.1: the request in base64, in the path. */
RAW(feed_ocsp_get) {
    gsize size = 0;
    g_autofree guchar *asked = g_base64_decode(request->path + strlen("/pki/ocsp/"), &size);
    return answer_ocsp(request, vigie_bytes(asked, size), error);
}
