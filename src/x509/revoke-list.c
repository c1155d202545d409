/* revoke-list: revocation lists by RFC 5280 6.3.3: which are for the certificate, who signed them, what they say. */
#include "x509/revoke.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <string.h>

enum { REASONS_ALL = 0x807f, SEARCHES_MAX = 16, LISTS_MAX = 256, SIGNATURES_MAX = 1024 };

static void free_list(void *data) {
    List *list = data;
    X509_CRL_free(list->crl);
    ISSUING_DIST_POINT_free(list->scope);
    ASN1_INTEGER_free(list->number);
    ASN1_INTEGER_free(list->base);
    g_free(list->source);
    g_free(list);
}

static void free_response(void *data) {
    Response *response = data;
    OCSP_BASICRESP_free(response->basic);
    g_free(response->source);
    g_free(response);
}

void evidence_init(Evidence *evidence, const VigieRoots *roots, STACK_OF(X509) * pool, VigieTime at) {
    *evidence = (Evidence){.roots = roots,
                           .at = at,
                           .pool = pool,
                           .lists = g_ptr_array_new_with_free_func(free_list),
                           .responses = g_ptr_array_new_with_free_func(free_response)};
}

void evidence_clear(Evidence *evidence) {
    g_ptr_array_unref(evidence->lists);
    g_ptr_array_unref(evidence->responses);
}

/* ---- Reading a list ---- */
static bool is_known(const X509_EXTENSION *extension, const int *nids, size_t count) {
    int nid = OBJ_obj2nid(X509_EXTENSION_get_object((X509_EXTENSION *)extension));
    for (size_t i = 0; i < count; i++)
        if (nids[i] == nid)
            return true;
    return !X509_EXTENSION_get_critical(extension);
}

/* RFC 5280 5.2 and 5.3: with a critical extension that is not known, a list is of no use for any certificate. */
static bool all_known(const X509_CRL *crl) {
    static const int of_lists[] = {NID_issuing_distribution_point, NID_delta_crl, NID_crl_number,
                                   NID_authority_key_identifier},
                     of_entries[] = {NID_crl_reason, NID_invalidity_date, NID_certificate_issuer,
                                     NID_hold_instruction_code};
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++)
        if (!is_known(X509_CRL_get_ext(crl, i), of_lists, G_N_ELEMENTS(of_lists)))
            return false;
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED((X509_CRL *)crl);
    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);
        for (int e = 0; e < X509_REVOKED_get_ext_count(entry); e++)
            if (!is_known(X509_REVOKED_get_ext(entry, e), of_entries, G_N_ELEMENTS(of_entries)))
                return false;
    }
    return true;
}

static void *extension_of(const X509_CRL *crl, int nid, bool *broken) {
    int critical = 0;
    void *read = X509_CRL_get_ext_d2i(crl, nid, &critical, NULL);
    *broken |= !read && critical != -1; /* there, and unreadable or twice */
    return read;
}

void evidence_add_list(Evidence *evidence, X509_CRL *crl, const char *source) {
    if (evidence->lists->len >= LISTS_MAX)
        return;
    List *list = g_new0(List, 1);
    bool broken = false;
    X509_CRL_up_ref(crl);
    list->crl = crl;
    list->source = g_strdup(source);
    list->number = extension_of(crl, NID_crl_number, &broken);
    list->base = extension_of(crl, NID_delta_crl, &broken);
    list->scope = extension_of(crl, NID_issuing_distribution_point, &broken);
    if (list->scope && list->scope->distpoint)
        broken |= !DIST_POINT_set_dpname(list->scope->distpoint, X509_CRL_get_issuer(crl));
    int at = X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, -1);
    if (at >= 0) {
        const ASN1_OCTET_STRING *der = X509_EXTENSION_get_data(X509_CRL_get_ext(crl, at));
        list->scope_der = vigie_bytes(ASN1_STRING_get0_data(der), (size_t)ASN1_STRING_length(der));
    }
    list->flaw = broken ? "RFC 5280 5.2: the revocation list has an extension that cannot be read"
                 : !all_known(crl)
                     ? "RFC 5280 5.2: the revocation list has a critical extension that is not known"
                 : validate_weak_signature(X509_CRL_get_signature_nid(crl))
                     ? "RFC 9325 4.5: the revocation list's signature uses a digest that is refused"
                     : NULL;
    ERR_clear_error();
    g_ptr_array_add(evidence->lists, list);
}

