/* cmp: the Certificate Management Protocol (RFC 9810, profile of RFC 9483) over HTTP (RFC 9811): ir, cr, p10cr, kur, rr, genm,
 * certConf, pollReq. libcrypto has the protocol; who speaks, and what happens then, is ours.
 *
 * A client proves itself with the secret of an enrolment (senderKID its name), or signs with a certificate of ours. An exchange
 * is kept in this process while it waits: a minute for the client's confirmation, a day for the authority's decision. */
#include "pki/cmp-general.h"
#include "pki/cmp-look.h"
#include "pki/revoke.h"
#include "x509/der-write.h"

#include <openssl/err.h>
#include <string.h>

enum { EXCHANGES_MAX = 256, CONFIRM_SECONDS = 60, DECIDE_SECONDS = 86400, POLL_SECONDS = 5, GENERAL_MAX = 8 };

/* One exchange, of one message or several. */
typedef struct {
    OSSL_CMP_SRV_CTX *server;
    const VigieRegistrar *registrar;
    GBytes *transaction;
    VigieTime begun;
    int64_t enrolment; /* 0: known by its certificate */
    char *requester, *profile;
    char *serial;            /* of that certificate */
    X509 *certificate;       /* the same */
    X509 *issued;            /* until it is confirmed */
    OSSL_CMP_MSG *undecided; /* the message whose request the authority has to decide yet */
    /* Of the message at hand: */
    VigieBytes message;
    VigieStore *store;
    const VigieProfiles *profiles;
    const char *address;
    VigieTime now;
    bool waits; /* for the authority, after it */
} Exchange;

struct VigieCmp {
    const VigieRegistrar *registrar;
    GMutex lock;
    GQueue waiting; /* of Exchange *, the oldest first */
};

static void exchange_free(Exchange *exchange) {
    if (!exchange)
        return;
    OSSL_CMP_SRV_CTX_free(exchange->server);
    g_bytes_unref(exchange->transaction);
    g_free(exchange->requester);
    g_free(exchange->profile);
    g_free(exchange->serial);
    X509_free(exchange->certificate);
    X509_free(exchange->issued);
    OSSL_CMP_MSG_free(exchange->undecided);
    g_free(exchange);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Exchange, exchange_free)

VigieCmp *pki_cmp_new(const VigieRegistrar *registrar) {
    VigieCmp *cmp = g_new0(VigieCmp, 1);
    cmp->registrar = registrar;
    g_mutex_init(&cmp->lock);
    return cmp;
}

void pki_cmp_free(VigieCmp *cmp) {
    if (!cmp)
        return;
    g_queue_clear_full(&cmp->waiting, (GDestroyNotify)exchange_free);
    g_mutex_clear(&cmp->lock);
    g_free(cmp);
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */
static OSSL_CMP_PKISI *reject(int failure, const char *text) {
    return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_rejection, 1 << failure, text);
}

static OSSL_CMP_PKISI *reject_for(GError *error) {
    static const struct {
        VigieErrorCode code;
        int failure;
    } failures[] = {
        {VIGIE_ERROR_INVALID, OSSL_CMP_PKIFAILUREINFO_badCertTemplate},
        {VIGIE_ERROR_DENIED, OSSL_CMP_PKIFAILUREINFO_notAuthorized},
        {VIGIE_ERROR_NOT_FOUND, OSSL_CMP_PKIFAILUREINFO_badCertId},
        {VIGIE_ERROR_CONFLICT, OSSL_CMP_PKIFAILUREINFO_certRevoked},
        {VIGIE_ERROR_LIMIT, OSSL_CMP_PKIFAILUREINFO_badRequest},
    };
    for (size_t i = 0; error && i < G_N_ELEMENTS(failures); i++)
        if (g_error_matches(error, VIGIE_ERROR, (gint)failures[i].code))
            return reject(failures[i].failure, error->message);
    return reject(OSSL_CMP_PKIFAILUREINFO_systemUnavail,
                  "the authority does not answer now: try again later");
}

/* The chain of who issued `leaf`; the root too, or not. */
static STACK_OF(X509) * chain(const Exchange *exchange, const GByteArray *leaf, bool with_root) {
    STACK_OF(X509) *certificates = sk_X509_new_null();
    g_autoptr(GPtrArray) ders = enrol_chain(exchange->store, exchange->registrar, leaf, exchange->now);
    for (guint i = 0; ders && i < ders->len; i++) {
        X509 *certificate = enrol_x509(g_ptr_array_index(ders, i));
        bool root = certificate && X509_check_issued(certificate, certificate) == X509_V_OK;
        if (!certificate || (root && !with_root) || !sk_X509_push(certificates, certificate))
            X509_free(certificate);
    }
    return certificates;
}

