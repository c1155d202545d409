/* head: a request's raw head, judged before anyone acts on it. A pure function over bytes. */
#pragma once

#include "base/bytes.h"

enum {
    HEAD_SIZE_MAX = 16 * 1024, /* request line and fields */
    HEAD_FIELDS_MAX = 100,
    BODY_SIZE_MAX = 64 * 1024, /* forms */
};

typedef enum { HEAD_INCOMPLETE, HEAD_WELL, HEAD_REFUSED } HeadVerdict;

typedef struct {
    HeadVerdict verdict;
    unsigned status; /* REFUSED: the HTTP status to answer with */
    const char *why; /* REFUSED: the clause and what is wrong, static */
} HeadCheck;

/* `bytes` is what has come so far; what follows the head is not looked at. WELL only where every server that
 * follows RFC 9112 reads the same request out of it: one framing (Content-Length or no body), CRLF
 * everywhere, no folding, known singletons once. */
HeadCheck portal_head_check(VigieBytes bytes);
