/* http: the lanes behind the gate. Each is a thread of libmicrohttpd with a store of its own. */
#pragma once

#include "portal/request.h"

#include <sys/socket.h>

typedef struct Lanes Lanes;

Lanes *http_lanes_start(const Portal *portal, GError **error);
/* Gives a connection to the next lane; a GateTake. */
void http_lanes_take(int fd, const struct sockaddr *address, socklen_t address_size, void *lanes);
void http_lanes_stop(Lanes *lanes);

/* Answers a parsed request: fills status, type, answer, headers. Never fails: an error is an answer. In router.c. */
void router_answer(Request *request);
