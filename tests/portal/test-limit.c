/* Limits: by address, evenly given back, forgotten, and bounded. */
#include "portal/limit.h"

static const Limit limit = {"trial", 3, 60};

static bool take(Limits *limits, const char *who, VigieTime now) {
    return limits_take(limits, &limit, who, now, NULL);
}

/* Three at once; then one for each twenty seconds that passed; the wait that is told is the one that helps. */
static void test_pace(void) {
    g_autofree Limits *limits = limits_new();
    int64_t wait = 0;
    for (int i = 0; i < 3; i++)
        g_assert_true(take(limits, "192.0.2.1", 1000));
    g_assert_true(limits_full(limits, &limit, "192.0.2.1", 1000));
    g_assert_false(limits_take(limits, &limit, "192.0.2.1", 1000, &wait));
    g_assert_cmpint(wait, ==, 20);
    g_assert_false(take(limits, "192.0.2.1", 1019));
    g_assert_true(take(limits, "192.0.2.1", 1020));
    g_assert_false(take(limits, "192.0.2.1", 1020));
    for (int i = 0; i < 3; i++)
        g_assert_true(take(limits, "192.0.2.1", 2000));
}

/* Addresses do not share, nor do two limits; a network of IPv6 counts as one. */
static void test_apart(void) {
    g_autofree Limits *limits = limits_new();
    const Limit other = {"other", 3, 60};
    for (int i = 0; i < 3; i++)
        g_assert_true(take(limits, "2001:db8:1:2::1", 1000));
    g_assert_false(take(limits, "2001:db8:1:2:ffff::9", 1000));
    g_assert_true(take(limits, "2001:db8:1:3::1", 1000));
    g_assert_true(take(limits, "192.0.2.2", 1000));
    g_assert_true(limits_take(limits, &other, "2001:db8:1:2::1", 1000, NULL));
    g_assert_false(limits_full(limits, &limit, "192.0.2.77", 1000));
}

/* However the zeros of a network's address are written, and whoever speaks IPv4 through an IPv6 socket. */
static void test_zeros(void) {
    static const char *const same[] = {"2001:db8::1",      "2001:db8::2:3",  "2001:db8::a:b:c:d",
                                       "2001:db8:0:0:1::", "2001:DB8::ffff", NULL};
    g_autofree Limits *limits = limits_new();
    for (int i = 0; same[i]; i++)
        g_assert_cmpint(take(limits, same[i], 1000), ==, i < 3);
    g_assert_true(take(limits, "2001:db8:0:1::1", 1000));
    g_autofree char *mapped = limits_subject("::ffff:192.0.2.9");
    g_assert_cmpstr(mapped, ==, "192.0.2.9");
}

/* Ten times as many askers as places: each gets in, none breaks anything, and one that keeps asking is still held. */
static void test_bounded(void) {
    g_autofree Limits *limits = limits_new();
    unsigned held = 0;
    for (unsigned i = 0; i < 80000; i++) {
        g_autofree char *who = g_strdup_printf("10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        g_assert_true(take(limits, who, 1000 + i / 1000));
        held += !take(limits, "192.0.2.1", 1000 + i / 1000);
    }
    g_assert_cmpuint(held, >, 79000);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/limit/pace", test_pace);
    g_test_add_func("/limit/apart", test_apart);
    g_test_add_func("/limit/zeros", test_zeros);
    g_test_add_func("/limit/bounded", test_bounded);
    return g_test_run();
}