/* ---- Scope (6.3.3 b, d) ---- */
static bool names_meet(const GENERAL_NAMES *one, const GENERAL_NAMES *other) {
    for (int i = 0; i < sk_GENERAL_NAME_num(one); i++)
        for (int j = 0; j < sk_GENERAL_NAME_num(other); j++)
            if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(one, i), sk_GENERAL_NAME_value(other, j)) == 0)
                return true;
    return false;
}

static bool names_hold(const GENERAL_NAMES *names, const X509_NAME *wanted) {
    for (int i = 0; wanted && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DIRNAME && X509_NAME_cmp(name->d.directoryName, wanted) == 0)
            return true;
    }
    return false;
}

/* A name of the one is a name of the other, be it full or relative to an issuer. */
static bool points_meet(const DIST_POINT_NAME *one, const DIST_POINT_NAME *other) {
    if (one->type == 0 && other->type == 0)
        return names_meet(one->name.fullname, other->name.fullname);
    if (one->type == 0)
        return names_hold(one->name.fullname, other->dpname);
    if (other->type == 0)
        return names_hold(other->name.fullname, one->dpname);
    return one->dpname && other->dpname && X509_NAME_cmp(one->dpname, other->dpname) == 0;
}

static bool is_set(const ASN1_BOOLEAN value) {
    return value > 0;
}

static int reasons_in(const ASN1_BIT_STRING *flags) {
    if (!flags)
        return REASONS_ALL;
    int size = ASN1_STRING_length(flags);
    const uint8_t *octets = ASN1_STRING_get0_data(flags);
    return ((size > 0 ? octets[0] : 0) | (size > 1 ? octets[1] << 8 : 0)) & REASONS_ALL;
}

/* Is the list one of this distribution point? */
static bool is_at_point(const List *list, DIST_POINT *point, const X509 *certificate, bool direct) {
    bool indirect = list->scope && is_set(list->scope->indirectCRL);
    if (point->CRLissuer ? !indirect || !names_hold(point->CRLissuer, X509_CRL_get_issuer(list->crl))
                         : !direct)
        return false;
    if (!list->scope || !list->scope->distpoint)
        return true;
    if (!point->distpoint)
        return point->CRLissuer && list->scope->distpoint->type == 0 &&
               names_meet(list->scope->distpoint->name.fullname, point->CRLissuer);
    DIST_POINT_set_dpname(point->distpoint, point->CRLissuer ? X509_CRL_get_issuer(list->crl)
                                                             : X509_get_issuer_name(certificate));
    return points_meet(list->scope->distpoint, point->distpoint);
}

/* The reasons for which the list tells of the certificate; 0: it is for others. */
static int reasons_covered(const List *list, X509 *certificate) {
    bool direct = X509_NAME_cmp(X509_CRL_get_issuer(list->crl), X509_get_issuer_name(certificate)) == 0;
    bool authority = (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0;
    const ISSUING_DIST_POINT *scope = list->scope;
    if (scope && (is_set(scope->onlyattr) || is_set(authority ? scope->onlyuser : scope->onlyCA)))
        return 0;
    int reasons = scope ? reasons_in(scope->onlysomereasons) : REASONS_ALL, covered = 0;
    STACK_OF(DIST_POINT) *points = X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
    for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
        DIST_POINT *point = sk_DIST_POINT_value(points, i);
        if (is_at_point(list, point, certificate, direct))
            covered |= reasons & reasons_in(point->reasons);
    }
    sk_DIST_POINT_pop_free(points, DIST_POINT_free);
    /* The whole list of its issuer is for it whether a point says so or not (6.3.3, last paragraph). */
    return direct && (!scope || !scope->distpoint) ? reasons : covered;
}

