/* What observations make of findings, certificates and endpoints. */
#include "fleet-test.h"

#include <string.h>

typedef struct {
    VigieStore *store;
    int64_t organisation, device, endpoint;
} Ward;

static Ward ward_new(void) {
    Ward ward = {.store = test_store_new()};
    ward.organisation = test_organisation(ward.store, "CHU de Kermarec");
    ward.device =
        test_device(ward.store, ward.organisation,
                    "{\"name\": \"Échographe n° 4\", \"class\": \"imaging\", \"criticality\": \"major\"}");
    ward.endpoint = test_endpoint(ward.store, ward.device, "echo-04.chu.test", 443);
    return ward;
}

static json_t *endpoint_of(const Ward *ward) {
    g_autoptr(GError) error = NULL;
    VigieFleetFilter all = {0};
    json_t *endpoint = fleet_endpoint_get(ward->store, &all, ward->endpoint, TEST_NOW, &error);
    g_assert_no_error(error);
    return endpoint;
}

static VigieChain *good_chain(void) {
    return test_chain(&(TestCertificate){.name = "echo-04.chu.test",
                                         .issuer = "AC CHU",
                                         .not_before = TEST_NOW - 100 * DAY,
                                         .not_after = TEST_NOW + 300 * DAY},
                      1);
}

/* ---- The life of a finding ---------------------------------------------------------------------------------- */
/* One letter an observation, a day apart: what was seen, and what then becomes of the finding. */
typedef struct {
    const char *name;
    const char *kind;
    const char *seen;
    const char *states; /* o open, a acknowledged, m mended, r reopened, - none */
} Life;

/* F full depth with it, f certificate depth with it, O full depth without, c certificate depth without, u refused,
 * a alert, r reset, n no name, p plain HTTP; S full depth with it, more severe; A is acknowledged (no observation). */
static const Life lives[] = {
    {"stays open", "weak-key", "FFF", "ooo"},
    {"is mended when it is not seen", "weak-key", "FOO", "omm"},
    {"comes back", "weak-key", "FOFO", "omrm"},
    {"is mended by a shallow look that could see it", "weak-key", "Fc", "om"},
    {"is not mended by a shallow look that could not", "weak-suite", "FccO", "ooom"},
    {"is not mended by silence", "weak-key", "FuuO", "ooom"},
    {"is not mended by an alert", "weak-key", "Fa", "oo"},
    {"a reset mends nothing of the certificate", "certificate-expired", "Fr", "oo"},
    {"acknowledged, then mended", "weak-key", "FAFO", "oaam"},
    {"acknowledged, reopened later", "weak-key", "FAOF", "oamr"},
    {"acknowledged, silent, still acknowledged", "weak-key", "FAu", "oaa"},
    {"acknowledged, then worse", "weak-key", "FAS", "oao"},
    {"reopened can be acknowledged", "weak-key", "FOFA", "omra"},
    {"never seen", "weak-key", "OO", "--"},
    {"refused is not mended by no name", "refused", "Fn", "oo"},
    {"refused is mended by any answer", "refused", "Fp", "om"},
    {"a reset is mended by an alert", "connection-reset", "Fa", "om"},
    {"plain text is not mended by a reset", "plain-protocol", "Fr", "oo"},
    {"no name is mended by a refusal", "name-not-found", "Fu", "om"},
    {"a shallow finding is mended at its depth", "weak-suite", "fc", "om"},
    {"a kind without a rule takes a handshake", "of-another-time", "FuO", "oom"},
};

static const char *outcome_of(char look) {
    switch (look) {
    case 'u':
        return "refused";
    case 'a':
        return "alert:handshake_failure";
    case 'r':
        return "reset-after-hello";
    case 'n':
        return "name-not-found";
    case 'p':
        return "not-tls:http";
    default:
        return "ok";
    }
}

static void look_once(const Ward *ward, const Life *life, char look, VigieTime now) {
    g_autoptr(VigieChain) chain = good_chain();
    bool with = strchr("FfS", look) != NULL;
    const char *outcome = outcome_of(look);
    g_autofree char *findings =
        with ? g_strdup_printf("%s:%s", life->kind, look == 'S' ? "high" : "medium") : g_strdup("");
    VigieDepth depth = strchr("cf", look) ? VIGIE_DEPTH_CERTIFICATE : VIGIE_DEPTH_FULL;
    VigieRecord record =
        test_record(outcome, now, depth, strcmp(outcome, "ok") == 0 ? chain : NULL, findings);
    test_observe(ward->store, ward->endpoint, 0, &record, now);
}

