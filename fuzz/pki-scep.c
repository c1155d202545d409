/* A message of SCEP from a stranger: its outer layer, and what GetCert and GetCRL hold in the inner one: read or refused. */
#include "pki/scep.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_auto(ScepMessage) message = {0};
    g_autoptr(GByteArray) inner = scep_read_signed(vigie_bytes(data, size), &message, NULL);
    if (inner && (!message.signer || !message.transaction))
        abort();
    VigieBytes issuer, serial;
    if (scep_read_subject(vigie_bytes(data, size), &issuer, &serial) &&
        (issuer.data < data || issuer.data + issuer.size > data + size ||
         (serial.size > 0 && (serial.data < data || serial.data + serial.size > data + size))))
        abort();
    return 0;
}
