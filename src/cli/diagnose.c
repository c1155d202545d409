/* vigie diagnose: why a device does not communicate, in words. */
#include "cli/cli.h"
#include "survey/survey.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH = 96, WIDTH_MIN = 80, WIDTH_MAX = 110, INDENT = 3, PAUSE_MS = 200, SECOND_TIMEOUT_MS = 2000 };

typedef struct {
    char *name, *config, *timeout;
    char **authorities;
    gboolean json, gentle;
} Arguments;

static void arguments_clear(Arguments *arguments) {
    g_free(arguments->name);
    g_free(arguments->config);
    g_free(arguments->timeout);
    g_strfreev(arguments->authorities);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

/* ---- Printing ----------------------------------------------------------------------------------------------- */
typedef struct {
    VigieLang lang;
    size_t width, label; /* columns of the page, and of the labels */
    bool colour;
} Page;

static const char *paint(const Page *page, const char *style) {
    return page->colour ? style : "";
}
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define GREEN "\033[32m"
#define CYAN "\033[36m"
#define PLAIN "\033[0m"

static size_t columns(const char *text) {
    size_t count = 0;
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        count += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    }
    return count;
}

static void spaces(size_t count) {
    printf("%*s", (int)count, "");
}

/* No-break spaces have done their work once the line is broken: as ordinary ones they can be searched and copied. */
static void put(const char *text) {
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        if (c == 0xA0 || c == 0x202F)
            putchar(' ');
        else
            fwrite(text, 1, (size_t)(g_utf8_next_char(text) - text), stdout);
    }
}

/* Words from column `at` on, wrapped at the page's width, further lines indented to `indent`. A no-break space does
 * not break. */
static void wrap(const Page *page, const char *text, size_t at, size_t indent) {
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    bool first = true;
    for (char **word = words; *word; word++) {
        size_t size = columns(*word);
        if (!first && at + 1 + size > page->width) {
            putchar('\n');
            spaces(at = indent);
        } else if (!first) {
            putchar(' ');
            at++;
        }
        put(*word);
        at += size;
        first = false;
    }
    putchar('\n');
}

static void print_label(const Page *page, const char *key) {
    const char *label = key ? vigie_word(page->lang, key) : "";
    spaces(INDENT);
    printf("%s%s%s", paint(page, DIM), label, paint(page, PLAIN));
    spaces(page->label - columns(label));
}

static void print_row(const Page *page, const char *key, const json_t *text) {
    if (!json_is_string(text))
        return;
    print_label(page, key);
    wrap(page, json_string_value(text), INDENT + page->label, INDENT + page->label);
}

/* The first step beside the label, the rest below it; numbered where there are several. */
static void print_steps(const Page *page, const char *key, const json_t *steps) {
    size_t i, count = json_array_size(steps), start = INDENT + page->label;
    json_t *step;
    json_array_foreach((json_t *)steps, i, step) {
        print_label(page, i == 0 ? key : NULL);
        if (count > 1)
            printf("%zu. ", i + 1);
        size_t at = start + (count > 1 ? 3 : 0);
        wrap(page, json_string_value(step), at, at);
    }
}

/* Left and right on one line where both fit, else the right one on a line of its own. */
static void print_head(const Page *page, const char *left, size_t at, const char *right, const char *style) {
    size_t used = at + columns(left), wanted = columns(right);
    if (used + 2 + wanted <= page->width) {
        fputs(paint(page, BOLD), stdout);
        put(left);
        fputs(paint(page, PLAIN), stdout);
        spaces(page->width - used - wanted);
    } else {
        fputs(paint(page, BOLD), stdout);
        wrap(page, left, at, at);
        fputs(paint(page, PLAIN), stdout);
        spaces(page->width - wanted);
    }
    printf("%s%s%s\n", paint(page, style), right, paint(page, PLAIN));
}

