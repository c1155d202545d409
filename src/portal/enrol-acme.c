/* acme's face: RFC 8555's header fields around what the room answers. */
#include "portal/enrol.h"
#include "portal/limit.h"
#include "portal/pages.h"

#include <string.h>

static const char prefix[] = "/acme/";
/* A house behind one address that sets up its machines stays below it; who fills the disk with accounts does not. */
static const Limit new_accounts = {"acme-account", 600, 600};

static void add_fields(Request *request, const char *base, const VigieAcmeAnswer *answer) {
    g_autofree char *index = g_strdup_printf("<%s/directory>;rel=\"index\"", base);
    request_header(request, "Link", index);
    request_header(request, "Cache-Control", "no-store");
    if (answer->nonce)
        request_header(request, "Replay-Nonce", answer->nonce);
    if (answer->location)
        request_header(request, "Location", answer->location);
    if (answer->up) {
        g_autofree char *up = g_strdup_printf("<%s>;rel=\"up\"", answer->up);
        request_header(request, "Link", up);
    }
    if (answer->retry_after) {
        g_autofree char *seconds = g_strdup_printf("%d", answer->retry_after);
        request_header(request, "Retry-After", seconds);
    }
}

static bool serve(Request *request, bool post, GError **error) {
    g_autofree char *base =
        g_strconcat(vigie_config_text(request->portal->config, "site.url"), "/acme", NULL);
    g_auto(VigieAcmeAnswer) answer = {0};
    VigieAcme server = {.base = base,
                        .profiles = request->portal->profiles,
                        .address = *request->address ? request->address : NULL,
                        .seal = request->portal->enrolments,
                        .now = request->now};
    const char *path = request->path + strlen(prefix);
    VigieBytes body = vigie_bytes(request->body->str, request->body->len);
    request->api = true; /* the client is a program */
    if (post && strcmp(path, "new-account") == 0)
        limits_take(request->portal->limits, &new_accounts, request->address, request->now, &server.wait);
    bool answered = post ? pki_acme_post(request->store, &server, path, body, &answer, error)
                         : pki_acme_get(request->store, &server, path, &answer, error);
    if (!answered)
        return false;
    bool head = strcmp(request->method, "HEAD") == 0;
    request->status = head && answer.status == 204 ? 200 : answer.status;
    request->type = answer.type ? answer.type : "application/octet-stream";
    add_fields(request, base, &answer);
    g_string_assign(request->answer, answer.body ? answer.body : "");
    return true;
}

RAW(feed_acme_get) {
    return serve(request, false, error);
}

RAW(feed_acme_post) {
    return serve(request, true, error);
}
