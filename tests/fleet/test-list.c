/* Lists, the overview, search; what may be written and what not; surveys that are left and resumed. */
#include "fleet-test.h"
#include "fleet/internal.h"

#include <string.h>

typedef json_t *(*ListOf)(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);

static json_t *get(VigieStore *store, ListOf list, VigieFleetFilter filter) {
    g_autoptr(GError) error = NULL;
    json_t *page = list(store, &filter, TEST_NOW, &error);
    g_assert_no_error(error);
    return page;
}

/* The members at `path` of a page's items, spaces between. */
static char *column(const json_t *page, const char *path) {
    GString *out = g_string_new(NULL);
    size_t index;
    json_t *item;
    json_array_foreach(json_object_get(page, "items"), index, item)
        g_string_append_printf(out, "%s%s", index ? " " : "", test_text(item, path));
    return g_string_free(out, FALSE);
}

static void expect(VigieStore *store, ListOf list, VigieFleetFilter filter, const char *path,
                   const char *texts) {
    g_autoptr(json_t) page = get(store, list, filter);
    g_autofree char *is = column(page, path);
    g_assert_cmpstr(is, ==, texts);
}

/* ---- A small hospital and a neighbour ----------------------------------------------------------------------- */
typedef struct {
    VigieStore *store;
    int64_t chu, clinic, echo, pump, server, ward;
} Town;

static void see(VigieStore *store, int64_t endpoint, const char *outcome, int days, const char *findings) {
    g_autoptr(VigieChain) chain =
        days ? test_chain(&(TestCertificate){.name = "equipement",
                                             .issuer = "AC CHU",
                                             .not_before = TEST_NOW - 100 * (VigieTime)DAY,
                                             .not_after = TEST_NOW + days * (VigieTime)DAY},
                          1)
             : NULL;
    VigieRecord record = test_record(outcome, TEST_NOW - 3600, VIGIE_DEPTH_FULL, chain, findings);
    test_observe(store, endpoint, 0, &record, TEST_NOW - 3600);
}

static Town town_new(void) {
    Town town = {.store = test_store_new()};
    VigieStore *store = town.store;
    town.chu = test_organisation(store, "CHU de Kermarec");
    town.clinic = test_organisation(store, "Clinique des Îles");
    town.echo = test_device(
        store, town.chu,
        "{\"name\": \"Échographe\", \"gmao\": \"E1\", \"class\": \"imaging\", \"owner\": \"vendor\", "
        "\"criticality\": \"major\", \"manufacturer\": \"Sonovia\", \"serial\": \"SN-77/4\"}");
    town.pump =
        test_device(store, town.chu, "{\"name\": \"Pompe\", \"gmao\": \"P1\", \"class\": \"infusion\"}");
    town.server = test_device(store, town.chu,
                              "{\"name\": \"dossier patient\", \"gmao\": \"S1\", \"class\": \"server\"}");
    town.ward = test_device(store, town.clinic,
                            "{\"name\": \"Échographe\", \"gmao\": \"E1\", \"class\": \"imaging\"}");
    see(store, test_endpoint(store, town.echo, "echo.chu.test", 2762), "ok", 200,
        "weak-key:high weak-suite:medium");
    see(store, test_endpoint(store, town.pump, "10.1.2.3", 443), "ok", 20, "");
    see(store, test_endpoint(store, town.server, "dpi.chu.test", 443), "ok", 300, "long-validity:info");
    see(store, test_endpoint(store, town.ward, "echo.clinique.test", 443), "refused", 0, "refused:high");
    return town;
}

