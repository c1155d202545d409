/* What the worker tells, to whom, and how often: a hospital's days, one by one. */
#include "daemon/worker.h"
#include "fleet-test.h"

#include <string.h>

static VigieTime now;

static VigieTime clock_now(void) {
    return now;
}

typedef struct {
    char *url;
    Settings *settings;
    VigieRules *rules;
    int64_t organisation, endpoint;
    Lane lane;
} Watch;

static Settings *make_settings(const char *url) {
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("vigie-XXXXXX.conf", &path, NULL);
    g_assert_cmpint(fd, >=, 0);
    g_autofree char *text =
        g_strdup_printf("[store]\nurl = %s\n[site]\ntime_zone = UTC\nname = CHU de Kermarec\n"
                        "[survey]\nschedule = 02:30\n"
                        "[mail]\nserver = smtp://127.0.0.1:25\nfrom = Vigie <vigie@chu.test>\n",
                        url);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_autoptr(GError) error = NULL;
    Settings *settings = settings_load(path, &error);
    g_assert_no_error(error);
    close(fd);
    remove(path);
    return settings;
}

static Watch watch_new(const char *language) {
    g_autoptr(GError) error = NULL;
    now = TEST_NOW;
    Watch watch = {.url = test_store_url()};
    watch.lane = (Lane){.worker = "test", .clock = clock_now, .store = test_store_open(watch.url)};
    g_assert_true(store_migrate(watch.lane.store, &error));
    watch.settings = make_settings(watch.url);
    watch.rules = record_rules_load(&error);
    g_assert_no_error(error);
    watch.lane.settings = watch.settings;
    watch.lane.rules = watch.rules;
    watch.organisation = test_organisation(watch.lane.store, "CHU de Kermarec");
    g_autoptr(json_t) contact =
        json_pack("{s:I, s:s, s:s, s:s, s:s}", "organisation", (json_int_t)watch.organisation, "role",
                  "biomed", "name", "Anne Le Goff", "mail", "biomed@chu.test", "language", language);
    g_assert_true(fleet_contact_save(watch.lane.store, 0, contact, "test", now, NULL, NULL, &error));
    int64_t device =
        test_device(watch.lane.store, watch.organisation,
                    "{\"name\": \"Automate 02\", \"class\": \"laboratory\", \"criticality\": \"vital\", "
                    "\"location\": \"Laboratoire\", \"gmao\": \"B-1042\"}");
    watch.endpoint = test_endpoint(watch.lane.store, device, "automate-02.chu.test", 2762);
    return watch;
}

static void watch_clear(Watch *watch) {
    store_close(watch->lane.store);
    settings_free(watch->settings);
    record_rules_free(watch->rules);
    g_free(watch->url);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Watch, watch_clear)

static VigieChain *chain_until(const char *name, VigieTime end) {
    TestCertificate made = {
        .name = name, .issuer = "AC CHU", .not_before = TEST_NOW - 300 * DAY, .not_after = end};
    return test_chain(&made, 1);
}

static void observe_chain(Watch *watch, const char *outcome, VigieChain *chain) {
    VigieRecord record = test_record(outcome, now, VIGIE_DEPTH_CERTIFICATE, chain, "");
    test_observe(watch->lane.store, watch->endpoint, 0, &record, now);
}

static void observe(Watch *watch, const char *name, VigieTime end) {
    VigieChain *chain = chain_until(name, end);
    observe_chain(watch, "ok", chain);
    x509_chain_unref(chain);
}

/* What the worker does when alarms are asked for, by any number of workers. */
static void run_alarms(Watch *watch) {
    static const char *const kinds[] = {WORKER_ALARMS, NULL};
    g_autoptr(GError) error = NULL;
    g_assert_true(worker_alarms_ask(watch->lane.store, now, &error));
    g_autoptr(VigieJob) job = store_job_take(watch->lane.store, kinds, "test", 60, now, &error);
    g_assert_nonnull(job);
    g_assert_true(worker_alarms(&watch->lane, job, &error));
    g_assert_no_error(error);
}

static int64_t mails(const Watch *watch) {
    g_autoptr(GError) error = NULL;
    VigieMailCounts counts;
    g_assert_true(mail_queue_counts(watch->lane.store, &counts, &error));
    return counts.queued;
}

/* The last message's member. */
static char *last_mail(const Watch *watch, const char *column) {
    g_autofree char *sql = g_strdup_printf("SELECT %s FROM mail ORDER BY id DESC", column);
    g_autoptr(VigieRows) rows = store_query(watch->lane.store, NULL, sql, "");
    g_assert_true(rows_next(rows, NULL));
    return g_strdup(rows_text(rows, 0));
}

