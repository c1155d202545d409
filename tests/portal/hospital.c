/* hospital: a portal over a store filled through the fleet's own functions, for the tests of pages and API.
 *
 *     portal-hospital FOLDER [--empty] [--desk] [--set GROUP.NAME=VALUE …]
 *
 * prints one line of JSON: the URL (a free port, unless portal.listen is set), the users' password; serves until its standard
 * input ends. Users: reader, biomed, analyst, head, admin, and confined (a biomed of the second organisation). */
#include "cases.h"
#include "fleet-test.h"
#include "portal/portal.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PASSWORD "correct horse battery"

typedef enum {
    WELL,
    EXPIRED,
    EXPIRED_AND_SKEW,
    SKEW,
    OLD_TLS,
    SILENT,
    SELF,
    PLAIN,
    WEAK_CHAIN,
    FAULTS
} Fault;

typedef struct {
    const char *name, *class_, *maker, *model, *place, *owner, *criticality;
    int days; /* left to the certificate */
    Fault fault;
} Row;

static const Row rows[] = {
    {"Scanner 1", "imaging", "Siemens", "Somatom go.Up", "Imagerie, sous-sol, salle 2", "biomed", "major",
     210, WELL},
    {"IRM 1,5 T", "imaging", "GE HealthCare", "Signa Explorer", "Imagerie, sous-sol, salle 4", "biomed",
     "major", 12, WELL},
    {"Échographe 4", "imaging", "Philips", "Epiq 7", "Maternité, box 3", "biomed", "moderate", -3, EXPIRED},
    {"Mammographe", "imaging", "Hologic", "Selenia", "Sénologie", "biomed", "moderate", 310, OLD_TLS},
    {"PACS", "server", "Philips", "Vue PACS", "Salle serveurs A", "dsi", "major", 71, WELL},
    {"Centrale de monitorage réa 1", "monitoring", "Dräger", "Infinity Central",
     "Réanimation, poste infirmier", "biomed", "vital", 27, WELL},
    {"Moniteur réa lit 01", "monitoring", "Dräger", "Infinity Delta", "Réanimation, lit 1", "biomed", "vital",
     160, SKEW},
    {"Moniteur réa lit 02", "monitoring", "Dräger", "Infinity Delta", "Réanimation, lit 2", "biomed", "vital",
     160, WELL},
    {"Moniteur réa lit 03", "monitoring", "Dräger", "Infinity Delta", "Réanimation, lit 3", "biomed", "vital",
     160, WELL},
    {"Moniteur réa lit 04", "monitoring", "Dräger", "Infinity Delta", "Réanimation, lit 4", "biomed", "vital",
     160, WELL},
    {"Télémétrie cardiologie", "monitoring", "Mindray", "BeneVision", "Cardiologie, 3e étage", "biomed",
     "major", 5, WELL},
    {"Automate de biochimie 02", "laboratory", "Roche", "Cobas 6000", "Laboratoire, paillasse B", "vendor",
     "major", -1, EXPIRED_AND_SKEW},
    {"Automate d'hématologie", "laboratory", "Sysmex", "XN-1000", "Laboratoire, paillasse A", "vendor",
     "major", 88, WELL},
    {"Gaz du sang urgences", "laboratory", "Radiometer", "ABL90 Flex", "Urgences, déchocage", "vendor",
     "vital", 340, SILENT},
    {"Gaz du sang réa", "laboratory", "Radiometer", "ABL90 Flex", "Réanimation", "vendor", "vital", 340,
     WELL},
    {"SIL", "server", "Dedalus", "Kalisil", "Salle serveurs A", "dsi", "major", 45, WEAK_CHAIN},
    {"Respirateur bloc 1", "anaesthesia", "Dräger", "Primus", "Bloc opératoire 1", "biomed", "vital", 240,
     WELL},
    {"Respirateur bloc 2", "anaesthesia", "Dräger", "Primus", "Bloc opératoire 2", "biomed", "vital", 240,
     WELL},
    {"Station d'anesthésie bloc 3", "anaesthesia", "GE HealthCare", "Aisys CS2", "Bloc opératoire 3",
     "biomed", "vital", 240, OLD_TLS},
    {"ECG 04", "cardiology", "Schiller", "Cardiovit AT-102", "Cardiologie, consultation 2", "biomed",
     "moderate", 130, SELF},
    {"ECG 05", "cardiology", "Schiller", "Cardiovit AT-102", "Cardiologie, consultation 3", "biomed",
     "moderate", 130, WELL},
    {"Épreuve d'effort", "cardiology", "GE HealthCare", "CASE", "Cardiologie, salle d'effort", "biomed",
     "moderate", 19, WELL},
    {"Échographe cardiaque", "cardiology", "GE HealthCare", "Vivid E95", "Cardiologie, écho 1", "biomed",
     "moderate", 200, WELL},
    {"Laveur-désinfecteur 1", "sterilisation-endoscopy", "Getinge", "ED-Flow", "Endoscopie", "biomed",
     "moderate", 95, WELL},
    {"Autoclave 2", "sterilisation-endoscopy", "Getinge", "GSS67H", "Stérilisation centrale", "biomed",
     "moderate", 300, PLAIN},
    {"Tour d'endoscopie", "sterilisation-endoscopy", "Olympus", "EVIS X1", "Endoscopie, salle 1", "biomed",
     "moderate", 260, WELL},
    {"Passerelle des pompes", "infusion", "B. Braun", "OnlineSuite", "Salle serveurs B", "dsi", "vital", 33,
     WELL},
    {"Pompe à perfusion 112", "infusion", "B. Braun", "Spaceplus", "Médecine A, chambre 12", "biomed",
     "major", 180, WELL},
    {"Pompe à perfusion 113", "infusion", "B. Braun", "Spaceplus", "Médecine A, chambre 13", "biomed",
     "major", 180, SILENT},
    {"Lits connectés, passerelle", "bed-iomt", "Hillrom", "Connecta", "Gériatrie", "biomed", "minor", 220,
     WELL},
    {"Capteurs de chute", "bed-iomt", NULL, NULL, NULL, NULL, NULL, 64, WELL},
    {"Automate <script>alert(1)</script> & \"guillemets\"", "laboratory", "A<b>", "'&amp;'", "<i>Couloir</i>",
     "biomed", "minor", 2, WELL},
    {"Station de surveillance centrale du service de réanimation polyvalente et de soins intensifs de "
     "néphrologie, "
     "bâtiment Charles-Nicolle, deuxième étage, aile nord-est",
     "monitoring", "Dräger", "InfinityAcuteCareSystemM540DockingStationRemanufacturee2026",
     "Réanimation polyvalente", "biomed", "vital", 8, EXPIRED},
    {"Annuaire LDAP", "server", NULL, NULL, "Salle serveurs A", "dsi", "major", 150, WELL},
};

