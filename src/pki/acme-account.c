/* acme-account.c: accounts (RFC 8555 7.3). Each belongs to an enrolment: the one whose secret binds it (external account binding),
 * or the one that is open to all. */
#include "pki/acme.h"
#include "pki/enrolment.h"

#include <jose/jose.h>
#include <string.h>

enum { CONTACTS_MAX = 10, CONTACT_MAX = 320 };

static bool text_is(const json_t *value, const char *text) {
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* ---- The resource ----------------------------------------------------------------------------------------------------- */
static bool answer_account(Acme *acme, int64_t id, unsigned status, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(acme->store, error, "SELECT state, contact FROM acme_account WHERE id = $1", "i", id);
    bool found = false;
    if (!acme_row(rows, &found, error))
        return false;
    if (!found)
        return acme_problem(acme, 404, "accountDoesNotExist", "it is gone");
    g_autofree char *orders = acme_url(acme, "orders", id);
    acme_location(acme, "account", id);
    return acme_answer(acme, status,
                       json_pack("{s:s, s:o, s:s}", "status", rows_text(rows, 0), "contact",
                                 json_loads(rows_text(rows, 1), 0, NULL), "orders", orders));
}

/* RFC 8555 7.3: mail addresses, one each. NULL: answered. */
static json_t *read_contacts(Acme *acme) {
    const json_t *given = json_object_get(acme->payload, "contact");
    g_autoptr(json_t) contacts = json_array();
    size_t i;
    json_t *one;
    if (json_array_size(given) > CONTACTS_MAX) {
        acme_problem(acme, 400, "invalidContact", "at most %d contacts", CONTACTS_MAX);
        return NULL;
    }
    json_array_foreach((json_t *)given, i, one) {
        const char *text = json_is_string(one) ? json_string_value(one) : "";
        bool mail = g_str_has_prefix(text, "mailto:") && strlen(text) <= CONTACT_MAX && strchr(text, '@') &&
                    !strpbrk(text, ",?% \r\n");
        if (!mail) {
            acme_problem(acme, 400,
                         g_str_has_prefix(text, "mailto:") ? "invalidContact" : "unsupportedContact",
                         "a contact is mailto: and one address, as in mailto:biomed@chu.example");
            return NULL;
        }
        json_array_append(contacts, one);
    }
    return g_steal_pointer(&contacts);
}

/* ---- External account binding (RFC 8555 7.3.4) ---------------------------------------------------------------------------- */
/* The inner JWS holds this very key, for this very address, under the enrolment's secret. */
static bool binding_holds(const Acme *acme, const json_t *binding, const json_t *header, const char *secret) {
    static const char *const algorithms[] = {"HS256", "HS384", "HS512", NULL};
    g_autofree char *url = g_strconcat(acme->server->base, "/", acme->path, NULL);
    g_autoptr(json_t) payload = acme_decode(json_object_get(binding, "payload"));
    g_autoptr(json_t) key = json_pack("{s:s, s:s}", "kty", "oct", "k", secret);
    return text_is(json_object_get(header, "url"), url) && !json_object_get(header, "nonce") && payload &&
           json_equal(payload, json_object_get(acme->header, "jwk")) && acme_verify(binding, key, algorithms);
}

static bool bound_enrolment(Acme *acme, const json_t *binding, int64_t *ret_id, GError **error) {
    g_autoptr(json_t) header = acme_decode(json_object_get(binding, "protected"));
    const char *name = json_string_value(json_object_get(header, "kid"));
    g_autoptr(GError) failure = NULL;
    g_autoptr(json_t) enrolment =
        name ? pki_enrolment_find(acme->store, name, acme->server->now, &failure) : NULL;
    if (failure && !g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    char *secret = json_is_true(json_object_get(enrolment, "usable"))
                       ? pki_enrolment_secret(acme->store, acme->server->seal, enrolment, &failure)
                       : NULL;
    bool holds = secret && binding_holds(acme, binding, header, secret);
    enrolment_wipe(secret);
    if (g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (!holds)
        return acme_problem(
            acme, 403, "unauthorized",
            "the external account binding does not hold: key identifier and key are the name and the "
            "secret of an enrolment that has not ended");
    *ret_id = json_integer_value(json_object_get(enrolment, "id"));
    return true;
}

/* 0: answered. */
static bool choose_enrolment(Acme *acme, int64_t *ret_id, GError **error) {
    const json_t *binding = json_object_get(acme->payload, "externalAccountBinding");
    if (binding)
        return bound_enrolment(acme, binding, ret_id, error);
    int64_t open = acme_open_enrolment(acme, error);
    if (open < 0)
        return false;
    if (open == 0)
        acme_problem(acme, 403, "externalAccountRequired",
                     "an external account binding is wanted: name and secret of an enrolment");
    *ret_id = open;
    return true;
}

/* ---- new-account ---------------------------------------------------------------------------------------------------------- */
static bool find(const Acme *acme, const char *thumbprint, int64_t *ret_id, bool *ret_valid, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        acme->store, error, "SELECT id, state FROM acme_account WHERE thumbprint = $1", "t", thumbprint);
    bool found = false;
    if (!acme_row(rows, &found, error))
        return false;
    *ret_id = found ? rows_int(rows, 0) : 0;
    *ret_valid = found && strcmp(rows_text(rows, 1), "valid") == 0;
    return true;
}

static bool add(Acme *acme, const char *thumbprint, GError **error) {
    int64_t enrolment = 0, id = 0;
    if (acme->server->wait > 0) {
        acme->answer->retry_after = (int)acme->server->wait;
        return acme_problem(acme, 429, "rateLimited", "too many new accounts from this address: wait");
    }
    if (!choose_enrolment(acme, &enrolment, error))
        return false;
    g_autoptr(json_t) contacts = enrolment ? read_contacts(acme) : NULL;
    if (!contacts) /* answered */
        return true;
    g_autofree char *contact = vigie_json_text(contacts), *jwk = vigie_json_text(acme->jwk);
    int64_t added = 0;
    bool valid = false; /* the same key at the same time: who comes second finds the account */
    return store_exec_count(acme->store, &added, error,
                            "INSERT INTO acme_account (thumbprint, jwk, contact, enrolment, state, made) "
                            "VALUES ($1, $2, $3, $4, 'valid', $5) ON CONFLICT (thumbprint) DO NOTHING",
                            "tttii", thumbprint, jwk, contact, enrolment, acme->server->now) &&
           find(acme, thumbprint, &id, &valid, error) &&
           answer_account(acme, id, added == 1 ? 201 : 200, error);
}

bool acme_new_account(Acme *acme, GError **error) {
    int64_t id = 0;
    bool valid = false;
    if (acme->account || !acme->payload)
        return acme_problem(acme, 400, "malformed", "RFC 8555 7.3: a jwk and a payload are wanted");
    g_autofree char *thumbprint = acme_thumbprint(acme->jwk);
    if (!thumbprint)
        return acme_problem(acme, 400, "badPublicKey", "the key cannot be read");
    if (!find(acme, thumbprint, &id, &valid, error))
        return false;
    if (id && !valid)
        return acme_problem(acme, 401, "unauthorized", "this account was deactivated");
    if (id)
        return answer_account(acme, id, 200, error);
    if (json_is_true(json_object_get(acme->payload, "onlyReturnExisting")))
        return acme_problem(acme, 400, "accountDoesNotExist", "this key has no account");
    return add(acme, thumbprint, error);
}

/* ---- account, key-change ---------------------------------------------------------------------------------------------------- */
bool acme_account(Acme *acme, GError **error) {
    if (acme->id != acme->account)
        return acme_problem(acme, 403, "unauthorized", "this is another's account");
    if (text_is(json_object_get(acme->payload, "status"), "deactivated")) {
        if (!store_exec(acme->store, error, "UPDATE acme_account SET state = 'deactivated' WHERE id = $1",
                        "i", acme->account))
            return false;
    } else if (json_object_get(acme->payload, "contact")) {
        g_autoptr(json_t) contacts = read_contacts(acme);
        g_autofree char *text = contacts ? vigie_json_text(contacts) : NULL;
        if (!text)
            return true;
        if (!store_exec(acme->store, error, "UPDATE acme_account SET contact = $2 WHERE id = $1", "it",
                        acme->account, text))
            return false;
    }
    return answer_account(acme, acme->account, 200, error);
}

/* RFC 8555 7.3.5: signed by the old key, within it signed by the new. */
static bool change_holds(const Acme *acme, const json_t *header, const json_t *payload) {
    static const char *const algorithms[] = {"ES256", "ES384", "ES512", "RS256", "PS256", NULL};
    g_autofree char *account = acme_url(acme, "account", acme->account);
    const json_t *key = json_object_get(header, "jwk"), *old = json_object_get(payload, "oldKey");
    g_autofree char *own = acme_thumbprint(acme->jwk), *told = old ? acme_thumbprint(old) : NULL;
    return key && acme_key_serves(key) && !json_object_get(header, "nonce") &&
           json_equal((json_t *)json_object_get(header, "url"), json_object_get(acme->header, "url")) &&
           text_is(json_object_get(payload, "account"), account) && g_strcmp0(own, told) == 0 &&
           acme_verify(acme->payload, key, algorithms);
}

bool acme_key_change(Acme *acme, GError **error) {
    g_autoptr(json_t) header = acme_decode(json_object_get(acme->payload, "protected"));
    g_autoptr(json_t) payload = acme_decode(json_object_get(acme->payload, "payload"));
    int64_t other = 0;
    bool valid = false;
    if (!change_holds(acme, header, payload))
        return acme_problem(acme, 400, "malformed", "RFC 8555 7.3.5: the inner message does not hold");
    g_autofree char *thumbprint = acme_thumbprint(json_object_get(header, "jwk")),
                    *jwk = vigie_json_text(json_object_get(header, "jwk"));
    if (!thumbprint)
        return acme_problem(acme, 400, "badPublicKey", "the key cannot be read");
    if (!find(acme, thumbprint, &other, &valid, error))
        return false;
    g_autoptr(GError) failure = NULL;
    bool changed = !other && store_exec(acme->store, &failure,
                                        "UPDATE acme_account SET thumbprint = $2, jwk = $3 WHERE id = $1",
                                        "itt", acme->account, thumbprint, jwk);
    if (changed)
        return answer_account(acme, acme->account, 200, error);
    if (failure && !g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_CONFLICT)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (!other && !find(acme, thumbprint, &other, &valid, error)) /* another was faster */
        return false;
    acme_location(acme, "account", other);
    return acme_problem(acme, 409, "malformed", "this key has an account already");
}
