/* cmp-exchange.c: a client proves itself with the secret of an enrolment (senderKID its name), or signs with a certificate of ours. */
#include "pki/cmp-exchange.h"
#include "pki/enrolment.h"

#include <string.h>

void cmp_exchange_free(CmpExchange *exchange) {
    if (!exchange)
        return;
    OSSL_CMP_SRV_CTX_free(exchange->server);
    g_bytes_unref(exchange->transaction);
    g_free(exchange->requester);
    g_free(exchange->profile);
    g_free(exchange->serial);
    X509_free(exchange->certificate);
    X509_free(exchange->issued);
    OSSL_CMP_MSG_free(exchange->asked);
    g_bytes_unref(exchange->nonce);
    g_free(exchange);
}

/* "cmp:NAME/9f1c…": who, and in which transaction. */
static char *requester_of(const CmpExchange *exchange, const char *name) {
    g_autofree char *transaction = vigie_hex_text(vigie_bytes_view(exchange->transaction));
    return g_strconcat("cmp:", name, "/", transaction, NULL);
}

/* By the secret of an enrolment. An unknown name has a secret nobody knows, so that it fails as a wrong secret does. */
static bool know_by_secret(CmpExchange *exchange, VigieBytes kid, GError **error) {
    OSSL_CMP_CTX *context = OSSL_CMP_SRV_CTX_get0_cmp_ctx(exchange->server);
    g_autofree char *name = g_strndup((const char *)kid.data, kid.size);
    g_autoptr(GError) failure = NULL;
    g_autoptr(json_t) enrolment = g_utf8_validate(name, -1, NULL)
                                      ? pki_enrolment_find(exchange->store, name, exchange->now, &failure)
                                      : NULL;
    if (failure && !g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    char *secret = enrolment
                       ? pki_enrolment_secret(exchange->store, exchange->registrar->seal, enrolment, error)
                       : g_uuid_string_random();
    if (!secret)
        return false;
    exchange->enrolment = json_integer_value(json_object_get(enrolment, "id"));
    exchange->profile = g_strdup(json_string_value(json_object_get(enrolment, "profile")));
    exchange->requester = requester_of(exchange, name);
    bool set = OSSL_CMP_CTX_set1_referenceValue(context, kid.data, (int)kid.size) &&
               OSSL_CMP_CTX_set1_secretValue(context, (const unsigned char *)secret, (int)strlen(secret));
    enrolment_wipe(secret);
    return set;
}

/* By a certificate of ours, good now. That the message is signed with its key, libcrypto verifies: no other is trusted. */
static bool know_by_certificate(CmpExchange *exchange, VigieBytes der, GError **error) {
    OSSL_CMP_CTX *context = OSSL_CMP_SRV_CTX_get0_cmp_ctx(exchange->server);
    g_autoptr(json_t) shown = pki_certificate_shown(exchange->store, der, exchange->now, error);
    if (!shown)
        return false;
    const unsigned char *at = der.data;
    exchange->certificate = d2i_X509(NULL, &at, (long)der.size);
    exchange->serial = g_strdup(json_string_value(json_object_get(shown, "serial")));
    exchange->profile = g_strdup(json_string_value(json_object_get(shown, "profile")));
    exchange->requester = requester_of(exchange, exchange->serial);
    return exchange->certificate && OSSL_CMP_CTX_set1_srvCert(context, exchange->certificate) &&
           OSSL_CMP_CTX_set1_cert(context, exchange->registrar->certificate) &&
           OSSL_CMP_CTX_set1_pkey(context, exchange->registrar->key);
}

/* Errors go to the client, or to nobody: what a stranger sends is not for our log. */
static int say_nothing(const char *function, const char *file, int line, OSSL_CMP_severity level,
                       const char *text) {
    (void)function, (void)file, (void)line, (void)level, (void)text;
    return 1;
}

CmpExchange *cmp_exchange_new(const VigieRegistrar *registrar, const CmpLook *look, VigieStore *store,
                              VigieTime now, GError **error) {
    g_autoptr(CmpExchange) exchange = g_new0(CmpExchange, 1);
    exchange->registrar = registrar;
    exchange->transaction = g_bytes_new(look->transaction.data, look->transaction.size);
    exchange->began = exchange->now = now;
    exchange->store = store;
    exchange->server = OSSL_CMP_SRV_CTX_new(NULL, NULL);
    if (!exchange->server || !cmp_exchange_serve(exchange) ||
        !OSSL_CMP_CTX_set_log_cb(OSSL_CMP_SRV_CTX_get0_cmp_ctx(exchange->server), say_nothing) ||
        !OSSL_CMP_SRV_CTX_set_grant_implicit_confirm(exchange->server, 1)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "libcrypto has no CMP server");
        return NULL;
    }
    bool known = look->mac ? know_by_secret(exchange, look->kid, error)
                           : know_by_certificate(exchange, look->certificate, error);
    return known ? g_steal_pointer(&exchange) : NULL;
}
