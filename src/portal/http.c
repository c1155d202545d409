#include "portal/http.h"
#include "portal/head.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum {
    LANES = 4,
    CONNECTIONS_PER_LANE = 256,
    TIMEOUT_SECONDS = 20,
    BODY_SECONDS = 15,
    MEMORY_PER_CONNECTION = 48 * 1024
};

typedef struct {
    const Portal *portal;
    VigieStore *store;
    struct MHD_Daemon *daemon;
} Lane;

struct Lanes {
    Lane lanes[LANES];
    unsigned next;
};

/* Those that are looked at; the gate lets each of the acted-on ones come once only. */
static const char *const known_fields[] = {
    "accept-language", "authorization",  "content-type", "cookie",          "host",
    "origin",          "sec-fetch-site", "x-csrf-token", "x-forwarded-for", "if-none-match"};

static void read_fields(Request *request, struct MHD_Connection *connection) {
    for (size_t i = 0; i < G_N_ELEMENTS(known_fields); i++) {
        const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, known_fields[i]);
        if (value)
            g_hash_table_insert(request->fields, g_strdup(known_fields[i]), g_strdup(value));
    }
}

/* RFC 6265 5.2, the reader's half: name=value; name=value. The first of a name counts. */
static void read_cookies(Request *request) {
    const char *field = request_field(request, "cookie");
    g_auto(GStrv) cookies = g_strsplit(field ? field : "", ";", 50);
    for (char **cookie = cookies; *cookie; cookie++) {
        char *equals = strchr(*cookie, '=');
        if (!equals)
            continue;
        g_autofree char *name = g_strstrip(g_strndup(*cookie, (gsize)(equals - *cookie)));
        const char *bare = g_str_has_prefix(name, "__Host-") ? name + strlen("__Host-") : name;
        bool ours = request->portal->https == (bare != name);
        if (ours && !g_hash_table_contains(request->cookies, bare))
            g_hash_table_insert(request->cookies, g_strdup(bare), g_strstrip(g_strdup(equals + 1)));
    }
}

/* Behind a proxy the last of X-Forwarded-For is what the proxy itself saw; those before it are hearsay. */
static char *reader_address(const Request *request, struct MHD_Connection *connection) {
    const char *forwarded = request->portal->proxy ? request_field(request, "x-forwarded-for") : NULL;
    if (forwarded) {
        const char *comma = strrchr(forwarded, ',');
        char *last = g_strstrip(g_strdup(comma ? comma + 1 : forwarded));
        if (g_hostname_is_ip_address(last))
            return last;
        g_free(last);
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[INET6_ADDRSTRLEN] = "";
    if (info && info->client_addr->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)info->client_addr)->sin_addr, text,
                  sizeof text);
    else if (info && info->client_addr->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)info->client_addr)->sin6_addr, text,
                  sizeof text);
    return g_strdup(text);
}

/* For every answer, whatever it is. Script and style come from here alone, nothing inline, no frame around us. */
static const char *const security_headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
     "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
    /* One request a connection: nothing can be smuggled in behind it. */
    {"Connection", "close"},
};

static enum MHD_Result send_answer(Request *request, struct MHD_Connection *connection) {
    gsize size = request->answer->len;
    char *bytes = g_string_free(request->answer, FALSE);
    request->answer = g_string_new(NULL);
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(size, bytes, g_free);
    if (!response) {
        g_free(bytes);
        return MHD_NO;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(security_headers); i++)
        MHD_add_response_header(response, security_headers[i][0], security_headers[i][1]);
    if (request->portal->https)
        MHD_add_response_header(response, "Strict-Transport-Security", "max-age=31536000");
    if (request->type)
        MHD_add_response_header(response, "Content-Type", request->type);
    bool cached = false;
    for (guint i = 0; i + 1 < request->headers->len; i += 2) {
        const char *name = g_ptr_array_index(request->headers, i);
        cached = cached || strcmp(name, "Cache-Control") == 0;
        MHD_add_response_header(response, name, g_ptr_array_index(request->headers, i + 1));
    }
    if (!cached)
        MHD_add_response_header(response, "Cache-Control", "no-store");
    enum MHD_Result queued = MHD_queue_response(connection, request->status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state) {
    (void)url;
    (void)version;
    const Lane *lane = data;
    Request *request = *state;
    if (!request)
        return MHD_NO;
    if (!request->method) { /* the head has come; the body follows */
        request->method = g_strdup(method);
        request->begun = g_get_monotonic_time();
        return MHD_YES;
    }
    if (*upload_size > 0) {
        bool drips = g_get_monotonic_time() - request->begun > BODY_SECONDS * G_USEC_PER_SEC;
        if (drips || request->body->len + *upload_size > BODY_SIZE_MAX)
            return MHD_NO;
        g_string_append_len(request->body, upload, (gssize)*upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    request->portal = lane->portal;
    request->store = lane->store;
    request->now = vigie_time_now();
    read_fields(request, connection);
    read_cookies(request);
    request->address = reader_address(request, connection);
    router_answer(request);
    return send_answer(request, connection);
}

static void *on_target(void *data, const char *target, struct MHD_Connection *connection) {
    (void)data;
    (void)connection;
    return request_new(target);
}

static void on_completed(void *data, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how) {
    (void)data;
    (void)connection;
    (void)how;
    request_free(*state);
    *state = NULL;
}

static bool start_lane(Lane *lane, const Portal *portal, GError **error) {
    lane->portal = portal;
    lane->store = store_open(vigie_config_text(portal->config, "store.url"), error);
    if (!lane->store)
        return false;
    lane->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC, 0, NULL, NULL, on_request,
        lane, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_PER_LANE, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)TIMEOUT_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!lane->daemon)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "libmicrohttpd does not start a thread: %s",
                    g_strerror(errno));
    return lane->daemon != NULL;
}

Lanes *http_lanes_start(const Portal *portal, GError **error) {
    Lanes *lanes = g_new0(Lanes, 1);
    for (unsigned i = 0; i < LANES; i++)
        if (!start_lane(&lanes->lanes[i], portal, error)) {
            http_lanes_stop(lanes);
            return NULL;
        }
    return lanes;
}

void http_lanes_take(int fd, const struct sockaddr *address, socklen_t address_size, void *data) {
    Lanes *lanes = data;
    Lane *lane = &lanes->lanes[lanes->next++ % LANES];
    MHD_add_connection(lane->daemon, fd, address, address_size); /* closes it where it cannot take it */
}

void http_lanes_stop(Lanes *lanes) {
    if (!lanes)
        return;
    for (unsigned i = 0; i < LANES; i++) {
        if (lanes->lanes[i].daemon)
            MHD_stop_daemon(lanes->lanes[i].daemon);
        store_close(lanes->lanes[i].store);
    }
    g_free(lanes);
}
