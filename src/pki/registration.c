/* registration.c: a request comes in. What would be refused in any case is refused here, to who asks; the signer checks it
 * all again. */
#include "pki/registration.h"
#include "fleet/fleet.h"
#include "pki/csr.h"
#include "pki/enrol.h"
#include "pki/enrolment.h"
#include "pki/grant.h"
#include "pki/item.h"
#include "pki/name.h"
#include "pki/request.h"
#include "pki/revoke.h"
#include "pki/row.h"

#include <string.h>

enum {
    TEXT_MAX = 256,
    MAIL_MAX = 254,
    FIELDS_MAX = 16384,
    OPEN_MAX = 10000,
    SEALED_MAX = 16384,
    AGAIN_SECONDS = 86400
};

static const char *const protocols[] = {"portal", "cli", "rest", "acme", "est", "scep", "cmp", NULL};
static const char *const kinds[] = {
    [VIGIE_REQUEST_ISSUE] = "issue", [VIGIE_REQUEST_RENEW] = "renew", [VIGIE_REQUEST_REVOKE] = "revoke"};
static const char *const proofs[] = {[VIGIE_PROOF_NONE] = "none",
                                     [VIGIE_PROOF_ENROLMENT] = "enrolment",
                                     [VIGIE_PROOF_CERTIFICATE] = "certificate"};

/* What will be a row. */
typedef struct {
    const VigiePkiRequest *asked;
    const Profile *profile;
    VigieAuthority *authority;
    json_t *fields, *names, *about; /* about: the fields by which it is found who decides */
    int64_t certificate, device, organisation;
    char *key_hash, *key_name;
    GBytes *key; /* kept in the place of a request that holds a challenge password; or NULL */
    bool validated;
} Draft;

