/* directory: an entry of a directory, over a connection that is there. Private to net/, and for its fuzz target. */
#pragma once

#include "net/net.h"

/* As net_ldap_ask, once connected; takes `fd`, which must not block. `until`: µs of the monotonic clock. */
bool net_entry_read(int fd, const char *url, int64_t until, size_t size_max, GPtrArray **ret_values,
                    GError **error);
