/* One connection of an endpoint: its turn, dialling, the clear dialogue before TLS, the hello, and the answer. */
#include "survey/engine.h"

#include <errno.h>
#include <sys/epoll.h>

enum {
    HELD_MAX = 16 << 20, /* what all readers together may hold: their buffers are at most twice that */
    RETRIES_MAX = 2,     /* of an endpoint that took a connection before: a small device may need a moment */
};

static const int64_t RETRY_AFTER = NET_SECOND, SESSION_AFTER = NET_SECOND / 5;

/* ---- The end ------------------------------------------------------------------------------------------------ */
static void close_down(Endpoint *endpoint) {
    Engine *engine = endpoint->engine;
    if (endpoint->watch.fd >= 0) {
        net_watch_end(engine->reactor, &endpoint->watch);
        /* A device sees the end that any client would make. */
        net_hang_up(endpoint->watch.fd, !endpoint->record.target.gentle);
        endpoint->watch.fd = -1;
        endpoint->known.spent += net_now() - endpoint->dialled;
    }
    net_timer_cancel(engine->reactor, &endpoint->timer);
    net_pacer_release(engine->pacer, &endpoint->turn);
    engine->held -= endpoint->held;
    endpoint->held = 0;
    endpoint->stage = STAGE_IDLE;
}

static void forget(Endpoint *endpoint) {
    tls_reader_end(&endpoint->reader);
    g_clear_pointer(&endpoint->hello, g_free);
    g_clear_pointer(&endpoint->dialogue, g_free);
    session_end(endpoint);
}

void connection_cancel(Endpoint *endpoint) {
    net_resolve_cancel(endpoint->engine->resolver, &endpoint->query);
    close_down(endpoint);
    forget(endpoint);
}

static void note_banner(Endpoint *endpoint) {
    VigieTime date;
    const Dialogue *dialogue = endpoint->dialogue;
    if (dialogue && dialogue->banner[0] && date_find(dialogue->banner, strlen(dialogue->banner), &date))
        engine_clock_sample(endpoint, date, endpoint->answered_at,
                            dialogue->protocol == VIGIE_PROTOCOL_SMTP ? "smtp-date" : "banner-date");
}

void connection_end(Endpoint *endpoint, VigieOutcome outcome, const char *detail) {
    bool heard = endpoint->greeted && endpoint->probe->kind != PROBE_SESSION;
    close_down(endpoint);
    note_banner(endpoint);
    Answer answer = {outcome, detail, heard ? &endpoint->reader.result : NULL};
    endpoint->probe->learn(endpoint, &answer);
    forget(endpoint);
    engine_next(endpoint);
}

/* The errno of a connection that was not made. */
static void connection_failed(Endpoint *endpoint, int error) {
    bool more = !endpoint->known.connected && endpoint->address + 1 < endpoint->address_count;
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
        connection_end(endpoint, VIGIE_OUTCOME_LIMIT, "no local socket or port left");
        return;
    case ECONNRESET:
    case EPIPE:
        connection_end(endpoint, VIGIE_OUTCOME_RESET_AFTER_HELLO, NULL);
        return;
    default:
        break;
    }
    if (more) {
        close_down(endpoint);
        endpoint->address++;
        connection_begin(endpoint);
        return;
    }
    if (endpoint->known.connected && endpoint->known.retries < RETRIES_MAX) {
        close_down(endpoint);
        endpoint->known.retries++;
        endpoint->planned = true;
        net_timer_set(endpoint->engine->reactor, &endpoint->timer, net_now() + RETRY_AFTER);
        return;
    }
    connection_end(endpoint,
                   error == ECONNREFUSED ? VIGIE_OUTCOME_REFUSED
                   : error == ETIMEDOUT  ? VIGIE_OUTCOME_TIMEOUT_CONNECT
                                         : VIGIE_OUTCOME_UNREACHABLE,
                   NULL);
}

/* ---- Sending ------------------------------------------------------------------------------------------------ */
static bool try_send(Endpoint *endpoint, VigieBytes bytes, int *ret_error) {
    ssize_t sent = send(endpoint->watch.fd, bytes.data, bytes.size, MSG_NOSIGNAL);
    if (sent == (ssize_t)bytes.size) {
        endpoint->record.timings.bytes_sent += (unsigned)bytes.size;
        return true;
    }
    *ret_error = sent < 0 ? errno : ENOBUFS; /* an empty socket buffer takes more than we ever say */
    return false;
}

bool connection_send(Endpoint *endpoint, VigieBytes bytes) {
    int error;
    if (bytes.size == 0 || try_send(endpoint, bytes, &error))
        return true;
    connection_failed(endpoint, error == EAGAIN ? ENOBUFS : error);
    return false;
}

