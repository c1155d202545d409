/* request.c: one row of what was asked, read and moved on. Each move is in the log. */
#include "pki/request.h"
#include "pki/grant.h"
#include "pki/revoke.h"
#include "pki/row.h"

#include <string.h>

static const char *const states[] = {
    [VIGIE_REQUEST_WAITING] = "requested",
    [VIGIE_REQUEST_VALIDATED] = "validated",
    [VIGIE_REQUEST_ISSUED] = "issued",
    [VIGIE_REQUEST_REFUSED] = "refused",
};

/* ---- Reading ------------------------------------------------------------------------------------------------ */
#define REQUEST_COLUMNS                                                                                      \
    "SELECT q.id, q.kind, q.state, q.profile, a.name, q.names, q.fields, q.key_name, q.key_hash, q.days, "   \
    "t.serial, q.reason, i.serial, q.refusal, q.device, q.organisation, q.requester, q.validator, "          \
    "q.protocol, q.address, q.proof, COALESCE(q.enrolment, 0), q.requested, q.validated, q.ended, "          \
    "q.proven, q.bare, q.mail, CASE WHEN q.sealed_key IS NULL THEN 0 ELSE 1 END, "                           \
    "COALESCE(q.certificate, 0), q.validators "                                                              \
    "FROM pki_request q JOIN pki_authority a ON a.id = q.authority "                                         \
    "LEFT JOIN pki_certificate t ON t.id = q.certificate LEFT JOIN pki_certificate i ON i.id = q.issued "

#define NO_REQUEST "there is no request %" G_GINT64_FORMAT

static json_t *time_of(const VigieRows *rows, int column) {
    g_autofree char *text = rows_int(rows, column) ? vigie_time_rfc3339(rows_int(rows, column)) : NULL;
    return text ? json_string(text) : json_null();
}

static json_t *serial_of(const VigieRows *rows, int column) {
    g_autofree char *digits = vigie_hex_text(rows_blob(rows, column));
    return *digits ? json_string(digits) : json_null();
}

static json_t *text_of(const VigieRows *rows, int column) {
    const char *text = rows_text(rows, column);
    return text ? json_string(text) : json_null();
}

static json_t *value_of(const VigieRows *rows, int column) {
    json_t *value = json_loads(rows_text(rows, column), 0, NULL);
    return value ? value : json_null();
}

/* "|ordre|ars|" */
static json_t *roles_of(const VigieRows *rows, int column) {
    g_auto(GStrv) roles = g_strsplit(rows_text(rows, column), "|", -1);
    json_t *list = json_array();
    for (char **role = roles; *role; role++)
        if (**role)
            json_array_append_new(list, json_string(*role));
    return list;
}

static json_t *tell(const VigieRows *rows, const VigieProfiles *profiles) {
    static const struct {
        const char *name;
        json_t *(*read)(const VigieRows *rows, int column);
    } members[] = {{NULL, NULL},
                   {"kind", text_of},
                   {"state", text_of},
                   {"profile", text_of},
                   {"authority", text_of},
                   {"names", value_of},
                   {"fields", value_of},
                   {"key", text_of},
                   {"key_sha256", text_of},
                   {"days", NULL},
                   {"replaces", serial_of},
                   {"reason", text_of},
                   {"serial", serial_of},
                   {"refusal", text_of},
                   {"device", NULL},
                   {"organisation", NULL},
                   {"requester", text_of},
                   {"validator", text_of},
                   {"protocol", text_of},
                   {"address", text_of},
                   {"proof", text_of},
                   {"enrolment", NULL},
                   {"requested", time_of},
                   {"validated", time_of},
                   {"ended", time_of},
                   {"proven", value_of},
                   {"bare", NULL},
                   {"mail", text_of},
                   {"sealed_key", NULL},
                   {"certificate", NULL},
                   {"validators", roles_of}};
    json_t *told = json_pack("{s:I}", "id", (json_int_t)rows_int(rows, 0));
    for (int i = 1; i < (int)G_N_ELEMENTS(members); i++)
        json_object_set_new(told, members[i].name,
                            members[i].read ? members[i].read(rows, i) : json_integer(rows_int(rows, i)));
    const Profile *profile = profile_find(profiles, rows_text(rows, 3));
    json_object_set_new(told, "dual_control", json_boolean(profile && profile->dual));
    return told;
}

