/* The verdict on a chain: libcrypto builds and verifies the path, and tells everything that it finds wrong;
 * the gravest of it is the verdict. Dates come last but for weakness: both can be read off the certificates
 * by whoever has the record, an unknown authority behind them cannot. */
#include "x509/roots.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { JUDGED_MAX = 16384, AUTHORITIES_MAX = 512, DETAILS_MAX = 4096, SERVED_MAX = 32, DEPTH_MAX = 10 };

/* RSA of 2,048 bits, SHA-224 and stronger (112 bits): what current clients of Debian ask for. */
enum { SECURITY_LEVEL = 2 };

const char *x509_trust_name(VigieTrustVerdict verdict) {
    static const char *const names[] = {
        [VIGIE_TRUST_UNJUDGED] = "unjudged",
        [VIGIE_TRUST_TRUSTED] = "trusted",
        [VIGIE_TRUST_EXPIRED] = "expired",
        [VIGIE_TRUST_NOT_YET_VALID] = "not-yet-valid",
        [VIGIE_TRUST_SELF_SIGNED] = "self-signed",
        [VIGIE_TRUST_UNKNOWN_AUTHORITY] = "unknown-authority",
        [VIGIE_TRUST_INCOMPLETE] = "incomplete-chain",
        [VIGIE_TRUST_BAD_SIGNATURE] = "bad-signature",
        [VIGIE_TRUST_WEAK] = "weak",
        [VIGIE_TRUST_CONSTRAINT] = "constraint",
    };
    return (unsigned)verdict < G_N_ELEMENTS(names) ? names[verdict] : "unjudged";
}

/* What libcrypto says, what it means here, and which of several counts: the first in this table. */
static const struct {
    int code;
    VigieTrustVerdict verdict;
    const char *detail;
} errors[] = {
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, VIGIE_TRUST_BAD_SIGNATURE,
     "its issuer's key did not make this signature"},
    {X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE, VIGIE_TRUST_BAD_SIGNATURE, "the signature cannot be read"},
    {X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, VIGIE_TRUST_BAD_SIGNATURE,
     "its issuer's key cannot be read"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, VIGIE_TRUST_SELF_SIGNED,
     "it signs itself and is not among the roots"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, VIGIE_TRUST_UNKNOWN_AUTHORITY,
     "the root served is not among the roots"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, VIGIE_TRUST_UNKNOWN_AUTHORITY, NULL},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, VIGIE_TRUST_UNKNOWN_AUTHORITY, NULL},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, VIGIE_TRUST_UNKNOWN_AUTHORITY, NULL},
    {X509_V_ERR_CERT_UNTRUSTED, VIGIE_TRUST_UNKNOWN_AUTHORITY, "the root is not trusted for servers"},
    {X509_V_ERR_CERT_REJECTED, VIGIE_TRUST_UNKNOWN_AUTHORITY, "the root is rejected for servers"},
    {X509_V_ERR_INVALID_CA, VIGIE_TRUST_CONSTRAINT, "RFC 5280 4.2.1.9: its issuer is not an authority"},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, VIGIE_TRUST_CONSTRAINT,
     "RFC 5280 4.2.1.9: the path is longer than this authority may have"},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, VIGIE_TRUST_CONSTRAINT, "the path has more than 10 certificates"},
    {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, VIGIE_TRUST_CONSTRAINT,
     "RFC 5280 4.2.1.3: this authority's key may not sign certificates"},
    {X509_V_ERR_INVALID_PURPOSE, VIGIE_TRUST_CONSTRAINT, "RFC 5280 4.2.1.12: it is not meant for servers"},
    {X509_V_ERR_PERMITTED_VIOLATION, VIGIE_TRUST_CONSTRAINT,
     "RFC 5280 4.2.1.10: a name that its authority is not permitted to certify"},
    {X509_V_ERR_EXCLUDED_VIOLATION, VIGIE_TRUST_CONSTRAINT,
     "RFC 5280 4.2.1.10: a name that its authority is excluded from certifying"},
    {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, VIGIE_TRUST_CONSTRAINT,
     "RFC 5280 4.2: a critical extension that clients do not know"},
    {X509_V_ERR_CERT_HAS_EXPIRED, VIGIE_TRUST_EXPIRED, "its validity has ended"},
    {X509_V_ERR_CERT_NOT_YET_VALID, VIGIE_TRUST_NOT_YET_VALID, "its validity has not begun"},
    {X509_V_ERR_CA_MD_TOO_WEAK, VIGIE_TRUST_WEAK, "its signature uses a digest that is refused"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, VIGIE_TRUST_WEAK, "its key is shorter than 112 bits of security ask for"},
    {X509_V_ERR_CA_KEY_TOO_SMALL, VIGIE_TRUST_WEAK,
     "its authority's key is shorter than 112 bits of security ask for"},
    {0, VIGIE_TRUST_CONSTRAINT, NULL}, /* everything else; libcrypto's own words */
};
enum { NO_ERROR = G_N_ELEMENTS(errors) };

