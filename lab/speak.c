/* What the devices say once connected: enough of each protocol for its own tools to be answered. */
#include "lab/lab.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE_MAX_OCTETS = 2048, LINES_MAX = 100, MESSAGE_MAX = 65536 };

/* "Sat, 21 Nov 2026 20:15:10 GMT" by the device's clock. */
static char *date_text(const LabSession *session, const char *format) {
    char text[64];
    time_t now = lab_session_time(session);
    struct tm parts;
    strftime(text, sizeof text, format, gmtime_r(&now, &parts));
    return g_strdup(text);
}

/* ---- HTTP, FHIR, DICOMweb ---------------------------------------------------------------------------- */
static void answer_http(LabSession *session, const char *status, const char *type, const char *body,
                        bool head) {
    const LabDevice *device = session->endpoint->device;
    g_autofree char *date = date_text(session, "%a, %d %b %Y %H:%M:%S GMT");
    lab_print(session,
              "HTTP/1.1 %s\r\nDate: %s\r\nServer: %s/%s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
              "Connection: close\r\n\r\n%s",
              status, date, device->model, device->firmware, type, strlen(body), head ? "" : body);
}

static char *capability_statement(const LabSession *session) {
    const LabDevice *device = session->endpoint->device;
    g_autofree char *date = date_text(session, "%Y-%m-%dT%H:%M:%SZ");
    return g_strdup_printf("{\"resourceType\":\"CapabilityStatement\",\"status\":\"active\",\"date\":\"%s\","
                           "\"kind\":\"instance\",\"fhirVersion\":\"4.0.1\",\"format\":[\"json\"],"
                           "\"software\":{\"name\":\"%s %s\",\"version\":\"%s\"},"
                           "\"rest\":[{\"mode\":\"server\",\"resource\":[{\"type\":\"Observation\","
                           "\"interaction\":[{\"code\":\"read\"},{\"code\":\"create\"}]}]}]}",
                           date, device->maker, device->model, device->firmware);
}

static void answer_path(LabSession *session, const char *path, bool head) {
    const LabDevice *device = session->endpoint->device;
    bool fhir = strcmp(device->protocol, "fhir") == 0;
    if (fhir && g_str_has_suffix(path, "/metadata")) {
        g_autofree char *statement = capability_statement(session);
        answer_http(session, "200 OK", "application/fhir+json", statement, head);
    } else if (strcmp(device->protocol, "dicomweb") == 0 && g_str_has_suffix(path, "/studies")) {
        answer_http(session, "200 OK", "application/dicom+json", "[]", head);
    } else if (strcmp(path, "/") == 0) {
        g_autofree char *page = g_strdup_printf(
            "<!doctype html><html lang=\"fr\"><meta charset=\"utf-8\"><title>%s</title><h1>%s</h1>"
            "<p>%s %s, %s</p></html>\n",
            device->name, device->name, device->maker, device->model, device->firmware);
        answer_http(session, "200 OK", "text/html; charset=utf-8", page, head);
    } else {
        answer_http(session, "404 Not Found", "text/plain", "not found\n", head);
    }
}

void lab_speak_http(LabSession *session) {
    char line[LINE_MAX_OCTETS], rest[LINE_MAX_OCTETS];
    /* Noise is refused at its first octet: it may hold no end of line to wait for. */
    if (lab_read(session, line, 1) != 1)
        return;
    g_auto(GStrv) words = NULL;
    if (g_ascii_isupper(line[0]) && lab_read_line(session, line + 1, sizeof line - 1))
        words = g_strsplit(line, " ", 3);
    if (!words || g_strv_length(words) != 3) {
        answer_http(session, "400 Bad Request", "text/plain", "bad request\n", false);
        /* Read what is left, or closing would reset the connection before the answer was read. */
        lab_read(session, rest, sizeof rest);
        return;
    }
    for (int lines = 0; lines < LINES_MAX && lab_read_line(session, rest, sizeof rest) && rest[0]; lines++)
        ;
    answer_path(session, words[1], strcmp(words[0], "HEAD") == 0);
}

