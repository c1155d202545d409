#include "base/base.h"

void vigie_json_append_string(GString *out, const char *text, size_t size) {
    g_string_append_c(out, '"');
    const char *end = text + size;
    while (text < end) {
        const char *run = text;
        while (text < end && (unsigned char)*text >= 0x20 && (unsigned char)*text < 0x7f && *text != '"' &&
               *text != '\\')
            text++;
        g_string_append_len(out, run, text - run);
        if (text == end)
            break;
        if ((unsigned char)*text < 0x80) {
            if (*text == '"' || *text == '\\')
                g_string_append_printf(out, "\\%c", *text);
            else
                g_string_append_printf(out, "\\u%04x", (unsigned char)*text);
            text++;
            continue;
        }
        gunichar c = g_utf8_get_char_validated(text, end - text);
        if (c == (gunichar)-1 || c == (gunichar)-2) {
            g_string_append(out, "\uFFFD");
            text++;
            continue;
        }
        const char *next = g_utf8_next_char(text);
        g_string_append_len(out, text, next - text);
        text = next;
    }
    g_string_append_c(out, '"');
}

VigieBytes vigie_bytes_view(GBytes *bytes) {
    gsize size = 0;
    const void *data = bytes ? g_bytes_get_data(bytes, &size) : NULL;
    return vigie_bytes(size > 0 ? data : "", size);
}

char *vigie_hex_text(VigieBytes bytes) {
    static const char digits[] = "0123456789abcdef";
    char *text = g_malloc(2 * bytes.size + 1);
    for (size_t i = 0; i < bytes.size; i++) {
        text[2 * i] = digits[bytes.data[i] >> 4];
        text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    text[2 * bytes.size] = '\0';
    return text;
}

char *vigie_json_text(const json_t *value) {
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

const char *vigie_member(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

const char *vigie_member_text(const json_t *object, const char *name) {
    const char *text = vigie_member(object, name);
    return text ? text : "";
}

char *vigie_text_fold(const char *text) {
    g_autofree char *apart = g_utf8_normalize(text, -1, G_NORMALIZE_ALL);
    if (!apart)
        return g_ascii_strdown(text, -1);
    g_autofree char *folded = g_utf8_casefold(apart, -1);
    GString *out = g_string_sized_new(64);
    for (const char *at = folded; *at; at = g_utf8_next_char(at))
        if (!g_unichar_ismark(g_utf8_get_char(at)))
            g_string_append_unichar(out, g_utf8_get_char(at));
    return g_string_free(out, FALSE);
}
