/* Words in the reader's language, from catalogues that hold both languages side by side. */
#include "base/base.h"

#include <string.h>

/* key → its texts, the French one and behind its NUL the English one; filled once, read by all threads. Thousands of short texts,
 * which every process has: none is an allocation of its own. */
static GHashTable *catalogue;
static GStringChunk *catalogue_texts;

bool vigie_lang_parse(const char *text, VigieLang *ret_lang) {
    static const char *const codes[VIGIE_LANGS] = {"fr", "en"};
    for (int lang = 0; lang < VIGIE_LANGS; lang++) {
        if (g_ascii_strncasecmp(text, codes[lang], 2) == 0 && !g_ascii_isalpha(text[2])) {
            *ret_lang = (VigieLang)lang;
            return true;
        }
    }
    return false;
}

VigieLang vigie_lang_default(void) {
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    VigieLang lang = VIGIE_FR;
    for (size_t i = 0; i < G_N_ELEMENTS(variables); i++) {
        const char *value = g_getenv(variables[i]);
        if (!value || !*value)
            continue;
        (void)vigie_lang_parse(value, &lang);
        break;
    }
    return lang;
}

const char *vigie_lang_code(VigieLang lang) {
    return lang == VIGIE_EN ? "en" : "fr";
}

const char *vigie_text_in(VigieLang lang, const json_t *texts) {
    const char *text = json_string_value(json_object_get(texts, vigie_lang_code(lang)));
    return text ? text : "";
}

/* The name of the placeholder that opens at `text`, a '{'; its length in *ret_size; NULL where it is none. */
static const char *placeholder(const char *text, size_t *ret_size) {
    size_t size = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (size == 0 || text[1 + size] != '}')
        return NULL;
    *ret_size = size;
    return text + 1;
}

typedef char *(*Lookup)(const char *name, void *data);

static char *fill(const char *text, Lookup lookup, void *data) {
    GString *out = g_string_new(NULL);
    for (const char *brace; (brace = strchr(text, '{'));) {
        size_t size = 0;
        const char *name = placeholder(brace, &size);
        g_string_append_len(out, text, brace - text + (name ? 0 : 1));
        text = brace + 1;
        if (!name)
            continue;
        g_autofree char *key = g_strndup(name, size);
        g_autofree char *value = lookup(key, data);
        if (value)
            g_string_append(out, value);
        else
            g_string_append_printf(out, "{%s}", key);
        text = name + size + 1;
    }
    g_string_append(out, text);
    return g_string_free(out, FALSE);
}

static char *lookup_json(const char *name, void *data) {
    const json_t *value = json_object_get((const json_t *)data, name);
    if (json_is_string(value))
        return g_strdup(json_string_value(value));
    return value ? vigie_json_text(value) : NULL;
}

char *vigie_text_fill(const char *text, const json_t *values) {
    return fill(text, lookup_json, (void *)values);
}

static const char *text_of(VigieLang lang, const char *texts) {
    return lang == VIGIE_FR ? texts : texts + strlen(texts) + 1;
}

const char *vigie_word(VigieLang lang, const char *key) {
    const char *texts = catalogue ? g_hash_table_lookup(catalogue, key) : NULL;
    return texts ? text_of(lang, texts) : key;
}

static char *lookup_pairs(const char *name, void *data) {
    const char *const *pairs = data;
    for (size_t i = 0; pairs[i]; i += 2)
        if (strcmp(pairs[i], name) == 0)
            return g_strdup(pairs[i + 1]);
    return NULL;
}

char *vigie_words(VigieLang lang, const char *key, ...) {
    const char *pairs[33] = {NULL};
    va_list list;
    va_start(list, key);
    for (size_t i = 0; i + 1 < G_N_ELEMENTS(pairs) && (pairs[i] = va_arg(list, const char *)); i++)
        ;
    va_end(list);
    return fill(vigie_word(lang, key), lookup_pairs, pairs);
}

/* Whether each placeholder of `text` stands in `other`, too. */
static bool covered(const char *text, const char *other) {
    size_t size = 0;
    for (const char *brace = strchr(text, '{'); brace; brace = strchr(brace + 1, '{'))
        if (placeholder(brace, &size) && !memmem(other, strlen(other), brace, size + 2))
            return false;
    return true;
}

static bool check_entry(const char *file, const char *key, const json_t *texts, GError **error) {
    const char *fr = vigie_text_in(VIGIE_FR, texts), *en = vigie_text_in(VIGIE_EN, texts);
    if (!*fr || !*en || json_object_size(texts) != 2)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s: \"%s\" wants two texts, { \"fr\": \"…\", \"en\": \"…\" }", file, key);
    else if (!covered(fr, en) || !covered(en, fr))
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s: \"%s\" has not the same {placeholders} in both languages", file, key);
    else
        return true;
    return false;
}