/* ---- DICOM upper layer, PS3.8 9.3 -------------------------------------------------------------------- */
enum {
    PDU_ASSOCIATE_RQ = 1,
    PDU_ASSOCIATE_AC,
    PDU_DATA = 4,
    PDU_RELEASE_RQ,
    PDU_RELEASE_RP,
    PDU_ABORT,
    ITEM_APPLICATION = 0x10,
    ITEM_PRESENTATION = 0x20,
    ITEM_PRESENTATION_ANSWER = 0x21,
    ITEM_TRANSFER = 0x40,
    ITEM_USER = 0x50,
    ITEM_LENGTH = 0x51,
    ITEM_IMPLEMENTATION = 0x52,
};

static void write_item(VigieWriter *out, uint8_t type, const void *data, size_t size) {
    vigie_write_u8(out, type);
    vigie_write_u8(out, 0);
    vigie_write_u16(out, (uint16_t)size);
    vigie_write(out, data, size);
}

static void send_pdu(LabSession *session, uint8_t type, const VigieWriter *body) {
    uint8_t header[6] = {type, 0};
    VigieWriter length = vigie_writer(header + 2, 4);
    vigie_write_uint(&length, (uint32_t)body->size, 4);
    if (!body->failed && lab_write(session, header, sizeof header))
        lab_write(session, body->data, body->size);
}

static void abort_association(LabSession *session, uint8_t reason) {
    uint8_t body[4] = {0, 0, 2 /* the provider */, reason};
    const VigieWriter out = {.data = body, .size = sizeof body};
    send_pdu(session, PDU_ABORT, &out);
}

/* Accepts every context proposed, in the default transfer syntax. */
static void accept_association(LabSession *session, VigieReader request) {
    static const char implicit[] = "1.2.840.10008.1.2", implementation[] = "2.25.290817364554";
    static uint8_t none[32];
    uint8_t body[4096];
    VigieWriter out = vigie_writer(body, sizeof body);
    vigie_write_u16(&out, 1);
    vigie_write_u16(&out, 0);
    vigie_read(&request, 4);
    VigieBytes titles = vigie_read(&request, 32);
    vigie_read(&request, 32);
    vigie_write(&out, titles.data, titles.size);
    vigie_write(&out, none, sizeof none);
    write_item(&out, ITEM_APPLICATION, "1.2.840.10008.3.1.1.1", 21);
    while (!vigie_reader_empty(&request)) {
        uint8_t type = vigie_read_u8(&request);
        vigie_read_u8(&request);
        VigieReader item = vigie_read_vector(&request, 2);
        if (type != ITEM_PRESENTATION)
            continue;
        uint8_t context = vigie_read_u8(&item), answer[64] = {context, 0, 0 /* acceptance */, 0};
        VigieWriter inner = {.data = answer, .size = 4, .capacity = sizeof answer};
        write_item(&inner, ITEM_TRANSFER, implicit, sizeof implicit - 1);
        write_item(&out, ITEM_PRESENTATION_ANSWER, answer, inner.size);
    }
    static const uint8_t longest[] = {0, 0, 0x40, 0};
    uint8_t user[64];
    VigieWriter inner = vigie_writer(user, sizeof user);
    write_item(&inner, ITEM_LENGTH, longest, sizeof longest);
    write_item(&inner, ITEM_IMPLEMENTATION, implementation, sizeof implementation - 1);
    write_item(&out, ITEM_USER, user, inner.size);
    if (request.failed)
        abort_association(session, 6 /* invalid parameter */);
    else
        send_pdu(session, PDU_ASSOCIATE_AC, &out);
}

/* Group 0 elements are little-endian, whatever the transfer syntax: PS3.7 6.3.1. */
static uint16_t little(VigieBytes value) {
    return value.size >= 2 ? (uint16_t)(value.data[0] | value.data[1] << 8) : 0;
}