/* ---- Signature (6.3.3 f, g) ---- */
static bool is_made_by(Evidence *evidence, List *list, X509 *signer) {
    EVP_PKEY *key = X509_get0_pubkey(signer);
    if (!key || key == list->not_by)
        return false;
    if (key == list->made_by)
        return true;
    if (++evidence->signatures > SIGNATURES_MAX)
        return false;
    bool made = X509_CRL_verify(list->crl, key) == 1;
    *(made ? &list->made_by : &list->not_by) = key;
    ERR_clear_error();
    return made;
}

typedef struct {
    Evidence *evidence;
    const X509 *anchor;
    bool found;
} SignerSearch;

static void note_any(int depth, const X509 *certificate, const char *clause, void *data) {
    (void)depth, (void)certificate, (void)clause;
    *(bool *)data = true;
}

static bool visit_signer(STACK_OF(X509) * path, bool anchored, void *data) {
    SignerSearch *search = data;
    const ValidateRules rules = {.at = search->evidence->at, .purpose = X509_PURPOSE_ANY};
    bool refused = !anchored || X509_cmp(sk_X509_value(path, sk_X509_num(path) - 1), search->anchor) != 0;
    if (!refused)
        validate_path(path, anchored, &rules, note_any, &refused);
    for (int i = 0; !refused && i + 1 < sk_X509_num(path); i++)
        refused = revoke_by_lists(search->evidence, path, i, true).status == REVOKE_REVOKED;
    return search->found = !refused;
}

/* 6.3.3 f: who signs lists for others has a path of his own, to the same root. */
static bool is_certified(Evidence *evidence, X509 *signer, const X509 *anchor) {
    if (X509_cmp(signer, anchor) == 0)
        return true;
    if (++evidence->searches > SEARCHES_MAX)
        return false;
    SignerSearch search = {.evidence = evidence, .anchor = anchor};
    path_search(evidence->roots, signer, evidence->pool, evidence->at, NULL, visit_signer, &search);
    return search.found;
}

/* In the order in which a list comes nearer to an answer. */
enum {
    NO_LIST,
    OTHER_SCOPE,
    FLAWED,
    NO_SIGNER,
    NOT_SIGNED,
    MAY_NOT_SIGN,
    NO_BASE,
    TOO_EARLY,
    TOO_LATE,
    SOME_REASONS
};
static const char *const failures[] = {
    [NO_LIST] = "RFC 5280 6.3.3: no revocation list of its issuer was given",
    [OTHER_SCOPE] = "RFC 5280 6.3.3 b: the revocation list is for other certificates",
    [NO_SIGNER] = "RFC 5280 6.3.3 f: who signed the revocation list is not known, or not certified for it",
    [NOT_SIGNED] = "RFC 5280 6.3.3 g: the revocation list is not signed by its issuer",
    [MAY_NOT_SIGN] = "RFC 5280 6.3.3 f: its issuer's key may not sign revocation lists",
    [NO_BASE] = "RFC 5280 5.2.4: a delta list, without the complete list that it builds on",
    [TOO_EARLY] = "RFC 5280 5.1.2.4: the revocation list's thisUpdate is in the future",
    [TOO_LATE] = "RFC 5280 5.1.2.5: the revocation list is past its nextUpdate, or has none",
    [SOME_REASONS] = "RFC 5280 6.3.3 l: the revocation lists do not cover all reasons",
};

