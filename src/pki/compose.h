/* compose: what a profile makes of an item that was checked. The signer signs it; vigie lint --profile holds certificates
 * against it. */
#pragma once

#include "pki/build.h"
#include "pki/item.h"

/* Appends the Name; that of the certificate which is renewed, where one is. */
bool compose_subject(const Item *item, GByteArray *out, GError **error);
/* Appends the extensions that the profile decides, for a certificate of these dates, subject and key. */
bool compose_extensions(const Item *item, const CertificateParts *parts, GByteArray *out, GError **error);
