/* vigie case: what only looks. */
#include "cli/case.h"
#include "cli/fleet-print.h"

#include <stdio.h>
#include <string.h>

static bool run_list(CaseCall *call, GError **error) {
    g_autofree char *words = g_strjoinv(" ", call->rest);
    const VigieCaseFilter filter = {.state = call->state,
                                    .kind = call->kind,
                                    .tlp = call->tlp,
                                    .assignee = call->assignee,
                                    .organisation = call->organisation_id,
                                    .band = call->band,
                                    .overdue = call->overdue,
                                    .q = *words ? words : NULL,
                                    .page = call->page};
    g_autoptr(json_t) page = csirt_case_list(call->store, &call->who, &filter, call->now, error);
    if (page && call->json)
        fleet_print_json(page);
    else if (page)
        case_print_list(call, page);
    return page != NULL;
}

static bool run_show(CaseCall *call, GError **error) {
    int64_t id = 0;
    g_autoptr(json_t) a_case = case_of(call, &id, error)
                                   ? csirt_case_get(call->store, call->team, &call->who, id, call->now, error)
                                   : NULL;
    if (a_case && call->json)
        fleet_print_json(a_case);
    else if (a_case)
        case_print_case(call, a_case);
    return a_case != NULL;
}

static bool run_load(CaseCall *call, GError **error) {
    g_autoptr(json_t) load = csirt_load(call->store, call->team, &call->who, call->now, error);
    if (load && call->json)
        fleet_print_json(load);
    else if (load)
        case_print_load(call, load);
    if (json_integer_value(json_object_get(load, "overdue")) > 0)
        call->status = CLI_WRONG;
    return load != NULL;
}

static bool run_tasks(CaseCall *call, GError **error) {
    int64_t id = 0;
    if (call->rest[0] && !case_of(call, &id, error))
        return false;
    g_autoptr(json_t) tasks = csirt_task_list(call->store, &call->who, id, error);
    g_autoptr(json_t) object = tasks ? json_pack("{s:O}", "tasks", tasks) : NULL;
    if (object && call->json)
        fleet_print_json(object);
    else if (object)
        case_print_tasks(call, tasks);
    return object != NULL;
}

static bool run_check(CaseCall *call, GError **error) {
    int64_t id = 0;
    if (!call->who.may)
        return case_denied(error);
    if (call->rest[0] && !case_of(call, &id, error))
        return false;
    g_autofree char *kept = NULL;
    gsize size = 0;
    if (call->anchor && !g_file_get_contents(call->anchor, &kept, &size, error))
        return false;
    g_autoptr(json_t) report = csirt_timeline_verify(call->store, id, error);
    if (report && kept && !csirt_anchor_verify(call->store, kept, json_object_get(report, "faults"), error))
        return false;
    if (report && call->json)
        fleet_print_json(report);
    else if (report)
        case_print_check(call, report);
    if (json_array_size(json_object_get(report, "faults")) > 0)
        call->status = CLI_WRONG;
    return report != NULL;
}

static bool run_anchor(CaseCall *call, GError **error) {
    g_autofree char *text = call->who.may ? csirt_anchor(call->store, call->now, error) : NULL;
    if (!call->who.may)
        return case_denied(error);
    if (text)
        fputs(text, stdout);
    return text != NULL;
}

static bool run_release(CaseCall *call, GError **error) {
    int64_t id = 0;
    const VigieRecipient to = {
        .audience = call->rest[1], .channel = call->channel ? call->channel : "mail", .encrypted = true};
    g_autoptr(json_t) release =
        case_of(call, &id, error) ? csirt_release(call->store, id, &to, call->now, error) : NULL;
    if (release && call->json)
        fleet_print_json(release);
    else if (release)
        case_print_release(call, release);
    return release != NULL;
}

/* To the file that --output names, or to the standard output. */
static bool write_bytes(const CaseCall *call, GBytes *bytes, GError **error) {
    gsize size = 0;
    const void *data = g_bytes_get_data(bytes, &size);
    if (call->out)
        return cli_write_new(call->out, data, size, true, error);
    return fwrite(data, 1, size, stdout) == size || case_refuse(error, CLI_OUTPUT_FULL);
}

static bool run_extract(CaseCall *call, GError **error) {
    guint64 artefact = 0;
    g_autofree char *name = NULL;
    if (!g_ascii_string_to_unsigned(call->rest[0], 10, 1, G_MAXINT64, &artefact, NULL))
        return case_refuse(error,
                           "an artefact's number is wanted, as in: vigie case extract 12 --out sample.bin");
    g_autoptr(GBytes) content =
        csirt_artefact_open(call->store, call->team, &call->who, (int64_t)artefact, call->now, &name, error);
    return content && write_bytes(call, content, error);
}

static bool run_source(CaseCall *call, GError **error) {
    int64_t id = 0;
    g_autoptr(GBytes) sealed =
        case_of(call, &id, error) ? csirt_source_get(call->store, &call->who, id, call->now, error) : NULL;
    return sealed && write_bytes(call, sealed, error);
}

const CaseCommand case_read_commands[] = {
    {"list", run_list,
     "[WORD …] [--state STATE] [--kind KIND] [--tlp LABEL] [--assignee NAME] [--organisation-id ID] "
     "[--band N] [--overdue] [--page N]"},
    {"show", run_show, "REF"},
    {"load", run_load, ""},
    {"tasks", run_tasks, "[REF]"},
    {"check", run_check, "[REF] [--anchor FILE]"},
    {"anchor", run_anchor, ""},
    {"release", run_release, "REF AUDIENCE [--channel CHANNEL]"},
    {"extract", run_extract, "ARTEFACT [--out FILE]"},
    {"source", run_source, "REF [--out FILE]"},
    {0},
};