static char state_of(const Ward *ward, const char *kind, int64_t *ret_id) {
    g_autoptr(json_t) endpoint = endpoint_of(ward);
    size_t index;
    json_t *finding;
    json_array_foreach(json_object_get(endpoint, "findings"), index, finding) {
        if (strcmp(test_text(finding, "kind"), kind) == 0) {
            *ret_id = test_int(finding, "id");
            return *test_text(finding, "state");
        }
    }
    return '-';
}

static void test_life(gconstpointer data) {
    const Life *life = data;
    Ward ward = ward_new();
    g_autoptr(GError) error = NULL;
    int64_t id = 0;
    for (size_t i = 0; life->seen[i]; i++) {
        VigieTime now = TEST_NOW + (VigieTime)i * DAY;
        if (life->seen[i] == 'A') {
            fleet_finding_acknowledge(ward.store, id, "claire", "vu avec le fournisseur", now, &error);
            g_assert_no_error(error);
        } else
            look_once(&ward, life, life->seen[i], now);
        char state = state_of(&ward, life->kind, &id);
        if (state != life->states[i])
            g_error("%s: after %.*s it is %c, not %c", life->name, (int)i + 1, life->seen, state,
                    life->states[i]);
    }
    store_close(ward.store);
}

static void test_times(void) {
    Ward ward = ward_new();
    Life life = {.kind = "weak-key"};
    look_once(&ward, &life, 'F', TEST_NOW);
    look_once(&ward, &life, 'F', TEST_NOW + DAY);
    look_once(&ward, &life, 'O', TEST_NOW + 2 * DAY);
    look_once(&ward, &life, 'F', TEST_NOW + 3 * DAY);
    g_autoptr(json_t) endpoint = endpoint_of(&ward);
    g_assert_cmpstr(test_text(endpoint, "findings.0.first_seen"), ==, "2026-11-21T08:00:00Z");
    g_assert_cmpstr(test_text(endpoint, "findings.0.last_seen"), ==, "2026-11-24T08:00:00Z");
    g_assert_cmpstr(test_text(endpoint, "findings.0.reopened"), ==, "2026-11-24T08:00:00Z");
    g_assert_null(test_text(endpoint, "findings.0.mended"));
    g_assert_cmpint(test_int(endpoint, "findings.0.reopenings"), ==, 1);
    g_assert_true(json_is_null(test_at(endpoint, "findings.0.acknowledged")));
    g_autofree char *events = test_events(ward.store, ward.endpoint, "certificate");
    g_assert_cmpstr(events, ==, "finding-opened finding-mended finding-reopened");
    store_close(ward.store);
}

/* An expiring certificate that is renewed and expires again a year later is a new case, not a relapse. */
static void test_other_certificate(void) {
    Ward ward = ward_new();
    const char *seen[] = {"certificate-expiring:medium:aa", "", "certificate-expiring:medium:bb"};
    for (size_t i = 0; i < G_N_ELEMENTS(seen); i++) {
        g_autoptr(VigieChain) chain = good_chain();
        VigieRecord record = test_record("ok", TEST_NOW + (VigieTime)i, VIGIE_DEPTH_FULL, chain, seen[i]);
        test_observe(ward.store, ward.endpoint, 0, &record, TEST_NOW + (VigieTime)i);
    }
    g_autoptr(json_t) endpoint = endpoint_of(&ward);
    g_assert_cmpstr(test_text(endpoint, "findings.0.state"), ==, "open");
    g_assert_cmpint(test_int(endpoint, "findings.0.reopenings"), ==, 0);
    store_close(ward.store);
}