static bool write_hello(Endpoint *endpoint) {
    Engine *engine = endpoint->engine;
    size_t size = tls_hello_write(engine->tls, &endpoint->plan, engine->scratch, sizeof engine->scratch);
    if (size == 0)
        return false;
    g_free(endpoint->hello);
    endpoint->hello = g_memdup2(engine->scratch, size);
    endpoint->hello_size = size;
    tls_reader_start(&endpoint->reader, engine->tls, &endpoint->plan, vigie_bytes(endpoint->hello, size),
                     endpoint->until);
    return true;
}

/* What this probe says first on a connection that is ready for it. */
static VigieBytes first_words(const Endpoint *endpoint) {
    return endpoint->probe->kind == PROBE_PLAIN ? endpoint->plain
                                                : vigie_bytes(endpoint->hello, endpoint->hello_size);
}

static void greeted(Endpoint *endpoint) {
    endpoint->stage = STAGE_ANSWER;
    endpoint->greeted = net_now();
}

static void set_timer(Endpoint *endpoint) {
    Engine *engine = endpoint->engine;
    net_timer_set(engine->reactor, &endpoint->timer,
                  net_reactor_now(engine->reactor) + engine->options.timeout_ms * NET_MILLISECOND);
}

/* ---- Receiving ---------------------------------------------------------------------------------------------- */
static void finish_hello(Endpoint *endpoint, VigieTlsState state) {
    const VigieTlsResult *result = &endpoint->reader.result;
    if (endpoint->record.timings.handshake_ms < 0)
        endpoint->record.timings.handshake_ms = (double)(net_now() - endpoint->greeted) / 1e6;
    if (result->certificate_count > 0)
        state = VIGIE_TLS_DONE;
    switch (state) {
    case VIGIE_TLS_DONE:
    case VIGIE_TLS_RETRY:
        connection_end(endpoint, VIGIE_OUTCOME_OK, NULL);
        return;
    case VIGIE_TLS_ALERT:
        connection_end(endpoint, VIGIE_OUTCOME_ALERT, result->alert);
        return;
    case VIGIE_TLS_NOT_TLS:
        connection_end(endpoint, VIGIE_OUTCOME_NOT_TLS, result->speaks);
        return;
    case VIGIE_TLS_LIMIT:
        connection_end(endpoint, VIGIE_OUTCOME_LIMIT, result->clause);
        return;
    case VIGIE_TLS_FAILED:
    case VIGIE_TLS_MORE:
    default:
        connection_end(endpoint, VIGIE_OUTCOME_MALFORMED, result->clause);
        return;
    }
}

/* The certificate of a TLS 1.3 server that wants another group is behind a second hello. */
static bool retry_hello(Endpoint *endpoint) {
    if (endpoint->until == VIGIE_UNTIL_HELLO)
        return false;
    uint8_t *hello = g_malloc(VIGIE_HELLO_MAX);
    size_t size = tls_reader_retry(&endpoint->reader, hello, VIGIE_HELLO_MAX);
    if (size == 0) {
        g_free(hello);
        return false;
    }
    g_free(endpoint->hello);
    endpoint->hello = hello;
    endpoint->hello_size = size;
    return true;
}

/* What speaks in clear may tell the time. */
static void note_clear_date(Endpoint *endpoint, VigieBytes received) {
    VigieTime date;
    if (date_find((const char *)received.data, received.size, &date))
        engine_clock_sample(endpoint, date, engine_clock(endpoint->engine),
                            g_strcmp0(endpoint->reader.result.speaks, "http") == 0 ? "http-date"
                                                                                   : "banner-date");
}

/* False: the connection has ended. */
static bool feed_reader(Endpoint *endpoint, VigieBytes received) {
    Engine *engine = endpoint->engine;
    endpoint->held += received.size;
    engine->held += received.size;
    if (engine->held > HELD_MAX) {
        connection_end(endpoint, VIGIE_OUTCOME_LIMIT, "memory for all answers together");
        return false;
    }
    VigieTlsState state = tls_reader_feed(&endpoint->reader, received);
    if (state == VIGIE_TLS_MORE)
        return true;
    endpoint->answered_at = engine_clock(engine);
    if (state == VIGIE_TLS_RETRY && retry_hello(endpoint))
        return connection_send(endpoint, vigie_bytes(endpoint->hello, endpoint->hello_size));
    if (state == VIGIE_TLS_NOT_TLS)
        note_clear_date(endpoint, received);
    finish_hello(endpoint, state);
    return false;
}

