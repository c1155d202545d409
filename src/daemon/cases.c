/* Cases of the CSIRT: what is done for them behind the desk. */
#include "daemon/worker.h"

#include "csirt/csirt.h"

enum { AT_ONCE = 200 };

bool worker_ask_words(const Lane *lane, VigieTime now, GError **error) {
    return csirt_words_ask(lane->store, now, error);
}

bool worker_words(Lane *lane, const VigieJob *job, GError **error) {
    int64_t indexed = 1;
    while (indexed > 0 && !lane->stop)
        if (!csirt_words_index(lane->store, AT_ONCE, &indexed, error))
            return false;
    return store_job_done(lane->store, job, lane->worker, error);
}
