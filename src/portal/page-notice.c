/* A notice whose content its mail did not hold: whoever has the link of the mail and the code told by phone reads it here. */
#include "portal/declare.h"

#include "csirt/notify.h"

#include <string.h>

enum { LINK_SIZE = 32 };

/* Beside the five tries of each link: nobody looks for links either. */
static const Limit tries = {"notice", 20, 600};

/* What cannot be a link is shown as none. */
static const char *link_of(GHashTable *values) {
    const char *link = g_hash_table_lookup(values, "link");
    bool hex = link && strlen(link) == LINK_SIZE && strspn(link, "0123456789abcdef") == LINK_SIZE;
    return hex ? link : "";
}

RESOURCE(page_notice_form) {
    return declare_ready(request, error) ? json_pack("{s:s}", "link", link_of(request->query)) : NULL;
}

static json_t *refused(Request *request, unsigned status, const char *why) {
    request->status = status;
    return json_pack("{s:s, s:s}", "link", link_of(request->form), "wrong", why);
}

RESOURCE(page_notice) {
    int64_t wait = 0;
    if (!declare_ready(request, error))
        return NULL;
    if (!declare_allowed(request, &tries, &wait)) {
        g_autofree char *span = vigie_duration_text(request->lang, wait);
        g_autofree char *why = vigie_words(request->lang, "declare.wait.short", "span", span, NULL);
        return refused(request, 429, why);
    }
    const char *code = g_hash_table_lookup(request->form, "code");
    GError *failure = NULL;
    json_t *page = csirt_notice_open(request->store, request->portal->team, link_of(request->form),
                                     code ? code : "", request->now, &failure);
    if (!page && g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_DENIED)) {
        g_error_free(failure);
        return refused(request, 403, vigie_word(request->lang, "csirt.notice-page.wrong"));
    }
    if (failure)
        g_propagate_error(error, failure);
    return page;
}

DRESS(dress_notice) {
    (void)error;
    const char *reference = json_string_value(json_object_get(view, "reference"));
    declare_add_team(request, view);
    json_object_set_new(view, "opened", json_boolean(reference != NULL));
    json_object_set_new(
        view, "title",
        json_string(reference ? reference : vigie_word(request->lang, "csirt.notice-page.title")));
    return true;
}
