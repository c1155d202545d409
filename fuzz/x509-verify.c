/* A verification with what a stranger sends: certificates, lists (PEM, DER, PKCS#7 …) and a response. The input is
 * the files' bytes; after the last "%%" a response. The last certificate is also a root, so that paths are
 * found. */
#include "x509/x509.h"

#include <glib/gstdio.h>
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t split(const uint8_t *data, size_t size) {
    for (size_t i = size; i >= 2; i--)
        if (data[i - 2] == '%' && data[i - 1] == '%')
            return i;
    return size;
}

static bool fetch_nothing(void *data, const char *url, VigieBytes post, long timeout_ms, size_t size_max,
                          GPtrArray **ret_values, GError **error) {
    const VigieBytes *answer = data;
    (void)url, (void)post, (void)timeout_ms, (void)error;
    *ret_values = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    for (int i = 0; i < 2; i++)
        g_ptr_array_add(*ret_values, g_bytes_new(answer->data, MIN(answer->size, size_max)));
    return true;
}

static VigieRoots *roots_of(const GPtrArray *objects) {
    VigieRoots *roots = x509_roots_new();
    g_autofree char *path = NULL;
    int file = g_file_open_tmp("vigie-fuzz-XXXXXX", &path, NULL);
    for (guint i = objects->len; file >= 0 && i-- > 0;) {
        const VigieFileObject *object = objects->pdata[i];
        if (g_str_equal(object->kind, "certificate") &&
            g_file_set_contents(path, (const char *)object->der, (gssize)object->size, NULL)) {
            x509_roots_add_file(roots, path, NULL, NULL, NULL);
            break;
        }
    }
    if (file >= 0) {
        g_close(file, NULL);
        g_unlink(path);
    }
    return roots;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t files = split(data, size);
    VigieBytes rest = vigie_bytes(data + files, size - files);
    g_autoptr(GPtrArray) objects = x509_file_objects(vigie_bytes(data, files), NULL);
    for (guint i = objects->len; i-- > 0;)
        if (g_str_equal(((const VigieFileObject *)objects->pdata[i])->kind, "private-key"))
            g_ptr_array_remove_index(objects, i);
    g_autoptr(VigieRoots) roots = roots_of(objects);
    g_autoptr(GPtrArray) responses = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    if (rest.size)
        g_ptr_array_add(responses, g_bytes_new(rest.data, rest.size));
    const VigieFetcher fetcher = {
        .fetch = fetch_nothing, .data = &rest, .timeout_ms = 1000, .total_ms = 1000};
    const VigieVerification asked = {.roots = roots,
                                     .objects = objects,
                                     .ocsp = responses,
                                     .purpose = "any",
                                     .at = 1795292110,
                                     .online = size % 2 ? &fetcher : NULL};
    g_autoptr(json_t) answer = x509_verify(&asked, NULL);
    return 0;
}
