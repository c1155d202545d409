/* link: the certificates beside the tree, by which one generation of a root vouches for another, and ours for others'. */
#pragma once

#include "pki/authority.h"
#include "pki/record.h"

/* "racine-2-by-racine". Free with g_free. */
char *link_name(const char *subject, const char *issuer);
/* Into store and log, as the newest of its name. `subject` 0: not ours. */
bool link_record(Journal *journal, const VigieAuthority *issuer, const char *name, int64_t subject,
                 const VigieCertificate *certificate, GError **error);
/* The certificate of this name that is good now, DER; NULL without an error where there is none. */
GByteArray *link_find(VigieStore *store, const char *name, VigieTime now, GError **error);
/* Adds to `chain` (GByteArray of DER) those that lead from the root `id` to its other generations. */
bool link_add_generations(VigieStore *store, int64_t id, VigieTime now, GPtrArray *chain, GError **error);
/* The generation of an authority that issues now: itself, or the last that succeeded it. */
bool generation_current(VigieStore *store, int64_t id, int64_t *ret_id, GError **error);
/* life.c: another succeeded it, and what it issued has ended: nobody wants its lists any more. */
bool generation_done(VigieStore *store, const VigieAuthority *authority, VigieTime now, bool *ret_done,
                     GError **error);
