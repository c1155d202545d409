/* What the desk costs: csirt-bench URL CASES SHARE prints lines of FIGURE, unit, value.
 *
 * Opening: declarations of some 600 characters with eight facts, `group` of them to a commit. Queue: pages of a store with CASES cases, of
 * which one in SHARE is active, for each filter; the median of several, after one that warms the cache. */
#include "csirt/csirt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { OPENINGS = 2000, GROUP = 32, ROUNDS = 9, BENCH_NOW = 1795424400 };

static void die(const GError *error) {
    if (!error)
        return;
    fprintf(stderr, "csirt-bench: %s\n", error->message);
    exit(2);
}

static VigieTeam *load_team(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    g_autofree char *team = g_build_filename(vigie_knowledge_folder(), "csirt/teams/cert-sante.json", NULL);
    g_autofree char *text = g_strdup_printf("[csirt]\nteam=%s\n", team);
    int fd = g_file_open_tmp("csirt-bench-XXXXXX", &path, &error);
    die(error);
    close(fd);
    g_file_set_contents(path, text, -1, &error);
    die(error);
    g_autoptr(VigieConfig) config = vigie_config_load(path, &error);
    die(error);
    VigieTeam *loaded = csirt_team_load(config, &error);
    die(error);
    unlink(path);
    return loaded;
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* ---- Opening ------------------------------------------------------------------------------------------------ */
static void open_one(VigieStore *store, const VigieTeam *team, const json_t *facts, const json_t *declarant,
                     int number) {
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    g_autofree char *text = g_strdup_printf("Depuis %d h ce matin, les postes du service %d affichent une "
                                            "demande de rançon et les dossiers partagés ne "
                                            "s'ouvrent plus. Le laboratoire et l'imagerie travaillent sur "
                                            "papier, les urgences sont détournées vers l'hôpital "
                                            "voisin. Le serveur srv-%04d et l'adresse 10.%d.%d.12 ont été "
                                            "isolés du réseau par l'astreinte informatique. Les "
                                            "sauvegardes de la nuit semblent intactes ; nous demandons un "
                                            "appui pour qualifier la compromission et savoir si "
                                            "des données ont été exfiltrées vers l'extérieur.",
                                            number % 12, number % 40, number, number % 200, number % 250);
    g_autofree char *key = g_strdup_printf("bench:%d", number);
    const VigieOpening opening = {.kind = "incident",
                                  .channel = "form",
                                  .source = "open",
                                  .title = "Rançongiciel dans plusieurs services",
                                  .organisation_name = "CHU de Kermarec",
                                  .facts = facts,
                                  .text = text,
                                  .declarant = declarant,
                                  .unique_key = key};
    csirt_case_open(store, team, &opening, BENCH_NOW, &opened, &error);
    die(error);
}

static void bench_open(VigieStore *store, const VigieTeam *team) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) facts =
        json_loads("{\"found\": \"2026-11-23T06:00:00Z\", \"patients\": \"potential\", \"care\": "
                   "[\"emergency\", \"maternity\"], \"beds\": 700, \"degraded\": true, \"cause\": "
                   "[\"ransomware\"], \"systems\": [\"laboratory\", \"imaging\"], \"support\": true}",
                   0, NULL);
    g_autoptr(json_t) declarant = json_pack("{s:s, s:s, s:s}", "name", "Anne Le Goff", "mail",
                                            "a.legoff@chu.test", "phone", "+33298000000");
    for (int group = 1; group <= GROUP; group *= GROUP) {
        gint64 start = g_get_monotonic_time();
        double cpu = cpu_seconds();
        for (int i = 0; i < OPENINGS; i += group) {
            g_autoptr(VigieTransaction) tx = store_begin(store, &error);
            for (int j = 0; j < group; j++)
                open_one(store, team, facts, declarant, group * OPENINGS + i + j);
            store_commit(&tx, &error);
            die(error);
        }
        double seconds = (double)(g_get_monotonic_time() - start) / 1e6;
        printf("cases opened, %d to a commit\ta second\t%.0f\n", group, OPENINGS / seconds);
        printf("cases opened, %d to a commit\tµs of CPU\t%.0f\n", group,
               (cpu_seconds() - cpu) * 1e6 / OPENINGS);
        fflush(stdout);
    }
}

