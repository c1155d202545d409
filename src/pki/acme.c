/* acme.c: reading messages. A JWS, signed by a key that has an account or brings itself along, with a nonce of ours that was
 * not used, for the address it came to (RFC 8555 6). Nothing is done before all of it holds. */
#include "pki/acme.h"
#include "pki/row.h"

#include <jose/jose.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

enum { MESSAGE_MAX = 64 * 1024, NONCE_RANDOM = 16, NONCE_SIZE = 8 + NONCE_RANDOM + 32, DEPTH_MAX = 16 };

static const char *const algorithms[] = {"ES256", "ES384", "ES512", "RS256", "PS256", NULL};

bool acme_row(VigieRows *rows, bool *ret_found, GError **error) {
    GError *why = NULL;
    *ret_found = rows && rows_next(rows, &why);
    return rows && rows_ended(rows, &why, error);
}

/* ---- Answers -------------------------------------------------------------------------------------------------------- */
void pki_acme_answer_clear(VigieAcmeAnswer *answer) {
    g_free(answer->nonce);
    g_free(answer->location);
    g_free(answer->up);
    g_free(answer->body);
}

static void set_body(VigieAcmeAnswer *answer, unsigned status, const char *type, json_t *taken) {
    answer->status = status;
    answer->type = type;
    g_free(answer->body);
    answer->body = vigie_json_text(taken);
    json_decref(taken);
}

bool acme_answer(Acme *acme, unsigned status, json_t *resource) {
    set_body(acme->answer, status, "application/json", resource);
    return true;
}

bool acme_problem(Acme *acme, unsigned status, const char *type, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments), *detail = g_utf8_make_valid(text, -1);
    va_end(arguments);
    g_autofree char *urn = g_strconcat("urn:ietf:params:acme:error:", type, NULL);
    json_t *problem = json_pack("{s:s, s:s, s:i}", "type", urn, "detail", detail, "status", (int)status);
    if (strcmp(type, "badSignatureAlgorithm") == 0) { /* RFC 8555 6.2 */
        json_t *known = json_array();
        for (const char *const *one = algorithms; *one; one++)
            json_array_append_new(known, json_string(*one));
        json_object_set_new(problem, "algorithms", known);
    }
    set_body(acme->answer, status, "application/problem+json", problem);
    return true;
}

bool acme_refusal(Acme *acme, GError *failure, GError **error) {
    static const struct {
        VigieErrorCode code;
        unsigned status;
        const char *type;
    } refusals[] = {
        {VIGIE_ERROR_INVALID, 400, "malformed"},  {VIGIE_ERROR_DENIED, 403, "unauthorized"},
        {VIGIE_ERROR_LIMIT, 403, "rateLimited"},  {VIGIE_ERROR_NOT_FOUND, 404, "malformed"},
        {VIGIE_ERROR_CONFLICT, 409, "malformed"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++)
        if (g_error_matches(failure, VIGIE_ERROR, (gint)refusals[i].code)) {
            acme_problem(acme, refusals[i].status, refusals[i].type, "%s", failure->message);
            g_error_free(failure);
            return true;
        }
    g_propagate_error(error, failure);
    return false;
}

char *acme_url(const Acme *acme, const char *kind, int64_t id) {
    return g_strdup_printf("%s/%s/%" G_GINT64_FORMAT, acme->server->base, kind, id);
}

void acme_location(Acme *acme, const char *kind, int64_t id) {
    g_free(acme->answer->location);
    acme->answer->location = acme_url(acme, kind, id);
}

json_t *acme_time(VigieTime time) {
    g_autofree char *text = vigie_time_rfc3339(time);
    return json_string(text);
}

/* ---- JOSE ----------------------------------------------------------------------------------------------------------- */
json_t *acme_decode(const json_t *base64) {
    size_t size = json_is_string(base64) ? jose_b64_dec(base64, NULL, 0) : SIZE_MAX;
    if (size > MESSAGE_MAX)
        return NULL;
    g_autofree char *text = g_malloc(size + 1);
    return jose_b64_dec(base64, text, size) == size ? json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL)
                                                    : NULL;
}