/* When nobody acts, expiring becomes expired: that is not mending. */
static void test_expired_follows(void) {
    Ward ward = ward_new();
    const char *seen[] = {"certificate-expiring:high:aa", "certificate-expired:critical:aa"};
    for (size_t i = 0; i < G_N_ELEMENTS(seen); i++) {
        g_autoptr(VigieChain) chain = good_chain();
        VigieRecord record = test_record("ok", TEST_NOW + (VigieTime)i, VIGIE_DEPTH_FULL, chain, seen[i]);
        test_observe(ward.store, ward.endpoint, 0, &record, TEST_NOW + (VigieTime)i);
    }
    g_autofree char *events = test_events(ward.store, ward.endpoint, "certificate");
    g_assert_cmpstr(events, ==, "finding-opened finding-worsened finding-opened");
    store_close(ward.store);
}

static void test_acknowledge_refused(void) {
    Ward ward = ward_new();
    Life life = {.kind = "weak-key"};
    int64_t id = 0;
    g_autoptr(GError) error = NULL;
    look_once(&ward, &life, 'F', TEST_NOW);
    look_once(&ward, &life, 'O', TEST_NOW + 1);
    g_assert_cmpint(state_of(&ward, "weak-key", &id), ==, 'm');
    g_assert_false(fleet_finding_acknowledge(ward.store, id, "claire", NULL, TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_CONFLICT, "mended", NULL);
    g_assert_false(fleet_finding_acknowledge(ward.store, 999, "claire", NULL, TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, "999", NULL);
    store_close(ward.store);
}

/* Every finding that the rules can bring is told how it is mended. */
static void test_every_kind_has_a_rule(void) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) findings = vigie_knowledge_json("findings.json", &error);
    if (!findings) {
        g_test_skip("knowledge/findings.json is not there");
        return;
    }
    g_autoptr(json_t) mending = vigie_knowledge_json("fleet-mending.json", &error);
    g_assert_no_error(error);
    size_t index;
    json_t *rule;
    json_array_foreach(findings, index, rule) {
        const char *id = json_string_value(json_object_get(rule, "id"));
        if (id && !json_object_get(mending, id))
            g_error("knowledge/fleet-mending.json does not say how \"%s\" is mended", id);
    }
}

/* ---- Observations ------------------------------------------------------------------------------------------- */
static void test_same_is_kept_once(void) {
    Ward ward = ward_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieChain) chain = good_chain();
    for (int i = 0; i < 5; i++) {
        VigieRecord record =
            test_record("ok", TEST_NOW + i * DAY, VIGIE_DEPTH_FULL, chain, i == 3 ? "weak-key:low" : "");
        record.clock_known = true;
        record.clock_source = "http-date";
        record.clock_offset = i;
        record.timings.total_ms = i;
        test_observe(ward.store, ward.endpoint, 0, &record, TEST_NOW + i * DAY);
    }
    int64_t whole = 0, all = 0;
    store_get_int(ward.store, &whole, &error, "SELECT count(*) FROM observation WHERE record IS NOT NULL",
                  "");
    store_get_int(ward.store, &all, &error, "SELECT count(*) FROM observation", "");
    g_assert_no_error(error);
    g_assert_cmpint(all, ==, 5);
    g_assert_cmpint(whole, ==, 3);
    g_autoptr(json_t) endpoint = endpoint_of(&ward);
    g_assert_cmpstr(test_text(endpoint, "record.time"), ==, "2026-11-25T08:00:00Z");
    g_assert_cmpint(test_int(endpoint, "record.clock_offset"), ==, 4);
    g_assert_cmpint((int64_t)json_array_size(test_at(endpoint, "history")), ==, 3);
    g_assert_cmpint(test_int(endpoint, "history.2.observations"), ==, 3);
    g_assert_cmpstr(test_text(endpoint, "history.2.to"), ==, "2026-11-23T08:00:00Z");
    g_assert_cmpstr(test_text(endpoint, "history.1.changes.0.member"), ==, "findings");
    g_assert_cmpstr(test_text(endpoint, "history.1.changes.0.after.0"), ==, "weak-key");
    store_close(ward.store);
}

