/* crl.c: revocation lists (RFC 5280 5). A full one may have a million entries: it is written once, in one block of memory,
 * in which the heads are put before the entries when their lengths are known. */
#include "pki/build.h"
#include "pki/journal.h"
#include "pki/record.h"
#include "pki/revoke.h"
#include "pki/row.h"
#include "x509/der-write.h"

#include <string.h>

enum { HOUR = 3600, NUMBERS_A_SECOND = 1024, PAGE = 20000, HEAD_ROOM = 2048, ENTRY_MAX = 64, DAY = 86400 };

typedef struct {
    int64_t number, entry;
    VigieTime this_update, next_update;
    int64_t entries;
} Published;

typedef struct {
    VigieStore *store;
    VigieAuthority *authority;
    Journal *journal;
    size_t shard;
    const Published *base; /* of a delta list; NULL: a full one */
    int64_t number;
    VigieTime now, next_update;
    GByteArray *out;
    int64_t entries;
    int64_t day; /* whose date is in `date` */
    char date[8];
} List;

/* ---- Entries ------------------------------------------------------------------------------------------------ */
static uint8_t *put_pair(uint8_t *at, int64_t value) {
    *at++ = (uint8_t)('0' + value / 10);
    *at++ = (uint8_t)('0' + value % 10);
    return at;
}

/* UTCTime; the date is made once a day, for calendars are slow. */
static uint8_t *put_time(List *list, uint8_t *at, VigieTime time) {
    int64_t day = time / DAY, second = time % DAY;
    if (day != list->day) {
        g_autofree char *text = vigie_time_rfc3339(time);
        const char digits[] = {text[2], text[3], text[5], text[6], text[8], text[9]};
        memcpy(list->date, digits, sizeof digits);
        list->day = day;
    }
    *at++ = DER_UTC_TIME;
    *at++ = 13;
    memcpy(at, list->date, 6);
    at = put_pair(at + 6, second / HOUR);
    at = put_pair(at, second / 60 % 60);
    at = put_pair(at, second % 60);
    *at++ = 'Z';
    return at;
}

/* SEQUENCE { serial, time, reason }, all lengths below 128. */
static void put_entry(List *list, VigieBytes serial, VigieTime at_time, int64_t reason) {
    static const uint8_t reason_head[] = {0x30, 0x0C, 0x30, 0x0A, 0x06, 0x03, 0x55,
                                          0x1D, 0x15, 0x04, 0x03, 0x0A, 0x01};
    uint8_t entry[ENTRY_MAX + 24], *at = entry + 2;
    if (serial.size == 0 || serial.size > 20)
        return;
    *at++ = DER_INTEGER;
    *at++ = (uint8_t)serial.size;
    memcpy(at, serial.data, serial.size);
    at = put_time(list, at + serial.size, at_time);
    if (reason != 0) {
        memcpy(at, reason_head, sizeof reason_head);
        at += sizeof reason_head;
        *at++ = (uint8_t)reason;
    }
    entry[0] = DER_SEQUENCE;
    entry[1] = (uint8_t)(at - entry - 2);
    g_byte_array_append(list->out, entry, (guint)(at - entry));
    list->entries++;
}

/* A full list tells of all that is revoked and was valid when the last one came out; a delta of what changed since its base. */
static bool put_entries(List *list, VigieTime ended_before, GError **error) {
    const char *sql =
        list->base
            ? "SELECT serial, at, reason, entry FROM pki_revocation WHERE authority = $1 AND shard = $2 AND "
              "entry > $3 AND not_after >= $4 ORDER BY entry LIMIT $5"
            : "SELECT serial, at, reason, entry FROM pki_revocation WHERE authority = $1 AND shard = $2 AND "
              "entry > $3 AND not_after >= $4 AND reason <> 8 ORDER BY entry LIMIT $5";
    int64_t after = list->base ? list->base->entry : INT64_MIN;
    for (int64_t read = PAGE; read == PAGE;) {
        g_autoptr(VigieRows) rows = store_query(list->store, error, sql, "iiiii", list->authority->id,
                                                (int64_t)list->shard, after, ended_before, (int64_t)PAGE);
        g_autoptr(GError) why = NULL;
        if (!rows)
            return false;
        for (read = 0; rows_next(rows, &why); read++) {
            put_entry(list, rows_blob(rows, 0), rows_int(rows, 1), rows_int(rows, 2));
            after = rows_int(rows, 3);
        }
        if (why) {
            g_propagate_error(error, g_steal_pointer(&why));
            return false;
        }
    }
    return true;
}

