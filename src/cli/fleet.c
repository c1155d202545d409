/* vigie fleet: what is watched. Each subcommand is a row of the table below. */
#include "cli/fleet.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *form; /* see cli_parse */
    bool (*run)(Fleet *fleet, int *ret_status, GError **error);
} Subcommand;

bool fleet_call_invalid(GError **error, const char *message) {
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, message);
    return false;
}

/* ---- Filters ------------------------------------------------------------------------------------------------ */
bool fleet_call_organisation(Fleet *fleet, int64_t *ret_id, GError **error) {
    if (!fleet->organisation)
        return true;
    VigieFleetFilter all = {.page_size = FLEET_PAGE_SIZE_MAX};
    g_autofree char *wanted = vigie_text_fold(fleet->organisation);
    for (all.page = 1;; all.page++) {
        g_autoptr(json_t) page = fleet_organisation_list(fleet->store, &all, fleet->now, error);
        if (!page)
            return false;
        size_t index;
        json_t *item;
        json_array_foreach(json_object_get(page, "items"), index, item) {
            g_autofree char *name = vigie_text_fold(json_string_value(json_object_get(item, "name")));
            if (strcmp(name, wanted) != 0)
                continue;
            *ret_id = json_integer_value(json_object_get(item, "id"));
            return true;
        }
        if (all.page >= json_integer_value(json_object_get(page, "pages")))
            break;
    }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                "--organisation %s: there is none of this name; `vigie fleet organisations` lists them",
                fleet->organisation);
    return false;
}

bool fleet_call_filter(Fleet *fleet, VigieFleetFilter *filter, char **ret_words, GError **error) {
    *filter = (VigieFleetFilter){.class_ = fleet->class_,
                                 .owner = fleet->owner,
                                 .criticality = fleet->criticality,
                                 .state = fleet->state,
                                 .severity = fleet->severity,
                                 .kind = fleet->kind,
                                 .retired = fleet->retired,
                                 .page = fleet->page,
                                 .page_size = fleet->page_size};
    if (fleet->sort && !fleet_filter_set(filter, "sort", fleet->sort, error))
        return false;
    *ret_words = g_strjoinv(" ", fleet->argv);
    filter->q = **ret_words ? *ret_words : NULL;
    return fleet_call_organisation(fleet, &filter->organisation, error);
}

typedef json_t *(*ListOf)(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);
typedef void (*PrintOf)(const FleetPrinter *printer, const json_t *page);

static json_t *list(Fleet *fleet, ListOf list_of, PrintOf print_of, GError **error) {
    VigieFleetFilter filter;
    g_autofree char *words = NULL;
    if (!fleet_call_filter(fleet, &filter, &words, error))
        return NULL;
    json_t *page = list_of(fleet->store, &filter, fleet->now, error);
    if (page && fleet->json)
        fleet_print_json(page);
    else if (page)
        print_of(&fleet->printer, page);
    return page;
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */
static bool run_list(Fleet *fleet, int *ret_status, GError **error) {
    (void)ret_status;
    g_autoptr(json_t) page = list(fleet, fleet_device_list, fleet_print_devices, error);
    return page != NULL;
}

static bool run_findings(Fleet *fleet, int *ret_status, GError **error) {
    if (!fleet->state)
        fleet->state = g_strdup("active");
    g_autoptr(json_t) page = list(fleet, fleet_finding_list, fleet_print_findings, error);
    if (json_integer_value(json_object_get(page, "total")) > 0)
        *ret_status = CLI_WRONG;
    return page != NULL;
}

static bool run_certificates(Fleet *fleet, int *ret_status, GError **error) {
    (void)ret_status;
    g_autoptr(json_t) page = list(fleet, fleet_certificate_list, fleet_print_certificates, error);
    return page != NULL;
}

static bool run_alarms(Fleet *fleet, int *ret_status, GError **error) {
    (void)ret_status;
    g_autoptr(json_t) page = list(fleet, fleet_alarm_list, fleet_print_alarms, error);
    return page != NULL;
}

static bool run_organisations(Fleet *fleet, int *ret_status, GError **error) {
    (void)ret_status;
    g_autoptr(json_t) page = list(fleet, fleet_organisation_list, fleet_print_organisations, error);
    return page != NULL;
}

/* A device by its GMAO number, its id, or words that mean no other. */
static bool find_device(Fleet *fleet, const VigieFleetFilter *filter, int64_t *ret_id, GError **error) {
    VigieFleetFilter found = *filter;
    found.page_size = FLEET_PAGE_SIZE_MAX;
    g_autoptr(json_t) page = fleet_device_list(fleet->store, &found, fleet->now, error);
    if (!page)
        return false;
    const json_t *items = json_object_get(page, "items");
    size_t index;
    json_t *item;
    json_array_foreach(items, index, item) {
        const char *gmao = json_string_value(json_object_get(item, "gmao"));
        if (gmao && g_ascii_strcasecmp(gmao, filter->q) == 0) {
            *ret_id = json_integer_value(json_object_get(item, "id"));
            return true;
        }
    }
    guint64 id = 0;
    if (g_ascii_string_to_unsigned(filter->q, 10, 1, G_MAXINT64, &id, NULL)) {
        *ret_id = (int64_t)id;
        return true;
    }
    if (json_array_size(items) == 1) {
        *ret_id = json_integer_value(json_object_get(json_array_get(items, 0), "id"));
        return true;
    }
    if (json_array_size(items) == 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "no device of the fleet is called \"%s\"; vigie fleet list shows them", filter->q);
    else
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "\"%s\" means %" JSON_INTEGER_FORMAT
                    " devices; name one by its GMAO number or id (vigie fleet list %s)",
                    filter->q, json_integer_value(json_object_get(page, "total")), filter->q);
    return false;
}