static void test_once_in_a_run(void) {
    Ward ward = ward_new();
    g_autoptr(GError) error = NULL;
    VigieFleetFilter all = {0};
    int64_t run = 0;
    fleet_survey_request(ward.store, &all, VIGIE_DEPTH_FULL, "claire", TEST_NOW, &run, &error);
    g_assert_no_error(error);
    for (int i = 0; i < 2; i++) {
        VigieRecord record = test_record(i ? "refused" : "ok", TEST_NOW + i, VIGIE_DEPTH_FULL, NULL, "");
        test_observe(ward.store, ward.endpoint, run, &record, TEST_NOW + i);
    }
    g_autoptr(json_t) endpoint = endpoint_of(&ward);
    g_assert_cmpstr(test_text(endpoint, "outcome"), ==, "ok");
    g_assert_cmpint(test_int(endpoint, "failures"), ==, 0);
    store_close(ward.store);
}

static void test_interrupted_is_not_kept(void) {
    Ward ward = ward_new();
    VigieRecord record = test_record("interrupted", TEST_NOW, VIGIE_DEPTH_FULL, NULL, "");
    test_observe(ward.store, ward.endpoint, 0, &record, TEST_NOW);
    g_autoptr(json_t) endpoint = endpoint_of(&ward);
    g_assert_true(json_is_null(test_at(endpoint, "outcome")));
    g_assert_true(json_is_null(test_at(endpoint, "record")));
    store_close(ward.store);
}

/* A shallow look does not forget the versions that a deep one found. */
static void test_versions_add_up(void) {
    Ward ward = ward_new();
    VigieRecord deep = test_record("ok", TEST_NOW, VIGIE_DEPTH_FULL, NULL, "");
    deep.versions_offered = 1 << VIGIE_TLS10 | 1 << VIGIE_TLS12;
    test_observe(ward.store, ward.endpoint, 0, &deep, TEST_NOW);
    VigieRecord shallow = test_record("ok", TEST_NOW + 1, VIGIE_DEPTH_CERTIFICATE, NULL, "");
    test_observe(ward.store, ward.endpoint, 0, &shallow, TEST_NOW + 1);
    g_autoptr(json_t) endpoint = endpoint_of(&ward);
    g_assert_cmpstr(test_text(endpoint, "versions.0"), ==, "TLSv1.0");
    g_assert_cmpstr(test_text(endpoint, "versions.1"), ==, "TLSv1.2");
    store_close(ward.store);
}

/* ---- Silence ------------------------------------------------------------------------------------------------ */
static void test_silence(void) {
    static const struct {
        const char *outcome, *state;
    } seen[] = {{"ok", "well"},
                {"refused", "well"},
                {"timeout-connect", "well"},
                {"name-not-found", "unknown"},
                {"unreachable", "unknown"},
                {"alert:handshake_failure", "well"}};
    Ward ward = ward_new();
    for (size_t i = 0; i < G_N_ELEMENTS(seen); i++) {
        VigieTime now = TEST_NOW + (VigieTime)i * DAY;
        VigieRecord record = test_record(seen[i].outcome, now, VIGIE_DEPTH_FULL, NULL, "");
        test_observe(ward.store, ward.endpoint, 0, &record, now);
        g_autoptr(json_t) endpoint = endpoint_of(&ward);
        g_assert_cmpstr(test_text(endpoint, "state"), ==, seen[i].state);
        if (i == 3)
            g_assert_cmpstr(test_text(endpoint, "silent_since"), ==, "2026-11-24T08:00:00Z");
    }
    g_autofree char *events = test_events(ward.store, ward.endpoint, NULL);
    g_assert_cmpstr(events, ==, "endpoint-silent endpoint-back");
    store_close(ward.store);
}

/* What never answered cannot fall silent; and not being reached is not being broken. */
static void test_never_seen(void) {
    Ward ward = ward_new();
    for (int i = 0; i < 5; i++) {
        VigieRecord record = test_record("refused", TEST_NOW + i, VIGIE_DEPTH_FULL, NULL, "refused:high");
        test_observe(ward.store, ward.endpoint, 0, &record, TEST_NOW + i);
    }
    g_autoptr(json_t) endpoint = endpoint_of(&ward);
    g_assert_cmpstr(test_text(endpoint, "state"), ==, "unknown");
    g_assert_cmpstr(test_text(endpoint, "severity"), ==, "high");
    g_autofree char *events = test_events(ward.store, ward.endpoint, NULL);
    g_assert_cmpstr(events, ==, "finding-opened");
    store_close(ward.store);
}

