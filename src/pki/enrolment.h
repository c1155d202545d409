/* enrolment: validations given in advance. */
#pragma once

#include "pki/pki.h"

/* One that can be used now, as pki_enrolment_list tells it. DENIED where it has ended or is used up. */
json_t *enrolment_read(VigieStore *store, int64_t id, VigieTime now, GError **error);

/* enrolment-secret.c. What is kept of a secret to know it by. Free with g_free. */
char *enrolment_digest(const char *secret);
/* `enrolment`: of pki_enrolment_find, or NULL. */
bool enrolment_proves(const json_t *enrolment, const char *secret);
/* Into its row, just inserted. */
bool enrolment_keep_secret(VigieStore *store, const VigieSeal *seal, int64_t id, const char *secret,
                           GError **error);
void enrolment_wipe(char *secret);
