/* The timeline of a case: lines that are added and never changed, each with the hash of all before it. The case keeps
 * how many there are and the last hash, so that lines cut off at the end are missed, too. */
#include "csirt/internal.h"

#include <inttypes.h>
#include <string.h>

static void netstring(GString *out, const char *text) {
    g_string_append_printf(out, "%zu:%s,", strlen(text), text);
}

/* Netstrings, so that no two lines have the same octets. */
char *entry_hash(const char *before, const char *reference, int64_t seq, VigieTime time, const char *author,
                 const char *kind, const char *details) {
    g_autoptr(GString) line = g_string_new(NULL);
    netstring(line, before);
    netstring(line, reference);
    g_string_append_printf(line, "%" PRId64 ",%" PRId64 ",", seq, time);
    netstring(line, author);
    netstring(line, kind);
    netstring(line, details);
    return csirt_sha256(vigie_bytes(line->str, line->len));
}

typedef struct {
    int64_t seq;
    char *before, *reference;
} Place;

static void place_clear(Place *place) {
    g_free(place->before);
    g_free(place->reference);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

/* Takes the next place; other connections wait until this transaction ends. */
static bool take_place(VigieStore *store, int64_t id, VigieTime now, Place *ret_place, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "UPDATE csirt_case SET entries = entries + 1, updated = $2 WHERE id = $1 "
                    "RETURNING entries, head, reference",
                    "ii", id, now);
    if (!rows_first(rows, error, "case %" PRId64 ": there is none", id))
        return false;
    *ret_place = (Place){rows_int(rows, 0), g_strdup(rows_text(rows, 1)), g_strdup(rows_text(rows, 2))};
    return true;
}

bool entry_add(VigieStore *store, int64_t id, const char *author, const char *kind, json_t *details,
               VigieTime now, GError **error) {
    g_autoptr(json_t) owned = details ? details : json_object();
    g_autofree char *text = vigie_json_text(owned);
    g_auto(Place) place = {0};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !take_place(store, id, now, &place, error))
        return false;
    g_autofree char *hash =
        entry_hash(place.before, place.reference, place.seq, now, author ? author : "", kind, text);
    return store_exec(store, error,
                      "INSERT INTO csirt_entry (case_id, seq, time, author, kind, details, hash) "
                      "VALUES ($1, $2, $3, $4, $5, $6, $7)",
                      "iiitttt", id, place.seq, now, author ? author : "", kind, text, hash) &&
           store_exec(store, error, "UPDATE csirt_case SET head = $2 WHERE id = $1", "it", id, hash) &&
           store_commit(&tx, error);
}

bool csirt_entry_add(VigieStore *store, int64_t id, const char *author, const char *kind, json_t *details,
                     VigieTime now, GError **error) {
    return entry_add(store, id, author, kind, details, now, error);
}

bool csirt_note_add(VigieStore *store, const VigieAnalyst *who, int64_t id, const char *kind,
                    const char *text, VigieTime now, GError **error) {
    static const char *const kinds[] = {"note", "call", "handover", "decision", NULL};
    g_auto(Case) a_case = {0};
    if (!csirt_one_of("kind", kind, kinds, error) || !csirt_text_check("text", text, CSIRT_NOTE_BYTES, error))
        return false;
    if (!text || !*text)
        return csirt_invalid(error, "text: what is to be noted");
    return case_load(store, who, id, &a_case, error) &&
           entry_add(store, id, analyst_name(who), kind, json_pack("{s:s}", "text", text), now, error);
}

/* ---- Verification ------------------------------------------------------------------------------------------- */
enum { CASES_AT_ONCE = 500, FAULTS_MAX = 1000 };

typedef struct {
    VigieStore *store;
    int64_t entries, cases;
    json_t *faults;
} Verification;

static void fault(Verification *verification, const char *reference, int64_t seq, const char *what) {
    if (json_array_size(verification->faults) < FAULTS_MAX)
        json_array_append_new(verification->faults, json_pack("{s:s, s:I, s:s}", "reference", reference,
                                                              "seq", (json_int_t)seq, "fault", what));
}

/* One case's lines against its own chain, then against what the case says of it. */
static bool verify_case(Verification *verification, int64_t id, const char *reference, int64_t entries,
                        const char *head, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        verification->store, error,
        "SELECT seq, time, author, kind, details, hash FROM csirt_entry WHERE case_id = $1 ORDER BY seq", "i",
        id);
    g_autofree char *before = g_strdup("");
    int64_t seq = 0;
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        int64_t found = rows_int(rows, 0);
        if (found != seq + 1)
            fault(verification, reference, seq + 1, "missing");
        seq = found;
        g_autofree char *hash = entry_hash(before, reference, seq, rows_int(rows, 1), rows_text(rows, 2),
                                           rows_text(rows, 3), rows_text(rows, 4));
        if (strcmp(hash, rows_text(rows, 5)) != 0)
            fault(verification, reference, seq, "changed");
        g_free(before);
        before = g_strdup(rows_text(rows, 5));
        verification->entries++;
    }
    if (!rows_ended(rows, &failure, error))
        return false;
    if (seq < entries)
        fault(verification, reference, seq + 1, "cut");
    else if (seq > entries || strcmp(before, head) != 0)
        fault(verification, reference, seq, "head");
    verification->cases++;
    return true;
}

/* The cases after `after`; *ret_last: the last one, or `after`. */
static bool verify_page(Verification *verification, int64_t after, int64_t until, int64_t *ret_last,
                        GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        verification->store, error,
        "SELECT id, reference, entries, head FROM csirt_case WHERE id > $1 AND id <= $2 ORDER BY id "
        "LIMIT $3",
        "iii", after, until, (int64_t)CASES_AT_ONCE);
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        *ret_last = rows_int(rows, 0);
        if (!verify_case(verification, *ret_last, rows_text(rows, 1), rows_int(rows, 2), rows_text(rows, 3),
                         error))
            return false;
    }
    return rows_ended(rows, &failure, error);
}

json_t *csirt_timeline_verify(VigieStore *store, int64_t id, GError **error) {
    g_autoptr(json_t) faults = json_array();
    Verification verification = {.store = store, .faults = faults};
    g_autoptr(VigieTransaction) tx = store_begin(store, error); /* the case and its lines of one moment */
    int64_t last = id > 0 ? id - 1 : 0, until = id > 0 ? id : INT64_MAX;
    for (int64_t before = -1; tx && last != before;) {
        before = last;
        if (!verify_page(&verification, before, until, &last, error))
            return NULL;
    }
    if (!tx)
        return NULL;
    if (id > 0 && verification.cases == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "case %" PRId64 ": there is none", id);
        return NULL;
    }
    return json_pack("{s:I, s:I, s:O}", "cases", (json_int_t)verification.cases, "entries",
                     (json_int_t)verification.entries, "faults", faults);
}
