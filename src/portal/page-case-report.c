/* page-case-report: the year in counts, the same as PDF and CSV, and the review of one case. */
#include "csirt/report.h"
#include "portal/page-case.h"

static int this_year(const Request *request) {
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(request->now);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, request->portal->zone);
    return g_date_time_get_year(local);
}

/* ?year=2025, else this one. */
static int asked_year(const Request *request) {
    const char *asked = request_query(request, "year");
    gint64 year = 0;
    return asked && g_ascii_string_to_signed(asked, 10, 2000, 9998, &year, NULL) ? (int)year
                                                                                 : this_year(request);
}

RESOURCE(page_case_report) {
    return case_desk(request, error)
               ? csirt_statistics(request->store, request->portal->team, asked_year(request), CSIRT_THRESHOLD,
                                  request->now, error)
               : NULL;
}

DRESS(dress_case_report) {
    json_int_t year = json_integer_value(json_object_get(view, "year"));
    g_autoptr(json_t) statistics = page_case_report(request, error);
    g_autoptr(json_t) model =
        statistics ? csirt_report(statistics, request->portal->team, request->lang, error) : NULL;
    g_autofree char *html = model ? document_html(model, error) : NULL;
    if (!html)
        return false;
    json_object_set_new(view, "html", json_string(html));
    json_object_set_new(view, "before", json_integer(year - 1));
    if (year < this_year(request))
        json_object_set_new(view, "after", json_integer(year + 1));
    json_object_set_new(view, "at_report", json_true());
    return true;
}

static void answer_file(Request *request, GBytes *file, const char *type, const char *name) {
    g_autofree char *header = g_strdup_printf("attachment; filename=\"%s\"", name);
    request->type = type;
    request->file = file;
    request_header(request, "Content-Disposition", header);
}

RAW(page_case_report_pdf) {
    g_autoptr(json_t) statistics = page_case_report(request, error);
    g_autoptr(json_t) model =
        statistics ? csirt_report(statistics, request->portal->team, request->lang, error) : NULL;
    GBytes *pdf = model ? document_pdf(model, request->now, error) : NULL;
    g_autofree char *name =
        g_strdup_printf("%s-%d.pdf", vigie_word(request->lang, "report.file"), asked_year(request));
    if (pdf)
        answer_file(request, pdf, "application/pdf", name);
    return pdf != NULL;
}

RAW(page_case_report_csv) {
    g_autoptr(json_t) statistics = page_case_report(request, error);
    if (!statistics)
        return false;
    char *csv = csirt_statistics_csv(statistics);
    g_autofree char *name =
        g_strdup_printf("%s-%d.csv", vigie_word(request->lang, "report.file"), asked_year(request));
    answer_file(request, g_bytes_new_take(csv, strlen(csv)), "text/csv; charset=utf-8", name);
    return true;
}

RAW(page_case_review) {
    VigieAnalyst who = case_analyst(request);
    g_autoptr(json_t) model = case_desk(request, error)
                                  ? csirt_review(request->store, request->portal->team, &who, request->id,
                                                 request->lang, request->now, error)
                                  : NULL;
    GBytes *pdf = model ? document_pdf(model, request->now, error) : NULL;
    g_autofree char *name = g_strdup_printf("%s-%" G_GINT64_FORMAT ".pdf",
                                            vigie_word(request->lang, "report.review-file"), request->id);
    if (pdf)
        answer_file(request, pdf, "application/pdf", name);
    return pdf != NULL;
}
