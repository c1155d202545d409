/* acme-order.c: orders, what comes of them, and its end (RFC 8555 7.4 and 7.6, RFC 9773). */
#include "pki/acme.h"
#include "pki/build.h"
#include "pki/csr.h"
#include "pki/enrol.h"
#include "pki/enrolment.h"
#include "pki/item.h"
#include "pki/name.h"
#include "pki/revoke.h"
#include "pki/row.h"
#include "x509/x509.h"

#include <jose/jose.h>
#include <jose/openssl.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

enum { ORDERS_SHOWN = 100, ORDERS_OPEN_MAX = 300, POLL_SECONDS = 3, WAIT_MS = 5000 };

typedef struct {
    int64_t id, request;
    VigieTime ends;
    json_t *names, *authorizations;
    const char *state;
    char *replaces; /* a certificate's identifier (RFC 9773 4.1), or NULL */
    json_t *asked;  /* its request, or NULL */
} Order;

static void order_clear(Order *order) {
    json_decref(order->names);
    json_decref(order->authorizations);
    json_decref(order->asked);
    g_free(order->replaces);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Order, order_clear)

/* ---- The state, which follows from the rest ------------------------------------------------------------------------------ */
static const char *state_of_request(const json_t *request) {
    const char *state = json_string_value(json_object_get(request, "state"));
    if (strcmp(state, "issued") == 0)
        return "valid";
    return strcmp(state, "refused") == 0 ? "invalid" : "processing";
}

static const char *state_of(const Order *order, VigieTime now) {
    bool pending = false;
    size_t i;
    json_t *one;
    if (order->asked)
        return state_of_request(order->asked);
    json_array_foreach(order->authorizations, i, one) {
        const char *state = json_string_value(json_object_get(one, "state"));
        if (strcmp(state, "pending") == 0)
            pending = true;
        else if (strcmp(state, "valid") != 0)
            return "invalid";
    }
    if (order->ends < now)
        return "invalid";
    return pending ? "pending" : "ready";
}

/* Its id is 0 where this account has no such order, which is then answered. */
static bool load(Acme *acme, int64_t id, Order *order, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(acme->store, error,
                    "SELECT names, request, ends, replaces FROM acme_order WHERE id = $1 AND account = $2",
                    "ii", id, acme->account);
    bool found = false;
    if (!acme_row(rows, &found, error))
        return false;
    if (!found)
        return acme_problem(acme, 404, "malformed", "this account has no such order");
    *order = (Order){.id = id,
                     .names = json_loads(rows_text(rows, 0), 0, NULL),
                     .request = rows_int(rows, 1),
                     .ends = rows_int(rows, 2),
                     .replaces = g_strdup(rows_text(rows, 3))};
    g_clear_pointer(&rows, rows_free);
    order->authorizations = acme_authorizations(acme, id, error);
    if (!order->authorizations)
        return false;
    if (order->request &&
        !(order->asked = pki_request_get(acme->store, acme->server->profiles, order->request, error)))
        return false;
    order->state = state_of(order, acme->server->now);
    return true;
}

/* ---- The resource ------------------------------------------------------------------------------------------------------------ */
static json_t *identifiers(const json_t *names) {
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(names); i++)
        json_array_append_new(list, acme_identifier(json_string_value(json_array_get(names, i))));
    return list;
}

static json_t *authorization_urls(const Acme *acme, const Order *order) {
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(order->authorizations); i++) {
        const json_t *one = json_array_get(order->authorizations, i);
        g_autofree char *url = acme_url(acme, "authz", json_integer_value(json_object_get(one, "id")));
        json_array_append_new(list, json_string(url));
    }
    return list;
}

static void add_outcome(const Acme *acme, const Order *order, json_t *resource) {
    const char *refusal = json_string_value(json_object_get(order->asked, "refusal"));
    g_autofree char *certificate = acme_url(acme, "cert", order->id);
    if (strcmp(order->state, "valid") == 0)
        json_object_set_new(resource, "certificate", json_string(certificate));
    if (refusal)
        json_object_set_new(resource, "error",
                            json_pack("{s:s, s:s, s:i}", "type", "urn:ietf:params:acme:error:unauthorized",
                                      "detail", refusal, "status", 403));
    for (size_t i = 0; !refusal && i < json_array_size(order->authorizations); i++) {
        json_t *fault = json_object_get(json_array_get(order->authorizations, i), "error");
        if (json_is_object(fault))
            json_object_set(resource, "error", fault);
    }
}

