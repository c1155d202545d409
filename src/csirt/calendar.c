/* Opening hours, closing days and French public holidays, on the wall clock of the team's time zone. */
#include "csirt/calendar.h"

#include <string.h>

enum { INTERVALS_MAX = 4, DAY_MINUTES = 24 * 60, HORIZON_DAYS = 731, CLOSED_MAX = 1000 };

typedef struct {
    int open, close; /* minutes of the day */
} Interval;

struct VigieCalendar {
    GTimeZone *zone;
    Interval week[7][INTERVALS_MAX]; /* from Monday; an interval of no length is none */
    GHashTable *closed;              /* "2026-12-24" */
    char *region;                    /* "" where holidays do not matter */
    bool urgent_any_time;
};

/* A day of the wall clock. */
typedef struct {
    int year, month, day;
} Day;

/* ---- Holidays --------------------------------------------------------------------------------------------- */
/* Butcher's method, as Meeus gives it (Astronomical Algorithms, chapter 8): each step is a remainder of the Gregorian rules. */
void csirt_easter(int year, int *ret_month, int *ret_day) {
    int golden = year % 19, century = year / 100, rest = year % 100;
    int epact = (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15) % 30;
    int weekday = (32 + 2 * (century % 4) + 2 * (rest / 4) - epact - rest % 4) % 7;
    int correction = (golden + 11 * epact + 22 * weekday) / 451;
    int n = epact + weekday - 7 * correction + 114;
    *ret_month = n / 31;
    *ret_day = n % 31 + 1;
}

static bool applies(const json_t *holiday, const char *region) {
    const json_t *regions = json_object_get(holiday, "regions");
    for (size_t i = 0; i < json_array_size(regions); i++)
        if (strcmp(json_string_value(json_array_get(regions, i)), region) == 0)
            return true;
    return !regions;
}

static bool falls_on(const json_t *holiday, const GDate *day, const GDate *easter) {
    const json_t *offset = json_object_get(holiday, "easter");
    if (offset)
        return g_date_days_between(easter, day) == json_integer_value(offset);
    return (json_int_t)g_date_get_month(day) == json_integer_value(json_object_get(holiday, "month")) &&
           g_date_get_day(day) == json_integer_value(json_object_get(holiday, "day"));
}

const json_t *csirt_holiday(const char *region, int year, int month, int day) {
    const json_t *data = rules(RULES_HOLIDAYS), *list = json_object_get(data, "holidays");
    int easter_month, easter_day;
    GDate date, easter;
    if (!g_date_valid_dmy((GDateDay)CLAMP(day, 0, 99), (GDateMonth)CLAMP(month, 0, 99),
                          (GDateYear)CLAMP(year, 0, 9999)))
        return NULL;
    csirt_easter(year, &easter_month, &easter_day);
    g_date_set_dmy(&date, (GDateDay)day, (GDateMonth)month, (GDateYear)year);
    g_date_set_dmy(&easter, (GDateDay)easter_day, (GDateMonth)easter_month, (GDateYear)year);
    if (!json_object_get(json_object_get(data, "regions"), region))
        return NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *holiday = json_array_get(list, i);
        if (applies(holiday, region) && falls_on(holiday, &date, &easter))
            return json_object_get(holiday, "text");
    }
    return NULL;
}

bool holidays_load(const json_t *data, GError **error) {
    const json_t *regions = json_object_get(data, "regions"), *list = json_object_get(data, "holidays");
    const char *name = NULL;
    json_t *texts = NULL;
    if (!rules_members(data, "regions!o holidays!a", "holidays", error))
        return false;
    json_object_foreach((json_t *)regions, name, texts) if (!rules_texts(texts, name, error)) return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *holiday = json_array_get(list, i), *where = json_object_get(holiday, "regions");
        json_int_t month = json_integer_value(json_object_get(holiday, "month")),
                   day = json_integer_value(json_object_get(holiday, "day"));
        bool movable = json_is_integer(json_object_get(holiday, "easter"));
        if (!rules_members(holiday, "month?i day?i easter?i regions?a text!t", "holidays", error))
            return false;
        if (movable == g_date_valid_dmy((GDateDay)CLAMP(day, 0, 99), (GDateMonth)CLAMP(month, 0, 99), 2027))
            return rules_refuse(error, "holidays",
                                "a day has either \"month\" and \"day\", or days from \"easter\"");
        for (size_t j = 0; j < json_array_size(where); j++)
            if (!json_object_get(regions, json_string_value(json_array_get(where, j))))
                return rules_refuse(error, "holidays", "\"regions\" has one that is not declared above");
    }
    return true;
}

/* ---- The team's hours ------------------------------------------------------------------------------------- */
static const char *const day_names[7] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

/* "09:00" to minutes; -1 where it is none. 24:00 is the day's end. */
static int read_minutes(const char *text) {
    if (strlen(text) < 5 || text[2] != ':')
        return -1;
    for (int i = 0; i < 5; i++)
        if (i != 2 && !g_ascii_isdigit(text[i]))
            return -1;
    int hours = (text[0] - '0') * 10 + text[1] - '0', minutes = (text[3] - '0') * 10 + text[4] - '0';
    int all = hours * 60 + minutes;
    return minutes < 60 && all <= DAY_MINUTES ? all : -1;
}

