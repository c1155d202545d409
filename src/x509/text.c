/* text.c: strings and names. Every kind of string becomes code points first; what is not one stays an octet. */
#include "x509/text.h"

#include "x509/oid.h"

enum { SHOWN_MAX = 512, PARTS_MAX = 64 };

/* The next code point; -1 - octet for an octet that makes none. Consumes at least one octet. */
static int32_t next_utf8(VigieReader *in) {
    size_t size = in->rest.size < 4 ? in->rest.size : 4;
    gunichar point = g_utf8_get_char_validated((const char *)in->rest.data, (gssize)size);
    if (point == (gunichar)-1 || point == (gunichar)-2 || in->rest.data[0] == 0)
        return -1 - vigie_read_u8(in);
    vigie_read(in, (size_t)g_unichar_to_utf8(point, NULL));
    return (int32_t)point;
}

static int32_t next_wide(VigieReader *in, size_t octets) {
    if (in->rest.size < octets)
        return -1 - vigie_read_u8(in);
    uint32_t point = vigie_read_uint(in, octets);
    if (point < 0xD800 || point > 0xDBFF || octets != 2)
        return point <= 0x10FFFF ? (int32_t)point : 0xFFFD;
    VigieReader ahead = *in; /* UTF-16, as some encode what BMPString cannot hold */
    uint32_t low = vigie_read_u16(&ahead);
    if (ahead.failed || low < 0xDC00 || low > 0xDFFF)
        return (int32_t)point;
    *in = ahead;
    return (int32_t)(0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00));
}

static int32_t next_point(VigieReader *in, uint8_t tag) {
    switch (tag) {
    case DER_BMP:
        return next_wide(in, 2);
    case DER_UNIVERSAL:
        return next_wide(in, 4);
    case DER_T61: /* by its users it is Latin-1 */
        return vigie_read_u8(in);
    default:
        return next_utf8(in);
    }
}

/* Not controls, not what turns the direction of text around, not what is invisible. */
static bool shown(int32_t point) {
    return point >= 0 && g_unichar_validate((gunichar)point) && g_unichar_isprint((gunichar)point) &&
           (point == ' ' || !g_unichar_isspace((gunichar)point)) &&
           g_unichar_type((gunichar)point) != G_UNICODE_FORMAT;
}

static void append_escaped(GString *out, int32_t point, TextEscape escape) {
    const char *format = escape == TEXT_RFC4514 ? "\\%02X" : "\\x%02X";
    char octets[6];
    if (point < 0) {
        g_string_append_printf(out, format, (unsigned)(-1 - point));
        return;
    }
    int size = g_unichar_to_utf8((gunichar)point, octets);
    for (int i = 0; i < size; i++)
        g_string_append_printf(out, format, (unsigned)(uint8_t)octets[i]);
}

/* Octets that every kind but the wide ones takes for themselves, and that need no escape: nearly all there are. */
static VigieBytes plain_run(VigieReader *in, uint8_t tag) {
    size_t size = 0, most = tag == DER_BMP || tag == DER_UNIVERSAL ? 0 : in->rest.size;
    while (size < most &&
           (g_ascii_isalnum(in->rest.data[size]) || in->rest.data[size] == '.' || in->rest.data[size] == '-'))
        size++;
    return vigie_read(in, size);
}

void text_append(GString *out, uint8_t tag, VigieBytes value, TextEscape escape) {
    VigieReader in = vigie_reader(value.size > SHOWN_MAX ? vigie_bytes(value.data, SHOWN_MAX) : value);
    bool first = true;
    while (!vigie_reader_empty(&in)) {
        VigieBytes run = plain_run(&in, tag);
        if (run.size > 0) {
            g_string_append_len(out, (const char *)run.data, (gssize)run.size);
            first = false;
            continue;
        }
        int32_t point = next_point(&in, tag);
        bool last = in.rest.size == 0;
        bool special =
            escape == TEXT_RFC4514 && ((point > 0 && point < 0x80 && strchr("\"+,;<>\\", point)) ||
                                       (first && point == '#') || ((first || last) && point == ' '));
        if (!shown(point) || (escape == TEXT_PLAIN && point == '\\')) {
            append_escaped(out, point, escape);
        } else {
            if (special)
                g_string_append_c(out, '\\');
            g_string_append_unichar(out, (gunichar)point);
        }
        first = false;
    }
    if (value.size > SHOWN_MAX)
        g_string_append(out, "…");
}

