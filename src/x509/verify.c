/* verify: one certificate against roots, all that speaks against it. */
#include "x509/convert.h"
#include "x509/identify.h"
#include "x509/revoke.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <string.h>

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

/* One verification under way; the refusals and remarks are those of the path under way. */
typedef struct {
    const VigieVerification *asked;
    ValidateRules rules;
    Evidence evidence;
    Online *online; /* NULL: the network is not asked */
    json_t *refusals, *remarks;
    json_t *best; /* the answer for the best path so far */
    const char *invalid;
} Verifying;

/* ---- Telling ---- */
static VigieCertificate *read_again(const X509 *certificate) {
    unsigned char *der = NULL;
    int size = certificate ? i2d_X509(certificate, &der) : 0;
    VigieCertificate *read = size > 0 ? x509_certificate_new(vigie_bytes(der, (size_t)size), NULL) : NULL;
    OPENSSL_free(der);
    return read;
}

static void tell(json_t *list, int depth, const X509 *certificate, const char *clause) {
    g_autoptr(VigieCertificate) read = read_again(certificate);
    json_t *item =
        json_pack("{s:i,s:s,s:s}", "depth", depth, "subject", read ? read->subject : "", "clause", clause);
    size_t i = 0;
    const json_t *before = NULL;
    json_array_foreach(list, i, before) if (json_equal(before, item)) {
        json_decref(item);
        return;
    }
    json_array_append_new(list, item);
}

static void refuse(int depth, const X509 *certificate, const char *clause, void *data) {
    tell(((Verifying *)data)->refusals, depth, certificate, clause);
}

static void check_name(Verifying *verifying, X509 *leaf) {
    const char *name = verifying->asked->name;
    if (!name)
        return;
    g_autoptr(VigieCertificate) read = read_again(leaf);
    bool named = strchr(name, '@') ? X509_check_email(leaf, name, 0, 0) == 1
                                   : read && x509_certificate_names(read, name, NULL);
    if (!named)
        refuse(0, leaf, "RFC 9525 6: the name is not in the certificate", verifying);
}

/* ---- Revocation of a path ---- */
enum { UNREACHABLE = REVOKE_REVOKED + 1 };
static const char *const statuses[] = {"unknown", "good", "revoked", "unreachable"};

static json_t *revocation_json(const Revocation *told, int status) {
    return json_pack("{s:s,s:s?,s:s?,s:s?,s:s?}", "status", statuses[status], "by", told->by, "source",
                     told->source, "reason", told->reason, "clause", told->clause);
}

/* A certificate's status, worded; refused, or remarked upon, where it is not good. */
static int check_revocation(Verifying *verifying, STACK_OF(X509) * path, int depth, json_t *step) {
    Revocation told = {0};
    bool reached = true;
    if (verifying->online)
        reached = online_ask(verifying->online, path, depth, &told);
    else
        told = revoke_judge(&verifying->evidence, path, depth);
    int status = told.status == REVOKE_UNKNOWN && !reached ? UNREACHABLE : (int)told.status;
    bool silent = verifying->evidence.lists->len + verifying->evidence.responses->len == 0;
    if (status == UNREACHABLE)
        told.clause = "RFC 5280 6.3: nobody whom it names for its revocation could be reached";
    else if (status == REVOKE_UNKNOWN && silent)
        told.clause = "RFC 5280 6.3: it names nobody who would tell of its revocation";
    if (status == REVOKE_UNKNOWN || status == UNREACHABLE)
        told.by = NULL;
    if (status != REVOKE_GOOD)
        tell(verifying->asked->soft_fail && status != REVOKE_REVOKED ? verifying->remarks
                                                                     : verifying->refusals,
             depth, sk_X509_value(path, depth), told.clause);
    json_object_set_new(step, "revocation", revocation_json(&told, status));
    return status;
}

static json_t *summary(int status, const char *by) {
    return json_pack("{s:s?,s:s?}", "by", by, "status", status < 0 ? NULL : statuses[status]);
}

/* The path is as good as the worst of it: revoked, then unreachable, then unknown. */
static int worse(int one, int other) {
    static const int ranks[] = {
        [REVOKE_UNKNOWN] = 1, [REVOKE_GOOD] = 0, [REVOKE_REVOKED] = 3, [UNREACHABLE] = 2};
    return one < 0 || ranks[other] > ranks[one] ? other : one;
}

static json_t *check_revocations(Verifying *verifying, STACK_OF(X509) * path, bool anchored, json_t *steps) {
    bool all = verifying->online || verifying->evidence.lists->len > 0;
    int last = sk_X509_num(path) - 1, until = all ? last : MIN(last, 1), status = -1;
    if (!all && verifying->evidence.responses->len == 0)
        return summary(-1, NULL);
    for (int i = 0; i < until; i++)
        status = worse(status, check_revocation(verifying, path, i, json_array_get(steps, (size_t)i)));
    if (!anchored && status == REVOKE_GOOD)
        status = REVOKE_UNKNOWN; /* of whom nobody vouches for, nobody's word counts */
    const char *by =
        json_string_value(json_object_get(json_object_get(json_array_get(steps, 0), "revocation"), "by"));
    return summary(status, by ? by : verifying->evidence.lists->len ? "crl" : "ocsp");
}

