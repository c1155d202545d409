#include "portal/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static void read_address(Connection *connection, const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        uint8_t *mapped = connection->peer.s6_addr;
        memset(mapped + 10, 0xff, 2);
        memcpy(mapped + 12, &v4->sin_addr, 4);
        inet_ntop(AF_INET, &v4->sin_addr, connection->address, sizeof connection->address);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        /* Whoever has one address of IPv6 has the 2^64 beside it. */
        memcpy(&connection->peer, &v6->sin6_addr, mapped ? 16 : 8);
        inet_ntop(AF_INET6, &v6->sin6_addr, connection->address, sizeof connection->address);
    }
}

void connection_open(Connection *connection, int fd, const struct sockaddr *address) {
    *connection = (Connection){.fd = fd, .state = READING};
    read_address(connection, address);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* not of a Unix socket */
}

void connection_close(Connection *connection) {
    close(connection->fd);
    if (connection->in)
        g_byte_array_unref(connection->in);
    exchange_free(connection->exchange);
    answer_unref(connection->answer);
    *connection = (Connection){.fd = -1, .state = FREE};
}

void connection_set_answer(Connection *connection, Answer *answer, bool unchanged, bool head_only) {
    answer_unref(connection->answer);
    connection->answer = answer;
    connection->unchanged = unchanged;
    connection->head_only = head_only || unchanged;
    connection->sent = 0;
}

static size_t parts_of(const Connection *connection, struct iovec parts[3]) {
    static char last[] = "Connection: close\r\n\r\n", more[] = "\r\n";
    const Answer *answer = connection->answer;
    gsize size = 0;
    const void *data = g_bytes_get_data(connection->unchanged ? answer->unchanged : answer->head, &size);
    parts[0] = (struct iovec){(void *)data, size};
    parts[1] = (struct iovec){connection->last ? last : more, strlen(connection->last ? last : more)};
    data = answer->body && !connection->head_only ? g_bytes_get_data(answer->body, &size) : (size = 0, NULL);
    parts[2] = (struct iovec){(void *)data, size};
    return parts[0].iov_len + parts[1].iov_len + parts[2].iov_len;
}

size_t connection_answer_size(const Connection *connection) {
    struct iovec parts[3];
    return parts_of(connection, parts);
}

Written connection_write(Connection *connection) {
    struct iovec parts[3];
    size_t size = parts_of(connection, parts), skip = connection->sent;
    for (size_t i = 0; i < G_N_ELEMENTS(parts) && skip > 0; i++) {
        size_t part = MIN(skip, parts[i].iov_len);
        if (part > 0)
            parts[i] = (struct iovec){(uint8_t *)parts[i].iov_base + part, parts[i].iov_len - part};
        skip -= part;
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = G_N_ELEMENTS(parts)};
    ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? BLOCKED : BROKEN;
    connection->sent += (size_t)sent;
    return connection->sent == size ? WRITTEN : BLOCKED;
}
