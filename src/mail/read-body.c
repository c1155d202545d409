/* Bodies: transfer encodings, character sets, format=flowed; and names of files. */
#include "mail/read-parts.h"

#include <string.h>

/* ---- Transfer encodings ---- */
static GMimeContentEncoding encoding_of(const Part *part) {
    g_autofree char *raw = field_find(part->header, "Content-Transfer-Encoding");
    if (!raw)
        return GMIME_CONTENT_ENCODING_DEFAULT;
    raw[strcspn(raw, " \t;(")] = '\0';
    return g_mime_content_encoding_from_string(raw);
}

static bool base64_clean(VigieBytes body) {
    for (size_t i = 0; i < body.size; i++)
        if (!g_ascii_isalnum(body.data[i]) && !memchr("+/=\r\n \t", body.data[i], 7))
            return false;
    return true;
}

GByteArray *body_decode(Reading *reading, const Part *part, size_t most) {
    GMimeContentEncoding encoding = encoding_of(part);
    VigieBytes body = part->body;
    GByteArray *out = g_byte_array_new();
    bool encoded = encoding == GMIME_CONTENT_ENCODING_BASE64 ||
                   encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE ||
                   encoding == GMIME_CONTENT_ENCODING_UUENCODE;
    if (!encoded) {
        g_byte_array_append(out, body.data, (guint)MIN(body.size, most));
        return out;
    }
    if (encoding == GMIME_CONTENT_ENCODING_BASE64 && !base64_clean(body))
        reading_problem(reading, "broken-encoding");
    GMimeEncoding state;
    g_mime_encoding_init_decode(&state, encoding);
    enum { PIECE = 64 << 10 };
    for (size_t at = 0; at < body.size && out->len < most; at += PIECE) {
        size_t piece = MIN(body.size - at, (size_t)PIECE);
        guint had = out->len;
        g_byte_array_set_size(out, had + (guint)g_mime_encoding_outlen(&state, piece));
        size_t got =
            g_mime_encoding_step(&state, (const char *)body.data + at, piece, (char *)out->data + had);
        g_byte_array_set_size(out, had + (guint)got);
    }
    g_byte_array_set_size(out, (guint)MIN((size_t)out->len, most));
    return out;
}

/* ---- Character sets ---- */
/* Zero bytes become a control character like others, which clean_text leaves out, instead of the text's end. */
static char *without_nul(char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\0')
            text[i] = '\1';
    return text;
}

/* NULL where the bytes are not of that set, or the set is unknown. A name with a slash asks iconv for more. */
static char *convert(const char *bytes, size_t size, const char *charset) {
    if (!*charset || strlen(charset) > 40 || strchr(charset, '/'))
        return NULL;
    const char *known = g_mime_charset_iconv_name(charset);
    gsize written = 0;
    char *text = g_convert(bytes, (gssize)size, "UTF-8", known ? known : charset, NULL, &written, NULL);
    return text ? without_nul(text, written) : NULL;
}

/* What is not what it says is most often UTF-8, else what Windows writes in western Europe. */
static char *to_utf8(Reading *reading, const char *bytes, size_t size, const char *charset) {
    bool plain = !*charset || g_ascii_strcasecmp(charset, "us-ascii") == 0;
    bool utf8 = g_ascii_strcasecmp(charset, "utf-8") == 0 || g_ascii_strcasecmp(charset, "utf8") == 0;
    char *converted = plain || utf8 ? NULL : convert(bytes, size, charset);
    if (converted)
        return converted;
    g_autofree char *same = without_nul(g_memdup2(bytes, size + 1), size);
    same[size] = '\0';
    bool valid = g_utf8_validate(same, -1, NULL);
    if (*charset && !(valid && (plain || utf8)))
        reading_problem(reading, "charset");
    if (valid)
        return g_steal_pointer(&same);
    converted = utf8 ? NULL : convert(bytes, size, "windows-1252");
    return converted ? converted : g_utf8_make_valid(same, -1);
}

/* ---- format=flowed, RFC 3676 4.2 ---- */
static unsigned quote_depth(const char *line) {
    return (unsigned)strspn(line, ">");
}

