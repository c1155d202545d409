/* ca: what the subcommands of `vigie ca` share. */
#pragma once

#include "cli/cli.h"
#include "pki/pki.h"

typedef struct {
    char *config, *authority, *profile, *reason, *out, *requester, *validator, *to, *out_password_file;
    char **passphrase_files, **csrs, **names, **fields, **witnesses;
    GPtrArray *present; /* names of who is there: --present, and whose shares were given */
    int days, rate;
    gboolean json, pem, accept_names, full, check;
    bool wrong;           /* something that was asked for was refused */
    CliSecret passphrase; /* that serves for all, once it was read */
    VigieLang lang;
    VigieStore *store;
    VigieConfig *settings;
    VigieTime now;
    char *who;
    char **rest; /* what follows the subcommand, NULL-terminated */
} Ca;

/* ca-people.c */
/* The passphrase of an authority: --passphrase-file NAME=SOURCE or SOURCE, else asked, of those who share it where it is
 * shared. A VigiePassphrase. */
char *ca_passphrase(const char *authority, bool new_key, void *ca, GError **error);
/* A VigieShareGiven. */
char *ca_share_give(const char *authority, int number, int of, const char *code, void *ca, GError **error);
/* An authority with its key. */
VigieAuthority *ca_open(Ca *ca, const char *name, GError **error);
bool ca_refuse(GError **error, const char *what);
void ca_print_json(const json_t *value);

/* ca-issue.c */
bool ca_issue(Ca *ca, GError **error);
bool ca_revoke(Ca *ca, GError **error);
bool ca_certificates(Ca *ca, GError **error);
bool ca_certificate(Ca *ca, GError **error);
bool ca_profiles(Ca *ca, GError **error);

/* ca-publish.c */
bool ca_crl(Ca *ca, GError **error);
bool ca_publish(Ca *ca, GError **error);
bool ca_directory(Ca *ca, GError **error);
bool ca_responder(Ca *ca, GError **error);
bool ca_answers(Ca *ca, GError **error);
bool ca_answer(Ca *ca, GError **error);
/* The one named, or the only one that issues this profile. Free with g_free. */
char *ca_choose_authority(const Ca *ca, GError **error);

/* ca-trouble.c */
bool ca_list(Ca *ca, GError **error);
bool ca_compromise(Ca *ca, GError **error);
bool ca_reissue(Ca *ca, GError **error);
bool ca_destroy(Ca *ca, GError **error);
bool ca_adopt(Ca *ca, GError **error);

/* ca-renew.c */
bool ca_renew(Ca *ca, GError **error);
