#include "document/paper.h"

#include <string.h>

/* The number after the last `key` of the file, as "/Root 12 0 R". 0: none. */
static guint64 last_number(const GByteArray *pdf, const char *key) {
    size_t size = strlen(key);
    for (size_t at = pdf->len < size ? 0 : pdf->len - size; at > 0; at--)
        if (memcmp(pdf->data + at, key, size) == 0)
            return g_ascii_strtoull((const char *)pdf->data + at + size, NULL, 10);
    return 0;
}

/* The dictionary of an object, without its brackets. */
static char *dictionary_of(const GByteArray *pdf, guint64 number) {
    g_autofree char *begin = g_strdup_printf("\n%" G_GUINT64_FORMAT " 0 obj\n<<", number);
    const char *at = memmem(pdf->data, pdf->len, begin, strlen(begin));
    const char *body = at ? at + strlen(begin) : NULL;
    const char *end =
        body ? memmem(body, (size_t)((const char *)pdf->data + pdf->len - body), ">>\nendobj", 9) : NULL;
    return end ? g_strndup(body, (size_t)(end - body)) : NULL;
}

GBytes *paper_with_language(GByteArray *pdf, VigieLang lang) {
    g_byte_array_append(pdf, (const guint8 *)"", 1); /* an end for strtoull */
    guint64 root = last_number(pdf, "/Root "), size = last_number(pdf, "/Size "),
            info = last_number(pdf, "/Info ");
    guint64 before = last_number(pdf, "startxref\n");
    g_byte_array_set_size(pdf, pdf->len - 1);
    g_autofree char *catalogue = dictionary_of(pdf, root);
    if (root > 0 && size > 0 && before > 0 && catalogue) {
        guint at = pdf->len;
        g_autoptr(GString) update = g_string_new(NULL);
        g_string_append_printf(
            update,
            "%" G_GUINT64_FORMAT
            " 0 obj\n<<%s   /Lang (%s)\n   /MarkInfo << /Marked true >>\n   /ViewerPreferences << "
            "/DisplayDocTitle true >>\n>>\nendobj\n",
            root, catalogue, vigie_lang_code(lang));
        guint64 table = at + update->len;
        g_string_append_printf(
            update,
            "xref\n%" G_GUINT64_FORMAT " 1\n%010u 00000 n \ntrailer\n<< /Size %" G_GUINT64_FORMAT
            "\n   /Root %" G_GUINT64_FORMAT " 0 R\n   /Info %" G_GUINT64_FORMAT
            " 0 R\n   /Prev %" G_GUINT64_FORMAT "\n>>\nstartxref\n%" G_GUINT64_FORMAT "\n%%%%EOF\n",
            root, at, size, root, info, before, table);
        g_byte_array_append(pdf, (const guint8 *)update->str, (guint)update->len);
    }
    return g_bytes_new(pdf->data, pdf->len);
}
