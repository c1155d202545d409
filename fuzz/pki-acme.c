/* A message of ACME from a stranger, before and at its signature: read or refused; none that the fuzzer makes holds. */
#include "pki/acme.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const algorithms[] = {"ES256", "ES384", "RS256", "PS256", NULL};
    g_autoptr(json_t) jws = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    g_autoptr(json_t) header = acme_decode(json_object_get(jws, "protected"));
    g_autoptr(json_t) payload = acme_decode(json_object_get(jws, "payload"));
    json_t *key = json_object_get(header, "jwk");
    g_autofree char *thumbprint = key ? acme_thumbprint(key) : NULL;
    if (key)
        acme_verify(jws, key, algorithms);
    return 0;
}
