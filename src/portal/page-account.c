/* page-account: coming in, going out, one's own password, language and tokens; and the log. */
#include "portal/account.h"
#include "portal/enrol.h"
#include "portal/pages.h"
#include "portal/present.h"

#include <string.h>

enum { DAY = 86400, TOKEN_DAYS = 365 };

/* Only a path of ours: "//elsewhere" and "/\elsewhere" are other sites to a browser, which drops tabs and line ends
 * before it looks. */
static const char *safe_next(const char *next) {
    bool ours = next && next[0] == '/' && next[1] != '/' && next[1] != '\\' && !strpbrk(next, "\t\r\n");
    return ours ? next : "/";
}

/* Did the client prove over TLS that it has a certificate? Whose it is shows when it logs in. */
static bool shows_certificate(const Request *request) {
    GByteArray *shown = enrol_client_certificate(request, NULL);
    if (shown)
        g_byte_array_unref(shown);
    return shown != NULL;
}

static json_t *login_form(Request *request, const char *problem) {
    const char *next = request_form(request, "next"), *name = request_form(request, "name");
    if (!next)
        next = request_query(request, "next");
    return json_pack("{s:s, s:s, s:s, s:b, s:b}", "next", safe_next(next), "name", name ? name : "",
                     "problem", problem ? problem : "", "declare", request->portal->declarations != NULL,
                     "certificate", shows_certificate(request));
}

RESOURCE(page_login_form) {
    (void)error;
    if (request->reader.account)
        request->go = g_strdup(safe_next(request_query(request, "next")));
    return login_form(request, NULL);
}

static json_t *login_refused(Request *request, const GError *failure, int64_t wait) {
    if (g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_BUSY)) {
        g_autofree char *span = vigie_duration_text(request->lang, wait);
        g_autofree char *problem = vigie_words(request->lang, "portal.login.wait", "span", span, NULL);
        g_autofree char *seconds = g_strdup_printf("%" G_GINT64_FORMAT, wait);
        request->status = 429;
        request_header(request, "Retry-After", seconds);
        return login_form(request, problem);
    }
    request->status = 403;
    return login_form(request, vigie_word(request->lang, "portal.login.wrong"));
}

static json_t *come_in(Request *request, int64_t account, GError **error) {
    g_autofree char *secret =
        session_open(request->portal, request->store, account, request->address, request->now, error);
    if (!secret)
        return NULL;
    request_cookie(request, "session", secret, request->portal->session_max);
    request_cookie(request, "login", "", 0);
    request->go = g_strdup(safe_next(request_form(request, "next")));
    return json_object();
}

static Login login_of(const Request *request, const char *name, const char *password) {
    return (Login){.name = name ? name : "",
                   .password = password ? password : "",
                   .address = request->address,
                   .browser = g_hash_table_lookup(request->cookies, "browser")};
}

RESOURCE(page_login) {
    const char *name = request_form(request, "name"), *password = request_form(request, "password");
    const Login login = login_of(request, name, password);
    int64_t account = 0, wait = 0;
    g_autofree char *browser = NULL;
    g_autoptr(GError) failure = NULL;
    if (!account_login(request->portal, request->store, &login, request->now, &account, &browser, &wait,
                       &failure)) {
        if (g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_BUSY) ||
            g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_DENIED))
            return login_refused(request, failure, wait);
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    request_cookie(request, "browser", browser, BROWSER_SECONDS);
    return come_in(request, account, error);
}

static json_t *certificate_refused(Request *request, const char *word) {
    request->status = 403;
    return login_form(request, vigie_word(request->lang, word));
}

RESOURCE(page_login_certificate) {
    int64_t account = 0;
    g_autoptr(GError) failure = NULL;
    g_autoptr(GByteArray) shown = enrol_client_certificate(request, NULL);
    if (!shown)
        return certificate_refused(request, "portal.login.no-certificate");
    if (account_certificate_login(request->store, vigie_bytes(shown->data, shown->len), request->address,
                                  request->now, &account, &failure))
        return come_in(request, account, error);
    if (g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_DENIED))
        return certificate_refused(request, "portal.login.wrong-certificate");
    g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}

RESOURCE(page_logout) {
    if (request->reader.session_hash && !session_close(request->store, request->reader.session_hash, error))
        return NULL;
    if (!audit_add(request->store, request->now, request->reader.name, request->address, "logout", NULL, NULL,
                   error))
        return NULL;
    request_cookie(request, "session", "", 0);
    request->go = g_strdup("/login");
    return json_object();
}

RESOURCE(page_account) {
    g_autoptr(json_t) tokens = token_list(request->store, request->reader.account, error),
                      sessions =
                          tokens ? account_sessions(request->portal, request->store, request->reader.account,
                                                    request->reader.session_hash, request->now, error)
                                 : NULL;
    if (!sessions)
        return NULL;
    return json_pack("{s:s, s:s, s:o, s:s, s:O, s:O}", "name", request->reader.name, "role",
                     portal_role_name(request->reader.role), "organisation",
                     request->reader.organisation ? json_integer(request->reader.organisation) : json_null(),
                     "language", vigie_lang_code(request->lang), "tokens", tokens, "sessions", sessions);
}

