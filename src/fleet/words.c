/* Search: a thing is found by the beginnings of its words. Each text counts whole between its spaces
 * ("10.1.2.3", "ecg-04.chu.test") and by its parts. */
#include "fleet/internal.h"

#include <string.h>

enum { WORD_BYTES_MAX = 64, WORDS_PER_THING = 64, WORDS_PER_QUERY = 8, QUERY_BYTES_MAX = 200 };

static void take(GHashTable *words, const char *text, size_t size) {
    size = MIN(size, WORD_BYTES_MAX);
    if (size > 0 && g_hash_table_size(words) < WORDS_PER_THING)
        g_hash_table_add(words, g_strndup(text, size));
}

static bool letter(const char *at) {
    return g_unichar_isalnum(g_utf8_get_char(at));
}

/* The parts of letters and digits in text[0..size), where there is more than one. */
static void take_parts(GHashTable *words, const char *text, size_t size) {
    const char *end = text + size;
    for (const char *at = text; at < end;) {
        const char *start = at;
        while (at < end && letter(at))
            at = g_utf8_next_char(at);
        if (at > start)
            take(words, start, (size_t)(at - start));
        if (at < end)
            at = g_utf8_next_char(at);
    }
}

static GHashTable *words_of(const char *const *texts) {
    GHashTable *words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (; texts && *texts; texts++) {
        g_autofree char *folded = vigie_text_fold(*texts);
        for (const char *at = folded; *at;) {
            size_t size = strcspn(at, " \t\r\n");
            take(words, at, size);
            take_parts(words, at, size);
            at += size;
            at += strspn(at, " \t\r\n");
        }
    }
    return words;
}

static bool word_exec(VigieStore *store, const char *sql, const char *word, int64_t kind, int64_t ref,
                      GError **error) {
    VigieBytes bytes = vigie_bytes(word, strlen(word));
    return store_exec(store, error, sql, "bii", &bytes, kind, ref);
}

bool words_set(VigieStore *store, int kind, int64_t ref, const char *const *before, const char *const *text,
               GError **error) {
    g_autoptr(GHashTable) old = words_of(before), new = words_of(text);
    GHashTableIter iter;
    gpointer word;
    g_hash_table_iter_init(&iter, old);
    while (g_hash_table_iter_next(&iter, &word, NULL))
        if (!g_hash_table_contains(new, word) &&
            !word_exec(store, "DELETE FROM search_word WHERE word = $1 AND kind = $2 AND ref = $3", word,
                       kind, ref, error))
            return false;
    g_hash_table_iter_init(&iter, new);
    while (g_hash_table_iter_next(&iter, &word, NULL))
        if (!g_hash_table_contains(old, word) &&
            !word_exec(store,
                       "INSERT INTO search_word (word, kind, ref) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                       word, kind, ref, error))
            return false;
    return true;
}

/* "column IN (the things of this kind with a word that begins so)". The end of the range is the prefix with
 * its last byte raised: UTF-8 never has a byte 0xFF. */
static void where_word(VigieQuery *query, const char *column, int64_t kind, const char *word, size_t size) {
    g_autofree char *end = g_strndup(word, size);
    end[size - 1]++;
    query_add(query, column);
    query_add(query, " IN (SELECT ref FROM search_word WHERE kind = ?i AND word >= ?b AND word < ?b)", kind,
              vigie_bytes(word, size), vigie_bytes(end, size));
}

bool words_where(VigieQuery *query, const List *list, const char *q, GError **error) {
    if (!q || (list->words == WORDS_NONE && !list->words_also))
        return true;
    if (strlen(q) > QUERY_BYTES_MAX || !g_utf8_validate(q, -1, NULL)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "q: 200 bytes of UTF-8 at most");
        return false;
    }
    g_autofree char *folded = vigie_text_fold(q);
    const char *at = folded + strspn(folded, " \t\r\n");
    for (int n = 0; *at && n < WORDS_PER_QUERY; n++) {
        size_t size = strcspn(at, " \t\r\n"), kept = MIN(size, WORD_BYTES_MAX);
        query_add(query, " AND (");
        if (list->words != WORDS_NONE)
            where_word(query, "x.id", list->words, at, kept);
        if (list->words != WORDS_NONE && list->words_also)
            query_add(query, " OR ");
        if (list->words_also)
            where_word(query, list->words_also, WORDS_DEVICE, at, kept);
        query_add(query, ")");
        at += size;
        at += strspn(at, " \t\r\n");
    }
    return true;
}