/* Is the list signed by one who may? `ret_failure` says why not. */
static bool try_signer(Evidence *evidence, List *list, X509 *signer, bool trusted, const X509 *anchor,
                       bool nested, int *failure) {
    if (X509_NAME_cmp(X509_get_subject_name(signer), X509_CRL_get_issuer(list->crl)) != 0)
        return false;
    if (!is_made_by(evidence, list, signer)) {
        *failure = MAX(*failure, trusted ? NOT_SIGNED : NO_SIGNER);
        return false;
    }
    if (!(X509_get_key_usage(signer) & X509v3_KU_CRL_SIGN)) {
        *failure = MAX(*failure, MAY_NOT_SIGN);
        return false;
    }
    return trusted || (!nested && is_certified(evidence, signer, anchor));
}

static bool is_signed(Evidence *evidence, List *list, STACK_OF(X509) * path, int depth, bool nested,
                      int *ret_failure) {
    int failure = NO_SIGNER, last = sk_X509_num(path) - 1;
    const X509 *anchor = sk_X509_value(path, last);
    for (int i = depth + 1; i <= last; i++)
        if (try_signer(evidence, list, sk_X509_value(path, i), true, anchor, nested, &failure))
            return true;
    for (int i = 0; i < MIN(sk_X509_num(evidence->pool), PATH_NODES_MAX); i++)
        if (try_signer(evidence, list, sk_X509_value(evidence->pool, i), false, anchor, nested, &failure))
            return true;
    *ret_failure = MAX(*ret_failure, failure);
    return false;
}

/* ---- Time, deltas ---- */
static int time_failure(const X509_CRL *crl, VigieTime at) {
    time_t moment = at, before = at - 1;
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    if (X509_cmp_time(X509_CRL_get0_lastUpdate(crl), &moment) >= 0)
        return TOO_EARLY;
    return next && X509_cmp_time(next, &before) > 0 ? 0 : TOO_LATE;
}

