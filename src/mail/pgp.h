/* OpenPGP through GPGME, within a child of a cell. The room's own business. */
#pragma once

#include "mail/work.h"

#include <gpgme.h>

G_DEFINE_AUTO_CLEANUP_FREE_FUNC(gpgme_ctx_t, gpgme_release, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(gpgme_data_t, gpgme_data_release, NULL)
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(gpgme_key_t, gpgme_key_unref, NULL)

/* Loads the library and finds gpg, in the keeper. */
void pgp_prepare(const Means *means);
/* On our keyring; never asks anyone for a passphrase, never goes to a network. */
gpgme_ctx_t pgp_context(GError **error);
/* The library's words, `what` before them; INVALID. False. */
bool pgp_fail(gpgme_error_t code, const char *what, GError **error);
/* The key of exactly that fingerprint; NOT_FOUND. */
gpgme_key_t pgp_key(gpgme_ctx_t context, const char *fingerprint, bool secret, GError **error);

/* A view of bytes, and a sink of at most `most` bytes. */
gpgme_data_t pgp_source(const void *data, size_t size);
typedef struct {
    GByteArray *bytes;
    size_t most;
    bool full; /* more came than it takes: what made it was stopped */
} PgpSink;
gpgme_data_t pgp_sink(PgpSink *sink);

/* ---- Packets (pgp-packets.c) ---- */
/* Armor taken off; a copy where there was none. NULL where it is broken. */
GByteArray *pgp_dearmor(VigieBytes bytes);
/* Fills `ret_weak` (a set of owned upper-case v4 fingerprints) with the keys whose newest self-signature rests on SHA-1
 * or MD5. ret_secret: secret parts are among them. */
void pgp_inspect(VigieBytes packets, GHashTable *ret_weak, bool *ret_secret);
