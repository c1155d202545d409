/* acme-authorization.c: authorizations and their challenges (RFC 8555 7.5). Each authorization offers all the ways by which its
 * name can be proven, with one token; the client chooses one, once. */
#include "pki/acme.h"

#include <openssl/rand.h>
#include <string.h>

enum { TOKEN_RANDOM = 24, POLL_SECONDS = 2, HOUR = 3600, FAILED_MAX = 60 };

/* A wildcard is proven by the zone alone (RFC 8555 8.4), an address by a server on it (RFC 8738 7). */
static const struct {
    const char *type;
    bool dns, ip, wildcard;
} methods[] = {
    {"http-01", true, true, false}, {"tls-alpn-01", true, true, false}, {"dns-01", true, false, true}};

typedef struct {
    int64_t id, order;
    char *name, *state, *token, *method;
    json_t *error;
    bool wildcard;
    VigieTime checked, ends;
} Authorization;

static void authorization_clear(Authorization *authorization) {
    g_free(authorization->name);
    g_free(authorization->state);
    g_free(authorization->token);
    g_free(authorization->method);
    json_decref(authorization->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Authorization, authorization_clear)

json_t *acme_identifier(const char *name) {
    const char *colon = strchr(name, ':');
    g_autofree char *type = g_strndup(name, (gsize)(colon - name));
    return json_pack("{s:s, s:s}", "type", type, "value", colon + 1);
}

/* ---- Of a new order ------------------------------------------------------------------------------------------------------- */
static char *token_new(void) {
    uint8_t random[TOKEN_RANDOM];
    if (RAND_bytes(random, sizeof random) != 1)
        g_error("the system gives no random numbers");
    return vigie_hex_text(vigie_bytes(random, sizeof random));
}

static bool add(const Acme *acme, int64_t order, const char *name, bool proven, GError **error) {
    g_autofree char *token = token_new();
    bool wildcard = g_str_has_prefix(name, "dns:*.");
    g_autofree char *base = wildcard ? g_strconcat("dns:", name + strlen("dns:*."), NULL) : g_strdup(name);
    return store_exec(
        acme->store, error,
        "INSERT INTO acme_authorization (order_id, account, name, wildcard, state, token, ends) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        "iititti", order, acme->account, base, (int64_t)wildcard, proven ? "valid" : "pending", token,
        acme->server->now + ACME_ORDER_SECONDS);
}

bool acme_authorizations_add(Acme *acme, int64_t order, const json_t *names, bool proven, GError **error) {
    for (size_t i = 0; i < json_array_size(names); i++)
        if (!add(acme, order, json_string_value(json_array_get(names, i)), proven, error))
            return false;
    return true;
}

json_t *acme_authorizations(const Acme *acme, int64_t order, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        acme->store, error,
        "SELECT id, state, error, ends FROM acme_authorization WHERE order_id = $1 ORDER BY id", "i", order);
    g_autoptr(GError) failure = NULL;
    g_autoptr(json_t) list = json_array();
    while (rows && rows_next(rows, &failure)) {
        bool pending = strcmp(rows_text(rows, 1), "pending") == 0;
        const char *state = pending && rows_int(rows, 3) < acme->server->now ? "expired" : rows_text(rows, 1);
        json_t *fault = rows_null(rows, 2) ? json_null() : json_loads(rows_text(rows, 2), 0, NULL);
        json_array_append_new(list, json_pack("{s:I, s:s, s:o}", "id", (json_int_t)rows_int(rows, 0), "state",
                                              state, "error", fault));
    }
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    else if (rows)
        return g_steal_pointer(&list);
    return NULL;
}

/* ---- The resources ---------------------------------------------------------------------------------------------------------- */
/* Its id is 0 where this account has no such authorization, which is then answered. */
static bool load(Acme *acme, Authorization *ret, GError **error) {
    bool found = false;
    g_autoptr(VigieRows) rows =
        store_query(acme->store, error,
                    "SELECT id, order_id, name, state, token, method, error, wildcard, checked, ends "
                    "FROM acme_authorization WHERE id = $1 AND account = $2",
                    "ii", acme->id, acme->account);
    if (!acme_row(rows, &found, error))
        return false;
    if (!found)
        return acme_problem(acme, 404, "malformed", "this account has no such authorization");
    *ret = (Authorization){.id = rows_int(rows, 0),
                           .order = rows_int(rows, 1),
                           .name = g_strdup(rows_text(rows, 2)),
                           .state = g_strdup(rows_text(rows, 3)),
                           .token = g_strdup(rows_text(rows, 4)),
                           .method = g_strdup(rows_text(rows, 5)),
                           .error = rows_null(rows, 6) ? NULL : json_loads(rows_text(rows, 6), 0, NULL),
                           .wildcard = rows_int(rows, 7) != 0,
                           .checked = rows_int(rows, 8),
                           .ends = rows_int(rows, 9)};
    if (strcmp(ret->state, "pending") == 0 && ret->ends < acme->server->now) {
        g_free(ret->state);
        ret->state = g_strdup("expired");
    }
    return true;
}

static bool offers(const Authorization *authorization, size_t method) {
    bool dns = g_str_has_prefix(authorization->name, "dns:");
    if (authorization->wildcard)
        return methods[method].wildcard;
    return dns ? methods[method].dns : methods[method].ip;
}