char *acme_thumbprint(const json_t *jwk) {
    g_autoptr(json_t) thumbprint = jose_jwk_thp(NULL, jwk, "S256");
    return g_strdup(json_string_value(thumbprint));
}

bool acme_verify(const json_t *jws, const json_t *jwk, const char *const *allowed) {
    g_autoptr(json_t) header = acme_decode(json_object_get(jws, "protected"));
    const char *algorithm = json_string_value(json_object_get(header, "alg"));
    /* The key's own word on its use is a stranger's. */
    g_autoptr(json_t) key = json_deep_copy(jwk);
    json_object_del(key, "alg");
    json_object_del(key, "use");
    json_object_del(key, "key_ops");
    bool plain = !json_object_get(jws, "header") && !json_object_get(jws, "signatures");
    return plain && algorithm && g_strv_contains(allowed, algorithm) &&
           jose_jws_ver(NULL, jws, NULL, key, false);
}

bool acme_key_serves(const json_t *jwk) {
    const char *type = json_string_value(json_object_get(jwk, "kty"));
    size_t modulus = jose_b64_dec(json_object_get(jwk, "n"), NULL, 0);
    if (!type || json_object_get(jwk, "d") || json_object_get(jwk, "k"))
        return false;
    return strcmp(type, "EC") == 0 || (strcmp(type, "RSA") == 0 && modulus >= 256 && modulus <= 512);
}

/* ---- Nonces --------------------------------------------------------------------------------------------------------- */
static bool read_key(VigieStore *store, uint8_t key[32], bool *ret_found, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error, "SELECT secret FROM acme_key WHERE id = 1", "");
    if (!acme_row(rows, ret_found, error))
        return false;
    *ret_found = *ret_found && rows_blob(rows, 0).size == 32;
    if (*ret_found)
        memcpy(key, rows_blob(rows, 0).data, 32);
    return true;
}

/* Made once, by whoever needs it first. */
static bool nonce_key(VigieStore *store, uint8_t key[32], GError **error) {
    bool found = false;
    uint8_t fresh[32];
    VigieBytes bytes = vigie_bytes(fresh, sizeof fresh);
    if (!read_key(store, key, &found, error))
        return false;
    if (found)
        return true;
    if (RAND_bytes(fresh, sizeof fresh) != 1)
        g_error("the system gives no random numbers");
    return store_exec(store, error, "INSERT INTO acme_key (id, secret) VALUES (1, $1) ON CONFLICT DO NOTHING",
                      "b", &bytes) &&
           nonce_key(store, key, error);
}

static void nonce_mac(const uint8_t key[32], const uint8_t *nonce, uint8_t mac[32]) {
    gsize size = 32;
    g_autoptr(GHmac) hmac = g_hmac_new(G_CHECKSUM_SHA256, key, 32);
    g_hmac_update(hmac, nonce, 8 + NONCE_RANDOM);
    g_hmac_get_digest(hmac, mac, &size);
}

/* Its end, chance, and our mark: nothing is kept until it is used. */
static char *nonce_new(VigieStore *store, VigieTime now, GError **error) {
    uint8_t key[32], nonce[NONCE_SIZE];
    uint64_t ends = GUINT64_TO_BE((uint64_t)(now + ACME_NONCE_SECONDS));
    if (!nonce_key(store, key, error))
        return NULL;
    memcpy(nonce, &ends, 8);
    if (RAND_bytes(nonce + 8, NONCE_RANDOM) != 1)
        g_error("the system gives no random numbers");
    nonce_mac(key, nonce, nonce + 8 + NONCE_RANDOM);
    g_autoptr(json_t) text = jose_b64_enc(nonce, sizeof nonce);
    return g_strdup(json_string_value(text));
}

