/* A certificate request from a stranger: read or refused, and the names that come out of it are plain text. */
#include "pki/csr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autoptr(Csr) request = csr_parse(vigie_bytes(data, size), NULL);
    for (guint i = 0; request && i < request->names->len; i++)
        for (const char *at = request->names->pdata[i]; *at; at++)
            if (*at <= ' ' || (unsigned char)*at >= 0x7F)
                abort();
    g_autoptr(Csr) proven = csr_read(vigie_bytes(data, size), NULL);
    if (proven && !request)
        abort();
    return 0;
}
