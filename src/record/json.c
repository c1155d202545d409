/* The public form of a record, doc/record.md, written without a json_t: the survey prints tens of thousands a
 * second. What came from outside (names, details) goes through vigie_json_append_string. */
#include "record/record.h"

#include <math.h>
#include <string.h>

static void text(GString *out, const char *value) {
    if (value)
        vigie_json_append_string(out, value, strlen(value));
    else
        g_string_append(out, "null");
}

static void member(GString *out, const char *name) {
    if (out->str[out->len - 1] != '{')
        g_string_append_c(out, ',');
    g_string_append_c(out, '"');
    g_string_append(out, name);
    g_string_append(out, "\":");
}

static void text_member(GString *out, const char *name, const char *value) {
    member(out, name);
    text(out, value);
}

/* A tenth of what printf takes, and each record has a dozen. */
static void append_int(GString *out, int64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        g_string_append_c(out, '-');
    g_string_append_len(out, digits + at, (gssize)(sizeof digits - at));
}

static void int_member(GString *out, const char *name, int64_t value) {
    member(out, name);
    append_int(out, value);
}

static void ternary_member(GString *out, const char *name, VigieTernary value) {
    member(out, name);
    g_string_append(out, value == VIGIE_UNKNOWN ? "null" : value == VIGIE_YES ? "true" : "false");
}

/* Milliseconds to the microsecond; the locale has no say in it. */
static void ms_member(GString *out, const char *name, double ms) {
    member(out, name);
    if (!(ms >= 0) || ms > 1e12) {
        g_string_append(out, "null");
        return;
    }
    int64_t micros = (int64_t)llround(ms * 1000);
    int part = (int)(micros % 1000);
    append_int(out, micros / 1000);
    const char decimals[] = {'.', (char)('0' + part / 100), (char)('0' + part / 10 % 10),
                             (char)('0' + part % 10)};
    g_string_append_len(out, decimals, sizeof decimals);
}

static void target_member(GString *out, const VigieTarget *target) {
    g_autofree char *text_form = vigie_target_text(target);
    text_member(out, "target", text_form);
}

static void outcome_member(GString *out, const VigieRecord *record) {
    member(out, "outcome");
    if (record->detail[0] == '\0') {
        text(out, vigie_outcome_name(record->outcome));
        return;
    }
    char whole[sizeof record->detail + 32];
    int size = g_snprintf(whole, sizeof whole, "%s:%s", vigie_outcome_name(record->outcome), record->detail);
    vigie_json_append_string(out, whole, (size_t)size);
}

static void versions_member(GString *out, const char *name, unsigned mask) {
    member(out, name);
    g_string_append_c(out, '[');
    for (unsigned version = 0; version < VIGIE_VERSIONS; version++) {
        if (!(mask & 1u << version))
            continue;
        if (out->str[out->len - 1] != '[')
            g_string_append_c(out, ',');
        text(out, tls_version_name((VigieVersion)version));
    }
    g_string_append_c(out, ']');
}

/* IANA's name, or "0x1302" for a value that has none. */
static void name_or_value(GString *out, const char *name, uint32_t value) {
    if (name)
        text(out, name);
    else
        g_string_append_printf(out, "\"0x%04X\"", value);
}

static void suites_member(GString *out, const VigieRecord *record) {
    member(out, "suites");
    g_string_append_c(out, '{');
    for (unsigned version = 0; version < VIGIE_VERSIONS; version++) {
        if (record->suites[version].count == 0)
            continue;
        member(out, tls_version_name((VigieVersion)version));
        g_string_append_c(out, '[');
        for (size_t i = 0; i < record->suites[version].count; i++) {
            g_string_append(out, i ? "," : "");
            name_or_value(out, tls_suite_name(record->suites[version].ids[i]),
                          record->suites[version].ids[i]);
        }
        g_string_append_c(out, ']');
    }
    g_string_append_c(out, '}');
}

