/* acme-challenge.c: is the name theirs? Asked of the name itself: a file on its server (RFC 8555 8.3), a record in its zone (8.4), a
 * certificate in a handshake (RFC 8737). All that comes back is a stranger's: little of it is read, none of it is passed on. */
#include "net/net.h"
#include "pki/acme-dns.h"
#include "pki/acme.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jose/b64.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* All tries, redirections and handshakes together: who answers octet by octet holds up no other. */
enum {
    TRIES = 3,
    PAUSE_MS = 1500,
    BODY_MAX = 1024,
    TIMEOUT_SECONDS = 6,
    ALL_SECONDS = 20,
    REDIRECTIONS = 10
};

typedef struct {
    const VigieAcmeReach *reach;
    const char *value; /* the name or the address */
    bool ip;
    const char *token;
    const char *key;    /* token "." thumbprint */
    uint8_t digest[32]; /* its SHA-256 */
    gint64 until;       /* monotonic, µs */
} Look;

/* Milliseconds that one server may still take. */
static int left_ms(const Look *look) {
    return (int)CLAMP((look->until - g_get_monotonic_time()) / 1000, 0, TIMEOUT_SECONDS * 1000);
}

static bool refuse(GError **error, const char *type, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The message begins with the type that RFC 8555 6.7 has for it. */
static bool refuse(GError **error, const char *type, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s:%s", type, text);
    return false;
}

static char *address_of(const Look *look, GError **error) {
    g_autoptr(GError) failure = NULL;
    char *address =
        look->ip ? g_strdup(look->value) : acme_dns_address(look->reach->resolvers, look->value, &failure);
    if (!address)
        refuse(error, "dns", "%s", failure->message);
    return address;
}

/* Names' owners are in the house, and none of them is we: what listens on this machine for itself alone trusts who asks it. */
#define UNREACHED ", and process.reach_itself does not allow it"

static VigieReach reach_of(const Look *look) {
    return look->reach->itself ? VIGIE_REACH_ALL : VIGIE_REACH_SITE;
}

/* ---- http-01 --------------------------------------------------------------------------------------------------------------- */
/* RFC 8555 10.4: whoever answers for a name sends us to servers of the web, by their names, and not round our own house. */
static bool may_follow(void *data, GUri *from, GUri *to, const char *url, GError **error) {
    const Look *look = data;
    const char *host = g_uri_get_host(to);
    int port = g_uri_get_port(to);
    VigieAddress address;
    (void)from;
    bool elsewhere = net_address_parse(host, &address) && strcmp(host, look->value) != 0;
    if (!elsewhere && (port < 0 || port == 80 || port == 443 || port == look->reach->http_port))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                "%.200s: redirections lead to a name, on port 80 or 443", url);
    return false;
}

static char *resolve(void *data, const char *name, GError **error) {
    const Look *look = data;
    return acme_dns_address(look->reach->resolvers, name, error);
}

static bool look_http(const Look *look, GError **error) {
    const VigieHttp http = {.timeout_ms = TIMEOUT_SECONDS * 1000,
                            .until = look->until,
                            .reach = reach_of(look),
                            .reach_hint = UNREACHED,
                            .unproven = true, /* it may be this very certificate that is wanted */
                            .redirections = REDIRECTIONS,
                            .may_follow = may_follow,
                            .resolve = resolve,
                            .data = (void *)(uintptr_t)look};
    bool v6 = look->ip && strchr(look->value, ':');
    g_autofree char *url = g_strdup_printf(v6 ? "http://[%s]:%d/.well-known/acme-challenge/%s"
                                              : "http://%s:%d/.well-known/acme-challenge/%s",
                                           look->value, look->reach->http_port, look->token);
    g_auto(VigieFetched) fetched = {0};
    g_autoptr(GError) failure = NULL;
    if (!net_http_ask(&http, url, NULL, BODY_MAX, &fetched, &failure))
        return refuse(error, failure->code == VIGIE_ERROR_NOT_FOUND ? "dns" : "connection", "%s",
                      failure->message);
    if (fetched.status >= 400)
        return refuse(error, "connection", "%s: the server answers %ld", url, fetched.status);
    g_byte_array_append(fetched.body, (const guint8 *)"", 1);
    return strcmp(g_strchomp((char *)fetched.body->data), look->key) == 0 ||
           refuse(error, "incorrectResponse", "%s: there is another text than the key authorization", url);
}

