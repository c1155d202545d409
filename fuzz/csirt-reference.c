/* A mail's subject: the references in it, its label, a code typed by hand. What is found is read again the same. */
#include "csirt/triage.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_references(const char *text) {
    g_autoptr(GArray) found = csirt_references_find("VIG", text);
    if (found->len > 16)
        abort();
    for (guint i = 0; i < found->len; i++) {
        VigieReference reference = g_array_index(found, VigieReference, i), again;
        g_autofree char *written = csirt_reference_text("VIG", reference);
        if (strlen(written) >= CSIRT_REFERENCE_MAX || !csirt_reference_parse("VIG", written, &again, NULL) ||
            again.year != reference.year || again.number != reference.number)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    VigieReference reference;
    VigieTlp tlp;
    check_references(text);
    if (csirt_reference_parse("VIG", text, &reference, &error) == !!error)
        abort();
    g_autofree char *subject = csirt_tlp_subject(VIGIE_TLP_AMBER_STRICT, text);
    g_autofree char *again = csirt_tlp_subject(VIGIE_TLP_AMBER_STRICT, subject);
    if (strcmp(subject, again) != 0 || !csirt_tlp_find(subject, &tlp) || tlp < VIGIE_TLP_AMBER_STRICT)
        abort();
    g_autofree char *hash = csirt_code_hash(text);
    if (hash && !csirt_code_matches(text, hash))
        abort();
    return 0;
}
