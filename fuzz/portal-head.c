/* A request's head from a stranger: judged the same however it is cut, and never WELL with two readings. */
#include "portal/head.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    HeadCheck whole = portal_head_check(vigie_bytes(data, size));
    for (size_t cut = 0; cut < size; cut += 1 + size / 16) {
        HeadCheck part = portal_head_check(vigie_bytes(data, cut));
        /* What was refused or taken early is not judged otherwise when more comes. */
        if (part.verdict != HEAD_INCOMPLETE && (part.verdict != whole.verdict || part.status != whole.status))
            abort();
    }
    return 0;
}