static bool begin_tls(Endpoint *endpoint) {
    if (endpoint->probe->kind == PROBE_SESSION) {
        greeted(endpoint);
        return session_begin(endpoint);
    }
    set_timer(endpoint);
    greeted(endpoint);
    return connection_send(endpoint, first_words(endpoint));
}

/* The greeting is of another protocol: the reader of TLS knows which. */
static void name_stranger(Endpoint *endpoint) {
    VigieBytes first = vigie_bytes(endpoint->dialogue->line, endpoint->dialogue->held);
    greeted(endpoint);
    VigieTlsState state = tls_reader_feed(&endpoint->reader, first);
    bool named = state == VIGIE_TLS_NOT_TLS && endpoint->reader.result.speaks;
    connection_end(endpoint, VIGIE_OUTCOME_NOT_TLS, named ? endpoint->reader.result.speaks : "unknown");
}

static bool feed_dialogue(Endpoint *endpoint, VigieBytes received) {
    uint8_t buffer[DIALOGUE_OUT_MAX];
    VigieWriter out = vigie_writer(buffer, sizeof buffer);
    DialogueState state = dialogue_feed(endpoint->dialogue, received, &out);
    endpoint->answered_at = engine_clock(endpoint->engine);
    if (!connection_send(endpoint, vigie_bytes(out.data, out.size)))
        return false;
    switch (state) {
    case DIALOGUE_MORE:
        return true;
    case DIALOGUE_READY:
        return begin_tls(endpoint);
    case DIALOGUE_REFUSED:
        connection_end(endpoint, VIGIE_OUTCOME_STARTTLS_REFUSED, endpoint->dialogue->answer);
        return false;
    case DIALOGUE_STRANGE:
        name_stranger(endpoint);
        return false;
    case DIALOGUE_LIMIT:
        connection_end(endpoint, VIGIE_OUTCOME_LIMIT, endpoint->dialogue->clause);
        return false;
    case DIALOGUE_MALFORMED:
    default:
        connection_end(endpoint, VIGIE_OUTCOME_MALFORMED, endpoint->dialogue->clause);
        return false;
    }
}

static void peer_closed(Endpoint *endpoint, bool reset) {
    VigieOutcome outcome = reset ? VIGIE_OUTCOME_RESET_AFTER_HELLO : VIGIE_OUTCOME_CLOSED_AFTER_HELLO;
    if (endpoint->stage == STAGE_DIALOGUE && endpoint->dialogue->answer[0]) {
        connection_end(endpoint, VIGIE_OUTCOME_STARTTLS_REFUSED, endpoint->dialogue->answer);
        return;
    }
    VigieTlsState state =
        endpoint->stage == STAGE_ANSWER ? tls_reader_close(&endpoint->reader) : VIGIE_TLS_MORE;
    if (state == VIGIE_TLS_MORE || (reset && endpoint->reader.result.certificate_count == 0))
        connection_end(endpoint, outcome, NULL);
    else
        finish_hello(endpoint, state);
}

static void receive(Endpoint *endpoint) {
    Engine *engine = endpoint->engine;
    for (;;) {
        ssize_t size = recv(endpoint->watch.fd, engine->buffer, sizeof engine->buffer, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0) {
            peer_closed(endpoint, size < 0);
            return;
        }
        endpoint->record.timings.bytes_received += (unsigned)size;
        VigieBytes received = vigie_bytes(engine->buffer, (size_t)size);
        if (!(endpoint->stage == STAGE_DIALOGUE ? feed_dialogue : feed_reader)(endpoint, received))
            return;
        if (endpoint->stage == STAGE_ANSWER && endpoint->probe->kind == PROBE_SESSION)
            return;
    }
}

/* ---- Connecting --------------------------------------------------------------------------------------------- */
static bool has_dialogue(const Endpoint *endpoint) {
    return vigie_protocol_starttls(endpoint->record.target.protocol) && endpoint->probe->kind != PROBE_PLAIN;
}

static void note_connected(Endpoint *endpoint) {
    endpoint->known.connected = true;
    if (endpoint->record.timings.connect_ms < 0)
        endpoint->record.timings.connect_ms = (double)(net_now() - endpoint->dialled) / 1e6;
}

