#include "wire.h"

#include <ctype.h>
#include <stdlib.h>

static const uint8_t retry_random[] = {
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
};

static void fill(VigieWriter *out, uint8_t octet, size_t count) {
    while (count-- > 0)
        vigie_write_u8(out, octet);
}

static uint8_t octet_of(const char *text) {
    char digits[3] = {text[0], text[1], '\0'};
    return (uint8_t)strtoul(digits, NULL, 16);
}

void wire_write(VigieWriter *out, const char *text, VigieBytes session_id) {
    struct {
        size_t mark, octets;
    } open[16];
    size_t depth = 0;
    while (*text) {
        char *end;
        switch (*text) {
        case ' ':
            text++;
            continue;
        case '(':
            open[depth].octets = (size_t)(text[1] - '0');
            open[depth].mark = vigie_write_open(out, open[depth].octets);
            depth++;
            text += 2;
            continue;
        case ')':
            depth--;
            vigie_write_close(out, open[depth].mark, open[depth].octets);
            break;
        case 'R':
            fill(out, 0xA5, 32);
            break;
        case 'H':
            vigie_write(out, retry_random, sizeof retry_random);
            break;
        case 'S':
            vigie_write(out, session_id.data, session_id.size);
            break;
        case 'K':
            vigie_write_u8(out, 9);
            fill(out, 0, 31);
            break;
        case 'Z':
            fill(out, 0, strtoul(text + 1, &end, 10));
            text = end;
            continue;
        default:
            if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
                abort();
            vigie_write_u8(out, octet_of(text));
            text++;
            break;
        }
        text++;
    }
    if (depth != 0)
        abort();
}
