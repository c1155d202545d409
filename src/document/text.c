/* text: a model for mails and terminals. */
#include "document/model.h"

enum { WIDTH = 72, GAP = 2, COLUMNS_MAX = 20 };

/* As terminals show it. */
static size_t width_of(const char *text) {
    size_t width = 0;
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        width += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    }
    return width;
}

static void append_repeated(GString *out, const char *what, size_t count) {
    while (count-- > 0)
        g_string_append(out, what);
}

/* Words in lines; the first begins with `first`, the others with as many spaces. */
static void append_wrapped(GString *out, const char *first, const char *text) {
    size_t indent = width_of(first), at = indent;
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    g_string_append(out, first);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) words = g_strsplit(*line, " ", 0);
        if (line != lines) {
            g_string_append_c(out, '\n');
            append_repeated(out, " ", indent);
            at = indent;
        }
        for (char **word = words; *word; word++) {
            if (!**word)
                continue;
            if (at > indent && at + 1 + width_of(*word) > WIDTH) {
                g_string_append_c(out, '\n');
                append_repeated(out, " ", indent);
                at = indent;
            } else if (at > indent) {
                g_string_append_c(out, ' ');
                at++;
            }
            g_string_append(out, *word);
            at += width_of(*word);
        }
    }
    g_string_append_c(out, '\n');
}

static void append_heading(GString *out, const char *text, const char *line) {
    append_wrapped(out, "", text);
    append_repeated(out, line, MIN(width_of(text), WIDTH));
    g_string_append(out, "\n\n");
}

static void put_heading(GString *out, const json_t *content, const json_t *block) {
    const json_t *level = json_object_get(block, "level");
    if (!level || json_integer_value(level) == 1)
        append_heading(out, json_string_value(content), "-");
    else
        append_wrapped(out, "", json_string_value(content));
}

static void put_text(GString *out, const json_t *content, const json_t *block) {
    append_wrapped(out, json_object_get(block, "note") ? "| " : "", json_string_value(content));
    g_string_append_c(out, '\n');
}

static void put_list(GString *out, const json_t *content, const json_t *block) {
    bool ordered = json_is_true(json_object_get(block, "ordered"));
    size_t index;
    json_t *item;
    json_array_foreach(content, index, item) {
        g_autofree char *mark = ordered ? g_strdup_printf("%2zu. ", index + 1) : g_strdup("- ");
        g_autofree char *text = model_text(item);
        append_wrapped(out, mark, text);
    }
    g_string_append_c(out, '\n');
}

static void put_facts(GString *out, const json_t *content, const json_t *block) {
    (void)block;
    size_t index, widest = 0;
    json_t *fact;
    json_array_foreach(content, index, fact) {
        g_autofree char *label = model_text(json_array_get(fact, 0));
        widest = MIN(MAX(widest, width_of(label)), 28);
    }
    json_array_foreach(content, index, fact) {
        g_autofree char *label = model_text(json_array_get(fact, 0)),
                        *text = model_text(json_array_get(fact, 1));
        GString *first = g_string_new(label);
        append_repeated(first, " ", GAP + widest - MIN(widest, width_of(label)));
        append_wrapped(out, first->str, text);
        g_string_free(first, TRUE);
    }
    g_string_append_c(out, '\n');
}

/* ---- Tables ------------------------------------------------------------------------------------------------- */
static size_t measure(const json_t *table, size_t *widths) {
    const json_t *columns = json_object_get(table, "columns");
    size_t index, at, total = 0;
    json_t *row, *cell;
    json_array_foreach(columns, at, cell) widths[at] = width_of(model_column_title(cell));
    json_array_foreach(json_object_get(table, "rows"), index, row) json_array_foreach(row, at, cell) {
        g_autofree char *text = model_text(cell);
        widths[at] = MAX(widths[at], strchr(text, '\n') ? WIDTH : width_of(text));
    }
    for (at = 0; at < json_array_size(columns); at++)
        total += widths[at] + (at > 0 ? GAP : 0);
    return total;
}

