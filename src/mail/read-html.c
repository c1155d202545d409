/* HTML as plain text. Not a browser: what it cannot make sense of it leaves out, in one pass, in bounded memory. */
#include "mail/read-parts.h"

#include <string.h>

/* What is said of an element, by name. */
typedef enum {
    BREAK = 1,     /* begins a new line */
    PARAGRAPH = 2, /* an empty line around it */
    HIDDEN = 4,    /* nothing of what it holds is text */
    ITEM = 8,      /* a list's */
    CELL = 16,
} Effect;

static const struct {
    const char *name;
    unsigned effect;
} elements[] = {
    {"br", BREAK},        {"tr", BREAK},      {"div", BREAK},
    {"li", BREAK | ITEM}, {"p", PARAGRAPH},   {"h1", PARAGRAPH},
    {"h2", PARAGRAPH},    {"h3", PARAGRAPH},  {"h4", PARAGRAPH},
    {"ul", BREAK},        {"ol", BREAK},      {"table", PARAGRAPH},
    {"pre", PARAGRAPH},   {"hr", PARAGRAPH},  {"blockquote", PARAGRAPH},
    {"section", BREAK},   {"article", BREAK}, {"header", BREAK},
    {"footer", BREAK},    {"address", BREAK}, {"td", CELL},
    {"th", CELL},         {"script", HIDDEN}, {"style", HIDDEN},
    {"head", HIDDEN},     {"title", HIDDEN},  {"template", HIDDEN},
    {"noscript", HIDDEN}, {"object", HIDDEN}, {"svg", HIDDEN},
};

/* The references that mails in French and English hold; others stay as they are written. */
static const struct {
    const char *name;
    gunichar character;
} references[] = {
    {"amp", '&'},      {"lt", '<'},       {"gt", '>'},        {"quot", '"'},     {"apos", '\''},
    {"nbsp", 0xA0},    {"laquo", 0xAB},   {"raquo", 0xBB},    {"copy", 0xA9},    {"reg", 0xAE},
    {"deg", 0xB0},     {"middot", 0xB7},  {"agrave", 0xE0},   {"acirc", 0xE2},   {"ccedil", 0xE7},
    {"egrave", 0xE8},  {"eacute", 0xE9},  {"ecirc", 0xEA},    {"euml", 0xEB},    {"icirc", 0xEE},
    {"iuml", 0xEF},    {"ocirc", 0xF4},   {"ugrave", 0xF9},   {"ucirc", 0xFB},   {"uuml", 0xFC},
    {"Agrave", 0xC0},  {"Acirc", 0xC2},   {"Ccedil", 0xC7},   {"Egrave", 0xC8},  {"Eacute", 0xC9},
    {"Ecirc", 0xCA},   {"Ocirc", 0xD4},   {"oelig", 0x153},   {"OElig", 0x152},  {"euro", 0x20AC},
    {"ndash", 0x2013}, {"mdash", 0x2014}, {"lsquo", 0x2018},  {"rsquo", 0x2019}, {"ldquo", 0x201C},
    {"rdquo", 0x201D}, {"bull", 0x2022},  {"hellip", 0x2026}, {"rarr", 0x2192},  {"thinsp", 0x2009},
};

typedef struct {
    GString *out;
    unsigned breaks; /* line ends at the end of `out` */
    bool space;      /* a space is due before the next word */
    bool preformatted;
    const char *hidden; /* the element whose end is waited for */
    GString *link;      /* where the link leads that is open */
    size_t link_start;
} Html;

/* ---- Writing ---- */
static void new_line(Html *html, unsigned wanted) {
    html->space = false;
    while (html->out->len > 0 && html->breaks < wanted) {
        g_string_append_c(html->out, '\n');
        html->breaks++;
    }
}

static void put(Html *html, gunichar c) {
    bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (html->preformatted && c == '\n') {
        g_string_append_c(html->out, '\n');
        html->breaks++;
        return;
    }
    if (blank && !html->preformatted) {
        html->space = html->out->len > 0 && html->breaks == 0;
        return;
    }
    if (html->space)
        g_string_append_c(html->out, ' ');
    html->space = false;
    html->breaks = 0;
    g_string_append_unichar(html->out, c);
}

static gunichar numeric(const char *digits, size_t size) {
    bool hexadecimal = size > 1 && (digits[0] == 'x' || digits[0] == 'X');
    guint64 value = g_ascii_strtoull(digits + hexadecimal, NULL, hexadecimal ? 16 : 10);
    bool sane = value >= ' ' && value <= 0x10FFFF && g_unichar_validate((gunichar)value) &&
                !g_unichar_iscntrl((gunichar)value);
    return sane ? (gunichar)value : 0;
}

/* After '&': how many bytes the reference takes, its ';' included; 0: it is none. */
static size_t reference(const char *at, gunichar *ret_character) {
    size_t size = strcspn(at, ";<& \n");
    if (size == 0 || size > 10 || at[size] != ';')
        return 0;
    *ret_character = at[0] == '#' ? numeric(at + 1, size - 1) : 0;
    for (size_t i = 0; at[0] != '#' && i < G_N_ELEMENTS(references); i++)
        if (strlen(references[i].name) == size && strncmp(references[i].name, at, size) == 0)
            *ret_character = references[i].character;
    return *ret_character ? size + 1 : 0;
}

