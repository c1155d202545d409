/* head: a request's raw head, judged before anyone acts on it. A pure function over bytes. */
#pragma once

#include "base/bytes.h"

enum {
    HEAD_SIZE_MAX = 16 * 1024, /* request line and fields */
    HEAD_FIELDS_MAX = 100,
    BODY_SIZE_MAX = 64 * 1024, /* forms; files have a limit of their own */
};

typedef enum { HEAD_INCOMPLETE, HEAD_WELL, HEAD_REFUSED } HeadVerdict;

typedef struct {
    HeadVerdict verdict;
    unsigned status; /* REFUSED: the HTTP status to answer with */
    const char *why; /* REFUSED: the clause and what is wrong, static */
} HeadCheck;

/* What was read of a head found well; views into its bytes. */
typedef struct {
    size_t size;     /* octets to the end of the empty line: the body follows */
    uint64_t length; /* of the body */
    VigieBytes method, target;
    VigieBytes content_type, none_match, modified_since; /* fields that the gate acts on; empty: not given */
    bool last;                                           /* nothing follows: HTTP/1.0, or Connection: close */
    bool expects;                                        /* a word (100 Continue) before the body comes */
} Head;

/* `bytes` is what has come so far; what follows the head is not looked at. WELL only where every server that
 * follows RFC 9112 reads the same request out of it: one framing (Content-Length or no body), CRLF
 * everywhere, no folding, known singletons once. `ret_head` is touched where it is WELL alone. */
HeadCheck portal_head_check(VigieBytes bytes, Head *ret_head);

/* The fields of a head found well, one by one: `rest` begins as Head.size octets. False at the end. */
bool portal_head_field(VigieBytes *rest, VigieBytes *ret_name, VigieBytes *ret_value);
