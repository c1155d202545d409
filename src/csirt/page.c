/* A page that people read, for the addresses and numbers on it: reduced to its text and its links, nothing of it is ever
 * shown or run. */
#include "csirt/lookup.h"

#include <string.h>

enum {
    PAGE_MAX = 1024 * 1024,
    TEXT_MAX = 256 * 1024,
    LINKS_MAX = 200,
    LINK_MAX = 2048,
    TAG_MAX = 8192,
    CONTEXT_BYTES = 90,
    ENTITY_MAX = 12
};

typedef struct {
    const char *at, *end;
    GString *text;
    json_t *contacts, *links, *rules;
    GUri *base;
    char *href;       /* of the link that is open */
    gsize link_start; /* where its text begins */
} Page;

/* ---- Text ---- */
static const struct {
    const char *name;
    gunichar c;
} entities[] = {
    {"amp", '&'},      {"lt", '<'},      {"gt", '>'},      {"quot", '"'},    {"apos", '\''},
    {"nbsp", ' '},     {"commat", '@'},  {"period", '.'},  {"lpar", '('},    {"rpar", ')'},
    {"lsqb", '['},     {"rsqb", ']'},    {"eacute", 0xE9}, {"egrave", 0xE8}, {"ecirc", 0xEA},
    {"agrave", 0xE0},  {"ccedil", 0xE7}, {"ocirc", 0xF4},  {"icirc", 0xEE},  {"ugrave", 0xF9},
    {"rsquo", 0x2019}, {"hyphen", '-'},  {"lowbar", '_'},  {"plus", '+'},
};

static gunichar numeric(const char *text) {
    bool hex = *text == 'x' || *text == 'X';
    char *end = NULL;
    guint64 value = g_ascii_strtoull(text + (hex ? 1 : 0), &end, hex ? 16 : 10);
    return *end == '\0' && value >= 32 && value < 0x110000 && g_unichar_validate((gunichar)value)
               ? (gunichar)value
               : 0;
}

/* The character at `*at` ("&commat;", "&#64;" or what stands there), and past it. */
static gunichar next_char(const char **at, const char *end) {
    const char *start = *at;
    *at = g_utf8_next_char(start);
    if (*start != '&')
        return g_utf8_get_char(start);
    size_t room = MIN((size_t)(end - start - 1), ENTITY_MAX);
    const char *semicolon = memchr(start + 1, ';', room);
    if (!semicolon)
        return '&';
    g_autofree char *name = g_strndup(start + 1, (size_t)(semicolon - start - 1));
    gunichar c = *name == '#' ? numeric(name + 1) : 0;
    for (size_t i = 0; !c && i < G_N_ELEMENTS(entities); i++)
        if (strcmp(name, entities[i].name) == 0)
            c = entities[i].c;
    if (c)
        *at = semicolon + 1;
    return c ? c : '&';
}

static void put_char(Page *page, gunichar c) {
    GString *text = page->text;
    bool space = g_unichar_isspace(c) || c == 0xAD || c == 0x200B;
    if (text->len >= TEXT_MAX || (space && (text->len == 0 || text->str[text->len - 1] == ' ')))
        return;
    g_string_append_unichar(text, space ? ' ' : c);
}

static void put_space(Page *page) {
    put_char(page, ' ');
}

static char *decoded(const char *text, size_t size) {
    GString *out = g_string_new(NULL);
    const char *end = text + size;
    while (text < end)
        g_string_append_unichar(out, next_char(&text, end));
    return g_string_free(out, FALSE);
}

/* ---- Contacts ---- */
/* What stands around [start, end) of the text, cut at characters. */
static char *context_of(const GString *text, gsize start, gsize end) {
    const char *from = text->str + (start > CONTEXT_BYTES ? start - CONTEXT_BYTES : 0);
    const char *to = text->str + MIN(end + CONTEXT_BYTES, text->len);
    while (from < text->str + start && ((guchar)*from & 0xC0) == 0x80)
        from++;
    while (to > text->str + end && ((guchar)*to & 0xC0) == 0x80)
        to--;
    return g_strstrip(g_strndup(from, (gsize)(to - from)));
}

