/* The reader against flights described by text: what is well formed, in pieces of every size; each way to be malformed
 * with the clause it breaks; what is not TLS; what never ends. */
#include "tls/tls.h"
#include "wire.h"

#include <glib.h>

enum { FLIGHT_MAX = 1 << 20, CHUNK = 16384 };

#define SERVER_HELLO_12 "02 (3 0303 R (1 ) C02F 00 ) "
#define CERTIFICATE_12 "0B (3 (3 (3 3003020101 ) (3 3003020102 ) ) ) "
#define KEY_EXCHANGE "0C (3 03 0017 (1 04 Z64 ) 0401 (2 Z64 ) ) "
#define REQUEST_12 "0D (3 (1 01 ) (2 0401 ) (2 ) ) "
#define DONE_12 "0E (3 ) "
#define FULL "16 0303 (2 Z16384 ) "
#define RECORD(content) "16 0303 (2 " content ") "
#define SERVER_HELLO_13 "02 (3 0303 R (1 S ) 1301 00 (2 002B (2 0304 ) 0033 (2 001D (2 K ) ) ) ) "

typedef struct {
    VigieTlsContext *tls;
    VigieHello plan;
    uint8_t hello[VIGIE_HELLO_MAX];
    size_t hello_size;
    VigieBytes session_id;
    uint8_t *flight;
} Fixture;

static void begin(Fixture *fixture, uint8_t versions) {
    fixture->tls = tls_context_new();
    fixture->plan = tls_hello_plan(versions);
    fixture->hello_size =
        tls_hello_write(fixture->tls, &fixture->plan, fixture->hello, sizeof fixture->hello);
    g_assert_cmpuint(fixture->hello_size, >, 0);
    fixture->session_id = vigie_bytes(fixture->hello + 44, fixture->hello[43]);
    fixture->flight = g_malloc(FLIGHT_MAX);
}

static void end(Fixture *fixture) {
    tls_context_free(fixture->tls);
    g_free(fixture->flight);
}

static VigieBytes flight_of(Fixture *fixture, const char *text) {
    VigieWriter out = vigie_writer(fixture->flight, FLIGHT_MAX);
    wire_write(&out, text, fixture->session_id);
    g_assert_false(out.failed);
    return vigie_bytes(out.data, out.size);
}

/* Feeds `flight` in pieces, each a copy of its own so that the sanitizer sees a read past it, then closes. */
static VigieTlsState feed(Fixture *fixture, VigieTlsReader *reader, VigieBytes flight, size_t piece) {
    VigieTlsState state = VIGIE_TLS_MORE;
    tls_reader_start(reader, fixture->tls, &fixture->plan, vigie_bytes(fixture->hello, fixture->hello_size),
                     VIGIE_UNTIL_CERTIFICATE);
    for (size_t at = 0; at < flight.size && state == VIGIE_TLS_MORE; at += piece) {
        size_t size = MIN(piece, flight.size - at);
        g_autofree uint8_t *copy = g_memdup2(flight.data + at, size);
        state = tls_reader_feed(reader, vigie_bytes(copy, size));
    }
    return state == VIGIE_TLS_MORE ? tls_reader_close(reader) : state;
}