/* One judgement under way. */
typedef struct {
    const VigieRoots *roots;
    const VigieChain *chain;
    X509 *served[SERVED_MAX]; /* decoded; NULL where libcrypto cannot */
    size_t count, leaf;
    size_t rank; /* index in errors[] of the gravest so far */
    int code;
    size_t at;
    size_t last;   /* index of the certificate at which the path ends */
    size_t length; /* of the path */
} Judgement;

static size_t index_of(const Judgement *judgement, const X509 *certificate) {
    for (size_t i = 0; i < judgement->count; i++)
        if (judgement->served[i] == certificate ||
            (judgement->served[i] && X509_cmp(judgement->served[i], certificate) == 0))
            return i;
    return SIZE_MAX;
}

static int note_error(int good, X509_STORE_CTX *context) {
    if (good)
        return 1;
    Judgement *judgement = X509_STORE_CTX_get_app_data(context);
    int code = X509_STORE_CTX_get_error(context);
    if (code == X509_V_ERR_OUT_OF_MEM)
        return 0;
    size_t rank = 0;
    while (errors[rank].code != 0 && errors[rank].code != code)
        rank++;
    const X509 *current = X509_STORE_CTX_get_current_cert(context);
    size_t at = current ? index_of(judgement, current) : judgement->leaf;
    if (at == SIZE_MAX)
        at = judgement->count - 1; /* a root of ours: the last served is what hangs on it */
    if (rank < judgement->rank || (rank == judgement->rank && at < judgement->at)) {
        judgement->rank = rank;
        judgement->code = code;
        judgement->at = at;
    }
    return 1; /* go on: all that is wrong is wanted, not the first */
}

/* ---- What the path looks like ------------------------------------------------------------------------ */
/* RFC 8446 4.4.2: each certificate certifies the one before it. */
static void compare_order(Judgement *judgement, STACK_OF(X509) * path, VigieTrust *trust) {
    bool used[SERVED_MAX] = {false};
    size_t before = 0, found = 0;
    judgement->length = (size_t)sk_X509_num(path);
    judgement->last = judgement->leaf;
    for (int i = 0; i < sk_X509_num(path); i++) {
        size_t at = i == 0 ? judgement->leaf : index_of(judgement, sk_X509_value(path, i));
        if (at == SIZE_MAX)
            continue;
        trust->order_wrong |= at < before || (i == 0 && at != 0);
        found += !used[at];
        used[at] = true;
        before = at;
        judgement->last = at;
    }
    trust->superfluous = found < judgement->chain->count;
}

static const char *anchor_label(const VigieRoots *roots, STACK_OF(X509) * path) {
    uint8_t digest[32];
    X509 *root = sk_X509_value(path, sk_X509_num(path) - 1);
    if (root == NULL || X509_digest(root, EVP_sha256(), digest, NULL) != 1)
        return NULL;
    return g_hash_table_lookup(roots->labels, digest);
}

/* Nobody served or knows the issuer: is it an intermediate that the server forgot, or an authority that
 * nobody here trusts? The bytes do not say, their company does. An organisation that owns one of the roots:
 * forgotten. A leaf that says where to fetch its issuer: forgotten, for roots are not fetched. A leaf alone
 * that names no organisation: forgotten where the hospital has given its roots, unknown where it has not. */
