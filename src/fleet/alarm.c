/* Alarms: raised once each, addressed to who is told, gathered into one mail a person a morning. */
#include "fleet/internal.h"

#include <string.h>

enum { URGENT_DAYS = 1, ADDRESSED_AT_ONCE = 10000, ALARMS_IN_NOTICE = 1000, NOTICES_RETURNED = 500 };

/* The next time that it is `hour` o'clock for the reader, today or tomorrow, whatever clocks do that night. */
static VigieTime next_morning(const VigieFleetPolicy *policy, VigieTime now) {
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    GTimeZone *zone = policy->zone ? policy->zone : utc;
    g_autoptr(GDateTime) utc_now = g_date_time_new_from_unix_utc(now);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc_now, zone);
    for (int ahead = 0; ahead < 3; ahead++) {
        g_autoptr(GDateTime) day = g_date_time_add_days(local, ahead);
        g_autoptr(GDateTime) morning =
            g_date_time_new(zone, g_date_time_get_year(day), g_date_time_get_month(day),
                            g_date_time_get_day_of_month(day), policy->hour, 0, 0);
        if (morning && g_date_time_to_unix(morning) > now)
            return g_date_time_to_unix(morning);
    }
    return now;
}

/* ---- Raising ------------------------------------------------------------------------------------------------ */
bool alarm_raise(VigieStore *store, const VigieFleetPolicy *policy, const char *kind, int64_t endpoint,
                 int64_t organisation, int64_t certificate, int64_t occasion, int64_t event, bool urgent,
                 VigieTime now, GError **error) {
    return store_exec(
        store, error,
        "INSERT INTO alarm (kind, endpoint_id, organisation_id, certificate_id, occasion, event_id, urgent, "
        "due, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        "tiiiiiiii", kind, endpoint, organisation, certificate, occasion, event, (int64_t)urgent,
        urgent ? now : next_morning(policy, now), now);
}

static bool urgent_days(int days) {
    return days <= URGENT_DAYS;
}

/* The latest end that is within a threshold: to the second where it is urgent; else on the morning it is told, when
 * so many whole days are left. */
static VigieTime reach(const VigieFleetPolicy *policy, int days, VigieTime now) {
    return urgent_days(days) ? now + (VigieTime)days * FLEET_DAY
                             : next_morning(policy, now) + (VigieTime)(days + 1) * FLEET_DAY - 1;
}

/* Certificates between two thresholds. One that has been told of at this threshold or a later one is not again: so
 * what is found late has one alarm, not all that it missed. */
static bool raise_between(VigieStore *store, const VigieFleetPolicy *policy, VigieTime after, int days,
                          VigieTime now, GError **error) {
    return store_exec(
        store, error,
        "INSERT INTO alarm (kind, endpoint_id, organisation_id, certificate_id, threshold, urgent, due, "
        "created) SELECT "
        "'expiry', x.id, x.organisation_id, x.ending_id, $1, $2, $3, $4 FROM endpoint x WHERE x.live = 1 AND "
        "x.not_after "
        "> $5 AND x.not_after <= $6 AND x.ending_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM alarm a WHERE "
        "a.endpoint_id = x.id AND a.kind = 'expiry' AND a.certificate_id = x.ending_id AND a.threshold <= "
        "$7) ON "
        "CONFLICT DO NOTHING",
        "iiiiiii", (int64_t)days, (int64_t)urgent_days(days),
        urgent_days(days) ? now : next_morning(policy, now), now, after, reach(policy, days, now),
        (int64_t)days);
}

static bool raise_expiries(VigieStore *store, const VigieFleetPolicy *policy, VigieTime now, GError **error) {
    for (size_t i = 0; i < policy->day_count; i++) {
        bool last = i + 1 == policy->day_count;
        VigieTime after = last ? 0 : reach(policy, policy->days[i + 1], now);
        if (!raise_between(store, policy, after, policy->days[i], now, error))
            return false;
    }
    return true;
}

