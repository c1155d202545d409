/* Diagnoses in words: the clock first, every placeholder filled, both languages whole, the healthy reassured. */
#include "seen.h"

#include <string.h>

static VigieRules *rules;

static json_t *diagnose(Seen *seen, VigieLang lang) {
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    record_rules_apply(rules, &seen->record, NOW);
    return record_diagnose(rules, &seen->record, lang, utc, NOW);
}

static const char *text_of(const json_t *diagnosis, size_t cause, const char *member) {
    return json_string_value(
        json_object_get(json_array_get(json_object_get(diagnosis, "causes"), cause), member));
}

static void test_order(void) {
    Seen seen;
    seen_healthy(&seen);
    seen.record.clock_offset = 664;
    seen.leaf.not_after = NOW - 3 * DAY;
    seen.record.trust.verdict = VIGIE_TRUST_EXPIRED;
    g_autoptr(json_t) diagnosis = diagnose(&seen, VIGIE_FR);
    g_assert_cmpstr(json_string_value(json_object_get(diagnosis, "headline")), ==, "2 causes");
    g_assert_true(json_is_false(json_object_get(diagnosis, "healthy")));
    g_assert_cmpstr(text_of(diagnosis, 0, "id"), ==, "clock-skew");
    g_assert_cmpstr(text_of(diagnosis, 1, "id"), ==, "certificate-expired");
    g_assert_nonnull(strstr(text_of(diagnosis, 0, "title"), "avance de 11"));
    g_assert_nonnull(strstr(text_of(diagnosis, 0, "evidence"), "20:26:14"));
    g_assert_nonnull(strstr(text_of(diagnosis, 0, "evidence"), "20:15:10"));
    g_assert_nonnull(strstr(text_of(diagnosis, 0, "ask_dsi"), "automate-02.chu.test:2762"));
    g_assert_nonnull(strstr(text_of(diagnosis, 1, "title"), "il y a 3"));
    g_assert_nonnull(strstr(text_of(diagnosis, 1, "evidence"), "9f:1c:07:e2:…"));
    g_assert_cmpstr(text_of(diagnosis, 1, "severity"), ==, "critical");
    g_assert_cmpuint(json_array_size(json_object_get(diagnosis, "glossary")), >=, 3);
    seen_clear(&seen);
}

/* A wrong clock changes how the dates are explained. */
static void test_own_view(void) {
    Seen seen;
    seen_healthy(&seen);
    seen.record.clock_offset = (VigieTime)946684800 - NOW;
    g_autoptr(json_t) reset = diagnose(&seen, VIGIE_FR);
    g_assert_nonnull(strstr(text_of(reset, 0, "cause"), "pas encore valable"));
    g_assert_nonnull(strstr(text_of(reset, 0, "next"), "ne pas demander de nouveau certificat"));
    seen.record.clock_offset = 400 * DAY;
    g_autoptr(json_t) ahead = diagnose(&seen, VIGIE_EN);
    g_assert_nonnull(strstr(text_of(ahead, 0, "cause"), "By its own time the certificate has expired"));
    g_assert_nonnull(strstr(text_of(ahead, 0, "title"), "ahead"));
    seen.record.clock_offset = -30 * DAY;
    seen.leaf.not_after = NOW - 3 * DAY;
    seen.record.trust.verdict = VIGIE_TRUST_EXPIRED;
    g_autoptr(json_t) hidden = diagnose(&seen, VIGIE_EN);
    g_assert_cmpstr(text_of(hidden, 1, "id"), ==, "certificate-expired");
    g_assert_nonnull(strstr(text_of(hidden, 1, "cause"), "The device does not notice"));
    seen_clear(&seen);
}

static void test_healthy(void) {
    Seen seen;
    seen_healthy(&seen);
    g_autoptr(json_t) diagnosis = diagnose(&seen, VIGIE_FR);
    g_assert_true(json_is_true(json_object_get(diagnosis, "healthy")));
    g_assert_cmpuint(json_array_size(json_object_get(diagnosis, "causes")), ==, 0);
    g_assert_cmpuint(json_array_size(json_object_get(diagnosis, "checks")), ==, 5);
    g_assert_cmpuint(json_array_size(json_object_get(diagnosis, "advice")), ==, 4);
    seen_clear(&seen);
}