static const char *severity_style(const char *severity) {
    static const char *const styles[][2] = {
        {"critical", RED}, {"high", RED}, {"medium", YELLOW}, {"low", YELLOW}, {"info", CYAN}};
    for (size_t i = 0; i < G_N_ELEMENTS(styles); i++)
        if (strcmp(styles[i][0], severity) == 0)
            return styles[i][1];
    return PLAIN;
}

static void print_cause(const Page *page, const json_t *cause, size_t number, bool first) {
    putchar('\n');
    const char *severity = json_string_value(json_object_get(cause, "severity"));
    g_autofree char *key = g_strdup_printf("severity.%s", severity);
    bool remark = strcmp(severity, "info") == 0;
    const char *tag = vigie_word(page->lang, first && !remark ? "diagnose.first" : key);
    printf("%s%-2zu%s ", paint(page, severity_style(severity)), number, paint(page, PLAIN));
    print_head(page, json_string_value(json_object_get(cause, "title")), INDENT, tag,
               severity_style(severity));
    print_row(page, "diagnose.symptom", json_object_get(cause, "symptom"));
    print_row(page, "diagnose.cause", json_object_get(cause, "cause"));
    print_row(page, "diagnose.evidence", json_object_get(cause, "evidence"));
    print_steps(page, "diagnose.action", json_object_get(cause, "action"));
    print_row(page, "diagnose.ask", json_object_get(cause, "ask_dsi"));
    print_row(page, "diagnose.next", json_object_get(cause, "next"));
}

static void print_checks(const Page *page, const json_t *checks) {
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)checks, i, item) {
        fputs(i == 0 ? "\n" : "", stdout);
        print_row(page, i == 0 ? "diagnose.checked" : NULL, json_object_get(item, "text"));
    }
}

static void print_advice(const Page *page, const json_t *advice) {
    size_t i;
    json_t *item;
    if (json_array_size(advice) > 0) {
        putchar('\n');
        wrap(page, vigie_word(page->lang, "diagnose.advice"), 0, 0);
    }
    json_array_foreach((json_t *)advice, i, item) {
        printf("%*s%zu. ", INDENT, "", i + 1);
        wrap(page, json_string_value(item), INDENT + 3, INDENT + 3);
    }
}

static void print_glossary(const Page *page, const json_t *glossary) {
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)glossary, i, entry) {
        fputs(i == 0 ? "\n" : "", stdout);
        g_autofree char *line = vigie_words(
            page->lang, "diagnose.glossary", "term", json_string_value(json_object_get(entry, "term")),
            "definition", json_string_value(json_object_get(entry, "definition")), "remember",
            json_string_value(json_object_get(entry, "remember")), NULL);
        wrap(page, line, 0, 2);
    }
}

static Page page_of_stdout(VigieLang lang) {
    static const char *const labels[] = {"diagnose.symptom", "diagnose.cause", "diagnose.evidence",
                                         "diagnose.action",  "diagnose.ask",   "diagnose.next",
                                         "diagnose.checked"};
    Page page = {.lang = lang, .width = WIDTH, .colour = cli_colour()};
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        page.width = CLAMP(size.ws_col, WIDTH_MIN, WIDTH_MAX);
    for (size_t i = 0; i < G_N_ELEMENTS(labels); i++)
        page.label = MAX(page.label, columns(vigie_word(lang, labels[i])) + 3);
    return page;
}

