/* Addresses, names and resolution. */
#include "net/net.h"

static void test_addresses(void) {
    VigieAddress address;
    char text[NET_ADDRESS_TEXT];
    g_assert_true(net_address_parse("10.0.0.255", &address));
    address = net_address_plus(&address, 1);
    net_address_text(&address, text);
    g_assert_cmpstr(text, ==, "10.0.1.0");
    address = net_address_plus(&address, 0x10102);
    net_address_text(&address, text);
    g_assert_cmpstr(text, ==, "10.1.2.2");
    g_assert_true(net_address_parse("2001:db8::ffff:ffff:ffff", &address));
    address = net_address_plus(&address, 1);
    net_address_text(&address, text);
    g_assert_cmpstr(text, ==, "2001:db8:0:0:1::");
    for (const char **bad = (const char *[]){"", "10.0.0", "10.0.0.256", "[::1]", "host", ":::", NULL}; *bad;
         bad++)
        g_assert_false(net_address_parse(*bad, &address));
}

/* What a stranger's name may lead to, and what not, also where IPv4 is embedded in IPv6. */
static void test_reach(void) {
    static const struct {
        const char *address;
        bool public, site;
    } cases[] = {
        {"9.9.9.9", true, true},
        {"10.0.0.1", false, true},
        {"172.31.0.1", false, true},
        {"192.168.1.1", false, true},
        {"100.64.0.1", false, true},
        {"0.0.0.0", false, false},
        {"0.1.2.3", false, false},
        {"127.0.0.1", false, false},
        {"127.255.255.254", false, false},
        {"169.254.169.254", false, false},
        {"224.0.0.1", false, false},
        {"255.255.255.255", false, false},
        {"2a00:1450::1", true, true},
        {"fd00::1", false, true},
        {"::", false, false},
        {"::1", false, false},
        {"::127.0.0.1", false, false},
        {"::ffff:127.0.0.1", false, false},
        {"::ffff:10.0.0.1", false, true},
        {"64:ff9b::127.0.0.1", false, false},
        {"64:ff9b::10.0.0.1", false, true},
        {"2002:7f00:1::1", false, false},
        {"2002:a9fe:a9fe::1", false, false},
        {"2001:0:1::1", false, false},
        {"fe80::1", false, false},
        {"fec0::1", false, false},
        {"ff02::1", false, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        VigieAddress address;
        g_assert_true(net_address_parse(cases[i].address, &address));
        g_test_message("%s", cases[i].address);
        g_assert_cmpint(net_reach_allows(VIGIE_REACH_PUBLIC, &address), ==, cases[i].public);
        g_assert_cmpint(net_reach_allows(VIGIE_REACH_SITE, &address), ==, cases[i].site);
        g_assert_true(net_reach_allows(VIGIE_REACH_ALL, &address));
    }
}

static void test_names(void) {
    char ascii[NET_NAME_MAX];
    const char *problem;
    g_assert_true(net_name_ascii("Échographe-4.Hôpital.test", ascii, &problem));
    g_assert_cmpstr(ascii, ==, "xn--chographe-4-99a.xn--hpital-ixa.test");
    g_assert_true(net_name_ascii("AUTOMATE_02.chu.test.", ascii, &problem));
    g_assert_cmpstr(ascii, ==, "automate_02.chu.test");
    g_autofree char *long_label = g_strnfill(64, 'a');
    g_autofree char *long_name = g_strnfill(300, 'a');
    for (size_t i = 63; i < 300; i += 64)
        long_name[i] = '.';
    const char *bad[] = {"", ".", "a..b", "a b", "a/b", "a\r\nb", long_label, long_name, "a\xff.test", NULL};
    for (const char **name = bad; *name; name++) {
        problem = NULL;
        g_assert_false(net_name_ascii(*name, ascii, &problem));
        g_assert_nonnull(problem);
    }
}

typedef struct {
    VigieQuery query;
    bool told;
    VigieResolveOutcome outcome;
    size_t count;
    VigieAddress first;
} Asked;

static void told(VigieQuery *query, VigieResolveOutcome outcome, const VigieAddress *addresses,
                 size_t count) {
    Asked *asked = (Asked *)query;
    *asked = (Asked){.told = true, .outcome = outcome, .count = count};
    if (count > 0)
        asked->first = addresses[0];
}

static void ask(VigieReactor *reactor, VigieResolver *resolver, Asked *asked, const char *name) {
    *asked = (Asked){.query.answered = told};
    net_resolve(resolver, &asked->query, name);
    g_assert_false(asked->told);
    int64_t until = net_now() + 10 * NET_SECOND;
    while (!asked->told && net_now() < until)
        net_reactor_run(reactor, NET_SECOND);
    g_assert_true(asked->told);
}

/* localhost comes from /etc/hosts; the second answer from the cache; a name that cannot be has an end too. */
static void test_resolution(void) {
    VigieReactor *reactor = net_reactor_new();
    VigieResolver *resolver = net_resolver_new(reactor, 500);
    Asked asked;
    for (int i = 0; i < 2; i++) {
        ask(reactor, resolver, &asked, "localhost");
        g_assert_cmpint(asked.outcome, ==, NET_RESOLVED);
        g_assert_cmpuint(asked.count, >=, 1);
    }
    ask(reactor, resolver, &asked, "no-such-device.invalid");
    g_assert_cmpint(asked.outcome, !=, NET_RESOLVED);
    Asked cancelled = {.query.answered = told};
    net_resolve(resolver, &cancelled.query, "localhost");
    net_resolve_cancel(resolver, &cancelled.query);
    net_resolve_cancel(resolver, &cancelled.query);
    net_reactor_run(reactor, 10 * NET_MILLISECOND);
    g_assert_false(cancelled.told);
    net_resolver_free(resolver);
    net_reactor_free(reactor);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dial/addresses", test_addresses);
    g_test_add_func("/dial/reach", test_reach);
    g_test_add_func("/dial/names", test_names);
    g_test_add_func("/dial/resolution", test_resolution);
    return g_test_run();
}