static void test_flight(void) {
    static const char *const flights[] = {
        RECORD(SERVER_HELLO_12 CERTIFICATE_12 KEY_EXCHANGE REQUEST_12 DONE_12),
        RECORD(SERVER_HELLO_12) RECORD(CERTIFICATE_12) RECORD(KEY_EXCHANGE REQUEST_12) RECORD(DONE_12),
        /* fragmented within a message, empty records between, a warning before */
        "15 0303 (2 0170 ) 16 0303 (2 02 ) 16 0303 (2 00002603 ) 16 0303 (2 ) 16 0303 (2 03 R 00 C02F 00 "
        ") " RECORD(CERTIFICATE_12 KEY_EXCHANGE REQUEST_12 DONE_12),
        /* a HelloRequest between means nothing */
        RECORD("00 (3 ) " SERVER_HELLO_12 "00 (3 ) " CERTIFICATE_12 KEY_EXCHANGE REQUEST_12 DONE_12),
    };
    static const size_t pieces[] = {1, 2, 3, 5, 7, 64, 65536};
    Fixture fixture;
    begin(&fixture, 1 << VIGIE_TLS12);
    for (size_t i = 0; i < G_N_ELEMENTS(flights) * G_N_ELEMENTS(pieces); i++) {
        VigieTlsReader reader;
        VigieBytes flight = flight_of(&fixture, flights[i / G_N_ELEMENTS(pieces)]);
        g_assert_cmpint(feed(&fixture, &reader, flight, pieces[i % G_N_ELEMENTS(pieces)]), ==,
                        VIGIE_TLS_DONE);
        g_assert_true(reader.result.complete && reader.result.certificate_request && reader.result.has_time);
        g_assert_cmpint(reader.result.version, ==, VIGIE_TLS12);
        g_assert_cmphex(reader.result.suite, ==, 0xC02F);
        g_assert_cmphex(reader.result.group, ==, 0x0017);
        g_assert_cmphex(reader.result.time, ==, 0xA5A5A5A5);
        g_assert_cmpuint(reader.result.certificate_count, ==, 2);
        g_assert_cmpmem(reader.result.certificates[1].data, reader.result.certificates[1].size,
                        "\x30\x03\x02\x01\x02", 5);
        tls_reader_end(&reader);
    }
    end(&fixture);
}

static void test_growth(void) {
    Fixture fixture;
    VigieTlsReader reader;
    begin(&fixture, 1 << VIGIE_TLS12);
    /* 20 certificates of 8 KiB in records of 16 KiB: the buffer moves several times, the views must follow */
    GString *text =
        g_string_new("02 (3 0303 R (1 0102030405 ) C02F 00 (2 0010 (2 (2 (1 6832 ) ) ) ) ) 0B (3 (3 ");
    for (int i = 0; i < 20; i++)
        g_string_append_printf(text, "(3 %02X Z8191 ) ", i);
    g_string_append(text, ") ) " DONE_12);
    g_autofree uint8_t *stream = g_malloc(FLIGHT_MAX);
    VigieWriter messages = vigie_writer(stream, FLIGHT_MAX),
                flight = vigie_writer(fixture.flight, FLIGHT_MAX);
    wire_write(&messages, text->str, fixture.session_id);
    for (size_t at = 0; at < messages.size; at += CHUNK) {
        size_t size = MIN((size_t)CHUNK, messages.size - at);
        vigie_write_uint(&flight, 0x160303, 3);
        vigie_write_u16(&flight, (uint16_t)size);
        vigie_write(&flight, stream + at, size);
    }
    g_assert_false(messages.failed || flight.failed);
    g_assert_cmpint(feed(&fixture, &reader, vigie_bytes(flight.data, flight.size), 1460), ==, VIGIE_TLS_DONE);
    g_assert_cmpuint(reader.result.certificate_count, ==, 20);
    for (size_t i = 0; i < 20; i++)
        g_assert_cmpuint(reader.result.certificates[i].data[0], ==, i);
    g_assert_cmpmem(reader.result.alpn.data, reader.result.alpn.size, "h2", 2);
    g_assert_cmpmem(reader.result.session_id.data, reader.result.session_id.size, "\1\2\3\4\5", 5);
    g_assert_cmpuint(reader.result.random.data[0], ==, 0xA5);
    tls_reader_end(&reader);
    g_string_free(text, TRUE);
    end(&fixture);
}

typedef struct {
    uint8_t versions;
    const char *flight;
    VigieTlsState state;
    const char *words; /* what the clause, alert or protocol must contain */
} Case;

enum { TLS12 = 1 << VIGIE_TLS12, TLS13 = 1 << VIGIE_TLS13, SSL2 = 1 << VIGIE_SSL2 };

