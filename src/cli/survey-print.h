/* survey-print: records as a table, as CSV or as lines of JSON; progress and summary on stderr. */
#pragma once

#include "survey/survey.h"

typedef enum { SURVEY_TABLE, SURVEY_JSONL, SURVEY_CSV } SurveyFormat;

typedef struct {
    uint64_t records, wrong; /* wrong: with findings above "info", or not examined */
    uint64_t well, soon, broken, unknown;
    uint64_t resumed; /* left out: ended in an earlier run */
} SurveyTotals;

typedef struct SurveyPrinter SurveyPrinter;
SurveyPrinter *survey_printer_new(SurveyFormat format, VigieLang lang, const VigieRules *rules, bool colour);
void survey_printer_free(SurveyPrinter *printer);
void survey_print_head(SurveyPrinter *printer, GString *out);
void survey_print_record(SurveyPrinter *printer, const VigieRecord *record, SurveyTotals *totals,
                         GString *out);
/* One line, rewritten; `share` of the targets read, less than 0 where it is not known. */
void survey_print_progress(VigieLang lang, const VigieSurveyProgress *progress, double share);
void survey_print_summary(VigieLang lang, const VigieSurveyProgress *progress, const SurveyTotals *totals,
                          uint64_t bad_targets, bool progress_shown);
