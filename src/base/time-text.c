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

/* From the largest. A no-break space stands between a number and its unit. */
static const struct {
    int64_t seconds;
    const char *one[VIGIE_LANGS];
    const char *many[VIGIE_LANGS];
} units[] = {
    {31557600, {"an", "year"}, {"ans", "years"}},
    {86400, {"jour", "day"}, {"jours", "days"}},
    {3600, {"h", "h"}, {"h", "h"}},
    {60, {"min", "min"}, {"min", "min"}},
    {1, {"s", "s"}, {"s", "s"}},
};

static void append_unit(GString *out, VigieLang lang, size_t unit, int64_t count) {
    const char *word = count < 2 ? units[unit].one[lang] : units[unit].many[lang];
    if (lang == VIGIE_EN && count == 0)
        word = units[unit].many[lang];
    g_string_append_printf(out, "%s%" G_GINT64_FORMAT "\u00a0%s", out->len > 0 ? " " : "", count, word);
}

/* The largest unit that fits, and the next one below it where `second` and something remains. From a day on,
 * and for seconds, the first unit alone says enough, except a year and its days. */
static char *duration_text(VigieLang lang, int64_t seconds, bool second) {
    GString *out = g_string_new(NULL);
    if (seconds < 0)
        seconds = seconds == INT64_MIN ? INT64_MAX : -seconds;
    size_t unit = 0;
    while (unit + 1 < G_N_ELEMENTS(units) && seconds < units[unit].seconds)
        unit++;
    append_unit(out, lang, unit, seconds / units[unit].seconds);
    int64_t rest = seconds % units[unit].seconds;
    if (second && unit + 1 < G_N_ELEMENTS(units) && units[unit].seconds != 86400 &&
        rest / units[unit + 1].seconds > 0)
        append_unit(out, lang, unit + 1, rest / units[unit + 1].seconds);
    return g_string_free(out, FALSE);
}

char *vigie_duration_text(VigieLang lang, int64_t seconds) {
    return duration_text(lang, seconds, true);
}

char *vigie_when_text(VigieLang lang, GTimeZone *zone, VigieTime time, VigieTime now) {
    int64_t away = 0;
    if (__builtin_sub_overflow(time, now, &away))
        away = INT64_MAX;
    g_autofree char *span = duration_text(lang, away, false);
    g_autofree char *day = vigie_date_text(lang, zone, time);
    const char *key = away > 0 ? "base.when.future" : away < 0 ? "base.when.past" : "base.when.now";
    return vigie_words(lang, key, "span", span, "date", day, NULL);
}
