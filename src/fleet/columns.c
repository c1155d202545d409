#include "fleet/columns.h"

#include <string.h>

enum { SAMPLE_ROWS = 20, SAMPLE_LETTERS = 60 };

MapField columns_field(const char *name) {
    MapField field = 0;
    while (field < MAP_FIELDS && strcmp(map_names[field], name) != 0)
        field++;
    return field;
}

static const char *header_at(const CsvRow *row, guint column) {
    return csv_unguard(g_strstrip(row->cells->pdata[column]));
}

static guint width(const CsvRow *row) {
    return row && !row->problem ? row->cells->len : 0;
}

static bool read_chosen(const CsvRow *header, const json_t *chosen, Columns *columns, GError **error) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)chosen, name, value) {
        MapField field = columns_field(name);
        json_int_t number = json_integer_value(value);
        if (field == MAP_FIELDS || number < 1 || number > (json_int_t)width(header)) {
            g_set_error(
                error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                "columns: %.100s: the number of a column of the file is wanted, for a field that devices "
                "have",
                name);
            return false;
        }
        columns->at[field] = (int)number - 1;
    }
    return true;
}

static void read_words(const CsvRow *header, const VigieFleetMapping *mapping, Columns *columns) {
    for (guint i = 0; i < width(header); i++) {
        MapField field = mapping_field(mapping, header_at(header, i));
        if (field < MAP_FIELDS && columns->at[field] < 0)
            columns->at[field] = (int)i;
    }
}

static MapField field_at(const Columns *columns, guint column) {
    MapField field = 0;
    while (field < MAP_FIELDS && columns->at[field] != (int)column)
        field++;
    return field;
}

bool columns_read(const CsvRow *header, const VigieFleetMapping *mapping, const json_t *chosen,
                  Columns *ret_columns, json_t *report, GError **error) {
    Columns columns;
    memset(columns.at, -1, sizeof columns.at);
    if (!chosen)
        read_words(header, mapping, &columns);
    else if (!read_chosen(header, chosen, &columns, error))
        return false;
    json_t *read = json_object(), *ignored = json_array();
    json_object_set_new(report, "columns", read);
    json_object_set_new(report, "ignored", ignored);
    for (guint i = 0; i < width(header); i++) {
        const char *text = header_at(header, i);
        MapField field = field_at(&columns, i);
        if (field < MAP_FIELDS)
            json_object_set_new(read, map_names[field], json_string(text));
        else if (*text && !mapping_is_extra(text))
            json_array_append_new(ignored, json_string(text));
    }
    *ret_columns = columns;
    return true;
}

bool columns_enough(const Columns *columns, const VigieFleetMapping *mapping, const json_t *report,
                    GError **error) {
    bool named = columns->at[MAP_NAME] >= 0;
    if (named && (columns->at[MAP_GMAO] >= 0 || columns->at[MAP_SERIAL] >= 0))
        return true;
    g_autofree char *seen = vigie_json_text(json_object_get(report, "ignored"));
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                "the first line names no column for %s (not understood: %.500s); say which it is in a "
                "mapping file, as in "
                "[columns] %s=%s",
                named ? "the GMAO number or the serial number" : "the device's name", seen,
                named ? "gmao" : "name", mapping_header(mapping, named ? MAP_GMAO : MAP_NAME));
    return false;
}

/* ---- Told to people ------------------------------------------------------------------------------------------- */
static json_t *tell_headers(const CsvRow *header, const Columns *columns) {
    json_t *headers = json_array();
    for (guint i = 0; i < width(header); i++) {
        const char *text = header_at(header, i);
        MapField field = field_at(columns, i);
        json_array_append_new(headers, json_pack("{s:i, s:s, s:s?, s:b, s:s}", "column", (int)i + 1, "header",
                                                 text, "field", field < MAP_FIELDS ? map_names[field] : NULL,
                                                 "ours", mapping_is_extra(text), "sample", ""));
    }
    return headers;
}

/* The first value of each column that has one. */
static void add_samples(json_t *headers, Csv *csv) {
    const CsvRow *row;
    for (int i = 0; i < SAMPLE_ROWS && (row = csv_next(csv)); i++)
        for (guint j = 0; j < MIN(width(row), json_array_size(headers)); j++) {
            json_t *header = json_array_get(headers, j);
            const char *text = csv_unguard(g_strstrip(row->cells->pdata[j]));
            if (!*text || *json_string_value(json_object_get(header, "sample")))
                continue;
            g_autofree char *start = g_utf8_substring(text, 0, MIN(g_utf8_strlen(text, -1), SAMPLE_LETTERS));
            json_object_set_new(header, "sample", json_string(start));
        }
}

json_t *fleet_import_columns(VigieBytes file, const VigieFleetMapping *mapping, const json_t *chosen,
                             GError **error) {
    size_t size = 0;
    const char *encoding = NULL;
    Columns columns;
    g_autofree char *text = csv_decode(file, &size, &encoding, error);
    if (!text)
        return NULL;
    char delimiter = csv_delimiter(text, size);
    g_autoptr(Csv) csv = csv_new(text, size, delimiter);
    g_autoptr(json_t) report =
        json_pack("{s:s, s:s#}", "encoding", encoding, "delimiter", &delimiter, (size_t)1);
    const CsvRow *header = csv_next(csv);
    if (!columns_read(header, mapping, chosen, &columns, report, error))
        return NULL;
    json_object_set_new(report, "enough", json_boolean(columns_enough(&columns, mapping, report, NULL)));
    json_t *headers = tell_headers(header, &columns);
    json_object_set_new(report, "headers", headers);
    add_samples(headers, csv);
    return g_steal_pointer(&report);
}

json_t *fleet_import_fields(void) {
    json_t *fields = json_array();
    for (MapField field = 0; field < MAP_FIELDS; field++)
        json_array_append_new(fields, json_string(map_names[field]));
    return fields;
}
