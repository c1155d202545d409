/* declare-view: the forms of declaration as a page shows them. */
#include "portal/declare.h"

#include <string.h>

enum { RADIOS_MAX = 6 }; /* more are a menu */

static const char *typed(const Request *request, const char *id, const char *end) {
    g_autofree char *name = g_strconcat(id, end, NULL);
    const char *value = request_form(request, name);
    return value ? value : "";
}

/* ---- What is wrong ------------------------------------------------------------------------------------------ */
static char *problem_text(const Request *request, const json_t *problem) {
    g_autofree char *key = g_strconcat("declare.problem.", vigie_member_text(problem, "problem"), NULL);
    g_autofree char *max =
        g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(problem, "max")));
    return vigie_words(request->lang, key, "max", max, NULL);
}

static const json_t *problem_of(const json_t *problems, const char *id) {
    for (size_t i = 0; i < json_array_size(problems); i++)
        if (strcmp(vigie_member_text(json_array_get(problems, i), "field"), id) == 0)
            return json_array_get(problems, i);
    return NULL;
}

static const json_t *field_of(const json_t *form, const char *id) {
    const json_t *blocks = json_object_get(form, "blocks");
    for (size_t i = 0; i < json_array_size(blocks); i++) {
        const json_t *fields = json_object_get(json_array_get(blocks, i), "fields");
        for (size_t j = 0; j < json_array_size(fields); j++)
            if (strcmp(vigie_member_text(json_array_get(fields, j), "id"), id) == 0)
                return json_array_get(fields, j);
    }
    return NULL;
}

json_t *declare_problems(const Request *request, const json_t *form, const json_t *problems) {
    json_t *items = json_array();
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const json_t *problem = json_array_get(problems, i);
        const char *id = vigie_member_text(problem, "field");
        g_autofree char *text = problem_text(request, problem);
        const char *label = vigie_text_in(request->lang, json_object_get(field_of(form, id), "text"));
        json_array_append_new(items, json_pack("{s:s, s:s, s:s}", "at", id, "label", label, "text", text));
    }
    return items;
}

/* ---- Fields ------------------------------------------------------------------------------------------------- */
typedef struct {
    const char *type;
    const char *
        shown; /* how: a line, an area of text, one of several, several of several, one box, a day with its hour */
    const char *input; /* the type of the input, and what keyboard a phone shows */
    const char *keys;
} Look;

static const Look looks[] = {
    {"line", "line", "text", ""},          {"text", "area", "", ""},
    {"mail", "line", "email", "email"},    {"phone", "line", "tel", "tel"},
    {"number", "line", "text", "numeric"}, {"choice", "radios", "radio", ""},
    {"flag", "radios", "radio", ""},       {"choices", "checks", "checkbox", ""},
    {"check", "box", "checkbox", ""},      {"time", "moment", "date", ""},
};

static const Look *look_of(const json_t *field) {
    const char *type = vigie_member_text(field, "type");
    size_t i = 0;
    while (strcmp(looks[i].type, type) != 0)
        i++;
    return &looks[i];
}

/* The first has the field's own id: where the summary's link leads. */
static void add_option(json_t *options, const char *field, const char *name, const char *value,
                       const char *text, bool chosen) {
    size_t count = json_array_size(options);
    g_autofree char *id = count ? g_strdup_printf("%s-%zu", field, count) : g_strdup(field);
    json_array_append_new(options, json_pack("{s:s, s:s, s:s, s:s, s:b}", "at", id, "name", name, "value",
                                             value, "text", text, "chosen", chosen));
}

static json_t *radios(const Request *request, const json_t *field, const char *id) {
    json_t *options = json_array();
    const json_t *values = json_object_get(field, "values");
    const char *now = typed(request, id, "");
    bool flag = strcmp(vigie_member_text(field, "type"), "flag") == 0, fact = json_object_get(field, "fact");
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        const char *name = vigie_member_text(value, "name");
        add_option(options, id, id, name, vigie_text_in(request->lang, json_object_get(value, "text")),
                   strcmp(now, name) == 0);
    }
    static const char *const answers[] = {"yes", "no"};
    for (size_t i = 0; flag && i < G_N_ELEMENTS(answers); i++) {
        g_autofree char *key = g_strconcat("declare.", answers[i], NULL);
        add_option(options, id, id, answers[i], vigie_word(request->lang, key), strcmp(now, answers[i]) == 0);
    }
    bool silent = !*now && !json_is_true(json_object_get(field, "required"));
    if (fact)
        add_option(options, id, id, "unknown", vigie_word(request->lang, "declare.not-known"),
                   silent || strcmp(now, "unknown") == 0);
    return options;
}

