/* A GMAO's file from a stranger: decoded, cut into rows, and each cell written and read again unchanged. */
#include "fleet/csv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_cell(const char *text, char delimiter) {
    g_autoptr(GString) out = g_string_new(NULL);
    csv_append_cell(out, text, delimiter);
    g_string_append_printf(out, "%c.", delimiter);
    g_autoptr(Csv) again = csv_new(out->str, out->len, delimiter);
    const CsvRow *row = csv_next(again);
    if (!row || row->problem || row->cells->len != 2 || strcmp(csv_unguard(row->cells->pdata[0]), text) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t text_size = 0;
    const char *encoding = NULL;
    g_autofree char *text = csv_decode(vigie_bytes(data, size), &text_size, &encoding, NULL);
    if (!text)
        return 0;
    if (!g_utf8_validate(text, (gssize)text_size, NULL))
        abort();
    char delimiter = csv_delimiter(text, text_size);
    g_autoptr(Csv) csv = csv_new(text, text_size, delimiter);
    int64_t line = 0;
    for (const CsvRow *row; (row = csv_next(csv)); line = row->line) {
        if (row->line <= line || row->cells->len > CSV_COLUMNS_MAX)
            abort();
        for (guint i = 0; i < row->cells->len && !row->problem; i++)
            if (!strchr(row->cells->pdata[i], '\r')) /* CR LF in a cell is read as LF */
                check_cell(row->cells->pdata[i], delimiter);
    }
    return 0;
}
