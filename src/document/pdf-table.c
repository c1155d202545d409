/* pdf-table: tables over pages. Columns take what they need, the head is repeated, a row is cut only where it is higher than
 * a page. */
#include "document/paper.h"

#include <string.h>

#define SIZE 9.0
#define PAD_X 5.0
#define PAD_Y 3.5

enum { COLUMNS_MAX = 20, SAMPLE = 200, WIDEST = 420, WORD_WIDEST = 150, BAR_WIDTH = 180 };

typedef struct {
    const json_t *table;
    size_t columns;
    bool bars;
    double max; /* of the bars */
    double x[COLUMNS_MAX], width[COLUMNS_MAX];
    bool right[COLUMNS_MAX];
} Table;

/* ---- Columns ------------------------------------------------------------------------------------------------ */
static double width_of(Paper *paper, const char *text, bool strong) {
    PangoRectangle size;
    g_autoptr(PangoLayout) layout = paper_layout(paper, text, 0, SIZE, strong);
    pango_layout_get_extents(layout, NULL, &size);
    return (double)size.width / PANGO_SCALE + 2 * PAD_X + 1;
}

/* What all of a text needs, and its longest word: a reference with hyphens is one. */
static void measure(Paper *paper, const char *text, bool strong, double *natural, double *least) {
    const char *longest = text;
    size_t most = 0;
    for (const char *at = text; *at; at += strspn(at, " \n")) {
        size_t size = strcspn(at, " \n");
        if (size > most) {
            most = size;
            longest = at;
        }
        at += size;
    }
    g_autofree char *word = g_strndup(longest, most);
    *natural = MAX(*natural, width_of(paper, text, strong));
    *least = MAX(*least, width_of(paper, word, strong));
}

static void measure_column(Paper *paper, const Table *table, size_t column, double *natural, double *least) {
    const json_t *columns = json_object_get(table->table, "columns"),
                 *rows = json_object_get(table->table, "rows");
    measure(paper, model_column_title(json_array_get(columns, column)), true, natural, least);
    for (size_t row = 0; row < json_array_size(rows) && row < SAMPLE; row++) {
        g_autofree char *text = model_text(json_array_get(json_array_get(rows, row), column));
        measure(paper, text, false, natural, least);
    }
    *least = MIN(*least, WORD_WIDEST);
    *natural = CLAMP(*natural, *least, WIDEST);
}

/* Between what its longest word needs and what its longest text does, as much as there is. */
static void share(Table *table, const double *natural, const double *least, double width) {
    double wanted = 0, needed = 0;
    for (size_t i = 0; i < table->columns; i++) {
        wanted += natural[i];
        needed += least[i];
    }
    for (size_t i = 0; i < table->columns; i++)
        if (wanted <= width)
            table->width[i] = natural[i] * width / wanted;
        else if (needed < width)
            table->width[i] = least[i] + (natural[i] - least[i]) * (width - needed) / (wanted - needed);
        else
            table->width[i] = least[i] * width / needed;
}

static void set_columns(Paper *paper, Table *table) {
    double natural[COLUMNS_MAX] = {0}, least[COLUMNS_MAX] = {0}, x = PAPER_SIDE;
    const json_t *columns = json_object_get(table->table, "columns");
    for (size_t i = 0; i < table->columns; i++) {
        const json_t *part = json_object_get(json_array_get(columns, i), "width");
        measure_column(paper, table, i, &natural[i], &least[i]);
        if (part)
            natural[i] = least[i] = PAPER_INNER * json_number_value(part) / 100;
        table->right[i] = model_column_right(json_array_get(columns, i)) || (table->bars && i == 1);
    }
    if (table->bars)
        natural[1] = least[1] += BAR_WIDTH;
    share(table, natural, least, PAPER_INNER);
    for (size_t i = 0; i < table->columns; i++) {
        table->x[i] = x;
        x += table->width[i];
    }
}

/* ---- Rows --------------------------------------------------------------------------------------------------- */
typedef struct {
    PangoLayout *cells[COLUMNS_MAX];
    int line[COLUMNS_MAX]; /* the first that is not set yet */
    double height, bar;    /* the bar's part of the greatest; negative: none */
} Row;

static void open_row(Paper *paper, const Table *table, Row *row, const json_t *cells, bool head) {
    *row = (Row){.bar = -1};
    for (size_t i = 0; i < table->columns; i++) {
        const json_t *cell = json_array_get(cells, i);
        g_autofree char *text = head ? g_strdup(model_column_title(cell)) : model_text(cell);
        double room = table->width[i] - 2 * PAD_X;
        row->cells[i] = paper_layout(paper, text, room, SIZE, head);
        if (table->right[i])
            pango_layout_set_alignment(row->cells[i], PANGO_ALIGN_RIGHT);
        row->height = MAX(row->height, paper_height(row->cells[i]) + 2 * PAD_Y);
    }
    if (table->bars && !head && json_is_number(json_array_get(cells, 1)))
        row->bar = MAX(0, json_number_value(json_array_get(cells, 1)) / table->max);
}

static void close_row(const Table *table, Row *row) {
    for (size_t i = 0; i < table->columns; i++)
        g_object_unref(row->cells[i]);
}

