/* grant: which account has which role where. */
#pragma once

#include "pki/profile.h"
#include "store/store.h"

extern const char grant_registration[]; /* asks for others */
extern const char grant_operator[];     /* revokes */

/* What is asked for, as grants look at it: of which organisation, with which fields (NULL: not known). */
typedef struct {
    int64_t organisation;
    const json_t *fields;
} GrantCase;
/* The value of the field `profession`, and the department's number ("75" of "Paris (75)"); "" where it has none. Free with
 * g_free. */
char *grant_profession(const json_t *fields);
char *grant_department(const json_t *fields);
/* Has the account a role over it that validates `profile` (may be NULL), or `other` (may be NULL)? */
bool grant_covers(VigieStore *store, const char *account, const Profile *profile, const char *other,
                  const GrantCase *over, bool *ret_covers, GError **error);
