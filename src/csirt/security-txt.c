/* security.txt, RFC 9116. Nothing that a site writes is refused whole: what is wrong is said line by line, so that the
 * site can be told, and what can still be used of it is there. */
#include "csirt/lookup.h"

#include <string.h>

enum {
    FILE_MAX = 32 * 1024, /* the sizes that RFC 9116 5.4 names */
    VALUE_MAX = 2048,
    FIELDS_MAX = 100,
    FAR_DAYS = 366,
    SOON_DAYS = 30,
    DAY = 86400
};

#define WELL_KNOWN "/.well-known/security.txt"

typedef enum { FIELD_WEB, FIELD_CONTACT, FIELD_KEY, FIELD_DATE, FIELD_LANGUAGES } FieldKind;

static const struct {
    const char *name; /* as the registry of IANA writes it */
    const char *member;
    FieldKind kind;
    bool once;
} fields[] = {
    {"Acknowledgments", "acknowledgments", FIELD_WEB, false},
    {"Bug-Bounty", "bug_bounty", FIELD_WEB, false},
    {"Canonical", "canonical", FIELD_WEB, false},
    {"Contact", "contacts", FIELD_CONTACT, false},
    {"CSAF", "csaf", FIELD_WEB, false},
    {"Encryption", "encryption", FIELD_KEY, false},
    {"Expires", "expires", FIELD_DATE, true},
    {"Hiring", "hiring", FIELD_WEB, false},
    {"Policy", "policy", FIELD_WEB, false},
    {"Preferred-Languages", "languages", FIELD_LANGUAGES, true},
};

static const char *const severities[] = {"info", "warning", "error"};
typedef enum { INFO, WARNING, ERROR } Severity;

typedef struct {
    json_t *result, *problems;
    const VigieTextSource *source;
    VigieTime now, expires;
    int64_t line;
    size_t field_count, expires_count, languages_count;
    bool broken; /* an error: what it says is not to be relied on */
} Parser;

static void tell(Parser *parser, const char *id, Severity severity, const char *value) {
    g_autofree char *key = g_strconcat("csirt.security-txt.", id, NULL);
    json_t *values = json_pack("{s:s}", "value", value ? value : "");
    json_t *line = parser->line ? json_integer(parser->line) : json_null();
    json_array_append_new(parser->problems,
                          json_pack("{s:s, s:s, s:o, s:s?, s:o}", "id", id, "severity", severities[severity],
                                    "line", line, "value", value, "text", csirt_sentences(key, values)));
    json_decref(values);
    parser->broken = parser->broken || severity == ERROR;
}

/* ---- Values ---- */
static void keep(Parser *parser, const char *member, json_t *value) {
    json_array_append_new(json_object_get(parser->result, member), value);
}

/* A web address must be https (RFC 9116 2.5); which other schemes there may be depends on the field. */
static bool check_web(Parser *parser, const char *value) {
    if (g_ascii_strncasecmp(value, "http://", 7) == 0) {
        tell(parser, "http", WARNING, value);
        return true;
    }
    g_autoptr(GUri) uri = g_uri_parse(value, G_URI_FLAGS_ENCODED, NULL);
    const char *host = uri ? g_uri_get_host(uri) : NULL; /* "https:chu.test" has none */
    if (host && *host && g_ascii_strcasecmp(g_uri_get_scheme(uri), "https") == 0)
        return true;
    tell(parser, "no-uri", WARNING, value);
    return false;
}

static json_t *contact_json(const char *kind, const char *value, const char *uri) {
    return json_pack("{s:s, s:s, s:s}", "kind", kind, "value", value, "uri", uri);
}

/* "mailto:a@b?subject=…" as the address alone. */
static bool keep_mail(Parser *parser, const char *text, const char *uri) {
    g_autofree char *bare = g_strndup(text, strcspn(text, "?"));
    g_autofree char *plain = g_uri_unescape_string(bare, NULL);
    g_autofree char *address = plain ? mail_address(plain, NULL) : NULL;
    if (!address)
        return false;
    keep(parser, "contacts", contact_json("mail", address, uri));
    return true;
}