static bool same_bytes(VigieBytes one, VigieBytes other) {
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

/* 6.3.3 c; 5.2.4. */
static bool builds_on(const List *delta, const List *base) {
    return delta->base && !delta->flaw && base->number && delta->number &&
           X509_NAME_cmp(X509_CRL_get_issuer(delta->crl), X509_CRL_get_issuer(base->crl)) == 0 &&
           same_bytes(delta->scope_der, base->scope_der) &&
           ASN1_INTEGER_cmp(delta->base, base->number) <= 0 &&
           ASN1_INTEGER_cmp(delta->number, base->number) > 0;
}

/* The newest delta to the list that is current and signed by the same key. */
static List *delta_of(const Evidence *evidence, const List *base) {
    List *newest = NULL;
    for (guint i = 0; i < evidence->lists->len; i++) {
        List *delta = evidence->lists->pdata[i];
        if (!builds_on(delta, base) || time_failure(delta->crl, evidence->at) ||
            (newest && ASN1_INTEGER_cmp(delta->number, newest->number) <= 0))
            continue;
        if (delta->made_by == base->made_by || X509_CRL_verify(delta->crl, base->made_by) == 1) {
            delta->made_by = base->made_by;
            newest = delta;
        }
    }
    ERR_clear_error();
    return newest;
}

/* ---- What a list says (6.3.3 i to k) ---- */
const char *x509_reason_name(int64_t reason) {
    static const char *const names[X509_REASONS_MAX] = {
        "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
        "superseded",    "cessationOfOperation", "certificateHold", NULL,
        "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};
    return reason >= 0 && reason < X509_REASONS_MAX ? names[reason] : NULL;
}

static const char *reason_of(X509_REVOKED *entry) {
    ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    long value = reason ? ASN1_ENUMERATED_get(reason) : -1;
    ASN1_ENUMERATED_free(reason);
    return x509_reason_name(value);
}

/* Is it in the list? 2: taken out of it again. */
static int look_up(const List *list, X509 *certificate, Revocation *told) {
    X509_REVOKED *entry = NULL;
    int found = X509_CRL_get0_by_cert(list->crl, &entry, certificate);
    if (found == 1)
        *told = (Revocation){.status = REVOKE_REVOKED,
                             .by = "crl",
                             .source = list->source,
                             .reason = reason_of(entry),
                             .clause = "RFC 5280 6.1.3 a 3: it is revoked"};
    return found;
}

/* ---- Together ---- */
static int by_newest(const void *a, const void *b) {
    const List *one = *(const List *const *)a, *other = *(const List *const *)b;
    int days = 0, seconds = 0;
    if (!ASN1_TIME_diff(&days, &seconds, X509_CRL_get0_lastUpdate(one->crl),
                        X509_CRL_get0_lastUpdate(other->crl)))
        return 0;
    if (days == 0 && seconds == 0 && one->number && other->number)
        return ASN1_INTEGER_cmp(other->number, one->number);
    return days ? days : seconds;
}

/* Of several lists of one scope by one key the newest counts: what it took back, the older still says. */
static bool was_seen(const GPtrArray *seen, const List *list) {
    for (guint i = 0; i < seen->len; i++) {
        const List *newer = seen->pdata[i];
        if (same_bytes(newer->scope_der, list->scope_der) &&
            X509_NAME_cmp(X509_CRL_get_issuer(newer->crl), X509_CRL_get_issuer(list->crl)) == 0 &&
            EVP_PKEY_eq(newer->made_by, list->made_by) == 1)
            return true;
    }
    return false;
}

/* Why the list does not count for this certificate; 0: it does, with `*ret_delta` where there is one. */
static int list_failure(Evidence *evidence, List *list, STACK_OF(X509) * path, int depth, bool nested,
                        int reasons, List **ret_delta) {
    int failure = 0;
    if (reasons == 0)
        return OTHER_SCOPE;
    if (list->flaw)
        return FLAWED;
    if (!is_signed(evidence, list, path, depth, nested, &failure))
        return failure;
    if (list->base)
        return NO_BASE;
    *ret_delta = delta_of(evidence, list);
    failure = time_failure(list->crl, evidence->at);
    return failure == TOO_LATE && *ret_delta ? 0 : failure; /* 5.2.4: together they are as new as the delta */
}

/* Is it of this certificate's issuer, as far as names go? */
static bool concerns(const List *list, const X509 *certificate, int reasons) {
    return reasons || X509_NAME_cmp(X509_CRL_get_issuer(list->crl), X509_get_issuer_name(certificate)) == 0;
}

Revocation revoke_by_lists(Evidence *evidence, STACK_OF(X509) * path, int depth, bool signer) {
    X509 *certificate = sk_X509_value(path, depth);
    g_autoptr(GPtrArray) seen = g_ptr_array_new(), lists = g_ptr_array_copy(evidence->lists, NULL, NULL);
    g_ptr_array_set_free_func(lists, NULL);
    g_ptr_array_sort(lists, by_newest);
    int covered = 0, progress = NO_LIST;
    Revocation told = {.by = "crl", .clause = failures[NO_LIST]};
    for (guint i = 0; i < lists->len; i++) {
        List *list = lists->pdata[i], *delta = NULL;
        int reasons = reasons_covered(list, certificate);
        if (!concerns(list, certificate, reasons))
            continue;
        int failure = list_failure(evidence, list, path, depth, signer, reasons, &delta);
        if (!failure && was_seen(seen, list))
            continue;
        if (failure && failure > progress) {
            progress = failure;
            told.clause = failure == FLAWED ? list->flaw : failures[failure];
        }
        if (failure)
            continue;
        g_ptr_array_add(seen, list);
        int found = delta ? look_up(delta, certificate, &told) : 0;
        if (found == 0)
            found = look_up(list, certificate, &told);
        if (found == 1)
            return told;
        covered |= reasons;
        told.source = list->source;
    }
    if (covered == REASONS_ALL)
        return (Revocation){.status = REVOKE_GOOD, .by = "crl", .source = told.source};
    if (covered)
        told.clause = failures[progress = SOME_REASONS];
    told.progress = progress;
    return told;
}
