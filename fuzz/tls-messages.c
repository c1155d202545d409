/* The messages of TLS 1.3 after its ServerHello, as they are once decrypted: EncryptedExtensions, CertificateRequest,
 * Certificate. The fuzzer could not encrypt them, so they are put where the records leave them. */
#include "tls/internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned total; /* of all that is read, so that it is read */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static VigieTlsContext *tls;
    tls = tls ? tls : tls_context_new();
    VigieHello plan = tls_hello_plan(1 << VIGIE_TLS13);
    VigieTlsReader reader;
    tls_reader_start(&reader, tls, &plan, (VigieBytes){0}, VIGIE_UNTIL_CERTIFICATE);
    reader.buffer = tls_buffer_take(tls);
    reader.result.version = VIGIE_TLS13;
    reader.step = 1;
    for (size_t at = 0; at < size && reader.state == VIGIE_TLS_MORE; at += 100) {
        size_t piece = size - at < 100 ? size - at : 100;
        if (!tls_reader_room(&reader, piece))
            break;
        memcpy(reader.buffer->data + reader.buffer->size, data + at, piece);
        reader.buffer->size += piece;
        tls_handshake_read(&reader);
    }
    for (size_t i = 0; i < reader.result.certificate_count; i++)
        for (size_t n = 0; n < reader.result.certificates[i].size; n++)
            total += reader.result.certificates[i].data[n];
    for (size_t i = 0; i < reader.result.server_group_count; i++)
        total += reader.result.server_groups[i];
    for (size_t i = 0; i < reader.result.alpn.size; i++)
        total += reader.result.alpn.data[i];
    if (reader.state == VIGIE_TLS_DONE && reader.result.certificate_count == 0)
        abort();
    tls_reader_end(&reader);
    return 0;
}
