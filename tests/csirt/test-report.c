/* The year's counts: right, and held back where somebody could be recognised; what may not leave is not in them. The review
 * of a case. Both databases. */
#include "csirt-test.h"
#include "csirt/report.h"
#include "document/document.h"

#include <string.h>

/* 2026-01-01T00:00:00 in Paris. */
#define NEW_YEAR ((VigieTime)1767222000)
#define DAY 86400

typedef struct {
    VigieStore *store;
    VigieTeam *team;
} Desk;

static void desk_open(Desk *desk, gconstpointer data) {
    (void)data;
    desk->store = test_store_new();
    desk->team = test_team();
}

static void desk_close(Desk *desk, gconstpointer data) {
    (void)data;
    csirt_team_free(desk->team);
    store_close(desk->store);
}

static int64_t open_case(Desk *desk, const char *kind, const char *tlp, const char *facts, VigieTime time) {
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    g_autoptr(json_t) known = test_json(facts);
    const VigieOpening opening = {.kind = kind,
                                  .channel = "form",
                                  .source = "open",
                                  .title = "Fichiers chiffrés",
                                  .organisation_name = "CHU de Kermarec",
                                  .tlp = tlp,
                                  .facts = known};
    csirt_case_open(desk->store, desk->team, &opening, time, &opened, &error);
    g_assert_no_error(error);
    return opened.id;
}

static json_t *statistics(Desk *desk, int64_t threshold) {
    g_autoptr(GError) error = NULL;
    json_t *told = csirt_statistics(desk->store, desk->team, 2026, threshold, TEST_NOW, &error);
    g_assert_no_error(error);
    return told;
}

static const json_t *with_id(const json_t *list, const char *id) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(test_text(json_array_get(list, i), "id"), id) == 0)
            return json_array_get(list, i);
    return NULL;
}

static const json_t *table_of(const json_t *told, const char *id) {
    return with_id(json_object_get(told, "tables"), id);
}

/* "type" "malicious-code" "proven"; -1: held back, -2: there is none. */
static int64_t count_of(const json_t *told, const char *table_id, const char *row_id, const char *column_id) {
    const json_t *table = table_of(told, table_id), *columns = json_object_get(table, "columns");
    const json_t *row = with_id(json_object_get(table, "rows"), row_id);
    for (size_t c = 0; row && c < json_array_size(columns); c++) {
        const json_t *count = json_array_get(json_object_get(row, "counts"), c);
        if (strcmp(test_text(json_array_get(columns, c), "id"), column_id) == 0)
            return json_is_null(count) ? -1 : json_integer_value(count);
    }
    return -2;
}

static void change(Desk *desk, int64_t id, const char *fields) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) changed = test_json(fields);
    csirt_case_change(desk->store, desk->team, &test_head, id, changed, TEST_NOW, &error);
    g_assert_no_error(error);
}

/* Each case once, in its month by the team's clock, where its facts put it. */
static void test_counts(Desk *desk, gconstpointer data) {
    (void)data;
    open_case(desk, "incident", "AMBER",
              "{'patients': 'proven', 'structure': 'public-hospital', 'degraded': true}", NEW_YEAR);
    open_case(desk, "incident", "AMBER", "{'structure': 'public-hospital', 'degraded': false}", NEW_YEAR - 1);
    int64_t classified = open_case(desk, "incident", "GREEN", "{'patients': 'none', 'degraded_hours': 30}",
                                   NEW_YEAR + 40 * DAY);
    change(desk, classified, "{'category': 'malicious-code/infected-system'}");
    open_case(desk, "vulnerability", "AMBER", "{}", NEW_YEAR + 40 * DAY);
    open_case(desk, "incident", "AMBER", "{}", NEW_YEAR + 365 * DAY);
    g_autoptr(json_t) told = statistics(desk, 0);
    g_assert_cmpint(test_int(told, "cases"), ==, 3);
    g_assert_cmpint(count_of(told, "month", "01", "incident"), ==, 1);
    g_assert_cmpint(count_of(told, "month", "02", "incident"), ==, 1);
    g_assert_cmpint(count_of(told, "month", "02", "vulnerability"), ==, 1);
    g_assert_cmpint(count_of(told, "month", "12", "incident"), ==, 0);
    g_assert_cmpint(count_of(told, "type", "unknown", "proven"), ==, 1);
    g_assert_cmpint(count_of(told, "type", "malicious-code", "none"), ==, 1);
    g_assert_cmpint(count_of(told, "structure", "public-hospital", "yes"), ==, 1);
    g_assert_cmpint(count_of(told, "structure", "unknown", "yes"), ==, 1);
    g_assert_cmpint(test_int(told, "median_degraded_hours"), ==, 30);
    /* Incidents months old that nobody answered. */
    g_assert_cmpint(count_of(told, "delay", "first-answer", "late"), ==, 2);
    g_autofree char *csv = csirt_statistics_csv(told);
    g_assert_true(g_str_has_prefix(csv, "table,row,column,count\r\n"));
    g_assert_nonnull(strstr(csv, "\r\nmonth,02,vulnerability,1\r\n"));
    g_assert_nonnull(strstr(csv, "\r\nmonth,02,total,2\r\n"));
    g_assert_nonnull(strstr(csv, "\r\nmonth,total,total,3\r\n"));
}

