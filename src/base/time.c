/* Time as machines write it: RFC 3339, and durations in configuration. */
#include "base/base.h"

#include <string.h>
#include <time.h>

VigieTime vigie_time_now(void) {
    return (VigieTime)time(NULL);
}

static char *put_digits(char *at, int value, int digits) {
    for (int i = digits; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + digits;
}

/* By hand: every record has times, and GDateTime takes a microsecond for each. */
char *vigie_time_rfc3339(VigieTime time) {
    static const char marks[] = "--T::Z";
    time_t seconds = (time_t)time;
    struct tm date;
    /* A hostile certificate may name any year; RFC 3339 has those of four digits. */
    if (!gmtime_r(&seconds, &date) || date.tm_year < 1 - 1900 || date.tm_year > 9999 - 1900)
        return g_strdup(time < 0 ? "0001-01-01T00:00:00Z" : "9999-12-31T23:59:59Z");
    const int fields[] = {date.tm_year + 1900, date.tm_mon + 1, date.tm_mday,
                          date.tm_hour,        date.tm_min,     date.tm_sec};
    char *text = g_malloc(sizeof "0001-01-01T00:00:00Z"), *at = text;
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        at = put_digits(at, fields[i], i == 0 ? 4 : 2);
        *at++ = marks[i];
    }
    *at = '\0';
    return text;
}

bool vigie_time_parse_rfc3339(const char *text, VigieTime *ret_time, GError **error) {
    g_autoptr(GDateTime) date = strchr(text, 'T') ? g_date_time_new_from_iso8601(text, NULL) : NULL;
    if (!date) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "\"%s\" is not a time: as in 2026-11-21T20:15:10Z (RFC 3339)", text);
        return false;
    }
    *ret_time = g_date_time_to_unix(date);
    return true;
}

bool vigie_duration_parse(const char *text, int64_t *ret_seconds, GError **error) {
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"", 1},      {"s", 1},     {"min", 60},   {"m", 60},      {"h", 3600},
                 {"d", 86400}, {"j", 86400}, {"w", 604800}, {"day", 86400}, {"days", 86400}};
    char *end = NULL;
    gint64 number = g_ascii_strtoll(text, &end, 10);
    g_autofree char *unit = g_strstrip(g_strdup(end));
    for (size_t i = 0; end != text && i < G_N_ELEMENTS(units); i++) {
        if (strcmp(unit, units[i].unit) != 0 || number < 0 || number > INT32_MAX)
            continue;
        *ret_seconds = number * units[i].seconds;
        return true;
    }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                "\"%s\" is not a duration: as in 90 d, 12 h, 15 min, 30 s", text);
    return false;
}
