/* acme: automatic certificate management (RFC 8555, 8738, 8737, 9773), inside the room. acme.c reads messages and knows who
 * speaks; acme-account.c, acme-order.c and acme-authorization.c answer; acme-challenge.c looks whether a name is theirs. */
#pragma once

#include "pki/pki.h"

enum {
    ACME_NAMES_MAX = 100,
    ACME_ORDER_SECONDS = 7 * 86400,
    ACME_NONCE_SECONDS = 3600,
    ACME_KEEP_SECONDS = 30 * 86400
};

/* A message that was read and whose signature holds. */
typedef struct {
    VigieStore *store;
    const VigieAcme *server;
    const char *path;  /* below the base: "order/12/finalize" */
    json_t *header;    /* protected */
    json_t *payload;   /* NULL: POST-as-GET */
    json_t *jwk;       /* the key that signed */
    int64_t account;   /* 0: it signed with a key that has no account */
    int64_t enrolment; /* of the account */
    int64_t id;        /* of the path, "order/12" */
    const char *rest;  /* of the path behind it, "finalize"; "" */
    VigieAcmeAnswer *answer;
} Acme;

/* The first row of a query (NULL: it failed). False on an error; *ret_found where there is one. */
bool acme_row(VigieRows *rows, bool *ret_found, GError **error);
/* Answers an error: `type` below urn:ietf:params:acme:error:. Always true: it is answered. */
bool acme_problem(Acme *acme, unsigned status, const char *type, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* What a GError of the path of requests says to a client; false, and the error passed on, where it is trouble of ours. */
bool acme_refusal(Acme *acme, GError *failure, GError **error);
/* Answers a resource, which is taken. */
bool acme_answer(Acme *acme, unsigned status, json_t *resource);
/* "https://…/acme/KIND/ID". Free with g_free. */
char *acme_url(const Acme *acme, const char *kind, int64_t id);
void acme_location(Acme *acme, const char *kind, int64_t id);
json_t *acme_time(VigieTime time);
/* SHA-256 of a key (RFC 7638), base64url. Free with g_free. */
char *acme_thumbprint(const json_t *jwk);
/* A flattened JWS (RFC 7515 7.2.2): its protected header and payload, if it was signed with `jwk` by one of `algorithms`. */
bool acme_verify(const json_t *jws, const json_t *jwk, const char *const *algorithms);
/* RSA of 2048 to 4096 bits, or a curve; its public half alone. */
bool acme_key_serves(const json_t *jwk);
json_t *acme_decode(const json_t *base64); /* base64url → JSON object; NULL: it is none */

/* Each answers one kind of resource. False only where the store failed. */
bool acme_new_account(Acme *acme, GError **error);
bool acme_account(Acme *acme, GError **error);
bool acme_key_change(Acme *acme, GError **error);
bool acme_new_order(Acme *acme, GError **error);
bool acme_order(Acme *acme, GError **error);
bool acme_orders(Acme *acme, GError **error);
bool acme_certificate(Acme *acme, GError **error);
bool acme_revoke(Acme *acme, GError **error);
bool acme_authorization(Acme *acme, GError **error);
bool acme_challenge(Acme *acme, GError **error);

/* When a certificate should be renewed (RFC 9773), by GET; "IDENTIFIER/why": why at once. */
bool acme_renewal(Acme *acme, const char *path, GError **error);
/* Whether a new order for `names` may say that it replaces this certificate; else it was answered. */
bool acme_may_replace(Acme *acme, const json_t *replaces, const json_t *names, bool *ret_may, GError **error);
/* The enrolment that is open to all; 0: none, -1: the store failed. */
int64_t acme_open_enrolment(const Acme *acme, GError **error);

/* The authorizations of a new order. */
bool acme_authorizations_add(Acme *acme, int64_t order, const json_t *names, bool proven, GError **error);
/* [ { "id", "state", "error" } ] */
json_t *acme_authorizations(const Acme *acme, int64_t order, GError **error);
/* { "type": "dns" "ip", "value" } of "dns:…". */
json_t *acme_identifier(const char *name);
