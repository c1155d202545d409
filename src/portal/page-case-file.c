/* page-case-file: an artefact leaves as a download of a type that nothing opens by itself. */
#include "portal/page-case.h"

#include <string.h>

/* RFC 6266 with RFC 8187: whatever the stranger called it, a header stays one header, and the name a name. */
static char *disposition(const char *name) {
    g_autoptr(GString) plain = g_string_new(NULL);
    for (const char *p = name; *p && plain->len < 100; p++)
        g_string_append_c(plain, g_ascii_isalnum(*p) || strchr("._-", *p) ? *p : '_');
    g_autofree char *encoded = g_uri_escape_string(name, NULL, FALSE);
    return g_strdup_printf("attachment; filename=\"%s\"; filename*=UTF-8''%s",
                           plain->len && plain->str[0] != '.' ? plain->str : "artefact", encoded);
}

/* Takes `content`. */
static void answer_download(Request *request, GBytes *content, const char *name) {
    g_autofree char *header = disposition(name);
    request->type = "application/octet-stream";
    request_header(request, "Content-Disposition", header);
    request_header(request, "Content-Security-Policy", "sandbox; default-src 'none'");
    request->file = content;
}

RAW(page_case_artefact) {
    VigieAnalyst who = case_analyst(request);
    g_autofree char *name = NULL;
    if (!case_desk(request, error))
        return false;
    GBytes *content = csirt_artefact_open(request->store, request->portal->team, &who, request->id,
                                          request->now, &name, error);
    if (content)
        answer_download(request, content, name);
    return content != NULL;
}

/* Sealed to the head's key: opened elsewhere, by nobody else. */
RAW(page_case_source) {
    VigieAnalyst who = case_analyst(request);
    if (!case_desk(request, error))
        return false;
    GBytes *sealed = csirt_source_get(request->store, &who, request->id, request->now, error);
    if (sealed)
        answer_download(request, sealed, "source.p7m");
    return sealed != NULL;
}
