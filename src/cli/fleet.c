/* vigie fleet: what is watched. Each subcommand is a row of the table below. */
#include "cli/cli.h"
#include "cli/fleet-print.h"
#include "survey/survey.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_STEP_MS = 1000, WAIT_FOR_WORKER = 60 };

typedef struct {
    char *config, *mapping, *organisation, *class_, *owner, *criticality, *state, *severity, *kind, *sort,
        *depth, *note, *name, *gmao, *manufacturer, *model, *serial, *location, *role, *mail, *language,
        *output;
    gint64 page, page_size;
    gboolean dry_run, retired, wait, json;

    VigieLang lang;
    int argc; /* what remains of the arguments */
    char **argv;
    VigieConfig *settings;
    VigieStore *store;
    VigieRules *rules;
    VigieTime now;
    FleetPrinter printer;
    const char *by;
} Fleet;

typedef struct {
    const char *form; /* see cli_parse */
    bool (*run)(Fleet *fleet, int *ret_status, GError **error);
} Subcommand;

static bool invalid(GError **error, const char *message) {
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, message);
    return false;
}

/* ---- Filters ------------------------------------------------------------------------------------------------ */
/* The organisation of this name, in any case, with or without its accents. */
static bool find_organisation(Fleet *fleet, int64_t *ret_id, GError **error) {
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

/* The options as a filter; the words that remain are searched for, and joined in *ret_words. */
static bool read_filter(Fleet *fleet, VigieFleetFilter *filter, char **ret_words, GError **error) {
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
    return find_organisation(fleet, &filter->organisation, error);
}

typedef json_t *(*ListOf)(VigieStore *store, const VigieFleetFilter *filter, VigieTime now, GError **error);
typedef void (*PrintOf)(const FleetPrinter *printer, const json_t *page);

static json_t *list(Fleet *fleet, ListOf list_of, PrintOf print_of, GError **error) {
    VigieFleetFilter filter;
    g_autofree char *words = NULL;
    if (!read_filter(fleet, &filter, &words, error))
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
    if (!read_filter(fleet, &filter, &words, error))
        return false;
    if (!filter.q)
        return invalid(
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
        return fwrite(text->str, 1, text->len, stdout) == text->len || invalid(error, "stdout takes no more");
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
    if (!mapping || !read_filter(fleet, &filter, &words, error))
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
    return read_filter(fleet, &filter, &words, error) &&
           fleet_calendar_append(fleet->store, &filter, fleet->lang, fleet->printer.zone, fleet->now, out,
                                 error) &&
           write_out(fleet, g_steal_pointer(&out), error);
}

static bool run_metrics(Fleet *fleet, int *ret_status, GError **error) {
    (void)ret_status;
    VigieFleetFilter filter;
    g_autofree char *words = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    return read_filter(fleet, &filter, &words, error) &&
           fleet_metrics_append(fleet->store, &filter, fleet->now, out, error) &&
           write_out(fleet, g_steal_pointer(&out), error);
}

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
        return invalid(error, "--organisation NAME is wanted");
    if (find_organisation(fleet, ret_id, &failure))
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

static bool run_add(Fleet *fleet, int *ret_status, GError **error) {
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

static bool run_contact(Fleet *fleet, int *ret_status, GError **error) {
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

static bool run_ack(Fleet *fleet, int *ret_status, GError **error) {
    (void)ret_status;
    for (char **text = fleet->argv; *text; text++) {
        guint64 id = 0;
        if (!g_ascii_string_to_unsigned(*text, 10, 1, G_MAXINT64, &id, NULL)) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "\"%s\" is not a finding's number", *text);
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
                        " waits: nobody works on it; start `vigie serve`, which will",
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
    return invalid(error, "--depth certificate, protocols or full is wanted, as in --depth full");
}

static bool run_survey(Fleet *fleet, int *ret_status, GError **error) {
    VigieFleetFilter scope;
    VigieDepth depth;
    g_autofree char *words = NULL;
    int64_t run = 0;
    if (!read_filter(fleet, &scope, &words, error) || !read_depth(fleet, &depth, error) ||
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

/* Reached where something stands before it, of which the authorities' command would know nothing. */
static bool run_renew(Fleet *fleet, int *ret_status, GError **error) {
    (void)fleet;
    (void)ret_status;
    return invalid(error, "renew comes first, then its options, as in vigie fleet renew A-1 --check");
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
     run_add},
    {"contact --organisation NAME --mail ADDRESS [--role ROLE] [--name TEXT] [--language fr|en] "
     "[--manufacturer TEXT]",
     run_contact},
    {"ack NUMBER … [--note TEXT]", run_ack},
    {"survey" CHOICE " [--depth DEPTH] [--wait]", run_survey},
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
