/* ocsp-responder: for whom answers are given, and with which key. Inside the room. */
#pragma once

#include "pki/ocsp.h"
#include "pki/signer.h"

/* One authority, and its responder where the key was given. */
typedef struct {
    int64_t id, hours; /* hours: how long its answers are good */
    char *name;
    uint8_t name_sha1[20], key_sha1[20], name_sha256[32], key_sha256[32];
    Signer *signer;
    GByteArray *certificate; /* the responder's */
    int64_t certificate_id;
    uint8_t responder[20]; /* SHA-1 of its key: how it is called in answers */
    int64_t seen;          /* certificates up to this id had an answer once */
} Responder;

struct VigieOcsp {
    GPtrArray *responders;   /* Responder */
    VigieTime read;          /* when the authorities were last read from the store */
    VigieOcspClient *client; /* whom to ask for what wants a signature; or NULL */
    int64_t paced;           /* see question_paced */
};

/* Reads the store's authorities where that was so many seconds ago; after one, who is asked for and not known may be new. */
enum { RESPONDERS_KEPT = 60, RESPONDERS_MISSED = 1 };
bool responders_read(VigieOcsp *ocsp, VigieStore *store, VigieTime age, VigieTime now, GError **error);
/* Borrowed; NULL: there is none. */
Responder *responder_by_id(const VigieOcsp *ocsp, int64_t id);
Responder *responder_by_name(const VigieOcsp *ocsp, const char *authority);
Responder *responder_by_hashes(const VigieOcsp *ocsp, const OcspAsked *asked);
