/* journal.c: writing the log; audit.c reads it back. */
#include "pki/journal.h"
#include "pki/pki.h"

#include <openssl/sha.h>
#include <string.h>

enum { CLOCK_TOLERANCE = 300 };

static void append_field(GByteArray *out, const char *text) {
    char head[24];
    size_t size = strlen(text);
    int digits = g_snprintf(head, sizeof head, "%zu:", size);
    g_byte_array_append(out, (const uint8_t *)head, (guint)digits);
    g_byte_array_append(out, (const uint8_t *)text, (guint)size);
}

/* Each field with its length, so that no two lines have the same octets. */
void journal_hash(uint8_t hash[JOURNAL_HASH], int64_t seq, VigieTime time, const char *const fields[4]) {
    char head[64];
    g_autoptr(GByteArray) line = g_byte_array_sized_new(512);
    int size = g_snprintf(head, sizeof head, "%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",", seq, time);
    g_byte_array_append(line, hash, JOURNAL_HASH);
    g_byte_array_append(line, (const uint8_t *)head, (guint)size);
    for (size_t i = 0; i < 4; i++)
        append_field(line, fields[i]);
    SHA256(line->data, line->len, hash);
}

/* `ret_last`: when the last line was written; 0: there is none. */
static bool take_end(Journal *journal, VigieStore *store, const char *who, VigieTime now, VigieTime *ret_last,
                     GError **error) {
    Journal begun = {.store = store, .now = now, .who = who};
    if (!store_exec(store, error, "UPDATE pki_log_head SET seq = seq WHERE id = 1", ""))
        return false;
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT seq, hash FROM pki_log_head WHERE id = 1", "");
    if (!rows || !rows_next(rows, error))
        return false;
    begun.seq = rows_int(rows, 0);
    VigieBytes hash = rows_blob(rows, 1);
    if (hash.size == JOURNAL_HASH)
        memcpy(begun.hash, hash.data, JOURNAL_HASH);
    *ret_last = 0;
    if (begun.seq > 0 &&
        !store_get_int(store, ret_last, error, "SELECT time FROM pki_log WHERE seq = $1", "i", begun.seq))
        return false;
    *journal = begun;
    return true;
}

bool journal_begin(Journal *journal, VigieStore *store, const char *who, VigieTime now, GError **error) {
    VigieTime last = 0;
    if (!take_end(journal, store, who, now, &last, error))
        return false;
    if (now + CLOCK_TOLERANCE >= last)
        return true;
    g_autofree char *when = vigie_time_rfc3339(last);
    g_set_error(
        error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
        "the clock of this machine is behind the last line of the log, %s: set it right first; where it is "
        "right and was ahead then: vigie audit-log resume",
        when);
    return false;
}

bool pki_log_resume(VigieStore *store, const char *who, const char *reason, VigieTime now, GError **error) {
    Journal journal;
    VigieTime last = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !take_end(&journal, store, who, now, &last, error))
        return false;
    if (now + CLOCK_TOLERANCE >= last) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                            "no line of the log is ahead of the clock: nothing is to be resumed");
        return false;
    }
    g_autofree char *when = vigie_time_rfc3339(last);
    g_autoptr(json_t) told = json_pack("{s:s, s:s}", "ahead", when, "reason", reason);
    g_autofree char *details = vigie_json_text(told);
    /* Answers that were signed ahead of time nobody takes yet. */
    return journal_add(&journal, "resumed", "log", details, error) && journal_end(&journal, NULL, 0, error) &&
           store_exec(store, error, "UPDATE pki_answer SET next_update = 0 WHERE this_update > $1", "i",
                      now) &&
           store_wake(store, error) && store_commit(&tx, error);
}

bool journal_add(Journal *journal, const char *kind, const char *object, const char *details,
                 GError **error) {
    const char *const fields[4] = {kind, journal->who, object, details};
    journal->seq++;
    journal_hash(journal->hash, journal->seq, journal->now, fields);
    VigieBytes hash = vigie_bytes(journal->hash, JOURNAL_HASH);
    return store_exec(journal->store, error,
                      "INSERT INTO pki_log (seq, time, kind, who, object, details, hash) VALUES ($1, $2, $3, "
                      "$4, $5, $6, $7)",
                      "iittttb", journal->seq, journal->now, kind, journal->who, object, details, &hash);
}

char *journal_statement(int64_t seq, VigieTime time, const uint8_t hash[JOURNAL_HASH]) {
    g_autofree char *when = vigie_time_rfc3339(time), *text = vigie_hex_text(vigie_bytes(hash, JOURNAL_HASH));
    return g_strdup_printf("Vigie log checkpoint 1\n%" G_GINT64_FORMAT "\n%s\n%s\n", seq, when, text);
}

bool journal_end(Journal *journal, Signer *signer, int64_t authority, GError **error) {
    VigieBytes hash = vigie_bytes(journal->hash, JOURNAL_HASH);
    if (!store_exec(journal->store, error, "UPDATE pki_log_head SET seq = $1, hash = $2 WHERE id = 1", "ib",
                    journal->seq, &hash))
        return false;
    if (!signer)
        return true;
    g_autofree char *statement = journal_statement(journal->seq, journal->now, journal->hash);
    g_autoptr(GByteArray) signature = g_byte_array_new();
    if (!signer_sign(signer, vigie_bytes(statement, strlen(statement)), signature, error))
        return false;
    VigieBytes signed_octets = vigie_bytes(signature->data, signature->len);
    return store_exec(
        journal->store, error,
        "INSERT INTO pki_checkpoint (seq, time, hash, authority, signature) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (seq) DO NOTHING",
        "iibib", journal->seq, journal->now, &hash, authority, &signed_octets);
}

bool journal_is_signed(VigieStore *store, bool *ret_signed, GError **error) {
    int64_t more = 0;
    if (!store_get_int(store, &more, error,
                       "SELECT seq - COALESCE((SELECT MAX(seq) FROM pki_checkpoint), 0) FROM pki_log_head",
                       ""))
        return false;
    *ret_signed = more <= 0;
    return true;
}

bool journal_sign(VigieStore *store, Signer *signer, int64_t authority, const char *who, VigieTime now,
                  GError **error) {
    Journal journal;
    bool ended = false;
    if (!journal_is_signed(store, &ended, error) || ended)
        return ended;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && journal_begin(&journal, store, who, now, error) &&
           journal_end(&journal, signer, authority, error) && store_commit(&tx, error);
}
