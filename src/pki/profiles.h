/* profiles: what certificates may say. Part of pki/pki.h. */
#pragma once

#include "base/base.h"

/* ---- Profiles ----------------------------------------------------------------------------------------------- */
typedef struct VigieProfiles VigieProfiles;
/* All of knowledge/profiles; one that is wrong fails them all. */
VigieProfiles *pki_profiles_load(GError **error);
void pki_profiles_free(VigieProfiles *profiles);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieProfiles, pki_profiles_free)
/* All that may be granted (below): "registration", "operator", and whom the profiles name as validators. NULL-terminated, owned. */
GPtrArray *pki_role_list(const VigieProfiles *profiles);
/* [ { "name", "title", "days", "hold", "dual_control", "validators": [], "names": [ "dns" … ],
 *     "fields": [ { "name", "optional" } ] } ] */
json_t *pki_profile_list(const VigieProfiles *profiles, VigieLang lang);

/* What a profile has to say of a certificate, or of a request for one: what the signer would never have signed. */
typedef struct {
    const char *profile;
    const char *policy; /* the OID that an authority names for it, of a certificate; NULL: not looked at */
    const char *const *waived; /* ids that are passed over; may be NULL */
    bool request;              /* it is one, PKCS#10 */
} VigieProfileLint;
/* { "findings": [ as x509_lint has them, and rules "profile.…" whose clause is the profile's member ],
 *   "waived": [ the same: broken rules that the profile passes over ] }. NOT_FOUND; INVALID where it is no certificate. */
json_t *pki_profile_lint(const VigieProfiles *profiles, const VigieProfileLint *lint, VigieBytes der,
                         GError **error);
bool pki_profile_lint_known(const char *id);