static const Case cases[] = {
    /* records */
    {TLS12, "16 0303 4001 Z100", VIGIE_TLS_FAILED, "over 2^14"},
    {TLS12, "14 0303 (2 01 )", VIGIE_TLS_FAILED, "RFC 5246 7.1"},
    {TLS12, "17 0303 (2 01 )", VIGIE_TLS_FAILED, "application data"},
    {TLS12, "18 0303 (2 01 )", VIGIE_TLS_FAILED, "type that does not belong"},
    {TLS12, RECORD(SERVER_HELLO_12) "485454502F", VIGIE_TLS_FAILED, "no record where one should"},
    {TLS12, RECORD(SERVER_HELLO_12) "1603", VIGIE_TLS_FAILED, "closed within a record"},
    {TLS12, RECORD(SERVER_HELLO_12) "16 0303 00FF 0B", VIGIE_TLS_FAILED, "closed within a record"},
    {TLS12, RECORD(SERVER_HELLO_12 "0B 0000"), VIGIE_TLS_FAILED, "closed within a handshake message"},
    {TLS12, RECORD(SERVER_HELLO_12), VIGIE_TLS_FAILED, "closed before the end"},
    {TLS12, RECORD(SERVER_HELLO_12 CERTIFICATE_12), VIGIE_TLS_DONE, ""},
    {TLS12, "16 0303 (2 02 FFFFFF )", VIGIE_TLS_LIMIT, "240 KiB"},
    /* alerts */
    {TLS12, "15 0301 (2 0228 )", VIGIE_TLS_ALERT, "handshake_failure"},
    {TLS12, "15 0301 (2 02 ) ", VIGIE_TLS_FAILED, "RFC 5246 7.2"},
    {TLS12, "15 0301 (2 0928 )", VIGIE_TLS_FAILED, "RFC 5246 7.2"},
    {TLS12, "15 0301 (2 02C8 )", VIGIE_TLS_ALERT, "unknown"},
    {TLS12, "15 0301 (2 0100 )", VIGIE_TLS_ALERT, "close_notify"},
    {TLS12, RECORD(SERVER_HELLO_12) "15 0303 (2 0250 )", VIGIE_TLS_ALERT, "internal_error"},
    /* ServerHello */
    {TLS12, RECORD("02 (3 0303 R (1 ) C02F )"), VIGIE_TLS_FAILED, "ServerHello has a wrong length"},
    {TLS12, RECORD("02 (3 0303 R (1 Z33 ) C02F 00 )"), VIGIE_TLS_FAILED, "ServerHello has a wrong length"},
    {TLS12, RECORD("02 (3 0303 R (1 ) C02F 00 (2 ) 00 )"), VIGIE_TLS_FAILED, "octets after its extensions"},
    {TLS12, RECORD("02 (3 0303 R (1 ) C02F 00 (2 FF01 ) )"), VIGIE_TLS_FAILED, "extensions of ServerHello"},
    {TLS12, RECORD("02 (3 0303 R (1 ) C02F 00 0009 FF01 (2 00 ) )"), VIGIE_TLS_FAILED,
     "extensions of ServerHello"},
    {TLS12, RECORD("02 (3 0305 R (1 ) C02F 00 )"), VIGIE_TLS_FAILED, "no version of TLS"},
    {TLS12, RECORD("02 (3 0304 R (1 ) C02F 00 )"), VIGIE_TLS_FAILED, "higher than offered"},
    {TLS12, RECORD("02 (3 0303 R (1 ) 1301 00 )"), VIGIE_TLS_FAILED, "was not offered"},
    {TLS12, RECORD("02 (3 0303 R (1 ) C02F 01 )"), VIGIE_TLS_FAILED, "compression_method"},
    {TLS12, RECORD("02 (3 0303 H (1 ) C02F 00 )"), VIGIE_TLS_FAILED, "RFC 8446 4.1.4"},
    {TLS12, RECORD("01 (3 0303 R (1 ) C02F 00 )"), VIGIE_TLS_FAILED, "out of order"}, /* an echo */
    {TLS12, RECORD(CERTIFICATE_12), VIGIE_TLS_FAILED, "out of order"},
    {TLS12, RECORD(SERVER_HELLO_12 SERVER_HELLO_12), VIGIE_TLS_FAILED, "out of order"},
    {TLS12, RECORD(SERVER_HELLO_12 DONE_12 CERTIFICATE_12), VIGIE_TLS_DONE, ""},
    {TLS12, RECORD(SERVER_HELLO_12 KEY_EXCHANGE CERTIFICATE_12), VIGIE_TLS_FAILED, "out of order"},
    {TLS12, RECORD(SERVER_HELLO_12 "14 (3 Z12 )"), VIGIE_TLS_FAILED, "out of order"},
    /* the messages after it */
    {TLS12, RECORD(SERVER_HELLO_12 "0B (3 (3 ) )"), VIGIE_TLS_FAILED, "certificate_list is empty"},
    {TLS12, RECORD(SERVER_HELLO_12 "0B (3 (3 (3 ) ) )"), VIGIE_TLS_FAILED, "certificate_list"},
    {TLS12, RECORD(SERVER_HELLO_12 "0B (3 (3 000009 30 ) )"), VIGIE_TLS_FAILED,
     "certificate_list has a wrong"},
    {TLS12, RECORD(SERVER_HELLO_12 "0B (3 (3 (3 30 ) ) 00 )"), VIGIE_TLS_FAILED,
     "certificate_list has a wrong"},
    {TLS12, RECORD(SERVER_HELLO_12 CERTIFICATE_12 "0C (3 03 00 )"), VIGIE_TLS_FAILED, "ServerKeyExchange"},
    {TLS12, RECORD(SERVER_HELLO_12 CERTIFICATE_12 "0E (3 00 )"), VIGIE_TLS_FAILED,
     "ServerHelloDone is not empty"},
    /* TLS 1.3 */
    {TLS13, RECORD("02 (3 0303 R (1 S ) 1301 00 (2 002B (2 0303 ) ) )"), VIGIE_TLS_FAILED, "RFC 8446 4.2.1"},
    {TLS13, RECORD("02 (3 0303 R (1 S ) 1301 00 (2 002B (2 0304 ) ) )"), VIGIE_TLS_FAILED,
     "without key_share"},
    {TLS13, RECORD("02 (3 0303 R (1 ) 1301 00 (2 002B (2 0304 ) 0033 (2 001D (2 K ) ) ) )"), VIGIE_TLS_FAILED,
     "legacy_session_id_echo"},
    {TLS13, RECORD("02 (3 0303 R (1 S ) C02F 00 (2 002B (2 0304 ) 0033 (2 001D (2 K ) ) ) )"),
     VIGIE_TLS_FAILED, "RFC 8446 4.1.3"},
    {TLS13, RECORD("02 (3 0303 R (1 S ) 1301 00 (2 002B (2 0304 ) 0033 (2 001D (2 K ) 00 ) ) )"),
     VIGIE_TLS_FAILED, "key_share has a wrong length"},
    {TLS13, RECORD("02 (3 0303 R (1 S ) 1301 00 (2 002B (2 0304 ) 0033 (2 001D (2 Z31 ) ) ) )"),
     VIGIE_TLS_FAILED, "no public key"},
    {TLS13, RECORD("02 (3 0303 R (1 S ) 1301 00 (2 002B (2 0304 ) 0033 (2 001D (2 Z32 ) ) ) )"),
     VIGIE_TLS_FAILED, "no public key"}, /* the secret would be zero: RFC 8446 7.4.2 */
    {TLS13, RECORD("02 (3 0303 R (1 S ) 1301 00 (2 002B (2 0304 ) 0033 (2 9999 (2 K ) ) ) )"),
     VIGIE_TLS_FAILED, "group that was not offered"},
    {TLS13, RECORD(SERVER_HELLO_13 "08 (3 (2 ) )"), VIGIE_TLS_FAILED, "span a key change"},
    {TLS13, RECORD(SERVER_HELLO_13) RECORD("08 (3 (2 ) )"), VIGIE_TLS_FAILED, "in clear after the keys"},
    {TLS13, RECORD(SERVER_HELLO_13) "17 0303 (2 Z40 )", VIGIE_TLS_FAILED, "does not decrypt"},
    {TLS13, RECORD(SERVER_HELLO_13) "17 0303 (2 Z3 )", VIGIE_TLS_FAILED, "does not decrypt"},
    {TLS13, RECORD(SERVER_HELLO_13) "14 0303 (2 02 )", VIGIE_TLS_FAILED, "change_cipher_spec"},
    {TLS13, RECORD(SERVER_HELLO_13) "14 0303 (2 01 ) 15 0303 (2 0228 )", VIGIE_TLS_ALERT,
     "handshake_failure"},
    {TLS13, RECORD("02 (3 0303 H (1 S ) 1301 00 (2 002B (2 0304 ) 0033 (2 001D ) ) )"), VIGIE_TLS_FAILED,
     "would change nothing"},
    {TLS13, RECORD("02 (3 0303 H (1 S ) 1301 00 (2 002B (2 0304 ) ) )"), VIGIE_TLS_FAILED,
     "would change nothing"},
    {TLS13, RECORD("02 (3 0303 H (1 S ) 1301 00 (2 002B (2 0304 ) 0033 (2 0017 ) ) ) 08 (3 )"),
     VIGIE_TLS_FAILED, "span a key change"},
    {TLS13, RECORD("02 (3 0303 H (1 S ) 1301 00 (2 002B (2 0304 ) 0033 (2 0017 ) ) )") "14 0303 (2 01 )",
     VIGIE_TLS_RETRY, ""},
    /* SSLv2 */
    {SSL2, "80 03 00 0001", VIGIE_TLS_ALERT, "no_cipher_error"},
    {SSL2, "80 03 00 0063", VIGIE_TLS_ALERT, "unknown"},
    {SSL2, "15 0301 (2 0246 )", VIGIE_TLS_ALERT, "protocol_version"},
    {SSL2, "80 0B 04 00 01 0002 FFFF 0003 0010", VIGIE_TLS_FAILED, "SERVER-HELLO has a wrong length"},
    {SSL2, "80 0F 04 00 01 0002 0000 0004 0000 01008001", VIGIE_TLS_FAILED,
     "SERVER-HELLO has a wrong length"},
    {SSL2, "80 0B 04 00 01 0300 0000 0000 0000", VIGIE_TLS_FAILED, "another version"},
    {SSL2, "80 FF 04 00 01 0002", VIGIE_TLS_FAILED, "closed within a record"},
    {SSL2, "485454502F312E3120343030", VIGIE_TLS_NOT_TLS, "http"},
};

