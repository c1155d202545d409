/* fleet-write: what `vigie fleet` changes: devices, contacts, findings taken note of; and surveys. */
#include "cli/fleet.h"
#include "survey/survey.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_STEP_MS = 1000, WAIT_FOR_WORKER = 60 };

/* ---- Writing ------------------------------------------------------------------------------------------------ */
static void set_text(json_t *fields, const char *name, const char *text) {
    if (text)
        json_object_set_new(fields, name, json_string(text));
}

/* A form's problem in the reader's language, in place of the error's own words. */
static bool retell(const Fleet *fleet, json_t *problem, GError **error) {
    g_autoptr(json_t) owned = problem;
    if (!owned || !error || !*error)
        return false;
    g_autofree char *text = fleet_problem_text(fleet->lang, owned);
    int code = (*error)->code;
    g_clear_error(error);
    g_set_error_literal(error, VIGIE_ERROR, code, text);
    return false;
}

/* The organisation by name, made where it is new. */
static bool need_organisation(Fleet *fleet, int64_t *ret_id, GError **error) {
    GError *failure = NULL;
    json_t *problem = NULL;
    if (!fleet->organisation)
        return fleet_call_invalid(error, "--organisation NAME is wanted");
    if (fleet_call_organisation(fleet, ret_id, &failure))
        return true;
    if (!g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, failure);
        return false;
    }
    g_clear_error(&failure);
    g_autoptr(json_t) fields = json_pack("{s:s}", "name", fleet->organisation);
    return fleet_organisation_save(fleet->store, 0, fields, fleet->by, fleet->now, ret_id, &problem, error) ||
           retell(fleet, problem, error);
}

static bool add_endpoint(Fleet *fleet, int64_t device, const char *text, GError **error) {
    VigieTarget target = {0};
    json_t *problem = NULL;
    if (!survey_target_parse(text, &target, error))
        return false;
    g_autoptr(json_t) fields =
        json_pack("{s:I, s:s, s:i, s:s}", "device", (json_int_t)device, "host", target.host, "port",
                  target.port, "protocol", vigie_protocol_name(target.protocol));
    vigie_target_clear(&target);
    return fleet_endpoint_save(fleet->store, 0, fields, fleet->by, fleet->now, NULL, &problem, error) ||
           retell(fleet, problem, error);
}

bool fleet_call_add(Fleet *fleet, int *ret_status, GError **error) {
    (void)ret_status;
    int64_t organisation = 0, device = 0;
    json_t *problem = NULL;
    g_autoptr(VigieTransaction) tx = store_begin(fleet->store, error);
    if (!tx || !need_organisation(fleet, &organisation, error))
        return false;
    const char *name = fleet->name ? fleet->name : fleet->argv[0];
    g_autoptr(json_t) fields = json_pack("{s:I}", "organisation", (json_int_t)organisation);
    const struct {
        const char *member, *text;
    } texts[] = {{"name", name},
                 {"gmao", fleet->gmao},
                 {"class", fleet->class_},
                 {"owner", fleet->owner},
                 {"criticality", fleet->criticality},
                 {"manufacturer", fleet->manufacturer},
                 {"model", fleet->model},
                 {"serial", fleet->serial},
                 {"location", fleet->location},
                 {"note", fleet->note}};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        set_text(fields, texts[i].member, texts[i].text);
    if (!fleet_device_save(fleet->store, 0, fields, fleet->by, fleet->now, &device, &problem, error))
        return retell(fleet, problem, error);
    for (char **target = fleet->argv; *target; target++)
        if (!add_endpoint(fleet, device, *target, error))
            return false;
    if (!store_commit(&tx, error))
        return false;
    VigieFleetFilter all = {0};
    g_autoptr(json_t) made = fleet_device_get(fleet->store, &all, device, fleet->now, error);
    if (made && fleet->json)
        fleet_print_json(made);
    else if (made)
        fleet_print_device(&fleet->printer, made);
    return made != NULL;
}

