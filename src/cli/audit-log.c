/* vigie audit-log: the log of the authorities, read back. */
#include "cli/cli.h"
#include "pki/pki.h"

#include <stdio.h>
#include <string.h>

/* What this does not prove: what came after the last signature, and, without a checkpoint of elsewhere, who else wrote all of it. */
static void print_limits(VigieLang lang, const json_t *report) {
    int64_t entries = json_integer_value(json_object_get(report, "entries")),
            rest = entries - json_integer_value(json_object_get(report, "signed_to"));
    g_autofree char *count = g_strdup_printf("%" G_GINT64_FORMAT, rest);
    g_autofree char *unsigned_lines = vigie_words(lang, "audit-log.unsigned", "n", count, NULL);
    if (rest > 0)
        printf("%s\n", unsigned_lines);
    if (!json_is_true(json_object_get(report, "compared")))
        printf("%s\n", vigie_word(lang, "audit-log.alone"));
}

static int print(VigieLang lang, const json_t *report) {
    const json_t *faults = json_object_get(report, "faults");
    g_autofree char *entries =
        g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(report, "entries")));
    g_autofree char *certificates =
        g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(report, "certificates")));
    g_autofree char *checkpoints =
        g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(report, "checkpoints")));
    bool well = json_array_size(faults) == 0;
    g_autofree char *line = vigie_words(lang, well ? "audit-log.well" : "audit-log.wrong", "entries", entries,
                                        "certificates", certificates, "checkpoints", checkpoints, NULL);
    size_t index;
    json_t *one;
    printf("%s\n", line);
    json_array_foreach(faults, index, one) {
        g_autofree char *said = cli_said(json_string_value(json_object_get(one, "fault")));
        g_autofree char *number = vigie_json_text(json_object_get(one, "seq"));
        g_autofree char *where = vigie_words(lang, "audit-log.line", "n", number, NULL);
        printf("%s%s%s\n", where, cli_colon(), said);
    }
    if (well)
        print_limits(lang, report);
    return well ? CLI_WELL : CLI_WRONG;
}

static int verify(VigieStore *store, const char *known_path, bool json, VigieLang lang, GError **error) {
    g_autofree char *known = NULL;
    g_autoptr(GError) why = NULL;
    if (known_path && !g_file_get_contents(known_path, &known, NULL, &why)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s", why->message);
        return CLI_FAILED;
    }
    g_autoptr(json_t) report = pki_log_verify(store, known, error);
    if (!report)
        return CLI_FAILED;
    if (!json)
        return print(lang, report);
    g_autofree char *text = vigie_json_text(report);
    printf("%s\n", text);
    return json_array_size(json_object_get(report, "faults")) == 0 ? CLI_WELL : CLI_WRONG;
}

static const char *const forms[] = {"verify [--checkpoint FILE] [--json]", "checkpoint",
                                    "resume --reason TEXT", NULL};
static const char *const examples[] = {"vigie audit-log checkpoint > /media/usb/checkpoint",
                                       "vigie audit-log verify --checkpoint /media/usb/checkpoint",
                                       "vigie audit-log resume --reason 'the machine started in 2030'", NULL};

int cli_audit_log(int argc, char **argv) {
    g_autofree char *config_path = NULL, *known = NULL, *reason = NULL;
    gboolean json = FALSE;
    VigieLang lang = VIGIE_FR;
    int status = CLI_FAILED;
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &config_path, NULL, "FILE"},
        {"checkpoint", 0, 0, G_OPTION_ARG_FILENAME, &known, NULL, "FILE"},
        {"reason", 0, 0, G_OPTION_ARG_STRING, &reason, NULL, "TEXT"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, NULL, NULL},
        {0},
    };
    if (!cli_parse(&argc, &argv, entries, forms, examples, &lang, &status))
        return status;
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieConfig) config = vigie_config_load(config_path, &error);
    g_autoptr(VigieStore) store = config ? store_open(vigie_config_text(config, "store.url"), &error) : NULL;
    if (!store || !store_migrate(store, &error))
        return cli_fail("audit-log", error);
    if (argc == 2 && strcmp(argv[1], "verify") == 0) {
        status = verify(store, known, json, lang, &error);
        return error ? cli_fail("audit-log", error) : status;
    }
    if (argc == 2 && strcmp(argv[1], "checkpoint") == 0) {
        g_autofree char *text = pki_log_checkpoint(store, &error);
        if (!text)
            return cli_fail("audit-log", error);
        fputs(text, stdout);
        return CLI_WELL;
    }
    if (argc == 2 && strcmp(argv[1], "resume") == 0 && reason && *reason) {
        if (!pki_log_resume(store, g_get_user_name(), reason, vigie_time_now(), &error))
            return cli_fail("audit-log", error);
        printf("%s\n", vigie_word(lang, "audit-log.resumed"));
        return CLI_WELL;
    }
    g_set_error_literal(
        &error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
        "verify, checkpoint or resume --reason TEXT is wanted, as in: vigie audit-log verify");
    return cli_fail("audit-log", error);
}
