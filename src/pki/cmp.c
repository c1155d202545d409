/* cmp: the Certificate Management Protocol (RFC 9810, profile of RFC 9483) over HTTP (RFC 9811): ir, cr, p10cr, kur, rr, genm,
 * certConf. libcrypto has the protocol; who speaks, and what happens then, is ours.
 *
 * A client proves itself with the secret of an enrolment (senderKID its name), or signs with a certificate of ours. An exchange
 * that waits for the client's confirmation is kept in this process, a minute long. */
#include "pki/cmp-look.h"
#include "pki/enrol.h"
#include "x509/der-write.h"

#include <openssl/err.h>
#include <string.h>

enum { EXCHANGES_MAX = 256, EXCHANGE_SECONDS = 60 };

#define CA_CERTIFICATES "1.3.6.1.5.5.7.4.17"

/* One exchange, of one message or two. */
typedef struct {
    OSSL_CMP_SRV_CTX *server;
    const VigieRegistrar *registrar;
    GBytes *transaction;
    VigieTime begun;
    int64_t enrolment;        /* 0: known by its certificate */
    char *requester, *serial; /* of that certificate */
    /* Of the message at hand: */
    VigieStore *store;
    const VigieProfiles *profiles;
    const char *address;
    VigieTime now;
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
    g_free(exchange->serial);
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

/* The authority's chain; with `self_issued` the root too. */
static STACK_OF(X509) * chain(const Exchange *exchange, bool with_root) {
    STACK_OF(X509) *certificates = sk_X509_new_null();
    g_autoptr(GPtrArray) ders = enrol_chain(exchange->store, exchange->registrar, NULL, exchange->now);
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

static OSSL_CMP_PKISI *answer_certificate(Exchange *exchange, const VigiePkiRequest *request,
                                          X509 **ret_certificate, STACK_OF(X509) * *ret_chain) {
    g_autoptr(GError) error = NULL;
    int64_t before = 0;
    if (enrol_find(exchange->store, "cmp", exchange->requester, &before, &error) && before)
        return reject(OSSL_CMP_PKIFAILUREINFO_transactionIdInUse,
                      "RFC 9810 5.1.1: this transaction was answered already");
    if (error)
        return reject_for(error);
    g_autoptr(GByteArray) der =
        pki_request_ask(exchange->store, exchange->profiles, request, exchange->now, &error);
    if (!der || !(*ret_certificate = enrol_x509(der)))
        return reject_for(error);
    *ret_chain = chain(exchange, false);
    return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_accepted, 0, NULL);
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
                                       STACK_OF(X509) * *ret_chain) {
    const OSSL_CRMF_CERTTEMPLATE *template = OSSL_CRMF_MSG_get0_tmpl(message);
    g_autoptr(GByteArray) key = template_key(template);
    g_auto(GStrv) names = enrol_names(OSSL_CRMF_CERTTEMPLATE_get0_extensions(template));
    request->spki = der_bytes(key);
    request->names = request->kind == VIGIE_REQUEST_ISSUE ? (const char *const *)names : NULL;
    return key->len > 0 ? answer_certificate(exchange, request, ret_certificate, ret_chain)
                        : reject(OSSL_CMP_PKIFAILUREINFO_badCertTemplate, "no public key");
}

static OSSL_CMP_PKISI *on_certificate(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message, int id,
                                      const OSSL_CRMF_MSG *template, const X509_REQ *p10,
                                      X509 **ret_certificate, STACK_OF(X509) * *ret_chain,
                                      STACK_OF(X509) * *ret_authorities) {
    Exchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
    (void)message, (void)id;
    VigiePkiRequest request = wanted(exchange, exchange->serial ? VIGIE_REQUEST_RENEW : VIGIE_REQUEST_ISSUE);
    if (renews_another(exchange, template))
        return reject(OSSL_CMP_PKIFAILUREINFO_badCertId,
                      "the certificate to renew is not the one that signed");
    *ret_authorities = exchange->serial ? NULL : chain(exchange, true);
    if (template)
        return answer_template(exchange, template, &request, ret_certificate, ret_chain);
    unsigned char *csr = NULL;
    int size = i2d_X509_REQ((X509_REQ *)(uintptr_t)p10, &csr);
    request.csr = vigie_bytes(csr, size > 0 ? (size_t)size : 0);
    OSSL_CMP_PKISI *status = answer_certificate(exchange, &request, ret_certificate, ret_chain);
    OPENSSL_free(csr);
    return status;
}

/* ---- rr, genm, certConf, error -------------------------------------------------------------------------------------- */
static OSSL_CMP_PKISI *on_revocation(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message,
                                     const X509_NAME *issuer, const ASN1_INTEGER *serial) {
    Exchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
    (void)message, (void)issuer; /* the one that signed was found by its own octets */
    BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL), *own = NULL;
    bool same =
        exchange->serial && number && BN_hex2bn(&own, exchange->serial) > 0 && BN_cmp(number, own) == 0;
    BN_free(number);
    BN_free(own);
    if (!same)
        return reject(OSSL_CMP_PKIFAILUREINFO_notAuthorized,
                      "a revocation is signed with the certificate's own key");
    VigiePkiRequest request = wanted(exchange, VIGIE_REQUEST_REVOKE);
    request.reason = "unspecified";
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) done =
        pki_request_ask(exchange->store, exchange->profiles, &request, exchange->now, &error);
    return done ? OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_accepted, 0, NULL) : reject_for(error);
}

