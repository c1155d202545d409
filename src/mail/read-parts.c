/* The tree of parts. Our own walk, not GMime's: it bounds what it makes, and a signature wants the exact bytes. */
#include "mail/read-parts.h"

#include <string.h>

void start_gmime(void) {
    static gsize started = 0;
    if (g_once_init_enter(&started)) {
        g_mime_init();
        g_once_init_leave(&started, 1);
    }
}

void reading_problem(Reading *reading, const char *id) {
    for (guint i = 0; i < reading->problems->len; i++)
        if (strcmp(reading->problems->pdata[i], id) == 0)
            return;
    g_ptr_array_add(reading->problems, (char *)id);
}

void part_free(Part *part) {
    if (!part)
        return;
    g_clear_object(&part->parameters);
    g_clear_pointer(&part->children, g_ptr_array_unref);
    g_free(part->type);
    g_free(part->path);
    g_free(part->name);
    g_free(part);
}

static void free_part(void *part) {
    part_free(part);
}

bool part_is(const Part *part, const char *type) {
    return strcmp(part->type, type) == 0;
}

const char *part_parameter(const Part *part, const char *name) {
    const char *value = g_mime_content_type_get_parameter(part->parameters, name);
    return value ? value : "";
}

/* ---- Header and body ---- */
static VigieBytes from(VigieBytes bytes, size_t offset) {
    return vigie_bytes(bytes.data + offset, bytes.size - offset);
}

/* The offset after the empty line, and where that line begins. */
static size_t header_end(VigieBytes bytes, size_t *ret_header) {
    size_t line = 0;
    while (line < bytes.size) {
        const uint8_t *newline = memchr(bytes.data + line, '\n', bytes.size - line);
        size_t next = newline ? (size_t)(newline - bytes.data) + 1 : bytes.size;
        bool empty = next - line <= 2 && bytes.data[line] == (next - line == 2 ? '\r' : '\n');
        if (empty) {
            *ret_header = line;
            return next;
        }
        line = next;
    }
    *ret_header = bytes.size;
    return bytes.size;
}

static void split_header(Reading *reading, Part *part, VigieBytes bytes) {
    size_t header = 0, body = header_end(bytes, &header);
    part->whole = bytes;
    part->body = from(bytes, body);
    part->header = vigie_bytes(bytes.data, MIN(header, (size_t)MAIL_READ_HEADER));
    if (header > MAIL_READ_HEADER)
        reading_problem(reading, "header-too-large");
}

/* ---- What it says of itself ---- */
static char *lower_type(const GMimeContentType *parameters) {
    g_autofree char *type = g_mime_content_type_get_mime_type((GMimeContentType *)parameters);
    char *lower = g_ascii_strdown(type ? type : "application/octet-stream", -1);
    for (char *p = lower; *p; p++)
        if (!g_ascii_isgraph(*p) || strchr("<>\"'&;\\", *p))
            *p = '_';
    if (strlen(lower) > 100)
        lower[100] = '\0';
    return lower;
}

static void read_disposition(Reading *reading, Part *part) {
    g_autofree char *raw = field_find(part->header, "Content-Disposition");
    g_autoptr(GMimeContentDisposition) disposition =
        raw ? g_mime_content_disposition_parse(reading->options, raw) : NULL;
    const char *name = NULL;
    if (disposition) {
        const char *kind = g_mime_content_disposition_get_disposition(disposition);
        part->inlined = kind && g_ascii_strcasecmp(kind, "inline") == 0;
        part->attachment = kind && !part->inlined; /* RFC 2183 2.8: unknown ones are attachments */
        name = g_mime_content_disposition_get_parameter(disposition, "filename");
    }
    if (!name)
        name = g_mime_content_type_get_parameter(part->parameters, "name");
    part->name = g_strdup(name);
}

static void describe(Reading *reading, Part *part, const char *fallback) {
    g_autofree char *raw = field_find(part->header, "Content-Type");
    part->parameters = g_mime_content_type_parse(reading->options, raw ? raw : fallback);
    part->type = lower_type(part->parameters);
    read_disposition(reading, part);
}

