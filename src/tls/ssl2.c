/* ssl2.c: SSLv2's CLIENT-HELLO and SERVER-HELLO, from Netscape's specification (Hickman, 1995), 2.5 and 2.6.
 */
#include "tls/internal.h"

enum { MESSAGE_ERROR = 0, MESSAGE_SSL2_SERVER_HELLO = 4, CHALLENGE_SIZE = 16, X509_TYPE = 1 };

static const uint32_t kinds[] = {0x010080, 0x0700C0, 0x030080, 0x050080, 0x060040, 0x020080, 0x040080};

size_t tls_ssl2_hello_write(VigieTlsContext *tls, uint8_t *buffer, size_t capacity) {
    uint8_t challenge[CHALLENGE_SIZE];
    if (!tls_context_random(tls, challenge, sizeof challenge))
        return 0;
    VigieWriter out = vigie_writer(buffer, capacity);
    size_t mark = vigie_write_open(&out, 2);
    vigie_write_u8(&out, MESSAGE_CLIENT_HELLO);
    vigie_write_u16(&out, tls_version_wire(VIGIE_SSL2));
    vigie_write_u16(&out, 3 * sizeof kinds / sizeof *kinds);
    vigie_write_u16(&out, 0);
    vigie_write_u16(&out, sizeof challenge);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        vigie_write_uint(&out, kinds[i], 3);
    vigie_write(&out, challenge, sizeof challenge);
    vigie_write_close(&out, mark, 2);
    if (out.failed)
        return 0;
    buffer[0] |= 0x80; /* a header of two octets, no padding */
    return out.size;
}

static void read_error(VigieTlsReader *reader, VigieReader body) {
    static const struct {
        uint16_t code;
        const char *name;
    } errors[] = {
        {1, "no_cipher_error"},
        {2, "no_certificate_error"},
        {4, "bad_certificate_error"},
        {6, "unsupported_certificate_type_error"},
    };
    uint16_t code = vigie_read_u16(&body);
    reader->result.alert = "unknown";
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code)
            reader->result.alert = errors[i].name;
    reader->result.alert_level = 2;
    reader->result.alert_code = (uint8_t)code;
    reader->state = VIGIE_TLS_ALERT;
}

static void read_server_hello(VigieTlsReader *reader, VigieReader body) {
    VigieTlsResult *result = &reader->result;
    vigie_read_u8(&body); /* session id hit: none was offered */
    uint8_t type = vigie_read_u8(&body);
    uint16_t version = vigie_read_u16(&body);
    uint16_t certificate_size = vigie_read_u16(&body);
    uint16_t suites_size = vigie_read_u16(&body);
    uint16_t connection_size = vigie_read_u16(&body);
    VigieBytes certificate = vigie_read(&body, certificate_size);
    VigieBytes suites = vigie_read(&body, suites_size);
    VigieBytes connection = vigie_read(&body, connection_size);
    if (body.failed || suites.size % 3 != 0) {
        tls_reader_fail(reader, "SSL 0.2 2.6: SERVER-HELLO has a wrong length");
        return;
    }
    if (version != tls_version_wire(VIGIE_SSL2)) {
        tls_reader_fail(reader, "SSL 0.2 2.6: SERVER-HELLO of another version");
        return;
    }
    result->version = VIGIE_SSL2;
    result->ssl2_suites = suites;
    result->random = connection;
    if (certificate.size > 0 && type == X509_TYPE) {
        reader->buffer->certificates[0] = certificate;
        result->certificates = reader->buffer->certificates;
        result->certificate_count = 1;
    }
    reader->state = VIGIE_TLS_DONE;
}

void tls_ssl2_read(VigieTlsReader *reader, VigieBytes record) {
    VigieReader body = vigie_reader(record);
    uint8_t type = vigie_read_u8(&body);
    if (type == MESSAGE_SSL2_SERVER_HELLO)
        read_server_hello(reader, body);
    else
        read_error(reader, body);
}
