/* A form with files from a stranger: decoded the same however it is cut. The first line is the Content-Type. */
#include "portal/multipart.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    bool whole;
    GHashTable *form;
    GPtrArray *uploads;
} Decoded;

static Decoded decode(VigieBytes type, VigieBytes body, size_t step) {
    Decoded decoded = {.form = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
    g_autoptr(Multipart) multipart = multipart_new(type, 1000);
    unsigned status = 0;
    const char *why = NULL;
    bool well = multipart != NULL;
    for (size_t at = 0; well && at < body.size; at += step)
        well =
            multipart_feed(multipart, vigie_bytes(body.data + at, MIN(step, body.size - at)), &status, &why);
    if (multipart && !well && (status < 400 || !why))
        abort();
    decoded.whole = well && multipart_end(multipart);
    if (decoded.whole)
        decoded.uploads = multipart_take(multipart, decoded.form);
    return decoded;
}

static void check_uploads(const GPtrArray *uploads) {
    for (guint i = 0; i < uploads->len; i++) {
        const Upload *upload = g_ptr_array_index(uploads, i);
        if (!*upload->name || *upload->name == '.' || strpbrk(upload->name, "/\\\"\r\n") || !*upload->field ||
            !g_utf8_validate(upload->name, -1, NULL) ||
            g_utf8_strlen(upload->name, -1) > MULTIPART_NAME_MAX || g_bytes_get_size(upload->bytes) > 1000)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *line = size > 0 ? memchr(data, '\n', size) : NULL;
    if (!line)
        return 0;
    VigieBytes type = vigie_bytes(data, (size_t)(line - data));
    VigieBytes body = vigie_bytes(line + 1, size - type.size - 1);
    Decoded once = decode(type, body, MAX(body.size, 1)), cut = decode(type, body, 3);
    if (once.whole != cut.whole || g_hash_table_size(once.form) != g_hash_table_size(cut.form))
        abort();
    if (once.whole) {
        check_uploads(once.uploads);
        if (once.uploads->len != cut.uploads->len)
            abort();
        g_ptr_array_unref(once.uploads);
        g_ptr_array_unref(cut.uploads);
    }
    g_hash_table_unref(once.form);
    g_hash_table_unref(cut.form);
    return 0;
}
