/* A request's head from a stranger: judged the same however it is cut, and never WELL with two readings. */
#include "portal/head.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Head head = {0}, early = {0};
    HeadCheck whole = portal_head_check(vigie_bytes(data, size), &head);
    for (size_t cut = 0; cut < size; cut += 1 + size / 16) {
        HeadCheck part = portal_head_check(vigie_bytes(data, cut), &early);
        /* What was refused or taken early is not judged otherwise when more comes. */
        if (part.verdict != HEAD_INCOMPLETE && (part.verdict != whole.verdict || part.status != whole.status))
            abort();
    }
    if (whole.verdict != HEAD_WELL)
        return 0;
    /* What is behind a head has no part in it, and its fields are within. */
    HeadCheck alone = portal_head_check(vigie_bytes(data, head.size), &early);
    VigieBytes rest = vigie_bytes(data, head.size), name, value;
    if (head.size > size || alone.verdict != HEAD_WELL || early.size != head.size ||
        early.length != head.length)
        abort();
    while (portal_head_field(&rest, &name, &value))
        if (name.size == 0 || name.data < data || value.data + value.size > data + head.size)
            abort();
    return 0;
}
