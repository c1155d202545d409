/* Nobody is told of a vulnerability that nobody has seen: what was looked at, by whom, and what it showed. */
#include "csirt/telling.h"
#include "fleet/fleet.h"

#include <inttypes.h>
#include <string.h>

static const char *const kinds[] = {"finding", "check", NULL};
static const char *const outcomes[] = {"present", "absent", "undecided", NULL};

enum { METHOD_MIN = 10 };

typedef struct {
    const char *kind, *outcome, *method, *target;
    int64_t ref;
    VigieTime time; /* of what was seen */
    json_t *evidence, *finding;
} Proof;

static void proof_clear(Proof *proof) {
    json_decref(proof->evidence);
    json_decref(proof->finding);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Proof, proof_clear)

/* A finding's state is what the last survey saw, and the proof as old as that. */
static bool read_finding(VigieStore *store, const json_t *fields, VigieTime now, Proof *proof,
                         GError **error) {
    VigieFleetFilter all = {0};
    proof->ref = json_integer_value(json_object_get(fields, "ref"));
    proof->finding = fleet_finding_get(store, &all, proof->ref, now, error);
    if (!proof->finding)
        return false;
    bool mended = g_strcmp0(vigie_member(proof->finding, "state"), "mended") == 0;
    proof->outcome = mended ? "absent" : "present";
    proof->method = vigie_member(proof->finding, "kind");
    proof->target = vigie_member(json_object_get(proof->finding, "endpoint"), "target");
    proof->evidence = json_pack("{s:O, s:O, s:O}", "finding", json_object_get(proof->finding, "evidence"),
                                "last_seen", json_object_get(proof->finding, "last_seen"), "mended",
                                json_object_get(proof->finding, "mended"));
    const char *seen = vigie_member(proof->finding, mended ? "mended" : "last_seen");
    return !seen || vigie_time_parse_rfc3339(seen, &proof->time, error);
}

static bool read_check(const json_t *fields, VigieTime now, Proof *proof, GError **error) {
    proof->outcome = vigie_member(fields, "outcome");
    proof->method = vigie_member(fields, "method");
    proof->target = vigie_member(fields, "target");
    proof->evidence = json_object();
    proof->time = now;
    if (!csirt_one_of("outcome", proof->outcome ? proof->outcome : "", outcomes, error) ||
        !csirt_text_check("method", proof->method, CSIRT_NOTE_BYTES, error) ||
        !csirt_line_check("target", proof->target, CSIRT_LINE_MAX, error))
        return false;
    return (proof->method && g_utf8_strlen(proof->method, -1) >= METHOD_MIN) ||
           csirt_invalid(
               error, "method: say what was done and what it showed, as in “GET /status without an account "
                      "answers the list of patients”");
}

static bool write_proof(VigieStore *store, const VigieAnalyst *who, int64_t case_id, const Proof *proof,
                        int64_t *ret_id, GError **error) {
    g_autofree char *evidence = vigie_json_text(proof->evidence);
    return store_get_int(store, ret_id, error,
                         "INSERT INTO csirt_verification (case_id, kind, ref, outcome, method, target, "
                         "evidence, author, time) "
                         "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
                         "itittttti", case_id, proof->kind, proof->ref, proof->outcome, proof->method,
                         proof->target ? proof->target : "", evidence, analyst_name(who), proof->time);
}

/* The case counts as verified while the last word on it is that it is there. */
static bool mark_case(VigieStore *store, const VigieTeam *team, int64_t case_id, const Proof *proof,
                      VigieTime now, GError **error) {
    if (strcmp(proof->outcome, "undecided") == 0)
        return true;
    VigieTime verified = strcmp(proof->outcome, "present") == 0 ? proof->time : 0;
    return store_exec(store, error, "UPDATE csirt_case SET verified = $2 WHERE id = $1", "ii", case_id,
                      verified) &&
           case_judge(store, team, case_id, now, error);
}

static bool link_finding(VigieStore *store, int64_t case_id, const Proof *proof, GError **error) {
    return proof->ref == 0 ||
           store_exec(store, error,
                      "INSERT INTO csirt_link (case_id, kind, ref) VALUES ($1, 'finding', $2) "
                      "ON CONFLICT (case_id, kind, ref) DO NOTHING",
                      "ii", case_id, proof->ref);
}

bool csirt_verification_add(VigieStore *store, const VigieTeam *team, const VigieAnalyst *who,
                            int64_t case_id, const json_t *fields, VigieTime now, int64_t *ret_id,
                            GError **error) {
    g_auto(Case) of = {0};
    g_auto(Proof) proof = {.kind = vigie_member(fields, "kind")};
    int64_t id = 0;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx || !case_load(store, who, case_id, &of, error) ||
        !csirt_one_of("kind", proof.kind ? proof.kind : "", kinds, error))
        return false;
    bool finding = strcmp(proof.kind, "finding") == 0;
    if (finding ? !read_finding(store, fields, now, &proof, error) : !read_check(fields, now, &proof, error))
        return false;
    json_t *details = json_pack("{s:s, s:s, s:s, s:s?, s:I}", "kind", proof.kind, "outcome", proof.outcome,
                                "method", proof.method, "target", proof.target, "ref", (json_int_t)proof.ref);
    if (!write_proof(store, who, case_id, &proof, &id, error) ||
        !mark_case(store, team, case_id, &proof, now, error) ||
        !link_finding(store, case_id, &proof, error) ||
        !entry_add(store, case_id, analyst_name(who), "verification", details, now, error) ||
        !store_commit(&tx, error))
        return false;
    if (ret_id)
        *ret_id = id;
    return true;
}

json_t *verifications_of(VigieStore *store, int64_t case_id, GError **error) {
    static const Cell cells[] = {
        {"id", "id", CELL_INT},
        {"kind", "kind", CELL_STRING},
        {"ref", "ref", CELL_ID},
        {"outcome", "outcome", CELL_STRING},
        {"method", "method", CELL_STRING},
        {"target", "target", CELL_TEXT},
        {"evidence", "evidence", CELL_JSON},
        {"author", "author", CELL_TEXT},
        {"time", "time", CELL_TIME},
        {0},
    };
    return cells_array(store, cells, "FROM csirt_verification WHERE case_id = ?i ORDER BY id DESC LIMIT 200",
                       case_id, error);
}

json_t *csirt_verification_list(VigieStore *store, const VigieAnalyst *who, int64_t case_id, GError **error) {
    g_auto(Case) of = {0};
    return case_load(store, who, case_id, &of, error) ? verifications_of(store, case_id, error) : NULL;
}
