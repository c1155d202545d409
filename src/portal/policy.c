/* policy: certification policies as documents (RFC 3647), by the OID that certificates name: /pki/policy/1.2.250.1.71.1.2.2 is the file
 * of that name, with .pdf, .html or .txt behind it, in the folder pki.policies. */
#include "portal/pages.h"

#include <string.h>
#include <sys/stat.h>

enum { OID_MAX = 64, DOCUMENT_MAX = 16 << 20 };

static const char *const forms[][2] = {{".pdf", "application/pdf"},
                                       {".html", "text/html; charset=utf-8"},
                                       {".txt", "text/plain; charset=utf-8"}};

static bool is_oid(const char *text) {
    size_t size = strlen(text);
    return size > 0 && size <= OID_MAX && strspn(text, "0123456789.") == size && !strstr(text, "..") &&
           text[0] != '.' && text[size - 1] != '.';
}

/* The file's octets, when it is a plain file of a size that a document has. */
static GBytes *read_document(const char *path, VigieTime *ret_changed) {
    struct stat about;
    char *text = NULL;
    gsize size = 0;
    if (stat(path, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size > DOCUMENT_MAX ||
        !g_file_get_contents(path, &text, &size, NULL))
        return NULL;
    *ret_changed = about.st_mtime;
    return g_bytes_new_take(text, size);
}

RAW(feed_policy) {
    const char *oid = request->path + strlen("/pki/policy/");
    const char *folder = vigie_config_text(request->portal->config, "pki.policies");
    for (size_t i = 0; *folder && is_oid(oid) && i < G_N_ELEMENTS(forms); i++) {
        g_autofree char *name = g_strconcat(oid, forms[i][0], NULL),
                        *path = g_build_filename(folder, name, NULL);
        VigieTime changed = 0;
        g_autoptr(GBytes) document = read_document(path, &changed);
        if (!document)
            continue;
        g_autofree char *tag = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, document);
        request_file(request, document, forms[i][1], tag, changed);
        request_header(request, "Cache-Control", "max-age=3600, public");
        return true;
    }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "no policy is published under %.64s", oid);
    return false;
}
