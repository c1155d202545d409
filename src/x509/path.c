/* path: every certificate that may be above the leaf is a node, looked at once; who may have issued whom is an edge, its signature
 * verified once. Paths are then walked shortest first, and only where an anchor is still within reach. */
#include "x509/path.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <string.h>

enum { FAR = 1000, BROKEN_VISITS_MAX = 4 };

typedef struct Node Node;
typedef struct {
    Node *issuer;
    bool signs; /* its key made the signature */
    int rank;   /* the higher, the likelier */
} Edge;

struct Node {
    X509 *certificate;
    GArray *edges; /* Edge, the likeliest first; NULL: not looked at yet */
    int distance;  /* to an anchor, edges; FAR: none */
    bool anchor;
    bool wanted; /* to be looked at: the leaf, and who signed what was */
};

typedef struct {
    X509_STORE_CTX *roots; /* for lookups by name */
    STACK_OF(X509) * pool; /* what was given, and what was fetched */
    GHashTable *digests;   /* 32 octets → Node */
    GPtrArray *nodes;      /* in the order found: those of the pool that matter, and anchors */
    VigieTime at;
    PathFetch fetch;
    PathVisit visit;
    void *data;
    unsigned signatures, steps, visits_max;
    bool broken_too; /* also over signatures that do not hold */
    Node *walked[PATH_DEPTH_MAX];
    PathSearch result;
    bool done;
} Search;

static void free_node(void *data) {
    Node *node = data;
    X509_free(node->certificate);
    if (node->edges)
        g_array_unref(node->edges);
    g_free(node);
}

/* ---- What may stand above a certificate ---- */
int path_validity(const X509 *certificate, VigieTime at) {
    time_t moment = at, before = at - 1;
    /* X509_cmp_time says -1 for the same second, too: "not later than". */
    if (X509_cmp_time(X509_get0_notBefore(certificate), &moment) >= 0)
        return -1;
    return X509_cmp_time(X509_get0_notAfter(certificate), &before) > 0 ? 0 : 1;
}

bool path_misleads(const X509 *certificate, const X509 *issuer) {
    const ASN1_OCTET_STRING *wanted = X509_get0_authority_key_id((X509 *)certificate),
                            *has = X509_get0_subject_key_id((X509 *)issuer);
    if (wanted && has && ASN1_OCTET_STRING_cmp(wanted, has) != 0)
        return true;
    const ASN1_INTEGER *serial = X509_get0_authority_serial((X509 *)certificate);
    return serial && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(issuer)) != 0;
}

bool path_same_authority(const X509 *one, const X509 *other) {
    const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(one), *other_key = X509_get0_pubkey_bitstr(other);
    return X509_NAME_cmp(X509_get_subject_name(one), X509_get_subject_name(other)) == 0 &&
           ASN1_STRING_cmp(key, other_key) == 0;
}

static int rank_of(const Search *search, const X509 *certificate, const Node *issuer, bool signs) {
    return 8 * signs + 4 * !path_misleads(certificate, issuer->certificate) +
           2 * (path_validity(issuer->certificate, search->at) == 0) + issuer->anchor;
}

static int by_rank(const void *a, const void *b) {
    return ((const Edge *)b)->rank - ((const Edge *)a)->rank;
}

/* The node of a certificate, a new one if need be; NULL once there are too many. */
static Node *node_of(Search *search, X509 *certificate, bool anchor) {
    uint8_t digest[32];
    if (X509_digest(certificate, EVP_sha256(), digest, NULL) != 1)
        return NULL;
    Node *node = g_hash_table_lookup(search->digests, digest);
    if (!node) {
        if (search->nodes->len >= PATH_NODES_MAX) {
            search->result.cut = true;
            return NULL;
        }
        X509_up_ref(certificate);
        node = g_new0(Node, 1);
        *node = (Node){.certificate = certificate, .distance = FAR};
        g_hash_table_insert(search->digests, g_memdup2(digest, sizeof digest), node);
        g_ptr_array_add(search->nodes, node);
    }
    node->anchor |= anchor;
    return node;
}

static bool has_issuer(const GArray *edges, const Node *issuer) {
    for (guint i = 0; i < edges->len; i++)
        if (g_array_index(edges, Edge, i).issuer == issuer)
            return true;
    return false;
}

static void add_edge(Search *search, Node *node, X509 *issuer, bool anchor) {
    Node *above = node_of(search, issuer, anchor);
    if (!above || above == node || has_issuer(node->edges, above))
        return;
    Edge edge = {.issuer = above, .rank = rank_of(search, node->certificate, above, false)};
    g_array_append_val(node->edges, edge);
}