static const char *words_of(const VigieTlsResult *result, VigieTlsState state) {
    const char *words = state == VIGIE_TLS_ALERT     ? result->alert
                        : state == VIGIE_TLS_NOT_TLS ? result->speaks
                                                     : result->clause;
    return words ? words : "";
}

static void test_malformed(void) {
    static const size_t pieces[] = {1, 65536};
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        const Case *one = &cases[i / 2];
        Fixture fixture;
        VigieTlsReader reader;
        begin(&fixture, one->versions);
        VigieTlsState state = feed(&fixture, &reader, flight_of(&fixture, one->flight), pieces[i % 2]);
        const char *words = words_of(&reader.result, state);
        if (state != one->state || !strstr(words, one->words))
            g_error("flight %s\nexpected state %d, \"%s\"; found %d, \"%s\"", one->flight, one->state,
                    one->words, state, words);
        g_assert_cmpuint(strlen(words), <=, 80);
        tls_reader_end(&reader);
        end(&fixture);
    }
}

static void test_ssl2(void) {
    Fixture fixture;
    VigieTlsReader reader;
    begin(&fixture, SSL2);
    g_assert_cmpuint(fixture.hello_size, ==, 2 + 9 + 21 + 16);
    g_assert_cmphex(fixture.hello[0] << 8 | fixture.hello[1], ==, 0x8000 | 46);
    VigieBytes flight =
        flight_of(&fixture, "80 26 04 00 01 0002 0005 0006 0010 3003020101 010080 0700C0 Z16");
    for (size_t piece = 1; piece < 50; piece += 7) {
        g_assert_cmpint(feed(&fixture, &reader, flight, piece), ==, VIGIE_TLS_DONE);
        g_assert_cmpint(reader.result.version, ==, VIGIE_SSL2);
        g_assert_cmpuint(reader.result.certificate_count, ==, 1);
        g_assert_cmpmem(reader.result.ssl2_suites.data, reader.result.ssl2_suites.size, "\1\0\x80\7\0\xC0",
                        6);
        tls_reader_end(&reader);
    }
    end(&fixture);
}

