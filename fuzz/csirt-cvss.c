/* A CVSS vector written by whoever: a score whose normal form scores the same, or a refusal. */
#include "csirt/triage.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!csirt_rules_load(NULL))
        abort();
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    VigieCvss cvss, again;
    bool scored = csirt_cvss_score(text, &cvss, &error);
    if (scored == !!error)
        abort();
    if (scored && (!csirt_cvss_score(cvss.vector, &again, NULL) || again.score != cvss.score ||
                   again.base != cvss.base || strcmp(again.vector, cvss.vector) != 0 || cvss.score < 0 ||
                   cvss.score > 100))
        abort();
    return 0;
}