/* What is the same in each request of this exchange. */
static VigiePkiRequest wanted(const Exchange *exchange, VigiePkiKind kind) {
    return (VigiePkiRequest){.kind = kind,
                             .serial = exchange->serial,
                             .requester = exchange->requester,
                             .protocol = "cmp",
                             .address = exchange->address,
                             .proof = exchange->serial ? VIGIE_PROOF_CERTIFICATE : VIGIE_PROOF_ENROLMENT,
                             .enrolment = exchange->enrolment};
}

/* ---- ir, cr, kur, p10cr -------------------------------------------------------------------------------------------- */
/* RFC 9810 5.3.5: the certificate that is renewed is the one that signed. */
static bool renews_another(const Exchange *exchange, const OSSL_CRMF_MSG *request) {
    OSSL_CRMF_CERTID *old = request ? OSSL_CRMF_MSG_get0_regCtrl_oldCertID(request) : NULL;
    BIGNUM *number = old ? ASN1_INTEGER_to_BN(OSSL_CRMF_CERTID_get0_serialNumber(old), NULL) : NULL;
    if (!old)
        return false;
    BIGNUM *own = NULL;
    bool same =
        number && exchange->serial && BN_hex2bn(&own, exchange->serial) > 0 && BN_cmp(number, own) == 0;
    BN_free(number);
    BN_free(own);
    return !same;
}

/* RFC 9810 5.1.1: a transaction is one; asked again for what is not decided yet, it is the same. */
static bool is_used(Exchange *exchange, GError **error) {
    int64_t before = 0;
    return !exchange->undecided && enrol_find(exchange->store, "cmp", exchange->requester, &before, error) &&
           before != 0;
}

static OSSL_CMP_PKISI *reject_used(void) {
    return reject(OSSL_CMP_PKIFAILUREINFO_transactionIdInUse,
                  "RFC 9810 5.1.1: this transaction was answered already");
}

static OSSL_CMP_PKISI *accept(Exchange *exchange, const GByteArray *der, X509 **ret_certificate,
                              STACK_OF(X509) * *ret_chain, STACK_OF(X509) * *ret_authorities) {
    X509_free(exchange->issued);
    X509_up_ref(exchange->issued = *ret_certificate);
    *ret_chain = chain(exchange, der, false);
    *ret_authorities = exchange->serial ? NULL : chain(exchange, der, true);
    return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_accepted, 0, NULL);
}

static OSSL_CMP_PKISI *answer_certificate(Exchange *exchange, const VigiePkiRequest *request,
                                          X509 **ret_certificate, STACK_OF(X509) * *ret_chain,
                                          STACK_OF(X509) * *ret_authorities) {
    g_autoptr(GError) error = NULL;
    if (is_used(exchange, &error))
        return reject_used();
    g_autoptr(GByteArray) der =
        error ? NULL
              : pki_request_ask(exchange->store, NULL, exchange->profiles, request, exchange->now, &error);
    if (der && (*ret_certificate = enrol_x509(der)))
        return accept(exchange, der, ret_certificate, ret_chain, ret_authorities);
    exchange->waits = !error; /* RFC 9810 5.3.22: the client polls */
    return error
               ? reject_for(error)
               : OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_waiting, 0, "the authority has not decided yet");
}

/* RFC 4211 5: [6] IMPLICIT SubjectPublicKeyInfo, which libcrypto 3.0 gives no access to. */
static GByteArray *template_key(const OSSL_CRMF_CERTTEMPLATE *template) {
    unsigned char *der = NULL;
    int size = ASN1_item_i2d((const ASN1_VALUE *)template, &der, ASN1_ITEM_rptr(OSSL_CRMF_CERTTEMPLATE));
    VigieReader in = vigie_reader(vigie_bytes(der, size > 0 ? (size_t)size : 0));
    const char *clause = NULL;
    DerElement element;
    GByteArray *key = g_byte_array_new();
    if (der_expect(&in, DER_SEQUENCE, &element, &clause)) {
        in = vigie_reader(element.value);
        while (der_next(&in, &element, &clause))
            if (element.tag == DER_CONTEXT_CONSTRUCTED(6))
                der_put(key, DER_SEQUENCE, element.value.data, element.value.size);
    }
    OPENSSL_free(der);
    return key;
}