bool fleet_call_contact(Fleet *fleet, int *ret_status, GError **error) {
    (void)ret_status;
    int64_t organisation = 0, id = 0;
    json_t *problem = NULL;
    g_autoptr(VigieTransaction) tx = store_begin(fleet->store, error);
    if (!tx || !need_organisation(fleet, &organisation, error))
        return false;
    g_autoptr(json_t) fields = json_pack("{s:I}", "organisation", (json_int_t)organisation);
    set_text(fields, "role", fleet->role ? fleet->role : "biomed");
    set_text(fields, "name", fleet->name ? fleet->name : fleet->mail);
    set_text(fields, "mail", fleet->mail);
    set_text(fields, "language", fleet->language ? fleet->language : vigie_lang_code(fleet->lang));
    set_text(fields, "manufacturer", fleet->manufacturer);
    if (!fleet_contact_save(fleet->store, 0, fields, fleet->by, fleet->now, &id, &problem, error))
        return retell(fleet, problem, error);
    if (!store_commit(&tx, error))
        return false;
    VigieFleetFilter all = {0};
    g_autoptr(json_t) made = fleet_organisation_get(fleet->store, &all, organisation, fleet->now, error);
    if (made && fleet->json)
        fleet_print_json(made);
    else if (made)
        printf("%s\n", fleet->mail);
    return made != NULL;
}

bool fleet_call_ack(Fleet *fleet, int *ret_status, GError **error) {
    (void)ret_status;
    for (char **text = fleet->argv; *text; text++) {
        guint64 id = 0;
        if (!g_ascii_string_to_unsigned(*text, 10, 1, G_MAXINT64, &id, NULL)) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "\"%s\" is not a finding's number: vigie fleet findings shows them", *text);
            return false;
        }
        if (!fleet_finding_acknowledge(fleet->store, (int64_t)id, fleet->by, fleet->note, fleet->now, error))
            return false;
    }
    return true;
}

/* ---- Surveys ------------------------------------------------------------------------------------------------ */
/* Follows a run to its end. Who works on it is `vigie serve`: where nobody starts within a minute, it says so. */
static bool follow(Fleet *fleet, int64_t run, int *ret_status, GError **error) {
    const VigieFleetFilter all = {0};
    bool shown = isatty(STDERR_FILENO);
    for (VigieTime begun = vigie_time_now();; g_usleep(WAIT_STEP_MS * 1000)) {
        VigieTime now = vigie_time_now();
        g_autoptr(json_t) progress = fleet_survey_progress(fleet->store, &all, run, now, error);
        if (!progress)
            return false;
        const char *state = json_string_value(json_object_get(progress, "state"));
        bool ended = !json_is_null(json_object_get(progress, "finished"));
        if (shown || ended)
            fleet_print_progress(&fleet->printer, progress, shown);
        if (ended) {
            if (shown)
                fputc('\n', stderr);
            if (fleet->json)
                fleet_print_json(progress);
            if (strcmp(state, "failed") == 0)
                *ret_status = CLI_FAILED;
            return true;
        }
        if (strcmp(state, "waiting") == 0 && now - begun > WAIT_FOR_WORKER) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                        "survey %" G_GINT64_FORMAT
                        " waits, and nobody works on it: start `vigie serve`, which does",
                        run);
            return false;
        }
    }
}

static bool read_depth(const Fleet *fleet, VigieDepth *ret_depth, GError **error) {
    static const char *const names[] = {"certificate", "protocols", "full"};
    const char *wanted = fleet->depth ? fleet->depth : vigie_config_text(fleet->settings, "survey.depth");
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i], wanted) == 0) {
            *ret_depth = (VigieDepth)i;
            return true;
        }
    }
    return fleet_call_invalid(error, "--depth: certificate, protocols or full is wanted, as in --depth full");
}

bool fleet_call_survey(Fleet *fleet, int *ret_status, GError **error) {
    VigieFleetFilter scope;
    VigieDepth depth;
    g_autofree char *words = NULL;
    int64_t run = 0;
    if (!fleet_call_filter(fleet, &scope, &words, error) || !read_depth(fleet, &depth, error) ||
        !fleet_survey_request(fleet->store, &scope, depth, fleet->by, fleet->now, &run, error))
        return false;
    if (fleet->wait)
        return follow(fleet, run, ret_status, error);
    const VigieFleetFilter all = {0};
    g_autoptr(json_t) progress = fleet_survey_progress(fleet->store, &all, run, fleet->now, error);
    if (progress && fleet->json)
        fleet_print_json(progress);
    else if (progress)
        fleet_print_progress(&fleet->printer, progress, false);
    return progress != NULL;
}
