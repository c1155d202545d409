/* Rules: knowledge/findings.json, an array of
 *     { "id": "clock-skew", "severity": "high", "when": { FACT: TEST, … }, "evidence": { MEMBER: FACT, … } }
 * in the order in which to act on what they find. All tests of a rule must hold; of several rules with one
 * id, which stand together, the first that holds gives the finding. Tests by the fact's kind: true / false a
 * boolean { "min": n, "max": n }      an integer, both included, one suffices "a", [ "a", "b" ]           a
 * text, one of these; { "not": [ … ] } none of these { "empty": true / false }   versions, names A fact that
 * is not known fails every test on it. */
#include "record/rules.h"

#include <string.h>

#define FILE_NAME "findings.json"

bool knowledge_error(GError **error, const char *file, const char *path, const char *format, ...) {
    va_list list;
    va_start(list, format);
    g_autofree char *message = g_strdup_vprintf(format, list);
    va_end(list);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s/%s: %s: %s", vigie_knowledge_folder(), file,
                path, message);
    return false;
}

bool knowledge_members(const json_t *object, const char *const *allowed, const char *file, const char *path,
                       GError **error) {
    if (!json_is_object(object))
        return knowledge_error(error, file, path, "an object {…} is wanted");
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value) {
        bool known = false;
        for (size_t i = 0; allowed[i]; i++)
            known |= strcmp(allowed[i] + (allowed[i][0] == '?'), name) == 0;
        if (!known)
            return knowledge_error(error, file, path, "unknown member \"%s\"", name);
    }
    for (size_t i = 0; allowed[i]; i++)
        if (allowed[i][0] != '?' && json_object_get(object, allowed[i]) == NULL)
            return knowledge_error(error, file, path, "member \"%s\" is missing", allowed[i]);
    return true;
}

/* ---- Loading ----------------------------------------------------------------------------------------- */
static void clear_condition(void *condition) {
    g_strfreev(((Condition *)condition)->texts);
}

static void clear_evidence(void *evidence) {
    g_free(((Evidence *)evidence)->member);
}

static void clear_rule(void *data) {
    Rule *rule = data;
    g_array_unref(rule->conditions);
    g_array_unref(rule->evidence);
}

static bool parse_bool(Condition *condition, const json_t *test, const char *path, GError **error) {
    if (!json_is_boolean(test))
        return knowledge_error(error, FILE_NAME, path, "true or false is wanted");
    condition->wanted = json_is_true(test);
    return true;
}

static bool parse_int(Condition *condition, const json_t *test, const char *path, GError **error) {
    static const char *const allowed[] = {"?min", "?max", NULL};
    if (!knowledge_members(test, allowed, FILE_NAME, path, error))
        return false;
    const json_t *min = json_object_get(test, "min"), *max = json_object_get(test, "max");
    if ((min == NULL && max == NULL) || (min && !json_is_integer(min)) || (max && !json_is_integer(max)))
        return knowledge_error(error, FILE_NAME, path, "{\"min\": n, \"max\": n} with integers is wanted");
    condition->min = min ? json_integer_value(min) : G_MININT64;
    condition->max = max ? json_integer_value(max) : G_MAXINT64;
    return true;
}

static bool parse_text(Condition *condition, const json_t *test, const char *path, GError **error) {
    static const char *const allowed[] = {"not", NULL};
    if (json_is_object(test)) {
        if (!knowledge_members(test, allowed, FILE_NAME, path, error))
            return false;
        condition->negated = true;
        test = json_object_get(test, "not");
    }
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    if (json_is_string(test))
        g_ptr_array_add(texts, g_strdup(json_string_value(test)));
    for (size_t i = 0; i < json_array_size(test); i++) {
        if (!json_is_string(json_array_get(test, i)))
            return knowledge_error(error, FILE_NAME, path, "[%zu] is not a text", i);
        g_ptr_array_add(texts, g_strdup(json_string_value(json_array_get(test, i))));
    }
    if (texts->len == 0)
        return knowledge_error(error, FILE_NAME, path, "\"a\", [\"a\", \"b\"] or {\"not\": […]} is wanted");
    g_ptr_array_add(texts, NULL);
    condition->texts = (char **)g_ptr_array_steal(texts, NULL);
    return true;
}

