/* The doctor's notebook: what its checks share. */
#pragma once

#include "daemon/settings.h"

typedef enum { DOCTOR_WELL, DOCTOR_UNKNOWN, DOCTOR_SOON, DOCTOR_BROKEN } DoctorState;

typedef struct {
    const VigieDoctorOptions *options;
    VigieLang lang;
    VigieTime now;
    Settings *settings; /* NULL: the configuration is broken, and little else can be said */
    VigieStore *store;  /* NULL: there is none yet, or it does not open */
    json_t *checks;
    json_t *signer; /* what its account said of its keys; NULL: not asked */
    DoctorState worst;
} Doctor;

/* One line: the word "doctor.KEY", and "doctor.KEY.remedy" where there is one, their placeholders filled from name,
 * value pairs, NULL at the end. */
void doctor_tell(Doctor *doctor, const char *id, DoctorState state, const char *key,
                 ...) G_GNUC_NULL_TERMINATED;

/* doctor-means.c: what the store, the roots and the mail server say. */
void doctor_store(Doctor *doctor);
void doctor_jobs(Doctor *doctor);
void doctor_trust(Doctor *doctor);
void doctor_mail(Doctor *doctor);
void doctor_queue(Doctor *doctor);
/* doctor-mail.c */
void doctor_mailboxes(Doctor *doctor);
void doctor_keys(Doctor *doctor);
/* doctor-signer.c: before rights are given up, and after */
void doctor_signer_ask(Doctor *doctor);
void doctor_signer(Doctor *doctor);
/* doctor-pki.c */
void doctor_pki(Doctor *doctor);
/* doctor-seal.c: what is sealed at rest, and with which keys. */
void doctor_seal(Doctor *doctor);