/* ---- The frame ---------------------------------------------------------------------------------------------- */
static void put_scope(const List *list, GByteArray *out) {
    const AuthorityPoints *points = &list->authority->points[list->shard];
    g_autoptr(GByteArray) value = g_byte_array_new();
    if (list->authority->shards == 1 || !points->crl[0])
        return;
    size_t sequence = der_open(value, DER_SEQUENCE);
    build_put_full_name(value, (const char *const *)points->crl);
    der_close(value, sequence);
    extension_put(out, "2.5.29.28", true, der_bytes(value));
}

static void put_number(GByteArray *out, const char *oid, bool critical, int64_t number) {
    g_autoptr(GByteArray) value = g_byte_array_new();
    der_put_unsigned(value, DER_INTEGER, (uint64_t)number);
    extension_put(out, oid, critical, der_bytes(value));
}

static void put_extensions(const List *list, GByteArray *out) {
    size_t tagged = der_open(out, DER_CONTEXT_CONSTRUCTED(0)), sequence = der_open(out, DER_SEQUENCE);
    extension_put_authority_key(out, list->authority->key_id);
    put_number(out, "2.5.29.20", false, list->number);
    if (list->base)
        put_number(out, "2.5.29.27", true, list->base->number);
    put_scope(list, out);
    if (!list->base)
        extension_put_points(out, "2.5.29.46",
                             (const char *const *)list->authority->points[list->shard].delta);
    der_close(out, sequence);
    der_close(out, tagged);
}

/* What stands before the entries, without the two outermost heads. */
static void put_head(const List *list, GByteArray *out) {
    der_put_unsigned(out, DER_INTEGER, 1);
    der_put_whole(out, list->authority->signer->algorithm);
    der_put_whole(out, list->authority->subject);
    der_put_time(out, list->now);
    der_put_time(out, list->next_update);
}

/* A head "tag, length" for `size` octets, ending at `end`; where it begins. */
static size_t put_before(GByteArray *out, size_t end, uint8_t tag, size_t size) {
    size_t octets = size < 0x80 ? 0 : size > 0xFFFFFF ? 4 : size > 0xFFFF ? 3 : size > 0xFF ? 2 : 1;
    size_t begin = end - 2 - octets;
    out->data[begin] = tag;
    out->data[begin + 1] = (uint8_t)(octets ? 0x80 | octets : size);
    for (size_t i = 0; i < octets; i++)
        out->data[begin + 2 + i] = (uint8_t)(size >> (8 * (octets - 1 - i)));
    return begin;
}

static char *file_name(const VigieAuthority *authority, size_t shard, bool delta) {
    g_autofree char *number = authority->shards > 1 ? g_strdup_printf("-%zu", shard) : g_strdup("");
    return g_strdup_printf("%s%s%s.crl", authority->name, number, delta ? "-delta" : "");
}

/* What is to be signed, from `begin` on, as a list with one octet for a signature; `out` is then as it was, but for the room before. */
static bool check(const List *list, size_t begin, GError **error) {
    GByteArray *out = list->out;
    const guint end = out->len;
    g_autofree char *name = file_name(list->authority, list->shard, list->base != NULL);
    der_put_whole(out, list->authority->signer->algorithm);
    der_put_bits(out, vigie_bytes("", 1));
    begin = put_before(out, begin, DER_SEQUENCE, out->len - begin);
    bool well = build_check_list(vigie_bytes(out->data + begin, out->len - begin), name, error);
    g_byte_array_set_size(out, end);
    return well;
}

