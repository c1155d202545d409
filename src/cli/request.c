/* vigie request: what is asked of the authorities, and who decides it. */
#include "cli/cli.h"
#include "pki/pki.h"

#include <stdio.h>
#include <string.h>

enum { DAY = 86400, PAGE = 200, FILE_MAX = 8 * 1024 * 1024 };

typedef struct {
    char *config, *account, *profile, *authority, *csr, *reason, *mail, *out, *state, *label, *type;
    char **names, **fields;
    gint64 organisation, device;
    int days, wait, uses;
    gboolean json, challenge, open;
    VigieLang lang;
    const VigieConfig *settings;
    VigieStore *store;
    VigieProfiles *profiles;
    VigieTime now;
    char **rest;
    bool wrong;
} Args;

static const char *const forms[] = {
    "add --profile PROFILE --csr FILE [--authority NAME] [--name KIND:NAME …] [--field NAME=VALUE …] "
    "[--organisation ID] [--device ID] [--mail ADDRESS] [--days N] [--wait SECONDS] [--out FILE] [--json]",
    "renew SERIAL --csr FILE [--mail ADDRESS] [--days N] [--wait SECONDS] [--out FILE] [--json]",
    "revoke SERIAL --reason REASON [--wait SECONDS] [--json]",
    "evidence NUMBER FILE [--type TYPE] [--json]",
    "list [--state STATE] [--device ID] [--json]",
    "show NUMBER [--json]",
    "validate NUMBER … [--wait SECONDS] [--out FILE] [--json]",
    "refuse NUMBER … --reason TEXT [--json]",
    "enrol --profile PROFILE --name dns:DOMAIN … [--label TEXT] [--authority NAME] [--field NAME=VALUE …] "
    "[--organisation ID] [--device ID] [--uses N] [--days N] [--challenge [--open]] [--json]",
    "enrolments [--json]",
    "end NUMBER",
    NULL};
static const char *const examples[] = {
    "vigie request add --profile device --csr automate.csr \\",
    "  --field organisation='CHU de Kermarec' --account c.martin",
    "vigie request validate 12 --account a.dsi --wait 5 \\",
    "  --out automate.pem",
    "vigie request enrol --profile device --name dns:chu.example --uses 20 \\",
    "  --field organisation='CHU de Kermarec' --label analysers",
    NULL};

static bool refuse(GError **error, const char *what) {
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, what);
    return false;
}

static void print_json(const json_t *value) {
    g_autofree char *text = vigie_json_text(value);
    printf("%s\n", text);
}

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "–";
}

static bool number_of(const char *text, int64_t *ret_number, GError **error) {
    return g_ascii_string_to_signed(text, 10, 1, G_MAXINT64, ret_number, NULL) ||
           refuse(error, "a number is wanted, as vigie request list prints it");
}

/* --field NAME=VALUE, as an object. */
static json_t *read_fields(const Args *args, GError **error) {
    g_autoptr(json_t) fields = json_object();
    for (char **field = args->fields; field && *field; field++) {
        const char *equals = strchr(*field, '=');
        g_autofree char *name = equals ? g_strndup(*field, (gsize)(equals - *field)) : NULL;
        if (!equals || json_object_set_new(fields, name, json_string(equals + 1)) != 0) {
            refuse(error, "--field NAME=VALUE in UTF-8 is wanted, as in --field unit=Laboratoire");
            return NULL;
        }
    }
    return g_steal_pointer(&fields);
}

static bool read_file(const char *path, char **ret_text, gsize *ret_size, GError **error) {
    g_autoptr(GError) why = NULL;
    if (g_file_get_contents(path, ret_text, ret_size, &why) && *ret_size <= FILE_MAX)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s", why ? why->message : "larger than 8 MiB");
    return false;
}

/* ---- What comes of it --------------------------------------------------------------------------------------- */
static bool write_certificate(Args *args, const char *serial, GError **error) {
    g_autofree char *pem = pki_certificate_pem(args->store, serial, vigie_time_now(), error);
    return pem && cli_write_new(args->out, pem, strlen(pem), false, error);
}

