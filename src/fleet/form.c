/* Fields read, checked, compared and written by their table. */
#include "fleet/form.h"

#include <arpa/inet.h>
#include <string.h>

void form_clear(FormValues *values) {
    for (size_t i = 0; i < FIELDS_MAX; i++)
        g_clear_pointer(&values->at[i].text, g_free);
}

bool field_is_number(const Field *field) {
    return field->type >= FIELD_CRITICALITY;
}

size_t form_index(const Form *form, const char *name) {
    size_t i = 0;
    while (strcmp(form->fields[i].name, name) != 0)
        i++;
    return i;
}

const char *form_text(const Form *form, const FormValues *values, const char *name) {
    return values->at[form_index(form, name)].text;
}

int64_t form_number(const Form *form, const FormValues *values, const char *name) {
    return values->at[form_index(form, name)].number;
}

/* ---- Problems ----------------------------------------------------------------------------------------------- */
bool form_problem(const char *field, const char *problem, int64_t limit, const char *value,
                  json_t **ret_problem, GError **error) {
    g_autoptr(json_t) object = json_pack("{s:s, s:s}", "field", field, "problem", problem);
    if (limit >= 0)
        json_object_set_new(object, "limit", json_integer(limit));
    if (value)
        json_object_set_new(object, "value", json_string(value));
    g_autofree char *text = fleet_problem_text(VIGIE_EN, object);
    g_set_error(error, VIGIE_ERROR,
                strcmp(problem, "exists") == 0 ? VIGIE_ERROR_CONFLICT : VIGIE_ERROR_INVALID, "%s: %s", field,
                text);
    if (ret_problem)
        *ret_problem = g_steal_pointer(&object);
    return false;
}

char *fleet_problem_text(VigieLang lang, const json_t *problem) {
    const char *field = json_string_value(json_object_get(problem, "field"));
    const char *id = json_string_value(json_object_get(problem, "problem"));
    g_autofree char *field_key = g_strconcat("fleet.field.", field ? field : "line", NULL);
    g_autofree char *problem_key = g_strconcat("fleet.problem.", id ? id : "", NULL);
    const char *field_word = vigie_word(lang, field_key);
    g_autoptr(json_t) values = json_copy((json_t *)problem);
    json_object_set_new(values, "field",
                        json_string(strcmp(field_word, field_key) == 0 && field ? field : field_word));
    return vigie_text_fill(vigie_word(lang, problem_key), values);
}

typedef struct {
    const Field *field;
    json_t **problem;
    GError **error;
} Report;

static bool report(const Report *to, const char *problem, int64_t limit, const char *value) {
    return form_problem(to->field->name, problem, limit, value, to->problem, to->error);
}

/* ---- Checks ------------------------------------------------------------------------------------------------- */
static bool has_control(const char *text, bool lines) {
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        if (g_unichar_iscntrl(c) && !(lines && (c == '\n' || c == '\t')))
            return true;
    }
    return false;
}

/* A name: labels of letters, digits, '-' and '_' (the field has them), in any script; or an address. */
static bool is_host(const char *text) {
    if (g_hostname_is_ip_address(text))
        return true;
    if (g_utf8_strlen(text, -1) > 253 || *text == '.' || *text == '-')
        return false;
    for (const char *at = text; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (!g_unichar_isalnum(c) && !g_unichar_ismark(c) && c != '-' && c != '_' && c != '.')
            return false;
        if (c == '.' && at[1] == '.')
            return false;
    }
    return true;
}

/* Addresses compare as text: one form for each. */
static char *address_text(const char *text) {
    unsigned char bytes[16];
    char out[INET6_ADDRSTRLEN];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, text, bytes) != 1 || !inet_ntop(family, bytes, out, sizeof out))
        return NULL;
    return g_strdup(out);
}

/* One plain address: nothing in it may end a header or add a recipient. */
static bool is_mail(const char *text) {
    const char *at = strchr(text, '@');
    return at && at > text && at[1] && !strchr(at + 1, '@') && !strpbrk(text, " \t\r\n<>,;:()[]\"\\");
}

static bool check_kind(const Field *field, char **text, const Report *to) {
    VigieLang lang;
    VigieProtocol protocol;
    g_autofree char *address = NULL;
    switch (field->type) {
    case FIELD_HOST:
        address = address_text(*text);
        if (address) {
            g_free(*text);
            *text = g_steal_pointer(&address);
        }
        return is_host(*text) || report(to, "not-host", -1, *text);
    case FIELD_ADDRESS:
        address = address_text(*text);
        if (!address)
            return report(to, "not-address", -1, *text);
        g_free(*text);
        *text = g_steal_pointer(&address);
        return true;
    case FIELD_MAIL:
        return is_mail(*text) || report(to, "not-mail", -1, *text);
    case FIELD_CLASS:
        return fleet_class_known(*text, NULL) || report(to, "not-known", -1, *text);
    case FIELD_OWNER:
        return fleet_owner_known(*text) || report(to, "not-known", -1, *text);
    case FIELD_LANGUAGE:
        return (vigie_lang_parse(*text, &lang) && strlen(*text) == 2) || report(to, "not-known", -1, *text);
    case FIELD_PROTOCOL:
        return vigie_protocol_parse(*text, &protocol) || report(to, "not-known", -1, *text);
    default:
        return true;
    }
}