static json_t *challenge(const Acme *acme, const Authorization *authorization, const char *type) {
    bool chosen = strcmp(type, authorization->method) == 0;
    const char *state = !chosen                                        ? "pending"
                        : strcmp(authorization->state, "pending") == 0 ? "processing"
                                                                       : authorization->state;
    g_autofree char *base = acme_url(acme, "challenge", authorization->id),
                    *url = g_strconcat(base, "/", type, NULL);
    json_t *resource = json_pack("{s:s, s:s, s:s, s:s}", "type", type, "url", url, "status", state, "token",
                                 authorization->token);
    if (chosen && authorization->checked)
        json_object_set_new(resource, "validated", acme_time(authorization->checked));
    if (chosen && authorization->error)
        json_object_set(resource, "error", authorization->error);
    return resource;
}

static bool answer_authorization(Acme *acme, const Authorization *authorization) {
    json_t *challenges = json_array();
    bool chosen = *authorization->method != '\0';
    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
        if (chosen ? strcmp(methods[i].type, authorization->method) == 0 : offers(authorization, i))
            json_array_append_new(challenges, challenge(acme, authorization, methods[i].type));
    json_t *resource = json_pack("{s:s, s:o, s:o, s:o}", "status", authorization->state, "expires",
                                 acme_time(authorization->ends), "identifier",
                                 acme_identifier(authorization->name), "challenges", challenges);
    if (authorization->wildcard)
        json_object_set_new(resource, "wildcard", json_true());
    if (chosen && strcmp(authorization->state, "pending") == 0)
        acme->answer->retry_after = POLL_SECONDS;
    return acme_answer(acme, 200, resource);
}

bool acme_authorization(Acme *acme, GError **error) {
    g_auto(Authorization) authorization = {0};
    if (!load(acme, &authorization, error))
        return false;
    if (authorization.id == 0)
        return true;
    const char *wanted = json_string_value(json_object_get(acme->payload, "status"));
    if (wanted && strcmp(wanted, "deactivated") == 0) { /* RFC 8555 7.5.2 */
        if (!store_exec(acme->store, error,
                        "UPDATE acme_authorization SET state = 'deactivated' WHERE id = $1", "i",
                        authorization.id))
            return false;
        g_free(authorization.state);
        authorization.state = g_strdup("deactivated");
    }
    return answer_authorization(acme, &authorization);
}

/* ---- Choosing a challenge --------------------------------------------------------------------------------------------------- */
static bool choose(Acme *acme, Authorization *authorization, GError **error) {
    g_autofree char *key = g_strdup_printf(PKI_JOB_CHALLENGE ":%" G_GINT64_FORMAT, authorization->id);
    g_autoptr(json_t) payload = json_pack("{s:I}", "authorization", (json_int_t)authorization->id);
    g_autoptr(VigieTransaction) tx = store_begin(acme->store, error);
    if (!tx ||
        !store_exec(
            acme->store, error,
            "UPDATE acme_authorization SET method = $2 WHERE id = $1 AND method = '' AND state = 'pending'",
            "it", authorization->id, acme->rest) ||
        !store_job_add(acme->store, PKI_JOB_CHALLENGE, payload, acme->server->now, key, NULL, error) ||
        !store_commit(&tx, error))
        return false;
    g_free(authorization->method);
    authorization->method = g_strdup(acme->rest);
    return true;
}

static bool offered(const Authorization *authorization, const char *type) {
    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
        if (strcmp(methods[i].type, type) == 0)
            return offers(authorization, i);
    return false;
}

/* Each look costs us a while, and the names that are looked at are the client's to choose. */
static bool has_patience(Acme *acme, bool *ret_has, GError **error) {
    int64_t failed = 0;
    const VigieTime now = acme->server->now;
    if (!store_get_int(
            acme->store, &failed, error,
            "SELECT COUNT(*) FROM acme_order o JOIN acme_authorization z ON z.order_id = o.id WHERE "
            "o.account = $1 AND o.ends > $2 AND z.state = 'invalid' AND z.checked > $3",
            "iii", acme->account, now, now - HOUR))
        return false;
    *ret_has = failed < FAILED_MAX;
    if (*ret_has)
        return true;
    acme->answer->retry_after = HOUR;
    return acme_problem(acme, 429, "rateLimited",
                        "%d challenges of this account failed within the hour: mend what is wrong first",
                        FAILED_MAX);
}

/* An object, even an empty one, says: look now; POST-as-GET only asks. */
bool acme_challenge(Acme *acme, GError **error) {
    g_auto(Authorization) authorization = {0};
    if (!load(acme, &authorization, error))
        return false;
    if (authorization.id == 0)
        return true;
    if (!offered(&authorization, acme->rest))
        return acme_problem(acme, 404, "malformed", "this authorization has no challenge of this type");
    bool wanted = acme->payload && strcmp(authorization.state, "pending") == 0 && !*authorization.method,
         may = true;
    if (wanted && !has_patience(acme, &may, error))
        return false;
    if (!may) /* answered */
        return true;
    if (wanted && !choose(acme, &authorization, error))
        return false;
    acme->answer->up = acme_url(acme, "authz", authorization.id);
    if (strcmp(authorization.state, "pending") == 0)
        acme->answer->retry_after = POLL_SECONDS;
    return acme_answer(acme, 200, challenge(acme, &authorization, acme->rest));
}
