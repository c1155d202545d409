/* templates: the pages of a folder and the words they name, linked at start. */
#include "document/document.h"

#include <string.h>

struct VigieTemplates {
    GHashTable *pages;              /* name → VigieTemplate */
    GHashTable *words[VIGIE_LANGS]; /* key → VigieTemplate */
};

typedef struct {
    const VigieTemplates *templates;
    VigieLang lang;
} Finder;

static const VigieTemplate *find(const char *name, void *data) {
    const Finder *finder = data;
    GHashTable *table = strchr(name, '.') ? finder->templates->words[finder->lang] : finder->templates->pages;
    return g_hash_table_lookup(table, name);
}

static bool is_name(char c) {
    return g_ascii_isalnum(c) || c == '_' || c == '.';
}

/* "{n} équipements & plus" becomes "{{n}} équipements &amp; plus". */
static char *word_source(const char *word) {
    GString *source = g_string_new(NULL);
    for (const char *p = word; *p;) {
        const char *end = p + 1;
        while (*p == '{' && is_name(*end))
            end++;
        if (*p == '{' && *end == '}' && end > p + 1) {
            g_string_append_printf(source, "{{%.*s}}", (int)(end - p - 1), p + 1);
            p = end + 1;
        } else if (*p == '{') {
            g_string_append(source, "&#123;");
            p++;
        } else {
            document_append_escaped(source, p++, 1);
        }
    }
    return g_string_free(source, FALSE);
}

static bool add_word(VigieTemplates *templates, VigieLang lang, const char *key, GError **error) {
    if (g_hash_table_contains(templates->words[lang], key))
        return true;
    const char *word = vigie_word(lang, key);
    if (strcmp(word, key) == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "the word %s is in no catalogue of knowledge/words", key);
        return false;
    }
    g_autofree char *source = word_source(word);
    VigieTemplate *template = document_template_compile(source, strlen(source), error);
    if (!template) {
        g_prefix_error(error, "word %s: ", key);
        return false;
    }
    g_hash_table_insert(templates->words[lang], g_strdup(key), template);
    return true;
}

typedef struct {
    VigieTemplates *templates;
    const char *page;
    GError *error;
} Linker;

static void link_partial(const char *name, void *data) {
    Linker *linker = data;
    if (linker->error)
        return;
    for (int lang = 0; strchr(name, '.') && lang < VIGIE_LANGS && !linker->error; lang++)
        add_word(linker->templates, (VigieLang)lang, name, &linker->error);
    if (!strchr(name, '.') && !g_hash_table_contains(linker->templates->pages, name))
        g_set_error(&linker->error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is no template %s", name);
    if (linker->error)
        g_prefix_error(&linker->error, "%s: ", linker->page);
}

static bool link_all(VigieTemplates *templates, GError **error) {
    GHashTableIter iter;
    gpointer name, page;
    g_hash_table_iter_init(&iter, templates->pages);
    while (g_hash_table_iter_next(&iter, &name, &page)) {
        Linker linker = {templates, name, NULL};
        document_template_partials(page, link_partial, &linker);
        if (linker.error) {
            g_propagate_error(error, linker.error);
            return false;
        }
    }
    return true;
}

static bool load_page(VigieTemplates *templates, const char *folder, const char *file, gsize name_size,
                      GError **error) {
    g_autofree char *path = g_build_filename(folder, file, NULL);
    gsize size = 0;
    g_autofree char *text = vigie_knowledge_text(path, &size, error);
    VigieTemplate *template = text ? document_template_compile(text, size, error) : NULL;
    if (!template) {
        if (text)
            g_prefix_error(error, "%s: ", path);
        return false;
    }
    g_hash_table_insert(templates->pages, g_strndup(file, name_size), template);
    return true;
}

static GHashTable *new_table(void) {
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)document_template_free);
}

VigieTemplates *document_templates_load(const char *folder, const char *extension, GError **error) {
    g_autoptr(VigieTemplates) templates = g_new0(VigieTemplates, 1);
    templates->pages = new_table();
    for (int lang = 0; lang < VIGIE_LANGS; lang++)
        templates->words[lang] = new_table();
    g_autofree char *path = g_build_filename(vigie_knowledge_folder(), folder, NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, error);
    if (!dir)
        return NULL;
    for (const char *file; (file = g_dir_read_name(dir));) {
        gsize size = strlen(file), end = strlen(extension) + 1;
        if (size <= end || file[size - end] != '.' || strcmp(file + size - end + 1, extension) != 0)
            continue;
        if (!load_page(templates, folder, file, size - end, error))
            return NULL;
    }
    return link_all(templates, error) ? g_steal_pointer(&templates) : NULL;
}

void document_templates_free(VigieTemplates *templates) {
    if (!templates)
        return;
    g_hash_table_unref(templates->pages);
    for (int lang = 0; lang < VIGIE_LANGS; lang++)
        g_hash_table_unref(templates->words[lang]);
    g_free(templates);
}

bool document_templates_render(const VigieTemplates *templates, const char *name, VigieLang lang,
                               const json_t *view, GString *out, GError **error) {
    const VigieTemplate *template = g_hash_table_lookup(templates->pages, name);
    if (!template) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is no template %s", name);
        return false;
    }
    Finder finder = {templates, lang};
    return document_template_render(template, view, find, &finder, out, error);
}
