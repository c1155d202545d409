/* scep: a message as it was read (RFC 8894 3), inside the room. */
#pragma once

#include "pki/pki.h"

#include <openssl/x509.h>

enum { SCEP_NONCE = 16 };

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
