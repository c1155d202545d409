/* page-import: a GMAO's file comes by page: what it would change is shown, then somebody confirms it. Reading and writing
 * are the fleet's; here it is kept between the two. */
#include "portal/page-import.h"
#include "portal/present.h"

#include <string.h>

enum { KEPT_SECONDS = 86400, STUCK_SECONDS = 900, LISTED = 20, FILES_MAX = 200, ROWS_SHOWN = 200 };

/* ---- Rows --------------------------------------------------------------------------------------------------- */
#define COLUMNS "id, author, name, organisation, state, created, done, report, only_organisation"

static json_t *import_json(const VigieRows *rows, VigieTime now) {
    json_t *report = json_loads(rows_text(rows, 7), 0, NULL);
    const char *state = rows_text(rows, 4);
    VigieTime created = rows_int(rows, 5), done = rows_int(rows, 6);
    g_autofree char *created_text = vigie_time_rfc3339(created), *done_text = vigie_time_rfc3339(done);
    bool stuck = strcmp(state, "running") == 0 && done < now - STUCK_SECONDS;
    bool lapsed = strcmp(state, "previewed") == 0 && created < now - KEPT_SECONDS;
    return json_pack("{s:I, s:s, s:s, s:s?, s:s, s:s, s:o, s:o}", "id", (json_int_t)rows_int(rows, 0), "by",
                     rows_text(rows, 1), "file", rows_text(rows, 2), "organisation",
                     *rows_text(rows, 3) ? rows_text(rows, 3) : NULL, "state",
                     stuck || lapsed ? "lapsed" : state, "created", created_text, "done",
                     strcmp(state, "imported") == 0 ? json_string(done_text) : json_null(), "report",
                     report ? report : json_object());
}

json_t *import_get(Request *request, int64_t id, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        request->store, error,
        "SELECT " COLUMNS " FROM import_file WHERE id = $1 AND ($2 = 0 OR only_organisation = $2)", "ii", id,
        request->reader.organisation);
    g_autoptr(GError) failure = NULL;
    json_t *found = rows && rows_next(rows, &failure) ? import_json(rows, request->now) : NULL;
    if (!found && rows_ended(rows, &failure, error))
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is nothing here");
    return found;
}

RESOURCE(page_imports) {
    g_autoptr(VigieRows) rows = store_query(request->store, error,
                                            "SELECT " COLUMNS " FROM import_file WHERE ($1 = 0 OR "
                                            "only_organisation = $1) ORDER BY id DESC LIMIT $2",
                                            "ii", request->reader.organisation, (int64_t)LISTED);
    g_autoptr(json_t) items = json_array();
    g_autoptr(GError) failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        json_t *one = import_json(rows, request->now);
        json_t *report = json_object_get(one, "report");
        json_object_del(report, "changes");
        json_object_del(report, "problems");
        json_object_del(report, "headers");
        json_array_append_new(items, one);
    }
    return rows_ended(rows, &failure, error) ? json_pack("{s:O}", "items", items) : NULL;
}

RESOURCE(page_import) {
    return import_get(request, request->id, error);
}

/* ---- Sent --------------------------------------------------------------------------------------------------- */
static const Upload *sent_file(const Request *request) {
    for (guint i = 0; request->uploads && i < request->uploads->len; i++) {
        const Upload *upload = request->uploads->pdata[i];
        if (strcmp(upload->field, "file") == 0 && g_bytes_get_size(upload->bytes) > 0)
            return upload;
    }
    return NULL;
}

VigieFleetImport import_how(const Request *request, const char *organisation, const json_t *columns,
                            bool dry_run, GString *refused) {
    return (VigieFleetImport){.mapping = request->portal->mapping,
                              .columns = columns,
                              .organisation = organisation && *organisation ? organisation : NULL,
                              .only = request->reader.organisation,
                              .dry_run = dry_run,
                              .by = request->reader.name,
                              .refused = refused,
                              .lang = request->lang};
}

/* What nobody confirmed in a day is erased; of what was imported the newest are listed. */
static bool forget_old(Request *request, GError **error) {
    return store_exec(request->store, error,
                      "UPDATE import_file SET content = NULL WHERE content IS NOT NULL AND created < $1", "i",
                      request->now - KEPT_SECONDS) &&
           store_exec(request->store, error,
                      "DELETE FROM import_file WHERE id <= (SELECT max(id) FROM import_file) - $1", "i",
                      (int64_t)FILES_MAX);
}