static void test_speaks(void) {
    static const struct {
        const char *text;
        size_t size;
        const char *speaks;
    } banners[] = {
#define BANNER(text, speaks) {text, sizeof text - 1, speaks}
        BANNER("HTTP/1.1 400 Bad Request\r\n", "http"),
        BANNER("<html><head><title>400", "http"),
        BANNER("SSH-2.0-dropbear\r\n", "ssh"),
        BANNER("220 mx.chu.test ESMTP Postfix\r\n", "smtp"),
        BANNER("220-mail.chu.test\r\n", "smtp"),
        BANNER("220 (vsFTPd 3.0.3)\r\n", "ftp"),
        BANNER("220 Microsoft FTP Service\r\n", "ftp"),
        BANNER("530 Please login with USER and PASS.\r\n", "ftp"),
        BANNER("501 5.5.4 Invalid domain name\r\n", "smtp"),
        BANNER("+OK Dovecot ready.\r\n", "pop3"),
        BANNER("* OK [CAPABILITY IMAP4rev1] ready\r\n", "imap"),
        BANNER("\xFF\xFD\x18\xFF\xFD\x20", "telnet"),
        BANNER("\r\nVxWorks login: ", "telnet"),
        BANNER("\x03\0\0\0\0\x04\0\1\2\1", "dicom"),
        BANNER("\x07\0\0\0\0\x04\0\0\0\0", "dicom"),
        BANNER("\x03\0\0\x0B\x06\xD0\0\0\x12\x34\0", "rdp"),
        BANNER("\x0BMSH|^~\\&|LAB", "mllp"),
        BANNER("\x4A\0\0\0\x0A"
               "5.5.5-10.11.6-MariaDB",
               "mysql"),
        BANNER("\x17\0\0\0\xFF\x15\x04"
               "Bad handshake",
               "mysql"),
        BANNER("E\0\0\0\x8D"
               "SFATAL",
               "postgresql"),
        BANNER("\x30\x24\x02\x01\x00\x78\x1F\x0A\x01\x02", "ldap"),
        BANNER("\x30\x84\0\0\0\x24\x02\x01\x00\x78\x1F", "ldap"),
        BANNER("<?xml version='1.0'?><stream:stream", "xmpp"),
        BANNER("RFB 003.008\n", "vnc"),
        BANNER("\0", "unknown"),
        BANNER("N", "unknown"),
        BANNER("\xDE\xAD\xBE\xEF\xDE\xAD\xBE\xEF\xDE\xAD", "unknown"),
        BANNER("hello\n", "unknown"),
#undef BANNER
    };
    Fixture fixture;
    VigieTlsReader reader;
    begin(&fixture, TLS12 | TLS13);
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(banners); i++) {
        VigieBytes text = vigie_bytes(banners[i / 2].text, banners[i / 2].size);
        g_assert_cmpint(feed(&fixture, &reader, text, i % 2 ? 1 : 65536), ==, VIGIE_TLS_NOT_TLS);
        g_assert_cmpstr(reader.result.speaks, ==, banners[i / 2].speaks);
        tls_reader_end(&reader);
    }
    g_assert_cmpint(feed(&fixture, &reader, vigie_bytes("", 0), 1), ==,
                    VIGIE_TLS_MORE); /* closed without a word */
    end(&fixture);
}