json_t *request_read(VigieStore *store, const VigieProfiles *profiles, int64_t id, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error, REQUEST_COLUMNS "WHERE q.id = $1", "i", id);
    return rows_first(rows, error, NO_REQUEST, id) ? tell(rows, profiles) : NULL;
}

GByteArray *request_csr(VigieStore *store, int64_t id, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT csr FROM pki_request WHERE id = $1", "i", id);
    if (!rows_first(rows, error, NO_REQUEST, id))
        return NULL;
    VigieBytes bytes = rows_blob(rows, 0);
    return g_byte_array_append(g_byte_array_new(), bytes.data, (guint)bytes.size);
}

static bool add_evidence(VigieStore *store, json_t *request, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT id, name, type, size, sha256, added_by, at FROM pki_evidence WHERE request = $1 "
                    "ORDER BY id",
                    "i", (int64_t)json_integer_value(json_object_get(request, "id")));
    json_t *list = json_array();
    GError *why = NULL;
    json_object_set_new(request, "evidence", list);
    if (!rows)
        return false;
    while (rows_next(rows, &why))
        json_array_append_new(list,
                              json_pack("{s:I, s:s, s:s, s:I, s:s, s:s, s:o, s:b}", "id",
                                        (json_int_t)rows_int(rows, 0), "name", rows_text(rows, 1), "type",
                                        rows_text(rows, 2), "size", (json_int_t)rows_int(rows, 3), "sha256",
                                        rows_text(rows, 4), "by", rows_text(rows, 5), "at", time_of(rows, 6),
                                        "erased", *rows_text(rows, 1) == '\0'));
    return rows_ended(rows, &why, error);
}

json_t *pki_request_get(VigieStore *store, const VigieProfiles *profiles, int64_t id, GError **error) {
    g_autoptr(json_t) request = request_read(store, profiles, id, error);
    return request && add_evidence(store, request, error) ? g_steal_pointer(&request) : NULL;
}

json_t *pki_request_list(VigieStore *store, const VigieProfiles *profiles, const VigiePkiFilter *filter,
                         GError **error) {
    g_autofree char *folded = filter->account ? vigie_text_fold(filter->account) : NULL,
                    *asker = filter->requester ? vigie_text_fold(filter->requester) : NULL;
    const char *state =
        filter->state >= 0 && filter->state < (int)G_N_ELEMENTS(states) ? states[filter->state] : NULL;
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        REQUEST_COLUMNS
        "WHERE ($1 IS NULL OR q.state = $1) AND ($3 = 0 OR q.device = $3) AND ($4 = 0 OR q.id < $4) AND "
        "($6 IS NULL OR q.requester_fold = $6) AND ($7 IS NULL OR q.profile = $7) AND "
        "($2 IS NULL OR q.requester_fold = $2 OR EXISTS (SELECT 1 FROM pki_grant g WHERE g.account = $2 AND "
        "(g.organisation = 0 OR g.organisation = q.organisation) AND (g.profession = '' OR g.profession = "
        "q.profession) AND (g.department = '' OR g.department = q.department) AND (g.role IN "
        "('registration', 'operator') "
        "OR q.validators LIKE '%|' || g.role || '|%'))) ORDER BY q.id DESC LIMIT $5",
        "ttiiitt", state, folded, filter->device, filter->before,
        (int64_t)(filter->limit > 0 ? filter->limit : 100), asker, filter->profile);
    g_autoptr(json_t) list = json_array();
    GError *why = NULL;
    if (!rows)
        return NULL;
    while (rows_next(rows, &why))
        json_array_append_new(list, tell(rows, profiles));
    return rows_ended(rows, &why, error) ? g_steal_pointer(&list) : NULL;
}

