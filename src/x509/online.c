/* online: what a certificate names to learn more of it, over HTTP and LDAP: its issuer (RFC 5280 4.2.2.1), responders (RFC 6960), lists and deltas
 * (4.2.1.13, 4.2.1.15). Each address is asked once in a verification, and few of them. */
#include "x509/der.h"
#include "x509/revoke.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <string.h>

enum {
    FETCHES_MAX = 32,  /* in one verification */
    ADDRESSES_MAX = 4, /* of one kind, of one certificate */
    LIST_MAX = 64 << 20,
    TOTAL_MAX = 128 << 20, /* octets, all together */
    RESPONSE_MAX = 64 << 10,
    ISSUER_MAX = 1 << 20,
    URL_MAX = 2048,
    NONCE_OCTETS = 32 /* RFC 9654 2.1 */
};

struct Online {
    const VigieFetcher *fetcher;
    Evidence *evidence;
    GHashTable *asked; /* of address (and certificate): was it fetched? */
    int64_t deadline;  /* of all, of the monotonic clock, microseconds */
    size_t fetched;    /* octets */
    json_t *fetches;
};

Online *online_new(const VigieFetcher *fetcher, Evidence *evidence) {
    Online *online = g_new0(Online, 1);
    *online = (Online){.fetcher = fetcher,
                       .evidence = evidence,
                       .asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                       .deadline = g_get_monotonic_time() + fetcher->total_ms * 1000,
                       .fetches = json_array()};
    return online;
}

void online_free(Online *online) {
    if (!online)
        return;
    g_hash_table_unref(online->asked);
    json_decref(online->fetches);
    g_free(online);
}

json_t *online_fetches(const Online *online) {
    return json_incref(online->fetches);
}

/* ---- One address ---- */
static void note(Online *online, const char *kind, const char *url, const X509 *certificate,
                 const char *failure) {
    unsigned char *der = NULL;
    int size = i2d_X509(certificate, &der);
    g_autoptr(VigieCertificate) read =
        size > 0 ? x509_certificate_new(vigie_bytes(der, (size_t)size), NULL) : NULL;
    OPENSSL_free(der);
    g_autofree char *detail = failure ? g_utf8_make_valid(failure, -1) : NULL;
    json_array_append_new(online->fetches, json_pack("{s:s,s:s,s:s,s:s,s:s?}", "url", url, "kind", kind,
                                                     "for", read ? read->subject : "", "outcome",
                                                     failure ? "failed" : "fetched", "detail", detail));
}

/* What a kind of answer is made of; NULL where it was taken, else what is wrong with it. */
typedef const char *(*Take)(Online *online, const char *url, VigieBytes body, void *data);

typedef struct {
    const char *kind;
    size_t size_max;
    Take take;
    void *data;
} Wish;

/* One that is of use is enough. */
static const char *take_values(Online *online, const char *url, const GPtrArray *values, const Wish *wish) {
    const char *failure = NULL;
    bool taken = false;
    for (guint i = 0; i < values->len; i++) {
        gsize size = 0;
        const void *data = g_bytes_get_data(values->pdata[i], &size);
        const char *wrong = wish->take(online, url, vigie_bytes(data, size), wish->data);
        online->fetched += MIN(size, TOTAL_MAX - online->fetched);
        taken |= !wrong;
        failure = failure ? failure : wrong;
    }
    return taken ? NULL : failure;
}

/* What was fetched, taken; NULL, or why not: `*error`'s words or static ones. */
static const char *try_fetch(Online *online, const char *url, VigieBytes post, const Wish *wish,
                             GError **error) {
    g_autoptr(GPtrArray) values = NULL;
    const VigieFetcher *fetcher = online->fetcher;
    int64_t left_ms = (online->deadline - g_get_monotonic_time()) / 1000;
    if (json_array_size(online->fetches) >= FETCHES_MAX)
        return "more than 32 addresses are not asked in one verification";
    if (left_ms <= 0)
        return "the time for all addresses together is over";
    size_t size_max = MIN(wish->size_max, TOTAL_MAX - online->fetched);
    if (!fetcher->fetch(fetcher->data, url, post, (long)MIN(left_ms, fetcher->timeout_ms), size_max, &values,
                        error))
        return (*error)->message;
    return take_values(online, url, values, wish);
}

