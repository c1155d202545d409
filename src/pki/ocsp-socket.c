/* ocsp-socket.c: the asking end, which many threads share, one at a time; and the answering end. */
#include "pki/ocsp-socket.h"
#include "pki/ocsp-responder.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* A signer that did not answer in time is left alone for a moment. What more than a few wait for is answered without it. */
enum { INTERVAL_US = 1000, AT_ONCE = 200, REST_US = 1000000, WAITERS = 3 };

struct VigieOcspClient {
    int fd;
    GMutex lock;
    GCond turn;
    bool asking;      /* one of them */
    unsigned waiting; /* for their turn */
    uint64_t id;      /* the next question's */
    int64_t paced, rest_until;
};

/* ---- Questions ------------------------------------------------------------------------------------------------ */
bool question_paced(int64_t *paced, size_t certificates, int64_t now_us) {
    int64_t next = MAX(*paced, now_us - (int64_t)AT_ONCE * INTERVAL_US) + (int64_t)certificates * INTERVAL_US;
    if (next > now_us)
        return false;
    *paced = next;
    return true;
}

static bool blank(const uint8_t *octets, size_t from, size_t size) {
    for (size_t i = from; i < size; i++)
        if (octets[i] != 0)
            return false;
    return true;
}

static bool serial_fits(const QuestionSerial *serial) {
    return serial->sha256 <= 1 && serial->size > 0 && serial->size <= QUESTION_SERIAL_MAX &&
           blank(serial->octets, serial->size, sizeof serial->octets);
}

bool question_parse(VigieBytes packet, OcspQuestion *ret_question) {
    OcspQuestion question;
    if (packet.size != sizeof question)
        return false;
    memcpy(&question, packet.data, sizeof question);
    if (question.magic != QUESTION_MAGIC || question.zero != 0 || question.authority <= 0 ||
        question.count == 0 || question.count > OCSP_ASKED_MAX || question.nonce_size > OCSP_NONCE_MAX ||
        !blank(question.nonce, question.nonce_size, sizeof question.nonce) ||
        !blank((const uint8_t *)question.serials, question.count * sizeof(QuestionSerial),
               sizeof question.serials))
        return false;
    for (size_t i = 0; i < question.count; i++)
        if (!serial_fits(&question.serials[i]))
            return false;
    *ret_question = question;
    return true;
}

/* ---- The asking end ------------------------------------------------------------------------------------------- */
VigieOcspClient *pki_ocsp_client_new(int fd) {
    VigieOcspClient *client = g_new0(VigieOcspClient, 1);
    client->fd = fd;
    /* Not those of the process before, whose answers may still be on their way. */
    client->id = (uint64_t)g_random_int() << 32 | g_random_int();
    g_mutex_init(&client->lock);
    g_cond_init(&client->turn);
    return client;
}

void pki_ocsp_client_free(VigieOcspClient *client) {
    if (!client)
        return;
    g_mutex_clear(&client->lock);
    g_cond_clear(&client->turn);
    g_free(client);
}

/* The answer to this question; any other that comes is late, and nobody's. */
static bool take_reply(int fd, uint64_t id, int64_t until, OcspReply *reply) {
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    for (int64_t left; (left = until - g_get_monotonic_time()) > 0;) {
        if (poll(&readable, 1, (int)(left / 1000) + 1) <= 0)
            continue;
        ssize_t size = recv(fd, reply, sizeof *reply, MSG_DONTWAIT | MSG_TRUNC);
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (size >= (ssize_t)REPLY_HEAD && reply->magic == QUESTION_MAGIC && reply->id == id &&
            reply->size <= REPLY_MAX && (size_t)size == REPLY_HEAD + reply->size)
            return true;
    }
    return false;
}

static bool take_turn(VigieOcspClient *client, size_t certificates, int64_t until, uint64_t *ret_id) {
    int64_t now = g_get_monotonic_time();
    g_mutex_lock(&client->lock);
    bool may = now >= client->rest_until && client->waiting < WAITERS &&
               question_paced(&client->paced, certificates, now);
    if (may) {
        client->waiting++;
        while (client->asking && g_cond_wait_until(&client->turn, &client->lock, until))
            continue;
        client->waiting--;
        may = !client->asking && g_get_monotonic_time() >= client->rest_until;
    }
    if (may) {
        client->asking = true;
        *ret_id = client->id++;
    }
    g_mutex_unlock(&client->lock);
    return may;
}

