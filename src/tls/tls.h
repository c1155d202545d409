/* tls: the wire codec of SSLv2 to TLS 1.3, as a surveyor needs it. It opens no socket: bytes in, facts out.
 *
 * A plan says what to offer; tls_hello_write() makes the bytes to send; a reader is fed what comes back, in
 * pieces of any size, until it says something other than VIGIE_TLS_MORE:
 *
 *     VigieTlsContext *tls = tls_context_new();                        // one per thread, for all connections
 *     VigieHello plan = tls_hello_plan(1 << VIGIE_TLS12 | 1 << VIGIE_TLS13);
 *     plan.server_name = "automate-02.chu.test";
 *     uint8_t hello[VIGIE_HELLO_MAX];
 *     size_t size = tls_hello_write(tls, &plan, hello, sizeof hello);  // send these
 *     VigieTlsReader reader;
 *     tls_reader_start(&reader, tls, &plan, vigie_bytes(hello, size), VIGIE_UNTIL_CERTIFICATE);
 *     VigieTlsState state = VIGIE_TLS_MORE;
 *     while (state == VIGIE_TLS_MORE && (n = recv(fd, buffer, sizeof buffer, 0)) >= 0) {
 *         state = n ? tls_reader_feed(&reader, vigie_bytes(buffer, (size_t)n)) : tls_reader_close(&reader);
 *         if (state == VIGIE_TLS_RETRY && (size = tls_reader_retry(&reader, hello, sizeof hello)) > 0)
 *             send(fd, hello, size, 0), state = VIGIE_TLS_MORE;
 *         if (n == 0)
 *             break;                                  // still VIGIE_TLS_MORE: closed without one byte
 *     }
 *     use(reader.result.version, reader.result.certificates, reader.result.certificate_count);
 *     tls_reader_end(&reader);                        // the views in the result end here
 *
 * Up to TLS 1.2 everything wanted is sent in clear and no cryptography is done. In TLS 1.3 the handshake keys
 * are derived (about 45 µs, nearly all of it X25519) with a key share that all connections of the context
 * reuse: what is read is public, so nothing has to stay secret. To avoid even that, offer TLS 1.2 first,
 * and 1.3 to those that answer protocol_version; or ask VIGIE_UNTIL_HELLO. Nothing is verified here: no
 * signature, no Finished, no name.
 *
 * Everything received is hostile: memory is at most 256 KiB a reader, and time is linear in the bytes fed.
 * No GLib and nothing aborts; running out of memory is VIGIE_TLS_LIMIT. */
#pragma once

#include "base/bytes.h"

/* Versions as indexes, oldest first; a set of them is a bit mask of 1 << version. */
typedef enum {
    VIGIE_SSL2,
    VIGIE_SSL3,
    VIGIE_TLS10,
    VIGIE_TLS11,
    VIGIE_TLS12,
    VIGIE_TLS13,
    VIGIE_VERSIONS
} VigieVersion;

const char *tls_version_name(VigieVersion version); /* "SSLv2" … "TLSv1.3", as records write it */
uint16_t tls_version_wire(VigieVersion version);    /* 0x0002, 0x0300 … 0x0304 */

/* ---- The context ----------------------------------------------------------------------------------------
 * What connections share: key shares (made at first use, one per group), libcrypto's contexts, buffers not in
 * use (16 KiB kept at most each), random octets. One thread at a time. It must outlive its readers. */
typedef struct VigieTlsContext VigieTlsContext;
VigieTlsContext *tls_context_new(void); /* NULL: no memory, or libcrypto is broken */
void tls_context_free(VigieTlsContext *tls);

/* ---- What to offer ----------------------------------------------------------------------------------- */
typedef enum {
    VIGIE_HELLO_NORMAL, /* all extensions; never 256 to 511 octets long, which hangs some servers (RFC 7685) */
    VIGIE_HELLO_SMALL, /* 255 octets at most, for servers that refuse more: the first four groups, few suites */
    VIGIE_HELLO_BARE, /* no extension at all, for servers older than RFC 3546; so neither name nor TLS 1.3 */
} VigieHelloForm;

