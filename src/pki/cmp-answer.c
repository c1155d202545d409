/* cmp-answer.c: what each message is answered: ir, cr, p10cr, kur, rr, genm, certConf, pollReq. */
#include "pki/cmp-exchange.h"
#include "pki/revoke.h"
#include "x509/der-write.h"

#include <openssl/err.h>

enum { POLL_SECONDS = 5, GENERAL_MAX = 8 };

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
static STACK_OF(X509) * chain(const CmpExchange *exchange, const GByteArray *leaf, bool with_root) {
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
static VigiePkiRequest wanted(const CmpExchange *exchange, VigiePkiKind kind) {
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
static bool renews_another(const CmpExchange *exchange, const OSSL_CRMF_MSG *request) {
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

/* RFC 9810 5.1.1: a transaction is one; asked again for what is not decided yet, it is the same, also where nobody heard our
 * first answer. */
static bool is_used(CmpExchange *exchange, GError **error) {
    int64_t before = 0;
    VigiePkiState state = VIGIE_REQUEST_WAITING;
    bool same = exchange->again || (exchange->asked && !exchange->decided);
    return !same && enrol_find(exchange->store, "cmp", exchange->requester, &before, error) && before != 0 &&
           pki_request_wait(exchange->store, before, 0, &state, error) &&
           (state == VIGIE_REQUEST_ISSUED || state == VIGIE_REQUEST_REFUSED);
}

static OSSL_CMP_PKISI *reject_used(void) {
    return reject(OSSL_CMP_PKIFAILUREINFO_transactionIdInUse,
                  "RFC 9810 5.1.1: this transaction was answered already");
}

static OSSL_CMP_PKISI *accept(CmpExchange *exchange, const GByteArray *der, X509 **ret_certificate,
                              STACK_OF(X509) * *ret_chain, STACK_OF(X509) * *ret_authorities) {
    X509_free(exchange->issued);
    X509_up_ref(exchange->issued = *ret_certificate);
    *ret_chain = chain(exchange, der, false);
    *ret_authorities = exchange->serial ? NULL : chain(exchange, der, true);
    return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_accepted, 0, NULL);
}

static OSSL_CMP_PKISI *answer_certificate(CmpExchange *exchange, const VigiePkiRequest *request,
                                          X509 **ret_certificate, STACK_OF(X509) * *ret_chain,
                                          STACK_OF(X509) * *ret_authorities) {
    g_autoptr(GError) error = NULL;
    if (is_used(exchange, &error))
        return reject_used();
    bool waited = exchange->again && !exchange->decided;
    g_autoptr(GByteArray) der = error || waited ? NULL
                                                : pki_request_ask(exchange->store, NULL, exchange->profiles,
                                                                  request, exchange->now, &error);
    if (der && (*ret_certificate = enrol_x509(der)))
        return accept(exchange, der, ret_certificate, ret_chain, ret_authorities);
    exchange->waits = !error && !waited; /* RFC 9810 5.3.22: the client polls */
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
static OSSL_CMP_PKISI *answer_template(CmpExchange *exchange, const OSSL_CRMF_MSG *message,
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
    CmpExchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
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
static bool is_own(const CmpExchange *exchange, const X509_NAME *issuer, const ASN1_INTEGER *serial) {
    const X509 *own = exchange->certificate;
    return own && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(own)) == 0 &&
           X509_NAME_cmp(issuer, X509_get_issuer_name(own)) == 0;
}

/* RFC 9483 4.2: with the reason, by the certificate's own key. What the signer has yet to carry out is announced. */
static OSSL_CMP_PKISI *on_revocation(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message,
                                     const X509_NAME *issuer, const ASN1_INTEGER *serial) {
    CmpExchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
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
    CmpExchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
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
static bool revoke_refused(const CmpExchange *exchange, const X509 *certificate) {
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
    CmpExchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
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
    CmpExchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
    VigiePkiState state = VIGIE_REQUEST_WAITING;
    int64_t request = 0;
    (void)message, (void)id;
    if (!exchange->asked || exchange->decided ||
        !enrol_find(exchange->store, "cmp", exchange->requester, &request, NULL) || request == 0 ||
        !pki_request_wait(exchange->store, request, 0, &state, NULL))
        return 0;
    bool decided = state == VIGIE_REQUEST_ISSUED || state == VIGIE_REQUEST_REFUSED;
    *ret_seconds = POLL_SECONDS;
    *ret_request = decided ? OSSL_CMP_MSG_dup(exchange->asked) : NULL;
    return !decided || *ret_request;
}

bool cmp_exchange_serve(CmpExchange *exchange) {
    return OSSL_CMP_SRV_CTX_init(exchange->server, exchange, on_certificate, on_revocation, on_general,
                                 on_error, on_confirmation, on_poll);
}
