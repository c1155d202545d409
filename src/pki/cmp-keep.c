/* cmp-keep.c: what an exchange has come to between its messages: a minute for the client's confirmation, thirty days for the authority's
 * decision. Whichever process is asked next goes on. */
#include "pki/cmp-exchange.h"

#include <string.h>

enum { CONFIRM_SECONDS = 60, DECIDE_SECONDS = 30 * 86400, CONFIRMATION = 24, POLL = 25 };

/* A row, copied: what follows asks the store, too. */
typedef struct {
    GByteArray *certificate, *message, *nonce;
    char *requester;
    bool issued;
    VigieTime began;
} Kept;

static void kept_clear(Kept *kept) {
    g_clear_pointer(&kept->certificate, g_byte_array_unref);
    g_clear_pointer(&kept->message, g_byte_array_unref);
    g_clear_pointer(&kept->nonce, g_byte_array_unref);
    g_free(kept->requester);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Kept, kept_clear)

static GByteArray *copy(VigieBytes bytes) {
    return g_byte_array_append(g_byte_array_sized_new((guint)bytes.size), bytes.data, (guint)bytes.size);
}

static bool read_kept(VigieStore *store, VigieBytes transaction, VigieTime now, Kept *kept, bool *ret_found,
                      GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT certificate, message, nonce, requester, began, issued FROM cmp_exchange WHERE "
                    "transaction_id = "
                    "$1 AND began <= $2 AND began >= CASE WHEN issued = 1 THEN $3 ELSE $4 END",
                    "biii", &transaction, now, now - CONFIRM_SECONDS, now - DECIDE_SECONDS);
    GError *why = NULL;
    *ret_found = rows && rows_next(rows, &why);
    if (*ret_found)
        *kept = (Kept){.certificate = copy(rows_blob(rows, 0)),
                       .message = copy(rows_blob(rows, 1)),
                       .nonce = copy(rows_blob(rows, 2)),
                       .requester = g_strdup(rows_text(rows, 3)),
                       .began = rows_int(rows, 4),
                       .issued = rows_int(rows, 5) != 0};
    return rows_ended(rows, &why, error);
}

static bool put_octets(OSSL_CMP_CTX *context, int (*put)(OSSL_CMP_CTX *, const ASN1_OCTET_STRING *),
                       GBytes *bytes) {
    gsize size = 0;
    const unsigned char *data = g_bytes_get_data(bytes, &size);
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    bool well = octets && ASN1_OCTET_STRING_set(octets, data, (int)size) && put(context, octets);
    ASN1_OCTET_STRING_free(octets);
    return well;
}

/* What is asked for, and that a confirmation is due, libcrypto knows of an answer alone: it is made once more, and sent to nobody. */
static bool answer_again(CmpExchange *exchange) {
    exchange->again = true;
    OSSL_CMP_MSG *answer = OSSL_CMP_SRV_process_request(exchange->server, exchange->asked);
    OSSL_CMP_MSG_free(answer);
    exchange->again = false;
    return answer && (exchange->issued || !exchange->decided);
}

bool cmp_exchange_resume(CmpExchange *exchange, const OSSL_CMP_MSG *message, GError **error) {
    OSSL_CMP_CTX *context = OSSL_CMP_SRV_CTX_get0_cmp_ctx(exchange->server);
    int kind = OSSL_CMP_MSG_get_bodytype(message);
    if (((kind != CONFIRMATION && kind != POLL) || answer_again(exchange)) &&
        put_octets(context, OSSL_CMP_CTX_set1_transactionID, exchange->transaction) &&
        put_octets(context, OSSL_CMP_CTX_set1_senderNonce, exchange->nonce))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "the exchange cannot be taken up again now");
    return false;
}

