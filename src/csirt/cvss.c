/* CVSS vectors: read, checked and written in the order of the specification; scored by version. */
#include "csirt/cvss.h"

#include <string.h>

/* clang-format off */
const CvssMetric cvss3_metrics[22] = {
    {"AV", "N A L P", METRIC_BASE}, {"AC", "L H", METRIC_BASE}, {"PR", "N L H", METRIC_BASE}, {"UI", "N R", METRIC_BASE},
    {"S", "U C", METRIC_BASE}, {"C", "H L N", METRIC_BASE}, {"I", "H L N", METRIC_BASE}, {"A", "H L N", METRIC_BASE},
    {"E", "X H F P U", METRIC_THREAT}, {"RL", "X U W T O", METRIC_THREAT}, {"RC", "X C R U", METRIC_THREAT},
    {"CR", "X H M L", METRIC_ENVIRONMENT}, {"IR", "X H M L", METRIC_ENVIRONMENT}, {"AR", "X H M L", METRIC_ENVIRONMENT},
    {"MAV", "X N A L P", METRIC_ENVIRONMENT}, {"MAC", "X L H", METRIC_ENVIRONMENT}, {"MPR", "X N L H", METRIC_ENVIRONMENT},
    {"MUI", "X N R", METRIC_ENVIRONMENT}, {"MS", "X U C", METRIC_ENVIRONMENT}, {"MC", "X H L N", METRIC_ENVIRONMENT},
    {"MI", "X H L N", METRIC_ENVIRONMENT}, {"MA", "X H L N", METRIC_ENVIRONMENT},
};

const CvssMetric cvss4_metrics[32] = {
    {"AV", "N A L P", METRIC_BASE}, {"AC", "L H", METRIC_BASE}, {"AT", "N P", METRIC_BASE}, {"PR", "N L H", METRIC_BASE},
    {"UI", "N P A", METRIC_BASE}, {"VC", "H L N", METRIC_BASE}, {"VI", "H L N", METRIC_BASE}, {"VA", "H L N", METRIC_BASE},
    {"SC", "H L N", METRIC_BASE}, {"SI", "H L N", METRIC_BASE}, {"SA", "H L N", METRIC_BASE},
    {"E", "X A P U", METRIC_THREAT},
    {"CR", "X H M L", METRIC_ENVIRONMENT}, {"IR", "X H M L", METRIC_ENVIRONMENT}, {"AR", "X H M L", METRIC_ENVIRONMENT},
    {"MAV", "X N A L P", METRIC_ENVIRONMENT}, {"MAC", "X L H", METRIC_ENVIRONMENT}, {"MAT", "X N P", METRIC_ENVIRONMENT},
    {"MPR", "X N L H", METRIC_ENVIRONMENT}, {"MUI", "X N P A", METRIC_ENVIRONMENT}, {"MVC", "X H L N", METRIC_ENVIRONMENT},
    {"MVI", "X H L N", METRIC_ENVIRONMENT}, {"MVA", "X H L N", METRIC_ENVIRONMENT}, {"MSC", "X H L N", METRIC_ENVIRONMENT},
    {"MSI", "X S H L N", METRIC_ENVIRONMENT}, {"MSA", "X S H L N", METRIC_ENVIRONMENT},
    {"S", "X N P", METRIC_SUPPLEMENTAL}, {"AU", "X N Y", METRIC_SUPPLEMENTAL}, {"R", "X A U I", METRIC_SUPPLEMENTAL},
    {"V", "X D C", METRIC_SUPPLEMENTAL}, {"RE", "X L M H", METRIC_SUPPLEMENTAL}, {"U", "X Clear Green Amber Red", METRIC_SUPPLEMENTAL},
};

static const struct {
    const char *version, *prefix;
    const CvssMetric *metrics;
    size_t count;
} versions[] = {
    {"3.0", "CVSS:3.0/", cvss3_metrics, G_N_ELEMENTS(cvss3_metrics)},
    {"3.1", "CVSS:3.1/", cvss3_metrics, G_N_ELEMENTS(cvss3_metrics)},
    {"4.0", "CVSS:4.0/", cvss4_metrics, G_N_ELEMENTS(cvss4_metrics)},
};
/* clang-format on */

enum { VERSION_30, VERSION_40 = 2 }; /* positions above */

const char *csirt_cvss_severity_name(VigieCvssSeverity severity) {
    static const char *const names[] = {"none", "low", "medium", "high", "critical"};
    return names[severity];
}

static size_t metric_index(const CvssVector *vector, const char *name, size_t size) {
    size_t i = 0;
    while (i < vector->count &&
           (strlen(vector->metrics[i].name) != size || memcmp(vector->metrics[i].name, name, size) != 0))
        i++;
    return i;
}

char cvss_value(const CvssVector *vector, const char *name) {
    size_t i = metric_index(vector, name, strlen(name));
    g_assert(i < vector->count);
    return vector->values[i];
}

char cvss_value_or(const CvssVector *vector, const char *name, char otherwise) {
    char value = cvss_value(vector, name);
    return value ? value : otherwise;
}

char cvss_effective(const CvssVector *vector, const char *name) {
    char modified[8];
    g_snprintf(modified, sizeof modified, "M%s", name);
    return cvss_value_or(vector, modified, cvss_value(vector, name));
}