static bool run_show(Fleet *fleet, int *ret_status, GError **error) {
    VigieFleetFilter filter;
    g_autofree char *words = NULL;
    int64_t id = 0;
    if (!fleet_call_filter(fleet, &filter, &words, error))
        return false;
    if (!filter.q)
        return fleet_call_invalid(
            error,
            "a device is wanted: its GMAO number, its id or its name, as in vigie fleet show IMG-0004");
    filter.retired = true;
    if (!find_device(fleet, &filter, &id, error))
        return false;
    VigieFleetFilter confined = {.organisation = filter.organisation};
    g_autoptr(json_t) device = fleet_device_get(fleet->store, &confined, id, fleet->now, error);
    if (!device)
        return false;
    if (fleet->json)
        fleet_print_json(device);
    else
        fleet_print_device(&fleet->printer, device);
    if (strcmp(json_string_value(json_object_get(device, "state")), "broken") == 0)
        *ret_status = CLI_WRONG;
    return true;
}

/* ---- The GMAO ----------------------------------------------------------------------------------------------- */
static bool read_file(const char *path, char **ret_bytes, gsize *ret_size, GError **error) {
    GError *failure = NULL;
    if (strcmp(path, "-") != 0 ? g_file_get_contents(path, ret_bytes, ret_size, &failure)
                               : g_file_get_contents("/dev/stdin", ret_bytes, ret_size, &failure))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s", failure->message);
    g_clear_error(&failure);
    return false;
}

/* The one named here, else the configuration's, else ours. */
static VigieFleetMapping *load_mapping(const Fleet *fleet, GError **error) {
    const char *configured = vigie_config_text(fleet->settings, "fleet.mapping");
    return fleet_mapping_load(fleet->mapping ? fleet->mapping : *configured ? configured : NULL, error);
}

static bool run_import(Fleet *fleet, int *ret_status, GError **error) {
    g_autofree char *bytes = NULL;
    gsize size = 0;
    g_autoptr(VigieFleetMapping) mapping = load_mapping(fleet, error);
    if (!mapping || !read_file(fleet->argv[0], &bytes, &size, error))
        return false;
    const VigieFleetImport how = {.mapping = mapping,
                                  .organisation = fleet->organisation,
                                  .dry_run = fleet->dry_run,
                                  .by = fleet->by,
                                  .lang = fleet->lang};
    g_autoptr(json_t) report = fleet_import(fleet->store, vigie_bytes(bytes, size), &how, fleet->now, error);
    if (!report)
        return false;
    if (fleet->json)
        fleet_print_json(report);
    else
        fleet_print_report(&fleet->printer, report);
    if (json_integer_value(json_object_get(report, "problem_count")) > 0)
        *ret_status = CLI_WRONG;
    return true;
}

static bool write_out(const Fleet *fleet, GString *out, GError **error) {
    g_autoptr(GString) text = out;
    if (!fleet->output)
        return fwrite(text->str, 1, text->len, stdout) == text->len ||
               fleet_call_invalid(error, CLI_OUTPUT_FULL);
    GError *failure = NULL;
    if (g_file_set_contents(fleet->output, text->str, (gssize)text->len, &failure))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s", failure->message);
    g_clear_error(&failure);
    return false;
}

static bool run_export(Fleet *fleet, int *ret_status, GError **error) {
    (void)ret_status;
    VigieFleetFilter filter;
    g_autofree char *words = NULL;
    g_autoptr(VigieFleetMapping) mapping = load_mapping(fleet, error);
    if (!mapping || !fleet_call_filter(fleet, &filter, &words, error))
        return false;
    g_autoptr(GString) out = g_string_new(NULL);
    return fleet_export(fleet->store, &filter, mapping, fleet->lang, fleet->printer.zone, fleet->now, out,
                        error) &&
           write_out(fleet, g_steal_pointer(&out), error);
}

