/* Pacing: never more at an address than allowed, gentle turns alone and with pauses, the common rate kept,
 * and turns granted in the order in which they were asked for. */
#include "net/net.h"

static VigieReactor *reactor;
static VigieTurn *granted[64];
static size_t grants;

static void grant(VigieTurn *turn) {
    granted[grants++] = turn;
}

static VigieTurn turn_at(const char *address, bool gentle) {
    VigieTurn turn = {.gentle = gentle, .granted = grant};
    g_assert_true(net_address_parse(address, &turn.address));
    return turn;
}

static void start(void) {
    reactor = net_reactor_new();
    grants = 0;
}

static void test_per_host(void) {
    start();
    VigiePacer *pacer = net_pacer_new(reactor, &(VigiePace){.per_host = 2});
    VigieTurn turns[5];
    for (int i = 0; i < 5; i++)
        turns[i] = turn_at("10.0.0.1", false);
    VigieTurn other = turn_at("10.0.0.2", false);
    g_assert_true(net_pacer_ask(pacer, &turns[0]));
    g_assert_true(net_pacer_ask(pacer, &turns[1]));
    for (int i = 2; i < 5; i++)
        g_assert_false(net_pacer_ask(pacer, &turns[i]));
    g_assert_true(net_pacer_ask(pacer, &other));
    net_pacer_release(pacer, &turns[3]); /* given up while waiting */
    net_pacer_release(pacer, &turns[0]);
    g_assert_cmpuint(grants, ==, 1);
    g_assert_true(granted[0] == &turns[2]);
    net_pacer_release(pacer, &turns[0]); /* twice is once */
    g_assert_cmpuint(grants, ==, 1);
    net_pacer_release(pacer, &turns[1]);
    g_assert_cmpuint(grants, ==, 2);
    g_assert_true(granted[1] == &turns[4]);
    net_pacer_release(pacer, &turns[2]);
    net_pacer_release(pacer, &turns[4]);
    net_pacer_release(pacer, &other);
    net_pacer_free(pacer);
    g_clear_pointer(&reactor, net_reactor_free);
}

static void test_gentle(void) {
    start();
    VigiePacer *pacer =
        net_pacer_new(reactor, &(VigiePace){.per_host = 8, .gentle_pause = 50 * NET_MILLISECOND});
    VigieTurn first = turn_at("10.0.0.1", true), second = turn_at("10.0.0.1", true);
    g_assert_true(net_pacer_ask(pacer, &first));
    g_assert_false(net_pacer_ask(pacer, &second));
    int64_t released = net_now();
    net_pacer_release(pacer, &first);
    g_assert_cmpuint(grants, ==, 0);
    while (grants == 0)
        net_reactor_run(reactor, NET_SECOND);
    g_assert_cmpint(net_now() - released, >=, 50 * NET_MILLISECOND);
    net_pacer_release(pacer, &second);
    /* One that comes during the pause waits too. */
    g_assert_false(net_pacer_ask(pacer, &first));
    while (grants == 1)
        net_reactor_run(reactor, NET_SECOND);
    net_pacer_release(pacer, &first);
    net_pacer_free(pacer);
    g_clear_pointer(&reactor, net_reactor_free);
}

static void test_rate(void) {
    start();
    VigiePacer *pacer = net_pacer_new(reactor, &(VigiePace){.rate = 100, .per_host = 1});
    VigieTurn turns[30];
    size_t at_once = 0;
    int64_t begun = net_now();
    for (int i = 0; i < 30; i++) {
        g_autofree char *address = g_strdup_printf("10.0.0.%d", i);
        turns[i] = turn_at(address, false);
        at_once += net_pacer_ask(pacer, &turns[i]);
    }
    g_assert_cmpuint(at_once, ==, 1);
    while (grants < 29)
        net_reactor_run(reactor, NET_SECOND);
    double seconds = (double)(net_now() - begun) / (double)NET_SECOND;
    g_assert_cmpfloat(seconds, >, 0.2);
    g_assert_cmpfloat(seconds, <, 3);
    for (size_t i = 0; i < 29; i++)
        g_assert_true(granted[i] == &turns[i + 1]);
    for (int i = 0; i < 30; i++)
        net_pacer_release(pacer, &turns[i]);
    net_pacer_free(pacer);
    g_clear_pointer(&reactor, net_reactor_free);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pace/per-host", test_per_host);
    g_test_add_func("/pace/gentle-alone-and-with-pauses", test_gentle);
    g_test_add_func("/pace/rate", test_rate);
    return g_test_run();
}
