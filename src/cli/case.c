/* vigie case: the desk's work at a case. Who can open the store could read it without us; what is done here is signed with an
 * account's name, and that account's role decides, as at the desk. */
#include "cli/case.h"
#include "portal/portal.h"

#include <stdio.h>
#include <string.h>

static const CaseCommand *const tables[] = {case_read_commands, case_work_commands, case_notify_commands,
                                            case_report_commands};

static GPtrArray *forms_new(void) {
    GPtrArray *forms = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        for (const CaseCommand *command = tables[i]; command->name; command++)
            g_ptr_array_add(forms, g_strjoin(" ", command->name, command->usage, NULL));
    g_ptr_array_add(forms, NULL);
    return forms;
}

static const char *const examples[] = {"vigie case list --overdue",
                                       "vigie case change VIG-2026-000123-K likelihood=certain \\",
                                       "  facts.patients=proven",
                                       "vigie case contacts VIG-2026-000123-K --ask",
                                       "vigie case verify-finding VIG-2026-000123-K 4711",
                                       "vigie case notify VIG-2026-000123-K --observed 'SSLv3 is accepted.'",
                                       "vigie case confirm 12",
                                       "vigie case report --year 2026 --out report.pdf",
                                       NULL};

bool case_refuse(GError **error, const char *what) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s", what);
    return false;
}

bool case_denied(GError **error) {
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "the CSIRT's cases are for its analysts");
    return false;
}

json_t *case_list_of(const char *text) {
    if (!text)
        return NULL;
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    json_t *list = json_array();
    for (char **part = parts; *part; part++)
        if (*g_strstrip(*part))
            json_array_append_new(list, json_string(*part));
    return list;
}

bool case_of(const CaseCall *call, int64_t *ret_id, GError **error) {
    return csirt_case_find(call->store, call->team, &call->who, call->rest[0], ret_id, error);
}

bool case_number(const char *text, int64_t *ret_number, GError **error) {
    char *end = NULL;
    *ret_number = g_ascii_strtoll(text, &end, 10);
    if (end != text && !*end && *ret_number > 0)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: a number is wanted, as in 12", text);
    return false;
}

bool case_show(const CaseCall *call, json_t *value,
               void (*print)(const CaseCall *call, const json_t *value)) {
    g_autoptr(json_t) owned = value;
    if (!owned)
        return false;
    if (!call->json) {
        print(call, owned);
        return true;
    }
    g_autoptr(json_t) object =
        json_is_object(owned) ? json_incref(owned) : json_pack("{s:O}", "items", owned);
    g_autofree char *text = json_dumps(object, JSON_INDENT(2));
    printf("%s\n", text);
    return true;
}

const char *case_text(const json_t *value, const char *member) {
    const char *text = json_string_value(json_object_get(value, member));
    return text ? text : "–";
}

/* ---- Who acts ----------------------------------------------------------------------------------------------- */
static const json_t *find_account(const json_t *users, const char *name) {
    g_autofree char *wanted = vigie_text_fold(name);
    for (size_t i = 0; i < json_array_size(users); i++) {
        const json_t *user = json_array_get(users, i);
        g_autofree char *folded = vigie_text_fold(json_string_value(json_object_get(user, "name")));
        if (strcmp(folded, wanted) == 0)
            return user;
    }
    return NULL;
}

static bool find_analyst(CaseCall *call, GError **error) {
    g_autoptr(json_t) users = portal_user_list(call->store, error);
    if (!users)
        return false;
    const char *name = call->account ? call->account : g_get_user_name();
    const json_t *user = find_account(users, name);
    if (!user || json_is_true(json_object_get(user, "disabled"))) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                    "%s is no account that may work here: name one by --as (vigie user list shows them)",
                    name);
        return false;
    }
    const char *role = json_string_value(json_object_get(user, "role"));
    bool confined = !json_is_null(json_object_get(user, "organisation"));
    g_free(call->account);
    call->account = g_strdup(json_string_value(json_object_get(user, "name")));
    call->who =
        (VigieAnalyst){.name = call->account,
                       .may = !confined && (strcmp(role, "analyst") == 0 || strcmp(role, "head") == 0),
                       .head = !confined && strcmp(role, "head") == 0};
    return true;
}

