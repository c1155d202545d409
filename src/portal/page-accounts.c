/* page-accounts: who may come in, and as what, kept by an administrator. A password is made here and shown once. */
#include "portal/account.h"
#include "portal/authorities.h"
#include "portal/keep.h"
#include "portal/present.h"

#include <string.h>

/* ---- Reading ------------------------------------------------------------------------------------------------ */
/* The organisation that an account is confined to, with its name; null: all. */
static bool name_organisation(Request *request, json_t *one, GError **error) {
    const VigieFleetFilter all = {0};
    int64_t id = json_integer_value(json_object_get(one, "organisation"));
    if (!id) {
        json_object_set_new(one, "organisation", json_null());
        return true;
    }
    g_autoptr(json_t) organisation = fleet_organisation_get(request->store, &all, id, request->now, error);
    if (organisation)
        json_object_set_new(one, "organisation",
                            json_pack("{s:O, s:O}", "id", json_object_get(organisation, "id"), "name",
                                      json_object_get(organisation, "name")));
    return organisation != NULL;
}

RESOURCE(page_accounts) {
    g_autoptr(json_t) users = portal_user_list(request->store, error);
    json_t *one;
    size_t index;
    json_array_foreach(users, index, one) {
        if (!name_organisation(request, one, error))
            return NULL;
    }
    return users ? json_pack("{s:O}", "items", users) : NULL;
}

/* What lists of all accounts have of this one. */
static json_t *of_account(json_t *all, const char *name) {
    g_autoptr(json_t) list = all;
    g_autofree char *wanted = vigie_text_fold(name);
    json_t *own = json_array(), *one;
    size_t index;
    json_array_foreach(list, index, one) {
        g_autofree char *folded = vigie_text_fold(vigie_member(one, "account"));
        if (strcmp(folded, wanted) == 0)
            json_array_append(own, one);
    }
    return own;
}

static json_t *find(Request *request, GError **error) {
    g_autoptr(json_t) users = portal_user_list(request->store, error);
    json_t *one, *found = NULL;
    size_t index;
    json_array_foreach(users, index, one) {
        if (json_integer_value(json_object_get(one, "id")) == request->id)
            found = one;
    }
    if (users && !found)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is nothing here");
    return found && name_organisation(request, found, error) ? json_incref(found) : NULL;
}

static bool set_list(json_t *account, const char *member, json_t *list) {
    return list && json_object_set_new(account, member, list) == 0;
}

RESOURCE(page_account_one) {
    g_autoptr(json_t) account = find(request, error);
    json_t *given = NULL, *certificates = NULL, *one;
    size_t index;
    if (!account ||
        !set_list(account, "sessions",
                  account_sessions(request->portal, request->store, request->id, request->reader.session_hash,
                                   request->now, error)) ||
        !set_list(account, "tokens", token_list(request->store, request->id, error)) ||
        !(given = pki_grant_list(request->store, vigie_member(account, "name"), error)))
        return NULL;
    json_object_set_new(account, "grants", given);
    json_array_foreach(given, index, one) {
        if (!name_organisation(request, one, error))
            return NULL;
    }
    if (!(certificates = portal_user_certificate_list(request->store, error)))
        return NULL;
    json_object_set_new(account, "certificates", of_account(certificates, vigie_member(account, "name")));
    return g_steal_pointer(&account);
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */
/* None given is all of them: what is no number must not become that. */
static bool read_organisation(const Request *request, int64_t *ret_organisation, GError **error) {
    const char *text = request_form(request, "organisation");
    gint64 number = 0;
    if (text && *text && !g_ascii_string_to_signed(text, 10, 0, G_MAXINT64, &number, NULL)) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "the organisation: its number is wanted, or nothing for all");
        return false;
    }
    *ret_organisation = number;
    return true;
}