/* Entries stand in `out` from HEAD_ROOM on. The list, whole, from *ret_begin on. */
static bool finish(List *list, size_t *ret_begin, GError **error) {
    GByteArray *out = list->out;
    size_t begin = HEAD_ROOM, entries = out->len - HEAD_ROOM;
    g_autoptr(GByteArray) head = g_byte_array_new();
    put_head(list, head);
    /* RFC 5280 5.1.2.6: without entries, no list of them. */
    if (entries > 0)
        begin = put_before(out, begin, DER_SEQUENCE, entries);
    if (head->len + 64 > begin) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "%s: its name is too long for a list",
                    list->authority->name);
        return false;
    }
    begin -= head->len;
    memcpy(out->data + begin, head->data, head->len);
    put_extensions(list, out);
    begin = put_before(out, begin, DER_SEQUENCE, out->len - begin);
    if (!check(list, begin, error))
        return false;
    g_autoptr(GByteArray) signature = g_byte_array_new();
    if (!signer_sign(list->authority->signer, vigie_bytes(out->data + begin, out->len - begin), signature,
                     error))
        return false;
    der_put_whole(out, list->authority->signer->algorithm);
    der_put_bits(out, der_bytes(signature));
    *ret_begin = put_before(out, begin, DER_SEQUENCE, out->len - begin);
    return true;
}

/* ---- Publishing --------------------------------------------------------------------------------------------- */
static bool find_published(VigieStore *store, const VigieAuthority *authority, size_t shard, bool delta,
                           Published *ret_found, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT number, entry, this_update, next_update, entries FROM pki_crl WHERE authority = $1 AND "
        "shard = $2 AND delta = $3",
        "iii", authority->id, (int64_t)shard, (int64_t)delta);
    g_autoptr(GError) why = NULL;
    if (!rows)
        return false;
    if (rows_next(rows, &why))
        *ret_found = (Published){rows_int(rows, 0), rows_int(rows, 1), rows_int(rows, 2), rows_int(rows, 3),
                                 rows_int(rows, 4)};
    if (!why)
        return true;
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
}

static bool keep(const List *list, VigieBytes der, json_t *report, GError **error) {
    bool delta = list->base != NULL;
    g_autofree char *name = file_name(list->authority, list->shard, delta),
                    *next = vigie_time_rfc3339(list->next_update);
    g_autofree char *details = g_strdup_printf(
        "{\"number\":%" G_GINT64_FORMAT ",\"entries\":%" G_GINT64_FORMAT "}", list->number, list->entries);
    json_array_append_new(report,
                          json_pack("{s:s, s:I, s:I, s:s}", "file", name, "number", (json_int_t)list->number,
                                    "entries", (json_int_t)list->entries, "next_update", next));
    /* A full list ends the delta lists of the one before. */
    return (delta || store_exec(list->store, error, "DELETE FROM pki_crl WHERE authority = $1 AND shard = $2",
                                "ii", list->authority->id, (int64_t)list->shard)) &&
           store_exec(list->store, error,
                      "INSERT INTO pki_crl (authority, shard, delta, number, entry, entries, this_update, "
                      "next_update, der) VALUES "
                      "($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (authority, shard, delta) DO UPDATE "
                      "SET number = $4, "
                      "entry = $5, entries = $6, this_update = $7, next_update = $8, der = $9",
                      "iiiiiiiib", list->authority->id, (int64_t)list->shard, (int64_t)delta, list->number,
                      list->journal->seq, list->entries, list->now, list->next_update, &der) &&
           journal_add(list->journal, "crl", name, details, error);
}

static bool publish(List *list, VigieTime ended_before, int64_t expected, json_t *report, GError **error) {
    size_t begin = 0;
    /* By the clock, so that a store restored from a backup goes on above every number that it gave and forgot. */
    if (!store_get_int(list->store, &list->number, error,
                       "UPDATE pki_authority SET crl_number = CASE WHEN crl_number >= $2 THEN crl_number + 1 "
                       "ELSE $2 END WHERE id = $1 RETURNING crl_number",
                       "ii", list->authority->id, list->now * NUMBERS_A_SECOND))
        return false;
    list->day = -1;
    list->out = g_byte_array_sized_new((guint)MIN((int64_t)G_MAXUINT / 2, HEAD_ROOM + 4096 + expected * 50));
    g_byte_array_set_size(list->out, HEAD_ROOM);
    bool well = put_entries(list, ended_before, error) && finish(list, &begin, error) &&
                keep(list, vigie_bytes(list->out->data + begin, list->out->len - begin), report, error);
    g_byte_array_unref(list->out);
    return well;
}

