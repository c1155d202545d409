/* name.c: RFC 5280 4.1.2.4 and its appendix A for the lengths. */
#include "pki/name.h"
#include "x509/der-write.h"

#include <string.h>

enum { PARTS_MAX = 32 };

typedef struct {
    const char *name, *oid;
    uint8_t tag;
    uint16_t max; /* characters */
} Attribute;

/* clang-format off */
static const Attribute attributes[] = {
    {"C", "2.5.4.6", DER_PRINTABLE, 2},
    {"ST", "2.5.4.8", DER_UTF8, 128},
    {"L", "2.5.4.7", DER_UTF8, 128},
    {"O", "2.5.4.10", DER_UTF8, 64},
    {"OU", "2.5.4.11", DER_UTF8, 64},
    {"organizationIdentifier", "2.5.4.97", DER_UTF8, 256},
    {"title", "2.5.4.12", DER_UTF8, 64},
    {"SN", "2.5.4.4", DER_UTF8, 40},
    {"GN", "2.5.4.42", DER_UTF8, 40},
    {"serialNumber", "2.5.4.5", DER_PRINTABLE, 64},
    {"CN", "2.5.4.3", DER_UTF8, 64},
    {"emailAddress", "1.2.840.113549.1.9.1", DER_IA5, 255},
};
/* clang-format on */

static const Attribute *find(const char *name) {
    for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++)
        if (strcmp(attributes[i].name, name) == 0)
            return &attributes[i];
    return NULL;
}

bool name_attribute_known(const char *attribute) {
    return find(attribute) != NULL;
}

const char *name_attribute_of(const char *oid) {
    for (size_t i = 0; i < G_N_ELEMENTS(attributes); i++)
        if (strcmp(attributes[i].oid, oid) == 0)
            return attributes[i].name;
    return NULL;
}

/* Unicode's marks of direction (Bidi_Control), the joiners and fillers of no width, and what is no character. */
static bool is_seen(gunichar c) {
    return g_unichar_isprint(c) && !g_unichar_iszerowidth(c) && c != 0x061C && c != 0x180E &&
           !(c >= 0x200B && c <= 0x200F) && !(c >= 0x2028 && c <= 0x202E) && !(c >= 0x2060 && c <= 0x206F) &&
           c != 0x3164 && c != 0xFEFF && !(c >= 0xE0000 && c <= 0xE0FFF);
}

const char *name_text_fault(const char *text, size_t max) {
    size_t size = strlen(text), count = 0;
    if (size == 0)
        return "it is empty";
    if (size > 4 * max || !g_utf8_validate(text, (gssize)size, NULL))
        return size > 4 * max ? "it is too long" : "it is not UTF-8";
    if (g_ascii_isspace(text[0]) || g_ascii_isspace(text[size - 1]))
        return "it begins or ends with a space";
    for (const char *at = text; *at; at = g_utf8_next_char(at), count++)
        if (!is_seen(g_utf8_get_char(at)))
            return "it holds a character that does not show, or that turns the direction of writing";
    return count > max ? "it is too long" : NULL;
}

static bool is_printable(const char *text) {
    for (; *text; text++)
        if (!g_ascii_isalnum(*text) && !strchr(" '()+,-./:=?", *text))
            return false;
    return true;
}

static bool is_ascii(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

static bool put_part(GByteArray *out, const NamePart *part, GError **error) {
    const Attribute *attribute = find(part->attribute);
    const char *fault =
        attribute ? name_text_fault(part->value, attribute->max) : "this attribute is not known";
    if (!fault && ((attribute->tag == DER_PRINTABLE && !is_printable(part->value)) ||
                   (attribute->tag == DER_IA5 && !is_ascii(part->value))))
        fault = "only plain letters, digits and signs go there";
    if (!fault && strcmp(part->attribute, "C") == 0 &&
        !(g_ascii_isupper(part->value[0]) && g_ascii_isupper(part->value[1])))
        fault = "two capital letters are wanted, as in FR";
    if (fault) {
        g_autofree char *shown = g_strescape(part->value, NULL);
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "name %s=%.80s: %s", part->attribute, shown,
                    fault);
        return false;
    }
    size_t pair = der_open(out, DER_SEQUENCE);
    der_put_oid(out, attribute->oid);
    der_put(out, attribute->tag, part->value, strlen(part->value));
    der_close(out, pair);
    return true;
}

/* X.690 11.6: the members of a SET OF stand in the order of their octets. */
static int by_octets(gconstpointer a, gconstpointer b) {
    const GByteArray *x = *(GByteArray *const *)a, *y = *(GByteArray *const *)b;
    int order = memcmp(x->data, y->data, MIN(x->len, y->len));
    return order ? order : (int)x->len - (int)y->len;
}

static bool put_rdn(GByteArray *out, const NamePart *parts, size_t count, GError **error) {
    g_autoptr(GPtrArray) members = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
    for (size_t i = 0; i < count; i++) {
        GByteArray *member = g_byte_array_new();
        g_ptr_array_add(members, member);
        if (!put_part(member, &parts[i], error))
            return false;
    }
    g_ptr_array_sort(members, by_octets);
    size_t set = der_open(out, DER_SET);
    for (guint i = 0; i < members->len; i++)
        der_put_whole(out, der_bytes(members->pdata[i]));
    der_close(out, set);
    return true;
}

bool name_put(GByteArray *out, const NamePart *parts, size_t count, GError **error) {
    size_t sequence = der_open(out, DER_SEQUENCE);
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && parts[next].joined; next++)
            ;
        if (next - i > 1) {
            if (!put_rdn(out, parts + i, next - i, error))
                return false;
            continue;
        }
        size_t set = der_open(out, DER_SET);
        if (!put_part(out, &parts[i], error))
            return false;
        der_close(out, set);
    }
    der_close(out, sequence);
    return true;
}

bool name_put_list(GByteArray *out, const char *const *list, GError **error) {
    NamePart parts[PARTS_MAX] = {0};
    char *names[PARTS_MAX];
    size_t count = 0;
    bool well = true;
    for (; well && list[count]; count++) {
        const char *equals = strchr(list[count], '=');
        well = equals && count < PARTS_MAX;
        if (!well) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "name \"%s\": ATTRIBUTE=VALUE is wanted, as in O=CHU de Kermarec", list[count]);
            break;
        }
        names[count] = g_strndup(list[count], (gsize)(equals - list[count]));
        parts[count] = (NamePart){names[count], equals + 1, false};
    }
    well = well && name_put(out, parts, count, error);
    for (size_t i = 0; i < count; i++)
        g_free(names[i]);
    return well;
}
