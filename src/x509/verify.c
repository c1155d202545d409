/* verify: one certificate against roots, all that speaks against it. */
#include "x509/convert.h"
#include "x509/roots.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <string.h>

enum { SKEW_SECONDS = 300 }; /* between our clock and the responder's */

static const struct {
    const char *name;
    int purpose;
} purposes[] = {
    {"server", X509_PURPOSE_SSL_SERVER},
    {"client", X509_PURPOSE_SSL_CLIENT},
    {"mail-signature", X509_PURPOSE_SMIME_SIGN},
    {"mail-encryption", X509_PURPOSE_SMIME_ENCRYPT},
    {"any", X509_PURPOSE_ANY},
};

/* Revocation, and what a chain that was served is not judged by; the rest is as trust.c says it. */
static const struct {
    int code;
    const char *clause;
} clauses[] = {
    {X509_V_ERR_CERT_REVOKED, "RFC 5280 6.3: it is revoked"},
    {X509_V_ERR_UNABLE_TO_GET_CRL, "RFC 5280 6.3.3: no revocation list of its issuer was given"},
    {X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, "RFC 5280 6.3.3 f: the revocation list's issuer is not known"},
    {X509_V_ERR_CRL_SIGNATURE_FAILURE, "RFC 5280 6.3.3 g: the revocation list is not signed by its issuer"},
    {X509_V_ERR_CRL_HAS_EXPIRED, "RFC 5280 5.1.2.5: the revocation list is past its nextUpdate"},
    {X509_V_ERR_CRL_NOT_YET_VALID, "RFC 5280 5.1.2.4: the revocation list's thisUpdate is in the future"},
    {X509_V_ERR_DIFFERENT_CRL_SCOPE, "RFC 5280 6.3.3 b: the revocation list is for other certificates"},
    {X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, "RFC 5280 4.2.1.3: its issuer's key may not sign revocation lists"},
    {X509_V_ERR_SUBTREE_MINMAX, "RFC 5280 4.2.1.10: a name constraint with a minimum or a maximum"},
    {X509_V_ERR_INVALID_POLICY_EXTENSION,
     "RFC 5280 4.2.1.4: certificate policies that contradict themselves"},
    {X509_V_ERR_NO_EXPLICIT_POLICY,
     "RFC 5280 6.1.5 g: no policy is valid for the whole path, and one is required"},
};

static const char *clause_of(int code) {
    for (size_t i = 0; i < G_N_ELEMENTS(clauses); i++)
        if (clauses[i].code == code)
            return clauses[i].clause;
    return trust_clause(code);
}

/* One verification under way. */
typedef struct {
    const VigieVerification *asked;
    json_t *refusals;
} Verifying;

static char *subject_of(const X509 *certificate) {
    unsigned char *der = NULL;
    int size = certificate ? i2d_X509(certificate, &der) : 0;
    g_autoptr(VigieCertificate) read =
        size > 0 ? x509_certificate_new(vigie_bytes(der, (size_t)size), NULL) : NULL;
    OPENSSL_free(der);
    return g_strdup(read ? read->subject : "");
}

static void refuse(json_t *refusals, int depth, const X509 *certificate, const char *clause) {
    g_autofree char *subject = subject_of(certificate);
    json_t *refusal = json_pack("{s:i,s:s,s:s}", "depth", depth, "subject", subject, "clause", clause);
    size_t i = 0;
    const json_t *before = NULL;
    json_array_foreach(refusals, i, before) if (json_equal(before, refusal)) {
        json_decref(refusal);
        return;
    }
    json_array_append_new(refusals, refusal);
}

static int note_refusal(int good, X509_STORE_CTX *context) {
    Verifying *verifying = X509_STORE_CTX_get_app_data(context);
    if (!good)
        refuse(verifying->refusals, X509_STORE_CTX_get_error_depth(context),
               X509_STORE_CTX_get_current_cert(context), clause_of(X509_STORE_CTX_get_error(context)));
    /* Go on: all refusals are wanted. Without an issuer there is nothing to go on with, and libcrypto stops. */
    return 1;
}