static char *keep_texts(const json_t *texts, GString *both) {
    g_string_assign(both, vigie_text_in(VIGIE_FR, texts));
    g_string_append_c(both, 0);
    g_string_append(both, vigie_text_in(VIGIE_EN, texts));
    return g_string_chunk_insert_len(catalogue_texts, both->str, (gssize)both->len);
}

static bool load_file(GHashTable *words, const char *name, GError **error) {
    g_autofree char *path = g_build_filename("words", name, NULL);
    g_autoptr(json_t) entries = vigie_knowledge_json(path, error);
    if (!entries)
        return false;
    const char *key = NULL;
    json_t *texts = NULL;
    g_autoptr(GString) both = g_string_new(NULL);
    json_object_foreach(entries, key, texts) {
        if (!check_entry(path, key, texts, error))
            return false;
        if (!g_hash_table_insert(words, g_string_chunk_insert(catalogue_texts, key),
                                 keep_texts(texts, both))) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: \"%s\" stands in another catalogue too",
                        path, key);
            return false;
        }
    }
    return true;
}

/* ---- Refusals, from the catalogue ----------------------------------------------------------------------------------------------- */
/* What a message may hold of the catalogues: refusals, and what a check of `vigie lint` found. */
static const char *const in_messages[] = {"refusal.", "lint."};
enum { REFUSAL_DEPTH = 4 }; /* a refusal within a refusal: {why} */

typedef struct {
    char *message;     /* in English, as the sources write it */
    size_t says;       /* octets of it that are no placeholder */
    const char *texts; /* borrowed of the catalogue */
    const char *key;   /* the same */
} Refusal;

/* Sources write ' and ", catalogues what typography has for them. */
static char *plain(const char *text) {
    static const char *const quotes[][2] = {{"’", "'"}, {"“", "\""}, {"”", "\""}};
    GString *out = g_string_new(text);
    for (size_t i = 0; i < G_N_ELEMENTS(quotes); i++)
        g_string_replace(out, quotes[i][0], quotes[i][1], 0);
    return g_string_free(out, FALSE);
}

static char *say_nothing(const char *name, void *data) {
    (void)name, (void)data;
    return g_strdup("");
}

static int says_more(const void *a, const void *b) {
    const Refusal *one = *(Refusal *const *)a, *other = *(Refusal *const *)b;
    return one->says != other->says ? (one->says < other->says ? 1 : -1) : strcmp(one->key, other->key);
}

static GPtrArray *list_refusals(void) {
    GPtrArray *list = g_ptr_array_new();
    GHashTableIter iter;
    gpointer key, texts;
    g_hash_table_iter_init(&iter, catalogue);
    while (g_hash_table_iter_next(&iter, &key, &texts)) {
        if (!g_str_has_prefix(key, in_messages[0]) && !g_str_has_prefix(key, in_messages[1]))
            continue;
        Refusal *refusal = g_new(Refusal, 1);
        *refusal = (Refusal){.message = plain(text_of(VIGIE_EN, texts)), .texts = texts, .key = key};
        g_autofree char *said = fill(refusal->message, say_nothing, NULL);
        refusal->says = strlen(said);
        g_ptr_array_add(list, refusal);
    }
    g_ptr_array_sort(list, says_more);
    return list;
}

/* Of Refusal, what says most first; listed when one is to be said. Empty before the catalogues are loaded. */
static const GPtrArray *refusals(void) {
    static GPtrArray *list;
    static const GPtrArray none;
    if (!catalogue)
        return &none;
    if (g_once_init_enter(&list))
        g_once_init_leave(&list, list_refusals());
    return list;
}

/* ---- Loading ------------------------------------------------------------------------------------------------ */
enum { CHUNK = 1 << 16, ALIGNMENT = 16 };

/* What the catalogues are parsed into goes as a whole, and so it comes out of large pieces: every command begins with this, and
 * its 50,000 allocations were what most of them took longest for. */
static struct {
    GPtrArray *pieces;
    char *next;
    size_t left;
} parsing;

static void *take(size_t size) {
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > parsing.left) {
        parsing.left = MAX(size, CHUNK);
        parsing.next = g_malloc(parsing.left);
        g_ptr_array_add(parsing.pieces, parsing.next);
    }
    parsing.left -= size;
    parsing.next += size;
    return parsing.next - size;
}

static void give_back_later(void *memory) {
    (void)memory;
}