static void assert_holds(const char *text, const char *const *parts) {
    for (; *parts; parts++)
        if (!strstr(text, *parts))
            g_error("“%s” is not in:\n%s", *parts, text);
}

/* Proves that over a certificate's last 35 days its owner gets one mail at each threshold, whatever runs how often. */
static void test_thresholds(void) {
    g_auto(Watch) watch = watch_new("fr");
    VigieTime end = TEST_NOW + 35 * DAY;
    observe(&watch, "automate-02.chu.test", end);
    run_alarms(&watch);
    now += DAY; /* the threshold of 90 days, passed before it was first seen, is told in the morning */
    run_alarms(&watch);
    int64_t told = mails(&watch);
    g_assert_cmpint(told, ==, 1);
    g_autoptr(GString) days = g_string_new(NULL);
    for (now = TEST_NOW + DAY; now < end + 10 * DAY; now += DAY / 4) {
        run_alarms(&watch);
        run_alarms(&watch);
        if (mails(&watch) == told)
            continue;
        g_assert_cmpint(mails(&watch), ==, told + 1);
        told++;
        g_string_append_printf(days, "%" G_GINT64_FORMAT " ", (end - now + (now > end ? -1 : 0)) / DAY);
    }
    g_assert_cmpstr(days->str, ==, "30 7 1 0 ");
}

/* Proves that a certificate first seen 29 days before its end is told once, and again when 6 are left. */
static void test_late_discovery(void) {
    g_auto(Watch) watch = watch_new("fr");
    VigieTime end = TEST_NOW + 29 * DAY;
    observe(&watch, "automate-02.chu.test", end);
    run_alarms(&watch);
    now += DAY;
    for (int i = 0; i < 5; i++)
        run_alarms(&watch);
    g_assert_cmpint(mails(&watch), ==, 1);
    now = end - 7 * DAY;
    run_alarms(&watch);
    now += DAY;
    for (int i = 0; i < 5; i++)
        run_alarms(&watch);
    g_assert_cmpint(mails(&watch), ==, 2);
    g_autofree char *text = last_mail(&watch, "body"), *subject = last_mail(&watch, "subject");
    assert_holds(text, (const char *const[]){"Anne Le Goff", "Automate 02", "B-1042", "Laboratoire",
                                             "CHU de Kermarec", "automate-02.chu.test:2762",
                                             "dans 6\u00a0jours", "SHA-256", "À faire", NULL});
    assert_holds(subject, (const char *const[]){"[TLP:AMBER]", "Automate 02", "expire", NULL});
}

/* Proves that an English reader gets English, with no word of French left. */
static void test_english(void) {
    g_auto(Watch) watch = watch_new("en");
    observe(&watch, "automate-02.chu.test", TEST_NOW + DAY / 2);
    run_alarms(&watch);
    g_assert_cmpint(mails(&watch), ==, 1);
    g_autofree char *text = last_mail(&watch, "body"), *lang = last_mail(&watch, "lang");
    assert_holds(text, (const char *const[]){"Hello Anne Le Goff", "expected today", "in 12\u00a0h",
                                             "CMMS number", NULL});
    g_assert_null(strstr(text, "équipement"));
    g_assert_cmpstr(lang, ==, "en");
}

/* Proves that a certificate replaced long before its end is told at once, with what it was before. */
static void test_changed(void) {
    g_auto(Watch) watch = watch_new("fr");
    observe(&watch, "automate-02.chu.test", TEST_NOW + 300 * DAY);
    run_alarms(&watch);
    g_assert_cmpint(mails(&watch), ==, 0);
    now += DAY;
    observe(&watch, "quelqu'un d'autre", TEST_NOW + 200 * DAY);
    run_alarms(&watch);
    run_alarms(&watch);
    g_assert_cmpint(mails(&watch), ==, 1);
    g_autofree char *text = last_mail(&watch, "body"), *subject = last_mail(&watch, "subject");
    assert_holds(subject, (const char *const[]){"URGENT", NULL});
    assert_holds(text, (const char *const[]){"remplacé", "quelqu'un d'autre", "Avant, fin",
                                             "incident de sécurité", NULL});
}

