/* listen: from portal.listen to a socket. */
#include "portal/portal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
    socklen_t size;
} Address;

static bool parse_address(const char *where, Address *address) {
    const char *colon = strrchr(where, ':');
    char *end = NULL;
    guint64 port = colon ? g_ascii_strtoull(colon + 1, &end, 10) : 0;
    if (!colon || !g_ascii_isdigit(colon[1]) || *end || port > 65535)
        return false;
    g_autofree char *host = g_strndup(where, (gsize)(colon - where));
    gsize size = strlen(host);
    if (size > 2 && host[0] == '[' && host[size - 1] == ']') {
        host[size - 1] = '\0';
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons((uint16_t)port);
        address->size = sizeof address->v6;
        return inet_pton(AF_INET6, host + 1, &address->v6.sin6_addr) == 1;
    }
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons((uint16_t)port);
    address->size = sizeof address->v4;
    return inet_pton(AF_INET, host, &address->v4.sin_addr) == 1;
}

static bool parse_path(const char *path, Address *address) {
    address->local.sun_family = AF_UNIX;
    address->size = sizeof address->local;
    return *path == '/' && g_strlcpy(address->local.sun_path, path, sizeof address->local.sun_path) <
                               sizeof address->local.sun_path;
}

/* A socket file that nobody answers at was left by a process that died: it goes. */
static void remove_stale(const Address *address) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, &address->any, address->size) < 0 && errno == ECONNREFUSED)
        unlink(address->local.sun_path);
    if (fd >= 0)
        close(fd);
}

static char *url_of(int fd, const char *where) {
    Address address = {.size = sizeof(struct sockaddr_in6)};
    if (g_str_has_prefix(where, "unix:") || getsockname(fd, &address.any, &address.size) < 0)
        return g_strdup(where);
    unsigned port = ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
    return g_strdup_printf("http://%.*s:%u", (int)(strrchr(where, ':') - where), where, port);
}

bool portal_listen(const char *where, int *ret_fd, char **ret_url, GError **error) {
    Address address = {0};
    bool local = g_str_has_prefix(where, "unix:");
    if (!(local ? parse_path(where + 5, &address) : parse_address(where, &address))) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "portal.listen: \"%s\": ADDRESS:PORT or unix:/PATH is wanted, as in 127.0.0.1:8080",
                    where);
        return false;
    }
    if (local)
        remove_stale(&address);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    bool listening = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                     bind(fd, &address.any, address.size) == 0 &&
                     (!local || chmod(address.local.sun_path, 0660) == 0) && listen(fd, 256) == 0;
    if (!listening) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "portal.listen: %s: %s; is another program there? Choose another address or stop it",
                    where, g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (ret_url)
        *ret_url = url_of(fd, where);
    *ret_fd = fd;
    return true;
}