static bool answer_order(Acme *acme, const Order *order, unsigned status) {
    g_autofree char *url = acme_url(acme, "order", order->id);
    g_autofree char *finalize = g_strconcat(url, "/finalize", NULL);
    json_t *resource = json_pack("{s:s, s:o, s:o, s:o, s:s}", "status", order->state, "expires",
                                 acme_time(order->ends), "identifiers", identifiers(order->names),
                                 "authorizations", authorization_urls(acme, order), "finalize", finalize);
    if (order->replaces)
        json_object_set_new(resource, "replaces", json_string(order->replaces));
    add_outcome(acme, order, resource);
    acme_location(acme, "order", order->id);
    if (strcmp(order->state, "processing") == 0)
        acme->answer->retry_after = POLL_SECONDS;
    return acme_answer(acme, status, resource);
}

/* ---- new-order -------------------------------------------------------------------------------------------------------------- */
/* "dns:…" or "ip:…" of an identifier; NULL: answered. */
static char *read_identifier(Acme *acme, const json_t *identifier, const json_t *permitted) {
    const char *type = json_string_value(json_object_get(identifier, "type")),
               *value = json_string_value(json_object_get(identifier, "value"));
    if (!type || !value || (strcmp(type, "dns") != 0 && strcmp(type, "ip") != 0)) {
        acme_problem(acme, 400, "unsupportedIdentifier",
                     "identifiers are of the types dns and ip (RFC 8738)");
        return NULL;
    }
    g_autofree char *lower = g_ascii_strdown(value, -1), *name = g_strconcat(type, ":", lower, NULL);
    const char *fault = general_name_fault(name, false);
    if (fault) {
        acme_problem(acme, 400, "rejectedIdentifier", "%.200s: %s", name, fault);
        return NULL;
    }
    if (json_is_array(permitted) && !item_name_permitted(permitted, name, false)) {
        acme_problem(acme, 403, "rejectedIdentifier", "%.200s: this enrolment does not allow it", name);
        return NULL;
    }
    return g_steal_pointer(&name);
}

static bool has_name(const json_t *names, const char *name) {
    bool found = false;
    for (size_t i = 0; i < json_array_size(names) && !found; i++)
        found = strcmp(json_string_value(json_array_get(names, i)), name) == 0;
    return found;
}

/* Each once: the names of the CSR are counted against them. */
static json_t *read_identifiers(Acme *acme, const json_t *permitted) {
    const json_t *given = json_object_get(acme->payload, "identifiers");
    g_autoptr(json_t) names = json_array();
    size_t i;
    json_t *one;
    if (json_array_size(given) == 0 || json_array_size(given) > ACME_NAMES_MAX) {
        acme_problem(acme, 400, "malformed", "1 to %d identifiers are wanted", ACME_NAMES_MAX);
        return NULL;
    }
    if (json_object_get(acme->payload, "notBefore") || json_object_get(acme->payload, "notAfter")) {
        acme_problem(acme, 400, "malformed",
                     "the profile says how long a certificate lives: leave notBefore and "
                     "notAfter out");
        return NULL;
    }
    json_array_foreach((json_t *)given, i, one) {
        g_autofree char *name = read_identifier(acme, one, permitted);
        if (!name)
            return NULL;
        if (!has_name(names, name))
            json_array_append_new(names, json_string(name));
    }
    return g_steal_pointer(&names);
}

/* The account's enrolment, if it can still be used; else NULL, and answered. */
static bool enrolment_of(Acme *acme, json_t **ret_enrolment, GError **error) {
    GError *failure = NULL;
    *ret_enrolment = enrolment_read(acme->store, acme->enrolment, acme->server->now, &failure);
    if (!failure)
        return true;
    if (!g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_DENIED)) {
        g_propagate_error(error, failure);
        return false;
    }
    g_error_free(failure);
    return acme_problem(acme, 403, "unauthorized", "the enrolment of this account has ended, or is used up");
}

