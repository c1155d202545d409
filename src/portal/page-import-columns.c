/* page-import-columns: which column of a GMAO's file is which field, chosen on the page of the file, and known again the next time a
 * file of the same shape comes. */
#include "portal/page-import.h"

#include <string.h>

enum { OFFERED = 60, LETTERS = 24 };

/* ---- Looking ------------------------------------------------------------------------------------------------- */
json_t *import_preview(Request *request, VigieBytes file, const char *organisation, const json_t *columns,
                       GString *refused, GError **error) {
    const VigieFleetImport how = import_how(request, organisation, columns, true, refused);
    g_autoptr(json_t) looked = fleet_import_columns(file, request->portal->mapping, columns, error);
    if (!looked)
        return NULL;
    bool page_may_say = !request->api && json_array_size(json_object_get(looked, "headers")) > 1;
    if (!json_is_true(json_object_get(looked, "enough")) && page_may_say)
        return g_steal_pointer(&looked);
    json_t *report = fleet_import(request->store, file, &how, request->now, error);
    if (report)
        json_object_update_missing(report, looked);
    return report;
}

char *import_shape(const json_t *report) {
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    size_t index;
    json_t *header;
    json_array_foreach(json_object_get(report, "headers"), index, header) {
        const char *text = json_string_value(json_object_get(header, "header"));
        g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text) + 1);
    }
    return g_strdup(g_checksum_get_string(sum));
}

json_t *import_remembered(Request *request, const char *shape) {
    g_autoptr(VigieRows) rows =
        store_query(request->store, NULL,
                    "SELECT columns FROM import_file WHERE headers = $1 AND columns <> '' AND state = "
                    "'imported' AND only_organisation = $2 ORDER BY id DESC LIMIT 1",
                    "ti", shape, request->reader.organisation);
    return rows && rows_next(rows, NULL) ? json_loads(rows_text(rows, 0), 0, NULL) : NULL;
}

/* ---- Chosen -------------------------------------------------------------------------------------------------- */
/* columns.FIELD of the form: { field: number }. */
static json_t *chosen_columns(const Request *request) {
    g_autoptr(json_t) fields = fleet_import_fields();
    json_t *chosen = json_object(), *field;
    size_t index;
    json_array_foreach(fields, index, field) {
        g_autofree char *name = g_strconcat("columns.", json_string_value(field), NULL);
        int64_t number = request_number(request_form(request, name));
        if (number)
            json_object_set_new(chosen, json_string_value(field), json_integer(number));
    }
    return chosen;
}

static bool keep_columns(Request *request, const json_t *columns, const json_t *report, const char *refused,
                         GError **error) {
    g_autofree char *said = vigie_json_text(columns), *text = vigie_json_text(report);
    int64_t count = 0;
    if (!store_exec_count(request->store, &count, error,
                          "UPDATE import_file SET columns = $2, report = $3, refused = $4 WHERE id = $1 AND "
                          "state = 'previewed' AND content IS NOT NULL",
                          "ittt", request->id, said, text, refused))
        return false;
    if (count == 0)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                            "this file was imported or given up meanwhile: send it again");
    return count > 0;
}

RESOURCE(page_import_columns) {
    g_autoptr(json_t) before = import_get(request, request->id, error), columns = chosen_columns(request);
    g_autofree char *organisation = NULL;
    g_autoptr(GString) refused = g_string_new(NULL);
    g_autoptr(GBytes) file = before ? import_content(request, request->id, &organisation, NULL, error) : NULL;
    if (!file)
        return NULL;
    g_autoptr(json_t) report =
        import_preview(request, vigie_bytes_view(file), organisation, columns, refused, error);
    if (!report || !keep_columns(request, columns, report, refused->str, error))
        return NULL;
    request->go = g_strdup_printf("/imports/%" G_GINT64_FORMAT "%s", request->id,
                                  json_is_true(json_object_get(report, "enough")) ? "" : "#columns");
    return import_get(request, request->id, error);
}

/* ---- Shown --------------------------------------------------------------------------------------------------- */
static json_t *column_options(const json_t *headers, const char *field) {
    json_t *options = json_array(), *header;
    size_t index;
    json_array_foreach(headers, index, header) {
        const char *own = json_string_value(json_object_get(header, "field")),
                   *text = json_string_value(json_object_get(header, "header"));
        bool selected = g_strcmp0(own, field) == 0;
        if ((index >= OFFERED && !selected) || (json_is_true(json_object_get(header, "ours")) && !selected))
            continue;
        const char *sample = json_string_value(json_object_get(header, "sample"));
        g_autofree char *unnamed = *text ? NULL : g_strdup_printf("(%zu)", index + 1),
                        *start = g_utf8_substring(sample, 0, MIN(g_utf8_strlen(sample, -1), LETTERS)),
                        *label = g_strconcat(unnamed ? unnamed : text, *start ? " – " : "", start, NULL);
        json_array_append_new(options,
                              json_pack("{s:O, s:s, s:b}", "value", json_object_get(header, "column"),
                                        "label", label, "selected", selected));
    }
    return options;
}

void import_say_columns(const Request *request, json_t *report) {
    g_autoptr(json_t) fields = fleet_import_fields();
    const json_t *headers = json_object_get(report, "headers");
    json_t *choices = json_array(), *field;
    size_t index;
    json_array_foreach(json_array_size(headers) > 0 ? fields : NULL, index, field) {
        const char *name = json_string_value(field);
        g_autofree char *key = g_strconcat("fleet.field.", name, NULL),
                        *hint = g_strconcat("keep.import.wanted.", name, NULL);
        const char *wanted = vigie_word(request->lang, hint);
        json_array_append_new(choices, json_pack("{s:s, s:s, s:o, s:s}", "name", name, "label",
                                                 vigie_word(request->lang, key), "options",
                                                 column_options(headers, name), "wanted",
                                                 strcmp(wanted, hint) == 0 ? "" : wanted));
    }
    json_object_set_new(report, "choices", choices);
    json_object_set_new(report, "unknown", json_boolean(json_is_false(json_object_get(report, "enough"))));
}
