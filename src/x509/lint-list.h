/* lint-list: a revocation list taken apart, and what is wrong with it, as it is walked. Private to x509/. */
#pragma once

#include "x509/lint.h"

enum { LIST_DETAIL_MAX = 96, LIST_SERIAL_MAX = 20 };

typedef enum {
    MALFORMED,
    VERSION,
    ALGORITHM,
    ISSUER,
    TIME_TYPE,
    NEXT_UPDATE,
    PERIOD,
    EMPTY,
    SERIAL,
    TWIN,
    EXTENSION_TWICE,
    UNKNOWN_CRITICAL,
    AUTHORITY_KEY,
    NUMBER,
    DELTA_CRITICAL,
    DELTA_BASE,
    SCOPE_CRITICAL,
    SCOPE,
    NEWER,
    REASON,
    REASON_UNSPECIFIED,
    REASON_REMOVE,
    INVALIDITY,
    ENTRY_ISSUER,
    ENTRY_CRITICAL,
    WEAK_DIGEST,
    LIFETIME,
    PUBLIC_SCOPE,
    HOLD,
    RULES
} Rule;

typedef struct {
    VigieBytes der;
    VigieBytes entries, extensions; /* contents; empty where there are none */
    bool delta, indirect, user_only;
    VigieBytes number, base; /* magnitudes */
    VigieTime this_update, next_update;
    bool has_next;
    /* of the walk */
    VigieBytes last, issuer;
    size_t count;
    bool rising;
    bool broken[RULES];
    char detail[RULES][LIST_DETAIL_MAX];
} ListLint;

/* The rule is broken; the first time is told. */
void list_tell(ListLint *list, Rule rule, const char *detail);
void list_tell_serial(ListLint *list, Rule rule, VigieBytes serial);

typedef struct {
    VigieBytes oid, value;
    bool critical;
} ListExtension;

bool list_extension(VigieReader *in, ListExtension *ret_extension, const char **clause);
/* Tells of a time that is not encoded as it should be; false where it cannot be read at all. */
bool list_time(ListLint *list, const DerElement *element, VigieTime *ret_time);

/* lint-entries.c */
void list_walk_entries(ListLint *list);
