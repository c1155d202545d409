/* Mails whose words are data: knowledge/mail/NAME.LANG.mustache, the first line the subject, the second empty. */
#include "daemon/worker.h"
#include "document/document.h"

#include <string.h>

static char *render(const char *name, const json_t *view, VigieLang lang, GError **error) {
    g_autofree char *file = g_strdup_printf("mail/%s.%s.mustache", name, vigie_lang_code(lang));
    gsize size = 0;
    g_autofree char *text = vigie_knowledge_text(file, &size, error);
    g_autoptr(VigieTemplate) template = text ? document_template_compile(text, size, error) : NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    if (!template || !document_template_render(template, view, NULL, NULL, out, error)) {
        g_prefix_error(error, "%s: ", file);
        return NULL;
    }
    return g_strdup(out->str);
}

/* Names from elsewhere may hold anything: what cannot stand in a header becomes a space. */
static char *subject_of(const char *line) {
    GString *out = g_string_new(NULL);
    for (const char *p = line; *p && out->len < 250; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        g_string_append_unichar(out, g_unichar_iscntrl(c) || c == 0x2028 || c == 0x2029 ? ' ' : c);
    }
    return g_string_free(out, FALSE);
}

bool worker_mail_words(const char *name, const json_t *view, VigieLang lang, char **ret_subject,
                       char **ret_text, GError **error) {
    g_autofree char *rendered = render(name, view, lang, error);
    char *end = rendered ? strchr(rendered, '\n') : NULL;
    if (!rendered)
        return false;
    if (!end || end[1] != '\n') {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "knowledge/mail: the first line is the subject, the second is empty");
        return false;
    }
    *end = '\0';
    *ret_subject = subject_of(rendered);
    *ret_text = g_strdup(end + 2);
    return true;
}
