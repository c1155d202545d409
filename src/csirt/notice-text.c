/* The words of notices: templates filled from what the recipient may know, and from nothing else. */
#include "csirt/telling.h"
#include "document/document.h"

#include <string.h>

enum { SUBJECT_MAX = 250 };

#define BETWEEN "\n\n* * *\n\n"

static bool render_one(const char *name, VigieLang lang, const json_t *view, char **ret_subject,
                       char **ret_text, GError **error) {
    g_autofree char *file = g_strdup_printf("mail/%s.%s.mustache", name, vigie_lang_code(lang));
    gsize size = 0;
    g_autofree char *source = vigie_knowledge_text(file, &size, error);
    g_autoptr(VigieTemplate) template = source ? document_template_compile(source, size, error) : NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    if (!template || !document_template_render(template, view, NULL, NULL, out, error)) {
        g_prefix_error(error, "%s: ", file);
        return false;
    }
    const char *end = strchr(out->str, '\n');
    if (!end || end[1] != '\n') {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s: the first line is the subject, the second is empty", file);
        return false;
    }
    g_autofree char *line = g_strndup(out->str, (gsize)(end - out->str));
    *ret_subject = csirt_line_clean(line);
    *ret_text = g_strchomp(g_strdup(end + 2));
    return true;
}

bool notice_render(const char *name, const char *language, json_t *(*view)(VigieLang lang, void *data),
                   void *data, char **ret_subject, char **ret_text, GError **error) {
    g_autoptr(GString) subjects = g_string_new(NULL), texts = g_string_new(NULL);
    for (int i = 0; i < VIGIE_LANGS; i++) {
        VigieLang lang = (VigieLang)i;
        if (strcmp(language, "both") != 0 && strcmp(language, vigie_lang_code(lang)) != 0)
            continue;
        g_autoptr(json_t) filled = view(lang, data);
        g_autofree char *subject = NULL, *text = NULL;
        if (!filled || !render_one(name, lang, filled, &subject, &text, error))
            return false;
        g_string_append_printf(subjects, "%s%s", subjects->len ? " / " : "", subject);
        g_string_append_printf(texts, "%s%s", texts->len ? BETWEEN : "", text);
    }
    if (ret_subject)
        *ret_subject = g_utf8_substring(subjects->str, 0, MIN(g_utf8_strlen(subjects->str, -1), SUBJECT_MAX));
    *ret_text = g_strdup(texts->str);
    return true;
}

/* "749AA628…" in groups of four, as people compare it. */
static char *grouped(const char *fingerprint) {
    GString *out = g_string_new(NULL);
    for (size_t i = 0; fingerprint[i]; i++)
        g_string_append_printf(out, "%s%c", i && i % 4 == 0 ? " " : "", fingerprint[i]);
    return g_string_free(out, FALSE);
}

/* "+33972439125" as it is written: +33 9 72 43 91 25; others as they are. */
static char *phone_text(const char *number) {
    if (!g_str_has_prefix(number, "+33") || strlen(number) != 12)
        return g_strdup(number);
    return g_strdup_printf("+33 %c %.2s %.2s %.2s %.2s", number[3], number + 4, number + 6, number + 8,
                           number + 10);
}

static json_t *team_view(const json_t *team, VigieLang lang) {
    const json_t *call_back = json_object_get(team, "call_back"), *openpgp = json_object_get(team, "openpgp");
    const json_t *listed = json_array_get(json_object_get(team, "phones"), 0);
    const char *number = vigie_member(call_back, "number") ? vigie_member(call_back, "number")
                                                           : vigie_member(listed, "number");
    const char *fingerprint = vigie_member(openpgp, "fingerprint");
    g_autofree char *shown = fingerprint ? grouped(fingerprint) : NULL,
                    *phone = number ? phone_text(number) : NULL;
    const char *signature = vigie_text_in(lang, json_object_get(team, "signature"));
    return json_pack("{s:O, s:O?, s:O?, s:s?, s:s?, s:s?, s:s}", "name", json_object_get(team, "name"),
                     "address", json_object_get(team, "address"), "site", json_object_get(team, "site"),
                     "phone", phone, "fingerprint", shown, "key_url", vigie_member(openpgp, "url"),
                     "signature", *signature ? signature : vigie_member(team, "name"));
}

json_t *notice_view(const VigieConfig *config, const VigieTeam *team, const Notice *notice, VigieLang lang) {
    GTimeZone *zone = vigie_config_zone(config);
    g_autofree char *answer_by = notice->answer_by ? vigie_date_text(lang, zone, notice->answer_by) : NULL;
    g_autofree char *sent = notice->sent ? vigie_date_text(lang, zone, notice->sent) : NULL;
    g_autofree char *url = g_strdup(vigie_config_text(config, "site.url"));
    return json_pack("{s:s, s:s, s:s?, s:o, s:b, s:s?, s:s?, s:s, s:s, s:b}", "reference", notice->reference,
                     "tlp", notice->tlp, "organisation", *notice->organisation ? notice->organisation : NULL,
                     "team", team_view(csirt_team_json(team), lang), "feedback",
                     strcmp(notice->expected, "feedback") == 0, "answer_by", answer_by, "sent", sent, "site",
                     url, "code", "{code}", "incident", strcmp(notice->case_kind, "vulnerability") != 0);
}