RESOURCE(page_language) {
    const char *text = request_form(request, "language");
    VigieLang lang;
    if (!text || !vigie_lang_parse(text, &lang)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "language: fr or en is wanted");
        return NULL;
    }
    if (!account_set_language(request->store, request->reader.account, lang, error))
        return NULL;
    request_cookie(request, "lang", "", 0);
    request->go = g_strdup("/account");
    return json_object();
}

/* The account page again, with what came of a form. */
static json_t *account_with(Request *request, const char *member, const char *text, GError **error) {
    json_t *account = page_account(request, error);
    if (account)
        json_object_set_new(account, member, json_string(text));
    return account;
}

RESOURCE(page_password) {
    const char *old = request_form(request, "old"), *password = request_form(request, "password");
    const char *again = request_form(request, "again"), *problem = NULL;
    const Login login = login_of(request, request->reader.name, old);
    int64_t wait = 0;
    g_autoptr(GError) failure = NULL;
    g_autofree char *waiting = NULL;
    if (!old || !password || !again || strcmp(password, again) != 0) {
        problem = vigie_word(request->lang, "portal.password.differ");
    } else if (!account_change_password(request->portal, request->store, &login, password, request->now,
                                        &wait, &failure)) {
        g_autofree char *span = vigie_duration_text(request->lang, wait);
        waiting = vigie_words(request->lang, "portal.login.wait", "span", span, NULL);
        problem = g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_BUSY) ? waiting
                  : g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_INVALID)
                      ? vigie_word(request->lang, "portal.password.short")
                      : vigie_word(request->lang, "portal.password.wrong");
    }
    if (problem) {
        request->status = 400;
        return account_with(request, "password_problem", problem, error);
    }
    request_cookie(request, "session", "", 0); /* every session of the account has ended, this one, too */
    request->go = g_strdup("/login");
    return json_object();
}

RESOURCE(page_sessions_end) {
    const char *session = request_form(request, "session");
    int64_t ended = 0;
    g_autoptr(VigieTransaction) tx = store_begin(request->store, error);
    if (!tx ||
        !account_sessions_end(request->store, request->reader.account, session ? session : "",
                              request->reader.session_hash ? request->reader.session_hash : "", &ended,
                              error) ||
        (ended > 0 && !audit_add(request->store, request->now, request->reader.name, request->address,
                                 "sessions-ended", request->reader.name, NULL, error)) ||
        !store_commit(&tx, error))
        return NULL;
    request->go = g_strdup("/account#sessions");
    return page_account(request, error);
}

RESOURCE(page_token_add) {
    const char *name = request_form(request, "name"), *scope = request_form(request, "scope");
    const char *days = request_form(request, "days");
    int64_t life = days && *days ? g_ascii_strtoll(days, NULL, 10) : TOKEN_DAYS;
    if (life < 1 || life > 2 * TOKEN_DAYS)
        life = TOKEN_DAYS;
    g_autoptr(GError) failure = NULL;
    g_autofree char *token = portal_token_add(request->store, request->reader.name, name ? name : "",
                                              scope ? scope : "", life * DAY, request->now, &failure);
    if (token)
        return account_with(request, "new_token", token, error);
    if (!g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_INVALID)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    request->status = 400;
    return account_with(request, "token_problem", vigie_word(request->lang, "portal.token.refused"), error);
}

RESOURCE(page_token_remove) {
    g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, request->id);
    if (!token_remove(request->store, request->reader.account, request->id, error) ||
        !audit_add(request->store, request->now, request->reader.name, request->address, "token-removed", id,
                   NULL, error))
        return NULL;
    request->go = g_strdup("/account#tokens");
    return json_object();
}

DRESS(dress_account) {
    (void)error;
    static const char *const all[] = {"read", "act", "fleet", "case", "metrics", "calendar", NULL};
    static const char *const languages[] = {"fr", "en", NULL};
    const char *mine[G_N_ELEMENTS(all)] = {0};
    size_t count = 0;
    for (const char *const *scope = all; *scope; scope++) {
        unsigned may = 0, role = account_role_may(request->reader.role);
        if (account_scope_may(*scope, &may) && (role & may) == may)
            mine[count++] = *scope;
    }
    json_object_set_new(view, "scopes", present_options(request, "portal.scope.", mine, "read"));
    json_object_set_new(
        view, "languages",
        present_options(request, "portal.language.", languages, vigie_lang_code(request->lang)));
    json_object_set_new(view, "site_url",
                        json_string(vigie_config_text(request->portal->config, "site.url")));
    return true;
}

RESOURCE(page_audit) {
    const char *page = request_query(request, "page");
    return audit_list(request->store, page ? g_ascii_strtoll(page, NULL, 10) : 1, error);
}
