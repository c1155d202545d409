/* A fleet of the size of a CSIRT's: 200,000 endpoints on 100,000 devices of 200 organisations, observed five times. How
 * long every list, the overview, search and the feeds then take, and how many observations a second are kept.
 *     fleet-bench [URL [ENDPOINTS]]         default sqlite:/tmp/vigie-bench-fleet.db, 200,000 */
#include "fleet/fleet.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ORGANISATIONS = 200, CHAINS = 2000, ROUNDS = 5, BATCH = 500, DAY = 86400, TIMES = 9 };

static const VigieTime begun = 1795248000; /* 2026-11-21T08:00:00Z */
static VigieStore *store;
static VigieChain *chains[CHAINS];

static void stop(const GError *error) {
    fprintf(stderr, "fleet-bench: %s\n", error->message);
    exit(2);
}

/* ---- The fleet ---------------------------------------------------------------------------------------------- */
static VigieChain *make_chain(VigieChainCache *cache, EVP_PKEY *key, int number) {
    X509 *x509 = X509_new();
    g_autofree char *name = g_strdup_printf("equipement-%d.chu.test", number);
    X509_NAME *subject = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (unsigned char *)name, -1, -1, 0);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), number);
    ASN1_TIME_set(X509_getm_notBefore(x509), begun - 300 * DAY);
    ASN1_TIME_set(X509_getm_notAfter(x509), begun + (VigieTime)(number * 7919 % 700 - 10) * DAY);
    X509_set_issuer_name(x509, subject);
    X509_set_pubkey(x509, key);
    X509_sign(x509, key, EVP_sha256());
    unsigned char *der = NULL;
    VigieBytes bytes = vigie_bytes(NULL, 0);
    bytes.size = (size_t)i2d_X509(x509, &der);
    bytes.data = der;
    GError *error = NULL;
    VigieChain *chain = x509_chain_cache_get(cache, &bytes, 1, &error);
    if (!chain)
        stop(error);
    OPENSSL_free(der);
    X509_free(x509);
    return chain;
}

static void make_chains(void) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    g_autoptr(VigieChainCache) cache = x509_chain_cache_new(CHAINS);
    for (int i = 0; i < CHAINS; i++)
        chains[i] = make_chain(cache, key, i + 1);
    EVP_PKEY_free(key);
}

static int64_t save_device(int64_t organisation, int number) {
    static const char *const classes[] = {"imaging",     "monitoring", "laboratory",
                                          "anaesthesia", "cardiology", "sterilisation-endoscopy",
                                          "infusion",    "bed-iomt",   "server"};
    static const char *const makers[] = {"Sonovia", "Hémalab", "Vitalis", "Cardiotech", "Perfuse"};
    g_autofree char *name = g_strdup_printf("%s n° %d", number % 3 ? "Moniteur" : "Échographe", number);
    g_autofree char *gmao = g_strdup_printf("EQ-%06d", number), *serial = g_strdup_printf("SN%08d", number);
    g_autofree char *place = g_strdup_printf("Bât. %c, étage %d", 'A' + number % 6, number % 7);
    g_autofree char *ip = g_strdup_printf("10.%d.%d.%d", number >> 16 & 255, number >> 8 & 255, number & 255);
    g_autofree char *fqdn = g_strdup_printf("eq-%d.chu%d.test", number, (int)organisation);
    g_autoptr(json_t) fields =
        json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "organisation", (json_int_t)organisation,
                  "name", name, "gmao", gmao, "class", classes[number % 9], "manufacturer",
                  makers[number % 5], "serial", serial, "location", place, "ip", ip, "fqdn", fqdn);
    GError *error = NULL;
    int64_t id = 0;
    if (!fleet_device_save(store, 0, fields, "bench", begun, &id, NULL, &error))
        stop(error);
    for (int port = 443; port <= 8443; port += 8000) {
        g_autoptr(json_t) endpoint =
            json_pack("{s:I, s:s, s:i}", "device", (json_int_t)id, "host", fqdn, "port", port);
        if (!fleet_endpoint_save(store, 0, endpoint, "bench", begun, NULL, NULL, &error))
            stop(error);
    }
    return id;
}

static void make_fleet(int endpoints) {
    GError *error = NULL;
    for (int i = 0; i < ORGANISATIONS; i++) {
        g_autofree char *name = g_strdup_printf("Établissement %d", i + 1);
        g_autoptr(json_t) fields = json_pack("{s:s}", "name", name);
        if (!fleet_organisation_save(store, 0, fields, "bench", begun, NULL, NULL, &error))
            stop(error);
    }
    VigieTransaction *tx = NULL;
    for (int i = 0; i < endpoints / 2; i++) {
        if (!tx && !(tx = store_begin(store, &error)))
            stop(error);
        save_device(i % ORGANISATIONS + 1, i + 1);
        if (i % BATCH == BATCH - 1 && !store_commit(&tx, &error))
            stop(error);
    }
    if (tx && !store_commit(&tx, &error))
        stop(error);
}