static void add(Page *page, const char *kind, const char *value, gsize start, gsize end, bool hidden) {
    g_autofree char *context = context_of(page->text, start, end);
    bool security =
        lookup_speaks_of_security(page->rules, context) || lookup_speaks_of_security(page->rules, value);
    lookup_add(page->contacts, json_pack("{s:s, s:s, s:s, s:b, s:b}", "kind", kind, "value", value, "context",
                                         context, "hidden", hidden, "security", security));
}

static void add_mail(Page *page, const char *text, gsize start, gsize end, bool hidden) {
    g_autofree char *address = mail_address(text, NULL);
    if (address && !strpbrk(address, "<>\"(),; "))
        add(page, "mail", address, start, end, hidden);
}

static void add_phone(Page *page, const char *text, gsize start, gsize end) {
    g_autofree char *number = lookup_phone(text);
    if (number)
        add(page, "phone", number, start, end, false);
}

/* ---- Links ---- */
static void keep_link(Page *page, const char *href, const char *text) {
    if (json_array_size(page->links) >= LINKS_MAX || !page->base)
        return;
    g_autoptr(GUri) uri = g_uri_parse_relative(page->base, href, G_URI_FLAGS_ENCODED, NULL);
    const char *scheme = uri ? g_uri_get_scheme(uri) : "";
    if (g_ascii_strcasecmp(scheme, "https") != 0 && g_ascii_strcasecmp(scheme, "http") != 0)
        return;
    g_autofree char *url = g_uri_to_string_partial(uri, G_URI_HIDE_FRAGMENT | G_URI_HIDE_USERINFO);
    json_array_append_new(page->links, json_pack("{s:s, s:s}", "url", url, "text", text));
}

/* At </a>: what its text says is the context of the address in it. */
static void close_link(Page *page) {
    g_autofree char *href = g_steal_pointer(&page->href);
    if (!href)
        return;
    gsize start = MIN(page->link_start, page->text->len), end = page->text->len;
    g_autofree char *text = g_strstrip(g_strndup(page->text->str + start, end - start));
    if (g_ascii_strncasecmp(href, "mailto:", 7) == 0) {
        g_autofree char *bare = g_strndup(href + 7, strcspn(href + 7, "?"));
        g_autofree char *plain = g_uri_unescape_string(bare, NULL);
        add_mail(page, plain ? plain : bare, start, end, false);
    } else if (g_ascii_strncasecmp(href, "tel:", 4) == 0) {
        g_autofree char *plain = g_uri_unescape_string(href + 4, NULL);
        add_phone(page, plain ? plain : href + 4, start, end);
    } else {
        keep_link(page, href, text);
    }
}

/* A common way to hide an address from programs: the first octet is added (exclusive or) to each of the others. */
static void read_masked(Page *page, const char *hex) {
    char plain[256] = "";
    size_t size = strlen(hex) / 2;
    for (size_t i = 1; i < size && i < sizeof plain; i++) {
        int c = (g_ascii_xdigit_value(hex[0]) ^ g_ascii_xdigit_value(hex[2 * i])) << 4 |
                (g_ascii_xdigit_value(hex[1]) ^ g_ascii_xdigit_value(hex[2 * i + 1]));
        if (c <= 32 || c > 126)
            return;
        plain[i - 1] = (char)c;
    }
    add_mail(page, plain, page->text->len, page->text->len, true);
}

/* ---- Tags ---- */
/* The value of an attribute within a tag's text, decoded; NULL where it is not there. */
static char *attribute(const char *tag, const char *name) {
    size_t size = strlen(name);
    for (const char *at = tag; (at = strchr(at, '=')); at++) {
        const char *end = at;
        while (end > tag && g_ascii_isspace(end[-1]))
            end--;
        if ((size_t)(end - tag) <= size || g_ascii_strncasecmp(end - size, name, size) != 0 ||
            !g_ascii_isspace(end[-(ptrdiff_t)size - 1]))
            continue;
        const char *value = at + 1 + strspn(at + 1, " \t\r\n");
        char quote = *value == '"' || *value == '\'' ? *value++ : '\0';
        const char stops[] = {quote, '\0'};
        size_t length = quote ? strcspn(value, stops) : strcspn(value, " \t\r\n>");
        g_autofree char *text = decoded(value, MIN(length, LINK_MAX));
        return g_strdup(g_strstrip(text));
    }
    return NULL;
}

