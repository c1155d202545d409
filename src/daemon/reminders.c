/* That a certificate of our authorities ends: to the address that its request gave, 90, 30 and 7 days before; and that it is
 * no good any more, for its authority was revoked, at once. */
#include "daemon/worker.h"
#include "pki/pki.h"

#include <string.h>

static json_t *view_of(const Lane *lane, const json_t *due, VigieLang lang, VigieTime now) {
    const VigieConfig *config = lane->settings->config;
    const char *url = vigie_config_text(config, "site.url");
    GTimeZone *zone = vigie_config_zone(config);
    VigieTime end = 0;
    vigie_time_parse_rfc3339(json_string_value(json_object_get(due, "not_after")), &end, NULL);
    g_autofree char *when = vigie_when_text(lang, zone, end, now),
                    *exact = vigie_date_time_text(lang, zone, end);
    g_autofree char *link = g_strdup_printf("%s/requests/%" JSON_INTEGER_FORMAT, url,
                                            json_integer_value(json_object_get(due, "request")));
    json_t *view = json_deep_copy(due);
    json_object_set_new(view, "site", json_string(vigie_config_text(config, "site.name")));
    json_object_set_new(view, "when", json_string(when));
    json_object_set_new(view, "exact", json_string(exact));
    json_object_set_new(view, "link", json_string(link));
    return view;
}

static bool remind(const Lane *lane, const json_t *due, VigieTime now, GError **error) {
    const VigieConfig *config = lane->settings->config;
    VigieLang lang = VIGIE_FR;
    int64_t certificate = json_integer_value(json_object_get(due, "certificate")),
            days = json_integer_value(json_object_get(due, "days"));
    g_autofree char *subject = NULL, *text = NULL;
    g_autofree char *key =
        g_strdup_printf("pki-end:%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT, certificate, days);
    vigie_lang_parse(vigie_config_text(config, "site.language"), &lang);
    g_autoptr(json_t) view = view_of(lane, due, lang, now);
    if (!worker_mail_words(days == 0 ? "authority-revoked" : "certificate-end", view, lang, &subject, &text,
                           error))
        return false;
    VigieMail mail = {.from = vigie_config_text(config, "mail.from"),
                      .to = json_string_value(json_object_get(due, "mail")),
                      .subject = subject,
                      .text = text,
                      .lang = vigie_lang_code(lang)};
    g_autoptr(VigieTransaction) tx = store_begin(lane->store, error);
    return tx && mail_queue_add(lane->store, &mail, key, now, NULL, error) &&
           pki_reminder_sent(lane->store, certificate, days, now, error) && store_commit(&tx, error);
}

/* An address that mail cannot carry is noted once, and holds up nobody. */
bool worker_remind(const Lane *lane, VigieTime now, GError **error) {
    g_autoptr(json_t) due =
        lane->settings->server ? pki_reminders_due(lane->store, now, error) : json_array();
    size_t index;
    json_t *one;
    if (!due)
        return false;
    json_array_foreach(due, index, one) {
        g_autoptr(GError) failure = NULL;
        if (remind(lane, one, now, &failure))
            continue;
        if (!g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_INVALID)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        vigie_log(VIGIE_LOG_ERROR, "reminder to %s: %s", json_string_value(json_object_get(one, "mail")),
                  failure->message);
        if (!pki_reminder_sent(lane->store, json_integer_value(json_object_get(one, "certificate")),
                               json_integer_value(json_object_get(one, "days")), now, error))
            return false;
    }
    return true;
}