static bool is_forgotten(const Judgement *judgement) {
    const X509 *last = judgement->served[judgement->last];
    g_autofree char *organisation = name_attribute(X509_get_issuer_name(last), NID_organizationName);
    g_autofree char *folded = organisation ? vigie_text_fold(organisation) : NULL;
    if (folded && g_hash_table_contains(judgement->roots->organisations, folded))
        return true;
    if (judgement->length > 1)
        return false;
    AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(last, NID_info_access, NULL, NULL);
    bool fetchable = false;
    for (int i = 0; access && i < sk_ACCESS_DESCRIPTION_num(access); i++)
        fetchable |= OBJ_obj2nid(sk_ACCESS_DESCRIPTION_value(access, i)->method) == NID_ad_ca_issuers;
    AUTHORITY_INFO_ACCESS_free(access);
    return fetchable || (folded == NULL && judgement->roots->own);
}

/* Details are interned, so what strangers can put into them is counted. */
static const char *detail_with(VigieRoots *roots, const char *format, const char *name) {
    if (roots->details >= DETAILS_MAX)
        return "its issuer is neither served nor among the roots";
    g_autofree char *text = g_strdup_printf(format, name);
    roots->details++;
    return g_intern_string(text);
}

static void conclude(const Judgement *judgement, STACK_OF(X509) * path, VigieTrust *trust) {
    VigieRoots *roots = (VigieRoots *)judgement->roots;
    if (judgement->rank == NO_ERROR) {
        trust->verdict = VIGIE_TRUST_TRUSTED;
        trust->anchor = anchor_label(roots, path);
        return;
    }
    trust->verdict = errors[judgement->rank].verdict;
    trust->at = judgement->at;
    trust->detail = errors[judgement->rank].detail;
    if (trust->verdict == VIGIE_TRUST_UNKNOWN_AUTHORITY && trust->detail == NULL) {
        bool forgotten = is_forgotten(judgement);
        trust->verdict = forgotten ? VIGIE_TRUST_INCOMPLETE : VIGIE_TRUST_UNKNOWN_AUTHORITY;
        trust->at = judgement->last;
        trust->detail = detail_with(roots,
                                    forgotten ? "the server does not serve the certificate of \"%s\""
                                              : "\"%s\" is not among the roots",
                                    judgement->chain->certificates[judgement->last]->issuer);
        return;
    }
    if (trust->detail == NULL)
        trust->detail = g_intern_string(X509_verify_cert_error_string(judgement->code));
    /* The path reached a root all the same, and dates or weakness are all that is wrong. */
    trust->anchor = anchor_label(roots, path);
}

/* ---- Verifying --------------------------------------------------------------------------------------- */
static X509 *decode(VigieBytes der) {
    const unsigned char *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
    ERR_clear_error();
    return certificate;
}

/* Intermediates come again and again behind other leaves: decoded once (150 µs each in OpenSSL 3.0). */
static X509 *decode_authority(VigieRoots *roots, const VigieCertificate *certificate) {
    X509 *known = g_hash_table_lookup(roots->authorities, certificate->sha256);
    if (known == NULL) {
        known = decode(certificate->der);
        if (known == NULL)
            return NULL;
        if (g_hash_table_size(roots->authorities) >= AUTHORITIES_MAX)
            g_hash_table_remove_all(roots->authorities);
        g_hash_table_insert(roots->authorities, g_memdup2(certificate->sha256, 32), known);
    }
    X509_up_ref(known);
    return known;
}

/* The first, as every client takes it; but behind an authority the first that is none: the whole file was put
 * together upside down. */
static size_t find_leaf(const VigieChain *chain, size_t count) {
    for (size_t i = 1; chain->certificates[0]->is_ca && i < count; i++)
        if (!chain->certificates[i]->is_ca)
            return i;
    return 0;
}

static bool prepare(Judgement *judgement, X509_STORE_CTX *context, STACK_OF(X509) * others, VigieTime now) {
    if (!X509_STORE_CTX_init(context, judgement->roots->store, judgement->served[judgement->leaf], others))
        return false;
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(param, now);
    X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    /* What the hospital put among the roots is trusted, an intermediate too. */
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
    X509_STORE_CTX_set_app_data(context, judgement);
    X509_STORE_CTX_set_verify_cb(context, note_error);
    return true;
}

