#include "portal/gate.h"
#include "portal/connection.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 1024,
    PEER_MAX = 256, /* of them, where the peers are the readers themselves */
    HEAD_MS = 10000,
    IDLE_MS = 75000, /* longer than a proxy keeps one, so that it is not the one who finds it closed */
    SLACK_MS = 15000,
    SLOWEST = 32, /* octets a millisecond that a body or an answer has to make */
    LINGER_MS = 2000,
    TICK_MS = 250,
    DRAIN_MS = 300,
    EVENTS = 64,
    UPLOADS_AT_ONCE = 3, /* of the largest size */
    SCRATCH = 64 * 1024,
    SHORT_OF_FILES_US = 50000
};

typedef struct {
    int epoll_fd, listen_fd;
    const Portal *portal;
    Lanes *lanes;
    Kept *kept;
    int64_t now_ms;
    uint64_t sequence; /* of states entered */
    uint64_t reserved; /* octets of files that may be in memory */
    bool draining;
    Connection connections[CONNECTIONS_MAX];
    uint8_t scratch[SCRATCH];
} Gate;

static char new_connection, lane_answered; /* what an event may point to, beside connections */

static int64_t now_ms(void) {
    return g_get_monotonic_time() / 1000;
}

/* ---- Watching ----------------------------------------------------------------------------------------------- */
static void watch(Gate *gate, Connection *connection, bool output) {
    struct epoll_event event = {.events = output ? EPOLLOUT : EPOLLIN, .data.ptr = connection};
    if (connection->watched && connection->for_output == output)
        return;
    epoll_ctl(gate->epoll_fd, connection->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, connection->fd, &event);
    connection->watched = true;
    connection->for_output = output;
}