static void test_filters(void) {
    Town town = town_new();
    static const struct {
        VigieFleetFilter filter;
        const char *names;
    } devices[] = {
        {{0}, "E1 P1 E1 S1"}, /* broken, soon, unknown, well */
        {{.descending = true}, "S1 E1 P1 E1"},
        {{.class_ = "imaging", .sort = "organisation"}, "E1 E1"},
        {{.owner = "vendor"}, "E1"},
        {{.criticality = "major"}, "E1"},
        {{.state = "soon"}, "P1"},
        {{.severity = "high", .sort = "gmao"}, "E1 E1"},
        {{.q = "ECHO"}, "E1 E1"},
        {{.q = "echo sonovia"}, "E1"},
        {{.q = "sn-77"}, "E1"},
        {{.q = "77"}, "E1"},
        {{.q = "patient"}, "S1"},
        {{.q = "nothing"}, ""},
        {{.q = "   "}, "E1 P1 E1 S1"},
        {{.sort = "name"}, "S1 E1 E1 P1"},
        {{.sort = "not_after"}, "P1 E1 S1 E1"},
        {{.sort = "organisation"}, "E1 P1 S1 E1"},
        {{.page = 2, .page_size = 3}, "S1"},
        {{.page = 9, .page_size = 3}, ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(devices); i++)
        expect(town.store, fleet_device_list, devices[i].filter, "gmao", devices[i].names);
    expect(town.store, fleet_device_list, (VigieFleetFilter){.ends_before = TEST_NOW + 30 * DAY}, "gmao",
           "P1");
    expect(town.store, fleet_endpoint_list, (VigieFleetFilter){.q = "10.1.2"}, "target",
           "10.1.2.3:443/https");
    expect(town.store, fleet_endpoint_list, (VigieFleetFilter){.q = "sonovia"}, "target",
           "echo.chu.test:2762/dicom");
    expect(town.store, fleet_endpoint_list, (VigieFleetFilter){.device = town.pump}, "device.gmao", "P1");
    expect(town.store, fleet_endpoint_list, (VigieFleetFilter){.sort = "outcome"}, "outcome",
           "ok ok ok refused");
    expect(town.store, fleet_finding_list, (VigieFleetFilter){.kind = "weak-suite"}, "severity", "medium");
    expect(town.store, fleet_finding_list, (VigieFleetFilter){.class_ = "imaging"}, "kind",
           "refused weak-key weak-suite");
    expect(town.store, fleet_finding_list, (VigieFleetFilter){.q = "dossier"}, "kind", "long-validity");
    expect(town.store, fleet_finding_list, (VigieFleetFilter){.state = "mended"}, "kind", "");
    expect(town.store, fleet_certificate_list, (VigieFleetFilter){.device = town.pump}, "common_name",
           "equipement");
    expect(town.store, fleet_organisation_list, (VigieFleetFilter){0}, "name",
           "CHU de Kermarec Clinique des Îles");
    g_autoptr(json_t) page = get(town.store, fleet_device_list, (VigieFleetFilter){.page_size = 3});
    g_assert_cmpint(test_int(page, "total"), ==, 4);
    g_assert_cmpint(test_int(page, "pages"), ==, 2);
    store_close(town.store);
}

static void test_filter_set(void) {
    static const struct {
        const char *name, *value;
        int code; /* -1: well */
    } sets[] = {{"class", "imaging", -1},
                {"page", "2", -1},
                {"page", "0", VIGIE_ERROR_INVALID},
                {"page", "x", VIGIE_ERROR_INVALID},
                {"page_size", "500", -1},
                {"page_size", "501", VIGIE_ERROR_INVALID},
                {"sort", "-name", -1},
                {"retired", "true", -1},
                {"retired", "maybe", VIGIE_ERROR_INVALID},
                {"ends_before", "2027-01-01T00:00:00Z", -1},
                {"ends_before", "soon", VIGIE_ERROR_INVALID},
                {"organisation", "-1", VIGIE_ERROR_INVALID},
                {"colour", "red", VIGIE_ERROR_NOT_FOUND},
                {"state", "", -1}};
    VigieFleetFilter filter = {0};
    for (size_t i = 0; i < G_N_ELEMENTS(sets); i++) {
        g_autoptr(GError) error = NULL;
        bool well = fleet_filter_set(&filter, sets[i].name, sets[i].value, &error);
        g_assert_cmpint(well, ==, sets[i].code < 0);
        if (!well)
            test_error_says(&error, (VigieErrorCode)sets[i].code,
                            sets[i].name[0] == 'e' ? "soon" : sets[i].name, NULL);
    }
    g_assert_cmpstr(filter.sort, ==, "name");
    g_assert_true(filter.descending && filter.retired);
    g_assert_null(filter.state);
    g_assert_cmpint(filter.page_size, ==, 500);
}

static void test_bad_filters(void) {
    Town town = town_new();
    static const struct {
        VigieFleetFilter filter;
        const char *says;
    } bad[] = {{{.class_ = "surgery"}, "class"},
               {{.owner = "nobody"}, "owner"},
               {{.criticality = "9"}, "criticality"},
               {{.state = "fine"}, "state"},
               {{.severity = "bad"}, "severity"},
               {{.sort = "x'; DROP TABLE device; --"}, "sort"},
               {{.q = "\xff"}, "q"}};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(fleet_device_list(town.store, &bad[i].filter, TEST_NOW, &error));
        test_error_says(&error, VIGIE_ERROR_INVALID, bad[i].says, NULL);
    }
    store_close(town.store);
}