static json_t *checks(const Request *request, const json_t *field, const char *id) {
    json_t *options = json_array();
    const json_t *values = json_object_get(field, "values");
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        g_autofree char *name = g_strdup_printf("%s.%s", id, vigie_member_text(value, "name"));
        add_option(options, id, name, "yes", vigie_text_in(request->lang, json_object_get(value, "text")),
                   request_form(request, name) != NULL);
    }
    return options;
}

static json_t *field_view(const Request *request, const json_t *field, const json_t *problems) {
    const Look *look = look_of(field);
    const char *id = vigie_member_text(field, "id");
    const json_t *hint = json_object_get(field, "hint"), *problem = problem_of(problems, id);
    g_autofree char *wrong = problem ? problem_text(request, problem) : g_strdup("");
    json_int_t rows = json_integer_value(json_object_get(field, "rows"));
    json_t *view =
        json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:s, s:I, s:s, s:b, s:b}", "id", id, "label",
                  vigie_text_in(request->lang, json_object_get(field, "text")), "hint",
                  json_is_object(hint) ? vigie_text_in(request->lang, hint) : "", "wrong", wrong, "must",
                  json_is_true(json_object_get(field, "required")), "value", typed(request, id, ""), "hour",
                  typed(request, id, ".hour"), "input", look->input, "keys", look->keys, "rows",
                  rows ? rows : (json_int_t)3, "complete", vigie_member_text(field, "autocomplete"), "short",
                  strcmp(look->keys, "numeric") == 0 || json_is_true(json_object_get(field, "short")),
                  "chosen", *typed(request, id, "") && strcmp(typed(request, id, ""), "no") != 0);
    static const char *const shown[] = {"line", "area", "radios", "menu", "checks", "box", "moment"};
    bool many = json_array_size(json_object_get(field, "values")) > RADIOS_MAX;
    const char *how = many && strcmp(look->shown, "radios") == 0 ? "menu" : look->shown;
    for (size_t i = 0; i < G_N_ELEMENTS(shown); i++)
        json_object_set_new(view, shown[i], json_boolean(strcmp(how, shown[i]) == 0));
    if (strcmp(look->shown, "radios") == 0)
        json_object_set_new(view, "options", radios(request, field, id));
    else if (strcmp(look->shown, "checks") == 0)
        json_object_set_new(view, "options", checks(request, field, id));
    return view;
}

/* ---- What was typed ----------------------------------------------------------------------------------------- */
static bool belongs(const json_t *fields, const char *name) {
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const char *id = vigie_member_text(json_array_get(fields, i), "id");
        size_t size = strlen(id);
        if (strncmp(name, id, size) == 0 && (name[size] == '\0' || name[size] == '.'))
            return true;
    }
    return false;
}

static json_t *typed_of(const Request *request, const json_t *fields) {
    json_t *values = json_object();
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, request->form);
    while (g_hash_table_iter_next(&iter, &name, &value))
        if (*(const char *)value && belongs(fields, name))
            json_object_set_new(values, name, json_string(value));
    return values;
}

json_t *declare_typed(const Request *request, const json_t *form) {
    json_t *values = json_object();
    const json_t *blocks = json_object_get(form, "blocks");
    for (size_t i = 0; i < json_array_size(blocks); i++) {
        g_autoptr(json_t) some = typed_of(request, json_object_get(json_array_get(blocks, i), "fields"));
        json_object_update(values, some);
    }
    return values;
}

/* An optional block stands open where something was answered in it, or is wrong. */
static bool is_answered(const json_t *values) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)values, name, value) {
        if (strcmp(json_string_value(value), "unknown") != 0)
            return true;
    }
    return false;
}

json_t *declare_blocks(const Request *request, const json_t *form, const json_t *problems) {
    json_t *views = json_array();
    const json_t *blocks = json_object_get(form, "blocks");
    for (size_t i = 0; i < json_array_size(blocks); i++) {
        const json_t *block = json_array_get(blocks, i), *fields = json_object_get(block, "fields");
        g_autoptr(json_t) answered = typed_of(request, fields);
        json_t *list = json_array();
        bool wrong = false;
        for (size_t j = 0; j < json_array_size(fields); j++) {
            json_t *view = field_view(request, json_array_get(fields, j), problems);
            wrong = wrong || *vigie_member_text(view, "wrong");
            json_array_append_new(list, view);
        }
        g_autofree char *key = g_strconcat("declare.block-hint.", vigie_member_text(block, "id"), NULL);
        const char *hint = vigie_word(request->lang, key);
        json_array_append_new(views, json_pack("{s:s, s:s, s:s, s:O?, s:b, s:o}", "block",
                                               vigie_member_text(block, "id"), "title",
                                               vigie_text_in(request->lang, json_object_get(block, "text")),
                                               "hint", strcmp(hint, key) == 0 ? "" : hint, "essential",
                                               json_object_get(block, "essential"), "open",
                                               wrong || is_answered(answered), "fields", list));
    }
    return views;
}

