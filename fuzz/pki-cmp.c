/* A message of CMP from a stranger: what is read of it before anybody is known lies within it. */
#include "pki/cmp-look.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_lie_within(VigieBytes part, const uint8_t *data, size_t size) {
    if (part.size > 0 && (part.data < data || part.data + part.size > data + size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CmpLook look;
    if (!cmp_look(vigie_bytes(data, size), &look))
        return 0;
    if (look.transaction.size == 0)
        abort();
    must_lie_within(look.transaction, data, size);
    must_lie_within(look.kid, data, size);
    must_lie_within(look.certificate, data, size);
    return 0;
}
