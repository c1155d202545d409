/* Questions in clear for a port that says nothing to a hello. Each is one that its kind of server answers in its own
 * protocol, and that changes nothing there. */
#include "survey/engine.h"

static const char http[] = "GET / HTTP/1.0\r\n\r\n";

/* A message of an event that no receiver knows: it is answered with a refusal (HL7 v2.5 2.9.2). */
static const char mllp[] = "\x0bMSH|^~\\&|VIGIE||||20260101000000||ZZZ^Z99|1|P|2.3\r\x1c\r";

enum { ASSOCIATE_MAX = 256 };

static void item(VigieWriter *out, uint8_t type, const char *text) {
    vigie_write_u16(out, (uint16_t)(type << 8));
    size_t mark = vigie_write_open(out, 2);
    vigie_write(out, text, strlen(text));
    vigie_write_close(out, mark, 2);
}

/* A-ASSOCIATE-RQ for Verification (C-ECHO), PS3.8 9.3.2: what any DICOM client says first. */
static void write_associate(VigieWriter *out) {
    static const uint8_t reserved[32], context_id[4] = {1, 0, 0, 0},
                                       largest[8] = {0x51, 0, 0, 4, 0, 0, 0x40, 0};
    vigie_write_u16(out, 0x0100);
    size_t pdu = vigie_write_open(out, 4);
    vigie_write_uint(out, 0x00010000, 4);
    vigie_write(out, "ANY-SCP         ", 16);
    vigie_write(out, "VIGIE           ", 16);
    vigie_write(out, reserved, sizeof reserved);
    item(out, 0x10, "1.2.840.10008.3.1.1.1");
    vigie_write_u16(out, 0x2000);
    size_t context = vigie_write_open(out, 2);
    vigie_write(out, context_id, sizeof context_id);
    item(out, 0x30, "1.2.840.10008.1.1");
    item(out, 0x40, "1.2.840.10008.1.2");
    vigie_write_close(out, context, 2);
    vigie_write_u16(out, 0x5000);
    size_t user = vigie_write_open(out, 2);
    vigie_write(out, largest, sizeof largest);
    item(out, 0x52, "2.25.196203274838511390524128412861923458763");
    vigie_write_close(out, user, 2);
    vigie_write_close(out, pdu, 4);
}

static VigieBytes associate(void) {
    static uint8_t buffer[ASSOCIATE_MAX];
    static size_t size;
    if (size == 0) {
        VigieWriter out = vigie_writer(buffer, sizeof buffer);
        write_associate(&out);
        size = out.size;
    }
    return vigie_bytes(buffer, size);
}

VigieBytes plain_question(VigieProtocol protocol, bool second) {
    switch (protocol) {
    case VIGIE_PROTOCOL_DICOM:
        return second ? (VigieBytes){0} : associate();
    case VIGIE_PROTOCOL_MLLP:
        return second ? (VigieBytes){0} : vigie_bytes(mllp, sizeof mllp - 1);
    case VIGIE_PROTOCOL_TLS:
        return second ? associate() : vigie_bytes(http, sizeof http - 1);
    default:
        return second || vigie_protocol_starttls(protocol) ? (VigieBytes){0}
                                                           : vigie_bytes(http, sizeof http - 1);
    }
}