static void end_turn(VigieOcspClient *client, bool answered) {
    g_mutex_lock(&client->lock);
    client->asking = false;
    if (!answered)
        client->rest_until = g_get_monotonic_time() + REST_US;
    g_cond_signal(&client->turn);
    g_mutex_unlock(&client->lock);
}

static bool put_question(OcspQuestion *question, int64_t authority, const OcspRequest *request) {
    *question = (OcspQuestion){.magic = QUESTION_MAGIC,
                               .count = (uint8_t)request->count,
                               .nonce_size = (uint8_t)request->nonce.size,
                               .asked = g_get_monotonic_time(),
                               .authority = authority};
    for (size_t i = 0; i < request->count; i++) {
        const OcspAsked *asked = &request->asked[i];
        QuestionSerial *serial = &question->serials[i];
        if (asked->serial.size > sizeof serial->octets)
            return false;
        serial->sha256 = asked->sha256;
        serial->size = (uint8_t)asked->serial.size;
        memcpy(serial->octets, asked->serial.data, asked->serial.size);
    }
    if (request->nonce.size > 0)
        memcpy(question->nonce, request->nonce.data, request->nonce.size);
    return true;
}

bool ocsp_client_ask(VigieOcspClient *client, int64_t authority, const OcspRequest *request,
                     VigieOcspAnswer *answer) {
    OcspQuestion question;
    OcspReply reply;
    if (!put_question(&question, authority, request))
        return false;
    int64_t until = question.asked + QUESTION_WAIT_US;
    if (!take_turn(client, request->count, until, &question.id))
        return false;
    bool answered = send(client->fd, &question, sizeof question, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 &&
                    take_reply(client->fd, question.id, until, &reply);
    end_turn(client, answered);
    if (!answered || reply.size == 0)
        return false;
    g_byte_array_append(answer->der, reply.der, reply.size);
    answer->this_update = reply.this_update;
    answer->next_update = reply.next_update;
    return true;
}

/* ---- The answering end ---------------------------------------------------------------------------------------- */
static bool late(const OcspQuestion *question) {
    int64_t now = g_get_monotonic_time();
    return now - question->asked > QUESTION_WAIT_US || question->asked > now;
}

/* Views into the question. */
static OcspRequest request_of(const OcspQuestion *question) {
    OcspRequest request = {.count = question->count,
                           .nonce = vigie_bytes(question->nonce, question->nonce_size)};
    for (size_t i = 0; i < request.count; i++)
        request.asked[i] =
            (OcspAsked){.sha256 = question->serials[i].sha256 != 0,
                        .serial = vigie_bytes(question->serials[i].octets, question->serials[i].size)};
    return request;
}

/* A flood fills the sender's own queue: what comes is taken no faster than an honest portal asks. Descriptors sent along are
 * closed by the kernel, for none are asked for. */
bool pki_ocsp_serve(VigieOcsp *ocsp, VigieStore *store, int fd, VigieTime now, GError **error) {
    uint8_t packet[sizeof(OcspQuestion) + 1];
    OcspQuestion question;
    ssize_t size = recv(fd, packet, sizeof packet, MSG_DONTWAIT);
    bool parsed = size > 0 && question_parse(vigie_bytes(packet, (size_t)size), &question);
    while (!question_paced(&ocsp->paced, parsed ? question.count : 1, g_get_monotonic_time()))
        g_usleep(INTERVAL_US);
    if (!parsed || late(&question))
        return true;
    g_autoptr(GByteArray) der = g_byte_array_sized_new(1024);
    VigieOcspAnswer answer = {.der = der};
    const OcspRequest request = request_of(&question);
    bool well = ocsp_answer_serials(ocsp, store, question.authority, &request, now, &answer, error);
    guint length = well && der->len <= REPLY_MAX ? der->len : 0;
    OcspReply reply = {.magic = QUESTION_MAGIC,
                       .size = length,
                       .id = question.id,
                       .this_update = answer.this_update,
                       .next_update = answer.next_update};
    if (length > 0)
        memcpy(reply.der, der->data, length);
    (void)!send(fd, &reply, REPLY_HEAD + length, MSG_DONTWAIT | MSG_NOSIGNAL); /* who asked may be gone */
    return well;
}
