/* security.txt as a stranger's site serves it, from a place that may be the wrong one, too. */
#include "csirt/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever came in, what comes out is JSON: text in UTF-8. */
static void keep(const json_t *answer) {
    g_assert_nonnull(answer);
    g_autofree char *text = vigie_json_text(answer);
    g_assert_nonnull(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const VigieTextSource source = {"https://chu.test/.well-known/security.txt",
                                           "https://chu.test/security.txt", "text/plain"};
    g_autoptr(json_t) answer =
        csirt_security_txt_parse(vigie_bytes(data, size), size % 2 ? &source : NULL, 1800000000);
    keep(answer);
    return 0;
}
