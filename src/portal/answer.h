/* answer: what goes out for a request, and the answers that are the same for whoever asks, kept for a moment. */
#pragma once

#include "portal/head.h"
#include "portal/request.h"

/* Reference-counted and never changed: a large body is sent to many from one copy. */
typedef struct {
    gint references;
    GBytes *head;         /* status line and fields, without the empty line that ends them */
    GBytes *unchanged;    /* the same for 304 (RFC 9110 15.4.5); NULL: it has no tag and no date */
    GBytes *body;         /* NULL: none */
    char *tag, *modified; /* ETag and Last-Modified, or NULL */
    int64_t kept_ms;      /* may be given to others for so long; 0: it is this reader's */
} Answer;

/* From a request that was answered. */
Answer *answer_new(Request *request);
/* A refusal before there was a request: plain text. `why` is a clause. */
Answer *answer_refusal(unsigned status, const char *why);
Answer *answer_ref(Answer *answer);
void answer_unref(Answer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Answer, answer_unref)
/* The reader has it already, by what the head says. */
bool answer_known(const Answer *answer, const Head *head);

/* Answers by request: method, target and body. Of one thread; two generations of 32 MiB at most. */
typedef struct Kept Kept;
enum { KEPT_BODY_MAX = 512 }; /* a request with a larger one is not looked for */
Kept *kept_new(void);
void kept_free(Kept *kept);
/* NULL: none, or too old. A reference of the caller's. */
Answer *kept_find(Kept *kept, VigieBytes method, VigieBytes target, VigieBytes body, int64_t now_ms);
void kept_add(Kept *kept, VigieBytes method, VigieBytes target, VigieBytes body, Answer *answer,
              int64_t now_ms);