/* A remark alone does not alarm. */
static void test_remark(void) {
    Seen seen;
    seen_healthy(&seen);
    seen.record.client_certificate = VIGIE_YES;
    g_autoptr(json_t) diagnosis = diagnose(&seen, VIGIE_EN);
    g_assert_true(json_is_true(json_object_get(diagnosis, "healthy")));
    g_assert_cmpstr(json_string_value(json_object_get(diagnosis, "headline")), ==,
                    "nothing to mend, 1 remark");
    seen_clear(&seen);
}

static void test_interrupted(void) {
    Seen seen;
    seen_healthy(&seen);
    seen_fail(&seen, VIGIE_OUTCOME_INTERRUPTED, "");
    g_autoptr(json_t) diagnosis = diagnose(&seen, VIGIE_EN);
    g_assert_true(json_is_false(json_object_get(diagnosis, "healthy")));
    g_assert_cmpuint(json_array_size(json_object_get(diagnosis, "checks")), ==, 0);
    seen_clear(&seen);
}

/* ---- Every id, from stored evidence ------------------------------------------------------------------------ */
static void no_brace(const json_t *value, const char *where) {
    if (json_is_string(value) && (strpbrk(json_string_value(value), "{}") || json_string_length(value) == 0))
        g_error("%s: \"%s\"", where, json_string_value(value));
    for (size_t i = 0; i < json_array_size(value); i++)
        no_brace(json_array_get(value, i), where);
}

static void explain_all(const char *id, const json_t *evidence) {
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    for (VigieLang lang = VIGIE_FR; lang < VIGIE_LANGS; lang++) {
        g_autoptr(json_t) cause = record_explain(rules, id, VIGIE_SEVERITY_HIGH, evidence, lang, utc, NOW);
        const char *member;
        json_t *value;
        json_object_foreach(cause, member, value) no_brace(value, id);
        g_assert_cmpint(json_integer_value(json_object_get(cause, "order")), >, 0);
        g_assert_cmpstr(record_finding_title(rules, id, lang), !=, id);
    }
}

/* With no evidence at all (an old row of the store), and by every variant. */
static void test_every_id(void) {
    g_autoptr(json_t) diagnosis = vigie_knowledge_json("diagnosis.json", NULL);
    const char *id, *member;
    json_t *entry, *variant, *value;
    size_t i;
    json_object_foreach(diagnosis, id, entry) {
        explain_all(id, NULL);
        json_array_foreach(json_object_get(entry, "variants"), i, variant) {
            g_autoptr(json_t) evidence = json_object();
            json_object_foreach(json_object_get(variant, "when"), member, value)
                json_object_set(evidence, member, json_is_array(value) ? json_array_get(value, 0) : value);
            explain_all(id, evidence);
        }
    }
}

static void test_unknown_id(void) {
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_assert_cmpstr(record_finding_title(rules, "left-handed", VIGIE_FR), ==, "left-handed");
    g_autoptr(json_t) cause =
        record_explain(rules, "left-handed", VIGIE_SEVERITY_LOW, NULL, VIGIE_FR, utc, NOW);
    g_assert_cmpstr(json_string_value(json_object_get(cause, "id")), ==, "left-handed");
}

/* A name reads by its common name; escaped commas and a "CN=" within another value do not mislead. */
static void test_short_names(void) {
    static const char *const names[][2] = {
        {"CN=AC Équipements CHU,O=CHU,C=FR", "AC Équipements CHU"},
        {"O=CHU,CN=AC\\, la seconde+OU=x", "AC, la seconde"},
        {"O=CHU,C=FR", "O=CHU,C=FR"},
        {"O=not CN=this\\,CN", "O=not CN=this\\,CN"},
        {"O=a\\,CN=evil,CN=good", "good"},
        {"O=a\\", "O=a\\"},
        {"CN=", ""},
        {"", ""},
    };
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(json_t) evidence = json_pack("{s:s, s:s}", "subject", names[i][0], "clause", "x");
        g_autoptr(json_t) cause =
            record_explain(rules, "malformed-certificate", VIGIE_SEVERITY_LOW, evidence, VIGIE_EN, utc, NOW);
        g_autofree char *expected = g_strdup_printf("%s; rule broken: “x”", names[i][1]);
        g_assert_cmpstr(json_string_value(json_object_get(cause, "evidence")), ==, expected);
    }
}

