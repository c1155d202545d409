/* wire: octets described by text, for tests. Blanks aside:
 *     16 0303      octets in hexadecimal
 *     (2 … )       a vector with a length of 1, 2 or 3 octets
 *     R  H  S  K   a random (32 octets of A5), HelloRetryRequest's random, the hello's session id, an x25519 key
 *     Z300         that many zeros */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

/* `session_id` is what S stands for. */
void wire_write(VigieWriter *out, const char *text, VigieBytes session_id);