static void check_name(Verifying *verifying, X509 *leaf, const VigieFileObject *object) {
    const char *name = verifying->asked->name;
    if (!name)
        return;
    g_autoptr(VigieCertificate) read = x509_certificate_new(vigie_bytes(object->der, object->size), NULL);
    bool named = strchr(name, '@') ? X509_check_email(leaf, name, 0, 0) == 1
                                   : read && x509_certificate_names(read, name, NULL);
    if (!named)
        refuse(verifying->refusals, 0, leaf, "RFC 9525 6: the name is not in the certificate");
}

static json_t *path_json(STACK_OF(X509) * path) {
    json_t *items = json_array();
    for (int i = 0; i < sk_X509_num(path); i++) {
        unsigned char *der = NULL;
        int size = i2d_X509(sk_X509_value(path, i), &der);
        g_autoptr(VigieCertificate) read =
            size > 0 ? x509_certificate_new(vigie_bytes(der, (size_t)size), NULL) : NULL;
        OPENSSL_free(der);
        if (!read)
            continue;
        g_autofree char *digest = vigie_hex_text(vigie_bytes(read->sha256, 32));
        g_autofree char *not_after = vigie_time_rfc3339(read->not_after);
        json_array_append_new(items, json_pack("{s:s,s:s,s:s}", "subject", read->subject, "sha256", digest,
                                               "not_after", not_after));
    }
    return items;
}

/* ---- OCSP ------------------------------------------------------------------------------------------------ */

/* The responder's word on the leaf: "good", "revoked", "unknown", or NULL and a clause why it does not count. */
static const char *ocsp_status(OCSP_RESPONSE *response, OCSP_BASICRESP *basic, X509 *leaf, X509 *issuer,
                               X509_STORE *store, STACK_OF(X509) * path, VigieTime at,
                               const char **ret_clause) {
    *ret_clause = "RFC 6960 4.2.2.3: the response is not one, or not a success";
    if (!response || OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL || !basic)
        return NULL;
    *ret_clause = "RFC 6960 4.2.2.2: the response is not signed by the issuer or a responder of its own";
    if (OCSP_basic_verify(basic, path, store, 0) != 1)
        return NULL;
    int status = 0, reason = 0;
    ASN1_GENERALIZEDTIME *this_update = NULL, *next_update = NULL;
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, leaf, issuer);
    bool found = OCSP_resp_find_status(basic, id, &status, &reason, NULL, &this_update, &next_update) == 1;
    OCSP_CERTID_free(id);
    *ret_clause = "RFC 6960 4.2.2.1: the response says nothing of this certificate";
    if (!found)
        return NULL;
    time_t early = at + SKEW_SECONDS, late = at - SKEW_SECONDS;
    *ret_clause = "RFC 6960 4.2.2.1: the response is too old, or not yet valid";
    if (X509_cmp_time(this_update, &early) > 0 || (next_update && X509_cmp_time(next_update, &late) < 0))
        return NULL;
    *ret_clause = status == V_OCSP_CERTSTATUS_REVOKED   ? "RFC 6960 2.2: it is revoked"
                  : status == V_OCSP_CERTSTATUS_UNKNOWN ? "RFC 6960 2.2: the responder does not know it"
                                                        : NULL;
    static const char *const names[] = {"good", "revoked", "unknown"};
    return status >= 0 && status < 3 ? names[status] : NULL;
}

static const char *check_ocsp(Verifying *verifying, X509_STORE *store, STACK_OF(X509) * path) {
    const unsigned char *at = verifying->asked->ocsp.data;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)verifying->asked->ocsp.size);
    OCSP_BASICRESP *basic = response ? OCSP_response_get1_basic(response) : NULL;
    X509 *leaf = sk_X509_value(path, 0), *issuer = sk_X509_value(path, sk_X509_num(path) > 1 ? 1 : 0);
    const char *clause = NULL;
    const char *status =
        ocsp_status(response, basic, leaf, issuer, store, path, verifying->asked->at, &clause);
    if (clause)
        refuse(verifying->refusals, 0, leaf, clause);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    return status;
}

/* ---- Together -------------------------------------------------------------------------------------------- */

