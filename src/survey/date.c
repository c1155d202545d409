/* Dates as servers write them in greetings and headers: "Sat, 21 Nov 2026 20:15:10 +0100". */
#include "survey/engine.h"

#include <string.h>
#include <time.h>

static bool two_digits(const char *text, int max, int *ret) {
    if (!g_ascii_isdigit(text[0]) || !g_ascii_isdigit(text[1]))
        return false;
    *ret = (text[0] - '0') * 10 + text[1] - '0';
    return *ret <= max;
}

/* " GMT", " UTC", " +0100"; seconds east of Greenwich. */
static bool read_zone(const char *text, size_t size, int *ret_offset) {
    int hours, minutes;
    *ret_offset = 0;
    if (size >= 4 && (memcmp(text, " GMT", 4) == 0 || memcmp(text, " UTC", 4) == 0))
        return true;
    if (size < 6 || text[0] != ' ' || (text[1] != '+' && text[1] != '-') ||
        !two_digits(text + 2, 14, &hours) || !two_digits(text + 4, 59, &minutes))
        return false;
    *ret_offset = (text[1] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

/* "Nov 2026 20:15:10 +0100" with its day before it, at least 1 octet of which precedes `text`. */
static bool read_at(const char *text, size_t before, size_t size, int month, VigieTime *ret_time) {
    struct tm when = {.tm_mon = month};
    int offset;
    if (before < 2 || size < 17 || !strchr(" -", text[-1]) || text[-1] == '\0' || !g_ascii_isdigit(text[-2]))
        return false;
    when.tm_mday = text[-2] - '0';
    if (before >= 3 && g_ascii_isdigit(text[-3]))
        when.tm_mday += 10 * (text[-3] - '0');
    int century, year;
    if (text[3] != text[-1] || !two_digits(text + 4, 99, &century) || !two_digits(text + 6, 99, &year) ||
        text[8] != ' ' || !two_digits(text + 9, 23, &when.tm_hour) || text[11] != ':' ||
        !two_digits(text + 12, 59, &when.tm_min) || text[14] != ':' ||
        !two_digits(text + 15, 60, &when.tm_sec) || !read_zone(text + 17, size - 17, &offset) ||
        when.tm_mday < 1 || when.tm_mday > 31 || century < 19)
        return false;
    when.tm_year = century * 100 + year - 1900;
    *ret_time = (VigieTime)timegm(&when) - offset;
    return true;
}

bool date_find(const char *text, size_t size, VigieTime *ret_time) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (size_t i = 0; i + 17 <= size; i++)
        for (int month = 0; text[i] >= 'A' && text[i] <= 'S' && month < 12; month++)
            if (memcmp(text + i, months + 3 * month, 3) == 0 &&
                read_at(text + i, i, size - i, month, ret_time))
                return true;
    return false;
}