/* Nothing of another organisation is ever returned, whatever is asked. */
static void test_confinement(void) {
    Town town = town_new();
    static const ListOf lists[] = {fleet_device_list, fleet_endpoint_list,     fleet_finding_list,
                                   fleet_event_list,  fleet_organisation_list, fleet_certificate_list,
                                   fleet_alarm_list,  fleet_survey_list};
    VigieFleetFilter theirs = {.organisation = town.clinic};
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_autoptr(json_t) page = get(town.store, lists[i], theirs);
        g_autofree char *text = vigie_json_text(page);
        g_assert_null(strstr(text, "chu"));
        g_assert_null(strstr(text, "CHU"));
    }
    g_autoptr(json_t) overview = get(town.store, fleet_overview, theirs);
    g_autofree char *text = vigie_json_text(overview);
    g_assert_null(strstr(text, "chu"));
    g_assert_cmpint(test_int(overview, "devices.total"), ==, 1);
    VigieFleetFilter words = {.organisation = town.clinic, .q = "echo"};
    g_autoptr(json_t) found = get(town.store, fleet_search, words);
    g_assert_cmpint(test_int(found, "total_devices"), ==, 1);
    static json_t *(*const ones[])(VigieStore *, const VigieFleetFilter *, int64_t, VigieTime,
                                   GError **) = {fleet_device_get, fleet_endpoint_get, fleet_finding_get,
                                                 fleet_certificate_get, fleet_organisation_get};
    for (size_t i = 0; i < G_N_ELEMENTS(ones); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(ones[i](town.store, &theirs, 1, TEST_NOW, &error));
        test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);
    }
    store_close(town.store);
}

