/* account: who may come in, what each may do, and what they did. */
#pragma once

#include "portal/request.h"

/* What a role may do: bits of 1 << May. */
unsigned account_role_may(VigieRole role);
/* What a token of this scope may do at most. */
bool account_scope_may(const char *scope, unsigned *ret_may);

/* One try to come in; texts of the caller's. */
typedef struct {
    const char *name, *password, *address;
    const char *browser; /* what the cookie of a login before brings back, or NULL */
} Login;
enum { BROWSER_SECONDS = 180 * 86400 };
/* Checks name and password under the guard: failures count against the name and the address or, where this account came in
 * from this browser before, against the browser alone; so nobody keeps another from coming in where they usually do. BUSY: too
 * many failures; *ret_wait is how many seconds to wait. DENIED: a wrong name, a wrong password or a disabled account, which is
 * not told apart. *ret_browser: the secret for the cookie that this browser is known by for BROWSER_SECONDS after its last
 * login; free with g_free. */
bool account_login(const Portal *portal, VigieStore *store, const Login *login, VigieTime now,
                   int64_t *ret_account, char **ret_browser, int64_t *ret_wait, GError **error);
/* Whose account the certificate is that a client proved over TLS to have the key of. It is checked here again: ours, not
 * revoked, not ended. DENIED. */
bool account_certificate_login(VigieStore *store, VigieBytes der, const char *address, VigieTime now,
                               int64_t *ret_account, GError **error);
/* NOT_FOUND */
bool account_id(VigieStore *store, const char *name, int64_t *ret_id, GError **error);
enum { ACCOUNT_PASSWORD_MAX = 512 };
/* The hash of `password`. Free with g_free. */
char *account_hash_password(const char *password, GError **error);
bool account_password_matches(const char *password, const char *hash);
/* Is it one that may be chosen? INVALID. */
bool account_password_check(const char *password, GError **error);
bool account_set_language(VigieStore *store, int64_t account, VigieLang lang, GError **error);
/* `login`: the reader's name and password until now. Ends every session, and no browser is known any more. */
bool account_change_password(const Portal *portal, VigieStore *store, const Login *login,
                             const char *password, VigieTime now, int64_t *ret_wait, GError **error);

/* 32 random octets as 43 URL-safe letters; and what is kept of such a secret. Free with g_free. */
char *account_secret_new(void);
char *account_secret_hash(const char *secret);
/* A secret's CSRF token. Free with g_free. */
char *account_secret_csrf(const char *secret);
bool account_secret_equal(const char *a, const char *b);

/* INVALID, NOT_FOUND: an account confined to nobody's organisation would see nothing. 0 is well. */
bool account_check_organisation(VigieStore *store, int64_t organisation, VigieTime now, GError **error);
/* In a transaction: until its end nobody else takes an administrator away. `ret_one`: the account is one of those who see
 * all. Then, CONFLICT where none of them is left. */
bool account_admins_hold(VigieStore *store, int64_t account, bool *ret_one, GError **error);
bool account_admin_remains(VigieStore *store, GError **error);

/* ---- Sessions and tokens ---- */
/* Opens a session; what goes into the cookie. Free with g_free. */
char *session_open(const Portal *portal, VigieStore *store, int64_t account, const char *address,
                   VigieTime now, GError **error);
bool session_close(VigieStore *store, const char *hash, GError **error);
/* [ { "session": how it is called, "created", "used", "address", "own": of the hash `own`, which may be NULL } ], the last
 * used first. */
json_t *account_sessions(const Portal *portal, VigieStore *store, int64_t account, const char *own,
                         VigieTime now, GError **error);
/* Ends one session of the account or, `session` "", all but the one of the hash `but` ("": all). */
bool account_sessions_end(VigieStore *store, int64_t account, const char *session, const char *but,
                          int64_t *ret_ended, GError **error);
/* Who a cookie's or a token's secret is; NOT_FOUND where it is nobody's, or not any more. `ret_lang` is set where the
 * account has a language of its own. */
bool session_reader(const Portal *portal, VigieStore *store, const char *secret, VigieTime now,
                    Reader *ret_reader, VigieLang *ret_lang, GError **error);
bool token_reader(VigieStore *store, const char *secret, VigieTime now, Reader *ret_reader,
                  VigieLang *ret_lang, GError **error);
/* [ { "id", "name", "scope", "created", "ends", "used" } ] */
json_t *token_list(VigieStore *store, int64_t account, GError **error);
bool token_remove(VigieStore *store, int64_t account, int64_t id, GError **error);

/* ---- The log ---- */
bool audit_add(VigieStore *store, VigieTime now, const char *who, const char *address, const char *action,
               const char *object, const char *details, GError **error);
/* { "total", "page", "pages", "items": [ { "time", "who", "address", "action", "object", "details" } ] } newest first */
json_t *audit_list(VigieStore *store, int64_t page, GError **error);

/* ---- Reading rows ---- */
/* After a loop over `rows` (NULL: the query failed) that kept its error in `failure`: true where all was read. */
/* A time column as RFC 3339, or null. */
json_t *portal_rows_time(const VigieRows *rows, int column);
