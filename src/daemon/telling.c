/* The CSIRT's errands: contacts are searched for, notices and letters sent, ladders and re-checks go on. */
#include "csirt/letter.h"
#include "csirt/notify.h"
#include "daemon/worker.h"

static bool notifier_of(const Lane *lane, VigieNotifier *ret_notifier, GError **error) {
    const Settings *settings = lane->settings;
    *ret_notifier = (VigieNotifier){settings->config, settings->team, lane->cell};
    if (settings->team)
        return true;
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                        "[csirt] team is empty: no CSIRT works here");
    return false;
}

/* Strangers may take their time, so this has a lane of its own. */
bool worker_contacts(Lane *lane, const VigieJob *job, GError **error) {
    VigieNotifier notifier;
    g_autoptr(VigieLookup) lookup =
        notifier_of(lane, &notifier, error) ? csirt_lookup_new(lane->settings->config, error) : NULL;
    return lookup &&
           csirt_contacts_work(lane->store, &notifier, lookup, job->payload, &lane->stop, lane->clock,
                               error) &&
           store_job_done(lane->store, job, lane->worker, error);
}

bool worker_notice(Lane *lane, const VigieJob *job, GError **error) {
    VigieNotifier notifier;
    return notifier_of(lane, &notifier, error) &&
           csirt_notice_work(lane->store, &notifier, job->payload, lane->clock(), error) &&
           store_job_done(lane->store, job, lane->worker, error);
}

bool worker_letter(Lane *lane, const VigieJob *job, GError **error) {
    VigieNotifier notifier;
    return notifier_of(lane, &notifier, error) &&
           csirt_letter_work(lane->store, &notifier, job->payload, lane->clock(), error) &&
           store_job_done(lane->store, job, lane->worker, error);
}

bool worker_follow(Lane *lane, const VigieJob *job, GError **error) {
    VigieNotifier notifier;
    return notifier_of(lane, &notifier, error) &&
           csirt_follow_work(lane->store, &notifier, lane->clock(), error) &&
           store_job_done(lane->store, job, lane->worker, error);
}

bool worker_anchor(Lane *lane, const VigieJob *job, GError **error) {
    VigieNotifier notifier;
    return notifier_of(lane, &notifier, error) &&
           csirt_anchor_work(lane->store, &notifier, lane->clock(), error) &&
           store_job_done(lane->store, job, lane->worker, error);
}

bool worker_ask_anchor(const Lane *lane, VigieTime now, GError **error) {
    g_autoptr(json_t) nothing = json_object();
    return store_job_add(lane->store, CSIRT_JOB_ANCHOR, nothing, now, CSIRT_JOB_ANCHOR, NULL, error);
}

bool worker_ask_follow(const Lane *lane, VigieTime now, GError **error) {
    g_autoptr(json_t) nothing = json_object();
    return store_job_add(lane->store, CSIRT_JOB_FOLLOW, nothing, now, CSIRT_JOB_FOLLOW, NULL, error);
}