/* ---- Addressing --------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t alarm, device;
    VigieTime due;
} Unaddressed;

/* Alarms of organisations that have somebody, or all where there is a fallback. */
static GArray *read_unaddressed(VigieStore *store, bool fallback, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query,
              "SELECT a.id, e.device_id, a.due FROM alarm a JOIN endpoint e ON e.id = a.endpoint_id WHERE "
              "a.addressed = 0");
    if (!fallback)
        query_add(query, " AND EXISTS (SELECT 1 FROM contact c WHERE c.organisation_id = a.organisation_id)");
    query_add(query, " ORDER BY a.id LIMIT ?i", (int64_t)ADDRESSED_AT_ONCE);
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    if (!rows)
        return NULL;
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Unaddressed));
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        Unaddressed one = {rows_int(rows, 0), rows_int(rows, 1), rows_int(rows, 2)};
        g_array_append_val(all, one);
    }
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    return g_steal_pointer(&all);
}

static json_t *fallback_contact(const VigieFleetPolicy *policy) {
    if (!policy->fallback)
        return json_array();
    return json_pack("[{s:s, s:s, s:s, s:s}]", "mail", policy->fallback, "name", policy->fallback, "language",
                     vigie_lang_code(policy->fallback_lang), "role", "biomed");
}

static bool address_one(VigieStore *store, const Unaddressed *one, const json_t *contacts, GError **error) {
    size_t index;
    json_t *contact;
    json_array_foreach(contacts, index, contact) {
        if (!store_exec(store, error,
                        "INSERT INTO alarm_recipient (alarm_id, mail, name, language, role, due) VALUES ($1, "
                        "$2, $3, $4, "
                        "$5, $6) ON CONFLICT DO NOTHING",
                        "itttti", one->alarm, json_string_value(json_object_get(contact, "mail")),
                        json_string_value(json_object_get(contact, "name")),
                        json_string_value(json_object_get(contact, "language")),
                        json_string_value(json_object_get(contact, "role")), one->due))
            return false;
    }
    return json_array_size(contacts) == 0 ||
           store_exec(store, error, "UPDATE alarm SET addressed = 1 WHERE id = $1", "i", one->alarm);
}

static bool address(VigieStore *store, const VigieFleetPolicy *policy, GError **error) {
    g_autoptr(GArray) all = read_unaddressed(store, policy->fallback != NULL, error);
    if (!all)
        return false;
    for (guint i = 0; i < all->len; i++) {
        const Unaddressed *one = &g_array_index(all, Unaddressed, i);
        g_autoptr(json_t) contacts = contacts_told(store, one->device, error);
        if (!contacts)
            return false;
        if (json_array_size(contacts) == 0) {
            json_decref(contacts);
            contacts = fallback_contact(policy);
        }
        if (!address_one(store, one, contacts, error))
            return false;
    }
    return true;
}

/* What waits for the morning and is over by then is not told: renewed meanwhile, back, no longer watched, or told of
 * more urgently. */
static bool drop_what_is_over(VigieStore *store, GError **error) {
    return store_exec(store, error,
                      "UPDATE alarm_recipient SET notice_id = -1 WHERE notice_id = 0 AND alarm_id IN (SELECT "
                      "a.id FROM alarm_recipient "
                      "r JOIN alarm a ON a.id = r.alarm_id JOIN endpoint e ON e.id = a.endpoint_id WHERE "
                      "r.notice_id = 0 AND (e.live = "
                      "0 OR (a.kind = 'endpoint-silent' AND e.silent_since = 0) OR (a.kind = 'expiry' AND "
                      "(COALESCE(e.ending_id, 0) <> "
                      "a.certificate_id OR EXISTS (SELECT 1 FROM alarm b WHERE b.endpoint_id = a.endpoint_id "
                      "AND b.kind = 'expiry' AND "
                      "b.certificate_id = a.certificate_id AND b.threshold < a.threshold)))))",
                      "");
}

