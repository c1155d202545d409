/* model: a document's JSON, checked once, so that its renderers need not ask again. */
#pragma once

#include "document/document.h"

typedef enum {
    BLOCK_HEADING,
    BLOCK_TEXT,
    BLOCK_NOTE,
    BLOCK_LIST,
    BLOCK_FACTS,
    BLOCK_TABLE,
    BLOCK_BARS,
    BLOCK_BREAK,
    BLOCKS
} BlockKind;

/* Of a checked block; its content in `ret_content`. */
BlockKind model_block(const json_t *block, const json_t **ret_content);
/* A text, or a number as text. Free with g_free. */
char *model_text(const json_t *cell);
/* The title of a column, of a table (an object) or of bars (a text). Borrowed. */
const char *model_column_title(const json_t *column);
/* Numbers are set to the right. */
bool model_column_right(const json_t *column);
/* The greatest number of bars, at least 1. */
double model_bars_max(const json_t *bars);
/* "RED" … and its colour as FIRST defines it, 0xRRGGBB. NULL, and nothing: no label. */
const char *model_tlp(const json_t *model, unsigned *ret_colour);