/* A stranger who knows its number, and nothing else, does not go on with it. */
static bool is_theirs(const CmpExchange *exchange, const Kept *kept, const OSSL_CMP_MSG *message) {
    OSSL_CMP_CTX *context = OSSL_CMP_SRV_CTX_get0_cmp_ctx(exchange->server);
    return strcmp(exchange->requester, kept->requester) == 0 && OSSL_CMP_validate_msg(context, message) == 1;
}

CmpExchange *cmp_exchange_find(const VigieRegistrar *registrar, const CmpLook *look,
                               const OSSL_CMP_MSG *message, VigieStore *store, VigieTime now,
                               GError **error) {
    g_auto(Kept) kept = {0};
    bool found = false;
    if (!read_kept(store, look->transaction, now, &kept, &found, error) || !found)
        return NULL;
    CmpLook known = *look;
    if (!known.mac && known.certificate.size == 0) /* RFC 9483 3.3: it was in the first message */
        known.certificate = vigie_bytes(kept.certificate->data, kept.certificate->len);
    g_autoptr(CmpExchange) exchange = cmp_exchange_new(registrar, &known, store, now, error);
    if (!exchange)
        return NULL;
    if (!is_theirs(exchange, &kept, message)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                    "RFC 9810 5.1.3: the protection is not that of this transaction");
        return NULL;
    }
    const unsigned char *at = kept.message->data;
    exchange->asked = d2i_OSSL_CMP_MSG(NULL, &at, (long)kept.message->len);
    exchange->nonce = g_bytes_new(kept.nonce->data, kept.nonce->len);
    exchange->decided = kept.issued;
    exchange->began = kept.began;
    exchange->known = true;
    return g_steal_pointer(&exchange);
}

static bool write_kept(const CmpExchange *exchange, VigieBytes nonce, GError **error) {
    unsigned char *own = NULL, *asked = NULL;
    gsize size = 0;
    const void *transaction = g_bytes_get_data(exchange->transaction, &size);
    int own_size = exchange->certificate ? i2d_X509(exchange->certificate, &own) : 0;
    int asked_size = i2d_OSSL_CMP_MSG(exchange->asked, &asked);
    VigieBytes id = vigie_bytes(transaction, size), certificate = vigie_bytes(own, (size_t)MAX(own_size, 0)),
               message = vigie_bytes(asked, (size_t)MAX(asked_size, 0));
    bool well = store_exec(
        exchange->store, error,
        "INSERT INTO cmp_exchange (transaction_id, requester, certificate, message, issued, nonce, began) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (transaction_id) DO UPDATE SET requester = "
        "excluded.requester, certificate = excluded.certificate, message = excluded.message, issued = "
        "excluded.issued, nonce = excluded.nonce, began = excluded.began",
        "btbbibi", &id, exchange->requester, own_size > 0 ? &certificate : NULL, &message,
        (int64_t)exchange->decided, &nonce, exchange->began);
    OPENSSL_free(own);
    OPENSSL_free(asked);
    return well;
}

bool cmp_exchange_keep(CmpExchange *exchange, VigieBytes answer, GError **error) {
    CmpLook look = {0};
    if (!cmp_look(answer, &look)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "an answer of ours cannot be read back");
        return false;
    }
    g_autoptr(VigieTransaction) tx = store_begin(exchange->store, error);
    return tx && write_kept(exchange, look.nonce, error) &&
           store_exec(exchange->store, error,
                      "DELETE FROM cmp_exchange WHERE began < $1 OR (began < $2 AND issued = 1)", "ii",
                      exchange->now - DECIDE_SECONDS, exchange->now - CONFIRM_SECONDS) &&
           store_commit(&tx, error);
}

bool cmp_exchange_end(const CmpExchange *exchange, GError **error) {
    gsize size = 0;
    const void *transaction = g_bytes_get_data(exchange->transaction, &size);
    VigieBytes id = vigie_bytes(transaction, size);
    return store_exec(exchange->store, error, "DELETE FROM cmp_exchange WHERE transaction_id = $1", "b", &id);
}
