/* The forms of declaration: what they ask, and whether what came is an answer. */
#include "csirt/declaration-form.h"

#include <string.h>

enum { FUTURE = 3600, TITLE_CHARACTERS = 120, SHORT_TEXT = 500, DIGITS = 9 };

/* ---- Loading ------------------------------------------------------------------------------------------------ */
static bool refuse(GError **error, const char *field, const char *why) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s/csirt/declaration.json: %s: %s",
                vigie_knowledge_folder(), field ? field : "?", why);
    return false;
}

static json_t *texts(const char *key) {
    return json_pack("{s:s, s:s}", "fr", vigie_word(VIGIE_FR, key), "en", vigie_word(VIGIE_EN, key));
}

static bool has_word(const char *key) {
    return strcmp(vigie_word(VIGIE_FR, key), key) != 0;
}

/* The word of this form, or else the one of all forms; NULL where there is neither. */
static json_t *texts_of(const char *what, const char *form, const char *id) {
    g_autofree char *own = g_strdup_printf("declare.%s.%s.%s", form, what, id);
    g_autofree char *common = g_strdup_printf("declare.%s.%s", what, id);
    return has_word(own) ? texts(own) : has_word(common) ? texts(common) : NULL;
}

/* What the fact says of itself stands under what the form says of it. */
static bool take_fact(json_t *field, GError **error) {
    const char *name = json_string_value(json_object_get(field, "fact"));
    const json_t *fact = json_object_get(csirt_facts(), name);
    if (!fact || json_object_get(fact, "of"))
        return refuse(error, name, "facts.json has no such fact that may be declared");
    json_object_set_new(field, "id", json_string(name));
    g_autoptr(json_t) own = json_deep_copy(fact);
    json_object_update_missing(field, own);
    if (strcmp(json_string_value(json_object_get(field, "type")), "text") == 0 &&
        json_integer_value(json_object_get(field, "max")) <= SHORT_TEXT)
        json_object_set_new(field, "type", json_string("line"));
    return true;
}

static json_t *own_values(const char *form, const char *id, const json_t *names) {
    json_t *values = json_array();
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        g_autofree char *key = g_strconcat(id, ".", name, NULL);
        json_t *text = texts_of("value", form, key);
        json_array_append_new(values, json_pack("{s:s, s:o*}", "name", name, "text", text));
    }
    return values;
}

/* A question may want other words for its answers than the fact has. */
static void reword_values(const char *form, const char *id, json_t *values) {
    for (size_t i = 0; i < json_array_size(values); i++) {
        json_t *value = json_array_get(values, i);
        g_autofree char *key = g_strconcat(id, ".", json_string_value(json_object_get(value, "name")), NULL);
        json_t *text = texts_of("value", form, key);
        if (text)
            json_object_set_new(value, "text", text);
    }
}

static bool load_field(const char *form, json_t *field, GError **error) {
    static const char *const types[] = {"line",    "text", "mail",  "phone", "number", "choice",
                                        "choices", "flag", "check", "time",  NULL};
    bool own = !json_object_get(field, "fact");
    if (!own && !take_fact(field, error))
        return false;
    const char *id = json_string_value(json_object_get(field, "id"));
    const char *type = json_string_value(json_object_get(field, "type"));
    if (!id || !type || !g_strv_contains(types, type))
        return refuse(error, id, "\"id\" and a known \"type\" are wanted");
    if (own && !json_object_get(field, "to"))
        return refuse(error, id, "\"fact\" or \"to\" says where its value goes");
    json_t *text = texts_of("field", form, id), *hint = texts_of("hint", form, id);
    if (own && !text)
        return refuse(error, id, "words/declare.json has no declare.field of it");
    if (text)
        json_object_set_new(field, "text", text);
    json_object_set_new(field, "hint", hint ? hint : json_null());
    json_t *values = json_object_get(field, "values");
    if (own && values)
        json_object_set_new(field, "values", own_values(form, id, values));
    else
        reword_values(form, id, values);
    return true;
}

static bool load_block(const char *form, json_t *block, GError **error) {
    const char *id = json_string_value(json_object_get(block, "id"));
    json_t *text = id ? texts_of("block", form, id) : NULL;
    if (!text)
        return refuse(error, id, "a block has an \"id\", and words/declare.json its declare.block");
    json_object_set_new(block, "text", text);
    json_t *fields = json_object_get(block, "fields");
    for (size_t i = 0; i < json_array_size(fields); i++)
        if (!load_field(form, json_array_get(fields, i), error))
            return false;
    return true;
}

