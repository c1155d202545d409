/* life.c: how long the authorities have, and what stands below one that is compromised. */
#include "pki/authority.h"
#include "pki/link.h"
#include "pki/profile.h"

#include <string.h>

enum { DAY = 86400 };

typedef struct {
    int64_t id, parent;
    const char *state;
    VigieTime not_after, last_end, revoked;
    int64_t longest; /* of what it issues to others, seconds; 0: nothing */
    int64_t below;   /* the longest life of an authority below that ends before it */
    int64_t living;  /* certificates that have not ended, its responders' aside */
    char *name, *title, *succeeds, *successor;
} Life;

static void life_free(void *data) {
    Life *life = data;
    g_free(life->name);
    g_free(life->title);
    g_free(life->succeeds);
    g_free(life->successor);
    g_free(life);
}

static int64_t longest_profile(const VigieProfiles *profiles, const char *settings_text) {
    g_autoptr(json_t) settings = json_loads(settings_text, 0, NULL);
    size_t index;
    json_t *name;
    int64_t longest = 0;
    json_array_foreach(json_object_get(settings, "profiles"), index, name) {
        const Profile *profile = profile_find(profiles, json_string_value(name));
        if (profile && strcmp(profile->name, "ocsp-responder") != 0)
            longest = MAX(longest, (int64_t)profile->days * DAY);
    }
    return longest;
}

static const char *state_of(const Life *life, VigieTime now) {
    return life->revoked           ? "revoked"
           : life->not_after < now ? "ended"
           : !life->successor      ? "current"
           : life->living > 0      ? "succeeded"
                                   : "done";
}

/* `own`: its certificate, which a root issued to itself, and links, are not what it issues. */
#define LIVES                                                                                                \
    "SELECT a.id, COALESCE(a.parent, 0), a.name, a.title, a.certificate, a.settings, b.name, s.name, "       \
    "a.revoked, "                                                                                            \
    "(SELECT COUNT(*) FROM pki_certificate c WHERE c.authority = a.id AND c.not_after >= $1 AND c.profile "  \
    "<> 'ocsp-responder' AND c.der <> a.certificate), "                                                      \
    "(SELECT COALESCE(MAX(c.not_after), 0) FROM pki_certificate c WHERE c.authority = a.id AND c.profile "   \
    "<> 'ocsp-responder' AND c.der <> a.certificate) "                                                       \
    "FROM pki_authority a LEFT JOIN pki_authority b ON b.id = a.succeeds "                                   \
    "LEFT JOIN pki_authority s ON s.succeeds = a.id ORDER BY a.id"

static GPtrArray *read_lives(VigieStore *store, const VigieProfiles *profiles, VigieTime now,
                             GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error, LIVES, "i", now);
    g_autoptr(GPtrArray) lives = g_ptr_array_new_with_free_func(life_free);
    GError *why = NULL;
    while (rows && rows_next(rows, &why)) {
        Life *life = g_new0(Life, 1);
        CertificateView view = {0};
        g_ptr_array_add(lives, life);
        certificate_view(rows_blob(rows, 4), &view);
        *life = (Life){.id = rows_int(rows, 0),
                       .parent = rows_int(rows, 1),
                       .not_after = view.not_after,
                       .revoked = rows_int(rows, 8),
                       .living = rows_int(rows, 9),
                       .last_end = rows_int(rows, 10),
                       .longest = longest_profile(profiles, rows_text(rows, 5)),
                       .below = view.not_after - view.not_before,
                       .name = g_strdup(rows_text(rows, 2)),
                       .title = g_strdup(rows_text(rows, 3)),
                       .succeeds = g_strdup(rows_text(rows, 6)),
                       .successor = g_strdup(rows_text(rows, 7))};
        life->state = state_of(life, now);
    }
    return rows_ended(rows, &why, error) ? g_steal_pointer(&lives) : NULL;
}

/* What an authority issues to others below it: the life of one that ends before it; of one that ends with it, what that one
 * issues in turn, for its successor will want a new issuer. Those come first that issue. */
static void add_below(GPtrArray *lives) {
    for (guint i = lives->len; i-- > 0;) {
        const Life *child = lives->pdata[i];
        for (guint j = 0; j < lives->len; j++) {
            Life *parent = lives->pdata[j];
            if (parent->id == child->parent && strcmp(child->state, "current") == 0)
                parent->longest = MAX(parent->longest,
                                      child->not_after < parent->not_after ? child->below : child->longest);
        }
    }
}

static json_t *tell(const Life *life, VigieTime now) {
    VigieTime by = life->longest ? life->not_after - life->longest : 0;
    bool current = strcmp(life->state, "current") == 0;
    g_autofree char *ends = vigie_time_rfc3339(life->not_after),
                    *roll = current && by ? vigie_time_rfc3339(by) : NULL,
                    *last = life->last_end ? vigie_time_rfc3339(life->last_end) : NULL;
    return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s, s:I, s:s?, s:I, s:s?, s:b}", "name", life->name,
                     "title", life->title, "state", life->state, "succeeds", life->succeeds, "successor",
                     life->successor, "not_after", ends, "living", (json_int_t)life->living, "last_end", last,
                     "issues_for", (json_int_t)(life->longest / DAY), "roll_over_by", roll, "late",
                     (int)(current && by && by < now));
}

json_t *pki_authority_lives(VigieStore *store, const VigieProfiles *profiles, VigieTime now, GError **error) {
    g_autoptr(GPtrArray) lives = read_lives(store, profiles, now, error);
    if (!lives)
        return NULL;
    add_below(lives);
    json_t *list = json_array();
    for (guint i = 0; i < lives->len; i++)
        json_array_append_new(list, tell(lives->pdata[i], now));
    return list;
}

json_t *pki_authority_revoked(VigieStore *store, VigieTime now, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error,
                                            "SELECT a.name, a.title, a.revoked, s.name FROM pki_authority a "
                                            "LEFT JOIN pki_authority s ON s.succeeds = a.id "
                                            "WHERE a.revoked > 0 AND EXISTS (SELECT 1 FROM pki_certificate c "
                                            "WHERE c.authority = a.id AND c.not_after >= $1) "
                                            "ORDER BY a.id",
                                            "i", now);
    json_t *list = json_array();
    GError *why = NULL;
    while (rows && rows_next(rows, &why)) {
        g_autofree char *when = vigie_time_rfc3339(rows_int(rows, 2));
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s?}", "name", rows_text(rows, 0), "title",
                                              rows_text(rows, 1), "revoked", when, "successor",
                                              rows_text(rows, 3)));
    }
    if (!rows_ended(rows, &why, error))
        g_clear_pointer(&list, json_decref);
    return list;
}

bool generation_done(VigieStore *store, const VigieAuthority *authority, VigieTime now, bool *ret_done,
                     GError **error) {
    int64_t current = 0, living = 0;
    VigieBytes own = vigie_bytes(authority->der->data, authority->der->len);
    if (!generation_current(store, authority->id, &current, error) ||
        !store_get_int(
            store, &living, error,
            "SELECT COUNT(*) FROM (SELECT 1 FROM pki_certificate WHERE authority = $1 AND not_after >= $2 "
            "AND profile <> 'ocsp-responder' AND der <> $3 LIMIT 1) AS one",
            "iib", authority->id, now, &own))
        return false;
    *ret_done = current != authority->id && living == 0;
    return true;
}
