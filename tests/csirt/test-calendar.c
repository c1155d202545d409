/* Holidays against another way to compute Easter and against known years; opening hours against counting minute by minute; the roster; and the
 * clocks of cases, their starts, ends and states. */
#include "csirt/triage.h"

#include <string.h>

static GTimeZone *paris;

static VigieTime at(const char *text) {
    VigieTime time = 0;
    g_autoptr(GError) error = NULL;
    g_assert_true(vigie_time_parse_rfc3339(text, &time, &error));
    return time;
}

static json_t *parse(const char *text) {
    json_error_t where;
    json_t *value = json_loads(text, 0, &where);
    if (!value)
        g_error("%s: %s", text, where.text);
    return value;
}

static VigieCalendar *calendar_new(const char *team) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) value = parse(team);
    VigieCalendar *calendar = csirt_calendar_new(value, paris, &error);
    g_assert_no_error(error);
    return calendar;
}

#define OFFICE                                                                                               \
    "\"hours\": {\"mon\": \"09:00-18:00\", \"tue\": \"09:00-18:00\", \"wed\": \"09:00-18:00\", \"thu\": "    \
    "\"09:00-18:00\","                                                                                       \
    " \"fri\": \"09:00-17:00\"}"

/* ---- Holidays --------------------------------------------------------------------------------------------- */
/* Gauss's rule, with its two exceptions. */
static void gauss(int year, int *ret_month, int *ret_day) {
    int k = year / 100, p = (13 + 8 * k) / 25, q = k / 4, m = (15 - p + k - q) % 30, n = (4 + k - q) % 7;
    int d = (19 * (year % 19) + m) % 30, e = (2 * (year % 4) + 4 * (year % 7) + 6 * d + n) % 7;
    int day = 22 + d + e;
    if ((d == 29 && e == 6) || (d == 28 && e == 6 && (11 * m + 11) % 30 < 19))
        day -= 7;
    *ret_month = day > 31 ? 4 : 3;
    *ret_day = day > 31 ? day - 31 : day;
}

static void test_easter(void) {
    for (int year = 1583; year <= 4099; year++) {
        int month, day, other_month, other_day;
        csirt_easter(year, &month, &day);
        gauss(year, &other_month, &other_day);
        g_assert_cmpint(month, ==, other_month);
        g_assert_cmpint(day, ==, other_day);
    }
    int month, day;
    csirt_easter(2026, &month, &day);
    g_assert_true(month == 4 && day == 5);
    csirt_easter(2027, &month, &day);
    g_assert_true(month == 3 && day == 28);
}

static int holidays_of(const char *region, int year) {
    int count = 0;
    for (int month = 1; month <= 12; month++)
        for (int day = 1; day <= 31; day++)
            if (g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)year))
                count += csirt_holiday(region, year, month, day) != NULL;
    return count;
}

static void test_holidays(void) {
    static const struct {
        int month, day;
    } of_2026[] = {{1, 1},  {4, 6},  {5, 1},  {5, 8},   {5, 14}, {5, 25},
                   {7, 14}, {8, 15}, {11, 1}, {11, 11}, {12, 25}};
    for (size_t i = 0; i < G_N_ELEMENTS(of_2026); i++)
        g_assert_nonnull(csirt_holiday("metropole", 2026, of_2026[i].month, of_2026[i].day));
    g_assert_cmpint(holidays_of("metropole", 2026), ==, 11);
    g_assert_cmpint(holidays_of("alsace-moselle", 2026), ==, 13);
    g_assert_nonnull(csirt_holiday("alsace-moselle", 2026, 4, 3));
    g_assert_nonnull(csirt_holiday("alsace-moselle", 2026, 12, 26));
    static const char *const overseas[] = {"guadeloupe", "guyane",           "martinique",  "mayotte",
                                           "reunion",    "saint-barthelemy", "saint-martin"};
    for (size_t i = 0; i < G_N_ELEMENTS(overseas); i++)
        g_assert_cmpint(holidays_of(overseas[i], 2026), ==, 12);
    g_assert_nonnull(csirt_holiday("reunion", 2026, 12, 20));
    g_assert_null(csirt_holiday("metropole", 2026, 12, 20));
    /* In 2008 Ascension fell on 1 May: ten days. */
    g_assert_cmpint(holidays_of("metropole", 2008), ==, 10);
    g_assert_null(csirt_holiday("none", 2026, 1, 1));
    g_assert_null(csirt_holiday("metropole", 2026, 2, 30));
}

