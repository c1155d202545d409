/* A child's life: it ends when its supervisor says so (SIGTERM) or is no more. */
#pragma once

#include "daemon/daemon.h"

/* Where the supervisor puts a child's descriptors. */
enum { CHILD_LIFE_FD = 3, CHILD_LISTEN_FD = 4 };
/* How long a child may take to end by itself. */
enum { CHILD_GRACE = 25 };

/* Becomes non-zero when it is time to end. */
extern volatile int child_stop;

/* Blocks signals and starts to watch. Call it once, sandboxed, before any other thread is started. */
void child_watch(void);
/* Tells the supervisor that the work is being done. */
void child_ready(void *unused);
