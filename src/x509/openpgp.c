/* openpgp: which packets a file holds (RFC 9580), and whether the secret half of a key among them is sealed. */
#include "x509/identify.h"

#include <string.h>

enum { PACKETS_MAX = 10000, SECRET_KEY = 5, PUBLIC_KEY = 6, SECRET_SUBKEY = 7 };

typedef struct {
    unsigned tag;
    VigieBytes body;
    bool cut; /* of unknown length, in parts, or longer than what is left: all of it is not known */
} Packet;

/* RFC 9580 4.2: the two formats of a packet's header. */
static bool next_packet(VigieReader *in, Packet *ret_packet) {
    uint8_t head = vigie_read_u8(in);
    Packet packet = {.tag = head & 0x40 ? head & 0x3F : (head >> 2) & 0x0F};
    uint8_t first = head & 0x40 ? vigie_read_u8(in) : head & 3;
    size_t size = 0;
    bool to_the_end;
    if (!(head & 0x80) || in->failed)
        return false;
    if (head & 0x40) {
        to_the_end = first >= 224 && first < 255;
        size = first < 192   ? first
               : first < 224 ? (((size_t)first - 192) << 8) + vigie_read_u8(in) + 192
               : first < 255 ? 0
                             : vigie_read_u32(in);
    } else {
        to_the_end = first == 3;
        size = first == 3 ? 0 : vigie_read_uint(in, (size_t)1 << first);
    }
    if (to_the_end)
        size = in->rest.size;
    packet.cut = to_the_end || size > in->rest.size;
    packet.body = vigie_read(in, MIN(size, in->rest.size));
    *ret_packet = packet;
    return !in->failed;
}

/* How the public half of a key of version 4 is laid out (RFC 9580 5.5.5): an OID or KDF parameters, each with a length of
 * one octet, numbers, or octets. */
static const struct {
    uint8_t algorithm, lengthed_before, numbers, lengthed_behind, octets;
} layouts[] = {
    {1, 0, 2, 0, 0},   {2, 0, 2, 0, 0},   {3, 0, 2, 0, 0},   {16, 0, 3, 0, 0},
    {17, 0, 4, 0, 0},  {18, 1, 1, 1, 0},  {19, 1, 1, 0, 0},  {22, 1, 1, 0, 0},
    {25, 0, 0, 0, 32}, {26, 0, 0, 0, 56}, {27, 0, 0, 0, 32}, {28, 0, 0, 0, 57},
};

/* "clear" or "encrypted": what the octet behind the public half says; "possible" where that is not known. */
static const char *secrecy(VigieBytes body) {
    VigieReader in = vigie_reader(body);
    uint8_t version = vigie_read_u8(&in);
    vigie_read(&in, 4);
    uint8_t algorithm = vigie_read_u8(&in);
    if (version == 6) /* states how long the public half is */
        vigie_read(&in, vigie_read_u32(&in));
    for (size_t i = 0; version == 4 && i < G_N_ELEMENTS(layouts); i++) {
        if (layouts[i].algorithm != algorithm)
            continue;
        for (unsigned n = 0; n < layouts[i].lengthed_before; n++)
            vigie_read(&in, vigie_read_u8(&in));
        for (unsigned n = 0; n < layouts[i].numbers; n++)
            vigie_read(&in, (size_t)(vigie_read_u16(&in) + 7) / 8);
        for (unsigned n = 0; n < layouts[i].lengthed_behind; n++)
            vigie_read(&in, vigie_read_u8(&in));
        vigie_read(&in, layouts[i].octets);
        uint8_t usage = vigie_read_u8(&in);
        return in.failed ? "possible" : usage == 0 ? "clear" : "encrypted";
    }
    uint8_t usage = vigie_read_u8(&in);
    return version == 6 && !in.failed ? (usage == 0 ? "clear" : "encrypted") : "possible";
}

/* NULL: nothing of a packet of this kind is secret, and nothing is hidden in it. */
static const char *private_of(const Packet *packet) {
    switch (packet->tag) {
    case SECRET_KEY:
    case SECRET_SUBKEY:
        return secrecy(packet->body);
    case 2:  /* signature */
    case 6:  /* public key */
    case 10: /* marker */
    case 12: /* trust */
    case 13: /* user id */
    case 14: /* public subkey */
    case 21: /* padding */
        return packet->cut ? "unknown" : NULL;
    default: /* encrypted or compressed, a picture, or unknown */
        return "possible";
    }
}

/* Any octets may look like the head of a packet: it begins as keys, signatures and sealed messages do. */
static bool begins_well(VigieBytes octets) {
    VigieReader in = vigie_reader(octets);
    Packet first;
    if (octets.size < 8 || !next_packet(&in, &first) || first.body.size < 3)
        return false;
    uint8_t version = first.body.data[0];
    bool key = first.tag == SECRET_KEY || first.tag == PUBLIC_KEY || first.tag == 2;
    return (key && version >= 3 && version <= 6) || (first.tag == 1 && (version == 3 || version == 6));
}

bool identify_openpgp(Identified *found, const Where *where, VigieBytes octets) {
    if (!begins_well(octets))
        return false;
    Identified worst = {.objects = json_array()};
    VigieReader in = vigie_reader(octets);
    Packet packet = {0};
    unsigned count = 0;
    bool whole = true;
    for (; whole && !vigie_reader_empty(&in) && count < PACKETS_MAX; count++) {
        whole = next_packet(&in, &packet);
        const char *private = whole ? private_of(&packet) : "unknown";
        if (private && identified_worse(&worst, private)) {
            json_array_clear(worst.objects);
            json_array_append_new(worst.objects, json_pack("{s:s}", "private", private));
        }
    }
    json_t *object = identified_add(found, where, "openpgp");
    const json_t *private = json_object_get(json_array_get(worst.objects, 0), "private");
    if (object && (private || count == PACKETS_MAX))
        json_object_set_new(object, "private", json_string(private ? json_string_value(private) : "unknown"));
    json_decref(worst.objects);
    return true;
}
