/* Facts, priority and escalation: what is refused, what is decided and why, and that a worse fact never makes a case less pressing. */
#include "csirt/rules.h"

#include <string.h>

static json_t *parse(const char *text) {
    json_error_t where;
    json_t *value = json_loads(text, 0, &where);
    if (!value)
        g_error("%s: %s", text, where.text);
    return value;
}

static json_t *priority(const char *facts) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) value = parse(facts);
    json_t *result = csirt_priority(value, &error);
    g_assert_no_error(error);
    return result;
}

static int64_t number(const json_t *object, const char *name) {
    return json_integer_value(json_object_get(object, name));
}

static const char *text(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

/* ---- Facts ------------------------------------------------------------------------------------------------ */
static void test_facts(void) {
    static const char good[] = "{\"patients\": \"proven\", \"care\": [\"emergency\", \"maternity\"], "
                               "\"beds\": 300, \"degraded\": true,"
                               " \"perimeter\": \"bloc\", \"found\": \"2026-11-21T20:15:00+01:00\","
                               " \"cvss\": \"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"}";
    g_autoptr(json_t) value = parse(good);
    g_assert_true(csirt_facts_check(value, NULL));
    static const char *const wrong[] = {"[]",
                                        "{\"patient\": \"proven\"}",
                                        "{\"patients\": \"many\"}",
                                        "{\"patients\": [\"proven\"]}",
                                        "{\"care\": \"emergency\"}",
                                        "{\"care\": [\"emergency\", \"emergency\"]}",
                                        "{\"beds\": -1}",
                                        "{\"beds\": 20001}",
                                        "{\"beds\": 3.5}",
                                        "{\"degraded\": 1}",
                                        "{\"found\": \"yesterday\"}",
                                        "{\"cvss\": \"9.8\"}",
                                        "{\"kind\": \"incident\"}",
                                        "{\"perimeter\": null}"};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(json_t) facts = parse(wrong[i]);
        g_assert_false(csirt_facts_check(facts, &error));
        g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
    }
    g_autoptr(json_t) of_case = parse("{\"kind\": \"incident\", \"urgent\": true}");
    g_assert_true(facts_check_all(of_case, NULL));
}

/* ---- Priority --------------------------------------------------------------------------------------------- */
static void test_bands(void) {
    g_autoptr(json_t) nothing = priority("{}");
    g_assert_cmpint(number(nothing, "score"), ==, 0);
    g_assert_cmpint(number(nothing, "band"), ==, 4);
    g_assert_cmpuint(json_array_size(json_object_get(nothing, "reasons")), ==, 0);

    g_autoptr(json_t) ransomware =
        priority("{\"cause\": [\"ransomware\"], \"patients\": \"proven\", \"care\": [\"emergency\", "
                 "\"intensive-care\"],"
                 " \"sole\": true, \"degraded\": true, \"status\": \"essential\", \"urgent\": true}");
    g_assert_cmpint(number(ransomware, "band"), ==, 1);
    g_assert_cmpint(number(ransomware, "score"), >=, 60);

    g_autoptr(json_t) request =
        priority("{\"kind\": \"request\", \"urgency\": \"low\", \"complexity\": \"simple\"}");
    g_assert_cmpint(number(request, "band"), ==, 4);

    /* Active exploitation of something exposed comes first though nothing else is known, and says so. */
    g_autoptr(json_t) exploited = priority("{\"exploitation\": \"active\", \"exposed\": true}");
    const json_t *first = json_array_get(json_object_get(exploited, "reasons"), 0);
    g_assert_cmpint(number(exploited, "band"), ==, 1);
    g_assert_cmpstr(text(first, "id"), ==, "exploited-exposed");
    g_assert_cmpint(number(first, "floor"), ==, 1);
    g_assert_true(*vigie_text_in(VIGIE_FR, json_object_get(first, "text")) &&
                  *vigie_text_in(VIGIE_EN, json_object_get(first, "text")));
}

/* The points of the reasons are the score, in falling order but for the rule that decided the band. */
static void check_reasons(const json_t *result) {
    const json_t *reasons = json_object_get(result, "reasons");
    int64_t sum = 0, before = 100;
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        const json_t *reason = json_array_get(reasons, i);
        int64_t points = number(reason, "points");
        sum += points;
        if (i == 0 && json_object_get(reason, "floor"))
            continue;
        g_assert_cmpint(points, <=, before);
        g_assert_cmpint(points, >, 0);
        before = points;
    }
    g_assert_cmpint(sum, ==, number(result, "score"));
    g_assert_cmpint(sum, <=, 100);
}