/* ---- dns-01 ---------------------------------------------------------------------------------------------------------------- */
static bool look_dns(const Look *look, GError **error) {
    g_autoptr(GError) failure = NULL;
    g_autofree char *name = g_strconcat("_acme-challenge.", look->value, NULL);
    g_autoptr(json_t) wanted = jose_b64_enc(look->digest, sizeof look->digest);
    g_auto(GStrv) texts = acme_dns_txt(look->reach->resolvers, name, &failure);
    if (!texts)
        return refuse(error, "dns", "%s", failure->message);
    return g_strv_contains((const char *const *)texts, json_string_value(wanted)) ||
           refuse(error, "incorrectResponse", "%s: none of its TXT records is the one that is wanted", name);
}

/* ---- tls-alpn-01 ----------------------------------------------------------------------------------------------------------- */
/* -1: errno says why; EACCES: it is not to be reached. */
static int dial(const Look *look, const char *address, int port) {
    g_autofree char *service = g_strdup_printf("%d", port);
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    const struct timeval limit = {.tv_sec = TIMEOUT_SECONDS};
    struct addrinfo *at = NULL;
    if (getaddrinfo(address, service, &hints, &at) != 0)
        return -1;
    VigieAddress to;
    bool allowed = net_address_parse(address, &to) && net_reach_allows(reach_of(look), &to);
    int fd = allowed ? socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (!allowed)
        errno = EACCES;
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* connect(2) too */
    }
    if (fd >= 0 && (connect(fd, at->ai_addr, at->ai_addrlen) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(at);
    return fd;
}

/* RFC 8737 3: one alternative name, the one that is looked at. */
static bool names_it(const Look *look, X509 *certificate) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool one = sk_GENERAL_NAME_num(names) == 1;
    GENERAL_NAMES_free(names);
    return one &&
           (look->ip ? X509_check_ip_asc(certificate, look->value, 0)
                     : X509_check_host(certificate, look->value, 0,
                                       X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                                       NULL)) == 1;
}

/* id-pe-acmeIdentifier, critical, an OCTET STRING of the digest. */
static bool proves_it(const Look *look, const X509 *certificate) {
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    int place = X509_get_ext_by_OBJ(certificate, oid, -1);
    ASN1_OBJECT_free(oid);
    X509_EXTENSION *extension = place >= 0 ? X509_get_ext(certificate, place) : NULL;
    const ASN1_OCTET_STRING *value = extension ? X509_EXTENSION_get_data(extension) : NULL;
    const unsigned char *data = value ? ASN1_STRING_get0_data(value) : NULL;
    return value && X509_EXTENSION_get_critical(extension) && ASN1_STRING_length(value) == 34 &&
           data[0] == 0x04 && data[1] == 32 && memcmp(data + 2, look->digest, 32) == 0;
}

/* RFC 8738 6: an address is named in SNI by its place in the reverse tree. */
static char *server_name(const Look *look) {
    uint8_t octets[16];
    if (!look->ip)
        return g_strdup(look->value);
    if (inet_pton(AF_INET, look->value, octets) == 1)
        return g_strdup_printf("%u.%u.%u.%u.in-addr.arpa", octets[3], octets[2], octets[1], octets[0]);
    GString *name = g_string_new(NULL);
    inet_pton(AF_INET6, look->value, octets);
    for (int i = 15; i >= 0; i--)
        g_string_append_printf(name, "%x.%x.", octets[i] & 15, octets[i] >> 4);
    g_string_append(name, "ip6.arpa");
    return g_string_free(name, FALSE);
}

static bool judge(const Look *look, SSL *ssl, GError **error) {
    const unsigned char *protocol = NULL;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl, &protocol, &size);
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (size != strlen("acme-tls/1") || memcmp(protocol, "acme-tls/1", size) != 0)
        return refuse(error, "tls", "%s: the server did not choose acme-tls/1", look->value);
    if (!certificate || !names_it(look, certificate) || !proves_it(look, certificate))
        return refuse(error, "incorrectResponse", "%s: the certificate does not prove the challenge",
                      look->value);
    return true;
}

/* Within its time, however the server divides what it says. */
static bool meet(const Look *look, SSL *ssl, int fd) {
    for (;;) {
        int done = SSL_connect(ssl), what = SSL_get_error(ssl, done), left = left_ms(look);
        struct pollfd wanted = {.fd = fd, .events = what == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN};
        if (done == 1)
            return true;
        if ((what != SSL_ERROR_WANT_READ && what != SSL_ERROR_WANT_WRITE) || left == 0 ||
            poll(&wanted, 1, left) <= 0)
            return false;
    }
}