static bool is_tag(const char *tag, const char *name) {
    size_t size = strlen(name);
    return g_ascii_strncasecmp(tag, name, size) == 0 && !g_ascii_isalnum(tag[size]);
}

/* Past the end of an element whose content is no text for people. */
static void skip_element(Page *page, const char *name) {
    size_t size = strlen(name);
    for (; page->at + 2 + size < page->end; page->at++)
        if (page->at[0] == '<' && page->at[1] == '/' && is_tag(page->at + 2, name))
            return;
    page->at = page->end;
}

static void read_tag(Page *page, const char *tag) {
    static const char *const within_words[] = {"b",    "i",     "em",  "strong",  "span",  "a",
                                               "/b",   "/i",    "/em", "/strong", "/span", "/a",
                                               "font", "/font", "wbr", "u",       "/u"};
    static const char *const silent[] = {"script", "style", "template", "svg", "noscript"};
    bool breaks = true;
    for (size_t i = 0; i < G_N_ELEMENTS(within_words); i++)
        breaks = breaks && !is_tag(tag, within_words[i]);
    if (breaks)
        put_space(page);
    for (size_t i = 0; i < G_N_ELEMENTS(silent); i++)
        if (is_tag(tag, silent[i]))
            skip_element(page, silent[i]);
    g_autofree char *masked = attribute(tag, "data-cfemail");
    if (masked && strspn(masked, "0123456789abcdefABCDEF") == strlen(masked))
        read_masked(page, masked);
    if (is_tag(tag, "/a") || is_tag(tag, "a"))
        close_link(page);
    if (is_tag(tag, "a")) {
        page->href = attribute(tag, "href");
        page->link_start = page->text->len;
    }
}

static bool comment(Page *page) {
    if (page->end - page->at < 4 || memcmp(page->at, "<!--", 4) != 0)
        return false;
    const char *close = g_strstr_len(page->at + 4, page->end - page->at - 4, "-->");
    page->at = close ? close + 3 : page->end;
    return true;
}

/* At '<': a comment, a tag (quotes may hold '>'), or a sign of its own. */
static void read_markup(Page *page) {
    if (comment(page))
        return;
    const char *start = ++page->at;
    if (start < page->end && !g_ascii_isalpha(*start) && *start != '/' && *start != '!' && *start != '?') {
        put_char(page, '<');
        return;
    }
    char quote = '\0';
    const char *limit = MIN(page->end, start + TAG_MAX);
    for (; page->at < limit && (quote || *page->at != '>'); page->at++) {
        if (quote ? *page->at == quote : (*page->at == '"' || *page->at == '\''))
            quote = quote ? '\0' : *page->at;
    }
    g_autofree char *tag = g_strndup(start, (size_t)(page->at - start));
    while (page->at < page->end && ((guchar)*page->at & 0xC0) == 0x80)
        page->at++;
    if (page->at < page->end && *page->at == '>')
        page->at++;
    read_tag(page, tag);
}

/* ---- What the text holds ---- */
#define LOCAL "([A-Za-z0-9][A-Za-z0-9._%+-]{0,63})"
#define BRACKETED_AT " ?[\\[({<] ?(?:at|arobase|arobas|@|a) ?[\\])}>] ?"
#define SPOKEN_AT " (?:at|arobase|arobas) "
#define DOT "(?:\\.| ?[\\[({<] ?(?:dot|point|\\.) ?[\\])}>] ?| (?:dot|point) )"
#define SPOKEN_DOT "(?: ?[\\[({<] ?(?:dot|point) ?[\\])}>] ?| (?:dot|point) )"
#define LABEL "[A-Za-z0-9-]{1,63}"

