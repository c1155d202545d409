#include "portal/router.h"
#include "portal/account.h"
#include "portal/http.h"
#include "portal/present.h"

#include <stdio.h>
#include <string.h>

enum { LANG_SECONDS = 366 * 86400 };

/* ---- Errors ------------------------------------------------------------------------------------------------- */
static unsigned status_of(const GError *error) {
    static const unsigned statuses[] = {
        [VIGIE_ERROR_INVALID] = 400,     [VIGIE_ERROR_NOT_FOUND] = 404, [VIGIE_ERROR_CONFLICT] = 409,
        [VIGIE_ERROR_DENIED] = 403,      [VIGIE_ERROR_LIMIT] = 400,     [VIGIE_ERROR_BUSY] = 503,
        [VIGIE_ERROR_UNAVAILABLE] = 503, [VIGIE_ERROR_INTERNAL] = 500,
    };
    bool ours = error->domain == VIGIE_ERROR && error->code >= 0 && error->code < (int)G_N_ELEMENTS(statuses);
    return ours ? statuses[error->code] : 500;
}

static void answer_json(Request *request, unsigned status, const char *type, const json_t *value) {
    g_autofree char *text = vigie_json_text(value);
    request->status = status;
    request->type = type;
    g_string_assign(request->answer, text);
    g_string_append_c(request->answer, '\n');
}

/* RFC 9457. What went wrong inside is for our log, not for a stranger. */
static void answer_problem(Request *request, unsigned status, const char *detail) {
    g_autofree char *key = g_strdup_printf("portal.error.%u", status);
    g_autoptr(json_t) problem = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title",
                                          vigie_word(VIGIE_EN, key), "status", (int)status, "detail", detail);
    if (status == 401)
        request_header(request, "WWW-Authenticate", "Bearer realm=\"vigie\"");
    answer_json(request, status, "application/problem+json", problem);
}

static void answer_error_page(Request *request, unsigned status, const char *detail) {
    g_autofree char *key = g_strdup_printf("portal.error.%u", status);
    g_autofree char *remedy = g_strdup_printf("portal.error.%u-remedy", status);
    g_autofree char *said = present_refusal(request->lang, detail);
    bool known = request->lang != VIGIE_EN && strcmp(said, detail) != 0;
    g_autoptr(json_t) view =
        json_pack("{s:s, s:s, s:s, s:s, s:i}", "title", vigie_word(request->lang, key), "remedy",
                  vigie_word(request->lang, remedy), "detail", status < 500 ? said : "", "detail_lang",
                  known ? vigie_lang_code(request->lang) : "en", "status", (int)status);
    g_autoptr(GError) error = NULL;
    request->status = status;
    if (present_page(request, "error", view, &error))
        return;
    request->type = "text/plain; charset=utf-8";
    g_string_assign(request->answer, vigie_word(request->lang, key));
}

static void answer_error(Request *request, unsigned status, const char *message) {
    /* A message that quotes an address may have cut it within a character. */
    g_autofree char *detail = g_utf8_make_valid(message, -1);
    if (status >= 500)
        g_printerr("portal: %s %s: %s\n", request->method, request->path ? request->path : "?", detail);
    if (request->api)
        answer_problem(request, status, status < 500 ? detail : "the portal's log says why");
    else
        answer_error_page(request, status, detail);
}

static void answer_failure(Request *request, const GError *error) {
    answer_error(request, status_of(error), error->message);
}

/* ---- Who asks ----------------------------------------------------------------------------------------------- */
static bool parse_accepted(const char *field, VigieLang *ret_lang) {
    g_auto(GStrv) ranges = g_strsplit(field, ",", 20);
    double best = 0;
    for (char **range = ranges; *range; range++) {
        const char *q = strstr(*range, "q=");
        double weight = q ? g_ascii_strtod(q + 2, NULL) : 1;
        g_autofree char *tag = g_strstrip(g_strndup(*range, strcspn(*range, ";")));
        VigieLang lang;
        if (weight > best && vigie_lang_parse(tag, &lang)) {
            *ret_lang = lang;
            best = weight;
        }
    }
    return best > 0;
}