/* A template of CRMF: its key, whose possession libcrypto has verified, and its names. */
static OSSL_CMP_PKISI *answer_template(Exchange *exchange, const OSSL_CRMF_MSG *message,
                                       VigiePkiRequest *request, X509 **ret_certificate,
                                       STACK_OF(X509) * *ret_chain, STACK_OF(X509) * *ret_authorities) {
    const OSSL_CRMF_CERTTEMPLATE *template = OSSL_CRMF_MSG_get0_tmpl(message);
    g_autoptr(GByteArray) key = template_key(template);
    g_auto(GStrv) names = enrol_names(OSSL_CRMF_CERTTEMPLATE_get0_extensions(template));
    request->spki = der_bytes(key);
    request->names = request->kind == VIGIE_REQUEST_ISSUE ? (const char *const *)names : NULL;
    return key->len > 0 ? answer_certificate(exchange, request, ret_certificate, ret_chain, ret_authorities)
                        : reject(OSSL_CMP_PKIFAILUREINFO_badCertTemplate, "no public key");
}

static OSSL_CMP_PKISI *on_certificate(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message, int id,
                                      const OSSL_CRMF_MSG *template, const X509_REQ *p10,
                                      X509 **ret_certificate, STACK_OF(X509) * *ret_chain,
                                      STACK_OF(X509) * *ret_authorities) {
    Exchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
    (void)message, (void)id;
    VigiePkiRequest request = wanted(exchange, exchange->serial ? VIGIE_REQUEST_RENEW : VIGIE_REQUEST_ISSUE);
    request.again = VIGIE_AGAIN_TRANSACTION;
    if (renews_another(exchange, template))
        return reject(OSSL_CMP_PKIFAILUREINFO_badCertId,
                      "the certificate to renew is not the one that signed");
    if (template)
        return answer_template(exchange, template, &request, ret_certificate, ret_chain, ret_authorities);
    unsigned char *csr = NULL;
    int size = i2d_X509_REQ((X509_REQ *)(uintptr_t)p10, &csr);
    request.csr = vigie_bytes(csr, size > 0 ? (size_t)size : 0);
    OSSL_CMP_PKISI *status =
        answer_certificate(exchange, &request, ret_certificate, ret_chain, ret_authorities);
    OPENSSL_free(csr);
    return status;
}

/* ---- rr, genm, certConf, pollReq, error ----------------------------------------------------------------------------- */
static bool is_own(const Exchange *exchange, const X509_NAME *issuer, const ASN1_INTEGER *serial) {
    const X509 *own = exchange->certificate;
    return own && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(own)) == 0 &&
           X509_NAME_cmp(issuer, X509_get_issuer_name(own)) == 0;
}

/* RFC 9483 4.2: with the reason, by the certificate's own key. What the signer has yet to carry out is announced. */
static OSSL_CMP_PKISI *on_revocation(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message,
                                     const X509_NAME *issuer, const ASN1_INTEGER *serial) {
    Exchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
    int64_t number = 0;
    (void)message;
    if (!is_own(exchange, issuer, serial))
        return reject(OSSL_CMP_PKIFAILUREINFO_notAuthorized,
                      "a revocation is signed with the certificate's own key");
    VigiePkiRequest request = wanted(exchange, VIGIE_REQUEST_REVOKE);
    request.reason = cmp_look_reason(exchange->message, &number) ? revoke_reason_given(number) : NULL;
    if (!request.reason)
        return reject(OSSL_CMP_PKIFAILUREINFO_badRequest,
                      "RFC 9483 4.2: a reason is wanted that the certificate's owner may give");
    g_autoptr(GError) error = NULL;
    if (is_used(exchange, &error))
        return reject_used();
    g_autoptr(GByteArray) done =
        error ? NULL
              : pki_request_ask(exchange->store, NULL, exchange->profiles, &request, exchange->now, &error);
    if (error)
        return reject_for(error);
    return OSSL_CMP_STATUSINFO_new(done ? OSSL_CMP_PKISTATUS_accepted : OSSL_CMP_PKISTATUS_revocationWarning,
                                   0, NULL);
}

