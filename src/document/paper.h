/* paper: pages that fill from top to bottom. Everything is set twice: once to count the pages, once to be drawn. */
#pragma once

#include "document/model.h"

#include <cairo-pdf.h>
#include <pango/pangocairo.h>

/* Points. A4 (ISO 216): 210 × 297 mm. */
#define PAPER_WIDTH 595.276
#define PAPER_HEIGHT 841.890
#define PAPER_SIDE 56.7 /* 20 mm */
#define PAPER_TOP 68.0
#define PAPER_BOTTOM 62.0
#define PAPER_INNER (PAPER_WIDTH - 2 * PAPER_SIDE)
#define PAPER_FLOOR (PAPER_HEIGHT - PAPER_BOTTOM)

enum {
    PAPER_INK = 0x1B2127,
    PAPER_SOFT = 0x4F5963,
    PAPER_LINE = 0xC3CBD3,
    PAPER_TINT = 0xF1F4F7,
    PAPER_ACCENT = 0x0B5A8F
};

typedef struct {
    const json_t *model;
    VigieLang lang;
    cairo_surface_t *surface;
    cairo_t *cr;
    PangoContext *context;
    bool draws; /* the second time */
    int page, pages;
    double y;           /* where the next thing goes */
    GPtrArray *layouts; /* of the first time, for the second: they come in the same order */
    guint layout;       /* the next of them */
    GPtrArray *tags;    /* open ones, closed and opened again around a page's end */
} Paper;

void paper_page_begin(Paper *paper);
void paper_page_end(Paper *paper);
void paper_page_next(Paper *paper);
double paper_left(const Paper *paper); /* down to the floor */
/* A new page where there is not so much left, unless nothing stands on this one yet. */
void paper_need(Paper *paper, double height);
void paper_space(Paper *paper, double height);

/* Structure (PDF 1.7, 14.8.4): "P", "H1", "Table" … */
void paper_tag(Paper *paper, const char *name);
void paper_untag(Paper *paper);

/* A text in `size` points, wrapped at `width`. Free with g_object_unref. */
PangoLayout *paper_layout(Paper *paper, const char *text, double width, double size, bool strong);
double paper_height(PangoLayout *layout);
/* Its lines from `first` on that fit into `height`, at x, y; the number of the first that did not; their height in ret_height. */
int paper_lines(Paper *paper, PangoLayout *layout, double x, double y, int first, double height, unsigned ink,
                double *ret_height);
void paper_box(Paper *paper, double x, double y, double width, double height, unsigned colour);

void paper_table(Paper *paper, const json_t *table, bool bars);
void paper_facts(Paper *paper, const json_t *facts);
/* pdf-catalogue.c: cairo 1.16 cannot say in which language a document is: said in an update behind it (PDF 1.7, 7.5.6). */
GBytes *paper_with_language(GByteArray *pdf, VigieLang lang);