static void test_overview(void) {
    Town town = town_new();
    g_autoptr(json_t) all = get(town.store, fleet_overview, (VigieFleetFilter){0});
    static const struct {
        const char *path;
        int64_t is;
    } numbers[] = {{"devices.total", 4},
                   {"devices.by_state.broken", 1},
                   {"devices.by_state.soon", 1},
                   {"devices.by_state.unknown", 1},
                   {"devices.by_state.well", 1},
                   {"endpoints.total", 4},
                   {"endpoints.by_state.broken", 1},
                   {"expiry.ended", 0},
                   {"expiry.days_30", 1},
                   {"expiry.days_90", 0},
                   {"expiry.later", 2},
                   {"expiry.none", 1},
                   {"findings.total", 4},
                   {"findings.by_severity.high", 2},
                   {"findings.by_severity.info", 1},
                   {"silent_total", 0},
                   {"next.0.days_left", 20},
                   {"organisations.0.devices", 3},
                   {"classes.0.by_state.broken", 1},
                   {"timeline.weeks.3.count", 1}};
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (test_int(all, numbers[i].path) != numbers[i].is)
            g_error("%s is %d", numbers[i].path, (int)test_int(all, numbers[i].path));
    g_assert_cmpstr(test_text(all, "timeline.weeks.0.start"), ==, "2026-11-16"); /* the Monday before */
    g_assert_cmpint((int64_t)json_array_size(test_at(all, "timeline.weeks")), ==, 53);
    g_assert_cmpstr(test_text(all, "organisations.0.name"), ==, "CHU de Kermarec");
    g_assert_cmpstr(test_text(all, "worst.0.severity"), ==, "high");
    g_assert_cmpstr(test_text(all, "classes.0.class"), ==, "imaging");
    g_assert_true(json_is_null(test_at(all, "last_survey")));
    g_autoptr(json_t) imaging = get(town.store, fleet_overview, (VigieFleetFilter){.class_ = "imaging"});
    g_assert_cmpint(test_int(imaging, "devices.total"), ==, 2);
    g_assert_cmpint(test_int(imaging, "findings.total"), ==, 3);
    store_close(town.store);
    VigieStore *empty = test_store_new();
    g_autoptr(json_t) nothing = get(empty, fleet_overview, (VigieFleetFilter){0});
    g_assert_cmpint(test_int(nothing, "devices.total"), ==, 0);
    g_assert_cmpint((int64_t)json_array_size(test_at(nothing, "organisations")), ==, 0);
    store_close(empty);
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */
static void test_refused_fields(void) {
    Town town = town_new();
    static const struct {
        const char *fields, *field, *problem;
    } bad[] = {
        {"{\"name\": \"\"}", "name", "required"},
        {"{\"name\": \"a\\u0000b\"}", "name", "control-character"},
        {"{\"name\": \"a\\nb\"}", "name", "control-character"},
        {"{\"name\": 7}", "name", "not-text"},
        {"{\"colour\": \"red\"}", "colour", "unknown-field"},
        {"{\"class\": \"surgery\"}", "class", "not-known"},
        {"{\"owner\": \"me\"}", "owner", "not-known"},
        {"{\"criticality\": \"huge\"}", "criticality", "not-known"},
        {"{\"ip\": \"10.0.0.300\"}", "ip", "not-address"},
        {"{\"ip\": \"10.1\"}", "ip", "not-address"},
        {"{\"fqdn\": \"a b.test\"}", "fqdn", "not-host"},
        {"{\"fqdn\": \"a..b\"}", "fqdn", "not-host"},
        {"{\"gmao\": \"P1\"}", "gmao", "exists"},
        {"{\"organisation\": 99}", "organisation", "not-found"},
        {"{\"retired\": \"perhaps\"}", "retired", "not-boolean"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(json_t) fields = json_loads(bad[i].fields, JSON_ALLOW_NUL, NULL);
        g_autoptr(json_t) problem = NULL;
        g_assert_false(
            fleet_device_save(town.store, town.echo, fields, "claire", TEST_NOW, NULL, &problem, &error));
        g_assert_true(g_str_has_prefix(error->message, bad[i].field));
        g_assert_cmpstr(test_text(problem, "field"), ==, bad[i].field);
        g_assert_cmpstr(test_text(problem, "problem"), ==, bad[i].problem);
        g_assert_cmpint(error->code, ==,
                        strcmp(bad[i].problem, "exists") == 0 ? VIGIE_ERROR_CONFLICT : VIGIE_ERROR_INVALID);
    }
    store_close(town.store);
}

static void test_refused_endpoints(void) {
    Town town = town_new();
    static const struct {
        const char *fields, *field;
    } bad[] = {{"{\"host\": \"a.test\"}", "port"},
               {"{\"host\": \"a.test\", \"port\": 0}", "port"},
               {"{\"host\": \"a.test\", \"port\": 65536}", "port"},
               {"{\"host\": \"a/b\", \"port\": 443}", "host"},
               {"{\"host\": \"a.test\", \"port\": 443, \"protocol\": \"gopher\"}", "protocol"},
               {"{\"host\": \"a.test\", \"port\": 443, \"connect\": \"b.test\"}", "connect"},
               {"{\"host\": \"echo.chu.test\", \"port\": 2762}", "host"}};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(json_t) fields = json_loads(bad[i].fields, 0, NULL);
        g_autoptr(json_t) problem = NULL;
        json_object_set_new(fields, "device", json_integer(town.echo));
        g_assert_false(
            fleet_endpoint_save(town.store, 0, fields, "claire", TEST_NOW, NULL, &problem, &error));
        g_assert_cmpstr(test_text(problem, "field"), ==, bad[i].field);
    }
    store_close(town.store);
}

static void save(const Town *town, int64_t device, const char *text) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) fields = json_loads(text, 0, NULL);
    fleet_device_save(town->store, device, fields, "claire", TEST_NOW, NULL, NULL, &error);
    g_assert_no_error(error);
}