/* ---- Waiting ------------------------------------------------------------------------------------------------ */
static bool state_of(VigieStore *store, int64_t id, VigiePkiState *ret_state, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT state FROM pki_request WHERE id = $1", "i", id);
    if (!rows_first(rows, error, NO_REQUEST, id))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++)
        if (strcmp(states[i], rows_text(rows, 0)) == 0)
            *ret_state = (VigiePkiState)i;
    return true;
}

bool pki_request_wait(VigieStore *store, int64_t id, int timeout_ms, VigiePkiState *ret_state,
                      GError **error) {
    gint64 end = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    VigiePkiState state = VIGIE_REQUEST_WAITING;
    while (true) {
        if (!store_mark(store, error) || !state_of(store, id, &state, error))
            return false;
        gint64 left = (end - g_get_monotonic_time() + 999) / 1000;
        if (state == VIGIE_REQUEST_ISSUED || state == VIGIE_REQUEST_REFUSED || left <= 0)
            break;
        if (!store_job_wait(store, (int)left, error))
            return false;
    }
    *ret_state = state;
    return true;
}

GByteArray *pki_request_certificate(VigieStore *store, int64_t id, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error,
                                            "SELECT i.der, q.refusal, q.state FROM pki_request q LEFT JOIN "
                                            "pki_certificate i ON i.id = q.issued WHERE q.id = $1",
                                            "i", id);
    if (!rows_first(rows, error, NO_REQUEST, id))
        return NULL;
    VigieBytes der = rows_blob(rows, 0);
    if (der.size > 0)
        return g_byte_array_append(g_byte_array_new(), der.data, (guint)der.size);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "%s",
                rows_text(rows, 1) ? rows_text(rows, 1) : "it is not issued yet");
    return NULL;
}

/* ---- Moving on ---------------------------------------------------------------------------------------------- */
bool request_claim(VigieStore *store, int64_t id, VigieTime now, bool *ret_claimed, GError **error) {
    int64_t changed = 0;
    *ret_claimed = false;
    if (!store_exec_count(
            store, &changed, error,
            "UPDATE pki_request SET state = 'issued', ended = $2 WHERE id = $1 AND state = 'validated' AND "
            "(enrolment IS NULL OR kind = 'revoke' OR EXISTS (SELECT 1 FROM pki_enrolment e WHERE e.id = "
            "pki_request.enrolment "
            "AND e.ended = 0 AND (e.uses = 0 OR e.used < e.uses)))",
            "ii", id, now))
        return false;
    *ret_claimed = changed == 1;
    return changed == 0 ||
           store_exec(store, error,
                      "UPDATE pki_enrolment SET used = used + 1 WHERE id = (SELECT enrolment FROM "
                      "pki_request WHERE id = $1 AND kind = 'issue')",
                      "i", id);
}

bool request_fulfil(VigieStore *store, int64_t id, int64_t certificate, GError **error) {
    return store_exec(store, error, "UPDATE pki_request SET issued = $2 WHERE id = $1", "ii", id,
                      certificate) &&
           store_wake(store, error);
}

static bool add_line(Journal *journal, const char *kind, int64_t id, const char *member, const char *text,
                     GError **error) {
    g_autofree char *object = g_strdup_printf("request %" G_GINT64_FORMAT, id);
    g_autoptr(json_t) details = member ? json_pack("{s:s}", member, text) : json_object();
    g_autofree char *told = vigie_json_text(details);
    return journal_add(journal, kind, object, told, error);
}

/* What a secret was kept for ends with it. */
bool request_refuse(Journal *journal, int64_t id, const char *reason, GError **error) {
    g_autofree char *text = g_utf8_make_valid(reason, (gssize)MIN(strlen(reason), 1000));
    return add_line(journal, "refused", id, "reason", text, error) &&
           store_exec(journal->store, error,
                      "UPDATE pki_request SET state = 'refused', refusal = $2, ended = $3, sealed_key = NULL "
                      "WHERE id = $1 AND state IN ('requested', 'validated')",
                      "iti", id, text, journal->now) &&
           store_wake(journal->store, error);
}

