/* validate: libcrypto walks the path that it is given and no other, with our rules where its own are laxer or stricter than RFC 5280. */
#include "x509/validate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <string.h>

/* RSA of 2,048 bits, SHA-224 and stronger (112 bits): as chains that are served are judged. */
enum { SECURITY_LEVEL = 2, EXTENSIONS_MAX = 128, NAMES_COMPARED_MAX = 1 << 20 };

static const struct {
    int code;
    const char *clause;
} clauses[] = {
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "RFC 5280 6.1.3 a 1: its issuer's key did not make this signature"},
    {X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE, "RFC 5280 6.1.3 a 1: the signature cannot be read"},
    {X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, "RFC 5280 6.1.3 a 1: its issuer's key cannot be read"},
    {X509_V_ERR_UNSUPPORTED_SIGNATURE_ALGORITHM,
     "RFC 5280 6.1.3 a 1: its signature is of an algorithm that is not known"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "RFC 5280 6.1.1 d: it signs itself and is not among the roots"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "RFC 5280 6.1.1 d: this root is not among those that are trusted"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
     "RFC 5280 6.1.1 d: its issuer was not given and is not among the roots"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
     "RFC 5280 6.1.1 d: its issuer was not given and is not among the roots"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
     "RFC 5280 6.1.1 d: its issuer was not given and is not among the roots"},
    {X509_V_ERR_INVALID_CA, "RFC 5280 6.1.4 k: it is not an authority, and issued a certificate"},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, "RFC 5280 6.1.4 l: the path is longer than this authority may have"},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, "RFC 5280 6.1: the path has more than 10 certificates"},
    {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, "RFC 5280 6.1.4 n: this authority's key may not sign certificates"},
    {X509_V_ERR_INVALID_PURPOSE, "RFC 5280 4.2.1.12: it is not meant for this purpose"},
    {X509_V_ERR_PERMITTED_VIOLATION,
     "RFC 5280 6.1.3 b: a name that an authority above it is not permitted to certify"},
    {X509_V_ERR_EXCLUDED_VIOLATION,
     "RFC 5280 6.1.3 c: a name that an authority above it is excluded from certifying"},
    {X509_V_ERR_SUBTREE_MINMAX, "RFC 5280 4.2.1.10: a name constraint with a minimum or a maximum"},
    {X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE,
     "RFC 5280 4.2.1.10: a name of a kind that is constrained in a way that is not known"},
    {X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, "RFC 5280 4.2.1.10: a name constraint that cannot be read"},
    {X509_V_ERR_UNSUPPORTED_NAME_SYNTAX,
     "RFC 5280 4.2.1.10: a name that cannot be held against the constraints above it"},
    {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, "RFC 5280 6.1.4 o: a critical extension that is not known"},
    {X509_V_ERR_INVALID_EXTENSION, "RFC 5280 4.2: an extension that cannot be read or contradicts another"},
    {X509_V_ERR_INVALID_POLICY_EXTENSION,
     "RFC 5280 4.2.1.4: certificate policies or mappings that contradict themselves"},
    {X509_V_ERR_NO_EXPLICIT_POLICY,
     "RFC 5280 6.1.5 g: no policy is valid for the whole path, and one is required"},
    {X509_V_ERR_PROXY_CERTIFICATES_NOT_ALLOWED, "RFC 3820: a proxy certificate, and none is allowed"},
    {X509_V_ERR_CA_MD_TOO_WEAK, "RFC 9325 4.5: its signature uses a digest that is refused"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, "RFC 9325 4.5: its key is shorter than 112 bits of security ask for"},
    {X509_V_ERR_CA_KEY_TOO_SMALL,
     "RFC 9325 4.5: this authority's key is shorter than 112 bits of security ask for"},
};

static const char *clause_of(int code) {
    for (size_t i = 0; i < G_N_ELEMENTS(clauses); i++)
        if (clauses[i].code == code)
            return clauses[i].clause;
    return "RFC 5280 6.1: it cannot be validated";
}

bool validate_weak_signature(int nid) {
    int digest = NID_undef;
    return OBJ_find_sigid_algs(nid, &digest, NULL) &&
           (digest == NID_sha1 || digest == NID_md5 || digest == NID_md4 || digest == NID_md2);
}

typedef struct {
    STACK_OF(X509) * path;
    ValidateRefuse refuse;
    void *data;
} Validation;

