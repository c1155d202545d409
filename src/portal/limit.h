/* limit: how often one address, or everybody together, may ask for what needs no account.
 *
 * In the memory of this process alone, for the seconds of a limit and no longer: an address is kept as a keyed hash whose
 * key dies with the process. Bounded: where there are more askers than places, those who were silent longest are
 * forgotten. Safe from any thread. */
#pragma once

#include "base/base.h"

typedef struct Limits Limits;

typedef struct {
    const char *what; /* "declaration": each has a count of its own */
    unsigned most;    /* so many at once … */
    unsigned seconds; /* … which come back evenly within so many seconds */
} Limit;

Limits *limits_new(void);
void limits_free(Limits *limits);

/* Counts one by `who` (an address; an IPv6 network of 64 bits counts as one) at `now`, and true; or false without counting,
 * and how many seconds to wait (may be NULL). */
bool limits_take(Limits *limits, const Limit *limit, const char *who, VigieTime now, int64_t *ret_wait);
/* Whether limits_take would say no. */
bool limits_full(Limits *limits, const Limit *limit, const char *who, VigieTime now);
/* An IPv6 subscriber has a /64 at least: the part of an address that counts. Free with g_free. */
char *limits_subject(const char *address);
