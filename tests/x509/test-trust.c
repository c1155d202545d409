/* Verdicts on chains that libcrypto issues here and now: the good, and each way of being wrong told from the others. */
#include "issue.h"

#include <string.h>

/* A hospital's authority of two tiers, a stranger's, and a cache. */
typedef struct {
    Issued root, authority, stranger_root, stranger;
    VigieRoots *roots; /* holds root alone */
    VigieChainCache *cache;
} World;

static World world;

static void build_world(void) {
    world.root = issue((Wish){
        .name = "AC Racine CHU", .organisation = "CHU", .authority = true, .until = 4000, .from = -10});
    world.authority = issue((Wish){.name = "AC Équipements CHU",
                                   .organisation = "CHU",
                                   .issuer = &world.root,
                                   .authority = true,
                                   .until = 2000,
                                   .from = -10});
    world.stranger_root =
        issue((Wish){.name = "Vendor Root", .organisation = "Vendor SA", .authority = true});
    world.stranger = issue((Wish){.name = "Vendor Devices",
                                  .organisation = "Vendor SA",
                                  .issuer = &world.stranger_root,
                                  .authority = true});
    world.cache = x509_chain_cache_new(100);
    world.roots = x509_roots_new();
    add_root(world.roots, &world.root, NULL);
}

static void clear_world(void) {
    issued_clear(&world.root);
    issued_clear(&world.authority);
    issued_clear(&world.stranger_root);
    issued_clear(&world.stranger);
    x509_roots_free(world.roots);
    x509_chain_cache_free(world.cache);
}

static Issued device(Wish wish) {
    wish.name = wish.name ? wish.name : "automate-02.chu.test";
    wish.issuer = wish.issuer ? wish.issuer : &world.authority;
    return issue(wish);
}

static VigieTrust judge(VigieChain *chain, VigieTime now) {
    VigieTrust trust = x509_chain_judge(world.roots, chain, now);
    x509_chain_unref(chain);
    return trust;
}

static void assert_verdict(VigieTrust trust, VigieTrustVerdict verdict, size_t at) {
    g_assert_cmpstr(x509_trust_name(trust.verdict), ==, x509_trust_name(verdict));
    g_assert_cmpuint(trust.at, ==, at);
    if (verdict != VIGIE_TRUST_TRUSTED && verdict != VIGIE_TRUST_UNJUDGED)
        g_assert_nonnull(trust.detail);
}

static void test_good(void) {
    g_auto(Issued) leaf = device((Wish){0});
    VigieTrust trust = judge(SERVED(world.cache, &leaf, &world.authority), NOW);
    assert_verdict(trust, VIGIE_TRUST_TRUSTED, 0);
    g_assert_cmpstr(trust.anchor, ==, "AC Racine CHU");
    g_assert_false(trust.order_wrong);
    g_assert_false(trust.superfluous);
    g_assert_null(trust.detail);
    /* With the root served too, as many do. */
    trust = judge(SERVED(world.cache, &leaf, &world.authority, &world.root), NOW);
    assert_verdict(trust, VIGIE_TRUST_TRUSTED, 0);
    g_assert_false(trust.superfluous);
}

static void test_label(void) {
    g_auto(Issued) leaf = device((Wish){0});
    g_autoptr(VigieRoots) roots = x509_roots_new();
    add_root(roots, &world.root, "Hôpital");
    g_autoptr(VigieChain) chain = SERVED(world.cache, &leaf, &world.authority);
    g_assert_cmpstr(x509_chain_judge(roots, chain, NOW).anchor, ==, "Hôpital");
}

/* The hospital may name an intermediate as what it trusts. */
static void test_intermediate_as_root(void) {
    g_auto(Issued) leaf = device((Wish){0});
    g_autoptr(VigieRoots) roots = x509_roots_new();
    add_root(roots, &world.authority, NULL);
    g_autoptr(VigieChain) chain = SERVED(world.cache, &leaf);
    VigieTrust trust = x509_chain_judge(roots, chain, NOW);
    assert_verdict(trust, VIGIE_TRUST_TRUSTED, 0);
    g_assert_cmpstr(trust.anchor, ==, "AC Équipements CHU");
}