/* ---- One path ---- */
static json_t *path_json(STACK_OF(X509) * path) {
    json_t *items = json_array();
    for (int i = 0; i < sk_X509_num(path); i++) {
        g_autoptr(VigieCertificate) read = read_again(sk_X509_value(path, i));
        uint8_t none[32] = {0};
        g_autofree char *digest = vigie_hex_text(vigie_bytes(read ? read->sha256 : none, 32));
        g_autofree char *not_after = vigie_time_rfc3339(read ? read->not_after : 0);
        json_array_append_new(items, json_pack("{s:s,s:o,s:s,s:s,s:n}", "subject", read ? read->subject : "",
                                               "names", read ? certificate_names_json(read) : json_array(),
                                               "sha256", digest, "not_after", not_after, "revocation"));
    }
    return items;
}

/* RFC 5280 does not ask that key identifiers agree, but programs that do would refuse. */
static void remark_identifiers(Verifying *verifying, STACK_OF(X509) * path) {
    for (int i = 0; i + 1 < sk_X509_num(path); i++)
        if (path_misleads(sk_X509_value(path, i), sk_X509_value(path, i + 1)))
            tell(verifying->remarks, i, sk_X509_value(path, i),
                 "RFC 5280 4.2.1.1: its authority key identifier is not its issuer's: OpenSSL will not find "
                 "the path");
}

static bool better(const json_t *answer, const json_t *best) {
    return !best || json_array_size(json_object_get(answer, "refusals")) <
                        json_array_size(json_object_get(best, "refusals"));
}

static bool visit_path(STACK_OF(X509) * path, bool anchored, void *data) {
    Verifying *verifying = data;
    json_t *steps = path_json(path);
    verifying->refusals = json_array();
    verifying->remarks = json_array();
    verifying->invalid = validate_path(path, anchored, &verifying->rules, refuse, verifying);
    json_t *revocation = check_revocations(verifying, path, anchored, steps);
    remark_identifiers(verifying, path);
    check_name(verifying, sk_X509_value(path, 0));
    bool accepted = json_array_size(verifying->refusals) == 0;
    json_t *answer =
        json_pack("{s:s,s:o,s:o,s:o,s:o}", "verdict", accepted ? "valid" : "refused", "path", steps,
                  "refusals", verifying->refusals, "remarks", verifying->remarks, "revocation", revocation);
    if (better(answer, verifying->best)) {
        json_decref(verifying->best);
        verifying->best = json_incref(answer);
    }
    json_decref(answer);
    return accepted || verifying->invalid;
}

/* ---- Together ---- */
static void fetch_issuer(const X509 *certificate, STACK_OF(X509) * pool, void *data) {
    online_fetch_issuer(((Verifying *)data)->online, certificate, pool);
}

static void take_evidence(Verifying *verifying, const X509Contents *contents) {
    const VigieVerification *asked = verifying->asked;
    evidence_init(&verifying->evidence, asked->roots, contents->certificates, asked->at);
    for (int i = 0; i < sk_X509_CRL_num(contents->crls); i++)
        evidence_add_list(&verifying->evidence, sk_X509_CRL_value(contents->crls, i), NULL);
    for (guint i = 0; asked->ocsp && i < asked->ocsp->len; i++) {
        gsize size = 0;
        const void *der = g_bytes_get_data(asked->ocsp->pdata[i], &size);
        evidence_add_response(&verifying->evidence, vigie_bytes(der, size), NULL);
    }
    verifying->online = asked->online ? online_new(asked->online, &verifying->evidence) : NULL;
}

static json_t *run(Verifying *verifying, const X509Contents *contents) {
    const VigieVerification *asked = verifying->asked;
    X509 *leaf = sk_X509_value(contents->certificates, 0);
    take_evidence(verifying, contents);
    PathSearch search = path_search(asked->roots, leaf, contents->certificates, asked->at,
                                    verifying->online ? fetch_issuer : NULL, visit_path, verifying);
    json_t *answer = verifying->best;
    g_autofree char *at = vigie_time_rfc3339(asked->at);
    json_t *more = json_pack("{s:s,s:s,s:s?,s:i,s:b,s:o}", "at", at, "purpose", asked->purpose, "name",
                             asked->name, "paths", (int)search.visits, "cut", search.cut, "fetches",
                             verifying->online ? online_fetches(verifying->online) : json_array());
    json_object_update_new(answer, more);
    online_free(verifying->online);
    evidence_clear(&verifying->evidence);
    ERR_clear_error();
    return answer;
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
    Verifying verifying = {.asked = asked};
    g_autoptr(json_t) answer = NULL;
    if (!wrong) {
        verifying.rules = (ValidateRules){.at = asked->at,
                                          .purpose = purposes[p].purpose,
                                          .policies = asked->policies,
                                          .explicit_policy = asked->explicit_policy,
                                          .inhibit_any_policy = asked->inhibit_any_policy,
                                          .inhibit_policy_mapping = asked->inhibit_policy_mapping};
        answer = run(&verifying, &contents);
        wrong = verifying.invalid;
    }
    if (wrong)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, wrong);
    return wrong ? NULL : g_steal_pointer(&answer);
}
