/* The public form: what doc/record.md promises, whatever the record holds. */
#include "seen.h"

#include <string.h>

static json_t *written(const VigieRecord *record) {
    g_autoptr(GString) out = g_string_new(NULL);
    record_append_json(record, out);
    g_assert_null(strchr(out->str, '\n'));
    json_error_t where;
    json_t *value = json_loadb(out->str, out->len, JSON_REJECT_DUPLICATES, &where);
    if (value == NULL)
        g_error("%s: %s", where.text, out->str);
    return value;
}

static const char *text(const json_t *object, const char *member) {
    return json_string_value(json_object_get(object, member));
}

/* The members of the documented example and those written are the same. */
static void test_documented(void) {
    g_autofree char *path = g_build_filename(g_getenv("VIGIE_KNOWLEDGE"), "..", "doc", "record.md", NULL);
    g_autofree char *page = NULL;
    g_assert_true(g_file_get_contents(path, &page, NULL, NULL));
    const char *start = strstr(page, "```json\n") + 8;
    g_autoptr(json_t) example = json_loadb(start, (size_t)(strstr(start, "```") - start), 0, NULL);
    g_assert_nonnull(example);
    Seen seen;
    seen_healthy(&seen);
    g_autoptr(json_t) record = written(&seen.record);
    const char *member;
    json_t *value;
    json_object_foreach(example, member, value) if (json_object_get(record, member) == NULL)
        g_error("doc/record.md has \"%s\", the record not", member);
    json_object_foreach(record, member, value) if (json_object_get(example, member) == NULL)
        g_error("the record has \"%s\", doc/record.md not", member);
    json_object_foreach(json_object_get(record, "trust"), member, value)
        g_assert_nonnull(json_object_get(json_object_get(example, "trust"), member));
    json_object_foreach(json_object_get(example, "timings"), member, value)
        g_assert_nonnull(json_object_get(json_object_get(record, "timings"), member));
    seen_clear(&seen);
}

static void test_whole(void) {
    Seen seen;
    seen_healthy(&seen);
    VigieRecord *record = &seen.record;
    record->suites[VIGIE_TLS12].ids = g_memdup2((uint32_t[]){0xC030, 0xFFEE}, 8);
    record->suites[VIGIE_TLS12].count = 2;
    record->groups = g_memdup2((uint16_t[]){29, 0xFFEE}, 4);
    record->group_count = 2;
    record->server_preference = VIGIE_YES;
    record->clock_offset = -664;
    record->timings.connect_ms = 1.25;
    g_autoptr(json_t) json = written(record);
    g_assert_cmpstr(text(json, "target"), ==, "automate-02.chu.test:2762/dicom");
    g_assert_cmpstr(text(json, "time"), ==, "2026-11-21T20:15:10Z");
    g_assert_cmpstr(text(json, "outcome"), ==, "ok");
    g_assert_cmpint(json_integer_value(json_object_get(json, "clock_offset")), ==, -664);
    g_autofree char *suites = vigie_json_text(json_object_get(json, "suites"));
    g_assert_cmpstr(suites, ==, "{\"TLSv1.2\":[\"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\",\"0xFFEE\"]}");
    g_autofree char *groups = vigie_json_text(json_object_get(json, "groups"));
    g_assert_cmpstr(groups, ==, "[\"x25519\",\"0xFFEE\"]");
    const json_t *timings = json_object_get(json, "timings");
    g_assert_cmpfloat(json_real_value(json_object_get(timings, "connect_ms")), ==, 1.25);
    g_assert_true(json_is_null(json_object_get(timings, "total_ms")));
    seen_clear(&seen);
}

/* Nothing known: nulls and empty lists, never a missing member. */
static void test_empty(void) {
    VigieRecord record = {0};
    vigie_record_clear(&record);
    record.target.host = g_strdup("2001:db8::1");
    record.target.port = 443;
    record.outcome = VIGIE_OUTCOME_ALERT;
    g_strlcpy(record.detail, "handshake_failure", sizeof record.detail);
    g_autoptr(json_t) json = written(&record);
    g_assert_cmpstr(text(json, "target"), ==, "[2001:db8::1]:443/tls");
    g_assert_cmpstr(text(json, "outcome"), ==, "alert:handshake_failure");
    static const char *const nulls[] = {"address",           "server_preference", "trust",
                                        "name_match",        "clock_offset",      "clock_source",
                                        "client_certificate"};
    for (size_t i = 0; i < G_N_ELEMENTS(nulls); i++)
        g_assert_true(json_is_null(json_object_get(json, nulls[i])));
    vigie_record_clear(&record);
}

/* A name that is not UTF-8, quotes and controls in what a stranger sent: still one line of JSON. */
static void test_hostile(void) {
    VigieRecord record = {0};
    vigie_record_clear(&record);
    record.target.host = g_strdup("a\"\\\n\xff\x01");
    record.outcome = VIGIE_OUTCOME_STARTTLS_REFUSED;
    g_strlcpy(record.detail, "454 \"no\"\t", sizeof record.detail);
    g_autoptr(json_t) json = written(&record);
    g_assert_cmpstr(text(json, "outcome"), ==, "starttls-refused:454 \"no\"\t");
    vigie_record_clear(&record);
}

static void test_names(void) {
    for (unsigned i = 0; i < VIGIE_PROTOCOLS; i++) {
        VigieProtocol protocol;
        g_assert_true(vigie_protocol_parse(vigie_protocol_name((VigieProtocol)i), &protocol));
        g_assert_cmpuint(protocol, ==, i);
        g_assert_cmpint(vigie_protocol_starttls((VigieProtocol)i), ==, i >= VIGIE_PROTOCOL_SMTP);
    }
    VigieProtocol untouched = VIGIE_PROTOCOL_XMPP;
    g_assert_false(vigie_protocol_parse("gopher", &untouched));
    g_assert_cmpuint(untouched, ==, VIGIE_PROTOCOL_XMPP);
    g_assert_cmpuint(vigie_protocol_of_port(2762), ==, VIGIE_PROTOCOL_DICOM);
    g_assert_cmpuint(vigie_protocol_of_port(587), ==, VIGIE_PROTOCOL_SMTP);
    g_assert_cmpuint(vigie_protocol_of_port(4711), ==, VIGIE_PROTOCOL_TLS);
    for (unsigned i = 0; i < VIGIE_OUTCOMES; i++)
        for (unsigned k = 0; k < i; k++)
            g_assert_cmpstr(vigie_outcome_name((VigieOutcome)i), !=, vigie_outcome_name((VigieOutcome)k));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/record/json/documented", test_documented);
    g_test_add_func("/record/json/whole", test_whole);
    g_test_add_func("/record/json/empty", test_empty);
    g_test_add_func("/record/json/hostile", test_hostile);
    g_test_add_func("/record/json/names", test_names);
    return g_test_run();
}