/* Most answer; some are broken, some silent; findings come and go. */
static void observe(const VigieFleetPolicy *policy, int64_t endpoint, int64_t run, int round) {
    static VigieFinding finding;
    GError *error = NULL;
    bool silent = endpoint % 50 == 7, wrong = endpoint % 4 == 0 && (endpoint + round) % 5 != 0;
    VigieRecord record = {.target = {.host = (char *)"x", .port = 443, .protocol = VIGIE_PROTOCOL_HTTPS},
                          .time = begun + round * (VigieTime)DAY,
                          .depth = VIGIE_DEPTH_FULL,
                          .outcome = silent ? VIGIE_OUTCOME_TIMEOUT_CONNECT : VIGIE_OUTCOME_OK,
                          .versions_tested = 0x3f,
                          .versions_offered = silent ? 0 : 0x30,
                          .chain = silent ? NULL : chains[(endpoint + (round == 4)) % CHAINS],
                          .trust = {.verdict = VIGIE_TRUST_TRUSTED},
                          .name_match = VIGIE_YES,
                          .client_certificate = VIGIE_NO,
                          .findings = &finding,
                          .finding_count = wrong && !silent};
    finding = (VigieFinding){.id = endpoint % 8 ? "weak-key" : "self-signed",
                             .severity = (VigieSeverity)(endpoint % 5),
                             .evidence = json_object()};
    if (!fleet_observe(store, policy, endpoint, run, &record, record.time, &error))
        stop(error);
    json_decref(finding.evidence);
}

static double observe_all(int endpoints) {
    VigieFleetPolicy policy = fleet_policy_default();
    GError *error = NULL;
    gint64 start = g_get_monotonic_time();
    for (int round = 0; round < ROUNDS; round++) {
        VigieFleetFilter all = {0};
        int64_t run = 0;
        VigieTransaction *tx = NULL;
        if (!fleet_survey_request(store, &all, VIGIE_DEPTH_FULL, "bench", begun + round * (VigieTime)DAY,
                                  &run, &error))
            stop(error);
        for (int endpoint = 1; endpoint <= endpoints; endpoint++) {
            if (!tx && !(tx = store_begin(store, &error)))
                stop(error);
            observe(&policy, endpoint, run, round);
            if (endpoint % BATCH == 0 && !store_commit(&tx, &error))
                stop(error);
        }
        if (tx && !store_commit(&tx, &error))
            stop(error);
        if (round < ROUNDS - 1 &&
            !fleet_survey_finish(store, run, NULL, begun + round * (VigieTime)DAY + 3600, &error))
            stop(error);
    }
    return (double)(g_get_monotonic_time() - start) / 1e6;
}

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- The questions ------------------------------------------------------------------------------------------ */
typedef json_t *(*Ask)(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);

static int compare(const void *a, const void *b) {
    return *(const double *)a < *(const double *)b ? -1 : 1;
}

static void ask(const char *what, Ask question, VigieFleetFilter filter) {
    double took[TIMES], worked[TIMES];
    for (int i = 0; i < TIMES; i++) {
        GError *error = NULL;
        gint64 start = g_get_monotonic_time();
        double work = cpu_seconds();
        json_t *answer = question(store, &filter, begun + 6 * (VigieTime)DAY, &error);
        if (!answer)
            stop(error);
        took[i] = (double)(g_get_monotonic_time() - start) / 1e3;
        worked[i] = (cpu_seconds() - work) * 1e3;
        json_decref(answer);
    }
    qsort(took, TIMES, sizeof took[0], compare);
    qsort(worked, TIMES, sizeof worked[0], compare);
    printf("| %s | %.1f | %.1f | %.1f |\n", what, took[TIMES / 2], took[TIMES - 1], worked[TIMES / 2]);
    fflush(stdout);
}

static json_t *ask_run(VigieStore *of, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    return fleet_survey_progress(of, filter, ROUNDS, now, error);
}

static json_t *ask_device(VigieStore *of, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    return fleet_device_get(of, filter, 1234, now, error);
}

static json_t *ask_endpoint(VigieStore *of, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    return fleet_endpoint_get(of, filter, 1234, now, error);
}

static json_t *ask_alarms(VigieStore *of, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    (void)filter;
    VigieFleetPolicy policy = fleet_policy_default();
    return fleet_alarms_due(of, &policy, now, error);
}

static json_t *ask_calendar(VigieStore *of, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("Europe/Paris");
    return fleet_calendar_append(of, filter, VIGIE_FR, zone, now, out, error) ? json_true() : NULL;
}

static json_t *ask_metrics(VigieStore *of, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    g_autoptr(GString) out = g_string_new(NULL);
    return fleet_metrics_append(of, filter, now, out, error) ? json_true() : NULL;
}

