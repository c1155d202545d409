/* Keys that domains name: imported, judged before they are needed, and their owner told early where one ails. */
#include "csirt/telling.h"

#include <inttypes.h>
#include <string.h>

enum { DAY = 86400, SOON = 30 * DAY, AT_ONCE = 50, TASK_DAYS = 5 };

static const Cell key_cells[] = {
    {"fingerprint", "fingerprint", CELL_TEXT}, {"uri", "uri", CELL_STRING},
    {"domain", "domain", CELL_STRING},         {"state", "state", CELL_STRING},
    {"problems", "problems", CELL_JSON},       {"expires", "expires", CELL_TIME},
    {"checked", "checked", CELL_TIME},         {0},
};

json_t *keys_of(VigieStore *store, const char *domain, GError **error) {
    g_autoptr(VigieQuery) query = query_new();
    cells_select(query, key_cells);
    query_add(query, "FROM csirt_key WHERE domain = ?t ORDER BY id", domain);
    return cells_run(store, query, key_cells, error);
}

/* ---- Judging -------------------------------------------------------------------------------------------------- */
typedef struct {
    const char *fingerprint, *state; /* borrowed from keys */
    const json_t *problems;
    VigieTime expires;
    json_t *keys;
} Verdict;

/* Of several keys in one file the first that can be encrypted to. */
static const json_t *best_key(const json_t *keys) {
    for (size_t i = 0; i < json_array_size(keys); i++)
        if (json_is_true(json_object_get(json_array_get(keys, i), "encrypts")))
            return json_array_get(keys, i);
    return json_array_get(keys, 0);
}

static Verdict judge(json_t *keys) {
    const json_t *key = best_key(keys);
    if (!key)
        return (Verdict){"", "missing", NULL, 0, keys};
    return (Verdict){vigie_member(key, "fingerprint"), vigie_member(key, "health"),
                     json_object_get(key, "problems"), json_integer_value(json_object_get(key, "expires")),
                     keys};
}

/* "openpgp4fpr:5f2d…" as the keyring writes it, or NULL. */
static char *named_fingerprint(const char *uri) {
    if (g_ascii_strncasecmp(uri, "openpgp4fpr:", 12) != 0)
        return NULL;
    g_autofree char *fingerprint = g_ascii_strup(uri + 12, -1);
    return mail_fingerprint_valid(fingerprint) ? g_steal_pointer(&fingerprint) : NULL;
}

static json_t *held_keys(VigieMailCell *cell, const char *fingerprint, VigieTime now) {
    const char *const wanted[] = {fingerprint, NULL};
    return cell && fingerprint && *fingerprint ? mail_keys_list(cell, wanted, SOON, now, NULL) : NULL;
}

/* What a key's address yields: the key that was there, or the one of that fingerprint which we hold. */
static json_t *obtain(const VigieNotifier *notifier, const json_t *key, VigieTime now) {
    g_autofree char *fingerprint = named_fingerprint(vigie_member(key, "uri"));
    const char *data = vigie_member(key, "data");
    if (fingerprint || !data || !notifier->cell)
        return held_keys(notifier->cell, fingerprint, now);
    gsize size = 0;
    guchar *bytes = g_base64_decode(data, &size);
    g_autoptr(GBytes) content = g_bytes_new_take(bytes, size);
    return mail_keys_import(notifier->cell, content, SOON, now, NULL);
}

static bool write_verdict(VigieStore *store, const char *domain, const char *uri, const Verdict *verdict,
                          VigieTime now, GError **error) {
    g_autofree char *problems = verdict->problems ? vigie_json_text(verdict->problems) : g_strdup("[]");
    return store_exec(
        store, error,
        "INSERT INTO csirt_key (domain, uri, fingerprint, state, problems, expires, checked) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (domain, uri) DO UPDATE SET fingerprint = "
        "excluded.fingerprint, state = excluded.state, problems = excluded.problems, expires = "
        "excluded.expires, checked = excluded.checked",
        "tttttii", domain, uri, verdict->fingerprint, verdict->state, problems, verdict->expires, now);
}

/* ---- Telling its owner ---------------------------------------------------------------------------------------- */
static bool add_task(VigieStore *store, int64_t case_id, const char *domain, const char *uri,
                     const Verdict *verdict, VigieTime now, GError **error) {
    g_autofree char *key = g_strconcat("csirt.key.task.", verdict->state, NULL);
    json_t *details = json_pack("{s:s, s:s, s:s, s:s, s:O?, s:{s:s}}", "domain", domain, "uri", uri,
                                "fingerprint", verdict->fingerprint, "state", verdict->state, "problems",
                                verdict->problems, "values", "domain", domain);
    return csirt_task_add(store, "", case_id, "key", key, details, NULL, now + TASK_DAYS * DAY, now, NULL,
                          error);
}