static bool refused_by(const json_t *refusals, const char *clause) {
    size_t i = 0;
    const json_t *refusal = NULL;
    json_array_foreach(refusals, i, refusal) if (strcmp(json_string_value(json_object_get(refusal, "clause")),
                                                        clause) == 0) return true;
    return false;
}

/* By the lists that were given: revoked, good where nothing spoke against any of the path, else not known. */
static const char *crl_status(const json_t *refusals) {
    if (refused_by(refusals, clause_of(X509_V_ERR_CERT_REVOKED)))
        return "revoked";
    for (size_t i = 0; i < G_N_ELEMENTS(clauses); i++)
        if (refused_by(refusals, clauses[i].clause))
            return "unknown";
    return "good";
}

static void run(Verifying *verifying, const X509Contents *contents, int purpose, json_t *answer) {
    const VigieVerification *asked = verifying->asked;
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509 *leaf = sk_X509_value(contents->certificates, 0);
    const char *by = NULL, *status = NULL;
    if (X509_STORE_CTX_init(context, asked->roots->store, leaf, contents->certificates)) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
        bool crls = sk_X509_CRL_num(contents->crls) > 0;
        unsigned long revocation = crls ? X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL |
                                              X509_V_FLAG_USE_DELTAS | X509_V_FLAG_EXTENDED_CRL_SUPPORT
                                        : 0;
        X509_VERIFY_PARAM_set_time(param, asked->at);
        X509_VERIFY_PARAM_set_purpose(param, purpose);
        X509_VERIFY_PARAM_set_flags(param, revocation | X509_V_FLAG_PARTIAL_CHAIN |
                                               X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_POLICY_CHECK);
        X509_STORE_CTX_set0_crls(context, contents->crls);
        X509_STORE_CTX_set_app_data(context, verifying);
        X509_STORE_CTX_set_verify_cb(context, note_refusal);
        if (X509_verify_cert(context) != 1 && json_array_size(verifying->refusals) == 0)
            refuse(verifying->refusals, 0, leaf, clause_of(X509_STORE_CTX_get_error(context)));
        by = crls ? "crl" : NULL;
        status = crls ? crl_status(verifying->refusals) : NULL;
        STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(context);
        if (asked->ocsp.size > 0 && path) {
            by = "ocsp";
            status = check_ocsp(verifying, asked->roots->store, path);
        }
        json_object_set_new(answer, "path", path_json(path));
    }
    json_object_set_new(answer, "revocation", json_pack("{s:s?,s:s?}", "by", by, "status", status));
    X509_STORE_CTX_free(context);
    ERR_clear_error();
}

json_t *x509_verify(const VigieVerification *asked, GError **error) {
    g_auto(X509Contents) contents = {0};
    if (!x509_contents_read(asked->objects, &contents, error))
        return NULL;
    size_t p = 0;
    while (p < G_N_ELEMENTS(purposes) && strcmp(purposes[p].name, asked->purpose) != 0)
        p++;
    const char *wrong = sk_X509_num(contents.certificates) == 0
                            ? "there is no certificate in what was given; vigie identify tells what it is"
                        : p == G_N_ELEMENTS(purposes)
                            ? "the purpose is server, client, mail-signature, mail-encryption or any"
                            : NULL;
    if (wrong) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, wrong);
        return NULL;
    }
    Verifying verifying = {.asked = asked, .refusals = json_array()};
    g_autofree char *at = vigie_time_rfc3339(asked->at);
    json_t *answer = json_pack("{s:s,s:s,s:s?,s:[],s:o}", "at", at, "purpose", asked->purpose, "name",
                               asked->name, "path", "refusals", verifying.refusals);
    run(&verifying, &contents, purposes[p].purpose, answer);
    X509 *leaf = sk_X509_value(contents.certificates, 0);
    unsigned char *der = NULL;
    int size = i2d_X509(leaf, &der);
    const VigieFileObject object = {.kind = "certificate", .der = der, .size = (size_t)MAX(size, 0)};
    check_name(&verifying, leaf, &object);
    OPENSSL_free(der);
    json_object_set_new(answer, "verdict",
                        json_string(json_array_size(verifying.refusals) ? "refused" : "valid"));
    return answer;
}
