/* grant.c: roles over scopes, given and taken, each in the log. */
#include "pki/grant.h"
#include "pki/journal.h"
#include "pki/profile.h"
#include "pki/row.h"

#include <string.h>

const char grant_registration[] = "registration";
const char grant_operator[] = "operator";

char *grant_profession(const json_t *fields) {
    const char *value = json_string_value(json_object_get(fields, "profession"));
    return g_strdup(value ? value : "");
}

char *grant_department(const json_t *fields) {
    const char *value = json_string_value(json_object_get(fields, "department"));
    const char *open = value ? strrchr(value, '(') : NULL;
    return open ? g_strndup(open + 1, strcspn(open + 1, ")")) : g_strdup("");
}

bool grant_covers(VigieStore *store, const char *account, const Profile *profile, const char *other,
                  const GrantCase *over, bool *ret_covers, GError **error) {
    g_autofree char *folded = vigie_text_fold(account), *profession = grant_profession(over->fields),
                    *department = grant_department(over->fields);
    g_autoptr(GPtrArray) roles = profile ? profile_validators(profile, over->fields) : NULL;
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT role FROM pki_grant WHERE account = $1 AND (organisation = 0 OR organisation = $2) AND "
        "(profession = '' OR profession = $3) AND (department = '' OR department = $4)",
        "titt", folded, over->organisation, profession, department);
    GError *why = NULL;
    bool covers = false;
    if (!rows)
        return false;
    while (rows_next(rows, &why)) {
        const char *role = rows_text(rows, 0);
        covers = covers || (other && strcmp(role, other) == 0) ||
                 (roles && g_strv_contains((const char *const *)roles->pdata, role));
    }
    if (!rows_ended(rows, &why, error))
        return false;
    *ret_covers = covers;
    return true;
}

/* ---- Given and taken ---------------------------------------------------------------------------------------- */
static void add_role(GPtrArray *roles, const char *role) {
    if (!g_ptr_array_find_with_equal_func(roles, role, g_str_equal, NULL))
        g_ptr_array_add(roles, g_strdup(role));
}

GPtrArray *pki_role_list(const VigieProfiles *profiles) {
    g_autoptr(json_t) list = pki_profile_list(profiles, VIGIE_EN);
    GPtrArray *roles = g_ptr_array_new_with_free_func(g_free);
    size_t i, j;
    json_t *profile, *validator;
    add_role(roles, grant_registration);
    add_role(roles, grant_operator);
    json_array_foreach(list, i, profile) {
        json_array_foreach(json_object_get(profile, "validators"), j, validator) {
            add_role(roles, json_string_value(validator));
        }
    }
    g_ptr_array_add(roles, NULL);
    return roles;
}

static bool role_known(const VigieProfiles *profiles, const char *role, GError **error) {
    g_autoptr(GPtrArray) roles = pki_role_list(profiles);
    if (g_strv_contains((const char *const *)roles->pdata, role))
        return true;
    g_autofree char *known = g_strjoinv(", ", (char **)roles->pdata);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "the role %s: one of %s is wanted", role, known);
    return false;
}

static bool note(VigieStore *store, const char *kind, const char *account, const VigieGrant *grant,
                 const char *who, VigieTime now, GError **error) {
    Journal journal;
    g_autoptr(json_t) details = grant ? json_pack("{s:s, s:I, s:s, s:s}", "role", grant->role, "organisation",
                                                  (json_int_t)grant->organisation, "profession",
                                                  grant->profession, "department", grant->department)
                                      : json_pack("{s:n}", "role");
    g_autofree char *text = vigie_json_text(details);
    return journal_begin(&journal, store, who, now, error) &&
           journal_add(&journal, kind, account, text, error) && journal_end(&journal, NULL, 0, error);
}

static bool scope_known(const VigieGrant *grant, GError **error) {
    bool profession = g_regex_match_simple("\\A([0-9]{2})?\\z", grant->profession, 0, 0),
         department = g_regex_match_simple("\\A([0-9AB]{2,3})?\\z", grant->department, 0, 0);
    if (!profession || !department)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            profession ? "the department: its number is wanted, as in 75, 2A or 974"
                                       : "the profession: its code of two digits is wanted, as in 10");
    return profession && department;
}

bool pki_grant_add(VigieStore *store, const VigieProfiles *profiles, const char *account,
                   const VigieGrant *grant, const char *who, VigieTime now, GError **error) {
    g_autofree char *folded = vigie_text_fold(account);
    int64_t added = 0;
    if (!role_known(profiles, grant->role, error) || !scope_known(grant, error))
        return false;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx &&
           store_exec_count(store, &added, error,
                            "INSERT INTO pki_grant (account, name, role, organisation, profession, "
                            "department, since, given_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON "
                            "CONFLICT (account, role, organisation, profession, department) DO NOTHING",
                            "tttittit", folded, account, grant->role, grant->organisation, grant->profession,
                            grant->department, now, who) &&
           (added == 0 || note(store, "granted", account, grant, who, now, error)) &&
           store_commit(&tx, error);
}

bool pki_grant_remove(VigieStore *store, const char *account, const VigieGrant *grant, const char *who,
                      VigieTime now, GError **error) {
    g_autofree char *folded = vigie_text_fold(account);
    const VigieGrant all = {.profession = "", .department = ""}, *one = grant ? grant : &all;
    int64_t removed = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx ||
        !store_exec_count(store, &removed, error,
                          "DELETE FROM pki_grant WHERE account = $1 AND ($2 IS NULL OR (role = $2 AND "
                          "organisation = $3 AND profession = $4 AND department = $5))",
                          "ttitt", folded, one->role, one->organisation, one->profession, one->department))
        return false;
    if (removed == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "%s has no such role: vigie user grants shows what each has", account);
        return false;
    }
    return note(store, "withdrawn", account, grant, who, now, error) && store_commit(&tx, error);
}

json_t *pki_grant_list(VigieStore *store, const char *account, GError **error) {
    g_autofree char *folded = account ? vigie_text_fold(account) : NULL;
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT name, role, organisation, since, given_by, profession, department FROM pki_grant WHERE $1 IS "
        "NULL OR account = $1 ORDER BY account, role, organisation, profession, department",
        "t", folded);
    g_autoptr(json_t) list = json_array();
    GError *why = NULL;
    if (!rows)
        return NULL;
    while (rows_next(rows, &why)) {
        g_autofree char *since = vigie_time_rfc3339(rows_int(rows, 3));
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:s}", "account",
                                              rows_text(rows, 0), "role", rows_text(rows, 1), "organisation",
                                              (json_int_t)rows_int(rows, 2), "since", since, "by",
                                              rows_text(rows, 4), "profession", rows_text(rows, 5),
                                              "department", rows_text(rows, 6)));
    }
    return rows_ended(rows, &why, error) ? g_steal_pointer(&list) : NULL;
}