static VigieTrust verify(Judgement *judgement, VigieTime now) {
    VigieTrust trust = {.verdict = VIGIE_TRUST_CONSTRAINT, .detail = "it cannot be verified"};
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *others = sk_X509_new_null();
    for (size_t i = 0; i < judgement->count; i++)
        if (i != judgement->leaf && judgement->served[i])
            sk_X509_push(others, judgement->served[i]);
    if (judgement->served[judgement->leaf] && prepare(judgement, context, others, now)) {
        bool verified = X509_verify_cert(context) == 1; /* and its errors were noted */
        STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(context);
        if (path && (verified || judgement->rank != NO_ERROR)) {
            trust = (VigieTrust){0};
            compare_order(judgement, path, &trust);
            conclude(judgement, path, &trust);
        }
    }
    sk_X509_free(others);
    X509_STORE_CTX_free(context);
    ERR_clear_error();
    return trust;
}

static VigieTrust judge(const VigieRoots *roots, const VigieChain *chain, VigieTime now) {
    Judgement judgement = {.roots = roots, .chain = chain, .rank = NO_ERROR, .at = SIZE_MAX};
    judgement.count = MIN(chain->count, (size_t)SERVED_MAX);
    judgement.leaf = find_leaf(chain, judgement.count);
    for (size_t i = 0; i < judgement.count; i++)
        judgement.served[i] = i == judgement.leaf
                                  ? decode(chain->certificates[i]->der)
                                  : decode_authority((VigieRoots *)roots, chain->certificates[i]);
    VigieTrust trust = verify(&judgement, now);
    for (size_t i = 0; i < judgement.count; i++)
        X509_free(judgement.served[i]);
    return trust;
}

/* ---- Remembering ------------------------------------------------------------------------------------- */
static void narrow(Judged *judged, VigieTime now, VigieTime change) {
    if (change <= now)
        judged->from = MAX(judged->from, change);
    else
        judged->until = MIN(judged->until, change);
}

/* Nothing changes between two dates of the certificates in play. libcrypto takes the last second for over,
 * RFC 5280 does not: both are boundaries. */
static void set_bounds(Judged *judged, const VigieRoots *roots, const VigieChain *chain, VigieTime now) {
    judged->from = G_MININT64;
    judged->until = G_MAXINT64;
    for (size_t i = 0; i < chain->count; i++) {
        narrow(judged, now, chain->certificates[i]->not_before);
        narrow(judged, now, chain->certificates[i]->not_after);
        narrow(judged, now, chain->certificates[i]->not_after + 1);
    }
    for (guint i = 0; i < roots->dates->len; i++) {
        narrow(judged, now, g_array_index(roots->dates, VigieTime, i));
        narrow(judged, now, g_array_index(roots->dates, VigieTime, i) + 1);
    }
}

static bool chain_digest(const VigieChain *chain, uint8_t digest[32]) {
    if (chain->count == 1) {
        memcpy(digest, chain->certificates[0]->sha256, 32);
        return true;
    }
    uint8_t all[SERVED_MAX * 32];
    size_t count = MIN(chain->count, (size_t)SERVED_MAX);
    for (size_t i = 0; i < count; i++)
        memcpy(all + 32 * i, chain->certificates[i]->sha256, 32);
    return EVP_Digest(all, 32 * count, digest, NULL, EVP_sha256(), NULL) == 1;
}

VigieTrust x509_chain_judge(const VigieRoots *roots, const VigieChain *chain, VigieTime now) {
    uint8_t digest[32];
    if (roots == NULL || roots->count == 0 || chain == NULL || chain->count == 0 ||
        !chain_digest(chain, digest))
        return (VigieTrust){.verdict = VIGIE_TRUST_UNJUDGED};
    const Judged *known = g_hash_table_lookup(roots->judged, digest);
    if (known && known->from <= now && now < known->until)
        return known->trust;
    Judged *judged = g_new0(Judged, 1);
    judged->trust = judge(roots, chain, now);
    set_bounds(judged, roots, chain, now);
    if (g_hash_table_size(roots->judged) >= JUDGED_MAX)
        g_hash_table_remove_all(roots->judged);
    VigieTrust trust = judged->trust;
    g_hash_table_replace(roots->judged, g_memdup2(digest, 32), judged);
    return trust;
}