static bool keep_order(Acme *acme, const json_t *names, bool proven, const char *replaces, int64_t *ret_id,
                       GError **error) {
    g_autofree char *text = vigie_json_text(names);
    return store_get_int(acme->store, ret_id, error,
                         "INSERT INTO acme_order (account, names, made, ends, replaces) VALUES ($1, $2, $3, "
                         "$4, $5) RETURNING id",
                         "itiit", acme->account, text, acme->server->now,
                         acme->server->now + ACME_ORDER_SECONDS, replaces) &&
           acme_authorizations_add(acme, *ret_id, names, proven, error);
}

/* Strangers, where an enrolment is open to them, fill no disk. */
static bool has_room(Acme *acme, bool *ret_room, GError **error) {
    int64_t open = 0;
    if (!store_get_int(acme->store, &open, error,
                       "SELECT COUNT(*) FROM acme_order WHERE account = $1 AND request = 0 AND ends > $2",
                       "ii", acme->account, acme->server->now))
        return false;
    *ret_room = open < ORDERS_OPEN_MAX;
    if (*ret_room)
        return true;
    acme->answer->retry_after = 3600;
    return acme_problem(acme, 429, "rateLimited",
                        "%d orders of this account are not finalized: finish them first", ORDERS_OPEN_MAX);
}

bool acme_new_order(Acme *acme, GError **error) {
    g_autoptr(json_t) enrolment = NULL;
    if (!enrolment_of(acme, &enrolment, error))
        return false;
    g_autoptr(json_t) names = enrolment ? read_identifiers(acme, json_object_get(enrolment, "names")) : NULL;
    if (!names) /* answered */
        return true;
    bool proven = !json_is_true(json_object_get(enrolment, "challenge")), may = true;
    const json_t *replaces = json_object_get(acme->payload, "replaces");
    int64_t id = 0;
    g_auto(Order) order = {0};
    g_autoptr(VigieTransaction) tx = store_begin(acme->store, error);
    if (!tx || !has_room(acme, &may, error) ||
        (may && replaces && !acme_may_replace(acme, replaces, names, &may, error)))
        return false;
    return !may ||
           (keep_order(acme, names, proven, json_string_value(replaces), &id, error) &&
            store_commit(&tx, error) && load(acme, id, &order, error) && answer_order(acme, &order, 201));
}

/* ---- Finalizing ---------------------------------------------------------------------------------------------------------------- */
/* RFC 8555 7.4: the very names of the order. */
static bool same_names(const Csr *csr, const json_t *names) {
    for (size_t i = 0; i < json_array_size(names); i++)
        if (!g_ptr_array_find_with_equal_func(csr->names, json_string_value(json_array_get(names, i)),
                                              (GEqualFunc)(void (*)(void))g_str_equal, NULL))
            return false;
    return csr->names->len == json_array_size(names);
}

/* Whoever has the key of a server would have the account, too. */
static bool is_account_key(const Acme *acme, const Csr *csr) {
    g_autoptr(EVP_PKEY) key = jose_openssl_jwk_to_EVP_PKEY(NULL, acme->jwk);
    unsigned char *spki = NULL;
    int size = key ? i2d_PUBKEY(key, &spki) : 0;
    bool same = size > 0 && vigie_bytes_equal(csr->spki, vigie_bytes(spki, (size_t)size));
    OPENSSL_free(spki);
    return same;
}

static bool ask(Acme *acme, const Order *order, VigieBytes der, int64_t *ret_request, GError **error) {
    g_autofree char *requester = g_strdup_printf("acme:%" G_GINT64_FORMAT, acme->account);
    g_autoptr(GPtrArray) proven = g_ptr_array_new();
    for (size_t i = 0; i < json_array_size(order->names); i++)
        g_ptr_array_add(proven, (char *)json_string_value(json_array_get(order->names, i)));
    g_ptr_array_add(proven, NULL);
    const VigiePkiRequest request = {.kind = VIGIE_REQUEST_ISSUE,
                                     .csr = der,
                                     .requester = requester,
                                     .protocol = "acme",
                                     .address = acme->server->address,
                                     .proof = VIGIE_PROOF_ENROLMENT,
                                     .enrolment = acme->enrolment,
                                     .proven = (const char *const *)proven->pdata};
    int64_t taken = 0;
    g_autoptr(VigieTransaction) tx = store_begin(acme->store, error);
    if (!tx ||
        !pki_request_add(acme->store, acme->server->profiles, &request, acme->server->now, ret_request, NULL,
                         error) ||
        !store_exec_count(acme->store, &taken, error,
                          "UPDATE acme_order SET request = $2 WHERE id = $1 AND request = 0", "ii", order->id,
                          *ret_request))
        return false;
    if (taken == 1)
        return store_commit(&tx, error);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "the order was finalized meanwhile");
    return false;
}