/* The path was chosen: an issuer is who stands next in it, whatever key identifiers say. */
static int is_next(X509_STORE_CTX *context, X509 *certificate, X509 *issuer) {
    const Validation *validation = X509_STORE_CTX_get_app_data(context);
    if (certificate == issuer || X509_cmp(certificate, issuer) == 0)
        return X509_check_issued(issuer, certificate) == X509_V_OK;
    for (int i = 0; i + 1 < sk_X509_num(validation->path); i++)
        if (X509_cmp(sk_X509_value(validation->path, i), certificate) == 0)
            return X509_cmp(sk_X509_value(validation->path, i + 1), issuer) == 0;
    return 0;
}

/* The signature's algorithm stands in a certificate twice, once under the signature. */
static bool algorithms_differ(const X509 *certificate) {
    const X509_ALGOR *outer = NULL;
    X509_get0_signature(NULL, &outer, certificate);
    return X509_ALGOR_cmp(outer, X509_get0_tbs_sigalg(certificate)) != 0;
}

static int note_refusal(int good, X509_STORE_CTX *context) {
    Validation *validation = X509_STORE_CTX_get_app_data(context);
    const X509 *certificate = X509_STORE_CTX_get_current_cert(context);
    int code = X509_STORE_CTX_get_error(context), depth = X509_STORE_CTX_get_error_depth(context);
    const char *clause = clause_of(code);
    if (good)
        return 1;
    if (code == X509_V_ERR_CERT_SIGNATURE_FAILURE && certificate && algorithms_differ(certificate))
        clause = "RFC 5280 4.1.1.2: it names two different algorithms for its signature";
    validation->refuse(depth, certificate ? certificate : sk_X509_value(validation->path, 0), clause,
                       validation->data);
    return 1; /* go on: all refusals are wanted */
}

/* Without a set of the user's, it is anyPolicy (RFC 5280 6.1.1 c); libcrypto takes it for empty. */
static bool set_policies(X509_VERIFY_PARAM *param, const ValidateRules *rules) {
    if (!rules->policies)
        X509_VERIFY_PARAM_add0_policy(param, OBJ_nid2obj(NID_any_policy));
    for (size_t i = 0; rules->policies && rules->policies[i]; i++) {
        ASN1_OBJECT *policy = OBJ_txt2obj(rules->policies[i], 1);
        if (!policy)
            return false;
        X509_VERIFY_PARAM_add0_policy(param, policy);
    }
    return true;
}

/* Dates are ours: libcrypto takes the last second for over, and libcrypto's own choice of issuers looks at them. */
static unsigned long flags_of(const ValidateRules *rules) {
    return X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_NO_CHECK_TIME |
           X509_V_FLAG_POLICY_CHECK | (rules->explicit_policy ? X509_V_FLAG_EXPLICIT_POLICY : 0) |
           (rules->inhibit_any_policy ? X509_V_FLAG_INHIBIT_ANY : 0) |
           (rules->inhibit_policy_mapping ? X509_V_FLAG_INHIBIT_MAP : 0);
}

static void check_dates(const Validation *validation, VigieTime at) {
    for (int i = sk_X509_num(validation->path); i-- > 0;) {
        const X509 *certificate = sk_X509_value(validation->path, i);
        int validity = path_validity(certificate, at);
        if (validity)
            validation->refuse(i, certificate,
                               validity > 0 ? "RFC 5280 6.1.3 a 2: its validity has ended"
                                            : "RFC 5280 6.1.3 a 2: its validity has not begun",
                               validation->data);
    }
}

/* libcrypto lets a certificate without basicConstraints be an authority where its keyUsage says keyCertSign, or where it is old
 * enough. RFC 5280 6.1.4 k does not, but of the root, which is trusted for what it is. */
static void check_authorities(const Validation *validation, bool anchored) {
    for (int i = 1; i < sk_X509_num(validation->path) - anchored; i++) {
        X509 *certificate = sk_X509_value(validation->path, i);
        if ((X509_get_extension_flags(certificate) & (EXFLAG_BCONS | EXFLAG_CA)) !=
            (EXFLAG_BCONS | EXFLAG_CA))
            validation->refuse(i, certificate, clause_of(X509_V_ERR_INVALID_CA), validation->data);
    }
}

/* libcrypto would have seen what is malformed when it looked for issuers, which it does not here. */
static const char *malformed(X509 *certificate) {
    if (X509_get_extension_flags(certificate) & EXFLAG_INVALID)
        return "RFC 5280 4.2: an extension that cannot be read, or is there twice";
    int count = X509_get_ext_count(certificate);
    if (count > EXTENSIONS_MAX)
        return "RFC 5280 4.2: more than 128 extensions";
    for (int i = 0; i < count; i++) {
        const ASN1_OBJECT *kind = X509_EXTENSION_get_object(X509_get_ext(certificate, i));
        if (X509_get_ext_by_OBJ(certificate, kind, i) >= 0)
            return "RFC 5280 4.2: an extension is there twice";
    }
    return NULL;
}

