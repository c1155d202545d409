/* vigie case: the desk's work at a case. Who can open the store could read it without us; what is done here is signed with an
 * account's name, and that account's role decides, as at the desk. */
#include "cli/case.h"
#include "portal/portal.h"

#include <stdio.h>
#include <string.h>

static const CaseCommand *const tables[] = {case_read_commands, case_work_commands, case_notify_commands,
                                            case_report_commands};

static char *help_new(void) {
    GString *text = g_string_new("Commands:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        for (const CaseCommand *command = tables[i]; command->name; command++)
            g_string_append_printf(text, "  vigie case %s %s\n", command->name, command->usage);
    g_string_append(
        text,
        "\nREF is a reference, as in VIG-2026-000123-K; case and dashes do not matter.\n\nExamples:\n"
        "  vigie case list --overdue\n"
        "  vigie case change VIG-2026-000123-K likelihood=certain facts.patients=proven\n"
        "  vigie case contacts VIG-2026-000123-K --ask\n"
        "  vigie case verify-finding VIG-2026-000123-K 4711\n"
        "  vigie case notify VIG-2026-000123-K --observed 'SSLv3 is accepted.'\n"
        "  vigie case confirm 12\n"
        "  vigie case report --year 2026 --out report.pdf\n\n"
        "The account that --as names, or that is called as this user, acts: its role decides, and every "
        "step stands in\nthe case's timeline under its name.\n");
    return g_string_free(text, FALSE);
}

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
                    "%s is no account that may work here: name one with --as (vigie user list shows them)",
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
static const CaseCommand *find(const char *name, int count, GError **error) {
    const CaseCommand *named = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        for (const CaseCommand *command = tables[i]; command->name; command++)
            if (strcmp(command->name, name) == 0)
                named = command;
    if (named && count >= named->least && (named->most < 0 || count <= named->most))
        return named;
    if (named)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "as in: vigie case %s %s", name, named->usage);
    else
        case_refuse(error, "a command is wanted, and what it works on: see vigie case --help");
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

static bool run(CaseCall *call, int argc, char **argv, GError **error) {
    const CaseCommand *command = find(argc > 1 ? argv[1] : "", argc - 2, error);
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
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &call.config, "default: /etc/vigie/vigie.conf", "FILE"},
        {"as", 0, 0, G_OPTION_ARG_STRING, &call.account,
         "the account that acts; default: of this user's name", "ACCOUNT"},
        {"state", 0, 0, G_OPTION_ARG_STRING, &call.state, "list: a state, active or all", "STATE"},
        {"kind", 0, 0, G_OPTION_ARG_STRING, &call.kind, "of case, note or task", "KIND"},
        {"tlp", 0, 0, G_OPTION_ARG_STRING, &call.tlp, "RED, AMBER+STRICT, AMBER, GREEN, CLEAR", "LABEL"},
        {"pap", 0, 0, G_OPTION_ARG_STRING, &call.pap, "RED, AMBER, GREEN, CLEAR", "LABEL"},
        {"assignee", 0, 0, G_OPTION_ARG_STRING, &call.assignee, "an account; -: nobody", "NAME"},
        {"band", 0, 0, G_OPTION_ARG_INT64, &call.band, "list: 1 to 4", "N"},
        {"overdue", 0, 0, G_OPTION_ARG_NONE, &call.overdue, "list: whose promise is not kept", NULL},
        {"organisation-id", 0, 0, G_OPTION_ARG_INT64, &call.organisation_id, "of the fleet", "ID"},
        {"page", 0, 0, G_OPTION_ARG_INT64, &call.page, "list: from 1", "N"},
        {"title", 0, 0, G_OPTION_ARG_STRING, &call.title, "open: what it is about", "TEXT"},
        {"organisation", 0, 0, G_OPTION_ARG_STRING, &call.organisation, "open: its name", "NAME"},
        {"text", 0, 0, G_OPTION_ARG_FILENAME, &call.text, "open: what happened; -: standard input", "FILE"},
        {"source", 0, 0, G_OPTION_ARG_STRING, &call.source, "open: open, protected, anonymous", "SOURCE"},
        {"channel", 0, 0, G_OPTION_ARG_STRING, &call.channel, "open, release", "CHANNEL"},
        {"urgent", 0, 0, G_OPTION_ARG_NONE, &call.urgent, "open", NULL},
        {"fact", 0, 0, G_OPTION_ARG_STRING_ARRAY, &call.facts, "open: as in patients=proven; repeated",
         "NAME=VALUE"},
        {"mail", 0, 0, G_OPTION_ARG_STRING, &call.mail, "of the declarant or party", "ADDRESS"},
        {"phone", 0, 0, G_OPTION_ARG_STRING, &call.phone, "of the declarant or party", "NUMBER"},
        {"role", 0, 0, G_OPTION_ARG_STRING, &call.role, "of the party", "ROLE"},
        {"sees", 0, 0, G_OPTION_ARG_STRING, &call.sees, "the party's part, as in case,technical", "MEMBERS"},
        {"due", 0, 0, G_OPTION_ARG_STRING, &call.due, "of a task, as in 2026-11-30T09:00:00Z", "TIME"},
        {"owner", 0, 0, G_OPTION_ARG_STRING, &call.owner, "who consents", "NAME"},
        {"evidence", 0, 0, G_OPTION_ARG_STRING, &call.evidence, "how the consent is known", "TEXT"},
        {"audiences", 0, 0, G_OPTION_ARG_STRING, &call.audiences, "for whom, as in partner,supplier", "LIST"},
        {"members", 0, 0, G_OPTION_ARG_STRING, &call.members, "of what, as in technical,impact", "LIST"},
        {"ends", 0, 0, G_OPTION_ARG_STRING, &call.ends, "until when the consent holds", "TIME"},
        {"withdraw", 0, 0, G_OPTION_ARG_INT64, &call.withdraw, "the consent of this number", "ID"},
        {"remove", 0, 0, G_OPTION_ARG_NONE, &call.remove, "access: take it away", NULL},
        {"ask", 0, 0, G_OPTION_ARG_NONE, &call.ask, "contacts: have the worker search for them", NULL},
        {"domain", 0, 0, G_OPTION_ARG_STRING, &call.domain,
         "contacts: where to search; default: what the case is linked to", "DOMAIN"},
        {"name", 0, 0, G_OPTION_ARG_STRING, &call.name, "of a contact, declarant or party", "NAME"},
        {"fingerprint", 0, 0, G_OPTION_ARG_STRING, &call.fingerprint,
         "contact: the OpenPGP key that it is written to with", "HEX"},
        {"reject", 0, 0, G_OPTION_ARG_NONE, &call.reject, "decide: it is not to be used", NULL},
        {"target", 0, 0, G_OPTION_ARG_STRING, &call.target, "verify: what was looked at", "TEXT"},
        {"observed", 0, 0, G_OPTION_ARG_STRING, &call.observed, "notify, tell: what was seen, in your words",
         "TEXT"},
        {"advice", 0, 0, G_OPTION_ARG_STRING, &call.advice, "notify: what to do", "TEXT"},
        {"expected", 0, 0, G_OPTION_ARG_STRING, &call.expected, "notify, tell: feedback or acknowledgement",
         "WHAT"},
        {"language", 0, 0, G_OPTION_ARG_STRING, &call.language, "notify, contact: fr, en or both", "LANG"},
        {"days", 0, 0, G_OPTION_ARG_INT, &call.days, "notify: working days until an answer is expected", "N"},
        {"reason", 0, 0, G_OPTION_ARG_STRING, &call.reason,
         "why; confirm: in spite of what stands in the way", "TEXT"},
        {"note", 0, 0, G_OPTION_ARG_STRING, &call.note, "outcome: what was said; link: of it", "TEXT"},
        {"every", 0, 0, G_OPTION_ARG_INT, &call.every, "follow: days between two surveys", "N"},
        {"anchor", 0, 0, G_OPTION_ARG_FILENAME, &call.anchor, "check: an anchor that was kept elsewhere",
         "FILE"},
        {"year", 0, 0, G_OPTION_ARG_INT, &call.year, "report: which; default: this one", "YEAR"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &call.out,
         "report, review, extract, source: a file that does not exist yet", "FILE"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &call.json, "one JSON object", NULL},
        {0},
    };
    g_autofree char *help = help_new();
    g_autoptr(GError) error = NULL;
    int status = CLI_FAILED;
    if (cli_parse(&argc, &argv, entries, "COMMAND …", help, &call.lang, &status))
        status = run(&call, argc, argv, &error) ? call.status : cli_fail("case", error);
    clear(&call);
    return status;
}
