/* Time as machines write it: RFC 3339, and durations in configuration. */
#include "base/base.h"

#include <string.h>
#include <time.h>

VigieTime vigie_time_now(void) {
    return (VigieTime)time(NULL);
}

char *vigie_time_rfc3339(VigieTime time) {
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(time);
    /* Outside of the years 1 to 9999, which a hostile certificate may name, GDateTime has no value. */
    return date ? g_date_time_format(date, "%Y-%m-%dT%H:%M:%SZ")
                : g_strdup(time < 0 ? "0001-01-01T00:00:00Z" : "9999-12-31T23:59:59Z");
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