GByteArray *pki_request_key(VigieStore *store, int64_t id, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT sealed_key FROM pki_request WHERE id = $1 AND sealed_key IS NOT NULL", "i", id);
    if (!rows_first(rows, error,
                    "there is no key to give out: it stays with the device, or was given out once"))
        return NULL;
    VigieBytes bytes = rows_blob(rows, 0);
    return g_byte_array_append(g_byte_array_new(), bytes.data, (guint)bytes.size);
}

bool pki_request_key_taken(VigieStore *store, int64_t id, const char *account, VigieTime now,
                           GError **error) {
    Journal journal;
    int64_t taken = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !journal_begin(&journal, store, account, now, error) ||
        !store_exec_count(store, &taken, error,
                          "UPDATE pki_request SET sealed_key = NULL WHERE id = $1 AND sealed_key IS NOT NULL "
                          "AND state = 'issued'",
                          "i", id))
        return false;
    if (taken == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                    "request %" G_GINT64_FORMAT ": its key was given out already", id);
        return false;
    }
    return add_line(&journal, "key-given", id, NULL, NULL, error) && journal_end(&journal, NULL, 0, error) &&
           store_commit(&tx, error);
}

/* ---- Who may ------------------------------------------------------------------------------------------------ */
json_t *request_fields_of(VigieStore *store, int64_t certificate, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "WITH RECURSIVE line (kind, certificate, fields) AS (SELECT kind, certificate, fields FROM "
        "pki_request "
        "WHERE issued = $1 UNION ALL SELECT r.kind, r.certificate, r.fields FROM line l JOIN pki_request r "
        "ON "
        "r.issued = l.certificate WHERE l.kind = 'renew') SELECT fields FROM line WHERE kind = 'issue'",
        "i", certificate);
    GError *why = NULL;
    json_t *fields = rows && rows_next(rows, &why) ? json_loads(rows_text(rows, 0), 0, NULL) : NULL;
    if (rows_ended(rows, &why, error))
        return fields ? fields : json_null();
    json_decref(fields);
    return NULL;
}

/* A renewal or a revocation says nothing of its own: whom it is about was said when the certificate was asked for. */
static json_t *fields_about(VigieStore *store, const json_t *request, GError **error) {
    return strcmp(vigie_member(request, "kind"), "issue") == 0
               ? json_incref(json_object_get(request, "fields"))
               : request_fields_of(store, json_integer_value(json_object_get(request, "certificate")), error);
}

static bool covers_request(VigieStore *store, const json_t *request, const char *account,
                           const Profile *profile, const char *other, bool *ret_covers, GError **error) {
    g_autoptr(json_t) fields = fields_about(store, request, error);
    const GrantCase over = {json_integer_value(json_object_get(request, "organisation")),
                            json_is_object(fields) ? fields : NULL};
    return fields && grant_covers(store, account, profile, other, &over, ret_covers, error);
}

static bool same_account(const char *a, const char *b) {
    g_autofree char *folded_a = vigie_text_fold(a ? a : ""), *folded_b = vigie_text_fold(b ? b : "");
    return a && b && strcmp(folded_a, folded_b) == 0;
}

/* Who asked for a certificate may have it revoked, for good. */
static bool asked_for_target(VigieStore *store, const json_t *request, const char *account, bool *ret_asked,
                             GError **error) {
    g_autofree char *folded = vigie_text_fold(account);
    int64_t count = 0;
    if (!store_get_int(store, &count, error,
                       "SELECT COUNT(*) FROM pki_request q JOIN pki_request r ON r.issued = q.certificate "
                       "WHERE q.id = $1 AND r.requester_fold = $2",
                       "it", (int64_t)json_integer_value(json_object_get(request, "id")), folded))
        return false;
    int reason = 0;
    *ret_asked = count > 0 && revoke_reason_parse(vigie_member(request, "reason"), &reason, NULL) &&
                 reason != REASON_HOLD && reason != REASON_RELEASE;
    return true;
}

