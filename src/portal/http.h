/* http: the lanes behind the gate. Each is a thread with a store of its own; it takes one whole request after another and
 * makes its answer. */
#pragma once

#include "portal/answer.h"
#include "portal/multipart.h"

/* A request on its way: the gate fills it, a lane takes it and gives it back with its answer. */
typedef struct {
    void *connection;  /* the gate's */
    VigieBytes octets; /* of the head, found well; owned */
    Head head;         /* views into them */
    GString *body;
    Multipart *multipart; /* instead of the body, where the route takes files; whole. Or NULL */
    char *address;        /* who is connected; "" on a Unix socket */
    Answer *answer;
} Exchange;

Exchange *exchange_new(VigieBytes octets, void *connection, const char *address);
void exchange_free(Exchange *exchange);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Exchange, exchange_free)

typedef struct Lanes Lanes;

Lanes *http_lanes_start(const Portal *portal, GError **error);
/* Readable when http_lanes_answered has something to give. */
int http_lanes_fd(const Lanes *lanes);
void http_lanes_give(Lanes *lanes, Exchange *exchange);
/* The next one that was answered; NULL: none. */
Exchange *http_lanes_answered(Lanes *lanes);
/* Waits for those that are being answered. */
void http_lanes_stop(Lanes *lanes);

/* How much of a body a request may have. */
uint64_t http_body_max(const Portal *portal, const Head *head);
/* Answers a parsed request: fills status, type, answer, headers. Never fails: an error is an answer. In router.c. */
void router_answer(Request *request);
/* Whether files may be sent to this path. In router.c. */
bool router_takes_files(const char *path);