static void write_element(VigieWriter *out, uint8_t element_high, uint8_t element, const void *value,
                          uint8_t size) {
    const uint8_t header[] = {0, 0, element, element_high, size, 0, 0, 0};
    vigie_write(out, header, sizeof header);
    vigie_write(out, value, size);
}

/* C-ECHO-RSP with success to a C-ECHO-RQ (PS3.7 9.3.5); anything else is refused by an abort. */
static void answer_data(LabSession *session, VigieReader data) {
    static const char verification[18] = "1.2.840.10008.1.1";
    vigie_read(&data, 4);
    uint8_t context = vigie_read_u8(&data);
    vigie_read_u8(&data);
    uint16_t command = 0, message = 0;
    while (!vigie_reader_empty(&data)) {
        VigieBytes tag = vigie_read(&data, 4), length = vigie_read(&data, 4);
        VigieBytes value = vigie_read(&data, little(length));
        uint16_t element = tag.size == 4 ? (uint16_t)(tag.data[2] | tag.data[3] << 8) : 0;
        if (element == 0x0100)
            command = little(value);
        if (element == 0x0110)
            message = little(value);
    }
    if (command != 0x0030) {
        abort_association(session, 2 /* unexpected PDU */);
        return;
    }
    const uint8_t response[] = {0x30, 0x80}, id[] = {(uint8_t)message, (uint8_t)(message >> 8)};
    const uint8_t nothing[] = {0x01, 0x01}, success[] = {0, 0}, length[] = {66, 0, 0, 0};
    uint8_t body[128];
    VigieWriter out = vigie_writer(body, sizeof body);
    vigie_write_uint(&out, 2 + 12 + 66, 4);
    vigie_write_u8(&out, context);
    vigie_write_u8(&out, 3); /* a command, its last fragment */
    write_element(&out, 0, 0x00, length, 4);
    write_element(&out, 0, 0x02, verification, sizeof verification);
    write_element(&out, 1, 0x00, response, 2);
    write_element(&out, 1, 0x20, id, 2);
    write_element(&out, 8, 0x00, nothing, 2);
    write_element(&out, 9, 0x00, success, 2);
    send_pdu(session, PDU_DATA, &out);
}

void lab_speak_dicom(LabSession *session) {
    uint8_t header[6];
    g_autofree uint8_t *body = g_malloc(MESSAGE_MAX);
    const VigieWriter released = {.data = (uint8_t[4]){0}, .size = 4};
    while (lab_read_all(session, header, 1)) {
        if (header[0] < PDU_ASSOCIATE_RQ || header[0] > PDU_ABORT) {
            abort_association(session, 1 /* unrecognised PDU */);
            lab_read(session, body, MESSAGE_MAX);
            return;
        }
        VigieReader length = vigie_reader(vigie_bytes(header + 2, 4));
        if (!lab_read_all(session, header + 1, sizeof header - 1))
            return;
        size_t size = vigie_read_u32(&length);
        if (size > MESSAGE_MAX || !lab_read_all(session, body, size))
            return;
        VigieReader pdu = vigie_reader(vigie_bytes(body, size));
        if (header[0] == PDU_ASSOCIATE_RQ)
            accept_association(session, pdu);
        else if (header[0] == PDU_DATA)
            answer_data(session, pdu);
        else if (header[0] == PDU_RELEASE_RQ)
            send_pdu(session, PDU_RELEASE_RP, &released);
        else
            return;
    }
}

/* ---- HL7 v2 over MLLP -------------------------------------------------------------------------------- */
static void acknowledge(LabSession *session, char *message) {
    g_auto(GStrv) fields = g_strsplit(message, "|", 12);
    guint count = g_strv_length(fields);
    g_autofree char *date = date_text(session, "%Y%m%d%H%M%S+0000");
    bool header = count > 9 && strcmp(fields[0], "MSH") == 0;
    lab_print(session, "\x0bMSH|^~\\&|%s|CHU|%s|CHU|%s||ACK|%s|P|2.5\rMSA|%s|%s\r\x1c\r",
              session->endpoint->device->host, header ? fields[2] : "", date, header ? fields[9] : "0",
              header ? "AA" : "AR", header ? fields[9] : "0");
}