bool request_may_decide(VigieStore *store, const VigieProfiles *profiles, const json_t *request,
                        const char *account, bool *ret_may, GError **error) {
    const Profile *profile = profile_find(profiles, vigie_member(request, "profile"));
    bool revocation = strcmp(vigie_member(request, "kind"), "revoke") == 0, covers = false;
    if (!covers_request(store, request, account, profile, revocation ? grant_operator : NULL, &covers, error))
        return false;
    if (revocation && !covers && !asked_for_target(store, request, account, &covers, error))
        return false;
    bool own = profile && profile->dual && same_account(account, vigie_member(request, "requester"));
    *ret_may = covers && (revocation || !own);
    return true;
}

bool pki_request_may(VigieStore *store, const VigieProfiles *profiles, int64_t id, const char *account,
                     bool *ret_see, bool *ret_decide, GError **error) {
    g_autoptr(json_t) request = request_read(store, profiles, id, error);
    const Profile *profile = request ? profile_find(profiles, vigie_member(request, "profile")) : NULL;
    bool registers = false, operates = false, decides = false;
    if (!request || !request_may_decide(store, profiles, request, account, &decides, error) ||
        !covers_request(store, request, account, profile, grant_registration, &registers, error) ||
        !covers_request(store, request, account, NULL, grant_operator, &operates, error))
        return false;
    const char *state = vigie_member(request, "state");
    *ret_see = registers || operates || decides || same_account(account, vigie_member(request, "requester"));
    *ret_decide = decides && strcmp(state, "requested") == 0;
    return true;
}

/* ---- Decisions ---------------------------------------------------------------------------------------------- */
static bool refuse_decision(GError **error, VigieErrorCode code, int64_t id, const char *why) {
    g_set_error(error, VIGIE_ERROR, (gint)code, "request %" G_GINT64_FORMAT ": %s", id, why);
    return false;
}

bool pki_request_validate(VigieStore *store, const VigieProfiles *profiles, int64_t id, const char *account,
                          VigieTime now, GError **error) {
    Journal journal;
    bool may = false;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !journal_begin(&journal, store, account, now, error))
        return false;
    g_autoptr(json_t) request = request_read(store, profiles, id, error);
    if (!request || !request_may_decide(store, profiles, request, account, &may, error))
        return false;
    if (!may)
        return refuse_decision(error, VIGIE_ERROR_DENIED, id,
                               "no role of this account covers it, or the account is who asked: another "
                               "person is wanted");
    if (strcmp(vigie_member(request, "state"), "requested") != 0)
        return refuse_decision(error, VIGIE_ERROR_CONFLICT, id, "it is decided already");
    return add_line(&journal, "validated", id, NULL, NULL, error) &&
           store_exec(
               store, error,
               "UPDATE pki_request SET state = 'validated', validator = $2, validated = $3 WHERE id = $1",
               "iti", id, account, now) &&
           journal_end(&journal, NULL, 0, error) && store_wake(store, error) && store_commit(&tx, error);
}

bool pki_request_refuse(VigieStore *store, const VigieProfiles *profiles, int64_t id, const char *account,
                        const char *reason, VigieTime now, GError **error) {
    Journal journal;
    bool may = false;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !journal_begin(&journal, store, account, now, error))
        return false;
    g_autoptr(json_t) request = request_read(store, profiles, id, error);
    if (!request || !request_may_decide(store, profiles, request, account, &may, error))
        return false;
    const char *state = vigie_member(request, "state");
    if (!may && !same_account(account, vigie_member(request, "requester")))
        return refuse_decision(error, VIGIE_ERROR_DENIED, id, "no role of this account covers it");
    if (strcmp(state, "requested") != 0 && strcmp(state, "validated") != 0)
        return refuse_decision(error, VIGIE_ERROR_CONFLICT, id, "it is decided already");
    if (!*reason)
        return refuse_decision(error, VIGIE_ERROR_INVALID, id, "a reason is wanted: it is told to who asked");
    return request_refuse(&journal, id, reason, error) && journal_end(&journal, NULL, 0, error) &&
           store_commit(&tx, error);
}
