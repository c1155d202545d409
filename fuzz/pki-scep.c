/* A message of SCEP from a stranger, its outer layer: read or refused. */
#include "pki/scep.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_auto(ScepMessage) message = {0};
    g_autoptr(GByteArray) inner = scep_read_signed(vigie_bytes(data, size), &message, NULL);
    if (inner && (!message.signer || !message.transaction))
        abort();
    return 0;
}
