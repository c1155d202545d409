/* The room's own view of its rules: rules.c loads and applies them, diagnosis.c puts their findings into
 * words. */
#pragma once

#include "record/facts.h"

typedef struct {
    const Fact *fact;
    bool negated; /* {"not": …}: a text that is none of these */
    bool wanted;  /* FACT_BOOL: this value; FACT_VERSIONS, FACT_NAMES: empty or not */
    int64_t min, max;
    char **texts;
} Condition;

typedef struct {
    char *member;
    const Fact *fact;
} Evidence;

typedef struct {
    const char *id; /* interned */
    VigieSeverity severity;
    GArray *conditions; /* Condition; all must hold */
    GArray *evidence;   /* Evidence */
} Rule;

struct VigieRules {
    GArray *rules; /* Rule, in the order in which to act; the first that holds of those with one id counts */
    json_t *diagnosis; /* knowledge/diagnosis.json */
    json_t *glossary;  /* knowledge/glossary.json */
};

/* The place of an id in the order in which to act, from 1; 0 where it is unknown. */
size_t rules_order(const VigieRules *rules, const char *id);
/* Does every rule of this id give this member of evidence? */
bool rules_give(const VigieRules *rules, const char *id, const char *member);
/* Loads diagnosis and glossary and holds them against the rules. */
bool diagnosis_load(VigieRules *rules, GError **error);

/* The record's findings in words, in their order; `target` is what {target} reads as. */
json_t *rules_causes(const VigieRules *rules, const VigieRecord *record, const char *target, VigieLang lang,
                     GTimeZone *zone, VigieTime now);
/* "TLS 1.2, TLS 1.3" of a mask of versions. Free with g_free. */
char *rules_versions_text(VigieLang lang, unsigned mask);

/* "AC Équipements CHU" of "CN=AC Équipements CHU,O=CHU,C=FR". Free with g_free. */
char *rules_short_name(const char *name);

void record_findings_clear(VigieRecord *record);
/* Sets INVALID with "FILE: PATH: MESSAGE"; returns false. */
bool knowledge_error(GError **error, const char *file, const char *path, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
/* Every member of `object` is among `allowed` (NULL-terminated), and those before a "?" are there. */
bool knowledge_members(const json_t *object, const char *const *allowed, const char *file, const char *path,
                       GError **error);