/* Trimmed and composed (NFC), so that a name typed on two systems is one name. */
static bool read_text(const Field *field, const json_t *value, FieldValue *out, const Report *to) {
    if (!json_is_string(value) && !json_is_null(value))
        return report(to, "not-text", -1, NULL);
    const char *given = json_is_null(value) ? "" : json_string_value(value);
    if (!json_is_null(value) && strlen(given) != json_string_length(value))
        return report(to, "control-character", -1, NULL);
    g_autofree char *text = g_utf8_normalize(given, -1, G_NORMALIZE_NFC);
    g_strstrip(text);
    if (field->required && *text == '\0')
        return report(to, "required", -1, NULL);
    if (g_utf8_strlen(text, -1) > field->most)
        return report(to, "too-long", field->most, NULL);
    if (has_control(text, field->type == FIELD_NOTE))
        return report(to, "control-character", -1, NULL);
    if (*text && !check_kind(field, &text, to))
        return false;
    out->text = g_steal_pointer(&text);
    return true;
}

static bool read_flag(const json_t *value, FieldValue *out, const Report *to) {
    static const char *const yes[] = {"true", "yes", "on", "1", NULL}, *const no[] = {"false", "no", "", "0",
                                                                                      NULL};
    const char *text = json_string_value(value);
    if (json_is_boolean(value))
        out->number = json_is_true(value);
    else if (text && g_strv_contains(yes, text))
        out->number = 1;
    else if (json_is_null(value) || (text && g_strv_contains(no, text)))
        out->number = 0;
    else
        return report(to, "not-boolean", -1, text);
    return true;
}

static bool read_rank(const json_t *value, FieldValue *out, const Report *to) {
    const char *text = json_string_value(value);
    if (json_is_null(value) || (text && *text == '\0'))
        out->number = 0;
    else if (!text || !fleet_criticality_parse(text, &out->number))
        return report(to, "not-known", -1, text);
    return true;
}

static bool exists(VigieStore *store, const char *table, int64_t id, bool *ret_exists, GError **error) {
    g_autofree char *sql = g_strdup_printf("SELECT count(*) FROM %s WHERE id = $1", table);
    int64_t count = 0;
    if (!store_get_int(store, &count, error, sql, "i", id))
        return false;
    *ret_exists = count > 0;
    return true;
}

static bool read_number(VigieStore *store, const Field *field, const json_t *value, FieldValue *out,
                        const Report *to) {
    const char *text = json_string_value(value);
    guint64 parsed = 0;
    if (json_is_null(value) || (text && *text == '\0'))
        out->number = 0;
    else if (json_is_integer(value))
        out->number = json_integer_value(value);
    else if (text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, &parsed, NULL))
        out->number = (int64_t)parsed;
    else
        return report(to, "not-number", -1, text);
    if (out->number == 0)
        return !field->required || report(to, "required", -1, NULL);
    if (field->type == FIELD_PORT)
        return (out->number > 0 && out->number < 65536) || report(to, "not-port", -1, NULL);
    bool found = false;
    if (!exists(store, field->table, out->number, &found, to->error))
        return false;
    return found || report(to, "not-found", -1, NULL);
}

static bool read_field(VigieStore *store, const Field *field, const json_t *value, FieldValue *out,
                       json_t **ret_problem, GError **error) {
    Report to = {field, ret_problem, error};
    out->given = true;
    if (field->type == FIELD_FLAG)
        return read_flag(value, out, &to);
    if (field->type == FIELD_CRITICALITY)
        return read_rank(value, out, &to);
    return field_is_number(field) ? read_number(store, field, value, out, &to)
                                  : read_text(field, value, out, &to);
}

static bool known_member(const Form *form, const char *name) {
    for (size_t i = 0; i < form->count; i++)
        if (strcmp(form->fields[i].name, name) == 0)
            return true;
    return false;
}

bool form_read(VigieStore *store, const Form *form, const json_t *fields, FormValues *ret_values,
               json_t **ret_problem, GError **error) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)fields, name, value) {
        if (!known_member(form, name))
            return form_problem(name, "unknown-field", -1, NULL, ret_problem, error);
    }
    for (size_t i = 0; i < form->count; i++) {
        value = json_object_get(fields, form->fields[i].name);
        if (value && !read_field(store, &form->fields[i], value, &ret_values->at[i], ret_problem, error))
            return false;
    }
    return true;
}

