/* Who is told of what, when, and how often; and the feeds. */
#include "fleet-test.h"

#include <string.h>

typedef struct {
    VigieStore *store;
    int64_t organisation, device, endpoint;
    VigieFleetPolicy policy;
    GTimeZone *zone;
} Ward;

static Ward ward_new(const char *criticality, const char *owner) {
    Ward ward = {.store = test_store_new(), .policy = fleet_policy_default()};
    g_autofree char *device = g_strdup_printf(
        "{\"name\": \"Automate n° 2\", \"class\": \"laboratory\", \"criticality\": \"%s\", \"owner\": "
        "\"%s\", \"manufacturer\": \"Hémalab\", \"gmao\": \"LAB-0002\"}",
        criticality, owner);
    ward.organisation = test_organisation(ward.store, "CHU de Kermarec");
    ward.device = test_device(ward.store, ward.organisation, device);
    ward.endpoint = test_endpoint(ward.store, ward.device, "automate-02.chu.test", 443);
    ward.zone = g_time_zone_new_identifier("Europe/Paris");
    ward.policy.zone = ward.zone;
    return ward;
}

static void ward_free(Ward *ward) {
    g_time_zone_unref(ward->zone);
    store_close(ward->store);
}

static VigieChain *chain_to(const char *name, VigieTime not_after, int key) {
    return test_chain(&(TestCertificate){.name = name,
                                         .issuer = "AC CHU",
                                         .not_before = TEST_NOW - 300 * (VigieTime)DAY,
                                         .not_after = not_after,
                                         .key = key},
                      1);
}

static void see(const Ward *ward, int64_t endpoint, const char *outcome, VigieChain *chain, VigieTime now) {
    VigieRecord record = test_record(outcome, now, VIGIE_DEPTH_CERTIFICATE, chain, "");
    test_observe(ward->store, endpoint, 0, &record, now);
}

static json_t *due(const Ward *ward, VigieTime now) {
    g_autoptr(GError) error = NULL;
    json_t *notices = fleet_alarms_due(ward->store, &ward->policy, now, &error);
    g_assert_no_error(error);
    return notices;
}

/* Asks what is due, tells it all, and returns what was told as "mail kind:threshold …" of each notice. */
static char *tell(const Ward *ward, VigieTime now) {
    g_autoptr(json_t) notices = due(ward, now);
    g_autoptr(GError) error = NULL;
    GString *out = g_string_new(NULL);
    size_t i, j;
    json_t *notice, *alarm;
    json_array_foreach(notices, i, notice) {
        g_string_append_printf(out, "%s%s", out->len ? "; " : "", test_text(notice, "recipient.mail"));
        json_array_foreach(json_object_get(notice, "alarms"), j, alarm) {
            g_string_append_printf(out, " %s", test_text(alarm, "kind"));
            if (json_is_integer(test_at(alarm, "threshold")))
                g_string_append_printf(out, ":%d", (int)test_int(alarm, "threshold"));
        }
        fleet_notice_sent(ward->store, test_int(notice, "id"), now, &error);
        g_assert_no_error(error);
    }
    return g_string_free(out, FALSE);
}

static void expect(const Ward *ward, VigieTime now, const char *told) {
    g_autofree char *is = tell(ward, now);
    g_autofree char *when = vigie_time_rfc3339(now);
    if (strcmp(is, told) != 0)
        g_error("%s: told \"%s\", not \"%s\"", when, is, told);
}

/* A certificate's whole way to its end, asked every six hours: each threshold once, those of the morning at seven. */
static void test_thresholds(void) {
    Ward ward = ward_new("moderate", "biomed");
    test_contact(ward.store, ward.organisation, "biomed", "biomed@chu.test");
    VigieTime end = TEST_NOW + 91 * (VigieTime)DAY;
    g_autoptr(VigieChain) chain = chain_to("automate-02", end, 1);
    see(&ward, ward.endpoint, "ok", chain, TEST_NOW);
    GString *all = g_string_new(NULL);
    for (VigieTime now = TEST_NOW; now < end + 10 * DAY; now += 6 * 3600) {
        g_autofree char *told = tell(&ward, now);
        if (*told)
            g_string_append_printf(all, "%s%s@%d", all->len ? " " : "", strrchr(told, ':'),
                                   (int)((end - now + DAY - 1) / DAY));
    }
    /* The 90th day's alarm is raised at 8:00 UTC and told the next morning; the last two at once. */
    g_assert_cmpstr(all->str, ==, ":90@90 :30@30 :7@7 :1@1 :0@0");
    g_string_free(all, TRUE);
    ward_free(&ward);
}