/* ---- Multiparts ---- */
/* The next line that begins with "--boundary", at or after `offset`. ret_after: the line after it; ret_last: it is the
 * closing one. Bytes.size where there is none. */
static size_t find_boundary(VigieBytes body, size_t offset, const char *marker, size_t *ret_after,
                            bool *ret_last) {
    size_t size = strlen(marker);
    for (;;) {
        const uint8_t *found = memmem(body.data + offset, body.size - offset, marker, size);
        if (!found)
            return *ret_after = body.size;
        size_t at = (size_t)(found - body.data);
        const uint8_t *newline = memchr(found, '\n', body.size - at);
        size_t end = newline ? (size_t)(newline - body.data) : body.size, rest = at + size;
        *ret_last = end - rest >= 2 && memcmp(body.data + rest, "--", 2) == 0;
        rest += *ret_last ? 2 : 0;
        while (rest < end && memchr(" \t\r", body.data[rest], 3))
            rest++;
        bool line_start = at == 0 || body.data[at - 1] == '\n';
        *ret_after = newline ? end + 1 : body.size;
        if (line_start && rest == end)
            return at;
        offset = at + size;
    }
}

/* RFC 2046 5.1.1: the line break before a boundary belongs to it. */
static size_t without_break(VigieBytes body, size_t start, size_t end) {
    if (end > start && body.data[end - 1] == '\n')
        end--;
    if (end > start && body.data[end - 1] == '\r')
        end--;
    return end;
}

static Part *parse_at(Reading *reading, VigieBytes bytes, const char *fallback, char *path, unsigned depth);

static void add_child(Reading *reading, Part *part, size_t start, size_t end, unsigned depth) {
    VigieBytes bytes = vigie_bytes(part->body.data + start, without_break(part->body, start, end) - start);
    char *path = g_strdup_printf("%s.%u", part->path, part->children->len + 1);
    const char *fallback = part_is(part, "multipart/digest") ? "message/rfc822" : "text/plain";
    g_ptr_array_add(part->children, parse_at(reading, bytes, fallback, path, depth + 1));
}

static void split_parts(Reading *reading, Part *part, unsigned depth) {
    const char *boundary = part_parameter(part, "boundary");
    if (!*boundary || strlen(boundary) > 1000) {
        reading_problem(reading, "broken-mime");
        return;
    }
    g_autofree char *marker = g_strconcat("--", boundary, NULL);
    size_t start = 0;
    bool last = false;
    size_t at = find_boundary(part->body, 0, marker, &start, &last);
    while (at < part->body.size && !last) {
        size_t next = 0;
        at = find_boundary(part->body, start, marker, &next, &last);
        if (reading->parts >= MAIL_READ_PARTS) {
            reading_problem(reading, "too-many-parts");
            return;
        }
        add_child(reading, part, start, at, depth);
        start = next;
    }
    if (!last || part->children->len == 0)
        reading_problem(reading, "broken-mime");
}

static Part *parse_at(Reading *reading, VigieBytes bytes, const char *fallback, char *path, unsigned depth) {
    Part *part = g_new0(Part, 1);
    reading->parts++;
    part->path = path;
    split_header(reading, part, bytes);
    describe(reading, part, fallback);
    if (!g_str_has_prefix(part->type, "multipart/"))
        return part;
    part->children = g_ptr_array_new_with_free_func(free_part);
    if (depth >= MAIL_READ_DEPTH)
        reading_problem(reading, "too-deep");
    else
        split_parts(reading, part, depth);
    return part;
}

Part *part_parse(Reading *reading, VigieBytes bytes) {
    /* What mail programs put before a message in a file. */
    if (bytes.size > 5 && memcmp(bytes.data, "From ", 5) == 0) {
        const uint8_t *newline = memchr(bytes.data, '\n', bytes.size);
        bytes = from(bytes, newline ? (size_t)(newline - bytes.data) + 1 : bytes.size);
    }
    return parse_at(reading, bytes, "text/plain", g_strdup("1"), 0);
}