static bool read_role(const Request *request, VigieRole *ret_role, GError **error) {
    const char *text = request_form(request, "role");
    if (text && portal_role_parse(text, ret_role))
        return true;
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "role: reader, biomed, analyst, head or admin is wanted");
    return false;
}

/* Who works at the CSIRT's desk reads what was told in confidence, also about administrators: that nobody gives, nor takes
 * over by a new password, from here. */
static bool is_desk(const char *role) {
    return strcmp(role, "analyst") == 0 || strcmp(role, "head") == 0;
}

static bool not_desk(const char *role, GError **error) {
    if (is_desk(role))
        g_set_error_literal(
            error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
            "accounts of the CSIRT's desk are made and get their passwords on the server: vigie user");
    return !is_desk(role);
}

/* What whoever filled in the form can mend is said on its page; the rest is an error. */
static char *mendable(const Request *request, GError **why, GError **error) {
    int code = *why ? (*why)->code : VIGIE_ERROR_INTERNAL;
    if (!request->api && (code == VIGIE_ERROR_INVALID || code == VIGIE_ERROR_CONFLICT ||
                          code == VIGIE_ERROR_DENIED || code == VIGIE_ERROR_NOT_FOUND))
        return keep_sentence(request, (*why)->message);
    g_propagate_error(error, g_steal_pointer(why));
    return NULL;
}

static json_t *new_account(Request *request, const char *problem) {
    const char *name = request_form(request, "name"), *role = request_form(request, "role"),
               *organisation = request_form(request, "organisation");
    return json_pack("{s:s, s:s, s:s, s:s}", "name", name ? name : "", "role", role ? role : "biomed",
                     "organisation", organisation ? organisation : "", "problem", problem ? problem : "");
}

RESOURCE(page_account_new) {
    (void)error;
    return new_account(request, NULL);
}

/* Those that a page may give, and the one that the account has. */
static json_t *role_options(const Request *request, const char *own) {
    const char *offered[VIGIE_ROLES + 1] = {NULL};
    size_t count = 0;
    for (VigieRole role = 0; role < VIGIE_ROLES; role++)
        if (!is_desk(portal_role_name(role)) || strcmp(portal_role_name(role), own) == 0)
            offered[count++] = portal_role_name(role);
    return present_options(request, "portal.role.", offered, own);
}

DRESS(dress_account_new) {
    json_t *organisations =
        present_organisations(request, json_string_value(json_object_get(view, "organisation")), error);
    json_object_set_new(view, "roles", role_options(request, vigie_member(view, "role")));
    return organisations && json_object_set_new(view, "organisations", organisations) == 0;
}

/* The answer alone has the password: it cannot be asked for again. */
static json_t *with_password(Request *request, const char *password, GError **error) {
    json_t *account = page_account_one(request, error);
    if (account)
        json_object_set_new(account, "password", json_string(password));
    request->here = g_strdup_printf("/accounts/%" G_GINT64_FORMAT, request->id);
    return account;
}

RESOURCE(page_account_add) {
    const char *name = request_form(request, "name");
    VigieRole role = VIGIE_ROLE_READER;
    int64_t organisation = 0;
    g_autoptr(GError) why = NULL;
    g_autofree char *password = portal_password_generate();
    if (read_role(request, &role, &why) && not_desk(portal_role_name(role), &why) &&
        read_organisation(request, &organisation, &why) &&
        portal_user_add(request->store, name ? name : "", role, organisation, password, request->reader.name,
                        request->now, &why)) {
        request->status = 201;
        return account_id(request->store, name, &request->id, error) ? with_password(request, password, error)
                                                                     : NULL;
    }
    g_autofree char *problem = mendable(request, &why, error);
    if (!problem)
        return NULL;
    request->status = 400;
    request->here = g_strdup("/accounts/new");
    return new_account(request, problem);
}

/* The page of a new account is that of the account, once there is one. */
DRESS(dress_account_made) {
    if (!json_object_get(view, "password"))
        return dress_account_new(request, view, error);
    json_object_set_new(view, "made", json_true());
    return dress_account_one(request, view, error);
}