static void test_morning(void) {
    Ward ward = ward_new("moderate", "biomed");
    test_contact(ward.store, ward.organisation, "biomed", "biomed@chu.test");
    g_autoptr(VigieChain) chain = chain_to("automate-02", TEST_NOW + 20 * DAY, 1);
    see(&ward, ward.endpoint, "ok", chain, TEST_NOW);
    expect(&ward, TEST_NOW, ""); /* 9:00 in Paris */
    expect(&ward, test_time("2026-11-22T05:59:59Z"), "");
    expect(&ward, test_time("2026-11-22T06:00:00Z"), "biomed@chu.test expiry:30");
    expect(&ward, test_time("2026-11-22T06:05:00Z"), "");
    ward_free(&ward);
}

/* The morning after the clocks changed is 7:00 there too. */
static void test_clock_change(void) {
    Ward ward = ward_new("moderate", "biomed");
    test_contact(ward.store, ward.organisation, "biomed", "biomed@chu.test");
    VigieTime eve = test_time("2027-03-27T12:00:00Z");
    g_autoptr(VigieChain) chain = chain_to("automate-02", eve + 20 * DAY, 1);
    see(&ward, ward.endpoint, "ok", chain, eve);
    expect(&ward, eve, "");
    expect(&ward, test_time("2027-03-28T04:59:59Z"), "");
    expect(&ward, test_time("2027-03-28T05:00:00Z"), "biomed@chu.test expiry:30");
    ward_free(&ward);
}

/* What is urgent takes what waits along, in one mail. */
static void test_urgent_takes_all(void) {
    Ward ward = ward_new("moderate", "biomed");
    test_contact(ward.store, ward.organisation, "biomed", "biomed@chu.test");
    int64_t other = test_endpoint(ward.store, ward.device, "automate-02.chu.test", 2575);
    g_autoptr(VigieChain) late = chain_to("a", TEST_NOW + 20 * DAY, 1),
                          ended = chain_to("b", TEST_NOW - DAY, 2);
    see(&ward, ward.endpoint, "ok", late, TEST_NOW);
    expect(&ward, TEST_NOW, "");
    see(&ward, other, "ok", ended, TEST_NOW + 60);
    expect(&ward, TEST_NOW + 60, "biomed@chu.test expiry:0 expiry:30");
    ward_free(&ward);
}

/* Late: the daemon slept through thresholds; one alarm, the last. */
static void test_late(void) {
    Ward ward = ward_new("moderate", "biomed");
    test_contact(ward.store, ward.organisation, "biomed", "biomed@chu.test");
    g_autoptr(VigieChain) chain = chain_to("a", TEST_NOW + 80 * DAY, 1);
    see(&ward, ward.endpoint, "ok", chain, TEST_NOW);
    expect(&ward, TEST_NOW, "");
    expect(&ward, TEST_NOW + 75 * DAY, "");
    expect(&ward, TEST_NOW + 76 * DAY, "biomed@chu.test expiry:7");
    ward_free(&ward);
}

/* Renewed before the morning came: nobody is troubled. */
static void test_over_before_told(void) {
    Ward ward = ward_new("moderate", "biomed");
    test_contact(ward.store, ward.organisation, "biomed", "biomed@chu.test");
    g_autoptr(VigieChain) old = chain_to("a", TEST_NOW + 20 * DAY, 1),
                          new = chain_to("a", TEST_NOW + 400 * DAY, 1);
    see(&ward, ward.endpoint, "ok", old, TEST_NOW);
    expect(&ward, TEST_NOW, "");
    see(&ward, ward.endpoint, "ok", new, TEST_NOW + 3600);
    expect(&ward, TEST_NOW + DAY, "");
    ward_free(&ward);
}

static void test_changed(void) {
    Ward ward = ward_new("moderate", "biomed");
    test_contact(ward.store, ward.organisation, "biomed", "biomed@chu.test");
    g_autoptr(VigieChain) a = chain_to("a", TEST_NOW + 300 * DAY, 1),
                          b = chain_to("b", TEST_NOW + 300 * DAY, 2);
    see(&ward, ward.endpoint, "ok", a, TEST_NOW);
    expect(&ward, TEST_NOW, "");
    see(&ward, ward.endpoint, "ok", b, TEST_NOW + 1);
    expect(&ward, TEST_NOW + 1, "biomed@chu.test certificate-changed");
    /* Two nodes behind one address that take turns: each is told once. */
    see(&ward, ward.endpoint, "ok", a, TEST_NOW + 2);
    expect(&ward, TEST_NOW + 2, "biomed@chu.test certificate-changed");
    see(&ward, ward.endpoint, "ok", b, TEST_NOW + 3);
    expect(&ward, TEST_NOW + 3, "");
    ward_free(&ward);
}

