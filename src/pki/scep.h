/* scep: a message as it was read (RFC 8894 3), and what comes of it, inside the room. */
#pragma once

#include "pki/pki.h"

#include <openssl/x509.h>

enum { SCEP_NONCE = 16 };
enum {
    SCEP_REPLY = 3,
    SCEP_RENEWAL = 17,
    SCEP_REQUEST = 19,
    SCEP_POLL = 20,
    SCEP_GET_CERTIFICATE = 21,
    SCEP_GET_LIST = 22
};

typedef struct {
    int type;
    char *transaction;
    uint8_t nonce[SCEP_NONCE];
    size_t nonce_size;
    X509 *signer;        /* by whose key the message was signed: its own certificate, or one of ours */
    GByteArray *content; /* what was encrypted; wiped: it holds the challenge */
} ScepMessage;

void scep_message_clear(ScepMessage *message);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ScepMessage, scep_message_clear)

/* The outer layer: what was signed, still encrypted. */
GByteArray *scep_read_signed(VigieBytes der, ScepMessage *message, GError **error);
/* IssuerAndSerialNumber (RFC 5652 10.2.4): the name as it is encoded, the number's octets. Borrowed. */
bool scep_read_subject(VigieBytes der, VigieBytes *ret_issuer, VigieBytes *ret_serial);

/* Which certificate or list, DER, answers a message; both NULL: it is not decided yet. Free with g_byte_array_unref. */
typedef struct {
    GByteArray *certificate, *list;
} ScepOutcome;
bool scep_ask(VigieStore *store, const VigieProfiles *profiles, const ScepMessage *message,
              const char *address, VigieTime now, ScepOutcome *ret_outcome, GError **error);