/* A device that goes to another organisation takes its endpoints, findings and certificates along. */
static void test_move_to_organisation(void) {
    Town town = town_new();
    g_autofree char *there = g_strdup_printf(
        "{\"organisation\": %d, \"gmao\": \"E9\", \"location\": \"Bloc 2\"}", (int)town.clinic);
    save(&town, town.echo, there);
    VigieFleetFilter clinic = {.organisation = town.clinic}, chu = {.organisation = town.chu};
    g_autoptr(json_t) endpoints = get(town.store, fleet_endpoint_list, clinic);
    g_autoptr(json_t) findings = get(town.store, fleet_finding_list, clinic);
    g_autoptr(json_t) certificates = get(town.store, fleet_certificate_list, clinic);
    g_autoptr(json_t) left = get(town.store, fleet_finding_list, chu);
    g_assert_cmpint(test_int(endpoints, "total"), ==, 2);
    g_assert_cmpint(test_int(findings, "total"), ==, 3);
    g_assert_cmpint(test_int(certificates, "total"), ==, 1);
    g_assert_cmpint(test_int(left, "total"), ==, 1);
    VigieFleetFilter moved = {.device = town.echo, .kind = "device-moved"};
    g_autoptr(json_t) events = get(town.store, fleet_event_list, moved);
    g_assert_cmpstr(test_text(events, "items.0.details.location.after"), ==, "Bloc 2");
    g_assert_cmpstr(test_text(events, "items.0.by"), ==, "claire");
    store_close(town.store);
}

/* A new address moves the endpoints that were there, history and all; others stay. */
static void test_move_to_address(void) {
    VigieStore *store = test_store_new();
    Town town = {.store = store};
    int64_t device = test_device(store, test_organisation(store, "CHU"),
                                 "{\"name\": \"a\", \"ip\": \"10.0.0.1\", \"fqdn\": \"a.chu.test\"}");
    int64_t by_address = test_endpoint(store, device, "10.0.0.1", 443);
    test_endpoint(store, device, "a.chu.test", 2762);
    test_endpoint(store, device, "other.chu.test", 443);
    see(store, by_address, "ok", 100, "weak-key:high");
    save(&town, device, "{\"ip\": \"10.0.0.9\"}");
    expect(store, fleet_endpoint_list, (VigieFleetFilter){.sort = "target"}, "target",
           "10.0.0.9:443/https a.chu.test:2762/dicom other.chu.test:443/https");
    save(&town, device, "{\"fqdn\": \"b.chu.test\"}");
    expect(store, fleet_endpoint_list, (VigieFleetFilter){.sort = "target"}, "target",
           "10.0.0.9:443/https b.chu.test:2762/dicom other.chu.test:443/https");
    /* Its device's words are an endpoint's too. */
    expect(store, fleet_endpoint_list, (VigieFleetFilter){.q = "10.0.0.9", .sort = "target"}, "target",
           "10.0.0.9:443/https b.chu.test:2762/dicom other.chu.test:443/https");
    expect(store, fleet_endpoint_list, (VigieFleetFilter){.q = "10.0.0.1"}, "target", "");
    expect(store, fleet_finding_list, (VigieFleetFilter){0}, "endpoint.target", "10.0.0.9:443/https");
    store_close(store);
}

