/* grant.c: roles over scopes, given and taken, each in the log. */
#include "pki/grant.h"
#include "pki/journal.h"
#include "pki/profile.h"
#include "pki/row.h"

#include <string.h>

const char grant_registration[] = "registration";
const char grant_operator[] = "operator";

bool grant_covers(VigieStore *store, const char *account, const char *const *roles, const char *other,
                  int64_t organisation, bool *ret_covers, GError **error) {
    g_autofree char *folded = vigie_text_fold(account);
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT role FROM pki_grant WHERE account = $1 AND (organisation = 0 OR organisation = $2)", "ti",
        folded, organisation);
    GError *why = NULL;
    bool covers = false;
    if (!rows)
        return false;
    while (rows_next(rows, &why)) {
        const char *role = rows_text(rows, 0);
        covers = covers || (other && strcmp(role, other) == 0) || (roles && g_strv_contains(roles, role));
    }
    if (!rows_ended(rows, &why, error))
        return false;
    *ret_covers = covers;
    return true;
}

/* ---- Given and taken ---------------------------------------------------------------------------------------- */
static bool role_known(const VigieProfiles *profiles, const char *role, GError **error) {
    g_autoptr(json_t) list = pki_profile_list(profiles, VIGIE_EN);
    g_autoptr(GString) known = g_string_new("registration, operator");
    size_t i, j;
    json_t *profile, *validator;
    if (strcmp(role, grant_registration) == 0 || strcmp(role, grant_operator) == 0)
        return true;
    json_array_foreach(list, i, profile) {
        json_array_foreach(json_object_get(profile, "validators"), j, validator) {
            const char *name = json_string_value(validator);
            if (strcmp(name, role) == 0)
                return true;
            if (!strstr(known->str, name))
                g_string_append_printf(known, ", %s", name);
        }
    }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "the role %s: one of %s is wanted", role,
                known->str);
    return false;
}

static bool note(VigieStore *store, const char *kind, const char *account, const char *role,
                 int64_t organisation, const char *who, VigieTime now, GError **error) {
    Journal journal;
    g_autoptr(json_t) details =
        json_pack("{s:s?, s:I}", "role", role, "organisation", (json_int_t)organisation);
    g_autofree char *text = vigie_json_text(details);
    return journal_begin(&journal, store, who, now, error) &&
           journal_add(&journal, kind, account, text, error) && journal_end(&journal, NULL, 0, error);
}

bool pki_grant_add(VigieStore *store, const VigieProfiles *profiles, const char *account, const char *role,
                   int64_t organisation, const char *who, VigieTime now, GError **error) {
    g_autofree char *folded = vigie_text_fold(account);
    int64_t added = 0;
    if (!role_known(profiles, role, error))
        return false;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx &&
           store_exec_count(store, &added, error,
                            "INSERT INTO pki_grant (account, name, role, organisation, since, given_by) "
                            "VALUES ($1, $2, $3, "
                            "$4, $5, $6) ON CONFLICT (account, role, organisation) DO NOTHING",
                            "tttiit", folded, account, role, organisation, now, who) &&
           (added == 0 || note(store, "granted", account, role, organisation, who, now, error)) &&
           store_commit(&tx, error);
}

bool pki_grant_remove(VigieStore *store, const char *account, const char *role, int64_t organisation,
                      const char *who, VigieTime now, GError **error) {
    g_autofree char *folded = vigie_text_fold(account);
    int64_t removed = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !store_exec_count(store, &removed, error,
                                 "DELETE FROM pki_grant WHERE account = $1 AND ($2 IS NULL OR (role = $2 AND "
                                 "organisation = $3))",
                                 "tti", folded, role, organisation))
        return false;
    if (removed == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "%s has no such role: vigie user roles shows what each has", account);
        return false;
    }
    return note(store, "withdrawn", account, role, organisation, who, now, error) && store_commit(&tx, error);
}

json_t *pki_grant_list(VigieStore *store, const char *account, GError **error) {
    g_autofree char *folded = account ? vigie_text_fold(account) : NULL;
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT name, role, organisation, since, given_by FROM pki_grant WHERE $1 IS NULL OR "
                    "account = $1 ORDER BY account, role, organisation",
                    "t", folded);
    g_autoptr(json_t) list = json_array();
    GError *why = NULL;
    if (!rows)
        return NULL;
    while (rows_next(rows, &why)) {
        g_autofree char *since = vigie_time_rfc3339(rows_int(rows, 3));
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:I, s:s, s:s}", "account", rows_text(rows, 0), "role",
                                        rows_text(rows, 1), "organisation", (json_int_t)rows_int(rows, 2),
                                        "since", since, "by", rows_text(rows, 4)));
    }
    return rows_ended(rows, &why, error) ? g_steal_pointer(&list) : NULL;
}