/* False: the connection has ended. */
static bool connected(Endpoint *endpoint) {
    note_connected(endpoint);
    if (!has_dialogue(endpoint))
        return begin_tls(endpoint);
    uint8_t buffer[DIALOGUE_OUT_MAX];
    VigieWriter out = vigie_writer(buffer, sizeof buffer);
    endpoint->dialogue = g_new(Dialogue, 1);
    dialogue_start(endpoint->dialogue, endpoint->record.target.protocol,
                   endpoint->name ? endpoint->name : endpoint->record.address, &out);
    endpoint->stage = STAGE_DIALOGUE;
    set_timer(endpoint);
    return connection_send(endpoint, vigie_bytes(out.data, out.size));
}

static void ready(VigieWatch *watch, uint32_t events) {
    Endpoint *endpoint = (Endpoint *)watch;
    if (endpoint->stage == STAGE_CONNECTING) {
        int error = events & (EPOLLERR | EPOLLHUP) ? net_dial_error(watch->fd) : 0;
        if (error) {
            connection_failed(endpoint, error);
            return;
        }
        if (!(events & EPOLLOUT) || !connected(endpoint))
            return;
    }
    if (endpoint->stage == STAGE_ANSWER && endpoint->probe->kind == PROBE_SESSION)
        session_continue(endpoint);
    else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(endpoint);
}

static void expired(VigieTimer *timer) {
    Endpoint *endpoint = (Endpoint *)((char *)timer - offsetof(Endpoint, timer));
    switch (endpoint->stage) {
    case STAGE_IDLE:
        connection_begin(endpoint);
        return;
    case STAGE_CONNECTING:
        connection_failed(endpoint, ETIMEDOUT);
        return;
    default:
        endpoint->answered_at = engine_clock(endpoint->engine);
        if (endpoint->stage == STAGE_ANSWER && tls_reader_close(&endpoint->reader) == VIGIE_TLS_DONE)
            connection_end(endpoint, VIGIE_OUTCOME_OK, NULL); /* the certificate came, the rest did not */
        else
            connection_end(endpoint, VIGIE_OUTCOME_TIMEOUT_HANDSHAKE, NULL);
        return;
    }
}

/* Often the connection is there before the reactor could tell (a neighbour on the same segment, or this machine):
 * saying hello at once then saves a round through epoll. */
static void dial(Endpoint *endpoint) {
    Engine *engine = endpoint->engine;
    endpoint->stage = STAGE_CONNECTING;
    endpoint->greeted = 0;
    endpoint->dialled = net_now();
    endpoint->record.timings.connections++;
    engine->progress.connections++;
    if (!endpoint->planned)
        endpoint->probe->plan(endpoint);
    endpoint->planned = false;
    if (endpoint->probe->kind != PROBE_SESSION && !write_hello(endpoint)) {
        connection_end(endpoint, VIGIE_OUTCOME_LIMIT, "the hello cannot be written");
        return;
    }
    int fd = net_dial(&endpoint->turn.address, endpoint->record.target.port);
    if (fd < 0) {
        connection_failed(endpoint, -fd);
        return;
    }
    endpoint->watch = (VigieWatch){.fd = fd, .ready = ready};
    set_timer(endpoint);
    int error;
    uint32_t events = EPOLLIN | EPOLLET;
    bool direct = endpoint->probe->kind == PROBE_HELLO && !has_dialogue(endpoint);
    if (direct && try_send(endpoint, first_words(endpoint), &error)) {
        note_connected(endpoint);
        greeted(endpoint);
    } else if (direct && error != EAGAIN) {
        connection_failed(endpoint, error);
        return;
    } else {
        events |= EPOLLOUT;
    }
    if (!net_watch_start(engine->reactor, &endpoint->watch, events))
        connection_failed(endpoint, errno);
}

static void granted(VigieTurn *turn) {
    dial((Endpoint *)((char *)turn - offsetof(Endpoint, turn)));
}

void connection_begin(Endpoint *endpoint) {
    Engine *engine = endpoint->engine;
    endpoint->timer.expired = expired;
    if (endpoint->probe->pause_ms && !endpoint->paused) {
        endpoint->paused = true;
        net_timer_set(engine->reactor, &endpoint->timer,
                      net_now() + endpoint->probe->pause_ms * NET_MILLISECOND);
        return;
    }
    if (endpoint->probe->kind == PROBE_SESSION && !session_reserve(endpoint)) {
        net_timer_set(engine->reactor, &endpoint->timer, net_now() + SESSION_AFTER);
        return;
    }
    endpoint->turn.address = endpoint->addresses[endpoint->address];
    endpoint->turn.gentle = endpoint->record.target.gentle;
    endpoint->turn.granted = granted;
    net_address_text(&endpoint->turn.address, endpoint->record.address);
    endpoint->stage = STAGE_WAITING;
    if (net_pacer_ask(engine->pacer, &endpoint->turn))
        dial(endpoint);
}