static bool same_key(const Node *one, const Node *other) {
    return ASN1_STRING_cmp(X509_get0_pubkey_bitstr(one->certificate),
                           X509_get0_pubkey_bitstr(other->certificate)) == 0;
}

/* Does this key, or one that was tried before, say whether the edge holds? One key made the signature, and no other. */
static bool is_settled(const GArray *edges, guint at, bool *ret_signs) {
    const Node *issuer = g_array_index(edges, Edge, at).issuer;
    bool signer_known = false;
    *ret_signs = false;
    for (guint i = 0; i < at; i++) {
        const Edge *before = &g_array_index(edges, Edge, i);
        signer_known |= before->signs;
        if (same_key(before->issuer, issuer)) {
            *ret_signs = before->signs;
            return true;
        }
    }
    return signer_known;
}

static void verify_edges(Search *search, Node *node) {
    for (guint i = 0; i < node->edges->len; i++) {
        Edge *edge = &g_array_index(node->edges, Edge, i);
        bool settled = is_settled(node->edges, i, &edge->signs);
        if (!settled && search->signatures >= PATH_SIGNATURES_MAX) {
            search->result.cut = true;
            break;
        }
        if (!settled) {
            search->signatures++;
            edge->signs = X509_verify(node->certificate, X509_get0_pubkey(edge->issuer->certificate)) == 1;
        }
        edge->issuer->wanted |= edge->signs;
        edge->rank = rank_of(search, node->certificate, edge->issuer, edge->signs);
    }
    ERR_clear_error();
}

/* By name alone (RFC 5280 6.1.3 a 4); the likeliest first, so that bounds cut the unlikely. */
static void find_issuers(Search *search, Node *node, int from) {
    const X509_NAME *name = X509_get_issuer_name(node->certificate);
    STACK_OF(X509) *anchors = from == 0 ? X509_STORE_CTX_get1_certs(search->roots, name) : NULL;
    for (int i = 0; i < sk_X509_num(anchors); i++)
        add_edge(search, node, sk_X509_value(anchors, i), true);
    sk_X509_pop_free(anchors, X509_free);
    for (int misled = 0; misled < 2; misled++)
        for (int i = from; i < sk_X509_num(search->pool); i++) {
            X509 *issuer = sk_X509_value(search->pool, i);
            if (X509_NAME_cmp(X509_get_subject_name(issuer), name) == 0 &&
                path_misleads(node->certificate, issuer) == misled)
                add_edge(search, node, issuer, false);
        }
    g_array_sort(node->edges, by_rank);
    verify_edges(search, node);
    g_array_sort(node->edges, by_rank);
}

static bool is_issued(const Node *node) {
    return node->edges->len > 0 && g_array_index(node->edges, Edge, 0).signs;
}

static void look_above(Search *search, Node *node) {
    node->edges = g_array_new(FALSE, TRUE, sizeof(Edge));
    if (node->anchor)
        return; /* trust begins here: what is above it does not matter */
    find_issuers(search, node, 0);
    bool root =
        X509_NAME_cmp(X509_get_subject_name(node->certificate), X509_get_issuer_name(node->certificate)) == 0;
    if (is_issued(node) || root || !search->fetch)
        return;
    int before = sk_X509_num(search->pool);
    search->fetch(node->certificate, search->pool, search->data);
    if (sk_X509_num(search->pool) > before)
        find_issuers(search, node, before);
}

/* A certificate of the pool may be among the roots itself. */
static bool is_anchor(Search *search, X509 *certificate) {
    STACK_OF(X509) *same = X509_STORE_CTX_get1_certs(search->roots, X509_get_subject_name(certificate));
    bool found = false;
    for (int i = 0; !found && i < sk_X509_num(same); i++)
        found = X509_cmp(sk_X509_value(same, i), certificate) == 0;
    sk_X509_pop_free(same, X509_free);
    return found;
}

static void measure(Search *search) {
    for (guint i = 0; i < search->nodes->len; i++) {
        Node *node = search->nodes->pdata[i];
        node->distance = node->anchor ? 0 : FAR;
    }
    bool changed = true;
    for (int round = 0; changed && round < PATH_DEPTH_MAX; round++) {
        changed = false;
        for (guint i = search->nodes->len; i-- > 0;) {
            Node *node = search->nodes->pdata[i];
            for (guint e = 0; node->edges && e < node->edges->len; e++) {
                const Edge *edge = &g_array_index(node->edges, Edge, e);
                if ((edge->signs || search->broken_too) && edge->issuer->distance + 1 < node->distance) {
                    node->distance = edge->issuer->distance + 1;
                    changed = true;
                }
            }
        }
    }
}

