/* fill: a document's template, which is data, and what it is about, make a model. */
#include "document/model.h"

#include <string.h>

enum { DEPTH_MAX = 16 };

static json_t *fill(const json_t *template, const json_t *data, VigieLang lang, int depth);

static bool is_there(const json_t *value) {
    return value && !json_is_null(value) && !json_is_false(value) &&
           !(json_is_number(value) && json_number_value(value) == 0) &&
           !(json_is_string(value) && json_string_length(value) == 0) &&
           !(json_is_array(value) && json_array_size(value) == 0) &&
           !(json_is_object(value) && json_object_size(value) == 0);
}

/* "month.rows": a member's member. */
static json_t *find(const json_t *data, const char *path) {
    g_auto(GStrv) names = g_strsplit(path, ".", 8);
    json_t *value = (json_t *)data;
    for (char **name = names; *name && value; name++)
        value = json_object_get(value, *name);
    return value;
}

/* What stands alone keeps its kind: a number stays one; of { "fr", "en" } the language is taken. */
static json_t *fill_text(const char *text, const json_t *data, VigieLang lang) {
    size_t size = strlen(text);
    if (size >= 2 && text[0] == '{' && strchr(text, '}') == text + size - 1) {
        g_autofree char *name = g_strndup(text + 1, size - 2);
        json_t *value = find(data, name);
        if (json_is_string(value) || json_is_number(value) || json_is_array(value))
            return json_incref(value);
        if (json_is_object(value))
            return json_string(vigie_text_in(lang, value));
        if (json_is_null(value))
            return json_string("");
    }
    g_autofree char *filled = vigie_text_fill(text, data);
    return json_string(filled);
}

/* What is around, with the element's members before it; one that is no object is {item}. */
static json_t *inner_data(const json_t *data, json_t *element) {
    json_t *inner = json_copy((json_t *)data);
    if (json_is_object(element))
        json_object_update(inner, element);
    else
        json_object_set(inner, "item", element);
    return inner;
}

static void append_filled(json_t *list, const json_t *element, const json_t *data, VigieLang lang,
                          int depth) {
    json_t *each = json_object_get(element, "each"), *one;
    const char *over = json_string_value(json_object_get(element, "for"));
    const char *condition = json_string_value(json_object_get(element, "if"));
    size_t index;
    if (over && each) {
        json_array_foreach(find(data, over), index, one) {
            g_autoptr(json_t) inner = inner_data(data, one);
            append_filled(list, each, inner, lang, depth + 1);
        }
    } else if (condition) {
        const char *branch = is_there(find(data, condition)) ? "then" : "else";
        json_array_foreach(json_object_get(element, branch), index, one)
            append_filled(list, one, data, lang, depth + 1);
    } else {
        json_array_append_new(list, fill(element, data, lang, depth + 1));
    }
}

static json_t *fill(const json_t *template, const json_t *data, VigieLang lang, int depth) {
    if (depth > DEPTH_MAX)
        return json_null();
    if (json_is_string(template))
        return fill_text(json_string_value(template), data, lang);
    if (json_is_array(template)) {
        json_t *list = json_array(), *element;
        size_t index;
        json_array_foreach(template, index, element) append_filled(list, element, data, lang, depth);
        return list;
    }
    if (!json_is_object(template))
        return json_deep_copy(template);
    if (json_object_get(template, "fr"))
        return fill_text(vigie_text_in(lang, template), data, lang);
    json_t *object = json_object(), *value;
    const char *name;
    json_object_foreach((json_t *)template, name, value)
        json_object_set_new(object, name, fill(value, data, lang, depth + 1));
    return object;
}

json_t *document_fill(const char *name, const json_t *data, VigieLang lang, GError **error) {
    g_autofree char *path = g_strdup_printf("documents/%s.json", name);
    g_autoptr(json_t) template = vigie_knowledge_json(path, error);
    if (!template)
        return NULL;
    g_autoptr(json_t) model = fill(template, data, lang, 0);
    json_object_set_new(model, "language", json_string(vigie_lang_code(lang)));
    if (document_model_check(model, error))
        return g_steal_pointer(&model);
    g_prefix_error(error, "knowledge/%s: ", path);
    return NULL;
}
