/* gate: takes connections, reads each one's head without consuming it, and hands on those that may pass. */
#pragma once

#include "base/base.h"

#include <sys/socket.h>

/* A connection whose head was found well; `fd` is the taker's. */
typedef void (*GateTake)(int fd, const struct sockaddr *address, socklen_t address_size, void *data);

/* Until `*stop` (may be NULL). A head has 10 seconds to come; 512 connections wait at most, the oldest makes room. */
bool portal_gate_run(int listen_fd, const volatile int *stop, GateTake take, void *data, GError **error);
