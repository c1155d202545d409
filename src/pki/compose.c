/* compose.c: a profile's subject and extensions, filled in. */
#include "pki/compose.h"
#include "pki/name.h"
#include "x509/der-write.h"

#include <string.h>

enum { DAY = 86400 };

bool compose_subject(const Item *item, GByteArray *out, GError **error) {
    CertificateView renewed;
    if (item->renewed) {
        bool read = certificate_view(der_bytes(item->renewed), &renewed);
        der_put_whole(out, renewed.subject);
        return read;
    }
    NamePart parts[PROFILE_PARTS_MAX] = {0};
    char *texts[PROFILE_PARTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < item->profile->part_count; i++) {
        const ProfilePart *part = &item->profile->parts[i];
        char *text = item_fill(item, part->value);
        if (!text)
            continue;
        texts[count] = text;
        parts[count] = (NamePart){part->attribute, text, part->joined && count > 0};
        count++;
    }
    bool well = name_put(out, parts, count, error);
    for (size_t i = 0; i < count; i++)
        g_free(texts[i]);
    return well;
}

static bool put_octets(GByteArray *value, const char *text) {
    size_t mark = der_open(value, DER_OCTET_STRING), size = strlen(text);
    for (size_t i = 0; i + 1 < size; i += 2) {
        int high = g_ascii_xdigit_value(text[i]), low = g_ascii_xdigit_value(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        g_byte_array_append(value, (const uint8_t[1]){(uint8_t)(high << 4 | low)}, 1);
    }
    der_close(value, mark);
    return size > 0 && size % 2 == 0;
}

static bool put_value(GByteArray *value, ValueType type, const char *text) {
    if (type == VALUE_OCTETS)
        return put_octets(value, text);
    if (type == VALUE_INTEGER) {
        guint64 number = 0;
        if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &number, NULL))
            return false;
        der_put_unsigned(value, DER_INTEGER, number);
        return true;
    }
    if (type == VALUE_PRINTABLE) {
        for (const char *at = text; *at; at++)
            if (!g_ascii_isalnum(*at) && !strchr(" '()+,-./:=?", *at))
                return false;
        der_put(value, DER_PRINTABLE, text, strlen(text));
        return *text != '\0';
    }
    g_auto(GStrv) members = g_strsplit(text, ",", 32);
    size_t sequence = der_open(value, DER_SEQUENCE);
    for (char **member = members; *member; member++)
        der_put(value, DER_UTF8, *member, strlen(*member));
    der_close(value, sequence);
    return members[0] != NULL;
}

/* As the certificate that is renewed has it; nothing where it has none. */
static void copy_extension(const GByteArray *renewed, const char *wanted, GByteArray *out) {
    CertificateView view;
    const char *clause = NULL;
    DerElement element, oid;
    char text[64];
    if (!certificate_view(der_bytes(renewed), &view))
        return;
    VigieReader in = vigie_reader(view.extensions);
    while (der_next(&in, &element, &clause)) {
        VigieReader parts = vigie_reader(element.value);
        if (der_expect(&parts, DER_OID, &oid, &clause) && der_oid_text(oid.value, text, sizeof text) &&
            strcmp(text, wanted) == 0)
            der_put_whole(out, element.whole);
    }
}

static bool put_own_extensions(const Item *item, GByteArray *out, GError **error) {
    for (size_t i = 0; i < item->profile->extension_count; i++) {
        const ProfileExtension *extension = &item->profile->extensions[i];
        g_autofree char *text = item->renewed ? NULL : item_fill(item, extension->value);
        g_autoptr(GByteArray) value = g_byte_array_new();
        if (item->renewed)
            copy_extension(item->renewed, extension->oid, out);
        if (!text)
            continue;
        if (!put_value(value, extension->type, text)) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "%s, extension %s: \"%.60s\" is not of its type", item->profile->name, extension->oid,
                        text);
            return false;
        }
        extension_put(out, extension->oid, extension->critical, der_bytes(value));
    }
    return true;
}

/* privateKeyUsagePeriod (RFC 3280 4.2.1.4), in certificates for signing of IGC-Santé. */
static void put_key_period(const CertificateParts *parts, int days, GByteArray *out) {
    g_autoptr(GByteArray) value = g_byte_array_new();
    size_t sequence = der_open(value, DER_SEQUENCE);
    der_put_generalized_time(value, DER_CONTEXT(0), parts->not_before);
    der_put_generalized_time(value, DER_CONTEXT(1),
                             MIN(parts->not_before + (VigieTime)days * DAY, parts->not_after));
    der_close(value, sequence);
    extension_put(out, "2.5.29.16", false, der_bytes(value));
}

bool compose_extensions(const Item *item, const CertificateParts *parts, GByteArray *out, GError **error) {
    const Profile *profile = item->profile;
    uint8_t key_id[20];
    if (!signer_key_id(parts->spki, key_id))
        return false;
    extension_put_basic_constraints(out, false, -1);
    extension_put_key_usage(out, profile->key_usage |
                                     (item->request->curve ? profile->key_usage_ec : profile->key_usage_rsa));
    if (profile->purposes && profile->purposes[0])
        extension_put_purposes(out, (const char *const *)profile->purposes);
    extension_put_subject_key(out, vigie_bytes(key_id, sizeof key_id));
    extension_put_names(out, (const char *const *)item->names->pdata, parts->subject.size <= 2);
    if (profile->no_check)
        extension_put(out, "1.3.6.1.5.5.7.48.1.5", false, vigie_bytes("\x05\x00", 2));
    if (profile->private_key_days)
        put_key_period(parts, profile->private_key_days, out);
    return put_own_extensions(item, out, error);
}