/* While its request is with a lane, what comes waits in the socket. */
static void unwatch(Gate *gate, Connection *connection) {
    epoll_ctl(gate->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
    connection->watched = false;
}

static void enter(Gate *gate, Connection *connection, ConnectionState state, int64_t allowed_ms) {
    connection->state = state;
    connection->since = ++gate->sequence;
    connection->deadline_ms = gate->now_ms + allowed_ms;
}

static void leave(Gate *gate, Connection *connection) {
    gate->reserved -= connection->reserved;
    connection_close(connection);
}

static int64_t allowed_for(uint64_t octets) {
    return SLACK_MS + (int64_t)(octets / SLOWEST);
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */
/* It may carry the next request, or it is over. */
static void end_answer(Gate *gate, Connection *connection) {
    g_clear_pointer(&connection->answer, answer_unref);
    connection->served = true;
    if (!connection->last) {
        enter(gate, connection, READING, connection->in ? HEAD_MS : IDLE_MS);
        watch(gate, connection, false);
    } else if (connection->linger) {
        shutdown(connection->fd, SHUT_WR);
        enter(gate, connection, LINGERING, LINGER_MS);
        watch(gate, connection, false);
    } else {
        leave(gate, connection);
    }
}

static void write_on(Gate *gate, Connection *connection) {
    switch (connection_write(connection)) {
    case WRITTEN:
        end_answer(gate, connection);
        return;
    case BLOCKED:
        watch(gate, connection, true);
        return;
    case BROKEN:
        leave(gate, connection);
    }
}

/* Takes over `answer`. */
static void begin_answer(Gate *gate, Connection *connection, Answer *answer, const Head *head) {
    connection_set_answer(connection, answer, head && answer_known(answer, head),
                          head && vigie_bytes_equal(head->method, vigie_bytes("HEAD", 4)));
    connection->last = connection->last || !head || head->last || gate->draining;
    enter(gate, connection, WRITING, allowed_for(connection_answer_size(connection)));
    write_on(gate, connection);
}

static void refuse(Gate *gate, Connection *connection, unsigned status, const char *why) {
    g_clear_pointer(&connection->exchange, exchange_free);
    g_clear_pointer(&connection->in, g_byte_array_unref);
    connection->last = connection->linger = true;
    begin_answer(gate, connection, answer_refusal(status, why), NULL);
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */
static VigieBytes kept_method(const Head *head) {
    bool head_only = vigie_bytes_equal(head->method, vigie_bytes("HEAD", 4));
    return head_only ? vigie_bytes("GET", 3) : head->method;
}

static bool answer_kept(Gate *gate, Connection *connection, const Head *head, VigieBytes body) {
    Answer *answer = body.size <= KEPT_BODY_MAX
                         ? kept_find(gate->kept, kept_method(head), head->target, body, gate->now_ms)
                         : NULL;
    if (answer)
        begin_answer(gate, connection, answer, head);
    return answer != NULL;
}

static void give(Gate *gate, Connection *connection, Exchange *exchange) {
    enter(gate, connection, BUSY, 0);
    http_lanes_give(gate->lanes, exchange);
}

/* Files are decoded while they come, so what is kept of them is in memory: so much of it at once, and no more. */
static bool reserve(Gate *gate, Connection *connection, Exchange *exchange) {
    exchange->multipart = multipart_new(exchange->head.content_type, gate->portal->upload_file);
    uint64_t length = exchange->head.length;
    if (!exchange->multipart && length > BODY_SIZE_MAX) {
        refuse(gate, connection, 413,
               "RFC 9110 15.5.14: more than 64 KiB of content that is no multipart/form-data");
        return false;
    }
    if (length <= BODY_SIZE_MAX)
        return true;
    if (gate->reserved + length > UPLOADS_AT_ONCE * gate->portal->upload_total) {
        refuse(gate, connection, 503,
               "RFC 9110 15.6.4: too many files are on their way here: try again in a minute");
        return false;
    }
    connection->reserved = length;
    gate->reserved += length;
    return true;
}

/* More of the body of connection->exchange. False where it was refused. */
static bool take_body(Gate *gate, Connection *connection, VigieBytes bytes) {
    Exchange *exchange = connection->exchange;
    unsigned status = 0;
    const char *why = NULL;
    connection->missing -= bytes.size;
    if (!exchange->multipart) {
        g_string_append_len(exchange->body, (const char *)bytes.data, (gssize)bytes.size);
    } else if (!multipart_feed(exchange->multipart, bytes, &status, &why) ||
               (connection->missing == 0 && !multipart_end(exchange->multipart))) {
        refuse(gate, connection, why ? status : 400,
               why ? why : "RFC 2046 5.1.1: the last boundary is missing");
        return false;
    }
    if (connection->missing == 0)
        give(gate, connection, g_steal_pointer(&connection->exchange));
    return true;
}

/* A request whose head is well; `bytes` begins with it. How many of them are used. */
static size_t take_request(Gate *gate, Connection *connection, VigieBytes bytes, const Head *head) {
    if (head->length > BODY_SIZE_MAX && head->length > http_body_max(gate->portal, head)) {
        refuse(gate, connection, 413, "RFC 9110 15.5.14: more content than is taken here");
        return 0;
    }
    size_t here = (size_t)MIN(head->length, bytes.size - head->size);
    VigieBytes body = vigie_bytes(bytes.data + head->size, here);
    if (here == head->length && answer_kept(gate, connection, head, body))
        return head->size + here;
    Exchange *exchange = exchange_new(vigie_bytes(bytes.data, head->size), connection, connection->address);
    connection->exchange = exchange;
    connection->missing = head->length;
    if (head->length > 0 && http_body_max(gate->portal, head) > BODY_SIZE_MAX &&
        !reserve(gate, connection, exchange))
        return 0;
    if (head->expects && here == 0 && head->length > 0)
        send(connection->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL | MSG_DONTWAIT);
    enter(gate, connection, BODY, allowed_for(head->length));
    return take_body(gate, connection, body) ? head->size + here : 0;
}

/* As many requests as there are in `bytes`, until one has to wait; the rest is put aside. */
static void take(Gate *gate, Connection *connection, VigieBytes bytes) {
    while (connection->state == READING && bytes.size > 0) {
        Head head;
        HeadCheck check = portal_head_check(bytes, &head);
        size_t used = 0;
        if (check.verdict == HEAD_REFUSED)
            refuse(gate, connection, check.status, check.why);
        else if (check.verdict == HEAD_WELL)
            used = take_request(gate, connection, bytes, &head);
        if (used == 0)
            break;
        bytes = vigie_bytes(bytes.data + used, bytes.size - used);
    }
    bool wanted = connection->state == READING || connection->state == BUSY || connection->state == WRITING;
    if (!wanted || connection->linger || bytes.size == 0)
        return;
    if (connection->state == READING) /* the time for a head begins with its first octet */
        connection->deadline_ms = MIN(connection->deadline_ms, gate->now_ms + HEAD_MS);
    connection->in =
        g_byte_array_append(g_byte_array_sized_new((guint)bytes.size), bytes.data, (guint)bytes.size);
}

/* What was put aside goes to the front of the scratch; its size. */
static size_t take_back(Gate *gate, Connection *connection) {
    size_t size = connection->in ? connection->in->len : 0;
    if (size > 0)
        memcpy(gate->scratch, connection->in->data, size);
    g_clear_pointer(&connection->in, g_byte_array_unref);
    return size;
}

static void read_requests(Gate *gate, Connection *connection) {
    size_t had = connection->in ? connection->in->len : 0;
    ssize_t size = recv(connection->fd, gate->scratch + had, SCRATCH - had, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        leave(gate, connection);
        return;
    }
    take_back(gate, connection);
    take(gate, connection, vigie_bytes(gate->scratch, had + (size_t)size));
}

static void read_body(Gate *gate, Connection *connection) {
    ssize_t size =
        recv(connection->fd, gate->scratch, (size_t)MIN(SCRATCH, connection->missing), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0)
        leave(gate, connection);
    else
        take_body(gate, connection, vigie_bytes(gate->scratch, (size_t)size));
}

static void throw_away(Gate *gate, Connection *connection) {
    ssize_t size = recv(connection->fd, gate->scratch, SCRATCH, MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
        leave(gate, connection);
}

/* ---- Events ------------------------------------------------------------------------------------------------- */
static void resume(Gate *gate, Connection *connection) {
    if (connection->state == READING && connection->in)
        take(gate, connection, vigie_bytes(gate->scratch, take_back(gate, connection)));
}

static void on_event(Gate *gate, Connection *connection) {
    switch (connection->state) {
    case FREE: /* closed by an earlier event of this round */
        return;
    case READING:
        read_requests(gate, connection);
        return;
    case BODY:
        read_body(gate, connection);
        return;
    case BUSY:
        unwatch(gate, connection);
        return;
    case WRITING:
        write_on(gate, connection);
        resume(gate, connection);
        return;
    case LINGERING:
        throw_away(gate, connection);
    }
}

static void on_answered(Gate *gate) {
    uint64_t count;
    (void)!read(http_lanes_fd(gate->lanes), &count, sizeof count);
    for (Exchange *next; (next = http_lanes_answered(gate->lanes));) {
        g_autoptr(Exchange) exchange = next;
        Connection *connection = exchange->connection;
        Answer *answer = g_steal_pointer(&exchange->answer);
        VigieBytes body = vigie_bytes(exchange->body->str, exchange->body->len);
        if (answer->kept_ms > 0 && body.size <= KEPT_BODY_MAX && !exchange->multipart)
            kept_add(gate->kept, kept_method(&exchange->head), exchange->head.target, body, answer,
                     gate->now_ms);
        gate->reserved -= connection->reserved;
        connection->reserved = 0;
        begin_answer(gate, connection, answer, &exchange->head);
        resume(gate, connection);
    }
}

/* ---- Coming and going --------------------------------------------------------------------------------------- */
/* A place: a free one or, where all are taken or the peer has its share, that of who waits longest without a request. */
static Connection *place_for(Gate *gate, const struct in6_addr *peer) {
    Connection *vacant = NULL, *oldest = NULL, *own = NULL;
    unsigned of_peer = 0;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        Connection *one = &gate->connections[i];
        if (one->state == FREE) {
            vacant = one;
            continue;
        }
        bool same = memcmp(&one->peer, peer, sizeof *peer) == 0, waits = one->state == READING;
        of_peer += same;
        if (waits && (!oldest || one->since < oldest->since))
            oldest = one;
        if (waits && same && (!own || one->since < own->since))
            own = one;
    }
    bool limited = !gate->portal->proxy && !IN6_IS_ADDR_UNSPECIFIED(peer);
    if (limited && of_peer >= PEER_MAX)
        vacant = NULL, oldest = own;
    if (!vacant && oldest)
        leave(gate, oldest);
    return vacant ? vacant : oldest;
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
        Connection arrived;
        connection_open(&arrived, fd, (const struct sockaddr *)&address);
        Connection *place = place_for(gate, &arrived.peer);
        if (!place) {
            close(fd);
            continue;
        }
        *place = arrived;
        enter(gate, place, READING, HEAD_MS);
        watch(gate, place, false);
    }
}

static void expire(Gate *gate) {
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        Connection *connection = &gate->connections[i];
        if (connection->state == FREE || connection->state == BUSY || connection->deadline_ms > gate->now_ms)
            continue;
        bool idle = connection->state == READING && connection->served && !connection->in;
        if (idle || connection->state == WRITING || connection->state == LINGERING)
            leave(gate, connection);
        else if (connection->state == BODY)
            refuse(gate, connection, 408, "RFC 9110 15.5.9: the content comes at less than 32 KB a second");
        else
            refuse(gate, connection, 408, "RFC 9110 15.5.9: the request did not come within 10 seconds");
    }
}

static bool round_of_events(Gate *gate, GError **error) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(gate->epoll_fd, events, EVENTS, gate->draining ? 10 : TICK_MS);
    if (count < 0 && errno != EINTR) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "epoll_wait: %s", g_strerror(errno));
        return false;
    }
    gate->now_ms = now_ms();
    for (int i = 0; i < count; i++)
        if (events[i].data.ptr == &new_connection)
            accept_all(gate);
        else if (events[i].data.ptr == &lane_answered)
            on_answered(gate);
        else
            on_event(gate, events[i].data.ptr);
    return true;
}

