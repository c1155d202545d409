/* account-certificate: who comes in with a certificate instead of a password. */
#include "pki/pki.h"
#include "portal/account.h"

#include <string.h>

static bool refuse(GError **error, VigieErrorCode code, const char *why) {
    g_set_error_literal(error, VIGIE_ERROR, (gint)code, why);
    return false;
}

/* ---- Whose it is -------------------------------------------------------------------------------------------- */
/* Its subject was validated by a person who did not ask for it. */
static bool check_profile(const char *name, GError **error) {
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(error);
    g_autoptr(json_t) list = profiles ? pki_profile_list(profiles, VIGIE_EN) : NULL;
    size_t index;
    json_t *one;
    if (!list)
        return false;
    json_array_foreach(list, index, one) {
        if (strcmp(vigie_member(one, "name"), name) == 0 &&
            json_is_true(json_object_get(one, "dual_control")))
            return true;
    }
    return refuse(
        error, VIGIE_ERROR_DENIED,
        "a certificate of a profile with dual control is wanted, whose subject a second person validated");
}

static json_t *find(VigieStore *store, const char *serial, VigieTime now, GError **error) {
    const VigieIssuedFilter filter = {.serial = serial, .limit = 1};
    g_autoptr(json_t) list = pki_certificate_list(store, &filter, now, error);
    if (list && json_array_size(list) == 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "serial %s: no authority here issued such a certificate", serial);
    return list && json_array_size(list) > 0 ? json_incref(json_array_get(list, 0)) : NULL;
}

bool portal_user_certificate_add(VigieStore *store, const char *name, const char *serial, const char *by,
                                 VigieTime now, GError **error) {
    int64_t account = 0;
    g_autoptr(json_t) certificate = find(store, serial, now, error);
    g_autoptr(VigieTransaction) tx = certificate && check_profile(vigie_member(certificate, "profile"), error)
                                         ? store_begin(store, error)
                                         : NULL;
    return tx && account_id(store, name, &account, error) &&
           store_exec(
               store, error,
               "INSERT INTO account_certificate (authority, profile, subject, account, added) VALUES ($1, "
               "$2, $3, $4, $5) ON CONFLICT (authority, profile, subject) DO UPDATE SET account = $4, added "
               "= $5",
               "tttii", vigie_member(certificate, "authority"), vigie_member(certificate, "profile"),
               vigie_member(certificate, "subject"), account, now) &&
           audit_add(store, now, by, NULL, "certificate-added", name, vigie_member(certificate, "subject"),
                     error) &&
           store_commit(&tx, error);
}

bool portal_user_certificate_remove(VigieStore *store, const char *name, const char *by, VigieTime now,
                                    GError **error) {
    int64_t account = 0, removed = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !account_id(store, name, &account, error) ||
        !store_exec_count(store, &removed, error, "DELETE FROM account_certificate WHERE account = $1", "i",
                          account))
        return false;
    if (removed == 0)
        return refuse(error, VIGIE_ERROR_NOT_FOUND, "no certificate lets this account in");
    return audit_add(store, now, by, NULL, "certificate-removed", name, NULL, error) &&
           store_commit(&tx, error);
}

json_t *portal_user_certificate_list(VigieStore *store, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT a.name, c.authority, c.profile, c.subject, c.added FROM account_certificate c JOIN "
        "account a ON a.id = c.account ORDER BY a.folded, c.subject",
        "");
    g_autoptr(json_t) list = json_array();
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure))
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:o}", "account", rows_text(rows, 0),
                                        "authority", rows_text(rows, 1), "profile", rows_text(rows, 2),
                                        "subject", rows_text(rows, 3), "added", portal_rows_time(rows, 4)));
    return rows_ended(rows, &failure, error) ? g_steal_pointer(&list) : NULL;
}

/* ---- Coming in ---------------------------------------------------------------------------------------------- */
static bool find_account(VigieStore *store, const json_t *shown, int64_t *ret_account, char **ret_name,
                         GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT a.id, a.name FROM account_certificate c JOIN account a ON a.id = c.account WHERE "
                    "c.authority = $1 AND c.profile = $2 AND c.subject = $3 AND a.disabled = 0",
                    "ttt", vigie_member(shown, "authority"), vigie_member(shown, "profile"),
                    vigie_member(shown, "subject"));
    g_autoptr(GError) failure = NULL;
    bool found = rows && rows_next(rows, &failure);
    if (found) {
        *ret_account = rows_int(rows, 0);
        *ret_name = g_strdup(rows_text(rows, 1));
    }
    if (!rows_ended(rows, &failure, error))
        return false;
    return found || refuse(error, VIGIE_ERROR_DENIED, "certificate: it lets no account in");
}

bool account_certificate_login(VigieStore *store, VigieBytes der, const char *address, VigieTime now,
                               int64_t *ret_account, GError **error) {
    int64_t account = 0;
    g_autofree char *name = NULL;
    g_autoptr(GError) why = NULL;
    g_autoptr(json_t) shown = pki_certificate_shown(store, der, now, &why);
    if (shown && find_account(store, shown, &account, &name, &why)) {
        g_autofree char *details = g_strconcat("certificate ", vigie_member(shown, "serial"), NULL);
        if (!store_exec(store, error, "UPDATE account SET last_login = $2 WHERE id = $1", "ii", account,
                        now) ||
            !audit_add(store, now, name, address, "login", NULL, details, error))
            return false;
        *ret_account = account;
        return true;
    }
    audit_add(store, now, NULL, address, "login-failed", NULL, why->message, NULL);
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
}
