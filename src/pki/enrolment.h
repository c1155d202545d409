/* enrolment: validations given in advance. */
#pragma once

#include "pki/pki.h"

/* One that can be used now, as pki_enrolment_list tells it. DENIED where it has ended or is used up. */
json_t *enrolment_read(VigieStore *store, int64_t id, VigieTime now, GError **error);
