/* The signer: the process that has the authorities' keys, and nothing to do with anyone but the store. */
#pragma once

#include "base/base.h"
#include "sandbox/sandbox.h"
#include "store/store.h"

/* Does the configuration name authorities to sign for? */
bool resident_wanted(const VigieConfig *config);
/* The store as the signer reaches it: store.signer_url, or as all do. */
const char *resident_store_url(const VigieConfig *config);
/* Where passphrases and keys are, before it is confined to these. */
bool resident_allow(const VigieConfig *config, VigieSandbox *sandbox, GError **error);
/* Where the passphrase of an authority is; NULL: nowhere. Free with g_free. */
char *resident_passphrase_path(const VigieConfig *config, const char *authority);
/* Does the passphrase open the authority's key? For the doctor. */
bool resident_try(const VigieConfig *config, VigieStore *store, const char *authority, GError **error);
/* Signs until the process is told to end. */
bool resident_run(const VigieConfig *config, GError **error);