static void test_silent(void) {
    const char *criticalities[] = {"vital", "moderate"};
    for (size_t c = 0; c < G_N_ELEMENTS(criticalities); c++) {
        Ward ward = ward_new(criticalities[c], "biomed");
        test_contact(ward.store, ward.organisation, "biomed", "biomed@chu.test");
        see(&ward, ward.endpoint, "ok", NULL, TEST_NOW);
        for (int i = 1; i <= 4; i++)
            see(&ward, ward.endpoint, "timeout-connect", NULL, TEST_NOW + i);
        expect(&ward, TEST_NOW + 5, c == 0 ? "biomed@chu.test endpoint-silent" : "");
        expect(&ward, TEST_NOW + DAY, c == 0 ? "" : "biomed@chu.test endpoint-silent");
        /* It comes back, and falls silent again: that is another silence. */
        see(&ward, ward.endpoint, "ok", NULL, TEST_NOW + DAY + 1);
        for (int i = 2; i <= 4; i++)
            see(&ward, ward.endpoint, "refused", NULL, TEST_NOW + DAY + i);
        expect(&ward, TEST_NOW + 3 * DAY, "biomed@chu.test endpoint-silent");
        ward_free(&ward);
    }
}

/* ---- Who ---------------------------------------------------------------------------------------------------- */
static void contact_of(const Ward *ward, const char *role, const char *mail, int64_t device,
                       const char *maker) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) fields =
        json_pack("{s:I, s:s, s:s, s:s, s:I, s:s}", "organisation", (json_int_t)ward->organisation, "role",
                  role, "name", mail, "mail", mail, "device", (json_int_t)device, "manufacturer", maker);
    fleet_contact_save(ward->store, 0, fields, "test", TEST_NOW, NULL, NULL, &error);
    g_assert_no_error(error);
}

static void test_recipients(void) {
    static const struct {
        const char *owner, *role, *mail, *maker;
        bool own;
        const char *told;
    } steps[] = {
        /* Each contact added is nearer than those before. */
        {"vendor", NULL, NULL, "", false, ""},
        {"vendor", "dsi", "dsi@chu.test", "", false, "dsi@chu.test"},
        {"vendor", "biomed", "biomed@chu.test", "", false, "biomed@chu.test"},
        {"vendor", "vendor", "autre@vendeur.test", "Autrelabo", false, "biomed@chu.test"},
        {"vendor", "vendor", "tous@vendeur.test", "", false, "tous@vendeur.test"},
        {"vendor", "vendor", "hemalab@vendeur.test", "HEMALAB", false, "hemalab@vendeur.test"},
        {"vendor", "vendor", "suivi@vendeur.test", "", true, "suivi@vendeur.test"},
    };
    for (size_t n = 0; n < G_N_ELEMENTS(steps); n++) {
        Ward ward = ward_new("vital", steps[n].owner);
        for (size_t i = 0; i <= n; i++)
            if (steps[i].mail)
                contact_of(&ward, steps[i].role, steps[i].mail, steps[i].own ? ward.device : 0,
                           steps[i].maker);
        g_autoptr(VigieChain) ended = chain_to("a", TEST_NOW - DAY, 1);
        see(&ward, ward.endpoint, "ok", ended, TEST_NOW);
        g_autofree char *told = *steps[n].told ? g_strconcat(steps[n].told, " expiry:0", NULL) : g_strdup("");
        expect(&ward, TEST_NOW, told);
        ward_free(&ward);
    }
}

