/* Header fields: found, unfolded, decoded. */
#include "mail/read-parts.h"

#include <string.h>

enum { VALUE_MAX = 64 << 10, IDENTIFIER_MAX = 998 };

/* ---- Fields ---- */
static size_t line_end(VigieBytes bytes, size_t from) {
    const uint8_t *newline = memchr(bytes.data + from, '\n', bytes.size - from);
    return newline ? (size_t)(newline - bytes.data) + 1 : bytes.size;
}

/* A line that is neither a field nor its continuation is passed over. */
bool field_next(VigieBytes *rest, Field *ret_field) {
    while (rest->size > 0) {
        size_t end = line_end(*rest, 0);
        while (end < rest->size && (rest->data[end] == ' ' || rest->data[end] == '\t'))
            end = line_end(*rest, end);
        VigieBytes field = vigie_bytes(rest->data, end);
        *rest = vigie_bytes(rest->data + end, rest->size - end);
        const uint8_t *colon = memchr(field.data, ':', MIN(field.size, (size_t)200));
        if (!colon || colon == field.data || field.data[0] == ' ' || field.data[0] == '\t')
            continue;
        size_t name = (size_t)(colon - field.data), value = name + 1;
        while (name > 0 && (field.data[name - 1] == ' ' || field.data[name - 1] == '\t'))
            name--;
        ret_field->name = vigie_bytes(field.data, name);
        ret_field->value = vigie_bytes(field.data + value, field.size - value);
        return true;
    }
    return false;
}

bool field_is(const Field *field, const char *name) {
    return field->name.size == strlen(name) &&
           g_ascii_strncasecmp((const char *)field->name.data, name, field->name.size) == 0;
}

static char *unfold(VigieBytes value) {
    GString *out = g_string_sized_new(MIN(value.size, VALUE_MAX));
    for (size_t i = 0; i < value.size && out->len < VALUE_MAX; i++)
        if (value.data[i] != '\r' && value.data[i] != '\n' && value.data[i] != '\0')
            g_string_append_c(out, (char)value.data[i]);
    g_strstrip(out->str);
    return g_string_free(out, FALSE);
}

char *field_find(VigieBytes header, const char *name) {
    Field field;
    while (field_next(&header, &field))
        if (field_is(&field, name))
            return unfold(field.value);
    return NULL;
}

unsigned field_count(VigieBytes header, const char *name) {
    unsigned count = 0;
    Field field;
    while (field_next(&header, &field))
        count += field_is(&field, name);
    return count;
}

/* ---- Text ---- */
/* Characters that act on what shows them: controls, direction overrides, and breaks within one line. */
static bool acts(gunichar c, bool lines) {
    if (c == '\n' || c == '\t')
        return !lines;
    if (g_unichar_iscntrl(c) || c == 0xFEFF)
        return true;
    return !lines &&
           ((c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029);
}

char *clean_text(const char *text, size_t size, bool lines) {
    g_autofree char *valid = g_utf8_make_valid(text, (gssize)size);
    GString *out = g_string_sized_new(strlen(valid));
    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (!acts(c, lines))
            g_string_append_unichar(out, c);
        else if (c == '\n' || c == '\t' || c == 0x2028 || c == 0x2029)
            g_string_append_c(out, ' ');
    }
    return g_string_free(out, FALSE);
}

char *field_text(const Reading *reading, const char *raw) {
    if (!raw)
        return NULL;
    g_autofree char *decoded = g_mime_utils_header_decode_text(reading->options, raw);
    return clean_text(decoded, strlen(decoded), false);
}

/* ---- Structured fields ---- */
json_t *header_identifiers(const char *raw, size_t most) {
    json_t *list = json_array();
    for (const char *open = raw ? strchr(raw, '<') : NULL; open; open = strchr(open + 1, '<')) {
        const char *close = strchr(open, '>');
        if (!close)
            break;
        g_autofree char *id = clean_text(open + 1, (size_t)MIN(close - open - 1, IDENTIFIER_MAX), false);
        g_strdelimit(id, " <", '_');
        if (*id)
            json_array_append_new(list, json_string(id));
        open = close;
    }
    while (json_array_size(list) > most)
        json_array_remove(list, 0);
    return list;
}

static json_t *first_identifier(VigieBytes header, const char *name) {
    g_autofree char *raw = field_find(header, name);
    g_autoptr(json_t) list = header_identifiers(raw, 1);
    json_t *only = json_array_get(list, 0);
    return only ? json_incref(only) : json_null();
}