json_t *declaration_forms_load(GError **error) {
    g_autoptr(json_t) file = vigie_knowledge_json("csirt/declaration.json", error);
    g_autoptr(json_t) forms = json_object();
    json_t *list = json_object_get(file, "forms");
    for (size_t i = 0; file && i < json_array_size(list); i++) {
        json_t *form = json_array_get(list, i), *blocks = json_object_get(form, "blocks");
        const char *id = json_string_value(json_object_get(form, "id"));
        if (!id || !json_array_size(blocks)) {
            refuse(error, id, "a form has an \"id\" and \"blocks\"");
            return NULL;
        }
        for (size_t j = 0; j < json_array_size(blocks); j++)
            if (!load_block(id, json_array_get(blocks, j), error))
                return NULL;
        json_object_set(forms, id, form);
    }
    return file ? g_steal_pointer(&forms) : NULL;
}

/* ---- One value ---------------------------------------------------------------------------------------------- */
typedef struct {
    const json_t *field;
    const char *id;
    GHashTable *values;
    GTimeZone *zone;
    VigieTime now;
    const char *problem; /* what is wrong with it; NULL: nothing */
} Reading;

/* A text as it is kept: without control characters, line ends of one kind, nothing around it. */
static char *clean(const char *text, bool lines) {
    GString *out = g_string_new(NULL);
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        bool end = c == '\r' || c == '\n' || c == 0x2028 || c == 0x2029;
        if (c == '\r' && p[1] == '\n')
            continue;
        if (end || c == '\t')
            g_string_append_c(out, end && lines ? '\n' : ' ');
        else if (!g_unichar_iscntrl(c))
            g_string_append_unichar(out, c);
    }
    return g_strstrip(g_string_free(out, FALSE));
}

/* NULL where it was not given, or is no text. Free with g_free. */
static char *given(Reading *reading, const char *end) {
    g_autofree char *name = g_strconcat(reading->id, end, NULL);
    const char *value = g_hash_table_lookup(reading->values, name);
    const char *type = json_string_value(json_object_get(reading->field, "type"));
    if (!value)
        return NULL;
    if (!g_utf8_validate(value, -1, NULL)) {
        reading->problem = "text";
        return NULL;
    }
    char *text = clean(value, strcmp(type, "text") == 0);
    if (!*text)
        g_clear_pointer(&text, g_free);
    return text;
}

static json_t *read_text(Reading *reading) {
    g_autofree char *text = given(reading, "");
    const char *pattern = json_string_value(json_object_get(reading->field, "pattern"));
    size_t max = (size_t)json_integer_value(json_object_get(reading->field, "max"));
    /* A fact's limit is of bytes, what people count are characters: the narrower holds. */
    if (text && (strlen(text) > max))
        reading->problem = "long";
    else if (text && pattern && !g_regex_match_simple(pattern, text, 0, 0))
        reading->problem = "pattern";
    return text ? json_string(text) : NULL;
}

static json_t *read_mail(Reading *reading) {
    json_t *value = read_text(reading);
    const char *text = json_string_value(value);
    g_autofree char *address = text && !strpbrk(text, "<> ") ? mail_address(text, NULL) : NULL;
    if (text && !reading->problem && !address)
        reading->problem = "mail";
    return value;
}

static json_t *read_phone(Reading *reading) {
    json_t *value = read_text(reading);
    const char *text = json_string_value(value);
    size_t digits = 0;
    bool well = true;
    for (const char *p = text; p && *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        digits += c < 128 && g_ascii_isdigit(c);
        well =
            well && ((c < 128 && (g_ascii_isdigit(c) || strchr("+()-./ ", (int)c))) || g_unichar_isspace(c));
    }
    if (text && !reading->problem && (!well || digits < 4 || digits > 20))
        reading->problem = "phone";
    return value;
}

static json_t *read_number(Reading *reading) {
    g_autofree char *text = given(reading, "");
    g_autoptr(GString) digits = g_string_new(NULL);
    bool well = true;
    for (const char *p = text; p && *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (c < 128 && g_ascii_isdigit(c))
            g_string_append_unichar(digits, c);
        else
            well = well && g_unichar_isspace(c); /* "1 200" */
    }
    if (!text)
        return NULL;
    json_int_t number =
        well && digits->len > 0 && digits->len <= DIGITS ? g_ascii_strtoll(digits->str, NULL, 10) : -1;
    if (number < 0 || number > json_integer_value(json_object_get(reading->field, "max")))
        reading->problem = "number";
    return json_integer(number);
}

static bool is_value(const json_t *field, const char *name) {
    const json_t *values = json_object_get(field, "values");
    for (size_t i = 0; i < json_array_size(values); i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(values, i), "name")), name) == 0)
            return true;
    return false;
}

