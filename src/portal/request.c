#include "portal/request.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PAIRS_MAX = 256 };

char *portal_date(VigieTime time) {
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm t = {0};
    gmtime_r(&(time_t){time}, &t);
    return g_strdup_printf("%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday], t.tm_mday,
                           months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

char *portal_url_decode(const char *text, gsize size, bool plus) {
    g_autoptr(GString) out = g_string_sized_new(size);
    for (gsize i = 0; i < size; i++) {
        if (text[i] == '%') {
            if (i + 2 >= size || !g_ascii_isxdigit(text[i + 1]) || !g_ascii_isxdigit(text[i + 2]))
                return NULL;
            g_string_append_c(
                out, (char)(g_ascii_xdigit_value(text[i + 1]) << 4 | g_ascii_xdigit_value(text[i + 2])));
            i += 2;
        } else {
            g_string_append_c(out, plus && text[i] == '+' ? ' ' : text[i]);
        }
    }
    if (!g_utf8_validate(out->str, (gssize)out->len, NULL)) /* refuses NUL, too */
        return NULL;
    return g_string_free(g_steal_pointer(&out), FALSE);
}

bool portal_form_parse(GHashTable *table, const char *text, gsize size) {
    const char *end = text + size;
    for (unsigned pairs = 0; text < end; pairs++) {
        const char *next = memchr(text, '&', (gsize)(end - text));
        const char *stop = next ? next : end;
        const char *equals = memchr(text, '=', (gsize)(stop - text));
        const char *name_end = equals ? equals : stop;
        const char *value = equals ? equals + 1 : stop;
        g_autofree char *key = portal_url_decode(text, (gsize)(name_end - text), true);
        g_autofree char *decoded = portal_url_decode(value, (gsize)(stop - value), true);
        if (!key || !decoded || pairs == PAIRS_MAX)
            return false;
        if (*key && !g_hash_table_contains(table, key))
            g_hash_table_insert(table, g_steal_pointer(&key), g_steal_pointer(&decoded));
        text = next ? next + 1 : end;
    }
    return true;
}

static GHashTable *new_table(void) {
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

Request *request_new(const char *raw_target) {
    Request *request = g_new0(Request, 1);
    request->query = new_table();
    request->form = new_table();
    request->fields = new_table();
    request->cookies = new_table();
    request->body = g_string_new(NULL);
    request->answer = g_string_new(NULL);
    request->headers = g_ptr_array_new_with_free_func(g_free);
    request->status = 200;
    const char *mark = strchr(raw_target, '?');
    gsize path_size = mark ? (gsize)(mark - raw_target) : strlen(raw_target);
    request->path = portal_url_decode(raw_target, path_size, false);
    if (mark && !portal_form_parse(request->query, mark + 1, strlen(mark + 1)))
        g_clear_pointer(&request->path, g_free); /* what cannot be decoded is no address of ours */
    return request;
}

void request_free(Request *request) {
    if (!request)
        return;
    g_free(request->method);
    g_free(request->path);
    g_hash_table_unref(request->query);
    g_hash_table_unref(request->form);
    g_hash_table_unref(request->fields);
    g_hash_table_unref(request->cookies);
    g_string_free(request->body, TRUE);
    g_string_free(request->answer, TRUE);
    g_clear_pointer(&request->uploads, g_ptr_array_unref);
    g_clear_pointer(&request->file, g_bytes_unref);
    g_ptr_array_unref(request->headers);
    g_free(request->address);
    g_free(request->reader.name);
    g_free(request->reader.csrf);
    g_free(request->reader.session_hash);
    g_free(request->go);
    g_free(request->here);
    g_free(request);
}

void request_header(Request *request, const char *name, const char *value) {
    g_ptr_array_add(request->headers, g_strdup(name));
    g_ptr_array_add(request->headers, g_strdup(value));
}

void request_keep(Request *request, int64_t milliseconds) {
    request->kept_ms = milliseconds;
}

void request_file(Request *request, GBytes *file, const char *type, const char *tag, VigieTime changed) {
    g_autofree char *quoted = g_strdup_printf("\"%s\"", tag);
    g_clear_pointer(&request->file, g_bytes_unref);
    request->file = g_bytes_ref(file);
    request->type = type;
    request_header(request, "ETag", quoted);
    if (changed != 0) {
        g_autofree char *date = portal_date(changed);
        request_header(request, "Last-Modified", date);
    }
}

const char *request_query(const Request *request, const char *name) {
    return g_hash_table_lookup(request->query, name);
}

const char *request_form(const Request *request, const char *name) {
    return g_hash_table_lookup(request->form, name);
}

const char *request_field(const Request *request, const char *name) {
    return g_hash_table_lookup(request->fields, name);
}

int64_t request_number(const char *text) {
    gint64 number = 0;
    return text && g_ascii_string_to_signed(text, 10, 1, G_MAXINT64, &number, NULL) ? number : 0;
}

static char *scalar_text(const json_t *value) {
    if (json_is_string(value))
        return g_strdup(json_string_value(value));
    if (json_is_integer(value))
        return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return json_is_boolean(value) ? g_strdup(json_is_true(value) ? "yes" : "no") : NULL;
}

/* As the page's form would have it: of a list NAME.ELEMENT, one for each. */
static bool add_member(GHashTable *form, const char *name, const json_t *value) {
    bool well = true;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));
        well = well && text;
        if (text)
            g_hash_table_insert(form, g_strconcat(name, ".", text, NULL), g_strdup("yes"));
    }
    char *text = scalar_text(value);
    if (text)
        g_hash_table_insert(form, g_strdup(name), text);
    return well && (text || json_is_array(value) || json_is_null(value));
}