/* ---- Hours ------------------------------------------------------------------------------------------------ */
static void test_open(void) {
    g_autoptr(VigieCalendar) calendar = calendar_new("{" OFFICE ", \"closed\": [\"2026-12-24\"]}");
    static const struct {
        const char *time;
        bool open;
    } times[] = {
        {"2026-11-20T09:00:00+01:00", true},  {"2026-11-20T08:59:59+01:00", false},
        {"2026-11-20T16:59:59+01:00", true},  {"2026-11-20T17:00:00+01:00", false},
        {"2026-11-21T12:00:00+01:00", false}, {"2026-11-11T12:00:00+01:00", false},
        {"2026-12-24T12:00:00+01:00", false}, {"2026-07-15T09:00:00+02:00", true},
        {"2026-07-15T08:30:00+02:00", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(times); i++)
        if (csirt_calendar_open_at(calendar, at(times[i].time)) != times[i].open)
            g_error("%s", times[i].time);
}

static void adds_days(const char *team, const char *start, int days, const char *due) {
    g_autoptr(VigieCalendar) calendar = calendar_new(team);
    g_autofree char *got = vigie_time_rfc3339(csirt_calendar_add_days(calendar, at(start), days));
    g_autofree char *expected = vigie_time_rfc3339(at(due));
    g_assert_cmpstr(got, ==, expected);
}

static void test_add_days(void) {
    static const char office[] = "{" OFFICE "}";
    adds_days(office, "2026-11-17T10:30:00+01:00", 1, "2026-11-18T10:30:00+01:00");
    adds_days(office, "2026-11-20T19:00:00+01:00", 1,
              "2026-11-24T09:00:00+01:00"); /* Friday evening: Monday is day 0 */
    adds_days(office, "2026-11-19T17:45:00+01:00", 1,
              "2026-11-20T17:00:00+01:00"); /* Friday closes earlier */
    adds_days(office, "2026-11-20T10:00:00+01:00", 1, "2026-11-23T10:00:00+01:00");
    adds_days(office, "2026-04-30T10:00:00+02:00", 1, "2026-05-04T10:00:00+02:00"); /* 1 May is a Friday */
    adds_days(office, "2026-03-27T10:00:00+01:00", 1,
              "2026-03-30T10:00:00+02:00"); /* summer time begins between */
    adds_days(office, "2026-10-23T10:00:00+02:00", 1, "2026-10-26T10:00:00+01:00"); /* and ends */
    adds_days(office, "2026-11-20T10:00:00+01:00", 10, "2026-12-04T10:00:00+01:00");
    adds_days("{" OFFICE ", \"closed\": [\"2026-12-24\", \"2026-12-28\"]}", "2026-12-23T10:00:00+01:00", 1,
              "2026-12-29T10:00:00+01:00");
    adds_days("{" OFFICE ", \"holidays\": \"none\"}", "2026-12-24T10:00:00+01:00", 1,
              "2026-12-25T10:00:00+01:00");
    adds_days("{\"hours\": {\"mon\": \"09:00-12:00 14:00-18:00\", \"tue\": \"14:00-18:00\"}}",
              "2026-11-23T10:00:00+01:00", 1, "2026-11-24T14:00:00+01:00");
    g_autoptr(VigieCalendar) never = calendar_new("{\"hours\": {}}");
    g_assert_cmpint(csirt_calendar_add_days(never, at("2026-11-20T10:00:00Z"), 1), ==, 0);
    g_assert_cmpint(csirt_calendar_opening(never, at("2026-11-20T10:00:00Z")), ==, 0);
}

/* Open time spent, against counting the open minutes one by one. */
static void test_add_open(void) {
    static const char *const teams[] = {"{" OFFICE "}",
                                        "{\"hours\": {\"sat\": \"20:00-24:00\", \"sun\": \"00:00-06:30 "
                                        "07:00-24:00\", \"mon\": \"00:00-01:00\"}, \"holidays\": \"none\"}"};
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    for (size_t i = 0; i < G_N_ELEMENTS(teams); i++) {
        g_autoptr(VigieCalendar) calendar = calendar_new(teams[i]);
        for (int round = 0; round < 30; round++) {
            VigieTime start = at("2026-03-20T00:00:00Z") + 60 * g_rand_int_range(random, 0, 20000),
                      time = start;
            int minutes = g_rand_int_range(random, 1, 1200), left = minutes;
            for (; left > 0; time += 60)
                left -= csirt_calendar_open_at(calendar, time);
            g_assert_cmpint(csirt_calendar_add_open(calendar, start, minutes * 60), ==, time);
        }
    }
    g_autoptr(VigieCalendar) always = calendar_new(
        "{\"hours\": {\"mon\": \"00:00-24:00\", \"tue\": \"00:00-24:00\", \"wed\": \"00:00-24:00\", \"thu\":"
        " \"00:00-24:00\", \"fri\": \"00:00-24:00\", \"sat\": \"00:00-24:00\", \"sun\": \"00:00-24:00\"},"
        " \"holidays\": \"none\"}");
    VigieTime start = at("2026-03-28T12:00:00+01:00");
    g_assert_cmpint(csirt_calendar_add_open(always, start, 86400), ==, start + 86400);
}

static void test_team_refusals(void) {
    static const char *const wrong[][2] = {
        {"{}", "hours"},
        {"{\"hours\": {\"lundi\": \"09:00-18:00\"}}", "lundi"},
        {"{\"hours\": {\"mon\": \"9:00-18:00\"}}", "mon"},
        {"{\"hours\": {\"mon\": \"18:00-09:00\"}}", "mon"},
        {"{\"hours\": {\"mon\": \"09:00-12:00 11:00-18:00\"}}", "mon"},
        {"{\"hours\": {\"mon\": \"09:00-24:01\"}}", "mon"},
        {"{\"hours\": {\"mon\": 9}}", "mon"},
        {"{\"hours\": {}, \"closed\": [\"2026-02-30\"]}", "closed"},
        {"{\"hours\": {}, \"closed\": \"2026-02-28\"}", "closed"},
        {"{\"hours\": {}, \"holidays\": \"corse\"}", "holidays"},
        {"{\"hours\": {}, \"urgent\": \"always\"}", "urgent"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(json_t) team = parse(wrong[i][0]);
        g_autoptr(VigieCalendar) calendar = csirt_calendar_new(team, paris, &error);
        g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
        g_assert_nonnull(strstr(error->message, wrong[i][1]));
    }
}

/* ---- Roster ----------------------------------------------------------------------------------------------- */
static void on_call(const json_t *roster, const char *time, const char *name, const char *until) {
    g_autoptr(json_t) person = csirt_roster_at(roster, paris, at(time));
    if (!name) {
        g_assert_null(person);
        return;
    }
    g_assert_cmpstr(json_string_value(json_object_get(person, "name")), ==, name);
    g_assert_cmpint(at(json_string_value(json_object_get(person, "until"))), ==, at(until));
}

static void test_roster(void) {
    g_autoptr(json_t) roster =
        parse("[{\"rotation\": [{\"name\": \"A\", \"phone\": \"1\"}, {\"name\": \"B\"}, {\"name\": \"C\"}],"
              " \"from\": \"2026-03-16T09:00:00+01:00\", \"days\": 7},"
              " {\"name\": \"D\", \"from\": \"2026-03-25T18:00:00+01:00\", \"until\": "
              "\"2026-03-26T09:00:00+01:00\"}]");
    g_assert_true(csirt_roster_check(roster, NULL));
    on_call(roster, "2026-03-16T08:59:59+01:00", NULL, NULL);
    on_call(roster, "2026-03-16T09:00:00+01:00", "A", "2026-03-23T09:00:00+01:00");
    on_call(roster, "2026-03-23T09:00:00+01:00", "B", "2026-03-25T18:00:00+01:00"); /* until the exchange */
    on_call(roster, "2026-03-25T18:00:00+01:00", "D", "2026-03-26T09:00:00+01:00");
    on_call(roster, "2026-03-26T09:00:00+01:00", "B",
            "2026-03-30T09:00:00+02:00"); /* nine o'clock of the wall, in summer too */
    on_call(roster, "2026-03-30T08:30:00+02:00", "B", "2026-03-30T09:00:00+02:00");
    on_call(roster, "2026-03-30T09:00:00+02:00", "C", "2026-04-06T09:00:00+02:00");
    on_call(roster, "2026-04-06T09:00:00+02:00", "A", "2026-04-13T09:00:00+02:00");
    on_call(roster, "2046-04-06T09:00:00+02:00", "C", "2046-04-09T09:00:00+02:00");
    g_autoptr(json_t) none = json_array();
    on_call(none, "2026-03-30T09:00:00+02:00", NULL, NULL);
    static const char *const wrong[] = {
        "{}",
        "[{\"name\": \"A\"}]",
        "[{\"name\": \"A\", \"from\": \"2026-01-01T00:00:00Z\", \"until\": \"2026-01-01T00:00:00Z\"}]",
        "[{\"rotation\": [], \"from\": \"2026-01-01T00:00:00Z\", \"days\": 7}]",
        "[{\"rotation\": [{\"name\": \"A\"}], \"from\": \"2026-01-01T00:00:00Z\", \"days\": 0}]",
        "[{\"name\": 3, \"from\": \"2026-01-01T00:00:00Z\", \"until\": \"2026-01-02T00:00:00Z\"}]"};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(json_t) value = parse(wrong[i]);
        g_assert_false(csirt_roster_check(value, &error));
        g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
    }
}

/* ---- Clocks ----------------------------------------------------------------------------------------------- */
static json_t *clock_named(const json_t *clocks, const char *id) {
    for (size_t i = 0; i < json_array_size(clocks); i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(clocks, i), "id")), id) == 0)
            return json_array_get(clocks, i);
    return NULL;
}

