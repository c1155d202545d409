/* CVSS 3.0 and 3.1 (FIRST, section 7), in whole numbers. A score is computed in units of 10^-14: every product of the two-decimal weights
 * is exact there. The one power that is not has its own rounding, 10^-14, which no tenth is near to.
 *
 * "Round up" of 3.0 is the next tenth. 3.1 rounds to five decimals first (appendix A), so that a float's last bit makes no tenth. */
#include "csirt/cvss.h"

#include <math.h>

#define UNIT INT64_C(100000000000000) /* 1.0 */

/* Weights times 100, by the letter. */
static int weight(char value, const char *letters, const int *weights) {
    for (int i = 0; letters[i]; i++)
        if (letters[i] == value)
            return weights[i];
    g_assert_not_reached();
}

#define WEIGHT(value, letters, ...) weight(value, letters, (const int[]){__VA_ARGS__})

static int impact_weight(char value) {
    return WEIGHT(value, "HLN", 56, 22, 0);
}

/* Times 100, of which 100 is "not defined" and medium. */
static int requirement(char value) {
    return WEIGHT(value, "HML", 150, 100, 50);
}

static int round_up(int64_t score, bool minor0) {
    const int64_t tenth = UNIT / 10, fifth = UNIT / 100000;
    if (!minor0)
        score = (score + fifth / 2) / fifth * fifth;
    return (int)((score + tenth - 1) / tenth);
}

/* 8.22 × AV × AC × PR × UI */
static int64_t exploitability(char av, char ac, char pr, char ui, bool changed) {
    int64_t privileges = changed ? WEIGHT(pr, "NLH", 85, 68, 50) : WEIGHT(pr, "NLH", 85, 62, 27);
    return INT64_C(822) * WEIGHT(av, "NALP", 85, 62, 55, 20) * WEIGHT(ac, "LH", 77, 44) * privileges *
           WEIGHT(ui, "NR", 85, 62) * 10000;
}

/* `sub` is the impact sub-score times 10^9. `factor` and `exponent` are those of the last term when scope changes. */
static int64_t impact(int64_t sub, bool changed, double factor, double exponent) {
    if (!changed)
        return 642 * sub * 1000;
    int64_t last = llround(3.25 * pow((double)sub / 1e9 * factor - 0.02, exponent) * (double)UNIT);
    return 752 * (sub - 29000000) * 1000 - last;
}

/* 1 - (1-c)(1-i)(1-a), each times 10,000; times 10^9. */
static int64_t sub_score(int c, int i, int a) {
    int64_t product = (int64_t)(10000 - c) * (10000 - i) * (10000 - a);
    return 1000000000 - product / 1000;
}

static int64_t together(int64_t impact, int64_t exploitability, bool changed) {
    if (impact <= 0)
        return 0;
    int64_t sum = impact + exploitability;
    return MIN(changed ? sum * 108 / 100 : sum, 10 * UNIT);
}

int cvss3_base(const CvssVector *vector, bool minor0) {
    bool changed = cvss_value(vector, "S") == 'C';
    int64_t sub =
        sub_score(impact_weight(cvss_value(vector, "C")) * 100, impact_weight(cvss_value(vector, "I")) * 100,
                  impact_weight(cvss_value(vector, "A")) * 100);
    int64_t reach = exploitability(cvss_value(vector, "AV"), cvss_value(vector, "AC"),
                                   cvss_value(vector, "PR"), cvss_value(vector, "UI"), changed);
    return round_up(together(impact(sub, changed, 1, 15), reach, changed), minor0);
}

int cvss3_temporal(const CvssVector *vector, int score, bool minor0) {
    int64_t product = (int64_t)score * WEIGHT(cvss_value_or(vector, "E", 'H'), "HFPU", 100, 97, 94, 91) *
                      WEIGHT(cvss_value_or(vector, "RL", 'U'), "UWTO", 100, 97, 96, 95) *
                      WEIGHT(cvss_value_or(vector, "RC", 'C'), "CRU", 100, 96, 92);
    return round_up(product * (UNIT / 10000000), minor0);
}

static int modified_impact(const CvssVector *vector, const char *metric, const char *required) {
    return impact_weight(cvss_effective(vector, metric)) * requirement(cvss_value_or(vector, required, 'M'));
}

int cvss3_environmental(const CvssVector *vector, bool minor0) {
    bool changed = cvss_effective(vector, "S") == 'C';
    int64_t sub = sub_score(modified_impact(vector, "C", "CR"), modified_impact(vector, "I", "IR"),
                            modified_impact(vector, "A", "AR"));
    sub = MIN(sub, 915000000);
    int64_t reach = exploitability(cvss_effective(vector, "AV"), cvss_effective(vector, "AC"),
                                   cvss_effective(vector, "PR"), cvss_effective(vector, "UI"), changed);
    int64_t harm = minor0 ? impact(sub, changed, 1, 15) : impact(sub, changed, 0.9731, 13);
    return cvss3_temporal(vector, round_up(together(harm, reach, changed), minor0), minor0);
}
