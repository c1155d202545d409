/* Records as an engine would make them, put together by hand: a healthy device, of which a test spoils what it wants. */
#pragma once

#include "record/record.h"

/* 2026-11-21T20:15:10Z, when all tests take place. */
#define NOW ((VigieTime)1795292110)
#define DAY ((VigieTime)86400)

typedef struct {
    VigieCertificate leaf, authority, root;
    VigieAlternativeName names[2];
    VigieCertificate *served[3];
    VigieChain chain;
    VigieRecord record;
} Seen;

/* Fills it; what is in it lives as long as `seen`. End with seen_clear(). */
static inline void seen_healthy(Seen *seen) {
    *seen = (Seen){0};
    seen->names[0] = (VigieAlternativeName){VIGIE_NAME_DNS, (char *)"automate-02.chu.test"};
    seen->leaf = (VigieCertificate){
        .subject = (char *)"CN=automate-02.chu.test",
        .issuer = (char *)"CN=AC Équipements CHU",
        .common_name = (char *)"automate-02.chu.test",
        .serial = (char *)"01ab",
        .not_before = NOW - 100 * DAY,
        .not_after = NOW + 265 * DAY,
        .names = seen->names,
        .name_count = 1,
        .key = VIGIE_KEY_RSA,
        .key_bits = 2048,
        .signature_algorithm = "sha256WithRSAEncryption",
        .for_servers = true,
        .sha256 = {0x9f, 0x1c, 0x07, 0xe2},
    };
    seen->authority = seen->leaf;
    seen->authority.subject = (char *)"CN=AC Équipements CHU";
    seen->authority.issuer = (char *)"CN=AC Racine CHU";
    seen->authority.not_after = NOW + 2000 * DAY;
    seen->authority.is_ca = true;
    seen->root = seen->authority;
    seen->root.subject = (char *)"CN=AC Racine CHU";
    seen->root.self_issued = true;
    seen->served[0] = &seen->leaf;
    seen->served[1] = &seen->authority;
    seen->served[2] = &seen->root;
    seen->chain = (VigieChain){.certificates = seen->served, .count = 2, .json = (char *)"[]"};
    vigie_record_clear(&seen->record);
    VigieRecord *record = &seen->record;
    record->target = (VigieTarget){
        .host = g_strdup("automate-02.chu.test"), .port = 2762, .protocol = VIGIE_PROTOCOL_DICOM};
    g_strlcpy(record->address, "10.1.2.3", sizeof record->address);
    record->depth = VIGIE_DEPTH_FULL;
    record->time = NOW;
    record->versions_tested = 0x3f;
    record->versions_offered = 1 << VIGIE_TLS12 | 1 << VIGIE_TLS13;
    record->version = VIGIE_TLS13;
    record->chain = &seen->chain;
    record->trust = (VigieTrust){.verdict = VIGIE_TRUST_TRUSTED, .anchor = "AC Racine CHU"};
    record->name_match = VIGIE_YES;
    record->client_certificate = VIGIE_NO;
    record->clock_known = true;
    record->clock_offset = 0;
    record->clock_source = "http-date";
}

static inline void seen_fail(Seen *seen, VigieOutcome outcome, const char *detail) {
    seen->record.outcome = outcome;
    g_strlcpy(seen->record.detail, detail, sizeof seen->record.detail);
    seen->record.chain = NULL;
    seen->record.trust = (VigieTrust){0};
    seen->record.versions_tested = seen->record.versions_offered = 0;
    seen->record.name_match = seen->record.client_certificate = VIGIE_UNKNOWN;
    seen->record.clock_known = false;
}

static inline void seen_clear(Seen *seen) {
    seen->record.chain = NULL; /* not counted: it is ours */
    vigie_record_clear(&seen->record);
}
