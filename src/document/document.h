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

/* ---- Documents ------------------------------------------------------------------------------------------
 * A report, a letter, minutes: data, rendered as PDF, HTML or text. The model is a JSON object:
 *
 *   { "language": "fr", "title", "subtitle", "author", "date" (as people say it), "tlp": "AMBER+STRICT" (a label of TLP 2.0),
 *     "blocks": [ block … ] }                   all but language, title and blocks may be missing or null
 *
 * A block is an object with one of:
 *   "heading": text, "level": 1 (default) to 3
 *   "text": text                                a paragraph; a line feed breaks the line
 *   "note": text                                a paragraph that stands out
 *   "list": [ text … ], "ordered": bool
 *   "facts": [ [ label, text ] … ]              what is known, line by line
 *   "table": { "caption", "columns": [ { "title", "align": "left" or "right", "width": percent } ], "rows": [ [ text or number … ] … ],
 *              "empty": what to say where there is no row }
 *   "bars": { "caption", "columns": [ title, title ], "rows": [ [ label, number or text ] … ], "empty" }
 *                                               a table whose numbers are drawn too; a text ("< 5") draws nothing
 *   "break": true                               a new page, where there are pages
 *
 * Text is UTF-8, set as it is: no markup. 64 KiB a text, 200,000 texts a model. */
bool document_model_check(const json_t *model, GError **error);

/* A model from knowledge/documents/NAME.json and what it is about. The file is a model in which
 *   a text may be { "fr": …, "en": … }, and {name} in it stands for a member of the data (text or number); alone, {a.b} for a
 *     member's member, of whatever kind;
 *   an element of a list may be { "for": "name", "each": element }, once for each element of data's list: within it the
 *     element's own members come first, and {item} is an element that is no object; or { "if": "name", "then": [ … ],
 *     "else": [ … ] }: a member that is null, false, 0, "", [] or {} is not there.
 * Checked. */
json_t *document_fill(const char *name, const json_t *data, VigieLang lang, GError **error);

/* A4, tagged for screen readers, with its language, title and author; TLP as FIRST asks on each page. The same model and
 * `created` give the same octets. Fonts are the system's sans serif. */
GBytes *document_pdf(const json_t *model, VigieTime created, GError **error);
/* What stands in a page: an <article>, without a style of its own (classes: document, facts, note, rows, bars, tlp). Free with g_free. */
char *document_html(const json_t *model, GError **error);
/* For mails and terminals: 72 columns; a table that is wider becomes a block a row. Free with g_free. */
char *document_text(const json_t *model, GError **error);
