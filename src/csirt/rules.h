/* What the files of rules share: the data below knowledge/csirt/, each file checked once by the part that uses it. */
#pragma once

#include "csirt/triage.h"

typedef enum {
    RULES_FACTS, /* first: the others' conditions are about facts */
    RULES_CVSS4,
    RULES_PRIORITY,
    RULES_RELEASE,
    RULES_ESCALATION,
    RULES_HOLIDAYS,
    RULES_CLOCKS,
    RULES_SSVC,
    RULES_TAXONOMY,
    RULES_WORKLOAD,
    RULES,
} RulesFile;

/* Borrowed, for good. Aborts before csirt_rules_load. */
const json_t *rules(RulesFile file);

/* False, with an error that says where in the file being loaded and why. */
bool rules_refuse(GError **error, const char *where, const char *why);
/* {"fr": …, "en": …}, both there and nothing else. */
bool rules_texts(const json_t *texts, const char *where, GError **error);
/* The members of `object` are those of `known` and of its types: "id!s text!t floor?i", ! for what must be there. Types: s text,
 * i whole number, a list, o object (A and O may be empty), b true or false, t two texts. */
bool rules_members(const json_t *object, const char *known, const char *where, GError **error);

/* One a file: refuses what it does not know, what is missing, what refers to nothing. */
bool facts_load(const json_t *data, GError **error);
bool cvss4_load(const json_t *data, GError **error);
bool priority_load(const json_t *data, GError **error);
bool release_load(const json_t *data, GError **error);
bool escalation_load(const json_t *data, GError **error);
bool holidays_load(const json_t *data, GError **error);
bool clocks_load(const json_t *data, GError **error);
bool ssvc_load(const json_t *data, GError **error);
bool taxonomy_load(const json_t *data, GError **error);
bool workload_load(const json_t *data, GError **error);

/* ---- Conditions on facts (condition.c) ----------------------------------------------------------------------
 * An object whose members must all hold: "care": "emergency" (equal, or among the choices), "care": [ any of ], "degraded": true,
 * "beds": { "min": 300 }, "threat": { "min": "high" } (that value or a later one), "cvss": { "min": 70 } (tenths). A fact
 * that is not known satisfies nothing. What always holds has no condition. */
bool condition_check(const json_t *when, const char *where, GError **error);
bool condition_holds(const json_t *when, const json_t *facts);
bool condition_any(const json_t *list, const json_t *facts); /* one of the conditions holds */

/* As csirt_facts_check, those of the case allowed. */
bool facts_check_all(const json_t *facts, GError **error);
/* The position of a value of a choice, -1 where it has none such. */
int fact_rank(const json_t *declared, const char *value);
