/* Any file at all: what it is, with and without a password. */
#include "x509/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *answer = x509_identify(vigie_bytes(data, size), size % 2 ? "secret" : NULL);
    g_autofree char *text = vigie_json_text(answer);
    g_assert_nonnull(text);
    json_decref(answer);
    return 0;
}
