/* enrolment.c: made by a validator, used by machines, ended by time, by use or by a person. */
#include "pki/enrolment.h"
#include "pki/authority.h"
#include "pki/build.h"
#include "pki/grant.h"
#include "pki/item.h"
#include "pki/journal.h"
#include "pki/registration.h"
#include "pki/row.h"

#include <openssl/rand.h>
#include <string.h>

enum { NAME_LETTERS = 10, SECRET_LETTERS = 43, NAMES_MAX = 100 };

/* Five bits a letter; without l, o, 0 and 1, which people mistake for each other. */
static char *random_letters(size_t count) {
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t octets[SECRET_LETTERS];
    if (RAND_bytes(octets, sizeof octets) != 1)
        g_error("the system gives no random numbers");
    char *text = g_malloc0(count + 1);
    for (size_t i = 0; i < count; i++)
        text[i] = letters[octets[i] % 32];
    return text;
}

/* As base64url, which ACME's clients take it for, it is 32 octets to the bit: RFC 7518 3.2 wants no fewer for HS256, and
 * not every client bears what does not fill whole lines of 16. So the last letter is one whose last two bits are zero. */
static char *secret_new(void) {
    char *secret = random_letters(SECRET_LETTERS);
    secret[SECRET_LETTERS - 1] = "cgks"[(uint8_t)secret[SECRET_LETTERS - 1] % 4];
    return secret;
}

static bool refuse(GError **error, VigieErrorCode code, const char *why) {
    g_set_error(error, VIGIE_ERROR, (gint)code, "enrolment: %s", why);
    return false;
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */
/* `more`: columns that not everybody who reads enrolments may read. */
#define ENROLMENTS(more)                                                                                     \
    "SELECT e.id, e.name, e.label, a.name, e.profile, e.fields, e.names, e.challenge, e.open, e.uses, "      \
    "e.used, e.ends, e.device, e.organisation, e.account, e.ended, e.made" more " FROM pki_enrolment e "     \
    "JOIN pki_authority a ON a.id = e.authority "

static json_t *tell(const VigieRows *rows, VigieTime now) {
    json_t *fields = json_loads(rows_text(rows, 5), 0, NULL);
    json_t *names = rows_null(rows, 6) ? json_null() : json_loads(rows_text(rows, 6), 0, NULL);
    g_autofree char *ends = vigie_time_rfc3339(rows_int(rows, 11)),
                    *made = vigie_time_rfc3339(rows_int(rows, 16));
    bool usable = rows_int(rows, 15) == 0 && rows_int(rows, 11) > now &&
                  (rows_int(rows, 9) == 0 || rows_int(rows, 10) < rows_int(rows, 9));
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:b, s:I, s:I, s:s, s:I, s:I, s:s, s:b, s:s}",
                     "id", (json_int_t)rows_int(rows, 0), "name", rows_text(rows, 1), "label",
                     rows_text(rows, 2), "authority", rows_text(rows, 3), "profile", rows_text(rows, 4),
                     "fields", fields ? fields : json_object(), "names", names ? names : json_array(),
                     "challenge", (int)rows_int(rows, 7), "open", (int)rows_int(rows, 8), "uses",
                     (json_int_t)rows_int(rows, 9), "used", (json_int_t)rows_int(rows, 10), "ends", ends,
                     "device", (json_int_t)rows_int(rows, 12), "organisation", (json_int_t)rows_int(rows, 13),
                     "account", rows_text(rows, 14), "usable", (int)usable, "made", made);
}

/* NULL without an error: there is none. */
static json_t *first(VigieRows *rows, VigieTime now, GError **error) {
    GError *why = NULL;
    bool found = rows && rows_next(rows, &why);
    if (why)
        g_propagate_error(error, why);
    return found ? tell(rows, now) : NULL;
}

json_t *enrolment_read(VigieStore *store, int64_t id, VigieTime now, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error, ENROLMENTS("") "WHERE e.id = $1", "i", id);
    GError *why = NULL;
    g_autoptr(json_t) told = first(rows, now, &why);
    if (why)
        g_propagate_error(error, why);
    else if (json_is_true(json_object_get(told, "usable")))
        return g_steal_pointer(&told);
    else if (rows)
        refuse(error, VIGIE_ERROR_DENIED, "there is none of this number, or it has ended or is used up");
    return NULL;
}

