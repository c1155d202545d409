/* When surveys are due, over the changes of the clocks. */
#include "daemon/daemon.h"

static VigieSchedule parse(const char *text) {
    g_auto(GStrv) texts = g_strsplit(text, ";", -1);
    VigieSchedule schedule = {0};
    g_autoptr(GError) error = NULL;
    daemon_schedule_parse((const char *const *)texts, &schedule, &error);
    g_assert_no_error(error);
    return schedule;
}

/* Proves the slot before and after a time, in winter, summer, on the days of the change, and by weekday. */
static void test_table(void) {
    static const struct {
        const char *zone, *schedule, *now, *last, *next;
    } cases[] = {
        /* winter: UTC+1; summer: UTC+2 */
        {"Europe/Paris", "02:30", "2026-11-21T20:00:00Z", "2026-11-21T01:30:00Z", "2026-11-22T01:30:00Z"},
        {"Europe/Paris", "02:30", "2026-07-01T00:30:00Z", "2026-07-01T00:30:00Z", "2026-07-02T00:30:00Z"},
        {"Europe/Paris", "02:30", "2026-07-01T00:29:59Z", "2026-06-30T00:30:00Z", "2026-07-01T00:30:00Z"},
        /* 29 March 2026: 02:00 to 03:00 does not exist; the slot is when the gap ends */
        {"Europe/Paris", "02:30", "2026-03-29T12:00:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
        {"Europe/Paris", "02:30", "2026-03-28T12:00:00Z", "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"},
        /* 25 October 2026: 02:30 comes twice, at 00:30Z and 01:30Z; the slot comes once */
        {"Europe/Paris", "02:30", "2026-10-25T12:00:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"},
        {"Europe/Paris", "02:30", "2026-10-25T00:45:00Z", "2026-10-24T00:30:00Z", "2026-10-25T01:30:00Z"},
        /* by weekday: 22 November 2026 is a Sunday */
        {"Europe/Paris", "sun 14:00", "2026-11-22T12:59:59Z", "2026-11-15T13:00:00Z", "2026-11-22T13:00:00Z"},
        {"Europe/Paris", "sun 14:00", "2026-11-22T13:00:00Z", "2026-11-22T13:00:00Z", "2026-11-29T13:00:00Z"},
        {"Europe/Paris", "02:30;sun 14:00", "2026-11-22T20:00:00Z", "2026-11-22T13:00:00Z",
         "2026-11-23T01:30:00Z"},
        /* a zone whose day has begun already, and one whose has not */
        {"Pacific/Auckland", "00:10", "2026-11-21T11:30:00Z", "2026-11-21T11:10:00Z", "2026-11-22T11:10:00Z"},
        {"America/Cayenne", "23:50", "2026-11-21T02:00:00Z", "2026-11-20T02:50:00Z", "2026-11-21T02:50:00Z"},
        /* midnight that does not exist: Cairo, 24 April 2026, 00:00 becomes 01:00 */
        {"Africa/Cairo", "00:00", "2026-04-24T12:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(cases[i].zone);
        VigieSchedule schedule = parse(cases[i].schedule);
        VigieTime now = 0;
        g_assert_true(vigie_time_parse_rfc3339(cases[i].now, &now, NULL));
        g_autofree char *last = vigie_time_rfc3339(daemon_schedule_last(&schedule, zone, now));
        g_autofree char *next = vigie_time_rfc3339(daemon_schedule_next(&schedule, zone, now));
        g_test_message("%s %s at %s", cases[i].zone, cases[i].schedule, cases[i].now);
        g_assert_cmpstr(last, ==, cases[i].last);
        g_assert_cmpstr(next, ==, cases[i].next);
    }
}

/* Proves that in any year of change each local day has one slot, never none or two. */
static void test_every_day(void) {
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("Europe/Paris");
    VigieSchedule schedule = parse("02:30");
    VigieTime now = 1767225600; /* 2026-01-01 */
    for (int day = 0; day < 365; day++) {
        VigieTime next = daemon_schedule_next(&schedule, zone, now);
        g_assert_cmpint(next - now, >, 0);
        g_assert_cmpint(daemon_schedule_last(&schedule, zone, next), ==, next);
        g_assert_cmpint(daemon_schedule_last(&schedule, zone, next - 1), <=, now);
        if (day > 0)
            g_assert_true(next - now >= 82800 && next - now <= 90000);
        now = next;
    }
}

/* Proves that nothing due is said so, and what is not a time is refused with an example. */
static void test_refused(void) {
    g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
    VigieSchedule empty = {0};
    g_assert_cmpint(daemon_schedule_last(&empty, zone, 1000), ==, 0);
    g_assert_cmpint(daemon_schedule_next(&empty, zone, 1000), ==, 0);
    static const char *const wrong[] = {"24:00", "2:30", "02:60",  "02h30", "lun 02:30",
                                        "sun",   "",     "02:30 ", "-1:30"};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        const char *texts[] = {wrong[i], NULL};
        g_autoptr(GError) error = NULL;
        g_assert_false(daemon_schedule_parse(texts, &empty, &error));
        g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
        g_assert_nonnull(strstr(error->message, "as in: 02:30"));
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/schedule/table", test_table);
    g_test_add_func("/daemon/schedule/every-day", test_every_day);
    g_test_add_func("/daemon/schedule/refused", test_refused);
    return g_test_run();
}
