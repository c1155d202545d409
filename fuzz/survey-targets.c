/* Targets as typed: any line. What is taken has a host and a port, and written out it is taken again as itself. */
#include "survey/survey.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const VigieTarget *target) {
    bool bracket = strchr(target->host, ':') != NULL;
    g_autofree char *text = g_strdup_printf(bracket ? "[%s]:%u/%s" : "%s:%u/%s", target->host, target->port,
                                            vigie_protocol_name(target->protocol));
    VigieTarget again = {0};
    g_autoptr(GError) error = NULL;
    if (!survey_target_parse(text, &again, &error) || strcmp(again.host, target->host) != 0 ||
        again.port != target->port || again.protocol != target->protocol)
        abort();
    vigie_target_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autofree char *text = g_strndup((const char *)data, size);
    VigieTargets *targets = survey_targets_new(NULL, NULL);
    survey_targets_add(targets, text);
    VigieTarget target = {0};
    for (int i = 0; i < 100 && survey_targets_next(&target, targets); i++) {
        if (target.port == 0 || !target.host[0])
            abort();
        check_again(&target);
        vigie_target_clear(&target);
    }
    survey_targets_free(targets);
    return 0;
}