static void check_form(const Validation *validation) {
    for (int i = 0; i < sk_X509_num(validation->path); i++) {
        X509 *certificate = sk_X509_value(validation->path, i);
        const char *clause = malformed(certificate);
        if (clause)
            validation->refuse(i, certificate, clause, validation->data);
    }
}

/* ---- Wildcards ----
 * "*.chu.test" is no name below "secret.chu.test", so nobody takes it for excluded, and it stands for that name all the same. */
static bool stands_for(VigieBytes wildcard, VigieBytes excluded) {
    if (wildcard.size < 3 || memcmp(wildcard.data, "*.", 2) != 0)
        return false;
    size_t rest = wildcard.size - 1; /* with its dot */
    if (excluded.size <= rest || memchr(excluded.data, '.', excluded.size - rest))
        return false;
    return g_ascii_strncasecmp((const char *)excluded.data + excluded.size - rest,
                               (const char *)wildcard.data + 1, rest) == 0;
}

static VigieBytes dns_of(const GENERAL_NAME *name) {
    const ASN1_IA5STRING *text = name->type == GEN_DNS ? name->d.dNSName : NULL;
    return text ? vigie_bytes(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text))
                : vigie_bytes(NULL, 0);
}

static bool stands_for_excluded(const GENERAL_NAMES *names, const STACK_OF(GENERAL_SUBTREE) * excluded) {
    if ((int64_t)sk_GENERAL_NAME_num(names) * sk_GENERAL_SUBTREE_num(excluded) > NAMES_COMPARED_MAX)
        return true; /* libcrypto has refused so many, too */
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        for (int j = 0; j < sk_GENERAL_SUBTREE_num(excluded); j++)
            if (stands_for(dns_of(sk_GENERAL_NAME_value(names, i)),
                           dns_of(sk_GENERAL_SUBTREE_value(excluded, j)->base)))
                return true;
    return false;
}

static void check_wildcards(const Validation *validation) {
    X509 *leaf = sk_X509_value(validation->path, 0);
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 1; names && i < sk_X509_num(validation->path); i++) {
        NAME_CONSTRAINTS *constraints =
            X509_get_ext_d2i(sk_X509_value(validation->path, i), NID_name_constraints, NULL, NULL);
        if (constraints && stands_for_excluded(names, constraints->excludedSubtrees))
            validation->refuse(0, leaf, clause_of(X509_V_ERR_EXCLUDED_VIOLATION), validation->data);
        NAME_CONSTRAINTS_free(constraints);
    }
    GENERAL_NAMES_free(names);
}

static bool verify(Validation *validation, X509_STORE *store, const ValidateRules *rules) {
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509 *leaf = sk_X509_value(validation->path, 0);
    bool told = true;
    if (X509_STORE_CTX_init(context, store, leaf, validation->path)) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
        X509_VERIFY_PARAM_set_depth(param, PATH_DEPTH_MAX);
        X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
        X509_VERIFY_PARAM_set_purpose(param, rules->purpose);
        X509_VERIFY_PARAM_set_flags(param, flags_of(rules));
        X509_STORE_CTX_set_app_data(context, validation);
        X509_STORE_CTX_set_verify_cb(context, note_refusal);
        told = set_policies(param, rules);
        if (told && X509_verify_cert(context) != 1)
            validation->refuse(0, leaf, clause_of(X509_STORE_CTX_get_error(context)), validation->data);
    }
    X509_STORE_CTX_free(context);
    ERR_clear_error();
    return told;
}

const char *validate_path(STACK_OF(X509) * path, bool anchored, const ValidateRules *rules,
                          ValidateRefuse refuse, void *data) {
    Validation validation = {.path = path, .refuse = refuse, .data = data};
    X509_STORE *store = X509_STORE_new();
    X509_STORE_set_check_issued(store, is_next);
    if (anchored)
        X509_STORE_add_cert(store, sk_X509_value(path, sk_X509_num(path) - 1));
    bool told = verify(&validation, store, rules);
    X509_STORE_free(store);
    if (!told)
        return "a policy is an OID in dots, as in: --policy 1.2.250.1.71.1.2.7";
    check_dates(&validation, rules->at);
    check_authorities(&validation, anchored);
    check_form(&validation);
    check_wildcards(&validation);
    return NULL;
}
