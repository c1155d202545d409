/* Anchors: one digest of where all timelines are, kept where nobody who writes to the database can change it. Each covers the one
 * before and the heads of the cases that went on since, so that a day costs what happened that day. */
#include "csirt/internal.h"
#include "csirt/telling.h"

#include <inttypes.h>
#include <string.h>

enum { HEADS_MAX = 20000, DIGEST_HEX = 64, ANCHOR_TEXT_MAX = 64 << 10, FAULTS_MAX = 1000 };

typedef struct {
    int64_t number;
    VigieTime time;
    char *digest;
} Anchor;

static void anchor_clear(Anchor *anchor) {
    g_clear_pointer(&anchor->digest, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Anchor, anchor_clear)

/* The newest; number 0 where there is none. */
static bool last_anchor(VigieStore *store, Anchor *ret_anchor, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT number, time, digest FROM csirt_anchor ORDER BY number DESC LIMIT 1", "");
    GError *failure = NULL;
    bool found = rows && rows_next(rows, &failure);
    *ret_anchor = (Anchor){found ? rows_int(rows, 0) : 0, found ? rows_int(rows, 1) : 0,
                           g_strdup(found ? rows_text(rows, 2) : "")};
    return rows_ended(rows, &failure, error);
}

/* ---- The digest ---- */
static GString *digest_begin(const char *before, int64_t number, VigieTime time) {
    GString *text = g_string_new("vigie case anchor\n");
    g_string_append_printf(text, "%s %" PRId64 " %" PRId64 "\n", *before ? before : "-", number, time);
    return text;
}

/* Neither has a space: references and hashes are ours. */
static void digest_head(GString *text, const char *reference, int64_t seq, const char *hash) {
    g_string_append_printf(text, "%s %" PRId64 " %s\n", reference, seq, hash);
}

/* ---- Making one ---- */
static bool add_heads(VigieStore *store, int64_t number, GString *text, int64_t *ret_count, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "INSERT INTO csirt_anchor_head (anchor, case_id, reference, seq, hash) SELECT $1, id, reference, "
        "entries, head FROM csirt_case WHERE entries > anchored ORDER BY id LIMIT $2 RETURNING case_id",
        "ii", number, (int64_t)HEADS_MAX);
    GError *failure = NULL;
    *ret_count = 0;
    while (rows && rows_next(rows, &failure))
        (*ret_count)++;
    if (!rows_ended(rows, &failure, error) ||
        !store_exec(
            store, error,
            "UPDATE csirt_case SET anchored = (SELECT h.seq FROM csirt_anchor_head h WHERE h.anchor = $1 AND "
            "h.case_id = csirt_case.id) WHERE id IN (SELECT case_id FROM csirt_anchor_head WHERE anchor = "
            "$1)",
            "i", number))
        return false;
    g_autoptr(VigieRows) heads = store_query(
        store, error, "SELECT reference, seq, hash FROM csirt_anchor_head WHERE anchor = $1 ORDER BY case_id",
        "i", number);
    while (heads && rows_next(heads, &failure))
        digest_head(text, rows_text(heads, 0), rows_int(heads, 1), rows_text(heads, 2));
    return rows_ended(heads, &failure, error);
}

static bool make_one(VigieStore *store, VigieTime now, int64_t *ret_count, GError **error) {
    g_auto(Anchor) last = {0};
    int64_t due = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !last_anchor(store, &last, error) ||
        !store_get_int(store, &due, error,
                       "SELECT COUNT(*) FROM (SELECT 1 FROM csirt_case WHERE entries > anchored LIMIT 1) x",
                       ""))
        return false;
    *ret_count = 0;
    if (due == 0)
        return true;
    int64_t number = last.number + 1;
    g_autoptr(GString) text = digest_begin(last.digest, number, now);
    if (!store_exec(store, error,
                    "INSERT INTO csirt_anchor (number, time, cases, digest) VALUES ($1, $2, 0, '')", "ii",
                    number, now) ||
        !add_heads(store, number, text, ret_count, error))
        return false;
    g_autofree char *digest = csirt_sha256(vigie_bytes(text->str, text->len));
    return store_exec(store, error, "UPDATE csirt_anchor SET cases = $2, digest = $3 WHERE number = $1",
                      "iit", number, *ret_count, digest) &&
           store_commit(&tx, error);
}

char *csirt_anchor(VigieStore *store, VigieTime now, GError **error) {
    g_auto(Anchor) last = {0};
    for (int64_t count = HEADS_MAX; count == HEADS_MAX;)
        if (!make_one(store, now, &count, error))
            return NULL;
    if (!last_anchor(store, &last, error))
        return NULL;
    if (last.number == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "there is no case yet whose timeline could be anchored");
        return NULL;
    }
    g_autofree char *time = vigie_time_rfc3339(last.time);
    return g_strdup_printf("vigie case anchor\nnumber %" PRId64 "\ntime %s\ndigest %s\n", last.number, time,
                           last.digest);
}

/* ---- Holding the store against one ---- */
/* What follows `name` at the beginning of a line, quoted or not, up to the next space. Free with g_free. */
static char *field_of(const char *text, const char *name) {
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        const char *at = *line + strspn(*line, "> \t");
        if (g_str_has_prefix(at, name) && at[strlen(name)] == ' ') {
            at += strlen(name) + 1;
            return g_strndup(at, strcspn(at, " \r\t"));
        }
    }
    return NULL;
}

