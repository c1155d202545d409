/* The room's own view of its roots: trust.c judges by them, roots.c fills them. */
#pragma once

#include "x509/x509.h"

#include <openssl/x509_vfy.h>

typedef struct {
    VigieTrust trust;
    VigieTime from, until; /* the verdict holds for from <= now < until */
} Judged;

struct VigieRoots {
    X509_STORE *store;
    size_t count;
    bool own;                  /* some came from a file that the hospital named */
    GHashTable *labels;        /* 32 octets of SHA-256 → label (interned) */
    GHashTable *organisations; /* O of the roots' subjects, folded; a set */
    GArray *dates;             /* VigieTime: every moment at which a root begins or ceases to be valid */
    GHashTable *judged;        /* 32 octets, a digest of the chain → Judged */
    GHashTable *authorities;   /* 32 octets of SHA-256 → X509: intermediates, decoded once */
    unsigned details;          /* sentences interned so far */
};

/* Tables keyed by 32 octets of a digest; the key is freed with g_free. */
GHashTable *digest_table_new(GDestroyNotify free_value);
/* The text of a name's last attribute of that kind, in UTF-8; NULL where there is none. Free with g_free. */
char *name_attribute(const X509_NAME *name, int nid);
