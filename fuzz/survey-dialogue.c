/* What a server says before TLS on a port with STARTTLS. The first octet chooses the protocol, the second the size of
 * the pieces. Whatever comes, what the client says stays within its bounds, and every end has its words. */
#include "survey/starttls.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    VigieProtocol protocol = VIGIE_PROTOCOL_SMTP + data[0] % (VIGIE_PROTOCOLS - VIGIE_PROTOCOL_SMTP);
    size_t piece = (size_t)data[1] + 1;
    uint8_t buffer[DIALOGUE_OUT_MAX];
    VigieWriter out = vigie_writer(buffer, sizeof buffer);
    Dialogue dialogue;
    dialogue_start(&dialogue, protocol, "mail.test", &out);
    DialogueState state = DIALOGUE_MORE;
    for (size_t at = 2; at < size && state == DIALOGUE_MORE; at += piece) {
        size_t next = MIN(piece, size - at);
        uint8_t *copy = g_memdup2(data + at, next);
        out = vigie_writer(buffer, sizeof buffer);
        state = dialogue_feed(&dialogue, vigie_bytes(copy, next), &out);
        g_free(copy);
        if (out.failed)
            abort();
    }
    bool has_clause = state == DIALOGUE_MALFORMED || state == DIALOGUE_LIMIT;
    if (has_clause != (dialogue.clause != NULL) || dialogue.received > DIALOGUE_MAX + DIALOGUE_LINE_MAX ||
        (state == DIALOGUE_REFUSED && !dialogue.answer[0]))
        abort();
    for (const char *c = dialogue.answer; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            abort();
    return 0;
}
