/* What a server sends, from its first octet: records and handshake of SSLv2 to TLS 1.3's ServerHello.
 *
 * The first octet of the input chooses what was offered and the size of the pieces; the session id that TLS 1.3
 * echoes is 32 octets of 5A. Whatever comes must end in a state with its words, views inside what was received, and the
 * same way in one piece as in many. */
#include "tls/tls.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned total; /* of all that is read, so that it is read */

static const uint8_t offers[] = {1 << VIGIE_TLS12, 1 << VIGIE_TLS13, 1 << VIGIE_SSL2, 0x3E};

static void check(int well) {
    if (!well)
        abort();
}

static unsigned sum(VigieBytes view) {
    unsigned octets = 0;
    for (size_t i = 0; i < view.size; i++)
        octets += view.data[i];
    return octets;
}

static void check_result(const VigieTlsReader *reader) {
    const VigieTlsResult *result = &reader->result;
    total += sum(result->random) + sum(result->session_id) + sum(result->alpn) + sum(result->ssl2_suites);
    for (size_t i = 0; i < result->certificate_count; i++)
        total += sum(result->certificates[i]);
    check((reader->state == VIGIE_TLS_ALERT) == (result->alert != NULL));
    check((reader->state == VIGIE_TLS_NOT_TLS) == (result->speaks != NULL));
    check((reader->state == VIGIE_TLS_FAILED || reader->state == VIGIE_TLS_LIMIT) ==
          (result->clause != NULL));
    check(result->clause == NULL || strlen(result->clause) <= 80);
    check(reader->state != VIGIE_TLS_DONE || result->version < VIGIE_VERSIONS);
}

static void run(VigieTlsReader *reader, VigieTlsContext *tls, const VigieHello *plan, VigieBytes hello,
                VigieBytes input, size_t piece) {
    VigieTlsState state = VIGIE_TLS_MORE;
    uint8_t second[VIGIE_HELLO_MAX];
    tls_reader_start(reader, tls, plan, hello, VIGIE_UNTIL_CERTIFICATE);
    for (size_t at = 0; at < input.size && state == VIGIE_TLS_MORE; at += piece) {
        size_t size = input.size - at < piece ? input.size - at : piece;
        uint8_t *copy = malloc(size);
        memcpy(copy, input.data + at, size);
        state = tls_reader_feed(reader, vigie_bytes(copy, size));
        free(copy);
    }
    if (state == VIGIE_TLS_MORE)
        tls_reader_close(reader);
    check_result(reader);
    if (state == VIGIE_TLS_RETRY)
        tls_reader_retry(reader, second, sizeof second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static VigieTlsContext *tls;
    if (size == 0)
        return 0;
    tls = tls ? tls : tls_context_new();
    VigieHello plan = tls_hello_plan(offers[data[0] & 3]);
    uint8_t hello[VIGIE_HELLO_MAX];
    size_t hello_size = tls_hello_write(tls, &plan, hello, sizeof hello);
    if (plan.versions & 1 << VIGIE_TLS13)
        memset(hello + 44, 0x5A, 32);
    VigieBytes sent = vigie_bytes(hello, hello_size), input = vigie_bytes(data + 1, size - 1);
    VigieTlsReader whole, pieces;
    run(&whole, tls, &plan, sent, input, input.size + 1);
    run(&pieces, tls, &plan, sent, input, 1U + (data[0] >> 2));
    /* An error after what was wanted, or after a request to retry, is seen only if it came with it. */
    if (pieces.state != VIGIE_TLS_DONE && pieces.state != VIGIE_TLS_RETRY && pieces.state != VIGIE_TLS_MORE &&
        whole.state != VIGIE_TLS_NOT_TLS) {
        check(whole.state == pieces.state);
        check(whole.result.certificate_count == pieces.result.certificate_count);
        check(whole.result.suite == pieces.result.suite);
    }
    tls_reader_end(&whole);
    tls_reader_end(&pieces);
    return 0;
}