/* With the threshold, no count of 1 to 4 is told, nor can it be computed from its row; medians of few are not told. */
static void test_held_back(Desk *desk, gconstpointer data) {
    (void)data;
    for (int i = 0; i < 20; i++)
        open_case(desk, "incident", "AMBER",
                  i < 18 ? "{'patients': 'none'}" : "{'patients': 'proven', 'degraded_hours': 3}",
                  NEW_YEAR + i * 3600);
    open_case(desk, "vulnerability", "AMBER", "{}", NEW_YEAR);
    g_autoptr(json_t) told = statistics(desk, CSIRT_THRESHOLD);
    size_t t, r, c;
    json_t *table, *row, *count;
    /* The incidents are shown by type: 21 cases in all would say that one was a vulnerability. */
    g_assert_true(json_is_null(test_at(told, "cases")));
    g_assert_true(json_is_null(json_object_get(table_of(told, "month"), "total")));
    g_assert_cmpint(json_integer_value(json_object_get(table_of(told, "type"), "total")), ==, 20);
    g_assert_true(json_is_null(test_at(told, "median_degraded_hours")));
    g_assert_cmpint(count_of(told, "type", "unknown", "proven"), ==, -1);
    json_array_foreach(json_object_get(told, "tables"), t, table)
        json_array_foreach(json_object_get(table, "rows"), r, row) {
        size_t hidden = json_is_null(json_object_get(row, "total"));
        json_array_foreach(json_object_get(row, "counts"), c, count) {
            hidden += json_is_null(count);
            g_assert_true(json_is_null(count) || json_integer_value(count) == 0 ||
                          json_integer_value(count) >= CSIRT_THRESHOLD);
        }
        g_assert_cmpuint(hidden, !=, 1);
    }
    g_autofree char *csv = csirt_statistics_csv(told);
    g_assert_nonnull(strstr(csv, "\r\ntype,unknown,proven,\r\n"));
}

