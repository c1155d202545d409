/* share: a passphrase divided among people; pki.h has the way back. */
#pragma once

#include "pki/journal.h"
#include "pki/pki.h"

/* A new passphrase, and in `codes` (owned texts) `count` codes, any `threshold` of which give it back. Each is wiped and freed by
 * the caller. */
bool share_make(const char *authority, int threshold, int count, char **ret_passphrase, GPtrArray *codes,
                GError **error);
/* In the journal's transaction: who has which; `holders` are names, that of share 1 first. */
bool share_record(Journal *journal, int64_t authority, const char *name, int threshold,
                  const GPtrArray *holders, GError **error);
/* A JSON array of names; `present` may be NULL. */
json_t *share_names(const GPtrArray *present);
