/* vouch: certificates of authorities, ours and others'. */
#pragma once

#include "pki/authority.h"
#include "x509/x509.h"

typedef struct {
    const char *what;             /* for messages */
    VigieBytes subject, spki;     /* DER */
    VigieBytes key_id;            /* as the subject writes it into what it issues */
    int path_length;              /* < 0: none */
    const char *const *permitted; /* NULL-terminated, may be NULL, as the next three */
    const char *const *excluded, *const *policies;
    const char *const *mappings; /* of ours to its own: "1.2.3:1.2.4" */
    VigieTime not_before, not_after, now;
} Vouched;

/* Signed by `issuer`, or where that is NULL by `signer`, the subject's own. */
VigieCertificate *vouch_sign(const Vouched *vouched, Signer *signer, const VigieAuthority *issuer,
                             GError **error);

/* An authority that is not ours, from its certificate or its request (PEM or DER). */
typedef struct {
    GByteArray *subject, *spki, *key_id;
} Stranger;
void stranger_clear(Stranger *stranger);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Stranger, stranger_clear)
/* INVALID where it is neither, is no authority's, does not prove its key, or the key is weak. */
bool stranger_read(const char *path, Stranger *ret_stranger, GError **error);
