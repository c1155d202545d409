/* The acknowledgement of what came by mail: a reference and nothing of what was written. */
#include "csirt/inbound-parts.h"
#include "document/document.h"

#include <string.h>

enum { DAY = 86400, ANSWERS_A_DAY = 10 }; /* to one address: RFC 3834 2 */

static VigieLang language_of(const Filing *filing) {
    VigieLang lang = VIGIE_FR;
    vigie_lang_parse(vigie_config_text(filing->notifier->config, "site.language"), &lang);
    const char *told = vigie_member(filing->about, "language");
    if (told)
        vigie_lang_parse(told, &lang);
    return lang;
}

/* A person wrote, from an address that can be answered, and was not answered too often. */
static bool may_answer(const Filing *filing, const char *address, bool *ret_may, GError **error) {
    const VigieConfig *config = filing->notifier->config;
    g_autofree char *bare = address && *address ? mail_address(address, NULL) : NULL;
    int64_t answers = 0;
    *ret_may = false;
    if (!bare || !json_is_null(json_object_get(filing->about, "automatic")) ||
        !*vigie_config_text(config, "mail.server") || !*vigie_config_text(config, "mail.from"))
        return true;
    if (!store_get_int(filing->store, &answers, error,
                       "SELECT COUNT(*) FROM mail WHERE recipient = $1 AND created > $2", "ti", bare,
                       filing->now - DAY))
        return false;
    *ret_may = answers < ANSWERS_A_DAY;
    return true;
}

static char *render(const Filing *filing, const char *reference, VigieLang lang, GError **error) {
    const json_t *team = csirt_team_json(filing->notifier->team);
    const VigieConfig *config = filing->notifier->config;
    g_autofree char *name = g_strdup_printf("mail/inbound.%s.mustache", vigie_lang_code(lang));
    g_autofree char *received = vigie_date_time_text(lang, vigie_config_zone(config), filing->mail->received);
    g_autoptr(json_t) view =
        json_pack("{s:O?, s:s, s:s, s:b, s:O?}", "team", json_object_get(team, "name"), "reference",
                  reference, "received", received, "incident", strcmp(filing->mail->mailbox, "incident") == 0,
                  "phones", json_object_get(team, "phones"));
    gsize size = 0;
    g_autofree char *source = vigie_knowledge_text(name, &size, error);
    g_autoptr(VigieTemplate) template = source ? document_template_compile(source, size, error) : NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    return template && document_template_render(template, view, NULL, NULL, out, error) ? g_strdup(out->str)
                                                                                        : NULL;
}

static bool queue_answer(const Filing *filing, int64_t id, const char *reference, const char *to,
                         GError **error) {
    VigieLang lang = language_of(filing);
    g_autofree char *rendered = render(filing, reference, lang, error);
    char *end = rendered ? strchr(rendered, '\n') : NULL;
    if (!end || end[1] != '\n')
        return false;
    *end = '\0';
    const char *answered = vigie_member(filing->about, "message_id");
    bool thread = answered && strchr(answered, '@') && strlen(answered) < 250 && g_str_is_ascii(answered);
    VigieMail mail = {.from = vigie_config_text(filing->notifier->config, "mail.from"),
                      .to = to,
                      .subject = rendered,
                      .text = end + 2,
                      .lang = vigie_lang_code(lang),
                      .auto_submitted = "auto-replied",
                      .in_reply_to = thread ? answered : NULL,
                      .zone = vigie_config_zone(filing->notifier->config)};
    g_autofree char *key = g_strconcat("acknowledged:", reference, NULL);
    int64_t queued = 0;
    return mail_queue_add(filing->store, &mail, key, filing->now, &queued, error) &&
           csirt_entry_add(filing->store, id, "", "receipt", json_pack("{s:I}", "mail", (json_int_t)queued),
                           filing->now, error);
}

/* An address that SMTP cannot carry, or an identifier that no field can, is no reason not to file. */
bool inbound_acknowledge(const Filing *filing, int64_t id, const char *reference, GError **error) {
    const char *address = vigie_member(inbound_sender(filing), "address");
    bool may = false;
    if (!may_answer(filing, address, &may, error))
        return false;
    g_autofree char *bare = may ? mail_address(address, NULL) : NULL;
    return !bare || queue_answer(filing, id, reference, bare, error);
}
