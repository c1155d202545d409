/* chart: upright bars as an SVG that takes its colours from the page. */
#include "document/document.h"

#include <string.h>

enum { WIDTH = 720, HEIGHT = 176, TOP = 22, BASE = 148, LABEL = 166, GAP = 8 };

const char *document_state_name(VigieState state) {
    static const char *const names[] = {"well", "soon", "broken", "unknown"};
    return names[state];
}

static void append_element(GString *out, const char *name, const char *text) {
    g_string_append_printf(out, "<%s>", name);
    document_append_escaped(out, text, strlen(text));
    g_string_append_printf(out, "</%s>", name);
}

/* Hatching, so that a state is told without its colour. */
static void append_patterns(GString *out) {
    static const char *const lines[] = {
        [VIGIE_STATE_SOON] = "M0 8 8 0",
        [VIGIE_STATE_BROKEN] = "M0 0 8 8M0 8 8 0",
        [VIGIE_STATE_UNKNOWN] = "M4 0V8",
    };
    g_string_append(out, "<defs>");
    for (int state = VIGIE_STATE_SOON; state <= VIGIE_STATE_UNKNOWN; state++)
        g_string_append_printf(
            out,
            "<pattern id=\"hatch-%s\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">"
            "<path class=\"hatch\" d=\"%s\"/></pattern>",
            document_state_name((VigieState)state), lines[state]);
    g_string_append(out, "</defs>");
}

static void append_bar(GString *out, const VigieBar *bar, double x, double width, int64_t most) {
    double height = most > 0 ? (double)bar->value * (BASE - TOP) / (double)most : 0;
    if (bar->value > 0 && height < 3)
        height = 3; /* one among thousands is still seen */
    const char *state = document_state_name(bar->state);
    g_string_append(out, "<g class=\"column\">");
    append_element(out, "title", bar->hint);
    /* The whole column answers the pointer, not only what is drawn of it. */
    g_string_append_printf(out, "<rect class=\"reach\" x=\"%.1f\" y=\"0\" width=\"%.1f\" height=\"%d\"/>", x,
                           width, HEIGHT);
    for (int layer = 0; bar->value > 0 && layer < (bar->state == VIGIE_STATE_WELL ? 1 : 2); layer++)
        g_string_append_printf(
            out, "<rect class=\"bar %s\"%s%s%s x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
            layer ? "over" : state, layer ? " fill=\"url(#hatch-" : "", layer ? state : "",
            layer ? ")\"" : "", x, BASE - height, width, height);
    if (bar->value > 0)
        g_string_append_printf(
            out,
            "<text class=\"value\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%" G_GINT64_FORMAT "</text>",
            x + width / 2, BASE - height - 6, bar->value);
    if (*bar->label) {
        bool first = x < width; /* a long label would leave the picture on the left */
        g_string_append_printf(out, "<text class=\"label\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">",
                               first ? x : x + width / 2, LABEL, first ? "start" : "middle");
        document_append_escaped(out, bar->label, strlen(bar->label));
        g_string_append(out, "</text>");
    }
    g_string_append(out, "</g>");
}

char *document_bars_svg(const char *title, const char *description, const VigieBar *bars, gsize count) {
    GString *out = g_string_new(NULL);
    g_string_append_printf(
        out,
        "<svg class=\"chart\" role=\"img\" viewBox=\"0 0 %d %d\" aria-labelledby=\"chart-title "
        "chart-description\"><title id=\"chart-title\">",
        WIDTH, HEIGHT);
    document_append_escaped(out, title, strlen(title));
    g_string_append(out, "</title><desc id=\"chart-description\">");
    document_append_escaped(out, description, strlen(description));
    g_string_append(out, "</desc>");
    append_patterns(out);
    int64_t most = 0;
    for (gsize i = 0; i < count; i++)
        most = MAX(most, bars[i].value);
    double step = count > 0 ? (double)WIDTH / (double)count : WIDTH;
    double gap = MIN(GAP, step / 4);
    for (gsize i = 0; i < count; i++)
        append_bar(out, &bars[i], (double)i * step + gap / 2, step - gap, most);
    g_string_append_printf(out, "<path class=\"axis\" d=\"M0 %d.5H%d\"/></svg>", BASE, WIDTH);
    return g_string_free(out, FALSE);
}
