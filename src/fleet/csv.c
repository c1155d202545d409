#include "fleet/csv.h"

#include <string.h>

/* ---- Encodings ---------------------------------------------------------------------------------------------- */
/* Windows-1252, 0x80 to 0x9F; the five it leaves open stay the controls that ISO 8859-1 has there. */
static const gunichar windows[32] = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
};

static char *from_windows(VigieBytes file, size_t *ret_size) {
    GString *out = g_string_sized_new(file.size + file.size / 8 + 1);
    for (size_t i = 0; i < file.size; i++) {
        uint8_t byte = file.data[i];
        if (byte < 0x80)
            g_string_append_c(out, (char)byte);
        else
            g_string_append_unichar(out, byte < 0xA0 ? windows[byte - 0x80] : byte);
    }
    *ret_size = out->len;
    return g_string_free(out, FALSE);
}

static bool begins(VigieBytes file, const char *mark, size_t size) {
    return file.size >= size && memcmp(file.data, mark, size) == 0;
}

static bool refuse(GError **error, const char *why) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "the file is not CSV: %s; save it as CSV (UTF-8)",
                why);
    return false;
}

char *csv_decode(VigieBytes file, size_t *ret_size, const char **ret_encoding, GError **error) {
    if (begins(file, "\xEF\xBB\xBF", 3))
        file = vigie_bytes(file.data + 3, file.size - 3);
    if (begins(file, "\xFF\xFE", 2) || begins(file, "\xFE\xFF", 2)) {
        gsize size = 0;
        char *text =
            g_convert((const char *)file.data, (gssize)file.size, "UTF-8", "UTF-16", NULL, &size, NULL);
        if (!text || memchr(text, 0, size)) {
            g_free(text);
            refuse(error, "it begins as UTF-16 and does not go on so");
            return NULL;
        }
        *ret_size = size;
        *ret_encoding = "UTF-16";
        return text;
    }
    if (file.size > 0 && memchr(file.data, 0, file.size)) {
        refuse(error,
               begins(file, "PK", 2) ? "it is an archive or an .xlsx workbook" : "it holds zero bytes");
        return NULL;
    }
    if (g_utf8_validate((const char *)file.data, (gssize)file.size, NULL)) {
        *ret_size = file.size;
        *ret_encoding = "UTF-8";
        return g_strndup((const char *)file.data, file.size);
    }
    *ret_encoding = "Windows-1252";
    return from_windows(file, ret_size);
}

char csv_delimiter(const char *text, size_t size) {
    static const char candidates[] = ";\t,";
    size_t counts[3] = {0}, best = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        if (quoted)
            continue;
        const char *found = text[i] ? strchr(candidates, text[i]) : NULL;
        if (found)
            counts[found - candidates]++;
        if ((text[i] == '\n' || text[i] == '\r') && counts[0] + counts[1] + counts[2] > 0)
            break;
    }
    for (size_t i = 1; i < 3; i++)
        if (counts[i] > counts[best])
            best = i;
    return candidates[best];
}

/* ---- Rows --------------------------------------------------------------------------------------------------- */
struct Csv {
    const char *at, *end;
    int64_t line;
    char delimiter;
    GString *text;   /* the row's cells, each with its NUL */
    GArray *offsets; /* of size_t */
    CsvRow row;
};

Csv *csv_new(const char *text, size_t size, char delimiter) {
    Csv *csv = g_new0(Csv, 1);
    csv->at = text;
    csv->end = text + size;
    csv->line = 1;
    csv->delimiter = delimiter;
    csv->text = g_string_new(NULL);
    csv->offsets = g_array_new(FALSE, FALSE, sizeof(size_t));
    csv->row.cells = g_ptr_array_new();
    return csv;
}

void csv_free(Csv *csv) {
    if (!csv)
        return;
    g_string_free(csv->text, TRUE);
    g_array_unref(csv->offsets);
    g_ptr_array_unref(csv->row.cells);
    g_free(csv);
}

static void complain(Csv *csv, const char *problem, size_t column) {
    if (csv->row.problem)
        return;
    csv->row.problem = problem;
    csv->row.column = column;
}

static bool at_break(const Csv *csv) {
    return csv->at < csv->end && (*csv->at == '\n' || *csv->at == '\r');
}

