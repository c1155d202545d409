/* vigie case report, review: documents of the desk. What --out ends in says how they are set. */
#include "cli/case.h"
#include "csirt/report.h"
#include "document/document.h"

#include <stdio.h>
#include <string.h>

static bool write_text(const CaseCall *call, char *text, GError **error) {
    g_autofree char *owned = text;
    if (text && !call->out) {
        fputs(text, stdout);
        return true;
    }
    return text && cli_write_new(call->out, text, strlen(text), false, error);
}

static bool write_pdf(const CaseCall *call, const json_t *model, GError **error) {
    g_autoptr(GBytes) pdf = document_pdf(model, call->now, error);
    return pdf && cli_write_new(call->out, g_bytes_get_data(pdf, NULL), g_bytes_get_size(pdf), false, error);
}

static bool write_document(const CaseCall *call, const json_t *model, GError **error) {
    if (!call->out || g_str_has_suffix(call->out, ".txt"))
        return write_text(call, document_text(model, error), error);
    if (g_str_has_suffix(call->out, ".html"))
        return write_text(call, document_html(model, error), error);
    return g_str_has_suffix(call->out, ".pdf")
               ? write_pdf(call, model, error)
               : case_refuse(
                     error, "--out: a name that ends in .pdf, .html, .txt (or, of a report, .csv) is wanted");
}

static int this_year(const CaseCall *call) {
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(call->now);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, vigie_config_zone(call->settings));
    return g_date_time_get_year(local);
}

static bool report(CaseCall *call, GError **error) {
    int year = call->year ? call->year : this_year(call);
    g_autoptr(json_t) statistics =
        csirt_statistics(call->store, call->team, year, CSIRT_THRESHOLD, call->now, error);
    if (!statistics)
        return false;
    if (call->json)
        return case_show(call, g_steal_pointer(&statistics), NULL);
    if (call->out && g_str_has_suffix(call->out, ".csv"))
        return write_text(call, csirt_statistics_csv(statistics), error);
    g_autoptr(json_t) model = csirt_report(statistics, call->team, call->lang, error);
    return model && write_document(call, model, error);
}

static bool review(CaseCall *call, GError **error) {
    int64_t id = 0;
    g_autoptr(json_t) model = case_of(call, &id, error) ? csirt_review(call->store, call->team, &call->who,
                                                                       id, call->lang, call->now, error)
                                                        : NULL;
    if (model && call->json)
        return case_show(call, g_steal_pointer(&model), NULL);
    return model && write_document(call, model, error);
}

const CaseCommand case_report_commands[] = {{"report", report, "[--year YEAR] [--out FILE]"},
                                            {"review", review, "REF [--out FILE]"},
                                            {"pack", case_pack, "REF PARTY ARTEFACT … --out FILE.zip"},
                                            {0}};
