#include "der-text.h"

#include <stdlib.h>
#include <string.h>

static void append_length(GByteArray *out, guint length) {
    guint8 octets[4];
    guint count = 0;
    if (length >= 0x80) {
        for (guint rest = length; rest > 0; rest >>= 8)
            count++;
        octets[0] = (guint8)(0x80 | count);
        g_byte_array_append(out, octets, 1);
        for (guint i = 0; i < count; i++)
            octets[i] = (guint8)(length >> (8 * (count - 1 - i)));
    } else {
        octets[0] = (guint8)length;
        count = 1;
    }
    g_byte_array_append(out, octets, count);
}

static GByteArray *parse(const char **text) {
    GByteArray *out = g_byte_array_new();
    while (**text && **text != '}') {
        if (**text == ' ') {
            (*text)++;
        } else if (**text == '\'') {
            const char *end = strchr(*text + 1, '\'');
            g_byte_array_append(out, (const guint8 *)*text + 1, (guint)(end - *text - 1));
            *text = end + 1;
        } else if (**text == '{') {
            (*text)++;
            g_autoptr(GByteArray) inner = parse(text);
            append_length(out, inner->len);
            g_byte_array_append(out, inner->data, inner->len);
            g_assert_cmpint(**text, ==, '}');
            (*text)++;
        } else {
            char digits[3] = {(*text)[0], (*text)[1], '\0'};
            guint8 octet = (guint8)strtoul(digits, NULL, 16);
            g_assert_true(g_ascii_isxdigit(digits[0]) && g_ascii_isxdigit(digits[1]));
            g_byte_array_append(out, &octet, 1);
            *text += 2;
        }
    }
    return out;
}

GByteArray *der_text(const char *text) {
    GByteArray *out = parse(&text);
    g_assert_cmpint(*text, ==, '\0');
    return out;
}