static void test_dates(void) {
    g_auto(Issued) over = device((Wish){.from = -400, .until = -3});
    g_auto(Issued) early = device((Wish){.from = 2, .until = 300});
    assert_verdict(judge(SERVED(world.cache, &over, &world.authority), NOW), VIGIE_TRUST_EXPIRED, 0);
    assert_verdict(judge(SERVED(world.cache, &early, &world.authority), NOW), VIGIE_TRUST_NOT_YET_VALID, 0);
    g_auto(Issued) authority = issue(
        (Wish){.name = "AC 2020", .issuer = &world.root, .authority = true, .from = -2000, .until = -1});
    g_auto(Issued) leaf = device((Wish){.issuer = &authority});
    assert_verdict(judge(SERVED(world.cache, &leaf, &authority), NOW), VIGIE_TRUST_EXPIRED, 1);
}

/* One chain, three times: what was judged once is judged again when a date has passed, and not before. */
static void test_time_passes(void) {
    g_auto(Issued) leaf = device((Wish){.from = -10, .until = 10});
    for (int again = 0; again < 2; again++) {
        g_autoptr(VigieChain) chain = SERVED(world.cache, &leaf, &world.authority);
        assert_verdict(x509_chain_judge(world.roots, chain, NOW), VIGIE_TRUST_TRUSTED, 0);
        assert_verdict(x509_chain_judge(world.roots, chain, NOW + 9 * DAY), VIGIE_TRUST_TRUSTED, 0);
        assert_verdict(x509_chain_judge(world.roots, chain, NOW + 11 * DAY), VIGIE_TRUST_EXPIRED, 0);
        assert_verdict(x509_chain_judge(world.roots, chain, NOW - 11 * DAY), VIGIE_TRUST_NOT_YET_VALID, 0);
        /* Even the root ends. */
        VigieTrustVerdict at_the_end = x509_chain_judge(world.roots, chain, NOW + 4001 * DAY).verdict;
        g_assert_cmpint(at_the_end, ==, VIGIE_TRUST_EXPIRED);
    }
}

static void test_self_signed(void) {
    g_auto(Issued) leaf = issue((Wish){.name = "ecm-01.local"});
    assert_verdict(judge(SERVED(world.cache, &leaf), NOW), VIGIE_TRUST_SELF_SIGNED, 0);
    g_auto(Issued) old = issue((Wish){.name = "ecm-01.local", .from = -4000, .until = -3000});
    assert_verdict(judge(SERVED(world.cache, &old), NOW), VIGIE_TRUST_SELF_SIGNED, 0);
    g_autoptr(VigieRoots) pinned = x509_roots_new();
    add_root(pinned, &leaf, NULL);
    g_autoptr(VigieChain) chain = SERVED(world.cache, &leaf);
    assert_verdict(x509_chain_judge(pinned, chain, NOW), VIGIE_TRUST_TRUSTED, 0);
}

static void test_unknown_authority(void) {
    g_auto(Issued) leaf = device((Wish){.issuer = &world.stranger});
    VigieTrust trust = judge(SERVED(world.cache, &leaf, &world.stranger, &world.stranger_root), NOW);
    assert_verdict(trust, VIGIE_TRUST_UNKNOWN_AUTHORITY, 2);
    trust = judge(SERVED(world.cache, &leaf, &world.stranger), NOW);
    assert_verdict(trust, VIGIE_TRUST_UNKNOWN_AUTHORITY, 1);
    g_assert_nonnull(strstr(trust.detail, "Vendor Root"));
    /* Behind a date: the authority is the graver, and the date can be read off the certificate. */
    g_auto(Issued) over = device((Wish){.issuer = &world.stranger, .from = -400, .until = -3});
    trust = judge(SERVED(world.cache, &over, &world.stranger), NOW);
    g_assert_cmpint(trust.verdict, ==, VIGIE_TRUST_UNKNOWN_AUTHORITY);
}