/* What comes before a start block is skipped, as MLLP libraries do. A block ends with FS and CR: either alone may be
 * text, or the noise of somebody who speaks TLS. */
void lab_speak_mllp(LabSession *session) {
    g_autoptr(GString) message = g_string_new(NULL);
    bool inside = false;
    uint8_t octet = 0, before = 0;
    for (; lab_read(session, &octet, 1) == 1; before = octet) {
        if (octet == 0x0b) {
            g_string_truncate(message, 0);
            inside = true;
        } else if (inside && before == 0x1c && octet == '\r') {
            acknowledge(session, message->str);
            inside = false;
        } else if (inside && message->len < MESSAGE_MAX) {
            g_string_append_c(message, (char)octet);
        }
    }
}

/* ---- LDAP -------------------------------------------------------------------------------------------- */
/* Refuses every bind (RFC 4511 4.2.2: 49, invalidCredentials); other requests end the session. */
static void speak_ldap(LabSession *session) {
    uint8_t header[2], body[128];
    while (lab_read_all(session, header, sizeof header)) {
        if (header[0] != 0x30 || header[1] >= sizeof body || !lab_read_all(session, body, header[1]))
            return;
        VigieReader message = vigie_reader(vigie_bytes(body, header[1]));
        vigie_read_u8(&message);
        VigieReader number = vigie_read_vector(&message, 1);
        if (vigie_read_u8(&message) != 0x60 || number.failed || number.rest.size != 1)
            return;
        const uint8_t answer[] = {0x30, 12, 2, 1, number.rest.data[0], 0x61, 7, 10, 1, 49, 4, 0, 4, 0};
        lab_write(session, answer, sizeof answer);
    }
}

/* ---- SMTP with STARTTLS ------------------------------------------------------------------------------------- */
/* Keeps a message as NUMBER.eml; a dot before a line's dot goes (RFC 5321 4.5.2). False at a broken end. */
static bool take_message(LabSession *session) {
    static int number;
    char line[LINE_MAX_OCTETS];
    g_autoptr(GString) message = g_string_new(NULL);
    for (;;) {
        if (!lab_read_line(session, line, sizeof line) || message->len > MESSAGE_MAX * 16)
            return false;
        if (strcmp(line, ".") == 0)
            break;
        g_string_append_printf(message, "%s\r\n", line[0] == '.' ? line + 1 : line);
    }
    g_autofree char *date = date_text(session, "%Y%m%d-%H%M%S");
    g_autofree char *path = g_strdup_printf("%s/%s-%d.eml", session->endpoint->mail_folder, date,
                                            g_atomic_int_add(&number, 1) + 1);
    bool kept = g_file_set_contents(path, message->str, (gssize)message->len, NULL);
    return lab_print(session, "%s\r\n", kept ? "250 2.0.0 kept" : "452 4.3.1 no room");
}

/* The answer to a command that needs TLS. */
static const char *mail_answer(const char *line) {
    if (g_ascii_strncasecmp(line, "MAIL FROM:", 10) == 0 || g_ascii_strcasecmp(line, "RSET") == 0)
        return "250 2.1.0 ok";
    if (g_ascii_strncasecmp(line, "RCPT TO:", 8) == 0)
        return strstr(line, ".test>") ? "250 2.1.5 ok" : "550 5.7.1 relaying denied"; /* RFC 6761 6.2 */
    if (g_ascii_strcasecmp(line, "DATA") == 0)
        return "354 go ahead";
    return "500 5.5.1 unknown command";
}