/* ---- Certificates ------------------------------------------------------------------------------------------- */
typedef struct {
    const char *name;
    TestCertificate before, after;
    const char *event;
} Change;

#define VALID(from, to) .not_before = TEST_NOW + (from)*DAY, .not_after = TEST_NOW + (to)*DAY

static const Change changes[] = {
    {"renewed in time, same key",
     {.name = "a", .issuer = "AC", VALID(-300, 60), .key = 1},
     {.name = "a", .issuer = "AC", VALID(0, 365), .key = 1},
     "certificate-renewed"},
    {"renewed in time, new key",
     {.name = "a", .issuer = "AC", VALID(-300, 60), .key = 1},
     {.name = "a", .issuer = "AC", VALID(0, 365), .key = 2},
     "certificate-renewed"},
    {"renewed after its end",
     {.name = "a", .issuer = "AC", VALID(-400, -3), .key = 1},
     {.name = "a", .issuer = "AC", VALID(0, 365), .key = 2},
     "certificate-renewed"},
    {"much too early",
     {.name = "a", .issuer = "AC", VALID(-10, 300), .key = 1},
     {.name = "a", .issuer = "AC", VALID(0, 365), .key = 1},
     "certificate-changed"},
    {"another issuer and key",
     {.name = "a", .issuer = "AC", VALID(-300, 60), .key = 1},
     {.name = "a", .issuer = "Other", VALID(0, 365), .key = 2},
     "certificate-changed"},
    {"another issuer, same key",
     {.name = "a", .issuer = "AC", VALID(-300, 60), .key = 1},
     {.name = "a", .issuer = "Other", VALID(0, 365), .key = 1},
     "certificate-renewed"},
    {"another name",
     {.name = "a", .issuer = "AC", VALID(-300, 60), .key = 1},
     {.name = "b", .issuer = "AC", VALID(0, 365), .key = 2},
     "certificate-changed"},
    {"an older one put back",
     {.name = "a", .issuer = "AC", VALID(-300, 60), .key = 1},
     {.name = "a", .issuer = "AC", VALID(-400, 30), .key = 1},
     "certificate-changed"},
    {"a short life, renewed at its half",
     {.name = "a", .issuer = "AC", VALID(-24, 23), .key = 1},
     {.name = "a", .issuer = "AC", VALID(0, 47), .key = 2},
     "certificate-renewed"},
    {"a short life, on its second day",
     {.name = "a", .issuer = "AC", VALID(-2, 45), .key = 1},
     {.name = "a", .issuer = "AC", VALID(0, 47), .key = 2},
     "certificate-changed"},
};

static void test_change(gconstpointer data) {
    const Change *change = data;
    Ward ward = ward_new();
    g_autoptr(VigieChain) before = test_chain(&change->before, 1), after = test_chain(&change->after, 1);
    VigieChain *const served[] = {before, before, after, after};
    for (size_t i = 0; i < G_N_ELEMENTS(served); i++) {
        VigieTime now = TEST_NOW - 10 + (VigieTime)i;
        VigieRecord record = test_record("ok", now, VIGIE_DEPTH_FULL, served[i], "");
        test_observe(ward.store, ward.endpoint, 0, &record, now);
    }
    g_autofree char *events = test_events(ward.store, ward.endpoint, "finding");
    g_autofree char *wanted = g_strconcat("certificate-first-seen ", change->event, NULL);
    g_assert_cmpstr(events, ==, wanted);
    g_autoptr(json_t) endpoint = endpoint_of(&ward);
    g_assert_cmpint((int64_t)json_array_size(test_at(endpoint, "certificates")), ==, 2);
    g_assert_true(json_is_true(test_at(endpoint, "certificates.0.current")));
    g_assert_true(json_is_false(test_at(endpoint, "certificates.1.current")));
    g_assert_cmpstr(test_text(endpoint, "certificates.1.last_seen"), ==, "2026-11-21T07:59:51Z");
    store_close(ward.store);
}

