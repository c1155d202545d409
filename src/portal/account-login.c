/* account-login: coming in with a name and a password, and the guard that makes guessing slow. */
#include "portal/account.h"
#include "portal/limit.h"

#include <string.h>

enum { NAME_SIZE_MAX = 256, BROWSERS_MAX = 20 };

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

/* Whom a try counts against. */
typedef struct {
    char *own;     /* "account:HASH" or "browser:HASH" */
    char *address; /* "address:PLACE"; NULL: not counted */
} Subjects;

static void subjects_clear(Subjects *subjects) {
    g_free(subjects->own);
    g_free(subjects->address);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Subjects, subjects_clear)

static bool guard_forgive(VigieStore *store, const Subjects *subjects, VigieTime now, GError **error) {
    return store_exec(store, error, "DELETE FROM login_guard WHERE subject = $1 OR last < $2", "ti",
                      subjects->own, now - FORGET) &&
           (!subjects->address ||
            store_exec(store, error,
                       "UPDATE login_guard SET failures = failures - 1, open_at = 0 WHERE subject = $1 AND "
                       "failures > 0",
                       "t", subjects->address));
}

static bool guard_enter(VigieStore *store, const Subjects *subjects, VigieTime now, int64_t *ret_wait,
                        GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    *ret_wait = 0;
    if (!tx || !guard_wait(store, subjects->own, now, ret_wait, error) ||
        (subjects->address && !guard_wait(store, subjects->address, now, ret_wait, error)))
        return false;
    if (*ret_wait > 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_BUSY, "too many failed logins: try again in %d s",
                    (int)*ret_wait);
        return false;
    }
    return guard_charge(store, subjects->own, FREE_BY_ACCOUNT, now, error) &&
           (!subjects->address || guard_charge(store, subjects->address, FREE_BY_ADDRESS, now, error)) &&
           store_commit(&tx, error);
}

/* ---- Browsers ----------------------------------------------------------------------------------------------- */
static bool browser_is_known(VigieStore *store, const char *hash, const char *folded, VigieTime now,
                             bool *ret_known, GError **error) {
    int64_t count = 0;
    if (!store_get_int(store, &count, error,
                       "SELECT COUNT(*) FROM known_browser b JOIN account a ON a.id = b.account "
                       "WHERE b.hash = $1 AND a.folded = $2 AND b.used > $3",
                       "tti", hash, folded, now - BROWSER_SECONDS))
        return false;
    *ret_known = count > 0;
    return true;
}

/* Takes a new secret where it had none; of an account's browsers those are known that it came from last. */
static char *browser_know(VigieStore *store, int64_t account, const char *known, VigieTime now,
                          GError **error) {
    g_autofree char *secret = known ? g_strdup(known) : account_secret_new();
    g_autofree char *hash = account_secret_hash(secret);
    bool well =
        store_exec(store, error,
                   "INSERT INTO known_browser (hash, account, used) VALUES ($1, $2, $3) "
                   "ON CONFLICT (hash) DO UPDATE SET used = $3",
                   "tii", hash, account, now) &&
        store_exec(store, error,
                   "DELETE FROM known_browser WHERE account = $1 AND (used < $2 OR hash NOT IN "
                   "(SELECT hash FROM known_browser WHERE account = $1 ORDER BY used DESC, hash LIMIT "
                   "$3))",
                   "iii", account, now - BROWSER_SECONDS, (int64_t)BROWSERS_MAX);
    return well ? g_steal_pointer(&secret) : NULL;
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

/* Of a browser that is known to this account, or of anybody who may be anywhere. */
static bool find_subjects(VigieStore *store, const Login *login, const char *folded, VigieTime now,
                          Subjects *subjects, bool *ret_known, GError **error) {
    g_autofree char *browser = login->browser ? account_secret_hash(login->browser) : NULL;
    bool known = false;
    if (browser && !browser_is_known(store, browser, folded, now, &known, error))
        return false;
    *ret_known = known;
    if (known) {
        subjects->own = g_strconcat("browser:", browser, NULL);
        return true;
    }
    g_autofree char *name = account_secret_hash(folded); /* a password typed as the name is not kept */
    g_autofree char *place = limits_subject(login->address);
    subjects->own = g_strconcat("account:", name, NULL);
    subjects->address = g_strconcat("address:", place, NULL);
    return true;
}

static bool wrong(GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "wrong name or password");
    return false;
}

bool account_login(const Portal *portal, VigieStore *store, const Login *login, VigieTime now,
                   int64_t *ret_account, char **ret_browser, int64_t *ret_wait, GError **error) {
    g_autofree char *folded = vigie_text_fold(login->name);
    g_auto(Subjects) subjects = {0};
    int64_t id = 0;
    bool disabled = false, known = false;
    g_autofree char *hash = NULL, *browser = NULL;
    *ret_wait = 0;
    if (strlen(login->name) > NAME_SIZE_MAX || strlen(login->password) > ACCOUNT_PASSWORD_MAX)
        return wrong(error);
    if (!find_subjects(store, login, folded, now, &subjects, &known, error) ||
        !guard_enter(store, &subjects, now, ret_wait, error) ||
        !find_account(store, folded, &id, &hash, &disabled, error))
        return false;
    if (!account_password_matches(login->password, hash ? hash : portal->dummy_hash) || id == 0 || disabled) {
        audit_add(store, now, id ? login->name : NULL, login->address, "login-failed", NULL, NULL, NULL);
        return wrong(error);
    }
    if (!guard_forgive(store, &subjects, now, error) ||
        !store_exec(store, error, "UPDATE account SET last_login = $2 WHERE id = $1", "ii", id, now) ||
        !(browser = browser_know(store, id, known ? login->browser : NULL, now, error)) ||
        !audit_add(store, now, login->name, login->address, "login", NULL, NULL, error))
        return false;
    *ret_account = id;
    *ret_browser = g_steal_pointer(&browser);
    return true;
}

bool account_change_password(const Portal *portal, VigieStore *store, const Login *login,
                             const char *password, VigieTime now, int64_t *ret_wait, GError **error) {
    int64_t account = 0;
    g_autofree char *browser = NULL;
    return account_password_check(password, error) &&
           account_login(portal, store, login, now, &account, &browser, ret_wait, error) &&
           portal_user_password(store, login->name, password, login->name, now, error);
}