static const struct {
    const char *pattern;
    bool hidden;
} patterns[] = {
    {LOCAL "@((?:" LABEL "\\.){1,5}[A-Za-z]{2,24})", false},
    {LOCAL "(?:" BRACKETED_AT "| arobase )((?:" LABEL DOT "){1,5}[A-Za-z]{2,24})\\b", true},
    {LOCAL SPOKEN_AT "((?:" LABEL SPOKEN_DOT "){1,5}[A-Za-z]{2,24})\\b", true},
};

/* "chu (point) fr" as "chu.fr". */
static char *domain_of(const char *text) {
    g_autoptr(GRegex) dots = g_regex_new(DOT, G_REGEX_CASELESS, 0, NULL);
    return g_regex_replace_literal(dots, text, -1, 0, ".", 0, NULL);
}

static void find_mails(Page *page) {
    for (size_t i = 0; i < G_N_ELEMENTS(patterns); i++) {
        g_autoptr(GRegex) regex =
            g_regex_new(patterns[i].pattern, G_REGEX_CASELESS | G_REGEX_OPTIMIZE, 0, NULL);
        g_autoptr(GMatchInfo) match = NULL;
        g_regex_match(regex, page->text->str, 0, &match);
        for (; g_match_info_matches(match); g_match_info_next(match, NULL)) {
            gint start = 0, end = 0;
            g_match_info_fetch_pos(match, 0, &start, &end);
            g_autofree char *local = g_match_info_fetch(match, 1), *spoken = g_match_info_fetch(match, 2);
            g_autofree char *domain = domain_of(spoken);
            g_autofree char *address = g_strconcat(local, "@", domain, NULL);
            add_mail(page, address, (gsize)start, (gsize)end, patterns[i].hidden);
        }
    }
}

static void find_phones(Page *page) {
    g_autoptr(GRegex) regex = g_regex_new(
        "(?<![0-9A-Za-z.])(?:\\+[0-9]{1,3}(?: ?\\(0\\))?(?:[ .-]?[0-9]){6,12}|0[1-9](?:[ .-]?[0-9]{2}){4})"
        "(?![0-9])",
        G_REGEX_OPTIMIZE, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    g_regex_match(regex, page->text->str, 0, &match);
    for (; g_match_info_matches(match); g_match_info_next(match, NULL)) {
        gint start = 0, end = 0;
        g_match_info_fetch_pos(match, 0, &start, &end);
        g_autofree char *number = g_match_info_fetch(match, 0);
        add_phone(page, number, (gsize)start, (gsize)end);
    }
}

static void read_page(Page *page) {
    while (page->at < page->end) {
        if (*page->at == '<')
            read_markup(page);
        else
            put_char(page, next_char(&page->at, page->end));
    }
    close_link(page);
    find_mails(page);
    find_phones(page);
}

/* UTF-8, or else what browsers take a page without a word on it for. */
static char *as_text(VigieBytes bytes) {
    size_t size = MIN(bytes.size, PAGE_MAX);
    const char *start = (const char *)bytes.data;
    if (size == 0 || g_utf8_validate(start, (gssize)size, NULL))
        return g_strndup(size ? start : "", size);
    char *text = g_convert_with_fallback(start, (gssize)size, "UTF-8", "WINDOWS-1252", "?", NULL, NULL, NULL);
    if (text && strlen(text) > 0)
        return text;
    g_free(text);
    return g_utf8_make_valid(start, (gssize)size);
}

json_t *csirt_page_parse(VigieBytes html, const char *url, GError **error) {
    const json_t *rules = lookup_rules(error);
    if (!rules)
        return NULL;
    g_autofree char *text = as_text(html);
    g_autoptr(GString) reduced = g_string_new(NULL);
    g_autoptr(GUri) base = url ? g_uri_parse(url, G_URI_FLAGS_ENCODED, NULL) : NULL;
    Page page = {.at = text,
                 .end = text + strlen(text),
                 .text = reduced,
                 .contacts = json_array(),
                 .links = json_array(),
                 .rules = (json_t *)rules,
                 .base = base};
    read_page(&page);
    return json_pack("{s:o, s:o}", "contacts", page.contacts, "links", page.links);
}