static bool load_files(GDir *dir, GHashTable *words, GError **error) {
    json_malloc_t allocate;
    json_free_t release;
    bool well = true;
    json_get_alloc_funcs(&allocate, &release);
    parsing.pieces = g_ptr_array_new_with_free_func(g_free);
    json_set_alloc_funcs(take, give_back_later);
    for (const char *name; well && (name = g_dir_read_name(dir));)
        well = !g_str_has_suffix(name, ".json") || load_file(words, name, error);
    json_set_alloc_funcs(allocate, release);
    g_ptr_array_unref(parsing.pieces);
    memset(&parsing, 0, sizeof parsing);
    return well;
}

bool vigie_words_load(GError **error) {
    if (catalogue)
        return true;
    g_autofree char *folder = g_build_filename(vigie_knowledge_folder(), "words", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, error);
    if (!dir) {
        g_prefix_error(error, "the words of Vigie are not where they should be (set VIGIE_KNOWLEDGE) – "
                              "les textes de Vigie ne sont pas à leur place (voir VIGIE_KNOWLEDGE) : ");
        return false;
    }
    g_autoptr(GHashTable) words = g_hash_table_new(g_str_hash, g_str_equal);
    if (!catalogue_texts)
        catalogue_texts = g_string_chunk_new(CHUNK);
    if (!load_files(dir, words, error))
        return false;
    catalogue = g_steal_pointer(&words);
    return true;
}

/* ---- Refusals are said --------------------------------------------------------------------------------------- */
/* What stands in `message` for the placeholders of `pattern`, each the shortest that fits, one at the beginning without a
 * colon: that is another's prefix. NULL where it is another message. */
static json_t *read_message(const char *pattern, const char *message) {
    size_t brace = strcspn(pattern, "{");
    if (strncmp(pattern, message, brace) != 0)
        return NULL;
    g_autoptr(json_t) values = json_object();
    for (pattern += brace, message += brace; *pattern;) {
        size_t size = 0;
        const char *name = placeholder(pattern, &size);
        g_autofree char *key = name ? g_strndup(name, size) : NULL;
        pattern += name ? size + 2 : 0;
        size_t literal = name ? strcspn(pattern, "{") : strlen(pattern);
        g_autofree char *after = g_strndup(pattern, literal);
        const char *found = pattern[literal]                   ? strstr(message, after)
                            : literal == 0                     ? message + strlen(message)
                            : g_str_has_suffix(message, after) ? message + strlen(message) - literal
                                                               : NULL;
        bool first = json_object_size(values) == 0 && brace == 0;
        if (!name || !found || (literal == 0 && pattern[0]) ||
            (first && g_strstr_len(message, found - message, ": ")))
            return NULL;
        json_object_set_new(values, key, json_stringn_nocheck(message, (size_t)(found - message)));
        message = found + literal;
        pattern += literal;
    }
    return *message ? NULL : g_steal_pointer(&values);
}

static char *say_refusal(VigieLang lang, const char *message, const char *names, int depth);

/* {member} by its word, {why} and {cause} as the refusals that they are. False where {why} is not known. */
static bool say_values(VigieLang lang, json_t *values, const char *names, int depth) {
    static const char *const nested[] = {"why", "cause", "member"};
    const char *member = json_string_value(json_object_get(values, "member"));
    g_autofree char *key = g_strconcat(names, member, NULL);
    if (member && g_hash_table_contains(catalogue, key))
        json_object_set_new(values, "member", json_string(vigie_word(lang, key)));
    for (size_t i = 0; i < G_N_ELEMENTS(nested); i++) {
        const char *text = json_string_value(json_object_get(values, nested[i]));
        g_autofree char *said =
            text && depth < REFUSAL_DEPTH ? say_refusal(lang, text, names, depth + 1) : NULL;
        if (said)
            json_object_set_new(values, nested[i], json_string(said));
        else if (text && i == 0)
            return false;
    }
    return true;
}

static char *say_refusal(VigieLang lang, const char *message, const char *names, int depth) {
    const GPtrArray *all = refusals();
    for (guint i = 0; i < all->len; i++) {
        const Refusal *refusal = g_ptr_array_index(all, i);
        g_autoptr(json_t) values = read_message(refusal->message, message);
        if (values && say_values(lang, values, names, depth))
            return vigie_text_fill(text_of(lang, refusal->texts), values);
    }
    return NULL;
}

char *vigie_refusal(VigieLang lang, const char *message, const char *names) {
    g_autofree char *valid = g_utf8_make_valid(message, -1), *folded = plain(valid);
    return say_refusal(lang, folded, names, 0);
}

char *vigie_said(VigieLang lang, const char *message) {
    char *said = lang == VIGIE_EN ? NULL : vigie_refusal(lang, message, "refusal.member.");
    return said ? said : g_utf8_make_valid(message, -1);
}