/* Of an object NAME.MEMBER, one level deep; what is null or a list is there, too, as an empty field: it was asked. */
static bool add_members(GHashTable *form, const char *name, const json_t *object) {
    const char *member;
    json_t *value;
    bool well = true;
    json_object_foreach((json_t *)object, member, value) {
        g_autofree char *field = g_strconcat(name, ".", member, NULL);
        well = well && add_member(form, field, value);
        if (json_is_null(value) || json_is_array(value))
            g_hash_table_insert(form, g_steal_pointer(&field), g_strdup(""));
    }
    return well;
}

static bool read_json_form(Request *request, GError **error) {
    json_error_t where;
    g_autoptr(json_t) object =
        json_loadb(request->body->str, request->body->len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(object)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "the body is not a JSON object: line %d: %s",
                    where.line, where.text);
        return false;
    }
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        if (json_is_object(value) ? add_members(request->form, name, value)
                                  : add_member(request->form, name, value))
            continue;
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            "%.40s: a text, a whole number, true, false or a list of texts is wanted, or an object of these",
            name);
        return false;
    }
    return true;
}

bool request_read_form(Request *request, GError **error) {
    if (request->body->len == 0) /* or the form came with files, and is decoded */
        return true;
    const char *type = request_field(request, "content-type");
    if (type && g_str_has_prefix(type, "application/json"))
        return read_json_form(request, error);
    if (type && g_str_has_prefix(type, "application/x-www-form-urlencoded") &&
        portal_form_parse(request->form, request->body->str, request->body->len))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                "the body is a form (application/x-www-form-urlencoded) or a JSON object (application/json)");
    return false;
}

static void append_pair(GString *link, char *separator, const char *name, const char *value) {
    g_autofree char *key = g_uri_escape_string(name, NULL, FALSE);
    g_autofree char *text = g_uri_escape_string(value, NULL, FALSE);
    g_string_append_printf(link, "%c%s=%s", *separator, key, text);
    *separator = '&';
}

char *request_link(const Request *request, const char *path, ...) {
    g_autoptr(GHashTable) changed = g_hash_table_new(g_str_hash, g_str_equal);
    va_list pairs;
    va_start(pairs, path);
    for (const char *name; (name = va_arg(pairs, const char *));)
        g_hash_table_insert(changed, (gpointer)name, va_arg(pairs, gpointer));
    va_end(pairs);
    GString *link = g_string_new(path);
    char separator = '?';
    g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(request->query), (GCompareFunc)strcmp);
    for (GList *name = names; name; name = name->next) {
        const char *value = request_query(request, name->data);
        bool asked_here = strcmp(name->data, "lang") == 0; /* for this page, and kept in a cookie */
        if (!g_hash_table_contains(changed, name->data) && *value && !asked_here)
            append_pair(link, &separator, name->data, value);
    }
    g_autoptr(GList) added = g_list_sort(g_hash_table_get_keys(changed), (GCompareFunc)strcmp);
    for (GList *name = added; name; name = name->next) {
        const char *value = g_hash_table_lookup(changed, name->data);
        if (value)
            append_pair(link, &separator, name->data, value);
    }
    return g_string_free(link, FALSE);
}

void request_cookie(Request *request, const char *name, const char *value, int64_t seconds) {
    /* __Host-: the browser itself holds us to Secure, Path=/ and no Domain. */
    g_autofree char *cookie =
        g_strdup_printf("%s%s=%s; Path=/; HttpOnly; SameSite=Lax; Max-Age=%" G_GINT64_FORMAT "%s",
                        request->portal->https ? "__Host-" : "", name, value, seconds,
                        request->portal->https ? "; Secure" : "");
    request_header(request, "Set-Cookie", cookie);
}