/* The clause that a certificate breaks is said in the reader's language, as the rest of the sentence. */
static void test_clause(void) {
    static const char *const said[VIGIE_LANGS] = {
        "\u202f; règle enfreinte\u00a0: «\u00a0RFC 5280 4.1.2.2\u00a0: le numéro de série est zéro\u00a0»",
        "; rule broken: “RFC 5280 4.1.2.2: serial number is zero”"};
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(json_t) evidence =
        json_pack("{s:s, s:s}", "subject", "CN=a", "clause", "RFC 5280 4.1.2.2: serial number is zero");
    for (VigieLang lang = 0; lang < VIGIE_LANGS; lang++) {
        g_autoptr(json_t) cause =
            record_explain(rules, "malformed-certificate", VIGIE_SEVERITY_LOW, evidence, lang, utc, NOW);
        const char *text = json_string_value(json_object_get(cause, "evidence"));
        g_assert_true(g_str_has_suffix(text, said[lang]));
    }
}

/* What a stranger wrote into a certificate stays text: braces in it are not placeholders. */
static void test_hostile_value(void) {
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(json_t) evidence = json_pack("{s:s, s:s}", "wanted", "{names}{target}", "names", "x");
    g_autoptr(json_t) cause =
        record_explain(rules, "name-mismatch", VIGIE_SEVERITY_HIGH, evidence, VIGIE_EN, utc, NOW);
    g_assert_nonnull(strstr(json_string_value(json_object_get(cause, "title")), "{names}{target}"));
}

/* ---- The French of all knowledge: no-break spaces and apostrophes as typography wants them ----------------- */
static void typography(const char *text, const char *where) {
    if (g_regex_match_simple("[[:alpha:]]'[[:alpha:]]", text, 0, 0))
        g_error("%s: a straight apostrophe, tools/typography.py mends it: %s", where, text);
    for (const char *at = text; *at; at = g_utf8_next_char(at)) {
        bool spaced = at[0] == ' ' && at[1] && strchr(":;?!", at[1]) && (at[2] == '\0' || at[2] == ' ');
        if (spaced || g_str_has_prefix(at, "« ") || g_str_has_prefix(at, " »"))
            g_error("%s: an ordinary space where a no-break one is wanted, tools/typography.py mends it: %s",
                    where, text);
    }
}

static void each_french(const json_t *value, const char *where, bool french) {
    const char *member;
    json_t *inner;
    size_t i;
    if (json_is_string(value) && french)
        typography(json_string_value(value), where);
    json_array_foreach((json_t *)value, i, inner) each_french(inner, where, french);
    json_object_foreach((json_t *)value, member, inner)
        each_french(inner, french ? where : member, strcmp(member, "fr") == 0);
}

static void test_typography(void) {
    static const char *const files[] = {"diagnosis.json", "glossary.json"};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(json_t) file = vigie_knowledge_json(files[i], NULL);
        each_french(file, files[i], false);
    }
    static const char *const folders[] = {"words", "csirt"};
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_autofree char *folder = g_build_filename(vigie_knowledge_folder(), folders[i], NULL);
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        for (const char *name; (name = g_dir_read_name(dir)) != NULL;) {
            g_autofree char *path = g_build_filename(folders[i], name, NULL);
            g_autoptr(json_t) file =
                g_str_has_suffix(name, ".json") ? vigie_knowledge_json(path, NULL) : NULL;
            each_french(file, name, false);
        }
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    g_assert_true(vigie_words_load(&error));
    rules = record_rules_load(&error);
    g_assert_no_error(error);
    g_test_add_func("/record/diagnosis/order", test_order);
    g_test_add_func("/record/diagnosis/own-view", test_own_view);
    g_test_add_func("/record/diagnosis/healthy", test_healthy);
    g_test_add_func("/record/diagnosis/remark", test_remark);
    g_test_add_func("/record/diagnosis/interrupted", test_interrupted);
    g_test_add_func("/record/diagnosis/every-id", test_every_id);
    g_test_add_func("/record/diagnosis/unknown-id", test_unknown_id);
    g_test_add_func("/record/diagnosis/short-names", test_short_names);
    g_test_add_func("/record/diagnosis/clause", test_clause);
    g_test_add_func("/record/diagnosis/hostile-value", test_hostile_value);
    g_test_add_func("/record/diagnosis/typography", test_typography);
    int status = g_test_run();
    record_rules_free(rules);
    return status;
}
