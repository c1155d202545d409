#include "portal/multipart.h"

#include <string.h>

enum { BOUNDARY_MAX = 70 };

typedef enum { START, HEAD, CONTENT, AFTER, EPILOGUE } State;

struct Multipart {
    State state;
    char delimiter[BOUNDARY_MAX + 5]; /* CR LF -- boundary */
    size_t delimiter_size, file_max;
    GByteArray *pending; /* not decoded yet */
    char *field, *name;  /* of the present part; name NULL: text */
    bool chosen;         /* the present part's file has a name */
    GByteArray *content;
    size_t texts; /* octets of text so far */
    unsigned parts;
    GPtrArray *uploads, *pairs; /* Upload; name, text, name, text … */
    unsigned status;
    const char *why;
};

static bool refuse(Multipart *multipart, unsigned status, const char *why) {
    multipart->status = status;
    multipart->why = why;
    return false;
}

static void upload_free(gpointer data) {
    Upload *upload = data;
    g_free(upload->field);
    g_free(upload->name);
    g_bytes_unref(upload->bytes);
    g_free(upload);
}

void multipart_upload_add(GPtrArray **uploads, const char *name, GBytes *bytes) {
    Upload *upload = g_new0(Upload, 1);
    *upload = (Upload){g_strdup("files"), g_strdup(name), g_bytes_ref(bytes)};
    if (!*uploads)
        *uploads = g_ptr_array_new_with_free_func(upload_free);
    g_ptr_array_add(*uploads, upload);
}

/* ---- Parameters --------------------------------------------------------------------------------------------- */
static void skip_spaces(const char **at) {
    while (**at == ' ' || **at == '\t')
        ++*at;
}