/* Says where it stands; after --wait, what came of it. */
static bool tell(Args *args, int64_t id, GError **error) {
    VigiePkiState state = VIGIE_REQUEST_WAITING;
    if (args->wait > 0 && !pki_request_wait(args->store, id, args->wait * 1000, &state, error))
        return false;
    g_autoptr(json_t) request = pki_request_get(args->store, args->profiles, id, error);
    if (!request)
        return false;
    const char *serial = json_string_value(json_object_get(request, "serial"));
    args->wrong = strcmp(text_of(request, "state"), "refused") == 0;
    if (args->out && serial && !write_certificate(args, serial, error))
        return false;
    if (args->json) {
        print_json(request);
        return true;
    }
    g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, id);
    g_autofree char *key = g_strconcat("request.now.", text_of(request, "state"), NULL);
    const char *out = args->out && serial ? args->out : "";
    g_autofree char *refusal = cli_said(text_of(request, "refusal"));
    g_autofree char *line = vigie_words(args->lang, key, "number", number, "serial", serial ? serial : "–",
                                        "reason", refusal, "file", out, NULL);
    printf("%s\n", line);
    return true;
}

static bool add(Args *args, VigiePkiRequest *request, GError **error) {
    g_autofree char *text = NULL;
    gsize size = 0;
    int64_t id = 0;
    if (request->kind != VIGIE_REQUEST_REVOKE && (!args->csr || !read_file(args->csr, &text, &size, error)))
        return args->csr ? false : refuse(error, "--csr is wanted, as in --csr automate.csr");
    request->csr = vigie_bytes(text, size);
    request->requester = args->account;
    request->mail = args->mail;
    request->days = args->days;
    request->protocol = "cli";
    return pki_request_add(args->store, args->profiles, request, args->now, &id, NULL, error) &&
           tell(args, id, error);
}

static bool run_add(Args *args, GError **error) {
    g_autoptr(json_t) fields = read_fields(args, error);
    if (!fields)
        return false;
    if (!args->profile)
        return refuse(error, "--profile is wanted: vigie ca profiles lists them");
    VigiePkiRequest request = {.kind = VIGIE_REQUEST_ISSUE,
                               .profile = args->profile,
                               .authority = args->authority,
                               .fields = fields,
                               .names = (const char *const *)args->names,
                               .device = args->device,
                               .organisation = args->organisation};
    return add(args, &request, error);
}

static bool run_renew(Args *args, GError **error) {
    VigiePkiRequest request = {.kind = VIGIE_REQUEST_RENEW, .serial = args->rest[0]};
    return add(args, &request, error);
}

static bool run_revoke(Args *args, GError **error) {
    if (!args->reason)
        return refuse(error, "--reason is wanted, as in --reason superseded");
    VigiePkiRequest request = {.kind = VIGIE_REQUEST_REVOKE, .serial = args->rest[0], .reason = args->reason};
    return add(args, &request, error);
}

static bool run_evidence(Args *args, GError **error) {
    const char *key = vigie_config_text(args->settings, "pki.evidence_key");
    g_autoptr(VigieSeal) seal = *key ? store_seal_load("pki.evidence_key", key, error) : NULL;
    g_autofree char *text = NULL, *name = g_path_get_basename(args->rest[1]);
    gsize size = 0;
    int64_t id = 0;
    return (!*key || seal) && number_of(args->rest[0], &id, error) &&
           read_file(args->rest[1], &text, &size, error) &&
           pki_evidence_add(args->store, seal, id, name, args->type ? args->type : "application/octet-stream",
                            vigie_bytes(text, size), args->account, args->now, error) &&
           tell(args, id, error);
}

