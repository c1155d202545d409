/* What is due by the clock. Each slot is claimed in the store before it is acted on, in one transaction, so that
 * several workers do it once, and a slot missed while nothing ran is made up for. */
#include "daemon/worker.h"
#include "pki/pki.h"

#include <string.h>

enum {
    ALARMS_EVERY = 300,
    FOLLOW_EVERY = 300,
    DIRECTORY_EVERY = 60,
    CLEAN_AFTER = 4 * 60 + 15
}; /* 04:15, local */

static VigieTime alarms_slot(const Settings *settings, VigieTime now) {
    (void)settings;
    return now - now % ALARMS_EVERY;
}

static VigieTime directory_slot(const Settings *settings, VigieTime now) {
    return *vigie_config_text(settings->config, "pki.directory") ? now - now % DIRECTORY_EVERY : 0;
}

static VigieTime survey_slot(const Settings *settings, VigieTime now) {
    return daemon_schedule_last(&settings->surveys, vigie_config_zone(settings->config), now);
}

static VigieTime cleaning_slot(const Settings *settings, VigieTime now) {
    VigieSchedule daily = {.slots = {{.minute = CLEAN_AFTER}}, .count = 1};
    return daemon_schedule_last(&daily, vigie_config_zone(settings->config), now);
}

static VigieTime anchor_slot(const Settings *settings, VigieTime now) {
    return settings->team ? cleaning_slot(settings, now) : 0;
}

static VigieTime mailbox_slot(const Settings *settings, VigieTime now) {
    return settings->mailboxes->len > 0 ? now - now % settings->poll_every : 0;
}

static VigieTime follow_slot(const Settings *settings, VigieTime now) {
    return settings->team ? now - now % FOLLOW_EVERY : 0;
}

static VigieTime hour_slot(const Settings *settings, VigieTime now) {
    (void)settings;
    return now - now % 3600;
}

static VigieTime words_slot(const Settings *settings, VigieTime now) {
    enum { MINUTE = 60 };
    return *vigie_config_text(settings->config, "csirt.team") ? now - now % MINUTE : 0;
}

/* ---- What is done ---- */
bool worker_alarms_ask(VigieStore *store, VigieTime now, GError **error) {
    g_autoptr(json_t) nothing = json_object();
    return store_job_add(store, WORKER_ALARMS, nothing, now, WORKER_ALARMS, NULL, error);
}

static bool ask_alarms(const Lane *lane, VigieTime now, GError **error) {
    return worker_alarms_ask(lane->store, now, error);
}

static bool request_survey(const Lane *lane, int64_t organisation, VigieTime now, GError **error) {
    VigieFleetFilter scope = {.organisation = organisation};
    int64_t run = 0;
    return fleet_survey_request(lane->store, &scope, lane->settings->depth, "schedule", now, &run, error);
}

static bool request_each_organisation(const Lane *lane, VigieTime now, GError **error) {
    for (int64_t page = 1, pages = 1; page <= pages; page++) {
        VigieFleetFilter filter = {.page = page, .page_size = FLEET_PAGE_SIZE_MAX};
        g_autoptr(json_t) list = fleet_organisation_list(lane->store, &filter, now, error);
        if (!list)
            return false;
        pages = json_integer_value(json_object_get(list, "pages"));
        size_t i = 0;
        json_t *item = NULL;
        json_array_foreach(json_object_get(list, "items"), i,
                           item) if (!request_survey(lane, json_integer_value(json_object_get(item, "id")),
                                                     now, error)) return false;
    }
    return true;
}

static bool request_surveys(const Lane *lane, VigieTime now, GError **error) {
    vigie_log(VIGIE_LOG_INFO, "a survey is due");
    return vigie_config_bool(lane->settings->config, "survey.by_organisation")
               ? request_each_organisation(lane, now, error)
               : request_survey(lane, 0, now, error);
}