/* ---- Files -------------------------------------------------------------------------------------------------- */
bool declare_takes_files(const Request *request) {
    return *vigie_config_text(request->portal->config, "csirt.artefact_key") != '\0';
}

/* A field that was left empty comes as a file without content. */
VigieDeclarationFile *declare_files(const Request *request, size_t *ret_count) {
    guint count = request->uploads && declare_takes_files(request) ? request->uploads->len : 0;
    g_autofree VigieDeclarationFile *files = g_new0(VigieDeclarationFile, count + 1);
    size_t taken = 0;
    for (guint i = 0; i < count; i++) {
        const Upload *upload = g_ptr_array_index(request->uploads, i);
        if (g_bytes_get_size(upload->bytes) > 0)
            files[taken++] = (VigieDeclarationFile){upload->name, vigie_bytes_view(upload->bytes)};
    }
    *ret_count = taken;
    return taken ? g_steal_pointer(&files) : NULL;
}

/* Those that the draft of the form keeps: their numbers are their places there. */
void declare_add_files(const Request *request, json_t *view) {
    size_t count = 0;
    bool lost = json_is_true(json_object_get(view, "files_again"));
    g_autofree VigieDeclarationFile *files = lost ? NULL : declare_files(request, &count);
    json_t *kept = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(kept, json_pack("{s:I, s:s}", "seq", (json_int_t)i, "name", files[i].name));
    json_object_set_new(view, "any_kept", json_boolean(count > 0));
    json_object_set_new(view, "files_kept", kept);
}

char *declare_text_with_files(const Request *request, const char *text) {
    size_t count = 0;
    g_autofree VigieDeclarationFile *files = declare_files(request, &count);
    g_autoptr(GString) names = g_string_new(NULL);
    for (size_t i = 0; i < MIN(count, (size_t)CSIRT_FILES_MAX); i++)
        g_string_append_printf(names, "%s%s", i ? ", " : "", files[i].name);
    if (!count)
        return g_strdup(text);
    g_autofree char *line = vigie_words(request->lang, "declare.files.with", "names", names->str, NULL);
    return g_strconcat(text, *text ? "\n\n" : "", line, NULL);
}

/* ---- The team ----------------------------------------------------------------------------------------------- */
char *declare_phone_text(VigieLang lang, const char *number) {
    bool french = g_str_has_prefix(number, "+33") && strlen(number) == 12;
    if (!french)
        return g_strdup(number);
    const char *n = number + 3;
    return g_strdup_printf("%s%c %c%c %c%c %c%c %c%c", lang == VIGIE_FR ? "0" : "+33 ", n[0], n[1], n[2],
                           n[3], n[4], n[5], n[6], n[7], n[8]);
}

static json_t *phones_view(const Request *request, const json_t *phones) {
    json_t *views = json_array();
    for (size_t i = 0; i < json_array_size(phones); i++) {
        const json_t *phone = json_array_get(phones, i);
        g_autofree char *text = declare_phone_text(request->lang, vigie_member_text(phone, "number"));
        json_array_append_new(views,
                              json_pack("{s:s, s:s, s:s}", "number", vigie_member_text(phone, "number"),
                                        "text", text, "note", vigie_member_text(phone, "note")));
    }
    return views;
}

void declare_add_team(const Request *request, json_t *view) {
    const json_t *team = csirt_team_json(request->portal->team);
    const json_t *key = json_object_get(team, "openpgp"), *call = json_object_get(team, "call_back");
    bool always = strcmp(vigie_member_text(team, "urgent"), "24/7") == 0;
    VigieTime opening = csirt_declarations_opening(request->portal->declarations, request->now);
    g_autofree char *time = vigie_when_text(request->lang, request->portal->zone, opening, request->now);
    g_autofree char *opens = vigie_words(request->lang, "declare.closed", "time", time, NULL);
    g_autofree char *back = declare_phone_text(request->lang, vigie_member_text(call, "number"));
    json_object_set_new(view, "callable", json_boolean(json_array_size(json_object_get(team, "phones")) > 0));
    json_object_set_new(view, "file_max",
                        json_integer(vigie_config_int(request->portal->config, "portal.upload_file")));
    json_object_set_new(view, "team",
                        json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s}", "name",
                                  vigie_member_text(team, "name"), "phones",
                                  phones_view(request, json_object_get(team, "phones")), "mail",
                                  vigie_member_text(json_object_get(team, "mailboxes"), "incident"), "site",
                                  vigie_member_text(team, "site"), "fingerprint",
                                  vigie_member_text(key, "fingerprint"), "key", vigie_member_text(key, "url"),
                                  "always", always, "opens", always || opening <= request->now ? "" : opens,
                                  "back", vigie_member_text(call, "number"), "back_text", back));
}