static bool finalize(Acme *acme, const Order *order, GError **error) {
    const json_t *base64 = json_object_get(acme->payload, "csr");
    size_t size = json_is_string(base64) ? jose_b64_dec(base64, NULL, 0) : SIZE_MAX;
    g_autofree uint8_t *der = size <= CSR_BYTES_MAX ? g_malloc(size + 1) : NULL;
    GError *failure = NULL;
    g_autoptr(Csr) csr =
        der && jose_b64_dec(base64, der, size) == size ? csr_read(vigie_bytes(der, size), &failure) : NULL;
    g_auto(Order) after = {0};
    VigiePkiState state;
    int64_t request = 0;
    if (strcmp(order->state, "ready") != 0)
        return acme_problem(acme, 403, "orderNotReady", "the order is %s", order->state);
    if (!csr) {
        acme_problem(acme, 400, "badCSR", "%s",
                     failure ? failure->message : "csr is wanted, DER in base64url");
        g_clear_error(&failure);
        return true;
    }
    if (!same_names(csr, order->names))
        return acme_problem(acme, 400, "badCSR",
                            "the alternative names of the request are not those of the order");
    if (is_account_key(acme, csr))
        return acme_problem(acme, 400, "badCSR", "an account's key is no certificate's: make another one");
    if (!ask(acme, order, vigie_bytes(der, size), &request, &failure))
        return acme_refusal(acme, failure, error);
    return pki_request_wait(acme->store, request, WAIT_MS, &state, error) &&
           load(acme, order->id, &after, error) && answer_order(acme, &after, 200);
}

bool acme_order(Acme *acme, GError **error) {
    g_auto(Order) order = {0};
    if (!load(acme, acme->id, &order, error))
        return false;
    if (order.id == 0)
        return true;
    if (strcmp(acme->rest, "finalize") == 0)
        return finalize(acme, &order, error);
    return *acme->rest ? acme_problem(acme, 404, "malformed", "there is nothing here")
                       : answer_order(acme, &order, 200);
}