/* ---- Deciding ----------------------------------------------------------------------------------------------- */
/* What came of one of many; what was decided is as `tell` has it, but for those that the signer refused since. */
static bool tell_result(Args *args, json_t *result, bool refusing, GError **error) {
    int64_t id = json_integer_value(json_object_get(result, "id"));
    bool done = json_is_true(json_object_get(result, "done"));
    VigiePkiState state = VIGIE_REQUEST_WAITING;
    if (done && args->wait > 0 && !refusing &&
        !pki_request_wait(args->store, id, args->wait * 1000, &state, error))
        return false;
    g_autoptr(json_t) request = done ? pki_request_get(args->store, args->profiles, id, error) : NULL;
    if (done && !request)
        return false;
    const char *serial = json_string_value(json_object_get(request, "serial"));
    bool refused = g_strcmp0(vigie_member(request, "state"), "refused") == 0;
    json_object_set(result, "state", request ? json_object_get(request, "state") : json_null());
    json_object_set_new(result, "serial", serial ? json_string(serial) : json_null());
    args->wrong = args->wrong || !done || (refused && !refusing);
    if (args->json)
        return true;
    g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, id);
    g_autofree char *key =
        g_strconcat("request.now.", request ? text_of(request, "state") : "undecided", NULL);
    g_autofree char *why = cli_said(request ? text_of(request, "refusal") : text_of(result, "why"));
    g_autofree char *line = vigie_words(args->lang, key, "number", number, "serial", serial ? serial : "–",
                                        "reason", why, "file", "", NULL);
    printf("%s\n", line);
    return true;
}

/* Several numbers: all that may be is done, and of the others it is said why not. */
static bool decide_many(Args *args, int count, const char *reason, GError **error) {
    g_autofree int64_t *ids = g_new(int64_t, count);
    const VigiePkiDecision decision = {ids, (size_t)count, args->account, reason};
    for (int i = 0; i < count; i++)
        if (!number_of(args->rest[i], &ids[i], error))
            return false;
    if (args->out)
        return refuse(error, "--out is for one request");
    g_autoptr(json_t) results = pki_request_decide(args->store, args->profiles, &decision, args->now, error);
    size_t index;
    json_t *result;
    json_array_foreach(results, index, result) {
        if (!tell_result(args, result, reason != NULL, error))
            return false;
    }
    if (results && args->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "requests", results);
        print_json(object);
    }
    return results != NULL;
}

static bool run_validate(Args *args, GError **error) {
    int64_t id = 0;
    if (args->rest[1])
        return decide_many(args, (int)g_strv_length(args->rest), NULL, error);
    return number_of(args->rest[0], &id, error) &&
           pki_request_validate(args->store, args->profiles, id, args->account, args->now, error) &&
           tell(args, id, error);
}

static bool run_refuse(Args *args, GError **error) {
    int64_t id = 0;
    if (!args->reason)
        return refuse(error, "--reason is wanted: it is told to who asked");
    if (args->rest[1])
        return decide_many(args, (int)g_strv_length(args->rest), args->reason, error);
    if (!number_of(args->rest[0], &id, error) ||
        !pki_request_refuse(args->store, args->profiles, id, args->account, args->reason, args->now, error) ||
        !tell(args, id, error))
        return false;
    args->wrong = false;
    return true;
}

/* ---- Looking ------------------------------------------------------------------------------------------------ */
static bool parse_state(const Args *args, int *ret_state, GError **error) {
    static const char *const states[] = {"requested", "validated", "issued", "refused"};
    *ret_state = -1;
    for (int i = 0; args->state && i < (int)G_N_ELEMENTS(states); i++)
        if (strcmp(states[i], args->state) == 0)
            *ret_state = i;
    return !args->state || *ret_state >= 0 ||
           refuse(error, "--state requested, validated, issued or refused is wanted");
}

static void print_request(const Args *args, const json_t *one) {
    g_autofree char *state = g_strconcat("request.state.", text_of(one, "state"), NULL);
    g_autofree char *kind = g_strconcat("request.kind.", text_of(one, "kind"), NULL);
    const json_t *names = json_object_get(one, "names");
    const char *about = json_array_size(names) ? json_string_value(json_array_get(names, 0))
                        : json_is_string(json_object_get(one, "replaces")) ? text_of(one, "replaces")
                                                                           : "–";
    printf("%6" JSON_INTEGER_FORMAT "  %.16s  %-12s %-14s %-24s %-20s %s\n",
           json_integer_value(json_object_get(one, "id")), text_of(one, "requested"),
           vigie_word(args->lang, state), vigie_word(args->lang, kind), text_of(one, "profile"),
           text_of(one, "requester"), about);
}

static bool run_list(Args *args, GError **error) {
    VigiePkiFilter filter = {.state = -1, .device = args->device, .limit = PAGE};
    if (!parse_state(args, &filter.state, error))
        return false;
    g_autoptr(json_t) list = pki_request_list(args->store, args->profiles, &filter, error);
    size_t index;
    json_t *one;
    if (!list)
        return false;
    if (args->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "requests", list);
        print_json(object);
        return true;
    }
    json_array_foreach(list, index, one) {
        print_request(args, one);
    }
    if (json_array_size(list) == 0)
        printf("%s\n", vigie_word(args->lang, "request.none"));
    return true;
}