static json_t *random_value(GRand *random, const json_t *declared) {
    const char *type = text(declared, "type");
    const json_t *values = json_object_get(declared, "values");
    size_t count = json_array_size(values);
    if (strcmp(type, "choice") == 0)
        return json_incref(
            json_object_get(json_array_get(values, (size_t)g_rand_int_range(random, 0, (int)count)), "name"));
    if (strcmp(type, "flag") == 0)
        return json_boolean(g_rand_boolean(random));
    if (strcmp(type, "number") == 0)
        return json_integer(g_rand_int_range(random, 0, 2000));
    if (strcmp(type, "choices") != 0)
        return NULL;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        if (g_rand_int_range(random, 0, 4) == 0)
            json_array_append(list, json_object_get(json_array_get(values, i), "name"));
    return list;
}

/* The fact one step worse; NULL where it cannot be. */
static json_t *worse(const json_t *declared, const json_t *value) {
    const char *type = text(declared, "type");
    const json_t *values = json_object_get(declared, "values");
    if (strcmp(type, "choice") == 0) {
        int rank = value ? fact_rank(declared, json_string_value(value)) : -1;
        return json_incref(json_object_get(json_array_get(values, (size_t)(rank + 1)), "name"));
    }
    if (strcmp(type, "flag") == 0)
        return json_is_true(value) ? NULL : json_true();
    if (strcmp(type, "number") == 0)
        return json_integer(json_integer_value(value) + 500);
    if (strcmp(type, "choices") != 0)
        return NULL;
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(values); i++) {
        json_t *name = json_object_get(json_array_get(values, i), "name");
        bool had = false;
        for (size_t j = 0; j < json_array_size(value); j++)
            had = had || json_equal(json_array_get(value, j), name);
        if (had || json_array_size(list) == json_array_size(value))
            json_array_append(list, name);
    }
    return list;
}

static void test_monotone(void) {
    g_autoptr(GRand) random = g_rand_new_with_seed(20261121);
    const char *name = NULL;
    json_t *declared = NULL;
    int steps = 0;
    for (int round = 0; round < 100; round++) {
        g_autoptr(json_t) facts = json_object();
        json_object_foreach((json_t *)csirt_facts(), name, declared) {
            json_t *value = g_rand_int_range(random, 0, 3) == 0 ? random_value(random, declared) : NULL;
            if (value)
                json_object_set_new(facts, name, value);
        }
        g_autoptr(json_t) before = csirt_priority(facts, NULL);
        g_autoptr(json_t) again = csirt_priority(facts, NULL);
        g_assert_nonnull(before);
        g_assert_true(json_equal(before, again));
        check_reasons(before);
        json_object_foreach((json_t *)csirt_facts(), name, declared) {
            json_t *value = worse(declared, json_object_get(facts, name));
            if (!value)
                continue;
            g_autoptr(json_t) changed = json_copy(facts);
            json_object_set_new(changed, name, value);
            g_autoptr(json_t) after = csirt_priority(changed, NULL);
            if (!after || number(after, "score") < number(before, "score") ||
                number(after, "band") > number(before, "band")) {
                g_autofree char *shown = vigie_json_text(facts);
                g_error("worse in %s, and less pressing: %s", name, shown);
            }
            steps++;
        }
    }
    g_test_message("%d steps", steps);
}

static void test_missing(void) {
    g_autoptr(json_t) vague = parse("{\"threat\": \"high\", \"status\": \"oiv\"}");
    g_autoptr(json_t) missing = csirt_priority_missing(vague, NULL);
    bool patients = false, threat = false, perimeter = false;
    for (size_t i = 0; i < json_array_size(missing); i++) {
        const char *name = json_string_value(json_array_get(missing, i));
        patients = patients || strcmp(name, "patients") == 0;
        threat = threat || strcmp(name, "threat") == 0;
        perimeter = perimeter || strcmp(name, "perimeter") == 0;
    }
    g_assert_true(patients);
    g_assert_false(threat);
    g_assert_false(perimeter);
    g_autoptr(json_t) first = parse("{\"patients\": \"proven\"}");
    g_autoptr(json_t) nothing = csirt_priority_missing(first, NULL);
    g_assert_cmpuint(json_array_size(nothing), ==, 0);
}

/* A saturated team puts aside what is vague and complex, and that alone. */
static void test_load(void) {
    g_autoptr(json_t) free_team =
        priority("{\"precision\": \"vague\", \"complexity\": \"complex\", \"load\": \"normal\"}");
    g_autoptr(json_t) full_team =
        priority("{\"precision\": \"vague\", \"complexity\": \"complex\", \"load\": \"saturated\"}");
    g_assert_cmpint(number(free_team, "score"), >, number(full_team, "score"));
    g_autoptr(json_t) a = priority("{\"patients\": \"proven\", \"load\": \"normal\"}");
    g_autoptr(json_t) b = priority("{\"patients\": \"proven\", \"load\": \"saturated\"}");
    g_assert_cmpint(number(a, "score"), ==, number(b, "score"));
}

