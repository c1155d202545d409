/* vigie survey: targets in, records out. */
#include "survey/survey.h"
#include "cli/cli.h"
#include "cli/survey-print.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much may be printed, and for how long, before it is written out and the journal told. */
enum { OUTPUT_MAX = 65536, SYNC_SECONDS = 1 };

typedef struct {
    VigieLang lang;
    VigieTargets *targets;
    VigieJournal *journal; /* NULL: not resumable */
    const VigieRules *rules;
    SurveyPrinter *printer;
    GString *output;
    gint64 written; /* when, monotonic µs */
    bool to_file, progress_shown;
    bool failed; /* the output or the journal took no more */
    SurveyTotals totals;
} Run;

static volatile int interrupted;

static void interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

/* ---- Output ------------------------------------------------------------------------------------------------- */
static bool write_all(const GString *text) {
    for (size_t done = 0; done < text->len;) {
        ssize_t size = write(STDOUT_FILENO, text->str + done, text->len - done);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return false;
        done += (size_t)size;
    }
    return true;
}

/* The journal must not know of a record before the disk has it. */
static bool flush(Run *run) {
    g_autoptr(GError) error = NULL;
    run->written = g_get_monotonic_time();
    bool written =
        write_all(run->output) && (!run->journal || !run->to_file || fdatasync(STDOUT_FILENO) == 0);
    g_string_truncate(run->output, 0);
    if (!written && errno != EPIPE)
        g_set_error(&error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "the standard output takes no more (%s)",
                    g_strerror(errno));
    if (written && run->journal)
        survey_journal_sync(run->journal, &error);
    if (error)
        cli_fail("survey", error);
    run->failed = run->failed || !written || error;
    return !run->failed;
}

static bool take_record(VigieRecord *record, void *data) {
    Run *run = data;
    survey_print_record(run->printer, record, &run->totals, run->output);
    if (run->journal && record->outcome != VIGIE_OUTCOME_INTERRUPTED)
        survey_journal_add(run->journal, &record->target);
    return run->output->len < OUTPUT_MAX || flush(run);
}

static bool next_target(VigieTarget *ret_target, void *data) {
    Run *run = data;
    while (survey_targets_next(ret_target, run->targets)) {
        if (!run->journal || !survey_journal_has(run->journal, ret_target))
            return true;
        run->totals.resumed++;
        vigie_target_clear(ret_target);
    }
    return false;
}

static void tick(const VigieSurveyProgress *progress, void *data) {
    Run *run = data;
    if (run->output->len > 0 &&
        (!run->journal || g_get_monotonic_time() - run->written > SYNC_SECONDS * G_USEC_PER_SEC))
        flush(run);
    if (run->progress_shown)
        survey_print_progress(run->lang, progress, survey_targets_share(run->targets));
}

static void complain(const VigieTargetComplaint *complaint, void *data) {
    const Run *run = data;
    g_autofree char *line = g_strdup_printf("%u", complaint->line);
    g_autofree char *text =
        complaint->file
            ? vigie_words(run->lang, "survey.bad-line", "file", complaint->file, "line", line, "text",
                          complaint->text, "problem", vigie_word(run->lang, complaint->problem), NULL)
            : vigie_words(run->lang, "survey.bad-target", "text", complaint->text, "problem",
                          vigie_word(run->lang, complaint->problem), NULL);
    fprintf(stderr, "%s%s\n", run->progress_shown ? "\r\033[K" : "", text);
}

/* ---- Options ------------------------------------------------------------------------------------------------ */
typedef struct {
    char **files, **authorities;
    char *depth, *format, *timeout, *journal;
    double rate;
    int parallel, per_host;
    gboolean gentle, no_system_roots;
} Arguments;

static void arguments_clear(Arguments *arguments) {
    g_strfreev(arguments->files);
    g_strfreev(arguments->authorities);
    g_free(arguments->depth);
    g_free(arguments->format);
    g_free(arguments->timeout);
    g_free(arguments->journal);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

static bool refuse(GError **error, const char *option, const char *value, const char *wanted) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s %s: %s", option, value, wanted);
    return false;
}