static void bench_index(VigieStore *store) {
    g_autoptr(GError) error = NULL;
    int64_t indexed = 1, all = 0;
    gint64 start = g_get_monotonic_time();
    for (; indexed > 0; all += indexed) {
        csirt_words_index(store, 200, &indexed, &error);
        die(error);
    }
    printf("words of a case indexed, 200 to a commit\ta second\t%.0f\n",
           (double)all * 1e6 / (double)(g_get_monotonic_time() - start));
}

/* ---- The queue ---------------------------------------------------------------------------------------------- */
/* Scattered, the same each time: a quadratic residue; `salt` keeps columns apart. */
#define SCATTER(of, salt) "((" of " + 99991) * (" of " * 3 + " salt ") % 1000003)"

static const char cases_sql[] =
    "WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1), r AS "
    "(SELECT i, " SCATTER("i", "1") " AS a, " SCATTER("i", "7") " AS b, " SCATTER(
        "i", "13") " AS c, " SCATTER("i",
                                     "29") " AS d FROM n) "
                                           "INSERT INTO csirt_case (reference, kind, active, state, channel, "
                                           "title, organisation_id, organisation_name, tlp, pap, "
                                           "source, urgent, band, score, due, received, updated, assignee, "
                                           "restricted, indexed) SELECT 'BENCH-' || i, "
                                           "CASE a % 10 WHEN 0 THEN 'vulnerability' WHEN 1 THEN 'request' "
                                           "ELSE 'incident' END, "
                                           "CASE WHEN b % $2 = 0 THEN 1 ELSE 0 END, "
                                           "CASE WHEN b % $2 > 0 THEN 'closed' ELSE CASE c % 4 WHEN 0 THEN "
                                           "'received' WHEN 1 THEN 'qualified' ELSE 'in-progress' END "
                                           "END, 'form', 'Titre du dossier ' || i, d % 10000 + 1, 'Structure "
                                           "' || (d % 10000), "
                                           "CASE WHEN c % 5000 = 0 THEN 'RED' WHEN c % 10 = 3 THEN 'GREEN' "
                                           "ELSE 'AMBER' END, 'AMBER', 'open', "
                                           "CASE WHEN d % 97 = 0 THEN 1 ELSE 0 END, a / 10 % 4 + 1, b / 100 "
                                           "% 101, "
                                           "CASE WHEN b % $2 = 0 AND c % 3 = 0 THEN $3 - 1000000 + i ELSE 0 "
                                           "END, 1700000000 "
                                           "+ i * 90, 1700000000 + i * 90, "
                                           "CASE WHEN d % 2 = 0 THEN '' ELSE 'analyste' || (a % 100) END, "
                                           "CASE WHEN b % 1000 = 7 THEN 1 ELSE 0 END, 1 FROM r";

/* What each case says: a word that all have, one of twenty, one of 50,000, one of its own. */
static const char *const words[] = {"'structure'", "'mot' || (" SCATTER("id", "31") " % 20)",
                                    "'terme' || (" SCATTER("id", "37") " % 50000)", "'propre' || id"};