/* The missing intermediate is named, and told from an authority that nobody knows. */
static void test_incomplete(void) {
    g_auto(Issued) leaf = device((Wish){0});
    VigieTrust trust = judge(SERVED(world.cache, &leaf), NOW);
    assert_verdict(trust, VIGIE_TRUST_INCOMPLETE, 0);
    g_assert_nonnull(strstr(trust.detail, "AC Équipements CHU"));
    g_auto(Issued) strange = device((Wish){.issuer = &world.stranger});
    assert_verdict(judge(SERVED(world.cache, &strange), NOW), VIGIE_TRUST_UNKNOWN_AUTHORITY, 0);
    g_auto(Issued) fetchable =
        device((Wish){.issuer = &world.stranger,
                      .extensions = {"authorityInfoAccess", "caIssuers;URI:http://ca.test/ca.cer"}});
    assert_verdict(judge(SERVED(world.cache, &fetchable), NOW), VIGIE_TRUST_INCOMPLETE, 0);
    /* The middle one of three is missing. */
    g_auto(Issued) third = issue(
        (Wish){.name = "AC Bloc", .organisation = "CHU", .issuer = &world.authority, .authority = true});
    g_auto(Issued) deep = device((Wish){.issuer = &third});
    assert_verdict(judge(SERVED(world.cache, &deep, &third), NOW), VIGIE_TRUST_INCOMPLETE, 1);
    assert_verdict(judge(SERVED(world.cache, &deep, &third, &world.authority), NOW), VIGIE_TRUST_TRUSTED, 0);
}

static void test_order(void) {
    g_auto(Issued) leaf = device((Wish){0});
    VigieTrust trust = judge(SERVED(world.cache, &leaf, &world.root, &world.authority), NOW);
    assert_verdict(trust, VIGIE_TRUST_TRUSTED, 0);
    g_assert_true(trust.order_wrong);
    /* Upside down. */
    trust = judge(SERVED(world.cache, &world.root, &world.authority, &leaf), NOW);
    g_assert_cmpint(trust.verdict, ==, VIGIE_TRUST_TRUSTED);
    g_assert_true(trust.order_wrong);
    /* Something else besides is no disorder. */
    trust = judge(SERVED(world.cache, &leaf, &world.authority, &world.stranger), NOW);
    assert_verdict(trust, VIGIE_TRUST_TRUSTED, 0);
    g_assert_false(trust.order_wrong);
    g_assert_true(trust.superfluous);
    trust = judge(SERVED(world.cache, &leaf, &leaf, &world.authority), NOW);
    g_assert_false(trust.order_wrong);
    g_assert_true(trust.superfluous);
}

static void test_weak(void) {
    g_auto(Issued) sha1 = device((Wish){.sha1 = true});
    assert_verdict(judge(SERVED(world.cache, &sha1, &world.authority), NOW), VIGIE_TRUST_WEAK, 0);
    g_auto(Issued) rsa = device((Wish){.rsa = 1024});
    assert_verdict(judge(SERVED(world.cache, &rsa, &world.authority), NOW), VIGIE_TRUST_WEAK, 0);
    g_auto(Issued) authority =
        issue((Wish){.name = "AC 1024", .issuer = &world.root, .authority = true, .rsa = 1024});
    g_auto(Issued) leaf = device((Wish){.issuer = &authority});
    assert_verdict(judge(SERVED(world.cache, &leaf, &authority), NOW), VIGIE_TRUST_WEAK, 1);
}

static void test_forged(void) {
    g_auto(Issued) pretender = issue((Wish){
        .name = "AC Équipements CHU", .organisation = "CHU", .issuer = &world.root, .authority = true});
    Issued mixed = {.certificate = world.authority.certificate, .key = pretender.key};
    g_auto(Issued) leaf = device((Wish){.issuer = &mixed});
    VigieTrust trust = judge(SERVED(world.cache, &leaf, &world.authority), NOW);
    assert_verdict(trust, VIGIE_TRUST_BAD_SIGNATURE, 0);
}