/* Out of service: no longer watched nor wrong, until it comes back. */
static void test_retire(void) {
    Town town = town_new();
    save(&town, town.echo, "{\"retired\": true}");
    expect(town.store, fleet_device_list, (VigieFleetFilter){.organisation = town.chu}, "gmao", "P1 S1");
    expect(town.store, fleet_device_list,
           (VigieFleetFilter){.organisation = town.chu, .retired = true, .sort = "gmao"}, "gmao", "E1 P1 S1");
    expect(town.store, fleet_finding_list, (VigieFleetFilter){.organisation = town.chu}, "kind",
           "long-validity");
    save(&town, town.echo, "{\"retired\": false}");
    expect(town.store, fleet_finding_list, (VigieFleetFilter){.organisation = town.chu, .state = "active"},
           "kind", "weak-key weak-suite long-validity");
    store_close(town.store);
}

static void test_remove_endpoint(void) {
    Town town = town_new();
    g_autoptr(GError) error = NULL;
    VigieFleetFilter own = {.device = town.echo};
    g_autoptr(json_t) endpoints = get(town.store, fleet_endpoint_list, own);
    int64_t id = test_int(endpoints, "items.0.id");
    g_assert_true(fleet_endpoint_remove(town.store, id, "claire", TEST_NOW, &error));
    g_assert_false(fleet_endpoint_remove(town.store, id, "claire", TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);
    VigieFleetFilter all = {0};
    g_autoptr(json_t) device = fleet_device_get(town.store, &all, town.echo, TEST_NOW, &error);
    g_assert_cmpstr(test_text(device, "state"), ==, "unknown");
    g_assert_cmpint(test_int(device, "endpoint_count"), ==, 0);
    /* Added again, it has its history. */
    g_assert_cmpint(test_endpoint(town.store, town.echo, "echo.chu.test", 2762), ==, id);
    expect(town.store, fleet_finding_list, (VigieFleetFilter){.device = town.echo, .state = "active"}, "kind",
           "weak-key weak-suite");
    store_close(town.store);
}

/* ---- Surveys ------------------------------------------------------------------------------------------------ */
/* Reads the targets left and observes the first `count` of them; how many there were. */
static int work_on(VigieStore *store, int64_t run, int count, VigieTime now) {
    g_autoptr(GError) error = NULL;
    VigieDepth depth = VIGIE_DEPTH_CERTIFICATE;
    g_autoptr(VigieFleetTargets) targets = fleet_survey_targets(store, run, now, &depth, &error);
    g_assert_no_error(error);
    g_assert_cmpint(depth, ==, VIGIE_DEPTH_FULL);
    int left = 0;
    for (VigieTarget target; fleet_targets_next(targets, &target, &error); left++) {
        if (left < count) {
            VigieRecord record = test_record("ok", now, depth, NULL, "weak-key:high");
            test_observe(store, target.tag, run, &record, now);
        }
        vigie_target_clear(&target);
    }
    g_assert_no_error(error);
    return left;
}

static void test_survey(void) {
    Town town = town_new();
    g_autoptr(GError) error = NULL;
    VigieFleetFilter all = {0}, chu = {.organisation = town.chu};
    int64_t run = 0, again = 0, other = 0;
    fleet_survey_request(town.store, &all, VIGIE_DEPTH_FULL, "claire", TEST_NOW, &run, &error);
    fleet_survey_request(town.store, &all, VIGIE_DEPTH_FULL, "hugo", TEST_NOW, &again, &error);
    fleet_survey_request(town.store, &chu, VIGIE_DEPTH_FULL, "hugo", TEST_NOW, &other, &error);
    g_assert_no_error(error);
    g_assert_cmpint(run, ==, again);
    g_assert_cmpint(run, !=, other);
    const char *kinds[] = {FLEET_JOB_SURVEY, NULL};
    g_autoptr(VigieJob) job = store_job_take(town.store, kinds, "worker", 60, TEST_NOW, &error);
    g_assert_cmpint(test_int(job->payload, "run"), ==, run);
    g_autoptr(json_t) waiting = fleet_survey_progress(town.store, &all, run, TEST_NOW, &error);
    g_assert_cmpstr(test_text(waiting, "state"), ==, "waiting");
    g_assert_cmpint(test_int(waiting, "targets"), ==, 4);
    /* Killed after one, after three; what was added meanwhile is not of this run. */
    g_assert_cmpint(work_on(town.store, run, 1, TEST_NOW + 10), ==, 4);
    VigieTime later = TEST_NOW + 1;
    g_autoptr(json_t) fields =
        json_pack("{s:I, s:s, s:i}", "device", (json_int_t)town.pump, "host", "late.test", "port", 443);
    fleet_endpoint_save(town.store, 0, fields, "claire", later, NULL, NULL, &error);
    g_assert_cmpint(work_on(town.store, run, 2, TEST_NOW + 20), ==, 3);
    g_autoptr(json_t) half = fleet_survey_progress(town.store, &all, run, TEST_NOW + 40, &error);
    g_assert_cmpstr(test_text(half, "state"), ==, "running");
    g_assert_cmpint(test_int(half, "done"), ==, 3);
    g_assert_cmpint(test_int(half, "seconds_left"), ==, 10);
    g_assert_cmpint(work_on(town.store, run, 9, TEST_NOW + 30), ==, 1);
    g_assert_cmpint(work_on(town.store, run, 9, TEST_NOW + 30), ==, 0);
    g_assert_true(fleet_survey_finish(town.store, run, NULL, TEST_NOW + 40, &error));
    g_assert_true(fleet_survey_finish(town.store, run, "late", TEST_NOW + 50, &error));
    g_autoptr(json_t) ended = fleet_survey_progress(town.store, &all, run, TEST_NOW + 99, &error);
    g_assert_cmpstr(test_text(ended, "state"), ==, "finished");
    g_assert_cmpint(test_int(ended, "outcomes.ok"), ==, 4);
    g_assert_cmpint(test_int(ended, "findings_opened"), ==, 3);
    /* The suite's and the refusal's; the validity's not, no chain having been seen. */
    g_assert_cmpint(test_int(ended, "findings_mended"), ==, 2);
    VigieDepth depth;
    g_assert_null(fleet_survey_targets(town.store, run, TEST_NOW, &depth, &error));
    test_error_says(&error, VIGIE_ERROR_CONFLICT, "finished", NULL);
    g_autoptr(json_t) overview = get(town.store, fleet_overview, all);
    g_assert_cmpint(test_int(overview, "last_survey.id"), ==, run);
    store_close(town.store);
}

/* ---- Plans -------------------------------------------------------------------------------------------------- */
/* What the lists are mostly asked for is found by an index, in its order, without a sort. */
static void test_plans(void) {
    static const struct {
        const List *list;
        VigieFleetFilter filter;
    } asked[] = {
        {&device_list, {0}},
        {&device_list, {.descending = true}},
        {&device_list, {.sort = "name"}},
        {&device_list, {.sort = "not_after"}},
        {&device_list, {.sort = "model", .descending = true}},
        {&device_list, {.organisation = 1}},
        {&device_list, {.organisation = 1, .sort = "name"}},
        {&device_list, {.class_ = "imaging"}},
        {&endpoint_list, {0}},
        {&endpoint_list, {.sort = "not_after"}},
        {&endpoint_list, {.organisation = 1}},
        {&endpoint_list, {.organisation = 1, .sort = "not_after"}},
        {&endpoint_list, {.sort = "checked"}},
        {&finding_list, {.state = "active"}},
        {&finding_list, {.state = "active", .organisation = 1}},
        {&finding_list, {.state = "active", .class_ = "imaging"}},
        {&finding_list, {.state = "active", .kind = "clock-skew"}},
        {&finding_list, {.state = "mended"}},
        {&certificate_list, {0}},
        {&certificate_list, {.sort = "endpoints"}},
        {&event_list, {.device = 1}},
        {&event_list, {.organisation = 1}},
    };
    if (test_on_postgresql()) {
        g_test_skip("PostgreSQL plans an empty table otherwise");
        return;
    }
    VigieStore *store = test_store_new();
    for (size_t i = 0; i < G_N_ELEMENTS(asked); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VigieQuery) query = query_new();
        query_add(query, "EXPLAIN QUERY PLAN ");
        g_assert_true(list_query(query, asked[i].list, &asked[i].filter, NULL, &error));
        g_autoptr(VigieRows) rows = query_run(store, query, &error);
        g_assert_no_error(error);
        GString *plan = g_string_new(NULL);
        while (rows_next(rows, &error))
            g_string_append_printf(plan, "%s\n", rows_text(rows, 3));
        /* One sort is of the page's rows alone, after the inner query. */
        const char *inner_sort = strstr(plan->str, "TEMP B-TREE");
        const char *join = strstr(plan->str, "SCAN p\n");
        bool indexed = strstr(plan->str, "x USING") != NULL;
        if (!indexed || (inner_sort && join && inner_sort < join))
            g_error("%s %zu is not found by an index:\n%s", asked[i].list->table, i, plan->str);
        g_string_free(plan, TRUE);
    }
    store_close(store);
}

