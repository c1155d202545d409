/* libcurl, held short. The address is judged when the socket is opened, after resolution: no name can lead elsewhere. */
#include "csirt/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <libpsl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { REDIRECTS_MAX = 3, PEM_MAX = 4 << 20 };

void fetched_clear(Fetched *fetched) {
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

bool fetch_address_public(const struct sockaddr *address) {
    if (address->sa_family == AF_INET)
        return public_v4((const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    if (address->sa_family == AF_INET6)
        return public_v6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    return false;
}

char *fetch_registrable(const char *host) {
    g_autofree char *low = g_ascii_strdown(host, -1);
    const char *found = psl_registrable_domain(psl_builtin(), low);
    return g_strdup(found ? found : low);
}

/* ---- One request ---- */
typedef struct {
    const VigieLookup *lookup;
    GByteArray *body;
    size_t size_max;
    bool too_large, forbidden;
} Request;

static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address) {
    Request *request = data;
    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (!request->lookup->private_too && !fetch_address_public(&address->addr)) {
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
    return request->lookup->stop && *request->lookup->stop;
}

static void set_trust(CURL *curl, const VigieLookup *lookup) {
    if (lookup->roots) {
        gsize size = 0;
        const void *pem = g_bytes_get_data(lookup->roots, &size);
        struct curl_blob blob = {.data = (void *)pem, .len = size, .flags = CURL_BLOB_NOCOPY};
        curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
    }
    if (!lookup->system_roots)
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static CURL *prepare(Request *request, const char *url) {
    CURL *curl = curl_easy_init();
    if (!curl)
        return NULL;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->lookup->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, request->lookup->timeout_ms / 2);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "Vigie/" VIGIE_VERSION);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, request);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_at_stop);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, request);
    set_trust(curl, request->lookup);
    return curl;
}

static bool explain(const Request *request, const char *url, CURLcode code, GError **error) {
    if (request->forbidden)
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
            "%s: its address is not of the public Internet, and csirt.lookup_private does not allow it", url);
    else if (request->too_large)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "%s: more than %zu octets", url,
                    request->size_max);
    else
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s: %s", url, curl_easy_strerror(code));
    return false;
}

/* Asks once. ret_next: where a redirection leads, or NULL. */
static bool ask(const VigieLookup *lookup, const char *url, size_t size_max, Fetched *ret_fetched,
                char **ret_next, GError **error) {
    Request request = {.lookup = lookup, .body = g_byte_array_new(), .size_max = size_max};
    CURL *curl = prepare(&request, url);
    CURLcode code = curl ? curl_easy_perform(curl) : CURLE_FAILED_INIT;
    if (code != CURLE_OK) {
        g_byte_array_unref(request.body);
        curl_easy_cleanup(curl);
        return explain(&request, url, code, error);
    }
    const char *next = NULL, *type = NULL;
    Fetched answer = {.url = g_strdup(url), .body = request.body};
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &next);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    answer.type = type ? g_utf8_make_valid(type, -1) : NULL;
    *ret_next = g_strdup(next);
    *ret_fetched = answer;
    curl_easy_cleanup(curl);
    return true;
}

/* ---- Redirections ---- */
static bool is_scheme(GUri *uri, const char *scheme) {
    return g_ascii_strcasecmp(g_uri_get_scheme(uri), scheme) == 0;
}

static int port_of(GUri *uri) {
    int port = g_uri_get_port(uri);
    return port > 0 ? port : is_scheme(uri, "https") ? 443 : 80;
}

static bool refuse(const char *url, const char *why, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s: %s", url, why);
    return false;
}

/* What we are sent to: a web address without a password in it. */
static bool may_ask(const char *url, GError **error) {
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_ENCODED, NULL);
    if (!uri || !g_uri_get_host(uri) || !*g_uri_get_host(uri) ||
        (!is_scheme(uri, "https") && !is_scheme(uri, "http")))
        return refuse(url, "no web address", error);
    return !g_uri_get_userinfo(uri) || refuse(url, "an address with a user in it is not followed", error);
}

static bool may_follow(const char *from, const char *to, GError **error) {
    if (!may_ask(to, error))
        return false;
    g_autoptr(GUri) old = g_uri_parse(from, G_URI_FLAGS_ENCODED, NULL);
    g_autoptr(GUri) new = g_uri_parse(to, G_URI_FLAGS_ENCODED, NULL);
    g_autofree char *one = fetch_registrable(g_uri_get_host(old)),
                    *other = fetch_registrable(g_uri_get_host(new));
    if (is_scheme(old, "https") && !is_scheme(new, "https"))
        return refuse(to, "a redirection from HTTPS to HTTP is not followed", error);
    if (strcmp(one, other) != 0)
        return refuse(to, "a redirection to another domain is not followed: look at it yourself", error);
    int port = port_of(new);
    return port == 443 || port == 80 || port == port_of(old) ||
           refuse(to, "a redirection to another port is not followed", error);
}

