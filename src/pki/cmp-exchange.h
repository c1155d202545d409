/* cmp-exchange: one exchange of CMP, of one message or several: who speaks in it, and what it has come to. Inside the room. */
#pragma once

#include "pki/cmp-general.h"
#include "pki/cmp-look.h"

typedef struct {
    OSSL_CMP_SRV_CTX *server;
    const VigieRegistrar *registrar;
    GBytes *transaction;
    VigieTime began;
    int64_t enrolment; /* 0: known by its certificate */
    char *requester, *profile;
    char *serial;        /* of that certificate */
    X509 *certificate;   /* the same */
    X509 *issued;        /* until it is confirmed */
    OSSL_CMP_MSG *asked; /* the message that wants the certificate, where the exchange goes on; */
    bool decided;        /* it is issued, and not confirmed yet */
    GBytes *nonce;       /* of our last answer */
    /* Of the message at hand: */
    VigieBytes message;
    VigieStore *store;
    const VigieProfiles *profiles;
    const char *address;
    VigieTime now;
    bool known; /* it is in the store */
    bool waits; /* for the authority, after it */
    bool again; /* not theirs, but what was answered before */
} CmpExchange;

/* `look`: of its first message. DENIED, NOT_FOUND where that proves nobody whom we know. */
CmpExchange *cmp_exchange_new(const VigieRegistrar *registrar, const CmpLook *look, VigieStore *store,
                              VigieTime now, GError **error);
void cmp_exchange_free(CmpExchange *exchange);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmpExchange, cmp_exchange_free)

/* cmp-keep.c: the exchanges that go on, in the store.
 * `look`: the message at hand; where it goes on with an exchange, that. NULL without an error: it begins one. DENIED where it is
 * another's, or its protection does not hold. */
CmpExchange *cmp_exchange_find(const VigieRegistrar *registrar, const CmpLook *look,
                               const OSSL_CMP_MSG *message, VigieStore *store, VigieTime now, GError **error);
/* libcrypto is told what it knew. */
bool cmp_exchange_resume(CmpExchange *exchange, const OSSL_CMP_MSG *message, GError **error);
/* After its answer (DER): until the client says more, or is done with. */
bool cmp_exchange_keep(CmpExchange *exchange, VigieBytes answer, GError **error);
bool cmp_exchange_end(const CmpExchange *exchange, GError **error);

/* cmp-answer.c: from now on libcrypto asks us what its server answers. */
bool cmp_exchange_serve(CmpExchange *exchange);