/* ---- Notices ------------------------------------------------------------------------------------------------ */
/* Who has something due: their whole waiting pile goes into one notice. */
static bool make_notices(VigieStore *store, VigieTime now, GError **error) {
    g_autoptr(GPtrArray) mails = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT DISTINCT mail FROM alarm_recipient WHERE notice_id = 0 AND due <= $1", "i", now);
    if (!rows)
        return false;
    GError *failure = NULL;
    while (rows_next(rows, &failure))
        g_ptr_array_add(mails, g_strdup(rows_text(rows, 0)));
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    g_clear_pointer(&rows, rows_free);
    for (guint i = 0; i < mails->len; i++) {
        int64_t notice = 0;
        if (!store_get_int(
                store, &notice, error,
                "INSERT INTO notice (mail, name, language, role, created) SELECT mail, name, language, role, "
                "$1 FROM alarm_recipient WHERE notice_id = 0 AND mail = $2 ORDER BY alarm_id LIMIT 1 "
                "RETURNING id",
                "it", now, mails->pdata[i]) ||
            !store_exec(store, error,
                        "UPDATE alarm_recipient SET notice_id = $1 WHERE notice_id = 0 AND mail = $2", "it",
                        notice, mails->pdata[i]))
            return false;
    }
    return true;
}

static const Column columns[] = {
    {"id", "x.id", COLUMN_INT},
    {"kind", "x.kind", COLUMN_STRING},
    {"threshold", "x.threshold", COLUMN_NATURAL},
    {"urgent", "x.urgent", COLUMN_BOOL},
    {"created", "x.created", COLUMN_TIME},
    {"endpoint", "x.endpoint_id", COLUMN_INT},
    {"certificate", "x.certificate_id", COLUMN_ID},
    {"details", "v.details", COLUMN_JSON},
    {0},
};

static const Sort sorts[] = {
    {"created", NULL, "x.id DESC", "x.id", NULL, NULL},
    {0},
};

const List alarm_list = {
    .table = "alarm",
    .joins = "LEFT JOIN event v ON v.id = x.event_id",
    .columns = columns,
    .sorts = sorts,
    .live = "1 = 1",
    .by = BY_ORGANISATION | BY_ENDPOINT | BY_KIND,
};

/* An alarm's ids replaced by what they name. */
static bool complete(VigieStore *store, json_t *alarm, VigieTime now, GError **error) {
    const VigieFleetFilter all = {0};
    int64_t endpoint = json_integer_value(json_object_get(alarm, "endpoint"));
    int64_t certificate = json_integer_value(json_object_get(alarm, "certificate"));
    return set_part(alarm, "endpoint", list_one(store, &endpoint_list, &all, endpoint, now, error)) &&
           (!certificate || set_part(alarm, "certificate",
                                     list_one(store, &certificate_list, &all, certificate, now, error)));
}

static bool complete_all(VigieStore *store, json_t *alarms, VigieTime now, GError **error) {
    size_t index;
    json_t *alarm;
    json_array_foreach(alarms, index, alarm) {
        if (!complete(store, alarm, now, error))
            return false;
    }
    return true;
}

static json_t *alarms_of(VigieStore *store, int64_t notice, VigieTime now, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT ");
    query_columns(query, columns);
    query_add(query,
              " FROM alarm_recipient r JOIN alarm x ON x.id = r.alarm_id JOIN endpoint e ON e.id = "
              "x.endpoint_id LEFT "
              "JOIN event v ON v.id = x.event_id WHERE r.notice_id = ?i ORDER BY x.urgent DESC, e.not_after, "
              "x.id LIMIT "
              "?i",
              notice, (int64_t)ALARMS_IN_NOTICE);
    g_autoptr(json_t) alarms = query_array(store, query, columns, now, error);
    return alarms && complete_all(store, alarms, now, error) ? g_steal_pointer(&alarms) : NULL;
}

static const Column notice_columns[] = {
    {"id", "x.id", COLUMN_INT},
    {"created", "x.created", COLUMN_TIME},
    {"sent", "x.sent", COLUMN_TIME},
    {"recipient.name", "x.name", COLUMN_STRING},
    {"recipient.mail", "x.mail", COLUMN_STRING},
    {"recipient.language", "x.language", COLUMN_STRING},
    {"recipient.role", "x.role", COLUMN_STRING},
    {"alarm_count", "(SELECT count(*) FROM alarm_recipient WHERE notice_id = x.id)", COLUMN_INT},
    {0},
};