static bool ask_directory(const Lane *lane, VigieTime now, GError **error) {
    g_autoptr(json_t) nothing = json_object();
    return store_job_add(lane->store, PKI_JOB_DIRECTORY, nothing, now, PKI_JOB_DIRECTORY, NULL, error);
}

/* Not in the claim's transaction: it may take a while. */
static bool ask_cleaning(const Lane *lane, VigieTime now, GError **error) {
    g_autoptr(json_t) nothing = json_object();
    return store_job_add(lane->store, WORKER_CLEANING, nothing, now, WORKER_CLEANING, NULL, error);
}

bool worker_clean(Lane *lane, const VigieJob *job, GError **error) {
    VigieTime now = lane->clock();
    int64_t erased = 0;
    return fleet_forget(lane->store, now - lane->settings->keep_observations, error) &&
           pki_acme_forget(lane->store, now, error) &&
           pki_evidence_forget(lane->store, now - lane->settings->keep_evidence,
                               now - lane->settings->keep_refused, lane->worker, now, &erased, error) &&
           mail_queue_forget(lane->store, now - lane->settings->keep_mail, error) &&
           mail_inbound_forget(lane->store, now - lane->settings->keep_mail, error) &&
           store_job_done(lane->store, job, lane->worker, error);
}

static const struct {
    const char *name;
    VigieTime (*slot)(const Settings *settings, VigieTime now); /* the latest, 0: none */
    bool (*act)(const Lane *lane, VigieTime now, GError **error);
} timers[] = {
    {"alarms", alarms_slot, ask_alarms},           {"surveys", survey_slot, request_surveys},
    {"mailboxes", mailbox_slot, worker_ask_polls}, {"follow", follow_slot, worker_ask_follow},
    {"case-words", words_slot, worker_ask_words},  {"case-anchor", anchor_slot, worker_ask_anchor},
    {"cleaning", cleaning_slot, ask_cleaning},     {"certificates-end", hour_slot, worker_remind},
    {"directory", directory_slot, ask_directory},  {"authorities", hour_slot, worker_tell_deadlines},
};

/* ---- Claiming ---- */
/* The first time ever, a slot that lies in the past is not made up for: there was nothing yet. */
static bool claim(VigieStore *store, const char *name, VigieTime slot, bool *ret_ours, GError **error) {
    int64_t rows = 0;
    *ret_ours = false;
    if (!store_exec_count(store, &rows, error,
                          "INSERT INTO schedule (name, last) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
                          "ti", name, slot))
        return false;
    if (rows == 1)
        return true;
    if (!store_exec_count(store, &rows, error, "UPDATE schedule SET last = $2 WHERE name = $1 AND last < $2",
                          "ti", name, slot))
        return false;
    *ret_ours = rows == 1;
    return true;
}

/* Reads first: most of the time there is nothing to write. */
static bool is_new(VigieStore *store, const char *name, VigieTime slot, bool *ret_new, GError **error) {
    int64_t count = 0;
    if (!store_get_int(store, &count, error, "SELECT COUNT(*) FROM schedule WHERE name = $1 AND last >= $2",
                       "ti", name, slot))
        return false;
    *ret_new = count == 0;
    return true;
}

static bool run_timer(Lane *lane, size_t i, VigieTime now, GError **error) {
    VigieTime slot = timers[i].slot(lane->settings, now);
    bool ours = false;
    if (slot == 0 || !is_new(lane->store, timers[i].name, slot, &ours, error) || !ours)
        return slot == 0 || !(error && *error);
    g_autoptr(VigieTransaction) tx = store_begin(lane->store, error);
    if (!tx || !claim(lane->store, timers[i].name, slot, &ours, error) ||
        (ours && !timers[i].act(lane, now, error)))
        return false;
    return store_commit(&tx, error);
}

bool worker_keep_time(Lane *lane, VigieTime now, GError **error) {
    for (size_t i = 0; i < G_N_ELEMENTS(timers); i++)
        if (!run_timer(lane, i, now, error))
            return false;
    return true;
}
