/* document: what people read, made from data. Templates (pages, later mails and PDF) and small SVG charts.
 *
 * Data is a json_t; a template is logic-less, so that a page says how things look and the data says what is
 * true. */
#pragma once

#include "base/base.h"

/* ---- Templates ------------------------------------------------------------------------------------------
 * The Mustache specification (https://github.com/mustache/spec, v1.3): interpolation, sections, inverted
 * sections, comments, partials, set delimiters. Lambdas, inheritance and dynamic names, its optional modules,
 * are not there.
 *
 *     {{name}}  {{a.b}}  {{.}}     the value, escaped for HTML: & < > " '
 *     {{{name}}}  {{&name}}        the value as it is
 *     {{#name}} … {{/name}}        once for a true value, for each element of an array
 *     {{^name}} … {{/name}}        where the value is false
 *     {{> name}}                   another template in this place, with the context of this place
 *     {{! … }}   {{=<% %>=}}       a comment; other delimiters from here on
 *
 * A name is searched from the innermost context outwards; of a dotted name, the first part is, the rest
 * within it. False are: what is missing, null, false, 0, "" and [] (the specification leaves 0 and "" open).
 * A number prints as short as reads back the same. Objects and arrays print as nothing.
 *
 * Words come in as partials: {{> portal.title}} is the sentence of that key in the reader's language, its {n}
 * filled from the context of this place. See VigieTemplates.
 *
 * A compiled template is immutable and may be used by many threads. */
typedef struct VigieTemplate VigieTemplate;

/* `text` (UTF-8, copied, 1 MiB at most, sections 32 deep at most). An error names the line and what is wrong.
 */
VigieTemplate *document_template_compile(const char *text, gsize size, GError **error);
void document_template_free(VigieTemplate *template);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieTemplate, document_template_free)

/* The partial of a name, borrowed; NULL renders as nothing. */
typedef const VigieTemplate *(*VigiePartialFind)(const char *name, void *data);

/* Appends to `out`. Partials may recurse, 64 deep; 8 MiB and 4 million steps at most: beyond, LIMIT, and what
 * was appended is to be thrown away. `find` may be NULL: no partials. */
bool document_template_render(const VigieTemplate *template, const json_t *view, VigiePartialFind find,
                              void *find_data, GString *out, GError **error);

/* Calls `each` with the name of every partial the template names, in order. */
void document_template_partials(const VigieTemplate *template, void (*each)(const char *name, void *data),
                                void *data);

/* ---- Template sets --------------------------------------------------------------------------------------
 * All templates of a knowledge folder, by their file's name without its end; and the words they name. A
 * partial whose name has a dot is a word (base.h), compiled once per language: its text is escaped, its {n}
 * becomes {{n}}. Loading fails where a template does not compile, or names a partial or a word that does not
 * exist. */
typedef struct VigieTemplates VigieTemplates;

/* Loads knowledge/FOLDER/ *.EXTENSION. */
VigieTemplates *document_templates_load(const char *folder, const char *extension, GError **error);
void document_templates_free(VigieTemplates *templates);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieTemplates, document_templates_free)

/* Appends the template `name`, in a language. An unknown name is NOT_FOUND. */
bool document_templates_render(const VigieTemplates *templates, const char *name, VigieLang lang,
                               const json_t *view, GString *out, GError **error);

/* Appends `text` escaped for HTML, in content and in quoted attributes. */
void document_append_escaped(GString *out, const char *text, gsize size);

/* ---- Charts ---------------------------------------------------------------------------------------------
 * Small SVGs to be put into a page: no script, no style of their own, only classes (chart, bar, well, soon,
 * broken, unknown, axis, value), so that the page's style sheet gives light and dark. Title and description
 * for those who do not see them; the data belongs beside, as a table. */
typedef enum { VIGIE_STATE_WELL, VIGIE_STATE_SOON, VIGIE_STATE_BROKEN, VIGIE_STATE_UNKNOWN } VigieState;
const char *document_state_name(VigieState state); /* "well" … */

typedef struct {
    const char *label; /* under the bar; "" leaves it out */
    const char *hint;  /* shown on hover, and read out: "mars 2027 : 4 certificats" */
    int64_t value;     /* 0 or more */
    VigieState state;  /* told by colour and by hatching */
} VigieBar;

/* Upright bars of equal width on a common base, each with its value on top. `title` and `description` are
 * plain text. Free with g_free. */
char *document_bars_svg(const char *title, const char *description, const VigieBar *bars, gsize count);