static void append_cell(GString *out, const char *text, size_t width, bool right, bool last) {
    size_t fill = width - MIN(width, width_of(text));
    if (right)
        append_repeated(out, " ", fill);
    g_string_append(out, text);
    if (!last)
        append_repeated(out, " ", (right ? 0 : fill) + GAP);
}

static void put_grid(GString *out, const json_t *table, const size_t *widths, bool bars) {
    const json_t *columns = json_object_get(table, "columns");
    size_t index, at, count = json_array_size(columns), total = 0;
    json_t *row, *cell;
    json_array_foreach(columns, at, cell) {
        append_cell(out, model_column_title(cell), widths[at], model_column_right(cell) || (bars && at == 1),
                    at + 1 == count);
        total += widths[at] + (at > 0 ? GAP : 0);
    }
    g_string_append_c(out, '\n');
    append_repeated(out, "-", total);
    g_string_append_c(out, '\n');
    json_array_foreach(json_object_get(table, "rows"), index, row) {
        json_array_foreach(row, at, cell) {
            g_autofree char *text = model_text(cell);
            append_cell(out, text, widths[at],
                        model_column_right(json_array_get(columns, at)) || (bars && at == 1),
                        at + 1 == count);
        }
        g_string_append_c(out, '\n');
    }
}

/* Too wide: each row is a block of its own. */
static void put_blocks(GString *out, const json_t *table) {
    const json_t *columns = json_object_get(table, "columns");
    size_t index, at;
    json_t *row, *cell;
    json_array_foreach(json_object_get(table, "rows"), index, row) {
        g_string_append(out, index > 0 ? "\n" : "");
        json_array_foreach(row, at, cell) {
            const char *title = model_column_title(json_array_get(columns, at));
            g_autofree char *text = model_text(cell),
                            *first = g_strdup_printf(*title ? "%s%s: " : "%s%s", at > 0 ? "  " : "", title);
            append_wrapped(out, first, text);
        }
    }
}

static void put_table(GString *out, const json_t *content, const json_t *block) {
    size_t widths[COLUMNS_MAX] = {0};
    const char *caption = vigie_member_text(content, "caption"), *empty = vigie_member_text(content, "empty");
    if (*caption)
        append_wrapped(out, "", caption);
    if (json_array_size(json_object_get(content, "rows")) == 0)
        append_wrapped(out, "", *empty ? empty : "-");
    else if (measure(content, widths) <= WIDTH)
        put_grid(out, content, widths, json_object_get(block, "bars") != NULL);
    else
        put_blocks(out, content);
    g_string_append_c(out, '\n');
}

static void put_break(GString *out, const json_t *content, const json_t *block) {
    (void)content;
    (void)block;
    append_repeated(out, "-", WIDTH);
    g_string_append(out, "\n\n");
}

char *document_text(const json_t *model, GError **error) {
    static void (*const put[BLOCKS])(GString *, const json_t *, const json_t *) = {
        [BLOCK_HEADING] = put_heading, [BLOCK_TEXT] = put_text,   [BLOCK_NOTE] = put_text,
        [BLOCK_LIST] = put_list,       [BLOCK_FACTS] = put_facts, [BLOCK_TABLE] = put_table,
        [BLOCK_BARS] = put_table,      [BLOCK_BREAK] = put_break,
    };
    static const char *const below[] = {"subtitle", "author", "date"};
    if (!document_model_check(model, error))
        return NULL;
    GString *out = g_string_new(NULL);
    unsigned colour = 0;
    const char *label = model_tlp(model, &colour);
    if (label) /* TLP 2.0: before the text; and behind it */
        g_string_append_printf(out, "TLP:%s\n\n", label);
    append_heading(out, vigie_member_text(model, "title"), "=");
    for (size_t i = 0; i < G_N_ELEMENTS(below); i++)
        if (*vigie_member_text(model, below[i]))
            append_wrapped(out, "", vigie_member_text(model, below[i]));
    g_string_append_c(out, '\n');
    size_t index;
    json_t *block;
    json_array_foreach(json_object_get(model, "blocks"), index, block) {
        const json_t *content = NULL;
        BlockKind kind = model_block(block, &content);
        put[kind](out, content, block);
    }
    if (label)
        g_string_append_printf(out, "TLP:%s\n", label);
    return g_string_free(out, FALSE);
}