bool acme_orders(Acme *acme, GError **error) {
    if (acme->id != acme->account)
        return acme_problem(acme, 403, "unauthorized", "this is another's account");
    g_autoptr(VigieRows) rows = store_query(
        acme->store, error, "SELECT id FROM acme_order WHERE account = $1 ORDER BY id DESC LIMIT $2", "ii",
        acme->account, (int64_t)ORDERS_SHOWN);
    g_autoptr(GError) failure = NULL;
    json_t *urls = json_array();
    while (rows && rows_next(rows, &failure)) {
        g_autofree char *url = acme_url(acme, "order", rows_int(rows, 0));
        json_array_append_new(urls, json_string(url));
    }
    json_t *list = json_pack("{s:o}", "orders", urls);
    if (rows && !failure)
        return acme_answer(acme, 200, list);
    json_decref(list);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* ---- The certificate --------------------------------------------------------------------------------------------------------------- */
bool acme_certificate(Acme *acme, GError **error) {
    g_auto(Order) order = {0};
    if (!load(acme, acme->id, &order, error))
        return false;
    if (order.id == 0)
        return true;
    const char *serial = json_string_value(json_object_get(order.asked, "serial"));
    if (!serial)
        return acme_problem(acme, 404, "malformed", "the order has no certificate");
    acme->answer->body = pki_certificate_pem(acme->store, serial, acme->server->now, error);
    acme->answer->status = 200;
    acme->answer->type = "application/pem-certificate-chain";
    return acme->answer->body != NULL;
}

/* ---- Revoking ------------------------------------------------------------------------------------------------------------------------ */
/* RFC 8555 7.6: by the account that ordered it, or by its own key. */
static bool may_revoke(const Acme *acme, const char *serial, X509 *certificate, bool *ret_may,
                       GError **error) {
    int64_t count = 0;
    if (!acme->account) {
        g_autoptr(EVP_PKEY) key = jose_openssl_jwk_to_EVP_PKEY(NULL, acme->jwk);
        *ret_may = key && EVP_PKEY_eq(key, X509_get0_pubkey(certificate)) == 1;
        return true;
    }
    uint8_t octets[32];
    VigieBytes number;
    if (!revoke_serial(serial, octets, &number, error) ||
        !store_get_int(acme->store, &count, error,
                       "SELECT COUNT(*) FROM acme_order o JOIN pki_request r ON r.id = o.request "
                       "JOIN pki_certificate c ON c.id = r.issued WHERE o.account = $1 AND c.serial = $2",
                       "ib", acme->account, &number))
        return false;
    *ret_may = count > 0;
    return true;
}

static bool ask_revocation(Acme *acme, const char *serial, const char *reason, GError **error) {
    g_autofree char *requester = acme->account ? g_strdup_printf("acme:%" G_GINT64_FORMAT, acme->account)
                                               : g_strconcat("key of ", serial, NULL);
    GError *failure = NULL;
    const VigiePkiRequest request = {.kind = VIGIE_REQUEST_REVOKE,
                                     .serial = serial,
                                     .reason = reason,
                                     .requester = requester,
                                     .protocol = "acme",
                                     .address = acme->server->address,
                                     .proof = VIGIE_PROOF_CERTIFICATE};
    g_autoptr(GByteArray) done =
        pki_request_ask(acme->store, NULL, acme->server->profiles, &request, acme->server->now, &failure);
    if (failure)
        return acme_refusal(acme, failure, error);
    if (!done)
        return acme_problem(acme, 503, "serverInternal",
                            "the authority does not answer now: try again later");
    acme->answer->status = 200;
    return true;
}

/* Ours, and revoked for good: RFC 8555 7.6 has a word for that. */
static bool is_revoked(const Acme *acme, VigieBytes der) {
    g_autoptr(VigieCertificate) certificate = x509_certificate_new(der, NULL);
    g_autoptr(VigieRows) rows = certificate ? row_of_serial(acme->store, certificate->serial, NULL) : NULL;
    int64_t reason =
        rows && vigie_bytes_equal(rows_blob(rows, ROW_DER), der) ? rows_int(rows, ROW_REASON) : -1;
    return reason >= 0 && reason != REASON_RELEASE && reason != REASON_HOLD;
}

bool acme_revoke(Acme *acme, GError **error) {
    const json_t *base64 = json_object_get(acme->payload, "certificate");
    size_t size = json_is_string(base64) ? jose_b64_dec(base64, NULL, 0) : SIZE_MAX;
    g_autoptr(GByteArray) der = g_byte_array_new();
    const json_t *number = json_object_get(acme->payload, "reason");
    const char *reason =
        !number || json_is_integer(number) ? revoke_reason_given(json_integer_value(number)) : NULL;
    GError *failure = NULL;
    bool may = false;
    if (size > CSR_BYTES_MAX)
        return acme_problem(acme, 400, "malformed", "certificate is wanted, DER in base64url");
    if (!reason)
        return acme_problem(acme, 400, "badRevocationReason", "0, 1, 3, 4 or 5 of RFC 5280 5.3.1 is wanted");
    g_byte_array_set_size(der, (guint)size);
    if (jose_b64_dec(base64, der->data, size) != size)
        return acme_problem(acme, 400, "malformed", "certificate is wanted, DER in base64url");
    VigieBytes octets = vigie_bytes(der->data, der->len);
    if (is_revoked(acme, octets))
        return acme_problem(acme, 400, "alreadyRevoked", "it is revoked already");
    g_autoptr(json_t) shown = pki_certificate_shown(acme->store, octets, acme->server->now, &failure);
    g_autoptr(X509) certificate = shown ? enrol_x509(der) : NULL;
    if (!certificate)
        return failure ? acme_refusal(acme, failure, error)
                       : acme_problem(acme, 400, "malformed", "no certificate");
    const char *serial = json_string_value(json_object_get(shown, "serial"));
    if (!may_revoke(acme, serial, certificate, &may, error))
        return false;
    if (!may)
        return acme_problem(acme, 403, "unauthorized",
                            "who revokes has ordered the certificate, or has its key: sign with one of them");
    return ask_revocation(acme, serial, reason, error);
}