/* The place of `text` among `names`; `fallback` where it is NULL. */
static bool read_choice(const char *option, const char *text, const char *const *names, unsigned fallback,
                        unsigned *ret, GError **error) {
    *ret = fallback;
    if (!text)
        return true;
    for (*ret = 0; names[*ret]; ++*ret)
        if (strcmp(names[*ret], text) == 0)
            return true;
    g_autofree char *list = g_strjoinv(", ", (char **)names);
    g_autofree char *wanted = g_strconcat("one of these is wanted: ", list, NULL);
    return refuse(error, option, text, wanted);
}

/* 0: not given. */
static bool check_number(const char *option, double number, double most, GError **error) {
    if (number >= 0 && number <= most)
        return true;
    g_autofree char *value = g_strdup_printf("%g", number);
    g_autofree char *wanted = g_strdup_printf("a number up to %.0f is wanted, as in %s 4", most, option);
    return refuse(error, option, value, wanted);
}

static bool read_options(const Arguments *arguments, VigieSurveyOptions *options, unsigned *ret_format,
                         GError **error) {
    static const char *const depths[] = {"certificate", "protocols", "full", NULL};
    static const char *const formats[] = {"table", "jsonl", "csv", NULL};
    unsigned depth;
    int64_t timeout = 0;
    if (!read_choice("--depth", arguments->depth, depths, VIGIE_DEPTH_PROTOCOLS, &depth, error) ||
        !read_choice("--format", arguments->format, formats, SURVEY_TABLE, ret_format, error) ||
        (arguments->timeout && !vigie_duration_parse(arguments->timeout, &timeout, error)))
        return false;
    if (arguments->timeout && (timeout < 1 || timeout > 300))
        return refuse(error, "--timeout", arguments->timeout, "1 s to 5 min is wanted, as in --timeout 10s");
    if (!check_number("--rate", arguments->rate, 1e9, error) ||
        !check_number("--parallel", arguments->parallel, 50000, error) ||
        !check_number("--per-host", arguments->per_host, 1000, error))
        return false;
    options->depth = (VigieDepth)depth;
    options->rate = arguments->rate;
    options->gentle = arguments->gentle;
    if (arguments->parallel)
        options->parallel = (unsigned)arguments->parallel;
    if (arguments->per_host)
        options->per_host = (unsigned)arguments->per_host;
    if (timeout)
        options->timeout_ms = (int)timeout * 1000;
    return true;
}

static VigieRoots *read_roots(const Arguments *arguments, GError **error) {
    g_autoptr(VigieRoots) roots = x509_roots_new();
    if (!arguments->no_system_roots && !x509_roots_add_system(roots, error))
        return NULL;
    for (char **file = arguments->authorities; file && *file; file++)
        if (!x509_roots_add_file(roots, *file, NULL, NULL, error))
            return NULL;
    return g_steal_pointer(&roots);
}

static bool add_targets(Run *run, const Arguments *arguments, int argc, char **argv, GError **error) {
    for (int i = 1; i < argc; i++)
        survey_targets_add(run->targets, argv[i]);
    for (char **file = arguments->files; file && *file; file++)
        if (!survey_targets_add_file(run->targets, *file, error))
            return false;
    if (argc > 1 || arguments->files)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s", vigie_word(run->lang, "survey.no-targets"));
    return false;
}

/* ---- The command -------------------------------------------------------------------------------------------- */
static int status_of(const Run *run, uint64_t bad) {
    if (run->failed || (bad > 0 && run->totals.records == 0 && run->totals.resumed == 0))
        return CLI_FAILED;
    return bad > 0 || run->totals.wrong > 0 || interrupted ? CLI_WRONG : CLI_WELL;
}