/* Borrowed pointers: the plan and all it points to must last as long as the reader that was started with it.
 */
typedef struct {
    /* A set. The highest is the hello's version; with TLS 1.3 the exact set is told (supported_versions),
     * without it a server may answer any lower version, offered or not: look at the result. SSLv3 as the
     * highest implies VIGIE_HELLO_BARE. SSLv2 stands alone: its CLIENT-HELLO offers all seven cipher kinds,
     * the rest is ignored. */
    uint8_t versions;
    VigieHelloForm form;
    /* IANA values, in order of preference; the signalling suite is added by the writer. */
    const uint16_t *suites;
    size_t suite_count;
    const uint16_t *groups; /* of (EC)DHE and TLS 1.3, in order of preference */
    size_t group_count;
    /* Those of `groups` for which a TLS 1.3 key share is sent; none: the server asks for the group it prefers
     * in a HelloRetryRequest, which costs neither side cryptography. */
    const uint16_t *shares;
    size_t share_count;         /* can be made: x25519, secp256r1, secp384r1, secp521r1, x448 */
    const uint16_t *signatures; /* signature schemes; tls_hello_plan() gives all there are, the best first */
    size_t signature_count;
    const char *server_name; /* A-labels; NULL or an IP address: no server_name extension (RFC 6066 3) */
    const char *alpn;        /* "h2,http/1.1"; NULL: not offered */
    bool deflate; /* offers compression too, to see whether the server is open to CRIME; not with TLS 1.3 */
} VigieHello;

/* Enough for every plan with 700 suites, three shares and a name of 255 octets. */
#define VIGIE_HELLO_MAX 4096

/* A plan that nearly every server of these versions answers: some 50 usual suites, the usual groups, one
 * x25519 share, all signature schemes. Its lists are static. */
VigieHello tls_hello_plan(uint8_t versions);
/* How many suites the plan's form has room for: what fits in 255 octets for VIGIE_HELLO_SMALL, 700 otherwise.
 */
size_t tls_hello_room(VigieTlsContext *tls, const VigieHello *plan);
/* Writes the record to send, with fresh random octets; its size, or 0 when the plan cannot be written:
 * nothing offered, more than fits, a share that cannot be made. */
size_t tls_hello_write(VigieTlsContext *tls, const VigieHello *plan, uint8_t *buffer, size_t capacity);

/* ---- What comes back --------------------------------------------------------------------------------- */
typedef enum {
    VIGIE_UNTIL_HELLO, /* ServerHello or HelloRetryRequest: version, suite, group of TLS 1.3, alpn ≤ 1.2 */
    VIGIE_UNTIL_CERTIFICATE, /* all: up to ServerHelloDone (≤ TLS 1.2), or to the Certificate message
                                (TLS 1.3), by which both times CertificateRequest is decided */
} VigieTlsUntil;

typedef enum {
    VIGIE_TLS_MORE,    /* feed more */
    VIGIE_TLS_DONE,    /* what was asked for is in the result */
    VIGIE_TLS_RETRY,   /* HelloRetryRequest: result has version, suite, group. Enough, or go on with
                          tls_reader_retry() */
    VIGIE_TLS_ALERT,   /* result.alert; what came before it is in the result */
    VIGIE_TLS_NOT_TLS, /* result.speaks */
    VIGIE_TLS_FAILED,  /* malformed: result.clause; what came before is in the result */
    VIGIE_TLS_LIMIT,   /* past one of our bounds: result.clause names it */
} VigieTlsState;

/* Views are into the reader's buffer and end with tls_reader_end(). Fields not reached are zero, but version.
 */