/* ---- Tags ---- */
/* The value of href within a tag, bounded. */
static void read_link(Html *html, const char *tag, size_t size) {
    g_autofree char *text = g_strndup(tag, size);
    const char *at = strcasestr(text, "href");
    at = at ? at + 4 + strspn(at + 4, " \t\r\n") : NULL;
    if (!at || *at != '=')
        return;
    at += 1 + strspn(at + 1, " \t\r\n");
    char quote = *at == '"' || *at == '\'' ? *at++ : '\0';
    size_t length = quote ? strcspn(at, (char[]){quote, '\0'}) : strcspn(at, " \t\r\n>");
    g_string_truncate(html->link, 0);
    for (size_t i = 0; i < MIN(length, (size_t)2000); i++)
        if (at[i] == '&' && g_str_has_prefix(at + i, "&amp;")) {
            g_string_append_c(html->link, '&');
            i += 4;
        } else if ((unsigned char)at[i] > ' ') {
            g_string_append_c(html->link, at[i]);
        }
    html->link_start = html->out->len;
}

/* Where it leads is what a reader has to judge: said where the words do not say it. */
static void end_link(Html *html) {
    bool web = g_ascii_strncasecmp(html->link->str, "http", 4) == 0 ||
               g_ascii_strncasecmp(html->link->str, "ftp", 3) == 0;
    size_t start = MIN(html->link_start, html->out->len);
    if (web && !strstr(html->out->str + start, html->link->str)) {
        g_string_append_printf(html->out, " <%s>", html->link->str);
        html->breaks = 0;
    }
    g_string_truncate(html->link, 0);
}

static void apply(Html *html, unsigned effect, bool closing) {
    if (effect & PARAGRAPH)
        new_line(html, 2);
    if (effect & BREAK)
        new_line(html, 1);
    if (effect & ITEM && !closing) {
        put(html, '-');
        put(html, ' ');
        html->space = true;
    }
    if (effect & CELL && !closing)
        put(html, ' ');
}

static void handle_tag(Html *html, const char *tag, size_t size) {
    bool closing = size > 0 && tag[0] == '/';
    const char *name = tag + closing;
    size_t length = 0;
    while (length < size - closing && length < 12 && g_ascii_isalnum(name[length]))
        length++;
    if (length == 3 && g_ascii_strncasecmp(name, "pre", 3) == 0)
        html->preformatted = !closing;
    if (length == 1 && g_ascii_tolower(name[0]) == 'a') {
        if (html->link->len > 0)
            end_link(html);
        if (!closing)
            read_link(html, tag, size);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(elements); i++)
        if (strlen(elements[i].name) == length && g_ascii_strncasecmp(elements[i].name, name, length) == 0) {
            if (elements[i].effect & HIDDEN)
                html->hidden = closing || (size > 0 && tag[size - 1] == '/') ? NULL : elements[i].name;
            apply(html, elements[i].effect, closing);
        }
}

/* The '>' that ends the tag: not one within quotes, as long as the quotes end. */
static const char *tag_end(const char *tag) {
    char quote = '\0';
    for (const char *p = tag; *p && p - tag < 8192; p++) {
        if (quote ? *p == quote : (*p == '"' || *p == '\'')) {
            quote = quote ? '\0' : *p;
        } else if (!quote && *p == '>') {
            return p;
        }
    }
    return strchr(tag, '>');
}

/* At '<': where reading goes on. */
static const char *markup(Html *html, const char *at) {
    if (g_str_has_prefix(at, "<!--")) {
        const char *end = strstr(at + 4, "-->");
        return end ? end + 3 : at + strlen(at);
    }
    if (!g_ascii_isalpha(at[1]) && !strchr("/!?", at[1])) {
        if (!html->hidden)
            put(html, '<');
        return at + 1;
    }
    const char *end = tag_end(at + 1);
    if (!end)
        return at + strlen(at);
    handle_tag(html, at + 1, (size_t)(end - at - 1));
    return end + 1;
}

/* Within script and the like nothing is markup but its own end. */
static const char *skip_hidden(Html *html, const char *at) {
    g_autofree char *end = g_strconcat("</", html->hidden, NULL);
    const char *found = strcasestr(at, end);
    html->hidden = NULL;
    const char *close = found ? strchr(found, '>') : NULL;
    return close ? close + 1 : at + strlen(at);
}

char *html_to_text(const char *source) {
    Html html = {.out = g_string_new(NULL), .link = g_string_new(NULL)};
    for (const char *at = source; *at;) {
        gunichar character = 0;
        size_t taken = 0;
        if (html.hidden) {
            at = skip_hidden(&html, at);
        } else if (*at == '<') {
            at = markup(&html, at);
        } else if (*at == '&' && (taken = reference(at + 1, &character)) > 0) {
            put(&html, character == 0xA0 ? ' ' : character);
            at += 1 + taken;
        } else {
            put(&html, g_utf8_get_char(at));
            at = g_utf8_next_char(at);
        }
    }
    if (html.link->len > 0)
        end_link(&html);
    g_string_free(html.link, TRUE);
    g_strchomp(html.out->str);
    return g_string_free(html.out, FALSE);
}
