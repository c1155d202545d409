/* Who reported, as the store has it: sealed. */
#include "csirt/internal.h"

#include <inttypes.h>

GBytes *csirt_source_get(VigieStore *store, const VigieAnalyst *who, int64_t id, VigieTime now,
                         GError **error) {
    g_auto(Case) of = {0};
    g_autoptr(GBytes) sealed = NULL;
    if (!case_load(store, who, id, &of, error) || !csirt_head_only(who, "a protected source", error))
        return NULL;
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT sealed FROM csirt_source WHERE case_id = $1", "i", id);
    GError *failure = NULL;
    if (rows && rows_next(rows, &failure)) {
        VigieBytes bytes = rows_blob(rows, 0);
        sealed = g_bytes_new(bytes.data, bytes.size);
    }
    if (!rows_ended(rows, &failure, error))
        return NULL;
    g_clear_pointer(&rows, rows_free);
    if (!sealed) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s: no source is kept with it", of.reference);
        return NULL;
    }
    return entry_add(store, id, analyst_name(who), "source-read", NULL, now, error) ? g_steal_pointer(&sealed)
                                                                                    : NULL;
}
