/* The rules of knowledge/findings.json over records put together by hand: each fault gives its finding and no other. */
#include "seen.h"

#include <glib/gstdio.h>
#include <string.h>

static void healthy(Seen *seen) {
    (void)seen;
}
static void clock_ahead(Seen *seen) {
    seen->record.clock_offset = 664;
}
static void clock_20_seconds(Seen *seen) {
    seen->record.clock_offset = -20;
}
static void clock_3_minutes(Seen *seen) {
    seen->record.clock_offset = -180;
}
static void clock_past_the_end(Seen *seen) {
    seen->leaf.not_after = NOW + 100 * DAY;
    seen->record.clock_offset = 200 * DAY;
}
static void clock_in_2000(Seen *seen) {
    seen->record.clock_offset = (VigieTime)946684800 - NOW;
}
static void expired(Seen *seen) {
    seen->leaf.not_after = NOW - 3 * DAY;
    seen->record.trust.verdict = VIGIE_TRUST_EXPIRED;
}
static void expired_last_second(Seen *seen) {
    seen->leaf.not_after = NOW - 1;
    seen->record.trust.verdict = VIGIE_TRUST_EXPIRED;
}
static void ends_now(Seen *seen) {
    seen->leaf.not_after = NOW; /* RFC 5280 4.1.2.5: the last second is within */
}
static void expired_authority(Seen *seen) {
    seen->authority.not_after = NOW - DAY;
    seen->record.trust = (VigieTrust){.verdict = VIGIE_TRUST_EXPIRED, .at = 1};
}
static void expired_but_superfluous(Seen *seen) {
    seen->authority.not_after = NOW - DAY;
    seen->record.trust.superfluous = true;
}
static void expired_root_served(Seen *seen) {
    seen->chain.count = 3;
    seen->root.not_after = NOW - DAY;
}
static void expired_root_of_ours(Seen *seen) {
    seen->record.trust = (VigieTrust){.verdict = VIGIE_TRUST_EXPIRED, .at = 1, .anchor = "AC Racine CHU"};
}
static void expired_and_unknown(Seen *seen) {
    seen->leaf.not_after = NOW - 3 * DAY;
    seen->record.trust.verdict = VIGIE_TRUST_UNKNOWN_AUTHORITY;
}
static void early(Seen *seen) {
    seen->leaf.not_before = NOW + 2 * DAY;
    seen->record.trust.verdict = VIGIE_TRUST_NOT_YET_VALID;
}
static void ends_in_20_hours(Seen *seen) {
    seen->leaf.not_after = NOW + 20 * 3600;
}
static void ends_in_6_days(Seen *seen) {
    seen->leaf.not_after = NOW + 6 * DAY;
}
static void ends_in_29_days(Seen *seen) {
    seen->leaf.not_after = NOW + 29 * DAY;
}
static void ends_in_89_days(Seen *seen) {
    seen->leaf.not_after = NOW + 89 * DAY;
}
static void authority_ends_first(Seen *seen) {
    seen->authority.not_after = NOW + 20 * DAY;
}
static void tls10_only(Seen *seen) {
    seen->record.versions_offered = 1 << VIGIE_TLS10;
}
static void ssl2_only(Seen *seen) {
    seen->record.versions_offered = 1 << VIGIE_SSL2;
}
static void tls10_too(Seen *seen) {
    seen->record.versions_offered |= 1 << VIGIE_TLS10;
}
static void ssl3_too(Seen *seen) {
    seen->record.versions_offered |= 1 << VIGIE_SSL3 | 1 << VIGIE_TLS10;
}
static void tls13_only(Seen *seen) {
    seen->record.versions_offered = 1 << VIGIE_TLS13;
}
static void tls13_alone_tested(Seen *seen) {
    seen->record.versions_offered = seen->record.versions_tested = 1 << VIGIE_TLS13;
}
static void rc4(Seen *seen) {
    seen->record.suites[VIGIE_TLS12].ids = g_memdup2((uint32_t[]){0xC02F, 0x0005}, 8);
    seen->record.suites[VIGIE_TLS12].count = 2;
}
static void rc4_and_3des_alone(Seen *seen) {
    seen->record.suites[VIGIE_TLS12].ids = g_memdup2((uint32_t[]){0x000A, 0x0005}, 8);
    seen->record.suites[VIGIE_TLS12].count = 2;
}
static void rc4_chosen(Seen *seen) {
    seen->record.suite = 0x0005;
}
static void good_suites(Seen *seen) {
    seen->record.suites[VIGIE_TLS12].ids = g_memdup2((uint32_t[]){0xC02F, 0xC030}, 8);
    seen->record.suites[VIGIE_TLS12].count = 2;
}
static void incomplete(Seen *seen) {
    seen->chain.count = 1;
    seen->record.trust = (VigieTrust){.verdict = VIGIE_TRUST_INCOMPLETE};
}
/* SSL 2 has room for one certificate only: nothing was forgotten. */
static void incomplete_in_ssl2(Seen *seen) {
    incomplete(seen);
    seen->record.version = VIGIE_SSL2;
}
static void disorder(Seen *seen) {
    seen->record.trust.order_wrong = true;
}
static void unknown_authority(Seen *seen) {
    seen->record.trust = (VigieTrust){.verdict = VIGIE_TRUST_UNKNOWN_AUTHORITY, .at = 1};
}
static void self_signed(Seen *seen) {
    seen->chain.count = 1;
    seen->leaf.self_issued = true;
    seen->leaf.issuer = seen->leaf.subject;
    seen->record.trust = (VigieTrust){.verdict = VIGIE_TRUST_SELF_SIGNED};
}
static void forged(Seen *seen) {
    seen->record.trust = (VigieTrust){.verdict = VIGIE_TRUST_BAD_SIGNATURE, .detail = "…"};
}
static void constrained(Seen *seen) {
    seen->record.trust = (VigieTrust){.verdict = VIGIE_TRUST_CONSTRAINT, .detail = "RFC 5280 4.2.1.9: …"};
}
static void other_name(Seen *seen) {
    seen->record.name_match = VIGIE_NO;
}
static void by_address(Seen *seen) {
    seen->record.name_match = VIGIE_NO;
    g_free(seen->record.target.host);
    seen->record.target.host = g_strdup("10.1.2.3");
}
static void common_name_only(Seen *seen) {
    seen->leaf.name_count = 0;
}
static void rsa_1024(Seen *seen) {
    seen->leaf.key_bits = 1024;
    seen->record.trust.verdict = VIGIE_TRUST_WEAK;
}
static void p256(Seen *seen) {
    seen->leaf.key = VIGIE_KEY_EC;
    seen->leaf.key_bits = 256;
}
static void sha1(Seen *seen) {
    seen->leaf.signature_weak = true;
    seen->leaf.signature_algorithm = "sha1WithRSAEncryption";
    seen->record.trust.verdict = VIGIE_TRUST_WEAK;
}
static void sha1_root(Seen *seen) {
    seen->chain.count = 3;
    seen->root.signature_weak = true;
}
static void malformed_certificate(Seen *seen) {
    seen->leaf.malformed = "RFC 5280 4.1.2.2: serial number longer than 20 octets";
}
static void client(Seen *seen) {
    seen->record.client_certificate = VIGIE_YES;
}
static void ten_years(Seen *seen) {
    seen->leaf.not_after = seen->leaf.not_before + 3650 * DAY;
}
static void all_at_once(Seen *seen) {
    clock_ahead(seen);
    expired_and_unknown(seen);
    sha1(seen);
    seen->record.trust.verdict = VIGIE_TRUST_UNKNOWN_AUTHORITY;
    other_name(seen);
    tls10_too(seen);
}