/* "unknown" is an answer, and no fact: JSON null. */
static json_t *read_choice(Reading *reading) {
    g_autofree char *text = given(reading, "");
    if (!text)
        return NULL;
    if (is_value(reading->field, text))
        return json_string(text);
    if (strcmp(text, "unknown") != 0 || !json_object_get(reading->field, "fact"))
        reading->problem = "choice";
    return json_null();
}

static json_t *read_flag(Reading *reading) {
    g_autofree char *text = given(reading, "");
    if (!text)
        return NULL;
    bool yes = strcmp(text, "yes") == 0;
    if (yes || strcmp(text, "no") == 0)
        return json_boolean(yes);
    if (strcmp(text, "unknown") != 0)
        reading->problem = "choice";
    return json_null();
}

static json_t *read_check(Reading *reading) {
    g_autofree char *text = given(reading, "");
    return json_boolean(text && strcmp(text, "no") != 0);
}

static json_t *read_choices(Reading *reading) {
    const json_t *values = json_object_get(reading->field, "values");
    json_t *chosen = json_array();
    for (size_t i = 0; i < json_array_size(values); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(values, i), "name"));
        g_autofree char *key = g_strdup_printf("%s.%s", reading->id, name);
        if (g_hash_table_contains(reading->values, key))
            json_array_append_new(chosen, json_string(name));
    }
    if (json_array_size(chosen) > 0)
        return chosen;
    json_decref(chosen);
    return NULL;
}

/* Whole numbers of a text, whatever stands between them: "2026-11-21", "21/11/2026", "14 h 05". At most `most`; how many, or -1. */
static int numbers_of(const char *text, int *ret_numbers, int most) {
    int count = 0;
    while (*text) {
        if (!g_ascii_isdigit(*text)) {
            text++;
            continue;
        }
        size_t size = strspn(text, "0123456789");
        if (count == most || size > 4)
            return -1;
        ret_numbers[count++] = (int)g_ascii_strtoll(text, NULL, 10);
        text += size;
    }
    return count;
}

static bool day_of(const char *text, int *year, int *month, int *day) {
    int n[3];
    if (numbers_of(text, n, 3) != 3)
        return false;
    bool year_first = n[0] > 31;
    *year = year_first ? n[0] : n[2];
    *month = n[1];
    *day = year_first ? n[2] : n[0];
    *year += *year < 100 ? 2000 : 0;
    return g_date_valid_dmy((GDateDay)MIN(*day, 255), (GDateMonth)CLAMP(*month, 0, 13), (GDateYear)*year) &&
           *year > 1990;
}

static bool hour_of(const char *text, int *hour, int *minute) {
    int n[2] = {0, 0}, count = numbers_of(text, n, 2);
    *hour = n[0];
    *minute = n[1];
    return count >= 1 && n[0] < 24 && n[1] < 60;
}

/* A day, and an hour where it is known: without it the day's beginning, so that no deadline is thought longer than it is. A
 * program gives RFC 3339. */
static json_t *read_time(Reading *reading) {
    g_autofree char *text = given(reading, ""), *clock = given(reading, ".hour");
    int year = 0, month = 0, day = 0, hour = 0, minute = 0;
    VigieTime time = 0;
    if (!text)
        return NULL;
    if (!vigie_time_parse_rfc3339(text, &time, NULL)) {
        bool well = day_of(text, &year, &month, &day) && (!clock || hour_of(clock, &hour, &minute));
        g_autoptr(GDateTime) local =
            well ? g_date_time_new(reading->zone, year, month, day, hour, minute, 0) : NULL;
        time = local ? g_date_time_to_unix(local) : 0;
        if (!local)
            reading->problem = "time";
    }
    if (!reading->problem && time > reading->now + FUTURE)
        reading->problem = "future";
    g_autofree char *iso = vigie_time_rfc3339(time);
    return json_string(iso);
}

static const struct {
    const char *type;
    json_t *(*read)(Reading *reading);
} readers[] = {
    {"line", read_text},     {"text", read_text},     {"mail", read_mail},       {"phone", read_phone},
    {"number", read_number}, {"choice", read_choice}, {"choices", read_choices}, {"flag", read_flag},
    {"check", read_check},   {"time", read_time},
};

/* NULL: not given. */
static json_t *read_value(Reading *reading) {
    const char *type = json_string_value(json_object_get(reading->field, "type"));
    size_t i = 0;
    while (strcmp(readers[i].type, type) != 0)
        i++;
    reading->problem = NULL;
    json_t *value = readers[i].read(reading);
    if (!value && !reading->problem && json_is_true(json_object_get(reading->field, "required")))
        reading->problem = "required";
    if (reading->problem)
        g_clear_pointer(&value, json_decref);
    return value;
}

