#include "portal/sheet.h"
#include "portal/pages.h"
#include "portal/present.h"

#include <string.h>

void sheet_sent_clear(Sent *sent) {
    g_clear_pointer(&sent->shown, json_decref);
    g_clear_pointer(&sent->changed, json_decref);
}

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* ---- From a resource to texts ------------------------------------------------------------------------------- */
static json_t *as_text(const json_t *value) {
    if (json_is_object(value)) /* a reference */
        value = json_object_get(value, "id");
    if (json_is_boolean(value))
        return json_string(json_is_true(value) ? "yes" : "no");
    if (json_is_integer(value))
        return json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return json_string(json_is_string(value) ? json_string_value(value) : "");
}

static json_t *shown_new(int64_t id, json_t *values, json_t *was) {
    return json_pack("{s:I, s:o, s:o, s:{}, s:{}, s:{}}", "id", (json_int_t)id, "values", values, "was", was,
                     "problems", "others", "meanwhile");
}

json_t *sheet_new(const Sheet *sheet, int64_t id, const json_t *thing) {
    json_t *values = json_object();
    for (const Input *input = sheet->inputs; input->name; input++)
        json_object_set_new(values, input->name, as_text(json_object_get(thing, input->name)));
    return shown_new(id, values, id ? json_copy(values) : json_object());
}

/* ---- What was sent ------------------------------------------------------------------------------------------ */
/* A browser ends lines in two characters, and sends no box that is not ticked. */
static char *sent_text(const Request *request, const Input *input, const char *was) {
    const char *text = request_form(request, input->name);
    if (!text)
        return input->kind == INPUT_FLAG && was ? g_strdup("no") : NULL;
    g_auto(GStrv) lines = g_strsplit(text, "\r\n", -1);
    g_autofree char *joined = g_strjoinv("\n", lines);
    return input->kind == INPUT_NOTE ? g_steal_pointer(&joined) : g_strdup(text);
}

Sent sheet_read(const Request *request, const Sheet *sheet, int64_t id) {
    json_t *values = json_object(), *was = json_object(), *changed = json_object();
    for (const Input *input = sheet->inputs; input->name; input++) {
        g_autofree char *was_name = g_strconcat("was.", input->name, NULL);
        const char *before = id ? request_form(request, was_name) : NULL;
        g_autofree char *text = sent_text(request, input, before), *old = NULL;
        if (before) {
            g_auto(GStrv) lines = g_strsplit(before, "\r\n", -1);
            old = g_strjoinv("\n", lines);
            json_object_set_new(was, input->name, json_string(old));
        }
        if (text || old)
            json_object_set_new(values, input->name, json_string(text ? text : old));
        if (text && (!old || strcmp(text, old) != 0) && !(input->first && id))
            json_object_set_new(changed, input->name, json_string(text));
    }
    return (Sent){shown_new(id, values, was), changed};
}

static char *problem_text(VigieLang lang, const json_t *problem) {
    g_autofree char *key = g_strconcat("keep.why.", text_of(problem, "problem"), NULL);
    const char *word = vigie_word(lang, key);
    return strcmp(word, key) == 0 ? fleet_problem_text(lang, problem) : vigie_text_fill(word, problem);
}