#define FAILURE(name, outcome, detail)                                                                       \
    static void name(Seen *seen) {                                                                           \
        seen_fail(seen, outcome, detail);                                                                    \
    }
FAILURE(no_name, VIGIE_OUTCOME_NAME_NOT_FOUND, "")
FAILURE(no_resolver, VIGIE_OUTCOME_NAME_FAILED, "timeout")
FAILURE(refused, VIGIE_OUTCOME_REFUSED, "")
FAILURE(unreachable, VIGIE_OUTCOME_UNREACHABLE, "")
FAILURE(silent, VIGIE_OUTCOME_TIMEOUT_CONNECT, "")
FAILURE(mute, VIGIE_OUTCOME_TIMEOUT_HANDSHAKE, "")
FAILURE(reset, VIGIE_OUTCOME_RESET_AFTER_HELLO, "")
FAILURE(closed, VIGIE_OUTCOME_CLOSED_AFTER_HELLO, "")
FAILURE(plain_http, VIGIE_OUTCOME_NOT_TLS, "http")
FAILURE(gibberish, VIGIE_OUTCOME_NOT_TLS, "unknown")
FAILURE(no_version, VIGIE_OUTCOME_ALERT, "protocol_version")
FAILURE(no_suite, VIGIE_OUTCOME_ALERT, "handshake_failure")
FAILURE(no_such_name, VIGIE_OUTCOME_ALERT, "unrecognized_name")
FAILURE(internal, VIGIE_OUTCOME_ALERT, "internal_error")
FAILURE(client_demanded, VIGIE_OUTCOME_ALERT, "certificate_required")
FAILURE(broken, VIGIE_OUTCOME_MALFORMED, "RFC 8446 4.1.3: session_id too long")
FAILURE(no_starttls, VIGIE_OUTCOME_STARTTLS_REFUSED, "454 TLS not available")
FAILURE(endless, VIGIE_OUTCOME_LIMIT, "handshake message over 256 KiB")
FAILURE(interrupted, VIGIE_OUTCOME_INTERRUPTED, "")

