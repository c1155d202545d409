/* The ends of certificates as an iCalendar object, RFC 5545. */
#include "fleet/internal.h"

#include <string.h>

enum { LINE_OCTETS = 75, EVENTS_MAX = 5000, PAST_DAYS = 90, AHEAD_DAYS = 731 };

/* ---- Lines -------------------------------------------------------------------------------------------------- */
/* RFC 5545 3.1: no line is longer than 75 octets; a character is not cut in two. */
static void append_line(GString *out, const char *line) {
    size_t room = LINE_OCTETS;
    for (const char *at = line; *at;) {
        size_t size = (size_t)(g_utf8_next_char(at) - at);
        if (size > room) {
            g_string_append(out, "\r\n ");
            room = LINE_OCTETS - 1;
        }
        g_string_append_len(out, at, (gssize)size);
        room -= size;
        at += size;
    }
    g_string_append(out, "\r\n");
}

/* RFC 5545 3.3.11: a TEXT value. */
static char *escape(const char *text) {
    GString *out = g_string_new(NULL);
    for (; *text; text++) {
        if (*text == '\\' || *text == ';' || *text == ',')
            g_string_append_printf(out, "\\%c", *text);
        else if (*text == '\n')
            g_string_append(out, "\\n");
        else if ((unsigned char)*text >= 0x20 && *text != 0x7f)
            g_string_append_c(out, *text);
    }
    return g_string_free(out, FALSE);
}

static void append_text(GString *out, const char *name, const char *value) {
    g_autofree char *escaped = escape(value);
    g_autofree char *line = g_strconcat(name, ":", escaped, NULL);
    append_line(out, line);
}

static void append_format(GString *out, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void append_format(GString *out, const char *format, ...) {
    va_list args;
    va_start(args, format);
    g_autofree char *line = g_strdup_vprintf(format, args);
    va_end(args);
    append_line(out, line);
}

/* ---- Events ------------------------------------------------------------------------------------------------- */
enum { ID, TARGET, NOT_AFTER, DEVICE, GMAO, LOCATION, ORGANISATION, SHA256, SUBJECT, ISSUER, SINCE };

/* A reminder before, for calendars that show them; ours come by mail. */
static void append_reminders(GString *out, const char *summary) {
    static const int days[] = {30, 7, 1};
    for (size_t i = 0; i < G_N_ELEMENTS(days); i++) {
        append_line(out, "BEGIN:VALARM");
        append_line(out, "ACTION:DISPLAY");
        append_format(out, "TRIGGER:-P%dD", days[i]);
        append_text(out, "DESCRIPTION", summary);
        append_line(out, "END:VALARM");
    }
}

static char *description(const VigieRows *rows, VigieLang lang, GTimeZone *zone) {
    g_autofree char *end = vigie_date_time_text(lang, zone, rows_int(rows, NOT_AFTER));
    return vigie_words(lang, "fleet.calendar.description", "device", rows_text(rows, DEVICE), "gmao",
                       *rows_text(rows, GMAO) ? rows_text(rows, GMAO) : "–", "organisation",
                       rows_text(rows, ORGANISATION), "target", rows_text(rows, TARGET), "subject",
                       rows_text(rows, SUBJECT), "issuer", rows_text(rows, ISSUER), "end", end, NULL);
}

static void append_event(GString *out, const VigieRows *rows, VigieLang lang, GTimeZone *zone) {
    VigieTime end = rows_int(rows, NOT_AFTER);
    g_autofree char *day = local_text(end, zone, "%Y%m%d");
    g_autofree char *stamp = local_text(rows_int(rows, SINCE), NULL, "%Y%m%dT%H%M%SZ");
    g_autofree char *summary =
        vigie_words(lang, "fleet.calendar.summary", "device", rows_text(rows, DEVICE), NULL);
    g_autofree char *about = description(rows, lang, zone);
    VigieBytes sha256 = rows_blob(rows, SHA256);
    g_autofree char *uid = vigie_hex_text((VigieBytes){sha256.data, MIN(sha256.size, 16)});
    append_line(out, "BEGIN:VEVENT");
    append_format(out, "UID:%s-%" G_GINT64_FORMAT "@vigie", uid, rows_int(rows, ID));
    append_format(out, "DTSTAMP:%s", stamp);
    append_format(out, "DTSTART;VALUE=DATE:%s", day);
    /* No DTEND: RFC 5545 3.6.1, an event that starts on a date lasts that day. */
    append_text(out, "SUMMARY", summary);
    append_text(out, "DESCRIPTION", about);
    if (*rows_text(rows, LOCATION))
        append_text(out, "LOCATION", rows_text(rows, LOCATION));
    append_line(out, "TRANSP:TRANSPARENT");
    append_reminders(out, summary);
    append_line(out, "END:VEVENT");
}

static VigieRows *read_ends(VigieStore *store, const VigieFleetFilter *filter, VigieTime now,
                            GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(
        query,
        "SELECT p.id, p.target, p.not_after, d.name, d.gmao, d.location, o.name, c.sha256, c.subject, "
        "c.issuer, "
        "COALESCE((SELECT min(ec.first_seen) FROM endpoint_certificate ec WHERE ec.endpoint_id = p.id AND "
        "ec.certificate_id = c.id), c.first_seen) FROM (SELECT x.id, x.target, x.not_after, x.device_id, "
        "x.organisation_id, x.ending_id FROM endpoint x");
    if (!list_where(query, &endpoint_list, filter, error))
        return NULL;
    query_add(query,
              " AND x.not_after >= ?i AND x.not_after < ?i ORDER BY x.not_after, x.id LIMIT ?i) p JOIN "
              "device d ON d.id "
              "= p.device_id JOIN organisation o ON o.id = p.organisation_id JOIN certificate c ON c.id = "
              "p.ending_id "
              "ORDER BY p.not_after, p.id",
              now - INT64_C(1) * PAST_DAYS * FLEET_DAY, now + INT64_C(1) * AHEAD_DAYS * FLEET_DAY,
              (int64_t)EVENTS_MAX);
    return query_run(store, query, error);
}

bool fleet_calendar_append(VigieStore *store, const VigieFleetFilter *filter, VigieLang lang, GTimeZone *zone,
                           VigieTime now, GString *out, GError **error) {
    g_autoptr(VigieRows) rows = read_ends(store, filter, now, error);
    if (!rows)
        return false;
    append_line(out, "BEGIN:VCALENDAR");
    append_line(out, "VERSION:2.0");
    append_format(out, "PRODID:-//Vigie//%s//%s", VIGIE_VERSION, lang == VIGIE_FR ? "FR" : "EN");
    append_line(out, "CALSCALE:GREGORIAN");
    append_text(out, "NAME", vigie_word(lang, "fleet.calendar.name"));
    append_text(out, "X-WR-CALNAME", vigie_word(lang, "fleet.calendar.name"));
    append_line(out, "REFRESH-INTERVAL;VALUE=DURATION:PT6H");
    GError *failure = NULL;
    while (rows_next(rows, &failure))
        append_event(out, rows, lang, zone);
    append_line(out, "END:VCALENDAR");
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}
