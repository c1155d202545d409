/* What the authorities have to do with servers elsewhere. */
#include "daemon/worker.h"
#include "pki/pki.h"

bool worker_challenge(Lane *lane, const VigieJob *job, GError **error) {
    const VigieConfig *config = lane->settings->config;
    const VigieAcmeReach reach = {.http_port = (int)vigie_config_int(config, "pki.acme_http_port"),
                                  .tls_port = (int)vigie_config_int(config, "pki.acme_tls_port"),
                                  .resolvers = vigie_config_text(config, "pki.acme_resolvers"),
                                  .itself = vigie_config_bool(config, "process.reach_itself")};
    int64_t authorization = json_integer_value(json_object_get(job->payload, "authorization"));
    return pki_acme_look(lane->store, &reach, authorization, lane->clock(), error) &&
           store_job_done(lane->store, job, lane->worker, error);
}

/* A directory that does not answer is tried again; the job says why, `vigie doctor` shows it. */
bool worker_directory(Lane *lane, const VigieJob *job, GError **error) {
    VigieDirectory directory;
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(error);
    if (!profiles)
        return false;
    if (pki_directory_settings(lane->settings->config, &directory) &&
        !pki_directory_publish(lane->store, profiles, &directory, lane->clock(), NULL, error))
        return false;
    return store_job_done(lane->store, job, lane->worker, error);
}
