/* session: cookies and tokens, both random secrets of which the store knows only the hash; and the log. */
#include "portal/account.h"

#include <string.h>

enum { USED_EVERY = 60, TOKENS_MAX = 50, TOKEN_SECONDS_MAX = 2 * 366 * 86400, AUDIT_PAGE = 100 };

#define TOKEN_PREFIX "vigie_" /* so that a scanner for leaked secrets knows one */

json_t *portal_rows_time(const VigieRows *rows, int column) {
    g_autofree char *text = rows_null(rows, column) ? NULL : vigie_time_rfc3339(rows_int(rows, column));
    return text ? json_string(text) : json_null();
}

static bool nobody(GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                "the session or the token is not known, or has ended");
    return false;
}

/* Columns account, name, role, organisation, language, disabled. */
static bool read_reader(const VigieRows *rows, Reader *reader, VigieLang *ret_lang) {
    if (rows_int(rows, 5) != 0 || !portal_role_parse(rows_text(rows, 2), &reader->role))
        return false;
    reader->account = rows_int(rows, 0);
    reader->name = g_strdup(rows_text(rows, 1));
    reader->organisation = rows_int(rows, 3);
    reader->may = account_role_may(reader->role);
    if (reader->organisation) /* the log and the accounts are of all organisations */
        reader->may &= ~(1U << MAY_AUDIT | 1U << MAY_ACCOUNTS);
    if (!rows_null(rows, 4))
        vigie_lang_parse(rows_text(rows, 4), ret_lang);
    return true;
}

char *session_open(const Portal *portal, VigieStore *store, int64_t account, const char *address,
                   VigieTime now, GError **error) {
    g_autofree char *secret = account_secret_new();
    g_autofree char *hash = account_secret_hash(secret);
    bool opened =
        store_exec(store, error, "DELETE FROM session WHERE used < $1 OR created < $2", "ii",
                   now - portal->session_idle, now - portal->session_max) &&
        store_exec(store, error,
                   "INSERT INTO session (hash, account, created, used, address) VALUES ($1, $2, $3, $3, $4)",
                   "tiit", hash, account, now, address);
    return opened ? g_steal_pointer(&secret) : NULL;
}

bool session_close(VigieStore *store, const char *hash, GError **error) {
    return store_exec(store, error, "DELETE FROM session WHERE hash = $1", "t", hash);
}

/* `used` is kept to the minute: not every page is worth a write. */
static bool touch(VigieStore *store, const char *table, const char *hash, VigieTime used, VigieTime now,
                  GError **error) {
    if (now - used < USED_EVERY)
        return true;
    g_autofree char *sql = g_strdup_printf("UPDATE %s SET used = $2 WHERE hash = $1", table);
    return store_exec(store, error, sql, "ti", hash, now);
}

bool session_reader(const Portal *portal, VigieStore *store, const char *secret, VigieTime now,
                    Reader *ret_reader, VigieLang *ret_lang, GError **error) {
    g_autofree char *hash = account_secret_hash(secret);
    Reader reader = {0};
    VigieTime used = 0;
    {
        g_autoptr(VigieRows) rows = store_query(
            store, error,
            "SELECT a.id, a.name, a.role, a.organisation, a.language, a.disabled, s.used FROM session s "
            "JOIN account a ON a.id = s.account WHERE s.hash = $1 AND s.used > $2 AND s.created > $3",
            "tii", hash, now - portal->session_idle, now - portal->session_max);
        g_autoptr(GError) failure = NULL;
        bool found = rows && rows_next(rows, &failure);
        if (!found && !rows_ended(rows, &failure, error))
            return false;
        if (!found || !read_reader(rows, &reader, ret_lang))
            return nobody(error);
        used = rows_int(rows, 6);
    }
    reader.csrf = account_secret_csrf(secret);
    reader.session_hash = g_steal_pointer(&hash);
    *ret_reader = reader;
    return touch(store, "session", reader.session_hash, used, now, error);
}

bool token_reader(VigieStore *store, const char *secret, VigieTime now, Reader *ret_reader,
                  VigieLang *ret_lang, GError **error) {
    g_autofree char *hash = account_secret_hash(secret);
    Reader reader = {.by_token = true};
    VigieTime used = 0;
    {
        g_autoptr(VigieRows) rows =
            store_query(store, error,
                        "SELECT a.id, a.name, a.role, a.organisation, a.language, a.disabled, "
                        "t.scope, t.used FROM api_token t JOIN account a ON a.id = t.account "
                        "WHERE t.hash = $1 AND t.ends > $2",
                        "ti", hash, now);
        g_autoptr(GError) failure = NULL;
        bool found = rows && rows_next(rows, &failure);
        if (!found && !rows_ended(rows, &failure, error))
            return false;
        unsigned may = 0;
        if (!found || !account_scope_may(rows_text(rows, 6), &may) || !read_reader(rows, &reader, ret_lang))
            return nobody(error);
        reader.may &= may;
        used = rows_int(rows, 7);
    }
    *ret_reader = reader;
    return touch(store, "api_token", hash, used, now, error);
}

