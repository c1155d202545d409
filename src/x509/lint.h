/* lint: a certificate taken apart once for all checks; each answers whether its rule is broken, and may say where. */
#pragma once

#include "x509/view.h"
#include "x509/x509.h"

enum { LINT_EXTENSIONS_MAX = 64 };

typedef enum {
    AKI,
    SKI,
    KEY_USAGE,
    POLICIES,
    ALTERNATIVE,
    BASIC,
    CONSTRAINTS,
    MAPPINGS,
    PURPOSES,
    POINTS,
    ACCESS,
    FRESHEST,
    STATEMENTS,
    KNOWN
} Known;

typedef struct {
    bool present, critical;
    VigieBytes value;
} Extension;

typedef struct {
    X509View view;
    VigieCertificate *certificate;
    Extension extensions[KNOWN];
    bool duplicate, unknown_critical, server, purposes_any;
    bool basic_ca, basic_path_length;
    bool key_usage_empty;
    uint16_t key_usage; /* bit 0 is 0x8000 */
    char detail[128];
} Lint;

enum {
    USE_SIGN = 0x8000,
    USE_COMMIT = 0x4000, /* contentCommitment, once nonRepudiation */
    USE_ENCIPHER_KEYS = 0x2000,
    USE_ENCIPHER_DATA = 0x1000,
    USE_AGREE = 0x0800,
    USE_SIGN_CERTIFICATES = 0x0400,
};

typedef struct {
    const char *id;
    bool warning;
    const char *clause;
    bool (*broken)(Lint *lint);
} LintCheck;

/* ETSI EN 319 412, for certificates that claim to follow it; ends in a row of NULL. */
extern const LintCheck lint_etsi_checks[];

/* A broken rule among what was found; `detail` may be cut where it is no UTF-8. */
void lint_add(json_t *found, const char *id, bool warning, const char *clause, const char *detail);
/* lint-list.c: is it a rule of revocation lists? */
bool lint_list_known(const char *id);

/* Says where; true. */
bool lint_tell(Lint *lint, const char *text);
