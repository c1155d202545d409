/* revoke-response: OCSP (RFC 6960): whose word it is, whether it is of now, what it says; and both kinds of word together. */
#include "x509/revoke.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <string.h>

/* A responder's clock may differ from ours by the first; a response that names no end of its own counts for the second. */
enum { SKEW_SECONDS = 300, UNDATED_SECONDS = 86400, SINGLES_MAX = 256 };

void evidence_add_response(Evidence *evidence, VigieBytes der, const char *source) {
    const unsigned char *at = der.data;
    OCSP_RESPONSE *outer = d2i_OCSP_RESPONSE(NULL, &at, (long)der.size);
    Response *response = g_new0(Response, 1);
    if (outer && OCSP_response_status(outer) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
        response->basic = OCSP_response_get1_basic(outer);
    response->source = g_strdup(source);
    OCSP_RESPONSE_free(outer);
    ERR_clear_error();
    g_ptr_array_add(evidence->responses, response);
}

/* In the order in which a response comes nearer to an answer. */
enum { NO_RESPONSE, OTHERS, NOT_SIGNED, NOT_ALLOWED, SIGNER_OPEN, WEAK, TOO_EARLY, TOO_LATE, NOT_KNOWN };
static const char *const failures[] = {
    [NO_RESPONSE] = "RFC 6960 4.2.2.3: the response is not one, or not a success",
    [OTHERS] = "RFC 6960 4.2.2.1: the response says nothing of this certificate",
    [NOT_SIGNED] = "RFC 6960 4.2.2.2: the response is not signed by the issuer or a responder of its own",
    [NOT_ALLOWED] =
        "RFC 6960 4.2.2.2: its issuer has not made the response's signer a responder, or not for now",
    [SIGNER_OPEN] = "RFC 6960 4.2.2.2.1: whether the response's signer is revoked is not known",
    [WEAK] = "RFC 9325 4.5: the response's signature uses a digest that is refused",
    [TOO_EARLY] = "RFC 6960 4.2.2.1: the response's thisUpdate is in the future",
    [TOO_LATE] = "RFC 6960 4.2.2.1: the response is too old",
    [NOT_KNOWN] = "RFC 6960 2.2: the responder does not know it",
};

/* ---- Who signed ---- */
static bool signed_by(OCSP_BASICRESP *basic, X509 *signer) {
    STACK_OF(X509) *one = sk_X509_new_null();
    sk_X509_push(one, signer);
    bool made = OCSP_basic_verify(basic, one, NULL, OCSP_NOVERIFY | OCSP_NOINTERN) == 1;
    sk_X509_free(one);
    ERR_clear_error();
    return made;
}

/* Whether the one that the issuer lets speak for it is itself revoked. */
static bool is_sound(Evidence *evidence, X509 *signer, STACK_OF(X509) * path, int depth) {
    if (X509_get_ext_by_NID(signer, NID_id_pkix_OCSP_noCheck, -1) >= 0)
        return true;
    STACK_OF(X509) *its_path = sk_X509_new_null();
    sk_X509_push(its_path, signer);
    for (int i = depth + 1; i < sk_X509_num(path); i++)
        sk_X509_push(its_path, sk_X509_value(path, i));
    bool good = revoke_by_lists(evidence, its_path, 0, true).status == REVOKE_GOOD;
    sk_X509_free(its_path);
    return good;
}

/* RFC 6960 4.2.2.2: certified directly by the issuer in question, for this and for now. */
static int delegate_failure(Evidence *evidence, X509 *signer, STACK_OF(X509) * path, int depth) {
    X509 *issuer = sk_X509_value(path, depth + 1);
    bool certified = X509_NAME_cmp(X509_get_issuer_name(signer), X509_get_subject_name(issuer)) == 0 &&
                     X509_verify(signer, X509_get0_pubkey(issuer)) == 1;
    bool allowed = certified && (X509_get_extension_flags(signer) & EXFLAG_XKUSAGE) &&
                   (X509_get_extended_key_usage(signer) & XKU_OCSP_SIGN) &&
                   (X509_get_key_usage(signer) & (X509v3_KU_DIGITAL_SIGNATURE | X509v3_KU_NON_REPUDIATION)) &&
                   !(X509_get_extension_flags(signer) & (EXFLAG_CRITICAL | EXFLAG_INVALID)) &&
                   !validate_weak_signature(X509_get_signature_nid(signer)) &&
                   path_validity(signer, evidence->at) == 0;
    ERR_clear_error();
    if (!allowed)
        return certified ? NOT_ALLOWED : NOT_SIGNED;
    return is_sound(evidence, signer, path, depth) ? 0 : SIGNER_OPEN;
}

static int signer_failure(Evidence *evidence, OCSP_BASICRESP *basic, STACK_OF(X509) * path, int depth) {
    const ASN1_OBJECT *algorithm = NULL;
    X509_ALGOR_get0(&algorithm, NULL, NULL, OCSP_resp_get0_tbs_sigalg(basic));
    if (validate_weak_signature(OBJ_obj2nid(algorithm)))
        return WEAK;
    if (signed_by(basic, sk_X509_value(path, depth + 1)))
        return 0;
    const STACK_OF(X509) *certificates = OCSP_resp_get0_certs(basic);
    int failure = NOT_SIGNED;
    for (int i = 0; i < MIN(sk_X509_num(certificates), PATH_DEPTH_MAX); i++) {
        X509 *signer = sk_X509_value(certificates, i);
        if (!signed_by(basic, signer))
            continue;
        int why = delegate_failure(evidence, signer, path, depth);
        if (why == 0)
            return 0;
        failure = MAX(failure, why);
    }
    return failure;
}

/* ---- What it says ---- */
static bool is_of(const OCSP_SINGLERESP *single, X509 *certificate, X509 *issuer) {
    OCSP_CERTID *id = (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single);
    ASN1_OBJECT *digest = NULL;
    if (!OCSP_id_get0_info(NULL, &digest, NULL, NULL, id))
        return false;
    const EVP_MD *md = EVP_get_digestbyobj(digest);
    OCSP_CERTID *own = md ? OCSP_cert_to_id(md, certificate, issuer) : NULL;
    bool same = own && OCSP_id_cmp(own, id) == 0;
    OCSP_CERTID_free(own);
    return same;
}

static OCSP_SINGLERESP *single_of(OCSP_BASICRESP *basic, X509 *certificate, X509 *issuer) {
    for (int i = 0; i < MIN(OCSP_resp_count(basic), SINGLES_MAX); i++)
        if (is_of(OCSP_resp_get0(basic, i), certificate, issuer))
            return OCSP_resp_get0(basic, i);
    ERR_clear_error();
    return NULL;
}

static int time_failure(ASN1_GENERALIZEDTIME *from, ASN1_GENERALIZEDTIME *until, VigieTime at) {
    time_t early = at + SKEW_SECONDS, late = at - SKEW_SECONDS - 1, undated = at - UNDATED_SECONDS - 1;
    if (X509_cmp_time(from, &early) >= 0)
        return TOO_EARLY;
    return (until ? X509_cmp_time(until, &late) : X509_cmp_time(from, &undated)) > 0 ? 0 : TOO_LATE;
}

static int response_failure(Evidence *evidence, const Response *response, STACK_OF(X509) * path, int depth,
                            Revocation *ret_told) {
    X509 *certificate = sk_X509_value(path, depth), *issuer = sk_X509_value(path, depth + 1);
    if (!response->basic)
        return NO_RESPONSE;
    OCSP_SINGLERESP *single = single_of(response->basic, certificate, issuer);
    if (!single)
        return OTHERS;
    int failure = signer_failure(evidence, response->basic, path, depth);
    if (failure)
        return failure;
    int reason = OCSP_REVOKED_STATUS_NOSTATUS;
    ASN1_GENERALIZEDTIME *from = NULL, *until = NULL;
    int status = OCSP_single_get0_status(single, &reason, NULL, &from, &until);
    failure = time_failure(from, until, evidence->at);
    if (failure || (status != V_OCSP_CERTSTATUS_GOOD && status != V_OCSP_CERTSTATUS_REVOKED))
        return failure ? failure : NOT_KNOWN;
    bool good = status == V_OCSP_CERTSTATUS_GOOD;
    *ret_told = (Revocation){.status = good ? REVOKE_GOOD : REVOKE_REVOKED,
                             .by = "ocsp",
                             .source = response->source,
                             .reason = good ? NULL : x509_reason_name(reason),
                             .clause = good ? NULL : "RFC 6960 2.2: it is revoked"};
    return 0;
}

Revocation revoke_by_responses(Evidence *evidence, STACK_OF(X509) * path, int depth) {
    Revocation told = {.by = "ocsp", .clause = failures[NO_RESPONSE]};
    int progress = NO_RESPONSE;
    bool good = false;
    for (guint i = 0; i < evidence->responses->len; i++) {
        Revocation one = {0};
        int failure = response_failure(evidence, evidence->responses->pdata[i], path, depth, &one);
        if (!failure && one.status == REVOKE_REVOKED)
            return one;
        if (!failure) {
            told = one;
            good = true;
        } else if (!good && failure >= progress) {
            progress = failure;
            told.clause = failures[failure];
        }
    }
    told.progress = progress;
    return told;
}

Revocation revoke_judge(Evidence *evidence, STACK_OF(X509) * path, int depth) {
    Revocation lists = {0}, responses = {0};
    if (evidence->lists->len)
        lists = revoke_by_lists(evidence, path, depth, false);
    if (evidence->responses->len)
        responses = revoke_by_responses(evidence, path, depth);
    if (responses.status >= lists.status &&
        (responses.status || !evidence->lists->len || responses.progress > OTHERS))
        return responses;
    return lists;
}
