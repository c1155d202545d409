/* A whole session, by libssl, with an HTTP server: the one question whose answer tells its clock to the second.
 * Nothing is verified, and everything old is allowed: what is wrong with the server is said elsewhere. */
#include "survey/engine.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

enum { ANSWER_MAX = 4096, PENDING_MAX = 256 << 10, SESSIONS_MAX = 256 /* at once; each takes some 50 KiB */ };

static SSL_CTX *sessions_of(Engine *engine) {
    if (engine->sessions)
        return engine->sessions;
    SSL_CTX *sessions = SSL_CTX_new(TLS_client_method());
    if (!sessions)
        return NULL;
    SSL_CTX_set_security_level(sessions, 0);
    SSL_CTX_set_min_proto_version(sessions, TLS1_VERSION);
    SSL_CTX_set_cipher_list(sessions, "ALL:COMPLEMENTOFDEFAULT:@SECLEVEL=0");
    SSL_CTX_set_options(sessions, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_verify(sessions, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(sessions, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(sessions, SSL_MODE_RELEASE_BUFFERS);
    return engine->sessions = sessions;
}

bool session_reserve(Endpoint *endpoint) {
    Engine *engine = endpoint->engine;
    if (!endpoint->has_session && engine->session_count >= SESSIONS_MAX)
        return false;
    engine->session_count += !endpoint->has_session;
    endpoint->has_session = true;
    return true;
}

void session_plan(Endpoint *endpoint) {
    endpoint->known.date_asked = true;
}

static void ask(Endpoint *endpoint) {
    const char *host = endpoint->name ? endpoint->name : endpoint->record.address;
    bool bracket = strchr(host, ':') != NULL;
    g_autofree char *request =
        g_strdup_printf("HEAD / HTTP/1.1\r\nHost: %s%s%s\r\nUser-Agent: vigie\r\nConnection: close\r\n\r\n",
                        bracket ? "[" : "", host, bracket ? "]" : "");
    SSL_write(endpoint->ssl, request, (int)strlen(request));
    endpoint->http = g_string_new(NULL);
}

/* libssl works in memory: our own sends raise no SIGPIPE, whoever calls the engine. */
bool session_begin(Endpoint *endpoint) {
    SSL_CTX *sessions = sessions_of(endpoint->engine);
    endpoint->ssl = sessions ? SSL_new(sessions) : NULL;
    BIO *received = BIO_new(BIO_s_mem()), *to_send = BIO_new(BIO_s_mem());
    if (!endpoint->ssl || !received || !to_send) {
        BIO_free(received);
        BIO_free(to_send);
        connection_end(endpoint, VIGIE_OUTCOME_LIMIT, "no session");
        return false;
    }
    SSL_set_bio(endpoint->ssl, received, to_send);
    if (endpoint->name && !endpoint->known.nameless)
        SSL_set_tlsext_host_name(endpoint->ssl, endpoint->name);
    SSL_set_connect_state(endpoint->ssl);
    return session_continue(endpoint);
}

/* Takes what has come; false: the peer has closed. */
static bool take_received(Endpoint *endpoint) {
    Engine *engine = endpoint->engine;
    for (;;) {
        ssize_t size = recv(endpoint->watch.fd, engine->buffer, sizeof engine->buffer, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return size < 0 && errno == EAGAIN;
        endpoint->record.timings.bytes_received += (unsigned)size;
        BIO *received = SSL_get_rbio(endpoint->ssl);
        if (BIO_pending(received) > PENDING_MAX ||
            BIO_write(received, engine->buffer, (int)size) != (int)size)
            return false;
    }
}

/* Only the headers count. */
static bool has_all_headers(const GString *http) {
    return strstr(http->str, "\r\n\r\n") || http->len >= ANSWER_MAX;
}

static bool wants_more(const Endpoint *endpoint, int result) {
    int error = SSL_get_error(endpoint->ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* Goes as far as it can; true: it needs more from the peer. */
static bool advance(Endpoint *endpoint) {
    ERR_clear_error();
    if (!endpoint->http) {
        int result = SSL_do_handshake(endpoint->ssl);
        if (result != 1)
            return wants_more(endpoint, result);
        ask(endpoint);
    }
    char buffer[ANSWER_MAX];
    int size;
    while ((size = SSL_read(endpoint->ssl, buffer, sizeof buffer)) > 0) {
        g_string_append_len(endpoint->http, buffer, size);
        if (has_all_headers(endpoint->http))
            return false;
    }
    return wants_more(endpoint, size);
}

static bool send_pending(Endpoint *endpoint) {
    uint8_t buffer[ANSWER_MAX];
    int size;
    while ((size = BIO_read(SSL_get_wbio(endpoint->ssl), buffer, sizeof buffer)) > 0)
        if (!connection_send(endpoint, vigie_bytes(buffer, (size_t)size)))
            return false;
    return true;
}

bool session_continue(Endpoint *endpoint) {
    bool is_open = take_received(endpoint);
    bool more = advance(endpoint);
    if (!send_pending(endpoint))
        return false;
    if (more && is_open)
        return true;
    endpoint->answered_at = engine_clock(endpoint->engine);
    connection_end(endpoint, VIGIE_OUTCOME_OK, NULL);
    return false;
}

void session_learn(Endpoint *endpoint, const Answer *answer) {
    (void)answer;
    if (!endpoint->http || !g_str_has_prefix(endpoint->http->str, "HTTP/"))
        return;
    g_autofree char *headers = g_ascii_strdown(endpoint->http->str, -1);
    const char *header = strstr(headers, "\r\ndate:");
    VigieTime date;
    if (!header)
        return;
    const char *value = endpoint->http->str + (header - headers) + 2;
    if (date_find(value, strcspn(value, "\r\n"), &date))
        engine_clock_sample(endpoint, date, endpoint->answered_at, "http-date");
}

void session_end(Endpoint *endpoint) {
    endpoint->engine->session_count -= endpoint->has_session;
    endpoint->has_session = false;
    g_clear_pointer(&endpoint->ssl, SSL_free);
    if (endpoint->http)
        g_string_free(g_steal_pointer(&endpoint->http), TRUE);
}