static bool fetch(Online *online, const char *url, const X509 *certificate, VigieBytes post,
                  const Wish *wish) {
    g_autoptr(GError) error = NULL;
    const char *failure = try_fetch(online, url, post, wish, &error);
    if (json_array_size(online->fetches) < 2 * FETCHES_MAX)
        note(online, wish->kind, url, certificate, failure);
    return failure == NULL;
}

/* The same answer for the same address within the verification. */
static bool fetch_once(Online *online, const char *url, const X509 *certificate, const Wish *wish) {
    g_autofree char *key = g_strconcat(wish->kind, " ", url, NULL);
    void *known = NULL;
    if (g_hash_table_lookup_extended(online->asked, key, NULL, &known))
        return GPOINTER_TO_INT(known);
    bool fetched = fetch(online, url, certificate, vigie_bytes(NULL, 0), wish);
    g_hash_table_insert(online->asked, g_steal_pointer(&key), GINT_TO_POINTER(fetched));
    return fetched;
}

/* ---- The addresses that a certificate or list names ---- */
static void add_uri(GPtrArray *urls, const GENERAL_NAME *name) {
    if (name->type != GEN_URI || urls->len >= ADDRESSES_MAX)
        return;
    const ASN1_IA5STRING *uri = name->d.uniformResourceIdentifier;
    const char *text = (const char *)ASN1_STRING_get0_data(uri);
    size_t size = (size_t)ASN1_STRING_length(uri);
    /* names of a directory's entries are written with their spaces, against RFC 4516 2.1 */
    const char lowest = size > 5 && g_ascii_strncasecmp(text, "ldap:", 5) == 0 ? ' ' : '!';
    for (size_t i = 0; i < size; i++)
        if (text[i] < lowest || text[i] >= 0x7f)
            return; /* no address (RFC 3986 2), and nothing to show to a terminal */
    if (size > 0 && size <= URL_MAX)
        g_ptr_array_add(urls, g_strndup(text, size));
}

static GPtrArray *access_urls(const X509 *certificate, int method) {
    GPtrArray *urls = g_ptr_array_new_with_free_func(g_free);
    AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access); i++) {
        const ACCESS_DESCRIPTION *one = sk_ACCESS_DESCRIPTION_value(access, i);
        if (OBJ_obj2nid(one->method) == method)
            add_uri(urls, one->location);
    }
    AUTHORITY_INFO_ACCESS_free(access);
    return urls;
}

static void add_points(GPtrArray *urls, STACK_OF(DIST_POINT) * points) {
    for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, i)->distpoint;
        for (int j = 0; name && name->type == 0 && j < sk_GENERAL_NAME_num(name->name.fullname); j++)
            add_uri(urls, sk_GENERAL_NAME_value(name->name.fullname, j));
    }
    sk_DIST_POINT_pop_free(points, DIST_POINT_free);
}

/* ---- Issuers ---- */
static bool take_issuer(STACK_OF(X509) * pool, VigieBytes der) {
    const unsigned char *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
    if (certificate && !sk_X509_push(pool, certificate))
        X509_free(certificate);
    ERR_clear_error();
    return certificate != NULL;
}

/* Two certificates that a directory keeps together (RFC 4523 2.3): issued to the authority [0], and by it [1]. */
static bool take_pair(STACK_OF(X509) * pool, VigieBytes body) {
    const char *clause = NULL;
    VigieReader in = vigie_reader(body);
    DerElement pair, side;
    bool taken = false;
    if (!der_expect(&in, DER_SEQUENCE, &pair, &clause))
        return false;
    for (in = vigie_reader(pair.value); der_next(&in, &side, &clause);)
        taken |= (side.tag == DER_CONTEXT_CONSTRUCTED(0) || side.tag == DER_CONTEXT_CONSTRUCTED(1)) &&
                 take_issuer(pool, side.value);
    return taken;
}

