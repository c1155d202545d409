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
    bool tracing;          /* identify_traces is at work: a few objects more than the limit may be told */
    bool without_password; /* what is open now opens for anyone */
    bool null_password;    /* by no password at all, which is not the empty one (RFC 7292 B.1) */
    unsigned tries;        /* of places at which a key might begin, so far */
    size_t ranked, rank;   /* of so many objects, how bad the worst is */
    int depth;             /* of envelopes within envelopes */
    int64_t rounds;        /* of hashing, spent so far to open what is sealed */
    GPtrArray *kept;       /* of VigieFileObject, where the octets are wanted too; or NULL */
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
/* Is `private` ("clear" … "unknown") worse than all that was found? */
bool identified_worse(Identified *found, const char *private);
/* Adds an object in which a key can be neither seen nor excluded. */
void identified_unreadable(Identified *found, const Where *where, const char *kind);
/* Notes damage, once each. */
void identified_damage(Identified *found, const char *what);

/* The names that it is for, the first hundred. */
json_t *certificate_names_json(const VigieCertificate *certificate);
/* One DER object by its structure; false where it is none that is known. */
bool identify_der(Identified *found, const Where *where, VigieBytes octets);
/* The same for one object behind the other; what is behind them and is none is told, too. */
bool identify_sequence(Identified *found, const Where *where, VigieBytes octets);
/* A private key in clear, by its structure; false where it is none. */
bool identify_private_key(Identified *found, const Where *where, VigieBytes octets);
/* What is told by its first octets. */
bool identify_magic(Identified *found, const Where *where, VigieBytes octets);
/* OpenPGP packets (RFC 9580 4), and whether the secret half of a key is among them; false where they are none. */
bool identify_openpgp(Identified *found, const Where *where, VigieBytes octets);
/* Java's key stores JKS and JCEKS: their certificates in clear, and whether there are keys. */
bool identify_keystore(Identified *found, const Where *where, VigieBytes octets);

/* Private keys anywhere in these octets, in whatever else they are, base64 and PEM included: each that makes the answer worse
 * is added. `nesting` 1; 0 for a text from which all known blocks were taken out: then what is base64 and cannot be explained
 * makes the answer "unknown". */
enum { TRACES_IN_TEXT, TRACES_WITHIN };
void identify_traces(Identified *found, VigieBytes octets, int nesting);

/* Containers, through libcrypto, which reads BER too. */
bool identify_pkcs12(Identified *found, const Where *where, VigieBytes octets);
bool identify_pkcs7(Identified *found, const Where *where, VigieBytes octets);
/* PKCS#8 under a password: what protects it, and what is in it where the password is known. */
bool identify_encrypted_key(Identified *found, const Where *where, VigieBytes octets);
/* The facts of a private key, or of the public half of something, into `object`. */
void identify_key_facts(json_t *object, VigieBytes private_key);
void identify_pkey_facts(json_t *object, const EVP_PKEY *key);
void identify_spki_facts(json_t *object, VigieBytes spki);

/* Every PEM block, damaged or not, in a text, and blanks it but for its headers; false where there is none. */
bool identify_pem(Identified *found, char *text, size_t size);

/* Which key belongs to which certificate, the order of the chain and what it lacks; over all objects. */
void identify_relate(json_t *answer);