/* ---- Knowledge ---------------------------------------------------------------------------------------------- */
/* Everything an enum can be has its words. */
static void test_words(void) {
    static const char *const keys[] = {"state.well",
                                       "state.unknown",
                                       "state.soon",
                                       "state.broken",
                                       "life.open",
                                       "life.acknowledged",
                                       "life.mended",
                                       "life.reopened",
                                       "severity.info",
                                       "severity.critical",
                                       "survey.waiting",
                                       "depth.full",
                                       "event.finding-worsened",
                                       "event.endpoint-removed",
                                       "alarm.expiry"};
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *key = g_strconcat("fleet.", keys[i], NULL);
        g_assert_cmpstr(vigie_word(VIGIE_FR, key), !=, key);
    }
    g_autoptr(GError) error = NULL;
    const json_t *classes = fleet_classes(&error);
    g_assert_no_error(error);
    g_assert_cmpuint(json_array_size(json_object_get(classes, "classes")), ==, 9);
    static const char *const groups[][2] = {
        {"classes", "class"}, {"owners", "owner"}, {"criticalities", "criticality"}};
    for (size_t g = 0; g < G_N_ELEMENTS(groups); g++) {
        size_t index;
        json_t *entry;
        json_array_foreach(json_object_get(classes, groups[g][0]), index, entry) {
            g_autofree char *key = g_strdup_printf("fleet.%s.%s", groups[g][1], test_text(entry, "id"));
            g_assert_cmpstr(vigie_word(VIGIE_FR, key), ==, test_text(entry, "fr"));
            g_assert_cmpstr(vigie_word(VIGIE_EN, key), ==, test_text(entry, "en"));
        }
    }
    size_t index, inner;
    json_t *class_, *hint;
    json_array_foreach(json_object_get(classes, "classes"), index, class_) {
        json_array_foreach(json_object_get(class_, "hints"), inner, hint) {
            VigieProtocol protocol;
            g_assert_true(vigie_protocol_parse(test_text(hint, "protocol"), &protocol));
        }
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    vigie_words_load(&error);
    g_assert_no_error(error);
    g_test_add_func("/fleet/list/filters and sorts", test_filters);
    g_test_add_func("/fleet/list/filters from text", test_filter_set);
    g_test_add_func("/fleet/list/filters that cannot be", test_bad_filters);
    g_test_add_func("/fleet/list/confinement", test_confinement);
    g_test_add_func("/fleet/list/overview", test_overview);
    g_test_add_func("/fleet/list/plans", test_plans);
    g_test_add_func("/fleet/save/refused fields", test_refused_fields);
    g_test_add_func("/fleet/save/refused endpoints", test_refused_endpoints);
    g_test_add_func("/fleet/save/a device goes to another organisation", test_move_to_organisation);
    g_test_add_func("/fleet/save/a device gets another address", test_move_to_address);
    g_test_add_func("/fleet/save/out of service and back", test_retire);
    g_test_add_func("/fleet/save/an endpoint removed and added", test_remove_endpoint);
    g_test_add_func("/fleet/survey/left and resumed", test_survey);
    g_test_add_func("/fleet/words/all there", test_words);
    return test_store_run(argc, argv);
}
