/* tls: the wire codec of SSLv2 to TLS 1.3, as a surveyor needs it. It opens no socket: bytes in, facts out.
 */
#pragma once

#include "base/bytes.h"

/* Versions as indexes, oldest first; a set of them is a bit mask of 1 << version. */
typedef enum {
    VIGIE_SSL2,
    VIGIE_SSL3,
    VIGIE_TLS10,
    VIGIE_TLS11,
    VIGIE_TLS12,
    VIGIE_TLS13,
    VIGIE_VERSIONS
} VigieVersion;

const char *tls_version_name(VigieVersion version); /* "SSLv2" … "TLSv1.3", as records write it */
uint16_t tls_version_wire(VigieVersion version);    /* 0x0002, 0x0300 … 0x0304 */