static void print_diagnosis(const json_t *diagnosis, VigieLang lang) {
    Page page = page_of_stdout(lang);
    bool healthy = json_is_true(json_object_get(diagnosis, "healthy"));
    g_autofree char *protocol_key =
        g_strdup_printf("protocol.%s", json_string_value(json_object_get(diagnosis, "protocol")));
    g_autofree char *left = g_strdup_printf("%s  %s", json_string_value(json_object_get(diagnosis, "target")),
                                            vigie_word(lang, protocol_key));
    print_head(&page, left, 0, json_string_value(json_object_get(diagnosis, "headline")),
               healthy ? GREEN : RED);
    const json_t *causes = json_object_get(diagnosis, "causes");
    size_t i;
    json_t *cause;
    json_array_foreach((json_t *)causes, i, cause)
        print_cause(&page, cause, i + 1, i == 0 && json_array_size(causes) > 1);
    if (healthy)
        printf("\n%s\n", vigie_word(lang, "diagnose.healthy"));
    print_checks(&page, json_object_get(diagnosis, "checks"));
    print_advice(&page, json_object_get(diagnosis, "advice"));
    print_glossary(&page, json_object_get(diagnosis, "glossary"));
}

/* ---- Examining ---------------------------------------------------------------------------------------------- */
typedef struct {
    const Arguments *arguments;
    VigieLang lang;
    VigieTarget target; /* handed to the engine once */
    VigieRules *rules;
    GTimeZone *zone;
    json_t *diagnosis;
    bool unexplained; /* connected, but no answer in TLS that says why */
} Run;

static bool give_target(VigieTarget *ret_target, void *data) {
    Run *run = data;
    *ret_target = run->target;
    run->target = (VigieTarget){0};
    return ret_target->host != NULL;
}

static bool is_unexplained(const VigieRecord *record) {
    switch (record->outcome) {
    case VIGIE_OUTCOME_TIMEOUT_HANDSHAKE:
    case VIGIE_OUTCOME_RESET_AFTER_HELLO:
    case VIGIE_OUTCOME_CLOSED_AFTER_HELLO:
    case VIGIE_OUTCOME_MALFORMED:
    case VIGIE_OUTCOME_ALERT:
        return true;
    case VIGIE_OUTCOME_NOT_TLS:
        return strcmp(record->detail, "unknown") == 0;
    default:
        return false;
    }
}

static bool take_record(VigieRecord *record, void *data) {
    Run *run = data;
    run->unexplained = is_unexplained(record);
    json_decref(run->diagnosis);
    run->diagnosis = record_diagnose(run->rules, record, run->lang, run->zone, vigie_time_now());
    return true;
}

static VigieRoots *read_roots(const Arguments *arguments, const VigieConfig *config, GError **error) {
    g_autoptr(VigieRoots) roots = x509_roots_new();
    if (vigie_config_bool(config, "trust.system") && !x509_roots_add_system(roots, error))
        return NULL;
    for (const char *const *file = vigie_config_list(config, "trust.roots"); *file; file++)
        if (!x509_roots_add_file(roots, *file, NULL, NULL, error))
            return NULL;
    for (char **file = arguments->authorities; file && *file; file++)
        if (!x509_roots_add_file(roots, *file, NULL, NULL, error))
            return NULL;
    return g_steal_pointer(&roots);
}

static bool pass(Run *run, VigieSurveyOptions *options, const VigieTarget *target, GError **error) {
    run->target = (VigieTarget){.host = g_strdup(target->host),
                                .name = g_strdup(target->name),
                                .port = target->port,
                                .protocol = target->protocol};
    return survey_run(options, give_target, run, take_record, run, NULL, NULL, error);
}

/* First as gently as a client would. Where that was answered by silence or a slammed door, once more with what no
 * client sends: SSL 2 and 3, DICOM, HL7; still one connection after the other. */
static bool examine(Run *run, const VigieTarget *target, const VigieRoots *roots, int timeout,
                    GError **error) {
    VigieSurveyOptions options = survey_options_default();
    options.depth = VIGIE_DEPTH_PROTOCOLS;
    options.gentle = true;
    options.gentle_pause_ms = PAUSE_MS;
    options.per_host = 1;
    options.roots = roots;
    options.rules = run->rules;
    if (timeout)
        options.timeout_ms = timeout * 1000;
    bool shown = isatty(STDERR_FILENO);
    if (shown)
        fprintf(stderr, "%s", vigie_word(run->lang, "diagnose.under-way"));
    bool done = pass(run, &options, target, error);
    options.depth = VIGIE_DEPTH_FULL;
    options.gentle = false;
    options.timeout_ms = MIN(options.timeout_ms, SECOND_TIMEOUT_MS);
    if (done && run->unexplained && !run->arguments->gentle)
        done = pass(run, &options, target, error);
    if (shown)
        fprintf(stderr, "\r\033[K");
    return done;
}