/* Once: whoever comes second finds it there. */
static bool nonce_use(VigieStore *store, const char *text, VigieTime now, bool *ret_good, GError **error) {
    g_autoptr(json_t) value = json_string(text ? text : "");
    uint8_t key[32], mac[32], nonce[NONCE_SIZE];
    uint64_t ends = 0;
    int64_t added = 0;
    *ret_good = false;
    if (jose_b64_dec(value, NULL, 0) != sizeof nonce ||
        jose_b64_dec(value, nonce, sizeof nonce) != sizeof nonce)
        return true;
    if (!nonce_key(store, key, error))
        return false;
    nonce_mac(key, nonce, mac);
    memcpy(&ends, nonce, 8);
    if (CRYPTO_memcmp(mac, nonce + 8 + NONCE_RANDOM, 32) != 0 || (int64_t)GUINT64_FROM_BE(ends) < now)
        return true;
    if (!store_exec_count(store, &added, error,
                          "INSERT INTO acme_nonce (nonce, ends) VALUES ($1, $2) ON CONFLICT DO NOTHING", "ti",
                          text, (int64_t)GUINT64_FROM_BE(ends)))
        return false;
    *ret_good = added == 1;
    return true;
}

bool pki_acme_forget(VigieStore *store, VigieTime now, GError **error) {
    const VigieTime old = now - ACME_KEEP_SECONDS;
    return store_exec(store, error, "DELETE FROM acme_nonce WHERE ends < $1", "i", now) &&
           store_exec(
               store, error,
               "DELETE FROM acme_authorization WHERE ends < $1 AND order_id IN (SELECT id FROM acme_order "
               "WHERE request = 0 AND ends < $1)",
               "i", old) &&
           store_exec(store, error, "DELETE FROM acme_order WHERE request = 0 AND ends < $1", "i", old);
}

/* ---- Who speaks ------------------------------------------------------------------------------------------------------ */
/* By "kid", the address of an account. */
static bool find_account(Acme *acme, const char *kid, bool *ret_answered, GError **error) {
    g_autofree char *prefix = g_strconcat(acme->server->base, "/account/", NULL);
    int64_t id = g_str_has_prefix(kid, prefix) ? g_ascii_strtoll(kid + strlen(prefix), NULL, 10) : 0;
    g_autofree char *own = acme_url(acme, "account", id); /* it has one address */
    bool found = false;
    if (strcmp(own, kid) != 0)
        id = 0;
    g_autoptr(VigieRows) rows = store_query(
        acme->store, error, "SELECT id, jwk, enrolment, state FROM acme_account WHERE id = $1", "i", id);
    if (!acme_row(rows, &found, error))
        return false;
    if (!found) {
        *ret_answered = acme_problem(acme, 400, "accountDoesNotExist", "there is no account %.200s", kid);
        return true;
    }
    if (strcmp(rows_text(rows, 3), "valid") != 0) {
        *ret_answered = acme_problem(acme, 401, "unauthorized", "this account was deactivated");
        return true;
    }
    acme->account = rows_int(rows, 0);
    acme->jwk = json_loads(rows_text(rows, 1), 0, NULL);
    acme->enrolment = rows_int(rows, 2);
    return true;
}

/* RFC 8555 6.2: a key of its own, or an account's, never both. */
static bool find_key(Acme *acme, bool wants_account, bool *ret_answered, GError **error) {
    json_t *jwk = json_object_get(acme->header, "jwk");
    const json_t *named = json_object_get(acme->header, "kid");
    const char *kid = json_string_value(named);
    if ((jwk != NULL) == (named != NULL) || (named && !kid) || (wants_account && !kid)) {
        *ret_answered = acme_problem(acme, 400, "malformed", "RFC 8555 6.2: %s is wanted in the header",
                                     wants_account ? "the account's kid" : "either jwk or kid");
        return true;
    }
    if (kid)
        return find_account(acme, kid, ret_answered, error);
    if (!acme_key_serves(jwk))
        *ret_answered = acme_problem(acme, 400, "badPublicKey",
                                     "a key of P-256, P-384, P-521 or RSA of 2048 to "
                                     "4096 bits is wanted, its public half alone");
    else
        acme->jwk = json_incref(jwk);
    return true;
}

