#include "record/rules.h"

#include <string.h>

void vigie_target_clear(VigieTarget *target) {
    g_free(target->host);
    g_free(target->connect);
    g_free(target->name);
    *target = (VigieTarget){0};
}

char *vigie_target_text(const VigieTarget *target) {
    const char *host = target->host ? target->host : "";
    bool bracket = strchr(host, ':') != NULL && host[0] != '[';
    return g_strdup_printf("%s%s%s:%u/%s", bracket ? "[" : "", host, bracket ? "]" : "", target->port,
                           vigie_protocol_name(target->protocol));
}

void record_findings_clear(VigieRecord *record) {
    for (size_t i = 0; i < record->finding_count; i++)
        json_decref(record->findings[i].evidence);
    g_free(record->findings);
    record->findings = NULL;
    record->finding_count = 0;
}

void vigie_record_clear(VigieRecord *record) {
    vigie_target_clear(&record->target);
    for (size_t i = 0; i < VIGIE_VERSIONS; i++)
        g_free(record->suites[i].ids);
    g_free(record->groups);
    if (record->chain)
        x509_chain_unref(record->chain);
    record_findings_clear(record);
    *record = (VigieRecord){
        .server_preference = VIGIE_UNKNOWN,
        .version = VIGIE_VERSIONS,
        .name_match = VIGIE_UNKNOWN,
        .client_certificate = VIGIE_UNKNOWN,
        .timings = {.resolve_ms = -1, .connect_ms = -1, .handshake_ms = -1, .total_ms = -1},
    };
}
