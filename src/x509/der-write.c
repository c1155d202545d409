/* der-write.c: X.690, as far as certificates, CRLs and OCSP answers need it. */
#include "x509/der-write.h"

#include <time.h>

enum { OID_ARCS_MAX = 32 };

static size_t length_octets(size_t length, uint8_t octets[5]) {
    if (length < 0x80) {
        octets[0] = (uint8_t)length;
        return 1;
    }
    size_t count = length > 0xFFFFFF ? 4 : length > 0xFFFF ? 3 : length > 0xFF ? 2 : 1;
    octets[0] = (uint8_t)(0x80 | count);
    for (size_t i = 0; i < count; i++)
        octets[1 + i] = (uint8_t)(length >> (8 * (count - 1 - i)));
    return 1 + count;
}

size_t der_open(GByteArray *out, uint8_t tag) {
    const uint8_t head[2] = {tag, 0};
    g_byte_array_append(out, head, sizeof head);
    return out->len;
}

void der_close(GByteArray *out, size_t mark) {
    uint8_t octets[5];
    size_t length = out->len - mark, count = length_octets(length, octets);
    if (count > 1) {
        g_byte_array_set_size(out, (guint)(out->len + count - 1));
        memmove(out->data + mark + count - 1, out->data + mark, length);
    }
    memcpy(out->data + mark - 1, octets, count);
}

void der_put(GByteArray *out, uint8_t tag, const void *value, size_t size) {
    uint8_t head[6] = {tag};
    size_t count = length_octets(size, head + 1);
    g_byte_array_append(out, head, (guint)(1 + count));
    if (size > 0)
        g_byte_array_append(out, value, (guint)size);
}

void der_put_whole(GByteArray *out, VigieBytes whole) {
    if (whole.size > 0)
        g_byte_array_append(out, whole.data, (guint)whole.size);
}

void der_put_boolean(GByteArray *out, bool value) {
    der_put(out, DER_BOOLEAN, value ? "\xFF" : "\x00", 1);
}

void der_put_unsigned(GByteArray *out, uint8_t tag, uint64_t value) {
    uint8_t octets[9] = {0};
    for (size_t i = 0; i < 8; i++)
        octets[8 - i] = (uint8_t)(value >> (8 * i));
    size_t skip = 0;
    while (skip < 8 && octets[skip] == 0 && !(octets[skip + 1] & 0x80))
        skip++;
    der_put(out, tag, octets + skip, 9 - skip);
}

void der_put_magnitude(GByteArray *out, VigieBytes magnitude) {
    size_t mark = der_open(out, DER_INTEGER);
    if (magnitude.size == 0 || (magnitude.data[0] & 0x80))
        g_byte_array_append(out, (const uint8_t[1]){0}, 1);
    der_put_whole(out, magnitude);
    der_close(out, mark);
}

static void put_arc(GByteArray *out, uint64_t arc) {
    uint8_t octets[10];
    size_t at = sizeof octets;
    octets[--at] = (uint8_t)(arc & 0x7F);
    while ((arc >>= 7) > 0)
        octets[--at] = (uint8_t)(0x80 | (arc & 0x7F));
    g_byte_array_append(out, octets + at, (guint)(sizeof octets - at));
}

bool der_put_oid(GByteArray *out, const char *dotted) {
    uint64_t arcs[OID_ARCS_MAX];
    size_t count = 0;
    for (const char *at = dotted;; at++) {
        char *end = NULL;
        if (!g_ascii_isdigit(*at) || count == OID_ARCS_MAX)
            return false;
        arcs[count++] = g_ascii_strtoull(at, &end, 10);
        if (arcs[count - 1] > UINT64_MAX / 2)
            return false;
        if (*end == '\0')
            break;
        if (*end != '.')
            return false;
        at = end;
    }
    if (count < 2 || arcs[0] > 2 || (arcs[0] < 2 && arcs[1] > 39))
        return false;
    size_t mark = der_open(out, DER_OID);
    put_arc(out, arcs[0] * 40 + arcs[1]);
    for (size_t i = 2; i < count; i++)
        put_arc(out, arcs[i]);
    der_close(out, mark);
    return true;
}

void der_put_generalized_time(GByteArray *out, uint8_t tag, VigieTime at) {
    struct tm parts;
    char text[32];
    time_t seconds = (time_t)at;
    gmtime_r(&seconds, &parts);
    der_put(out, tag, text, strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &parts));
}

void der_put_time(GByteArray *out, VigieTime at) {
    const VigieTime year_2050 = 2524608000, year_1950 = -631152000;
    struct tm parts;
    char text[32];
    time_t seconds = (time_t)at;
    if (at >= year_2050 || at < year_1950) {
        der_put_generalized_time(out, DER_GENERALIZED_TIME, at);
        return;
    }
    gmtime_r(&seconds, &parts);
    der_put(out, DER_UTC_TIME, text, strftime(text, sizeof text, "%y%m%d%H%M%SZ", &parts));
}

void der_put_bits(GByteArray *out, VigieBytes octets) {
    size_t mark = der_open(out, DER_BIT_STRING);
    g_byte_array_append(out, (const uint8_t[1]){0}, 1);
    der_put_whole(out, octets);
    der_close(out, mark);
}

void der_put_named_bits(GByteArray *out, uint16_t bits) {
    uint8_t octets[3] = {0, (uint8_t)(bits >> 8), (uint8_t)bits};
    size_t size = octets[2] ? 3 : octets[1] ? 2 : 1;
    uint8_t last = octets[size - 1];
    while (size > 1 && !(last & 1)) {
        octets[0]++;
        last >>= 1;
    }
    der_put(out, DER_BIT_STRING, octets, size);
}