/* ?lang=, which stays chosen in this browser, else the account's own, else the browser's, else the site's. */
static void choose_language(Request *request, bool account_has, VigieLang account) {
    const char *asked = request_query(request, "lang"), *kept = g_hash_table_lookup(request->cookies, "lang");
    const char *accepted = request_field(request, "accept-language");
    if (asked && vigie_lang_parse(asked, &request->lang)) {
        request_cookie(request, "lang", vigie_lang_code(request->lang), LANG_SECONDS);
        return;
    }
    if (kept && vigie_lang_parse(kept, &request->lang))
        return;
    if (account_has)
        request->lang = account;
    else if (!accepted || !parse_accepted(accepted, &request->lang))
        request->lang = request->portal->lang;
}

static const char *token_of(const Request *request) {
    const char *authorization = request_field(request, "authorization");
    if (authorization && g_ascii_strncasecmp(authorization, "Bearer ", 7) == 0)
        return authorization + 7;
    /* Calendar programs can send nothing but an address. */
    return request->route && request->route->may == MAY_CALENDAR ? request_query(request, "token") : NULL;
}

/* False on an error of the store, not where nobody is known. */
static bool identify(Request *request, GError **error) {
    int unset = -1;
    VigieLang lang = (VigieLang)unset;
    const char *token = token_of(request), *cookie = g_hash_table_lookup(request->cookies, "session");
    g_autoptr(GError) failure = NULL;
    bool known = false;
    if (request->route && request->route->may == MAY_PUBLIC)
        token = cookie = NULL;
    if (token)
        known = token_reader(request->store, token, request->now, &request->reader, &lang, &failure);
    else if (cookie)
        known = session_reader(request->portal, request->store, cookie, request->now, &request->reader, &lang,
                               &failure);
    choose_language(request, (int)lang != unset, lang);
    if (known || !failure || g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* ---- Finding the row ---------------------------------------------------------------------------------------- */
static bool matches(const char *pattern, const char *path, int64_t *ret_id) {
    while (*pattern && *path) {
        if (strcmp(pattern, "{rest}") == 0)
            return true;
        if (g_str_has_prefix(pattern, "{id}")) {
            char *end = NULL;
            if (!g_ascii_isdigit(*path))
                return false;
            guint64 id = g_ascii_strtoull(path, &end, 10);
            if (id == 0 || id > INT64_MAX)
                return false;
            *ret_id = (int64_t)id;
            path = end;
            pattern += strlen("{id}");
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *pattern == '\0' && *path == '\0';
}

/* The row, or NULL and why: 404, or 405 where the address takes another method. */
static const Route *find_route(Request *request, unsigned *ret_status) {
    const char *path = request->path;
    bool below_api = g_str_has_prefix(path, "/api/");
    bool head = strcmp(request->method, "HEAD") == 0;
    *ret_status = 404;
    for (const Route *route = routes; route->path; route++) {
        const char *own = below_api && (route->also & ROUTE_API) ? path + strlen("/api") : path;
        if (!matches(route->path, own, &request->id))
            continue;
        if (strcmp(route->method, head ? "GET" : request->method) == 0)
            return route;
        *ret_status = 405;
    }
    return NULL;
}

bool router_takes_files(const char *path) {
    int64_t id;
    for (const Route *route = routes; route->path; route++)
        if ((route->also & ROUTE_FILES) && (matches(route->path, path, &id) ||
                                            ((route->also & ROUTE_API) && g_str_has_prefix(path, "/api/") &&
                                             matches(route->path, path + strlen("/api"), &id))))
            return true;
    return false;
}

/* ---- Answering ---------------------------------------------------------------------------------------------- */
/* The browser's word, where it gives it. */
static bool from_our_site(const Request *request) {
    const char *site = request_field(request, "sec-fetch-site");
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return false;
    const char *origin = request_field(request, "origin"), *host = request_field(request, "host");
    const char *origin_host = origin ? strstr(origin, "://") : NULL;
    bool same_host = host && origin_host && g_ascii_strcasecmp(origin_host + 3, host) == 0;
    return !origin || same_host ||
           strcmp(origin, vigie_config_text(request->portal->config, "site.url")) == 0;
}

/* A form must come from our own page: with our token. Where nobody is known there is nobody's right to borrow: a public
 * form has no token, and needs no cookie; only visitors of other sites are not to be made its senders. */
static bool from_our_page(const Request *request) {
    if (!from_our_site(request))
        return false;
    if (request->route->may == MAY_PUBLIC)
        return true;
    const char *given = request_form(request, "csrf");
    if (!given)
        given = request_field(request, "x-csrf-token");
    return given && request->reader.csrf && account_secret_equal(given, request->reader.csrf);
}

/* Without a session, the form of login itself is bound to a cookie of its own. */
static void bind_login(Request *request) {
    const char *cookie = g_hash_table_lookup(request->cookies, "login");
    if (request->reader.account || request->reader.csrf || request->route->may != MAY_NOTHING ||
        request->route->raw)
        return;
    g_autofree char *secret = cookie && strlen(cookie) == 43 ? g_strdup(cookie) : account_secret_new();
    if (!cookie || strcmp(cookie, secret) != 0)
        request_cookie(request, "login", secret, 3600);
    request->reader.csrf = account_secret_csrf(secret);
}

static void answer_stranger(Request *request) {
    if (request->api || request->route->raw) {
        request->api = true;
        answer_problem(request, 401, "a token (Authorization: Bearer …) or a session is wanted");
        return;
    }
    g_autofree char *here = request_link(request, request->path, NULL);
    g_autofree char *escaped = g_uri_escape_string(here, "/", FALSE);
    g_autofree char *login =
        strcmp(here, "/") == 0 ? g_strdup("/login") : g_strconcat("/login?next=", escaped, NULL);
    request->status = 303;
    request_header(request, "Location", login);
}

static void answer_page(Request *request, json_t *resource, GError **error) {
    g_autoptr(json_t) view = json_deep_copy(resource);
    present(request, view);
    if (request->route->dress && !request->route->dress(request, view, error))
        return;
    present_page(request, request->route->page, view, error);
}

static void answer_resource(Request *request, GError **error) {
    g_autoptr(json_t) resource = request->route->resource(request, error);
    if (!resource || request->file) /* a file is the answer as it is */
        return;
    bool no_page = !request->route->page && !request->go;
    if (request->api || no_page) {
        answer_json(request, request->status, "application/json", resource);
    } else if (request->go) {
        request->status = 303;
        request_header(request, "Location", request->go);
    } else {
        answer_page(request, resource, error);
    }
}

static void answer_route(Request *request) {
    g_autoptr(GError) error = NULL;
    if (!identify(request, &error)) {
        answer_failure(request, error);
        return;
    }
    bind_login(request);
    bool open = request->route->may == MAY_NOTHING || request->route->may == MAY_PUBLIC;
    if (!open && request->reader.account == 0) {
        answer_stranger(request);
        return;
    }
    if (!open && !(request->reader.may & (1U << request->route->may))) {
        answer_error(request, 403, "the role or the token does not allow this");
        return;
    }
    /* A raw row reads its body itself, and is nobody's session's. */
    bool form = strcmp(request->method, "POST") == 0 && !request->route->raw;
    /* Or a token that may read could make itself one that may act, and outlive its own end. */
    if (form && request->reader.by_token && !(request->route->also & ROUTE_API)) {
        answer_error(request, 403, "a token does not change the account that made it: log in");
        return;
    }
    if (form && !request_read_form(request, &error)) {
        answer_failure(request, error);
        return;
    }
    if (form && !request->reader.by_token && !from_our_page(request)) {
        answer_error(request, 403, "the form was not one of this portal's, or too old: load the page again");
        return;
    }
    if (request->route->raw)
        request->route->raw(request, &error);
    else
        answer_resource(request, &error);
    if (error)
        answer_failure(request, error);
}

void router_answer(Request *request) {
    unsigned status = 404;
    request->lang = request->portal->lang;
    if (!request->path) {
        request->path = g_strdup("/");
        answer_error(request, 400, "the address has an escape that is not UTF-8 text");
        return;
    }
    request->api = g_str_has_prefix(request->path, "/api/");
    request->route = find_route(request, &status);
    if (request->route) {
        answer_route(request);
        return;
    }
    identify(request, NULL);
    answer_error(request, status,
                 status == 405 ? "this address takes another method" : "there is nothing here");
}
