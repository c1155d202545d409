/* load: declarations over HTTP, as fast as they are acknowledged.
 *
 *     csirt-load PORT SECONDS CONNECTIONS [PATH]
 *
 * Each of the connections, kept open, sends a declaration of its own (a new nonce), waits for the whole answer and sends the next.
 * PATH is /api/declarations (JSON; the default) or /declarations (the page's form). Prints one line of JSON: { "accepted",
 * "refused", "seconds", "p50_ms", "p99_ms", "cpu_us": of this client, each }. */
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 256 * 1024, CONNECTIONS_MAX = 1024 };

#define TEXT                                                                                                 \
    "Depuis 7 h ce matin le PACS ne repond plus. Les postes d'interpretation affichent une erreur de "       \
    "connexion. Deux "                                                                                       \
    "scanners envoient encore leurs images, sans accuse de reception. Le service des urgences est passe au " \
    "papier."

typedef struct {
    int fd;
    char *answer;
    size_t size;
    gint64 sent;
} Connection;

typedef struct {
    struct sockaddr_in address;
    const char *path;
    int epoll_fd;
    uint64_t sent, accepted, refused;
    GArray *latencies; /* µs, gint64 */
} Load;

static void die(const char *what) {
    perror(what);
    exit(2);
}

static GString *request_of(Load *load) {
    bool form = strcmp(load->path, "/declarations") == 0;
    g_autofree char *nonce =
        g_strdup_printf("load-%d-%016" G_GINT64_MODIFIER "x", (int)getpid(), ++load->sent);
    g_autofree char *body =
        form ? g_strdup_printf(
                   "form=incident&organisation=CHU+de+Kermarec&name=Camille+Martin&mail=c.martin%%40chu.test&"
                   "text=%s"
                   "&found=21%%2F11%%2F2026&found.hour=07%%3A00&patients=potential&degraded=yes&nonce=%s",
                   TEXT, nonce)
             : g_strdup_printf(
                   "{\"form\":\"incident\",\"organisation\":\"CHU de Kermarec\",\"name\":\"Camille Martin\","
                   "\"mail\":\"c.martin@chu.test\",\"text\":\"%s\",\"found\":\"2026-11-21T06:00:00Z\","
                   "\"patients\":\"potential\",\"degraded\":true,\"nonce\":\"%s\"}",
                   TEXT, nonce);
    GString *request = g_string_new(NULL);
    g_string_printf(
        request, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
        load->path, form ? "application/x-www-form-urlencoded" : "application/json", strlen(body), body);
    return request;
}

static void connect_again(Load *load, Connection *connection) {
    int one = 1;
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (const struct sockaddr *)&load->address, sizeof load->address) < 0)
        die("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        die("epoll");
}

static void send_next(Load *load, Connection *connection) {
    GString *request = request_of(load);
    connection->size = 0;
    connection->sent = g_get_monotonic_time();
    if (send(connection->fd, request->str, request->len, MSG_NOSIGNAL) != (ssize_t)request->len)
        die("send");
    g_string_free(request, TRUE);
}

/* Whether the answer is whole; what it says is counted. */
static bool whole(Load *load, const Connection *connection) {
    const char *end = memmem(connection->answer, connection->size, "\r\n\r\n", 4);
    const char *length = end ? memmem(connection->answer, connection->size, "Content-Length: ", 16) : NULL;
    if (!length || connection->size < (size_t)(end + 4 - connection->answer) + strtoul(length + 16, NULL, 10))
        return false;
    gint64 taken = g_get_monotonic_time() - connection->sent;
    bool well = strncmp(connection->answer + 9, "20", 2) == 0;
    load->accepted += well;
    load->refused += !well;
    g_array_append_val(load->latencies, taken);
    return true;
}

static void on_readable(Load *load, Connection *connection) {
    ssize_t got =
        recv(connection->fd, connection->answer + connection->size, ANSWER_MAX - connection->size, 0);
    if (got <= 0) {
        connect_again(load, connection);
        send_next(load, connection);
        return;
    }
    connection->size += (size_t)got;
    if (whole(load, connection))
        send_next(load, connection);
}

static gint order(gconstpointer a, gconstpointer b) {
    gint64 left = *(const gint64 *)a, right = *(const gint64 *)b;
    return left < right ? -1 : left > right;
}

static double percentile(GArray *latencies, double part) {
    if (latencies->len == 0)
        return 0;
    return (double)g_array_index(latencies, gint64, (guint)((latencies->len - 1) * part)) / 1000;
}

static void report(Load *load, double seconds) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    g_array_sort(load->latencies, order);
    printf("{\"accepted\": %" G_GUINT64_FORMAT ", \"refused\": %" G_GUINT64_FORMAT
           ", \"seconds\": %.3f, \"p50_ms\": %.1f, \"p99_ms\": %.1f, \"cpu_us\": %.0f}\n",
           load->accepted, load->refused, seconds, percentile(load->latencies, .5),
           percentile(load->latencies, .99), cpu / (double)MAX(1, load->accepted));
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "csirt-load PORT SECONDS CONNECTIONS [PATH]\n");
        return 2;
    }
    Load load = {.path = argc > 4 ? argv[4] : "/api/declarations",
                 .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                 .latencies = g_array_new(FALSE, FALSE, sizeof(gint64))};
    load.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    load.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int count = CLAMP(atoi(argv[3]), 1, CONNECTIONS_MAX);
    Connection *connections = g_new0(Connection, count);
    gint64 begun = g_get_monotonic_time(), end = begun + (gint64)(atof(argv[2]) * 1e6);
    for (int i = 0; i < count; i++) {
        connections[i] = (Connection){.fd = -1, .answer = g_malloc(ANSWER_MAX + 1)};
        connect_again(&load, &connections[i]);
        send_next(&load, &connections[i]);
    }
    while (g_get_monotonic_time() < end) {
        struct epoll_event events[64];
        int ready = epoll_wait(load.epoll_fd, events, 64, 100);
        for (int i = 0; i < ready; i++)
            on_readable(&load, events[i].data.ptr);
    }
    report(&load, (double)(g_get_monotonic_time() - begun) / 1e6);
    for (int i = 0; i < count; i++)
        g_free(connections[i].answer);
    g_free(connections);
    g_array_unref(load.latencies);
    return 0;
}