/* What is RED is counted with its owner's consent alone; what was merged is one case. */
static void test_left_out(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    int64_t kept = open_case(desk, "incident", "AMBER", "{}", NEW_YEAR),
            double_ = open_case(desk, "incident", "AMBER", "{}", NEW_YEAR);
    int64_t red = open_case(desk, "incident", "RED", "{}", NEW_YEAR);
    g_assert_true(
        csirt_case_merge(desk->store, desk->team, &test_head, kept, double_, "doublon", TEST_NOW, &error));
    g_autoptr(json_t) before = statistics(desk, 0);
    g_assert_cmpint(test_int(before, "cases"), ==, 1);
    g_assert_true(json_is_true(test_at(before, "left_out")));
    g_autoptr(json_t) consent =
        test_json("{'owner': 'Direction du CHU', 'audiences': ['public'], 'members': ['impact'], "
                  "'evidence': 'courriel du 3 janvier', 'ends': '2030-01-01T00:00:00Z'}");
    csirt_consent_add(desk->store, &test_head, red, consent, TEST_NOW, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(json_t) after = statistics(desk, 0);
    g_assert_cmpint(test_int(after, "cases"), ==, 2);
    g_assert_false(json_is_true(test_at(after, "left_out")));
}

/* In both languages, of an empty year and of a full one, the document stands as PDF, and says what is secret. */
static void test_document(Desk *desk, gconstpointer data) {
    (void)data;
    for (int full = 0; full < 2; full++) {
        for (int i = 0; full && i < 7; i++)
            open_case(desk, "incident", "AMBER", i < 6 ? "{'patients': 'none'}" : "{'patients': 'proven'}",
                      NEW_YEAR);
        g_autoptr(json_t) told = statistics(desk, CSIRT_THRESHOLD);
        for (int lang = 0; lang < 2; lang++) {
            g_autoptr(GError) error = NULL;
            g_autoptr(json_t) model = csirt_report(told, desk->team, (VigieLang)lang, &error);
            g_assert_no_error(error);
            g_autofree char *text = document_text(model, &error);
            g_autoptr(GBytes) pdf = document_pdf(model, TEST_NOW, &error);
            g_assert_no_error(error);
            g_assert_null(strchr(text, '{')); /* nothing is left unfilled */
            g_assert_true(full ==
                          (strstr(text, lang == VIGIE_FR ? "mode dégradé" : "degraded mode") != NULL));
            g_assert_nonnull(strstr(text, "2026"));
            g_assert_cmpuint(g_bytes_get_size(pdf), >, 5000);
        }
    }
}

/* The review has the case's label, facts, timeline; and of who declared it, nothing. Who may not see the case gets none. */
static void test_review(Desk *desk, gconstpointer data) {
    (void)data;
    g_autoptr(GError) error = NULL;
    g_auto(VigieOpened) opened = {0};
    g_autoptr(json_t) facts =
        test_json("{'patients': 'potential', 'degraded': true, 'systems': ['patient-record']}");
    g_autoptr(json_t) declarant =
        test_json("{'name': 'Zoé Secrète', 'mail': 'zoe@chu.test', 'phone': '0600000000'}");
    const VigieOpening opening = {.kind = "incident",
                                  .channel = "form",
                                  .source = "open",
                                  .title = "Fichiers chiffrés aux urgences",
                                  .organisation_name = "CHU de Kermarec",
                                  .tlp = "RED",
                                  .facts = facts,
                                  .text = "Le texte du déclarant",
                                  .declarant = declarant};
    csirt_case_open(desk->store, desk->team, &opening, TEST_NOW, &opened, &error);
    g_assert_no_error(error);
    csirt_note_add(desk->store, &test_analyst, opened.id, "note", "Sauvegardes saines", TEST_NOW, &error);
    g_autoptr(json_t) model =
        csirt_review(desk->store, desk->team, &test_analyst, opened.id, VIGIE_FR, TEST_NOW, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(test_text(model, "tlp"), ==, "RED");
    g_autofree char *text = document_text(model, &error);
    static const char *const said[] = {
        "TLP:RED",           "Fichiers chiffrés aux urgences", "CHU de Kermarec", "potentiel", "oui",
        "Sauvegardes saines"};
    static const char *const unsaid[] = {"Zoé", "zoe@", "0600000000", "Le texte du déclarant", "{"};
    for (size_t i = 0; i < G_N_ELEMENTS(said); i++)
        if (!strstr(text, said[i]))
            g_error("no \"%s\" in %s", said[i], text);
    for (size_t i = 0; i < G_N_ELEMENTS(unsaid); i++)
        g_assert_null(strstr(text, unsaid[i]));
    g_autoptr(json_t) none =
        csirt_review(desk->store, desk->team, &test_stranger, opened.id, VIGIE_FR, TEST_NOW, &error);
    g_assert_null(none);
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED);
}

#define ADD(name) g_test_add("/csirt/report/" #name, Desk, NULL, desk_open, test_##name, desk_close)

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    ADD(counts);
    ADD(held_back);
    ADD(left_out);
    ADD(document);
    ADD(review);
    return test_csirt_run(argc, argv);
}