/* ---- Tokens ------------------------------------------------------------------------------------------------- */
static bool check_token(VigieStore *store, int64_t account, const char *name, VigieRole role,
                        const char *scope, int64_t seconds, GError **error) {
    unsigned may = 0;
    int64_t count = 0;
    const char *problem = NULL;
    if (!*name || strlen(name) > 200)
        problem = "a token's name has 1 to 200 characters: say what it is for";
    else if (!account_scope_may(scope, &may))
        problem = "a token's scope is read, act, fleet, case, metrics or calendar";
    else if ((may & account_role_may(role)) != may)
        problem = "the role does not give what this scope would";
    else if (seconds <= 0 || seconds > TOKEN_SECONDS_MAX)
        problem = "a token lives for two years at most";
    if (!problem && !store_get_int(store, &count, error, "SELECT count(*) FROM api_token WHERE account = $1",
                                   "i", account))
        return false;
    if (count >= TOKENS_MAX)
        problem = "an account has 50 tokens at most: remove one first";
    if (problem)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, problem);
    return !problem;
}

static bool account_by_name(VigieStore *store, const char *name, Reader *reader, GError **error) {
    g_autofree char *folded = vigie_text_fold(name);
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT id, name, role, organisation, language, disabled FROM account WHERE folded = $1",
                    "t", folded);
    g_autoptr(GError) failure = NULL;
    VigieLang lang;
    bool found = rows && rows_next(rows, &failure);
    if (!found && !rows_ended(rows, &failure, error))
        return false;
    if (found && read_reader(rows, reader, &lang))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is no user %s, or it is disabled", name);
    return false;
}

char *portal_token_add(VigieStore *store, const char *user, const char *name, const char *scope,
                       int64_t seconds, VigieTime now, GError **error) {
    Reader reader = {0};
    bool known = account_by_name(store, user, &reader, error);
    g_autofree char *reader_name = reader.name;
    if (!known || !check_token(store, reader.account, name, reader.role, scope, seconds, error))
        return NULL;
    g_autofree char *random = account_secret_new();
    g_autofree char *secret = g_strconcat(TOKEN_PREFIX, random, NULL);
    g_autofree char *hash = account_secret_hash(secret);
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    bool added = tx &&
                 store_exec(store, error,
                            "INSERT INTO api_token (hash, account, name, scope, created, ends) "
                            "VALUES ($1, $2, $3, $4, $5, $6)",
                            "tittii", hash, reader.account, name, scope, now, now + seconds) &&
                 audit_add(store, now, reader.name, NULL, "token-added", name, scope, error) &&
                 store_commit(&tx, error);
    return added ? g_steal_pointer(&secret) : NULL;
}

json_t *token_list(VigieStore *store, int64_t account, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT id, name, scope, created, ends, used FROM api_token WHERE account = $1 ORDER BY id", "i",
        account);
    g_autoptr(json_t) tokens = json_array();
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure))
        json_array_append_new(tokens,
                              json_pack("{s:I, s:s, s:s, s:o, s:o, s:o}", "id", (json_int_t)rows_int(rows, 0),
                                        "name", rows_text(rows, 1), "scope", rows_text(rows, 2), "created",
                                        portal_rows_time(rows, 3), "ends", portal_rows_time(rows, 4), "used",
                                        portal_rows_time(rows, 5)));
    return rows_ended(rows, &failure, error) ? g_steal_pointer(&tokens) : NULL;
}

bool token_remove(VigieStore *store, int64_t account, int64_t id, GError **error) {
    int64_t count = 0;
    if (!store_exec_count(store, &count, error, "DELETE FROM api_token WHERE id = $1 AND account = $2", "ii",
                          id, account))
        return false;
    if (count == 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is no token %d of yours", (int)id);
    return count > 0;
}

/* ---- The log ------------------------------------------------------------------------------------------------ */
bool audit_add(VigieStore *store, VigieTime now, const char *who, const char *address, const char *action,
               const char *object, const char *details, GError **error) {
    return store_exec(
        store, error,
        "INSERT INTO audit (time, who, address, action, object, details) VALUES ($1, $2, $3, $4, $5, $6)",
        "ittttt", now, who, address, action, object, details);
}

json_t *audit_list(VigieStore *store, int64_t page, GError **error) {
    int64_t total = 0;
    if (!store_get_int(store, &total, error, "SELECT count(*) FROM audit", ""))
        return NULL;
    int64_t pages = MAX(1, (total + AUDIT_PAGE - 1) / AUDIT_PAGE);
    page = CLAMP(page, 1, pages);
    g_autoptr(VigieRows) rows = store_query(store, error,
                                            "SELECT time, who, address, action, object, details FROM audit "
                                            "ORDER BY id DESC LIMIT $1 OFFSET $2",
                                            "ii", (int64_t)AUDIT_PAGE, (page - 1) * AUDIT_PAGE);
    g_autoptr(json_t) items = json_array();
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure))
        json_array_append_new(items, json_pack("{s:o, s:s?, s:s?, s:s, s:s?, s:s?}", "time",
                                               portal_rows_time(rows, 0), "who", rows_text(rows, 1),
                                               "address", rows_text(rows, 2), "action", rows_text(rows, 3),
                                               "object", rows_text(rows, 4), "details", rows_text(rows, 5)));
    if (!rows_ended(rows, &failure, error))
        return NULL;
    return json_pack("{s:I, s:I, s:I, s:O}", "total", (json_int_t)total, "page", (json_int_t)page, "pages",
                     (json_int_t)pages, "items", items);
}
