/* http: libcurl, held short. The address is judged when the socket is opened, after resolution: no name can lead elsewhere. */
#include "base/base.h"
#include "net/net.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { REDIRECTIONS = 3 };

void net_fetched_clear(VigieFetched *fetched) {
    g_clear_pointer(&fetched->url, g_free);
    g_clear_pointer(&fetched->type, g_free);
    g_clear_pointer(&fetched->body, g_byte_array_unref);
}

/* ---- Addresses ----
 * IANA's special-purpose registries (RFC 6890); of IPv6, global unicast without what embeds an IPv4 address. */
static bool within(const uint8_t *octets, const uint8_t *prefix, int bits) {
    int whole = bits / 8, rest = bits % 8;
    uint8_t mask = (uint8_t)(0xFF << (8 - rest));
    return memcmp(octets, prefix, (size_t)whole) == 0 &&
           (rest == 0 || (octets[whole] & mask) == (prefix[whole] & mask));
}

static bool public_v4(const uint8_t *octets) {
    static const struct {
        uint8_t prefix[4];
        int bits;
    } special[] = {
        {{0}, 8},
        {{10}, 8},
        {{100, 64}, 10},
        {{127}, 8},
        {{169, 254}, 16},
        {{172, 16}, 12},
        {{192, 0, 0}, 24},
        {{192, 0, 2}, 24},
        {{192, 88, 99}, 24},
        {{192, 168}, 16},
        {{198, 18}, 15},
        {{198, 51, 100}, 24},
        {{203, 0, 113}, 24},
        {{224}, 3},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(special); i++)
        if (within(octets, special[i].prefix, special[i].bits))
            return false;
    return true;
}

static bool public_v6(const uint8_t *octets) {
    static const uint8_t global[16] = {0x20}, teredo[16] = {0x20, 0x01, 0, 0}, six_to_four[16] = {0x20, 0x02},
                         examples[16] = {0x20, 0x01, 0x0d, 0xb8}, more_examples[16] = {0x3f, 0xff};
    return within(octets, global, 3) && !within(octets, teredo, 32) && !within(octets, six_to_four, 16) &&
           !within(octets, examples, 32) && !within(octets, more_examples, 20);
}

/* This machine itself, its link, and what no host has. */
static bool elsewhere_v4(const uint8_t *octets) {
    static const struct {
        uint8_t prefix[4];
        int bits;
    } near[] = {{{0}, 8}, {{127}, 8}, {{169, 254}, 16}, {{224}, 3}};
    for (size_t i = 0; i < G_N_ELEMENTS(near); i++)
        if (within(octets, near[i].prefix, near[i].bits))
            return false;
    return true;
}

/* RFC 4291 2.5.5, RFC 6052 2.1, RFC 3056 2: where the kernel, a translator or a tunnel finds the IPv4 address. NULL: there is none. */
static const uint8_t *embedded_v4(const uint8_t *octets) {
    static const struct {
        uint8_t prefix[16];
        int bits, at;
    } embeddings[] = {
        {{[10] = 0xFF, [11] = 0xFF}, 96, 12}, {{0, 0x64, 0xFF, 0x9B}, 96, 12}, {{0x20, 0x02}, 16, 2}};
    for (size_t i = 0; i < G_N_ELEMENTS(embeddings); i++)
        if (within(octets, embeddings[i].prefix, embeddings[i].bits))
            return octets + embeddings[i].at;
    return NULL;
}

/* Global unicast, and the house's own (RFC 4193). */
static bool elsewhere_v6(const uint8_t *octets) {
    static const uint8_t global[16] = {0x20}, local[16] = {0xFC}, teredo[16] = {0x20, 0x01, 0, 0};
    const uint8_t *embedded = embedded_v4(octets);
    if (embedded)
        return elsewhere_v4(embedded);
    return (within(octets, global, 3) && !within(octets, teredo, 32)) || within(octets, local, 7);
}

bool net_reach_allows(VigieReach reach, const VigieAddress *address) {
    if (reach == VIGIE_REACH_ALL)
        return true;
    if (reach == VIGIE_REACH_PUBLIC)
        return address->v6 ? public_v6(address->octets) : public_v4(address->octets);
    return address->v6 ? elsewhere_v6(address->octets) : elsewhere_v4(address->octets);
}

void net_reach_refuse(const VigieHttp *http, const char *url, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                http->reach == VIGIE_REACH_PUBLIC
                    ? "%s: its address is not of the public Internet%s"
                    : "%s: its address is of this machine itself or of its link%s",
                url, http->reach_hint ? http->reach_hint : "");
}

static bool may_reach(const VigieHttp *http, const struct sockaddr *socket) {
    VigieAddress address = {.v6 = socket->sa_family == AF_INET6};
    if (socket->sa_family == AF_INET)
        memcpy(address.octets, &((const struct sockaddr_in *)(const void *)socket)->sin_addr, 4);
    else if (address.v6)
        memcpy(address.octets, &((const struct sockaddr_in6 *)(const void *)socket)->sin6_addr, 16);
    else
        return false;
    return net_reach_allows(http->reach, &address);
}