bool keys_keep(VigieStore *store, const VigieNotifier *notifier, int64_t case_id, const char *domain,
               const json_t *keys, VigieTime now, GError **error) {
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *key = json_array_get(keys, i);
        const char *uri = vigie_member(key, "uri");
        g_autoptr(json_t) held = obtain(notifier, key, now);
        Verdict verdict = judge(held);
        if (!write_verdict(store, domain, uri, &verdict, now, error) ||
            (strcmp(verdict.state, "well") != 0 &&
             !add_task(store, case_id, domain, uri, &verdict, now, error)))
            return false;
    }
    return true;
}

/* The active cases that would write to that domain. */
static bool tell_cases(VigieStore *store, const json_t *key, const Verdict *verdict, VigieTime now,
                       GError **error) {
    static const Cell cells[] = {{"case", "c.id", CELL_INT}, {0}};
    g_autoptr(VigieQuery) query = query_new();
    cells_select(query, cells);
    query_add(query,
              "FROM csirt_case c WHERE c.active = 1 AND EXISTS (SELECT 1 FROM csirt_lookup l WHERE l.case_id "
              "= c.id AND "
              "l.domain = ?t) ORDER BY c.id LIMIT 50",
              vigie_member(key, "domain"));
    g_autoptr(json_t) cases = cells_run(store, query, cells, error);
    for (size_t i = 0; i < json_array_size(cases); i++)
        if (!add_task(store, json_integer_value(json_object_get(json_array_get(cases, i), "case")),
                      vigie_member(key, "domain"), vigie_member(key, "uri"), verdict, now, error))
            return false;
    return cases != NULL;
}

static bool check_again(VigieStore *store, const VigieNotifier *notifier, const json_t *key, VigieTime now,
                        GError **error) {
    g_autoptr(json_t) held = held_keys(notifier->cell, vigie_member(key, "fingerprint"), now);
    Verdict verdict = judge(held);
    bool worse = strcmp(verdict.state, "well") != 0 && strcmp(verdict.state, vigie_member(key, "state")) != 0;
    return write_verdict(store, vigie_member(key, "domain"), vigie_member(key, "uri"), &verdict, now,
                         error) &&
           (!worse || tell_cases(store, key, &verdict, now, error));
}

bool keys_check(VigieStore *store, const VigieNotifier *notifier, VigieTime now, GError **error) {
    if (!notifier->cell)
        return true;
    g_autoptr(VigieQuery) query = query_new();
    cells_select(query, key_cells);
    query_add(query, "FROM csirt_key WHERE checked < ?i AND fingerprint <> '' ORDER BY checked, id LIMIT ?i",
              now - DAY, (int64_t)AT_ONCE);
    g_autoptr(json_t) keys = cells_run(store, query, key_cells, error);
    for (size_t i = 0; i < json_array_size(keys); i++)
        if (!check_again(store, notifier, json_array_get(keys, i), now, error))
            return false;
    return keys != NULL;
}

/* ---- Choosing ------------------------------------------------------------------------------------------------- */
/* Asks the keyring itself: what was well yesterday may be revoked now. */
static bool encrypts(const VigieNotifier *notifier, const char *fingerprint, VigieTime now) {
    g_autoptr(json_t) keys = held_keys(notifier->cell, fingerprint, now);
    return keys && json_is_true(json_object_get(json_array_get(keys, 0), "encrypts"));
}

static char *contact_fingerprint(VigieStore *store, int64_t contact) {
    g_autoptr(VigieRows) rows =
        store_query(store, NULL, "SELECT fingerprint FROM csirt_contact WHERE id = $1", "i", contact);
    return rows && rows_next(rows, NULL) ? g_strdup(rows_text(rows, 0)) : NULL;
}

char **keys_for(VigieStore *store, const VigieNotifier *notifier, const Scope *scope, const json_t *rung,
                VigieTime now) {
    GStrvBuilder *chosen = g_strv_builder_new();
    int64_t contact = json_integer_value(json_object_get(rung, "contact"));
    const char *named = vigie_member(rung, "fingerprint");
    g_autoptr(json_t) published = contact ? keys_of(store, scope->domain, NULL) : NULL;
    g_autofree char *own = contact ? contact_fingerprint(store, contact) : g_strdup(named);
    const char *first = NULL;
    for (size_t i = 0; i < json_array_size(published) && !first; i++) {
        const char *fingerprint = vigie_member(json_array_get(published, i), "fingerprint");
        if (fingerprint && encrypts(notifier, fingerprint, now))
            first = fingerprint;
    }
    if (first)
        g_strv_builder_add(chosen, first);
    if (own && *own && g_strcmp0(own, first) != 0 && encrypts(notifier, own, now))
        g_strv_builder_add(chosen, own);
    char **fingerprints = g_strv_builder_end(chosen);
    g_strv_builder_unref(chosen);
    return fingerprints;
}