static bool shake_hands(const Look *look, SSL_CTX *context, int fd, GError **error) {
    static const unsigned char protocols[] = "\012acme-tls/1";
    g_autofree char *name = server_name(look);
    SSL *ssl = SSL_new(context);
    bool well = ssl && SSL_set_fd(ssl, fd) && SSL_set_tlsext_host_name(ssl, name) &&
                SSL_set_alpn_protos(ssl, protocols, sizeof protocols - 1) == 0;
    bool met = well && meet(look, ssl, fd);
    bool proven = met && judge(look, ssl, error);
    SSL_free(ssl);
    ERR_clear_error();
    return met ? proven
               : refuse(error, "tls", "%s, port %d: no TLS handshake", look->value, look->reach->tls_port);
}

static bool look_tls(const Look *look, GError **error) {
    g_autofree char *address = address_of(look, error);
    if (!address)
        return false;
    int fd = dial(look, address, look->reach->tls_port);
    if (fd < 0 && errno == EACCES)
        return refuse(error, "connection",
                      "%s: its address is of this machine itself or of its link" UNREACHED, look->value);
    if (fd < 0)
        return refuse(error, "connection", "%s, port %d: %s", look->value, look->reach->tls_port,
                      g_strerror(errno));
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    bool proven = context && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) &&
                  shake_hands(look, context, fd, error);
    SSL_CTX_free(context);
    close(fd);
    return proven;
}

/* ---- A job ------------------------------------------------------------------------------------------------------------------- */
static const struct {
    const char *type;
    bool (*look)(const Look *look, GError **error);
} ways[] = {{"http-01", look_http}, {"dns-01", look_dns}, {"tls-alpn-01", look_tls}};

/* A server that was just told may need a moment. */
static bool look_again(const Look *look, const char *method, GError **error) {
    size_t way = 0;
    while (way < G_N_ELEMENTS(ways) && strcmp(ways[way].type, method) != 0)
        way++;
    if (way == G_N_ELEMENTS(ways))
        return refuse(error, "malformed", "no challenge of the type %s", method);
    for (int i = 0; i < TRIES && (i == 0 || left_ms(look) > PAUSE_MS); i++) {
        g_clear_error(error);
        if (i > 0)
            g_usleep(PAUSE_MS * 1000);
        if (ways[way].look(look, error))
            return true;
    }
    return false;
}

static json_t *problem_of(const GError *failure) {
    const char *colon = strchr(failure->message, ':');
    g_autofree char *type = g_strndup(failure->message, (gsize)(colon - failure->message));
    g_autofree char *urn = g_strconcat("urn:ietf:params:acme:error:", type, NULL),
                    *detail = g_utf8_make_valid(colon + 1, -1);
    return json_pack("{s:s, s:s, s:i}", "type", urn, "detail", detail, "status", 403);
}

static bool keep(VigieStore *store, int64_t id, const GError *failure, VigieTime now, GError **error) {
    g_autoptr(json_t) problem = failure ? problem_of(failure) : NULL;
    g_autofree char *text = problem ? vigie_json_text(problem) : NULL;
    return store_exec(store, error,
                      "UPDATE acme_authorization SET state = $2, error = $3, checked = $4 WHERE id = $1 AND "
                      "state = 'pending'",
                      "itti", id, failure ? "invalid" : "valid", text, now);
}

bool pki_acme_look(VigieStore *store, const VigieAcmeReach *reach, int64_t authorization, VigieTime now,
                   GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT z.name, z.token, z.method, a.thumbprint FROM acme_authorization z "
                    "JOIN acme_account a ON a.id = z.account WHERE z.id = $1 AND z.state = 'pending'",
                    "i", authorization);
    bool found = false;
    if (!acme_row(rows, &found, error))
        return false;
    if (!found) /* decided already */
        return true;
    g_autofree char *name = g_strdup(rows_text(rows, 0)), *token = g_strdup(rows_text(rows, 1)),
                    *method = g_strdup(rows_text(rows, 2)),
                    *key = g_strconcat(token, ".", rows_text(rows, 3), NULL);
    g_clear_pointer(&rows, rows_free);
    Look look = {.reach = reach,
                 .value = strchr(name, ':') + 1,
                 .ip = g_str_has_prefix(name, "ip:"),
                 .token = token,
                 .key = key,
                 .until = g_get_monotonic_time() + ALL_SECONDS * G_USEC_PER_SEC};
    gsize size = sizeof look.digest;
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(checksum, (const guchar *)key, (gssize)strlen(key));
    g_checksum_get_digest(checksum, look.digest, &size);
    g_autoptr(GError) failure = NULL;
    look_again(&look, method, &failure);
    return keep(store, authorization, failure, now, error);
}