static void print_member(const Args *args, const char *name, const json_t *value) {
    g_autofree char *key = g_strconcat("request.member.", name, NULL);
    const char *label = vigie_word(args->lang, key);
    g_autofree char *text =
        json_is_string(value) ? strcmp(name, "refusal") == 0 ? cli_said(json_string_value(value))
                                                             : g_strdup(json_string_value(value))
        : json_is_object(value) || json_is_array(value) ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS)
                                                        : NULL;
    if (text && *text && strcmp(text, "{}") != 0 && strcmp(text, "[]") != 0)
        printf("%s%*s %s\n", label, (int)(20 - MIN(20, g_utf8_strlen(label, -1))), "", text);
}

static bool run_show(Args *args, GError **error) {
    static const char *const members[] = {"kind",      "state",    "profile",  "authority", "names",
                                          "fields",    "key",      "replaces", "reason",    "requester",
                                          "validator", "protocol", "proof",    "requested", "validated",
                                          "ended",     "serial",   "refusal",  "evidence",  "validators"};
    int64_t id = 0;
    if (!number_of(args->rest[0], &id, error))
        return false;
    g_autoptr(json_t) request = pki_request_get(args->store, args->profiles, id, error);
    if (!request)
        return false;
    if (args->json)
        print_json(request);
    for (size_t i = 0; !args->json && i < G_N_ELEMENTS(members); i++)
        print_member(args, members[i], json_object_get(request, members[i]));
    return true;
}

/* ---- Enrolments --------------------------------------------------------------------------------------------- */
static bool run_enrol(Args *args, GError **error) {
    g_autoptr(json_t) fields = read_fields(args, error);
    if (!fields)
        return false;
    if (!args->profile)
        return refuse(error, "--profile is wanted: vigie ca profiles lists them");
    VigieEnrolment enrolment = {.label = args->label ? args->label : "",
                                .authority = args->authority,
                                .profile = args->profile,
                                .fields = fields,
                                .names = (const char *const *)args->names,
                                .challenge = args->challenge,
                                .open = args->open,
                                .uses = args->uses,
                                .ends = args->now + (VigieTime)(args->days > 0 ? args->days : 30) * DAY,
                                .device = args->device,
                                .organisation = args->organisation,
                                .account = args->account};
    g_autoptr(VigieSeal) seal = pki_enrolment_seal(args->store, args->settings, args->now, error);
    g_autoptr(json_t) made =
        seal ? pki_enrolment_add(args->store, args->profiles, seal, &enrolment, args->now, error) : NULL;
    if (!made)
        return false;
    g_autofree char *line = vigie_words(args->lang, "request.enrolment.made", "name", text_of(made, "name"),
                                        "secret", text_of(made, "secret"), NULL);
    if (args->json)
        print_json(made);
    else
        printf("%s\n", line);
    return true;
}

static bool run_enrolments(Args *args, GError **error) {
    g_autoptr(json_t) list = pki_enrolment_list(args->store, args->now, error);
    size_t index;
    json_t *one;
    if (!list)
        return false;
    if (args->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "enrolments", list);
        print_json(object);
        return true;
    }
    json_array_foreach(list, index, one) {
        bool usable = json_is_true(json_object_get(one, "usable"));
        printf("%6" JSON_INTEGER_FORMAT "  %s  %-16s %-16s %5" JSON_INTEGER_FORMAT "  %.10s  %-10s %s\n",
               json_integer_value(json_object_get(one, "id")), text_of(one, "name"), text_of(one, "profile"),
               text_of(one, "account"), json_integer_value(json_object_get(one, "used")),
               text_of(one, "ends"),
               vigie_word(args->lang, usable ? "request.enrolment.usable" : "request.enrolment.ended"),
               text_of(one, "label"));
    }
    if (json_array_size(list) == 0)
        printf("%s\n", vigie_word(args->lang, "request.enrolment.none"));
    return true;
}

