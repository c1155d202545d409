/* What the authorities themselves will want, told to those who run them: all that is due in one mail, for they come together
 * with their keys once. */
#include "daemon/worker.h"
#include "pki/pki.h"

#include <string.h>

/* One of them, under short names: those of the template. */
static json_t *deadline_view(const Lane *lane, const json_t *due, size_t number, VigieLang lang,
                             VigieTime now) {
    const VigieConfig *config = lane->settings->config;
    GTimeZone *zone = vigie_config_zone(config);
    VigieTime at = 0;
    vigie_time_parse_rfc3339(vigie_member(due, "at"), &at, NULL);
    bool resident =
        g_strv_contains(vigie_config_list(config, "pki.signer_authorities"), vigie_member(due, "name"));
    g_autofree char *when = vigie_when_text(lang, zone, at, now),
                    *exact = vigie_date_time_text(lang, zone, at);
    json_t *view = json_pack("{s:i, s:O, s:O, s:s, s:s, s:b, s:b}", "number", (int)number, "name",
                             json_object_get(due, "name"), "title", json_object_get(due, "title"), "when",
                             when, "exact", exact, "resident", resident, "past", at <= now);
    json_object_set_new(view, vigie_member(due, "kind"), json_true());
    return view;
}

static json_t *view_of(const Lane *lane, const json_t *dues, VigieLang lang, VigieTime now) {
    const VigieConfig *config = lane->settings->config;
    json_t *views = json_array(), *due;
    size_t index;
    json_array_foreach(dues, index, due) {
        json_array_append_new(views, deadline_view(lane, due, index + 1, lang, now));
    }
    json_t *view =
        json_pack("{s:s, s:s, s:b, s:i, s:O, s:o}", "site", vigie_config_text(config, "site.name"), "url",
                  vigie_config_text(config, "site.url"), "several", json_array_size(views) > 1, "count",
                  (int)json_array_size(views), "first", json_array_get(views, 0), "deadlines", views);
    return view;
}

static bool queue(const Lane *lane, const json_t *dues, VigieTime now, GError **error) {
    const VigieConfig *config = lane->settings->config;
    VigieLang lang = VIGIE_FR;
    g_autofree char *subject = NULL, *text = NULL;
    vigie_lang_parse(vigie_config_text(config, "site.language"), &lang);
    g_autoptr(json_t) view = view_of(lane, dues, lang, now);
    if (!worker_mail_words("authority-deadline", view, lang, &subject, &text, error))
        return false;
    VigieMail mail = {.from = vigie_config_text(config, "mail.from"),
                      .to = vigie_config_text(config, "pki.operator_mail"),
                      .subject = subject,
                      .text = text,
                      .lang = vigie_lang_code(lang)};
    g_autoptr(VigieTransaction) tx = store_begin(lane->store, error);
    if (!tx || !mail_queue_add(lane->store, &mail, NULL, now, NULL, error))
        return false;
    size_t index;
    json_t *due;
    json_array_foreach(dues, index, due) {
        if (!pki_deadline_told(lane->store, due, now, error))
            return false;
    }
    return store_commit(&tx, error);
}

/* Where mail cannot carry the address, the next hour says so again. */
bool worker_tell_deadlines(const Lane *lane, VigieTime now, GError **error) {
    if (!lane->settings->server || !*vigie_config_text(lane->settings->config, "pki.operator_mail"))
        return true;
    g_autoptr(GError) failure = NULL;
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(error);
    g_autoptr(json_t) dues = profiles ? pki_deadlines_due(lane->store, profiles, now, error) : NULL;
    if (!dues || json_array_size(dues) == 0 || queue(lane, dues, now, &failure))
        return dues != NULL;
    if (!g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_INVALID)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    vigie_log(VIGIE_LOG_ERROR, "pki.operator_mail: %s", failure->message);
    return true;
}