/* Shows the account again: what came of the form, or why nothing did. */
static json_t *after(Request *request, bool done, GError **why, GError **error) {
    if (done) {
        request->go = g_strdup_printf("/accounts/%" G_GINT64_FORMAT, request->id);
        return page_account_one(request, error);
    }
    g_autofree char *problem = mendable(request, why, error);
    json_t *account = problem ? page_account_one(request, error) : NULL;
    if (account)
        json_object_set_new(account, "problem", json_string(problem));
    request->status = 409;
    request->here = g_strdup_printf("/accounts/%" G_GINT64_FORMAT, request->id);
    return account;
}

/* What the form was opened over. */
static bool as_it_was(const Request *request, const json_t *account, GError **error) {
    const char *role = request_form(request, "was.role"), *of = request_form(request, "was.organisation");
    g_autofree char *now =
        g_strdup_printf("%" JSON_INTEGER_FORMAT,
                        json_integer_value(json_object_get(json_object_get(account, "organisation"), "id")));
    bool same = (!role || strcmp(role, vigie_member(account, "role")) == 0) &&
                (!of || strcmp(*of ? of : "0", now) == 0);
    if (!same)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                            "somebody changed this account meanwhile: look at it again, then change it");
    return same;
}

RESOURCE(page_account_role) {
    g_autoptr(json_t) account = find(request, error);
    VigieRole role;
    int64_t organisation = 0;
    g_autoptr(GError) why = NULL;
    if (!account)
        return NULL;
    bool done = as_it_was(request, account, &why) && read_role(request, &role, &why) &&
                read_organisation(request, &organisation, &why) &&
                (strcmp(portal_role_name(role), vigie_member(account, "role")) == 0 ||
                 not_desk(portal_role_name(role), &why)) &&
                portal_user_role(request->store, vigie_member(account, "name"), role, organisation,
                                 request->reader.name, request->now, &why);
    return after(request, done, &why, error);
}

static json_t *set_disabled(Request *request, bool disabled, GError **error) {
    g_autoptr(json_t) account = find(request, error);
    g_autoptr(GError) why = NULL;
    if (!account)
        return NULL;
    bool done = portal_user_disable(request->store, vigie_member(account, "name"), disabled,
                                    request->reader.name, request->now, &why);
    return after(request, done, &why, error);
}

RESOURCE(page_account_disable) {
    return set_disabled(request, true, error);
}

RESOURCE(page_account_enable) {
    return set_disabled(request, false, error);
}

RESOURCE(page_account_password) {
    g_autoptr(json_t) account = find(request, error);
    g_autoptr(GError) why = NULL;
    g_autofree char *password = portal_password_generate();
    if (!account)
        return NULL;
    if (not_desk(vigie_member(account, "role"), &why) &&
        portal_user_password(request->store, vigie_member(account, "name"), password, request->reader.name,
                             request->now, &why))
        return with_password(request, password, error);
    return after(request, false, &why, error);
}

RESOURCE(page_account_sessions_end) {
    g_autoptr(json_t) account = find(request, error);
    const char *session = request_form(request, "session");
    int64_t ended = 0;
    g_autoptr(VigieTransaction) tx = account ? store_begin(request->store, error) : NULL;
    if (!tx ||
        !account_sessions_end(request->store, request->id, session ? session : "", "", &ended, error) ||
        !keep_audit(request, "sessions-ended", vigie_member(account, "name"), NULL, error) ||
        !store_commit(&tx, error))
        return NULL;
    return after(request, true, NULL, error);
}

RESOURCE(page_account_token_remove) {
    g_autoptr(json_t) account = find(request, error);
    g_autoptr(GError) why = NULL;
    g_autoptr(VigieTransaction) tx = account ? store_begin(request->store, error) : NULL;
    const char *token = request_form(request, "token");
    if (!tx)
        return NULL;
    bool done = token_remove(request->store, request->id, request_number(token), &why) &&
                keep_audit(request, "token-removed", vigie_member(account, "name"), token, &why) &&
                store_commit(&tx, &why);
    g_clear_pointer(&tx, store_rollback);
    return after(request, done, &why, error);
}