static void draft_clear(Draft *draft) {
    pki_authority_close(draft->authority);
    json_decref(draft->fields);
    json_decref(draft->names);
    json_decref(draft->about);
    g_free(draft->key_hash);
    g_free(draft->key_name);
    g_clear_pointer(&draft->key, g_bytes_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Draft, draft_clear)

static bool refuse(GError **error, VigieErrorCode code, const char *why) {
    g_set_error(error, VIGIE_ERROR, (gint)code, "request: %s", why);
    return false;
}

bool registration_text(const char *what, const char *text, size_t max, GError **error) {
    const char *fault = g_utf8_validate(text, -1, NULL) ? name_text_fault(text, max) : "not UTF-8";
    if (fault)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: %s", what, fault);
    return !fault;
}

/* ---- What it is for ----------------------------------------------------------------------------------------- */
/* Whoever names an older generation means the one that issues now. */
static VigieAuthority *open_current(VigieStore *store, const char *name, GError **error) {
    g_autofree char *current = pki_authority_current(store, name, error);
    return current ? pki_authority_open(store, current, NULL, error) : NULL;
}

VigieAuthority *registration_authority(VigieStore *store, const char *name, const char *profile,
                                       GError **error) {
    g_autofree char *found = g_strdup(name);
    g_autoptr(json_t) list = name ? NULL : pki_authority_list(store, NULL, error);
    size_t i, j;
    json_t *one, *served;
    if (!name && !list)
        return NULL;
    json_array_foreach(list, i, one) {
        json_array_foreach(json_object_get(json_object_get(one, "settings"), "profiles"), j, served) {
            if (strcmp(json_string_value(served), profile) != 0 ||
                !json_is_null(json_object_get(one, "successor")))
                continue;
            if (found) {
                refuse(error, VIGIE_ERROR_INVALID, "several authorities issue this profile: say which");
                return NULL;
            }
            found = g_strdup(json_string_value(json_object_get(one, "name")));
        }
    }
    if (!found) {
        refuse(error, VIGIE_ERROR_NOT_FOUND, "no authority issues this profile: see vigie ca list");
        return NULL;
    }
    return open_current(store, found, error);
}

bool registration_organisation(VigieStore *store, int64_t device, VigieTime now, int64_t *organisation,
                               GError **error) {
    const VigieFleetFilter all = {.retired = true};
    if (device == 0)
        return true;
    g_autoptr(json_t) told = fleet_device_get(store, &all, device, now, error);
    if (told)
        *organisation = json_integer_value(json_object_get(json_object_get(told, "organisation"), "id"));
    return told != NULL;
}

/* For which organisation it was asked for; 0 where it was issued without a request. */
static bool organisation_of(VigieStore *store, int64_t certificate, int64_t *ret_organisation,
                            GError **error) {
    return store_get_int(store, ret_organisation, error,
                         "SELECT COALESCE((SELECT organisation FROM pki_request WHERE issued = $1), 0)", "i",
                         certificate);
}

/* The certificate to renew or revoke says all but the names and the key. */
static bool take_certificate(VigieStore *store, const VigieProfiles *profiles, Draft *draft, GError **error) {
    if (!draft->asked->serial)
        return refuse(error, VIGIE_ERROR_INVALID, "the serial number of a certificate is wanted");
    g_autoptr(VigieRows) rows = row_of_serial(store, draft->asked->serial, error);
    if (!rows)
        return false;
    draft->certificate = rows_int(rows, ROW_ID);
    draft->profile = profile_find(profiles, rows_text(rows, ROW_PROFILE));
    draft->device = rows_int(rows, ROW_DEVICE);
    draft->fields = json_object();
    draft->about = request_fields_of(store, draft->certificate, error);
    g_autofree char *name =
        !draft->about ? NULL : authority_name(store, rows_int(rows, ROW_AUTHORITY), error);
    if (!name || !organisation_of(store, draft->certificate, &draft->organisation, error))
        return false;
    draft->authority = draft->asked->kind == VIGIE_REQUEST_REVOKE
                           ? pki_authority_open(store, name, NULL, error)
                           : open_current(store, name, error);
    return draft->authority &&
           (draft->profile ||
            refuse(error, VIGIE_ERROR_NOT_FOUND, "its profile is not in knowledge/profiles any more"));
}

static bool take_enrolment(VigieStore *store, const VigieProfiles *profiles, Draft *draft, VigieTime now,
                           GError **error) {
    g_autoptr(json_t) enrolment = enrolment_read(store, draft->asked->enrolment, now, error);
    if (!enrolment)
        return false;
    draft->profile = profile_find(profiles, json_string_value(json_object_get(enrolment, "profile")));
    draft->authority =
        pki_authority_open(store, json_string_value(json_object_get(enrolment, "authority")), NULL, error);
    draft->fields = json_incref(json_object_get(enrolment, "fields"));
    draft->device = json_integer_value(json_object_get(enrolment, "device"));
    draft->organisation = json_integer_value(json_object_get(enrolment, "organisation"));
    return draft->authority &&
           (draft->profile ||
            refuse(error, VIGIE_ERROR_NOT_FOUND, "its profile is not in knowledge/profiles any more"));
}

static bool take_profile(VigieStore *store, const VigieProfiles *profiles, Draft *draft, VigieTime now,
                         GError **error) {
    const VigiePkiRequest *asked = draft->asked;
    if (asked->proof == VIGIE_PROOF_CERTIFICATE)
        return refuse(error, VIGIE_ERROR_INVALID, "a certificate proves its own renewal or revocation alone");
    draft->profile = asked->profile ? profile_find(profiles, asked->profile) : NULL;
    draft->fields = asked->fields ? json_deep_copy(asked->fields) : json_object();
    draft->device = asked->device;
    draft->organisation = asked->organisation;
    if (!draft->profile)
        return refuse(error, VIGIE_ERROR_NOT_FOUND, "there is no such profile: see vigie ca profiles");
    draft->authority = registration_authority(store, asked->authority, asked->profile, error);
    return draft->authority &&
           registration_organisation(store, draft->device, now, &draft->organisation, error);
}

/* ---- What it asks ------------------------------------------------------------------------------------------- */
static json_t *names_of(const GPtrArray *names) {
    json_t *list = json_array();
    for (guint i = 0; i < names->len && names->pdata[i]; i++)
        json_array_append_new(list, json_string(names->pdata[i]));
    return list;
}

/* All that issuing would check, but who the people are. */
static bool check_certificate(VigieStore *store, const VigieProfiles *profiles, Draft *draft, VigieTime now,
                              GError **error) {
    const VigiePkiRequest *asked = draft->asked;
    bool renewal = asked->kind == VIGIE_REQUEST_RENEW;
    const Issuance issuance = {store, draft->authority, profiles, asked->requester, now};
    const VigieIssueRequest wanted = {.profile = draft->profile->name,
                                      .csr = asked->csr,
                                      .spki = asked->spki,
                                      .fields = renewal ? NULL : draft->fields,
                                      .names = renewal ? NULL : asked->names,
                                      .accept_names = true,
                                      .days = asked->days,
                                      .renews = renewal ? asked->serial : NULL};
    Item item = {0};
    bool well = item_check(&issuance, &wanted, &item, error);
    if (well) {
        const VigieBytes spki = item.request->spki;
        draft->key_hash = g_compute_checksum_for_data(G_CHECKSUM_SHA256, spki.data, spki.size);
        draft->key_name = item.request->curve ? g_strdup_printf("EC %s", item.request->curve)
                                              : g_strdup_printf("RSA %u", item.request->rsa_bits);
        draft->names = names_of(item.names);
        if (item.request->challenge)
            draft->key = g_bytes_new(spki.data, spki.size);
    }
    item_clear(&item);
    return well;
}

static bool check_revocation(Draft *draft, GError **error) {
    int reason = 0;
    draft->names = json_array();
    return revoke_reason_parse(draft->asked->reason ? draft->asked->reason : "unspecified", &reason, error);
}

static bool check_texts(const Draft *draft, GError **error) {
    const VigiePkiRequest *asked = draft->asked;
    g_autofree char *fields = vigie_json_text(draft->fields);
    if (!g_strv_contains(protocols, asked->protocol))
        return refuse(error, VIGIE_ERROR_INTERNAL, "no such protocol");
    if (strlen(fields) > FIELDS_MAX || asked->sealed_key.size > SEALED_MAX)
        return refuse(error, VIGIE_ERROR_LIMIT, "its fields or its key are larger than 16 KiB");
    return registration_text("who asks", asked->requester, TEXT_MAX, error) &&
           (!asked->address || registration_text("address", asked->address, TEXT_MAX, error)) &&
           (!asked->mail ||
            (strchr(asked->mail, '@') ? registration_text("mail", asked->mail, MAIL_MAX, error)
                                      : refuse(error, VIGIE_ERROR_INVALID, "mail: an address is wanted")));
}

static bool read_draft(VigieStore *store, const VigieProfiles *profiles, Draft *draft, VigieTime now,
                       GError **error) {
    const VigiePkiRequest *asked = draft->asked;
    bool taken = asked->kind != VIGIE_REQUEST_ISSUE      ? take_certificate(store, profiles, draft, error)
                 : asked->proof == VIGIE_PROOF_ENROLMENT ? take_enrolment(store, profiles, draft, now, error)
                                                         : take_profile(store, profiles, draft, now, error);
    return taken && check_texts(draft, error) &&
           (asked->kind == VIGIE_REQUEST_REVOKE ? check_revocation(draft, error)
                                                : check_certificate(store, profiles, draft, now, error));
}

/* ---- The row ------------------------------------------------------------------------------------------------ */
static bool insert(VigieStore *store, const Draft *draft, VigieTime now, int64_t *ret_id, GError **error) {
    const VigiePkiRequest *asked = draft->asked;
    bool bare = asked->spki.size > 0 || draft->key, revocation = asked->kind == VIGIE_REQUEST_REVOKE;
    const json_t *about = draft->about ? draft->about : draft->fields;
    g_autoptr(GPtrArray) deciding = profile_validators(draft->profile, json_is_object(about) ? about : NULL);
    g_autoptr(json_t) proven = json_array();
    for (const char *const *name = asked->proven; name && *name; name++)
        json_array_append_new(proven, json_string(*name));
    g_autofree char *fields = vigie_json_text(draft->fields), *names = vigie_json_text(draft->names),
                    *proven_text = vigie_json_text(proven), *folded = vigie_text_fold(asked->requester),
                    *roles = g_strjoinv("|", (char **)deciding->pdata), *profession = grant_profession(about),
                    *department = grant_department(about);
    g_autofree char *validators = g_strconcat("|", roles, "|", NULL);
    const VigieBytes key = draft->key ? vigie_bytes_view(draft->key) : asked->spki;
    const VigieBytes *csr = revocation ? NULL : bare ? &key : &asked->csr;
    return store_get_int(
        store, ret_id, error,
        "INSERT INTO pki_request (kind, state, profile, authority, csr, bare, key_hash, key_name, fields, "
        "names, days, certificate, reason, device, organisation, requester, requester_fold, mail, protocol, "
        "address, proof, enrolment, proven, validators, requested, validated, sealed_key, profession, "
        "department) VALUES ($1, $2, "
        "$3, $4, $5, $6, $7, $8, $9, $10, $11, NULLIF($12, 0), $13, $14, $15, $16, $17, $18, $19, $20, $21, "
        "NULLIF($22, 0), $23, $24, $25, $26, $27, $28, $29) RETURNING id",
        "tttibittttiitiittttttittiibtt", kinds[asked->kind], draft->validated ? "validated" : "requested",
        draft->profile->name, draft->authority->id, csr, (int64_t)bare, draft->key_hash, draft->key_name,
        fields, names, (int64_t)asked->days, draft->certificate, asked->reason, draft->device,
        draft->organisation, asked->requester, folded, asked->mail, asked->protocol, asked->address,
        proofs[asked->proof], asked->proof == VIGIE_PROOF_ENROLMENT ? asked->enrolment : (int64_t)0,
        proven_text, validators, now, draft->validated ? now : (VigieTime)0,
        asked->sealed_key.size > 0 ? &asked->sealed_key : NULL, profession, department);
}

static bool note(Journal *journal, const Draft *draft, int64_t id, GError **error) {
    const VigiePkiRequest *asked = draft->asked;
    g_autofree char *object = g_strdup_printf("request %" G_GINT64_FORMAT, id);
    g_autoptr(json_t) told =
        json_pack("{s:s, s:s, s:s, s:O, s:O, s:s?, s:s?, s:s?, s:s, s:s, s:I}", "kind", kinds[asked->kind],
                  "profile", draft->profile->name, "authority", draft->authority->name, "names", draft->names,
                  "fields", draft->fields, "key_sha256", draft->key_hash, "certificate", asked->serial,
                  "reason", asked->reason, "protocol", asked->protocol, "proof", proofs[asked->proof],
                  "organisation", (json_int_t)draft->organisation);
    g_autofree char *details = vigie_json_text(told);
    return journal_add(journal, "requested", object, details, error);
}

/* The same key for the same profile is asked for once at a time; strangers fill no disk. */
static bool check_room(VigieStore *store, const Draft *draft, GError **error) {
    int64_t open = 0, same = 0;
    if (!store_get_int(store, &open, error,
                       "SELECT COUNT(*) FROM pki_request WHERE state IN ('requested', 'validated')", "") ||
        !store_get_int(store, &same, error,
                       "SELECT COUNT(*) FROM pki_request WHERE state IN ('requested', 'validated') AND "
                       "key_hash = $1 AND profile = $2",
                       "tt", draft->key_hash, draft->profile->name))
        return false;
    if (open >= OPEN_MAX)
        return refuse(error, VIGIE_ERROR_BUSY, "10,000 requests wait already: decide some of them first");
    return same == 0 ||
           refuse(error, VIGIE_ERROR_CONFLICT, "a request for this key waits already: it is decided first");
}

/* Of a request with a challenge password the key was kept, and what it asks for: $4 and $6. */
bool registration_again(VigieStore *store, const VigiePkiRequest *asked, VigieTime now, int64_t *ret_id,
                        GError **error) {
    g_autofree char *folded = vigie_text_fold(asked->requester);
    g_autoptr(Csr) csr = asked->again == VIGIE_AGAIN_SAME ? csr_parse(asked->csr, NULL) : NULL;
    bool key = csr && csr->challenge;
    const VigieBytes kept = key ? csr->spki : asked->csr;
    g_autoptr(json_t) names = key && asked->kind == VIGIE_REQUEST_ISSUE ? names_of(csr->names) : NULL;
    g_autofree char *names_text = names ? vigie_json_text(names) : NULL;
    *ret_id = 0;
    if (asked->again == VIGIE_AGAIN_TRANSACTION)
        return enrol_find(store, asked->protocol, asked->requester, ret_id, error);
    return asked->again == VIGIE_AGAIN_NEW ||
           store_get_int(store, ret_id, error,
                         "SELECT COALESCE(MAX(q.id), 0) FROM pki_request q LEFT JOIN pki_revocation r ON "
                         "r.certificate = q.issued WHERE q.requester_fold = $1 AND q.protocol = $2 AND "
                         "q.kind = $3 AND q.csr = $4 AND q.requested > $5 AND q.state <> 'refused' AND "
                         "r.certificate IS NULL AND ($6 IS NULL OR q.names = $6)",
                         "tttbit", folded, asked->protocol, kinds[asked->kind], &kept, now - AGAIN_SECONDS,
                         names_text);
}

static bool keep(VigieStore *store, const VigieProfiles *profiles, const Draft *draft, VigieTime now,
                 int64_t *ret_id, GError **error) {
    Journal journal;
    int64_t id = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !journal_begin(&journal, store, draft->asked->requester, now, error) ||
        !registration_again(store, draft->asked, now, &id, error))
        return false;
    if (id) { /* which ends the transaction as it began */
        *ret_id = id;
        return true;
    }
    if (!check_room(store, draft, error) || !insert(store, draft, now, &id, error) ||
        !note(&journal, draft, id, error))
        return false;
    if (draft->validated) {
        g_autoptr(json_t) row = request_read(store, profiles, id, error);
        if (!row || !request_proof_check(store, profiles, row, now, error) || !store_wake(store, error))
            return false;
    }
    if (!journal_end(&journal, NULL, 0, error) || !store_commit(&tx, error))
        return false;
    *ret_id = id;
    return true;
}

bool pki_request_add(VigieStore *store, const VigieProfiles *profiles, const VigiePkiRequest *request,
                     VigieTime now, int64_t *ret_id, VigiePkiState *ret_state, GError **error) {
    g_auto(Draft) draft = {.asked = request};
    if (!read_draft(store, profiles, &draft, now, error))
        return false;
    bool person = draft.profile->dual && request->kind != VIGIE_REQUEST_REVOKE;
    draft.validated = request->proof != VIGIE_PROOF_NONE && !person;
    return keep(store, profiles, &draft, now, ret_id, error) &&
           (!ret_state || pki_request_wait(store, *ret_id, 0, ret_state, error));
}
