/* Plain text as RFC 3676 format=flowed: paragraphs wrapped at 72 columns, and what is indented left as it is.
 */
#include "mail/mail.h"

#include <string.h>

enum { COLUMNS = 72 };

static unsigned width_of(gunichar character) {
    if (g_unichar_iszerowidth(character))
        return 0;
    return g_unichar_iswide(character) ? 2 : 1;
}

static unsigned word_width(const char *word, const char *end) {
    unsigned width = 0;
    for (; word < end; word = g_utf8_next_char(word))
        width += width_of(g_utf8_get_char(word));
    return width;
}

/* RFC 3676 4.4: lines that begin so are stuffed with a space, which the reader's program removes. */
static bool wants_stuffing(const char *text) {
    return *text == ' ' || *text == '>' || g_str_has_prefix(text, "From ");
}

/* Breaks only at U+0020, never at the no-break spaces of French typography. */
static void append_paragraph(GString *out, const char *line, const char *end) {
    unsigned column = 0;
    while (line < end) {
        const char *space = memchr(line, ' ', (size_t)(end - line));
        const char *word_end = space ? space : end;
        unsigned width = word_width(line, word_end);
        if (column > 0 && column + 1 + width + 1 > COLUMNS) {
            g_string_append(out, " \n");
            column = 0;
        } else if (column > 0) {
            g_string_append_c(out, ' ');
            column++;
        }
        if (column == 0 && wants_stuffing(line))
            g_string_append_c(out, ' ');
        g_string_append_len(out, line, word_end - line);
        column += width;
        line = word_end;
        while (line < end && *line == ' ')
            line++;
    }
}

/* Control characters that a stranger's name may hold would act on the reader's terminal. */
static char *without_controls(const char *text) {
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_sized_new(strlen(valid));
    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (c == '\t')
            c = ' ';
        g_string_append_unichar(out, c != '\n' && g_unichar_iscntrl(c) ? 0xFFFD : c);
    }
    return g_string_free(out, FALSE);
}

char *mail_text_flow(const char *text) {
    g_autofree char *clean = without_controls(text);
    GString *out = g_string_sized_new(strlen(clean) + 64);
    for (const char *line = clean; *line;) {
        const char *newline = strchrnul(line, '\n');
        const char *end = newline;
        bool separator = end - line == 3 && memcmp(line, "-- ", 3) == 0;
        while (!separator && end > line && end[-1] == ' ')
            end--;
        if (separator || *line == ' ') {
            if (!separator && end > line)
                g_string_append_c(out, ' ');
            g_string_append_len(out, line, end - line);
        } else {
            append_paragraph(out, line, end);
        }
        g_string_append_c(out, '\n');
        line = *newline ? newline + 1 : newline;
    }
    return g_string_free(out, FALSE);
}