void sheet_complain(const Request *request, Sent *sent, const json_t *problem) {
    json_t *problems = json_object_get(sent->shown, "problems");
    const char *field = text_of(problem, "field");
    g_autofree char *text = problem_text(request->lang, problem);
    if (!json_object_get(problems, field))
        json_object_set_new(
            problems, field,
            json_pack("{s:O, s:s}", "problem", json_object_get(problem, "problem"), "text", text));
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */
/* What others wrote meanwhile is shown; where it is what the reader changed, too, both are. */
static bool look_at_meanwhile(Request *request, const Sheet *sheet, Sent *sent, int64_t id, GError **error) {
    json_t *was = json_object_get(sent->shown, "was"), *values = json_object_get(sent->shown, "values"),
           *theirs = json_object_get(sent->shown, "meanwhile"), *change;
    if (!id || json_object_size(was) == 0)
        return true;
    g_autoptr(json_t) changes = fleet_meanwhile(request->store, sheet->thing, id, was, error);
    const char *name;
    bool both = false;
    if (!changes)
        return false;
    json_object_foreach(changes, name, change) {
        json_t *now = as_text(json_object_get(change, "before"));
        both = both || (json_object_get(sent->changed, name) &&
                        strcmp(text_of(sent->changed, name), json_string_value(now)) != 0);
        json_object_set_new(theirs, name, now);
    }
    json_object_foreach(theirs, name, change) {
        if (both) /* the form is opened anew over what is there now */
            json_object_set(was, name, change);
        if (!json_object_get(sent->changed, name))
            json_object_set(values, name, change);
    }
    if (!both)
        json_object_clear(theirs);
    return true;
}

static const Input *input_of(const Sheet *sheet, const char *name) {
    for (const Input *input = sheet->inputs; input->name; input++)
        if (strcmp(input->name, name) == 0)
            return input;
    return NULL;
}

/* The room refuses the first problem that it meets. All are wanted: what is wrong is put aside, and the rest tried. */
static bool try_all(Request *request, const Sheet *sheet, Sent *sent, int64_t id, int64_t *ret_id,
                    bool *ret_well, GError **error) {
    g_autoptr(json_t) fields = json_copy(sent->changed), met = json_object();
    for (;;) {
        g_autoptr(VigieTransaction) tx = store_begin(request->store, error);
        g_autoptr(json_t) problem = NULL;
        g_autoptr(GError) failure = NULL;
        if (!tx)
            return false;
        if (sheet->save(request->store, id, fields, request->reader.name, request->now, ret_id, &problem,
                        &failure)) {
            *ret_well = json_object_size(met) == 0;
            return store_commit(&tx, error);
        }
        const char *field = text_of(problem, "field");
        const Input *input = input_of(sheet, field);
        if (!problem) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        sheet_complain(request, sent, problem);
        *ret_well = false;
        if (!input || json_object_get(met, field))
            return true;
        json_object_set_new(met, field, json_true());
        if (input->must && input->kind == INPUT_LINE)
            json_object_set_new(fields, field, json_string("–"));
        else if (json_object_del(fields, field) != 0)
            return true;
    }
}

bool sheet_write(Request *request, const Sheet *sheet, Sent *sent, int64_t id, int64_t *ret_id,
                 bool *ret_written, GError **error) {
    const json_t *problems = json_object_get(sent->shown, "problems"),
                 *meanwhile = json_object_get(sent->shown, "meanwhile");
    bool well = false;
    if (!look_at_meanwhile(request, sheet, sent, id, error))
        return false;
    g_autoptr(VigieTransaction) tx = store_begin(request->store, error);
    if (!tx || !try_all(request, sheet, sent, id, ret_id, &well, error))
        return false;
    *ret_written = well && json_object_size(problems) == 0 && json_object_size(meanwhile) == 0;
    return !*ret_written || store_commit(&tx, error);
}

json_t *sheet_refused(Request *request, Sent *sent, GError **error) {
    const char *name;
    json_t *one, *problems = json_object_get(sent->shown, "problems"),
                 *meanwhile = json_object_get(sent->shown, "meanwhile");
    bool conflict = json_object_size(meanwhile) > 0;
    json_object_foreach(problems, name, one) {
        const char *problem = text_of(one, "problem");
        conflict = conflict || strcmp(problem, "exists") == 0 || strcmp(problem, "alike") == 0;
        if (request->api && error && !*error)
            g_set_error(error, VIGIE_ERROR, conflict ? VIGIE_ERROR_CONFLICT : VIGIE_ERROR_INVALID, "%s: %s",
                        name, text_of(one, "text"));
    }
    json_object_foreach(meanwhile, name, one) {
        if (request->api && error && !*error)
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                        "%s: it was changed meanwhile, to \"%s\": read it again", name,
                        json_string_value(one));
    }
    request->status = conflict ? 409 : 400;
    return request->api ? NULL : g_steal_pointer(&sent->shown);
}

