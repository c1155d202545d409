/* Mailboxes: looked at when their time has come, each by one worker. */
#include "daemon/worker.h"

#include <string.h>

enum { STUCK = 600 }; /* seconds that a message may wait without anybody having been asked to file it */

/* ---- Asking ---- */
static bool is_due(VigieStore *store, const char *name, VigieTime now, bool *ret_due, GError **error) {
    int64_t later = 0;
    if (!store_get_int(store, &later, error,
                       "SELECT COUNT(*) FROM mailbox WHERE name = $1 AND next_poll > $2", "ti", name, now))
        return false;
    *ret_due = later == 0;
    return true;
}

static bool ask_poll(VigieStore *store, const char *name, VigieTime now, GError **error) {
    g_autofree char *key = g_strdup_printf("mail-poll:%s", name);
    g_autoptr(json_t) payload = json_pack("{s:s}", "mailbox", name);
    bool due = false;
    if (!is_due(store, name, now, &due, error))
        return false;
    return !due || store_job_add(store, MAIL_JOB_POLL, payload, now, key, NULL, error);
}

/* A job that was given up leaves what it should have filed: it is asked for again. */
static bool ask_stuck(VigieStore *store, VigieTime now, GError **error) {
    int64_t stuck = 0;
    g_autoptr(json_t) nothing = json_object();
    if (!store_get_int(store, &stuck, error,
                       "SELECT COUNT(*) FROM mail_inbound WHERE handled IS NULL AND next_try < $1", "i",
                       now - STUCK))
        return false;
    return stuck == 0 || store_job_add(store, MAIL_JOB_INBOUND, nothing, now, MAIL_JOB_INBOUND, NULL, error);
}

bool worker_ask_polls(const Lane *lane, VigieTime now, GError **error) {
    const GPtrArray *mailboxes = lane->settings->mailboxes;
    for (guint i = 0; i < mailboxes->len; i++)
        if (!ask_poll(lane->store, mail_mailbox_name(mailboxes->pdata[i]), now, error))
            return false;
    return ask_stuck(lane->store, now, error);
}

/* ---- Looking ---- */
static const VigieMailbox *find(const GPtrArray *mailboxes, const char *name) {
    for (guint i = 0; name && i < mailboxes->len; i++)
        if (strcmp(mail_mailbox_name(mailboxes->pdata[i]), name) == 0)
            return mailboxes->pdata[i];
    return NULL;
}

/* The mailbox's own row tells when it is tried again; the job is done in any case. */
bool worker_poll(Lane *lane, const VigieJob *job, GError **error) {
    const char *name = json_string_value(json_object_get(job->payload, "mailbox"));
    const VigieMailbox *mailbox = find(lane->settings->mailboxes, name);
    g_autoptr(GError) failure = NULL;
    int64_t taken = 0;
    if (mailbox && !mail_mailbox_poll(mailbox, lane->store, lane->clock, &lane->stop, &taken, &failure))
        vigie_log(VIGIE_LOG_WARNING, "mailbox %s: %s", name, failure->message);
    if (taken > 0)
        vigie_log(VIGIE_LOG_INFO, "mailbox %s: %" G_GINT64_FORMAT " new", name, taken);
    return store_job_done(lane->store, job, lane->worker, error);
}
