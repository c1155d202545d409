/* request: the rows of what was asked, between who asks, who validates and who signs. */
#pragma once

#include "pki/journal.h"
#include "pki/profile.h"

/* One row, as pki_request_get tells it without its evidence, and beside: "proven": [], "bare": bool. NOT_FOUND. */
json_t *request_read(VigieStore *store, const VigieProfiles *profiles, int64_t id, GError **error);
/* With which the first of a certificate's line, of which it may be a renewal, was asked for; null where that was issued
 * without a request. */
json_t *request_fields_of(VigieStore *store, int64_t certificate, GError **error);
/* Its PKCS#10, or the bare key. Empty where it has none. */
GByteArray *request_csr(VigieStore *store, int64_t id, GError **error);
/* Does what is said in its favour hold now: the validator's role, the enrolment, the certificate that signed? DENIED. */
bool request_proof_check(VigieStore *store, const VigieProfiles *profiles, const json_t *request,
                         VigieTime now, GError **error);
/* Whether, whatever its state is. */
bool request_may_decide(VigieStore *store, const VigieProfiles *profiles, const json_t *request,
                        const char *account, bool *ret_may, GError **error);

/* In the journal's transaction: validated becomes issued, and its enrolment is used once more; ret_claimed tells whether. */
bool request_claim(VigieStore *store, int64_t id, VigieTime now, bool *ret_claimed, GError **error);
bool request_fulfil(VigieStore *store, int64_t id, int64_t certificate, GError **error);
/* In the journal's transaction, with its line: it ends. */
bool request_refuse(Journal *journal, int64_t id, const char *reason, GError **error);
