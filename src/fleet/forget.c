/* What need not be kept for ever: observations that only said the same again. */
#include "fleet/internal.h"

enum { BATCH = 10000 };

/* The end of the next batch of observations from before; 0: there is none. */
static bool batch_end(VigieStore *store, int64_t after, VigieTime before, int64_t *ret_end, GError **error) {
    return store_get_int(
        store, ret_end, error,
        "SELECT COALESCE(MAX(id), 0) FROM (SELECT id FROM observation WHERE id > $1 AND time < $2 "
        "ORDER BY id LIMIT $3) batch",
        "iii", after, before, (int64_t)BATCH);
}

/* The first of a stretch holds the record and the last its end: what lies between goes. */
static bool forget_batch(VigieStore *store, int64_t after, int64_t end, VigieTime before, GError **error) {
    return store_exec(
        store, error,
        "DELETE FROM observation WHERE id > $1 AND id <= $2 AND time < $3 AND same_as IS NOT NULL AND "
        "EXISTS (SELECT 1 FROM observation later WHERE later.endpoint_id = observation.endpoint_id AND "
        "later.id > observation.id AND later.same_as = observation.same_as)",
        "iii", after, end, before);
}

bool fleet_forget(VigieStore *store, VigieTime before, GError **error) {
    for (int64_t after = 0, end = 0;; after = end) {
        if (!batch_end(store, after, before, &end, error))
            return false;
        if (end == 0)
            return true;
        if (!forget_batch(store, after, end, before, error))
            return false;
    }
}
