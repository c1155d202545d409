/* A message of CMP from a stranger: what is read of it, before anybody is known and after, lies within it. */
#include "pki/cmp-general.h"
#include "pki/cmp-look.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_lie_within(VigieBytes part, const uint8_t *data, size_t size) {
    if (part.size > 0 && (part.data < data || part.data + part.size > data + size))
        abort();
}

static void look_at_body(const uint8_t *data, size_t size) {
    VigieBytes message = vigie_bytes(data, size), url, issuer;
    VigieTime since = 0;
    int64_t reason = -1;
    if (cmp_look_reason(message, &reason) && (reason < 0 || reason > 255))
        abort();
    for (size_t place = 0; place < 3; place++) {
        VigieBytes value = cmp_look_value(message, place);
        must_lie_within(value, data, size);
        if (!cmp_general_source(value, &url, &issuer, &since))
            continue;
        must_lie_within(url, data, size);
        must_lie_within(issuer, data, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CmpLook look;
    look_at_body(data, size);
    if (!cmp_look(vigie_bytes(data, size), &look))
        return 0;
    if (look.transaction.size == 0)
        abort();
    must_lie_within(look.transaction, data, size);
    must_lie_within(look.kid, data, size);
    must_lie_within(look.certificate, data, size);
    return 0;
}
