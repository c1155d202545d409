/* session: an open session on the one token that a URI names, and what its refusals mean. Private to token/. */
#pragma once

#include "token/token.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

typedef struct {
    CK_FUNCTION_LIST *module;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE handle;
    P11KitUri *uri;
    char *shown; /* the URI as it was given, up to its query: who it is in messages */
    bool begun, open;
} Session;

/* Begins zeroed, and wants p11_clear in any case. */
bool p11_open(Session *session, const VigieTokenAccess *access, GError **error);
void p11_clear(Session *session);

/* The refusal "token.WORD"; false. */
bool p11_refuse(const Session *session, VigieErrorCode code, const char *word, GError **error);
/* The same for what a function of PKCS#11 answered. */
bool p11_fail(const Session *session, const char *function, CK_RV code, GError **error);

/* Objects that have all these attributes; `max` are looked for, *ret_count found. */
bool p11_find(const Session *session, CK_ATTRIBUTE *wanted, size_t wanted_count, CK_OBJECT_HANDLE *ret,
              size_t max, size_t *ret_count, GError **error);
/* An attribute's octets in `buffer`; empty where it has none, or a longer one. */
VigieBytes p11_read(const Session *session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, uint8_t *buffer,
                    size_t capacity);