/* Nobody to tell: the alarm waits for somebody, and a fallback is somebody. */
static void test_nobody(void) {
    Ward ward = ward_new("vital", "biomed");
    g_autoptr(VigieChain) ended = chain_to("a", TEST_NOW - DAY, 1);
    see(&ward, ward.endpoint, "ok", ended, TEST_NOW);
    expect(&ward, TEST_NOW, "");
    g_autoptr(GError) error = NULL;
    VigieFleetFilter all = {0};
    g_autoptr(json_t) alarms = fleet_alarm_list(ward.store, &all, TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_cmpint(test_int(alarms, "total"), ==, 1);
    g_assert_cmpint((int64_t)json_array_size(test_at(alarms, "items.0.told")), ==, 0);
    g_assert_cmpstr(test_text(alarms, "items.0.endpoint.target"), ==, "automate-02.chu.test:443/https");
    g_assert_cmpstr(test_text(alarms, "items.0.certificate.common_name"), ==, "a");
    ward.policy.fallback = "garde@chu.test";
    expect(&ward, TEST_NOW + 1, "garde@chu.test expiry:0");
    json_decref(alarms);
    alarms = fleet_alarm_list(ward.store, &all, TEST_NOW, &error);
    g_assert_cmpstr(test_text(alarms, "items.0.told.0.time"), ==, "2026-11-21T08:00:01Z");
    ward_free(&ward);
}

/* A notice stays due until it was sent, and is not made twice. */
static void test_unsent_stays(void) {
    Ward ward = ward_new("vital", "biomed");
    test_contact(ward.store, ward.organisation, "biomed", "biomed@chu.test");
    g_autoptr(VigieChain) ended = chain_to("a", TEST_NOW - DAY, 1);
    see(&ward, ward.endpoint, "ok", ended, TEST_NOW);
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) first = due(&ward, TEST_NOW), second = due(&ward, TEST_NOW + 600);
    g_assert_cmpint((int64_t)json_array_size(second), ==, 1);
    g_assert_cmpint(test_int(first, "0.id"), ==, test_int(second, "0.id"));
    g_assert_cmpstr(test_text(first, "0.organisations.0.name"), ==, "CHU de Kermarec");
    g_assert_cmpint(test_int(first, "0.alarm_count"), ==, 1);
    fleet_notice_sent(ward.store, test_int(first, "0.id"), TEST_NOW, &error);
    g_autoptr(json_t) notice = fleet_notice_get(ward.store, test_int(first, "0.id"), TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(test_text(notice, "sent"), ==, "2026-11-21T08:00:00Z");
    g_assert_null(fleet_notice_get(ward.store, 77, TEST_NOW, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, "77", NULL);
    ward_free(&ward);
}

/* Time alone brings an endpoint from well to soon to broken, and its device with it. */
static void test_time_passes(void) {
    static const struct {
        int day;
        const char *state;
    } days[] = {{0, "well"}, {9, "well"}, {10, "soon"}, {39, "soon"}, {40, "broken"}};
    Ward ward = ward_new("moderate", "biomed");
    g_autoptr(VigieChain) chain = chain_to("a", TEST_NOW + 40 * DAY, 1);
    see(&ward, ward.endpoint, "ok", chain, TEST_NOW);
    for (size_t i = 0; i < G_N_ELEMENTS(days); i++) {
        g_autoptr(GError) error = NULL;
        VigieTime now = TEST_NOW + days[i].day * (VigieTime)DAY;
        VigieFleetFilter all = {0};
        g_autoptr(json_t) notices = due(&ward, now);
        g_autoptr(json_t) device = fleet_device_get(ward.store, &all, ward.device, now, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(test_text(device, "state"), ==, days[i].state);
        g_assert_cmpstr(test_text(device, "endpoints.0.state"), ==, days[i].state);
        g_assert_cmpint(test_int(device, "days_left"), ==, 40 - days[i].day);
    }
    ward_free(&ward);
}

/* ---- Feeds -------------------------------------------------------------------------------------------------- */
static char *calendar(const Ward *ward, const char *zone_name, VigieLang lang, VigieTime now) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(zone_name);
    VigieFleetFilter all = {0};
    GString *out = g_string_new(NULL);
    fleet_calendar_append(ward->store, &all, lang, zone, now, out, &error);
    g_assert_no_error(error);
    return g_string_free(out, FALSE);
}

/* Lines put together again, as a reader does (RFC 5545 3.1). */
static char *unfold(const char *text) {
    g_auto(GStrv) parts = g_strsplit(text, "\r\n ", -1);
    return g_strjoinv("", parts);
}

static void test_calendar(void) {
    Ward ward = ward_new("moderate", "biomed");
    g_autoptr(VigieChain) chain = chain_to("Éléonore; \\ l'automate, étage 2 d'un très long nom à accents",
                                           test_time("2026-12-18T23:59:59Z"), 1);
    see(&ward, ward.endpoint, "ok", chain, TEST_NOW);
    g_autofree char *paris = calendar(&ward, "Europe/Paris", VIGIE_FR, TEST_NOW);
    g_autofree char *later = calendar(&ward, "Europe/Paris", VIGIE_FR, TEST_NOW + 3600);
    g_autofree char *utc = calendar(&ward, "UTC", VIGIE_EN, TEST_NOW);
    g_assert_cmpstr(paris, ==, later);
    g_assert_nonnull(strstr(paris, "\r\nDTSTART;VALUE=DATE:20261219\r\n"));
    g_assert_nonnull(strstr(utc, "\r\nDTSTART;VALUE=DATE:20261218\r\n"));
    g_assert_nonnull(strstr(utc, "\r\nSUMMARY:Certificate ends: Automate n° 2\r\n"));
    g_assert_nonnull(strstr(paris, "\r\nDTSTAMP:20261121T080000Z\r\n"));
    g_assert_nonnull(strstr(paris, "\r\nTRIGGER:-P30D\r\n"));
    g_assert_true(g_str_has_prefix(paris, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Vigie//"));
    g_assert_true(g_str_has_suffix(paris, "END:VEVENT\r\nEND:VCALENDAR\r\n"));
    g_auto(GStrv) lines = g_strsplit(paris, "\r\n", -1);
    for (char **line = lines; *line; line++) {
        g_assert_cmpuint(strlen(*line), <=, 75);
        g_assert_true(g_utf8_validate(*line, -1, NULL));
    }
    g_autofree char *whole = unfold(paris);
    g_assert_nonnull(strstr(whole, "l'automate\\\\\\, étage 2"));
    g_assert_nonnull(strstr(whole, "Automate n° 2 (GMAO LAB-0002)\\, CHU de Kermarec\\n"));
    ward_free(&ward);
}

static void test_metrics(void) {
    Ward ward = ward_new("vital", "biomed");
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieChain) chain = chain_to("a", TEST_NOW + 10 * DAY, 1);
    see(&ward, ward.endpoint, "ok", chain, TEST_NOW);
    int64_t bad = test_device(ward.store, ward.organisation, "{\"name\": \"a\\\\b \\\"c\\\"\"}");
    int64_t silent = test_endpoint(ward.store, bad, "10.1.1.1", 443);
    see(&ward, silent, "alert:handshake_failure", chain, TEST_NOW);
    VigieFleetFilter all = {0}, own = {.organisation = ward.organisation};
    GString *out = g_string_new(NULL), *theirs = g_string_new(NULL);
    fleet_metrics_append(ward.store, &all, TEST_NOW, out, &error);
    g_assert_no_error(error);
    fleet_metrics_append(ward.store, &own, TEST_NOW, theirs, &error);
    g_assert_no_error(error);
    static const char *const lines[] = {
        "# TYPE vigie_certificate_not_after_timestamp_seconds gauge\n",
        "endpoint=\"automate-02.chu.test:443/"
        "https\",class=\"laboratory\",owner=\"biomed\",criticality=\"vital\",device="
        "\"Automate n° 2\",organisation=\"CHU de Kermarec\"} 1796112000\n",
        "device=\"a\\\\b \\\"c\\\"\"",
        "\nvigie_endpoints{state=\"soon\"} 2\n",
        "\nvigie_endpoint_outcomes{outcome=\"alert\"} 1\n",
        "\nvigie_findings{severity=\"critical\"} 0\n",
        "\nvigie_survey_last_finished_timestamp_seconds 0\n",
        "\nvigie_notices_unsent 0\n",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
        if (!strstr(out->str, lines[i]))
            g_error("no %s in\n%s", lines[i], out->str);
    g_assert_null(strstr(theirs->str, "vigie_jobs"));
    g_string_free(out, TRUE);
    g_string_free(theirs, TRUE);
    ward_free(&ward);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    vigie_words_load(&error);
    g_assert_no_error(error);
    g_test_add_func("/fleet/alarm/each threshold once", test_thresholds);
    g_test_add_func("/fleet/alarm/in the morning", test_morning);
    g_test_add_func("/fleet/alarm/the morning after the clocks change", test_clock_change);
    g_test_add_func("/fleet/alarm/what is urgent takes all along", test_urgent_takes_all);
    g_test_add_func("/fleet/alarm/late", test_late);
    g_test_add_func("/fleet/alarm/over before it was told", test_over_before_told);
    g_test_add_func("/fleet/alarm/changed certificates", test_changed);
    g_test_add_func("/fleet/alarm/silence", test_silent);
    g_test_add_func("/fleet/alarm/recipients", test_recipients);
    g_test_add_func("/fleet/alarm/nobody to tell", test_nobody);
    g_test_add_func("/fleet/alarm/unsent stays due", test_unsent_stays);
    g_test_add_func("/fleet/alarm/time passes", test_time_passes);
    g_test_add_func("/fleet/feed/calendar", test_calendar);
    g_test_add_func("/fleet/feed/metrics", test_metrics);
    return test_store_run(argc, argv);
}
