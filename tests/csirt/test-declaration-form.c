/* The forms of declaration: what they accept, what they refuse and why, what becomes of each answer. */
#include "csirt/declaration-form.h"

#include <string.h>

#define NOW ((VigieTime)1795248000) /* 2026-11-21 08:00 UTC, 09:00 in Paris */

static json_t *forms;
static GTimeZone *zone;

/* name, value pairs, NULL at the end. */
static GHashTable *values(const char *first, ...) G_GNUC_NULL_TERMINATED;
static GHashTable *values(const char *first, ...) {
    GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    va_list rest;
    va_start(rest, first);
    for (const char *name = first; name; name = va_arg(rest, const char *))
        g_hash_table_insert(table, g_strdup(name), g_strdup(va_arg(rest, const char *)));
    va_end(rest);
    return table;
}

static GHashTable *incident(void) {
    return values("organisation", "CHU de Kermarec", "name", "C. Martin", "phone", "02 98 00 00 00", "text",
                  "Le PACS ne répond plus.\r\nDepuis 7 h.", "found", "2026-11-21", "found.hour", "07:10",
                  "patients", "potential", "degraded", "yes", NULL);
}

static void set(GHashTable *table, const char *name, const char *value) {
    g_hash_table_insert(table, g_strdup(name), g_strdup(value));
}

static json_t *check(const char *form, GHashTable *table, json_t **ret_opening) {
    return declaration_form_read(json_object_get(forms, form), table, zone, NOW, ret_opening);
}

/* "field:problem field:problem". */
static char *problems_of(const char *form, GHashTable *table) {
    g_autoptr(json_t) problems = check(form, table, NULL);
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < json_array_size(problems); i++)
        g_string_append_printf(text, "%s%s:%s", i ? " " : "",
                               json_string_value(json_object_get(json_array_get(problems, i), "field")),
                               json_string_value(json_object_get(json_array_get(problems, i), "problem")));
    return g_string_free(text, FALSE);
}

static void assert_problems(const char *form, GHashTable *table, const char *wanted) {
    g_autofree char *found = problems_of(form, table);
    g_assert_cmpstr(found, ==, wanted);
    g_hash_table_unref(table);
}

static const char *text_at(const json_t *object, const char *member) {
    return json_string_value(json_object_get(object, member));
}

/* The essential part alone makes a case: organisation, declarant, text and facts each where they belong; and the facts are facts. */
static void test_essential(void) {
    g_autoptr(GHashTable) table = incident();
    g_autoptr(json_t) opening = NULL;
    g_autoptr(json_t) problems = check("incident", table, &opening);
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(json_array_size(problems), ==, 0);
    const json_t *facts = json_object_get(opening, "facts"),
                 *declarant = json_object_get(opening, "declarant");
    g_assert_cmpstr(text_at(opening, "kind"), ==, "incident");
    g_assert_cmpstr(text_at(opening, "source"), ==, "open");
    g_assert_cmpstr(text_at(opening, "organisation_name"), ==, "CHU de Kermarec");
    g_assert_cmpstr(text_at(opening, "text"), ==, "Le PACS ne répond plus.\nDepuis 7 h.");
    g_assert_cmpstr(text_at(opening, "title"), ==, "CHU de Kermarec – Le PACS ne répond plus.");
    g_assert_cmpstr(text_at(declarant, "phone"), ==, "02 98 00 00 00");
    g_assert_cmpstr(text_at(facts, "found"), ==, "2026-11-21T06:10:00Z");
    g_assert_cmpstr(text_at(facts, "patients"), ==, "potential");
    g_assert_true(json_is_true(json_object_get(facts, "degraded")));
    g_assert_cmpint(json_object_size(facts), ==, 3);
    g_assert_true(csirt_facts_check(facts, &error));
    g_assert_no_error(error);
}

/* Nothing typed: each required field says so, and that nobody could be answered. */
static void test_empty(void) {
    assert_problems("incident", values("x", "y", NULL),
                    "organisation:required name:required text:required found:required patients:required "
                    "degraded:required "
                    "phone:reachable");
    assert_problems("report", values("x", "y", NULL),
                    "source:required about:required touched:required text:required");
    assert_problems("question", values("x", "y", NULL), "text:required name:required mail:reachable");
    GHashTable *blank = incident();
    set(blank, "name", " \t\r\n ");
    assert_problems("incident", blank, "name:required");
}

