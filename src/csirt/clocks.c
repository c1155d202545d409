/* Deadlines: what started each clock, when it is due, whether it was met. */
#include "csirt/calendar.h"

#include <string.h>

enum { PERIOD_MAX_SECONDS = 366 * 86400 };

/* ---- Periods ---------------------------------------------------------------------------------------------- */
typedef VigieTime (*Due)(const VigieCalendar *calendar, VigieTime start, json_int_t amount);

static VigieTime due_seconds(const VigieCalendar *calendar, VigieTime start, json_int_t amount) {
    (void)calendar;
    return start + amount;
}

static VigieTime due_urgent(const VigieCalendar *calendar, VigieTime start, json_int_t amount) {
    return calendar_urgent_any_time(calendar) ? start + amount
                                              : csirt_calendar_add_open(calendar, start, amount);
}

static VigieTime due_days(const VigieCalendar *calendar, VigieTime start, json_int_t amount) {
    return csirt_calendar_add_days(calendar, start, (int)amount);
}

static VigieTime due_open(const VigieCalendar *calendar, VigieTime start, json_int_t amount) {
    return csirt_calendar_add_open(calendar, start, amount);
}

/* The same day of a later month, or its last. */
static VigieTime due_months(const VigieCalendar *calendar, VigieTime start, json_int_t amount) {
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(start);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, calendar_zone(calendar));
    g_autoptr(GDateTime) end = g_date_time_add_months(local, (int)amount);
    return g_date_time_to_unix(end);
}

static const struct {
    const char *name;
    json_int_t max;
    Due due;
} periods[] = {
    {"seconds", PERIOD_MAX_SECONDS, due_seconds},
    {"urgent_seconds", PERIOD_MAX_SECONDS, due_urgent},
    {"open_seconds", PERIOD_MAX_SECONDS, due_open},
    {"working_days", 250, due_days},
    {"months", 24, due_months},
};

/* The row of a period's one member; that there is none is "without delay". */
static size_t period_row(const json_t *period) {
    size_t i = 0;
    while (i < G_N_ELEMENTS(periods) && !json_object_get(period, periods[i].name))
        i++;
    return i;
}

/* ---- The file --------------------------------------------------------------------------------------------- */
static bool load_period(const json_t *period, const char *id, GError **error) {
    size_t row = period_row(period);
    size_t size = json_object_size(period);
    json_int_t amount =
        row < G_N_ELEMENTS(periods) ? json_integer_value(json_object_get(period, periods[row].name)) : 0;
    bool fits =
        size == 0 || (size == 1 && row < G_N_ELEMENTS(periods) && amount > 0 && amount <= periods[row].max);
    return (json_is_object(period) && fits) ||
           rules_refuse(
               error, id,
               "\"period\" has one of seconds, urgent_seconds, open_seconds, working_days, months, or none");
}

static bool known_events(const json_t *list, const json_t *events) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || !json_object_get(events, name))
            return false;
    }
    return json_is_array(list);
}

static bool load_clock(const json_t *clock, const json_t *events, GError **error) {
    const char *id = json_string_value(json_object_get(clock, "id")),
               *owner = json_string_value(json_object_get(clock, "owner"));
    const char *stops = json_string_value(json_object_get(clock, "stops_by"));
    const json_t *when = json_object_get(clock, "when"), *starts = json_object_get(clock, "starts_by");
    if (!id)
        return rules_refuse(error, "clocks", "a clock has an \"id\"");
    if (!rules_members(clock,
                       "id!s owner!s when?a text!t starts_by!a stops_by!s ends_by!A period!O delay!t law!t",
                       id, error) ||
        !load_period(json_object_get(clock, "period"), id, error))
        return false;
    for (size_t i = 0; i < json_array_size(when); i++)
        if (!condition_check(json_array_get(when, i), id, error))
            return false;
    if (!owner || (strcmp(owner, "csirt") != 0 && strcmp(owner, "declarant") != 0))
        return rules_refuse(error, id, "\"owner\" is csirt or declarant");
    if (!known_events(starts, events) || json_array_size(starts) == 0 ||
        !known_events(json_object_get(clock, "ends_by"), events) || !stops || !json_object_get(events, stops))
        return rules_refuse(error, id,
                            "\"starts_by\", \"stops_by\" and \"ends_by\" name events declared above");
    return true;
}

bool clocks_load(const json_t *data, GError **error) {
    const json_t *events = json_object_get(data, "events"), *clocks = json_object_get(data, "clocks");
    const char *name = NULL;
    json_t *texts = NULL;
    if (!rules_members(data, "events!o clocks!a", "clocks", error))
        return false;
    json_object_foreach((json_t *)events, name, texts) if (!rules_texts(texts, name, error)) return false;
    for (size_t i = 0; i < json_array_size(clocks); i++)
        if (!load_clock(json_array_get(clocks, i), events, error))
            return false;
    return true;
}

