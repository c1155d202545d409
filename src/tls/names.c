/* names.c: what the numbers on the wire are called, and what they are worth. */
#include "tls/tls.h"

#include "tls/internal.h"

struct pair {
    uint16_t id;
    const char *name;
};

#include "tls-tables.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct {
    const char *name;
    uint16_t wire;
} versions[VIGIE_VERSIONS] = {
    [VIGIE_SSL2] = {"SSLv2", 0x0002},    [VIGIE_SSL3] = {"SSLv3", 0x0300},
    [VIGIE_TLS10] = {"TLSv1.0", 0x0301}, [VIGIE_TLS11] = {"TLSv1.1", 0x0302},
    [VIGIE_TLS12] = {"TLSv1.2", 0x0303}, [VIGIE_TLS13] = {"TLSv1.3", 0x0304},
};

/* RFC 8446 B.2, with those that older versions had. */
static const struct pair alerts[] = {
    {0, "close_notify"},
    {10, "unexpected_message"},
    {20, "bad_record_mac"},
    {21, "decryption_failed"},
    {22, "record_overflow"},
    {30, "decompression_failure"},
    {40, "handshake_failure"},
    {41, "no_certificate"},
    {42, "bad_certificate"},
    {43, "unsupported_certificate"},
    {44, "certificate_revoked"},
    {45, "certificate_expired"},
    {46, "certificate_unknown"},
    {47, "illegal_parameter"},
    {48, "unknown_ca"},
    {49, "access_denied"},
    {50, "decode_error"},
    {51, "decrypt_error"},
    {60, "export_restriction"},
    {70, "protocol_version"},
    {71, "insufficient_security"},
    {80, "internal_error"},
    {86, "inappropriate_fallback"},
    {90, "user_canceled"},
    {100, "no_renegotiation"},
    {109, "missing_extension"},
    {110, "unsupported_extension"},
    {111, "certificate_unobtainable"},
    {112, "unrecognized_name"},
    {113, "bad_certificate_status_response"},
    {114, "bad_certificate_hash_value"},
    {115, "unknown_psk_identity"},
    {116, "certificate_required"},
    {120, "no_application_protocol"},
    {121, "ech_required"},
};

const char *tls_version_name(VigieVersion version) {
    return version < VIGIE_VERSIONS ? versions[version].name : "unknown";
}

uint16_t tls_version_wire(VigieVersion version) {
    return version < VIGIE_VERSIONS ? versions[version].wire : 0;
}

VigieVersion tls_version_of_wire(uint16_t wire) {
    for (VigieVersion v = VIGIE_SSL3; v < VIGIE_VERSIONS; v++)
        if (versions[v].wire == wire)
            return v;
    return VIGIE_VERSIONS;
}

static const char *pair_name(const struct pair *pairs, size_t count, uint16_t id) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (pairs[middle].id == id)
            return pairs[middle].name;
        if (pairs[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const VigieSuite *tls_suite(uint32_t id) {
    size_t low = 0, high = COUNT(suites);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (suites[middle].id == id)
            return &suites[middle];
        if (suites[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *tls_suite_name(uint32_t id) {
    const VigieSuite *suite = tls_suite(id);
    return suite ? suite->name : NULL;
}

const char *tls_suite_verdict_name(uint8_t verdict) {
    static const char *const names[] = {"insecure", "weak", "secure", "recommended"};
    return verdict < COUNT(names) ? names[verdict] : "unknown";
}

size_t tls_suites_of(VigieVersion version, const uint16_t **ret_suites) {
    static const struct {
        const uint16_t *ids;
        size_t count;
    } lists[VIGIE_VERSIONS] = {
        [VIGIE_SSL3] = {suites_of_1, COUNT(suites_of_1)},  [VIGIE_TLS10] = {suites_of_2, COUNT(suites_of_2)},
        [VIGIE_TLS11] = {suites_of_3, COUNT(suites_of_3)}, [VIGIE_TLS12] = {suites_of_4, COUNT(suites_of_4)},
        [VIGIE_TLS13] = {suites_of_5, COUNT(suites_of_5)},
    };
    if (version >= VIGIE_VERSIONS)
        return 0;
    *ret_suites = lists[version].ids;
    return lists[version].count;
}

size_t tls_groups_of(VigieVersion version, const uint16_t **ret_groups) {
    bool modern = version == VIGIE_TLS13;
    *ret_groups = modern ? groups_of_13 : groups_of_12;
    return modern ? COUNT(groups_of_13) : COUNT(groups_of_12);
}

VigieHello tls_hello_plan(uint8_t offered) {
    static const uint16_t shares[] = {VIGIE_GROUP_X25519};
    bool modern = offered & 1 << VIGIE_TLS13, only = offered == 1 << VIGIE_TLS13;
    const uint16_t *list = only ? suites_of_5 : modern ? usual_suites : usual_suites_before_13;
    size_t count = only ? COUNT(suites_of_5) : modern ? COUNT(usual_suites) : COUNT(usual_suites_before_13);
    return (VigieHello){
        .versions = offered,
        .form = VIGIE_HELLO_NORMAL,
        .suites = list,
        .suite_count = count,
        .groups = usual_groups,
        .group_count = COUNT(usual_groups),
        .shares = shares,
        .share_count = COUNT(shares),
        .signatures = usual_signatures,
        .signature_count = COUNT(usual_signatures),
    };
}

const char *tls_group_name(uint16_t id) {
    return pair_name(groups, COUNT(groups), id);
}

const char *tls_signature_name(uint16_t id) {
    return pair_name(signatures, COUNT(signatures), id);
}

const char *tls_alert_name(uint8_t code) {
    return pair_name(alerts, COUNT(alerts), code);
}

bool tls_is_grease(uint16_t id) {
    return (id & 0x0F0F) == 0x0A0A && (id >> 8) == (id & 0xFF);
}
