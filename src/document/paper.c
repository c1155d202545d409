#include "document/paper.h"

#include <string.h>

enum { LAYOUTS_MAX = 20000 };

/* What fontconfig keeps for the life of a process looks like a leak to the checks of the tests. */
#ifdef __SANITIZE_ADDRESS__
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libfontconfig";
}
#endif

/* ---- Drawing ------------------------------------------------------------------------------------------------ */
static void set_ink(Paper *paper, unsigned colour) {
    cairo_set_source_rgb(paper->cr, (colour >> 16 & 0xff) / 255.0, (colour >> 8 & 0xff) / 255.0,
                         (colour & 0xff) / 255.0);
}

void paper_box(Paper *paper, double x, double y, double width, double height, unsigned colour) {
    if (!paper->draws)
        return;
    set_ink(paper, colour);
    cairo_rectangle(paper->cr, x, y, width, height);
    cairo_fill(paper->cr);
}

/* What pango takes a time for that grows with the square is broken up: marks heaped on one letter, words and paragraphs
 * without end. */
static char *tame(const char *text) {
    enum { SHORT = 1000, MARKS = 8, WORD = 1000, PARAGRAPH = 4000 };
    if (strlen(text) <= SHORT)
        return g_strdup(text);
    GString *tamed = g_string_new(NULL);
    unsigned marks = 0, word = 0, paragraph = 0;
    for (const char *at = text; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        marks = g_unichar_ismark(c) ? marks + 1 : 0;
        if (marks > MARKS)
            continue;
        bool space = c == ' ' || c == '\n';
        if ((c == ' ' && paragraph >= PARAGRAPH) || (!space && word >= WORD && marks == 0)) {
            g_string_append_c(tamed, '\n');
            word = paragraph = 0;
        }
        word = space ? 0 : word + 1;
        paragraph = c == '\n' ? 0 : paragraph + 1;
        g_string_append_unichar(tamed, c);
    }
    return g_string_free(tamed, FALSE);
}

