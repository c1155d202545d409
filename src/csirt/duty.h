/* duty: what cannot wait for the desk. */
#pragma once

#include "csirt/notify.h"

/* Raises whoever the roster names at `now`: a task to call, and a mail without content where the roster has an address. Once, until
 * somebody has done the call. */
bool duty_raise(VigieStore *store, const VigieNotifier *notifier, int64_t id, const char *reference,
                VigieTime now, GError **error);
