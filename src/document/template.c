/* template: Mustache, compiled to a flat list of nodes, rendered over json_t. */
#include "document/document.h"

#include <stdio.h>
#include <string.h>

enum {
    TEXT_LIMIT = 1 << 20,
    SECTION_DEPTH = 32,
    PARTIAL_DEPTH = 64,
    STACK_LIMIT = SECTION_DEPTH * PARTIAL_DEPTH,
    STEP_LIMIT = 4000000,
    OUTPUT_LIMIT = 8 << 20,
};

typedef enum { NODE_TEXT, NODE_ESCAPED, NODE_RAW, NODE_SECTION, NODE_INVERTED, NODE_PARTIAL } NodeKind;

typedef struct {
    NodeKind kind;
    bool starts_line; /* the indentation of a partial goes before it */
    const char *text; /* TEXT: a view into the template's text; PARTIAL: the indentation of its own line */
    gsize size;
    char *name;  /* the tag's name; NULL for TEXT */
    char **path; /* its parts; empty for "." */
    gsize end;   /* sections: the index of the first node after them */
} Node;

struct VigieTemplate {
    char *text;
    GArray *nodes;
};

/* ---- Compiling --------------------------------------------------------------------------------------- */
typedef struct {
    const char *text, *end, *at;
    char open[8], close[8];
    bool line_begins; /* nothing of the present line was emitted yet */
    GArray *nodes;
    gsize sections[SECTION_DEPTH]; /* open ones, indices */
    gsize depth;
} Compiler;

typedef struct {
    char sigil; /* one of & { # ^ / > ! = or 0 */
    const char *start, *body, *body_end, *end;
} Tag;

static bool fail_at(const Compiler *c, const char *at, GError **error, const char *what) {
    unsigned line = 1;
    for (const char *p = c->text; p < at; p++)
        line += *p == '\n';
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "line %u: %s", line, what);
    return false;
}

static void clear_node(gpointer data) {
    Node *node = data;
    g_free(node->name);
    g_strfreev(node->path);
}

static Node *add_node(Compiler *c, NodeKind kind, const char *text, gsize size) {
    Node node = {.kind = kind, .starts_line = c->line_begins, .text = text, .size = size};
    c->line_begins = false;
    g_array_append_val(c->nodes, node);
    return &g_array_index(c->nodes, Node, c->nodes->len - 1);
}