static PangoLayout *new_layout(const Paper *paper, const char *text, double width, double size, bool strong) {
    PangoLayout *layout = pango_layout_new(paper->context);
    PangoFontDescription *font = pango_font_description_from_string("Sans");
    pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
    pango_font_description_set_weight(font, strong ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_layout_set_font_description(layout, font);
    pango_font_description_free(font);
    pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
    pango_layout_set_line_spacing(layout, 1.15F);
    g_autofree char *tamed = tame(text);
    pango_layout_set_text(layout, tamed, -1);
    if (width > 0)
        pango_layout_set_width(layout, (int)(width * PANGO_SCALE));
    return layout;
}

PangoLayout *paper_layout(Paper *paper, const char *text, double width, double size, bool strong) {
    guint at = paper->layout++;
    if (paper->draws && at < paper->layouts->len) {
        PangoLayout *known = g_object_ref(paper->layouts->pdata[at]);
        return known;
    }
    PangoLayout *layout = new_layout(paper, text, width, size, strong);
    if (!paper->draws && paper->layouts->len < LAYOUTS_MAX)
        g_ptr_array_add(paper->layouts, g_object_ref(layout));
    return layout;
}

double paper_height(PangoLayout *layout) {
    PangoRectangle all;
    pango_layout_get_extents(layout, NULL, &all);
    return (double)all.height / PANGO_SCALE;
}

int paper_lines(Paper *paper, PangoLayout *layout, double x, double y, int first, double height, unsigned ink,
                double *ret_height) {
    PangoLayoutIter *at = pango_layout_get_iter(layout);
    double top = -1, used = 0;
    int line = 0;
    do {
        int from = 0, to = 0;
        PangoRectangle extents;
        pango_layout_iter_get_line_yrange(at, &from, &to);
        if (line++ < first)
            continue;
        if (top < 0)
            top = (double)from / PANGO_SCALE;
        if ((double)to / PANGO_SCALE - top > height + 0.01) {
            line--;
            break;
        }
        used = (double)to / PANGO_SCALE - top;
        if (!paper->draws)
            continue;
        pango_layout_iter_get_line_extents(at, NULL, &extents);
        set_ink(paper, ink);
        cairo_move_to(paper->cr, x + (double)extents.x / PANGO_SCALE,
                      y - top + (double)pango_layout_iter_get_baseline(at) / PANGO_SCALE);
        pango_cairo_show_layout_line(paper->cr, pango_layout_iter_get_line_readonly(at));
    } while (pango_layout_iter_next_line(at));
    pango_layout_iter_free(at);
    *ret_height = used;
    return line;
}

/* ---- Structure ---------------------------------------------------------------------------------------------- */
void paper_tag(Paper *paper, const char *name) {
    g_ptr_array_add(paper->tags, (gpointer)name);
    if (paper->draws)
        cairo_tag_begin(paper->cr, name, NULL);
}

void paper_untag(Paper *paper) {
    const char *name = g_ptr_array_steal_index(paper->tags, paper->tags->len - 1);
    if (paper->draws)
        cairo_tag_end(paper->cr, name);
}

/* ---- Pages -------------------------------------------------------------------------------------------------- */
/* TLP 2.0: the label in header and footer of each page, 12 points or more, to the right, in its colour on black. */
static double draw_label(Paper *paper, double y) {
    unsigned colour = 0;
    const char *label = model_tlp(paper->model, &colour);
    if (!label)
        return 0;
    g_autofree char *text = g_strconcat("TLP:", label, NULL);
    g_autoptr(PangoLayout) layout = paper_layout(paper, text, 0, 12, true);
    PangoRectangle size;
    pango_layout_get_extents(layout, NULL, &size);
    double width = (double)size.width / PANGO_SCALE, height = (double)size.height / PANGO_SCALE, used;
    double x = PAPER_WIDTH - PAPER_SIDE - width - 12;
    paper_box(paper, x, y, width + 12, height + 4, 0x000000);
    paper_lines(paper, layout, x + 6, y + 2, 0, height, colour, &used);
    return width + 24;
}

static void draw_margin(Paper *paper, const char *text, double y) {
    double label = draw_label(paper, y), used;
    /* Not one of those kept: the number of pages is not known the first time. */
    g_autoptr(PangoLayout) layout = new_layout(paper, text, PAPER_INNER - label, 8.5, false);
    pango_layout_set_height(layout, -1);
    pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
    paper_lines(paper, layout, PAPER_SIDE, y + 4, 0, 40, PAPER_SOFT, &used);
}

void paper_page_begin(Paper *paper) {
    paper->page++;
    paper->y = PAPER_TOP;
    const char *title = vigie_member_text(paper->model, "title"),
               *author = vigie_member_text(paper->model, "author");
    g_autofree char *both = *author ? g_strdup_printf("%s · %s", author, title) : g_strdup(title);
    g_autofree char *number = g_strdup_printf("%d/%d", paper->page, paper->pages);
    draw_margin(paper, both, 28);
    draw_margin(paper, number, PAPER_HEIGHT - 46);
    for (guint i = 0; paper->draws && i < paper->tags->len; i++)
        cairo_tag_begin(paper->cr, paper->tags->pdata[i], NULL);
}

void paper_page_end(Paper *paper) {
    for (guint i = paper->tags->len; paper->draws && i > 0; i--)
        cairo_tag_end(paper->cr, paper->tags->pdata[i - 1]);
    if (paper->draws)
        cairo_show_page(paper->cr);
}

void paper_page_next(Paper *paper) {
    paper_page_end(paper);
    paper_page_begin(paper);
}

double paper_left(const Paper *paper) {
    return PAPER_FLOOR - paper->y;
}

void paper_need(Paper *paper, double height) {
    if (paper_left(paper) < height && paper->y > PAPER_TOP)
        paper_page_next(paper);
}

void paper_space(Paper *paper, double height) {
    if (paper->y > PAPER_TOP)
        paper->y = MIN(paper->y + height, PAPER_FLOOR);
}
