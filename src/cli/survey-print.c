#include "cli/survey-print.h"

#include <stdio.h>

struct SurveyPrinter {
    SurveyFormat format;
    VigieLang lang;
    const VigieRules *rules;
    bool colour;
    GTimeZone *zone;
};

/* The four states, each told by word and shape as well as by colour. */
typedef enum { WELL, SOON, BROKEN, UNKNOWN } State;

static const struct {
    const char *shape, *word, *colour;
} states[] = {
    [WELL] = {"✓", "survey.state.well", "\033[32m"},
    [SOON] = {"△", "survey.state.soon", "\033[33m"},
    [BROKEN] = {"✗", "survey.state.broken", "\033[31m"},
    [UNKNOWN] = {"?", "survey.state.unknown", "\033[2m"},
};

SurveyPrinter *survey_printer_new(SurveyFormat format, VigieLang lang, const VigieRules *rules, bool colour) {
    SurveyPrinter *printer = g_new(SurveyPrinter, 1);
    *printer = (SurveyPrinter){format, lang, rules, colour, g_time_zone_new_identifier("Europe/Paris")};
    if (!printer->zone)
        printer->zone = g_time_zone_new_utc();
    return printer;
}

void survey_printer_free(SurveyPrinter *printer) {
    if (!printer)
        return;
    g_time_zone_unref(printer->zone);
    g_free(printer);
}

static State state_of(const VigieRecord *record) {
    VigieSeverity worst = VIGIE_SEVERITY_INFO;
    for (size_t i = 0; i < record->finding_count; i++)
        worst = MAX(worst, record->findings[i].severity);
    bool examined = record->outcome == VIGIE_OUTCOME_OK || record->outcome == VIGIE_OUTCOME_NOT_TLS;
    if (!examined)
        return UNKNOWN;
    return worst >= VIGIE_SEVERITY_HIGH ? BROKEN : worst > VIGIE_SEVERITY_INFO ? SOON : WELL;
}

static void count(SurveyTotals *totals, State state) {
    uint64_t *const counters[] = {[WELL] = &totals->well,
                                  [SOON] = &totals->soon,
                                  [BROKEN] = &totals->broken,
                                  [UNKNOWN] = &totals->unknown};
    ++*counters[state];
    totals->records++;
    if (state != WELL)
        totals->wrong++;
}

/* ---- What the columns hold ---------------------------------------------------------------------------------- */
static char *target_text(const VigieRecord *record) {
    const VigieTarget *target = &record->target;
    bool bracket = strchr(target->host, ':') != NULL;
    return g_strdup_printf(bracket ? "[%s]:%u" : "%s:%u", target->host, target->port);
}

static char *outcome_text(const VigieRecord *record, const char *detail) {
    const char *name = vigie_outcome_name(record->outcome);
    return record->detail[0] && record->outcome != VIGIE_OUTCOME_OK ? g_strdup_printf("%s:%s", name, detail)
                                                                    : g_strdup(name);
}

/* In the narrow table "TLSv1.2 1.3" for "TLSv1.2", "TLSv1.3". */
static char *versions_text(const VigieRecord *record, const char *separator, bool narrow) {
    GString *out = g_string_new(NULL);
    for (VigieVersion version = VIGIE_SSL2; version < VIGIE_VERSIONS; version++) {
        if (!(record->versions_offered & 1u << version))
            continue;
        const char *name = tls_version_name(version);
        bool again = strstr(out->str, "TLSv") != NULL;
        if (out->len > 0)
            g_string_append(out, separator);
        g_string_append(out, narrow && again ? name + strlen("TLSv") : name);
    }
    return g_string_free(out, FALSE);
}

static char *findings_text(const SurveyPrinter *printer, const VigieRecord *record) {
    GString *out = g_string_new(NULL);
    for (size_t i = 0; i < record->finding_count; i++) {
        const char *id = record->findings[i].id;
        g_string_append_printf(out, "%s%s", i ? (printer->lang == VIGIE_FR ? " ; " : "; ") : "",
                               record_finding_title(printer->rules, id, printer->lang));
    }
    return g_string_free(out, FALSE);
}