/* A server that never ends must be left after a bounded number of octets, whatever it repeats. */
static void test_endless(void) {
    static const struct {
        const char *first, *again, *words;
    } endless[] = {
        {"", "16 0303 (2 )", "32 records"},
        {"", "15 0303 (2 0170 )", "32 records"},
        {RECORD(SERVER_HELLO_12), RECORD("00 (3 )"), "32 records"},
        {"16 0303 (2 02 03BFF0 )", FULL, "octets after its extensions"},
        {RECORD(SERVER_HELLO_12) "16 0303 (2 16 03C000 ) " FULL FULL FULL FULL FULL FULL FULL FULL FULL FULL
             FULL FULL FULL FULL FULL "16 0303 (2 0B 00FFFF ) ",
         FULL, "over 256 KiB"},
        {RECORD(SERVER_HELLO_12 "0B 03BFFC"), "16 0303 (2 Z1 )",
         "closed"}, /* dripped: bounded by the clock, not here */
        {RECORD(SERVER_HELLO_12) "16 0303 (2 0B 0177BB 0177B8 )", RECORD("(3 30 ) (3 30 ) (3 30 ) (3 30 )"),
         "32 certificates"},
    };
    Fixture fixture;
    begin(&fixture, TLS12);
    for (size_t i = 0; i < G_N_ELEMENTS(endless); i++) {
        VigieTlsReader reader;
        VigieTlsState state = feed(&fixture, &reader, flight_of(&fixture, endless[i].first), 65536);
        tls_reader_end(&reader);
        tls_reader_start(&reader, fixture.tls, &fixture.plan, vigie_bytes(fixture.hello, fixture.hello_size),
                         VIGIE_UNTIL_CERTIFICATE);
        state = tls_reader_feed(&reader, flight_of(&fixture, endless[i].first));
        VigieBytes again = flight_of(&fixture, endless[i].again);
        for (int n = 0; n < 7000 && state == VIGIE_TLS_MORE; n++)
            state = tls_reader_feed(&reader, again);
        if (state == VIGIE_TLS_MORE)
            state = tls_reader_close(&reader);
        if (!strstr(words_of(&reader.result, state), endless[i].words))
            g_error("case %zu: state %d, %s", i, state, words_of(&reader.result, state));
        tls_reader_end(&reader);
    }
    end(&fixture);
}

