/* published: what authorities tell the world: certificates, revocation lists, OCSP answers. Public, over plain HTTP as
 * RFC 5280 8 wants it: whoever reads them verifies their signatures. */
#include "pki/pki.h"
#include "portal/pages.h"

#include <string.h>

static void destroy_ocsp(gpointer ocsp) {
    pki_ocsp_free(ocsp);
}

/* Each lane's own. It has no key: what is not signed yet is answered when it is, or by the signer on the spot. */
static GPrivate lane_ocsp = G_PRIVATE_INIT(destroy_ocsp);

/* A moment in which what was asked is given out without asking the store: a revocation is late by so much at most. */
enum { MOMENT_MS = 1000 };

static void add_date(Request *request, const char *name, VigieTime time) {
    g_autofree char *text = portal_date(time);
    request_header(request, name, text);
}

/* RFC 9111: to be kept until what was signed ends. */
static void let_cache(Request *request, VigieTime until) {
    g_autofree char *control = g_strdup_printf(
        "max-age=%" G_GINT64_FORMAT ", public, no-transform, must-revalidate", MAX(0, until - request->now));
    request_header(request, "Cache-Control", control);
    add_date(request, "Expires", until);
}

/* ---- Files -------------------------------------------------------------------------------------------------- */
/* A list may have tens of megabytes: one copy for all lanes and readers, read again when its number changed. */
typedef struct {
    GBytes *bytes;
    char *tag;
    int64_t number;
    VigieTime since, until;
} File;

struct Published {
    GMutex lock;
    GHashTable *files; /* name → File, of those that are or were published */
};

static void file_free(gpointer data) {
    File *file = data;
    g_bytes_unref(file->bytes);
    g_free(file->tag);
    g_free(file);
}

Published *published_new(void) {
    Published *published = g_new0(Published, 1);
    g_mutex_init(&published->lock);
    published->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, file_free);
    return published;
}

void published_free(Published *published) {
    if (!published)
        return;
    g_hash_table_unref(published->files);
    g_mutex_clear(&published->lock);
    g_free(published);
}

/* With the lock: several who ask at once read it once. */
static const File *find_file(Published *published, VigieStore *store, const char *name, GError **error) {
    int64_t number = 0;
    const File *known = g_hash_table_lookup(published->files, name);
    if (!pki_published_number(store, name, &number, error))
        return NULL;
    if (known && number != 0 && number == known->number)
        return known;
    VigieTime since = 0, until = 0;
    GByteArray *der = pki_published(store, name, &since, &until, error);
    if (!der)
        return NULL;
    File *file = g_new0(File, 1);
    *file = (File){.tag = g_compute_checksum_for_data(G_CHECKSUM_SHA256, der->data, der->len),
                   .bytes = g_byte_array_free_to_bytes(der),
                   .number = number,
                   .since = since,
                   .until = until};
    g_hash_table_replace(published->files, g_strdup(name), file);
    return file;
}

RAW(feed_published) {
    const char *name = request->path + strlen("/pki/");
    Published *published = request->portal->published;
    g_mutex_lock(&published->lock);
    const File *file = find_file(published, request->store, name, error);
    if (file) {
        request_file(request, file->bytes,
                     g_str_has_suffix(name, ".crl") ? "application/pkix-crl" : "application/pkix-cert",
                     file->tag, file->since);
        if (file->until != 0)
            let_cache(request, file->until);
        else
            request_header(request, "Cache-Control", "max-age=86400, public");
        if (g_hash_table_size(request->query) == 0) /* or one list would fill the gate under many names */
            request_keep(request, MOMENT_MS);
    }
    g_mutex_unlock(&published->lock);
    return file != NULL;
}

/* ---- OCSP --------------------------------------------------------------------------------------------------- */
/* RFC 5019 5 and RFC 9654: ETag is the answer's digest. */
static bool answer_ocsp(Request *request, VigieBytes asked, GError **error) {
    VigieOcsp *ocsp = g_private_get(&lane_ocsp);
    VigieOcspAnswer answer;
    if (!ocsp) {
        ocsp = pki_ocsp_new();
        pki_ocsp_set_client(ocsp, request->portal->ocsp);
        g_private_set(&lane_ocsp, ocsp);
    }
    if (!pki_ocsp_answer(ocsp, request->store, asked, request->now, &answer, error))
        return false;
    g_autoptr(GBytes) der = g_byte_array_free_to_bytes(answer.der);
    gsize size = 0;
    const void *octets = g_bytes_get_data(der, &size);
    if (answer.next_update == 0) {
        request->type = "application/ocsp-response";
        g_string_append_len(request->answer, octets, (gssize)size);
        return true;
    }
    g_autofree char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, octets, size);
    request_file(request, der, "application/ocsp-response", digest, answer.this_update);
    let_cache(request, answer.next_update);
    request_keep(request, MOMENT_MS);
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
