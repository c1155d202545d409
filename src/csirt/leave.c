/* What of a case may leave, and for whom. The one place that decides: label, consent, mandate, and the recipient's part. */
#include "csirt/internal.h"

#include <string.h>

typedef struct {
    const VigieRecipient *to;
    VigieTlp tlp;
    bool mandated;
    char *role;       /* of the party; NULL: to none */
    json_t *sees;     /* its part */
    json_t *consents; /* scopes that hold now */
    json_t *values;   /* the case */
    json_t *members, *withheld;
} Leaving;

static void leaving_clear(Leaving *leaving) {
    g_free(leaving->role);
    json_decref(leaving->sees);
    json_decref(leaving->consents);
    json_decref(leaving->values);
    json_decref(leaving->members);
    json_decref(leaving->withheld);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Leaving, leaving_clear)

static bool lists(const json_t *list, const char *name) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (g_strcmp0(json_string_value(json_array_get(list, i)), name) == 0)
            return true;
    return false;
}

/* ---- What is known ------------------------------------------------------------------------------------------ */
static bool load_party(VigieStore *store, int64_t id, Leaving *leaving, char **ret_partner, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT role, sees, partner FROM csirt_party WHERE id = $1 AND case_id = $2", "ii",
        leaving->to->party, id);
    GError *failure = NULL;
    if (rows && rows_next(rows, &failure)) {
        leaving->role = g_strdup(rows_text(rows, 0));
        leaving->sees = csirt_json_parse(rows_text(rows, 1));
        *ret_partner = g_strdup(rows_text(rows, 2));
    }
    if (!rows_ended(rows, &failure, error))
        return false;
    if (!leaving->role)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "party: this case has none such");
    return leaving->role != NULL;
}

/* A mandate is a rule's escalation to this partner, confirmed by a person. */
static bool load_mandate(VigieStore *store, int64_t id, const char *partner, bool *ret_mandated,
                         GError **error) {
    int64_t count = 0;
    if (!store_get_int(store, &count, error,
                       "SELECT count(*) FROM csirt_escalation WHERE case_id = $1 AND partner = $2 AND state "
                       "= 'confirmed' "
                       "AND rule <> ''",
                       "it", id, partner))
        return false;
    *ret_mandated = count > 0;
    return true;
}

static bool load_consents(VigieStore *store, int64_t id, VigieTime now, Leaving *leaving, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT scope FROM csirt_consent WHERE case_id = $1 AND withdrawn = 0 AND ends > $2",
        "ii", id, now);
    GError *failure = NULL;
    leaving->consents = json_array();
    while (rows && rows_next(rows, &failure))
        json_array_append_new(leaving->consents, csirt_json_parse(rows_text(rows, 0)));
    return rows_ended(rows, &failure, error);
}

/* Never who reported: of the parties, those at the organisation alone. */
static const Cell contact_cells[] = {
    {"name", "name", CELL_STRING}, {"mail", "mail", CELL_TEXT}, {"phone", "phone", CELL_TEXT}, {0}};
static const Cell attached_cells[] = {
    {"name", "name", CELL_STRING}, {"size", "size", CELL_INT}, {"sha256", "sha256", CELL_STRING}, {0}};

static bool load_values(VigieStore *store, int64_t id, Leaving *leaving, GError **error) {
    leaving->values = case_object(store, id, error);
    json_t *contacts =
        leaving->values
            ? cells_array(store, contact_cells,
                          "FROM csirt_party WHERE case_id = ?i AND role = 'organisation' ORDER BY id", id,
                          error)
            : NULL;
    json_t *artefacts = contacts
                            ? cells_array(store, attached_cells,
                                          "FROM csirt_artefact WHERE case_id = ?i ORDER BY id", id, error)
                            : NULL;
    if (contacts)
        json_object_set_new(leaving->values, "parties", contacts);
    if (artefacts)
        json_object_set_new(leaving->values, "artefacts", artefacts);
    return artefacts != NULL;
}

/* ---- What may leave ----------------------------------------------------------------------------------------- */
static bool consented(const Leaving *leaving, const char *member) {
    for (size_t i = 0; i < json_array_size(leaving->consents); i++) {
        const json_t *scope = json_array_get(leaving->consents, i);
        if (lists(json_object_get(scope, "audiences"), leaving->to->audience) &&
            lists(json_object_get(scope, "members"), member))
            return true;
    }
    return false;
}

/* A party is told its part. A declarant, unless a part was named: where the case stands and what is expected. */
static bool is_part(const Leaving *leaving, const char *member) {
    static const char *const declarants[] = {"case", "summary", "expected", NULL};
    if (leaving->to->members && !lists(leaving->to->members, member))
        return false;
    if (!leaving->role)
        return true;
    if (strcmp(leaving->role, "declarant") == 0 && json_array_size(leaving->sees) == 0)
        return g_strv_contains(declarants, member);
    return lists(leaving->sees, member);
}

/* { path: value } of what is known. */
static json_t *values_of(const Leaving *leaving, const json_t *from) {
    json_t *values = json_object();
    for (size_t i = 0; i < json_array_size(from); i++) {
        const char *path = json_string_value(json_array_get(from, i));
        const json_t *value =
            g_str_has_prefix(path, "facts.")
                ? json_object_get(json_object_get(leaving->values, "facts"), path + strlen("facts."))
                : json_object_get(leaving->values, path);
        bool empty = !value || json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0);
        if (!empty)
            json_object_set(values, path, (json_t *)value);
    }
    return values;
}

static void decide(Leaving *leaving, const char *member, const json_t *of) {
    const char *reason = NULL;
    const VigieRelease release = {.tlp = leaving->tlp,
                                  .audience = leaving->to->audience,
                                  .channel = leaving->to->channel,
                                  .encrypted = leaving->to->encrypted,
                                  .consent = consented(leaving, member),
                                  .mandated = leaving->mandated};
    if (!is_part(leaving, member))
        reason = "csirt.release.part";
    else if (csirt_may_leave(&release, &reason)) {
        json_object_set_new(leaving->members, member,
                            json_pack("{s:O, s:o}", "text", json_object_get(of, "text"), "values",
                                      values_of(leaving, json_object_get(of, "from"))));
        return;
    }
    json_array_append_new(leaving->withheld, json_pack("{s:s, s:s}", "member", member, "reason", reason));
}

json_t *csirt_release(VigieStore *store, int64_t id, const VigieRecipient *to, VigieTime now,
                      GError **error) {
    g_auto(Case) of = {0};
    g_auto(Leaving) leaving = {.to = to, .members = json_object(), .withheld = json_array()};
    g_autofree char *partner = g_strdup(to->partner ? to->partner : "");
    if (!case_load(store, NULL, id, &of, error) || !csirt_tlp_parse(of.tlp, &leaving.tlp, error))
        return NULL;
    if (to->party) {
        g_free(g_steal_pointer(&partner));
        if (!load_party(store, id, &leaving, &partner, error))
            return NULL;
    }
    if ((*partner && !load_mandate(store, id, partner, &leaving.mandated, error)) ||
        !load_consents(store, id, now, &leaving, error) || !load_values(store, id, &leaving, error))
        return NULL;
    const char *member;
    json_t *declared;
    json_object_foreach((json_t *)csirt_members(), member, declared) decide(&leaving, member, declared);
    return json_pack("{s:s, s:s, s:O, s:O}", "tlp", of.tlp, "pap", of.pap, "members", leaving.members,
                     "withheld", leaving.withheld);
}