static bool keep_phone(Parser *parser, const char *text, const char *uri) {
    g_autofree char *number = lookup_phone(text);
    if (!number)
        return false;
    keep(parser, "contacts", contact_json("phone", number, uri));
    return true;
}

static void read_contact(Parser *parser, const char *value) {
    bool bare_mail = strchr(value, '@') && !strchr(value, ':');
    if (g_ascii_strncasecmp(value, "mailto:", 7) == 0 || bare_mail) {
        if (bare_mail)
            tell(parser, "no-scheme", WARNING, value);
        if (!keep_mail(parser, bare_mail ? value : value + 7, value))
            tell(parser, "bad-mail", WARNING, value);
        return;
    }
    bool bare_phone = *value == '+' || g_ascii_isdigit(*value);
    if (g_ascii_strncasecmp(value, "tel:", 4) == 0 || bare_phone) {
        if (bare_phone)
            tell(parser, "no-scheme", WARNING, value);
        if (!keep_phone(parser, bare_phone ? value : value + 4, value))
            tell(parser, "bad-phone", WARNING, value);
        return;
    }
    if (check_web(parser, value))
        keep(parser, "contacts", contact_json("page", value, value));
}

/* An address at which a key is, a fingerprint, or a record in the DNS; never the key itself (RFC 9116 2.5.4). */
static void read_key(Parser *parser, const char *value) {
    if (strstr(value, "BEGIN PGP")) {
        tell(parser, "key-inline", WARNING, NULL);
        return;
    }
    if (g_ascii_strncasecmp(value, "openpgp4fpr:", 12) == 0) {
        size_t digits = strspn(value + 12, "0123456789abcdefABCDEF");
        if (value[12 + digits] || (digits != 40 && digits != 64)) {
            tell(parser, "bad-fingerprint", WARNING, value);
            return;
        }
    } else if (g_ascii_strncasecmp(value, "dns:", 4) != 0 && !check_web(parser, value)) {
        return;
    }
    keep(parser, "encryption", json_string(value));
}

static void read_date(Parser *parser, const char *value) {
    VigieTime time = 0;
    if (++parser->expires_count > 1) {
        tell(parser, "expires-twice", ERROR, value);
        return;
    }
    if (!vigie_time_parse_rfc3339(value, &time, NULL)) {
        tell(parser, "bad-expires", ERROR, value);
        return;
    }
    g_autofree char *text = vigie_time_rfc3339(time);
    json_object_set_new(parser->result, "expires", json_string(text));
    parser->expires = time;
    if (time <= parser->now)
        tell(parser, "expired", ERROR, text);
    else if (time - parser->now > (int64_t)FAR_DAYS * DAY)
        tell(parser, "expires-far", INFO, text);
    else if (time - parser->now < (int64_t)SOON_DAYS * DAY)
        tell(parser, "expires-soon", INFO, text);
}