/* "09:00-12:30 13:30-18:00" */
static bool read_day(const char *text, Interval *intervals) {
    g_auto(GStrv) parts = g_strsplit(text, " ", INTERVALS_MAX + 1);
    int before = 0;
    if (g_strv_length(parts) > INTERVALS_MAX)
        return false;
    for (size_t i = 0; parts[i]; i++) {
        int open = read_minutes(parts[i]),
            close = strlen(parts[i]) == 11 && parts[i][5] == '-' ? read_minutes(parts[i] + 6) : -1;
        if (open < before || close <= open)
            return false;
        intervals[i] = (Interval){open, close};
        before = close;
    }
    return true;
}

static bool read_hours(VigieCalendar *calendar, const json_t *hours, GError **error) {
    const char *name = NULL;
    json_t *value = NULL;
    if (!json_is_object(hours))
        return rules_refuse(error, "hours", "opening hours are wanted, as { \"mon\": \"09:00-18:00\" }");
    json_object_foreach((json_t *)hours, name, value) {
        int day = 0;
        while (day < 7 && strcmp(day_names[day], name) != 0)
            day++;
        g_autofree char *where = g_strdup_printf("hours, “%.8s”", name);
        if (day == 7)
            return rules_refuse(error, where, "the days are mon tue wed thu fri sat sun");
        if (!json_is_string(value) || !read_day(json_string_value(value), calendar->week[day]))
            return rules_refuse(error, where,
                                "times in rising order are wanted, as “09:00-12:30 13:30-18:00”");
    }
    return true;
}

static bool read_closed(VigieCalendar *calendar, const json_t *closed, GError **error) {
    if (closed && (!json_is_array(closed) || json_array_size(closed) > CLOSED_MAX))
        return rules_refuse(error, "closed", "a list of days is wanted, 1,000 at most");
    for (size_t i = 0; i < json_array_size(closed); i++) {
        const char *day = json_string_value(json_array_get(closed, i));
        g_autofree char *noon = g_strdup_printf("%sT12:00:00Z", day ? day : "");
        VigieTime time;
        if (!day || strlen(day) != 10 || !vigie_time_parse_rfc3339(noon, &time, NULL))
            return rules_refuse(error, "closed", "days are wanted, as \"2026-12-24\"");
        g_hash_table_add(calendar->closed, g_strdup(day));
    }
    return true;
}

static bool read_region(VigieCalendar *calendar, const json_t *holidays, GError **error) {
    const json_t *regions = json_object_get(rules(RULES_HOLIDAYS), "regions");
    const char *region = holidays ? json_string_value(holidays) : "metropole";
    if (!region || (strcmp(region, "none") != 0 && !json_object_get(regions, region)))
        return rules_refuse(error, "holidays",
                            "a region of holidays.json is wanted, as \"metropole\", or \"none\"");
    calendar->region = g_strdup(strcmp(region, "none") == 0 ? "" : region);
    return true;
}

static bool read_urgent(VigieCalendar *calendar, const json_t *urgent, GError **error) {
    const char *text = urgent ? json_string_value(urgent) : "hours";
    if (!text || (strcmp(text, "24/7") != 0 && strcmp(text, "hours") != 0))
        return rules_refuse(error, "urgent", "\"24/7\" or \"hours\" is wanted");
    calendar->urgent_any_time = strcmp(text, "24/7") == 0;
    return true;
}

VigieCalendar *csirt_calendar_new(const json_t *team, GTimeZone *zone, GError **error) {
    g_autoptr(VigieCalendar) calendar = g_new0(VigieCalendar, 1);
    calendar->zone = g_time_zone_ref(zone);
    calendar->closed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (!read_hours(calendar, json_object_get(team, "hours"), error) ||
        !read_closed(calendar, json_object_get(team, "closed"), error) ||
        !read_region(calendar, json_object_get(team, "holidays"), error) ||
        !read_urgent(calendar, json_object_get(team, "urgent"), error))
        return NULL;
    return g_steal_pointer(&calendar);
}

void csirt_calendar_free(VigieCalendar *calendar) {
    if (!calendar)
        return;
    g_time_zone_unref(calendar->zone);
    g_hash_table_unref(calendar->closed);
    g_free(calendar->region);
    g_free(calendar);
}

GTimeZone *calendar_zone(const VigieCalendar *calendar) {
    return calendar->zone;
}

bool calendar_urgent_any_time(const VigieCalendar *calendar) {
    return calendar->urgent_any_time;
}

/* ---- Days and their intervals ----------------------------------------------------------------------------- */
static Day day_of(const VigieCalendar *calendar, VigieTime time, int *ret_seconds) {
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(time);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, calendar->zone);
    Day day;
    g_date_time_get_ymd(local, &day.year, &day.month, &day.day);
    if (ret_seconds)
        *ret_seconds = (g_date_time_get_hour(local) * 60 + g_date_time_get_minute(local)) * 60 +
                       g_date_time_get_second(local);
    return day;
}