static const char *const suites_tls12[] = {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                                           "TLS_RSA_WITH_AES_128_CBC_SHA"};

static VigieBytes make_der(const char *name, const char *issuer, VigieTime from, VigieTime to) {
    static EVP_PKEY *key;
    static long serial = 4711;
    key = key ? key : EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++);
    ASN1_TIME_set(X509_getm_notBefore(x509), from);
    ASN1_TIME_set(X509_getm_notAfter(x509), to);
    const unsigned char *subject = (const unsigned char *)name, *by = (const unsigned char *)issuer;
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8, subject, -1, -1, 0);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(x509), "CN", MBSTRING_UTF8, by, -1, -1, 0);
    g_autofree char *names = g_strconcat("DNS:", name, NULL);
    X509_EXTENSION *extension =
        strchr(name, ' ') ? NULL : X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    if (extension)
        X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
    X509_set_pubkey(x509, key);
    X509_sign(x509, key, EVP_sha256());
    unsigned char *der = NULL;
    int size = i2d_X509(x509, &der);
    g_assert_cmpint(size, >, 0);
    X509_free(x509);
    return vigie_bytes(der, (size_t)size);
}

static VigieChain *make_chain(const char *host, const Row *row, VigieTime now) {
    const char *issuer = row->fault == SELF ? host : "AC Équipements CHU";
    VigieBytes der[] = {make_der(host, issuer, now - 300 * DAY, now + row->days * DAY + 3600),
                        make_der("AC Équipements CHU", "AC Racine CHU", now - 900 * DAY, now + 2000 * DAY)};
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieChainCache) cache = x509_chain_cache_new(4);
    VigieChain *chain = x509_chain_cache_get(cache, der, row->fault == SELF ? 1 : 2, &error);
    g_assert_no_error(error);
    for (size_t i = 0; i < G_N_ELEMENTS(der); i++)
        OPENSSL_free((void *)der[i].data);
    return chain;
}

