/* CVSS: published scores, and properties that hold for all vectors: one step less severe never scores more, order and X
 * change nothing, the normalised vector scores the same. Half tenths are checked against arithmetic of another kind. */
#include "csirt/triage.h"

#include <math.h>
#include <string.h>

static int score_of(const char *vector) {
    VigieCvss cvss;
    g_autoptr(GError) error = NULL;
    if (!csirt_cvss_score(vector, &cvss, &error))
        g_error("%s: %s", vector, error->message);
    return cvss.score;
}

static void test_published(void) {
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, "cvss-vectors.txt", NULL);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    int count = 0;
    for (char **line = lines; *line; line++) {
        char *space = strchr(*line, ' ');
        if (**line == '#' || !space)
            continue;
        *space = '\0';
        int expected = (int)lround(g_ascii_strtod(space + 1, NULL) * 10), score = score_of(*line);
        if (score != expected)
            g_error("%s scores %d, not %d", *line, score, expected);
        count++;
    }
    g_test_message("%d published scores", count);
    g_assert_cmpint(count, >, 440);
}

/* ---- All vectors ------------------------------------------------------------------------------------------ */
typedef struct {
    const char *name, *values; /* most severe first */
} Metric;

static const Metric base4[] = {{"AV", "NALP"}, {"AC", "LH"},  {"AT", "NP"},  {"PR", "NLH"},
                               {"UI", "NPA"},  {"VC", "HLN"}, {"VI", "HLN"}, {"VA", "HLN"},
                               {"SC", "HLN"},  {"SI", "HLN"}, {"SA", "HLN"}};
static const Metric base3[] = {{"AV", "NALP"}, {"AC", "LH"}, {"PR", "NLH"}, {"UI", "NR"},
                               {"S", "CU"},    {"C", "HLN"}, {"I", "HLN"},  {"A", "HLN"}};

static char *vector_at(const char *prefix, const Metric *metrics, size_t count, size_t n, const char *more) {
    GString *vector = g_string_new(prefix);
    for (size_t i = 0; i < count; i++) {
        size_t values = strlen(metrics[i].values);
        g_string_append_printf(vector, "/%s:%c", metrics[i].name, metrics[i].values[n % values]);
        n /= values;
    }
    g_string_append(vector, more);
    return g_string_free(vector, FALSE);
}

static size_t combinations(const Metric *metrics, size_t count) {
    size_t all = 1;
    for (size_t i = 0; i < count; i++)
        all *= strlen(metrics[i].values);
    return all;
}

/* Every base vector, and each of its neighbours that is one step less severe in one metric. */
static void falls(const char *prefix, const Metric *metrics, size_t count, const char *more, int tolerance) {
    size_t all = combinations(metrics, count);
    g_autofree int *scores = g_new(int, all);
    for (size_t n = 0; n < all; n++) {
        g_autofree char *vector = vector_at(prefix, metrics, count, n, more);
        scores[n] = score_of(vector);
        g_assert_true(scores[n] >= 0 && scores[n] <= 100);
    }
    for (size_t n = 0; n < all; n++) {
        size_t weight = 1, rest = n;
        for (size_t i = 0; i < count; i++) {
            size_t values = strlen(metrics[i].values);
            if (rest % values + 1 < values && scores[n + weight] > scores[n] + tolerance) {
                g_autofree char *vector = vector_at(prefix, metrics, count, n, more);
                g_error("%s scores %d, less severe in %s scores %d", vector, scores[n], metrics[i].name,
                        scores[n + weight]);
            }
            rest /= values;
            weight *= values;
        }
    }
    g_test_message("%zu vectors", all);
}

static void test_falls(void) {
    falls("CVSS:3.0", base3, G_N_ELEMENTS(base3), "", 0);
    falls("CVSS:3.1", base3, G_N_ELEMENTS(base3), "", 0);
    falls("CVSS:3.1", base3, G_N_ELEMENTS(base3), "/E:P/RL:O/RC:R/CR:H/IR:L/MAC:H", 0);
    falls("CVSS:4.0", base4, G_N_ELEMENTS(base4), "", 0);
}

