/* account-login: coming in with a name and a password, and the guard that makes guessing slow. */
#include "portal/account.h"
#include "portal/limit.h"

#include <string.h>

enum { NAME_SIZE_MAX = 256 };

/* ---- The guard ----------------------------------------------------------------------------------------------
 * Failures count against the account's name, whether there is such an account or not, and against the
 * address. The first few are free; then each try has to wait, twice as long each time. A day without a
 * failure forgets. */
enum { FREE_BY_ACCOUNT = 5, FREE_BY_ADDRESS = 20, WAIT_FIRST = 30, WAIT_MAX = 3600, FORGET = 86400 };

static bool guard_wait(VigieStore *store, const char *subject, VigieTime now, int64_t *ret_wait,
                       GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT open_at FROM login_guard WHERE subject = $1", "t", subject);
    g_autoptr(GError) failure = NULL;
    if (rows && rows_next(rows, &failure))
        *ret_wait = MAX(*ret_wait, rows_int(rows, 0) - now);
    return rows_ended(rows, &failure, error);
}

/* Counts a try as failed before it is made, so that tries made at the same time count, too. */
static bool guard_charge(VigieStore *store, const char *subject, int64_t allowed, VigieTime now,
                         GError **error) {
    int64_t failures = 0;
    if (!store_get_int(
            store, &failures, error,
            "INSERT INTO login_guard (subject, failures, last, open_at) VALUES ($1, 1, $2, 0) "
            "ON CONFLICT (subject) DO UPDATE SET last = $2, failures = "
            "CASE WHEN login_guard.last < $3 THEN 1 ELSE login_guard.failures + 1 END RETURNING failures",
            "tii", subject, now, now - FORGET))
        return false;
    int64_t over = failures - allowed;
    if (over < 0)
        return true;
    int64_t wait = MIN((int64_t)WAIT_FIRST << MIN(over, 20), WAIT_MAX);
    return store_exec(store, error, "UPDATE login_guard SET open_at = $2 WHERE subject = $1", "ti", subject,
                      now + wait);
}

static bool guard_forgive(VigieStore *store, const char *account, const char *address, VigieTime now,
                          GError **error) {
    return store_exec(store, error, "DELETE FROM login_guard WHERE subject = $1 OR last < $2", "ti", account,
                      now - FORGET) &&
           store_exec(store, error,
                      "UPDATE login_guard SET failures = failures - 1, open_at = 0 WHERE subject = $1 AND "
                      "failures > 0",
                      "t", address);
}

static bool guard_enter(VigieStore *store, const char *account, const char *address, VigieTime now,
                        int64_t *ret_wait, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    *ret_wait = 0;
    if (!tx || !guard_wait(store, account, now, ret_wait, error) ||
        !guard_wait(store, address, now, ret_wait, error))
        return false;
    if (*ret_wait > 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_BUSY, "too many failed logins: try again in %d s",
                    (int)*ret_wait);
        return false;
    }
    return guard_charge(store, account, FREE_BY_ACCOUNT, now, error) &&
           guard_charge(store, address, FREE_BY_ADDRESS, now, error) && store_commit(&tx, error);
}

/* ---- Logging in --------------------------------------------------------------------------------------------- */
static bool find_account(VigieStore *store, const char *folded, int64_t *ret_id, char **ret_hash,
                         bool *ret_disabled, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT id, password, disabled FROM account WHERE folded = $1", "t", folded);
    g_autoptr(GError) failure = NULL;
    if (rows && rows_next(rows, &failure)) {
        *ret_id = rows_int(rows, 0);
        *ret_hash = g_strdup(rows_text(rows, 1));
        *ret_disabled = rows_int(rows, 2) != 0;
    }
    return rows_ended(rows, &failure, error);
}

bool account_login(const Portal *portal, VigieStore *store, const char *name, const char *password,
                   const char *address, VigieTime now, int64_t *ret_account, int64_t *ret_wait,
                   GError **error) {
    g_autofree char *folded = vigie_text_fold(name);
    g_autofree char *name_hash = account_secret_hash(folded); /* a password typed as the name is not kept */
    g_autofree char *account = g_strconcat("account:", name_hash, NULL);
    g_autofree char *place = limits_subject(address);
    g_autofree char *subject = g_strconcat("address:", place, NULL);
    int64_t id = 0;
    bool disabled = false;
    g_autofree char *hash = NULL;
    *ret_wait = 0;
    if (strlen(name) > NAME_SIZE_MAX || strlen(password) > ACCOUNT_PASSWORD_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "wrong name or password");
        return false;
    }
    if (!guard_enter(store, account, subject, now, ret_wait, error) ||
        !find_account(store, folded, &id, &hash, &disabled, error))
        return false;
    if (!account_password_matches(password, hash ? hash : portal->dummy_hash) || id == 0 || disabled) {
        audit_add(store, now, id ? name : NULL, address, "login-failed", NULL, NULL, NULL);
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "wrong name or password");
        return false;
    }
    if (!guard_forgive(store, account, subject, now, error) ||
        !store_exec(store, error, "UPDATE account SET last_login = $2 WHERE id = $1", "ii", id, now) ||
        !audit_add(store, now, name, address, "login", NULL, NULL, error))
        return false;
    *ret_account = id;
    return true;
}

bool account_change_password(const Portal *portal, VigieStore *store, const Reader *reader, const char *old,
                             const char *password, const char *address, VigieTime now, int64_t *ret_wait,
                             GError **error) {
    int64_t account = 0;
    return account_password_check(password, error) &&
           account_login(portal, store, reader->name, old, address, now, &account, ret_wait, error) &&
           portal_user_password(store, reader->name, password, reader->name, now, error);
}