static bool idle(const Gate *gate) {
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (gate->connections[i].state == BUSY || gate->connections[i].state == WRITING)
            return false;
    return true;
}

/* Who was promised an answer gets it, if it comes soon. */
static bool drain(Gate *gate, GError **error) {
    bool well = true;
    epoll_ctl(gate->epoll_fd, EPOLL_CTL_DEL, gate->listen_fd, NULL);
    gate->draining = true;
    for (int64_t until = now_ms() + DRAIN_MS; well && !idle(gate) && now_ms() < until;)
        well = round_of_events(gate, error);
    return well;
}

static bool run(Gate *gate, const volatile int *stop, GError **error) {
    for (int64_t tick = gate->now_ms = now_ms(); !stop || !*stop;) {
        if (!round_of_events(gate, error))
            return false;
        if (gate->now_ms - tick >= TICK_MS) {
            expire(gate);
            tick = gate->now_ms;
        }
    }
    return drain(gate, error);
}

static bool listen_to(Gate *gate, int fd, void *what) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    return epoll_ctl(gate->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool portal_gate_run(int listen_fd, const Portal *portal, Lanes *lanes, const volatile int *stop,
                     GError **error) {
    g_autofree Gate *gate = g_new0(Gate, 1);
    gate->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    gate->listen_fd = listen_fd;
    gate->portal = portal;
    gate->lanes = lanes;
    if (gate->epoll_fd < 0 || !listen_to(gate, listen_fd, &new_connection) ||
        !listen_to(gate, http_lanes_fd(lanes), &lane_answered)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "epoll: %s", g_strerror(errno));
        if (gate->epoll_fd >= 0)
            close(gate->epoll_fd);
        return false;
    }
    gate->kept = kept_new();
    bool ran = run(gate, stop, error);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (gate->connections[i].state != FREE)
            leave(gate, &gate->connections[i]);
    kept_free(gate->kept);
    close(gate->epoll_fd);
    return ran;
}