static Day next_day(Day day) {
    GDate date;
    g_date_set_dmy(&date, (GDateDay)day.day, (GDateMonth)day.month, (GDateYear)day.year);
    g_date_add_days(&date, 1);
    return (Day){g_date_get_year(&date), (int)g_date_get_month(&date), g_date_get_day(&date)};
}

/* When the wall clock shows so many seconds after midnight; in the hour that is skipped, when it ends. */
static VigieTime time_at(const VigieCalendar *calendar, Day day, int seconds) {
    if (seconds >= DAY_MINUTES * 60) {
        day = next_day(day);
        seconds -= DAY_MINUTES * 60;
    }
    g_autoptr(GDateTime) local = g_date_time_new(calendar->zone, day.year, day.month, day.day, seconds / 3600,
                                                 seconds / 60 % 60, seconds % 60);
    return g_date_time_to_unix(local);
}

/* The intervals of a day, NULL where the team is closed on it. */
static const Interval *intervals_of(const VigieCalendar *calendar, Day day) {
    GDate date;
    g_date_set_dmy(&date, (GDateDay)day.day, (GDateMonth)day.month, (GDateYear)day.year);
    const Interval *intervals = calendar->week[g_date_get_weekday(&date) - 1];
    g_autofree char *name = g_strdup_printf("%04d-%02d-%02d", day.year, day.month, day.day);
    if (intervals[0].close == 0 || g_hash_table_contains(calendar->closed, name) ||
        csirt_holiday(calendar->region, day.year, day.month, day.day))
        return NULL;
    return intervals;
}

/* Walks the open intervals from `start` on until `visit` says that it is enough; false where the horizon comes first. */
typedef bool (*Visit)(VigieTime open, VigieTime close, void *data);

static bool walk(const VigieCalendar *calendar, VigieTime start, Visit visit, void *data) {
    Day day = day_of(calendar, start, NULL);
    for (int i = 0; i < HORIZON_DAYS; i++, day = next_day(day)) {
        const Interval *intervals = intervals_of(calendar, day);
        for (int j = 0; intervals && j < INTERVALS_MAX && intervals[j].close > 0; j++) {
            VigieTime open = time_at(calendar, day, intervals[j].open * 60);
            VigieTime close = time_at(calendar, day, intervals[j].close * 60);
            if (close > start && visit(MAX(open, start), close, data))
                return true;
        }
    }
    return false;
}

/* ---- Questions -------------------------------------------------------------------------------------------- */
static bool take_first(VigieTime open, VigieTime close, void *data) {
    (void)close;
    *(VigieTime *)data = open;
    return true;
}

VigieTime csirt_calendar_opening(const VigieCalendar *calendar, VigieTime time) {
    VigieTime opening = 0;
    return walk(calendar, time, take_first, &opening) ? opening : 0;
}

bool csirt_calendar_open_at(const VigieCalendar *calendar, VigieTime time) {
    Day day = day_of(calendar, time, NULL);
    const Interval *intervals = intervals_of(calendar, day);
    for (int j = 0; intervals && j < INTERVALS_MAX && intervals[j].close > 0; j++)
        if (time >= time_at(calendar, day, intervals[j].open * 60) &&
            time < time_at(calendar, day, intervals[j].close * 60))
            return true;
    return false;
}

typedef struct {
    int64_t left;
    VigieTime end;
} Spending;

static bool spend(VigieTime open, VigieTime close, void *data) {
    Spending *spending = data;
    int64_t length = close - open;
    if (length >= spending->left)
        spending->end = open + spending->left;
    spending->left -= length;
    return spending->left <= 0;
}

VigieTime csirt_calendar_add_open(const VigieCalendar *calendar, VigieTime start, int64_t seconds) {
    Spending spending = {.left = seconds};
    if (seconds <= 0)
        return csirt_calendar_opening(calendar, start);
    return walk(calendar, start, spend, &spending) ? spending.end : 0;
}

/* The time of day `seconds` on an open day, moved into its hours. */
static VigieTime within(const VigieCalendar *calendar, Day day, const Interval *intervals, int seconds) {
    int last = 0;
    for (int j = 0; j < INTERVALS_MAX && intervals[j].close > 0; j++) {
        if (seconds < intervals[j].open * 60)
            return time_at(calendar, day, intervals[j].open * 60);
        if (seconds <= intervals[j].close * 60)
            return time_at(calendar, day, seconds);
        last = intervals[j].close * 60;
    }
    return time_at(calendar, day, last);
}

VigieTime csirt_calendar_add_days(const VigieCalendar *calendar, VigieTime start, int days) {
    VigieTime opening = csirt_calendar_opening(calendar, start);
    int seconds = 0;
    if (opening == 0 || days <= 0)
        return opening;
    Day day = day_of(calendar, opening, &seconds);
    for (int i = 0; i < HORIZON_DAYS; i++) {
        day = next_day(day);
        const Interval *intervals = intervals_of(calendar, day);
        if (intervals && --days == 0)
            return within(calendar, day, intervals, seconds);
    }
    return 0;
}