static bool read_grant(const Request *request, VigieGrant *ret_grant, GError **error) {
    const char *role = request_form(request, "grant"), *profession = request_form(request, "profession"),
               *department = request_form(request, "department");
    *ret_grant = (VigieGrant){.role = role ? role : "",
                              .profession = profession ? profession : "",
                              .department = department ? department : ""};
    return read_organisation(request, &ret_grant->organisation, error);
}

RESOURCE(page_account_grant) {
    g_autoptr(json_t) account = find(request, error);
    g_autoptr(GError) why = NULL;
    VigieGrant grant;
    if (!account)
        return NULL;
    bool done = read_grant(request, &grant, &why) &&
                pki_grant_add(request->store, request->portal->profiles, vigie_member(account, "name"),
                              &grant, request->reader.name, request->now, &why);
    return after(request, done, &why, error);
}

RESOURCE(page_account_withdraw) {
    g_autoptr(json_t) account = find(request, error);
    g_autoptr(GError) why = NULL;
    VigieGrant grant;
    if (!account)
        return NULL;
    bool done = read_grant(request, &grant, &why) &&
                pki_grant_remove(request->store, vigie_member(account, "name"), &grant, request->reader.name,
                                 request->now, &why);
    return after(request, done, &why, error);
}

/* ---- Shown -------------------------------------------------------------------------------------------------- */
static void say_state(const Request *request, json_t *one) {
    bool disabled = json_is_true(json_object_get(one, "disabled"));
    json_object_set_new(one, "mark", json_string(disabled ? "unknown" : "well"));
    json_object_set_new(
        one, "state_text",
        json_string(vigie_word(request->lang, disabled ? "keep.account.disabled" : "keep.account.open")));
}

DRESS(dress_accounts) {
    (void)error;
    json_t *one;
    size_t index;
    json_array_foreach(json_object_get(view, "items"), index, one) {
        say_state(request, one);
    }
    return true;
}

DRESS(dress_account_one) {
    json_t *one, *organisation = json_object_get(view, "organisation");
    size_t index;
    g_autofree char *of =
        g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(organisation, "id")));
    json_t *organisations = present_organisations(request, of, error),
           *all = present_organisations(request, NULL, error);
    json_object_set_new(view, "organisations", organisations ? organisations : json_array());
    json_object_set_new(view, "all_organisations", all ? all : json_array());
    json_object_set(view, "title", json_object_get(view, "name"));
    json_object_set_new(view, "was_organisation", json_string(json_is_object(organisation) ? of : ""));
    const char *role = vigie_member(view, "role");
    g_autoptr(GPtrArray) grants = pki_role_list(request->portal->profiles);
    json_object_set_new(view, "roles", role_options(request, role));
    json_object_set_new(view, "desk_account", json_boolean(is_desk(role)));
    json_object_set_new(view, "grant_roles",
                        present_options(request, "request.role.", (const char *const *)grants->pdata, NULL));
    json_object_set_new(view, "registers", json_boolean(authorities_any(request)));
    json_object_set_new(view, "self", json_boolean(request->id == request->reader.account));
    json_array_foreach(json_object_get(view, "tokens"), index, one) {
        json_object_set_new(one, "account", json_integer(request->id));
    }
    json_array_foreach(json_object_get(view, "grants"), index, one) {
        json_object_set_new(one, "account", json_integer(request->id));
        g_autofree char *key = g_strconcat("request.role.", vigie_member(one, "role"), NULL);
        json_object_set_new(one, "grant_text", json_string(vigie_word(request->lang, key)));
    }
    say_state(request, view);
    return organisations && all;
}