static const char *take_issuers(Online *online, const char *url, VigieBytes body, void *data) {
    (void)online, (void)url;
    STACK_OF(X509) *pool = data;
    bool taken = take_pair(pool, body);
    g_autoptr(GPtrArray) objects = taken ? NULL : x509_file_objects(body, NULL);
    for (guint i = 0; objects && i < objects->len; i++) {
        const VigieFileObject *object = objects->pdata[i];
        taken |= strcmp(object->kind, "certificate") == 0 &&
                 take_issuer(pool, vigie_bytes(object->der, object->size));
    }
    return taken ? NULL : "RFC 5280 4.2.2.1: what is there is no certificate";
}

void online_fetch_issuer(Online *online, const X509 *certificate, STACK_OF(X509) * pool) {
    g_autoptr(GPtrArray) urls = access_urls(certificate, NID_ad_ca_issuers);
    const Wish wish = {.kind = "issuer", .size_max = ISSUER_MAX, .take = take_issuers, .data = pool};
    for (guint i = 0; i < urls->len; i++)
        if (fetch_once(online, urls->pdata[i], certificate, &wish))
            break;
}

/* ---- Lists ---- */
static bool take_list(Online *online, const char *url, VigieBytes der) {
    const unsigned char *at = der.data;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.size);
    if (crl)
        evidence_add_list(online->evidence, crl, url);
    X509_CRL_free(crl);
    ERR_clear_error();
    return crl != NULL;
}

/* As RFC 5280 4.2.1.13 has it, of any size; else as people put it there: PEM, several, in PKCS#7. */
static const char *take_lists(Online *online, const char *url, VigieBytes body, void *data) {
    (void)data;
    bool taken = take_list(online, url, body);
    g_autoptr(GPtrArray) objects = taken ? NULL : x509_file_objects(body, NULL);
    for (guint i = 0; objects && i < objects->len; i++) {
        const VigieFileObject *object = objects->pdata[i];
        if (strcmp(object->kind, "crl") == 0)
            taken |= take_list(online, url, vigie_bytes(object->der, object->size));
    }
    return taken ? NULL : "RFC 5280 4.2.1.13: what is there is no revocation list";
}

static unsigned fetch_lists(Online *online, const char *kind, const X509 *certificate,
                            const GPtrArray *urls) {
    const Wish wish = {.kind = kind, .size_max = LIST_MAX, .take = take_lists};
    unsigned fetched = 0;
    for (guint i = 0; i < urls->len; i++)
        fetched += fetch_once(online, urls->pdata[i], certificate, &wish);
    return fetched;
}

/* What the certificate, and the lists that are there, name as their deltas. */
static void fetch_deltas(Online *online, const X509 *certificate) {
    g_autoptr(GPtrArray) urls = g_ptr_array_new_with_free_func(g_free);
    add_points(urls, X509_get_ext_d2i(certificate, NID_freshest_crl, NULL, NULL));
    for (guint i = 0; i < online->evidence->lists->len; i++) {
        const List *list = online->evidence->lists->pdata[i];
        if (!list->base &&
            X509_NAME_cmp(X509_CRL_get_issuer(list->crl), X509_get_issuer_name(certificate)) == 0)
            add_points(urls, X509_CRL_get_ext_d2i(list->crl, NID_freshest_crl, NULL, NULL));
    }
    fetch_lists(online, "delta", certificate, urls);
}

/* ---- Responders ---- */
typedef struct {
    OCSP_REQUEST *request;
    bool declined; /* a responder was there, and would not answer */
} Question;

static const char *take_response(Online *online, const char *url, VigieBytes body, void *data) {
    Question *question = data;
    const unsigned char *at = body.data;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)body.size);
    OCSP_BASICRESP *basic = response ? OCSP_response_get1_basic(response) : NULL;
    int status = response ? OCSP_response_status(response) : -1;
    question->declined = status > 0;
    const char *failure = status < 0 ? "RFC 6960 4.2.1: what is there is no OCSP response"
                          : !basic   ? OCSP_response_status_str(status)
                          : OCSP_check_nonce(question->request, basic) == 0
                              ? "RFC 9654 2.1: the response answers another request: its nonce differs"
                              : NULL;
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    if (!failure)
        evidence_add_response(online->evidence, body, url);
    return failure;
}