static bool parse_empty(Condition *condition, const json_t *test, const char *path, GError **error) {
    static const char *const allowed[] = {"empty", NULL};
    return knowledge_members(test, allowed, FILE_NAME, path, error) &&
           parse_bool(condition, json_object_get(test, "empty"), path, error);
}

static bool parse_condition(Rule *rule, const char *name, const json_t *test, const char *path,
                            GError **error) {
    g_autofree char *here = g_strdup_printf("%s, when \"%s\"", path, name);
    Condition condition = {.fact = fact_find(name)};
    bool good = false;
    if (condition.fact == NULL)
        return knowledge_error(error, FILE_NAME, here,
                               "there is no such fact; src/record/facts.c lists them");
    switch (condition.fact->kind) {
    case FACT_BOOL:
        good = parse_bool(&condition, test, here, error);
        break;
    case FACT_INT:
        good = parse_int(&condition, test, here, error);
        break;
    case FACT_TEXT:
        good = parse_text(&condition, test, here, error);
        break;
    case FACT_VERSIONS:
    case FACT_NAMES:
        good = parse_empty(&condition, test, here, error);
        break;
    case FACT_TIME:
    case FACT_DIGEST:
        good = knowledge_error(error, FILE_NAME, here, "this fact is evidence only");
        break;
    }
    if (good)
        g_array_append_val(rule->conditions, condition);
    return good;
}

static bool parse_evidence(Rule *rule, const json_t *evidence, const char *path, GError **error) {
    const char *member;
    json_t *name;
    if (!json_is_object(evidence))
        return knowledge_error(error, FILE_NAME, path, "\"evidence\" is to be {\"member\": \"fact\", …}");
    json_object_foreach((json_t *)evidence, member, name) {
        const Fact *fact = json_is_string(name) ? fact_find(json_string_value(name)) : NULL;
        if (fact == NULL)
            return knowledge_error(error, FILE_NAME, path,
                                   "evidence \"%s\" names no fact of src/record/facts.c", member);
        Evidence one = {.member = g_strdup(member), .fact = fact};
        g_array_append_val(rule->evidence, one);
    }
    return true;
}

static bool parse_rule(VigieRules *rules, const json_t *object, size_t index, GError **error) {
    static const char *const allowed[] = {"id", "severity", "when", "evidence", NULL};
    const char *id = json_string_value(json_object_get(object, "id"));
    const char *severity = json_string_value(json_object_get(object, "severity"));
    g_autofree char *path = g_strdup_printf("rule %zu (%s)", index + 1, id ? id : "?");
    Rule rule = {.id = g_intern_string(id)};
    if (!knowledge_members(object, allowed, FILE_NAME, path, error))
        return false;
    if (id == NULL || severity == NULL || !vigie_severity_parse(severity, &rule.severity))
        return knowledge_error(error, FILE_NAME, path,
                               "\"id\" and \"severity\" (info low medium high critical) are texts");
    size_t known = rules_order(rules, id);
    if (known != 0 && g_array_index(rules->rules, Rule, index - 1).id != rule.id)
        return knowledge_error(error, FILE_NAME, path,
                               "the rules of one id stand together; the first is rule %zu", known);
    const json_t *when = json_object_get(object, "when");
    if (json_object_size(when) == 0)
        return knowledge_error(error, FILE_NAME, path, "\"when\" is to be {\"fact\": test, …}");
    rule.conditions = g_array_new(FALSE, FALSE, sizeof(Condition));
    g_array_set_clear_func(rule.conditions, clear_condition);
    rule.evidence = g_array_new(FALSE, FALSE, sizeof(Evidence));
    g_array_set_clear_func(rule.evidence, clear_evidence);
    g_array_append_val(rules->rules, rule);
    const char *name;
    json_t *test;
    json_object_foreach((json_t *)when, name,
                        test) if (!parse_condition(&rule, name, test, path, error)) return false;
    return parse_evidence(&rule, json_object_get(object, "evidence"), path, error);
}

