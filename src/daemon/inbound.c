/* What came in by mail is filed, in a lane of its own: a message may take gpg's time. */
#include "csirt/inbound.h"
#include "daemon/worker.h"

/* Without a team nobody works at the desk: mail waits, and the doctor says so. */
bool worker_inbound(Lane *lane, const VigieJob *job, GError **error) {
    const VigieNotifier notifier = {lane->settings->config, lane->settings->team, lane->cell};
    if (!notifier.team) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                            "[csirt] team is empty: nobody files what came by mail");
        return false;
    }
    return csirt_inbound_work(lane->store, &notifier, &lane->stop, lane->clock, error) &&
           store_job_done(lane->store, job, lane->worker, error);
}