/* The state of a clock, and when it is due; "" for a clock that is not called for, NULL for no time. */
static void clock_is(const char *facts, const char *events, const char *now, const char *id,
                     const char *state, const char *due) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieCalendar) calendar = calendar_new("{" OFFICE ", \"urgent\": \"24/7\"}");
    g_autoptr(json_t) facts_value = parse(facts), events_value = parse(events);
    g_autoptr(json_t) clocks = csirt_clocks(facts_value, events_value, calendar, at(now), &error);
    g_assert_no_error(error);
    const json_t *clock = clock_named(clocks, id);
    g_assert_true(!*state == !clock);
    if (!clock)
        return;
    g_assert_cmpstr(json_string_value(json_object_get(clock, "state")), ==, state);
    const char *got = json_string_value(json_object_get(clock, "due"));
    g_assert_true(!due == !got);
    if (due)
        g_assert_cmpint(at(got), ==, at(due));
    bool counting = due && (strcmp(state, "late") == 0 || strcmp(state, "running") == 0);
    g_assert_true(json_is_integer(json_object_get(clock, "left")) == counting);
    if (counting)
        g_assert_cmpint(json_integer_value(json_object_get(clock, "left")), ==, at(due) - at(now));
    g_assert_true(json_is_boolean(json_object_get(clock, "on_time")) == (strcmp(state, "met") == 0));
}

