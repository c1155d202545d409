/* deadline.c: what the authorities themselves will want, in time for those who have to come together for it. */
#include "pki/pki.h"

#include <string.h>

enum { DAY = 86400 };

/* Days before, the least first. */
static const int64_t years_steps[] = {0, 7, 30, 90, 180, -1}, certificate_steps[] = {0, 7, 30, 90, -1},
                     list_steps[] = {0, 1, 7, 14, 30, -1};

/* The step that `at` is past, no earlier than a quarter of `life` (0: not said) before it; -1: none. */
static int64_t reached(const int64_t *steps, VigieTime at, int64_t life, VigieTime now) {
    for (; *steps >= 0; steps++)
        if (at - now <= *steps * DAY)
            return life == 0 || *steps * DAY * 4 < life ? *steps : -1;
    return -1;
}

typedef struct {
    VigieStore *store;
    VigieTime now;
    GHashTable *needed; /* names of authorities that still have something to do */
    json_t *list;
} Due;

static bool add(Due *due, const int64_t *steps, const char *kind, const char *name, const char *title,
                VigieTime at, int64_t life, GError **error) {
    int64_t days = reached(steps, at, life, due->now), told = 0;
    if (days < 0)
        return true;
    if (!store_get_int(
            due->store, &told, error,
            "SELECT COUNT(*) FROM pki_deadline WHERE kind = $1 AND name = $2 AND at = $3 AND days <= $4",
            "ttii", kind, name, at, days))
        return false;
    g_autofree char *when = vigie_time_rfc3339(at);
    if (told == 0)
        json_array_append_new(due->list, json_pack("{s:s, s:s, s:s, s:s, s:I}", "kind", kind, "name", name,
                                                   "title", title, "at", when, "days", (json_int_t)days));
    return true;
}

/* ---- Authorities ---------------------------------------------------------------------------------------------- */
static bool add_date(Due *due, const json_t *life, const char *kind, const char *member, GError **error) {
    const char *text = vigie_member(life, member);
    VigieTime at = 0;
    return !text || !vigie_time_parse_rfc3339(text, &at, NULL) ||
           add(due, years_steps, kind, vigie_member(life, "name"), vigie_member(life, "title"), at, 0, error);
}

/* One that is succeeded ends after all that it issued: nothing is wanted of it but its lists. */
static bool add_authority(Due *due, const json_t *life, GError **error) {
    const char *state = vigie_member(life, "state");
    bool current = strcmp(state, "current") == 0;
    if (current || strcmp(state, "succeeded") == 0)
        g_hash_table_add(due->needed, g_strdup(vigie_member(life, "name")));
    return !current || (add_date(due, life, "generation", "roll_over_by", error) &&
                        add_date(due, life, "end", "not_after", error));
}

static bool add_authorities(Due *due, const VigieProfiles *profiles, GError **error) {
    g_autoptr(json_t) lives = pki_authority_lives(due->store, profiles, due->now, error);
    size_t index;
    json_t *life;
    json_array_foreach(lives, index, life) {
        if (!add_authority(due, life, error))
            return false;
    }
    return lives != NULL;
}

/* ---- What they signed ------------------------------------------------------------------------------------------- */
/* Columns: the authority's name, what it is called, the authority's title, by when, how long it lives. Of certificates the newest
 * that are not revoked; of lists the full ones, for without its delta a full list still counts. */
#define NOT_REVOKED "NOT EXISTS (SELECT 1 FROM pki_revocation r WHERE r.certificate = c.id)"
static const struct {
    const char *kind;
    const int64_t *steps;
    const char *query;
} kinds[] = {
    {"responder", certificate_steps,
     "SELECT a.name, a.name, a.title, c.not_after, c.not_after - c.not_before FROM pki_responder p JOIN "
     "pki_certificate c ON c.id = p.certificate JOIN pki_authority a ON a.id = p.authority WHERE " NOT_REVOKED
     " AND c.not_after <= $1 ORDER BY a.id"},
    {"registrar", certificate_steps,
     "SELECT a.name, c.subject, a.title, c.not_after, c.not_after - c.not_before FROM pki_certificate c JOIN "
     "pki_authority a ON a.id = c.authority WHERE c.profile = 'registrar' AND " NOT_REVOKED
     " AND c.not_after <= $1 AND NOT EXISTS (SELECT 1 FROM pki_certificate n WHERE n.profile = c.profile AND "
     "n.subject = c.subject AND n.not_after > c.not_after) ORDER BY c.id"},
    {"cross", certificate_steps,
     "SELECT a.name, l.name, a.title, c.not_after, c.not_after - c.not_before FROM pki_link l JOIN "
     "pki_certificate c ON c.id = l.certificate JOIN pki_authority a ON a.id = l.issuer WHERE l.subject IS "
     "NULL AND " NOT_REVOKED " AND c.not_after <= $1 AND NOT EXISTS (SELECT 1 FROM pki_link n WHERE n.name = "
     "l.name AND n.certificate > l.certificate) ORDER BY c.id"},
    {"list", list_steps,
     "SELECT a.name, a.name, a.title, MIN(l.next_update), MIN(l.next_update - l.this_update) FROM pki_crl l "
     "JOIN pki_authority a ON a.id = l.authority WHERE l.delta = 0 GROUP BY a.id, a.name, a.title HAVING "
     "MIN(l.next_update) <= $1 ORDER BY a.id"},
};

static bool add_signed(Due *due, const char *kind, const int64_t *steps, const char *query, GError **error) {
    g_autoptr(VigieRows) rows = store_query(due->store, error, query, "i", due->now + 90 * DAY);
    GError *why = NULL;
    while (rows && rows_next(rows, &why))
        if (g_hash_table_contains(due->needed, rows_text(rows, 0)) &&
            !add(due, steps, kind, rows_text(rows, 1), rows_text(rows, 2), rows_int(rows, 3),
                 rows_int(rows, 4), error))
            return false;
    return rows_ended(rows, &why, error);
}

json_t *pki_deadlines_due(VigieStore *store, const VigieProfiles *profiles, VigieTime now, GError **error) {
    g_autoptr(GHashTable) needed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(json_t) list = json_array();
    Due due = {store, now, needed, list};
    if (!add_authorities(&due, profiles, error))
        return NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (!add_signed(&due, kinds[i].kind, kinds[i].steps, kinds[i].query, error))
            return NULL;
    return g_steal_pointer(&list);
}

bool pki_deadline_told(VigieStore *store, const json_t *deadline, VigieTime now, GError **error) {
    VigieTime at = 0;
    return vigie_time_parse_rfc3339(vigie_member(deadline, "at"), &at, error) &&
           store_exec(store, error,
                      "INSERT INTO pki_deadline (kind, name, at, days, told) VALUES ($1, $2, $3, $4, $5) ON "
                      "CONFLICT (kind, name, at, days) DO NOTHING",
                      "ttiii", vigie_member(deadline, "kind"), vigie_member(deadline, "name"), at,
                      json_integer_value(json_object_get(deadline, "days")), now);
}
