/* A template from a stranger, over a view from a stranger: TEMPLATE NUL JSON. The template is its own
 * partial. */
#include "document/document.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const VigieTemplate *find(const char *name, void *data) {
    return name[0] == 'p' ? data : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t text_size = nul ? (size_t)(nul - data) : size;
    g_autoptr(VigieTemplate) template = document_template_compile((const char *)data, text_size, NULL);
    if (!template)
        return 0;
    g_autoptr(json_t) view =
        nul ? json_loadb((const char *)nul + 1, size - text_size - 1, JSON_DECODE_ANY, NULL) : NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    document_template_render(template, view, find, template, out, NULL);
    return 0;
}
