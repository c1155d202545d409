/* Escalation: which partners the rules propose, why, and what each may see. A person confirms. */
#include "csirt/rules.h"

#include <string.h>

/* ---- The file --------------------------------------------------------------------------------------------- */
static bool load_partners(const json_t *partners, GError **error) {
    const json_t *audiences = json_object_get(rules(RULES_RELEASE), "audiences");
    const char *name = NULL;
    json_t *partner = NULL;
    json_object_foreach((json_t *)partners, name, partner) {
        const char *audience = json_string_value(json_object_get(partner, "audience"));
        if (!rules_members(partner, "text!t audience!s", name, error))
            return false;
        if (!audience || !json_object_get(audiences, audience))
            return rules_refuse(error, name, "\"audience\" is one of release.json");
    }
    return true;
}

/* Each element of the list is a member of `of`, and there is one. */
static bool all_in(const json_t *list, const json_t *of) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || !json_object_get(of, name))
            return false;
    }
    return json_array_size(list) > 0;
}

static bool load_rule(const json_t *rule, const json_t *partners, GError **error) {
    const char *id = json_string_value(json_object_get(rule, "id"));
    const json_t *when = json_object_get(rule, "when");
    if (!id)
        return rules_refuse(error, "rules", "a rule has an \"id\"");
    if (!rules_members(rule, "id!s tell!a urgent!b mandated!b reference!s when!a reason!t sees!a", id, error))
        return false;
    for (size_t i = 0; i < json_array_size(when); i++)
        if (!condition_check(json_array_get(when, i), id, error))
            return false;
    if (json_array_size(when) == 0)
        return rules_refuse(error, id, "\"when\" is a list of conditions, one of which must hold");
    if (!all_in(json_object_get(rule, "tell"), partners))
        return rules_refuse(error, id, "\"tell\" is a list of partners");
    if (!all_in(json_object_get(rule, "sees"), csirt_members()))
        return rules_refuse(error, id, "\"sees\" is a list of members of release.json");
    if (!json_is_boolean(json_object_get(rule, "urgent")) ||
        !json_is_boolean(json_object_get(rule, "mandated")) ||
        !json_is_string(json_object_get(rule, "reference")))
        return rules_refuse(error, id,
                            "\"urgent\" and \"mandated\" are true or false, \"reference\" is a text");
    return true;
}

bool escalation_load(const json_t *data, GError **error) {
    const json_t *partners = json_object_get(data, "partners"), *list = json_object_get(data, "rules");
    if (!rules_members(data, "partners!o rules!a", "escalation", error) || !load_partners(partners, error))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!load_rule(json_array_get(list, i), partners, error))
            return false;
    return true;
}

/* ---- Proposals -------------------------------------------------------------------------------------------- */
static json_t *find_partner(const json_t *proposals, const char *partner) {
    for (size_t i = 0; i < json_array_size(proposals); i++) {
        json_t *proposal = json_array_get(proposals, i);
        if (strcmp(json_string_value(json_object_get(proposal, "partner")), partner) == 0)
            return proposal;
    }
    return NULL;
}

static void add_each_once(json_t *list, const json_t *more) {
    for (size_t i = 0; i < json_array_size(more); i++) {
        json_t *value = json_array_get(more, i);
        size_t at = 0;
        while (at < json_array_size(list) && !json_equal(json_array_get(list, at), value))
            at++;
        if (at == json_array_size(list))
            json_array_append(list, value);
    }
}

static void set_if(json_t *proposal, const json_t *rule, const char *flag) {
    if (json_is_true(json_object_get(rule, flag)))
        json_object_set_new(proposal, flag, json_true());
}

/* The partner's proposal gains what this rule says. The first urgent rule, else the first, gives "rule", "reason", "reference". */
static void propose(json_t *proposals, const char *partner, json_t *rule) {
    json_t *proposal = find_partner(proposals, partner);
    json_t *declared = json_object_get(json_object_get(rules(RULES_ESCALATION), "partners"), partner);
    if (!proposal) {
        proposal = json_pack(
            "{s:s, s:O, s:O, s:O, s:O, s:O, s:b, s:b, s:[], s:[]}", "partner", partner, "name",
            json_object_get(declared, "text"), "audience", json_object_get(declared, "audience"), "rule",
            json_object_get(rule, "id"), "reason", json_object_get(rule, "reason"), "reference",
            json_object_get(rule, "reference"), "urgent", 0, "mandated", 0, "sees", "reasons");
        json_array_append_new(proposals, proposal);
    }
    set_if(proposal, rule, "urgent");
    set_if(proposal, rule, "mandated");
    add_each_once(json_object_get(proposal, "sees"), json_object_get(rule, "sees"));
    json_array_append_new(json_object_get(proposal, "reasons"),
                          json_pack("{s:O, s:O, s:O}", "rule", json_object_get(rule, "id"), "text",
                                    json_object_get(rule, "reason"), "reference",
                                    json_object_get(rule, "reference")));
}

/* Two passes keep the file's order within the urgent ones and within the others. */
static void propose_all(json_t *proposals, const json_t *facts, bool urgent) {
    const json_t *list = json_object_get(rules(RULES_ESCALATION), "rules");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *rule = json_array_get(list, i);
        const json_t *tell = json_object_get(rule, "tell");
        if (json_is_true(json_object_get(rule, "urgent")) != urgent ||
            !condition_any(json_object_get(rule, "when"), facts))
            continue;
        for (size_t j = 0; j < json_array_size(tell); j++)
            propose(proposals, json_string_value(json_array_get(tell, j)), rule);
    }
}

json_t *csirt_escalations(const json_t *facts, GError **error) {
    if (!facts_check_all(facts, error))
        return NULL;
    json_t *proposals = json_array();
    propose_all(proposals, facts, true);
    propose_all(proposals, facts, false);
    return proposals;
}