static void groups_member(GString *out, const VigieRecord *record) {
    member(out, "groups");
    g_string_append_c(out, '[');
    for (size_t i = 0; i < record->group_count; i++) {
        g_string_append(out, i ? "," : "");
        name_or_value(out, tls_group_name(record->groups[i]), record->groups[i]);
    }
    g_string_append_c(out, ']');
}

static void trust_member(GString *out, const VigieTrust *trust) {
    member(out, "trust");
    if (trust->verdict == VIGIE_TRUST_UNJUDGED) {
        g_string_append(out, "null");
        return;
    }
    g_string_append_c(out, '{');
    text_member(out, "verdict", x509_trust_name(trust->verdict));
    int_member(out, "at", (int64_t)trust->at);
    text_member(out, "anchor", trust->anchor);
    ternary_member(out, "order_wrong", trust->order_wrong ? VIGIE_YES : VIGIE_NO);
    ternary_member(out, "superfluous", trust->superfluous ? VIGIE_YES : VIGIE_NO);
    text_member(out, "detail", trust->detail);
    g_string_append_c(out, '}');
}

static void timings_member(GString *out, const VigieRecord *record) {
    member(out, "timings");
    g_string_append_c(out, '{');
    ms_member(out, "resolve_ms", record->timings.resolve_ms);
    ms_member(out, "connect_ms", record->timings.connect_ms);
    ms_member(out, "handshake_ms", record->timings.handshake_ms);
    ms_member(out, "total_ms", record->timings.total_ms);
    int_member(out, "connections", record->timings.connections);
    int_member(out, "bytes_sent", record->timings.bytes_sent);
    int_member(out, "bytes_received", record->timings.bytes_received);
    g_string_append_c(out, '}');
}

static int append_dump(const char *buffer, size_t size, void *out) {
    g_string_append_len(out, buffer, (gssize)size);
    return 0;
}

static void findings_member(GString *out, const VigieRecord *record) {
    member(out, "findings");
    g_string_append_c(out, '[');
    for (size_t i = 0; i < record->finding_count; i++) {
        const VigieFinding *finding = &record->findings[i];
        g_string_append(out, i ? ",{" : "{");
        text_member(out, "id", finding->id);
        text_member(out, "severity", vigie_severity_name(finding->severity));
        member(out, "evidence");
        if (json_dump_callback(finding->evidence, append_dump, out, JSON_COMPACT) != 0)
            g_string_append(out, "{}");
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ']');
}

void record_append_json(const VigieRecord *record, GString *out) {
    static const char *const depths[] = {"certificate", "protocols", "full"};
    g_autofree char *time = vigie_time_rfc3339(record->time);
    g_string_append_c(out, '{');
    target_member(out, &record->target);
    text_member(out, "address", record->address[0] ? record->address : NULL);
    int_member(out, "port", record->target.port);
    text_member(out, "protocol", vigie_protocol_name(record->target.protocol));
    text_member(out, "time", time);
    text_member(out, "depth", depths[record->depth]);
    outcome_member(out, record);
    versions_member(out, "versions", record->versions_offered);
    versions_member(out, "versions_tested", record->versions_tested);
    suites_member(out, record);
    ternary_member(out, "server_preference", record->server_preference);
    groups_member(out, record);
    member(out, "chain");
    g_string_append(out, record->chain ? record->chain->json : "[]");
    trust_member(out, &record->trust);
    ternary_member(out, "name_match", record->name_match);
    member(out, "clock_offset");
    if (record->clock_known)
        g_string_append_printf(out, "%" G_GINT64_FORMAT, record->clock_offset);
    else
        g_string_append(out, "null");
    text_member(out, "clock_source", record->clock_known ? record->clock_source : NULL);
    ternary_member(out, "client_certificate", record->client_certificate);
    timings_member(out, record);
    findings_member(out, record);
    g_string_append_c(out, '}');
}
