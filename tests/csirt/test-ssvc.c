/* SSVC and the taxonomy: known decisions, what partial answers leave open against trying all completions, and that asking
 * the proposed question each time ends in a decision. */
#include "csirt/triage.h"

#include <string.h>

static json_t *parse(const char *text) {
    json_error_t where;
    json_t *value = json_loads(text, 0, &where);
    if (!value)
        g_error("%s: %s", text, where.text);
    return value;
}

static const char *text(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static json_t *decide(const char *tree, const json_t *answers) {
    g_autoptr(GError) error = NULL;
    json_t *decision = csirt_ssvc_decide(tree, answers, &error);
    g_assert_no_error(error);
    return decision;
}

static void decides(const char *tree, const char *answers, const char *outcome) {
    g_autoptr(json_t) value = parse(answers);
    g_autoptr(json_t) decision = decide(tree, value);
    g_assert_cmpstr(text(decision, "outcome"), ==, outcome);
}

static void test_known(void) {
    decides("deployer",
            "{\"exploitation\": \"active\", \"exposure\": \"open\", \"automatable\": \"yes\", "
            "\"human-impact\": \"very-high\"}",
            "immediate");
    decides("deployer",
            "{\"exploitation\": \"active\", \"exposure\": \"open\", \"automatable\": \"no\", "
            "\"human-impact\": \"very-high\"}",
            "immediate");
    decides("deployer",
            "{\"exploitation\": \"none\", \"exposure\": \"small\", \"automatable\": \"no\", "
            "\"human-impact\": \"low\"}",
            "defer");
    decides("deployer",
            "{\"exploitation\": \"none\", \"exposure\": \"small\", \"automatable\": \"no\", "
            "\"human-impact\": \"high\"}",
            "scheduled");
    decides("deployer",
            "{\"exploitation\": \"active\", \"exposure\": \"open\", \"automatable\": \"yes\", \"safety\": "
            "\"catastrophic\", \"mission\": \"degraded\"}",
            "immediate");
    decides("cisa",
            "{\"exploitation\": \"active\", \"automatable\": \"yes\", \"technical-impact\": \"total\", "
            "\"mission-wellbeing\": \"high\"}",
            "act");
    decides("cisa",
            "{\"exploitation\": \"public-poc\", \"automatable\": \"no\", \"technical-impact\": \"partial\", "
            "\"mission-wellbeing\": \"high\"}",
            "track-closely");
    decides("cisa",
            "{\"exploitation\": \"none\", \"automatable\": \"yes\", \"technical-impact\": \"total\", "
            "\"mission-wellbeing\": \"medium\"}",
            "track");
    decides("bod",
            "{\"known-exploited\": \"yes\", \"publicly-exposed\": \"yes\", \"automatable\": \"yes\", "
            "\"technical-impact\": \"total\"}",
            "3-days-forensics");
    decides("bod",
            "{\"known-exploited\": \"no\", \"publicly-exposed\": \"yes\", \"automatable\": \"yes\", "
            "\"technical-impact\": \"total\"}",
            "3-days");
    decides("coordinator-publish",
            "{\"supplier-involvement\": \"fix-ready\", \"exploitation\": \"active\", \"public-value\": "
            "\"ampliative\"}",
            "publish");
    decides("coordinator-publish",
            "{\"supplier-involvement\": \"cooperative\", \"exploitation\": \"active\", \"public-value\": "
            "\"limited\"}",
            "do-not-publish");
    decides("supplier",
            "{\"exploitation\": \"none\", \"automatable\": \"no\", \"value-density\": \"diffuse\", "
            "\"technical-impact\": \"total\", \"safety\": \"critical\"}",
            "out-of-cycle");
    decides("coordinator-triage",
            "{\"report-public\": \"yes\", \"supplier-contacted\": \"no\", \"report-credibility\": "
            "\"not-credible\", \"supplier-cardinality\":"
            " \"one\", \"supplier-engagement\": \"active\", \"utility\": \"laborious\", \"public-safety\": "
            "\"minimal\"}",
            "decline");
}

/* A decision that needs no more answers is made without them. */
static void test_early(void) {
    g_autoptr(json_t) answers =
        parse("{\"supplier-involvement\": \"fix-ready\", \"public-value\": \"precedence\"}");
    g_autoptr(json_t) decision = decide("coordinator-publish", answers);
    g_assert_cmpstr(text(decision, "outcome"), ==, "publish");
    g_assert_true(json_is_null(json_object_get(decision, "next")));
    g_autoptr(json_t) none = json_object();
    g_autoptr(json_t) open = decide("deployer", none);
    g_assert_cmpuint(json_array_size(json_object_get(open, "possible")), ==, 4);
    g_assert_true(json_is_null(json_object_get(open, "outcome")));
    g_assert_nonnull(text(open, "next"));
}

/* The path names each answer and what follows from it, in both languages. */
static void test_path(void) {
    g_autoptr(json_t) answers =
        parse("{\"safety\": \"critical\", \"mission\": \"essential-failure\", \"exploitation\": \"active\"}");
    g_autoptr(json_t) decision = decide("deployer", answers);
    const json_t *path = json_object_get(decision, "path");
    static const char *const steps[][2] = {{"exploitation", "active"},
                                           {"safety", "critical"},
                                           {"mission", "essential-failure"},
                                           {"human-impact", "high"}};
    g_assert_cmpuint(json_array_size(path), ==, G_N_ELEMENTS(steps));
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_assert_cmpstr(text(json_array_get(path, i), "point"), ==, steps[i][0]);
        g_assert_cmpstr(text(json_array_get(path, i), "value"), ==, steps[i][1]);
        g_assert_true(*vigie_text_in(VIGIE_FR, json_object_get(json_array_get(path, i), "text")));
    }
}

