#include "fleet-test.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

VigieTime test_time(const char *text) {
    g_autoptr(GError) error = NULL;
    VigieTime time = 0;
    vigie_time_parse_rfc3339(text, &time, &error);
    g_assert_no_error(error);
    return time;
}

static json_t *parse(const char *text) {
    json_error_t where;
    json_t *value = json_loads(text, 0, &where);
    if (!value)
        g_error("%s: %s", text, where.text);
    return value;
}

int64_t test_organisation(VigieStore *store, const char *name) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) fields = json_pack("{s:s}", "name", name);
    int64_t id = 0;
    fleet_organisation_save(store, 0, fields, "test", TEST_NOW, &id, NULL, &error);
    g_assert_no_error(error);
    return id;
}

int64_t test_device(VigieStore *store, int64_t organisation, const char *fields) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) all = parse(fields);
    json_object_set_new(all, "organisation", json_integer(organisation));
    int64_t id = 0;
    fleet_device_save(store, 0, all, "test", TEST_NOW, &id, NULL, &error);
    g_assert_no_error(error);
    return id;
}

int64_t test_endpoint(VigieStore *store, int64_t device, const char *host, int port) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) fields =
        json_pack("{s:I, s:s, s:i}", "device", (json_int_t)device, "host", host, "port", port);
    int64_t id = 0;
    fleet_endpoint_save(store, 0, fields, "test", TEST_NOW, &id, NULL, &error);
    g_assert_no_error(error);
    return id;
}

int64_t test_contact(VigieStore *store, int64_t organisation, const char *role, const char *mail) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) fields = json_pack("{s:I, s:s, s:s, s:s}", "organisation", (json_int_t)organisation,
                                         "role", role, "name", mail, "mail", mail);
    int64_t id = 0;
    fleet_contact_save(store, 0, fields, "test", TEST_NOW, &id, NULL, &error);
    g_assert_no_error(error);
    return id;
}

/* ---- Certificates ------------------------------------------------------------------------------------------- */
static EVP_PKEY *key_of(int number) {
    static EVP_PKEY *keys[16];
    g_assert_cmpint(number, <, (int)G_N_ELEMENTS(keys));
    if (!keys[number])
        keys[number] = EVP_EC_gen("P-256");
    return keys[number];
}

static void set_name(X509_NAME *name, const char *text) {
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0);
}

static VigieBytes make_der(const TestCertificate *of) {
    static long serial = 1;
    X509 *x509 = X509_new();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++);
    ASN1_TIME_set(X509_getm_notBefore(x509), of->not_before);
    ASN1_TIME_set(X509_getm_notAfter(x509), of->not_after);
    set_name(X509_get_subject_name(x509), of->name);
    set_name(X509_get_issuer_name(x509), of->issuer ? of->issuer : of->name);
    X509_set_pubkey(x509, key_of(of->key));
    X509_sign(x509, key_of(of->key), EVP_sha256());
    unsigned char *der = NULL;
    int size = i2d_X509(x509, &der);
    g_assert_cmpint(size, >, 0);
    X509_free(x509);
    return vigie_bytes(der, (size_t)size);
}

VigieChain *test_chain(const TestCertificate *certificates, size_t count) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieChainCache) cache = x509_chain_cache_new(4);
    VigieBytes der[8];
    for (size_t i = 0; i < count; i++)
        der[i] = make_der(&certificates[i]);
    VigieChain *chain = x509_chain_cache_get(cache, der, count, &error);
    g_assert_no_error(error);
    for (size_t i = 0; i < count; i++)
        OPENSSL_free((void *)der[i].data);
    return chain;
}

/* ---- Records ------------------------------------------------------------------------------------------------ */
static VigieSeverity severity_of(const char *name) {
    for (int i = VIGIE_SEVERITY_INFO; i <= VIGIE_SEVERITY_CRITICAL; i++)
        if (strcmp(vigie_severity_name((VigieSeverity)i), name) == 0)
            return (VigieSeverity)i;
    g_error("%s is no severity", name);
}

static void add_findings(VigieRecord *record, const char *findings) {
    g_auto(GStrv) all = g_strsplit(findings, " ", -1);
    record->findings = g_new0(VigieFinding, g_strv_length(all) + 1);
    for (char **one = all; *one && **one; one++) {
        g_auto(GStrv) parts = g_strsplit(*one, ":", 3);
        record->findings[record->finding_count++] = (VigieFinding){
            .id = g_intern_string(parts[0]),
            .severity = severity_of(parts[1]),
            .evidence = parts[2] ? json_pack("{s:s}", "sha256", parts[2]) : json_pack("{s:i}", "n", 1)};
    }
}

