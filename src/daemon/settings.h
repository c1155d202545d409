/* What the processes read from the configuration, each value checked: the supervisor refuses to start, with one line,
 * what a child would refuse later. */
#pragma once

#include "csirt/csirt.h"
#include "daemon/daemon.h"
#include "fleet/fleet.h"
#include "mail/mail.h"

typedef struct {
    VigieConfig *config;     /* owned */
    VigieMailServer *server; /* owned; NULL: mail is off */
    GPtrArray *mailboxes;    /* owned, of VigieMailbox */
    VigieTeam *team;         /* owned; NULL: no CSIRT works here */
    VigieFleetPolicy policy;
    VigieSchedule surveys;
    VigieDepth depth;
    unsigned parallel, rate;
    int64_t poll_every, lease, give_up, keep_observations, keep_mail, keep_evidence, keep_refused;
} Settings;

Settings *settings_load(const char *config_path, GError **error);
void settings_free(Settings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Settings, settings_free)

/* The folder that holds a SQLite store, absolute, made (mode 0700) where it is missing; NULL for PostgreSQL: without
 * an error. Free with g_free. */
char *settings_store_folder(const VigieConfig *config, GError **error);