char *sheet_changed_text(VigieLang lang, const json_t *changed) {
    g_autoptr(GString) text = g_string_new(NULL);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)changed, name, value) {
        g_autofree char *key = g_strconcat("fleet.field.", name, NULL);
        g_string_append_printf(text, "%s%s", text->len ? ", " : "", vigie_word(lang, key));
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* ---- Showing ------------------------------------------------------------------------------------------------ */
static void set_word(const Request *request, json_t *view, const char *member, const char *prefix,
                     const char *name) {
    g_autofree char *key = g_strconcat(prefix, name, NULL);
    const char *word = vigie_word(request->lang, key);
    json_object_set_new(view, member, json_string(strcmp(word, key) == 0 ? "" : word));
}

/* What a choice's value is called. */
static const char *label_of(const json_t *options, const char *value) {
    size_t index;
    json_t *option;
    json_array_foreach(options, index, option) {
        if (strcmp(text_of(option, "value"), value) == 0)
            return text_of(option, "label");
    }
    return value;
}

static const char *said(const Request *request, const Input *input, const json_t *options,
                        const char *value) {
    if (!*value)
        return vigie_word(request->lang, "portal.not-said");
    if (input->kind == INPUT_FLAG)
        return vigie_word(request->lang, strcmp(value, "yes") == 0 ? "portal.yes" : "portal.no");
    return label_of(options, value);
}

static json_t *input_view(Request *request, const Input *input, const json_t *form, GError **error) {
    const char *name = input->name, *value = text_of(json_object_get(form, "values"), name),
               *was = json_string_value(json_object_get(json_object_get(form, "was"), name)),
               *theirs = json_string_value(json_object_get(json_object_get(form, "meanwhile"), name));
    const json_t *problem = json_object_get(json_object_get(form, "problems"), name);
    json_t *others = json_object_get(json_object_get(form, "others"), name);
    g_autoptr(json_t) options = input->options ? input->options(request, value, error) : NULL;
    if (input->options && !options)
        return NULL;
    json_t *view = json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:s, s:i, s:b, s:s, s:b, s:b}", "name",
                             name, "value", value, "must", input->must, "line", input->kind == INPUT_LINE,
                             "note", input->kind == INPUT_NOTE, "choice", input->kind == INPUT_CHOICE, "flag",
                             input->kind == INPUT_FLAG, "type", input->type ? input->type : "text", "most",
                             input->most, "wrong", problem != NULL, "why", text_of(problem, "text"), "blank",
                             input->blank, "ticked", strcmp(value, "yes") == 0);
    set_word(request, view, "label", "fleet.field.", name);
    set_word(request, view, "hint", "keep.hint.", name);
    json_object_set(view, "options", options);
    json_object_set_new(view, "others", others ? json_incref(others) : json_array());
    if (was)
        json_object_set_new(view, "was", json_string(was));
    json_object_set_new(view, "kept", json_boolean(was != NULL));
    if (theirs)
        json_object_set_new(view, "theirs", json_string(said(request, input, options, theirs)));
    json_object_set_new(view, "same", json_boolean(theirs && strcmp(theirs, value) == 0));
    return view;
}

bool sheet_dress(Request *request, const Sheet *sheet, json_t *view, GError **error) {
    int64_t id = json_integer_value(json_object_get(view, "id"));
    json_t *inputs = json_array();
    json_object_set_new(view, "inputs", inputs);
    for (const Input *input = sheet->inputs; input->name; input++) {
        if (input->first && id)
            continue;
        json_t *one = input_view(request, input, view, error);
        if (!one)
            return false;
        json_array_append_new(inputs, one);
    }
    size_t problems = json_object_size(json_object_get(view, "problems"));
    g_autofree char *text = page_count_text(request, "keep.wrong", (int64_t)problems);
    json_object_set_new(view, "wrong_text", json_string(problems > 0 ? text : ""));
    json_object_set_new(view, "raced",
                        json_boolean(json_object_size(json_object_get(view, "meanwhile")) > 0));
    return true;
}