static bool run_end(Args *args, GError **error) {
    int64_t id = 0;
    return number_of(args->rest[0], &id, error) &&
           pki_enrolment_end(args->store, args->profiles, id, args->account, args->now, error);
}

/* ---- The table ---------------------------------------------------------------------------------------------- */
static const struct {
    const char *name;
    bool (*run)(Args *args, GError **error);
} commands[] = {
    {"add", run_add},           {"renew", run_renew},
    {"revoke", run_revoke},     {"evidence", run_evidence},
    {"list", run_list},         {"show", run_show},
    {"validate", run_validate}, {"refuse", run_refuse},
    {"enrol", run_enrol},       {"enrolments", run_enrolments},
    {"end", run_end},
};

static bool run(Args *args, char **argv, GError **error) {
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i].name, argv[1]) != 0)
            continue;
        g_autoptr(VigieConfig) config = vigie_config_load(args->config, error);
        g_autoptr(VigieProfiles) profiles = config ? pki_profiles_load(error) : NULL;
        g_autoptr(VigieStore) store =
            profiles ? store_open(vigie_config_text(config, "store.url"), error) : NULL;
        args->settings = config;
        args->store = store;
        args->profiles = profiles;
        args->rest = argv + 2;
        return store && store_migrate(store, error) && commands[i].run(args, error);
    }
    return false;
}

int cli_request(int argc, char **argv) {
    Args args = {.now = vigie_time_now()};
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &args.config, NULL, "FILE"},
        {"account", 'u', 0, G_OPTION_ARG_STRING, &args.account, NULL, "NAME"},
        {"profile", 'p', 0, G_OPTION_ARG_STRING, &args.profile, NULL, "PROFILE"},
        {"authority", 'a', 0, G_OPTION_ARG_STRING, &args.authority, NULL, "NAME"},
        {"csr", 0, 0, G_OPTION_ARG_FILENAME, &args.csr, NULL, "FILE"},
        {"name", 'n', 0, G_OPTION_ARG_STRING_ARRAY, &args.names, NULL, "KIND:NAME"},
        {"field", 'f', 0, G_OPTION_ARG_STRING_ARRAY, &args.fields, NULL, "NAME=VALUE"},
        {"organisation", 'o', 0, G_OPTION_ARG_INT64, &args.organisation, NULL, "ID"},
        {"device", 'd', 0, G_OPTION_ARG_INT64, &args.device, NULL, "ID"},
        {"mail", 'm', 0, G_OPTION_ARG_STRING, &args.mail, NULL, "ADDRESS"},
        {"days", 0, 0, G_OPTION_ARG_INT, &args.days, NULL, "N"},
        {"reason", 'r', 0, G_OPTION_ARG_STRING, &args.reason, NULL, "REASON"},
        {"type", 0, 0, G_OPTION_ARG_STRING, &args.type, NULL, "TYPE"},
        {"wait", 'w', 0, G_OPTION_ARG_INT, &args.wait, NULL, "SECONDS"},
        {"out", 0, 0, G_OPTION_ARG_FILENAME, &args.out, NULL, "FILE"},
        {"state", 's', 0, G_OPTION_ARG_STRING, &args.state, NULL, "STATE"},
        {"uses", 0, 0, G_OPTION_ARG_INT, &args.uses, NULL, "N"},
        {"challenge", 0, 0, G_OPTION_ARG_NONE, &args.challenge, NULL, NULL},
        {"open", 0, 0, G_OPTION_ARG_NONE, &args.open, NULL, NULL},
        {"label", 'l', 0, G_OPTION_ARG_STRING, &args.label, NULL, "TEXT"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &args.json, NULL, NULL},
        {0},
    };
    int status = CLI_FAILED;
    if (cli_parse(&argc, &argv, entries, forms, examples, &args.lang, &status)) {
        g_autoptr(GError) error = NULL;
        if (!args.account)
            args.account = g_strdup(g_get_user_name());
        status = !run(&args, argv, &error) ? cli_fail("request", error) : args.wrong ? CLI_WRONG : CLI_WELL;
    }
    char *const texts[] = {args.config, args.account, args.profile, args.authority, args.csr, args.reason,
                           args.mail,   args.out,     args.state,   args.label,     args.type};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    g_strfreev(args.names);
    g_strfreev(args.fields);
    return status;
}