static const VigieCertificate *leaf_of(const VigieRecord *record) {
    return record->chain && record->chain->count > 0 ? record->chain->certificates[0] : NULL;
}

/* ---- Table -------------------------------------------------------------------------------------------------- */
static void append_column(GString *out, const char *text, glong width) {
    g_string_append(out, text);
    glong length = g_utf8_strlen(text, -1);
    for (glong i = length; i < width; i++)
        g_string_append_c(out, ' ');
    g_string_append(out, "  ");
}

enum { STATE_WIDTH = 8, TARGET_WIDTH = 34, VERSIONS_WIDTH = 15, END_WIDTH = 12 };

static void print_table_head(const SurveyPrinter *printer, GString *out) {
    VigieLang lang = printer->lang;
    append_column(out, " ", 1);
    append_column(out, vigie_word(lang, "survey.column.state"), STATE_WIDTH);
    append_column(out, vigie_word(lang, "survey.column.target"), TARGET_WIDTH);
    append_column(out, vigie_word(lang, "survey.column.versions"), VERSIONS_WIDTH);
    append_column(out, vigie_word(lang, "survey.column.end"), END_WIDTH);
    g_string_append(out, vigie_word(lang, "survey.column.findings"));
    g_string_append_c(out, '\n');
}

static void print_table_row(const SurveyPrinter *printer, const VigieRecord *record, State state,
                            GString *out) {
    g_autofree char *target = target_text(record);
    g_autofree char *versions = versions_text(record, " ", true);
    const VigieCertificate *leaf = leaf_of(record);
    g_autofree char *end = leaf ? vigie_date_text(printer->lang, printer->zone, leaf->not_after) : NULL;
    g_autofree char *findings = findings_text(printer, record);
    g_autofree char *detail = vigie_said(printer->lang, record->detail);
    g_autofree char *outcome = outcome_text(record, detail);
    if (printer->colour)
        g_string_append(out, states[state].colour);
    append_column(out, states[state].shape, 1);
    append_column(out, vigie_word(printer->lang, states[state].word), STATE_WIDTH);
    if (printer->colour)
        g_string_append(out, "\033[0m");
    append_column(out, target, TARGET_WIDTH);
    append_column(out, *versions ? versions : "–", VERSIONS_WIDTH);
    append_column(out, end ? end : "–", END_WIDTH);
    g_string_append(out, findings);
    if (record->outcome != VIGIE_OUTCOME_OK)
        g_string_append_printf(out, *findings ? " (%s)" : "%s", outcome);
    while (out->len > 0 && out->str[out->len - 1] == ' ')
        g_string_truncate(out, out->len - 1);
    g_string_append_c(out, '\n');
}

/* ---- CSV, RFC 4180 ------------------------------------------------------------------------------------------ */
/* What a stranger wrote must not become a formula in the reader's spreadsheet. */
static void append_cell(GString *out, const char *text, bool last) {
    bool formula = text[0] && strchr("=+-@\t\r", text[0]) && !g_ascii_isdigit(text[1]);
    bool quoted = formula || strpbrk(text, ",\"\r\n;") != NULL;
    if (quoted)
        g_string_append_c(out, '"');
    if (formula)
        g_string_append_c(out, '\'');
    for (; *text; text++) {
        if (*text == '"')
            g_string_append_c(out, '"');
        g_string_append_c(out, *text);
    }
    if (quoted)
        g_string_append_c(out, '"');
    g_string_append(out, last ? "\r\n" : ",");
}