static int on_general(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message,
                      const STACK_OF(OSSL_CMP_ITAV) * in, STACK_OF(OSSL_CMP_ITAV) * *ret_out) {
    Exchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
    const CmpGeneral general = {exchange->store, exchange->registrar, exchange->profiles, exchange->profile,
                                exchange->now};
    (void)message;
    *ret_out = sk_OSSL_CMP_ITAV_new_null();
    for (int i = 0; *ret_out && i < sk_OSSL_CMP_ITAV_num(in) && i < GENERAL_MAX; i++) {
        const VigieBytes value = cmp_look_value(exchange->message, (size_t)i);
        OSSL_CMP_ITAV *answer = cmp_general_answer(&general, sk_OSSL_CMP_ITAV_value(in, i), value);
        if (answer && !sk_OSSL_CMP_ITAV_push(*ret_out, answer))
            OSSL_CMP_ITAV_free(answer);
    }
    return *ret_out != NULL;
}

/* RFC 9810 5.3.18: by the digest that its signature has. */
static bool is_hash_of(const X509 *certificate, const ASN1_OCTET_STRING *hash) {
    ASN1_OCTET_STRING *own = X509_digest_sig(certificate, NULL, NULL);
    bool same = own && hash && ASN1_OCTET_STRING_cmp(own, hash) == 0;
    ASN1_OCTET_STRING_free(own);
    return same;
}

/* RFC 9483 4.1.1: a certificate that its owner does not take is revoked. */
static bool revoke_refused(const Exchange *exchange, const X509 *certificate) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) shown = enrol_shown(exchange->store, certificate, exchange->now, &error);
    VigiePkiRequest request = wanted(exchange, VIGIE_REQUEST_REVOKE);
    request.serial = json_string_value(json_object_get(shown, "serial"));
    request.reason = "cessationOfOperation";
    g_autoptr(GByteArray) done =
        shown ? pki_request_ask(exchange->store, NULL, exchange->profiles, &request, exchange->now, &error)
              : NULL;
    return error == NULL;
}

static int on_confirmation(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message, int id,
                           const ASN1_OCTET_STRING *hash, const OSSL_CMP_PKISI *status) {
    Exchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
    X509 *issued = g_steal_pointer(&exchange->issued);
    (void)message, (void)id;
    bool well = issued && is_hash_of(issued, hash) &&
                (!status || cmp_general_accepts(status) || revoke_refused(exchange, issued));
    X509_free(issued);
    if (!well)
        ERR_raise_data(ERR_LIB_CMP, CMP_R_CERTHASH_UNMATCHED, "RFC 9810 5.3.18");
    return well;
}

static void on_error(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message, const OSSL_CMP_PKISI *status,
                     const ASN1_INTEGER *code, const OSSL_CMP_PKIFREETEXT *details) {
    (void)server, (void)message, (void)status, (void)code, (void)details;
}

/* Decided: the message is answered as if it came now. */
static int on_poll(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message, int id, OSSL_CMP_MSG **ret_request,
                   int64_t *ret_seconds) {
    Exchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
    VigiePkiState state = VIGIE_REQUEST_WAITING;
    int64_t request = 0;
    (void)message, (void)id;
    if (!exchange->undecided || !enrol_find(exchange->store, "cmp", exchange->requester, &request, NULL) ||
        request == 0 || !pki_request_wait(exchange->store, request, 0, &state, NULL))
        return 0;
    bool decided = state == VIGIE_REQUEST_ISSUED || state == VIGIE_REQUEST_REFUSED;
    *ret_seconds = POLL_SECONDS;
    *ret_request = decided ? OSSL_CMP_MSG_dup(exchange->undecided) : NULL;
    return !decided || *ret_request;
}

/* ---- Who speaks -------------------------------------------------------------------------------------------------------- */
/* "cmp:NAME/9f1c…": who, and in which transaction. */
static char *requester_of(const Exchange *exchange, const char *name) {
    gsize size = 0;
    const void *data = g_bytes_get_data(exchange->transaction, &size);
    g_autofree char *transaction = vigie_hex_text(vigie_bytes(data, size));
    return g_strconcat("cmp:", name, "/", transaction, NULL);
}

/* By the secret of an enrolment. An unknown name has a secret nobody knows, so that it fails as a wrong secret does. */
static bool know_by_secret(Exchange *exchange, VigieBytes kid, GError **error) {
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
    g_autofree char *unknown = g_uuid_string_random();
    const char *known = json_string_value(json_object_get(enrolment, "secret"));
    const char *secret = known ? known : unknown;
    exchange->enrolment = json_integer_value(json_object_get(enrolment, "id"));
    exchange->profile = g_strdup(json_string_value(json_object_get(enrolment, "profile")));
    exchange->requester = requester_of(exchange, name);
    return OSSL_CMP_CTX_set1_referenceValue(context, kid.data, (int)kid.size) &&
           OSSL_CMP_CTX_set1_secretValue(context, (const unsigned char *)secret, (int)strlen(secret));
}

