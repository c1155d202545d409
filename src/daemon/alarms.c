/* Notices as mails: what the fleet says is to be told, in the words of knowledge/mail, into the outgoing queue. The
 * notice counts as sent in the same transaction, so each is queued once, whoever runs this. */
#include "daemon/worker.h"

#include <string.h>

/* ---- The words' data ---- */
static VigieTime time_of(const json_t *object, const char *member) {
    VigieTime time = 0;
    const char *text = json_string_value(json_object_get(object, member));
    return text && vigie_time_parse_rfc3339(text, &time, NULL) ? time : 0;
}

typedef struct {
    VigieLang lang;
    GTimeZone *zone;
    VigieTime now;
} Reader;

static void set_text(json_t *object, const char *member, char *text) {
    json_object_set_new(object, member, json_string(text));
    g_free(text);
}

/* A time three ways: as people say it, to the second, and whether it is known at all. */
static void set_times(json_t *object, const char *member, const json_t *source, const Reader *reader) {
    VigieTime time = time_of(source, member);
    if (!time)
        return;
    g_autofree char *exact = g_strconcat(member, "_exact", NULL);
    set_text(object, member, vigie_when_text(reader->lang, reader->zone, time, reader->now));
    set_text(object, exact, vigie_date_time_text(reader->lang, reader->zone, time));
}

/* "9f1c…" as people compare it: 9F:1C:…, in two lines of 16. */
static void set_fingerprint(json_t *object, const char *sha256) {
    if (!sha256 || strlen(sha256) != 64)
        return;
    GString *lines[] = {g_string_new(NULL), g_string_new(NULL)};
    for (size_t i = 0; i < 64; i += 2) {
        GString *line = lines[i / 32];
        g_string_append_printf(line, "%s%c%c", line->len ? ":" : "", g_ascii_toupper(sha256[i]),
                               g_ascii_toupper(sha256[i + 1]));
    }
    set_text(object, "sha256_first", g_string_free(lines[0], FALSE));
    set_text(object, "sha256_second", g_string_free(lines[1], FALSE));
}

/* The facts of one alarm, under short names: those of the template. */
static json_t *alarm_view(const json_t *alarm, const Reader *reader, const char *site_url) {
    const json_t *endpoint = json_object_get(alarm, "endpoint");
    const json_t *device = json_object_get(endpoint, "device");
    const json_t *certificate = json_object_get(alarm, "certificate");
    const json_t *details = json_object_get(alarm, "details");
    const char *kind = json_string_value(json_object_get(alarm, "kind"));
    json_t *view = json_object();
    VigieTime end = time_of(certificate, "not_after");
    bool expiry = g_strcmp0(kind, "expiry") == 0;
    json_object_set_new(view, "expiring", json_boolean(expiry && end > reader->now));
    json_object_set_new(view, "expired", json_boolean(expiry && end <= reader->now));
    json_object_set_new(view, "changed", json_boolean(g_strcmp0(kind, "certificate-changed") == 0));
    json_object_set_new(view, "silent", json_boolean(g_strcmp0(kind, "endpoint-silent") == 0));
    json_object_set(view, "urgent", json_object_get(alarm, "urgent"));
    json_object_set(view, "device", (json_t *)device);
    json_object_set(view, "organisation", json_object_get(endpoint, "organisation"));
    json_object_set(view, "target", json_object_get(endpoint, "target"));
    json_object_set(view, "outcome", json_object_get(details, "outcome"));
    json_object_set(view, "failures", json_object_get(details, "failures"));
    json_object_set(view, "issuer_before", json_object_get(details, "issuer_before"));
    json_object_set(view, "certificate", (json_t *)certificate);
    set_times(view, "not_after", certificate, reader);
    set_times(view, "not_after_before", details, reader);
    set_times(view, "seen", details, reader);
    set_times(view, "checked", endpoint, reader);
    set_fingerprint(view, json_string_value(json_object_get(certificate, "sha256")));
    set_text(view, "link",
             g_strdup_printf("%s/endpoints/%" JSON_INTEGER_FORMAT, site_url,
                             json_integer_value(json_object_get(endpoint, "id"))));
    return view;
}

static json_t *notice_view(const json_t *notice, const Reader *reader, const VigieConfig *config) {
    const json_t *alarms = json_object_get(notice, "alarms");
    const char *url = vigie_config_text(config, "site.url");
    json_t *views = json_array();
    bool urgent = false;
    size_t i = 0;
    json_t *alarm = NULL;
    json_array_foreach(alarms, i, alarm) {
        json_t *view = alarm_view(alarm, reader, url);
        json_object_set_new(view, "number", json_integer((json_int_t)i + 1));
        urgent = urgent || json_is_true(json_object_get(alarm, "urgent"));
        json_array_append_new(views, view);
    }
    json_t *view = json_pack(
        "{s:s, s:s, s:O, s:O, s:b, s:b, s:i, s:o}", "site", vigie_config_text(config, "site.name"), "url",
        url, "id", json_object_get(notice, "id"), "recipient", json_object_get(notice, "recipient"), "urgent",
        urgent, "several", json_array_size(views) > 1, "count", (int)json_array_size(views), "alarms", views);
    json_object_set(view, "first", json_array_get(views, 0));
    return view;
}

/* ---- The mail ---- */
static char *address_of(const json_t *recipient) {
    return g_strdup(json_string_value(json_object_get(recipient, "mail")));
}

static bool queue_notice(Lane *lane, const json_t *notice, VigieTime now, GError **error) {
    const VigieConfig *config = lane->settings->config;
    const json_t *recipient = json_object_get(notice, "recipient");
    Reader reader = {VIGIE_FR, vigie_config_zone(config), now};
    const char *language = json_string_value(json_object_get(recipient, "language"));
    if (language)
        vigie_lang_parse(language, &reader.lang);
    int64_t id = json_integer_value(json_object_get(notice, "id"));
    g_autoptr(json_t) view = notice_view(notice, &reader, config);
    g_autofree char *subject = NULL, *text = NULL;
    if (!worker_mail_words("alarm", view, reader.lang, &subject, &text, error))
        return false;
    g_autofree char *to = address_of(recipient);
    g_autofree char *key = g_strdup_printf("notice:%" G_GINT64_FORMAT, id);
    VigieMail mail = {.from = vigie_config_text(config, "mail.from"),
                      .to = to,
                      .subject = subject,
                      .text = text,
                      .lang = vigie_lang_code(reader.lang)};
    g_autoptr(VigieTransaction) tx = store_begin(lane->store, error);
    return tx && mail_queue_add(lane->store, &mail, key, now, NULL, error) &&
           fleet_notice_sent(lane->store, id, now, error) && store_commit(&tx, error);
}

/* A notice that cannot be made (an address that SMTP cannot carry) does not hold up the others. */
bool worker_alarms(Lane *lane, const VigieJob *job, GError **error) {
    VigieTime now = lane->clock();
    g_autoptr(json_t) notices = fleet_alarms_due(lane->store, &lane->settings->policy, now, error);
    if (!notices)
        return false;
    size_t i = 0;
    json_t *notice = NULL;
    json_array_foreach(notices, i, notice) {
        g_autoptr(GError) failure = NULL;
        if (!lane->settings->server || queue_notice(lane, notice, now, &failure))
            continue;
        if (!g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_INVALID)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        vigie_log(VIGIE_LOG_ERROR, "notice %" JSON_INTEGER_FORMAT ": %s",
                  json_integer_value(json_object_get(notice, "id")), failure->message);
    }
    return store_job_done(lane->store, job, lane->worker, error);
}