/* Did something change after the list's line? */
static bool changed_since(VigieStore *store, const VigieAuthority *authority, size_t shard, int64_t entry,
                          bool *ret_changed, GError **error) {
    int64_t first = 0;
    if (!store_get_int(store, &first, error,
                       "SELECT COUNT(*) FROM (SELECT 1 FROM pki_revocation WHERE authority = $1 AND shard = "
                       "$2 AND entry > $3 "
                       "LIMIT 1) AS one",
                       "iii", authority->id, (int64_t)shard, entry))
        return false;
    *ret_changed = first > 0;
    return true;
}

/* One that is of the future was made while the clock was ahead: nobody takes it. */
static bool lapses(const Published *list, VigieTime now) {
    return list->number == 0 || list->this_update > now ||
           list->next_update - now < (list->next_update - list->this_update) / 4;
}

static bool publish_shard(VigieStore *store, VigieAuthority *authority, Journal *journal, size_t shard,
                          bool full_wanted, VigieTime now, json_t *report, GError **error) {
    Published full = {0}, delta = {0};
    bool since_full = false, since_delta = false;
    int64_t delta_hours = authority_setting(authority, "delta_hours");
    if (!find_published(store, authority, shard, false, &full, error) ||
        !find_published(store, authority, shard, true, &delta, error) ||
        !changed_since(store, authority, shard, full.entry, &since_full, error) ||
        !changed_since(store, authority, shard, MAX(full.entry, delta.entry), &since_delta, error))
        return false;
    List list = {.store = store, .authority = authority, .journal = journal, .shard = shard, .now = now};
    bool full_due = full_wanted || lapses(&full, now) || (delta_hours == 0 && since_full);
    if (full_due) {
        list.next_update = MIN(now + authority_setting(authority, "crl_hours") * HOUR, authority->not_after);
        if (!publish(&list, full.number ? full.this_update : 0, full.entries, report, error) ||
            !find_published(store, authority, shard, false, &full, error))
            return false;
        delta = (Published){0};
    }
    if (delta_hours == 0 || !(full_due || lapses(&delta, now) || since_delta))
        return true;
    list.base = &full;
    list.entries = 0;
    list.next_update = MIN(now + delta_hours * HOUR, full.next_update);
    return publish(&list, full.this_update, delta.entries, report, error);
}

json_t *pki_crl_publish(VigieStore *store, VigieAuthority *authority, bool full, const char *who,
                        VigieTime now, GError **error) {
    Journal journal;
    g_autoptr(json_t) report = json_array();
    if (!authority_must_sign(authority, error))
        return NULL;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !journal_begin(&journal, store, who, now, error))
        return NULL;
    for (size_t shard = 0; shard < authority->shards; shard++)
        if (!publish_shard(store, authority, &journal, shard, full, now, report, error))
            return NULL;
    if (json_array_size(report) > 0 && !journal_end(&journal, authority->signer, authority->id, error))
        return NULL;
    return store_commit(&tx, error) ? g_steal_pointer(&report) : NULL;
}

/* ---- Giving out --------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t authority, shard, delta, number; /* number 0: there is no such list */
} ListKey;

/* "NAME", "NAME-3", "NAME-delta", "NAME-3-delta": names may hold hyphens and digits, so they are compared as we write them. */
static bool find_list(VigieStore *store, const char *file, ListKey *ret_key, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT a.name, a.settings, c.authority, c.shard, c.delta, c.number FROM "
                    "pki_crl c JOIN pki_authority a ON a.id = c.authority",
                    "");
    g_autoptr(GError) why = NULL;
    ListKey key = {0};
    while (key.number == 0 && rows && rows_next(rows, &why)) {
        g_autoptr(json_t) settings = json_loads(rows_text(rows, 1), 0, NULL);
        VigieAuthority named = {
            .name = (char *)rows_text(rows, 0),
            .shards = (size_t)MAX(1, json_integer_value(json_object_get(settings, "crl_shards")))};
        g_autofree char *name = file_name(&named, (size_t)rows_int(rows, 3), rows_int(rows, 4) != 0);
        if (strcmp(name, file) == 0)
            key = (ListKey){rows_int(rows, 2), rows_int(rows, 3), rows_int(rows, 4), rows_int(rows, 5)};
    }
    if (why) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    *ret_key = key;
    return rows != NULL;
}