/* SHA-1 names the certificate, it protects nothing: RFC 5019 2.1.1, what every responder knows. */
static bool ask_responder(Online *online, const char *url, X509 *certificate, X509 *issuer, bool nonce) {
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    Question question = {.request = request};
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), certificate, issuer);
    unsigned char *der = NULL;
    bool made = id && OCSP_request_add0_id(request, id) &&
                (!nonce || OCSP_request_add1_nonce(request, NULL, NONCE_OCTETS));
    int size = made ? i2d_OCSP_REQUEST(request, &der) : 0;
    const Wish wish = {.kind = "ocsp", .size_max = RESPONSE_MAX, .take = take_response, .data = &question};
    bool answered = size > 0 && fetch(online, url, certificate, vigie_bytes(der, (size_t)size), &wish);
    OPENSSL_free(der);
    OCSP_REQUEST_free(request);
    ERR_clear_error();
    if (!answered && nonce && question.declined) /* some will not have a nonce */
        return ask_responder(online, url, certificate, issuer, false);
    return answered;
}

/* One answer is enough. */
static bool ask_responders(Online *online, X509 *certificate, X509 *issuer, const GPtrArray *urls) {
    uint8_t digest[32];
    if (urls->len == 0 || X509_digest(certificate, EVP_sha256(), digest, NULL) != 1)
        return false;
    g_autofree char *text = vigie_hex_text(vigie_bytes(digest, sizeof digest)),
                    *key = g_strconcat("ocsp ", text, NULL);
    void *known = NULL;
    if (g_hash_table_lookup_extended(online->asked, key, NULL, &known))
        return GPOINTER_TO_INT(known);
    bool answered = false;
    for (guint i = 0; i < urls->len && !answered; i++)
        answered = ask_responder(online, urls->pdata[i], certificate, issuer, true);
    g_hash_table_insert(online->asked, g_steal_pointer(&key), GINT_TO_POINTER(answered));
    return answered;
}

/* Responders that are not said to be beyond revocation name where theirs is told. */
static void fetch_lists_of_signers(Online *online) {
    const GPtrArray *responses = online->evidence->responses;
    for (guint i = 0; i < responses->len; i++) {
        const Response *response = responses->pdata[i];
        const STACK_OF(X509) *signers = response->basic ? OCSP_resp_get0_certs(response->basic) : NULL;
        for (int j = 0; j < MIN(sk_X509_num(signers), ADDRESSES_MAX); j++) {
            const X509 *signer = sk_X509_value(signers, j);
            g_autoptr(GPtrArray) urls = g_ptr_array_new_with_free_func(g_free);
            if (X509_get_ext_by_NID(signer, NID_id_pkix_OCSP_noCheck, -1) < 0)
                add_points(urls, X509_get_ext_d2i(signer, NID_crl_distribution_points, NULL, NULL));
            fetch_lists(online, "crl", signer, urls);
        }
    }
}

bool online_ask(Online *online, STACK_OF(X509) * path, int depth, Revocation *revocation) {
    X509 *certificate = sk_X509_value(path, depth), *issuer = sk_X509_value(path, depth + 1);
    g_autoptr(GPtrArray) responders = access_urls(certificate, NID_ad_OCSP),
                         points = g_ptr_array_new_with_free_func(g_free);
    add_points(points, X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL));
    bool fetched = ask_responders(online, certificate, issuer, responders);
    fetch_lists_of_signers(online);
    *revocation = revoke_judge(online->evidence, path, depth);
    if (revocation->status != REVOKE_UNKNOWN)
        return true;
    fetched |= fetch_lists(online, "crl", certificate, points) > 0;
    fetch_deltas(online, certificate);
    *revocation = revoke_judge(online->evidence, path, depth);
    return fetched || revocation->status != REVOKE_UNKNOWN || responders->len + points->len == 0;
}