static void refused(const char *tree, const char *answers, const char *why) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) value = parse(answers);
    g_assert_null(csirt_ssvc_decide(tree, value, &error));
    g_assert_nonnull(strstr(error->message, why));
}

static void test_refusals(void) {
    refused("nobody", "{}", "nobody");
    refused("deployer", "[]", "by point");
    refused("deployer", "{\"weather\": \"fine\"}", "no such question");
    refused("deployer", "{\"exploitation\": \"maybe\"}", "none of its values");
    refused("deployer", "{\"exploitation\": 3}", "none of its values");
    refused("deployer", "{\"human-impact\": \"low\", \"safety\": \"catastrophic\"}", "say otherwise");
}

/* ---- All trees -------------------------------------------------------------------------------------------- */
static const json_t *values_of(const char *point) {
    return json_object_get(json_object_get(json_object_get(csirt_ssvc_trees(), "points"), point), "values");
}

/* Marks in `found` each outcome that some completion of the answers leads to, by answering what is asked in all ways. */
static void complete(const char *tree, json_t *answers, json_t *found, int depth) {
    g_autoptr(json_t) decision = decide(tree, answers);
    const char *next = text(decision, "next");
    g_assert_cmpint(depth, <, 10);
    if (!next) {
        g_assert_nonnull(text(decision, "outcome"));
        json_object_set_new(found, text(decision, "outcome"), json_true());
        return;
    }
    const json_t *values = values_of(next);
    for (size_t i = 0; i < json_array_size(values); i++) {
        json_object_set(answers, next, json_object_get(json_array_get(values, i), "name"));
        complete(tree, answers, found, depth + 1);
        json_object_del(answers, next);
    }
}

static void test_all_trees(void) {
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    const char *tree = NULL;
    json_t *declared = NULL;
    json_object_foreach(json_object_get(csirt_ssvc_trees(), "trees"), tree, declared) {
        const json_t *from = json_object_get(declared, "points");
        for (int round = 0; round < 12; round++) {
            g_autoptr(json_t) answers = json_object();
            g_autoptr(json_t) found = json_object();
            for (size_t i = 0; i < json_array_size(from); i++) {
                const char *point = json_string_value(json_array_get(from, i));
                const json_t *values = values_of(point);
                size_t value = (size_t)g_rand_int_range(random, 0, (int)json_array_size(values));
                if (round > 0 && g_rand_int_range(random, 0, 4) == 0)
                    json_object_set(answers, point, json_object_get(json_array_get(values, value), "name"));
            }
            g_autoptr(json_t) decision = decide(tree, answers);
            complete(tree, answers, found, 0);
            const json_t *possible = json_object_get(decision, "possible");
            g_assert_cmpuint(json_array_size(possible), ==, json_object_size(found));
            for (size_t i = 0; i < json_array_size(possible); i++)
                g_assert_nonnull(json_object_get(found, json_string_value(json_array_get(possible, i))));
        }
    }
}

/* ---- Taxonomy --------------------------------------------------------------------------------------------- */
static void test_taxonomy(void) {
    size_t types = 0;
    const json_t *classes = csirt_taxonomy();
    for (size_t i = 0; i < json_array_size(classes); i++) {
        const json_t *class_ = json_array_get(classes, i), *list = json_object_get(class_, "types");
        g_assert_true(csirt_category(text(class_, "id")) == json_object_get(class_, "name"));
        for (size_t j = 0; j < json_array_size(list); j++, types++)
            g_assert_true(csirt_category(text(json_array_get(list, j), "id")) ==
                          json_object_get(json_array_get(list, j), "name"));
    }
    g_assert_cmpuint(json_array_size(classes), ==, 11);
    g_assert_cmpuint(types, ==, 39);
    g_assert_cmpstr(vigie_text_in(VIGIE_FR, csirt_category("fraud/phishing")), ==, "Hameçonnage");
    g_assert_null(csirt_category("fraud/fishing"));
    g_assert_null(csirt_category(""));
    g_assert_null(csirt_category("phishing"));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    if (!csirt_rules_load(&error))
        g_error("%s", error->message);
    g_test_add_func("/ssvc/known", test_known);
    g_test_add_func("/ssvc/early", test_early);
    g_test_add_func("/ssvc/path", test_path);
    g_test_add_func("/ssvc/refusals", test_refusals);
    g_test_add_func("/ssvc/all-trees", test_all_trees);
    g_test_add_func("/taxonomy/categories", test_taxonomy);
    return g_test_run();
}
