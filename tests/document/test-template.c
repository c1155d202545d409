/* Each clause of the Mustache specification, as a case: data, template, partials, what is wanted. */
#include "document/document.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *clause, *data, *text, *want;
    const char *partials; /* a JSON object of name → text, or NULL */
} Case;

#define LIST "{\"list\":[1,2,3]}"

static const Case cases[] = {
    /* Comments */
    {"comments/inline", "{}", "pompe{{! la 4 }}-04", "pompe-04", NULL},
    {"comments/multiline", "{}", "pompe{{!\n  a\n  b\n}}-04\n", "pompe-04\n", NULL},
    {"comments/standalone", "{}", "debut\n{{! c }}\nfin\n", "debut\nfin\n", NULL},
    {"comments/indented-standalone", "{}", "debut\n  {{! c }}\nfin\n", "debut\nfin\n", NULL},
    {"comments/standalone-crlf", "{}", "|\r\n{{! c }}\r\n|", "|\r\n|", NULL},
    {"comments/standalone-first-line", "{}", "  {{! c }}\n!", "!", NULL},
    {"comments/standalone-last-line", "{}", "!\n  {{! c }}", "!\n", NULL},
    {"comments/standalone-multiline", "{}", "debut\n{{!\nc\n}}\nfin\n", "debut\nfin\n", NULL},
    {"comments/indented-inline", "{}", "  lit {{! 7 }}\n", "  lit \n", NULL},
    {"comments/surrounding-whitespace", "{}", "lit {{! c }} 7", "lit  7", NULL},
    {"comments/name-collision", "{\"! c\":1,\"c\":4}", "vu: [{{! c }}]", "vu: []", NULL},
    /* Delimiters */
    {"delimiters/pair", "{\"text\":\"bip\"}", "{{=<% %>=}}(<%text%>)", "(bip)", NULL},
    {"delimiters/special-characters", "{\"text\":\"bip\"}", "({{=[ ]=}}[text])", "(bip)", NULL},
    {"delimiters/sections", "{\"section\":true,\"data\":\"42 bpm\"}",
     "[\n{{#section}}\n  {{data}}\n  |data|\n{{/section}}\n\n{{= | | =}}\n|#section|\n  {{data}}\n  "
     "|data|\n|/section|\n]\n",
     "[\n  42 bpm\n  |data|\n\n  {{data}}\n  42 bpm\n]\n", NULL},
    {"delimiters/inverted-sections", "{\"section\":false,\"data\":\"42 bpm\"}",
     "[\n{{^section}}\n  {{data}}\n{{/section}}\n{{= | | =}}\n|^section|\n  |data|\n|/section|\n]\n",
     "[\n  42 bpm\n  42 bpm\n]\n", NULL},
    {"delimiters/not-inherited-by-partials", "{\"value\":\"yes\"}",
     "[ {{>include}} ]\n{{= | | =}}\n[ |>include| ]\n", "[ .yes. ]\n[ .yes. ]\n",
     "{\"include\":\".{{value}}.\"}"},
    {"delimiters/not-given-back-by-partials", "{\"value\":\"yes\"}",
     "[ {{>include}} ]\n[ .{{value}}.  .|value|. ]\n", "[ .yes.  .yes. ]\n[ .yes.  .|value|. ]\n",
     "{\"include\":\".{{value}}. {{= | | =}} .|value|.\"}"},
    {"delimiters/surrounding-whitespace", "{}", "| {{=@ @=}} |", "|  |", NULL},
    {"delimiters/outlying-whitespace", "{}", " | {{=@ @=}}\n", " | \n", NULL},
    {"delimiters/standalone", "{}", "debut\n{{=@ @=}}\nfin\n", "debut\nfin\n", NULL},
    {"delimiters/indented-standalone", "{}", "debut\n  {{=@ @=}}\nfin\n", "debut\nfin\n", NULL},
    {"delimiters/standalone-crlf", "{}", "|\r\n{{= @ @ =}}\r\n|", "|\r\n|", NULL},
    {"delimiters/standalone-first-line", "{}", "  {{=@ @=}}\n=", "=", NULL},
    {"delimiters/standalone-last-line", "{}", "=\n  {{=@ @=}}", "=\n", NULL},
    {"delimiters/padding", "{}", "|{{= @   @ =}}|", "||", NULL},
    /* Interpolation */
    {"interpolation/none", "{}", "une {accolade} seule\n", "une {accolade} seule\n", NULL},
    {"interpolation/basic", "{\"lieu\":\"bloc 3\"}", "au {{lieu}}.\n", "au bloc 3.\n", NULL},
    {"interpolation/no-deux-pass", "{\"note\":\"{{salle}}\",\"salle\":\"B2\"}", "{{note}}: {{salle}}",
     "{{salle}}: B2", NULL},
    {"interpolation/escaping", "{\"x\":\"& \\\" < >\"}", "{{x}}", "&amp; &quot; &lt; &gt;", NULL},
    {"interpolation/apostrophe", "{\"x\":\"l'AC\"}", "{{x}}", "l&#39;AC", NULL},
    {"interpolation/triple", "{\"x\":\"& \\\" < >\"}", "{{{x}}}", "& \" < >", NULL},
    {"interpolation/ampersand", "{\"x\":\"& \\\" < >\"}", "{{&x}}", "& \" < >", NULL},
    {"interpolation/integer", "{\"debit\":120}", "{{debit}} {{{debit}}} {{&debit}}", "120 120 120", NULL},
    {"interpolation/decimal", "{\"ratio\":1.210}", "{{ratio}} {{{ratio}}} {{&ratio}}", "1.21 1.21 1.21",
     NULL},
    {"interpolation/null", "{\"absent\":null}", "<{{absent}}|{{{absent}}}|{{&absent}}>", "<||>", NULL},
    {"interpolation/missing", "{}", "<{{absent}}|{{{absent}}}|{{&absent}}>", "<||>", NULL},
    {"interpolation/dotted", "{\"device\":{\"name\":\"ECG\"}}",
     "\"{{device.name}}\" == \"{{#device}}{{name}}{{/device}}\"", "\"ECG\" == \"ECG\"", NULL},
    {"interpolation/dotted-depth", "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"name\":\"SpO2\"}}}}}}",
     "{{a.b.c.d.e.name}}", "SpO2", NULL},
    {"interpolation/dotted-broken", "{\"a\":{\"b\":{}},\"c\":{\"name\":\"IRM\"}}", "({{a.b.c.name}})", "()",
     NULL},
    {"interpolation/dotted-initial-resolution",
     "{\"a\":{\"b\":{\"c\":{\"name\":\"SpO2\"}}},\"b\":{\"c\":{\"name\":\"faux\"}}}",
     "{{#a}}{{b.c.name}}{{/a}}", "SpO2", NULL},
    {"interpolation/dotted-context-precedence", "{\"a\":{\"b\":{}},\"b\":{\"c\":\"faux\"}}",
     "({{#a}}{{b.c}}{{/a}})", "()", NULL},
    {"interpolation/dotted-never-single-keys", "{\"a.b\":\"c\"}", "({{a.b}})", "()", NULL},
    {"interpolation/implicit", "\"IRM 2\"", "vers {{.}}", "vers IRM 2", NULL},
    {"interpolation/implicit-escaping", "\"& < >\"", "{{.}}|{{{.}}}|{{&.}}", "&amp; &lt; &gt;|& < >|& < >",
     NULL},
    {"interpolation/implicit-number", "120", "{{.}} ml", "120 ml", NULL},
    {"interpolation/surrounding-whitespace", "{\"s\":\"---\"}", "| {{s}} {{{s}}} {{&s}} |", "| --- --- --- |",
     NULL},
    {"interpolation/standalone-keeps-line", "{\"s\":\"---\"}", "  {{s}}\n  {{{s}}}\n  {{&s}}\n",
     "  ---\n  ---\n  ---\n", NULL},
    {"interpolation/padding", "{\"s\":\"---\"}", "|{{ s }}|{{{ s }}}|{{& s }}|", "|---|---|---|", NULL},
    /* Sections */
    {"sections/truthy", "{\"b\":true}", "\"{{#b}}vu{{/b}}\"", "\"vu\"", NULL},
    {"sections/falsey", "{\"b\":false}", "\"{{#b}}vu{{/b}}\"", "\"\"", NULL},
    {"sections/null", "{\"b\":null}", "\"{{#b}}vu{{/b}}\"", "\"\"", NULL},
    {"sections/zero-and-empty-text", "{\"n\":0,\"s\":\"\"}",
     "{{#n}}n{{/n}}{{#s}}s{{/s}}{{^n}}N{{/n}}{{^s}}S{{/s}}", "NS", NULL},
    {"sections/context", "{\"c\":{\"name\":\"ECG\"}}", "{{#c}}nom {{name}};{{/c}}", "nom ECG;", NULL},
    {"sections/parent-contexts",
     "{\"a\":\"lit\",\"b\":\"wrong\",\"sec\":{\"b\":\"12\"},\"c\":{\"d\":\"baz\"}}",
     "{{#sec}}{{a}}, {{b}}, {{c.d}}{{/sec}}", "lit, 12, baz", NULL},
    {"sections/variable-test", "{\"lit\":\"12\"}", "{{#lit}}{{.}}={{lit}}{{/lit}}", "12=12", NULL},
    {"sections/list-contexts",
     "{\"tops\":[{\"t\":{\"n\":\"A\"},\"ms\":[{\"m\":\"1\",\"bs\":[{\"b\":\"x\"},{\"b\":\"y\"}]}]}]}",
     "{{#tops}}{{#ms}}{{t.n}}{{m}}.{{#bs}}{{t.n}}{{m}}{{b}}.{{/bs}}{{/ms}}{{/tops}}", "A1.A1x.A1y.", NULL},
    {"sections/deep-contexts", "{\"a\":{\"one\":1},\"b\":{\"two\":2},\"c\":{\"three\":3}}",
     "{{#a}}{{one}}{{#b}}{{one}}{{two}}{{one}}{{#c}}{{one}}{{two}}{{three}}{{/c}}{{/b}}{{/a}}", "1121123",
     NULL},
    {"sections/list", "{\"list\":[{\"item\":1},{\"item\":2},{\"item\":3}]}", "{{#list}}{{item}}{{/list}}",
     "123", NULL},
    {"sections/empty-list", "{\"list\":[]}", "\"{{#list}}rien a faire{{/list}}\"", "\"\"", NULL},
    {"sections/doubled", "{\"b\":true,\"two\":\"deux\"}",
     "{{#b}}\n- un\n{{/b}}\n- {{two}}\n{{#b}}\n- trois\n{{/b}}\n", "- un\n- deux\n- trois\n", NULL},
    {"sections/nested-truthy", "{\"b\":true}", "| A {{#b}}B {{#b}}C{{/b}} D{{/b}} E |", "| A B C D E |",
     NULL},
    {"sections/nested-falsey", "{\"b\":false}", "| A {{#b}}B {{#b}}C{{/b}} D{{/b}} E |", "| A  E |", NULL},
    {"sections/context-miss", "{}", "[{{#missing}}vu{{/missing}}]", "[]", NULL},
    {"sections/implicit-string", "{\"list\":[\"a\",\"b\"]}", "{{#list}}({{.}}){{/list}}", "(a)(b)", NULL},
    {"sections/implicit-integer", LIST, "{{#list}}({{.}}){{/list}}", "(1)(2)(3)", NULL},
    {"sections/implicit-decimal", "{\"list\":[1.1,2.2]}", "{{#list}}({{.}}){{/list}}", "(1.1)(2.2)", NULL},
    {"sections/implicit-array", "{\"list\":[[1,2],[\"a\"]]}", "{{#list}}({{#.}}{{.}}{{/.}}){{/list}}",
     "(12)(a)", NULL},
    {"sections/implicit-escaping", "{\"list\":[\"&\"]}", "{{#list}}{{.}}{{{.}}}{{&.}}{{/list}}", "&amp;&&",
     NULL},
    {"sections/implicit-root", "[{\"v\":\"a\"},{\"v\":\"b\"}]", "{{#.}}({{v}}){{/.}}", "(a)(b)", NULL},
    {"sections/dotted-truthy", "{\"a\":{\"b\":{\"c\":true}}}", "{{#a.b.c}}oui{{/a.b.c}}", "oui", NULL},
    {"sections/dotted-falsey", "{\"a\":{\"b\":{\"c\":false}}}", "[{{#a.b.c}}oui{{/a.b.c}}]", "[]", NULL},
    {"sections/dotted-broken", "{\"a\":{}}", "[{{#a.b.c}}oui{{/a.b.c}}]", "[]", NULL},
    {"sections/surrounding-whitespace", "{\"b\":true}", " | {{#b}}\t|\t{{/b}} | \n", " | \t|\t | \n", NULL},
    {"sections/internal-whitespace", "{\"b\":true}", " | {{#b}} {{! x }}\n {{/b}} | \n", " |  \n  | \n",
     NULL},
    {"sections/indented-inline", "{\"b\":true}", " {{#b}}OUI{{/b}}\n {{#b}}BON{{/b}}\n", " OUI\n BON\n",
     NULL},
    {"sections/standalone", "{\"b\":true}", "= haut\n{{#b}}\n|\n{{/b}}\n= bas\n", "= haut\n|\n= bas\n", NULL},
    {"sections/indented-standalone", "{\"b\":true}", "= haut\n  {{#b}}\n|\n  {{/b}}\n= bas\n",
     "= haut\n|\n= bas\n", NULL},
    {"sections/standalone-crlf", "{\"b\":true}", "|\r\n{{#b}}\r\n{{/b}}\r\n|", "|\r\n|", NULL},
    {"sections/standalone-first-line", "{\"b\":true}", "  {{#b}}\n#{{/b}}\n/", "#\n/", NULL},
    {"sections/standalone-last-line", "{\"b\":true}", "#{{#b}}\n/\n  {{/b}}", "#\n/\n", NULL},
    {"sections/padding", "{\"b\":true}", "|{{# b }}={{/ b }}|", "|=|", NULL},
    /* Inverted sections */
    {"inverted/falsey", "{\"b\":false}", "\"{{^b}}vu{{/b}}\"", "\"vu\"", NULL},
    {"inverted/truthy", "{\"b\":true}", "\"{{^b}}vu{{/b}}\"", "\"\"", NULL},
    {"inverted/null", "{\"b\":null}", "\"{{^b}}vu{{/b}}\"", "\"vu\"", NULL},
    {"inverted/context", "{\"c\":{\"name\":\"ECG\"}}", "\"{{^c}}nom {{name}};{{/c}}\"", "\"\"", NULL},
    {"inverted/list", LIST, "\"{{^list}}{{n}}{{/list}}\"", "\"\"", NULL},
    {"inverted/empty-list", "{\"list\":[]}", "\"{{^list}}rien a faire{{/list}}\"", "\"rien a faire\"", NULL},
    {"inverted/doubled", "{\"b\":false,\"two\":\"deux\"}",
     "{{^b}}\n- un\n{{/b}}\n- {{two}}\n{{^b}}\n- trois\n{{/b}}\n", "- un\n- deux\n- trois\n", NULL},
    {"inverted/nested", "{\"b\":false}", "| A {{^b}}B {{^b}}C{{/b}} D{{/b}} E |", "| A B C D E |", NULL},
    {"inverted/context-miss", "{}", "[{{^missing}}inconnu{{/missing}}]", "[inconnu]", NULL},
    {"inverted/dotted-broken", "{\"a\":{}}", "{{^a.b.c}}non{{/a.b.c}}", "non", NULL},
    {"inverted/dotted-truthy", "{\"a\":{\"b\":1}}", "[{{^a.b}}non{{/a.b}}]", "[]", NULL},
    {"inverted/surrounding-whitespace", "{\"b\":false}", " | {{^b}}\t|\t{{/b}} | \n", " | \t|\t | \n", NULL},
    {"inverted/standalone", "{\"b\":false}", "= haut\n  {{^b}}\n|\n  {{/b}}\n= bas\n", "= haut\n|\n= bas\n",
     NULL},
    {"inverted/standalone-crlf", "{\"b\":false}", "|\r\n{{^b}}\r\n{{/b}}\r\n|", "|\r\n|", NULL},
    {"inverted/standalone-first-line", "{\"b\":false}", "  {{^b}}\n^{{/b}}\n/", "^\n/", NULL},
    {"inverted/standalone-last-line", "{\"b\":false}", "^{{^b}}\n/\n  {{/b}}", "^\n/\n", NULL},
    {"inverted/padding", "{\"b\":false}", "|{{^ b }}={{/ b }}|", "|=|", NULL},
    /* Partials */
    {"partials/basic", "{}", "\"{{>text}}\"", "\"la suite\"", "{\"text\":\"la suite\"}"},
    {"partials/missing", "{}", "\"{{>text}}\"", "\"\"", NULL},
    {"partials/context", "{\"text\":\"texte\"}", "\"{{>partial}}\"", "\"*texte*\"",
     "{\"partial\":\"*{{text}}*\"}"},
    {"partials/recursion", "{\"texte\":\"X\",\"nodes\":[{\"texte\":\"Y\",\"nodes\":[]}]}", "{{>node}}",
     "X<Y<>>", "{\"node\":\"{{texte}}<{{#nodes}}{{>node}}{{/nodes}}>\"}"},
    {"partials/nested", "{\"a\":\"salle\",\"b\":\"B2\"}", "{{>outer}}", "*salle B2*",
     "{\"outer\":\"*{{a}} {{>inner}}*\",\"inner\":\"{{b}}\"}"},
    {"partials/surrounding-whitespace", "{}", "| {{>partial}} |", "| \t|\t |", "{\"partial\":\"\\t|\\t\"}"},
    {"partials/inline-indentation", "{\"data\":\"|\"}", "  {{data}}  {{> partial}}\n", "  |  >\n>\n",
     "{\"partial\":\">\\n>\"}"},
    {"partials/standalone-crlf", "{}", "|\r\n{{>partial}}\r\n|", "|\r\n>|", "{\"partial\":\">\"}"},
    {"partials/standalone-first-line", "{}", "  {{>partial}}\n>", "  >\n  >>", "{\"partial\":\">\\n>\"}"},
    {"partials/standalone-last-line", "{}", ">\n  {{>partial}}", ">\n  >\n  >", "{\"partial\":\">\\n>\"}"},
    {"partials/standalone-indentation", "{\"texte\":\"<\\n->\"}", "\\\n {{>partial}}\n/\n",
     "\\\n |\n <\n->\n |\n/\n", "{\"partial\":\"|\\n{{{texte}}}\\n|\\n\"}"},
    {"partials/indentation-adds-up", "{}", " {{>a}}\n", " a\n   b\n   c\n",
     "{\"a\":\"a\\n  {{>b}}\\n\",\"b\":\"b\\nc\\n\"}"},
    {"partials/indentation-of-sections", LIST, "  {{>a}}\n", "  1\n  2\n  3\n",
     "{\"a\":\"{{#list}}\\n{{.}}\\n{{/list}}\\n\"}"},
    {"partials/padding", "{\"boolean\":true}", "|{{> partial }}|", "|[]|", "{\"partial\":\"[]\"}"},
    {0},
};