static bool read_anchor(const char *text, Anchor *ret_anchor, GError **error) {
    g_autofree char *number = field_of(text, "number"), *digest = field_of(text, "digest");
    guint64 parsed = 0;
    if (strlen(text) > ANCHOR_TEXT_MAX || !number || !digest || strlen(digest) != DIGEST_HEX ||
        !g_ascii_string_to_unsigned(number, 10, 1, G_MAXINT32, &parsed, NULL))
        return csirt_invalid(
            error, "this is no anchor: the lines \"number\" and \"digest\" are wanted, as vigie case "
                   "anchor writes them");
    *ret_anchor = (Anchor){(int64_t)parsed, 0, g_steal_pointer(&digest)};
    return true;
}

static void add_fault(json_t *faults, const char *reference, int64_t seq, const char *fault) {
    if (json_array_size(faults) < FAULTS_MAX)
        json_array_append_new(faults, json_pack("{s:s, s:I, s:s}", "reference", reference, "seq",
                                                (json_int_t)seq, "fault", fault));
}

/* One anchor's heads: into its digest, and each against the line that it was. */
static bool hold(VigieStore *store, int64_t number, GString *text, json_t *faults, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT h.reference, h.seq, h.hash, COALESCE(e.hash, '') FROM csirt_anchor_head h LEFT JOIN "
        "csirt_entry e ON e.case_id = h.case_id AND e.seq = h.seq WHERE h.anchor = $1 ORDER BY h.case_id",
        "i", number);
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        digest_head(text, rows_text(rows, 0), rows_int(rows, 1), rows_text(rows, 2));
        if (strcmp(rows_text(rows, 2), rows_text(rows, 3)) != 0)
            add_fault(faults, rows_text(rows, 0), rows_int(rows, 1), "anchor");
    }
    return rows_ended(rows, &failure, error);
}

/* The digests are computed from the heads again: what the store says that they were is not asked. */
static bool hold_all(VigieStore *store, const Anchor *kept, json_t *faults, GError **error) {
    g_autofree char *before = g_strdup("");
    for (int64_t number = 1; number <= kept->number; number++) {
        int64_t time = 0, found = 0;
        if (!store_get_int(store, &found, error, "SELECT COUNT(*) FROM csirt_anchor WHERE number = $1", "i",
                           number))
            return false;
        if (found == 0) {
            add_fault(faults, "", number, "anchor-missing");
            return true;
        }
        if (!store_get_int(store, &time, error, "SELECT time FROM csirt_anchor WHERE number = $1", "i",
                           number))
            return false;
        g_autoptr(GString) text = digest_begin(before, number, time);
        if (!hold(store, number, text, faults, error))
            return false;
        g_free(before);
        before = csirt_sha256(vigie_bytes(text->str, text->len));
    }
    if (strcmp(before, kept->digest) != 0)
        add_fault(faults, "", kept->number, "anchor-digest");
    return true;
}

bool csirt_anchor_verify(VigieStore *store, const char *text, json_t *faults, GError **error) {
    g_auto(Anchor) kept = {0};
    g_autoptr(VigieTransaction) tx = read_anchor(text, &kept, error) ? store_begin(store, error) : NULL;
    return tx && hold_all(store, &kept, faults, error);
}

/* ---- The mail of each day ---- */
static json_t *view_of(VigieLang lang, void *data) {
    (void)lang;
    return json_incref(data);
}

bool csirt_anchor_work(VigieStore *store, const VigieNotifier *notifier, VigieTime now, GError **error) {
    const VigieConfig *config = notifier->config;
    const char *to = vigie_config_text(config, "csirt.anchor_mail");
    const json_t *team = csirt_team_json(notifier->team);
    g_auto(Anchor) before = {0};
    if (!last_anchor(store, &before, error))
        return false;
    int64_t cases = 0;
    if (!store_get_int(store, &cases, error, "SELECT COUNT(*) FROM (SELECT 1 FROM csirt_case LIMIT 1) x",
                       "") ||
        cases == 0)
        return cases == 0 && !(error && *error);
    g_autofree char *anchor = csirt_anchor(store, now, error), *subject = NULL, *text = NULL;
    g_autofree char *digest = anchor ? field_of(anchor, "digest") : NULL,
                    *number = anchor ? field_of(anchor, "number") : NULL;
    if (!anchor || !*to || !*vigie_config_text(config, "mail.server") || strcmp(digest, before.digest) == 0)
        return anchor != NULL; /* nothing happened since the last one */
    g_autoptr(GString) lines =
        g_string_new(" "); /* a space before each: they are not to be filled as a paragraph */
    g_string_append(lines, g_strchomp(anchor));
    g_string_replace(lines, "\n", "\n ", 0);
    g_autoptr(json_t) view = json_pack("{s:s, s:s, s:O}", "anchor", lines->str, "number", number, "team",
                                       json_object_get(team, "name"));
    const char *language = vigie_member(team, "language"),
               *signer = vigie_member(json_object_get(team, "openpgp"), "fingerprint");
    if (!notice_render("anchor", language, view_of, view, &subject, &text, error))
        return false;
    g_autofree char *key = g_strdup_printf("csirt-anchor:%s", number);
    VigieMail mail = {.from = vigie_config_text(config, "mail.from"),
                      .to = to,
                      .subject = subject,
                      .text = text,
                      .lang = language,
                      .auto_submitted = "auto-generated",
                      .zone = vigie_config_zone(config),
                      .cell = notifier->cell,
                      .sign_with = notifier->cell ? signer : NULL};
    int64_t queued = 0;
    return mail_queue_add(store, &mail, key, now, &queued, error);
}