/* A token, or a text in quotes: browsers write %22 for a quote within, others \". NULL: neither. */
static char *read_value(const char **at) {
    if (**at != '"') {
        size_t size = strcspn(*at, " \t;\"");
        char *token = size > 0 ? g_strndup(*at, size) : NULL;
        *at += size;
        return token;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    for (++*at; **at && **at != '"'; ++*at) {
        if ((*at)[0] == '\\' && ((*at)[1] == '"' || (*at)[1] == '\\'))
            ++*at;
        g_string_append_c(text, **at);
    }
    if (**at != '"')
        return NULL;
    ++*at;
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* The parameter `name` of "value; a=b; c=d". False where the line cannot be read, or has it twice. */
static bool parameter(const char *line, const char *name, char **ret_value) {
    g_autofree char *found = NULL;
    const char *at = strchr(line, ';');
    while (at && *at == ';') {
        ++at;
        skip_spaces(&at);
        size_t size = strcspn(at, "=; \t\"");
        const char *key = at;
        at += size;
        if (size == 0 || *at++ != '=')
            return false;
        g_autofree char *value = read_value(&at);
        bool ours = size == strlen(name) && g_ascii_strncasecmp(key, name, size) == 0;
        if (!value || (ours && found))
            return false;
        if (ours)
            found = g_steal_pointer(&value);
        skip_spaces(&at);
    }
    if (at && *at)
        return false;
    *ret_value = g_steal_pointer(&found);
    return true;
}

static bool is_boundary(const char *text) {
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (!g_ascii_isalnum(text[i]) && !strchr("'()+_,-./:=? ", text[i]))
            return false;
    return size > 0 && size <= BOUNDARY_MAX && text[size - 1] != ' ';
}

Multipart *multipart_new(VigieBytes type, size_t file_max) {
    static const char kind[] = "multipart/form-data";
    g_autofree char *line = g_strndup((const char *)type.data, type.size);
    g_autofree char *boundary = NULL;
    size_t size = strcspn(line, "; \t");
    if (size != strlen(kind) || g_ascii_strncasecmp(line, kind, size) != 0 ||
        !parameter(line, "boundary", &boundary) || !boundary || !is_boundary(boundary))
        return NULL;
    Multipart *multipart = g_new0(Multipart, 1);
    multipart->delimiter_size =
        (size_t)g_snprintf(multipart->delimiter, sizeof multipart->delimiter, "\r\n--%s", boundary);
    multipart->file_max = file_max;
    multipart->pending = g_byte_array_new();
    multipart->content = g_byte_array_new();
    multipart->uploads = g_ptr_array_new_with_free_func(upload_free);
    multipart->pairs = g_ptr_array_new_with_free_func(g_free);
    return multipart;
}

void multipart_free(Multipart *multipart) {
    if (!multipart)
        return;
    g_free(multipart->field);
    g_free(multipart->name);
    g_byte_array_unref(multipart->pending);
    g_byte_array_unref(multipart->content);
    g_clear_pointer(&multipart->uploads, g_ptr_array_unref);
    g_ptr_array_unref(multipart->pairs);
    g_free(multipart);
}

/* ---- A part ------------------------------------------------------------------------------------------------- */
static bool is_harmless(gunichar c) {
    bool turns = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    return g_unichar_isprint(c) && g_unichar_type(c) != G_UNICODE_FORMAT && !turns && c < 0xfff0 &&
           !strchr("\"*:<>?|\\/", c < 0x80 ? (int)c : 'a');
}

/* What a stranger calls a file, fit to be shown and to be a file's name anywhere. A long one keeps its end. */
static char *harmless_name(const char *told) {
    g_autofree char *valid = g_utf8_make_valid(told, -1);
    const char *slash = strrchr(valid, '/'), *backslash = strrchr(valid, '\\');
    const char *base = MAX(slash, backslash) ? MAX(slash, backslash) + 1 : valid;
    g_autoptr(GString) name = g_string_new(NULL);
    for (const char *at = base; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (is_harmless(c) && !(name->len == 0 && (c == '.' || c == ' ')))
            g_string_append_unichar(name, c);
    }
    glong length = g_utf8_strlen(name->str, -1);
    if (length > MULTIPART_NAME_MAX) {
        const char *dot = strrchr(name->str, '.');
        glong end = dot ? MIN(g_utf8_strlen(dot, -1), 16) : 0;
        g_autofree char *first = g_utf8_substring(name->str, 0, MULTIPART_NAME_MAX - end);
        g_autofree char *last = g_utf8_substring(name->str, length - end, length);
        return g_strconcat(first, last, NULL);
    }
    return name->len > 0 ? g_strdup(name->str) : g_strdup("file");
}

static bool read_disposition(Multipart *multipart, const char *value) {
    g_autofree char *field = NULL, *name = NULL;
    size_t size = strcspn(value, "; \t");
    if (multipart->field || size != strlen("form-data") ||
        g_ascii_strncasecmp(value, "form-data", size) != 0 || !parameter(value, "name", &field) ||
        !parameter(value, "filename", &name) || !field || !*field || strlen(field) > MULTIPART_NAME_MAX ||
        !g_utf8_validate(field, -1, NULL))
        return refuse(multipart, 400,
                      "RFC 7578 4.2: a part has one Content-Disposition: form-data; name=\"…\"");
    multipart->field = g_steal_pointer(&field);
    multipart->chosen = name && *name;
    multipart->name = name ? harmless_name(name) : NULL;
    return true;
}

static bool read_line(Multipart *multipart, char *line) {
    char *colon = strchr(line, ':');
    if (!colon || colon == line || strpbrk(line, "\r\n"))
        return refuse(multipart, 400, "RFC 2046 5.1: a part's head is lines of NAME: VALUE");
    *colon = '\0';
    char *value = g_strstrip(colon + 1);
    if (g_ascii_strcasecmp(line, "content-disposition") == 0)
        return read_disposition(multipart, value);
    if (g_ascii_strcasecmp(line, "content-transfer-encoding") == 0 &&
        g_ascii_strcasecmp(value, "binary") != 0 && g_ascii_strcasecmp(value, "8bit") != 0 &&
        g_ascii_strcasecmp(value, "7bit") != 0)
        return refuse(multipart, 400, "RFC 7578 4.7: a part is sent as it is, without an encoding");
    return true;
}

static bool read_part_head(Multipart *multipart, const uint8_t *head, size_t size) {
    if (memchr(head, 0, size))
        return refuse(multipart, 400, "RFC 2046 5.1: NUL in the head of a part");
    if (++multipart->parts > MULTIPART_PARTS_MAX)
        return refuse(multipart, 413, "RFC 9110 15.5.14: more than 200 parts");
    g_autofree char *text = g_strndup((const char *)head, size);
    g_auto(GStrv) lines = g_strsplit(text, "\r\n", 0);
    for (char **line = lines; *line; line++)
        if (!read_line(multipart, *line))
            return false;
    return multipart->field || refuse(multipart, 400, "RFC 7578 4.2: a part has no Content-Disposition");
}

static bool add_content(Multipart *multipart, const uint8_t *bytes, size_t size) {
    if (multipart->name && multipart->content->len + size > multipart->file_max)
        return refuse(multipart, 413, "RFC 9110 15.5.14: a file is larger than is taken here");
    if (!multipart->name && (multipart->texts += size) > MULTIPART_TEXT_MAX)
        return refuse(multipart, 413, "RFC 9110 15.5.14: more than 256 KiB of text");
    g_byte_array_append(multipart->content, bytes, (guint)size);
    return true;
}

static bool end_part(Multipart *multipart) {
    GByteArray *content = g_steal_pointer(&multipart->content);
    multipart->content = g_byte_array_new();
    g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(content);
    gsize size = 0;
    const void *octets = g_bytes_get_data(bytes, &size);
    const char *data = octets ? octets : ""; /* nothing is NULL */
    if (multipart->name && (multipart->chosen || size > 0)) {
        Upload *upload = g_new(Upload, 1);
        *upload = (Upload){g_steal_pointer(&multipart->field), g_steal_pointer(&multipart->name),
                           g_steal_pointer(&bytes)};
        g_ptr_array_add(multipart->uploads, upload);
    } else if (!multipart->name) {
        if (!g_utf8_validate_len(data, size, NULL))
            return refuse(multipart, 400, "RFC 7578 4.4: a text field is UTF-8, without NUL");
        g_ptr_array_add(multipart->pairs, g_steal_pointer(&multipart->field));
        g_ptr_array_add(multipart->pairs, g_strndup(data, size));
    }
    g_clear_pointer(&multipart->field, g_free);
    g_clear_pointer(&multipart->name, g_free);
    return true;
}

/* ---- The whole ---------------------------------------------------------------------------------------------- */
typedef enum { MORE, ON, REFUSED } Step;

static Step step_start(Multipart *multipart, VigieBytes in, size_t *ret_used) {
    size_t size = multipart->delimiter_size - 2;
    if (memcmp(in.data, multipart->delimiter + 2, MIN(in.size, size)) != 0) {
        refuse(multipart, 400, "RFC 2046 5.1: the body begins with its boundary");
        return REFUSED;
    }
    if (in.size < size)
        return MORE;
    *ret_used = size;
    multipart->state = AFTER;
    return ON;
}

static Step step_head(Multipart *multipart, VigieBytes in, size_t *ret_used) {
    const uint8_t *end = memmem(in.data, in.size, "\r\n\r\n", 4);
    if ((end ? (size_t)(end - in.data) : in.size) > MULTIPART_HEAD_MAX) {
        refuse(multipart, 413, "RFC 9110 15.5.14: the head of a part is more than 4 KiB");
        return REFUSED;
    }
    if (in.size >= 2 && memcmp(in.data, "\r\n", 2) == 0) {
        refuse(multipart, 400, "RFC 7578 4.2: a part has no Content-Disposition");
        return REFUSED;
    }
    if (!end)
        return MORE;
    *ret_used = (size_t)(end - in.data) + 4;
    multipart->state = CONTENT;
    return read_part_head(multipart, in.data, (size_t)(end - in.data)) ? ON : REFUSED;
}

static Step step_content(Multipart *multipart, VigieBytes in, size_t *ret_used) {
    const uint8_t *end = memmem(in.data, in.size, multipart->delimiter, multipart->delimiter_size);
    size_t keep = multipart->delimiter_size - 1; /* may be the beginning of one */
    size_t size = end ? (size_t)(end - in.data) : in.size > keep ? in.size - keep : 0;
    if (!add_content(multipart, in.data, size))
        return REFUSED;
    *ret_used = size;
    if (!end)
        return MORE;
    *ret_used += multipart->delimiter_size;
    multipart->state = AFTER;
    return end_part(multipart) ? ON : REFUSED;
}

static Step step_after(Multipart *multipart, VigieBytes in, size_t *ret_used) {
    if (in.size < 2)
        return MORE;
    *ret_used = 2;
    multipart->state = in.data[0] == '-' ? EPILOGUE : HEAD;
    if (memcmp(in.data, "\r\n", 2) == 0 || memcmp(in.data, "--", 2) == 0)
        return ON;
    refuse(multipart, 400, "RFC 2046 5.1.1: something stands behind a boundary in its line");
    return REFUSED;
}

static Step step_epilogue(Multipart *multipart, VigieBytes in, size_t *ret_used) {
    (void)ret_used;
    if (in.size <= 2 && memcmp(in.data, "\r\n", in.size) == 0)
        return MORE;
    refuse(multipart, 400, "RFC 2046 5.1: something follows the last boundary");
    return REFUSED;
}

bool multipart_feed(Multipart *multipart, VigieBytes bytes, unsigned *ret_status, const char **ret_why) {
    static Step (*const steps[])(Multipart *, VigieBytes, size_t *) = {
        [START] = step_start, [HEAD] = step_head,         [CONTENT] = step_content,
        [AFTER] = step_after, [EPILOGUE] = step_epilogue,
    };
    g_byte_array_append(multipart->pending, bytes.data, (guint)bytes.size);
    VigieBytes in = vigie_bytes(multipart->pending->data, multipart->pending->len);
    Step step = multipart->why ? REFUSED : ON;
    while (step == ON && in.size > 0) {
        size_t used = 0;
        step = steps[multipart->state](multipart, in, &used);
        in = vigie_bytes(in.data + used, in.size - used);
    }
    g_byte_array_remove_range(multipart->pending, 0, multipart->pending->len - (guint)in.size);
    if (step != REFUSED)
        return true;
    *ret_status = multipart->status;
    *ret_why = multipart->why;
    return false;
}

bool multipart_end(const Multipart *multipart) {
    return !multipart->why && multipart->state == EPILOGUE;
}

GPtrArray *multipart_take(Multipart *multipart, GHashTable *form) {
    for (guint i = 0; i + 1 < multipart->pairs->len; i += 2) {
        const char *name = g_ptr_array_index(multipart->pairs, i);
        if (!g_hash_table_contains(form, name))
            g_hash_table_insert(form, g_strdup(name), g_strdup(g_ptr_array_index(multipart->pairs, i + 1)));
    }
    return g_steal_pointer(&multipart->uploads);
}