/* ---- Running ------------------------------------------------------------------------------------------------ */
static const CaseCommand *find(const char *name) {
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        for (const CaseCommand *command = tables[i]; command->name; command++)
            if (strcmp(command->name, name) == 0)
                return command;
    return NULL;
}

static bool open_desk(CaseCall *call, GError **error) {
    GError *failure = NULL;
    call->settings = vigie_config_load(call->config, error);
    if (!call->settings || !csirt_rules_load(error))
        return false;
    call->team = csirt_team_load(call->settings, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    if (!call->team)
        return case_refuse(error,
                           "[csirt] team is empty: no CSIRT works here, as in: team = /etc/vigie/team.json");
    call->store = store_open(vigie_config_text(call->settings, "store.url"), error);
    return call->store && store_migrate(call->store, error) && find_analyst(call, error);
}

static bool run(CaseCall *call, char **argv, GError **error) {
    const CaseCommand *command = find(argv[1]);
    call->rest = argv + 2;
    return command && open_desk(call, error) && command->run(call, error);
}

static void clear(CaseCall *call) {
    char *const texts[] = {
        call->domain,  call->observed, call->advice,      call->expected, call->language,
        call->note,    call->target,   call->fingerprint, call->state,    call->kind,
        call->tlp,     call->pap,      call->assignee,    call->title,    call->organisation,
        call->text,    call->source,   call->channel,     call->mail,     call->phone,
        call->role,    call->due,      call->owner,       call->evidence, call->audiences,
        call->members, call->ends,     call->sees,        call->config,   call->account,
        call->reason,  call->name,     call->out};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    g_strfreev(call->facts);
    csirt_team_free(call->team);
    store_close(call->store);
    vigie_config_free(call->settings);
}

int cli_case(int argc, char **argv) {
    CaseCall call = {.now = vigie_time_now()};
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &call.config, NULL, "FILE"},
        {"as", 0, 0, G_OPTION_ARG_STRING, &call.account, NULL, "ACCOUNT"},
        {"state", 0, 0, G_OPTION_ARG_STRING, &call.state, NULL, "STATE"},
        {"kind", 0, 0, G_OPTION_ARG_STRING, &call.kind, NULL, "KIND"},
        {"tlp", 0, 0, G_OPTION_ARG_STRING, &call.tlp, NULL, "LABEL"},
        {"pap", 0, 0, G_OPTION_ARG_STRING, &call.pap, NULL, "LABEL"},
        {"assignee", 0, 0, G_OPTION_ARG_STRING, &call.assignee, NULL, "NAME"},
        {"band", 0, 0, G_OPTION_ARG_INT64, &call.band, NULL, "N"},
        {"overdue", 0, 0, G_OPTION_ARG_NONE, &call.overdue, NULL, NULL},
        {"organisation-id", 0, 0, G_OPTION_ARG_INT64, &call.organisation_id, NULL, "ID"},
        {"page", 0, 0, G_OPTION_ARG_INT64, &call.page, NULL, "N"},
        {"title", 0, 0, G_OPTION_ARG_STRING, &call.title, NULL, "TEXT"},
        {"organisation", 0, 0, G_OPTION_ARG_STRING, &call.organisation, NULL, "NAME"},
        {"text", 0, 0, G_OPTION_ARG_FILENAME, &call.text, NULL, "FILE"},
        {"source", 0, 0, G_OPTION_ARG_STRING, &call.source, NULL, "SOURCE"},
        {"channel", 0, 0, G_OPTION_ARG_STRING, &call.channel, NULL, "CHANNEL"},
        {"urgent", 0, 0, G_OPTION_ARG_NONE, &call.urgent, NULL, NULL},
        {"fact", 0, 0, G_OPTION_ARG_STRING_ARRAY, &call.facts, NULL, "NAME=VALUE"},
        {"mail", 0, 0, G_OPTION_ARG_STRING, &call.mail, NULL, "ADDRESS"},
        {"phone", 0, 0, G_OPTION_ARG_STRING, &call.phone, NULL, "NUMBER"},
        {"role", 0, 0, G_OPTION_ARG_STRING, &call.role, NULL, "ROLE"},
        {"sees", 0, 0, G_OPTION_ARG_STRING, &call.sees, NULL, "MEMBERS"},
        {"due", 0, 0, G_OPTION_ARG_STRING, &call.due, NULL, "TIME"},
        {"owner", 0, 0, G_OPTION_ARG_STRING, &call.owner, NULL, "NAME"},
        {"evidence", 0, 0, G_OPTION_ARG_STRING, &call.evidence, NULL, "TEXT"},
        {"audiences", 0, 0, G_OPTION_ARG_STRING, &call.audiences, NULL, "LIST"},
        {"members", 0, 0, G_OPTION_ARG_STRING, &call.members, NULL, "LIST"},
        {"ends", 0, 0, G_OPTION_ARG_STRING, &call.ends, NULL, "TIME"},
        {"withdraw", 0, 0, G_OPTION_ARG_INT64, &call.withdraw, NULL, "ID"},
        {"remove", 0, 0, G_OPTION_ARG_NONE, &call.remove, NULL, NULL},
        {"ask", 0, 0, G_OPTION_ARG_NONE, &call.ask, NULL, NULL},
        {"domain", 0, 0, G_OPTION_ARG_STRING, &call.domain, NULL, "DOMAIN"},
        {"name", 0, 0, G_OPTION_ARG_STRING, &call.name, NULL, "NAME"},
        {"fingerprint", 0, 0, G_OPTION_ARG_STRING, &call.fingerprint, NULL, "HEX"},
        {"reject", 0, 0, G_OPTION_ARG_NONE, &call.reject, NULL, NULL},
        {"target", 0, 0, G_OPTION_ARG_STRING, &call.target, NULL, "TEXT"},
        {"observed", 0, 0, G_OPTION_ARG_STRING, &call.observed, NULL, "TEXT"},
        {"advice", 0, 0, G_OPTION_ARG_STRING, &call.advice, NULL, "TEXT"},
        {"expected", 0, 0, G_OPTION_ARG_STRING, &call.expected, NULL, "WHAT"},
        {"language", 0, 0, G_OPTION_ARG_STRING, &call.language, NULL, "LANG"},
        {"days", 0, 0, G_OPTION_ARG_INT, &call.days, NULL, "N"},
        {"reason", 0, 0, G_OPTION_ARG_STRING, &call.reason, NULL, "TEXT"},
        {"note", 0, 0, G_OPTION_ARG_STRING, &call.note, NULL, "TEXT"},
        {"every", 0, 0, G_OPTION_ARG_INT, &call.every, NULL, "N"},
        {"anchor", 0, 0, G_OPTION_ARG_FILENAME, &call.anchor, NULL, "FILE"},
        {"year", 0, 0, G_OPTION_ARG_INT, &call.year, NULL, "YEAR"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &call.out, NULL, "FILE"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &call.json, NULL, NULL},
        {0},
    };
    g_autoptr(GPtrArray) forms = forms_new();
    g_autoptr(GError) error = NULL;
    int status = CLI_FAILED;
    if (cli_parse(&argc, &argv, entries, (const char *const *)forms->pdata, examples, &call.lang, &status))
        status = run(&call, argv, &error) ? call.status : cli_fail("case", error);
    clear(&call);
    return status;
}