/* What threat intelligence takes off, it never adds; 4.0 without it assumes the worst. */
static void test_threat(void) {
    static const char *const exploits[] = {"/E:A", "/E:P", "/E:U"};
    for (size_t n = 0; n < combinations(base4, G_N_ELEMENTS(base4)); n += 7) {
        int before = 100;
        for (size_t i = 0; i < G_N_ELEMENTS(exploits); i++) {
            g_autofree char *vector = vector_at("CVSS:4.0", base4, G_N_ELEMENTS(base4), n, exploits[i]);
            int score = score_of(vector);
            g_assert_cmpint(score, <=, before);
            before = score;
        }
        g_autofree char *bare = vector_at("CVSS:4.0", base4, G_N_ELEMENTS(base4), n, "");
        g_autofree char *worst =
            vector_at("CVSS:4.0", base4, G_N_ELEMENTS(base4), n, "/E:A/CR:H/IR:H/AR:H/MSI:X");
        g_assert_cmpint(score_of(bare), ==, score_of(worst));
    }
}

static void test_normal_form(void) {
    VigieCvss cvss, again;
    g_assert_true(csirt_cvss_score(
        "CVSS:4.0/SA:N/SI:N/SC:N/VA:N/VI:N/VC:H/UI:N/PR:N/AT:N/AC:L/AV:N/E:X/U:Amber/MAV:X", &cvss, NULL));
    g_assert_cmpstr(cvss.vector, ==,
                    "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N/U:Amber");
    g_assert_cmpstr(cvss.groups, ==, "B");
    g_assert_true(csirt_cvss_score(cvss.vector, &again, NULL));
    g_assert_cmpint(again.score, ==, cvss.score);
    g_assert_true(csirt_cvss_score("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:H/I:H/A:H/E:F/MAV:N", &cvss, NULL));
    g_assert_cmpstr(cvss.groups, ==, "BTE");
    g_assert_cmpint(cvss.base, ==, 96);
    g_assert_cmpint(cvss.severity, ==, CSIRT_CVSS_CRITICAL);
    g_assert_cmpstr(csirt_cvss_severity_name(cvss.severity), ==, "critical");
}

static void refused(const char *vector, const char *metric, const char *why) {
    VigieCvss cvss;
    g_autoptr(GError) error = NULL;
    g_assert_false(csirt_cvss_score(vector, &cvss, &error));
    g_assert_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID);
    if (!strstr(error->message, why) || !strstr(error->message, metric))
        g_error("%s: %s", vector, error->message);
}

static void test_refusals(void) {
    refused("", "", "begins with");
    refused("CVSS:3.2/AV:N", "CVSS:3.2", "begins with");
    refused("AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "AV:N", "begins with");
    refused("CVSS:3.1/AV:N/AC:L/UI:N/S:U/C:H/I:H/A:H", "PR", "missing");
    refused("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/AV:N", "AV", "twice");
    refused("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:X/E:H", "E", "twice");
    refused("CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "AV:X", "N A L P");
    refused("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/", "", "colon");
    refused("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:HH", "A:HH", "H L N");
    refused("CVSS:3.1/AV:N/AT:N/PR:N/UI:N/S:U/C:H/I:H/A:H", "AT", "no such metric");
    refused("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:S/SA:N", "SI:S", "H L N");
    refused("CVSS:4.0/av:n", "av", "no such metric");
    refused("CVSS:4.0/\xff:\xfe", "", "no such metric");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    if (!csirt_rules_load(&error))
        g_error("%s", error->message);
    g_test_add_func("/cvss/published", test_published);
    g_test_add_func("/cvss/falls", test_falls);
    g_test_add_func("/cvss/threat", test_threat);
    g_test_add_func("/cvss/normal-form", test_normal_form);
    g_test_add_func("/cvss/refusals", test_refusals);
    return g_test_run();
}
