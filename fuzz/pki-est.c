/* What a stranger sends to EST: base64 of a request, with wishes of how a key is to be sealed; read or refused, and no more of it
 * kept than there is. */
#include "pki/csr.h"
#include "pki/pki.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autofree char *body = g_strndup((const char *)data, size);
    gsize length = 0;
    g_autofree guchar *der = g_base64_decode(body, &length);
    g_autoptr(Csr) request = csr_parse(vigie_bytes(der, length), NULL);
    g_autoptr(GByteArray) identifier = NULL;
    VigieKeySeal seal = pki_seal_wanted(vigie_bytes(der, length), &identifier);
    if ((identifier && seal != VIGIE_SEAL_CERTIFICATE) || (identifier && identifier->len > length))
        abort();
    if (identifier && pki_seal_check(vigie_bytes(der, length), identifier, NULL))
        abort(); /* a request is no certificate */
    return request && request->names->len > CSR_NAMES_MAX ? abort(), 1 : 0;
}