/* An intermediate that ends before the leaf is when the chain ends; a root is not. */
static void test_first_end(void) {
    Ward ward = ward_new();
    const TestCertificate served[] = {{.name = "a", .issuer = "AC 2", VALID(-10, 300), .key = 1},
                                      {.name = "AC 2", .issuer = "AC", VALID(-10, 20), .key = 2},
                                      {.name = "AC", VALID(-10, 5), .key = 3}};
    g_autoptr(VigieChain) chain = test_chain(served, G_N_ELEMENTS(served));
    VigieRecord record = test_record("ok", TEST_NOW, VIGIE_DEPTH_FULL, chain, "");
    test_observe(ward.store, ward.endpoint, 0, &record, TEST_NOW);
    g_autoptr(json_t) endpoint = endpoint_of(&ward);
    g_assert_cmpint(test_int(endpoint, "days_left"), ==, 20);
    g_assert_cmpstr(test_text(endpoint, "state"), ==, "soon");
    g_assert_cmpstr(test_text(endpoint, "certificate.common_name"), ==, "a");
    g_assert_cmpint((int64_t)json_array_size(test_at(endpoint, "certificates")), ==, 3);
    store_close(ward.store);
}

static void test_certificate_get(void) {
    Ward ward = ward_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieChain) chain = good_chain();
    int64_t other = test_endpoint(ward.store, ward.device, "10.1.2.3", 2762);
    const int64_t ids[] = {ward.endpoint, other};
    for (size_t i = 0; i < 2; i++) {
        VigieRecord record = test_record("ok", TEST_NOW, VIGIE_DEPTH_FULL, chain, "");
        test_observe(ward.store, ids[i], 0, &record, TEST_NOW);
    }
    VigieFleetFilter all = {0};
    g_autoptr(json_t) page = fleet_certificate_list(ward.store, &all, TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_cmpint(test_int(page, "total"), ==, 1);
    g_assert_cmpint(test_int(page, "items.0.endpoints"), ==, 2);
    g_autoptr(json_t) one =
        fleet_certificate_get(ward.store, &all, test_int(page, "items.0.id"), TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_cmpint((int64_t)json_array_size(test_at(one, "served_by")), ==, 2);
    g_assert_cmpstr(test_text(one, "served_by.1.endpoint.target"), ==, "10.1.2.3:2762/dicom");
    const char *pem = test_text(one, "pem");
    g_autoptr(GPtrArray) read = x509_certificates_read(vigie_bytes(pem, strlen(pem)), &error);
    g_assert_no_error(error);
    VigieCertificate *certificate = read->pdata[0];
    g_assert_true(memcmp(certificate->sha256, chain->certificates[0]->sha256, 32) == 0);
    int64_t stranger = test_organisation(ward.store, "CH de Plouzané");
    VigieFleetFilter theirs = {.organisation = stranger};
    g_assert_null(fleet_certificate_get(ward.store, &theirs, test_int(page, "items.0.id"), TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);
    store_close(ward.store);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(lives); i++) {
        g_autofree char *path = g_strconcat("/fleet/life/", lives[i].name, NULL);
        g_test_add_data_func(path, &lives[i], test_life);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree char *path = g_strconcat("/fleet/certificate/", changes[i].name, NULL);
        g_test_add_data_func(path, &changes[i], test_change);
    }
    g_test_add_func("/fleet/life/times", test_times);
    g_test_add_func("/fleet/life/another certificate is another case", test_other_certificate);
    g_test_add_func("/fleet/life/expired follows expiring", test_expired_follows);
    g_test_add_func("/fleet/life/what cannot be acknowledged", test_acknowledge_refused);
    g_test_add_func("/fleet/life/every kind has a rule", test_every_kind_has_a_rule);
    g_test_add_func("/fleet/observe/the same is kept once", test_same_is_kept_once);
    g_test_add_func("/fleet/observe/once in a run", test_once_in_a_run);
    g_test_add_func("/fleet/observe/interrupted is not kept", test_interrupted_is_not_kept);
    g_test_add_func("/fleet/observe/versions add up", test_versions_add_up);
    g_test_add_func("/fleet/observe/silence", test_silence);
    g_test_add_func("/fleet/observe/never seen", test_never_seen);
    g_test_add_func("/fleet/certificate/first end of the chain", test_first_end);
    g_test_add_func("/fleet/certificate/where it is served", test_certificate_get);
    return test_store_run(argc, argv);
}
