/* vigie ca: the certification authorities. */
#include "cli/ca.h"

#include <stdio.h>
#include <string.h>

static const char *const forms[] = {
    "init HIERARCHY [--json]",
    "list [--json]",
    "show NAME [--json | --pem]",
    "profiles [--json]",
    "issue --profile PROFILE --csr FILE … [--authority NAME] [--name dns:NAME …] [--accept-names] [--field "
    "NAME=VALUE …] [--requester PERSON] [--validator PERSON] [--days N] [--out FILE] [--json]",
    "renew DEVICE --out FILE [--to FORMAT] [--out-password-file FILE] [--csr FILE] [--profile PROFILE] "
    "[--authority NAME] | DEVICE --check",
    "certificates [--authority NAME] [--json]",
    "certificate SERIAL [--out FILE] [--json]",
    "revoke SERIAL --reason REASON",
    "crl NAME … [--full] [--json]",
    "publish FOLDER [--json]",
    "directory [--json]",
    "responder NAME",
    "answers NAME … [--json]",
    "answer NAME REQUEST --out FILE",
    "compromise NAME [--json]",
    "reissue NAME --out FOLDER [--rate N] [--json]",
    "destroy NAME",
    "adopt FILE … [--json]",
    NULL};
static const char *const examples[] = {
    "vigie ca init /etc/vigie/ca/hospital.conf",
    "vigie ca issue --profile device --csr automate.csr \\",
    "  --name dns:automate.chu.example --out automate.pem \\",
    "  --field organisation='CHU de Kermarec'",
    "vigie ca renew A-1 --out automate.p12 --to pkcs12 --out-password-file seal",
    "vigie ca renew A-1 --check",
    "vigie ca revoke 4a7f… --reason keyCompromise",
    "vigie ca adopt published/*.cer published/*.crl",
    NULL};

/* ---- Shared ------------------------------------------------------------------------------------------------- */
bool ca_refuse(GError **error, const char *what) {
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, what);
    return false;
}

void ca_print_json(const json_t *value) {
    g_autofree char *text = vigie_json_text(value);
    printf("%s\n", text);
}

/* ---- Authorities -------------------------------------------------------------------------------------------- */
static bool init(Ca *ca, GError **error) {
    VigieCeremony ceremony = {.file = ca->rest[0],
                              .passphrase = ca_passphrase,
                              .share = ca_share_give,
                              .data = ca,
                              .present = ca->present,
                              .who = ca->who,
                              .now = ca->now};
    g_autoptr(json_t) report = pki_ceremony(ca->store, &ceremony, error);
    if (!report)
        return false;
    if (ca->json) {
        ca_print_json(report);
        return true;
    }
    size_t index;
    json_t *name;
    json_array_foreach(json_object_get(report, "made"), index, name) {
        g_autoptr(json_t) list = pki_authority_list(ca->store, json_string_value(name), NULL);
        const json_t *one = json_array_get(list, 0);
        if (!one) /* not ours: its certificate is among the links */
            continue;
        g_autofree char *line = vigie_words(ca->lang, "ca.made", "name", json_string_value(name), "subject",
                                            json_string_value(json_object_get(one, "subject")), "sha256",
                                            json_string_value(json_object_get(one, "sha256")), "file",
                                            json_string_value(json_object_get(one, "key_file")), NULL);
        printf("%s\n", line);
    }
    json_array_foreach(json_object_get(report, "links"), index, name) {
        g_autofree char *line = vigie_words(ca->lang, "ca.made.link", "name", json_string_value(name), NULL);
        printf("%s\n", line);
    }
    json_array_foreach(json_object_get(report, "kept"), index, name) {
        g_autofree char *line = vigie_words(ca->lang, "ca.kept", "name", json_string_value(name), NULL);
        printf("%s\n", line);
    }
    return true;
}

static bool show(Ca *ca, GError **error) {
    g_autofree char *pem = pki_authority_pem(ca->store, ca->rest[0], error);
    g_autoptr(json_t) found = pem ? pki_authority_list(ca->store, ca->rest[0], error) : NULL;
    const json_t *one = found ? json_array_get(found, 0) : NULL;
    if (!one)
        return false;
    if (ca->json) {
        ca_print_json(one);
    } else if (ca->pem) {
        fputs(pem, stdout);
    } else {
        static const char *const members[] = {"title",      "subject",   "issuer", "key",
                                              "not_before", "not_after", "sha256", "key_file"};
        for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
            g_autofree char *word = g_strconcat("ca.show.", members[i], NULL);
            const char *text = json_string_value(json_object_get(one, members[i]));
            const char *label = vigie_word(ca->lang, word);
            printf("%s%*s %s\n", label, (int)(16 - MIN(16, g_utf8_strlen(label, -1))), "", text ? text : "–");
        }
    }
    return true;
}

