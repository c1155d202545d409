/* The signer: the process that has the authorities' keys, and nothing to do with anyone but the store. */
#pragma once

#include "daemon/settings.h"
#include "sandbox/sandbox.h"

/* Does the configuration name authorities to sign for? */
bool resident_wanted(const Settings *settings);
/* Where passphrases and keys are, before it is confined to these. */
bool resident_allow(const Settings *settings, VigieSandbox *sandbox, GError **error);
/* Does the passphrase open the authority's key? For the doctor. */
bool resident_try(const Settings *settings, VigieStore *store, const char *authority, GError **error);
/* Signs until the process is told to end. */
bool resident_run(const Settings *settings, GError **error);