static char *unflow(char *text, bool delsp) {
    GString *out = g_string_sized_new(strlen(text));
    bool joining = false;
    unsigned depth = 0;
    for (char *line = text; line && *line;) {
        char *next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        unsigned quotes = quote_depth(line);
        const char *words = line + quotes + (line[quotes] == ' ');
        bool signature = strcmp(words, "-- ") == 0;
        if (joining && (quotes != depth || signature)) {
            g_string_append_c(out, '\n');
            joining = false;
        }
        if (!joining)
            g_string_append_printf(out, "%.*s%s", (int)MIN(quotes, 100), line, quotes ? " " : "");
        size_t size = strlen(words);
        bool soft = size > 0 && words[size - 1] == ' ' && !signature;
        g_string_append_len(out, words, (gssize)(size - (soft && delsp)));
        if (!soft)
            g_string_append_c(out, '\n');
        joining = soft;
        depth = quotes;
        line = next;
    }
    return g_string_free(out, FALSE);
}

static char *normal_lines(const char *text) {
    GString *out = g_string_sized_new(strlen(text));
    for (const char *p = text; *p; p++)
        if (*p != '\r')
            g_string_append_c(out, *p);
        else if (p[1] != '\n')
            g_string_append_c(out, '\n');
    return g_string_free(out, FALSE);
}

char *body_text(Reading *reading, const Part *part) {
    g_autoptr(GByteArray) bytes = body_decode(reading, part, (size_t)2 * MAIL_READ_TEXT);
    g_byte_array_append(bytes, (const guint8 *)"", 1); /* room for the end of a string */
    g_autofree char *charset = g_ascii_strdown(part_parameter(part, "charset"), -1);
    g_autofree char *converted = to_utf8(reading, (const char *)bytes->data, bytes->len - 1, charset);
    g_autofree char *lines = normal_lines(converted);
    bool flowed = g_ascii_strcasecmp(part_parameter(part, "format"), "flowed") == 0;
    bool delsp = g_ascii_strcasecmp(part_parameter(part, "delsp"), "yes") == 0;
    g_autofree char *text = flowed ? unflow(lines, delsp) : g_steal_pointer(&lines);
    return clean_text(text, strlen(text), true);
}

/* ---- Names ---- */
enum { NAME_MAX_BYTES = 120 };

static bool harmless(gunichar c) {
    return !g_unichar_iscntrl(c) && !g_unichar_iszerowidth(c) && g_unichar_isprint(c) &&
           !(c < 128 && strchr("<>:\"/\\|?*%", (int)c)) && !(c >= 0x202A && c <= 0x202E) &&
           !(c >= 0x2066 && c <= 0x2069);
}

/* Names that mean a device to Windows, whatever their extension. */
static bool is_device(const char *name) {
    static const char *const devices[] = {"con", "prn", "aux", "nul", "com", "lpt"};
    size_t stem = strcspn(name, ".");
    for (size_t i = 0; i < G_N_ELEMENTS(devices); i++)
        if (g_ascii_strncasecmp(name, devices[i], 3) == 0 &&
            (stem == 3 || (stem == 4 && i >= 4 && g_ascii_isdigit(name[3]))))
            return true;
    return false;
}

/* The end that tells its type survives. */
static void shorten(GString *name) {
    if (name->len <= NAME_MAX_BYTES)
        return;
    const char *dot = strrchr(name->str, '.');
    g_autofree char *extension = g_strdup(dot && strlen(dot) <= 12 ? dot : "");
    size_t keep = NAME_MAX_BYTES - strlen(extension);
    while (keep > 0 && (name->str[keep] & 0xC0) == 0x80)
        keep--;
    g_string_truncate(name, keep);
    g_string_append(name, extension);
}

char *harmless_name(const char *told, const char *fallback) {
    g_autofree char *valid = g_utf8_make_valid(told ? told : "", -1);
    const char *base = valid;
    for (const char *p = valid; *p; p++)
        if (*p == '/' || *p == '\\')
            base = p + 1;
    g_autoptr(GString) out = g_string_new(NULL);
    for (const char *p = base; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (g_unichar_isspace(c))
            c = ' ';
        if (harmless(c))
            g_string_append_unichar(out, c);
        else if (c < 128 && !g_ascii_iscntrl((char)c))
            g_string_append_c(out, '_');
    }
    g_strstrip(out->str);
    g_string_truncate(out, strlen(out->str));
    while (out->len > 0 && strchr(". ", out->str[out->len - 1]))
        g_string_truncate(out, out->len - 1);
    while (out->len > 0 && strchr(". -~", out->str[0]))
        g_string_erase(out, 0, 1);
    shorten(out);
    if (is_device(out->str))
        g_string_prepend_c(out, '_');
    return g_strdup(out->len > 0 ? out->str : fallback);
}
