/* validate: one path, leaf first, by RFC 5280 6.1; all that speaks against it. Private to x509/. */
#pragma once

#include "x509/path.h"

typedef struct {
    VigieTime at;
    int purpose;                 /* X509_PURPOSE_… */
    const char *const *policies; /* user-initial-policy-set, dotted OIDs; NULL: any */
    bool explicit_policy;        /* initial-explicit-policy */
    bool inhibit_any_policy;     /* initial-any-policy-inhibit */
    bool inhibit_policy_mapping; /* initial-policy-mapping-inhibit */
} ValidateRules;

/* `clause` is static. */
typedef void (*ValidateRefuse)(int depth, const X509 *certificate, const char *clause, void *data);

/* Revocation aside. `anchored`: the last is a root. INVALID (a static reason, in English) for a policy that is no OID, else NULL. */
const char *validate_path(STACK_OF(X509) * path, bool anchored, const ValidateRules *rules,
                          ValidateRefuse refuse, void *data);
/* A digest whose signatures nobody should believe any more: MD2, MD4, MD5, SHA-1. `nid` as OBJ_find_sigid_algs takes it. */
bool validate_weak_signature(int nid);