static bool check_header(Acme *acme, bool *ret_answered, GError **error) {
    g_autofree char *url = g_strconcat(acme->server->base, "/", acme->path, NULL);
    const char *said = json_string_value(json_object_get(acme->header, "url"));
    const char *algorithm = json_string_value(json_object_get(acme->header, "alg"));
    bool good = false;
    if (json_object_get(acme->header, "crit"))
        *ret_answered =
            acme_problem(acme, 400, "malformed", "RFC 7515 4.1.11: nothing critical is understood here");
    else if (!algorithm || !g_strv_contains(algorithms, algorithm))
        *ret_answered =
            acme_problem(acme, 400, "badSignatureAlgorithm", "one of the algorithms below is wanted");
    else if (!said || strcmp(said, url) != 0)
        *ret_answered = acme_problem(acme, 401, "unauthorized",
                                     "RFC 8555 6.4: the message is signed for %.200s and came to %s",
                                     said ? said : "nowhere", url);
    else if (!nonce_use(acme->store, json_string_value(json_object_get(acme->header, "nonce")),
                        acme->server->now, &good, error))
        return false;
    else if (!good)
        *ret_answered = acme_problem(acme, 400, "badNonce",
                                     "this nonce is not ours, too old, or was used before: use "
                                     "the one that comes with this answer");
    return true;
}

/* Reads `body` into `acme`; *ret_answered where it does not hold and that was answered. */
static bool read_message(Acme *acme, VigieBytes body, bool wants_account, bool *ret_answered,
                         GError **error) {
    g_autoptr(json_t) jws = body.size <= MESSAGE_MAX
                                ? json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, NULL)
                                : NULL;
    const char *payload = json_string_value(json_object_get(jws, "payload"));
    acme->header = acme_decode(json_object_get(jws, "protected"));
    if (!json_is_object(acme->header) || !payload) {
        *ret_answered = acme_problem(acme, 400, "malformed", "RFC 8555 6.2: a flattened JWS is wanted");
        return true;
    }
    if (!find_key(acme, wants_account, ret_answered, error))
        return false;
    if (*ret_answered)
        return true;
    if (!acme_verify(jws, acme->jwk, algorithms)) {
        *ret_answered = acme_problem(acme, 403, "unauthorized", "the signature does not hold");
        return true;
    }
    if (!check_header(acme, ret_answered, error))
        return false;
    acme->payload = *payload ? acme_decode(json_object_get(jws, "payload")) : NULL;
    if (!*ret_answered && *payload && !json_is_object(acme->payload))
        *ret_answered = acme_problem(acme, 400, "malformed", "the payload is no JSON object");
    return true;
}

/* ---- Resources -------------------------------------------------------------------------------------------------------- */
typedef struct {
    const char *name;
    bool numbered, account; /* "order/12"; signed by an account's key */
    bool (*answer)(Acme *acme, GError **error);
} Resource;

static const Resource resources[] = {
    {"new-account", false, false, acme_new_account},
    {"new-order", false, true, acme_new_order},
    {"revoke-cert", false, false, acme_revoke},
    {"key-change", false, true, acme_key_change},
    {"account", true, true, acme_account},
    {"orders", true, true, acme_orders},
    {"order", true, true, acme_order},
    {"authz", true, true, acme_authorization},
    {"challenge", true, true, acme_challenge},
    {"cert", true, true, acme_certificate},
};