static const struct {
    const char *name;
    void (*spoil)(Seen *seen);
    const char *expected; /* "id/severity …" in order */
} cases[] = {
    {"healthy", healthy, ""},
    {"clock-ahead", clock_ahead, "clock-skew/high"},
    {"clock-20-seconds", clock_20_seconds, ""},
    {"clock-3-minutes", clock_3_minutes, "clock-skew/medium"},
    {"clock-past-the-end", clock_past_the_end, "clock-skew/critical"},
    {"clock-in-2000", clock_in_2000, "clock-skew/critical"},
    {"expired", expired, "certificate-expired/critical"},
    {"expired-last-second", expired_last_second, "certificate-expired/critical"},
    {"ends-now", ends_now, "certificate-expiring/critical"},
    {"expired-authority", expired_authority, "certificate-expired/critical"},
    {"expired-but-superfluous", expired_but_superfluous, ""},
    {"expired-root-served", expired_root_served, ""},
    {"expired-root-of-ours", expired_root_of_ours, "root-expired/high"},
    {"expired-and-unknown", expired_and_unknown, "certificate-expired/critical unknown-authority/high"},
    {"early", early, "certificate-not-yet-valid/high"},
    {"ends-in-20-hours", ends_in_20_hours, "certificate-expiring/critical"},
    {"ends-in-6-days", ends_in_6_days, "certificate-expiring/high"},
    {"ends-in-29-days", ends_in_29_days, "certificate-expiring/medium"},
    {"ends-in-89-days", ends_in_89_days, "certificate-expiring/info"},
    {"authority-ends-first", authority_ends_first, "certificate-expiring/medium"},
    {"tls10-only", tls10_only, "protocol-version/high"},
    {"ssl2-only", ssl2_only, "protocol-version/high"},
    {"tls10-too", tls10_too, "protocol-obsolete/medium"},
    {"ssl3-too", ssl3_too, "protocol-obsolete/high"},
    {"tls13-only", tls13_only, "protocol-recent-only/info"},
    {"tls13-alone-tested", tls13_alone_tested, ""},
    {"rc4", rc4, "weak-suite/medium"},
    {"rc4-and-3des-alone", rc4_and_3des_alone, "weak-suite/high"},
    {"rc4-chosen", rc4_chosen, "weak-suite/high"},
    {"good-suites", good_suites, ""},
    {"incomplete", incomplete, "incomplete-chain/high"},
    {"incomplete-in-ssl2", incomplete_in_ssl2, ""},
    {"disorder", disorder, "chain-order/medium"},
    {"unknown-authority", unknown_authority, "unknown-authority/high"},
    {"self-signed", self_signed, "self-signed/high"},
    {"forged", forged, "bad-signature/critical"},
    {"constrained", constrained, "constraint-violated/high"},
    {"other-name", other_name, "name-mismatch/high"},
    {"by-address", by_address, "name-mismatch/low"},
    {"common-name-only", common_name_only, "name-by-common-name-only/medium"},
    {"rsa-1024", rsa_1024, "weak-key/high"},
    {"p256", p256, ""},
    {"sha1", sha1, "weak-signature/high"},
    {"sha1-root", sha1_root, ""},
    {"malformed-certificate", malformed_certificate, "malformed-certificate/low"},
    {"client", client, "client-certificate-required/info"},
    {"ten-years", ten_years, "long-validity/info"},
    {"all-at-once", all_at_once,
     "clock-skew/high certificate-expired/critical unknown-authority/high name-mismatch/high "
     "weak-signature/high "
     "protocol-obsolete/medium"},
    {"no-name", no_name, "name-not-found/high"},
    {"no-resolver", no_resolver, "name-failed/high"},
    {"refused", refused, "refused/high"},
    {"unreachable", unreachable, "unreachable/high"},
    {"silent", silent, "timeout/high"},
    {"mute", mute, "handshake-timeout/high"},
    {"reset", reset, "connection-reset/high"},
    {"closed", closed, "connection-closed/high"},
    {"plain-http", plain_http, "plain-protocol/high"},
    {"gibberish", gibberish, "unknown-protocol/high"},
    {"no-version", no_version, "protocol-version/high"},
    {"no-suite", no_suite, "cipher-mismatch/high"},
    {"no-such-name", no_such_name, "unrecognized-name/high"},
    {"internal", internal, "handshake-failed/high"},
    {"client-demanded", client_demanded, "client-certificate-required/info"},
    {"broken", broken, "malformed/high"},
    {"no-starttls", no_starttls, "starttls-refused/high"},
    {"endless", endless, "limit-exceeded/medium"},
    {"interrupted", interrupted, ""},
};