/* Proves that a device that fell silent is told once, with since when. */
static void test_silent(void) {
    g_auto(Watch) watch = watch_new("fr");
    observe(&watch, "automate-02.chu.test", TEST_NOW + 300 * DAY);
    for (int i = 0; i < 6; i++) {
        now += DAY;
        observe_chain(&watch, "refused", NULL);
        run_alarms(&watch);
    }
    g_assert_cmpint(mails(&watch), ==, 1);
    g_autofree char *text = last_mail(&watch, "body");
    assert_holds(text, (const char *const[]){"ne répond plus", "refused", "Dernière vue", NULL});
}

static int64_t runs(const Watch *watch) {
    int64_t count = 0;
    g_assert_true(store_get_int(watch->lane.store, &count, NULL, "SELECT COUNT(*) FROM survey_run", ""));
    return count;
}

static void finish_runs(const Watch *watch) {
    for (int64_t run = 1; run <= runs(watch); run++)
        g_assert_true(fleet_survey_finish(watch->lane.store, run, NULL, now, NULL));
}

/* Proves that two workers on one store start a scheduled survey once, and each slot anew. */
static void test_schedule(void) {
    g_auto(Watch) watch = watch_new("fr");
    Lane other = watch.lane;
    other.store = test_store_open(watch.url);
    g_autoptr(GError) error = NULL;
    now = TEST_NOW;
    g_assert_true(worker_keep_time(&watch.lane, now, &error));
    g_assert_cmpint(runs(&watch), ==, 0); /* the first start: nothing is made up for */
    for (int day = 1; day <= 3; day++) {
        now = TEST_NOW + day * DAY;
        for (int i = 0; i < 3; i++) {
            g_assert_true(worker_keep_time(&watch.lane, now + i, &error));
            g_assert_true(worker_keep_time(&other, now + i, &error));
        }
        g_assert_cmpint(runs(&watch), ==, day);
        finish_runs(&watch);
    }
    store_close(other.store);
}

static int64_t observations(const Watch *watch) {
    int64_t count = 0;
    g_assert_true(store_get_int(watch->lane.store, &count, NULL, "SELECT COUNT(*) FROM observation", ""));
    return count;
}

/* Proves that after the time of retention an endpoint's history is what it was, in fewer observations. */
static void test_cleaning(void) {
    g_auto(Watch) watch = watch_new("fr");
    static const char *const kinds[] = {WORKER_CLEANING, NULL};
    VigieChain *chain = chain_until("automate-02.chu.test", TEST_NOW + 900 * DAY);
    for (int day = 0; day < 30; day++) {
        now = TEST_NOW + day * DAY;
        observe_chain(&watch, day < 20 ? "ok" : "refused", day < 20 ? chain : NULL);
    }
    x509_chain_unref(chain);
    VigieFleetFilter all = {0};
    g_autoptr(json_t) before = fleet_endpoint_get(watch.lane.store, &all, watch.endpoint, now, NULL);
    g_assert_cmpint(observations(&watch), ==, 30);
    g_autoptr(GError) error = NULL;
    g_assert_true(worker_keep_time(&watch.lane, now, &error));
    now = TEST_NOW + 25 * DAY + watch.settings->keep_observations;
    g_assert_true(worker_keep_time(&watch.lane, now, &error));
    g_autoptr(VigieJob) job = store_job_take(watch.lane.store, kinds, "test", 60, now, &error);
    g_assert_nonnull(job);
    g_assert_true(worker_clean(&watch.lane, job, &error));
    g_assert_cmpint(observations(&watch), ==,
                    2 + 6); /* two ends; what is younger, with the head of its stretch */
    g_autoptr(json_t) after = fleet_endpoint_get(watch.lane.store, &all, watch.endpoint, now, NULL);
    for (size_t i = 0; i < 2; i++)
        for (size_t member = 0; member < 3; member++) {
            const char *name = ((const char *const[]){"from", "to", "outcome"})[member];
            g_assert_true(
                json_equal(json_object_get(json_array_get(json_object_get(before, "history"), i), name),
                           json_object_get(json_array_get(json_object_get(after, "history"), i), name)));
        }
}

int main(int argc, char **argv) {
    g_assert_true(vigie_words_load(NULL));
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/alarms/thresholds", test_thresholds);
    g_test_add_func("/daemon/alarms/late-discovery", test_late_discovery);
    g_test_add_func("/daemon/alarms/english", test_english);
    g_test_add_func("/daemon/alarms/changed", test_changed);
    g_test_add_func("/daemon/alarms/silent", test_silent);
    g_test_add_func("/daemon/schedule/claimed", test_schedule);
    g_test_add_func("/daemon/cleaning", test_cleaning);
    return test_store_run(argc, argv);
}