static void test_constraints(void) {
    g_auto(Issued) short_path =
        issue((Wish){.name = "AC courte",
                     .issuer = &world.root,
                     .authority = true,
                     .extensions = {"basicConstraints", "critical,CA:TRUE,pathlen:0"}});
    g_auto(Issued) below = issue((Wish){.name = "AC dessous", .issuer = &short_path, .authority = true});
    g_auto(Issued) leaf = device((Wish){.issuer = &below});
    VigieTrust trust = judge(SERVED(world.cache, &leaf, &below, &short_path), NOW);
    g_assert_cmpint(trust.verdict, ==, VIGIE_TRUST_CONSTRAINT);
    g_assert_nonnull(strstr(trust.detail, "RFC 5280 4.2.1.9"));

    g_auto(Issued) named = issue((Wish){.name = "AC CHU seule",
                                        .issuer = &world.root,
                                        .authority = true,
                                        .extensions = {"nameConstraints", "permitted;DNS:chu.test"}});
    g_auto(Issued) inside =
        device((Wish){.issuer = &named, .extensions = {"subjectAltName", "DNS:a.chu.test"}});
    g_auto(Issued) outside =
        device((Wish){.issuer = &named, .extensions = {"subjectAltName", "DNS:a.autre.test"}});
    assert_verdict(judge(SERVED(world.cache, &inside, &named), NOW), VIGIE_TRUST_TRUSTED, 0);
    trust = judge(SERVED(world.cache, &outside, &named), NOW);
    g_assert_cmpint(trust.verdict, ==, VIGIE_TRUST_CONSTRAINT);
    g_assert_nonnull(strstr(trust.detail, "RFC 5280 4.2.1.10"));

    g_auto(Issued) plain = issue((Wish){
        .name = "not an authority", .issuer = &world.root, .extensions = {"basicConstraints", "CA:FALSE"}});
    g_auto(Issued) bastard = device((Wish){.issuer = &plain});
    trust = judge(SERVED(world.cache, &bastard, &plain), NOW);
    g_assert_cmpint(trust.verdict, ==, VIGIE_TRUST_CONSTRAINT);

    g_auto(Issued) client = device((Wish){.extensions = {"extendedKeyUsage", "clientAuth"}});
    trust = judge(SERVED(world.cache, &client, &world.authority), NOW);
    assert_verdict(trust, VIGIE_TRUST_CONSTRAINT, 0);
}

/* Cross-signed: the way through the root that is known is taken, whichever way is served. */
static void test_cross(void) {
    g_auto(Issued) new_root = issue((Wish){.name = "AC Racine 2026", .authority = true});
    g_auto(Issued) cross = issue(
        (Wish){.name = "AC Racine 2026", .issuer = &world.root, .same_key = &new_root, .authority = true});
    g_auto(Issued) below = issue((Wish){.name = "AC 2026", .issuer = &new_root, .authority = true});
    g_auto(Issued) leaf = device((Wish){.issuer = &below});
    VigieTrust trust = judge(SERVED(world.cache, &leaf, &below, &cross), NOW);
    assert_verdict(trust, VIGIE_TRUST_TRUSTED, 0);
    g_assert_cmpstr(trust.anchor, ==, "AC Racine CHU");
    trust = judge(SERVED(world.cache, &leaf, &below, &new_root), NOW);
    g_assert_cmpint(trust.verdict, ==, VIGIE_TRUST_UNKNOWN_AUTHORITY);
    g_autoptr(VigieRoots) both = x509_roots_new();
    add_root(both, &world.root, NULL);
    add_root(both, &new_root, NULL);
    g_autoptr(VigieChain) chain = SERVED(world.cache, &leaf, &below, &cross);
    assert_verdict(x509_chain_judge(both, chain, NOW), VIGIE_TRUST_TRUSTED, 0);
}

