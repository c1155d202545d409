/* pem: the blocks of a text, as RFC 7468 has them and as people leave them: text around them, CRLF, indentation, a
 * block that is not closed. Views into the text; nothing is decoded. */
#pragma once

#include "base/bytes.h"

typedef struct {
    const char *at, *end; /* what is still to be looked at */
    size_t line;          /* of `at`, from 1 */
} PemScan;

typedef struct {
    VigieBytes label; /* "CERTIFICATE"; 80 octets at most, any octets */
    VigieBytes body;  /* between the boundaries, RFC 1421 headers included */
    VigieBytes whole; /* both boundaries too, where it is closed */
    size_t line;      /* of its BEGIN */
    bool closed;      /* an END follows the body */
} PemBlock;

static inline PemScan pem_scan(VigieBytes text) {
    const char *at = (const char *)text.data;
    return (PemScan){.at = at, .end = at + text.size, .line = 1};
}

/* The next block; false: no more. */
bool pem_next(PemScan *scan, PemBlock *ret_block);