typedef struct {
    VigieVersion version; /* VIGIE_VERSIONS before the ServerHello */
    uint32_t suite;
    uint16_t group; /* TLS 1.3: of the share, or asked for; ≤ 1.2: of the ServerKeyExchange (0 where it is not
                       named: an explicit curve, or finite field) */
    unsigned dh_bits;     /* of the prime of a finite field ServerKeyExchange (≤ 1.2) */
    bool dh_custom_curve; /* ServerKeyExchange with an explicit curve (RFC 8422 forbids it) */
    uint8_t compression;  /* 0 none, 1 DEFLATE (CRIME) */
    VigieBytes session_id;
    VigieBytes random; /* 32 octets; SSLv2: the connection id */
    /* ≤ TLS 1.2: `time` holds the first four octets of random: maybe the server's clock, see tls_clock_judge() */
    bool has_time;
    uint32_t time;
    uint8_t downgrade; /* RFC 8446 4.1.3: 1: the server can TLS 1.3 too, 2: it can TLS 1.2 or higher, 0: not
                          said */
    const VigieBytes *certificates; /* DER, in the order served; 32 at most */
    size_t certificate_count;
    bool certificate_request;
    bool complete;   /* with VIGIE_TLS_DONE and VIGIE_UNTIL_CERTIFICATE: certificate_request is decided */
    VigieBytes alpn; /* the protocol chosen */
    /* supported_groups of TLS 1.3's EncryptedExtensions (RFC 8446 4.2.7); OpenSSL sends all it accepts when the
     * group is not its favourite. 64 at most */
    const uint16_t *server_groups;
    size_t server_group_count;
    bool has_cookie;        /* HelloRetryRequest */
    VigieBytes ssl2_suites; /* SSLv2: the cipher kinds both sides have, three octets each */
    bool extended_master_secret, secure_renegotiation,
        encrypt_then_mac; /* ≤ TLS 1.2: told in the ServerHello */
    uint8_t alert_level;  /* 1 warning, 2 fatal */
    uint8_t alert_code;
    /* "handshake_failure"; SSLv2: "no_cipher_error"; "unknown" where it has no name. Static */
    const char *alert;
    const char *warning; /* a warning alert passed over ("unrecognized_name"), or NULL. Static */
    const char *clause; /* "RFC 8446 4.1.3: …", "handshake message over 256 KiB". Static, ASCII, 80 at most */
    const char *speaks; /* http smtp ssh dicom mllp telnet ftp pop3 imap mysql postgresql ldap vnc rdp xmpp
                           unknown. Static */
} VigieTlsResult;

/* By value in the caller's connection; some 500 octets. Only `result` and `state` are for reading. It has a
 * buffer only from its first received octet on, and gives it back with tls_reader_end(). */
typedef struct {
    VigieTlsResult result;
    VigieTlsState state;
    /* the rest is the reader's own */
    VigieTlsContext *tls;
    const VigieHello *plan;
    VigieBytes hello;
    VigieTlsUntil until;
    struct VigieTlsBuffer *buffer;
    uint8_t step, header_size, header[5];
    uint8_t idle; /* records that brought nothing: empty, change_cipher_spec, warnings */
    bool retried;
    uint32_t record_rest;
} VigieTlsReader;

/* `hello` is what was sent, borrowed until tls_reader_end() or tls_reader_retry(). Any earlier use of
 * `reader` must have been ended. */
void tls_reader_start(VigieTlsReader *reader, VigieTlsContext *tls, const VigieHello *plan, VigieBytes hello,
                      VigieTlsUntil until);
/* The next octets received. Once it has said other than MORE it says the same again, and reads nothing. */
VigieTlsState tls_reader_feed(VigieTlsReader *reader, VigieBytes received);
/* The stream ended here, or no more came in time (a console waits at its prompt). VIGIE_TLS_MORE: not one octet was
 * received; else the last judgement: DONE where the certificate was seen but not all (complete is false then), NOT_TLS,
 * or FAILED with what was cut. */
