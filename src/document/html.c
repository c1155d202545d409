/* html: a model as what stands in a page. */
#include "document/model.h"

#include <string.h>

static void append(GString *out, const char *text) {
    document_append_escaped(out, text, strlen(text));
}

/* <tag class="class">text</tag>; a line feed breaks the line. */
static void element(GString *out, const char *tag, const char *class, const json_t *text) {
    g_autofree char *plain = model_text(text);
    g_auto(GStrv) lines = g_strsplit(plain, "\n", 0);
    g_string_append_printf(out, *class ? "<%s class=\"%s\">" : "<%s>", tag, class);
    for (char **line = lines; *line; line++) {
        append(out, *line);
        g_string_append(out, line[1] ? "<br>" : "");
    }
    g_string_append_printf(out, "</%s>", tag);
}

static void put_heading(GString *out, const json_t *content, const json_t *block) {
    static const char *const tags[] = {"h2", "h3", "h4"};
    const json_t *level = json_object_get(block, "level");
    element(out, tags[level ? json_integer_value(level) - 1 : 0], "", content);
}

static void put_text(GString *out, const json_t *content, const json_t *block) {
    element(out, "p", json_object_get(block, "note") ? "note" : "", content);
}

static void put_list(GString *out, const json_t *content, const json_t *block) {
    const char *tag = json_is_true(json_object_get(block, "ordered")) ? "ol" : "ul";
    size_t index;
    json_t *item;
    g_string_append_printf(out, "<%s>", tag);
    json_array_foreach(content, index, item) element(out, "li", "", item);
    g_string_append_printf(out, "</%s>", tag);
}

static void put_facts(GString *out, const json_t *content, const json_t *block) {
    (void)block;
    size_t index;
    json_t *fact;
    g_string_append(out, "<dl class=\"facts\">");
    json_array_foreach(content, index, fact) {
        g_string_append(out, "<div>");
        element(out, "dt", "", json_array_get(fact, 0));
        element(out, "dd", "", json_array_get(fact, 1));
        g_string_append(out, "</div>");
    }
    g_string_append(out, "</dl>");
}

static void put_bar(GString *out, const json_t *cell, double max) {
    if (json_is_number(cell))
        g_string_append_printf(out,
                               "<svg class=\"bar\" viewBox=\"0 0 200 8\" width=\"200\" height=\"8\" "
                               "aria-hidden=\"true\"><rect width=\"%d\" height=\"8\"/></svg> ",
                               (int)(200 * MAX(0, json_number_value(cell)) / max));
}

static void put_rows(GString *out, const json_t *table, bool bars) {
    const json_t *columns = json_object_get(table, "columns");
    double max = bars ? model_bars_max(table) : 1;
    size_t index, at;
    json_t *row, *cell;
    json_array_foreach(json_object_get(table, "rows"), index, row) {
        g_string_append(out, "<tr>");
        json_array_foreach(row, at, cell) {
            bool right = model_column_right(json_array_get(columns, at)) || (bars && at == 1);
            g_autofree char *text = model_text(cell);
            g_string_append(out, right ? "<td class=\"number\">" : "<td>");
            if (bars && at == 1)
                put_bar(out, cell, max);
            append(out, text);
            g_string_append(out, "</td>");
        }
        g_string_append(out, "</tr>");
    }
}

static void put_table(GString *out, const json_t *content, const json_t *block) {
    bool bars = json_object_get(block, "bars") != NULL;
    const char *caption = vigie_member_text(content, "caption");
    size_t index;
    json_t *column;
    if (json_array_size(json_object_get(content, "rows")) == 0) {
        if (*caption)
            element(out, "h4", "", json_object_get(content, "caption"));
        g_string_append(out, "<p class=\"empty\">");
        append(out, *vigie_member_text(content, "empty") ? vigie_member_text(content, "empty") : "—");
        g_string_append(out, "</p>");
        return;
    }
    g_string_append(out, bars ? "<div class=\"wide\" tabindex=\"0\"><table class=\"rows bars\">"
                              : "<div class=\"wide\" tabindex=\"0\"><table class=\"rows\">");
    if (*caption)
        element(out, "caption", "", json_object_get(content, "caption"));
    g_string_append(out, "<thead><tr>");
    json_array_foreach(json_object_get(content, "columns"), index, column) {
        bool right = model_column_right(column) || (bars && index == 1);
        g_string_append(out, right ? "<th scope=\"col\" class=\"number\">" : "<th scope=\"col\">");
        append(out, model_column_title(column));
        g_string_append(out, "</th>");
    }
    g_string_append(out, "</tr></thead><tbody>");
    put_rows(out, content, bars);
    g_string_append(out, "</tbody></table></div>");
}

static void put_break(GString *out, const json_t *content, const json_t *block) {
    (void)content;
    (void)block;
    g_string_append(out, "<hr>");
}

/* "amber" of "AMBER+STRICT". */
static const char *colour_class(const char *label) {
    static const char *const classes[] = {"red", "amber", "green", "clear"};
    for (size_t i = 0; i < G_N_ELEMENTS(classes); i++)
        if (g_ascii_strncasecmp(label, classes[i], strlen(classes[i])) == 0)
            return classes[i];
    return "";
}

static void put_title(GString *out, const json_t *model) {
    static const char *const lines[][2] = {{"subtitle", "subtitle"}, {"author", "author"}, {"date", "date"}};
    unsigned colour = 0;
    const char *label = model_tlp(model, &colour);
    g_string_append(out, "<header>");
    if (label)
        g_string_append_printf(out, "<p><span class=\"tlp %s\">TLP:%s</span></p>", colour_class(label),
                               label);
    element(out, "h1", "", json_object_get(model, "title"));
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
        if (*vigie_member_text(model, lines[i][0]))
            element(out, "p", lines[i][1], json_object_get(model, lines[i][0]));
    g_string_append(out, "</header>\n");
}

char *document_html(const json_t *model, GError **error) {
    static void (*const put[BLOCKS])(GString *, const json_t *, const json_t *) = {
        [BLOCK_HEADING] = put_heading, [BLOCK_TEXT] = put_text,   [BLOCK_NOTE] = put_text,
        [BLOCK_LIST] = put_list,       [BLOCK_FACTS] = put_facts, [BLOCK_TABLE] = put_table,
        [BLOCK_BARS] = put_table,      [BLOCK_BREAK] = put_break,
    };
    if (!document_model_check(model, error))
        return NULL;
    GString *out = g_string_new(NULL);
    size_t index;
    json_t *block;
    g_string_append_printf(out, "<article class=\"document\" lang=\"%s\">\n",
                           vigie_member_text(model, "language"));
    put_title(out, model);
    json_array_foreach(json_object_get(model, "blocks"), index, block) {
        const json_t *content = NULL;
        BlockKind kind = model_block(block, &content);
        put[kind](out, content, block);
        g_string_append_c(out, '\n');
    }
    g_string_append(out, "</article>\n");
    return g_string_free(out, FALSE);
}
