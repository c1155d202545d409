/* grant: which account has which role where. */
#pragma once

#include "base/base.h"
#include "store/store.h"

extern const char grant_registration[]; /* asks for others */
extern const char grant_operator[];     /* revokes */

/* Has the account one of `roles` (NULL-terminated, may be NULL) or `other` (may be NULL) over the organisation? */
bool grant_covers(VigieStore *store, const char *account, const char *const *roles, const char *other,
                  int64_t organisation, bool *ret_covers, GError **error);