VigieTlsState tls_reader_close(VigieTlsReader *reader);
/* After VIGIE_TLS_RETRY: writes the second ClientHello with the group asked for and the cookie echoed; the
 * state is VIGIE_TLS_MORE again. `buffer` may be that of the first hello, and is borrowed like it. 0 where
 * the group cannot be made or was not offered. */
size_t tls_reader_retry(VigieTlsReader *reader, uint8_t *buffer, size_t capacity);
void tls_reader_end(VigieTlsReader *reader); /* may be called twice, and on a zeroed reader */

/* ---- The server's clock ---------------------------------------------------------------------------------
 * Before TLS 1.3 the first four octets of the random are the server's time, said RFC 5246; many now fill them
 * with chance. One handshake tells little, two tell: chance does not keep pace with our clock. */
typedef enum {
    VIGIE_CLOCK_RANDOM, /* chance, or cannot be told */
    VIGIE_CLOCK_LIKELY, /* one sample, within two days of ours: worth a second handshake a second or more
                           later */
    VIGIE_CLOCK_SURE,   /* one sample within a minute of ours, or two and more that agree on the offset */
} VigieClock;

typedef struct {
    uint32_t server; /* result.time */
    int64_t local;   /* our clock when it was received, seconds since 1970 */
} VigieClockSample;

/* `ret_offset`: seconds, server minus here; untouched where the answer is RANDOM. */
VigieClock tls_clock_judge(const VigieClockSample *samples, size_t count, int64_t *ret_offset);

/* ---- Names and verdicts ---------------------------------------------------------------------------------
 * From knowledge/suites.csv, groups.csv and signatures.csv, compiled in. */
typedef enum {
    VIGIE_SUITE_INSECURE,    /* no encryption or no authentication, export, single DES, RC2, RC4, MD5 */
    VIGIE_SUITE_WEAK,        /* no forward secrecy, CBC with SHA-1 or 64-bit blocks, truncated or rare */
    VIGIE_SUITE_SECURE,      /* forward secrecy and sound encryption */
    VIGIE_SUITE_RECOMMENDED, /* forward secrecy and AEAD, and marked so by IANA */
} VigieSuiteVerdict;

typedef struct {
    uint32_t id;      /* IANA value; SSLv2: three octets */
    const char *name; /* "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "SSL_CK_RC4_128_WITH_MD5" */
    const char *key_exchange, *authentication, *cipher, *mac; /* "ECDHE", "RSA", "AES_256_GCM", "AEAD" */
    uint8_t
        versions;    /* set of versions in which it can be negotiated; 0: never (NULL_WITH_NULL_NULL, SCSV) */
    uint8_t verdict; /* VigieSuiteVerdict */
} VigieSuite;

/* NULL where it is not known. Static. */
const VigieSuite *tls_suite(uint32_t id);
/* The IANA name; NULL where it is not known. */
const char *tls_suite_name(uint32_t id);
const char *tls_suite_verdict_name(uint8_t verdict); /* "insecure", "weak", "secure", "recommended" */
/* All suites that can be negotiated in a version (TLS ≤ 1.2: some 330; TLS 1.3: 5 and the newer ones), the
 * likeliest to be accepted first, so that enumeration by chunks ends early. Static. */
size_t tls_suites_of(VigieVersion version, const uint16_t **ret_suites);
/* All named groups, the likeliest first; those marked as usable in TLS 1.3 only, or all. Static. */
size_t tls_groups_of(VigieVersion version, const uint16_t **ret_groups);
const char *tls_group_name(uint16_t id);     /* "x25519", "secp256r1", "ffdhe2048"; NULL unknown */
const char *tls_signature_name(uint16_t id); /* "rsa_pss_rsae_sha256"; NULL unknown */
const char *tls_alert_name(uint8_t code);    /* "handshake_failure"; NULL unknown */
bool tls_is_grease(uint16_t id);             /* RFC 8701 */
