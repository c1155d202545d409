/* Servers of what libssl no longer speaks: SSLv2, SSLv3, and suites that it was built without. They answer a
 * hello as the real ones did and hang up when the client would go on. */
#include "lab/lab.h"

#include <openssl/rand.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RECORD_MAX = 16384,
    FLIGHT_MAX = 16384,
    ALERT_HANDSHAKE_FAILURE = 40,
    ALERT_PROTOCOL_VERSION = 70,
};

static void write_random(LabSession *session, VigieWriter *out) {
    uint8_t random[28];
    RAND_bytes(random, sizeof random);
    vigie_write_uint(out, (uint32_t)lab_session_time(session), 4);
    vigie_write(out, random, sizeof random);
}

static void write_certificate(const LabSession *session, X509 *certificate, size_t octets, VigieWriter *out) {
    (void)session;
    uint8_t *der = NULL;
    int size = i2d_X509(certificate, &der);
    size_t mark = vigie_write_open(out, octets);
    if (size > 0)
        vigie_write(out, der, (size_t)size);
    vigie_write_close(out, mark, octets);
    OPENSSL_free(der);
}

/* ---- SSLv2 ------------------------------------------------------------------------------------------- */
/* SERVER-HELLO of the SSL 2.0 draft, 1.5: all three ciphers that such devices had, the certificate, a
 * connection id. */
static void answer_ssl2(LabSession *session) {
    uint8_t header[2], hello[RECORD_MAX];
    if (!lab_read_all(session, header, sizeof header))
        return;
    size_t size = (size_t)(header[0] & 0x7f) << 8 | header[1];
    /* Anything but a CLIENT-HELLO of version 2 is noise to such a server. */
    if ((header[0] & 0x80) == 0 || size < 9 || size > sizeof hello || !lab_read_all(session, hello, size) ||
        hello[0] != 1 || hello[1] != 0 || hello[2] != 2)
        return;

    static const uint8_t ciphers[] = {0x07, 0x00, 0xC0, 0x01, 0x00, 0x80, 0x02, 0x00, 0x80};
    uint8_t flight[FLIGHT_MAX], id[16], der[FLIGHT_MAX / 2];
    RAND_bytes(id, sizeof id);
    VigieWriter certificate = vigie_writer(der, sizeof der);
    write_certificate(session, session->endpoint->identity->leaf, 2, &certificate);
    VigieWriter out = vigie_writer(flight, sizeof flight);
    size_t mark = vigie_write_open(&out, 2);
    vigie_write_u8(&out, 4); /* SERVER-HELLO */
    vigie_write_u8(&out, 0); /* a new session */
    vigie_write_u8(&out, 1); /* X.509 */
    vigie_write_u16(&out, 2);
    vigie_write_u16(&out, (uint16_t)(certificate.size - 2));
    vigie_write_u16(&out, sizeof ciphers);
    vigie_write_u16(&out, sizeof id);
    vigie_write(&out, der + 2, certificate.size - 2);
    vigie_write(&out, ciphers, sizeof ciphers);
    vigie_write(&out, id, sizeof id);
    vigie_write_close(&out, mark, 2);
    flight[0] |= 0x80;
    if (!out.failed && !certificate.failed)
        lab_write(session, flight, out.size);
    lab_read(session, hello, sizeof hello);
}

/* ---- SSLv3 and later --------------------------------------------------------------------------------- */
static void write_alert(LabSession *session, uint16_t version, uint8_t alert) {
    const uint8_t record[] = {21, (uint8_t)(version >> 8), (uint8_t)version, 0, 2, 2, alert};
    lab_write(session, record, sizeof record);
}

/* The first of the server's suites that the client offers, 0 where there is none. */
static uint16_t choose(const LabCanned *canned, VigieReader suites) {
    for (size_t i = 0; i < G_N_ELEMENTS(canned->suites) && canned->suites[i]; i++)
        for (VigieReader offered = suites; !vigie_reader_empty(&offered);)
            if (vigie_read_u16(&offered) == canned->suites[i])
                return canned->suites[i];
    return 0;
}

static size_t open_message(VigieWriter *out, uint8_t type) {
    vigie_write_u8(out, type);
    return vigie_write_open(out, 3);
}

/* ServerHello, Certificate, ServerHelloDone in one record (RFC 6101 5.6, RFC 5246 7.4). */
static void write_flight(LabSession *session, uint16_t version, uint16_t suite) {
    uint8_t flight[FLIGHT_MAX];
    VigieWriter out = vigie_writer(flight, sizeof flight);
    vigie_write_u8(&out, 22);
    vigie_write_u16(&out, version);
    size_t record = vigie_write_open(&out, 2);
    size_t mark = open_message(&out, 2);
    vigie_write_u16(&out, version);
    write_random(session, &out);
    vigie_write_u8(&out, 0); /* no session to resume */
    vigie_write_u16(&out, suite);
    vigie_write_u8(&out, 0); /* no compression */
    vigie_write_close(&out, mark, 3);

    mark = open_message(&out, 11);
    size_t list = vigie_write_open(&out, 3);
    const LabIdentity *identity = session->endpoint->identity;
    write_certificate(session, identity->leaf, 3, &out);
    for (int i = 0; i < sk_X509_num(identity->rest); i++)
        write_certificate(session, sk_X509_value(identity->rest, i), 3, &out);
    vigie_write_close(&out, list, 3);
    vigie_write_close(&out, mark, 3);

    vigie_write_close(&out, open_message(&out, 14), 3);
    vigie_write_close(&out, record, 2);
    if (!out.failed)
        lab_write(session, flight, out.size);
}

static void answer_record(LabSession *session) {
    const LabCanned *canned = session->endpoint->fault.canned;
    uint8_t header[5], body[RECORD_MAX];
    if (!lab_read_all(session, header, sizeof header))
        return;
    size_t size = (size_t)header[3] << 8 | header[4];
    if (header[0] != 22 || header[1] != 3 || size > sizeof body || !lab_read_all(session, body, size))
        return;
    VigieReader hello = vigie_reader(vigie_bytes(body, size));
    uint8_t type = vigie_read_u8(&hello);
    vigie_read_u24(&hello);
    uint16_t highest = vigie_read_u16(&hello);
    vigie_read(&hello, 32);
    vigie_read_vector(&hello, 1);
    VigieReader suites = vigie_read_vector(&hello, 2);
    if (type != 1 || hello.failed)
        return;
    uint16_t suite = choose(canned, suites);
    if (highest < canned->version) {
        write_alert(session, highest, ALERT_PROTOCOL_VERSION);
        return;
    }
    if (suite != 0) {
        write_flight(session, canned->version, suite);
        if (lab_read(session, body, sizeof body) <= 0)
            return;
    }
    write_alert(session, canned->version, ALERT_HANDSHAKE_FAILURE);
}

void lab_speak_canned(LabSession *session) {
    if (session->endpoint->fault.canned->version == 0x0002)
        answer_ssl2(session);
    else
        answer_record(session);
}

/* ---- Silence and worse ------------------------------------------------------------------------------- */
void lab_misbehave_reset(LabSession *session) {
    uint8_t hello[64];
    lab_read(session, hello, sizeof hello);
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(session->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(session->fd);
    session->fd = -1;
}

void lab_misbehave_close(LabSession *session) {
    uint8_t hello[RECORD_MAX];
    lab_read(session, hello, sizeof hello);
}

void lab_misbehave_silence(LabSession *session) {
    uint8_t noise[256];
    while (lab_read(session, noise, sizeof noise) > 0)
        ;
}
