/* Vectors as read, between reading them (cvss.c) and the arithmetic of each version (cvss3.c, cvss4.c). */
#pragma once

#include "csirt/rules.h"

enum { CVSS_METRICS_MAX = 32 };

typedef enum { METRIC_BASE, METRIC_THREAT, METRIC_ENVIRONMENT, METRIC_SUPPLEMENTAL } MetricGroup;

typedef struct {
    const char *name,
        *values; /* separated by spaces; no two begin with the same letter; "X" is allowed unless base */
    MetricGroup group;
} CvssMetric;

typedef struct {
    const CvssMetric *metrics;
    size_t count;
    char values[CVSS_METRICS_MAX]; /* the first letter of each metric's value; '\0': not defined */
} CvssVector;

extern const CvssMetric cvss3_metrics[22], cvss4_metrics[32];

/* The value of a metric, '\0' where it is not defined. An unknown name is a bug of the caller: aborts. */
char cvss_value(const CvssVector *vector, const char *name);
/* The same, or `otherwise`. */
char cvss_value_or(const CvssVector *vector, const char *name, char otherwise);
/* The modified metric where it is defined, else the base one: "MAV" or "AV" for "AV". */
char cvss_effective(const CvssVector *vector, const char *name);

/* Times 10. `minor0`: as version 3.0 rounds. */
int cvss3_base(const CvssVector *vector, bool minor0);
int cvss3_temporal(const CvssVector *vector, int base, bool minor0);
int cvss3_environmental(const CvssVector *vector, bool minor0);
int cvss4_score(const CvssVector *vector);