static json_t *identifiers(VigieBytes header, const char *name) {
    g_autofree char *raw = field_find(header, name);
    return header_identifiers(raw, MAIL_READ_REFERENCES);
}

static void add_mailbox(json_t *list, InternetAddress *address) {
    const char *name = internet_address_get_name(address);
    const char *bare = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(address));
    g_autofree char *clean_name = clean_text(name ? name : "", name ? strlen(name) : 0, false);
    g_autofree char *clean_bare = clean_text(bare ? bare : "", bare ? strlen(bare) : 0, false);
    json_array_append_new(list, json_pack("{s:s, s:s}", "name", clean_name, "address", clean_bare));
}

static void add_addresses(Reading *reading, json_t *list, InternetAddressList *from, int depth) {
    for (int i = 0; i < internet_address_list_length(from); i++) {
        InternetAddress *address = internet_address_list_get_address(from, i);
        if (json_array_size(list) >= MAIL_READ_ADDRESSES) {
            reading_problem(reading, "too-many-addresses");
            return;
        }
        if (INTERNET_ADDRESS_IS_MAILBOX(address))
            add_mailbox(list, address);
        else if (INTERNET_ADDRESS_IS_GROUP(address) && depth < 3)
            add_addresses(reading, list, internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address)),
                          depth + 1);
    }
}

static json_t *addresses(Reading *reading, VigieBytes header, const char *name) {
    g_autofree char *raw = field_find(header, name);
    g_autoptr(InternetAddressList) parsed =
        raw && *raw ? internet_address_list_parse(reading->options, raw) : NULL;
    json_t *list = json_array();
    if (parsed)
        add_addresses(reading, list, parsed, 0);
    return list;
}

static json_t *date(VigieBytes header) {
    g_autofree char *raw = field_find(header, "Date");
    g_autoptr(GDateTime) parsed = raw ? g_mime_utils_header_decode_date(raw) : NULL;
    return parsed ? json_integer(g_date_time_to_unix(parsed)) : json_null();
}

static json_t *text(const Reading *reading, VigieBytes header, const char *name) {
    g_autofree char *raw = field_find(header, name);
    g_autofree char *decoded = field_text(reading, raw);
    return decoded ? json_string(decoded) : json_null();
}

/* ---- All of it ---- */
/* What a description says of people and threads, and the fields it comes from. */
static const struct {
    const char *member, *field;
} people[] = {
    {"from", "From"}, {"sender", "Sender"}, {"reply_to", "Reply-To"}, {"to", "To"}, {"cc", "Cc"},
};

static void check_duplicates(Reading *reading, VigieBytes header) {
    static const char *const once[] = {"From", "Subject", "Message-ID", "Date", "Content-Type"};
    for (size_t i = 0; i < G_N_ELEMENTS(once); i++)
        if (field_count(header, once[i]) > 1)
            reading_problem(reading, "duplicate-header");
}

void header_describe(Reading *reading, VigieBytes header) {
    json_t *about = reading->about;
    json_object_set_new(about, "message_id", first_identifier(header, "Message-ID"));
    json_object_set_new(about, "in_reply_to", identifiers(header, "In-Reply-To"));
    json_object_set_new(about, "references", identifiers(header, "References"));
    for (size_t i = 0; i < G_N_ELEMENTS(people); i++)
        json_object_set_new(about, people[i].member, addresses(reading, header, people[i].field));
    json_object_set_new(about, "date", date(header));
    json_t *subject = text(reading, header, "Subject");
    json_object_set_new(about, "subject", json_is_null(subject) ? json_string("") : subject);
    json_object_set_new(about, "outer_subject", json_null());
    json_object_set_new(about, "language", text(reading, header, "Content-Language"));
    check_duplicates(reading, header);
}

/* From stays what travelled: an inner one that nobody signed proves no more, and hides who the server heard. */
json_t *header_protected(Reading *reading, VigieBytes header) {
    json_t *inner = json_object();
    if (field_count(header, "Subject") > 0)
        json_object_set_new(inner, "subject", text(reading, header, "Subject"));
    if (field_count(header, "Date") > 0)
        json_object_set_new(inner, "date", date(header));
    if (field_count(header, "In-Reply-To") > 0)
        json_object_set_new(inner, "in_reply_to", identifiers(header, "In-Reply-To"));
    if (field_count(header, "References") > 0)
        json_object_set_new(inner, "references", identifiers(header, "References"));
    for (size_t i = 2; i < G_N_ELEMENTS(people); i++)
        if (field_count(header, people[i].field) > 0)
            json_object_set_new(inner, people[i].member, addresses(reading, header, people[i].field));
    return inner;
}