/* ---- Reading ---------------------------------------------------------------------------------------------- */
static bool refuse(GError **error, const char *what, size_t size, const char *why) {
    g_autofree char *printable = g_utf8_make_valid(what, (gssize)MIN(size, 24));
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "CVSS vector, “%s”: %s", printable, why);
    return false;
}

/* The word of `values` that is the `size` bytes at `text`; NULL where it is none of them. */
static const char *find_value(const char *values, const char *text, size_t size) {
    for (const char *word = values; *word;) {
        size_t length = strcspn(word, " ");
        if (length == size && memcmp(word, text, size) == 0)
            return word;
        word += length;
        word += *word == ' ';
    }
    return NULL;
}

/* One "metric:value". X is remembered as such until the end, so that a second one is seen. */
static bool read_metric(CvssVector *vector, const char *text, size_t size, GError **error) {
    const char *colon = memchr(text, ':', size);
    if (!colon)
        return refuse(error, text, size, "metric and value are written with a colon between them, as AV:N");
    size_t name = (size_t)(colon - text);
    size_t i = metric_index(vector, text, name);
    if (i == vector->count)
        return refuse(error, text, name, "there is no such metric in this version");
    if (vector->values[i])
        return refuse(error, text, name, "the metric is given twice");
    const char *value = find_value(vector->metrics[i].values, colon + 1, size - name - 1);
    if (!value) {
        g_autofree char *why =
            g_strdup_printf("the values of %s are %s", vector->metrics[i].name, vector->metrics[i].values);
        return refuse(error, text, size, why);
    }
    vector->values[i] = *value;
    return true;
}

static bool read_metrics(CvssVector *vector, const char *text, GError **error) {
    for (bool more = true; more;) {
        size_t size = strcspn(text, "/");
        more = text[size] == '/';
        if (!read_metric(vector, text, size, error))
            return false;
        text += size + more;
    }
    for (size_t i = 0; i < vector->count; i++) {
        const char *name = vector->metrics[i].name;
        if (vector->metrics[i].group == METRIC_BASE && !vector->values[i])
            return refuse(error, name, strlen(name), "this metric is missing, every vector has it");
        if (vector->values[i] == 'X')
            vector->values[i] = '\0';
    }
    return true;
}

static void write_vector(const CvssVector *vector, const char *prefix, char *out) {
    size_t at = g_strlcpy(out, prefix, CSIRT_CVSS_VECTOR_MAX) - 1;
    for (size_t i = 0; i < vector->count; i++) {
        const char *value = vector->metrics[i].values;
        if (!vector->values[i])
            continue;
        while (*value != vector->values[i])
            value = strchr(value, ' ') + 1;
        at += (size_t)g_snprintf(out + at, CSIRT_CVSS_VECTOR_MAX - at, "/%s:%.*s", vector->metrics[i].name,
                                 (int)strcspn(value, " "), value);
    }
}

/* ---- Scoring ---------------------------------------------------------------------------------------------- */
static bool has(const CvssVector *vector, MetricGroup group) {
    for (size_t i = 0; i < vector->count; i++)
        if (vector->metrics[i].group == group && vector->values[i])
            return true;
    return false;
}

static VigieCvssSeverity severity(int score) {
    static const int least[] = {0, 1, 40, 70, 90};
    int i = CSIRT_CVSS_CRITICAL;
    while (score < least[i])
        i--;
    return (VigieCvssSeverity)i;
}

static int base_score(const CvssVector *vector, size_t version) {
    if (version != VERSION_40)
        return cvss3_base(vector, version == VERSION_30);
    CvssVector base = *vector;
    for (size_t i = 0; i < base.count; i++)
        if (base.metrics[i].group != METRIC_BASE)
            base.values[i] = '\0';
    return cvss4_score(&base);
}

static int full_score(const CvssVector *vector, size_t version, int base) {
    if (version == VERSION_40)
        return cvss4_score(vector);
    /* 3.1's environmental formula without any environmental metric differs from the base score in some vectors. */
    bool minor0 = version == VERSION_30;
    return has(vector, METRIC_ENVIRONMENT) ? cvss3_environmental(vector, minor0)
                                           : cvss3_temporal(vector, base, minor0);
}

bool csirt_cvss_score(const char *text, VigieCvss *ret_cvss, GError **error) {
    static const char *const groups[2][2] = {{"B", "BE"}, {"BT", "BTE"}};
    size_t version = 0;
    while (version < G_N_ELEMENTS(versions) && !g_str_has_prefix(text, versions[version].prefix))
        version++;
    if (version == G_N_ELEMENTS(versions))
        return refuse(error, text, strnlen(text, 24), "it begins with CVSS:3.0/, CVSS:3.1/ or CVSS:4.0/");
    CvssVector vector = {.metrics = versions[version].metrics, .count = versions[version].count};
    if (!read_metrics(&vector, text + strlen(versions[version].prefix), error))
        return false;
    int base = base_score(&vector, version), score = full_score(&vector, version, base);
    *ret_cvss = (VigieCvss){.version = versions[version].version,
                            .groups = groups[has(&vector, METRIC_THREAT)][has(&vector, METRIC_ENVIRONMENT)],
                            .score = score,
                            .base = base,
                            .severity = severity(score)};
    write_vector(&vector, versions[version].prefix, ret_cvss->vector);
    return true;
}
