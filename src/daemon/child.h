/* A child's life: it ends when its supervisor says so (SIGTERM) or is no more. */
#pragma once

#include "daemon/daemon.h"

/* Where a child's descriptors are: its life; the portal's listening socket; the portal's or the signer's end of the sockets
 * between them. */
enum { CHILD_LIFE_FD = 3, CHILD_LISTEN_FD = 4, CHILD_OCSP_FD = 5, CHILD_DESCRIPTORS = 3 };
/* What a child says to its supervisor: that it is at work; why it ends, so many octets at most. */
enum { CHILD_READY = 'R', CHILD_REASON = 'E', CHILD_REASON_MAX = 2000 };
/* How long a child may take to end by itself. */
enum { CHILD_GRACE = 25 };

/* In a new process: becomes this child. `descriptors` are for the places above, in their order; -1: none. */
_Noreturn void child_execute(const char *config_path, const char *role,
                             const int descriptors[CHILD_DESCRIPTORS]);

/* Becomes non-zero when it is time to end. */
extern volatile int child_stop;

/* Blocks signals and starts to watch. Call it once, sandboxed, before any other thread is started. */
void child_watch(void);
/* Tells the supervisor that the work is being done. */
void child_ready(void *unused);