const json_t *csirt_clock_events(void) {
    return json_object_get(rules(RULES_CLOCKS), "events");
}

/* ---- The clocks of a case --------------------------------------------------------------------------------- */
static bool check_events(const json_t *events, GError **error) {
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)events, name, value) {
        VigieTime time;
        g_autofree char *where = g_strdup_printf("event “%.40s”", name);
        if (!json_object_get(csirt_clock_events(), name))
            return rules_refuse(error, where, "not known; knowledge/csirt/clocks.json has those that are");
        if (!json_is_null(value) &&
            (!json_is_string(value) || !vigie_time_parse_rfc3339(json_string_value(value), &time, NULL)))
            return rules_refuse(error, where, "a time is wanted, as 2026-11-21T20:15:00Z, or null");
    }
    return true;
}

/* 0 where it has not happened. */
static VigieTime event_time(const json_t *events, const char *name) {
    const char *text = json_string_value(json_object_get(events, name));
    VigieTime time = 0;
    if (text)
        (void)vigie_time_parse_rfc3339(text, &time, NULL);
    return time;
}

/* The first of the list's events that has happened, in the list's order. */
static VigieTime first_event(const json_t *events, const json_t *list, const char **ret_name) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        *ret_name = json_string_value(json_array_get(list, i));
        VigieTime time = event_time(events, *ret_name);
        if (time)
            return time;
    }
    *ret_name = json_string_value(json_array_get(list, 0));
    return 0;
}

typedef struct {
    VigieTime start, due, met, ended;
    const char *starts_by;
} Clock;

static const char *state_of(const Clock *clock, VigieTime now) {
    if (clock->met)
        return "met";
    if (clock->ended)
        return "stopped";
    if (!clock->start || clock->start > now)
        return "not-started";
    return clock->due && now > clock->due ? "late" : "running";
}

static json_t *time_json(VigieTime time) {
    g_autofree char *text = time ? vigie_time_rfc3339(time) : NULL;
    return text ? json_string(text) : json_null();
}

static json_t *clock_json(const json_t *rule, const Clock *clock, VigieTime now) {
    const char *state = state_of(clock, now);
    bool counting = clock->due && (strcmp(state, "running") == 0 || strcmp(state, "late") == 0);
    json_t *on_time = clock->met ? json_boolean(!clock->due || clock->met <= clock->due) : json_null();
    return json_pack("{s:O, s:O, s:O, s:O, s:O, s:s, s:O, s:o, s:o, s:o, s:s, s:o, s:o}", "id",
                     json_object_get(rule, "id"), "owner", json_object_get(rule, "owner"), "text",
                     json_object_get(rule, "text"), "delay", json_object_get(rule, "delay"), "law",
                     json_object_get(rule, "law"), "starts_by", clock->starts_by, "stops_by",
                     json_object_get(rule, "stops_by"), "start", time_json(clock->start), "due",
                     time_json(clock->due), "end", time_json(clock->met ? clock->met : clock->ended), "state",
                     state, "on_time", on_time, "left",
                     counting ? json_integer(clock->due - now) : json_null());
}

static json_t *run_clock(const json_t *rule, const json_t *events, const VigieCalendar *calendar,
                         VigieTime now) {
    const json_t *period = json_object_get(rule, "period");
    const char *ended_by = NULL;
    size_t row = period_row(period);
    Clock clock = {.met = event_time(events, json_string_value(json_object_get(rule, "stops_by")))};
    clock.start = first_event(events, json_object_get(rule, "starts_by"), &clock.starts_by);
    clock.ended = first_event(events, json_object_get(rule, "ends_by"), &ended_by);
    if (clock.start && row < G_N_ELEMENTS(periods))
        clock.due = periods[row].due(calendar, clock.start,
                                     json_integer_value(json_object_get(period, periods[row].name)));
    return clock_json(rule, &clock, now);
}

json_t *csirt_clocks(const json_t *facts, const json_t *events, const VigieCalendar *calendar, VigieTime now,
                     GError **error) {
    const json_t *list = json_object_get(rules(RULES_CLOCKS), "clocks");
    if (!facts_check_all(facts, error) || !check_events(events, error))
        return NULL;
    json_t *clocks = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *rule = json_array_get(list, i);
        const json_t *when = json_object_get(rule, "when");
        if (!when || condition_any(when, facts))
            json_array_append_new(clocks, run_clock(rule, events, calendar, now));
    }
    return clocks;
}