/* ---- One request ---- */
typedef struct {
    const VigieHttp *http;
    GByteArray *body;
    size_t size_max;
    bool too_large, forbidden;
} Request;

static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address) {
    Request *request = data;
    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (!may_reach(request->http, &address->addr)) {
        request->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_body(char *piece, size_t size, size_t count, void *data) {
    Request *request = data;
    if (request->body->len + size * count > request->size_max) {
        request->too_large = true;
        return 0;
    }
    g_byte_array_append(request->body, (const guint8 *)piece, (guint)(size * count));
    return size * count;
}

static int look_at_stop(void *data, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    const Request *request = data;
    (void)a, (void)b, (void)c, (void)d;
    return request->http->stop && *request->http->stop;
}

static void set_trust(CURL *curl, const VigieHttp *http) {
    if (http->unproven) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
        return;
    }
    if (http->roots) {
        gsize size = 0;
        const void *pem = g_bytes_get_data(http->roots, &size);
        struct curl_blob blob = {.data = (void *)pem, .len = size, .flags = CURL_BLOB_NOCOPY};
        curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
    }
    if (!http->system_roots)
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static long left_ms(const VigieHttp *http) {
    int64_t left = http->until ? (http->until - g_get_monotonic_time()) / 1000 : http->timeout_ms;
    return (long)CLAMP(left, 1, http->timeout_ms);
}

static CURL *prepare(Request *request, const char *url) {
    const long left = left_ms(request->http);
    CURL *curl = curl_easy_init();
    if (!curl)
        return NULL;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, MAX(1, left / 2));
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "Vigie/" VIGIE_VERSION);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, request);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_at_stop);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, request);
    set_trust(curl, request->http);
    return curl;
}

static bool explain(const Request *request, const char *url, CURLcode code, GError **error) {
    if (request->forbidden)
        net_reach_refuse(request->http, url, error);
    else if (request->too_large)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "%s: more than %zu octets", url,
                    request->size_max);
    else
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s: it cannot be reached (%s)", url,
                    curl_easy_strerror(code));
    return false;
}

static struct curl_slist *set_post(CURL *curl, const VigiePost *post) {
    g_autofree char *type = g_strdup_printf("Content-Type: %s", post->type);
    struct curl_slist *headers = curl_slist_append(curl_slist_append(NULL, type), "Expect:");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)post->body.size);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post->body.data);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    return headers;
}

static bool is_scheme(GUri *uri, const char *scheme) {
    return g_ascii_strcasecmp(g_uri_get_scheme(uri), scheme) == 0;
}

/* What libcurl is told instead of asking the system: whatever name it reads in the URL has this address. NULL, without an error:
 * nothing, for the host is an address, or the system may resolve it. */
static struct curl_slist *pin(const VigieHttp *http, const char *url, GError **error) {
    g_autoptr(GUri) uri = http->resolve ? g_uri_parse(url, G_URI_FLAGS_ENCODED, NULL) : NULL;
    VigieAddress address;
    if (!uri || net_address_parse(g_uri_get_host(uri), &address))
        return NULL;
    int said = g_uri_get_port(uri), port = said >= 0 ? said : is_scheme(uri, "https") ? 443 : 80;
    g_autofree char *at = http->resolve(http->data, g_uri_get_host(uri), error);
    g_autofree char *entry = at ? g_strdup_printf(strchr(at, ':') ? "*:%d:[%s]" : "*:%d:%s", port, at) : NULL;
    return entry ? curl_slist_append(NULL, entry) : NULL;
}

/* Asks once. ret_next: where a redirection leads, or NULL. */
static bool ask(const VigieHttp *http, const char *url, const VigiePost *post, size_t size_max,
                VigieFetched *ret_fetched, char **ret_next, GError **error) {
    GError *unresolved = NULL;
    struct curl_slist *pins = pin(http, url, &unresolved);
    if (unresolved) {
        g_propagate_error(error, unresolved);
        return false;
    }
    Request request = {.http = http, .body = g_byte_array_new(), .size_max = size_max};
    CURL *curl = prepare(&request, url);
    struct curl_slist *headers = curl && post ? set_post(curl, post) : NULL;
    if (curl)
        curl_easy_setopt(curl, CURLOPT_RESOLVE, pins);
    CURLcode code = curl ? curl_easy_perform(curl) : CURLE_FAILED_INIT;
    bool answered = code == CURLE_OK;
    if (answered) {
        const char *next = NULL, *type = NULL;
        VigieFetched answer = {.url = g_strdup(url), .body = g_byte_array_ref(request.body)};
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
        curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &next);
        curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
        answer.type = type ? g_utf8_make_valid(type, -1) : NULL;
        *ret_next = g_strdup(next);
        *ret_fetched = answer;
    }
    g_byte_array_unref(request.body);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    curl_slist_free_all(pins);
    return answered || explain(&request, url, code, error);
}

