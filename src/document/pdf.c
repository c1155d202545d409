/* pdf: a model on paper. */
#include "document/paper.h"

#include <string.h>

enum { BODY = 10, LINE = 14 };

/* Lines on as many pages as they need; no line is left alone at the end of one or the beginning of the next. */
static void set_lines(Paper *paper, PangoLayout *layout, const char *tag, double x, unsigned ink) {
    int lines = pango_layout_get_line_count(layout), line = 0;
    paper_need(paper, MIN(paper_height(layout), 2 * LINE));
    while (line < lines) {
        double left = paper_left(paper), used = 0;
        if (lines - line > 3 && paper_height(layout) > left && left > 4 * LINE)
            left -= LINE; /* the last two go over together */
        paper_tag(paper, tag);
        int next = paper_lines(paper, layout, x, paper->y, line, left, ink, &used);
        paper_untag(paper);
        paper->y += used;
        if (next < lines && next == line && paper->y <= PAPER_TOP)
            break; /* one line higher than a page: nothing of ours */
        line = next;
        if (line < lines)
            paper_page_next(paper);
    }
}

static void set_heading(Paper *paper, const json_t *content, const json_t *block) {
    static const double sizes[] = {15, 12, 10.5};
    static const char *const tags[] = {"H2", "H3", "H4"};
    json_int_t level =
        json_object_get(block, "level") ? json_integer_value(json_object_get(block, "level")) : 1;
    double size = sizes[level - 1];
    g_autoptr(PangoLayout) layout = paper_layout(paper, json_string_value(content), PAPER_INNER, size, true);
    paper_space(paper, level == 1 ? 16 : 9);
    paper_need(paper, paper_height(layout) + 4 * LINE); /* with what it is the heading of */
    set_lines(paper, layout, tags[level - 1], PAPER_SIDE, level == 1 ? PAPER_ACCENT : PAPER_INK);
    paper_space(paper, 4);
}

/* So many lines at a time: pango finds the first of a page by counting from the top. */
static char *take_lines(const char **text) {
    enum { LINES = 300 };
    const char *end = *text;
    for (int lines = 0; *end && lines < LINES; lines++) {
        end += strcspn(end, "\n");
        end += *end == '\n';
    }
    bool more = *end && end > *text;
    char *taken = g_strndup(*text, (gsize)(end - *text) - (more ? 1 : 0));
    *text = end;
    return taken;
}

static void set_text(Paper *paper, const json_t *content, const json_t *block) {
    (void)block;
    const char *text = json_string_value(content);
    do {
        g_autofree char *part = take_lines(&text);
        g_autoptr(PangoLayout) layout = paper_layout(paper, part, PAPER_INNER, BODY, false);
        set_lines(paper, layout, "P", PAPER_SIDE, PAPER_INK);
    } while (*text);
    paper_space(paper, 6);
}

/* A bar along its side, on each page that it reaches. */
static void set_note(Paper *paper, const json_t *content, const json_t *block) {
    (void)block;
    g_autoptr(PangoLayout) layout =
        paper_layout(paper, json_string_value(content), PAPER_INNER - 24, BODY, false);
    double height = paper_height(layout);
    paper_space(paper, 3);
    if (height + 16 < PAPER_FLOOR - PAPER_TOP) {
        paper_need(paper, height + 16);
        paper_box(paper, PAPER_SIDE, paper->y, PAPER_INNER, height + 16, PAPER_TINT);
        paper_box(paper, PAPER_SIDE, paper->y, 3, height + 16, PAPER_ACCENT);
        paper->y += 8;
    }
    set_lines(paper, layout, "P", PAPER_SIDE + 14, PAPER_INK);
    paper_space(paper, 16);
}

static void set_item(Paper *paper, const json_t *item, const char *mark) {
    double used = 0;
    g_autofree char *text = model_text(item);
    g_autoptr(PangoLayout) layout = paper_layout(paper, text, PAPER_INNER - 20, BODY, false);
    g_autoptr(PangoLayout) label = paper_layout(paper, mark, 0, BODY, false);
    paper_need(paper, MIN(paper_height(layout), 2 * LINE));
    paper_tag(paper, "LI");
    paper_tag(paper, "Lbl");
    paper_lines(paper, label, PAPER_SIDE + 4, paper->y, 0, 2 * LINE, PAPER_INK, &used);
    paper_untag(paper);
    set_lines(paper, layout, "LBody", PAPER_SIDE + 20, PAPER_INK);
    paper_untag(paper);
    paper_space(paper, 2);
}

static void set_list(Paper *paper, const json_t *content, const json_t *block) {
    bool ordered = json_is_true(json_object_get(block, "ordered"));
    size_t index;
    json_t *item;
    paper_tag(paper, "L");
    json_array_foreach(content, index, item) {
        g_autofree char *mark = ordered ? g_strdup_printf("%zu.", index + 1) : g_strdup("•");
        set_item(paper, item, mark);
    }
    paper_untag(paper);
    paper_space(paper, 4);
}

static void set_facts(Paper *paper, const json_t *content, const json_t *block) {
    (void)block;
    paper_facts(paper, content);
}

