#include "portal/http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* More of them than processors: a lane may wait for the disk, and those that wait together share a commit. On PostgreSQL each
 * is one of the server's connections (100 by default), which several machines share. */
enum { LANES = 24, LANES_POSTGRESQL = 12 };

struct Lanes {
    const Portal *portal;
    GAsyncQueue *asked, *answered;
    int fd;    /* an eventfd: something was answered */
    int begun; /* lanes that took their store */
    VigieStore *stores[LANES];
    GThread *threads[LANES];
};

/* ---- Exchanges ---------------------------------------------------------------------------------------------- */
Exchange *exchange_new(VigieBytes octets, void *connection, const char *address) {
    Exchange *exchange = g_new0(Exchange, 1);
    exchange->octets = vigie_bytes(g_memdup2(octets.data, octets.size), octets.size);
    portal_head_check(exchange->octets, &exchange->head);
    exchange->connection = connection;
    exchange->address = g_strdup(address);
    exchange->body = g_string_new(NULL);
    return exchange;
}

void exchange_free(Exchange *exchange) {
    if (!exchange)
        return;
    g_free((void *)exchange->octets.data);
    g_string_free(exchange->body, TRUE);
    multipart_free(exchange->multipart);
    g_free(exchange->address);
    answer_unref(exchange->answer);
    g_free(exchange);
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */
/* Those that are looked at; the gate lets each of the acted-on ones come once only. */
static const char *const known_fields[] = {
    "accept-language",  "authorization",  "content-type", "cookie",          "host",
    "origin",           "sec-fetch-site", "x-csrf-token", "x-forwarded-for", "x-ssl-client-verify",
    "x-ssl-client-cert"};

static void read_fields(Request *request, VigieBytes head) {
    VigieBytes name, value;
    while (portal_head_field(&head, &name, &value))
        for (size_t i = 0; i < G_N_ELEMENTS(known_fields); i++)
            if (name.size == strlen(known_fields[i]) &&
                strncasecmp((const char *)name.data, known_fields[i], name.size) == 0)
                g_hash_table_insert(request->fields, g_strdup(known_fields[i]),
                                    g_strndup((const char *)value.data, value.size));
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
static char *reader_address(const Request *request, const char *connected) {
    const char *forwarded = request->portal->proxy ? request_field(request, "x-forwarded-for") : NULL;
    if (forwarded) {
        const char *comma = strrchr(forwarded, ',');
        char *last = g_strstrip(g_strdup(comma ? comma + 1 : forwarded));
        if (g_hostname_is_ip_address(last))
            return last;
        g_free(last);
    }
    return g_strdup(connected);
}

/* Without a name for the request's address, it is none of ours: cut at the question mark, escapes left as they are. */
uint64_t http_body_max(const Portal *portal, const Head *head) {
    const uint8_t *mark = memchr(head->target.data, '?', head->target.size);
    size_t size = mark ? (size_t)(mark - head->target.data) : head->target.size;
    g_autofree char *path = g_strndup((const char *)head->target.data, size);
    return router_takes_files(path) ? portal->upload_total : BODY_SIZE_MAX;
}

static Answer *answer_of(const Lanes *lanes, VigieStore *store, Exchange *exchange) {
    g_autofree char *target = g_strndup((const char *)exchange->head.target.data, exchange->head.target.size);
    g_autoptr(Request) request = request_new(target);
    request->method = g_strndup((const char *)exchange->head.method.data, exchange->head.method.size);
    request->portal = lanes->portal;
    request->store = store;
    request->now = vigie_time_now();
    /* A copy: the gate keeps an answer by the body that was asked with. */
    g_string_append_len(request->body, exchange->body->str, (gssize)exchange->body->len);
    if (exchange->multipart)
        request->uploads = multipart_take(exchange->multipart, request->form);
    read_fields(request, exchange->octets);
    read_cookies(request);
    request->address = reader_address(request, exchange->address);
    router_answer(request);
    return answer_new(request);
}

/* ---- Lanes -------------------------------------------------------------------------------------------------- */
static char nothing_more;

static void *run_lane(void *data) {
    Lanes *lanes = data;
    VigieStore *store = lanes->stores[g_atomic_int_add(&lanes->begun, 1)];
    for (void *next; (next = g_async_queue_pop(lanes->asked)) != &nothing_more;) {
        Exchange *exchange = next;
        exchange->answer = answer_of(lanes, store, exchange);
        g_async_queue_push(lanes->answered, exchange);
        (void)!write(lanes->fd, &(uint64_t){1}, sizeof(uint64_t));
    }
    return NULL;
}

Lanes *http_lanes_start(const Portal *portal, GError **error) {
    Lanes *lanes = g_new0(Lanes, 1);
    lanes->portal = portal;
    lanes->asked = g_async_queue_new_full((GDestroyNotify)exchange_free);
    lanes->answered = g_async_queue_new_full((GDestroyNotify)exchange_free);
    lanes->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    const char *url = vigie_config_text(portal->config, "store.url");
    size_t count = g_str_has_prefix(url, "postgresql:") ? LANES_POSTGRESQL : LANES;
    bool well = lanes->fd >= 0;
    if (!well)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "eventfd: %s", g_strerror(errno));
    for (size_t i = 0; well && i < count; i++)
        well = (lanes->stores[i] = store_open(url, error)) != NULL;
    for (size_t i = 0; well && i < count; i++)
        lanes->threads[i] = g_thread_new("lane", run_lane, lanes);
    if (well)
        return lanes;
    http_lanes_stop(lanes);
    return NULL;
}

int http_lanes_fd(const Lanes *lanes) {
    return lanes->fd;
}

void http_lanes_give(Lanes *lanes, Exchange *exchange) {
    g_async_queue_push(lanes->asked, exchange);
}

Exchange *http_lanes_answered(Lanes *lanes) {
    return g_async_queue_try_pop(lanes->answered);
}

void http_lanes_stop(Lanes *lanes) {
    if (!lanes)
        return;
    for (size_t i = 0; i < LANES; i++)
        if (lanes->threads[i])
            g_async_queue_push(lanes->asked, &nothing_more);
    for (size_t i = 0; i < LANES; i++) {
        if (lanes->threads[i])
            g_thread_join(lanes->threads[i]);
        store_close(lanes->stores[i]);
    }
    g_async_queue_unref(lanes->asked);
    g_async_queue_unref(lanes->answered);
    if (lanes->fd >= 0)
        close(lanes->fd);
    g_free(lanes);
}
