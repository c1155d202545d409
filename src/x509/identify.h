/* identify: what one object is, shared by the files that read containers. Private to x509/. */
#pragma once

#include "x509/x509.h"

#include <openssl/types.h>

/* What is known while a file is looked at. `objects` is the array that "objects" of the answer becomes. */
typedef struct {
    json_t *objects;
    json_t *damage;       /* array of words: "byte-order-mark" … */
    const char *password; /* or NULL */
    bool too_many;
    int64_t rounds;  /* of hashing, spent so far to open what is sealed */
    GPtrArray *kept; /* of VigieFileObject, where the octets are wanted too; or NULL */
} Identified;

enum { IDENTIFY_OBJECTS_MAX = 4096 };

/* Keeps the octets of an object of this kind, where they are wanted. */
void identified_keep(Identified *found, const char *kind, VigieBytes der);
/* Looks at a whole file. */
void identify_file(Identified *found, VigieBytes file);

/* Where an object was found. */
typedef struct {
    const char *encoding; /* "pem", "der", "base64", "pkcs12", "pkcs7" */
    const char *label;    /* the PEM label, or NULL */
    size_t line;          /* from 1; 0 where lines mean nothing */
    bool pem_encrypted;   /* RFC 1421 headers said so: the octets are not DER */
} Where;

/* Adds an object of a kind; the answer is borrowed, NULL once there are too many. */
json_t *identified_add(Identified *found, const Where *where, const char *kind);
/* Adds an object in which a key can be neither seen nor excluded. */
void identified_unreadable(Identified *found, const Where *where, const char *kind);
/* Notes damage, once each. */
void identified_damage(Identified *found, const char *what);

/* One DER object by its structure; false where it is none that is known. */
bool identify_der(Identified *found, const Where *where, VigieBytes octets);
/* The same for one object behind the other; what is behind them and is none is told, too. */
bool identify_sequence(Identified *found, const Where *where, VigieBytes octets);
/* Containers, through libcrypto, which reads BER too. */
bool identify_pkcs12(Identified *found, const Where *where, VigieBytes octets);
bool identify_pkcs7(Identified *found, const Where *where, VigieBytes octets);
/* PKCS#8 under a password: what protects it, and what is in it where the password is known. */
bool identify_encrypted_key(Identified *found, const Where *where, VigieBytes octets);
/* The facts of a private key, or of the public half of something, into `object`. */
void identify_key_facts(json_t *object, VigieBytes private_key);
void identify_pkey_facts(json_t *object, const EVP_PKEY *key);
void identify_spki_facts(json_t *object, VigieBytes spki);

/* Every PEM block, damaged or not, in a text; false where there is none. */
bool identify_pem(Identified *found, const char *text, size_t size);

/* Which key belongs to which certificate, the order of the chain and what it lacks; over all objects. */
void identify_relate(json_t *answer);
