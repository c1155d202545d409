/* The epoll reactor, and timers in a binary heap that knows where each of its timers is. */
#include "net/net.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 256 };

struct VigieReactor {
    int epoll;
    int64_t now;
    VigieTimer **heap; /* heap[1] is due first */
    size_t timers, heap_capacity;
    struct epoll_event events[BATCH]; /* of the round under way: [next, ready) are still to be told */
    int ready, next;
};

int64_t net_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * NET_SECOND + time.tv_nsec;
}

VigieReactor *net_reactor_new(void) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        return NULL;
    VigieReactor *reactor = g_new0(VigieReactor, 1);
    reactor->epoll = epoll;
    reactor->now = net_now();
    return reactor;
}

void net_reactor_free(VigieReactor *reactor) {
    if (!reactor)
        return;
    close(reactor->epoll);
    g_free(reactor->heap);
    g_free(reactor);
}

int64_t net_reactor_now(const VigieReactor *reactor) {
    return reactor->now;
}

/* ---- Watches ----------------------------------------------------------------------------------------- */
bool net_watch_start(VigieReactor *reactor, VigieWatch *watch, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(reactor->epoll, EPOLL_CTL_ADD, watch->fd, &event) == 0;
}

void net_watch_change(VigieReactor *reactor, VigieWatch *watch, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = watch};
    epoll_ctl(reactor->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

/* An event of this round may still be waiting to be told; its watch may be gone by then. */
void net_watch_end(VigieReactor *reactor, VigieWatch *watch) {
    for (int i = reactor->next; i < reactor->ready; i++)
        if (reactor->events[i].data.ptr == watch)
            reactor->events[i].data.ptr = NULL;
}

/* ---- Timers ------------------------------------------------------------------------------------------ */
static void put(VigieReactor *reactor, VigieTimer *timer, size_t place) {
    reactor->heap[place] = timer;
    timer->place = place;
}

static void rise(VigieReactor *reactor, VigieTimer *timer, size_t place) {
    for (; place > 1 && reactor->heap[place / 2]->due > timer->due; place /= 2)
        put(reactor, reactor->heap[place / 2], place);
    put(reactor, timer, place);
}

static void sink(VigieReactor *reactor, VigieTimer *timer, size_t place) {
    for (size_t child; (child = 2 * place) <= reactor->timers; place = child) {
        if (child < reactor->timers && reactor->heap[child + 1]->due < reactor->heap[child]->due)
            child++;
        if (reactor->heap[child]->due >= timer->due)
            break;
        put(reactor, reactor->heap[child], place);
    }
    put(reactor, timer, place);
}

static void settle(VigieReactor *reactor, VigieTimer *timer, size_t place) {
    if (place > 1 && reactor->heap[place / 2]->due > timer->due)
        rise(reactor, timer, place);
    else
        sink(reactor, timer, place);
}

void net_timer_set(VigieReactor *reactor, VigieTimer *timer, int64_t due) {
    timer->due = due;
    if (timer->place) {
        settle(reactor, timer, timer->place);
        return;
    }
    if (reactor->timers + 1 >= reactor->heap_capacity) {
        reactor->heap_capacity = MAX(64, 2 * reactor->heap_capacity);
        reactor->heap = g_renew(VigieTimer *, reactor->heap, reactor->heap_capacity);
    }
    rise(reactor, timer, ++reactor->timers);
}

void net_timer_cancel(VigieReactor *reactor, VigieTimer *timer) {
    size_t place = timer->place;
    if (!place)
        return;
    timer->place = 0;
    VigieTimer *last = reactor->heap[reactor->timers--];
    if (last != timer)
        settle(reactor, last, place);
}

/* ---- A round ----------------------------------------------------------------------------------------- */
/* Timers set by the callbacks of this round are due in the next at the earliest. */
static void expire(VigieReactor *reactor) {
    int64_t now = reactor->now;
    while (reactor->timers > 0 && reactor->heap[1]->due <= now) {
        VigieTimer *timer = reactor->heap[1];
        net_timer_cancel(reactor, timer);
        timer->expired(timer);
    }
}

static int wait_ms(const VigieReactor *reactor, int64_t max_wait) {
    int64_t wait = max_wait;
    if (reactor->timers > 0) {
        int64_t until = reactor->heap[1]->due - net_now(); /* apart: MAX() would read the clock twice */
        until = MAX(0, until);
        wait = wait < 0 ? until : MIN(wait, until);
    }
    if (wait < 0)
        return -1;
    return (int)MIN((wait + NET_MILLISECOND - 1) / NET_MILLISECOND, 3600 * 1000);
}

void net_reactor_run(VigieReactor *reactor, int64_t max_wait) {
    reactor->next = 0;
    reactor->ready = epoll_wait(reactor->epoll, reactor->events, BATCH, wait_ms(reactor, max_wait));
    reactor->now = net_now();
    while (reactor->next < reactor->ready) {
        struct epoll_event *event = &reactor->events[reactor->next++];
        VigieWatch *watch = event->data.ptr;
        if (watch)
            watch->ready(watch, event->events);
    }
    reactor->ready = 0;
    expire(reactor);
}
