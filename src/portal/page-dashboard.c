/* page-dashboard: what is wrong now, what will be next, what to do. */
#include "portal/pages.h"
#include "portal/present.h"
#include "portal/registration.h"

#include <string.h>

enum { SOON_WEEKS = 5, GAP_BARS = 3 /* between what has ended and what will */ };

static json_int_t member(const json_t *object, const char *a, const char *b) {
    const json_t *value = json_object_get(object, a);
    return json_integer_value(b ? json_object_get(value, b) : value);
}

char *page_count_text(const Request *request, const char *key, int64_t count) {
    /* In French none is singular. */
    bool one = request->lang == VIGIE_FR ? count < 2 : count == 1;
    g_autofree char *form = g_strconcat(key, one ? ".one" : ".many", NULL);
    g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, count);
    return vigie_words(request->lang, form, "n", number, NULL);
}

/* Devices by state, worst first; each leads to its list. */
static json_t *tiles(const Request *request, const json_t *view) {
    static const char *const states[] = {"broken", "soon", "unknown", "well"};
    const json_t *devices = json_object_get(view, "devices");
    json_t *array = json_array();
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
        json_int_t count = member(devices, "by_state", states[i]);
        g_autofree char *key = g_strconcat("portal.tile.", states[i], NULL);
        g_autofree char *text = page_count_text(request, key, count);
        g_autofree char *link = g_strconcat("/devices?state=", states[i], NULL);
        json_array_append_new(array, json_pack("{s:s, s:I, s:s, s:s, s:b}", "state", states[i], "count",
                                               count, "text", text, "link", link, "none", count == 0));
    }
    return array;
}

/* The one sentence that answers "is all well?". */
static void add_headline(const Request *request, json_t *view) {
    const json_t *devices = json_object_get(view, "devices");
    json_int_t total = member(devices, "total", NULL), broken = member(devices, "by_state", "broken");
    json_int_t soon = member(devices, "by_state", "soon"), unknown = member(devices, "by_state", "unknown");
    const char *state = total == 0    ? "empty"
                        : broken > 0  ? "broken"
                        : soon > 0    ? "soon"
                        : unknown > 0 ? "unknown"
                                      : "well";
    json_int_t count = broken > 0 ? broken : soon > 0 ? soon : unknown > 0 ? unknown : total;
    bool unseen = unknown == total && !json_object_get(json_object_get(view, "last_survey"), "id");
    g_autofree char *key = g_strconcat("portal.headline.", unseen && total ? "unseen" : state, NULL);
    g_autofree char *text = page_count_text(request, key, count);
    g_autofree char *of = page_count_text(request, "portal.headline.of", total);
    json_object_set_new(view, "headline",
                        json_pack("{s:s, s:s, s:s}", "state", state, "text", text, "of", of));
    json_object_set_new(view, "none_yet", json_boolean(total == 0));
}

/* "déc." from "3 déc. 2026"; the year beside it where it begins. */
static char *month_label(const Request *request, VigieTime start, const char *previous) {
    g_autofree char *day = vigie_date_text(request->lang, request->portal->zone, start);
    g_auto(GStrv) parts = g_strsplit(day, " ", 3);
    if (g_strv_length(parts) < 3 || strcmp(parts[1], previous) == 0)
        return g_strdup("");
    return g_strdup(parts[1]);
}

typedef struct {
    GArray *bars;
    GPtrArray *texts; /* owns what the bars point at */
} Bars;

static void add_bar(Bars *bars, char *label, char *hint, int64_t count, VigieState state) {
    g_ptr_array_add(bars->texts, label);
    g_ptr_array_add(bars->texts, hint);
    VigieBar bar = {label, hint, count, state};
    g_array_append_val(bars->bars, bar);
}

static void add_weeks(const Request *request, json_t *view, Bars *bars) {
    size_t index;
    json_t *week, *rows = json_array();
    g_autofree char *previous = g_strdup("");
    json_array_foreach(json_object_get(json_object_get(view, "timeline"), "weeks"), index, week) {
        const char *text = json_string_value(json_object_get(week, "start"));
        g_autofree char *midnight =
            g_strconcat(text ? text : "", strlen(text ? text : "") == 10 ? "T12:00:00Z" : "", NULL);
        VigieTime start;
        if (!vigie_time_parse_rfc3339(midnight, &start, NULL))
            continue;
        json_int_t count = member(week, "count", NULL);
        char *label = month_label(request, start, previous);
        g_autofree char *day = vigie_date_text(request->lang, request->portal->zone, start);
        g_autofree char *number = g_strdup_printf("%" JSON_INTEGER_FORMAT, count);
        char *hint = vigie_words(request->lang, "portal.chart.week", "day", day, "n", number, NULL);
        if (*label) {
            g_free(previous);
            previous = g_strdup(label);
        }
        add_bar(bars, label, hint, count, index < SOON_WEEKS ? VIGIE_STATE_SOON : VIGIE_STATE_WELL);
        if (count > 0)
            json_array_append_new(rows, json_pack("{s:s, s:I}", "day", day, "count", count));
    }
    json_object_set_new(view, "weeks", rows);
}

/* A chart without a bar says nothing: why there is none is said instead. */
static void add_nothing_ends(const Request *request, json_t *view, json_int_t count) {
    json_int_t later = member(view, "expiry", "later");
    g_autofree char *text = later > 0 ? page_count_text(request, "portal.chart.later", later) : NULL;
    if (count == 0)
        json_object_set_new(view, "nothing_ends",
                            json_string(text ? text : vigie_word(request->lang, "portal.chart.unseen")));
}

static void add_timeline(const Request *request, json_t *view) {
    Bars bars = {g_array_new(FALSE, FALSE, sizeof(VigieBar)), g_ptr_array_new_with_free_func(g_free)};
    json_int_t ended = member(view, "expiry", "ended");
    char *hint = page_count_text(request, "portal.chart.ended", ended);
    json_object_set_new(view, "ended_text", json_string(hint));
    add_bar(&bars, g_strdup(vigie_word(request->lang, "portal.chart.ended-label")), hint, ended,
            VIGIE_STATE_BROKEN);
    for (int i = 0; i < GAP_BARS; i++)
        add_bar(&bars, g_strdup(""), g_strdup(""), 0, VIGIE_STATE_WELL);
    add_weeks(request, view, &bars);
    g_autofree char *svg = document_bars_svg(vigie_word(request->lang, "portal.chart.title"),
                                             vigie_word(request->lang, "portal.chart.description"),
                                             (const VigieBar *)(const void *)bars.bars->data, bars.bars->len);
    json_object_set_new(view, "chart", json_string(svg));
    json_int_t count = 0;
    for (guint i = 0; i < bars.bars->len; i++)
        count += g_array_index(bars.bars, VigieBar, i).value;
    add_nothing_ends(request, view, count);
    g_array_unref(bars.bars);
    g_ptr_array_unref(bars.texts);
}

DRESS(dress_overview) {
    (void)error;
    add_headline(request, view);
    json_object_set_new(view, "tiles", tiles(request, view));
    add_timeline(request, view);
    json_int_t total = member(view, "silent_total", NULL);
    json_int_t shown = (json_int_t)json_array_size(json_object_get(view, "silent"));
    json_object_set_new(view, "silent_more", json_boolean(total > shown));
    json_object_set_new(view, "many_organisations",
                        json_boolean(json_array_size(json_object_get(view, "organisations")) > 1));
    json_object_set_new(view, "any_next", json_boolean(json_array_size(json_object_get(view, "next")) > 0));
    registration_say_waiting(request, view);
    return true;
}