/* ---- The table ---------------------------------------------------------------------------------------------- */
static const struct {
    const char *name;
    bool (*run)(Ca *ca, GError **error);
} commands[] = {
    {"init", init},
    {"list", ca_list},
    {"show", show},
    {"profiles", ca_profiles},
    {"issue", ca_issue},
    {"renew", ca_renew},
    {"certificates", ca_certificates},
    {"certificate", ca_certificate},
    {"revoke", ca_revoke},
    {"crl", ca_crl},
    {"publish", ca_publish},
    {"directory", ca_directory},
    {"responder", ca_responder},
    {"answers", ca_answers},
    {"answer", ca_answer},
    {"compromise", ca_compromise},
    {"reissue", ca_reissue},
    {"destroy", ca_destroy},
    {"adopt", ca_adopt},
};

static bool run(Ca *ca, char **argv, GError **error) {
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i].name, argv[1]) != 0)
            continue;
        if (commands[i].run == ca_profiles) /* knowledge, of no store */
            return ca_profiles(ca, error);
        g_autoptr(VigieConfig) config = vigie_config_load(ca->config, error);
        g_autoptr(VigieStore) store =
            config ? store_open(vigie_config_text(config, "store.url"), error) : NULL;
        ca->store = store;
        ca->settings = config;
        ca->rest = argv + 2;
        return store && store_migrate(store, error) && commands[i].run(ca, error);
    }
    return false;
}

int cli_ca(int argc, char **argv) {
    Ca ca = {.now = vigie_time_now(),
             .who = g_strdup(g_get_user_name()),
             .rate = 20,
             .present = g_ptr_array_new_with_free_func(g_free)};
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &ca.config, NULL, "FILE"},
        {"passphrase-file", 0, 0, G_OPTION_ARG_STRING_ARRAY, &ca.passphrase_files, NULL, "[NAME=]FILE|fd:N"},
        {"authority", 'a', 0, G_OPTION_ARG_STRING, &ca.authority, NULL, "NAME"},
        {"profile", 'p', 0, G_OPTION_ARG_STRING, &ca.profile, NULL, "PROFILE"},
        {"csr", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &ca.csrs, NULL, "FILE"},
        {"name", 'n', 0, G_OPTION_ARG_STRING_ARRAY, &ca.names, NULL, "NAME"},
        {"accept-names", 0, 0, G_OPTION_ARG_NONE, &ca.accept_names, NULL, NULL},
        {"field", 'f', 0, G_OPTION_ARG_STRING_ARRAY, &ca.fields, NULL, "NAME=VALUE"},
        {"requester", 0, 0, G_OPTION_ARG_STRING, &ca.requester, NULL, "PERSON"},
        {"validator", 0, 0, G_OPTION_ARG_STRING, &ca.validator, NULL, "PERSON"},
        {"days", 0, 0, G_OPTION_ARG_INT, &ca.days, NULL, "N"},
        {"reason", 0, 0, G_OPTION_ARG_STRING, &ca.reason, NULL, "REASON"},
        {"to", 't', 0, G_OPTION_ARG_STRING, &ca.to, NULL, "FORMAT"},
        {"out-password-file", 0, 0, G_OPTION_ARG_FILENAME, &ca.out_password_file, NULL, "FILE|fd:N"},
        {"check", 0, 0, G_OPTION_ARG_NONE, &ca.check, NULL, NULL},
        {"full", 0, 0, G_OPTION_ARG_NONE, &ca.full, NULL, NULL},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &ca.out, NULL, "FILE"},
        {"pem", 0, 0, G_OPTION_ARG_NONE, &ca.pem, NULL, NULL},
        {"rate", 0, 0, G_OPTION_ARG_INT, &ca.rate, NULL, "N"},
        {"present", 0, 0, G_OPTION_ARG_STRING_ARRAY, &ca.witnesses, NULL, "NAME"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &ca.json, NULL, NULL},
        {0},
    };
    int status = CLI_FAILED;
    if (cli_parse(&argc, &argv, entries, forms, examples, &ca.lang, &status)) {
        g_autoptr(GError) error = NULL;
        for (char **name = ca.witnesses; name && *name; name++)
            g_ptr_array_add(ca.present, g_strdup(*name));
        status = !run(&ca, argv, &error) ? cli_fail("ca", error) : ca.wrong ? CLI_WRONG : CLI_WELL;
    }
    char *const texts[] = {ca.config, ca.who,       ca.authority, ca.profile, ca.reason,
                           ca.out,    ca.requester, ca.validator, ca.to,      ca.out_password_file};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    char **const lists[] = {ca.passphrase_files, ca.csrs, ca.names, ca.fields, ca.witnesses};
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        g_strfreev(lists[i]);
    g_ptr_array_unref(ca.present);
    cli_secret_free(ca.passphrase);
    return status;
}
