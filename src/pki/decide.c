/* decide.c: many requests decided in one action, each for its own. */
#include "pki/request.h"

#include <string.h>

enum { LOOKED_AT = 5000, PAGE = 100 };

json_t *pki_request_queue(VigieStore *store, const VigieProfiles *profiles, const VigiePkiFilter *filter,
                          GError **error) {
    g_autoptr(json_t) queue = json_array();
    VigiePkiFilter at = *filter;
    at.state = VIGIE_REQUEST_WAITING;
    at.limit = PAGE;
    for (int looked = 0; looked < LOOKED_AT; looked += PAGE) {
        g_autoptr(json_t) list = pki_request_list(store, profiles, &at, error);
        size_t index;
        json_t *one;
        if (!list)
            return NULL;
        json_array_foreach(list, index, one) {
            bool may = false;
            at.before = json_integer_value(json_object_get(one, "id"));
            if (!request_may_decide(store, profiles, one, filter->account, &may, error))
                return NULL;
            if (may)
                json_array_append(queue, one);
            if (json_array_size(queue) == (size_t)filter->limit)
                return g_steal_pointer(&queue);
        }
        if (json_array_size(list) < PAGE)
            break;
    }
    return g_steal_pointer(&queue);
}

/* What concerns this one alone; a store that fails concerns them all. */
static bool is_own(const GError *why) {
    static const int own[] = {VIGIE_ERROR_DENIED, VIGIE_ERROR_CONFLICT, VIGIE_ERROR_NOT_FOUND,
                              VIGIE_ERROR_INVALID};
    for (size_t i = 0; i < G_N_ELEMENTS(own); i++)
        if (g_error_matches(why, VIGIE_ERROR, own[i]))
            return true;
    return false;
}

json_t *pki_request_decide(VigieStore *store, const VigieProfiles *profiles, const VigiePkiDecision *decision,
                           VigieTime now, GError **error) {
    if (decision->count == 0 || decision->count > PKI_DECIDE_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "1 to %d requests are wanted", PKI_DECIDE_MAX);
        return NULL;
    }
    if (decision->reason && !*decision->reason) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "a reason is wanted: it is told to who asked");
        return NULL;
    }
    g_autoptr(json_t) results = json_array();
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    for (size_t i = 0; tx && i < decision->count; i++) {
        GError *why = NULL;
        int64_t id = decision->ids[i];
        bool done =
            decision->reason
                ? pki_request_refuse(store, profiles, id, decision->account, decision->reason, now, &why)
                : pki_request_validate(store, profiles, id, decision->account, now, &why);
        if (!done && !is_own(why)) {
            g_propagate_error(error, why);
            return NULL;
        }
        json_array_append_new(results, json_pack("{s:I, s:b, s:s?}", "id", (json_int_t)id, "done", done,
                                                 "why", why ? why->message : NULL));
        g_clear_error(&why);
    }
    return tx && store_commit(&tx, error) ? g_steal_pointer(&results) : NULL;
}
