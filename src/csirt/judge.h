/* The case as the rules of triage.h see it. */
#pragma once

#include "csirt/internal.h"

typedef struct {
    char *kind, *likelihood, *state;
    bool urgent, verified;
    json_t *facts, *events, *override; /* objects; null or NULL: none */
    VigieTime received, answered, closed;
    const char *load;  /* what the queue says of the fact "load", where nobody else does; NULL: not asked */
    json_t *load_text; /* why, in both languages */
} CaseFacts;

void case_facts_clear(CaseFacts *facts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CaseFacts, case_facts_clear)
bool case_facts_load(VigieStore *store, int64_t id, CaseFacts *ret_facts, GError **error);

/* Fills `load`, where no analyst entered one and, but for `always`, only where the priority asks for it. */
bool case_workload(VigieStore *store, VigieTime now, bool always, CaseFacts *facts, GError **error);

/* The facts with those that are the case's own columns: what the rules ask. */
json_t *case_all_facts(const CaseFacts *of);

typedef struct {
    int64_t band, score;
    char *reasons;
    VigieTime due; /* 0: nothing is promised, or all is kept */
} Judgement;

void judgement_clear(Judgement *judgement);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Judgement, judgement_clear)
/* `team` NULL: no promises. */
bool case_judged(const VigieTeam *team, const CaseFacts *of, VigieTime now, Judgement *ret_judgement,
                 GError **error);
/* csirt_clocks of the case. */
json_t *case_clocks(const VigieTeam *team, const CaseFacts *of, VigieTime now, GError **error);
/* The facts that could still make it more pressing. */
json_t *case_missing(const CaseFacts *of, GError **error);
