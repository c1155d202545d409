/* gate: all connections, on one thread. Reads requests, each whole and each head judged before anyone acts on it; answers
 * by itself what is kept, hands the rest to the lanes, and writes what they say. */
#pragma once

#include "portal/http.h"

/* Until `*stop` (may be NULL); what is under way by then has 0.3 s to end. */
bool portal_gate_run(int listen_fd, const Portal *portal, Lanes *lanes, const volatile int *stop,
                     GError **error);
