#include "portal/answer.h"

#include <stdio.h>
#include <string.h>

/* For every answer, whatever it is. Script and style come from here alone, nothing inline, no frame around us. */
static const char security_fields[] =
    "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src "
    "'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: same-origin\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n";

static const char *reason_phrase(unsigned status) {
    static const struct {
        unsigned status;
        const char *phrase;
    } phrases[] = {{200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {303, "See Other"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {411, "Length Required"},
                   {413, "Content Too Large"},
                   {415, "Unsupported Media Type"},
                   {417, "Expectation Failed"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < G_N_ELEMENTS(phrases); i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Other"; /* RFC 9112 4: the phrase means nothing */
}

/* ---- Making ------------------------------------------------------------------------------------------------- */
static void append_field(GString *fields, const char *name, const char *value) {
    /* A value that came from outside may not begin a field of its own. */
    if (!strpbrk(value, "\r\n"))
        g_string_append_printf(fields, "%s: %s\r\n", name, value);
}

static void append_date(GString *fields, VigieTime now) {
    g_autofree char *date = portal_date(now);
    append_field(fields, "Date", date);
}

static GBytes *make_head(unsigned status, const GString *fields, const char *type, gsize size) {
    GString *head = g_string_sized_new(fields->len + 128);
    g_string_printf(head, "HTTP/1.1 %u %s\r\n", status, reason_phrase(status));
    g_string_append_len(head, fields->str, (gssize)fields->len);
    if (type)
        append_field(head, "Content-Type", type);
    if (status != 204 && status != 304)
        g_string_append_printf(head, "Content-Length: %zu\r\n", size);
    return g_string_free_to_bytes(head);
}

static GString *make_fields(const Request *request, Answer *answer, bool *ret_private) {
    GString *fields = g_string_sized_new(1024);
    bool cached = false;
    append_date(fields, request->now);
    g_string_append_len(fields, security_fields, sizeof security_fields - 1);
    if (request->portal->https)
        append_field(fields, "Strict-Transport-Security", "max-age=31536000");
    for (guint i = 0; i + 1 < request->headers->len; i += 2) {
        const char *name = g_ptr_array_index(request->headers, i),
                   *value = g_ptr_array_index(request->headers, i + 1);
        append_field(fields, name, value);
        cached = cached || strcmp(name, "Cache-Control") == 0;
        *ret_private = *ret_private || strcmp(name, "Set-Cookie") == 0;
        if (strcmp(name, "ETag") == 0)
            answer->tag = g_strdup(value);
        else if (strcmp(name, "Last-Modified") == 0)
            answer->modified = g_strdup(value);
    }
    if (!cached)
        append_field(fields, "Cache-Control", "no-store");
    return fields;
}

Answer *answer_new(Request *request) {
    Answer *answer = g_new0(Answer, 1);
    bool private = false;
    answer->references = 1;
    if (request->file) {
        answer->body = g_bytes_ref(request->file);
    } else {
        answer->body = g_string_free_to_bytes(request->answer);
        request->answer = g_string_new(NULL);
    }
    g_autoptr(GString) fields = make_fields(request, answer, &private);
    gsize size = g_bytes_get_size(answer->body);
    answer->head = make_head(request->status, fields, request->type, size);
    if (request->status == 200 && (answer->tag || answer->modified))
        answer->unchanged = make_head(304, fields, NULL, 0);
    if (request->status == 200 && !private)
        answer->kept_ms = request->kept_ms;
    return answer;
}

Answer *answer_refusal(unsigned status, const char *why) {
    Answer *answer = g_new0(Answer, 1);
    answer->references = 1;
    g_autofree char *text = g_strdup_printf("Requête refusée. Request refused.\n%s\n", why);
    g_autoptr(GString) fields =
        g_string_new("X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n");
    answer->body = g_bytes_new(text, strlen(text));
    answer->head = make_head(status, fields, "text/plain; charset=utf-8", strlen(text));
    return answer;
}

Answer *answer_ref(Answer *answer) {
    g_atomic_int_inc(&answer->references);
    return answer;
}

void answer_unref(Answer *answer) {
    if (!answer || !g_atomic_int_dec_and_test(&answer->references))
        return;
    g_bytes_unref(answer->head);
    g_clear_pointer(&answer->unchanged, g_bytes_unref);
    g_clear_pointer(&answer->body, g_bytes_unref);
    g_free(answer->tag);
    g_free(answer->modified);
    g_free(answer);
}

/* RFC 9110 13.1.2, 13.1.3: a list of tags, weak or not, or any; a date only where there is no list, and only ours. */
bool answer_known(const Answer *answer, const Head *head) {
    VigieBytes tags = head->none_match, since = head->modified_since;
    if (!answer->unchanged)
        return false;
    if (tags.size > 0)
        return vigie_bytes_equal(tags, vigie_bytes("*", 1)) ||
               (answer->tag && memmem(tags.data, tags.size, answer->tag, strlen(answer->tag)) != NULL);
    return answer->modified &&
           vigie_bytes_equal(since, vigie_bytes(answer->modified, strlen(answer->modified)));
}

/* ---- Keeping ------------------------------------------------------------------------------------------------ */
enum { GENERATION_MAX = 32 * 1024 * 1024 };

typedef struct {
    VigieBytes method, target, body;
    uint64_t secret; /* of the table: who cannot guess it cannot choose keys that collide */
} Key;

typedef struct {
    Key key;
    Answer *answer;
    int64_t until_ms;
    uint8_t octets[]; /* of the key */
} Entry;

struct Kept {
    GHashTable *young, *old; /* Key → Entry. When the young are too many, the old go and they are the old */
    size_t size;             /* of the young */
    uint64_t secret;
};

static uint64_t mix(uint64_t hash, VigieBytes bytes) {
    for (size_t at = 0; at < bytes.size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes.data + at, MIN(8, bytes.size - at));
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    return (hash ^ bytes.size) * UINT64_C(0xD6E8FEB86659FD93);
}

static guint key_hash(gconstpointer data) {
    const Key *key = data;
    return (guint)(mix(mix(mix(key->secret, key->method), key->target), key->body) >> 32);
}

static gboolean key_equal(gconstpointer a, gconstpointer b) {
    const Key *one = a, *other = b;
    return vigie_bytes_equal(one->target, other->target) && vigie_bytes_equal(one->body, other->body) &&
           vigie_bytes_equal(one->method, other->method);
}

static void entry_free(gpointer data) {
    Entry *entry = data;
    answer_unref(entry->answer);
    g_free(entry);
}

static GHashTable *new_generation(void) {
    return g_hash_table_new_full(key_hash, key_equal, NULL, entry_free);
}

Kept *kept_new(void) {
    Kept *kept = g_new0(Kept, 1);
    kept->young = new_generation();
    kept->old = new_generation();
    kept->secret = (uint64_t)g_random_int() << 32 | g_random_int();
    return kept;
}

void kept_free(Kept *kept) {
    g_hash_table_unref(kept->young);
    g_hash_table_unref(kept->old);
    g_free(kept);
}

Answer *kept_find(Kept *kept, VigieBytes method, VigieBytes target, VigieBytes body, int64_t now_ms) {
    const Key key = {method, target, body, kept->secret};
    const Entry *entry = g_hash_table_lookup(kept->young, &key);
    if (!entry)
        entry = g_hash_table_lookup(kept->old, &key);
    return entry && entry->until_ms > now_ms ? answer_ref(entry->answer) : NULL;
}

static VigieBytes append_octets(uint8_t **at, VigieBytes bytes) {
    VigieBytes copy =
        vigie_bytes(memcpy(*at, bytes.size > 0 ? (const void *)bytes.data : "", bytes.size), bytes.size);
    *at += bytes.size;
    return copy;
}

void kept_add(Kept *kept, VigieBytes method, VigieBytes target, VigieBytes body, Answer *answer,
              int64_t now_ms) {
    size_t octets = method.size + target.size + body.size;
    size_t size = sizeof(Entry) + octets + g_bytes_get_size(answer->head) + g_bytes_get_size(answer->body);
    if (size > GENERATION_MAX)
        return;
    if (kept->size + size > GENERATION_MAX) {
        g_hash_table_unref(kept->old);
        kept->old = g_steal_pointer(&kept->young);
        kept->young = new_generation();
        kept->size = 0;
    }
    Entry *entry = g_malloc(sizeof *entry + octets);
    uint8_t *at = entry->octets;
    entry->key =
        (Key){append_octets(&at, method), append_octets(&at, target), append_octets(&at, body), kept->secret};
    entry->answer = answer_ref(answer);
    entry->until_ms = now_ms + answer->kept_ms;
    if (g_hash_table_replace(kept->young, &entry->key, entry))
        kept->size += size;
}