static bool keep_file(Request *request, const Upload *file, const char *organisation, const json_t *columns,
                      const json_t *report, const char *refused, GError **error) {
    gsize size = 0;
    const void *octets = g_bytes_get_data(file->bytes, &size);
    const VigieBytes content = vigie_bytes(octets, size);
    g_autofree char *text = vigie_json_text(report),
                    *said = columns ? vigie_json_text(columns) : g_strdup("");
    g_autofree char *shape = import_shape(report);
    return forget_old(request, error) &&
           store_get_int(
               request->store, &request->id, error,
               "INSERT INTO import_file (account, author, only_organisation, name, organisation, "
               "state, created, content, report, refused, columns, headers) VALUES ($1, $2, $3, $4, $5, "
               "'previewed', $6, $7, $8, $9, $10, $11) RETURNING id",
               "itittibtttt", request->reader.account, request->reader.name, request->reader.organisation,
               file->name, organisation, request->now, &content, text, refused, said, shape);
}

/* Back to the form, with why. */
static json_t *not_read(Request *request, const char *problem, GError **error) {
    json_t *page = page_imports(request, error);
    if (page)
        json_object_set_new(page, "problem", json_string(problem));
    request->status = 400;
    request->here = g_strdup("/imports");
    return page;
}

/* As somebody said of the columns of such a file before, or by the mapping. */
static json_t *preview_sent(Request *request, VigieBytes file, const char *organisation, json_t **ret_columns,
                            GString *refused, GError **error) {
    g_autoptr(json_t) looked = fleet_import_columns(file, request->portal->mapping, NULL, error);
    if (!looked)
        return NULL;
    g_autofree char *shape = import_shape(looked);
    *ret_columns = import_remembered(request, shape);
    return import_preview(request, file, organisation, *ret_columns, refused, error);
}

RESOURCE(page_import_send) {
    const Upload *file = sent_file(request);
    const char *organisation = request_form(request, "organisation");
    g_autoptr(GString) refused = g_string_new(NULL);
    g_autoptr(GError) why = NULL;
    g_autoptr(json_t) columns = NULL;
    g_autoptr(json_t) report =
        file ? preview_sent(request, vigie_bytes_view(file->bytes), organisation, &columns, refused, &why)
             : NULL;
    if (!report) {
        if (!file)
            g_set_error_literal(&why, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                                "file: choose the CSV file to import");
        if (request->api || why->code == VIGIE_ERROR_INTERNAL || why->code == VIGIE_ERROR_UNAVAILABLE) {
            g_propagate_error(error, g_steal_pointer(&why));
            return NULL;
        }
        g_autofree char *said = keep_sentence(request, why->message);
        return not_read(request, said, error);
    }
    g_autoptr(VigieTransaction) tx = store_begin(request->store, error);
    if (!tx ||
        !keep_file(request, file, organisation ? organisation : "", columns, report, refused->str, error) ||
        !store_commit(&tx, error))
        return NULL;
    request->status = 201;
    request->go = g_strdup_printf("/imports/%" G_GINT64_FORMAT, request->id);
    return import_get(request, request->id, error);
}

/* ---- Confirmed ---------------------------------------------------------------------------------------------- */
/* Whoever comes first imports it: a second time changes nothing, and shows what came of it. */
static bool claim(Request *request, int64_t id, bool *ret_mine, GError **error) {
    int64_t count = 0;
    if (!store_exec_count(request->store, &count, error,
                          "UPDATE import_file SET state = 'running', done = $2 WHERE id = $1 AND state = "
                          "'previewed' AND content IS NOT NULL AND created >= $3",
                          "iii", id, request->now, request->now - KEPT_SECONDS))
        return false;
    *ret_mine = count > 0;
    return true;
}

GBytes *import_content(Request *request, int64_t id, char **ret_organisation, json_t **ret_columns,
                       GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(request->store, error,
                    "SELECT content, organisation, columns FROM import_file WHERE id = $1", "i", id);
    g_autoptr(GError) failure = NULL;
    if (!rows || !rows_next(rows, &failure)) {
        rows_ended(rows, &failure, error);
        return NULL;
    }
    if (rows_null(rows, 0)) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                            "this file was imported or given up meanwhile: send it again");
        return NULL;
    }
    VigieBytes content = rows_blob(rows, 0);
    *ret_organisation = g_strdup(rows_text(rows, 1));
    if (ret_columns)
        *ret_columns = json_loads(rows_text(rows, 2), 0, NULL);
    return g_bytes_new(content.data, content.size);
}

