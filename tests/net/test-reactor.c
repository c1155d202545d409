/* The reactor: timers come in the order of their due times whatever the order of setting, and an event of a
 * watch that ended in the same round is never told. */
#include "net/net.h"

#include <sys/epoll.h>
#include <unistd.h>

enum { TIMERS = 2000 };

typedef struct {
    VigieTimer timer;
    bool fired, cancelled;
} Alarm;

static Alarm alarms[TIMERS];
static int64_t last_due;
static size_t fired;

static void ring(VigieTimer *timer) {
    g_assert_cmpint(timer->due, >=, last_due);
    last_due = timer->due;
    Alarm *alarm = (Alarm *)timer;
    g_assert_false(alarm->fired);
    g_assert_false(alarm->cancelled);
    alarm->fired = true;
    fired++;
}

static void test_timers(void) {
    g_autoptr(VigieReactor) reactor = net_reactor_new();
    int64_t start = net_now();
    for (size_t i = 0; i < TIMERS; i++) {
        alarms[i].timer.expired = ring;
        net_timer_set(reactor, &alarms[i].timer, start + g_test_rand_int_range(0, 1000000));
    }
    for (size_t i = 0; i < TIMERS; i += 3)
        net_timer_set(reactor, &alarms[i].timer, start + g_test_rand_int_range(0, 1000000));
    size_t cancelled = 0;
    for (size_t i = 0; i < TIMERS; i += 7) {
        net_timer_cancel(reactor, &alarms[i].timer);
        net_timer_cancel(reactor, &alarms[i].timer);
        alarms[i].cancelled = true;
        cancelled++;
    }
    while (fired + cancelled < TIMERS)
        net_reactor_run(reactor, NET_SECOND);
    g_assert_cmpint(net_now() - start, <, 5 * NET_SECOND);
}

static VigieReactor *shared;
static VigieWatch pair[2];
static int told;

static void end_both(VigieWatch *watch, uint32_t events) {
    (void)watch;
    g_assert_cmpuint(events & EPOLLIN, ==, EPOLLIN);
    told++;
    for (int i = 0; i < 2; i++)
        net_watch_end(shared, &pair[i]);
}

static void test_ended_watch(void) {
    shared = net_reactor_new();
    int fds[2][2];
    for (int i = 0; i < 2; i++) {
        g_assert_cmpint(pipe(fds[i]), ==, 0);
        g_assert_cmpint(write(fds[i][1], "x", 1), ==, 1);
        pair[i] = (VigieWatch){.fd = fds[i][0], .ready = end_both};
        g_assert_true(net_watch_start(shared, &pair[i], EPOLLIN | EPOLLET));
    }
    net_reactor_run(shared, NET_SECOND);
    g_assert_cmpint(told, ==, 1);
    for (int i = 0; i < 4; i++)
        close(fds[i / 2][i % 2]);
    net_reactor_free(shared);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/reactor/timers-in-order", test_timers);
    g_test_add_func("/reactor/ended-watch-is-silent", test_ended_watch);
    return g_test_run();
}
