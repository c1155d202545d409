/* internal: what the files of tls/ share. No other room includes it. */
#pragma once

#include "tls/tls.h"

#include <openssl/evp.h>

enum {
    VIGIE_GROUP_X25519 = 0x001D,
    CONTENT_CCS = 20,
    CONTENT_ALERT = 21,
    CONTENT_HANDSHAKE = 22,
    CONTENT_DATA = 23,
    CONTENT_HEARTBEAT = 24,
    MESSAGE_HELLO_REQUEST = 0,
    MESSAGE_CLIENT_HELLO = 1,
    MESSAGE_SERVER_HELLO = 2,
    MESSAGE_ENCRYPTED_EXTENSIONS = 8,
    MESSAGE_CERTIFICATE = 11,
    MESSAGE_SERVER_KEY_EXCHANGE = 12,
    MESSAGE_CERTIFICATE_REQUEST = 13,
    MESSAGE_SERVER_HELLO_DONE = 14,
    MESSAGE_CERTIFICATE_STATUS = 22,
    MESSAGE_HASH = 254,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_GROUPS = 10,
    EXTENSION_POINT_FORMATS = 11,
    EXTENSION_SIGNATURES = 13,
    EXTENSION_ALPN = 16,
    EXTENSION_PADDING = 21,
    EXTENSION_ENCRYPT_THEN_MAC = 22,
    EXTENSION_EXTENDED_MASTER_SECRET = 23,
    EXTENSION_VERSIONS = 43,
    EXTENSION_COOKIE = 44,
    EXTENSION_KEY_SHARE = 51,
    EXTENSION_RENEGOTIATION = 0xFF01,
    SUITE_RENEGOTIATION = 0x00FF,
    RANDOM_SIZE = 32,
    RECORD_MAX = 1 << 14,
    BUFFER_MAX = 256 << 10,
    CERTIFICATES_MAX = 32,
    GROUPS_MAX = 64,
    IDLE_MAX = 32,
};

/* TLS 1.3's read keys of one connection. */
typedef struct {
    uint8_t secret[EVP_MAX_MD_SIZE]; /* the key, of the cipher's length */
    uint8_t iv[12];
    uint64_t sequence;
    uint8_t cipher; /* index of keys.c's table, and one; 0: nothing is decrypted */
} TlsReadKeys;

typedef struct VigieTlsBuffer {
    struct VigieTlsBuffer *next; /* in the context's list of free ones */
    uint8_t *data; /* the handshake messages one after the other, then the record being received */
    size_t capacity;
    size_t parsed; /* octets of messages that were read */
    size_t size;   /* octets of messages */
    size_t tail;   /* octets of the record being received, after them */
    TlsReadKeys keys;
    uint8_t first_hash[EVP_MAX_MD_SIZE]; /* of the first ClientHello, where there was a retry */
    size_t retry_start, retry_size;      /* the HelloRetryRequest in data */
    VigieBytes cookie;
    VigieBytes certificates[CERTIFICATES_MAX];
    uint16_t groups[GROUPS_MAX];
} VigieTlsBuffer;

enum { CIPHERS = 5, SHARES = 5 };

struct VigieTlsContext {
    EVP_MD_CTX *digest;
    EVP_MD *hashes[2];      /* SHA-256, SHA-384 */
    uint8_t derived[2][48]; /* Derive-Secret(Early Secret without PSK, "derived", "") of each: constants */
    EVP_CIPHER *ciphers[CIPHERS];
    EVP_CIPHER_CTX *cipher_contexts[CIPHERS];
    struct {
        EVP_PKEY *key;
        EVP_PKEY_CTX *derivation;
        uint8_t public_key[136];
        size_t public_size;
    } shares[SHARES];
    uint8_t random[4096];
    size_t random_left;
    VigieTlsBuffer *free_buffers;
    size_t free_count;
};

/* names.c */
VigieVersion tls_version_of_wire(uint16_t wire); /* SSLv3 to TLS 1.3; VIGIE_VERSIONS otherwise */

/* context.c */
bool tls_context_random(VigieTlsContext *tls, uint8_t *random, size_t size);
/* The public key of our share in a group, made at first use; empty where it cannot be made. */
VigieBytes tls_context_share(VigieTlsContext *tls, uint16_t group);
/* The shared secret with the server's share; false where its share is not a point of the group. */
bool tls_context_derive(VigieTlsContext *tls, uint16_t group, VigieBytes peer, uint8_t secret[72],
                        size_t *ret_size);
VigieTlsBuffer *tls_buffer_take(VigieTlsContext *tls);
void tls_buffer_give(VigieTlsContext *tls, VigieTlsBuffer *buffer);

/* hello.c */
/* The random and the session id of a hello written by us. */
bool tls_hello_identity(VigieBytes hello, VigieBytes *ret_random, VigieBytes *ret_session_id);
typedef struct {
    VigieBytes random, session_id;
    uint16_t group;    /* of the retry; 0: none, the plan's shares */
    VigieBytes cookie; /* of the retry; empty: none */
} TlsHelloIdentity;
size_t tls_hello_write_as(VigieTlsContext *tls, const VigieHello *plan, const TlsHelloIdentity *identity,
                          uint8_t *buffer, size_t capacity);

/* keys.c */
bool tls_keys_setup(VigieTlsContext *tls);
void tls_keys_clear(VigieTlsContext *tls);
/* Hash of the suite's key schedule over the concatenation; 0 where the suite is not one that we can read. */
size_t tls_keys_hash(VigieTlsContext *tls, uint32_t suite, const VigieBytes *parts, size_t count,
                     uint8_t *hash);
/* The server's handshake read keys from the shared secret and the transcript up to ServerHello. */
bool tls_keys_derive(VigieTlsContext *tls, uint32_t suite, VigieBytes shared, VigieBytes transcript_hash,
                     TlsReadKeys *ret_keys);
/* Decrypts a TLS 1.3 record in place; its inner content type, 0 where it does not authenticate or is only
 * padding. */
uint8_t tls_keys_open(VigieTlsContext *tls, TlsReadKeys *keys, const uint8_t header[5], uint8_t *record,
                      size_t size, size_t *ret_size);

/* reader.c. What they return is the reader's state. */
VigieTlsState tls_reader_fail(VigieTlsReader *reader, const char *clause);
VigieTlsState tls_reader_limit(VigieTlsReader *reader, const char *which);
/* Room for `size` octets after the messages; false sets the state LIMIT. Views in the result follow. */
bool tls_reader_room(VigieTlsReader *reader, size_t size);

/* handshake.c: reads what messages are whole; the reader's state tells how it went. */
void tls_handshake_read(VigieTlsReader *reader);

/* ssl2.c */
size_t tls_ssl2_hello_write(VigieTlsContext *tls, uint8_t *buffer, size_t capacity);
void tls_ssl2_read(VigieTlsReader *reader, VigieBytes record);

/* speaks.c: what speaks like this, static; NULL: too early to say (never when `whole`). */
const char *tls_speaks(VigieBytes first, bool whole);
/* A banner is looked at no further than this. */
enum { SPEAKS_MAX = 512 };
