/* vigie case: the desk's work at a case. */
#include "cli/case.h"

#include <stdio.h>
#include <string.h>

static const char example[] = "Examples:\n"
                              "  vigie case contacts VIG-2026-000123-K --ask\n"
                              "  vigie case verify-finding VIG-2026-000123-K 4711\n"
                              "  vigie case notify VIG-2026-000123-K --observed 'SSLv3 is accepted.'\n"
                              "  vigie case confirm 12\n"
                              "  vigie case report --year 2026 --out report.pdf\n\n"
                              "Whoever can read the configuration and write to the store works as the head "
                              "of the CSIRT, under the name\n"
                              "of their account or that of --as; every step stands in the case's timeline.\n";

bool case_refuse(GError **error, const char *what) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s", what);
    return false;
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

static const CaseCommand *find(const char *name, int count) {
    static const CaseCommand *const tables[] = {case_notify_commands, case_report_commands};
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        for (const CaseCommand *command = tables[i]; command->name; command++)
            if (strcmp(command->name, name) == 0 && count >= command->least && count <= command->most)
                return command;
    return NULL;
}

static bool run(CaseCall *call, int argc, char **argv, GError **error) {
    const CaseCommand *command = argc > 1 ? find(argv[1], argc - 2) : NULL;
    if (!command)
        return case_refuse(error, "a command is wanted, and what it works on: see vigie case --help");
    g_autoptr(VigieConfig) config = vigie_config_load(call->config, error);
    if (!config || !csirt_rules_load(error))
        return false;
    GError *failure = NULL;
    g_autoptr(VigieTeam) team = csirt_team_load(config, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    if (!team)
        return case_refuse(error,
                           "[csirt] team is empty: no CSIRT works here, as in: team = /etc/vigie/team.json");
    g_autoptr(VigieStore) store = store_open(vigie_config_text(config, "store.url"), error);
    call->settings = config;
    call->team = team;
    call->store = store;
    call->rest = argv + 2;
    call->who =
        (VigieAnalyst){.name = call->account ? call->account : g_get_user_name(), .may = true, .head = true};
    return store && store_migrate(store, error) && command->run(call, error);
}

int cli_case(int argc, char **argv) {
    CaseCall call = {.now = vigie_time_now()};
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &call.config, "default: /etc/vigie/vigie.conf", "FILE"},
        {"as", 0, 0, G_OPTION_ARG_STRING, &call.account, "under whose name", "ACCOUNT"},
        {"ask", 0, 0, G_OPTION_ARG_NONE, &call.ask, "contacts: have the worker search for them", NULL},
        {"domain", 0, 0, G_OPTION_ARG_STRING, &call.domain,
         "contacts: where to search; default: what the case is linked to", "DOMAIN"},
        {"name", 0, 0, G_OPTION_ARG_STRING, &call.name, "contact: who it is", "NAME"},
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
         "confirm: in spite of what stands in the way; withdraw", "TEXT"},
        {"note", 0, 0, G_OPTION_ARG_STRING, &call.note, "outcome: what was said", "TEXT"},
        {"every", 0, 0, G_OPTION_ARG_INT, &call.every, "follow: days between two surveys", "N"},
        {"year", 0, 0, G_OPTION_ARG_INT, &call.year, "report: which; default: this one", "YEAR"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &call.out, "report, review: a file that does not exist yet",
         "FILE"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &call.json, "one JSON object", NULL},
        {0},
    };
    int status = CLI_FAILED;
    if (cli_parse(&argc, &argv, entries, "COMMAND …", example, &call.lang, &status)) {
        g_autoptr(GError) error = NULL;
        status = run(&call, argc, argv, &error) ? CLI_WELL : cli_fail("case", error);
    }
    char *const texts[] = {call.config,   call.account,     call.domain, call.observed, call.advice,
                           call.expected, call.language,    call.reason, call.note,     call.target,
                           call.name,     call.fingerprint, call.out};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    return status;
}