static void print_csv_row(const SurveyPrinter *printer, const VigieRecord *record, GString *out) {
    const VigieCertificate *leaf = leaf_of(record);
    g_autofree char *target = target_text(record);
    g_autofree char *port = g_strdup_printf("%u", record->target.port);
    g_autofree char *outcome = outcome_text(record, record->detail);
    g_autofree char *versions = versions_text(record, " ", false);
    g_autofree char *after = leaf ? vigie_time_rfc3339(leaf->not_after) : g_strdup("");
    g_autofree char *offset = g_strdup_printf("%" G_GINT64_FORMAT, record->clock_offset);
    g_autoptr(GString) findings = g_string_new(NULL);
    for (size_t i = 0; i < record->finding_count; i++)
        g_string_append_printf(findings, "%s%s", i ? " " : "", record->findings[i].id);
    static const char *const ternaries[] = {"", "no", "yes"};
    append_cell(out, target, false);
    append_cell(out, record->address, false);
    append_cell(out, port, false);
    append_cell(out, vigie_protocol_name(record->target.protocol), false);
    append_cell(out, outcome, false);
    append_cell(out, versions, false);
    append_cell(out, leaf ? leaf->subject : "", false);
    append_cell(out, leaf ? leaf->issuer : "", false);
    append_cell(out, after, false);
    append_cell(out,
                record->trust.verdict == VIGIE_TRUST_UNJUDGED ? "" : x509_trust_name(record->trust.verdict),
                false);
    append_cell(out, ternaries[record->name_match + 1], false);
    append_cell(out, record->clock_known ? offset : "", false);
    append_cell(out, findings->str, true);
    (void)printer;
}

/* ---- The public face ---------------------------------------------------------------------------------------- */
void survey_print_head(SurveyPrinter *printer, GString *out) {
    if (printer->format == SURVEY_TABLE)
        print_table_head(printer, out);
    else if (printer->format == SURVEY_CSV)
        g_string_append(out, "target,address,port,protocol,outcome,versions,subject,issuer,not_after,trust,"
                             "name_match,clock_offset,findings\r\n");
}

void survey_print_record(SurveyPrinter *printer, const VigieRecord *record, SurveyTotals *totals,
                         GString *out) {
    State state = state_of(record);
    count(totals, state);
    switch (printer->format) {
    case SURVEY_TABLE:
        print_table_row(printer, record, state, out);
        break;
    case SURVEY_CSV:
        print_csv_row(printer, record, out);
        break;
    case SURVEY_JSONL:
    default:
        record_append_json(record, out);
        g_string_append_c(out, '\n');
        break;
    }
}

void survey_print_progress(VigieLang lang, const VigieSurveyProgress *progress, double share) {
    double rate = progress->seconds > 0 ? (double)progress->ended / progress->seconds : 0;
    double done = progress->targets > 0 ? share * (double)progress->ended / (double)progress->targets : 0;
    g_autofree char *ended = g_strdup_printf("%" G_GUINT64_FORMAT, progress->ended);
    g_autofree char *per_second = g_strdup_printf("%.0f", rate);
    g_autofree char *left =
        done > 0.001 ? vigie_duration_text(lang, (int64_t)(progress->seconds * (1 - done) / done)) : NULL;
    g_autofree char *percent = g_strdup_printf("%.0f", done * 100);
    g_autofree char *line =
        left ? vigie_words(lang, "survey.progress", "ended", ended, "rate", per_second, "percent", percent,
                           "left", left, NULL)
             : vigie_words(lang, "survey.progress-open", "ended", ended, "rate", per_second, NULL);
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
}

void survey_print_summary(VigieLang lang, const VigieSurveyProgress *progress, const SurveyTotals *totals,
                          uint64_t bad_targets, bool progress_shown) {
    const uint64_t numbers[] = {totals->records, totals->well,    totals->soon, totals->broken,
                                totals->unknown, totals->resumed, bad_targets,  progress->connections};
    char *texts[G_N_ELEMENTS(numbers)];
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        texts[i] = g_strdup_printf("%" G_GUINT64_FORMAT, numbers[i]);
    g_autofree char *took = vigie_duration_text(lang, (int64_t)(progress->seconds + 0.5));
    g_autofree char *line =
        vigie_words(lang, "survey.summary", "records", texts[0], "well", texts[1], "soon", texts[2], "broken",
                    texts[3], "unknown", texts[4], "took", took, "connections", texts[7], NULL);
    fprintf(stderr, "%s%s\n", progress_shown ? "\r\033[K" : "", line);
    if (totals->resumed > 0) {
        g_autofree char *resumed = vigie_words(lang, "survey.resumed", "count", texts[5], NULL);
        fprintf(stderr, "%s\n", resumed);
    }
    if (bad_targets > 0) {
        g_autofree char *bad = vigie_words(lang, "survey.bad-count", "count", texts[6], NULL);
        fprintf(stderr, "%s\n", bad);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        g_free(texts[i]);
}