json_t *pki_enrolment_find(VigieStore *store, const char *name, VigieTime now, GError **error) {
    g_autoptr(VigieRows) rows =
        g_utf8_validate(name, -1, NULL)
            ? store_query(store, error, ENROLMENTS(", e.sha256") "WHERE e.name = $1", "t", name)
            : NULL;
    GError *why = NULL;
    json_t *told = first(rows, now, &why);
    if (why)
        g_propagate_error(error, why);
    else if (told)
        json_object_set_new(told, "sha256", json_string(rows_text(rows, 17)));
    else if (!(error && *error))
        refuse(error, VIGIE_ERROR_NOT_FOUND, "there is none of this name");
    return told;
}

json_t *pki_enrolment_login(VigieStore *store, const char *name, const char *secret, VigieTime now,
                            GError **error) {
    g_autoptr(GError) why = NULL;
    g_autoptr(json_t) told = pki_enrolment_find(store, name, now, &why);
    if (!told && !g_error_matches(why, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&why));
        return NULL;
    }
    if (enrolment_proves(told, secret))
        return g_steal_pointer(&told);
    refuse(error, VIGIE_ERROR_DENIED, "wrong name or secret");
    return NULL;
}

json_t *pki_enrolment_list(VigieStore *store, VigieTime now, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error, ENROLMENTS("") "ORDER BY e.id DESC LIMIT 1000", "");
    g_autoptr(json_t) list = json_array();
    GError *why = NULL;
    if (!rows)
        return NULL;
    while (rows_next(rows, &why))
        json_array_append_new(list, tell(rows, now));
    return rows_ended(rows, &why, error) ? g_steal_pointer(&list) : NULL;
}

/* ---- Making ------------------------------------------------------------------------------------------------- */
static bool check_names(const VigieEnrolment *enrolment, const Profile *profile, GError **error) {
    size_t count = 0;
    if (enrolment->open && !enrolment->challenge)
        return refuse(error, VIGIE_ERROR_INVALID, "without a secret it wants challenges");
    if (!enrolment->names)
        return enrolment->challenge ||
               refuse(error, VIGIE_ERROR_INVALID,
                      "the names that may be asked for are wanted, as in dns:chu.example");
    for (const char *const *name = enrolment->names; *name; name++, count++) {
        const char *fault = general_name_fault(*name, true);
        g_autofree char *kind = fault ? NULL : g_strndup(*name, strcspn(*name, ":"));
        if (!fault && !(profile->names && g_strv_contains((const char *const *)profile->names, kind)))
            fault = "the profile carries no name of this kind";
        if (fault) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "enrolment: %s: %s", *name, fault);
            return false;
        }
    }
    return count <= NAMES_MAX || refuse(error, VIGIE_ERROR_LIMIT, "100 names at most");
}

static bool check_enrolment(VigieStore *store, const VigieEnrolment *enrolment, const Profile *profile,
                            int64_t organisation, VigieTime now, GError **error) {
    const GrantCase over = {organisation, enrolment->fields};
    bool covers = false;
    if (profile->dual)
        return refuse(error, VIGIE_ERROR_DENIED,
                      "its profile wants each request to be validated by a person");
    if (enrolment->ends <= now)
        return refuse(error, VIGIE_ERROR_INVALID, "it would have ended already");
    if (!check_names(enrolment, profile, error) || !item_check_fields(profile, enrolment->fields, error) ||
        !grant_covers(store, enrolment->account, profile, NULL, &over, &covers, error))
        return false;
    return covers || refuse(error, VIGIE_ERROR_DENIED, "no role of this account covers its profile there");
}

static json_t *name_list(const char *const *names) {
    json_t *list = json_array();
    for (; names && *names; names++)
        json_array_append_new(list, json_string(*names));
    return list;
}