static bool finish(Request *request, int64_t id, const json_t *report, const char *refused, GError **error) {
    g_autofree char *text = vigie_json_text(report);
    g_autofree char *details =
        g_strdup_printf("+%" JSON_INTEGER_FORMAT " ~%" JSON_INTEGER_FORMAT " !%" JSON_INTEGER_FORMAT,
                        json_integer_value(json_object_get(report, "created")),
                        json_integer_value(json_object_get(report, "updated")),
                        json_integer_value(json_object_get(report, "refused")));
    g_autofree char *object = g_strdup_printf("/imports/%" G_GINT64_FORMAT, id);
    g_autoptr(VigieTransaction) tx = store_begin(request->store, error);
    return tx &&
           store_exec(request->store, error,
                      "UPDATE import_file SET state = 'imported', done = $2, content = NULL, report = $3, "
                      "refused = $4 WHERE id = $1",
                      "iitt", id, request->now, text, refused) &&
           keep_audit(request, "imported", object, details, error) && store_commit(&tx, error);
}

RESOURCE(page_import_confirm) {
    int64_t id = request->id;
    g_autoptr(json_t) before = import_get(request, id, error);
    g_autofree char *organisation = NULL;
    bool mine = false;
    request->go = g_strdup_printf("/imports/%" G_GINT64_FORMAT, id);
    if (!before)
        return NULL;
    if (json_is_false(json_object_get(json_object_get(before, "report"), "enough"))) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                            "say first which columns are the device's name and its number");
        return NULL;
    }
    if (!claim(request, id, &mine, error))
        return NULL;
    if (!mine)
        return import_get(request, id, error);
    g_autoptr(json_t) columns = NULL;
    g_autoptr(GBytes) file = import_content(request, id, &organisation, &columns, error);
    g_autoptr(GString) refused = g_string_new(NULL);
    const VigieFleetImport asked = import_how(request, organisation, columns, false, refused);
    g_autoptr(json_t) report =
        file ? fleet_import(request->store, vigie_bytes_view(file), &asked, request->now, error) : NULL;
    return report && finish(request, id, report, refused->str, error) ? import_get(request, id, error) : NULL;
}

/* ---- Files -------------------------------------------------------------------------------------------------- */
static void answer_csv(Request *request, GBytes *file, const char *name) {
    g_autofree char *header = g_strdup_printf("attachment; filename=\"%s\"", name);
    request->type = "text/csv; charset=utf-8";
    request->file = file;
    request_header(request, "Content-Disposition", header);
}

RAW(file_import_refused) {
    g_autoptr(VigieRows) rows =
        store_query(request->store, error,
                    "SELECT refused FROM import_file WHERE id = $1 AND ($2 = 0 OR only_organisation = $2)",
                    "ii", request->id, request->reader.organisation);
    g_autoptr(GError) failure = NULL;
    if (rows && rows_next(rows, &failure)) {
        const char *text = rows_text(rows, 0);
        g_autofree char *name =
            g_strdup_printf("%s-%" G_GINT64_FORMAT ".csv",
                            vigie_word(request->lang, "keep.import.refused-file"), request->id);
        answer_csv(request, g_bytes_new(text, strlen(text)), name);
        return true;
    }
    if (rows_ended(rows, &failure, error))
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is nothing here");
    return false;
}

RAW(file_devices) {
    VigieFleetFilter filter;
    g_autoptr(GString) out = g_string_new(NULL);
    if (!page_filter(request, &filter, error) ||
        !fleet_export(request->store, &filter, request->portal->mapping, request->lang, request->portal->zone,
                      request->now, out, error))
        return false;
    g_autofree char *day = vigie_time_rfc3339(request->now);
    g_autofree char *name =
        g_strdup_printf("%s-%.10s.csv", vigie_word(request->lang, "keep.export.file"), day);
    answer_csv(request, g_string_free_to_bytes(g_steal_pointer(&out)), name);
    return true;
}

/* ---- Shown -------------------------------------------------------------------------------------------------- */
static char *counted(const Request *request, const json_t *report, const char *member) {
    static const char *const to_do[] = {"created", "updated", "endpoints_created", "organisations_created",
                                        NULL};
    bool will = json_is_true(json_object_get(report, "dry_run")) && g_strv_contains(to_do, member);
    g_autofree char *key = g_strconcat("keep.import.", will ? "will." : "", member, NULL);
    return page_count_text(request, key, json_integer_value(json_object_get(report, member)));
}

