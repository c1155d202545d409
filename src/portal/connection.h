/* connection: what came in by one, in which state it is, what is on its way out. No decisions: gate.c takes them. */
#pragma once

#include "portal/http.h"

#include <netinet/in.h>
#include <sys/socket.h>

typedef enum {
    FREE,
    READING,  /* a head */
    BODY,     /* the rest of a request */
    BUSY,     /* its request is with a lane */
    WRITING,  /* its answer does not fit the socket's buffer */
    LINGERING /* refused: what still comes is thrown away, or the answer would be lost (RFC 9112 9.6) */
} ConnectionState;

typedef struct {
    int fd;
    ConnectionState state;
    bool watched, for_output; /* in epoll, and for what */
    bool served;              /* it has carried a request */
    bool last;                /* it ends with this answer */
    bool linger;              /* and was refused */
    int64_t deadline_ms;      /* of the present state */
    uint64_t since;           /* when it was entered, as a number: the least is the oldest */
    struct in6_addr peer;     /* IPv4 mapped; of IPv6 the first half. All zero: a Unix socket */
    char address[INET6_ADDRSTRLEN];

    GByteArray *in;     /* what came and is not used: a part of a head, or the next request; NULL: nothing */
    Exchange *exchange; /* BODY */
    uint64_t missing;   /* BODY: octets still to come */
    uint64_t reserved;  /* BODY: octets of files that it may bring */

    Answer *answer; /* WRITING */
    bool unchanged, head_only;
    size_t sent;
} Connection;

typedef enum { WRITTEN, BLOCKED, BROKEN } Written;

void connection_open(Connection *connection, int fd, const struct sockaddr *address);
/* Frees what it holds; it is FREE. */
void connection_close(Connection *connection);
/* Takes over `answer`. */
void connection_set_answer(Connection *connection, Answer *answer, bool unchanged, bool head_only);
Written connection_write(Connection *connection);
size_t connection_answer_size(const Connection *connection);
