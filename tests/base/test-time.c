#include "base/base.h"

static const VigieTime now = 1795292110; /* 2026-11-21T20:15:10Z */

static void test_rfc3339(void) {
    g_autofree char *text = vigie_time_rfc3339(now);
    g_assert_cmpstr(text, ==, "2026-11-21T20:15:10Z");
    VigieTime time = 0;
    g_autoptr(GError) error = NULL;
    g_assert_true(vigie_time_parse_rfc3339("2026-11-21T21:15:10+01:00", &time, &error));
    g_assert_no_error(error);
    g_assert_cmpint(time, ==, now);
    g_assert_false(vigie_time_parse_rfc3339("21/11/2026", &time, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
    g_assert_nonnull(strstr(error->message, "21/11/2026"));
}

static void test_hostile_years(void) {
    g_autofree char *late = vigie_time_rfc3339(INT64_MAX);
    g_autofree char *early = vigie_time_rfc3339(INT64_MIN);
    g_assert_cmpstr(late, ==, "9999-12-31T23:59:59Z");
    g_assert_cmpstr(early, ==, "0001-01-01T00:00:00Z");
    g_autofree char *span = vigie_duration_text(VIGIE_FR, INT64_MIN);
    g_assert_nonnull(strstr(span, "ans"));
}

static void test_durations(void) {
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } cases[] = {
        {"90 d", 7776000}, {"15min", 900}, {"30s", 30},  {"42", 42},        {"2 h", 7200},
        {"", -1},          {"soon", -1},   {"-3 d", -1}, {"5 parsecs", -1}, {"99999999999999999999 d", -1}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        int64_t seconds = -1;
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(vigie_duration_parse(cases[i].text, &seconds, &error), ==, cases[i].seconds >= 0);
        g_assert_cmpint(seconds, ==, cases[i].seconds);
    }
}

static void test_as_people_say_it(void) {
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("Europe/Paris");
    g_autofree char *ahead = vigie_when_text(VIGIE_FR, zone, now + 12 * 86400, now);
    g_assert_cmpstr(ahead, ==, "dans 12\u00a0jours (3 déc. 2026)");
    g_autofree char *past = vigie_when_text(VIGIE_EN, zone, now - 86400, now);
    g_assert_cmpstr(past, ==, "1\u00a0day ago (20 Nov 2026)");
    g_autofree char *present = vigie_when_text(VIGIE_EN, zone, now, now);
    g_assert_cmpstr(present, ==, "just now (21 Nov 2026)");
    g_autofree char *clock = vigie_duration_text(VIGIE_FR, 664);
    g_assert_cmpstr(clock, ==, "11\u00a0min 4\u00a0s");
    g_autofree char *exact = vigie_date_time_text(VIGIE_FR, zone, now);
    g_assert_cmpstr(exact, ==, "21 nov. 2026 21:15:10 CET");
    g_autofree char *first = vigie_date_text(VIGIE_FR, zone, now + 10 * 86400);
    g_assert_cmpstr(first, ==, "1er déc. 2026");
}

/* With common spaces; takes `text`. */
static char *plain(char *text) {
    g_auto(GStrv) words = g_strsplit(text, "\u00a0", -1);
    g_free(text);
    return g_strjoinv(" ", words);
}

/* What ends in 20 years less a day ends in 20 years, and what was issued for 90 days a moment ago ends in 90. */
static void test_limits(void) {
    g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
    enum { DAY = 86400 };
    static const struct {
        int64_t away;
        const char *texts[VIGIE_LANGS];
    } cases[] = {
        {59, {"59 s", "59 s"}},
        {60, {"1 min", "1 min"}},
        {DAY - 1, {"23 h", "23 h"}},
        {DAY, {"1 jour", "1 day"}},
        {2 * DAY - 3601, {"1 jour", "1 day"}},
        {2 * DAY - 3600, {"2 jours", "2 days"}},
        {90 * DAY - 1, {"90 jours", "90 days"}},
        {364 * DAY, {"364 jours", "364 days"}},
        {365 * DAY - 3600, {"1 an", "1 year"}},
        {380 * DAY, {"1 an", "1 year"}},
        {381 * DAY, {"13 mois", "13 months"}},
        {715 * DAY, {"23 mois", "23 months"}},
        {716 * DAY, {"2 ans", "2 years"}},
        {913 * DAY, {"2 ans", "2 years"}},
        {914 * DAY, {"3 ans", "3 years"}},
        {3650 * DAY, {"10 ans", "10 years"}},
        {7304 * DAY, {"20 ans", "20 years"}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        for (VigieLang lang = 0; lang < VIGIE_LANGS; lang++) {
            g_autofree char *ahead = plain(vigie_when_text(lang, zone, now + cases[i].away, now)),
                            *behind = plain(vigie_when_text(lang, zone, now - cases[i].away, now));
            g_autofree char *later =
                g_strdup_printf("%s%s (", lang == VIGIE_FR ? "dans " : "in ", cases[i].texts[lang]);
            g_autofree char *ago = g_strdup_printf("%s%s%s (", lang == VIGIE_FR ? "il y a " : "",
                                                   cases[i].texts[lang], lang == VIGIE_FR ? "" : " ago");
            if (!g_str_has_prefix(ahead, later) || !g_str_has_prefix(behind, ago))
                g_error("%s and %s, not %s and %s", ahead, behind, later, ago);
        }
}

static void test_lengths(void) {
    static const struct {
        int64_t days;
        const char *text;
    } cases[] = {{0, "0 s"},         {1, "1 day"},      {364, "364 days"},
                 {365, "1 year"},    {366, "1 year"},   {367, "1 year 2 days"},
                 {730, "2 years"},   {1095, "3 years"}, {825, "2 years 95 days"},
                 {7300, "20 years"}, {7305, "20 years"}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = plain(vigie_duration_text(VIGIE_EN, cases[i].days * 86400));
        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    if (!vigie_words_load(&error))
        g_error("%s", error->message);
    g_test_add_func("/time/rfc3339", test_rfc3339);
    g_test_add_func("/time/hostile-years", test_hostile_years);
    g_test_add_func("/time/durations", test_durations);
    g_test_add_func("/time/as-people-say-it", test_as_people_say_it);
    g_test_add_func("/time/limits", test_limits);
    g_test_add_func("/time/lengths", test_lengths);
    return g_test_run();
}