VigieRules *record_rules_load(GError **error) {
    g_autoptr(VigieRules) rules = g_new0(VigieRules, 1);
    rules->rules = g_array_new(FALSE, FALSE, sizeof(Rule));
    g_array_set_clear_func(rules->rules, clear_rule);
    g_autoptr(json_t) file = vigie_knowledge_json(FILE_NAME, error);
    if (file == NULL)
        return NULL;
    if (!json_is_array(file)) {
        knowledge_error(error, FILE_NAME, "the file", "an array of rules is wanted");
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(file); i++)
        if (!parse_rule(rules, json_array_get(file, i), i, error))
            return NULL;
    return diagnosis_load(rules, error) ? g_steal_pointer(&rules) : NULL;
}

void record_rules_free(VigieRules *rules) {
    if (rules == NULL)
        return;
    g_array_unref(rules->rules);
    json_decref(rules->diagnosis);
    json_decref(rules->glossary);
    g_free(rules);
}

size_t rules_order(const VigieRules *rules, const char *id) {
    size_t order = 0;
    const char *before = NULL;
    for (guint i = 0; i < rules->rules->len; i++) {
        const char *at = g_array_index(rules->rules, Rule, i).id;
        order += at != before;
        before = at;
        if (strcmp(at, id) == 0)
            return order;
    }
    return 0;
}

static bool gives(const Rule *rule, const char *member) {
    for (guint i = 0; i < rule->evidence->len; i++)
        if (strcmp(g_array_index(rule->evidence, Evidence, i).member, member) == 0)
            return true;
    return false;
}

bool rules_give(const VigieRules *rules, const char *id, const char *member) {
    bool any = false;
    for (guint i = 0; i < rules->rules->len; i++) {
        const Rule *rule = &g_array_index(rules->rules, Rule, i);
        if (strcmp(rule->id, id) != 0)
            continue;
        any = true;
        if (!gives(rule, member))
            return false;
    }
    return any;
}

/* ---- Applying ---------------------------------------------------------------------------------------- */
static bool holds(const Condition *condition, const FactView *view) {
    FactValue value;
    if (!condition->fact->get(view, &value))
        return false;
    switch (condition->fact->kind) {
    case FACT_BOOL:
        return value.yes == condition->wanted;
    case FACT_INT:
        return value.number >= condition->min && value.number <= condition->max;
    case FACT_TEXT:
        return g_strv_contains((const char *const *)condition->texts, value.text) != condition->negated;
    case FACT_VERSIONS:
        return (value.versions == 0) == condition->wanted;
    case FACT_NAMES:
        return (value.number == 0) == condition->wanted;
    case FACT_TIME:
    case FACT_DIGEST:
        break;
    }
    return false;
}

static bool rule_holds(const Rule *rule, const FactView *view) {
    for (guint i = 0; i < rule->conditions->len; i++)
        if (!holds(&g_array_index(rule->conditions, Condition, i), view))
            return false;
    return true;
}

static VigieFinding found(const Rule *rule, const FactView *view) {
    VigieFinding finding = {.id = rule->id, .severity = rule->severity, .evidence = json_object()};
    for (guint i = 0; i < rule->evidence->len; i++) {
        const Evidence *evidence = &g_array_index(rule->evidence, Evidence, i);
        json_t *value = fact_json(evidence->fact, view);
        if (value)
            json_object_set_new(finding.evidence, evidence->member, value);
    }
    return finding;
}

void record_rules_apply(const VigieRules *rules, VigieRecord *record, VigieTime now) {
    record_findings_clear(record);
    g_autoptr(GArray) findings = NULL; /* most records have none */
    const char *decided = NULL;
    FactView view = fact_view(record, now);
    for (guint i = 0; i < rules->rules->len; i++) {
        const Rule *rule = &g_array_index(rules->rules, Rule, i);
        if (rule->id == decided || !rule_holds(rule, &view))
            continue;
        decided = rule->id;
        VigieFinding finding = found(rule, &view);
        if (findings == NULL)
            findings = g_array_new(FALSE, FALSE, sizeof(VigieFinding));
        g_array_append_val(findings, finding);
    }
    if (findings)
        record->findings = g_array_steal(findings, &record->finding_count);
}
