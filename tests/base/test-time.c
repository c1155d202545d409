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

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    if (!vigie_words_load(&error))
        g_error("%s", error->message);
    g_test_add_func("/time/rfc3339", test_rfc3339);
    g_test_add_func("/time/hostile-years", test_hostile_years);
    g_test_add_func("/time/durations", test_durations);
    g_test_add_func("/time/as-people-say-it", test_as_people_say_it);
    return g_test_run();
}