/* One node a line, so that a partial's indentation finds the beginning of each. */
static void add_text(Compiler *c, const char *from, const char *to) {
    while (from < to) {
        const char *newline = memchr(from, '\n', (gsize)(to - from));
        const char *next = newline ? newline + 1 : to;
        add_node(c, NODE_TEXT, from, (gsize)(next - from));
        c->line_begins = newline != NULL;
        from = next;
    }
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static bool is_space(char c) {
    return is_blank(c) || c == '\n' || c == '\r';
}

/* Reads the tag that begins at `start`, where the opening delimiter is. */
static bool read_tag(Compiler *c, const char *start, Tag *ret_tag, GError **error) {
    const char *body = start + strlen(c->open);
    while (body < c->end && is_space(*body))
        body++;
    char sigil = 0;
    if (body < c->end && strchr("&{#^/>!=", *body) && *body)
        sigil = *body++;
    char close[10];
    const char *before = sigil == '{' ? "}" : sigil == '=' ? "=" : "";
    g_snprintf(close, sizeof close, "%s%s", before, c->close);
    const char *body_end = g_strstr_len(body, c->end - body, close);
    if (!body_end)
        return fail_at(c, start, error, "a tag is opened and not closed");
    *ret_tag = (Tag){sigil, start, body, body_end, body_end + strlen(close)};
    while (ret_tag->body < ret_tag->body_end && is_space(*ret_tag->body))
        ret_tag->body++;
    while (ret_tag->body_end > ret_tag->body && is_space(ret_tag->body_end[-1]))
        ret_tag->body_end--;
    return true;
}

/* True where the tag is alone on its line: then the line goes. The bounds of the line are returned. */
static bool stands_alone(const Compiler *c, const Tag *tag, const char **ret_line, const char **ret_next) {
    if (tag->sigil == 0 || strchr("&{", tag->sigil))
        return false;
    const char *line = tag->start, *next = tag->end;
    while (line > c->text && is_blank(line[-1]))
        line--;
    while (next < c->end && is_blank(*next))
        next++;
    if (line > c->text && line[-1] != '\n')
        return false;
    if (next + 1 < c->end && next[0] == '\r' && next[1] == '\n')
        next += 2;
    else if (next < c->end && *next == '\n')
        next++;
    else if (next < c->end)
        return false;
    *ret_line = line;
    *ret_next = next;
    return true;
}

static bool set_delimiters(Compiler *c, const Tag *tag, GError **error) {
    g_autofree char *body = g_strndup(tag->body, (gsize)(tag->body_end - tag->body));
    char open[8] = "", close[8] = "";
    char rest = 0;
    if (strchr(body, '=') || sscanf(body, "%7s %7s %c", open, close, &rest) != 2)
        return fail_at(c, tag->start, error,
                       "{{=OPEN CLOSE=}} wants two delimiters of 1 to 7 characters, without =");
    g_strlcpy(c->open, open, sizeof c->open);
    g_strlcpy(c->close, close, sizeof c->close);
    return true;
}

static bool close_section(Compiler *c, const Tag *tag, const char *name, GError **error) {
    if (c->depth == 0)
        return fail_at(c, tag->start, error, "a section is closed that was not opened");
    Node *section = &g_array_index(c->nodes, Node, c->sections[c->depth - 1]);
    if (strcmp(section->name, name) != 0) {
        g_autofree char *what =
            g_strdup_printf("{{/%s}} closes, where {{/%s}} is wanted", name, section->name);
        return fail_at(c, tag->start, error, what);
    }
    section->end = c->nodes->len;
    c->depth--;
    return true;
}

static bool add_tag(Compiler *c, const Tag *tag, const char *line, GError **error) {
    if (tag->sigil == '!')
        return true;
    if (tag->sigil == '=')
        return set_delimiters(c, tag, error);
    g_autofree char *name = g_strndup(tag->body, (gsize)(tag->body_end - tag->body));
    if (!*name)
        return fail_at(c, tag->start, error, "a tag has no name");
    if (tag->sigil == '/')
        return close_section(c, tag, name, error);
    static const char sigils[] = "&{#^>";
    static const NodeKind kinds[] = {NODE_RAW, NODE_RAW, NODE_SECTION, NODE_INVERTED, NODE_PARTIAL};
    const char *sigil = tag->sigil ? strchr(sigils, tag->sigil) : NULL;
    NodeKind kind = sigil ? kinds[sigil - sigils] : NODE_ESCAPED;
    bool section = kind == NODE_SECTION || kind == NODE_INVERTED;
    if (section && c->depth == SECTION_DEPTH)
        return fail_at(c, tag->start, error, "sections are nested more than 32 deep");
    if (section)
        c->sections[c->depth++] = c->nodes->len;
    bool line_begins = c->line_begins;
    if (line) /* the line is gone: what it carries begins no line of its own */
        c->line_begins = false;
    Node *node = add_node(c, kind, line ? line : tag->start, line ? (gsize)(tag->start - line) : 0);
    node->path = strcmp(name, ".") == 0 ? g_new0(char *, 1) : g_strsplit(name, ".", 16);
    node->name = g_steal_pointer(&name);
    c->line_begins = line ? line_begins : false;
    return true;
}

static bool compile(Compiler *c, GError **error) {
    while (c->at < c->end) {
        const char *start = g_strstr_len(c->at, c->end - c->at, c->open);
        if (!start) {
            add_text(c, c->at, c->end);
            break;
        }
        Tag tag;
        if (!read_tag(c, start, &tag, error))
            return false;
        const char *line = NULL, *next = tag.end;
        bool alone = stands_alone(c, &tag, &line, &next);
        /* Two standalone tags never share a line, so `line` is not before `at`. */
        add_text(c, c->at, alone ? line : start);
        if (!add_tag(c, &tag, alone ? line : NULL, error))
            return false;
        c->at = next;
        c->line_begins = c->line_begins || alone;
    }
    if (c->depth == 0)
        return true;
    const Node *section = &g_array_index(c->nodes, Node, c->sections[c->depth - 1]);
    g_autofree char *what = g_strdup_printf("{{#%s}} is not closed", section->name);
    return fail_at(c, section->text, error, what);
}

VigieTemplate *document_template_compile(const char *text, gsize size, GError **error) {
    if (size > TEXT_LIMIT || memchr(text, 0, size)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "a template is at most 1 MiB of text without NUL");
        return NULL;
    }
    g_autoptr(VigieTemplate) template = g_new0(VigieTemplate, 1);
    template->text = g_strndup(text, size);
    template->nodes = g_array_new(FALSE, FALSE, sizeof(Node));
    g_array_set_clear_func(template->nodes, clear_node);
    Compiler c = {.text = template->text,
                  .end = template->text + size,
                  .at = template->text,
                  .open = "{{",
                  .close = "}}",
                  .line_begins = true,
                  .nodes = template->nodes};
    return compile(&c, error) ? g_steal_pointer(&template) : NULL;
}

