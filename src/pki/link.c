/* link.c: links between generations, and what a relying party is given of them (RFC 9810 4.4). */
#include "pki/link.h"
#include "pki/row.h"

#include <string.h>

enum { GENERATIONS_MAX = 64 };

char *link_name(const char *subject, const char *issuer) {
    return g_strconcat(subject, "-by-", issuer, NULL);
}

bool link_record(Journal *journal, const VigieAuthority *issuer, const char *name, int64_t subject,
                 const VigieCertificate *certificate, GError **error) {
    IssuedRecord record = {.authority = issuer, .certificate = certificate, .profile = "authority"};
    g_autofree char *details =
        g_strdup_printf("{\"serial\":\"%s\",\"issuer\":\"%s\"}", certificate->serial, issuer->name);
    int64_t id = 0;
    return record_issued(journal, &record, &id, error) &&
           journal_add(journal, "link", name, details, error) &&
           store_exec(
               journal->store, error,
               "INSERT INTO pki_link (certificate, name, issuer, subject) VALUES ($1, $2, $3, NULLIF($4, 0))",
               "itii", id, name, issuer->id, subject);
}

static GByteArray *copy(VigieBytes bytes) {
    return g_byte_array_append(g_byte_array_sized_new((guint)bytes.size), bytes.data, (guint)bytes.size);
}

#define GOOD_LINK                                                                                            \
    "FROM pki_link l JOIN pki_certificate c ON c.id = l.certificate LEFT JOIN pki_revocation r ON "          \
    "r.certificate = c.id WHERE c.not_before <= $1 AND c.not_after > $1 AND (r.reason IS NULL OR r.reason "  \
    "= 8) AND "

GByteArray *link_find(VigieStore *store, const char *name, VigieTime now, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT c.der " GOOD_LINK "l.name = $2 ORDER BY l.certificate DESC LIMIT 1",
                    "it", now, name);
    GError *why = NULL;
    bool found = rows && rows_next(rows, &why);
    GByteArray *der = found ? copy(rows_blob(rows, 0)) : NULL;
    if (why)
        g_propagate_error(error, why);
    return der;
}

/* The newest by which `issuer` vouches for `subject`. */
static bool add_link(VigieStore *store, int64_t subject, int64_t issuer, VigieTime now, GPtrArray *chain,
                     GError **error) {
    GError *why = NULL;
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT c.der " GOOD_LINK "l.subject = $2 AND l.issuer = $3 ORDER BY l.certificate DESC LIMIT 1",
        "iii", now, subject, issuer);
    if (rows && rows_next(rows, &why))
        g_ptr_array_add(chain, copy(rows_blob(rows, 0)));
    return rows_ended(rows, &why, error);
}

/* 0: there is none. */
static bool neighbour(VigieStore *store, int64_t id, bool before, int64_t *ret_id, GError **error) {
    return store_get_int(store, ret_id, error,
                         before ? "SELECT COALESCE((SELECT succeeds FROM pki_authority WHERE id = $1), 0)"
                                : "SELECT COALESCE((SELECT id FROM pki_authority WHERE succeeds = $1), 0)",
                         "i", id);
}

bool link_add_generations(VigieStore *store, int64_t id, VigieTime now, GPtrArray *chain, GError **error) {
    for (int direction = 0; direction < 2; direction++) {
        int64_t at = id, next = 0;
        for (int i = 0; i < GENERATIONS_MAX; i++) {
            if (!neighbour(store, at, direction == 0, &next, error) ||
                (next && !add_link(store, at, next, now, chain, error)))
                return false;
            if (next == 0)
                break;
            at = next;
        }
    }
    return true;
}

bool generation_current(VigieStore *store, int64_t id, int64_t *ret_id, GError **error) {
    int64_t next = id;
    for (int i = 0; i < GENERATIONS_MAX && next; i++) {
        id = next;
        if (!neighbour(store, id, false, &next, error))
            return false;
    }
    *ret_id = id;
    return true;
}

/* ---- For protocols ------------------------------------------------------------------------------------------ */
void pki_root_update_clear(VigieRootUpdate *update) {
    GByteArray **const parts[] = {&update->new_with_new, &update->new_with_old, &update->old_with_new};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        g_clear_pointer(parts[i], g_byte_array_unref);
}

/* The root above an authority. */
static bool root_of(VigieStore *store, int64_t id, int64_t *ret_id, GError **error) {
    int64_t parent = id;
    for (int depth = 0; depth < GENERATIONS_MAX && parent; depth++) {
        id = parent;
        if (!store_get_int(store, &parent, error,
                           "SELECT COALESCE((SELECT parent FROM pki_authority WHERE id = $1), 0)", "i", id))
            return false;
    }
    *ret_id = id;
    return true;
}

/* Which root is meant: that of this certificate, else the one above the authority. */
static bool old_root(VigieStore *store, const char *authority, VigieBytes known, int64_t *ret_id,
                     GError **error) {
    int64_t id = 0;
    if (known.size > 0)
        return store_get_int(
            store, ret_id, error,
            "SELECT COALESCE((SELECT id FROM pki_authority WHERE certificate = $1 AND parent IS "
            "NULL), 0)",
            "b", &known);
    return store_get_int(store, &id, error,
                         "SELECT COALESCE((SELECT id FROM pki_authority WHERE name = $1), 0)", "t",
                         authority) &&
           root_of(store, id, ret_id, error);
}

static GByteArray *first_taken(GPtrArray *chain) {
    return chain->len ? g_byte_array_ref(chain->pdata[0]) : NULL;
}

bool pki_root_update(VigieStore *store, const char *authority, VigieBytes known, VigieTime now,
                     VigieRootUpdate *ret_update, GError **error) {
    int64_t old = 0, next = 0;
    g_autoptr(GPtrArray) down = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref),
                         up = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
    if (!old_root(store, authority, known, &old, error) ||
        (old && !neighbour(store, old, false, &next, error)))
        return false;
    if (next == 0)
        return true;
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT certificate FROM pki_authority WHERE id = $1", "i", next);
    if (!rows_first(rows, error, "there is no such authority") ||
        !add_link(store, next, old, now, down, error) || !add_link(store, old, next, now, up, error))
        return false;
    *ret_update = (VigieRootUpdate){copy(rows_blob(rows, 0)), first_taken(down), first_taken(up)};
    return true;
}