/* As much of it as fits into `height`; true where all of it did. */
static bool set_part(Paper *paper, const Table *table, Row *row, const char *tag, double height) {
    bool whole = true;
    double used = 0, most = 0;
    paper_tag(paper, "TR");
    for (size_t i = 0; i < table->columns; i++) {
        paper_tag(paper, tag);
        if (i == 1 && row->bar >= 0)
            paper_box(paper, table->x[1] + PAD_X, paper->y + PAD_Y + 2, row->bar * BAR_WIDTH, 8,
                      PAPER_ACCENT);
        row->line[i] = paper_lines(paper, row->cells[i], table->x[i] + PAD_X, paper->y + PAD_Y, row->line[i],
                                   height - 2 * PAD_Y, PAPER_INK, &used);
        whole = whole && row->line[i] >= pango_layout_get_line_count(row->cells[i]);
        most = MAX(most, used);
        paper_untag(paper);
    }
    paper_untag(paper);
    paper->y += most + 2 * PAD_Y;
    paper_box(paper, PAPER_SIDE, paper->y, PAPER_INNER, 0.5, PAPER_LINE);
    return whole;
}

static void set_head(Paper *paper, const Table *table) {
    Row row;
    open_row(paper, table, &row, json_object_get(table->table, "columns"), true);
    paper_box(paper, PAPER_SIDE, paper->y, PAPER_INNER, row.height, PAPER_TINT);
    set_part(paper, table, &row, "TH", row.height);
    paper_box(paper, PAPER_SIDE, paper->y, PAPER_INNER, 1, PAPER_SOFT);
    paper->y += 1;
    close_row(table, &row);
}

static void next_page(Paper *paper, const Table *table) {
    paper_page_next(paper);
    set_head(paper, table);
}

/* The last but one stays with the last, which may be the sum of all. */
static void set_row(Paper *paper, const Table *table, const json_t *cells, bool last_but_one) {
    Row row;
    open_row(paper, table, &row, cells, false);
    double page = PAPER_FLOOR - PAPER_TOP - 60; /* beside the head */
    double wanted = row.height + (last_but_one ? 20 : 0);
    if (wanted > paper_left(paper) && (wanted <= page || paper_left(paper) < 80))
        next_page(paper, table);
    while (!set_part(paper, table, &row, "TD", paper_left(paper)))
        next_page(paper, table);
    close_row(table, &row);
}

/* ---- The table ---------------------------------------------------------------------------------------------- */
static void set_caption(Paper *paper, const char *text) {
    double used = 0;
    g_autoptr(PangoLayout) layout = paper_layout(paper, text, PAPER_INNER, 9.5, true);
    paper_tag(paper, "Caption");
    paper_lines(paper, layout, PAPER_SIDE, paper->y, 0, paper_left(paper), PAPER_INK, &used);
    paper_untag(paper);
    paper->y += used + 4;
}

static void set_empty(Paper *paper, const char *text) {
    double used = 0;
    g_autoptr(PangoLayout) layout = paper_layout(paper, *text ? text : "—", PAPER_INNER, 10, false);
    paper_tag(paper, "P");
    paper_lines(paper, layout, PAPER_SIDE, paper->y, 0, paper_left(paper), PAPER_SOFT, &used);
    paper_untag(paper);
    paper->y += used;
}

void paper_table(Paper *paper, const json_t *content, bool bars) {
    const json_t *rows = json_object_get(content, "rows"), *row;
    Table table = {.table = content,
                   .bars = bars,
                   .max = bars ? model_bars_max(content) : 1,
                   .columns = json_array_size(json_object_get(content, "columns"))};
    const char *caption = vigie_member_text(content, "caption");
    size_t index;
    set_columns(paper, &table);
    paper_space(paper, 4);
    paper_need(paper, 90); /* caption, head and a row stay together */
    if (json_array_size(rows) == 0) {
        if (*caption)
            set_caption(paper, caption);
        set_empty(paper, vigie_member_text(content, "empty"));
    } else {
        paper_tag(paper, "Table");
        if (*caption)
            set_caption(paper, caption);
        set_head(paper, &table);
        json_array_foreach(rows, index, row) set_row(paper, &table, row, index + 2 == json_array_size(rows));
        paper_untag(paper);
    }
    paper_space(paper, 12);
}

/* ---- Facts -------------------------------------------------------------------------------------------------- */
void paper_facts(Paper *paper, const json_t *facts) {
    size_t index;
    json_t *fact;
    double label_width = 0, least = 0;
    json_array_foreach(facts, index, fact) {
        g_autofree char *text = model_text(json_array_get(fact, 0));
        measure(paper, text, true, &label_width, &least);
    }
    label_width = MIN(label_width + 8, PAPER_INNER * 0.4);
    Table table = {.columns = 2,
                   .x = {PAPER_SIDE, PAPER_SIDE + label_width},
                   .width = {label_width, PAPER_INNER - label_width}};
    paper_tag(paper, "Table");
    json_array_foreach(facts, index, fact) {
        Row row;
        open_row(paper, &table, &row, fact, false);
        if (row.height > paper_left(paper) &&
            (row.height <= PAPER_FLOOR - PAPER_TOP || paper_left(paper) < 80))
            paper_page_next(paper);
        while (!set_part(paper, &table, &row, "TD", paper_left(paper)))
            paper_page_next(paper);
        close_row(&table, &row);
    }
    paper_untag(paper);
    paper_space(paper, 10);
}