/* ---- All of them -------------------------------------------------------------------------------------------- */
static void add_problem(json_t *problems, const char *field, const char *problem, json_t *max) {
    json_array_append_new(problems,
                          json_pack("{s:s, s:s, s:O?}", "field", field, "problem", problem, "max", max));
}

static void place(json_t *opening, const json_t *field, json_t *value) {
    const char *fact = json_string_value(json_object_get(field, "fact"));
    const char *to = json_string_value(json_object_get(field, "to"));
    if (json_is_null(value))
        return;
    if (fact)
        json_object_set(json_object_get(opening, "facts"), fact, value);
    else if (g_str_has_prefix(to, "declarant."))
        json_object_set(json_object_get(opening, "declarant"), to + strlen("declarant."), value);
    else
        json_object_set(opening, to, value);
}

static void read_block(Reading *reading, const json_t *block, json_t *opening, json_t *problems) {
    const json_t *fields = json_object_get(block, "fields");
    for (size_t i = 0; i < json_array_size(fields); i++) {
        reading->field = json_array_get(fields, i);
        reading->id = json_string_value(json_object_get(reading->field, "id"));
        g_autoptr(json_t) value = read_value(reading);
        if (reading->problem)
            add_problem(problems, reading->id, reading->problem, json_object_get(reading->field, "max"));
        else if (value)
            place(opening, reading->field, value);
    }
}

/* One of these members of the declarant must be there, or nobody could be answered. */
static void check_reachable(const json_t *form, const json_t *opening, json_t *problems) {
    const json_t *names = json_object_get(form, "reachable"),
                 *declarant = json_object_get(opening, "declarant");
    for (size_t i = 0; i < json_array_size(names); i++)
        if (json_object_get(declarant, json_string_value(json_array_get(names, i))))
            return;
    const char *first = json_string_value(json_array_get(names, 0));
    for (size_t i = 0; i < json_array_size(problems); i++) { /* a wrong one says so already */
        const char *field = json_string_value(json_object_get(json_array_get(problems, i), "field"));
        for (size_t j = 0; j < json_array_size(names); j++)
            if (strcmp(field, json_string_value(json_array_get(names, j))) == 0)
                return;
    }
    if (first)
        add_problem(problems, first, "reachable", NULL);
}

/* What the queue shows: the organisation, and the beginning of the first line. */
static char *title_of(const json_t *opening) {
    const char *organisation = json_string_value(json_object_get(opening, "organisation_name"));
    const char *text = json_string_value(json_object_get(opening, "text"));
    g_autofree char *line = g_strndup(text ? text : "", strcspn(text ? text : "", "\n"));
    g_autofree char *title =
        organisation ? g_strdup_printf("%s – %s", organisation, line) : g_steal_pointer(&line);
    if (g_utf8_strlen(title, -1) <= TITLE_CHARACTERS)
        return g_steal_pointer(&title);
    g_autofree char *cut = g_utf8_substring(title, 0, TITLE_CHARACTERS - 1);
    return g_strconcat(g_strchomp(cut), "…", NULL);
}

static void finish(json_t *opening) {
    g_autofree char *title = title_of(opening);
    json_object_set_new(opening, "title", json_string(title));
    bool anonymous = strcmp(json_string_value(json_object_get(opening, "source")), "anonymous") == 0;
    if (anonymous || json_object_size(json_object_get(opening, "declarant")) == 0)
        json_object_set_new(opening, "declarant", json_null());
}

json_t *declaration_form_read(const json_t *form, GHashTable *values, GTimeZone *zone, VigieTime now,
                              json_t **ret_opening) {
    json_t *problems = json_array();
    g_autoptr(json_t) opening =
        json_pack("{s:O, s:O, s:n, s:n, s:n, s:b, s:{}, s:{}}", "kind", json_object_get(form, "kind"),
                  "source", json_object_get(form, "source"), "title", "organisation_name", "text", "urgent",
                  0, "facts", "declarant");
    const json_t *blocks = json_object_get(form, "blocks");
    Reading reading = {.values = values, .zone = zone, .now = now};
    for (size_t i = 0; i < json_array_size(blocks); i++)
        read_block(&reading, json_array_get(blocks, i), opening, problems);
    check_reachable(form, opening, problems);
    finish(opening);
    if (ret_opening)
        *ret_opening = g_steal_pointer(&opening);
    return problems;
}