void document_template_free(VigieTemplate *template) {
    if (!template)
        return;
    g_clear_pointer(&template->nodes, g_array_unref);
    g_free(template->text);
    g_free(template);
}

void document_template_partials(const VigieTemplate *template, void (*each)(const char *name, void *data),
                                void *data) {
    for (guint i = 0; i < template->nodes->len; i++) {
        const Node *node = &g_array_index(template->nodes, Node, i);
        if (node->kind == NODE_PARTIAL)
            each(node->name, data);
    }
}

/* ---- Rendering --------------------------------------------------------------------------------------- */
typedef struct {
    const json_t *stack[STACK_LIMIT]; /* contexts, the innermost last */
    gsize height;
    unsigned partials; /* how deep */
    unsigned steps;
    gsize start; /* of our output in `out` */
    GString *indent, *out;
    VigiePartialFind find;
    void *find_data;
} Renderer;

static const json_t *look_up(const Renderer *r, char *const *path) {
    if (!path[0])
        return r->stack[r->height - 1];
    const json_t *value = NULL;
    for (gsize i = r->height; i > 0 && !value; i--)
        value = json_object_get(r->stack[i - 1], path[0]);
    for (path++; value && *path; path++)
        value = json_object_get(value, *path);
    return value;
}

static bool is_true(const json_t *value) {
    if (!value)
        return false;
    switch (json_typeof(value)) {
    case JSON_NULL:
    case JSON_FALSE:
        return false;
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_INTEGER:
        return json_integer_value(value) != 0;
    case JSON_REAL:
        return json_real_value(value) != 0;
    default:
        return true;
    }
}

void document_append_escaped(GString *out, const char *text, gsize size) {
    const char *end = text + size, *from = text;
    for (const char *p = text; p < end; p++) {
        const char *entity = *p == '&'    ? "&amp;"
                             : *p == '<'  ? "&lt;"
                             : *p == '>'  ? "&gt;"
                             : *p == '"'  ? "&quot;"
                             : *p == '\'' ? "&#39;"
                                          : NULL;
        if (!entity)
            continue;
        g_string_append_len(out, from, p - from);
        g_string_append(out, entity);
        from = p + 1;
    }
    g_string_append_len(out, from, end - from);
}

/* The fewest digits that read back as the same number: 1.21, not 1.20999…96. */
static void append_real(GString *out, double value) {
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    for (int digits = 15; digits <= 17; digits++) {
        char format[8];
        g_snprintf(format, sizeof format, "%%.%dg", digits);
        g_ascii_formatd(text, sizeof text, format, value);
        if (g_ascii_strtod(text, NULL) == value)
            break;
    }
    g_string_append(out, text);
}

