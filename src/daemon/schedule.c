/* When something is due, in the local time of people, whatever their clocks do. */
#include "daemon/daemon.h"

#include <stdio.h>
#include <string.h>

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static bool parse_slot(const char *text, int *ret_day, int *ret_minute) {
    int day = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(day_names); i++)
        if (g_ascii_strncasecmp(text, day_names[i], 3) == 0 && text[3] == ' ') {
            day = (int)i + 1;
            text += 4;
            break;
        }
    if (strlen(text) != 5 || text[2] != ':')
        return false;
    for (int i = 0; i < 5; i++)
        if (i != 2 && !g_ascii_isdigit(text[i]))
            return false;
    int hour = g_ascii_digit_value(text[0]) * 10 + g_ascii_digit_value(text[1]);
    int minute = g_ascii_digit_value(text[3]) * 10 + g_ascii_digit_value(text[4]);
    if (hour > 23 || minute > 59)
        return false;
    *ret_day = day;
    *ret_minute = hour * 60 + minute;
    return true;
}

bool daemon_schedule_parse(const char *const *texts, VigieSchedule *ret_schedule, GError **error) {
    VigieSchedule schedule = {0};
    for (size_t i = 0; texts[i]; i++) {
        if (i == DAEMON_SLOTS_MAX ||
            !parse_slot(texts[i], &schedule.slots[i].day, &schedule.slots[i].minute)) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "%s: times of the day are wanted, %d at most, as in: 02:30;sun 14:00", texts[i],
                        DAEMON_SLOTS_MAX);
            return false;
        }
        schedule.count = i + 1;
    }
    *ret_schedule = schedule;
    return true;
}

/* The slots of the day that is `shift` days from the one of `now`: the nearest to now on the side asked for. */
static VigieTime nearest(const VigieSchedule *schedule, GTimeZone *zone, VigieTime now, int shift,
                         bool after) {
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(now);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, zone);
    /* noon: adding days to it never meets a change of the clocks */
    g_autoptr(GDateTime) noon =
        g_date_time_new(zone, g_date_time_get_year(local), g_date_time_get_month(local),
                        g_date_time_get_day_of_month(local), 12, 0, 0);
    g_autoptr(GDateTime) day = g_date_time_add_days(noon, shift);
    VigieTime best = 0;
    for (size_t i = 0; i < schedule->count; i++) {
        if (schedule->slots[i].day && schedule->slots[i].day != g_date_time_get_day_of_week(day))
            continue;
        int minute = schedule->slots[i].minute;
        g_autoptr(GDateTime) at =
            g_date_time_new(zone, g_date_time_get_year(day), g_date_time_get_month(day),
                            g_date_time_get_day_of_month(day), minute / 60, minute % 60, 0);
        VigieTime time = g_date_time_to_unix(at);
        if (after ? time > now && (!best || time < best) : time <= now && time > best)
            best = time;
    }
    return best;
}

/* A week and a day: a slot of one weekday, on the day whose hour has not come. */
VigieTime daemon_schedule_last(const VigieSchedule *schedule, GTimeZone *zone, VigieTime now) {
    for (int shift = 0; shift >= -8; shift--) {
        VigieTime time = nearest(schedule, zone, now, shift, false);
        if (time)
            return time;
    }
    return 0;
}

VigieTime daemon_schedule_next(const VigieSchedule *schedule, GTimeZone *zone, VigieTime now) {
    for (int shift = 0; shift <= 8; shift++) {
        VigieTime time = nearest(schedule, zone, now, shift, true);
        if (time)
            return time;
    }
    return 0;
}