static char *findings_text(const VigieRecord *record) {
    GString *out = g_string_new(NULL);
    for (size_t i = 0; i < record->finding_count; i++)
        g_string_append_printf(out, "%s%s/%s", i ? " " : "", record->findings[i].id,
                               vigie_severity_name(record->findings[i].severity));
    return g_string_free(out, FALSE);
}

static void test_case(const void *data) {
    size_t index = GPOINTER_TO_SIZE(data);
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieRules) rules = record_rules_load(&error);
    g_assert_no_error(error);
    Seen seen;
    seen_healthy(&seen);
    cases[index].spoil(&seen);
    record_rules_apply(rules, &seen.record, NOW);
    g_autofree char *found = findings_text(&seen.record);
    g_assert_cmpstr(found, ==, cases[index].expected);
    record_rules_apply(rules, &seen.record, NOW); /* again: replaced, not doubled */
    g_autofree char *again = findings_text(&seen.record);
    g_assert_cmpstr(again, ==, found);
    seen_clear(&seen);
}

/* Evidence holds what was measured, raw. */
static void test_evidence(void) {
    g_autoptr(VigieRules) rules = record_rules_load(NULL);
    Seen seen;
    seen_healthy(&seen);
    expired(&seen);
    seen.record.clock_offset = 664;
    record_rules_apply(rules, &seen.record, NOW);
    g_assert_cmpuint(seen.record.finding_count, ==, 2);
    g_autofree char *clock = vigie_json_text(seen.record.findings[0].evidence);
    g_assert_cmpstr(clock, ==,
                    "{\"offset_seconds\":664,\"source\":\"http-date\",\"direction\":\"ahead\","
                    "\"device_time\":\"2026-11-21T20:26:14Z\",\"true_time\":\"2026-11-21T20:15:10Z\"}");
    const json_t *date = seen.record.findings[1].evidence;
    g_assert_cmpstr(json_string_value(json_object_get(date, "not_after")), ==, "2026-11-18T20:15:10Z");
    g_assert_cmpint(json_integer_value(json_object_get(date, "days")), ==, 3);
    g_assert_cmpstr(json_string_value(json_object_get(date, "subject")), ==, "CN=automate-02.chu.test");
    seen_clear(&seen);
}