static const Resource *find_resource(Acme *acme) {
    for (size_t i = 0; i < G_N_ELEMENTS(resources); i++) {
        const Resource *one = &resources[i];
        size_t size = strlen(one->name);
        if (strncmp(acme->path, one->name, size) != 0)
            continue;
        if (!one->numbered && acme->path[size] == '\0')
            return one;
        if (!one->numbered || acme->path[size] != '/' || !g_ascii_isdigit(acme->path[size + 1]))
            continue;
        char *end = NULL;
        acme->id = g_ascii_strtoll(acme->path + size + 1, &end, 10);
        acme->rest = *end == '/' ? end + 1 : "";
        return *end == '/' || *end == '\0' ? one : NULL;
    }
    return NULL;
}

static void acme_clear(Acme *acme) {
    json_decref(acme->header);
    json_decref(acme->payload);
    json_decref(acme->jwk);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Acme, acme_clear)

bool pki_acme_post(VigieStore *store, const VigieAcme *server, const char *path, VigieBytes body,
                   VigieAcmeAnswer *answer, GError **error) {
    g_auto(Acme) acme = {.store = store, .server = server, .path = path, .rest = "", .answer = answer};
    const Resource *resource = find_resource(&acme);
    bool answered = false;
    answer->nonce = nonce_new(store, server->now, error);
    if (!answer->nonce)
        return false;
    if (!resource)
        return acme_problem(&acme, 404, "malformed",
                            "there is nothing here: the directory has the addresses");
    if (!read_message(&acme, body, resource->account, &answered, error))
        return false;
    return answered || resource->answer(&acme, error);
}

/* ---- What is not signed ------------------------------------------------------------------------------------------------ */
/* The enrolment that is open to all, if there is one; 0. */
static int64_t open_enrolment(VigieStore *store, VigieTime now, GError **error) {
    int64_t id = 0;
    bool read = store_get_int(store, &id, error,
                              "SELECT COALESCE(MAX(id), 0) FROM pki_enrolment WHERE open = 1 AND ended = 0 "
                              "AND ends > $1 AND (uses = 0 OR used < uses)",
                              "i", now);
    return read ? id : -1;
}

int64_t acme_open_enrolment(const Acme *acme, GError **error) {
    return open_enrolment(acme->store, acme->server->now, error);
}

static bool answer_directory(VigieStore *store, const VigieAcme *server, VigieAcmeAnswer *answer,
                             GError **error) {
    static const char *const entries[][2] = {{"newNonce", "new-nonce"},   {"newAccount", "new-account"},
                                             {"newOrder", "new-order"},   {"revokeCert", "revoke-cert"},
                                             {"keyChange", "key-change"}, {"renewalInfo", "renewal-info"}};
    int64_t open = open_enrolment(store, server->now, error);
    if (open < 0)
        return false;
    json_t *directory = json_object();
    for (size_t i = 0; i < G_N_ELEMENTS(entries); i++) {
        g_autofree char *url = g_strconcat(server->base, "/", entries[i][1], NULL);
        json_object_set_new(directory, entries[i][0], json_string(url));
    }
    json_object_set_new(directory, "meta", json_pack("{s:b}", "externalAccountRequired", open == 0));
    set_body(answer, 200, "application/json", directory);
    return true;
}

bool pki_acme_get(VigieStore *store, const VigieAcme *server, const char *path, VigieAcmeAnswer *answer,
                  GError **error) {
    Acme acme = {.store = store, .server = server, .path = path, .rest = "", .answer = answer};
    if (strcmp(path, "directory") == 0)
        return answer_directory(store, server, answer, error);
    if (strcmp(path, "new-nonce") == 0) { /* RFC 8555 7.2: 200 to HEAD, 204 to GET */
        answer->status = 204;
        answer->nonce = nonce_new(store, server->now, error);
        return answer->nonce != NULL;
    }
    if (g_str_has_prefix(path, "renewal-info/"))
        return acme_renewal(&acme, path + strlen("renewal-info/"), error);
    return acme_problem(&acme, find_resource(&acme) ? 405 : 404, "malformed",
                        "by GET there are directory, new-nonce and renewal-info");
}