/* ---- Escalation ------------------------------------------------------------------------------------------- */
/* "corruss! fssi": the partners in order, ! for urgent. */
static void escalates(const char *facts, const char *expected) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) value = parse(facts);
    g_autoptr(json_t) proposals = csirt_escalations(value, &error);
    g_assert_no_error(error);
    g_autoptr(GString) got = g_string_new(NULL);
    for (size_t i = 0; i < json_array_size(proposals); i++) {
        const json_t *proposal = json_array_get(proposals, i), *sees = json_object_get(proposal, "sees");
        g_string_append_printf(got, "%s%s%s", i ? " " : "", text(proposal, "partner"),
                               json_is_true(json_object_get(proposal, "urgent")) ? "!" : "");
        g_assert_cmpuint(json_array_size(json_object_get(proposal, "reasons")), >, 0);
        g_assert_cmpuint(json_array_size(sees), >, 0);
        for (size_t j = 0; j < json_array_size(sees); j++)
            g_assert_nonnull(json_object_get(csirt_members(), json_string_value(json_array_get(sees, j))));
    }
    if (strcmp(got->str, expected) != 0)
        g_error("%s tells “%s”, not “%s”", facts, got->str, expected);
}

static void test_escalation(void) {
    escalates("{}", "");
    escalates("{\"patients\": \"none\", \"threat\": \"critical\"}", "");
    escalates("{\"patients\": \"potential\"}", "corruss");
    escalates("{\"patients\": \"proven\"}", "corruss! fssi");
    escalates("{\"major\": true}", "fssi");
    escalates("{\"other_sectors\": true}", "");
    escalates("{\"major\": true, \"other_sectors\": true}", "anssi! fssi!");
    escalates("{\"major\": true, \"other_sectors\": true, \"patients\": \"potential\"}",
              "corruss! anssi! fssi!");
    escalates("{\"cert_fr_support\": true}", "cert-fr");
    escalates("{\"status\": \"oiv\", \"kind\": \"incident\"}", "cert-fr");
    escalates("{\"status\": \"essential\", \"kind\": \"incident-report\"}", "cert-fr");
    escalates("{\"status\": \"important\", \"kind\": \"incident\"}", "");
    escalates("{\"status\": \"oiv\", \"kind\": \"vulnerability\"}", "");
    escalates("{\"status\": \"oiv\", \"kind\": \"incident\", \"threat\": \"high\"}", "fssi cert-fr");
    escalates("{\"degraded\": true, \"care\": [\"emergency\"]}", "corruss");
    escalates("{\"degraded\": true, \"care\": [\"home\"]}", "");
}

/* Support alone is asked for without naming the organisation; no partner is ever shown the source. */
static void test_escalation_parts(void) {
    g_autoptr(json_t) facts = parse("{\"cert_fr_support\": true}");
    g_autoptr(json_t) proposals = csirt_escalations(facts, NULL);
    const json_t *proposal = json_array_get(proposals, 0), *sees = json_object_get(proposal, "sees");
    g_assert_false(json_is_true(json_object_get(proposal, "mandated")));
    for (size_t i = 0; i < json_array_size(sees); i++)
        g_assert_cmpstr(json_string_value(json_array_get(sees, i)), !=, "organisation");
    const char *name = NULL;
    json_t *member = NULL;
    json_object_foreach((json_t *)csirt_members(), name, member) {
        const json_t *from = json_object_get(member, "from");
        for (size_t i = 0; i < json_array_size(from); i++)
            g_assert_null(strstr(json_string_value(json_array_get(from, i)), "source"));
    }
    g_autoptr(json_t) both =
        parse("{\"cert_fr_support\": true, \"status\": \"oiv\", \"kind\": \"incident\"}");
    g_autoptr(json_t) merged = csirt_escalations(both, NULL);
    g_assert_cmpuint(json_array_size(merged), ==, 1);
    g_assert_cmpuint(json_array_size(json_object_get(json_array_get(merged, 0), "reasons")), ==, 2);
    g_assert_true(json_is_true(json_object_get(json_array_get(merged, 0), "mandated")));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    if (!csirt_rules_load(&error))
        g_error("%s", error->message);
    g_test_add_func("/facts/check", test_facts);
    g_test_add_func("/priority/bands", test_bands);
    g_test_add_func("/priority/monotone", test_monotone);
    g_test_add_func("/priority/missing", test_missing);
    g_test_add_func("/priority/load", test_load);
    g_test_add_func("/escalation/rules", test_escalation);
    g_test_add_func("/escalation/parts", test_escalation_parts);
    return g_test_run();
}