bool form_complete(const Form *form, FormValues *values, json_t **ret_problem, GError **error) {
    for (size_t i = 0; i < form->count; i++) {
        const Field *field = &form->fields[i];
        FieldValue *value = &values->at[i];
        bool empty = field_is_number(field) ? value->number == 0 : !value->text || !*value->text;
        if (field->required && empty)
            return form_problem(field->name, "required", -1, NULL, ret_problem, error);
        if (!field_is_number(field) && empty) {
            g_free(value->text);
            value->text = g_strdup(field->initial ? field->initial : "");
        }
        value->given = true;
    }
    return true;
}

/* ---- Reading and writing rows ------------------------------------------------------------------------------- */
bool form_load(VigieStore *store, const Form *form, int64_t id, FormValues *ret_values, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    for (size_t i = 0; i < form->count; i++) {
        query_add(query, i ? ", " : "SELECT ");
        query_add(query, form->fields[i].column);
    }
    query_add(query, " FROM ");
    query_add(query, form->table);
    query_add(query, " WHERE id = ?i", id);
    g_autoptr(VigieRows) rows = query_run(store, query, error);
    if (!rows_first(rows, error, "%s %" G_GINT64_FORMAT ": there is none", form->table, id))
        return false;
    for (size_t i = 0; i < form->count; i++) {
        if (field_is_number(&form->fields[i]))
            ret_values->at[i].number = rows_int(rows, (int)i);
        else
            ret_values->at[i].text = g_strdup(rows_text(rows, (int)i));
    }
    return true;
}

static json_t *value_json(const Field *field, const FieldValue *value) {
    if (field->type == FIELD_CRITICALITY) {
        const char *name = fleet_criticality_name(value->number);
        return name ? json_string(name) : json_null();
    }
    if (field->type == FIELD_FLAG)
        return json_boolean(value->number != 0);
    if (field_is_number(field))
        return json_integer(value->number);
    return value->text && *value->text ? json_string(value->text) : json_null();
}

json_t *form_changes(const Form *form, const FormValues *before, const FormValues *values) {
    json_t *changes = json_object();
    for (size_t i = 0; i < form->count; i++) {
        if (!values->at[i].given)
            continue;
        g_autoptr(json_t) old = value_json(&form->fields[i], &before->at[i]);
        g_autoptr(json_t) new = value_json(&form->fields[i], &values->at[i]);
        if (!json_equal(old, new))
            json_object_set_new(changes, form->fields[i].name,
                                json_pack("{s:O, s:O}", "before", old, "after", new));
    }
    return changes;
}

static void add_value(VigieQuery *query, const Field *field, const FieldValue *value) {
    if (!field_is_number(field))
        query_add(query, "?t", value->text);
    else if (field->type == FIELD_REFERENCE)
        query_add(query, "NULLIF(?i, 0)", value->number);
    else
        query_add(query, "?i", value->number);
}

bool form_insert(VigieStore *store, const Form *form, const FormValues *values, VigieTime now,
                 int64_t *ret_id, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "INSERT INTO ");
    query_add(query, form->table);
    query_add(query, form->folded ? " (created, updated, fold" : " (created, updated");
    for (size_t i = 0; i < form->count; i++) {
        query_add(query, ", ");
        query_add(query, form->fields[i].column);
    }
    query_add(query, ") VALUES (?i, ?i", now, now);
    if (form->folded) {
        g_autofree char *fold = vigie_text_fold(form_text(form, values, "name"));
        query_add(query, ", ?t", fold);
    }
    for (size_t i = 0; i < form->count; i++) {
        query_add(query, ", ");
        add_value(query, &form->fields[i], &values->at[i]);
    }
    query_add(query, ") RETURNING id");
    return query_int(store, query, ret_id, error);
}

bool form_update(VigieStore *store, const Form *form, int64_t id, const FormValues *values, VigieTime now,
                 GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    query_add(query, "UPDATE ");
    query_add(query, form->table);
    query_add(query, " SET updated = ?i", now);
    for (size_t i = 0; i < form->count; i++) {
        if (!values->at[i].given)
            continue;
        query_add(query, ", ");
        query_add(query, form->fields[i].column);
        query_add(query, " = ");
        add_value(query, &form->fields[i], &values->at[i]);
        if (form->folded && strcmp(form->fields[i].name, "name") == 0) {
            g_autofree char *fold = vigie_text_fold(values->at[i].text);
            query_add(query, ", fold = ?t", fold);
        }
    }
    query_add(query, " WHERE id = ?i RETURNING id", id);
    return query_int(store, query, &id, error);
}

void form_merge(const Form *form, const FormValues *before, FormValues *values) {
    for (size_t i = 0; i < form->count; i++) {
        if (values->at[i].given)
            continue;
        g_free(values->at[i].text);
        values->at[i].text = g_strdup(before->at[i].text);
        values->at[i].number = before->at[i].number;
    }
}