static void add_suites(VigieRecord *record, VigieVersion version, const char *const *names, size_t count) {
    record->suites[version].ids = g_new0(uint32_t, count);
    for (uint32_t id = 0; id <= 0xffff; id++) {
        const char *name = tls_suite_name(id);
        for (size_t i = 0; name && i < count; i++)
            if (strcmp(name, names[i]) == 0)
                record->suites[version].ids[record->suites[version].count++] = id;
    }
}

static void add_fault(VigieRecord *record, Fault fault) {
    if (fault == SKEW || fault == EXPIRED_AND_SKEW) {
        record->clock_known = true;
        record->clock_offset = 664;
        record->clock_source = "http-date";
    }
    if (fault == OLD_TLS)
        record->versions_offered = 1 << VIGIE_TLS10;
    if (fault == EXPIRED || fault == EXPIRED_AND_SKEW)
        record->trust.verdict = VIGIE_TRUST_EXPIRED;
    if (fault == SELF)
        record->trust.verdict = VIGIE_TRUST_SELF_SIGNED;
    if (fault == WEAK_CHAIN)
        record->trust.verdict = VIGIE_TRUST_INCOMPLETE;
}

static VigieRecord observe(const Row *row, const char *host, VigieChain *chain, bool now_silent,
                           VigieTime time) {
    const char *outcome = row->fault == SILENT && now_silent ? "timeout-connect"
                          : row->fault == PLAIN              ? "not-tls:http"
                                                             : "ok";
    bool answers = strcmp(outcome, "ok") == 0;
    VigieRecord record = test_record(outcome, time, VIGIE_DEPTH_FULL, answers ? chain : NULL, "");
    g_free(record.target.host);
    record.target.host = g_strdup(host);
    if (!answers)
        return record;
    record.versions_offered = 1 << VIGIE_TLS12 | 1 << VIGIE_TLS13;
    record.server_preference = VIGIE_YES;
    add_suites(&record, VIGIE_TLS12, suites_tls12, G_N_ELEMENTS(suites_tls12));
    add_fault(&record, row->fault);
    return record;
}

static int64_t add_row(VigieStore *store, const VigieRules *rules, int64_t organisation, const Row *row,
                       size_t index, VigieTime now) {
    g_autofree char *host = g_strdup_printf("dm-%02zu.chu.test", index + 1);
    g_autofree char *gmao = g_strdup_printf("DM-%05zu", 10230 + index * 7);
    g_autofree char *serial = g_strdup_printf("SN%06zu", 48213 + index * 911);
    g_autoptr(json_t) fields =
        json_pack("{s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s, s:s, s:s, s:s}", "name", row->name, "class",
                  row->class_, "manufacturer", row->maker, "model", row->model, "location", row->place,
                  "owner", row->owner, "criticality", row->criticality, "gmao", gmao, "serial", serial,
                  "fqdn", host, "firmware", "4.2.1");
    g_autofree char *text = vigie_json_text(fields);
    int64_t device = test_device(store, organisation, text);
    int64_t endpoint = test_endpoint(store, device, host, row->fault == OLD_TLS ? 2762 : 443);
    g_autoptr(VigieChain) chain = make_chain(host, row, now);
    for (int age = 9; age >= 0; age -= 3) {
        VigieRecord record = observe(row, host, chain, age < 9, now - age * DAY);
        record_rules_apply(rules, &record, now - age * DAY);
        test_observe(store, endpoint, 0, &record, now - age * DAY);
    }
    return device;
}

static void fill(VigieStore *store, VigieTime now) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieRules) rules = record_rules_load(&error);
    g_assert_no_error(error);
    int64_t hospital = test_organisation(store, "CHU de Kermarec"),
            clinic = test_organisation(store, "Clinique du Port");
    test_contact(store, hospital, "biomed", "biomed@chu.test");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        add_row(store, rules, i % 8 == 7 ? clinic : hospital, &rows[i], i, now);
}