/* ---- Redirections ---- */
static bool refuse(const char *url, const char *why, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s: %s", url, why);
    return false;
}

/* A web address without a password in it. */
static bool may_ask(const char *url, GError **error) {
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_ENCODED, NULL);
    if (!uri || !g_uri_get_host(uri) || !*g_uri_get_host(uri) ||
        (!is_scheme(uri, "https") && !is_scheme(uri, "http")))
        return refuse(url, "this is no web address, as https://chu.example/", error);
    return !g_uri_get_userinfo(uri) || refuse(url, "an address with a user in it is not followed", error);
}

static bool may_follow(const VigieHttp *http, const char *from, const char *to, GError **error) {
    if (!may_ask(to, error))
        return false;
    g_autoptr(GUri) old = g_uri_parse(from, G_URI_FLAGS_ENCODED, NULL);
    g_autoptr(GUri) new = g_uri_parse(to, G_URI_FLAGS_ENCODED, NULL);
    if (is_scheme(old, "https") && !is_scheme(new, "https"))
        return refuse(to, "a redirection from HTTPS to HTTP is not followed", error);
    return !http->may_follow || http->may_follow(http->data, old, new, to, error);
}

bool net_http_ask(const VigieHttp *http, const char *url, const VigiePost *post, size_t size_max,
                  VigieFetched *ret_fetched, GError **error) {
    if (!may_ask(url, error))
        return false;
    const unsigned redirections = http->redirections ? http->redirections : REDIRECTIONS;
    g_autofree char *at = g_strdup(url);
    for (unsigned i = 0; i <= redirections; i++) {
        g_autofree char *next = NULL;
        g_auto(VigieFetched) answer = {0};
        if (!ask(http, at, post, size_max, &answer, &next, error))
            return false;
        if (!next || answer.status < 300 || answer.status > 399) {
            *ret_fetched = answer;
            answer = (VigieFetched){0};
            return true;
        }
        if (!may_follow(http, at, next, error))
            return false;
        g_free(at);
        at = g_steal_pointer(&next);
    }
    return refuse(url, "too many redirections", error);
}

/* ---- A line ---- */
/* Waits until the connection has something, or takes something; false once the time is up or we are to stop. */
static bool wait_for(CURL *curl, const VigieHttp *http, short events, int64_t deadline_us) {
    curl_socket_t fd = -1;
    curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd);
    for (int64_t left; (left = deadline_us - g_get_monotonic_time()) > 0;) {
        struct pollfd wanted = {.fd = fd, .events = events};
        if (http->stop && *http->stop)
            return false;
        if (poll(&wanted, 1, (int)MIN(left / 1000 + 1, 200)) > 0)
            return true;
    }
    return false;
}

static CURLcode converse(CURL *curl, Request *request, const char *query) {
    int64_t deadline = g_get_monotonic_time() + request->http->timeout_ms * 1000;
    for (size_t sent = 0, now = 0; sent < strlen(query); sent += now) {
        CURLcode code = curl_easy_send(curl, query + sent, strlen(query) - sent, &now);
        if (code == CURLE_AGAIN && wait_for(curl, request->http, POLLOUT, deadline))
            now = 0;
        else if (code != CURLE_OK)
            return code == CURLE_AGAIN ? CURLE_OPERATION_TIMEDOUT : code;
    }
    for (;;) {
        char piece[4096];
        size_t size = 0;
        CURLcode code = curl_easy_recv(curl, piece, sizeof piece, &size);
        if (code == CURLE_AGAIN && wait_for(curl, request->http, POLLIN, deadline))
            continue;
        if (code != CURLE_OK || size == 0)
            return code == CURLE_AGAIN ? CURLE_OPERATION_TIMEDOUT : code;
        if (take_body(piece, 1, size, request) == 0)
            return CURLE_WRITE_ERROR;
    }
}

bool net_line_ask(const VigieHttp *http, const char *server, const char *query, size_t size_max,
                  GByteArray **ret_text, GError **error) {
    g_autoptr(GByteArray) body = g_byte_array_new();
    Request request = {.http = http, .body = body, .size_max = size_max};
    g_autofree char *url = g_strdup_printf("http://%s%s/", server, strchr(server, ':') ? "" : ":43");
    g_autofree char *line = g_strdup_printf("%s\r\n", query);
    CURL *curl = prepare(&request, url);
    if (curl)
        curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    CURLcode code = curl ? curl_easy_perform(curl) : CURLE_FAILED_INIT;
    if (code == CURLE_OK)
        code = converse(curl, &request, line);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK && body->len == 0)
        return explain(&request, server, code, error);
    *ret_text = g_steal_pointer(&body);
    return true;
}