/* Each kind of wrong answer has its own word, at its field. */
static void test_wrong(void) {
    static const char *const cases[][3] = {
        {"patients", "many", "patients:choice"},   {"degraded", "maybe", "degraded:choice"},
        {"found", "yesterday", "found:time"},      {"found", "31/02/2026", "found:time"},
        {"found.hour", "25:00", "found:time"},     {"found", "2027-01-01", "found:future"},
        {"phone", "the usual one", "phone:phone"}, {"phone", "123", "phone:phone"},
        {"mail", "c.martin", "mail:mail"},         {"mail", "C. Martin <c.martin@chu.test>", "mail:mail"},
        {"beds", "many", "beds:number"},           {"beds", "99999999999999999999", "beds:number"},
        {"finess", "29000001", "finess:pattern"},  {"text", "\xff\xfe", "text:text"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        GHashTable *table = incident();
        set(table, cases[i][0], cases[i][1]);
        assert_problems("incident", table, cases[i][2]);
    }
    GHashTable *table = incident();
    g_autofree char *long_name = g_strnfill(201, 'a');
    set(table, "organisation", long_name);
    assert_problems("incident", table, "organisation:long");
    assert_problems("report",
                    values("source", "unknown", "about", "vulnerability", "touched", "x", "text", "y", NULL),
                    "source:choice");
}

/* Days as people write them; without an hour the day's beginning where the reader lives; a program's RFC 3339. */
static void test_times(void) {
    static const char *const cases[][3] = {
        {"21/11/2026", "", "2026-11-20T23:00:00Z"},
        {"21.11.26", "7h", "2026-11-21T06:00:00Z"},
        {"2026-11-20", "14 h 05", "2026-11-20T13:05:00Z"},
        {"1/7/2026", "12:00", "2026-07-01T10:00:00Z"},
        {"2026-11-21T07:00:00+01:00", "", "2026-11-21T06:00:00Z"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GHashTable) table = incident();
        g_autoptr(json_t) opening = NULL;
        set(table, "found", cases[i][0]);
        set(table, "found.hour", cases[i][1]);
        g_autoptr(json_t) problems = check("incident", table, &opening);
        g_assert_cmpint(json_array_size(problems), ==, 0);
        g_assert_cmpstr(text_at(json_object_get(opening, "facts"), "found"), ==, cases[i][2]);
    }
}

/* "I do not know" answers a required question, and is no fact. */
static void test_unknown(void) {
    g_autoptr(GHashTable) table = incident();
    g_autoptr(json_t) opening = NULL;
    set(table, "patients", "unknown");
    set(table, "degraded", "unknown");
    g_autoptr(json_t) problems = check("incident", table, &opening);
    g_assert_cmpint(json_array_size(problems), ==, 0);
    g_assert_null(json_object_get(json_object_get(opening, "facts"), "patients"));
    g_assert_null(json_object_get(json_object_get(opening, "facts"), "degraded"));
}

/* Of an anonymous report nothing of who sent it is left, whatever was typed; of a protected one it is apart from the facts. */
static void test_anonymous(void) {
    g_autoptr(GHashTable) table = values("source", "anonymous", "about", "incident-report", "touched",
                                         "Clinique X", "text", "Des dossiers sont en vente.", "name",
                                         "Whistle", "mail", "w@h.test", "phone", "0612345678", NULL);
    g_autoptr(json_t) anonymous = NULL, protected = NULL;
    g_autoptr(json_t) none = check("report", table, &anonymous);
    g_autofree char *text = vigie_json_text(anonymous);
    g_assert_cmpint(json_array_size(none), ==, 0);
    g_assert_cmpstr(text_at(anonymous, "kind"), ==, "incident-report");
    g_assert_true(json_is_null(json_object_get(anonymous, "declarant")));
    g_assert_null(strstr(text, "Whistle"));
    g_assert_null(strstr(text, "h.test"));
    g_assert_null(strstr(text, "0612345678"));
    set(table, "source", "protected");
    g_autoptr(json_t) nothing = check("report", table, &protected);
    g_assert_cmpint(json_array_size(nothing), ==, 0);
    g_assert_cmpstr(text_at(json_object_get(protected, "declarant"), "name"), ==, "Whistle");
    json_object_del(protected, "declarant");
    g_autofree char *rest = vigie_json_text(protected);
    g_assert_null(strstr(rest, "Whistle"));
}

/* Every answer of every form at once: all are facts that the case takes. */
static void test_everything(void) {
    const char *name;
    json_t *form;
    json_object_foreach(forms, name, form) {
        g_autoptr(GHashTable) table = values("phone", "0298000000", "mail", "c@chu.test", NULL);
        const json_t *blocks = json_object_get(form, "blocks");
        for (size_t i = 0; i < json_array_size(blocks); i++) {
            const json_t *fields = json_object_get(json_array_get(blocks, i), "fields");
            for (size_t j = 0; j < json_array_size(fields); j++) {
                const json_t *field = json_array_get(fields, j), *choices = json_object_get(field, "values");
                const char *id = text_at(field, "id"), *type = text_at(field, "type");
                const char *first = text_at(json_array_get(choices, 0), "name");
                g_autofree char *key = g_strdup_printf("%s.%s", id, first ? first : "");
                if (strcmp(type, "choices") == 0)
                    set(table, key, "yes");
                else if (!g_hash_table_contains(table, id))
                    set(table, id,
                        strcmp(type, "choice") == 0                               ? first
                        : strcmp(type, "time") == 0                               ? "21/11/2026"
                        : strcmp(type, "flag") == 0 || strcmp(type, "check") == 0 ? "yes"
                        : strcmp(id, "finess") == 0                               ? "290000017"
                                                                                  : "12");
            }
        }
        g_autoptr(json_t) opening = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *wrong = problems_of(name, table);
        g_assert_cmpstr(wrong, ==, "");
        g_autoptr(json_t) problems = check(name, table, &opening);
        g_assert_true(csirt_facts_check(json_object_get(opening, "facts"), &error));
        g_assert_no_error(error);
    }
}

/* Control characters, other line ends and blanks around do not get in; a long first line is cut between characters. */
static void test_clean(void) {
    g_autoptr(GHashTable) table = incident();
    g_autoptr(json_t) opening = NULL;
    set(table, "organisation", "  CHU\x07 de\r\nKermarec\u2028 ");
    g_autoptr(GString) line = g_string_new(NULL);
    for (int i = 0; i < 300; i++)
        g_string_append(line, "é");
    set(table, "text", line->str);
    g_autoptr(json_t) problems = check("incident", table, &opening);
    g_assert_cmpint(json_array_size(problems), ==, 0);
    g_assert_cmpstr(text_at(opening, "organisation_name"), ==, "CHU de Kermarec");
    g_assert_cmpint(g_utf8_strlen(text_at(opening, "title"), -1), ==, 120);
    g_assert_true(g_str_has_suffix(text_at(opening, "title"), "é…"));
}

/* Both languages, on every block, field and value. */
static void test_words(void) {
    const char *name;
    json_t *form;
    json_object_foreach(forms, name, form) {
        const json_t *blocks = json_object_get(form, "blocks");
        for (size_t i = 0; i < json_array_size(blocks); i++) {
            const json_t *block = json_array_get(blocks, i), *fields = json_object_get(block, "fields");
            g_assert_cmpstr(vigie_text_in(VIGIE_EN, json_object_get(block, "text")), !=, "");
            for (size_t j = 0; j < json_array_size(fields); j++) {
                const json_t *field = json_array_get(fields, j), *choices = json_object_get(field, "values");
                g_assert_cmpstr(vigie_text_in(VIGIE_FR, json_object_get(field, "text")), !=, "");
                for (size_t k = 0; k < json_array_size(choices); k++)
                    g_assert_cmpstr(
                        vigie_text_in(VIGIE_EN, json_object_get(json_array_get(choices, k), "text")), !=, "");
            }
        }
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    if (!vigie_words_load(&error) || !csirt_rules_load(&error) || !(forms = declaration_forms_load(&error)))
        g_error("%s", error->message);
    zone = g_time_zone_new_identifier("Europe/Paris");
    g_test_add_func("/form/essential", test_essential);
    g_test_add_func("/form/empty", test_empty);
    g_test_add_func("/form/wrong", test_wrong);
    g_test_add_func("/form/times", test_times);
    g_test_add_func("/form/unknown", test_unknown);
    g_test_add_func("/form/anonymous", test_anonymous);
    g_test_add_func("/form/everything", test_everything);
    g_test_add_func("/form/clean", test_clean);
    g_test_add_func("/form/words", test_words);
    int status = g_test_run();
    json_decref(forms);
    g_time_zone_unref(zone);
    return status;
}