static void add_users(VigieStore *store, bool filled, VigieTime now) {
    g_autoptr(GError) error = NULL;
    for (int role = 0; role < VIGIE_ROLES; role++)
        portal_user_add(store, portal_role_name((VigieRole)role), (VigieRole)role, 0, PASSWORD, NULL, now,
                        &error);
    portal_user_add(store, "confined", VIGIE_ROLE_BIOMED, filled ? 2 : 0, PASSWORD, NULL, now, &error);
    g_assert_no_error(error);
}

static void fill_desk(VigieStore *store, const VigieConfig *config, VigieTime now) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieTeam) team = csirt_team_load(config, &error);
    g_assert_no_error(error);
    cases_fill(store, team, now);
}

static volatile int stop;

static void *wait_for_end(void *data) {
    (void)data;
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    stop = 1;
    return NULL;
}

/* `settings` are "group.name=value". */
static VigieConfig *configure(const char *folder, const char *url, char **settings, bool desk) {
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, "vigie.conf", NULL);
    g_key_file_set_string(file, "store", "url", url);
    g_key_file_set_string(file, "site", "name", "CHU de Kermarec");
    if (desk) {
        g_autofree char *team = cases_write_team(folder, vigie_time_now()), *key = cases_write_key(folder);
        g_key_file_set_string(file, "csirt", "team", team);
        g_key_file_set_string(file, "csirt", "artefact_key", key);
    }
    for (; settings && *settings; settings++) {
        g_auto(GStrv) parts = g_strsplit_set(*settings, ".=", 3);
        g_assert_cmpuint(g_strv_length(parts), ==, 3);
        g_key_file_set_value(file, parts[0], parts[1], parts[2]);
    }
    g_key_file_save_to_file(file, path, &error);
    VigieConfig *config = vigie_config_load(path, &error);
    g_assert_no_error(error);
    return config;
}

int main(int argc, char **argv) {
    gboolean empty = FALSE, desk = FALSE;
    g_auto(GStrv) settings = NULL;
    const GOptionEntry entries[] = {
        {"empty", 0, 0, G_OPTION_ARG_NONE, &empty, "no devices", NULL},
        {"desk", 0, 0, G_OPTION_ARG_NONE, &desk, "with a CSIRT's desk, and work on it", NULL},
        {"set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &settings, "a key of the configuration", "GROUP.NAME=VALUE"},
        {0}};
    g_autoptr(GOptionContext) context = g_option_context_new("FOLDER");
    g_option_context_add_main_entries(context, entries, NULL);
    g_autoptr(GError) error = NULL;
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2 || !vigie_words_load(&error) ||
        !csirt_rules_load(&error))
        g_error("portal-hospital FOLDER: %s", error ? error->message : "a folder is wanted");
    g_autofree char *url = g_strdup_printf("sqlite:%s/vigie.db", argv[1]);
    g_autoptr(VigieConfig) config = configure(argv[1], url, settings, desk);
    VigieTime now = vigie_time_now();
    {
        g_autoptr(VigieStore) store = test_store_open(url);
        store_migrate(store, &error);
        g_assert_no_error(error);
        g_autoptr(VigieTransaction) tx = store_begin(store, &error);
        if (!empty)
            fill(store, now);
        add_users(store, !empty, now);
        if (desk)
            fill_desk(store, config, now);
        store_commit(&tx, &error);
        g_assert_no_error(error);
    }
    VigiePortalOptions options = {.config = config, .stop = &stop};
    g_autofree char *address = NULL;
    const char *listen = strcmp(vigie_config_text(config, "portal.listen"), "127.0.0.1:8080") != 0
                             ? vigie_config_text(config, "portal.listen")
                             : "";
    portal_listen(*listen ? listen : "127.0.0.1:0", &options.listen_fd, &address, &error);
    g_assert_no_error(error);
    printf("{\"url\": \"%s\", \"password\": \"%s\", \"store\": \"%s\"}\n", address, PASSWORD, url);
    fflush(stdout);
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_end, NULL);
    bool ran = portal_run(&options, &error);
    g_assert_no_error(error);
    pthread_join(thread, NULL);
    close(options.listen_fd);
    return ran ? 0 : 1;
}
