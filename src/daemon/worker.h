/* The worker: takes jobs from the store and does them, in lanes, so that a mail waits neither for a survey nor for
 * a mailbox. */
#pragma once

#include "daemon/settings.h"
#include "record/record.h"

/* One thread's work. Its job is leased, and the lease kept alive, until the job has ended. */
typedef struct {
    const Settings *settings;
    const VigieRules *rules;
    const char *worker; /* this process, as leases name it */
    VigieTime (*clock)(void);
    VigieStore *store;
    VigieMailCell *cell; /* shared by all lanes: reads mail, holds the keys */
    volatile int stop;   /* end this job: the process ends, or the lease was lost */
} Lane;

/* Does jobs until the process is told to end. */
bool worker_run(const Settings *settings, VigieMailCell *cell, GError **error);

/* Each does one job and ends it in the store (done, handed back or failed). False with the error where it could not:
 * the job is then failed for that reason. */
bool worker_survey(Lane *lane, const VigieJob *job, GError **error);
bool worker_alarms(Lane *lane, const VigieJob *job, GError **error);
bool worker_mail(Lane *lane, const VigieJob *job, GError **error);
bool worker_inbound(Lane *lane, const VigieJob *job, GError **error);
bool worker_poll(Lane *lane, const VigieJob *job, GError **error);
bool worker_challenge(Lane *lane, const VigieJob *job, GError **error);
bool worker_contacts(Lane *lane, const VigieJob *job, GError **error);
bool worker_notice(Lane *lane, const VigieJob *job, GError **error);
bool worker_letter(Lane *lane, const VigieJob *job, GError **error);
bool worker_follow(Lane *lane, const VigieJob *job, GError **error);
bool worker_directory(Lane *lane, const VigieJob *job, GError **error);
bool worker_words(Lane *lane, const VigieJob *job, GError **error);
bool worker_clean(Lane *lane, const VigieJob *job, GError **error);

/* Jobs of these kinds have no payload; adding one that waits already changes nothing. */
#define WORKER_ALARMS "alarms"
#define WORKER_CLEANING "cleaning"
/* Adds a job for each mailbox whose time has come. */
bool worker_ask_polls(const Lane *lane, VigieTime now, GError **error);
bool worker_anchor(Lane *lane, const VigieJob *job, GError **error);
bool worker_ask_anchor(const Lane *lane, VigieTime now, GError **error);
bool worker_ask_follow(const Lane *lane, VigieTime now, GError **error);
/* Adds a job where cases came or changed whose words are not indexed yet. */
bool worker_ask_words(const Lane *lane, VigieTime now, GError **error);
bool worker_alarms_ask(VigieStore *store, VigieTime now, GError **error);

/* Starts what its time has come for: surveys, alarms, the removal of what is old. Call it every few seconds. */
bool worker_keep_time(Lane *lane, VigieTime now, GError **error);

/* Subject and text of knowledge/mail/NAME.LANG.mustache over a view. Free both with g_free. INVALID: the template is wrong. */
bool worker_mail_words(const char *name, const json_t *view, VigieLang lang, char **ret_subject,
                       char **ret_text, GError **error);
/* Queues the reminders that are due of certificates that end. */
bool worker_remind(const Lane *lane, VigieTime now, GError **error);
/* Queues one mail to pki.operator_mail with all that the authorities will want, where something new is due. */
bool worker_tell_deadlines(const Lane *lane, VigieTime now, GError **error);
