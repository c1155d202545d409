/* publication: lists, answers and the directory: what the world is told of certificates. Part of pki/pki.h. */
#pragma once

#include "pki/authorities.h"
#include "pki/profiles.h"

/* ---- Lists and answers --------------------------------------------------------------------------------------- */
/* Makes and keeps what lists are due: one that is missing, one of whose life a quarter is left, one that something changed
 * after (in a delta list, where the authority has these, else in a full one); `full`: full ones at any rate.
 * [ { "file": "equipements.crl", "number", "entries", "next_update" } ], empty where none was due. */
json_t *pki_crl_publish(VigieStore *store, VigieAuthority *authority, bool full, const char *who,
                        VigieTime now, GError **error);
/* The list "equipements.crl" or "equipements-delta.crl", the certificate "equipements.cer", or one beside the tree
 * "racine-2-by-racine.cer", DER, as `file` names it below the address of publication; since when it holds and until when it
 * may be cached (0: not said). NOT_FOUND. Free with g_byte_array_unref. */
GByteArray *pki_published(VigieStore *store, const char *file, VigieTime *ret_since, VigieTime *ret_until,
                          GError **error);
/* The number of a list, which changes with it; 0 of what is no list. Cheap. */
bool pki_published_number(VigieStore *store, const char *file, int64_t *ret_number, GError **error);
/* Names of all that is published: [ "racine.cer", "racine.crl" … ]. */
json_t *pki_published_list(VigieStore *store, GError **error);

/* ---- The directory ------------------------------------------------------------------------------------------------
 * Certificates and lists in an LDAP directory (RFC 4523), below `base`: the authorities' own, and those of profiles that say
 * `directory`. */
typedef struct {
    const char *url, *base; /* "ldaps://annuaire.chu.example", "ou=certificats,dc=chu,dc=example" */
    const char *user, *password_file, *ca_file; /* "": none */
    bool start_tls;                             /* on ldap:// */
} VigieDirectory;
/* Of the configuration (pki.directory…), which it borrows; false where none is named. */
bool pki_directory_settings(const VigieConfig *config, VigieDirectory *ret_directory);
#define PKI_JOB_DIRECTORY "pki-directory"
/* Sends what differs from what was sent before. UNAVAILABLE where the directory does not answer or refuses: what was sent stays
 * sent, and the rest is due. ret_changed, may be NULL. */
bool pki_directory_publish(VigieStore *store, const VigieProfiles *profiles, const VigieDirectory *directory,
                           VigieTime now, int64_t *ret_changed, GError **error);

/* ---- OCSP --------------------------------------------------------------------------------------------------- */
/* Makes a key and a certificate (profile ocsp-responder) of `authority` for answering in its name; the one before is
 * replaced. The key is sealed beside the authority's. */
bool pki_responder_make(VigieStore *store, VigieAuthority *authority, const VigieProfiles *profiles,
                        const char *passphrase, const char *who, VigieTime now, GError **error);

/* Who answers: the authorities of the store, and the keys it was given. One thread. */
typedef struct VigieOcsp VigieOcsp;
VigieOcsp *pki_ocsp_new(void);
void pki_ocsp_free(VigieOcsp *ocsp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieOcsp, pki_ocsp_free)
/* With its responder's key it signs on the spot: with a nonce, and for serial numbers that were never issued (unknown). */
bool pki_ocsp_add_key(VigieOcsp *ocsp, VigieStore *store, const char *authority, const char *passphrase,
                      GError **error);

typedef struct {
    GByteArray *der;                    /* an OCSPResponse, always */
    VigieTime this_update, next_update; /* next_update 0: not to be kept */
} VigieOcspAnswer;

/* Answers a request, 8 KiB at most. Without keys it gives out what was signed beforehand; what was not is `unauthorized` or
 * `tryLater`, never good. False where the store does not answer. */
bool pki_ocsp_answer(VigieOcsp *ocsp, VigieStore *store, VigieBytes request, VigieTime now,
                     VigieOcspAnswer *ret_answer, GError **error);
/* A process without keys asks one that has them, over a pair of sockets (SOCK_SEQPACKET) that both keep: for an answer with a
 * nonce, about several certificates, and about what was not signed beforehand. It waits 250 ms at most, for one answer at a time, a
 * thousand certificates a second; where none comes it answers as without keys. Any thread. `fd` is borrowed. */
typedef struct VigieOcspClient VigieOcspClient;
VigieOcspClient *pki_ocsp_client_new(int fd);
void pki_ocsp_client_free(VigieOcspClient *client);
/* Borrowed; it outlives `ocsp`, or what is answered by it. */
void pki_ocsp_set_client(VigieOcsp *ocsp, VigieOcspClient *client);

/* The process with the keys: takes the key of the authority's responder where it is another than the one it has. NOT_FOUND. */
bool pki_ocsp_follow(VigieOcsp *ocsp, VigieStore *store, const char *authority, VigiePassphrase passphrase,
                     void *data, GError **error);
/* Answers one question that waits at `fd`, which is taken as a stranger's. Does not wait. False where the store or the key
 * fails; who asked is told that there is no answer. */
bool pki_ocsp_serve(VigieOcsp *ocsp, VigieStore *store, int fd, VigieTime now, GError **error);

/* Signs answers for the certificates of an authority that have none, or one half of whose life is over. */
bool pki_ocsp_sign_all(VigieOcsp *ocsp, VigieStore *store, const char *authority, const char *who,
                       VigieTime now, int64_t *ret_signed, GError **error);
