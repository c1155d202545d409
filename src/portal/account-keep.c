/* account-keep: accounts as an administrator keeps them: roles, sessions. */
#include "portal/account.h"

#include <string.h>

bool account_admins_hold(VigieStore *store, int64_t account, bool *ret_one, GError **error) {
    int64_t count = 0;
    if (!store_exec(store, error, "UPDATE account SET disabled = disabled WHERE role = 'admin'", "") ||
        !store_get_int(
            store, &count, error,
            "SELECT count(*) FROM account WHERE id = $1 AND role = 'admin' AND organisation IS NULL "
            "AND disabled = 0",
            "i", account))
        return false;
    *ret_one = count > 0;
    return true;
}

bool account_admin_remains(VigieStore *store, GError **error) {
    int64_t count = 0;
    if (!store_get_int(
            store, &count, error,
            "SELECT count(*) FROM account WHERE role = 'admin' AND organisation IS NULL AND disabled = "
            "0",
            ""))
        return false;
    if (count == 0)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                            "the last administrator of all organisations stays: make another one first");
    return count > 0;
}

bool portal_user_role(VigieStore *store, const char *name, VigieRole role, int64_t organisation,
                      const char *by, VigieTime now, GError **error) {
    int64_t id = 0;
    bool admin = false;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && account_id(store, name, &id, error) && account_admins_hold(store, id, &admin, error) &&
           account_check_organisation(store, organisation, now, error) &&
           store_exec(store, error,
                      "UPDATE account SET role = $2, organisation = nullif($3, 0) WHERE id = $1", "iti", id,
                      portal_role_name(role), organisation) &&
           (!by || !admin || account_admin_remains(store, error)) &&
           audit_add(store, now, by, NULL, "role-changed", name, portal_role_name(role), error) &&
           store_commit(&tx, error);
}

/* ---- Sessions ----------------------------------------------------------------------------------------------- */
json_t *account_sessions(const Portal *portal, VigieStore *store, int64_t account, const char *own,
                         VigieTime now, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT substr(hash, 1, 16), created, used, address, hash FROM session WHERE account = "
                    "$1 AND used > $2 "
                    "AND created > $3 ORDER BY used DESC, hash",
                    "iii", account, now - portal->session_idle, now - portal->session_max);
    g_autoptr(json_t) sessions = json_array();
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure))
        json_array_append_new(sessions, json_pack("{s:s, s:o, s:o, s:s, s:b}", "session", rows_text(rows, 0),
                                                  "created", portal_rows_time(rows, 1), "used",
                                                  portal_rows_time(rows, 2), "address", rows_text(rows, 3),
                                                  "own", own && strcmp(own, rows_text(rows, 4)) == 0));
    return rows_ended(rows, &failure, error) ? g_steal_pointer(&sessions) : NULL;
}

bool account_sessions_end(VigieStore *store, int64_t account, const char *session, const char *but,
                          int64_t *ret_ended, GError **error) {
    return store_exec_count(
        store, ret_ended, error,
        "DELETE FROM session WHERE account = $1 AND ($2 = '' OR substr(hash, 1, 16) = $3) AND "
        "hash <> $4",
        "ittt", account, session, session, but);
}