static bool is_string(uint8_t tag) {
    static const uint8_t tags[] = {DER_UTF8, DER_NUMERIC, DER_PRINTABLE, DER_T61,
                                   DER_IA5,  DER_VISIBLE, DER_UNIVERSAL, DER_BMP};
    return memchr(tags, tag, sizeof tags) != NULL;
}

/* RFC 4514 2.4: a value whose type has no short name, or that is no string, is its encoding in hexadecimal. */
static void append_hexadecimal(GString *out, VigieBytes octets) {
    g_string_append_c(out, '#');
    VigieBytes shown = {octets.data, MIN(octets.size, SHOWN_MAX)};
    g_autofree char *hex = vigie_hex_text(shown);
    g_string_append(out, hex);
    if (octets.size > SHOWN_MAX)
        g_string_append(out, "…");
}

/* type and value of an AttributeTypeAndValue. */
static bool read_attribute(VigieReader *set, DerElement *ret_type, DerElement *ret_value,
                           const char **clause) {
    DerElement attribute;
    if (!der_expect(set, DER_SEQUENCE, &attribute, clause))
        return false;
    VigieReader in = vigie_reader(attribute.value);
    return der_expect(&in, DER_OID, ret_type, clause) && der_next(&in, ret_value, clause);
}

static void append_attribute(GString *out, const DerElement *type, const DerElement *value) {
    const Oid *known = oid_find(OID_ATTRIBUTE, type->value);
    char dotted[128];
    if (known)
        g_string_append(out, known->name);
    else
        g_string_append(out, der_oid_text(type->value, dotted, sizeof dotted) ? dotted : "?");
    g_string_append_c(out, '=');
    if (known && is_string(value->tag))
        text_append(out, value->tag, value->value, TEXT_RFC4514);
    else
        append_hexadecimal(out, value->whole);
}

static void append_part(GString *out, VigieBytes part, const char **clause) {
    VigieReader set = vigie_reader(part);
    DerElement type, value;
    const char *between = "";
    for (size_t i = 0; i < PARTS_MAX && !vigie_reader_empty(&set); i++) {
        if (!read_attribute(&set, &type, &value, clause))
            return;
        g_string_append(out, between);
        append_attribute(out, &type, &value);
        between = "+";
    }
}

/* The parts (RelativeDistinguishedName) of a Name as views; false where it is malformed. */
static bool read_parts(VigieBytes name, VigieBytes *ret_parts, size_t *ret_count, const char **clause) {
    DerElement sequence, part;
    VigieReader outer = vigie_reader(name);
    *ret_count = 0;
    if (!der_expect(&outer, DER_SEQUENCE, &sequence, clause))
        return false;
    VigieReader in = vigie_reader(sequence.value);
    while (!vigie_reader_empty(&in)) {
        if (*ret_count == PARTS_MAX) {
            der_refuse(clause, "RFC 5280 A.1: name of more than 64 parts");
            return false;
        }
        if (!der_expect(&in, DER_SET, &part, clause))
            return false;
        ret_parts[(*ret_count)++] = part.value;
    }
    return true;
}

void text_append_name(GString *out, VigieBytes name, const char **clause) {
    VigieBytes parts[PARTS_MAX];
    size_t count;
    const char *between = "";
    read_parts(name, parts, &count, clause);
    while (count-- > 0) {
        g_string_append(out, between);
        append_part(out, parts[count], clause);
        between = ",";
    }
}

char *text_common_name(VigieBytes name) {
    static const uint8_t common_name[] = {0x55, 0x04, 0x03};
    VigieBytes parts[PARTS_MAX];
    size_t count;
    const char *ignored = NULL;
    read_parts(name, parts, &count, &ignored);
    while (count-- > 0) {
        VigieReader set = vigie_reader(parts[count]);
        DerElement type, value;
        while (!vigie_reader_empty(&set) && read_attribute(&set, &type, &value, &ignored)) {
            if (!vigie_bytes_equal(type.value, vigie_bytes(common_name, sizeof common_name)))
                continue;
            GString *text = g_string_new(NULL);
            text_append(text, value.tag, value.value, TEXT_PLAIN);
            return g_string_free(text, FALSE);
        }
    }
    return NULL;
}
