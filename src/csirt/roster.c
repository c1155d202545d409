/* Who is on call. Lines that stand later replace those that stand earlier. */
#include "csirt/rules.h"
#include "mail/mail.h"

#include <string.h>

enum { ROSTER_MAX = 2000, PEOPLE_MAX = 100, DAYS_MAX = 366 };

/* ---- Checks ----------------------------------------------------------------------------------------------- */
static bool read_time(const json_t *line, const char *member, VigieTime *ret_time) {
    const char *text = json_string_value(json_object_get(line, member));
    return text && vigie_time_parse_rfc3339(text, ret_time, NULL);
}

/* Who can be told by mail can be sent one: else the mail that is urgent would be the one that fails. */
static bool check_mail(const json_t *person, const char *where, GError **error) {
    const char *mail = vigie_member(person, "mail");
    g_autofree char *address = mail ? mail_address(mail, NULL) : NULL;
    return !mail || address ||
           rules_refuse(error, where, "\"mail\" is an address, as astreinte@csirt.example");
}

static bool check_rotation(const json_t *line, const char *where, GError **error) {
    const json_t *people = json_object_get(line, "rotation");
    json_int_t days = json_integer_value(json_object_get(line, "days"));
    if (!rules_members(line, "rotation!a from!s days!i until?s", where, error))
        return false;
    if (json_array_size(people) == 0 || json_array_size(people) > PEOPLE_MAX || days < 1 || days > DAYS_MAX)
        return rules_refuse(error, where, "a rotation has people, and \"days\" from 1 to 366");
    for (size_t i = 0; i < json_array_size(people); i++)
        if (!rules_members(json_array_get(people, i), "name!s phone?s mail?s account?s", where, error) ||
            !check_mail(json_array_get(people, i), where, error))
            return false;
    return true;
}

static bool check_line(const json_t *line, const char *where, GError **error) {
    VigieTime from, until = INT64_MAX;
    bool rotation = json_object_get(line, "rotation");
    if (rotation ? !check_rotation(line, where, error)
                 : !rules_members(line, "name!s phone?s mail?s account?s from!s until!s", where, error))
        return false;
    if (!check_mail(line, where, error))
        return false;
    bool ends = json_object_get(line, "until");
    if (!read_time(line, "from", &from) || (ends && !read_time(line, "until", &until)))
        return rules_refuse(error, where, "\"from\" and \"until\" are times, as 2026-11-23T09:00:00+01:00");
    if (until <= from)
        return rules_refuse(error, where, "\"until\" is after \"from\"");
    return true;
}

bool csirt_roster_check(const json_t *roster, GError **error) {
    if (!json_is_array(roster) || json_array_size(roster) > ROSTER_MAX)
        return rules_refuse(error, "roster", "a list is wanted, of 2,000 lines at most");
    for (size_t i = 0; i < json_array_size(roster); i++) {
        g_autofree char *where = g_strdup_printf("roster, line %zu", i + 1);
        if (!check_line(json_array_get(roster, i), where, error))
            return false;
    }
    return true;
}

/* ---- Who it is -------------------------------------------------------------------------------------------- */
/* The turn that holds at `time`, and when it ends. Turns change at the same time of the wall clock, summer and winter. */
static json_int_t turn_at(VigieTime from, json_int_t days, GTimeZone *zone, VigieTime time,
                          VigieTime *ret_until) {
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(from);
    g_autoptr(GDateTime) first = g_date_time_to_timezone(utc, zone);
    json_int_t turn = (time - from) / (days * 86400);
    for (turn = MAX(turn - 1, 0);; turn++) {
        g_autoptr(GDateTime) next = g_date_time_add_days(first, (int)((turn + 1) * days));
        *ret_until = g_date_time_to_unix(next);
        if (*ret_until > time)
            return turn;
    }
}

/* The person of one line at `time`, borrowed, and until when; NULL where the line says nothing of that time. */
static const json_t *person_at(const json_t *line, GTimeZone *zone, VigieTime time, VigieTime *ret_until) {
    const json_t *people = json_object_get(line, "rotation");
    VigieTime from, until = INT64_MAX;
    if (!read_time(line, "from", &from) || time < from || (read_time(line, "until", &until) && time >= until))
        return NULL;
    *ret_until = until;
    if (!people)
        return line;
    VigieTime turn_ends;
    json_int_t turn =
        turn_at(from, json_integer_value(json_object_get(line, "days")), zone, time, &turn_ends);
    *ret_until = MIN(until, turn_ends);
    return json_array_get(people, (size_t)turn % json_array_size(people));
}

json_t *csirt_roster_at(const json_t *roster, GTimeZone *zone, VigieTime time) {
    VigieTime until = INT64_MAX, until_here, from;
    for (size_t i = json_array_size(roster); i-- > 0;) {
        const json_t *line = json_array_get(roster, i), *person = person_at(line, zone, time, &until_here);
        if (person) {
            g_autofree char *end = vigie_time_rfc3339(MIN(until, until_here));
            return json_pack("{s:O, s:O?, s:O?, s:O?, s:s}", "name", json_object_get(person, "name"), "phone",
                             json_object_get(person, "phone"), "mail", json_object_get(person, "mail"),
                             "account", json_object_get(person, "account"), "until", end);
        }
        if (read_time(line, "from", &from) && from > time)
            until = MIN(until, from);
    }
    return NULL;
}
