/* CSV as the field writes it: RFC 4180, with `;`, `,` or a tab between, in UTF-8, Windows-1252 or UTF-16. Bytes in,
 * rows out; memory is bounded by the limits below whatever the bytes are. */
#pragma once

#include "base/base.h"

enum {
    CSV_CELL_MAX = 64 * 1024,
    CSV_ROW_MAX = 1024 * 1024,
    CSV_COLUMNS_MAX = 1000,
    CSV_LINES_MAX = 1000000,
};

/* The file as UTF-8, without a byte order mark; `ret_encoding`: "UTF-8", "Windows-1252", "UTF-16" (static). INVALID
 * where it is not text. */
char *csv_decode(VigieBytes file, size_t *ret_size, const char **ret_encoding, GError **error);
/* What stands between the cells of the first line that has any. */
char csv_delimiter(const char *text, size_t size);

typedef struct {
    int64_t line;        /* on which it begins, from 1 */
    GPtrArray *cells;    /* of char *, NUL-terminated, borrowed until the next row */
    const char *problem; /* "too-long" "too-many-columns" "open-quote" "too-many-lines", or NULL; static */
    size_t column;       /* of the problem, from 1; 0: the whole line */
} CsvRow;

typedef struct Csv Csv;
/* `text` is valid UTF-8 without NUL, borrowed. */
Csv *csv_new(const char *text, size_t size, char delimiter);
void csv_free(Csv *csv);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Csv, csv_free)
/* The next row that is not empty; NULL at the end. A quote that is never closed spoils its own line alone. Borrowed
 * until the next call. */
const CsvRow *csv_next(Csv *csv);

/* Appends a cell, quoted where it has to be; one that a spreadsheet would run as a formula gets an apostrophe before. */
void csv_append_cell(GString *out, const char *text, char delimiter);
/* Takes that apostrophe away again; borrowed. */
const char *csv_unguard(const char *text);
