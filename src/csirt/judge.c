/* What the rules make of a case: its place in the queue. */
#include "csirt/judge.h"

void judgement_clear(Judgement *judgement) {
    g_clear_pointer(&judgement->reasons, g_free);
}

bool case_judged(const VigieTeam *team, const CaseFacts *of, VigieTime now, Judgement *ret_judgement,
                 GError **error) {
    (void)team;
    (void)now;
    (void)error;
    int64_t band = json_integer_value(json_object_get(of->override, "band"));
    *ret_judgement = (Judgement){.band = band ? band : 4, .reasons = g_strdup("[]")};
    return true;
}

void case_facts_clear(CaseFacts *facts) {
    g_free(facts->kind);
    g_free(facts->likelihood);
    g_free(facts->state);
    json_decref(facts->facts);
    json_decref(facts->events);
    json_decref(facts->override);
    *facts = (CaseFacts){0};
}

bool case_facts_load(VigieStore *store, int64_t id, CaseFacts *ret_facts, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT kind, likelihood, state, urgent, verified, facts, events, override, received, answered, "
        "closed FROM csirt_case WHERE id = $1",
        "i", id);
    GError *failure = NULL;
    bool found = rows && rows_next(rows, &failure);
    if (found)
        *ret_facts = (CaseFacts){
            .kind = g_strdup(rows_text(rows, 0)),
            .likelihood = g_strdup(rows_text(rows, 1)),
            .state = g_strdup(rows_text(rows, 2)),
            .urgent = rows_int(rows, 3) != 0,
            .verified = rows_int(rows, 4) != 0,
            .facts = csirt_json_parse(rows_text(rows, 5)),
            .events = csirt_json_parse(rows_text(rows, 6)),
            .override = csirt_json_parse(rows_text(rows, 7)),
            .received = rows_int(rows, 8),
            .answered = rows_int(rows, 9),
            .closed = rows_int(rows, 10),
        };
    if (!csirt_rows_ended(rows, &failure, error))
        return false;
    return found || csirt_invalid(error, "case: there is none");
}

bool case_judge(VigieStore *store, const VigieTeam *team, int64_t id, VigieTime now, GError **error) {
    g_auto(CaseFacts) facts = {0};
    g_auto(Judgement) judgement = {0};
    return case_facts_load(store, id, &facts, error) && case_judged(team, &facts, now, &judgement, error) &&
           store_exec(store, error,
                      "UPDATE csirt_case SET band = $2, score = $3, reasons = $4, due = $5 WHERE id = $1",
                      "iiiti", id, judgement.band, judgement.score, judgement.reasons, judgement.due);
}
