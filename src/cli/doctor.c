/* vigie doctor: what Vigie needs, whether it is there, and the remedy. */
#include "cli/cli.h"
#include "daemon/daemon.h"

#include <stdio.h>
#include <string.h>

static const char *const forms[] = {"[OPTIONS]", NULL};
static const char *const examples[] = {"vigie doctor --config /etc/vigie/vigie.conf",
                                       "vigie doctor --send-test biomed@chu.example",
                                       "vigie doctor --example > /etc/vigie/vigie.conf", NULL};

/* Told by word, shape and, on a terminal, colour. */
static const struct {
    const char *state, *sign, *colour;
} looks[] = {{"well", "●", "\033[32m"},
             {"unknown", "○", "\033[37m"},
             {"soon", "▲", "\033[33m"},
             {"broken", "■", "\033[31m"}};

static void print_check(const json_t *check, VigieLang lang) {
    const char *state = json_string_value(json_object_get(check, "state"));
    const char *remedy = json_string_value(json_object_get(check, "remedy"));
    g_autofree char *key = g_strconcat("doctor.state.", state, NULL);
    const char *word = vigie_word(lang, key);
    size_t look = 0;
    while (strcmp(looks[look].state, state) != 0)
        look++;
    int padding = 9 - (int)g_utf8_strlen(word, -1);
    printf("%s%s %s%s%*s  %s\n", cli_colour() ? looks[look].colour : "", looks[look].sign, word,
           cli_colour() ? "\033[0m" : "", MAX(padding, 0), "",
           json_string_value(json_object_get(check, "what")));
    if (remedy)
        printf("%13s%s %s\n", "", vigie_word(lang, "doctor.remedy"), remedy);
}

static void print_report(const json_t *report, VigieLang lang) {
    size_t i = 0;
    json_t *check = NULL;
    g_autofree char *key =
        g_strconcat("doctor.headline.", json_string_value(json_object_get(report, "state")), NULL);
    printf("%s\n\n", vigie_word(lang, key));
    json_array_foreach(json_object_get(report, "checks"), i, check) print_check(check, lang);
}

static int print_example(VigieLang lang) {
    g_autofree char *text = vigie_config_example(lang);
    fputs(text, stdout);
    return CLI_WELL;
}

int cli_doctor(int argc, char **argv) {
    g_autofree char *config = NULL, *address = NULL;
    gboolean json = FALSE, show_example = FALSE;
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &config, NULL, "FILE"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, NULL, NULL},
        {"send-test", 0, 0, G_OPTION_ARG_STRING, &address, NULL, "ADDRESS"},
        {"example", 0, 0, G_OPTION_ARG_NONE, &show_example, NULL, NULL},
        {0},
    };
    VigieDoctorOptions options = {0};
    int status = CLI_FAILED;
    if (!cli_parse(&argc, &argv, entries, forms, examples, &options.lang, &status))
        return status;
    if (show_example)
        return print_example(options.lang);
    options.config_path = config;
    options.send_test = address;
    g_autoptr(json_t) report = daemon_doctor(&options);
    g_autofree char *text = json ? vigie_json_text(report) : NULL;
    if (json)
        printf("%s\n", text);
    else
        print_report(report, options.lang);
    const char *state = json_string_value(json_object_get(report, "state"));
    return strcmp(state, "well") == 0 || strcmp(state, "unknown") == 0 ? CLI_WELL : CLI_WRONG;
}