static void read_languages(Parser *parser, const char *value) {
    if (++parser->languages_count > 1) {
        tell(parser, "languages-twice", WARNING, value);
        return;
    }
    g_auto(GStrv) tags = g_strsplit(value, ",", 16);
    for (size_t i = 0; tags[i]; i++) {
        char *tag = g_strstrip(tags[i]);
        size_t size = strspn(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
        if (size < 2 || size > 35 || tag[size])
            tell(parser, "bad-language", INFO, tag);
        else
            keep(parser, "languages", json_string(tag));
    }
}

static void read_web(Parser *parser, const char *member, const char *value) {
    if (check_web(parser, value))
        keep(parser, member, json_string(value));
}

/* ---- Lines ---- */
static void read_known(Parser *parser, size_t which, const char *value) {
    switch (fields[which].kind) {
    case FIELD_WEB:
        read_web(parser, fields[which].member, value);
        break;
    case FIELD_CONTACT:
        read_contact(parser, value);
        break;
    case FIELD_KEY:
        read_key(parser, value);
        break;
    case FIELD_DATE:
        read_date(parser, value);
        break;
    case FIELD_LANGUAGES:
        read_languages(parser, value);
        break;
    }
}

static void read_field(Parser *parser, const char *name, const char *value) {
    if (++parser->field_count > FIELDS_MAX) {
        if (parser->field_count == FIELDS_MAX + 1)
            tell(parser, "too-many", ERROR, NULL);
        return;
    }
    if (strlen(value) > VALUE_MAX) {
        tell(parser, "too-long", WARNING, name);
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        if (g_ascii_strcasecmp(name, fields[i].name) == 0) {
            read_known(parser, i, value);
            return;
        }
    /* Fields that nobody knows are ignored (RFC 9116 2.4), but a common misspelling is told. */
    if (g_ascii_strcasecmp(name, "Acknowledgements") == 0)
        tell(parser, "misspelt", WARNING, name);
    keep(parser, "unknown", json_pack("{s:s, s:s}", "name", name, "value", value));
}

static void read_line(Parser *parser, char *line) {
    g_strchomp(line);
    if (*line == '#' || !*line)
        return;
    char *colon = strchr(line, ':');
    size_t name = colon ? (size_t)(colon - line) : 0;
    for (size_t i = 0; i < name; i++)
        if (line[i] < 33 || line[i] > 126)
            name = 0;
    if (name == 0) {
        g_autofree char *shown = g_utf8_substring(line, 0, MIN(g_utf8_strlen(line, -1), 80));
        tell(parser, "no-field", WARNING, shown);
        return;
    }
    *colon = '\0';
    if (colon[1] && colon[1] != ' ')
        tell(parser, "no-space", INFO, line);
    char *value = g_strchug(colon + 1);
    if (*value)
        read_field(parser, line, value);
    else
        tell(parser, "empty", WARNING, line);
}

/* ---- The signature ----
 * An OpenPGP cleartext signature (RFC 4880 7) around the fields. Whoever can change what stands outside it can write there what
 * they like, so that is not read. */
typedef enum { BEFORE, HEADERS, WITHIN, SIGNATURE, AFTER } Place;

static Place read_signed_line(Parser *parser, Place place, char *line) {
    switch (place) {
    case BEFORE:
        if (g_str_has_prefix(line, "-----BEGIN PGP SIGNED MESSAGE-----"))
            return HEADERS;
        break;
    case HEADERS:
        return *g_strchomp(line) ? HEADERS : WITHIN;
    case WITHIN:
        if (g_str_has_prefix(line, "-----BEGIN PGP SIGNATURE-----"))
            return SIGNATURE;
        read_line(parser, g_str_has_prefix(line, "- ") ? line + 2 : line);
        return WITHIN;
    case SIGNATURE:
        return g_str_has_prefix(line, "-----END PGP SIGNATURE-----") ? AFTER : SIGNATURE;
    case AFTER:
        break;
    }
    if (*g_strchomp(line) && *line != '#')
        tell(parser, "outside", WARNING, line);
    return place;
}

static void read_text(Parser *parser, char *text) {
    bool is_signed = strstr(text, "-----BEGIN PGP SIGNED MESSAGE-----") != NULL;
    Place place = BEFORE;
    json_object_set_new(parser->result, "signed", json_boolean(is_signed));
    while (text) {
        char *end = strchr(text, '\n');
        if (end)
            *end = '\0';
        parser->line++;
        if (is_signed)
            place = read_signed_line(parser, place, text);
        else
            read_line(parser, text);
        text = end ? end + 1 : NULL;
    }
    parser->line = 0;
    if (is_signed && place != AFTER)
        tell(parser, "signature-cut", ERROR, NULL);
}

/* ---- Where it came from ---- */
static bool same_place(const char *a, const char *b) {
    GUriFlags flags = G_URI_FLAGS_ENCODED | G_URI_FLAGS_SCHEME_NORMALIZE;
    g_autoptr(GUri) one = g_uri_parse(a, flags, NULL), other = g_uri_parse(b, flags, NULL);
    return one && other && g_ascii_strcasecmp(g_uri_get_scheme(one), g_uri_get_scheme(other)) == 0 &&
           g_uri_get_host(one) && g_uri_get_host(other) &&
           g_ascii_strcasecmp(g_uri_get_host(one), g_uri_get_host(other)) == 0 &&
           g_uri_get_port(one) == g_uri_get_port(other) &&
           strcmp(g_uri_get_path(one), g_uri_get_path(other)) == 0;
}

static void check_place(Parser *parser) {
    const VigieTextSource *source = parser->source;
    if (!source || !source->url)
        return;
    g_autoptr(GUri) uri = g_uri_parse(source->url, G_URI_FLAGS_ENCODED, NULL);
    if (uri && g_ascii_strcasecmp(g_uri_get_scheme(uri), "https") != 0)
        tell(parser, "not-https", WARNING, source->url);
    if (uri && strcmp(g_uri_get_path(uri), WELL_KNOWN) != 0)
        tell(parser, "wrong-place", WARNING, source->url);
    if (source->asked && !same_place(source->asked, source->url))
        tell(parser, "redirected", INFO, source->url);
    if (source->type && g_ascii_strncasecmp(source->type, "text/plain", 10) != 0)
        tell(parser, "wrong-type", WARNING, source->type);
}

/* RFC 9116 2.5.2: where it names its own addresses, the one it came from must be among them. */
static void check_canonical(Parser *parser) {
    const json_t *canonical = json_object_get(parser->result, "canonical");
    if (json_array_size(canonical) == 0 || !parser->source || !parser->source->url)
        return;
    size_t i = 0;
    json_t *value = NULL;
    json_array_foreach(canonical, i, value) {
        const char *url = json_string_value(value);
        if (same_place(url, parser->source->url) ||
            (parser->source->asked && same_place(url, parser->source->asked)))
            return;
    }
    tell(parser, "not-canonical", ERROR, parser->source->url);
}

static json_t *result_new(void) {
    json_t *result = json_pack("{s:n, s:b, s:b}", "expires", "signed", 0, "usable", 0);
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        if (fields[i].kind != FIELD_DATE)
            json_object_set_new(result, fields[i].member, json_array());
    json_object_set_new(result, "unknown", json_array());
    return result;
}

/* Text as UTF-8 without its mark; what is not UTF-8 is replaced, and told. */
static char *as_text(Parser *parser, VigieBytes bytes) {
    if (bytes.size > FILE_MAX)
        tell(parser, "too-large", ERROR, NULL);
    size_t size = MIN(bytes.size, FILE_MAX);
    const char *start = (const char *)bytes.data;
    if (size >= 3 && memcmp(start, "\xEF\xBB\xBF", 3) == 0) {
        start += 3;
        size -= 3;
    }
    if (size > 0 && !g_utf8_validate(start, (gssize)size, NULL))
        tell(parser, "not-utf8", WARNING, NULL);
    return size ? g_utf8_make_valid(start, (gssize)size) : g_strdup("");
}

json_t *csirt_security_txt_parse(VigieBytes bytes, const VigieTextSource *source, VigieTime now) {
    Parser parser = {.result = result_new(), .problems = json_array(), .source = source, .now = now};
    check_place(&parser);
    g_autofree char *text = as_text(&parser, bytes);
    read_text(&parser, text);
    if (parser.expires_count == 0)
        tell(&parser, "no-expires", WARNING, NULL);
    bool contacts = json_array_size(json_object_get(parser.result, "contacts")) > 0;
    if (!contacts)
        tell(&parser, "no-contact", ERROR, NULL);
    check_canonical(&parser);
    json_object_set_new(parser.result, "problems", parser.problems);
    json_object_set_new(parser.result, "usable", json_boolean(contacts && !parser.broken));
    return parser.result;
}