static int carry_out(Run *run, const VigieSurveyOptions *options) {
    g_autoptr(GError) error = NULL;
    VigieSurveyProgress progress = {0};
    const struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!run->journal || survey_journal_count(run->journal) == 0) /* else the output is appended to */
        survey_print_head(run->printer, run->output);
    bool done = survey_run(options, next_target, run, take_record, run, &interrupted, &progress, &error);
    if (!done)
        return cli_fail("survey", error);
    flush(run);
    uint64_t bad = survey_targets_bad(run->targets);
    survey_print_summary(run->lang, &progress, &run->totals, bad, run->progress_shown);
    return status_of(run, bad);
}

static int survey_with(const Arguments *arguments, VigieLang lang, int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    VigieSurveyOptions options = survey_options_default();
    unsigned format;
    struct stat status;
    Run run = {
        .lang = lang, .output = g_string_sized_new(OUTPUT_MAX + 4096), .written = g_get_monotonic_time()};
    run.targets = survey_targets_new(complain, &run);
    run.to_file = fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode);
    run.progress_shown = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
    g_autoptr(VigieRules) rules = NULL;
    g_autoptr(VigieRoots) roots = NULL;
    int result = CLI_FAILED;
    if (read_options(arguments, &options, &format, &error) &&
        add_targets(&run, arguments, argc, argv, &error) && (rules = record_rules_load(&error)) &&
        (roots = read_roots(arguments, &error)) &&
        (!arguments->journal ||
         (run.journal = survey_journal_open(arguments->journal, options.depth, &error)))) {
        run.printer = survey_printer_new((SurveyFormat)format, lang, rules, cli_colour());
        options.rules = run.rules = rules;
        options.roots = roots;
        options.tick = tick;
        options.tick_data = &run;
        result = carry_out(&run, &options);
    } else {
        cli_fail("survey", error);
    }
    survey_printer_free(run.printer);
    survey_journal_close(run.journal);
    survey_targets_free(run.targets);
    g_string_free(run.output, TRUE);
    return result;
}

static const char *const forms[] = {"[OPTIONS] TARGET…", NULL};
static const char *const examples[] = {"vigie survey automate-02.chu.test:2762 --ca hospital-root.pem",
                                       "vigie survey --targets fleet.txt --gentle --format csv > fleet.csv",
                                       "vigie survey --targets targets.txt --rate 2000 \\",
                                       "  --resume targets.journal --format jsonl >> records.jsonl", NULL};

int cli_survey(int argc, char **argv) {
    g_auto(Arguments) arguments = {0};
    VigieLang lang = VIGIE_FR;
    const GOptionEntry entries[] = {
        {"targets", 't', 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments.files, NULL, "FILE"},
        {"depth", 'd', 0, G_OPTION_ARG_STRING, &arguments.depth, NULL, "DEPTH"},
        {"format", 'f', 0, G_OPTION_ARG_STRING, &arguments.format, NULL, "FORMAT"},
        {"gentle", 'g', 0, G_OPTION_ARG_NONE, &arguments.gentle, NULL, NULL},
        {"rate", 'r', 0, G_OPTION_ARG_DOUBLE, &arguments.rate, NULL, "N"},
        {"per-host", 0, 0, G_OPTION_ARG_INT, &arguments.per_host, NULL, "N"},
        {"parallel", 'p', 0, G_OPTION_ARG_INT, &arguments.parallel, NULL, "N"},
        {"timeout", 0, 0, G_OPTION_ARG_STRING, &arguments.timeout, NULL, "SECONDS"},
        {"resume", 0, 0, G_OPTION_ARG_FILENAME, &arguments.journal, NULL, "FILE"},
        {"ca", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments.authorities, NULL, "FILE"},
        {"no-system-roots", 0, 0, G_OPTION_ARG_NONE, &arguments.no_system_roots, NULL, NULL},
        {0},
    };
    int status;
    if (!cli_parse(&argc, &argv, entries, forms, examples, &lang, &status))
        return status;
    return survey_with(&arguments, lang, argc, argv);
}
