/* vigie COMMAND …: finds the command and runs it. */
#include "cli/cli.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* key of knowledge/words/cli.json */
} Command;

/* One row a command, in the order of the help. */
/* clang-format off */
static const Command commands[] = {
    {"diagnose", cli_diagnose, "cli.diagnose"},
    {"survey", cli_survey, "survey.summary-line"},
    {"fleet", cli_fleet, "fleet.cli.summary"},
    {"identify", cli_identify, "cli.identify"},
    {"convert", cli_convert, "cli.convert"},
    {"csr", cli_csr, "cli.csr"},
    {"verify", cli_verify, "cli.verify"},
    {"lint", cli_lint, "lint.summary"},
    {"ca", cli_ca, "ca.summary"},
    {"request", cli_request, "request.summary"},
    {"audit-log", cli_audit_log, "audit-log.summary"},
    {"case", cli_case, "case.summary"},
    {"serve", cli_serve, "serve.summary"},
    {"user", cli_user, "user.summary"},
    {"reseal", cli_reseal, "reseal.summary"},
    {"doctor", cli_doctor, "doctor.summary"},
    {0},
};
/* clang-format on */

static int print_help(FILE *out, VigieLang lang) {
    fprintf(out, "%s\n\n", vigie_word(lang, "cli.usage"));
    for (const Command *command = commands; command->name; command++)
        fprintf(out, "  %-10s %s\n", command->name, vigie_word(lang, command->summary));
    fprintf(out, "\n%s\n", vigie_word(lang, "cli.more"));
    return out == stdout ? CLI_WELL : CLI_FAILED;
}

bool cli_colour(void) {
    return isatty(STDOUT_FILENO) && g_getenv("NO_COLOR") == NULL;
}

static VigieLang reader; /* of what is refused: known before the options are parsed */

char *cli_words(const GError *error) {
    char *said = reader == VIGIE_EN ? NULL : vigie_refusal(reader, error->message, "refusal.member.");
    return said ? said : g_strdup(error->message);
}

int cli_fail(const char *command, const GError *error) {
    g_autofree char *said = cli_words(error);
    fprintf(stderr, reader == VIGIE_FR ? "vigie %s : %s\n" : "vigie %s: %s\n", command, said);
    return CLI_FAILED;
}

VigieLang cli_help_language(int argc, char **argv) {
    VigieLang lang = vigie_lang_default();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--lang") == 0 && i + 1 < argc)
            vigie_lang_parse(argv[i + 1], &lang);
        else if (g_str_has_prefix(argv[i], "--lang="))
            vigie_lang_parse(argv[i] + strlen("--lang="), &lang);
    }
    return lang;
}

bool cli_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *usage, const char *example,
               VigieLang *ret_lang, int *ret_status) {
    g_autofree char *lang_text = NULL;
    const GOptionEntry common[] = {
        {"lang", 0, 0, G_OPTION_ARG_STRING, &lang_text, "fr | en", "LANG"},
        {0},
    };
    g_autofree char *name = g_strconcat("vigie ", (*argv)[0], NULL); /* "Usage: vigie identify …" */
    g_set_prgname(name);
    g_autoptr(GOptionContext) context = g_option_context_new(usage);
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_main_entries(context, common, NULL);
    g_option_context_set_description(context, example);
    g_autoptr(GError) error = NULL;
    *ret_status = CLI_FAILED;
    if (!g_option_context_parse(context, argc, argv, &error)) {
        cli_fail((*argv)[0], error);
        return false;
    }
    *ret_lang = vigie_lang_default();
    if (lang_text && !vigie_lang_parse(lang_text, ret_lang)) {
        fprintf(stderr, "vigie %s: --lang %s: fr or en is wanted, as in --lang fr\n", (*argv)[0], lang_text);
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    setlocale(LC_CTYPE, "C.UTF-8");
    g_autoptr(GError) error = NULL;
    if (!vigie_words_load(&error))
        return cli_fail("start", error);
    VigieLang lang = reader = cli_help_language(argc, argv);
    if (argc < 2)
        return print_help(stderr, lang);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return print_help(stdout, lang);
    if (strcmp(argv[1], "--version") == 0) {
        printf("vigie %s\n", VIGIE_VERSION);
        return CLI_WELL;
    }
    for (const Command *command = commands; command->name; command++)
        if (strcmp(command->name, argv[1]) == 0)
            return command->run(argc - 1, argv + 1);
    g_autofree char *unknown = vigie_words(lang, "cli.unknown", "name", argv[1], NULL);
    fprintf(stderr, "vigie: %s\n\n", unknown);
    return print_help(stderr, lang);
}