/* One case in `share` is active. */
static void generate(VigieStore *store, int64_t cases, int64_t share) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieTransaction) tx = store_begin(store, &error);
    store_exec(store, &error, cases_sql, "iii", cases, share, (int64_t)BENCH_NOW);
    die(error);
    bool sqlite = store_kind(store) == VIGIE_STORE_SQLITE;
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        g_autofree char *insert = g_strconcat(
            "INSERT INTO csirt_word (word, case_id) SELECT ", sqlite ? "CAST(" : "convert_to(", words[i],
            sqlite ? " AS BLOB)" : ", 'UTF8')", ", id FROM csirt_case WHERE indexed = 1", NULL);
        store_exec(store, &error, insert, "");
        die(error);
    }
    store_commit(&tx, &error);
    die(error);
    if (!sqlite)
        store_exec(store, &error, "VACUUM ANALYZE", "");
    die(error);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void bench_page(VigieStore *store, const char *query) {
    static const VigieAnalyst analyst = {.name = "analyste1", .may = true};
    g_auto(GStrv) members = g_strsplit(query, "&", -1);
    double times[ROUNDS];
    int64_t total = 0;
    for (int round = -1; round < ROUNDS; round++) {
        g_autoptr(GError) error = NULL;
        VigieCaseFilter filter = {0};
        for (char **member = members; *member && **member; member++) {
            char *value = strchr(*member, '=');
            g_autofree char *name = g_strndup(*member, (gsize)(value - *member));
            csirt_filter_set(&filter, name, value + 1, &error);
            die(error);
        }
        gint64 start = g_get_monotonic_time();
        g_autoptr(json_t) page = csirt_case_list(store, &analyst, &filter, BENCH_NOW, &error);
        die(error);
        if (round >= 0)
            times[round] = (double)(g_get_monotonic_time() - start) / 1e3;
        total = json_integer_value(json_object_get(page, "total"));
    }
    qsort(times, ROUNDS, sizeof times[0], by_value);
    printf("page \"%s\", %" G_GINT64_FORMAT " found\tms\t%.1f\n", query, total, times[ROUNDS / 2]);
    fflush(stdout);
}

static void bench_load(VigieStore *store, const VigieTeam *team) {
    static const VigieAnalyst analyst = {.name = "analyste1", .may = true};
    g_autoptr(GError) error = NULL;
    gint64 start = g_get_monotonic_time();
    g_autoptr(json_t) load = csirt_load(store, team, &analyst, BENCH_NOW, &error);
    die(error);
    printf("load\tms\t%.1f\n", (double)(g_get_monotonic_time() - start) / 1e3);
}

int main(int argc, char **argv) {
    static const char *const pages[] = {"",
                                        "page=100",
                                        "state=all",
                                        "state=closed",
                                        "state=received",
                                        "kind=vulnerability",
                                        "kind=vulnerability&tlp=RED",
                                        "tlp=RED",
                                        "tlp=GREEN",
                                        "assignee=analyste7",
                                        "assignee=-",
                                        "organisation=77",
                                        "band=1",
                                        "band=4&kind=request",
                                        "overdue=1",
                                        "overdue=1&assignee=analyste7",
                                        "q=structure",
                                        "q=mot7",
                                        "q=terme77",
                                        "q=propre77",
                                        "q=mot7 terme77",
                                        "q=mot7 mot8",
                                        "q=introuvable",
                                        "q=structure&tlp=RED",
                                        "q=BENCH",
                                        "state=all&q=mot7"};
    g_autoptr(GError) error = NULL;
    if (argc != 4) {
        fprintf(stderr, "usage: csirt-bench URL CASES SHARE\n");
        return 2;
    }
    vigie_words_load(&error);
    die(error);
    csirt_rules_load(&error);
    die(error);
    g_autoptr(VigieStore) store = store_open(argv[1], &error);
    die(error);
    store_migrate(store, &error);
    die(error);
    g_autoptr(VigieTeam) team = load_team();
    bench_open(store, team);
    bench_index(store);
    if (atoll(argv[2]) == 0)
        return 0;
    gint64 begun = g_get_monotonic_time();
    generate(store, atoll(argv[2]), atoll(argv[3]));
    fprintf(stderr, "generated in %.0f s\n", (double)(g_get_monotonic_time() - begun) / 1e6);
    for (size_t i = 0; i < G_N_ELEMENTS(pages); i++)
        bench_page(store, pages[i]);
    bench_load(store, team);
    return 0;
}
