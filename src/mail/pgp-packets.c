/* OpenPGP packets (RFC 9580 4), as far as gpg does not tell: which digest a key's self-signature rests on. */
#include "mail/pgp.h"

#include <openssl/evp.h>
#include <string.h>

enum { SIGNATURE = 2, SECRET_KEY = 5, PUBLIC_KEY = 6, SECRET_SUBKEY = 7 };
enum { MD5 = 1, SHA1 = 2 };

/* ---- Armor ---- */
/* The base64 between the empty line and the checksum, of each block. */
GByteArray *pgp_dearmor(VigieBytes bytes) {
    GByteArray *out = g_byte_array_new();
    g_autofree char *text = g_strndup((const char *)bytes.data, bytes.size);
    const char *at = strstr(text, "-----BEGIN PGP ");
    if (!at)
        return g_byte_array_append(out, bytes.data, (guint)bytes.size);
    for (; at; at = strstr(at, "-----BEGIN PGP ")) {
        const char *end = strstr(at, "-----END PGP "), *start = strchr(at, '\n');
        while (start && start < end && start[1] != '\n' && start[1] != '\r')
            start = strchr(start + 1, '\n');
        if (!end || !start || start >= end) {
            g_byte_array_unref(out);
            return NULL;
        }
        const char *checksum = g_strstr_len(start, end - start, "\n=");
        g_autofree char *body = g_strndup(start, (gsize)((checksum ? checksum : end) - start));
        gsize size = 0;
        guchar *decoded = g_base64_decode_inplace(body, &size);
        g_byte_array_append(out, decoded, (guint)size);
        at = end + 1;
    }
    return out;
}

/* ---- Packets ---- */
static size_t new_length(VigieReader *reader) {
    size_t first = vigie_read_u8(reader);
    if (first < 192)
        return first;
    if (first < 224)
        return ((first - 192) << 8) + vigie_read_u8(reader) + 192;
    if (first == 255)
        return vigie_read_u32(reader);
    reader->failed = true; /* partial lengths are for data, not for keys */
    return 0;
}

static bool next_packet(VigieReader *reader, unsigned *ret_tag, VigieBytes *ret_body) {
    if (vigie_reader_empty(reader))
        return false;
    uint8_t head = vigie_read_u8(reader);
    bool modern = head & 0x40;
    *ret_tag = modern ? head & 0x3F : (head >> 2) & 0x0F;
    size_t length = 0;
    if (modern)
        length = new_length(reader);
    else if ((head & 3) == 3)
        length = reader->rest.size;
    else
        length = vigie_read_uint(reader, (size_t)1 << (head & 3));
    *ret_body = vigie_read(reader, length);
    return !reader->failed && head & 0x80;
}

/* ---- Signatures ---- */
typedef struct {
    unsigned type, digest;
    uint32_t made;
    uint8_t issuer[8];
    bool issued;
} Signature;

static void read_subpackets(VigieReader area, Signature *signature) {
    while (!vigie_reader_empty(&area)) {
        VigieReader packet = vigie_reader(vigie_read(&area, new_length(&area)));
        unsigned type = vigie_read_u8(&packet) & 0x7F;
        if (type == 2)
            signature->made = vigie_read_u32(&packet);
        else if (type == 33 && packet.rest.size == 21) /* a v4 fingerprint, its version before */
            vigie_read(&packet, 13);
        if ((type == 16 || type == 33) && packet.rest.size == 8) {
            memcpy(signature->issuer, packet.rest.data, 8);
            signature->issued = true;
        }
    }
}

static bool read_signature(VigieBytes body, Signature *ret_signature) {
    VigieReader reader = vigie_reader(body);
    Signature signature = {0};
    unsigned version = vigie_read_u8(&reader);
    if (version == 3) {
        vigie_read_u8(&reader);
        signature.type = vigie_read_u8(&reader);
        signature.made = vigie_read_u32(&reader);
        VigieBytes issuer = vigie_read(&reader, 8);
        signature.issued = issuer.size == 8;
        if (signature.issued)
            memcpy(signature.issuer, issuer.data, 8);
        vigie_read_u8(&reader);
        signature.digest = vigie_read_u8(&reader);
    } else if (version == 4) {
        signature.type = vigie_read_u8(&reader);
        vigie_read_u8(&reader);
        signature.digest = vigie_read_u8(&reader);
        read_subpackets(vigie_read_vector(&reader, 2), &signature);
        read_subpackets(vigie_read_vector(&reader, 2), &signature);
    } else {
        return false; /* version 6 knows no SHA-1 */
    }
    *ret_signature = signature;
    return !reader.failed;
}

/* ---- Keys ---- */
typedef struct {
    uint8_t fingerprint[20];
    bool known; /* version 4 */
    bool weak;
    uint32_t newest;
} Primary;

static void read_primary(VigieBytes body, Primary *ret_primary) {
    *ret_primary = (Primary){0};
    if (body.size < 6 || body.size > UINT16_MAX || body.data[0] != 4)
        return;
    const uint8_t head[] = {0x99, (uint8_t)(body.size >> 8), (uint8_t)body.size};
    g_autoptr(GByteArray) hashed = g_byte_array_new();
    g_byte_array_append(hashed, head, sizeof head);
    g_byte_array_append(hashed, body.data, (guint)body.size);
    ret_primary->known =
        EVP_Digest(hashed->data, hashed->len, ret_primary->fingerprint, NULL, EVP_sha1(), NULL) == 1;
}

/* 0x10 to 0x13: over a name, 0x1F: over the key itself. */
static void weigh(VigieBytes body, Primary *primary) {
    Signature signature;
    if (!primary->known || !read_signature(body, &signature) || !signature.issued ||
        !((signature.type >= 0x10 && signature.type <= 0x13) || signature.type == 0x1F) ||
        memcmp(signature.issuer, primary->fingerprint + 12, 8) != 0 || signature.made < primary->newest)
        return;
    primary->newest = signature.made;
    primary->weak = signature.digest == SHA1 || signature.digest == MD5;
}

static void note(const Primary *primary, GHashTable *weak) {
    if (!primary->known || !primary->weak)
        return;
    g_autofree char *hex = vigie_hex_text(vigie_bytes(primary->fingerprint, 20));
    g_hash_table_add(weak, g_ascii_strup(hex, -1));
}

void pgp_inspect(VigieBytes packets, GHashTable *ret_weak, bool *ret_secret) {
    VigieReader reader = vigie_reader(packets);
    Primary primary = {0};
    unsigned tag = 0;
    VigieBytes body;
    *ret_secret = false;
    while (next_packet(&reader, &tag, &body)) {
        *ret_secret = *ret_secret || tag == SECRET_KEY || tag == SECRET_SUBKEY;
        if (tag == PUBLIC_KEY) {
            note(&primary, ret_weak);
            read_primary(body, &primary);
        } else if (tag == SIGNATURE) {
            weigh(body, &primary);
        }
    }
    note(&primary, ret_weak);
}