static void set_table(Paper *paper, const json_t *content, const json_t *block) {
    paper_table(paper, content, json_object_get(block, "bars") != NULL);
}

static void set_break(Paper *paper, const json_t *content, const json_t *block) {
    (void)content;
    (void)block;
    if (paper->y > PAPER_TOP)
        paper_page_next(paper);
}

static void set_title(Paper *paper) {
    const char *subtitle = vigie_member_text(paper->model, "subtitle"),
               *date = vigie_member_text(paper->model, "date");
    const char *author = vigie_member_text(paper->model, "author");
    g_autofree char *below = g_strjoin(*author && *date ? " · " : "", author, date, NULL);
    const struct {
        const char *text;
        double size;
        bool strong;
        unsigned ink;
    } lines[] = {{vigie_member_text(paper->model, "title"), 21, true, PAPER_INK},
                 {subtitle, 12, false, PAPER_SOFT},
                 {below, 9.5, false, PAPER_SOFT}};
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        if (!*lines[i].text)
            continue;
        g_autoptr(PangoLayout) layout =
            paper_layout(paper, lines[i].text, PAPER_INNER, lines[i].size, lines[i].strong);
        set_lines(paper, layout, i == 0 ? "H1" : "P", PAPER_SIDE, lines[i].ink);
        paper->y += 4;
    }
    paper->y += 4;
    paper_box(paper, PAPER_SIDE, paper->y, PAPER_INNER, 1.2, PAPER_ACCENT);
    paper->y += 14;
}

static void set_document(Paper *paper) {
    static void (*const setters[BLOCKS])(Paper *, const json_t *, const json_t *) = {
        [BLOCK_HEADING] = set_heading, [BLOCK_TEXT] = set_text,   [BLOCK_NOTE] = set_note,
        [BLOCK_LIST] = set_list,       [BLOCK_FACTS] = set_facts, [BLOCK_TABLE] = set_table,
        [BLOCK_BARS] = set_table,      [BLOCK_BREAK] = set_break,
    };
    size_t index;
    json_t *block;
    paper->page = 0;
    paper->layout = 0;
    paper_page_begin(paper);
    set_title(paper);
    json_array_foreach(json_object_get(paper->model, "blocks"), index, block) {
        const json_t *content = NULL;
        BlockKind kind = model_block(block, &content);
        setters[kind](paper, content, block);
    }
    paper_page_end(paper);
}

/* ---- The file ----------------------------------------------------------------------------------------------- */
static cairo_status_t append(void *data, const unsigned char *bytes, unsigned size) {
    g_byte_array_append(data, bytes, size);
    return CAIRO_STATUS_SUCCESS;
}

static void set_metadata(const Paper *paper, VigieTime created) {
    g_autofree char *date = vigie_time_rfc3339(created);
    cairo_surface_t *surface = paper->surface;
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE,
                                   vigie_member_text(paper->model, "title"));
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_AUTHOR,
                                   vigie_member_text(paper->model, "author"));
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_SUBJECT,
                                   vigie_member_text(paper->model, "subtitle"));
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATOR, "Vigie " VIGIE_VERSION);
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, date);
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_MOD_DATE, date);
}

static void open_paper(Paper *paper, GByteArray *out) {
    paper->surface = cairo_pdf_surface_create_for_stream(append, out, PAPER_WIDTH, PAPER_HEIGHT);
    cairo_pdf_surface_restrict_to_version(paper->surface, CAIRO_PDF_VERSION_1_5);
    paper->cr = cairo_create(paper->surface);
    paper->context = pango_cairo_create_context(paper->cr);
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    pango_cairo_context_set_font_options(paper->context, options);
    cairo_font_options_destroy(options);
    pango_cairo_context_set_resolution(paper->context, 72);
    pango_context_set_language(paper->context, pango_language_from_string(vigie_lang_code(paper->lang)));
}

static cairo_status_t close_paper(Paper *paper) {
    g_object_unref(paper->context);
    cairo_destroy(paper->cr);
    cairo_surface_finish(paper->surface);
    cairo_status_t status = cairo_surface_status(paper->surface);
    cairo_surface_destroy(paper->surface);
    return status;
}

GBytes *document_pdf(const json_t *model, VigieTime created, GError **error) {
    if (!document_model_check(model, error))
        return NULL;
    g_autoptr(GByteArray) out = g_byte_array_new();
    Paper paper = {
        .model = model, .tags = g_ptr_array_new(), .layouts = g_ptr_array_new_with_free_func(g_object_unref)};
    vigie_lang_parse(vigie_member_text(model, "language"), &paper.lang);
    open_paper(&paper, out);
    set_document(&paper);
    paper.pages = paper.page;
    paper.draws = true;
    set_metadata(&paper, created);
    set_document(&paper);
    g_ptr_array_unref(paper.layouts);
    cairo_status_t status = close_paper(&paper);
    g_ptr_array_unref(paper.tags);
    if (status == CAIRO_STATUS_SUCCESS)
        return paper_with_language(out, paper.lang);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "PDF: %s", cairo_status_to_string(status));
    return NULL;
}
