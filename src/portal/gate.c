#include "portal/gate.h"
#include "portal/head.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAITING_MAX = 512, HEAD_MS = 10000, TICK_MS = 250, EVENTS = 64, SHORT_OF_FILES_US = 50000 };

typedef struct {
    int fd; /* -1: free */
    int64_t deadline_ms;
    struct sockaddr_storage address;
    socklen_t address_size;
} Waiting;

typedef struct {
    int epoll_fd, listen_fd;
    Waiting waiting[WAITING_MAX];
    GateTake take;
    void *data;
} Gate;

static int64_t now_ms(void) {
    return g_get_monotonic_time() / 1000;
}

static const char *reason_phrase(unsigned status) {
    static const struct {
        unsigned status;
        const char *phrase;
    } phrases[] = {{400, "Bad Request"},
                   {408, "Request Timeout"},
                   {413, "Content Too Large"},
                   {417, "Expectation Failed"},
                   {431, "Request Header Fields Too Large"},
                   {501, "Not Implemented"},
                   {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < G_N_ELEMENTS(phrases); i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Refused";
}

static void leave(Waiting *waiting) {
    close(waiting->fd);
    waiting->fd = -1;
}

static void refuse(Waiting *waiting, unsigned status, const char *why) {
    g_autofree char *body = g_strdup_printf("Requête refusée. Request refused.\n%s\n", why);
    g_autofree char *answer =
        g_strdup_printf("HTTP/1.1 %u %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "
                        "%zu\r\nConnection: close\r\n"
                        "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n%s",
                        status, reason_phrase(status), strlen(body), body);
    ssize_t sent = send(waiting->fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
    /* What was peeked at is still there: closing over it would reset the connection before the answer is read. */
    shutdown(waiting->fd, SHUT_WR);
    char scrap[HEAD_SIZE_MAX];
    for (int i = 0; sent > 0 && i < 8 && recv(waiting->fd, scrap, sizeof scrap, MSG_DONTWAIT) > 0; i++)
        ;
    leave(waiting);
}

static void look(Gate *gate, Waiting *waiting) {
    uint8_t bytes[HEAD_SIZE_MAX];
    ssize_t size = recv(waiting->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        leave(waiting);
        return;
    }
    HeadCheck check = portal_head_check(vigie_bytes(bytes, (size_t)size));
    if (check.verdict == HEAD_REFUSED) {
        refuse(waiting, check.status, check.why);
    } else if (check.verdict == HEAD_WELL) {
        epoll_ctl(gate->epoll_fd, EPOLL_CTL_DEL, waiting->fd, NULL);
        int fd = waiting->fd;
        waiting->fd = -1;
        gate->take(fd, (const struct sockaddr *)&waiting->address, waiting->address_size, gate->data);
    }
}

static Waiting *free_place(Gate *gate) {
    Waiting *oldest = NULL;
    for (size_t i = 0; i < WAITING_MAX; i++) {
        Waiting *waiting = &gate->waiting[i];
        if (waiting->fd < 0)
            return waiting;
        if (!oldest || waiting->deadline_ms < oldest->deadline_ms)
            oldest = waiting;
    }
    leave(oldest);
    return oldest;
}

static void accept_all(Gate *gate) {
    for (;;) {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof address;
        int fd = accept4(gate->listen_fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE ||
                errno == ENFILE) /* still readable: do not spin until some are given back */
                g_usleep(SHORT_OF_FILES_US);
            return;
        }
        Waiting *waiting = free_place(gate);
        *waiting = (Waiting){fd, now_ms() + HEAD_MS, address, size};
        /* Edge-triggered: bytes that were peeked at stay readable, only new ones wake us. */
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = waiting};
        if (epoll_ctl(gate->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
            leave(waiting);
    }
}

static void expire(Gate *gate) {
    int64_t now = now_ms();
    for (size_t i = 0; i < WAITING_MAX; i++)
        if (gate->waiting[i].fd >= 0 && gate->waiting[i].deadline_ms <= now)
            refuse(&gate->waiting[i], 408, "RFC 9110 15.5.9: the request did not come within 10 seconds");
}

static bool run(Gate *gate, const volatile int *stop, GError **error) {
    for (int64_t tick = now_ms(); !stop || !*stop;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(gate->epoll_fd, events, EVENTS, TICK_MS);
        if (count < 0 && errno != EINTR) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "epoll_wait: %s", g_strerror(errno));
            return false;
        }
        for (int i = 0; i < count; i++) {
            Waiting *waiting = events[i].data.ptr;
            if (!waiting)
                accept_all(gate);
            else if (waiting->fd >= 0)
                look(gate, waiting);
        }
        if (now_ms() - tick >= TICK_MS) {
            expire(gate);
            tick = now_ms();
        }
    }
    return true;
}

bool portal_gate_run(int listen_fd, const volatile int *stop, GateTake take, void *data, GError **error) {
    g_autofree Gate *gate = g_new0(Gate, 1);
    *gate =
        (Gate){.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .listen_fd = listen_fd, .take = take, .data = data};
    for (size_t i = 0; i < WAITING_MAX; i++)
        gate->waiting[i].fd = -1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (gate->epoll_fd < 0 || epoll_ctl(gate->epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) < 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "epoll: %s", g_strerror(errno));
        if (gate->epoll_fd >= 0)
            close(gate->epoll_fd);
        return false;
    }
    bool ran = run(gate, stop, error);
    for (size_t i = 0; i < WAITING_MAX; i++)
        if (gate->waiting[i].fd >= 0)
            leave(&gate->waiting[i]);
    close(gate->epoll_fd);
    return ran;
}
