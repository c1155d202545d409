/* vigie COMMAND …: finds the command and runs it. */
#include "cli/cli.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct {
    const char *name;
    int (*run)(int argc, char **argv);
} Command;

/* One row a command, in the order of the help. */
/* clang-format off */
static const Command commands[] = {
    {"diagnose", cli_diagnose},
    {"survey", cli_survey},
    {"fleet", cli_fleet},
    {"identify", cli_identify},
    {"convert", cli_convert},
    {"csr", cli_csr},
    {"verify", cli_verify},
    {"lint", cli_lint},
    {"ca", cli_ca},
    {"request", cli_request},
    {"audit-log", cli_audit_log},
    {"case", cli_case},
    {"serve", cli_serve},
    {"user", cli_user},
    {"reseal", cli_reseal},
    {"doctor", cli_doctor},
    {0},
};
/* clang-format on */

static int print_help(FILE *out, VigieLang lang) {
    fprintf(out, "%s\n\n", vigie_word(lang, "cli.usage"));
    for (const Command *command = commands; command->name; command++) {
        g_autofree char *summary = g_strconcat("help.", command->name, NULL);
        fprintf(out, "  %-10s %s\n", command->name, vigie_word(lang, summary));
    }
    fprintf(out, "\n%s\n", vigie_word(lang, "cli.more"));
    return out == stdout ? CLI_WELL : CLI_FAILED;
}

bool cli_colour(void) {
    return isatty(STDOUT_FILENO) && g_getenv("NO_COLOR") == NULL;
}

static VigieLang reader; /* of what is refused: known before the options are parsed */

char *cli_said(const char *message) {
    return vigie_said(reader, message ? message : "");
}

char *cli_words(const GError *error) {
    return cli_said(error->message);
}

const char *cli_colon(void) {
    return reader == VIGIE_FR ? "\u00a0: " : ": ";
}

int cli_fail(const char *command, const GError *error) {
    g_autofree char *said = cli_words(error);
    fprintf(stderr, "vigie %s%s%s\n", command, cli_colon(), said);
    return CLI_FAILED;
}

VigieLang cli_reader(void) {
    return reader;
}

static VigieLang read_language(int argc, char **argv) {
    VigieLang lang = vigie_lang_default();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--lang") == 0 && i + 1 < argc)
            vigie_lang_parse(argv[i + 1], &lang);
        else if (g_str_has_prefix(argv[i], "--lang="))
            vigie_lang_parse(argv[i] + strlen("--lang="), &lang);
    }
    return lang;
}

/* Passphrases and private keys pass through: what crashes leaves none of them on the disk. */
static void leave_no_core(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

static int run(int argc, char **argv) {
    VigieLang lang = reader;
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
    fprintf(stderr, "vigie%s%s\n\n", cli_colon(), unknown);
    return print_help(stderr, lang);
}

/* A status says that all of the answer is there: what a full disk did not take is no answer. */
static int finish(const char *command, int status) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    g_autoptr(GError) error = g_error_new_literal(VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, CLI_OUTPUT_FULL);
    return cli_fail(command, error);
}

int main(int argc, char **argv) {
    leave_no_core();
    setlocale(LC_CTYPE, "C.UTF-8");
    g_autoptr(GError) error = NULL;
    if (!vigie_words_load(&error))
        return cli_fail("start", error);
    reader = read_language(argc, argv);
    return finish(argc > 1 ? argv[1] : "", run(argc, argv));
}
