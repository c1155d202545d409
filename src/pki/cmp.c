/* cmp: the Certificate Management Protocol (RFC 9810, profile of RFC 9483) over HTTP (RFC 9811): ir, cr, p10cr, kur, rr, genm,
 * certConf, pollReq. libcrypto has the protocol; who speaks, and what happens then, is ours. */
#include "pki/cmp-exchange.h"

#include <openssl/err.h>

/* After this answer the client has something to say: that it has the certificate, unless that goes without saying, or whether it
 * is decided. The latter wants the message that asked. */
static bool goes_on(CmpExchange *exchange, const OSSL_CMP_MSG *request, int answered) {
    enum { POLL_REPLY = 26 };
    if (answered == POLL_REPLY)
        return true;
    if (!exchange->asked && (exchange->issued || exchange->waits))
        exchange->asked = OSSL_CMP_MSG_dup(request);
    if (exchange->issued) {
        exchange->decided = true;
        exchange->began = exchange->now;
        return !OSSL_CMP_CTX_get_option(OSSL_CMP_SRV_CTX_get0_cmp_ctx(exchange->server),
                                        OSSL_CMP_OPT_IMPLICIT_CONFIRM);
    }
    return exchange->waits;
}

/* What a replayed message is answered with does not end the wait of who was there first. */
static bool settle(CmpExchange *exchange, const OSSL_CMP_MSG *request, int answered, VigieBytes answer,
                   GError **error) {
    enum { ERROR = 23 };
    if (goes_on(exchange, request, answered))
        return cmp_exchange_keep(exchange, answer, error);
    return !exchange->known || (!exchange->decided && answered == ERROR) || cmp_exchange_end(exchange, error);
}

static GByteArray *process(CmpExchange *exchange, const OSSL_CMP_MSG *request, GError **error) {
    unsigned char *der = NULL;
    OSSL_CMP_MSG *answer = OSSL_CMP_SRV_process_request(exchange->server, request);
    int size = answer ? i2d_OSSL_CMP_MSG(answer, &der) : 0;
    VigieBytes whole = vigie_bytes(der, size > 0 ? (size_t)size : 0);
    GByteArray *out = NULL;
    if (size <= 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "RFC 9810 5.1.3: a message whose protection holds is wanted");
    else if (settle(exchange, request, OSSL_CMP_MSG_get_bodytype(answer), whole, error))
        out = g_byte_array_append(g_byte_array_new(), der, (guint)size);
    OPENSSL_free(der);
    OSSL_CMP_MSG_free(answer);
    return out;
}

static GByteArray *answer_in(const VigieRegistrar *registrar, const CmpLook *look, VigieStore *store,
                             const VigieProfiles *profiles, const OSSL_CMP_MSG *request, VigieBytes message,
                             const char *address, VigieTime now, GError **error) {
    GError *why = NULL;
    g_autoptr(CmpExchange) exchange = cmp_exchange_find(registrar, look, request, store, now, &why);
    if (!exchange && !why)
        exchange = cmp_exchange_new(registrar, look, store, now, &why);
    if (!exchange) {
        g_propagate_error(error, why);
        return NULL;
    }
    exchange->profiles = profiles;
    exchange->message = message;
    exchange->address = address;
    if (exchange->known && !cmp_exchange_resume(exchange, request, error))
        return NULL;
    return process(exchange, request, error);
}

GByteArray *pki_cmp_answer(const VigieRegistrar *registrar, VigieStore *store, const VigieProfiles *profiles,
                           VigieBytes message, const char *address, VigieTime now, GError **error) {
    CmpLook look;
    const unsigned char *at = message.data;
    bool looked = message.size <= CMP_BYTES_MAX && cmp_look(message, &look);
    OSSL_CMP_MSG *request = looked ? d2i_OSSL_CMP_MSG(NULL, &at, (long)message.size) : NULL;
    GByteArray *answer = NULL;
    if (!request)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "RFC 9810 5.1: no PKIMessage with a transaction");
    else if (enrol_registrar_good(registrar, store, now, error))
        answer = answer_in(registrar, &look, store, profiles, request, message, address, now, error);
    OSSL_CMP_MSG_free(request);
    ERR_clear_error();
    return answer;
}
