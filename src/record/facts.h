/* What rules may ask of a record, each fact by a name: "clock.drift_seconds", "trust.verdict". The table in
 * facts.c is the vocabulary of knowledge/findings.json. */
#pragma once

#include "record/record.h"

typedef enum {
    FACT_BOOL,
    FACT_INT,
    FACT_TEXT,
    FACT_TIME,
    FACT_VERSIONS, /* a mask of 1 << VigieVersion; in JSON an array of names */
    FACT_DIGEST,   /* 32 octets; in JSON lower-case hexadecimal; for evidence only */
    FACT_NAMES,    /* in JSON an array of texts; conditions only see how many there are */
} FactKind;

typedef struct {
    union {
        bool yes;
        int64_t number; /* FACT_INT, FACT_TIME; FACT_NAMES: how many */
        const char *text;
        unsigned versions;
        const uint8_t *digest;
    };
} FactValue;

/* A record as rules look at it. */
typedef struct {
    const VigieRecord *record;
    VigieTime now;
    const VigieCertificate *leaf;        /* NULL where no chain was seen, as all below */
    const VigieCertificate *judged;      /* that of which the verdict speaks */
    const VigieCertificate *expired;     /* the first whose validity has ended */
    const VigieCertificate *ending;      /* the valid one that ends first */
    const VigieCertificate *early;       /* the first whose validity has not begun */
    const VigieCertificate *weak_key;    /* the first with a key too short */
    const VigieCertificate *weak_digest; /* the first signed with a digest that is refused */
} FactView;

typedef struct {
    const char *name;
    FactKind kind;
    /* False where it is not known: then no condition on it holds, and evidence leaves it out. */
    bool (*get)(const FactView *view, FactValue *ret_value);
    json_t *(*names)(const FactView *view); /* FACT_NAMES: the array */
} Fact;

const Fact *fact_find(const char *name);
FactView fact_view(const VigieRecord *record, VigieTime now);
/* The fact as JSON, or NULL where it is not known. A new reference. */
json_t *fact_json(const Fact *fact, const FactView *view);
