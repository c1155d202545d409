/* Time as people say it, in their language and their zone. */
#include "base/base.h"

static const char *const months[VIGIE_LANGS][12] = {
    [VIGIE_FR] = {"janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.",
                  "déc."},
    [VIGIE_EN] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
};

static GDateTime *in_zone(GTimeZone *zone, VigieTime time) {
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(time);
    return utc ? g_date_time_to_timezone(utc, zone) : NULL;
}

char *vigie_date_text(VigieLang lang, GTimeZone *zone, VigieTime time) {
    g_autoptr(GDateTime) date = in_zone(zone, time);
    if (!date)
        return vigie_time_rfc3339(time);
    return g_strdup_printf("%d%s %s %d", g_date_time_get_day_of_month(date),
                           lang == VIGIE_FR && g_date_time_get_day_of_month(date) == 1 ? "er" : "",
                           months[lang][g_date_time_get_month(date) - 1], g_date_time_get_year(date));
}

char *vigie_date_time_text(VigieLang lang, GTimeZone *zone, VigieTime time) {
    g_autoptr(GDateTime) date = in_zone(zone, time);
    if (!date)
        return vigie_time_rfc3339(time);
    g_autofree char *day = vigie_date_text(lang, zone, time);
    g_autofree char *hour = g_date_time_format(date, "%H:%M:%S %Z");
    return g_strdup_printf("%s %s", day, hour);
}

/* From the largest. */
typedef enum { YEARS, MONTHS, DAYS, HOURS, MINUTES, SECONDS } Unit;
enum { HOUR = 3600, DAY = 86400 };
static const struct {
    int64_t seconds;
    const char *one[VIGIE_LANGS];
    const char *many[VIGIE_LANGS];
} units[] = {
    [YEARS] = {31557600, {"an", "year"}, {"ans", "years"}}, /* of 365.25 days, and a twelfth of it */
    [MONTHS] = {2629800, {"mois", "month"}, {"mois", "months"}},
    [DAYS] = {DAY, {"jour", "day"}, {"jours", "days"}},
    [HOURS] = {HOUR, {"h", "h"}, {"h", "h"}},
    [MINUTES] = {60, {"min", "min"}, {"min", "min"}},
    [SECONDS] = {1, {"s", "s"}, {"s", "s"}},
};

/* A no-break space stands between a number and its unit. */
static char *unit_text(VigieLang lang, Unit unit, int64_t count) {
    bool one = count == 1 || (count == 0 && lang == VIGIE_FR);
    return g_strdup_printf("%" G_GINT64_FORMAT "\u00a0%s", count,
                           one ? units[unit].one[lang] : units[unit].many[lang]);
}

/* The largest of those below a day that fits. */
static Unit short_unit(int64_t seconds) {
    Unit unit = HOURS;
    while (unit < SECONDS && seconds < units[unit].seconds)
        unit++;
    return unit;
}

static int64_t magnitude(int64_t seconds) {
    return seconds == INT64_MIN ? INT64_MAX : ABS(seconds);
}

/* A year and its days, days, or the largest unit that fits with what remains in the next one. Years have 365 days or, one in
 * four, 366: 730 days, and 731, are two of them. */
char *vigie_duration_text(VigieLang lang, int64_t seconds) {
    int64_t length = magnitude(seconds), days = length / DAY, years = days / 365, rest = days % 365;
    if (days > 0 && (years == 0 || rest > years / 4 + 1)) {
        g_autofree char *of_year = unit_text(lang, DAYS, years ? rest : days);
        g_autofree char *whole = years ? unit_text(lang, YEARS, years) : NULL;
        return whole ? g_strdup_printf("%s %s", whole, of_year) : g_steal_pointer(&of_year);
    }
    if (days > 0)
        return unit_text(lang, YEARS, years);
    Unit unit = short_unit(length);
    int64_t remains = unit < SECONDS ? length % units[unit].seconds / units[unit + 1].seconds : 0;
    g_autofree char *first = unit_text(lang, unit, length / units[unit].seconds);
    g_autofree char *second = remains ? unit_text(lang, unit + 1, remains) : NULL;
    return second ? g_strdup_printf("%s %s", first, second) : g_steal_pointer(&first);
}

static int64_t nearest(int64_t seconds, Unit unit) {
    return seconds / units[unit].seconds + (seconds % units[unit].seconds * 2 >= units[unit].seconds);
}

/* How far away, in one unit, for the date stands beside it. Nothing is said to leave more time than it does, except that what lacks
 * an hour of so many days is these; from a year on it is the nearest, in months below two years. */
static char *distance_text(VigieLang lang, int64_t seconds) {
    if (seconds < DAY) {
        Unit unit = short_unit(seconds);
        return unit_text(lang, unit, seconds / units[unit].seconds);
    }
    int64_t days = seconds / DAY + (seconds % DAY >= DAY - HOUR), twelfths = nearest(seconds, MONTHS);
    if (days < 365)
        return unit_text(lang, DAYS, days);
    if (twelfths > 12 && twelfths < 24)
        return unit_text(lang, MONTHS, twelfths);
    return unit_text(lang, YEARS, nearest(seconds, YEARS));
}

char *vigie_when_text(VigieLang lang, GTimeZone *zone, VigieTime time, VigieTime now) {
    int64_t away = 0;
    if (__builtin_sub_overflow(time, now, &away))
        away = INT64_MAX;
    g_autofree char *span = distance_text(lang, magnitude(away));
    g_autofree char *day = vigie_date_text(lang, zone, time);
    const char *key = away > 0 ? "base.when.future" : away < 0 ? "base.when.past" : "base.when.now";
    return vigie_words(lang, key, "span", span, "date", day, NULL);
}
