/* Search: a case is found by the beginnings of its words. They are indexed some time after they came, many cases to a commit:
 * each word lies on another page of the index, and a declaration is to be acknowledged at once. What holds a mark ("10.1.2.3", "CVE-2026-1234") counts whole and
 * by its parts. */
#include "csirt/internal.h"

#include <string.h>

enum { WORD_BYTES_MAX = 40, WORDS_MAX = 400, BATCH = 16, QUERY_BYTES_MAX = 200, TEXT_BYTES_MAX = 64 << 10 };

static void take(GHashTable *words, const char *text, size_t size) {
    size = MIN(size, WORD_BYTES_MAX);
    if (size > 1 && g_hash_table_size(words) < WORDS_MAX)
        g_hash_table_add(words, g_strndup(text, size));
}

static bool alphanumeric(const char *at) {
    return g_unichar_isalnum(g_utf8_get_char(at));
}

/* The runs of letters and digits in text[0..size), and the whole from the first to the last of them. */
static void take_parts(GHashTable *words, const char *text, size_t size) {
    const char *end = text + size, *first = NULL, *last = NULL;
    for (const char *at = text; at < end;) {
        const char *start = at;
        while (at < end && alphanumeric(at))
            at = g_utf8_next_char(at);
        if (at > start) {
            first = first ? first : start;
            last = at;
            take(words, start, (size_t)(at - start));
        }
        if (at < end)
            at = g_utf8_next_char(at);
    }
    if (first)
        take(words, first, (size_t)(last - first));
}

static void take_text(GHashTable *words, const char *text) {
    g_autofree char *valid = g_utf8_make_valid(text, (gssize)strnlen(text, TEXT_BYTES_MAX));
    g_autofree char *folded = vigie_text_fold(valid);
    for (const char *at = folded; *at;) {
        size_t size = strcspn(at, " \t\r\n");
        take_parts(words, at, size);
        at += size;
        at += strspn(at, " \t\r\n");
    }
}

/* Sixteen at once, one statement whatever their number: the last word is repeated. */
static bool insert_batch(VigieStore *store, int64_t id, gpointer *words, guint count, GError **error) {
    static const char sql[] =
        "INSERT INTO csirt_word (case_id, word) VALUES ($1, $2), ($1, $3), ($1, $4), ($1, $5), "
        "($1, $6), ($1, $7), ($1, $8), ($1, $9), ($1, $10), ($1, $11), ($1, $12), ($1, $13), "
        "($1, $14), ($1, $15), ($1, $16), ($1, $17) ON CONFLICT DO NOTHING";
    VigieBytes bytes[BATCH];
    VigieValue values[BATCH + 1] = {{.i = id}};
    for (guint i = 0; i < BATCH; i++) {
        const char *word = words[MIN(i, count - 1)];
        bytes[i] = vigie_bytes(word, strlen(word));
        values[i + 1].b = &bytes[i];
    }
    return store_exec_values(store, NULL, error, sql, "ibbbbbbbbbbbbbbbb", values);
}

static gint by_word(gconstpointer a, gconstpointer b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool add_words(VigieStore *store, int64_t id, const GPtrArray *texts, GError **error) {
    g_autoptr(GHashTable) words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < texts->len; i++)
        take_text(words, texts->pdata[i]);
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    GHashTableIter iter;
    gpointer word;
    g_hash_table_iter_init(&iter, words);
    while (g_hash_table_iter_next(&iter, &word, NULL))
        g_ptr_array_add(sorted, word);
    g_ptr_array_sort(sorted, by_word); /* two writers lock the same words in the same order */
    for (guint at = 0; at < sorted->len; at += BATCH)
        if (!insert_batch(store, id, sorted->pdata + at, MIN(sorted->len - at, BATCH), error))
            return false;
    return true;
}

/* What is said of a case is what its title, organisation and messages say. */
static bool index_case(VigieStore *store, int64_t id, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT reference || ' ' || title, organisation_name FROM csirt_case WHERE id = $1 UNION ALL "
        "SELECT subject, body FROM csirt_message WHERE case_id = $1",
        "i", id);
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure))
        for (int column = 0; column < 2; column++)
            g_ptr_array_add(texts, g_strdup(rows_text(rows, column)));
    return rows_ended(rows, &failure, error) && add_words(store, id, texts, error);
}

static GArray *unindexed(VigieStore *store, int64_t most, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT id FROM csirt_case WHERE indexed = 0 ORDER BY id LIMIT $1", "i", most);
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int64_t));
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        int64_t id = rows_int(rows, 0);
        g_array_append_val(ids, id);
    }
    return rows_ended(rows, &failure, error) ? g_steal_pointer(&ids) : NULL;
}

bool csirt_words_index(VigieStore *store, int64_t most, int64_t *ret_indexed, GError **error) {
    g_autoptr(GArray) ids = unindexed(store, most, error);
    if (ids && ids->len == 0) {
        *ret_indexed = 0;
        return true;
    }
    g_autoptr(VigieTransaction) tx = ids ? store_begin(store, error) : NULL;
    for (guint i = 0; tx && i < ids->len; i++) {
        int64_t id = g_array_index(ids, int64_t, i);
        /* Marked before it is read: who adds a message meanwhile waits, and takes the mark away again. */
        if (!store_exec(store, error, "UPDATE csirt_case SET indexed = 1 WHERE id = $1", "i", id) ||
            !index_case(store, id, error))
            return false;
    }
    if (!tx || !store_commit(&tx, error))
        return false;
    *ret_indexed = ids->len;
    return true;
}

bool csirt_words_ask(VigieStore *store, VigieTime now, GError **error) {
    g_autoptr(GArray) first = unindexed(store, 1, error);
    g_autoptr(json_t) nothing = json_object();
    return first && (first->len == 0 ||
                     store_job_add(store, CSIRT_JOB_WORDS, nothing, now, CSIRT_JOB_WORDS, NULL, error));
}

bool case_words_changed(VigieStore *store, int64_t id, GError **error) {
    return store_exec(store, error, "UPDATE csirt_case SET indexed = 0 WHERE id = $1", "i", id);
}

char **case_words_asked(const char *q, GError **error) {
    if (strlen(q) > QUERY_BYTES_MAX || !g_utf8_validate(q, -1, NULL)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "q: %d octets of UTF-8 at most",
                    QUERY_BYTES_MAX);
        return NULL;
    }
    g_autofree char *folded = vigie_text_fold(q);
    GPtrArray *asked = g_ptr_array_new();
    for (const char *at = folded + strspn(folded, " \t\r\n"); *at && asked->len < QUERY_WORDS;) {
        size_t size = strcspn(at, " \t\r\n");
        const char *first = at, *last = at + size; /* as words are kept: from a letter or digit to one */
        while (first < last && !alphanumeric(first))
            first = g_utf8_next_char(first);
        while (last > first && !alphanumeric(g_utf8_prev_char(last)))
            last = g_utf8_prev_char(last);
        if (last > first)
            g_ptr_array_add(asked, g_strndup(first, MIN((size_t)(last - first), WORD_BYTES_MAX)));
        at += size;
        at += strspn(at, " \t\r\n");
    }
    g_ptr_array_add(asked, NULL);
    return (char **)g_ptr_array_free(asked, FALSE);
}