/* A root given later changes the verdict on a chain already judged. */
static void test_root_added(void) {
    g_auto(Issued) leaf = device((Wish){.issuer = &world.stranger});
    g_autoptr(VigieChain) chain = SERVED(world.cache, &leaf, &world.stranger);
    g_autoptr(VigieRoots) roots = x509_roots_new();
    assert_verdict(x509_chain_judge(roots, chain, NOW), VIGIE_TRUST_UNJUDGED, 0);
    add_root(roots, &world.root, NULL);
    g_assert_cmpint(x509_chain_judge(roots, chain, NOW).verdict, ==, VIGIE_TRUST_UNKNOWN_AUTHORITY);
    add_root(roots, &world.stranger_root, NULL);
    assert_verdict(x509_chain_judge(roots, chain, NOW), VIGIE_TRUST_TRUSTED, 0);
}

/* Thirty-two certificates that all could be each other's issuer cost a verdict, not a minute. */
static void test_maze(void) {
    Issued maze[32];
    const Issued *list[33] = {NULL};
    g_auto(Issued) first = issue((Wish){.name = "Maze", .organisation = "Maze", .authority = true});
    for (size_t i = 0; i < 32; i++) {
        maze[i] = issue((Wish){.name = i ? "Maze" : "leaf",
                               .organisation = i ? "Maze" : NULL,
                               .issuer = &first,
                               .same_key = i ? &first : NULL,
                               .authority = i > 0});
        list[i] = &maze[i];
    }
    gint64 start = g_get_monotonic_time();
    g_assert_cmpint(judge(served(world.cache, list), NOW).verdict, !=, VIGIE_TRUST_TRUSTED);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 20 * G_USEC_PER_SEC);
    for (size_t i = 0; i < 32; i++)
        issued_clear(&maze[i]);
}

/* More chains than the cache of chains holds. */
static void test_many(void) {
    for (int i = 0; i < 300; i++) {
        g_auto(Issued) leaf = device((Wish){0});
        assert_verdict(judge(SERVED(world.cache, &leaf, &world.authority), NOW), VIGIE_TRUST_TRUSTED, 0);
    }
}

static void test_files(void) {
    g_autoptr(VigieRoots) roots = x509_roots_new();
    g_autoptr(GError) missing = NULL;
    g_assert_false(x509_roots_add_file(roots, "/nonexistent/root.pem", NULL, NULL, &missing));
    g_assert_error(missing, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND);
    g_autoptr(GError) wrong = NULL;
    g_assert_false(x509_roots_add_file(roots, "/etc/passwd", NULL, NULL, &wrong));
    g_assert_error(wrong, VIGIE_ERROR, VIGIE_ERROR_INVALID);
    g_autoptr(GError) error = NULL;
    g_assert_true(x509_roots_add_system(roots, &error));
    g_assert_no_error(error);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    build_world();
    g_test_add_func("/x509/trust/good", test_good);
    g_test_add_func("/x509/trust/label", test_label);
    g_test_add_func("/x509/trust/intermediate-as-root", test_intermediate_as_root);
    g_test_add_func("/x509/trust/dates", test_dates);
    g_test_add_func("/x509/trust/time-passes", test_time_passes);
    g_test_add_func("/x509/trust/self-signed", test_self_signed);
    g_test_add_func("/x509/trust/unknown-authority", test_unknown_authority);
    g_test_add_func("/x509/trust/incomplete", test_incomplete);
    g_test_add_func("/x509/trust/order", test_order);
    g_test_add_func("/x509/trust/weak", test_weak);
    g_test_add_func("/x509/trust/forged", test_forged);
    g_test_add_func("/x509/trust/constraints", test_constraints);
    g_test_add_func("/x509/trust/cross", test_cross);
    g_test_add_func("/x509/trust/root-added", test_root_added);
    g_test_add_func("/x509/trust/maze", test_maze);
    g_test_add_func("/x509/trust/many", test_many);
    g_test_add_func("/x509/trust/files", test_files);
    int status = g_test_run();
    clear_world();
    return status;
}