static bool run_calendar(Fleet *fleet, int *ret_status, GError **error) {
    (void)ret_status;
    VigieFleetFilter filter;
    g_autofree char *words = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    return fleet_call_filter(fleet, &filter, &words, error) &&
           fleet_calendar_append(fleet->store, &filter, fleet->lang, fleet->printer.zone, fleet->now, out,
                                 error) &&
           write_out(fleet, g_steal_pointer(&out), error);
}

static bool run_metrics(Fleet *fleet, int *ret_status, GError **error) {
    (void)ret_status;
    VigieFleetFilter filter;
    g_autofree char *words = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    return fleet_call_filter(fleet, &filter, &words, error) &&
           fleet_metrics_append(fleet->store, &filter, fleet->now, out, error) &&
           write_out(fleet, g_steal_pointer(&out), error);
}

/* Reached where something stands before it, of which the authorities' command would know nothing. */
static bool run_renew(Fleet *fleet, int *ret_status, GError **error) {
    (void)fleet;
    (void)ret_status;
    return fleet_call_invalid(error,
                              "renew comes first, then its options, as in vigie fleet renew A-1 --check");
}

/* ---- The table ---------------------------------------------------------------------------------------------- */
/* What chooses among what is watched: words, and these. */
#define CHOICE                                                                                                \
    " [WORD …] [--organisation NAME] [--class CLASS] [--owner OWNER] [--criticality LEVEL] [--state STATE]" \
    " [--severity LEVEL] [--kind ID] [--retired]"
#define LIST CHOICE " [--sort KEY] [--page N] [--page-size N]"

static const Subcommand subcommands[] = {
    {"list" LIST, run_list},
    {"show DEVICE … [--organisation NAME]", run_show},
    {"findings" LIST, run_findings},
    {"certificates" LIST, run_certificates},
    {"alarms" LIST, run_alarms},
    {"organisations" LIST, run_organisations},
    {"import FILE.csv [--mapping FILE] [--organisation NAME] [--dry-run]", run_import},
    {"export" CHOICE " [--mapping FILE] [--output FILE]", run_export},
    {"add HOST:PORT[/PROTOCOL] … --organisation NAME [--name TEXT] [--gmao TEXT] [--class CLASS] "
     "[--owner OWNER] [--criticality LEVEL] [--manufacturer TEXT] [--model TEXT] [--serial TEXT] "
     "[--location TEXT] [--note TEXT]",
     fleet_call_add},
    {"contact --organisation NAME --mail ADDRESS [--role ROLE] [--name TEXT] [--language fr|en] "
     "[--manufacturer TEXT]",
     fleet_call_contact},
    {"ack NUMBER … [--note TEXT]", fleet_call_ack},
    {"survey" CHOICE " [--depth DEPTH] [--wait]", fleet_call_survey},
    {"calendar" CHOICE " [--output FILE]", run_calendar},
    {"metrics" CHOICE " [--output FILE]", run_metrics},
    {"renew DEVICE …", run_renew},
};
static const char *const examples[] = {
    "vigie fleet import gmao.csv --organisation 'CHU de Kermarec' --dry-run",
    "vigie fleet list --class laboratory --state broken",
    "vigie fleet ack 12 --note 'mise à jour prévue lundi'",
    "vigie fleet survey --kind clock-skew --wait",
    "vigie fleet export --output for-gmao.csv",
    NULL};

static bool open_fleet(Fleet *fleet, GError **error) {
    fleet->settings = vigie_config_load(fleet->config, error);
    if (!fleet->settings)
        return false;
    fleet->store = store_open(vigie_config_text(fleet->settings, "store.url"), error);
    fleet->rules = fleet->store ? record_rules_load(error) : NULL;
    fleet->now = vigie_time_now();
    fleet->by = g_get_user_name();
    fleet->printer = (FleetPrinter){.lang = fleet->lang,
                                    .zone = vigie_config_zone(fleet->settings),
                                    .now = fleet->now,
                                    .rules = fleet->rules,
                                    .colour = cli_colour()};
    return fleet->rules && store_migrate(fleet->store, error);
}

static bool dispatch(Fleet *fleet, int *ret_status, GError **error) {
    const char *name = fleet->argv[1];
    for (size_t i = 0; i < G_N_ELEMENTS(subcommands); i++) {
        if (strncmp(subcommands[i].form, name, strlen(name)) != 0 ||
            strcspn(subcommands[i].form, " ") != strlen(name))
            continue;
        fleet->argv += 2;
        return open_fleet(fleet, error) && subcommands[i].run(fleet, ret_status, error);
    }
    return false;
}

