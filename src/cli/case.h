/* case: what the subcommands of `vigie case` share. */
#pragma once

#include "cli/cli.h"
#include "csirt/csirt.h"

typedef struct {
    /* who is told */
    char *domain, *observed, *advice, *expected, *language, *note, *target, *fingerprint;
    int days, every, year;
    gboolean ask, reject;
    /* which cases, and what of them */
    char *state, *kind, *tlp, *pap, *assignee, *title, *organisation, *text, *source, *channel, *mail, *phone,
        *role, *due, *owner, *evidence, *audiences, *members, *ends, *sees;
    char **facts;
    gint64 organisation_id, band, page, withdraw;
    gboolean overdue, urgent, remove;
    /* both */
    char *config, *account, *reason, *name, *out, *anchor;
    gboolean json;

    VigieLang lang;
    VigieStore *store;
    VigieConfig *settings;
    VigieTeam *team;
    VigieAnalyst who;
    VigieTime now;
    char **rest; /* what follows the subcommand, NULL-terminated */
    int status;  /* of the exit, where the command could do its work */
} CaseCall;

typedef struct {
    const char *name;
    bool (*run)(CaseCall *call, GError **error);
    const char *usage; /* what follows it: a form is name and usage, see cli_parse */
} CaseCommand;

/* The case that the first argument names, as people write references. */
bool case_of(const CaseCall *call, int64_t *ret_id, GError **error);
bool case_number(const char *text, int64_t *ret_number, GError **error);
bool case_refuse(GError **error, const char *what);
/* INVALID's sister: the account does not work at the desk. */
bool case_denied(GError **error);
/* With --json the value itself, else what `print` writes of it. `value` is taken; NULL: an error was set. */
bool case_show(const CaseCall *call, json_t *value, void (*print)(const CaseCall *call, const json_t *value));
/* A member's text, "–" where there is none. */
const char *case_text(const json_t *value, const char *member);
/* "a,b" as [ "a", "b" ]; NULL where the text is. */
json_t *case_list_of(const char *text);

/* case-read.c: what only looks; case-work.c: what changes a case; case-notify.c: contacts, verification, notices, follow-up;
 * case-report.c: documents. The last row is zero. */
extern const CaseCommand case_read_commands[], case_work_commands[], case_notify_commands[],
    case_report_commands[];

/* case-pack.c: files for who has no OpenPGP. */
bool case_pack(CaseCall *call, GError **error);

/* ---- Printing (case-print.c) ---- */
void case_print_list(const CaseCall *call, const json_t *page);
void case_print_case(const CaseCall *call, const json_t *a_case);
void case_print_load(const CaseCall *call, const json_t *load);
void case_print_tasks(const CaseCall *call, const json_t *tasks);
void case_print_check(const CaseCall *call, const json_t *report);
void case_print_release(const CaseCall *call, const json_t *release);
/* The words of `key`, with one placeholder. */
void case_say(const CaseCall *call, const char *key, const char *name, const char *value);
