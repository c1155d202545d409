/* page-survey: ask for a survey now, and watch it. */
#include "portal/account.h"
#include "portal/pages.h"
#include "portal/present.h"

#include <string.h>

enum { REFRESH_SECONDS = 3 };

static const char *const depths[] = {"certificate", "protocols", "full", NULL};

RESOURCE(page_surveys) {
    VigieFleetFilter filter;
    return page_filter(request, &filter, error)
               ? fleet_survey_list(request->store, &filter, request->now, error)
               : NULL;
}

RESOURCE(page_survey) {
    VigieFleetFilter filter = {.organisation = request->reader.organisation};
    return fleet_survey_progress(request->store, &filter, request->id, request->now, error);
}

static bool read_depth(const Request *request, VigieDepth *ret_depth, GError **error) {
    const char *text = request_form(request, "depth");
    if (!text || !*text)
        text = "full";
    for (int depth = 0; depths[depth]; depth++)
        if (strcmp(depths[depth], text) == 0) {
            *ret_depth = (VigieDepth)depth;
            return true;
        }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "depth: certificate, protocols or full is wanted");
    return false;
}

RESOURCE(page_survey_request) {
    static const char *const scopes[] = {"organisation", "device", "endpoint", "class"};
    VigieFleetFilter scope = {0};
    VigieDepth depth;
    int64_t run = 0;
    if (!read_depth(request, &depth, error))
        return NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(scopes); i++) {
        const char *value = request_form(request, scopes[i]);
        if (value && *value && !fleet_filter_set(&scope, scopes[i], value, error))
            return NULL;
    }
    if (request->reader.organisation)
        scope.organisation = request->reader.organisation;
    g_autoptr(VigieTransaction) tx = store_begin(request->store, error);
    if (!tx ||
        !fleet_survey_request(request->store, &scope, depth, request->reader.name, request->now, &run, error))
        return NULL;
    g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, run);
    if (!audit_add(request->store, request->now, request->reader.name, request->address, "survey-requested",
                   id, NULL, error) ||
        !store_commit(&tx, error))
        return NULL;
    request->status = 202;
    request->go = g_strconcat("/surveys/", id, NULL);
    request->id = run;
    return page_survey(request, error);
}

/* The share done as a whole number, and whether there is more to wait for. */
static void add_progress(const Request *request, json_t *run) {
    json_int_t targets = json_integer_value(json_object_get(run, "targets"));
    json_int_t done = json_integer_value(json_object_get(run, "done"));
    const char *state = json_string_value(json_object_get(run, "state"));
    bool going = state && (strcmp(state, "waiting") == 0 || strcmp(state, "running") == 0);
    json_object_set_new(run, "going", json_boolean(going));
    json_object_set_new(run, "percent", json_integer(targets > 0 ? done * 100 / targets : 0));
    g_autofree char *key = g_strconcat("portal.run.", state ? state : "", NULL);
    json_object_set_new(run, "state_text", json_string(vigie_word(request->lang, key)));
}

/* What came out, in words: { "ok": 38, "timeout-connect": 2 } as rows. */
static void add_outcomes(const Request *request, json_t *view) {
    json_t *rows = json_array(), *count;
    const char *name;
    json_object_foreach(json_object_get(view, "outcomes"), name, count) {
        json_t *row = json_pack("{s:s, s:O}", "outcome", name, "count", count);
        present(request, row);
        json_array_append_new(rows, row);
    }
    json_object_set_new(view, "outcome_rows", rows);
}

DRESS(dress_survey) {
    (void)error;
    const char *reason = vigie_member(view, "reason");
    g_autofree char *said = reason ? vigie_said(request->lang, reason) : NULL;
    if (said)
        json_object_set_new(view, "reason", json_string(said));
    add_progress(request, view);
    add_outcomes(request, view);
    if (json_is_true(json_object_get(view, "going")))
        json_object_set_new(view, "refresh", json_integer(REFRESH_SECONDS));
    return true;
}

DRESS(dress_surveys) {
    size_t index;
    json_t *run;
    json_array_foreach(json_object_get(view, "items"), index, run) {
        add_progress(request, run);
    }
    json_object_set_new(view, "depths", present_options(request, "portal.depth.", depths, "full"));
    return dress_plain_list(request, view, error);
}