static bool read_arguments(const Run *run, int argc, char **argv, VigieTarget *ret_target, int *ret_timeout,
                           GError **error) {
    int64_t timeout = 0;
    if (argc != 2) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s",
                    vigie_word(run->lang, "diagnose.one-target"));
        return false;
    }
    if (!survey_target_parse(argv[1], ret_target, error) ||
        (run->arguments->timeout && !vigie_duration_parse(run->arguments->timeout, &timeout, error)))
        return false;
    if (run->arguments->timeout && (timeout < 1 || timeout > 300)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "--timeout %s: 1 s to 5 min is wanted, as in --timeout 10s", run->arguments->timeout);
        return false;
    }
    if (run->arguments->name) {
        g_free(ret_target->name);
        ret_target->name = g_strdup(run->arguments->name);
    }
    *ret_timeout = (int)timeout;
    return true;
}

static int report(const Run *run) {
    if (run->diagnosis == NULL)
        return CLI_FAILED;
    if (run->arguments->json) {
        g_autofree char *text = vigie_json_text(run->diagnosis);
        puts(text);
    } else {
        print_diagnosis(run->diagnosis, run->lang);
    }
    return json_is_true(json_object_get(run->diagnosis, "healthy")) ? CLI_WELL : CLI_WRONG;
}

static int diagnose_with(const Arguments *arguments, VigieLang lang, int argc, char **argv) {
    Run run = {.arguments = arguments, .lang = lang};
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieConfig) config = vigie_config_load(arguments->config, &error);
    g_autoptr(VigieRoots) roots = NULL;
    VigieTarget target = {0};
    int timeout = 0, status = CLI_FAILED;
    if (config && read_arguments(&run, argc, argv, &target, &timeout, &error) &&
        (run.rules = record_rules_load(&error)) && (roots = read_roots(arguments, config, &error))) {
        run.zone = vigie_config_zone(config);
        if (examine(&run, &target, roots, timeout, &error))
            status = report(&run);
    }
    if (error)
        cli_fail("diagnose", error);
    json_decref(run.diagnosis);
    record_rules_free(run.rules);
    vigie_target_clear(&run.target);
    vigie_target_clear(&target);
    return status;
}

static const char *const forms[] = {"[OPTIONS] HOST:PORT[/PROTOCOL]", NULL};
static const char *const examples[] = {"vigie diagnose automate-02.chu.test:2762 --ca hospital-root.pem",
                                       "vigie diagnose 10.1.2.3:2762 --name automate-02.chu.test", NULL};

int cli_diagnose(int argc, char **argv) {
    g_auto(Arguments) arguments = {0};
    VigieLang lang = VIGIE_FR;
    const GOptionEntry entries[] = {
        {"name", 'n', 0, G_OPTION_ARG_STRING, &arguments.name, NULL, "FQDN"},
        {"ca", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments.authorities, NULL, "FILE"},
        {"gentle", 'g', 0, G_OPTION_ARG_NONE, &arguments.gentle, NULL, NULL},
        {"timeout", 0, 0, G_OPTION_ARG_STRING, &arguments.timeout, NULL, "SECONDS"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &arguments.json, NULL, NULL},
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &arguments.config, NULL, "FILE"},
        {0},
    };
    int status;
    if (!cli_parse(&argc, &argv, entries, forms, examples, &lang, &status))
        return status;
    return diagnose_with(&arguments, lang, argc, argv);
}