int cli_fleet(int argc, char **argv) {
    /* A device's certificate is renewed by an authority, with its options. */
    static char authority[] = "ca";
    if (argc > 1 && strcmp(argv[1], "renew") == 0) {
        argv[0] = authority;
        return cli_ca(argc, argv);
    }
    Fleet fleet = {0};
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &fleet.config, NULL, "FILE"},
        {"organisation", 'o', 0, G_OPTION_ARG_STRING, &fleet.organisation, NULL, "NAME"},
        {"class", 0, 0, G_OPTION_ARG_STRING, &fleet.class_, NULL, "CLASS"},
        {"owner", 0, 0, G_OPTION_ARG_STRING, &fleet.owner, NULL, "OWNER"},
        {"criticality", 0, 0, G_OPTION_ARG_STRING, &fleet.criticality, NULL, "LEVEL"},
        {"state", 's', 0, G_OPTION_ARG_STRING, &fleet.state, NULL, "STATE"},
        {"severity", 0, 0, G_OPTION_ARG_STRING, &fleet.severity, NULL, "LEVEL"},
        {"kind", 'k', 0, G_OPTION_ARG_STRING, &fleet.kind, NULL, "ID"},
        {"retired", 0, 0, G_OPTION_ARG_NONE, &fleet.retired, NULL, NULL},
        {"sort", 0, 0, G_OPTION_ARG_STRING, &fleet.sort, NULL, "KEY"},
        {"page", 0, 0, G_OPTION_ARG_INT64, &fleet.page, NULL, "N"},
        {"page-size", 0, 0, G_OPTION_ARG_INT64, &fleet.page_size, NULL, "N"},
        {"mapping", 'm', 0, G_OPTION_ARG_FILENAME, &fleet.mapping, NULL, "FILE"},
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &fleet.dry_run, NULL, NULL},
        {"output", 0, 0, G_OPTION_ARG_FILENAME, &fleet.output, NULL, "FILE"},
        {"name", 0, 0, G_OPTION_ARG_STRING, &fleet.name, NULL, "TEXT"},
        {"gmao", 0, 0, G_OPTION_ARG_STRING, &fleet.gmao, NULL, "TEXT"},
        {"manufacturer", 0, 0, G_OPTION_ARG_STRING, &fleet.manufacturer, NULL, "TEXT"},
        {"model", 0, 0, G_OPTION_ARG_STRING, &fleet.model, NULL, "TEXT"},
        {"serial", 0, 0, G_OPTION_ARG_STRING, &fleet.serial, NULL, "TEXT"},
        {"location", 0, 0, G_OPTION_ARG_STRING, &fleet.location, NULL, "TEXT"},
        {"role", 0, 0, G_OPTION_ARG_STRING, &fleet.role, NULL, "ROLE"},
        {"mail", 0, 0, G_OPTION_ARG_STRING, &fleet.mail, NULL, "ADDRESS"},
        {"language", 0, 0, G_OPTION_ARG_STRING, &fleet.language, NULL, "fr|en"},
        {"note", 0, 0, G_OPTION_ARG_STRING, &fleet.note, NULL, "TEXT"},
        {"depth", 'd', 0, G_OPTION_ARG_STRING, &fleet.depth, NULL, "DEPTH"},
        {"wait", 'w', 0, G_OPTION_ARG_NONE, &fleet.wait, NULL, NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &fleet.json, NULL, NULL},
        {0},
    };
    const char *forms[G_N_ELEMENTS(subcommands) + 1] = {NULL};
    for (size_t i = 0; i < G_N_ELEMENTS(subcommands); i++)
        forms[i] = subcommands[i].form;
    int status = CLI_FAILED;
    if (cli_parse(&argc, &argv, entries, forms, examples, &fleet.lang, &status)) {
        g_autoptr(GError) error = NULL;
        fleet.argc = argc;
        fleet.argv = argv;
        status = CLI_WELL;
        if (!dispatch(&fleet, &status, &error))
            status = cli_fail("fleet", error);
    }
    for (size_t i = 0; entries[i].long_name; i++)
        if (entries[i].arg == G_OPTION_ARG_STRING || entries[i].arg == G_OPTION_ARG_FILENAME)
            g_free(*(char **)entries[i].arg_data);
    g_clear_pointer(&fleet.rules, record_rules_free);
    g_clear_pointer(&fleet.store, store_close);
    g_clear_pointer(&fleet.settings, vigie_config_free);
    return status;
}