bool fetch_get(const VigieLookup *lookup, const char *url, size_t size_max, Fetched *ret_fetched,
               GError **error) {
    if (!may_ask(url, error))
        return false;
    g_autofree char *at = g_strdup(url);
    for (int i = 0; i <= REDIRECTS_MAX; i++) {
        g_autofree char *next = NULL;
        g_auto(Fetched) answer = {0};
        if (!ask(lookup, at, size_max, &answer, &next, error))
            return false;
        if (!next || answer.status < 300 || answer.status > 399) {
            *ret_fetched = answer;
            answer = (Fetched){0};
            return true;
        }
        if (!may_follow(at, next, error))
            return false;
        g_free(at);
        at = g_steal_pointer(&next);
    }
    return refuse(url, "more than three redirections", error);
}

/* ---- whois ---- */
/* Waits until the connection has something, or takes something; false once the time is up or we are to stop. */
static bool wait_for(CURL *curl, const VigieLookup *lookup, short events, int64_t deadline_us) {
    curl_socket_t fd = -1;
    curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd);
    for (int64_t left; (left = deadline_us - g_get_monotonic_time()) > 0;) {
        struct pollfd wanted = {.fd = fd, .events = events};
        if (lookup->stop && *lookup->stop)
            return false;
        if (poll(&wanted, 1, (int)MIN(left / 1000 + 1, 200)) > 0)
            return true;
    }
    return false;
}

static CURLcode converse(CURL *curl, Request *request, const char *query) {
    int64_t deadline = g_get_monotonic_time() + request->lookup->timeout_ms * 1000;
    for (size_t sent = 0, now = 0; sent < strlen(query); sent += now) {
        CURLcode code = curl_easy_send(curl, query + sent, strlen(query) - sent, &now);
        if (code == CURLE_AGAIN && wait_for(curl, request->lookup, POLLOUT, deadline))
            now = 0;
        else if (code != CURLE_OK)
            return code == CURLE_AGAIN ? CURLE_OPERATION_TIMEDOUT : code;
    }
    for (;;) {
        char piece[4096];
        size_t size = 0;
        CURLcode code = curl_easy_recv(curl, piece, sizeof piece, &size);
        if (code == CURLE_AGAIN && wait_for(curl, request->lookup, POLLIN, deadline))
            continue;
        if (code != CURLE_OK || size == 0)
            return code == CURLE_AGAIN ? CURLE_OPERATION_TIMEDOUT : code;
        if (take_body(piece, 1, size, request) == 0)
            return CURLE_WRITE_ERROR;
    }
}

bool fetch_whois(const VigieLookup *lookup, const char *server, const char *query, size_t size_max,
                 GByteArray **ret_text, GError **error) {
    g_autoptr(GByteArray) body = g_byte_array_new();
    Request request = {.lookup = lookup, .body = body, .size_max = size_max};
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

/* ---- How we may ask ---- */
static bool read_roots(VigieLookup *lookup, const char *const *paths, GError **error) {
    g_autoptr(GByteArray) all = g_byte_array_new();
    for (size_t i = 0; paths[i]; i++) {
        g_autofree char *pem = NULL;
        gsize size = 0;
        g_autoptr(GError) failure = NULL;
        if (!g_file_get_contents(paths[i], &pem, &size, &failure) || all->len + size > PEM_MAX) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "[trust] roots = %s: %s", paths[i],
                        failure ? failure->message : "the files are larger than 4 MiB together");
            return false;
        }
        g_byte_array_append(all, (const guint8 *)pem, (guint)size);
        g_byte_array_append(all, (const guint8 *)"\n", 1);
    }
    if (all->len > 0)
        lookup->roots = g_byte_array_free_to_bytes(g_steal_pointer(&all));
    return true;
}

VigieLookup *csirt_lookup_new(const VigieConfig *config, GError **error) {
    g_autoptr(VigieLookup) lookup = g_new0(VigieLookup, 1);
    lookup->private_too = vigie_config_bool(config, "csirt.lookup_private");
    lookup->timeout_ms = (long)vigie_config_seconds(config, "csirt.lookup_timeout") * 1000;
    lookup->system_roots = vigie_config_bool(config, "trust.system");
    lookup->rdap = g_strdup(vigie_config_text(config, "csirt.rdap"));
    lookup->whois = g_strdup(vigie_config_text(config, "csirt.whois"));
    if (lookup->timeout_ms < 1000 || lookup->timeout_ms > 600000) {
        g_set_error_literal(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            "[csirt] lookup_timeout: one second to ten minutes, as in: lookup_timeout = 15 s");
        return NULL;
    }
    return read_roots(lookup, vigie_config_list(config, "trust.roots"), error) ? g_steal_pointer(&lookup)
                                                                               : NULL;
}

void csirt_lookup_free(VigieLookup *lookup) {
    if (!lookup)
        return;
    g_clear_pointer(&lookup->roots, g_bytes_unref);
    g_free(lookup->rdap);
    g_free(lookup->whois);
    g_free(lookup);
}