static void say_counts(const Request *request, json_t *one) {
    static const char *const members[] = {"created", "updated",           "unchanged",
                                          "refused", "endpoints_created", "organisations_created"};
    json_t *report = json_object_get(one, "report");
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
        g_autofree char *text = counted(request, report, members[i]);
        g_autofree char *name = g_strconcat(members[i], "_text", NULL);
        json_object_set_new(report, name, json_string(text));
        g_autofree char *some = g_strconcat("some_", members[i], NULL);
        json_object_set_new(report, some,
                            json_boolean(json_integer_value(json_object_get(report, members[i])) > 0));
    }
    const char *state = json_string_value(json_object_get(one, "state"));
    g_autofree char *key = g_strconcat("keep.import.state.", state, NULL);
    json_object_set_new(one, "state_text", json_string(vigie_word(request->lang, key)));
    json_object_set_new(one, state, json_true());
    bool changes = json_integer_value(json_object_get(report, "created")) > 0 ||
                   json_integer_value(json_object_get(report, "updated")) > 0;
    json_object_set_new(one, "changing", json_boolean(changes));
}

DRESS(dress_imports) {
    json_t *one, *options = NULL;
    size_t index;
    json_array_foreach(json_object_get(view, "items"), index, one) {
        say_counts(request, one);
    }
    if (!request->reader.organisation)
        options = keep_organisations(request, "", error);
    const char *organisation = request_form(request, "organisation");
    json_object_set_new(view, "organisation", json_string(organisation ? organisation : ""));
    json_object_set_new(view, "organisations", options ? options : json_array());
    json_object_set_new(view, "free", json_boolean(request->reader.organisation == 0));
    return request->reader.organisation || options;
}

/* The first so many, and how many more there are. */
static void shorten(const Request *request, json_t *report, const char *member, json_int_t total) {
    json_t *array = json_object_get(report, member);
    for (size_t i = json_array_size(array); i > ROWS_SHOWN; i--)
        json_array_remove(array, i - 1);
    json_int_t more = total - (json_int_t)json_array_size(array);
    g_autofree char *name = g_strconcat("more_", member, NULL);
    g_autofree char *text = page_count_text(request, "keep.import.more", more);
    json_object_set_new(report, name, json_string(more > 0 ? text : ""));
}

static void say_columns(const Request *request, json_t *report) {
    json_t *read = json_array(), *header;
    const char *field;
    json_object_foreach(json_object_get(report, "columns"), field, header) {
        g_autofree char *key = g_strconcat("fleet.field.", field, NULL);
        const char *word = vigie_word(request->lang, key);
        if (strcmp(word, key) != 0) /* what the presenter added is no column */
            json_array_append_new(read, json_pack("{s:O, s:s}", "header", header, "field", word));
    }
    json_object_set_new(report, "read", read);
    import_say_columns(request, report);
    const char *delimiter = json_string_value(json_object_get(report, "delimiter"));
    json_object_set_new(report, "delimiter_text",
                        json_string(g_strcmp0(delimiter, "\t") == 0
                                        ? vigie_word(request->lang, "keep.import.tab")
                                        : delimiter));
}

DRESS(dress_import) {
    (void)error;
    json_t *report = json_object_get(view, "report"), *one;
    size_t index;
    say_counts(request, view);
    say_columns(request, report);
    shorten(request, report, "problems", json_integer_value(json_object_get(report, "problem_count")));
    shorten(request, report, "changes",
            json_integer_value(json_object_get(report, "created")) +
                json_integer_value(json_object_get(report, "updated")));
    json_array_foreach(json_object_get(report, "problems"), index, one) {
        g_autofree char *text = fleet_problem_text(request->lang, one);
        json_object_set_new(one, "text", json_string(text));
    }
    json_array_foreach(json_object_get(report, "changes"), index, one) {
        const char *change = json_string_value(json_object_get(one, "change"));
        g_autofree char *key = g_strconcat("keep.import.change.", change ? change : "", NULL);
        json_object_set_new(one, "change_text", json_string(vigie_word(request->lang, key)));
        json_object_set_new(one, "changed", page_changes(request, json_object_get(one, "fields")));
    }
    json_object_set(view, "title", json_object_get(view, "file"));
    return true;
}