typedef struct {
    GHashTable *partials;
} Set;

static VigieTemplate *compiled(const char *text) {
    g_autoptr(GError) error = NULL;
    VigieTemplate *template = document_template_compile(text, strlen(text), &error);
    g_assert_no_error(error);
    return template;
}

static const VigieTemplate *find(const char *name, void *data) {
    return g_hash_table_lookup(data, name);
}

static GHashTable *partials_of(const char *json) {
    GHashTable *table =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)document_template_free);
    g_autoptr(json_t) object = json_loads(json ? json : "{}", 0, NULL);
    const char *name;
    json_t *text;
    json_object_foreach(object, name, text)
        g_hash_table_insert(table, g_strdup(name), compiled(json_string_value(text)));
    return table;
}

static void test_case(gconstpointer data) {
    const Case *c = data;
    g_autoptr(json_t) view = json_loads(c->data, JSON_DECODE_ANY, NULL);
    g_assert_nonnull(view);
    g_autoptr(VigieTemplate) template = compiled(c->text);
    g_autoptr(GHashTable) partials = partials_of(c->partials);
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    document_template_render(template, view, find, partials, out, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(out->str, ==, c->want);
}

/* What is wrong in a template is refused when it is compiled, with its line. */
static void test_refusals(void) {
    static const struct {
        const char *text, *message;
    } refused[] = {
        {"a\n{{name", "line 2: a tag is opened"},
        {"{{{name}}", "line 1: a tag is opened"},
        {"{{}}", "line 1: a tag has no name"},
        {"{{#a}}\n{{#b}}\n{{/a}}", "line 3: {{/a}} closes, where {{/b}} is wanted"},
        {"{{/a}}", "line 1: a section is closed that was not opened"},
        {"x\ny {{#a}} z", "line 2: {{#a}} is not closed"},
        {"{{=<%=}}", "line 1: {{=OPEN CLOSE=}}"},
        {"{{=<% %> %=}}", "line 1: {{=OPEN CLOSE=}}"},
        {"{{=123456789 %=}}", "line 1: {{=OPEN CLOSE=}}"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VigieTemplate) template =
            document_template_compile(refused[i].text, strlen(refused[i].text), &error);
        g_assert_null(template);
        g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
        g_assert_true(g_str_has_prefix(error->message, refused[i].message));
    }
}

static void test_depth_is_bounded(void) {
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 33; i++)
        g_string_append(text, "{{#a}}");
    g_autoptr(GError) error = NULL;
    g_assert_null(document_template_compile(text->str, text->len, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
    g_autoptr(GError) size_error = NULL;
    g_autofree char *large = g_strnfill((1 << 20) + 1, 'x');
    g_assert_null(document_template_compile(large, (1 << 20) + 1, &size_error));
    g_assert_error(size_error, VIGIE_ERROR, VIGIE_ERROR_LIMIT);
}

static void expect_limit(const char *text, const char *partials, const char *data) {
    g_autoptr(json_t) view = json_loads(data, 0, NULL);
    g_autoptr(VigieTemplate) template = compiled(text);
    g_autoptr(GHashTable) table = partials_of(partials);
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    g_assert_false(document_template_render(template, view, find, table, out, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT);
}

/* A partial that calls itself without end, output and work without measure all end in LIMIT. */
static void test_rendering_is_bounded(void) {
    expect_limit("{{>a}}", "{\"a\":\"{{>a}}\"}", "{}");
    expect_limit("{{>a}}", "{\"a\":\"{{#l}}{{>a}}{{/l}}\"}", "{\"l\":[1,2,3,4,5,6,7,8]}");
    g_autoptr(GString) data = g_string_new("{\"l\":[");
    for (int i = 0; i < 3000; i++)
        g_string_append(data, i ? ",1" : "1");
    g_string_append(data, "]}");
    expect_limit("{{#l}}{{#l}}{{#l}}xxxxxxxxxxxxxxxx{{/l}}{{/l}}{{/l}}", NULL, data->str);
}

static void put(const char *folder, const char *name, const char *text) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static char *rendered(const VigieTemplates *templates, VigieLang lang) {
    g_autoptr(json_t) view = json_pack("{s:i, s:s}", "n", 3, "name", "<b>");
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    document_templates_render(templates, "page", lang, view, out, &error);
    g_assert_no_error(error);
    return g_strdup(out->str);
}

/* Words are partials: in the reader's language, their text escaped, their braces filled from the context. */
static void test_words(void) {
    const char *folder = vigie_knowledge_folder();
    put(folder, "words/trial.json",
        "{\"trial.count\":{\"fr\":\"{n} lits & {name} {\",\"en\":\"{n} beds & {name} {\"}}");
    put(folder, "pages/page.html", "<p title=\"{{> trial.count}}\">{{> part}}</p>\n");
    put(folder, "pages/part.html", "{{n}}");
    put(folder, "pages/notes.txt", "{{not a page");
    g_autoptr(GError) error = NULL;
    g_assert_true(vigie_words_load(&error));
    g_autoptr(VigieTemplates) templates = document_templates_load("pages", "html", &error);
    g_assert_no_error(error);
    g_autofree char *fr = rendered(templates, VIGIE_FR), *en = rendered(templates, VIGIE_EN);
    g_assert_cmpstr(fr, ==, "<p title=\"3 lits &amp; &lt;b&gt; &#123;\">3</p>\n");
    g_assert_cmpstr(en, ==, "<p title=\"3 beds &amp; &lt;b&gt; &#123;\">3</p>\n");
    g_autoptr(GString) out = g_string_new(NULL);
    g_assert_false(document_templates_render(templates, "no-such-page", VIGIE_FR, NULL, out, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND);
}

/* A set that names a word or a partial that is not there does not load, and says which. */
static void test_broken_links(void) {
    const char *folder = vigie_knowledge_folder();
    put(folder, "broken1/page.html", "{{> trial.nothing}}");
    put(folder, "broken2/page.html", "{{> nothing}}");
    put(folder, "broken3/page.html", "\n{{#open}}");
    static const char *const messages[] = {"page: the word trial.nothing",
                                           "page: there is no template nothing",
                                           "broken3/page.html: line 2: {{#open}}"};
    for (int i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("broken%d", i + 1);
        g_autoptr(GError) error = NULL;
        g_autoptr(VigieTemplates) templates = document_templates_load(name, "html", &error);
        g_assert_null(templates);
        g_assert_nonnull(error);
        g_assert_true(g_str_has_prefix(error->message, messages[i]));
    }
}

static void test_chart(void) {
    const VigieBar bars[] = {{"nov.", "novembre : 3 <expirés>", 3, VIGIE_STATE_BROKEN},
                             {"déc.", "décembre : 0", 0, VIGIE_STATE_WELL},
                             {"", "janvier : 3000", 3000, VIGIE_STATE_SOON}};
    g_autofree char *svg = document_bars_svg("Échéances & co", "par mois", bars, G_N_ELEMENTS(bars));
    g_assert_nonnull(strstr(svg, "<title id=\"chart-title\">Échéances &amp; co</title>"));
    g_assert_nonnull(strstr(svg, "<title>novembre : 3 &lt;expirés&gt;</title>"));
    g_assert_nonnull(strstr(svg, "class=\"bar broken\""));
    g_assert_nonnull(strstr(svg, "height=\"3.0\"")); /* 3 of 3000 is still drawn */
    g_assert_null(strstr(svg, "style="));            /* the page's policy allows no inline style */
    g_autofree char *empty = document_bars_svg("rien", "", NULL, 0);
    g_assert_nonnull(strstr(empty, "</svg>"));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autofree char *folder = g_dir_make_tmp("vigie-document-XXXXXX", NULL);
    g_setenv("VIGIE_KNOWLEDGE", folder, TRUE);
    for (const Case *c = cases; c->clause; c++) {
        g_autofree char *path = g_strconcat("/document/mustache/", c->clause, NULL);
        g_test_add_data_func(path, c, test_case);
    }
    g_test_add_func("/document/template/refusals", test_refusals);
    g_test_add_func("/document/template/depth", test_depth_is_bounded);
    g_test_add_func("/document/template/bounds", test_rendering_is_bounded);
    g_test_add_func("/document/templates/words", test_words);
    g_test_add_func("/document/templates/broken-links", test_broken_links);
    g_test_add_func("/document/chart", test_chart);
    int status = g_test_run();
    g_autofree char *remove = g_strconcat("rm -r ", folder, NULL);
    return system(remove) == 0 ? status : 1;
}
