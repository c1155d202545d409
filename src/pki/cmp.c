/* cmp: the Certificate Management Protocol (RFC 9810, profile of RFC 9483) over HTTP (RFC 9811): ir, cr, p10cr, kur, rr, genm,
 * certConf, pollReq. libcrypto has the protocol; who speaks, and what happens then, is ours.
 *
 * An exchange is kept in this process while it waits: a minute for the client's confirmation, a day for the authority's decision. */
#include "pki/cmp-exchange.h"

#include <openssl/err.h>

enum { EXCHANGES_MAX = 256, CONFIRM_SECONDS = 60, DECIDE_SECONDS = 86400 };

struct VigieCmp {
    const VigieRegistrar *registrar;
    GMutex lock;
    GQueue waiting; /* of CmpExchange *, the oldest first */
};

VigieCmp *pki_cmp_new(const VigieRegistrar *registrar) {
    VigieCmp *cmp = g_new0(VigieCmp, 1);
    cmp->registrar = registrar;
    g_mutex_init(&cmp->lock);
    return cmp;
}

void pki_cmp_free(VigieCmp *cmp) {
    if (!cmp)
        return;
    g_queue_clear_full(&cmp->waiting, (GDestroyNotify)cmp_exchange_free);
    g_mutex_clear(&cmp->lock);
    g_free(cmp);
}

/* ---- Exchanges that wait ----------------------------------------------------------------------------------------------- */
static bool is_over(const CmpExchange *exchange, VigieTime now) {
    VigieTime life = exchange->undecided ? DECIDE_SECONDS : CONFIRM_SECONDS;
    return now - exchange->begun > life || exchange->begun > now;
}

static CmpExchange *take(VigieCmp *cmp, VigieBytes transaction, VigieTime now) {
    CmpExchange *found = NULL;
    g_mutex_lock(&cmp->lock);
    for (GList *link = cmp->waiting.head, *next; link; link = next) {
        CmpExchange *exchange = link->data;
        next = link->next;
        gsize size = 0;
        const void *data = g_bytes_get_data(exchange->transaction, &size);
        if (is_over(exchange, now))
            cmp_exchange_free(exchange);
        else if (!found && vigie_bytes_equal(vigie_bytes(data, size), transaction))
            found = exchange;
        else
            continue;
        g_queue_delete_link(&cmp->waiting, link);
    }
    g_mutex_unlock(&cmp->lock);
    return found;
}

static void keep(VigieCmp *cmp, CmpExchange *exchange) {
    g_mutex_lock(&cmp->lock);
    g_queue_push_tail(&cmp->waiting, exchange);
    CmpExchange *oldest =
        g_queue_get_length(&cmp->waiting) > EXCHANGES_MAX ? g_queue_pop_head(&cmp->waiting) : NULL;
    g_mutex_unlock(&cmp->lock);
    cmp_exchange_free(oldest);
}

/* After this answer the client has something to say: that it has the certificate, or whether it is decided. The latter wants the
 * message that asked. */
static bool goes_on(CmpExchange *exchange, const OSSL_CMP_MSG *request, const OSSL_CMP_MSG *answer) {
    enum { POLL_REPLY = 26 };
    if (OSSL_CMP_MSG_get_bodytype(answer) == POLL_REPLY)
        return true;
    if (exchange->issued) {
        g_clear_pointer(&exchange->undecided, OSSL_CMP_MSG_free);
        exchange->begun = exchange->now;
    } else if (exchange->waits && !exchange->undecided) {
        exchange->undecided = OSSL_CMP_MSG_dup(request);
    }
    return exchange->issued || exchange->waits;
}

static GByteArray *process(CmpExchange *exchange, const OSSL_CMP_MSG *request, bool *ret_goes_on) {
    unsigned char *der = NULL;
    GByteArray *out = NULL;
    OSSL_CMP_MSG *answer = OSSL_CMP_SRV_process_request(exchange->server, request);
    int size = answer ? i2d_OSSL_CMP_MSG(answer, &der) : 0;
    if (size > 0) {
        out = g_byte_array_append(g_byte_array_new(), der, (guint)size);
        *ret_goes_on = goes_on(exchange, request, answer);
    }
    OPENSSL_free(der);
    OSSL_CMP_MSG_free(answer);
    return out;
}

/* In an exchange that waits: a stranger who knows its number, and nothing else, does not end it. */
static bool is_theirs(const CmpExchange *exchange, const OSSL_CMP_MSG *request) {
    OSSL_CMP_CTX *context = OSSL_CMP_SRV_CTX_get0_cmp_ctx(exchange->server);
    return OSSL_CMP_validate_msg(context, request) == 1;
}

static GByteArray *answer_in(VigieCmp *cmp, const CmpLook *look, VigieStore *store,
                             const VigieProfiles *profiles, const OSSL_CMP_MSG *request, VigieBytes message,
                             const char *address, VigieTime now, GError **error) {
    g_autoptr(CmpExchange) exchange = take(cmp, look->transaction, now);
    if (exchange && !is_theirs(exchange, request)) {
        keep(cmp, g_steal_pointer(&exchange));
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                    "RFC 9810 5.1.3: the protection is not that of this transaction");
        return NULL;
    }
    if (!exchange)
        exchange = cmp_exchange_new(cmp->registrar, look, store, now, error);
    if (!exchange)
        return NULL;
    bool more = false;
    exchange->store = store;
    exchange->profiles = profiles;
    exchange->message = message;
    exchange->waits = false;
    exchange->address = address;
    exchange->now = now;
    GByteArray *answer = process(exchange, request, &more);
    if (!answer)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "RFC 9810 5.1.3: a message whose protection holds is wanted");
    if (more)
        keep(cmp, g_steal_pointer(&exchange));
    return answer;
}

GByteArray *pki_cmp_answer(VigieCmp *cmp, VigieStore *store, const VigieProfiles *profiles,
                           VigieBytes message, const char *address, VigieTime now, GError **error) {
    CmpLook look;
    const unsigned char *at = message.data;
    bool looked = message.size <= CMP_BYTES_MAX && cmp_look(message, &look);
    OSSL_CMP_MSG *request = looked ? d2i_OSSL_CMP_MSG(NULL, &at, (long)message.size) : NULL;
    GByteArray *answer = NULL;
    if (!request)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "RFC 9810 5.1: no PKIMessage with a transaction");
    else if (enrol_registrar_good(cmp->registrar, store, now, error))
        answer = answer_in(cmp, &look, store, profiles, request, message, address, now, error);
    OSSL_CMP_MSG_free(request);
    ERR_clear_error();
    return answer;
}