static VigieRows *query_published(VigieStore *store, const char *file, GError **error) {
    ListKey key;
    if (!g_str_has_suffix(file, ".crl")) {
        gsize size = g_str_has_suffix(file, ".cer") ? strlen(file) - strlen(".cer") : 0;
        g_autofree char *name = g_strndup(file, size);
        return store_query(store, error,
                           "SELECT certificate, 0, 0 FROM pki_authority WHERE name = $1 UNION ALL "
                           "SELECT c.der, 0, 0 FROM pki_certificate c WHERE c.id = "
                           "(SELECT MAX(certificate) FROM pki_link WHERE name = $1)",
                           "t", name);
    }
    if (!find_list(store, file, &key, error))
        return NULL;
    return store_query(
        store, error,
        "SELECT der, this_update, next_update FROM pki_crl WHERE authority = $1 AND shard = $2 AND "
        "delta = $3",
        "iii", key.authority, key.shard, key.delta);
}

GByteArray *pki_published(VigieStore *store, const char *file, VigieTime *ret_since, VigieTime *ret_until,
                          GError **error) {
    g_autoptr(GError) why = NULL;
    g_autoptr(VigieRows) rows = query_published(store, file, &why);
    if (!rows || !rows_next(rows, &why)) {
        if (!why)
            g_set_error(&why, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%.80s is not published", file);
        g_propagate_error(error, g_steal_pointer(&why));
        return NULL;
    }
    VigieBytes der = rows_blob(rows, 0);
    *ret_since = rows_int(rows, 1);
    *ret_until = rows_int(rows, 2);
    return g_byte_array_append(g_byte_array_sized_new((guint)der.size), der.data, (guint)der.size);
}

bool pki_published_number(VigieStore *store, const char *file, int64_t *ret_number, GError **error) {
    ListKey key = {0};
    g_autoptr(GError) why = NULL;
    if (g_str_has_suffix(file, ".crl") && !find_list(store, file, &key, &why)) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    *ret_number = key.number;
    return true;
}

/* Certificates beside the tree. */
static bool add_links(VigieStore *store, json_t *list, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT DISTINCT name FROM pki_link ORDER BY name", "");
    GError *why = NULL;
    while (rows && rows_next(rows, &why)) {
        g_autofree char *file = g_strconcat(rows_text(rows, 0), ".cer", NULL);
        json_array_append_new(list, json_string(file));
    }
    return rows_ended(rows, &why, error);
}

json_t *pki_published_list(VigieStore *store, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT a.name, a.settings, COALESCE(c.shard, 0), COALESCE(c.delta, 0), "
                    "COALESCE(c.number, 0) FROM pki_authority a LEFT JOIN pki_crl c ON c.authority = a.id "
                    "ORDER BY a.id, c.shard NULLS FIRST, c.delta NULLS FIRST",
                    "");
    g_autoptr(GError) why = NULL;
    g_autofree char *last = NULL;
    json_t *list = json_array();
    while (rows && rows_next(rows, &why)) {
        g_autoptr(json_t) settings = json_loads(rows_text(rows, 1), 0, NULL);
        VigieAuthority named = {
            .name = (char *)rows_text(rows, 0),
            .shards = (size_t)MAX(1, json_integer_value(json_object_get(settings, "crl_shards")))};
        g_autofree char *certificate = g_strconcat(named.name, ".cer", NULL);
        g_autofree char *name = file_name(&named, (size_t)rows_int(rows, 2), rows_int(rows, 3) != 0);
        if (g_strcmp0(last, certificate) != 0)
            json_array_append_new(list, json_string(certificate));
        if (rows_int(rows, 4) != 0)
            json_array_append_new(list, json_string(name));
        g_free(last);
        last = g_steal_pointer(&certificate);
    }
    if (why)
        g_propagate_error(error, g_steal_pointer(&why));
    else if (rows && add_links(store, list, error))
        return list;
    json_decref(list);
    return NULL;
}