#define F(...) ((VigieFleetFilter){__VA_ARGS__})

static void ask_all(void) {
    const struct {
        const char *what;
        Ask question;
        VigieFleetFilter filter;
    } questions[] = {
        {"overview", fleet_overview, F(0)},
        {"overview of an organisation", fleet_overview, F(.organisation = 7)},
        {"devices, worst first", fleet_device_list, F(0)},
        {"devices, page 1,000", fleet_device_list, F(.page = 1000)},
        {"devices by name", fleet_device_list, F(.sort = "name")},
        {"devices by organisation", fleet_device_list, F(.sort = "organisation")},
        {"devices by model", fleet_device_list, F(.sort = "model", .descending = true)},
        {"devices of an organisation", fleet_device_list, F(.organisation = 7)},
        {"devices of an organisation by name", fleet_device_list, F(.organisation = 7, .sort = "name")},
        {"devices of a class by end", fleet_device_list, F(.class_ = "imaging", .sort = "not_after")},
        {"devices broken, owner, class", fleet_device_list,
         F(.state = "broken", .owner = "biomed", .class_ = "infusion")},
        {"devices, two words", fleet_device_list, F(.q = "echographe 123")},
        {"devices, a word of half of them", fleet_device_list, F(.q = "moniteur")},
        {"endpoints, worst first", fleet_endpoint_list, F(0)},
        {"endpoints by end, page 100", fleet_endpoint_list, F(.sort = "not_after", .page = 100)},
        {"endpoints unknown of a class", fleet_endpoint_list, F(.state = "unknown", .class_ = "server")},
        {"endpoints, a word", fleet_endpoint_list, F(.q = "eq-4711")},
        {"endpoints by device", fleet_endpoint_list, F(.sort = "device")},
        {"endpoints ending before a day", fleet_endpoint_list, F(.ends_before = begun + 30 * (VigieTime)DAY)},
        {"findings active, worst first", fleet_finding_list, F(.state = "active")},
        {"findings high of a class", fleet_finding_list,
         F(.state = "active", .severity = "high", .class_ = "imaging")},
        {"findings of a kind and organisation", fleet_finding_list,
         F(.state = "active", .kind = "self-signed", .organisation = 7)},
        {"findings mended", fleet_finding_list, F(.state = "mended")},
        {"findings, a word", fleet_finding_list, F(.state = "active", .q = "eq-4711")},
        {"certificates by end", fleet_certificate_list, F(0)},
        {"certificates of an organisation", fleet_certificate_list, F(.organisation = 7)},
        {"organisations", fleet_organisation_list, F(0)},
        {"events", fleet_event_list, F(0)},
        {"search", fleet_search, F(.q = "eq-123")},
        {"search, a common word", fleet_search, F(.q = "chu7")},
        {"one device", ask_device, F(0)},
        {"one endpoint", ask_endpoint, F(0)},
        {"a run in progress", ask_run, F(0)},
        {"calendar, 5,000 events", ask_calendar, F(0)},
        {"metrics, 10,000 endpoints", ask_metrics, F(0)},
        {"alarms due, first raised", ask_alarms, F(0)},
    };
    printf("| question | median ms | worst ms | ms of our CPU |\n|---|---:|---:|---:|\n");
    for (size_t i = 0; i < G_N_ELEMENTS(questions); i++)
        ask(questions[i].what, questions[i].question, questions[i].filter);
}

int main(int argc, char **argv) {
    const char *url = argc > 1 ? argv[1] : "sqlite:/tmp/vigie-bench-fleet.db";
    int endpoints = argc > 2 ? atoi(argv[2]) : 200000;
    GError *error = NULL;
    int64_t there = 0;
    if (!vigie_words_load(&error) || !(store = store_open(url, &error)) || !store_migrate(store, &error) ||
        !store_get_int(store, &there, &error, "SELECT count(*) FROM endpoint", ""))
        stop(error);
    if (there == 0) {
        make_chains();
        gint64 start = g_get_monotonic_time();
        double work = cpu_seconds();
        make_fleet(endpoints);
        double saved = (double)(g_get_monotonic_time() - start) / 1e6, save_work = cpu_seconds() - work;
        double observed = observe_all(endpoints), observe_work = cpu_seconds() - work - save_work;
        int observations = endpoints * ROUNDS;
        printf("%d devices with %d endpoints saved in %.1f s (%.0f µs of our CPU each endpoint)\n",
               endpoints / 2, endpoints, saved, save_work * 1e6 / endpoints);
        printf("%d observations kept in %.1f s, %.0f a second (%.0f µs of our CPU each)\n\n", observations,
               observed, observations / observed, observe_work * 1e6 / observations);
        for (int i = 0; i < CHAINS; i++)
            x509_chain_unref(chains[i]);
    }
    ask_all();
    store_close(store);
    return 0;
}