static bool keep(VigieStore *store, const VigieSeal *seal, const VigieEnrolment *enrolment,
                 const VigieAuthority *authority, int64_t organisation, const char *name, const char *secret,
                 VigieTime now, int64_t *ret_id, GError **error) {
    const VigieBytes nothing = vigie_bytes("", 0);
    Journal journal;
    g_autofree char *digest = enrolment_digest(secret);
    g_autoptr(json_t) names = enrolment->names ? name_list(enrolment->names) : NULL;
    g_autofree char *fields_text = enrolment->fields ? vigie_json_text(enrolment->fields) : g_strdup("{}"),
                    *names_text = names ? vigie_json_text(names) : NULL;
    g_autoptr(json_t) told =
        json_pack("{s:s, s:s, s:O?, s:b, s:b, s:i, s:I, s:s}", "authority", authority->name, "profile",
                  enrolment->profile, "names", names, "challenge", (int)enrolment->challenge, "open",
                  (int)enrolment->open, "uses", enrolment->uses, "ends", (json_int_t)enrolment->ends, "label",
                  enrolment->label);
    g_autofree char *details = vigie_json_text(told), *object = g_strconcat("enrolment ", name, NULL);
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && journal_begin(&journal, store, enrolment->account, now, error) &&
           journal_add(&journal, "enrolment", object, details, error) &&
           store_get_int(store, ret_id, error,
                         "INSERT INTO pki_enrolment (name, secret, label, authority, profile, fields, names, "
                         "challenge, open, uses, ends, device, organisation, account, made, sha256, sealed) "
                         "VALUES ($1, '', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) "
                         "RETURNING id",
                         "ttitttiiiiiititb", name, enrolment->label, authority->id, enrolment->profile,
                         fields_text, names_text, (int64_t)enrolment->challenge, (int64_t)enrolment->open,
                         (int64_t)enrolment->uses, enrolment->ends, enrolment->device, organisation,
                         enrolment->account, now, digest, &nothing) &&
           enrolment_keep_secret(store, seal, *ret_id, secret, error) &&
           journal_end(&journal, NULL, 0, error) && store_commit(&tx, error);
}

json_t *pki_enrolment_add(VigieStore *store, const VigieProfiles *profiles, const VigieSeal *seal,
                          const VigieEnrolment *enrolment, VigieTime now, GError **error) {
    const Profile *profile = profile_find(profiles, enrolment->profile);
    int64_t organisation = enrolment->organisation, id = 0;
    if (!profile || !seal) {
        refuse(error, profile ? VIGIE_ERROR_UNAVAILABLE : VIGIE_ERROR_NOT_FOUND,
               profile ? "its secret cannot be sealed: vigie doctor says why"
                       : "there is no such profile: see vigie ca profiles");
        return NULL;
    }
    g_autoptr(VigieAuthority) authority =
        registration_authority(store, enrolment->authority, enrolment->profile, error);
    if (!authority || !registration_organisation(store, enrolment->device, now, &organisation, error) ||
        !check_enrolment(store, enrolment, profile, organisation, now, error))
        return NULL;
    g_autofree char *name = random_letters(NAME_LETTERS);
    char *secret = secret_new();
    bool kept = keep(store, seal, enrolment, authority, organisation, name, secret, now, &id, error);
    json_t *made =
        kept ? json_pack("{s:I, s:s, s:s}", "id", (json_int_t)id, "name", name, "secret", secret) : NULL;
    enrolment_wipe(secret);
    return made;
}

bool pki_enrolment_end(VigieStore *store, const VigieProfiles *profiles, int64_t id, const char *account,
                       VigieTime now, GError **error) {
    Journal journal;
    bool covers = false;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !journal_begin(&journal, store, account, now, error))
        return false;
    g_autoptr(json_t) enrolment = enrolment_read(store, id, now, error);
    if (!enrolment)
        return false;
    const Profile *profile = profile_find(profiles, json_string_value(json_object_get(enrolment, "profile")));
    const GrantCase over = {json_integer_value(json_object_get(enrolment, "organisation")),
                            json_object_get(enrolment, "fields")};
    if (!grant_covers(store, account, profile, grant_operator, &over, &covers, error))
        return false;
    if (!covers)
        return refuse(error, VIGIE_ERROR_DENIED, "no role of this account covers it");
    g_autofree char *object =
        g_strconcat("enrolment ", json_string_value(json_object_get(enrolment, "name")), NULL);
    return journal_add(&journal, "enrolment-ended", object, "{}", error) &&
           store_exec(store, error, "UPDATE pki_enrolment SET ended = $2 WHERE id = $1", "ii", id, now) &&
           journal_end(&journal, NULL, 0, error) && store_commit(&tx, error);
}