static void test_promises(void) {
    static const char friday[] = "{\"received\": \"2026-11-20T19:00:00+01:00\"}";
    clock_is("{}", friday, "2026-11-21T10:00:00+01:00", "first-answer", "running",
             "2026-11-24T09:00:00+01:00");
    clock_is("{}", friday, "2026-11-24T09:00:01+01:00", "first-answer", "late", "2026-11-24T09:00:00+01:00");
    clock_is("{}", friday, "2026-11-21T10:00:00+01:00", "urgent-answer", "", NULL);
    clock_is("{\"urgent\": true}", friday, "2026-11-20T19:10:00+01:00", "urgent-answer", "running",
             "2026-11-20T20:00:00+01:00");
    clock_is("{}",
             "{\"received\": \"2026-11-20T19:00:00+01:00\", \"answered\": \"2026-11-20T19:30:00+01:00\"}",
             "2026-12-20T10:00:00+01:00", "first-answer", "met", "2026-11-24T09:00:00+01:00");
    clock_is("{}",
             "{\"received\": \"2026-11-20T19:00:00+01:00\", \"rejected\": \"2026-11-21T19:30:00+01:00\"}",
             "2026-12-20T10:00:00+01:00", "first-answer", "stopped", "2026-11-24T09:00:00+01:00");
    clock_is("{}", "{\"received\": null}", "2026-12-20T10:00:00+01:00", "first-answer", "not-started", NULL);
}

