/* Sessions: one thread waits for connections, each of which is served by a short-lived thread of its own. */
#include "lab/lab.h"

#include "base/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SESSIONS_MAX = 256, EVENTS_MAX = 32 };

static sem_t sessions;
static volatile sig_atomic_t stopped;
static _Thread_local int clock_ahead;

static void stop(int number) {
    (void)number;
    stopped = 1;
}

/* libssl asks time() for the four octets of a hello's random that hold it: by the device's clock, not ours. */
time_t time(time_t *ret_time) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time_t device = now.tv_sec + clock_ahead;
    if (ret_time)
        *ret_time = device;
    return device;
}

time_t lab_session_time(const LabSession *session) {
    (void)session;
    return time(NULL);
}

/* ---- One session ------------------------------------------------------------------------------------- */
int lab_read(LabSession *session, void *data, size_t size) {
    return session->ssl ? SSL_read(session->ssl, data, (int)size) : (int)recv(session->fd, data, size, 0);
}

bool lab_read_all(LabSession *session, void *data, size_t size) {
    for (size_t had = 0; had < size;) {
        int got = lab_read(session, (uint8_t *)data + had, size - had);
        if (got <= 0)
            return false;
        had += (size_t)got;
    }
    return true;
}

bool lab_read_line(LabSession *session, char *line, size_t size) {
    size_t length = 0;
    for (char octet = 0; lab_read(session, &octet, 1) == 1;) {
        if (octet == '\n') {
            if (length > 0 && line[length - 1] == '\r')
                length--;
            line[length] = '\0';
            return true;
        }
        if (length + 1 == size)
            return false;
        line[length++] = octet;
    }
    return false;
}

bool lab_write(LabSession *session, const void *data, size_t size) {
    if (session->ssl)
        return SSL_write(session->ssl, data, (int)size) == (int)size;
    return send(session->fd, data, size, MSG_NOSIGNAL) == (ssize_t)size;
}

bool lab_print(LabSession *session, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return lab_write(session, text, strlen(text));
}

bool lab_secure(LabSession *session) {
    session->ssl = SSL_new(session->endpoint->tls);
    return session->ssl && SSL_set_fd(session->ssl, session->fd) && SSL_accept(session->ssl) == 1;
}

static void *serve_session(void *data) {
    LabSession *session = data;
    const LabEndpoint *endpoint = session->endpoint;
    clock_ahead = endpoint->fault.clock;
    const struct timeval limit = {.tv_sec = LAB_SECONDS};
    setsockopt(session->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(session->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    endpoint->speech(session);
    if (session->ssl)
        SSL_shutdown(session->ssl);
    SSL_free(session->ssl);
    ERR_clear_error();
    if (session->fd >= 0)
        close(session->fd);
    g_free(session);
    sem_post(&sessions);
    return NULL;
}

static void begin_session(const LabEndpoint *endpoint, int fd) {
    while (sem_wait(&sessions) != 0 && !stopped)
        ;
    LabSession *session = g_new0(LabSession, 1);
    session->endpoint = endpoint;
    session->fd = fd;
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 512 * 1024);
    if (pthread_create(&thread, &attributes, serve_session, session) != 0) {
        close(fd);
        g_free(session);
        sem_post(&sessions);
    }
    pthread_attr_destroy(&attributes);
}

/* ---- All of them ------------------------------------------------------------------------------------- */
static bool listen_at(LabEndpoint *endpoint, const char *network, GError **error) {
    g_autofree char *address = lab_device_address(endpoint->device, network);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(endpoint->device->port)};
    if (inet_pton(AF_INET, address, &name.sin_addr) != 1) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s: two octets are wanted, as in --network 127.10", network);
        return false;
    }
    endpoint->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int yes = 1;
    setsockopt(endpoint->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    /* A closed port is bound all the same, so that nobody else opens it. */
    if (bind(endpoint->fd, (struct sockaddr *)&name, sizeof name) != 0 ||
        (!endpoint->fault.closed && listen(endpoint->fd, 128) != 0)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "cannot listen on %s:%d: %s; another lab may be running, try --network 127.11", address,
                    endpoint->device->port, g_strerror(errno));
        return false;
    }
    return true;
}

static void watch(LabEndpoint *endpoints, size_t count) {
    int poll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &endpoints[i]};
        if (!endpoints[i].fault.closed)
            epoll_ctl(poll, EPOLL_CTL_ADD, endpoints[i].fd, &event);
    }
    sigset_t none;
    sigemptyset(&none);
    struct epoll_event events[EVENTS_MAX];
    while (!stopped) {
        int ready = epoll_pwait(poll, events, EVENTS_MAX, -1, &none);
        for (int i = 0; i < ready; i++) {
            const LabEndpoint *endpoint = events[i].data.ptr;
            int fd = accept4(endpoint->fd, NULL, NULL, SOCK_CLOEXEC);
            if (fd >= 0)
                begin_session(endpoint, fd);
        }
    }
    close(poll);
}

bool lab_serve(LabEndpoint *endpoints, size_t count, const char *network, void (*ready)(void),
               GError **error) {
    /* Signals arrive in epoll_pwait alone: none is missed between looking at `stopped` and waiting. */
    const struct sigaction action = {.sa_handler = stop};
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    sem_init(&sessions, 0, SESSIONS_MAX);

    for (size_t i = 0; i < count; i++)
        if (!listen_at(&endpoints[i], network, error))
            return false;
    ready();
    watch(endpoints, count);
    /* Sessions still speak, with what the caller and libcrypto would free as they end: the kernel takes it from all at once. */
    fflush(NULL);
    _exit(0);
}