/* One line break: LF, CR LF or CR. */
static void skip_break(Csv *csv) {
    if (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n')
        csv->at++;
    csv->at++;
    csv->line++;
}

static void skip_line(Csv *csv) {
    while (csv->at < csv->end && !at_break(csv))
        csv->at++;
    if (csv->at < csv->end)
        skip_break(csv);
}

/* What does not fit is read past and told. */
static void put(Csv *csv, char c, size_t start) {
    if (csv->text->len - start >= CSV_CELL_MAX || csv->text->len >= CSV_ROW_MAX)
        complain(csv, "too-long", csv->offsets->len);
    else
        g_string_append_c(csv->text, c);
}

/* A quoted cell, after its opening quote; false where it does not end within the limit (doubled: so are its quotes). */
static bool read_quoted(Csv *csv, size_t start) {
    const char *opened = csv->at;
    while (csv->at < csv->end && csv->at - opened <= 2 * CSV_CELL_MAX) {
        if (*csv->at == '"') {
            if (csv->at + 1 == csv->end || csv->at[1] != '"') {
                csv->at++;
                return true;
            }
            csv->at++;
        }
        if (at_break(csv)) {
            skip_break(csv);
            put(csv, '\n', start);
            continue;
        }
        put(csv, *csv->at++, start);
    }
    return false;
}

static bool read_cell(Csv *csv) {
    size_t start = csv->text->len;
    if (csv->offsets->len == CSV_COLUMNS_MAX)
        complain(csv, "too-many-columns", CSV_COLUMNS_MAX);
    else
        g_array_append_val(csv->offsets, start);
    if (csv->at < csv->end && *csv->at == '"') {
        csv->at++;
        if (!read_quoted(csv, start))
            return false;
    }
    while (csv->at < csv->end && *csv->at != csv->delimiter && !at_break(csv))
        put(csv, *csv->at++, start);
    if (csv->offsets->len < CSV_COLUMNS_MAX ||
        start == g_array_index(csv->offsets, size_t, CSV_COLUMNS_MAX - 1))
        g_string_append_c(csv->text, '\0');
    else
        g_string_truncate(csv->text, start);
    return true;
}

/* The cells of one row; after a quote that does not close, only its first line is given up. What is read twice for that
 * holds no other quote that could open so: the work stays linear. */
static void read_row(Csv *csv) {
    const char *start = csv->at;
    int64_t line = csv->line;
    for (;;) {
        if (!read_cell(csv)) {
            size_t column = csv->offsets->len;
            csv->at = start;
            csv->line = line;
            csv->row.problem = NULL;
            complain(csv, "open-quote", column);
            g_array_set_size(csv->offsets, 0);
            skip_line(csv);
            return;
        }
        if (csv->at == csv->end)
            return;
        if (at_break(csv)) {
            skip_break(csv);
            return;
        }
        csv->at++; /* the delimiter */
    }
}

static bool blank(const Csv *csv) {
    for (guint i = 0; i < csv->row.cells->len; i++)
        for (const char *at = csv->row.cells->pdata[i]; *at; at++)
            if (!g_ascii_isspace(*at))
                return false;
    return csv->row.problem == NULL;
}

const CsvRow *csv_next(Csv *csv) {
    while (csv->at < csv->end) {
        g_string_truncate(csv->text, 0);
        g_array_set_size(csv->offsets, 0);
        g_ptr_array_set_size(csv->row.cells, 0);
        csv->row.line = csv->line;
        csv->row.problem = NULL;
        csv->row.column = 0;
        if (csv->line > CSV_LINES_MAX) {
            complain(csv, "too-many-lines", 0);
            csv->at = csv->end;
            return &csv->row;
        }
        read_row(csv);
        for (guint i = 0; i < csv->offsets->len; i++)
            g_ptr_array_add(csv->row.cells, csv->text->str + g_array_index(csv->offsets, size_t, i));
        if (!blank(csv))
            return &csv->row;
    }
    return NULL;
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */
static bool formula_start(char c) {
    return c && strchr("=+-@\t\r", c) != NULL;
}

/* Apostrophes, then what a spreadsheet would take for a formula. */
static bool guarded(const char *text) {
    return formula_start(text[strspn(text, "'")]);
}

void csv_append_cell(GString *out, const char *text, char delimiter) {
    bool guard = guarded(text);
    if (!strpbrk(text, "\"\r\n") && !strchr(text, delimiter)) {
        g_string_append_printf(out, "%s%s", guard ? "'" : "", text);
        return;
    }
    g_string_append(out, guard ? "\"'" : "\"");
    for (; *text; text++)
        g_string_append_printf(out, *text == '"' ? "\"\"" : "%c", *text);
    g_string_append_c(out, '"');
}

const char *csv_unguard(const char *text) {
    return *text == '\'' && guarded(text) ? text + 1 : text;
}