static void test_retry_buffer(void) {
    Fixture fixture;
    VigieTlsReader reader;
    begin(&fixture, TLS13);
    VigieBytes flight = flight_of(&fixture, RECORD("02 (3 0303 H (1 S ) 1302 00 (2 002B (2 0304 ) 002C (2 (2 "
                                                   "C0FFEE ) ) 0033 (2 0017 ) ) )") "14 0303 (2 01 )");
    uint8_t first[VIGIE_HELLO_MAX];
    memcpy(first, fixture.hello, fixture.hello_size);
    g_assert_cmpint(feed(&fixture, &reader, flight, 65536), ==, VIGIE_TLS_RETRY);
    g_assert_cmphex(reader.result.group, ==, 0x0017);
    g_assert_true(reader.result.has_cookie);
    size_t size =
        tls_reader_retry(&reader, fixture.hello, sizeof fixture.hello); /* over the first, as allowed */
    g_assert_cmpuint(size, >, 0);
    g_assert_cmpmem(fixture.hello + 11, 65, first + 11,
                    65); /* the same random and session id: RFC 8446 4.1.2 */
    g_assert_nonnull(memmem(fixture.hello, size, "\x00\x2C\x00\x05\x00\x03\xC0\xFF\xEE", 9));
    g_assert_nonnull(memmem(fixture.hello, size, "\x00\x33\x00\x47\x00\x45\x00\x17\x00\x41\x04", 11));
    g_assert_cmpint(reader.state, ==, VIGIE_TLS_MORE);
    /* a second one is refused */
    g_assert_cmpint(tls_reader_feed(&reader, flight), ==, VIGIE_TLS_FAILED);
    tls_reader_end(&reader);
    tls_reader_end(&reader);
    end(&fixture);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tls/reader/flight-in-pieces", test_flight);
    g_test_add_func("/tls/reader/views-survive-growth", test_growth);
    g_test_add_func("/tls/reader/malformed-names-its-clause", test_malformed);
    g_test_add_func("/tls/reader/ssl2", test_ssl2);
    g_test_add_func("/tls/reader/names-what-is-not-tls", test_speaks);
    g_test_add_func("/tls/reader/endless-is-bounded", test_endless);
    g_test_add_func("/tls/reader/retry", test_retry_buffer);
    return g_test_run();
}