static void test_legal(void) {
    static const char facts[] =
        "{\"kind\": \"incident\", \"significant\": true, \"status\": \"essential\", \"personal_data\": true,"
        " \"reportable\": [\"functioning\"]}";
    static const char found[] =
        "{\"received\": \"2026-11-20T19:00:00+01:00\", \"found\": \"2026-11-20T08:00:00+01:00\"}";
    clock_is(facts, found, "2026-11-21T07:00:00+01:00", "nis2-early-warning", "running",
             "2026-11-21T08:00:00+01:00");
    clock_is(facts, found, "2026-11-21T09:00:00+01:00", "nis2-early-warning", "late",
             "2026-11-21T08:00:00+01:00");
    clock_is(facts, found, "2026-11-21T09:00:00+01:00", "nis2-notification", "running",
             "2026-11-23T08:00:00+01:00");
    clock_is(facts, found, "2026-11-21T09:00:00+01:00", "cnil", "running", "2026-11-23T08:00:00+01:00");
    clock_is(facts, found, "2026-11-21T09:00:00+01:00", "ans-declaration", "running", NULL);
    clock_is(facts, found, "2026-11-21T09:00:00+01:00", "nis2-report", "not-started", NULL);
    clock_is(facts, "{\"nis2-notified\": \"2026-01-31T08:00:00+01:00\"}", "2026-02-01T09:00:00+01:00",
             "nis2-report", "running", "2026-02-28T08:00:00+01:00");
    clock_is(facts, "{\"nis2-notified\": \"2026-03-15T08:00:00+01:00\"}", "2026-03-16T09:00:00+01:00",
             "nis2-report", "running", "2026-04-15T08:00:00+02:00");
    clock_is("{\"significant\": true, \"status\": \"other\"}", found, "2026-11-21T09:00:00+01:00",
             "nis2-early-warning", "", NULL);
    clock_is("{\"kind\": \"incident\"}", found, "2026-11-21T09:00:00+01:00", "cnil", "", NULL);
    /* Closing the case at the CSIRT ends no duty of the declarant. */
    clock_is(facts, "{\"found\": \"2026-11-20T08:00:00+01:00\", \"closed\": \"2026-11-20T09:00:00+01:00\"}",
             "2026-11-21T09:00:00+01:00", "nis2-early-warning", "late", "2026-11-21T08:00:00+01:00");
    clock_is(facts,
             "{\"found\": \"2026-11-20T08:00:00+01:00\", \"cnil-notified\": \"2026-11-29T09:00:00+01:00\"}",
             "2026-12-21T09:00:00+01:00", "cnil", "met", "2026-11-23T08:00:00+01:00");
}

static void test_met_late(void) {
    g_autoptr(VigieCalendar) calendar = calendar_new("{" OFFICE "}");
    g_autoptr(json_t) facts = parse("{\"personal_data\": true}");
    g_autoptr(json_t) events =
        parse("{\"found\": \"2026-11-20T08:00:00Z\", \"cnil-notified\": \"2026-11-23T08:00:01Z\"}");
    g_autoptr(json_t) clocks = csirt_clocks(facts, events, calendar, at("2026-12-01T00:00:00Z"), NULL);
    g_assert_true(json_is_false(json_object_get(clock_named(clocks, "cnil"), "on_time")));
    json_object_set_new(events, "cnil-notified", json_string("2026-11-23T08:00:00Z"));
    g_autoptr(json_t) again = csirt_clocks(facts, events, calendar, at("2026-12-01T00:00:00Z"), NULL);
    g_assert_true(json_is_true(json_object_get(clock_named(again, "cnil"), "on_time")));
    g_autoptr(GError) error = NULL;
    json_object_set_new(events, "lunch", json_string("2026-11-23T08:00:00Z"));
    g_assert_null(csirt_clocks(facts, events, calendar, 0, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    if (!csirt_rules_load(&error))
        g_error("%s", error->message);
    paris = g_time_zone_new_identifier("Europe/Paris");
    g_test_add_func("/calendar/easter", test_easter);
    g_test_add_func("/calendar/holidays", test_holidays);
    g_test_add_func("/calendar/open", test_open);
    g_test_add_func("/calendar/add-days", test_add_days);
    g_test_add_func("/calendar/add-open", test_add_open);
    g_test_add_func("/calendar/refusals", test_team_refusals);
    g_test_add_func("/roster/turns", test_roster);
    g_test_add_func("/clocks/promises", test_promises);
    g_test_add_func("/clocks/legal", test_legal);
    g_test_add_func("/clocks/met-late", test_met_late);
    int status = g_test_run();
    g_time_zone_unref(paris);
    return status;
}