/* By a certificate of ours, good now. That the message is signed with its key, libcrypto verifies: no other is trusted. */
static bool know_by_certificate(Exchange *exchange, VigieBytes der, GError **error) {
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

static Exchange *exchange_new(VigieCmp *cmp, const CmpLook *look, VigieStore *store, VigieTime now,
                              GError **error) {
    g_autoptr(Exchange) exchange = g_new0(Exchange, 1);
    exchange->registrar = cmp->registrar;
    exchange->transaction = g_bytes_new(look->transaction.data, look->transaction.size);
    exchange->begun = exchange->now = now;
    exchange->store = store;
    exchange->server = OSSL_CMP_SRV_CTX_new(NULL, NULL);
    OSSL_CMP_CTX *context = exchange->server ? OSSL_CMP_SRV_CTX_get0_cmp_ctx(exchange->server) : NULL;
    bool well = context &&
                OSSL_CMP_SRV_CTX_init(exchange->server, exchange, on_certificate, on_revocation, on_general,
                                      on_error, on_confirmation, on_poll) &&
                OSSL_CMP_CTX_set_log_cb(context, say_nothing) &&
                OSSL_CMP_SRV_CTX_set_grant_implicit_confirm(exchange->server, 1);
    if (!well) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "libcrypto has no CMP server");
        return NULL;
    }
    if (look->mac ? know_by_secret(exchange, look->kid, error)
                  : know_by_certificate(exchange, look->certificate, error))
        return g_steal_pointer(&exchange);
    return NULL;
}

/* ---- Exchanges that wait ----------------------------------------------------------------------------------------------- */
static bool is_over(const Exchange *exchange, VigieTime now) {
    VigieTime life = exchange->undecided ? DECIDE_SECONDS : CONFIRM_SECONDS;
    return now - exchange->begun > life || exchange->begun > now;
}

static Exchange *take(VigieCmp *cmp, VigieBytes transaction, VigieTime now) {
    Exchange *found = NULL;
    g_mutex_lock(&cmp->lock);
    for (GList *link = cmp->waiting.head, *next; link; link = next) {
        Exchange *exchange = link->data;
        next = link->next;
        gsize size = 0;
        const void *data = g_bytes_get_data(exchange->transaction, &size);
        if (is_over(exchange, now))
            exchange_free(exchange);
        else if (!found && vigie_bytes_equal(vigie_bytes(data, size), transaction))
            found = exchange;
        else
            continue;
        g_queue_delete_link(&cmp->waiting, link);
    }
    g_mutex_unlock(&cmp->lock);
    return found;
}

static void keep(VigieCmp *cmp, Exchange *exchange) {
    g_mutex_lock(&cmp->lock);
    g_queue_push_tail(&cmp->waiting, exchange);
    Exchange *oldest =
        g_queue_get_length(&cmp->waiting) > EXCHANGES_MAX ? g_queue_pop_head(&cmp->waiting) : NULL;
    g_mutex_unlock(&cmp->lock);
    exchange_free(oldest);
}

/* After this answer the client has something to say: that it has the certificate, or whether it is decided. The latter wants the
 * message that asked. */
static bool goes_on(Exchange *exchange, const OSSL_CMP_MSG *request, const OSSL_CMP_MSG *answer) {
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

static GByteArray *process(Exchange *exchange, const OSSL_CMP_MSG *request, bool *ret_goes_on) {
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
static bool is_theirs(const Exchange *exchange, const OSSL_CMP_MSG *request) {
    OSSL_CMP_CTX *context = OSSL_CMP_SRV_CTX_get0_cmp_ctx(exchange->server);
    return OSSL_CMP_validate_msg(context, request) == 1;
}

static GByteArray *answer_in(VigieCmp *cmp, const CmpLook *look, VigieStore *store,
                             const VigieProfiles *profiles, const OSSL_CMP_MSG *request, VigieBytes message,
                             const char *address, VigieTime now, GError **error) {
    g_autoptr(Exchange) exchange = take(cmp, look->transaction, now);
    if (exchange && !is_theirs(exchange, request)) {
        keep(cmp, g_steal_pointer(&exchange));
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                    "RFC 9810 5.1.3: the protection is not that of this transaction");
        return NULL;
    }
    if (!exchange)
        exchange = exchange_new(cmp, look, store, now, error);
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
