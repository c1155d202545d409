/* ocsp-socket: what the portal asks the signer, and what that answers, over a pair of sockets (SOCK_SEQPACKET). Both ends are
 * parts of one program on one machine: numbers are in its own order. The signer takes what comes as a stranger's: one packet of
 * one size, each field bounded, what is not used zero. */
#pragma once

#include "pki/ocsp.h"

#include <stddef.h>

enum {
    QUESTION_SERIAL_MAX = 32,
    REPLY_MAX = 8192,
    QUESTION_WAIT_US = 250000, /* whoever asks waits no longer, nor is answered later */
    QUESTION_MAGIC = 0x51504356
};

typedef struct {
    uint8_t sha256, size;
    uint8_t octets[QUESTION_SERIAL_MAX];
} QuestionSerial;

typedef struct {
    uint32_t magic;
    uint8_t count, nonce_size;
    uint16_t zero;
    uint64_t id;       /* comes back with the answer */
    int64_t asked;     /* monotonic, µs */
    int64_t authority; /* the store's number */
    QuestionSerial serials[OCSP_ASKED_MAX];
    uint8_t nonce[OCSP_NONCE_MAX];
} OcspQuestion;

typedef struct {
    uint32_t magic, size; /* of the OCSPResponse; 0: this signer has none */
    uint64_t id;
    int64_t this_update, next_update;
    uint8_t der[REPLY_MAX];
} OcspReply;
#define REPLY_HEAD offsetof(OcspReply, der)

/* A thousand certificates a second, two hundred at once: who asks keeps to it, and who answers makes it so. `paced` begins as 0. */
bool question_paced(int64_t *paced, size_t certificates, int64_t now_us);
/* False: no such question as ours would ask. */
bool question_parse(VigieBytes packet, OcspQuestion *ret_question);

/* Asks about all that the request asks of this authority, and waits for the answer as long as that may take. False: no answer, and
 * `answer` is as it was. */
bool ocsp_client_ask(VigieOcspClient *client, int64_t authority, const OcspRequest *request,
                     VigieOcspAnswer *answer);