static void append_value(GString *out, const json_t *value, bool escape) {
    if (json_is_string(value) && escape)
        document_append_escaped(out, json_string_value(value), json_string_length(value));
    else if (json_is_string(value))
        g_string_append_len(out, json_string_value(value), (gssize)json_string_length(value));
    else if (json_is_integer(value))
        g_string_append_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        append_real(out, json_real_value(value));
    else if (json_is_boolean(value))
        g_string_append(out, json_is_true(value) ? "true" : "false");
}

static bool render_nodes(Renderer *r, const VigieTemplate *template, gsize from, gsize to, GError **error);

static bool render_in(Renderer *r, const VigieTemplate *template, gsize from, gsize to, const json_t *context,
                      GError **error) {
    if (r->height == STACK_LIMIT) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "contexts are nested more than %d deep",
                    STACK_LIMIT);
        return false;
    }
    r->stack[r->height++] = context;
    bool rendered = render_nodes(r, template, from, to, error);
    r->height--;
    return rendered;
}

static bool render_section(Renderer *r, const VigieTemplate *template, gsize at, GError **error) {
    const Node *node = &g_array_index(template->nodes, Node, at);
    const json_t *value = look_up(r, node->path);
    if (node->kind == NODE_INVERTED)
        return is_true(value) || render_nodes(r, template, at + 1, node->end, error);
    if (!is_true(value))
        return true;
    if (!json_is_array(value))
        return render_in(r, template, at + 1, node->end, value, error);
    for (gsize i = 0; i < json_array_size(value); i++)
        if (!render_in(r, template, at + 1, node->end, json_array_get(value, i), error))
            return false;
    return true;
}

static bool render_partial(Renderer *r, const Node *node, GError **error) {
    const VigieTemplate *partial = r->find ? r->find(node->name, r->find_data) : NULL;
    if (!partial)
        return true;
    if (r->partials == PARTIAL_DEPTH) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT,
                    "partial %s: more than %d partials within each other", node->name, PARTIAL_DEPTH);
        return false;
    }
    gsize indent = r->indent->len;
    g_string_append_len(r->indent, node->text, (gssize)node->size);
    r->partials++;
    bool rendered = render_nodes(r, partial, 0, partial->nodes->len, error);
    r->partials--;
    g_string_truncate(r->indent, indent);
    return rendered;
}

static bool render_node(Renderer *r, const VigieTemplate *template, gsize at, GError **error) {
    const Node *node = &g_array_index(template->nodes, Node, at);
    if (node->starts_line)
        g_string_append_len(r->out, r->indent->str, (gssize)r->indent->len);
    switch (node->kind) {
    case NODE_TEXT:
        g_string_append_len(r->out, node->text, (gssize)node->size);
        return true;
    case NODE_ESCAPED:
    case NODE_RAW:
        append_value(r->out, look_up(r, node->path), node->kind == NODE_ESCAPED);
        return true;
    case NODE_PARTIAL:
        return render_partial(r, node, error);
    default:
        return render_section(r, template, at, error);
    }
}

static bool render_nodes(Renderer *r, const VigieTemplate *template, gsize from, gsize to, GError **error) {
    for (gsize at = from; at < to;) {
        if (++r->steps > STEP_LIMIT || r->out->len - r->start > OUTPUT_LIMIT) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "a page is more than %d steps or %d MiB",
                        STEP_LIMIT, OUTPUT_LIMIT >> 20);
            return false;
        }
        if (!render_node(r, template, at, error))
            return false;
        const Node *node = &g_array_index(template->nodes, Node, at);
        at = node->kind == NODE_SECTION || node->kind == NODE_INVERTED ? node->end : at + 1;
    }
    return true;
}

bool document_template_render(const VigieTemplate *template, const json_t *view, VigiePartialFind find,
                              void *find_data, GString *out, GError **error) {
    g_autofree Renderer *r = g_new0(Renderer, 1);
    g_autoptr(GString) indent = g_string_new(NULL);
    r->indent = indent;
    r->out = out;
    r->start = out->len;
    r->find = find;
    r->find_data = find_data;
    return render_in(r, template, 0, template->nodes->len, view, error);
}
