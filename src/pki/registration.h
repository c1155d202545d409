/* registration: what requests and enrolments are for. */
#pragma once

#include "pki/authority.h"

/* The authority `name`, or the only one that issues the profile; without its key. */
VigieAuthority *registration_authority(VigieStore *store, const char *name, const char *profile,
                                       GError **error);
/* Where there is a device, the organisation that has it, into `organisation`. NOT_FOUND. */
bool registration_organisation(VigieStore *store, int64_t device, VigieTime now, int64_t *organisation,
                               GError **error);
/* The request that this one repeats (VigieAgain); 0: none. */
bool registration_again(VigieStore *store, const VigiePkiRequest *asked, VigieTime now, int64_t *ret_id,
                        GError **error);
/* A short text of ours or a stranger's that goes into the log: UTF-8, all of it visible, `max` characters. */
bool registration_text(const char *what, const char *text, size_t max, GError **error);