/* One command; false ends the session. */
static bool answer_smtp(LabSession *session, const char *fqdn, const char *line) {
    if (g_ascii_strncasecmp(line, "EHLO", 4) == 0)
        return lab_print(session, "250-%s\r\n%s250 8BITMIME\r\n", fqdn,
                         session->ssl ? "" : "250-STARTTLS\r\n");
    if (g_ascii_strncasecmp(line, "HELO", 4) == 0 || g_ascii_strcasecmp(line, "NOOP") == 0)
        return lab_print(session, "250 2.0.0 ok\r\n");
    if (g_ascii_strcasecmp(line, "STARTTLS") == 0 && !session->ssl)
        return lab_print(session, "220 2.0.0 go ahead\r\n") && lab_secure(session);
    if (g_ascii_strcasecmp(line, "QUIT") == 0) {
        lab_print(session, "221 2.0.0 bye\r\n");
        return false;
    }
    const char *answer = session->ssl ? mail_answer(line) : "530 5.7.0 STARTTLS first";
    return lab_print(session, "%s\r\n", answer) && (strncmp(answer, "354", 3) != 0 || take_message(session));
}

static void speak_smtp(LabSession *session) {
    g_autofree char *fqdn = lab_device_fqdn(session->endpoint->device);
    g_autofree char *date = date_text(session, "%a, %d %b %Y %H:%M:%S +0000");
    char line[LINE_MAX_OCTETS];
    lab_print(session, "220 %s ESMTP; %s\r\n", fqdn, date);
    for (int lines = 0; lines < LINES_MAX && lab_read_line(session, line, sizeof line); lines++)
        if (!answer_smtp(session, fqdn, line))
            return;
}

/* ---- In the clear, where TLS was expected ------------------------------------------------------------ */
void lab_speak_telnet(LabSession *session) {
    static const uint8_t hello[] = {255, 253, 24, 255, 253, 31,
                                    255, 251, 1,  255, 251, 3}; /* RFC 854: DO, WILL */
    char line[LINE_MAX_OCTETS];
    lab_write(session, hello, sizeof hello);
    lab_print(session, "\r\n%s %s\r\nlogin: ", session->endpoint->device->maker,
              session->endpoint->device->model);
    if (lab_read_line(session, line, sizeof line))
        lab_print(session, "Password: ");
    if (lab_read_line(session, line, sizeof line))
        lab_print(session, "\r\nLogin incorrect\r\n");
}

void lab_speak_ftp(LabSession *session) {
    char line[LINE_MAX_OCTETS];
    lab_print(session, "220 %s FTP server ready\r\n", session->endpoint->device->model);
    for (int lines = 0; lines < LINES_MAX && lab_read_line(session, line, sizeof line); lines++) {
        bool quits = g_ascii_strcasecmp(line, "QUIT") == 0;
        lab_print(session, "%s\r\n", quits ? "221 Goodbye" : "530 Please login with USER and PASS");
        if (quits)
            return;
    }
}

/* ---- By name ----------------------------------------------------------------------------------------- */
static void secure_http(LabSession *session) {
    if (lab_secure(session))
        lab_speak_http(session);
}

static void secure_dicom(LabSession *session) {
    if (lab_secure(session))
        lab_speak_dicom(session);
}

static void secure_mllp(LabSession *session) {
    if (lab_secure(session))
        lab_speak_mllp(session);
}

static void secure_ldap(LabSession *session) {
    if (lab_secure(session))
        speak_ldap(session);
}

LabSpeech lab_speech(const char *protocol) {
    static const struct {
        const char *protocol;
        LabSpeech speech;
    } speeches[] = {
        {"https", secure_http}, {"fhir", secure_http},  {"dicomweb", secure_http}, {"dicom", secure_dicom},
        {"mllp", secure_mllp},  {"ldaps", secure_ldap}, {"smtp", speak_smtp},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(speeches); i++)
        if (strcmp(speeches[i].protocol, protocol) == 0)
            return speeches[i].speech;
    return NULL;
}
