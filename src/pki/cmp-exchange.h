/* cmp-exchange: one exchange of CMP, of one message or several: who speaks in it, and what it has come to. Inside the room. */
#pragma once

#include "pki/cmp-general.h"
#include "pki/cmp-look.h"

typedef struct {
    OSSL_CMP_SRV_CTX *server;
    const VigieRegistrar *registrar;
    GBytes *transaction;
    VigieTime begun;
    int64_t enrolment; /* 0: known by its certificate */
    char *requester, *profile;
    char *serial;            /* of that certificate */
    X509 *certificate;       /* the same */
    X509 *issued;            /* until it is confirmed */
    OSSL_CMP_MSG *undecided; /* the message whose request the authority has to decide yet */
    /* Of the message at hand: */
    VigieBytes message;
    VigieStore *store;
    const VigieProfiles *profiles;
    const char *address;
    VigieTime now;
    bool waits; /* for the authority, after it */
} CmpExchange;

/* `look`: of its first message. DENIED, NOT_FOUND where that proves nobody whom we know. */
CmpExchange *cmp_exchange_new(const VigieRegistrar *registrar, const CmpLook *look, VigieStore *store,
                              VigieTime now, GError **error);
void cmp_exchange_free(CmpExchange *exchange);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmpExchange, cmp_exchange_free)

/* cmp-answer.c: from now on libcrypto asks us what its server answers. */
bool cmp_exchange_serve(CmpExchange *exchange);
