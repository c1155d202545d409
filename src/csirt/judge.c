/* What the rules make of a case: its place in the queue with the reasons, and the promise that is due next. */
#include "csirt/judge.h"

#include <string.h>

void judgement_clear(Judgement *judgement) {
    g_clear_pointer(&judgement->reasons, g_free);
}

/* The facts with those that are the case's own columns. */
json_t *case_all_facts(const CaseFacts *of) {
    json_t *facts = of->facts ? json_copy((json_t *)of->facts) : json_object();
    json_object_set_new(facts, "kind", json_string(of->kind));
    if (of->likelihood && *of->likelihood)
        json_object_set_new(facts, "likelihood", json_string(of->likelihood));
    json_object_set_new(facts, "urgent", json_boolean(of->urgent));
    if (of->verified)
        json_object_set_new(facts, "verified", json_true());
    if (of->load)
        json_object_set_new(facts, "load", json_string(of->load));
    return facts;
}

static void set_event(json_t *events, const char *name, VigieTime time) {
    if (time)
        json_object_set_new(events, name, csirt_json_time(time));
}

json_t *case_clocks(const VigieTeam *team, const CaseFacts *of, VigieTime now, GError **error) {
    g_autoptr(json_t) facts = case_all_facts(of);
    g_autoptr(json_t) events = of->events ? json_copy((json_t *)of->events) : json_object();
    const json_t *found = json_object_get(of->facts, "found");
    if (json_is_string(found))
        json_object_set(events, "found", (json_t *)found);
    set_event(events, "received", of->received);
    set_event(events, "answered", of->answered);
    set_event(events, strcmp(of->state, "rejected") == 0 ? "rejected" : "closed", of->closed);
    return csirt_clocks(facts, events, team_calendar(team), now, error);
}

/* The first promise of ours that still runs. */
static VigieTime next_due(const json_t *clocks) {
    VigieTime first = 0;
    for (size_t i = 0; i < json_array_size(clocks); i++) {
        const json_t *clock = json_array_get(clocks, i);
        const char *owner = vigie_member(clock, "owner"), *due = vigie_member(clock, "due");
        VigieTime at = 0;
        if (owner && strcmp(owner, "csirt") == 0 && due && !vigie_member(clock, "end") &&
            vigie_time_parse_rfc3339(due, &at, NULL) && (first == 0 || at < first))
            first = at;
    }
    return first;
}

bool case_judged(const VigieTeam *team, const CaseFacts *of, VigieTime now, Judgement *ret_judgement,
                 GError **error) {
    g_autoptr(json_t) facts = case_all_facts(of);
    g_autoptr(json_t) priority = csirt_priority(facts, error);
    g_autoptr(json_t) clocks = priority && team ? case_clocks(team, of, now, error) : NULL;
    if (!priority || (team && !clocks))
        return false;
    if (of->load)
        json_array_append_new(json_object_get(priority, "reasons"),
                              json_pack("{s:s, s:i, s:O}", "id", "load", "points", 0, "text", of->load_text));
    int64_t band = json_integer_value(json_object_get(of->override, "band"));
    *ret_judgement = (Judgement){
        .band = band ? band : json_integer_value(json_object_get(priority, "band")),
        .score = json_integer_value(json_object_get(priority, "score")),
        .reasons = vigie_json_text(json_object_get(priority, "reasons")),
        .due = state_active(of->state) ? next_due(clocks) : 0,
    };
    return true;
}

json_t *case_missing(const CaseFacts *of, GError **error) {
    g_autoptr(json_t) facts = case_all_facts(of);
    return csirt_priority_missing(facts, error);
}

void case_facts_clear(CaseFacts *facts) {
    g_free(facts->kind);
    g_free(facts->likelihood);
    g_free(facts->state);
    json_decref(facts->facts);
    json_decref(facts->events);
    json_decref(facts->override);
    json_decref(facts->load_text);
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
    if (!rows_ended(rows, &failure, error))
        return false;
    return found || csirt_invalid(error, "case: there is none");
}

bool case_judge(VigieStore *store, const VigieTeam *team, int64_t id, VigieTime now, GError **error) {
    g_auto(CaseFacts) facts = {0};
    g_auto(Judgement) judgement = {0};
    return case_facts_load(store, id, &facts, error) && case_workload(store, now, false, &facts, error) &&
           case_judged(team, &facts, now, &judgement, error) &&
           store_exec(store, error,
                      "UPDATE csirt_case SET band = $2, score = $3, reasons = $4, due = $5 WHERE id = $1",
                      "iiiti", id, judgement.band, judgement.score, judgement.reasons, judgement.due);
}