static const Column organisation_columns[] = {
    {"id", "o.id", COLUMN_INT},
    {"name", "o.name", COLUMN_STRING},
    {0},
};

static bool complete_notice(VigieStore *store, json_t *notice, VigieTime now, GError **error) {
    int64_t id = json_integer_value(json_object_get(notice, "id"));
    g_autoptr(VigieQuery) query = query_new();
    query_add(query,
              "SELECT o.id, o.name FROM organisation o WHERE o.id IN (SELECT a.organisation_id FROM "
              "alarm_recipient r "
              "JOIN alarm a ON a.id = r.alarm_id WHERE r.notice_id = ?i) ORDER BY o.fold",
              id);
    return set_part(notice, "organisations", query_array(store, query, organisation_columns, now, error)) &&
           set_part(notice, "alarms", alarms_of(store, id, now, error));
}

/* Notices that match `where`, complete. */
static json_t *notices(VigieStore *store, const char *where, int64_t id, VigieTime now, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "SELECT ");
    query_columns(query, notice_columns);
    query_add(query, " FROM notice x WHERE ");
    query_add(query, where, id);
    query_add(query, " ORDER BY x.id LIMIT ?i", (int64_t)NOTICES_RETURNED);
    g_autoptr(json_t) all = query_array(store, query, notice_columns, now, error);
    size_t index;
    json_t *notice;
    json_array_foreach(all, index, notice) {
        if (!complete_notice(store, notice, now, error))
            return NULL;
    }
    return g_steal_pointer(&all);
}

json_t *fleet_alarms_due(VigieStore *store, const VigieFleetPolicy *policy, VigieTime now, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !status_refresh(store, policy->soon_days, now, error) ||
        !raise_expiries(store, policy, now, error) || !address(store, policy, error) ||
        !drop_what_is_over(store, error) || !make_notices(store, now, error) || !store_commit(&tx, error))
        return NULL;
    return notices(store, "x.sent = 0 AND x.id > ?i", 0, now, error);
}

json_t *fleet_notice_get(VigieStore *store, int64_t notice, VigieTime now, GError **error) {
    g_autoptr(json_t) found = notices(store, "x.id = ?i", notice, now, error);
    if (!found)
        return NULL;
    json_t *one = json_array_get(found, 0);
    if (!one)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "alarm notice %" G_GINT64_FORMAT ": there is none", notice);
    return json_incref(one);
}

bool fleet_notice_sent(VigieStore *store, int64_t notice, VigieTime now, GError **error) {
    return store_exec(store, error, "UPDATE notice SET sent = $1 WHERE id = $2 AND sent = 0", "ii", now,
                      notice);
}

/* ---- The list ----------------------------------------------------------------------------------------------- */
static const Column told_columns[] = {
    {"name", "r.name", COLUMN_STRING},
    {"mail", "r.mail", COLUMN_STRING},
    {"time", "COALESCE(n.sent, 0)", COLUMN_TIME},
    {0},
};

json_t *fleet_alarm_list(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error) {
    g_autoptr(json_t) page = list_page(store, &alarm_list, filter, now, error);
    json_t *items = json_object_get(page, "items");
    if (!page || !complete_all(store, items, now, error))
        return NULL;
    size_t index;
    json_t *alarm;
    json_array_foreach(items, index, alarm) {
        g_autoptr(VigieQuery) query = query_new();
        query_add(query, "SELECT ");
        query_columns(query, told_columns);
        query_add(query,
                  " FROM alarm_recipient r LEFT JOIN notice n ON n.id = r.notice_id WHERE r.alarm_id = ?i "
                  "AND r.notice_id "
                  ">= 0 ORDER BY r.mail",
                  (int64_t)json_integer_value(json_object_get(alarm, "id")));
        if (!set_part(alarm, "told", query_array(store, query, told_columns, now, error)))
            return NULL;
    }
    return g_steal_pointer(&page);
}