/* ---- Walking ---- */
static void show(Search *search, int length, bool anchored) {
    STACK_OF(X509) *path = sk_X509_new_null();
    for (int i = 0; i < length; i++)
        sk_X509_push(path, search->walked[i]->certificate);
    search->result.visits++;
    search->done = search->visit(path, anchored, search->data);
    sk_X509_free(path);
}

static bool was_walked(const Search *search, const Node *node, int length) {
    for (int i = 0; i < length; i++) {
        const X509 *before = search->walked[i]->certificate;
        if (search->walked[i] == node || path_same_authority(before, node->certificate))
            return true;
    }
    return false;
}

static bool may_go_on(Search *search) {
    if (search->done)
        return false;
    if (++search->steps > PATH_STEPS_MAX || search->result.visits >= search->visits_max) {
        search->result.cut = search->done = true;
        return false;
    }
    return true;
}

/* Paths of `wanted` certificates, of which `length` were walked. */
static void walk(Search *search, Node *node, int length, int wanted) {
    search->walked[length++] = node;
    if (node->anchor || length == wanted) {
        if (node->anchor && length == wanted)
            show(search, length, true);
        return;
    }
    for (guint i = 0; i < node->edges->len; i++) {
        const Edge *edge = &g_array_index(node->edges, Edge, i);
        if (!(edge->signs || search->broken_too) || length + edge->issuer->distance + 1 > wanted)
            continue;
        if (!may_go_on(search))
            return;
        if (!was_walked(search, edge->issuer, length))
            walk(search, edge->issuer, length, wanted);
    }
}

static void walk_all(Search *search, Node *leaf) {
    measure(search);
    if (leaf->distance != FAR)
        for (int wanted = leaf->distance + 1; wanted <= PATH_DEPTH_MAX && !search->done; wanted++)
            walk(search, leaf, 0, wanted);
}

/* Nothing leads to a root: the likeliest way as far as it goes, to be told where it ends. */
static void walk_nowhere(Search *search, Node *node) {
    int length = 0;
    while (node && length < PATH_DEPTH_MAX) {
        search->walked[length++] = node;
        Node *next = NULL;
        for (guint i = 0; node->edges && i < node->edges->len && !next; i++) {
            Node *issuer = g_array_index(node->edges, Edge, i).issuer;
            next = was_walked(search, issuer, length) ? NULL : issuer;
        }
        node = next;
    }
    show(search, length, false);
}

/* Looks above every node that is wanted, until none is left. */
static void look_everywhere(Search *search) {
    for (bool more = true; more;) {
        more = false;
        for (guint i = 0; i < search->nodes->len; i++) {
            Node *node = search->nodes->pdata[i];
            if (node->edges || !(node->wanted || search->broken_too))
                continue;
            node->anchor |= is_anchor(search, node->certificate);
            look_above(search, node);
            more = true;
        }
    }
}

static void run(Search *search, Node *leaf) {
    leaf->wanted = true;
    look_everywhere(search);
    walk_all(search, leaf);
    if (search->result.visits == 0) {
        search->broken_too = true;
        search->visits_max = BROKEN_VISITS_MAX;
        search->done = false;
        look_everywhere(search);
        walk_all(search, leaf);
    }
    if (search->result.visits == 0)
        walk_nowhere(search, leaf);
}

PathSearch path_search(const VigieRoots *roots, X509 *leaf, STACK_OF(X509) * pool, VigieTime at,
                       PathFetch fetch, PathVisit visit, void *data) {
    Search search = {.roots = X509_STORE_CTX_new(),
                     .pool = pool,
                     .digests = digest_table_new(free_node),
                     .nodes = g_ptr_array_new(),
                     .at = at,
                     .fetch = fetch,
                     .visit = visit,
                     .data = data,
                     .visits_max = PATH_VISITS_MAX};
    if (X509_STORE_CTX_init(search.roots, roots->store, leaf, NULL))
        run(&search, node_of(&search, leaf, false));
    X509_STORE_CTX_free(search.roots);
    g_ptr_array_unref(search.nodes);
    g_hash_table_unref(search.digests);
    ERR_clear_error();
    return search.result;
}