VigieRecord test_record(const char *outcome, VigieTime time, VigieDepth depth, VigieChain *chain,
                        const char *findings) {
    VigieRecord record = {
        .depth = depth,
        .time = time,
        .outcome = VIGIE_OUTCOMES,
        .version = VIGIE_TLS12,
        .server_preference = VIGIE_UNKNOWN,
        .name_match = VIGIE_UNKNOWN,
        .client_certificate = VIGIE_UNKNOWN,
        .timings = {.resolve_ms = -1, .connect_ms = 0.2, .handshake_ms = 1.5, .total_ms = 2}};
    const char *detail = strchr(outcome, ':');
    g_autofree char *name = g_strndup(outcome, detail ? (gsize)(detail - outcome) : strlen(outcome));
    for (int i = 0; i < VIGIE_OUTCOMES; i++)
        if (strcmp(vigie_outcome_name((VigieOutcome)i), name) == 0)
            record.outcome = (VigieOutcome)i;
    g_assert_cmpint(record.outcome, <, VIGIE_OUTCOMES);
    g_strlcpy(record.detail, detail ? detail + 1 : "", sizeof record.detail);
    record.target.host = g_strdup("device.chu.test");
    record.target.port = 443;
    record.target.protocol = VIGIE_PROTOCOL_HTTPS;
    g_strlcpy(record.address, "127.0.0.1", sizeof record.address);
    if (record.outcome == VIGIE_OUTCOME_OK) {
        record.versions_tested = depth == VIGIE_DEPTH_CERTIFICATE ? 1 << VIGIE_TLS12 : 0x3f;
        record.versions_offered = 1 << VIGIE_TLS12;
    }
    if (chain) {
        record.chain = x509_chain_ref(chain);
        record.trust.verdict = VIGIE_TRUST_TRUSTED;
        record.name_match = VIGIE_YES;
        record.client_certificate = VIGIE_NO;
    }
    add_findings(&record, findings);
    return record;
}

void test_observe(VigieStore *store, int64_t endpoint, int64_t run, VigieRecord *record, VigieTime now) {
    g_autoptr(GError) error = NULL;
    VigieFleetPolicy policy = fleet_policy_default();
    fleet_observe(store, &policy, endpoint, run, record, now, &error);
    g_assert_no_error(error);
    vigie_record_clear(record);
}

/* ---- JSON --------------------------------------------------------------------------------------------------- */
json_t *test_at(const json_t *value, const char *path) {
    g_assert_nonnull(value);
    g_auto(GStrv) members = g_strsplit(path, ".", -1);
    const json_t *at = value;
    for (char **member = members; *member; member++) {
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(*member)) : json_object_get(at, *member);
        if (!at) {
            g_autofree char *text = vigie_json_text(value);
            g_error("no \"%s\" of \"%s\" in %s", *member, path, text);
        }
    }
    return (json_t *)at;
}

const char *test_text(const json_t *value, const char *path) {
    return json_string_value(test_at(value, path));
}

int64_t test_int(const json_t *value, const char *path) {
    json_t *at = test_at(value, path);
    if (!json_is_integer(at))
        g_error("\"%s\" is not a number", path);
    return json_integer_value(at);
}

char *test_events(VigieStore *store, int64_t endpoint, const char *but) {
    g_autoptr(GError) error = NULL;
    VigieFleetFilter filter = {.endpoint = endpoint, .sort = "time", .descending = true, .page_size = 500};
    g_autoptr(json_t) page = fleet_event_list(store, &filter, TEST_NOW, &error);
    g_assert_no_error(error);
    GString *kinds = g_string_new(NULL);
    size_t index;
    json_t *event;
    json_array_foreach(json_object_get(page, "items"), index, event) {
        const char *kind = json_string_value(json_object_get(event, "kind"));
        if (strcmp(kind, "endpoint-added") != 0 && !(but && g_str_has_prefix(kind, but)))
            g_string_append_printf(kinds, "%s%s", kinds->len ? " " : "", kind);
    }
    return g_string_free(kinds, FALSE);
}