/* RFC 9483 4.3.1: id-it-caCerts. */
static OSSL_CMP_ITAV *ca_certificates(const Exchange *exchange) {
    g_autoptr(GPtrArray) ders = enrol_chain(exchange->store, exchange->registrar, NULL, exchange->now);
    g_autoptr(GByteArray) list = g_byte_array_new();
    size_t sequence = der_open(list, DER_SEQUENCE);
    for (guint i = 0; ders && i < ders->len; i++)
        der_put_whole(list, der_bytes(g_ptr_array_index(ders, i)));
    der_close(list, sequence);
    const unsigned char *at = list->data;
    ASN1_TYPE *value = d2i_ASN1_TYPE(NULL, &at, (long)list->len);
    return value ? OSSL_CMP_ITAV_create(OBJ_txt2obj(CA_CERTIFICATES, 1), value) : NULL;
}

static int on_general(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message,
                      const STACK_OF(OSSL_CMP_ITAV) * in, STACK_OF(OSSL_CMP_ITAV) * *ret_out) {
    Exchange *exchange = OSSL_CMP_SRV_CTX_get0_custom_ctx(server);
    (void)message;
    *ret_out = sk_OSSL_CMP_ITAV_new_null();
    for (int i = 0; *ret_out && i < sk_OSSL_CMP_ITAV_num(in) && i < 8; i++) {
        char oid[64] = "";
        OBJ_obj2txt(oid, sizeof oid, OSSL_CMP_ITAV_get0_type(sk_OSSL_CMP_ITAV_value(in, i)), 1);
        OSSL_CMP_ITAV *answer = strcmp(oid, CA_CERTIFICATES) == 0 ? ca_certificates(exchange) : NULL;
        if (answer && !sk_OSSL_CMP_ITAV_push(*ret_out, answer))
            OSSL_CMP_ITAV_free(answer);
    }
    return *ret_out != NULL;
}

static int on_confirmation(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message, int id,
                           const ASN1_OCTET_STRING *hash, const OSSL_CMP_PKISI *status) {
    (void)server, (void)message, (void)id, (void)hash, (void)status;
    return 1; /* libcrypto has compared the hash */
}

static void on_error(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message, const OSSL_CMP_PKISI *status,
                     const ASN1_INTEGER *code, const OSSL_CMP_PKIFREETEXT *details) {
    (void)server, (void)message, (void)status, (void)code, (void)details;
}

static int on_poll(OSSL_CMP_SRV_CTX *server, const OSSL_CMP_MSG *message, int id, OSSL_CMP_MSG **ret_request,
                   int64_t *ret_seconds) {
    (void)server, (void)message, (void)id, (void)ret_request, (void)ret_seconds;
    return 0; /* nothing waits: who is not answered asks anew */
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
    X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
    exchange->serial = g_strdup(json_string_value(json_object_get(shown, "serial")));
    exchange->requester = requester_of(exchange, json_string_value(json_object_get(shown, "subject")));
    bool well = certificate && OSSL_CMP_CTX_set1_srvCert(context, certificate) &&
                OSSL_CMP_CTX_set1_cert(context, exchange->registrar->certificate) &&
                OSSL_CMP_CTX_set1_pkey(context, exchange->registrar->key);
    X509_free(certificate);
    return well;
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
static Exchange *take(VigieCmp *cmp, VigieBytes transaction, VigieTime now) {
    Exchange *found = NULL;
    g_mutex_lock(&cmp->lock);
    for (GList *link = cmp->waiting.head, *next; link; link = next) {
        Exchange *exchange = link->data;
        next = link->next;
        bool old = now - exchange->begun > EXCHANGE_SECONDS || exchange->begun > now;
        gsize size = 0;
        const void *data = g_bytes_get_data(exchange->transaction, &size);
        if (old)
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

/* Those that give a certificate wait for its confirmation. */
static bool awaits_confirmation(const OSSL_CMP_MSG *answer) {
    enum { IP = 1, CP = 3, KUP = 8 };
    int type = OSSL_CMP_MSG_get_bodytype(answer);
    return type == IP || type == CP || type == KUP;
}

static GByteArray *process(Exchange *exchange, VigieBytes message, bool *ret_awaits) {
    const unsigned char *at = message.data;
    unsigned char *der = NULL;
    GByteArray *out = NULL;
    OSSL_CMP_MSG *request = d2i_OSSL_CMP_MSG(NULL, &at, (long)message.size);
    OSSL_CMP_MSG *answer = request ? OSSL_CMP_SRV_process_request(exchange->server, request) : NULL;
    int size = answer ? i2d_OSSL_CMP_MSG(answer, &der) : 0;
    if (size > 0) {
        out = g_byte_array_append(g_byte_array_new(), der, (guint)size);
        *ret_awaits = awaits_confirmation(answer);
    }
    OPENSSL_free(der);
    OSSL_CMP_MSG_free(answer);
    OSSL_CMP_MSG_free(request);
    ERR_clear_error();
    return out;
}

GByteArray *pki_cmp_answer(VigieCmp *cmp, VigieStore *store, const VigieProfiles *profiles,
                           VigieBytes message, const char *address, VigieTime now, GError **error) {
    CmpLook look;
    if (message.size > CMP_BYTES_MAX || !cmp_look(message, &look)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "RFC 9810 5.1: no PKIMessage with a transaction");
        return NULL;
    }
    if (!enrol_registrar_good(cmp->registrar, store, now, error))
        return NULL;
    g_autoptr(Exchange) exchange = take(cmp, look.transaction, now);
    if (!exchange)
        exchange = exchange_new(cmp, &look, store, now, error);
    if (!exchange)
        return NULL;
    bool awaits = false;
    exchange->store = store;
    exchange->profiles = profiles;
    exchange->address = address;
    exchange->now = now;
    GByteArray *answer = process(exchange, message, &awaits);
    if (!answer)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "RFC 9810 5.1.3: a message that can be read and whose protection holds is wanted");
    if (awaits)
        keep(cmp, g_steal_pointer(&exchange));
    return answer;
}
