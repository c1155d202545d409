/* A page of a stranger's site. */
#include "csirt/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever came in, what comes out is JSON: text in UTF-8. */
static void keep(const json_t *answer) {
    g_assert_nonnull(answer);
    g_autofree char *text = vigie_json_text(answer);
    g_assert_nonnull(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autoptr(json_t) answer = csirt_page_parse(vigie_bytes(data, size), "https://chu.test/contact/", NULL);
    keep(answer);
    return 0;
}