/* ---- What the loader refuses ------------------------------------------------------------------------------- */
static const struct {
    const char *file, *find, *put, *message; /* a change to a file of knowledge/ and part of the refusal */
} mistakes[] = {
    {"findings.json", "\"severity\": \"critical\"", "\"severty\": \"critical\"",
     "unknown member \"severty\""},
    {"findings.json", "\"severity\": \"critical\"", "\"severity\": \"awful\"", "rule 1 (clock-skew)"},
    {"findings.json", "clock.drift_seconds", "clock.drift", "there is no such fact"},
    {"findings.json", "{ \"min\": 30 }", "{ \"min\": \"30\" }", "with integers is wanted"},
    {"findings.json", "{ \"min\": 30 }", "{ \"atleast\": 30 }", "unknown member \"atleast\""},
    {"findings.json", "\"clock.source\"", "\"clock.sauce\"", "names no fact"},
    {"findings.json", "\"id\": \"name-failed\"", "\"id\": \"clock-skew\"", "stand together"},
    {"findings.json", "\"id\": \"name-failed\"", "\"id\": \"name-fails\"", "name-failed: no rule"},
    {"findings.json", "[", "{", "findings.json"},
    {"diagnosis.json", "\"name-failed\": {", "\"name-fails\": {", "no rule of findings.json has this id"},
    {"diagnosis.json", "{device_time}", "{device_hour}", "placeholder {device_hour}"},
    {"diagnosis.json", "it says {device_time}", "it says", "stands in one language only"},
    {"diagnosis.json", "\"terms\": [\"ntp\"", "\"terms\": [\"npt\"", "term \"npt\" is not in glossary.json"},
    {"diagnosis.json", "\"direction\": \"ahead\"", "\"sense\": \"ahead\"",
     "no rule of that id gives \"sense\""},
    {"diagnosis.json", "\"symptom\"", "\"symptoms\"", "unknown member \"symptoms\""},
    {"diagnosis.json", "\"en\": \"Clock is wrong\"", "\"en\": \"\"", "\"fr\" and \"en\" are both wanted"},
    {"glossary.json", "\"remember\"", "\"recall\"", "unknown member \"recall\""},
};

static void replace_first(char **text, const char *find, const char *put) {
    char *at = strstr(*text, find);
    g_assert_nonnull(at);
    char *result = g_strdup_printf("%.*s%s%s", (int)(at - *text), *text, put, at + strlen(find));
    g_free(*text);
    *text = result;
}

static int load_spoiled(size_t index) {
    static const char *const files[] = {"findings.json", "diagnosis.json", "glossary.json"};
    g_autofree char *folder = g_dir_make_tmp("vigie-rules-XXXXXX", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        /* Not by vigie_knowledge_text(): the folder is fixed at first use. */
        g_autofree char *original = g_build_filename(g_getenv("VIGIE_KNOWLEDGE"), files[i], NULL);
        char *text = NULL;
        g_assert_true(g_file_get_contents(original, &text, NULL, NULL));
        if (strcmp(files[i], mistakes[index].file) == 0)
            replace_first(&text, mistakes[index].find, mistakes[index].put);
        g_autofree char *path = g_build_filename(folder, files[i], NULL);
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
        g_free(text);
    }
    g_setenv("VIGIE_KNOWLEDGE", folder, TRUE);
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieRules) rules = record_rules_load(&error);
    if (error)
        g_printerr("%s\n", error->message);
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(folder, files[i], NULL);
        g_remove(path);
    }
    g_rmdir(folder);
    return rules != NULL;
}

/* In a process of its own, for the same reason. */
static void test_mistake(const void *data) {
    size_t index = GPOINTER_TO_SIZE(data);
    if (g_test_subprocess())
        exit(load_spoiled(index));
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_autofree char *pattern = g_strdup_printf("*%s*", mistakes[index].message);
    g_test_trap_assert_stderr(pattern);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/record/rules/%s", cases[i].name);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_case);
    }
    g_test_add_func("/record/rules/evidence", test_evidence);
    for (size_t i = 0; i < G_N_ELEMENTS(mistakes); i++) {
        g_autofree char *path = g_strdup_printf("/record/rules/mistake/%zu", i);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_mistake);
    }
    return g_test_run();
}
