/* reminder.c: who is to be told that a certificate ends, once for each of three times. */
#include "pki/pki.h"
#include "pki/row.h"

enum { DAY = 86400, AT_ONCE = 500 };

/* The time that has come: so many days before the end. */
static int64_t reached(VigieTime not_after, VigieTime now) {
    int64_t left = not_after - now;
    return left <= 7 * DAY ? 7 : left <= 30 * DAY ? 30 : 90;
}

static json_t *tell(const VigieRows *rows, int64_t days) {
    g_autofree char *serial = vigie_hex_text(rows_blob(rows, 1)),
                    *end = vigie_time_rfc3339(rows_int(rows, 3));
    return json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:I, s:s, s:I}", "certificate",
                     (json_int_t)rows_int(rows, 0), "days", (json_int_t)days, "serial", serial, "subject",
                     rows_text(rows, 2), "not_after", end, "mail", rows_text(rows, 4), "request",
                     (json_int_t)rows_int(rows, 5), "profile", rows_text(rows, 6), "device",
                     (json_int_t)rows_int(rows, 7));
}

/* Whose authority was revoked, and which nothing took the place of yet: at once, 0 days. */
static bool add_compromised(VigieStore *store, json_t *list, VigieTime now, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT c.id, c.serial, c.subject, c.not_after, q.mail, q.id, c.profile, c.device FROM "
                    "pki_authority a JOIN "
                    "pki_certificate c ON c.authority = a.id JOIN pki_request q ON q.issued = c.id LEFT JOIN "
                    "pki_revocation r ON "
                    "r.certificate = c.id WHERE a.revoked > 0 AND c.not_after > $1 AND q.mail IS NOT NULL "
                    "AND (r.reason IS NULL OR "
                    "r.reason = 8) AND NOT EXISTS (SELECT 1 FROM pki_reminder m WHERE m.certificate = c.id "
                    "AND m.days = 0) AND NOT "
                    "EXISTS (SELECT 1 FROM pki_renewal w WHERE w.old = c.id) ORDER BY c.id LIMIT $2",
                    "ii", now, (int64_t)AT_ONCE);
    GError *why = NULL;
    while (rows && rows_next(rows, &why))
        json_array_append_new(list, tell(rows, 0));
    return rows_ended(rows, &why, error);
}

/* Not of what was revoked, nor of what has a successor: renewed, or issued for the same subject and of longer life. */
json_t *pki_reminders_due(VigieStore *store, VigieTime now, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT c.id, c.serial, c.subject, c.not_after, q.mail, q.id, c.profile, c.device FROM "
        "pki_certificate c "
        "JOIN pki_request q ON q.issued = c.id LEFT JOIN pki_revocation r ON r.certificate = c.id "
        "WHERE c.not_after > $1 AND c.not_after <= $2 AND q.mail IS NOT NULL AND (r.reason IS NULL OR "
        "r.reason = 8) "
        "AND NOT EXISTS (SELECT 1 FROM pki_reminder m WHERE m.certificate = c.id AND m.days <= CASE WHEN "
        "c.not_after "
        "<= $3 THEN 7 WHEN c.not_after <= $4 THEN 30 ELSE 90 END) "
        "AND NOT EXISTS (SELECT 1 FROM pki_certificate n WHERE n.id > c.id AND n.authority = c.authority AND "
        "n.profile "
        "= c.profile AND n.subject = c.subject AND n.not_after > c.not_after) "
        "AND NOT EXISTS (SELECT 1 FROM pki_renewal w WHERE w.old = c.id) ORDER BY c.id LIMIT $5",
        "iiiii", now, now + 90 * DAY, now + 7 * DAY, now + 30 * DAY, (int64_t)AT_ONCE);
    g_autoptr(json_t) list = json_array();
    GError *why = NULL;
    if (!rows)
        return NULL;
    while (rows_next(rows, &why))
        json_array_append_new(list, tell(rows, reached(rows_int(rows, 3), now)));
    return rows_ended(rows, &why, error) && add_compromised(store, list, now, error) ? g_steal_pointer(&list)
                                                                                     : NULL;
}

bool pki_reminder_sent(VigieStore *store, int64_t certificate, int64_t days, VigieTime now, GError **error) {
    return store_exec(
        store, error,
        "INSERT INTO pki_reminder (certificate, days, at) VALUES ($1, $2, $3) ON CONFLICT (certificate, "
        "days) DO NOTHING",
        "iii", certificate, days, now);
}
