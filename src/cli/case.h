/* case: what the subcommands of `vigie case` share. */
#pragma once

#include "cli/cli.h"
#include "csirt/csirt.h"

typedef struct {
    char *config, *account, *domain, *observed, *advice, *expected, *language, *reason, *note, *target, *name,
        *fingerprint, *out;
    int days, every, year;
    gboolean json, ask, reject;
    VigieLang lang;
    VigieStore *store;
    VigieConfig *settings;
    VigieTeam *team;
    VigieAnalyst who;
    VigieTime now;
    char **rest; /* what follows the subcommand, NULL-terminated */
} CaseCall;

typedef struct {
    const char *name;
    bool (*run)(CaseCall *call, GError **error);
    int least, most; /* of what follows */
} CaseCommand;

/* The case that the first argument names, as people write references. */
bool case_of(const CaseCall *call, int64_t *ret_id, GError **error);
bool case_number(const char *text, int64_t *ret_number, GError **error);
bool case_refuse(GError **error, const char *what);
/* With --json the value itself, else what `print` writes of it. `value` is taken; NULL: an error was set. */
bool case_show(const CaseCall *call, json_t *value, void (*print)(const CaseCall *call, const json_t *value));
/* A member's text, "–" where there is none. */
const char *case_text(const json_t *value, const char *member);

/* case-notify.c: contacts, verification, notices, follow-up; case-report.c: documents. The last row is zero. */
extern const CaseCommand case_notify_commands[], case_report_commands[];
