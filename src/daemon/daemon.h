/* daemon: the processes.
 *
 * `vigie serve` is a supervisor that binds the portal's address, drops root, brings the store's schema up to date
 * and starts its children, each a fresh execution of this program: the portal, which speaks HTTP; the worker, which
 * speaks to the outside (surveys, mail); and where the configuration names authorities for it, the signer, which has
 * their keys, an account of its own where one is named, and nobody to speak to but the portal, for whom it signs OCSP answers
 * (keeper.h, responder.h). A child that dies is started again, after a back-off. Each is
 * sandboxed before it reads anything from a stranger: no privileges, no new ones, only the files it needs
 * (landlock), only the system calls it needs (seccomp), no core dumps; see doc/decisions.
 *
 * Several machines may serve the same PostgreSQL store: the worker's jobs are leased, schedules are claimed.
 */
#pragma once

#include "base/base.h"
#include "store/store.h"

/* ---- Serving ---- */
typedef struct {
    const char *config_path; /* as given, NULL: the default place */
    const char *listen;      /* instead of portal.listen, or NULL */
} VigieServeOptions;

/* The supervisor. Returns after SIGTERM or SIGINT, all children ended; an error where it could not start. SIGHUP
 * reads the configuration again and, where it is good, starts the children anew. */
bool daemon_serve(const VigieServeOptions *options, GError **error);
/* What a child does: `role` is "portal", "worker" or "signer". For the supervisor's use: it expects its descriptors, and hears
 * why it was false. */
bool daemon_child(const VigieServeOptions *options, const char *role);

/* ---- Schedules ---- */
enum { DAEMON_SLOTS_MAX = 32 };

/* Times of the week at which something is due, in local time. */
typedef struct {
    struct {
        int day;    /* 1 Monday … 7 Sunday; 0: every day */
        int minute; /* of the day */
    } slots[DAEMON_SLOTS_MAX];
    size_t count;
} VigieSchedule;

/* Each of `texts` is "HH:MM" or "DAY HH:MM", DAY mon … sun. INVALID with an example. */
bool daemon_schedule_parse(const char *const *texts, VigieSchedule *ret_schedule, GError **error);
/* The latest time at or before `now` that the schedule names; 0 where it is empty. A time that the clocks skip in
 * spring is due when they have skipped it, one that they repeat in autumn is due once. */
VigieTime daemon_schedule_last(const VigieSchedule *schedule, GTimeZone *zone, VigieTime now);
/* The first one after `now`; 0 where it is empty. */
VigieTime daemon_schedule_next(const VigieSchedule *schedule, GTimeZone *zone, VigieTime now);

/* ---- Looking after oneself ---- */
typedef struct {
    const char *config_path; /* NULL: the default place */
    const char *send_test;   /* an address to send a test message to, or NULL */
    VigieLang lang;
} VigieDoctorOptions;

/* Tests every path, permission, key and server that the configuration names: { "state": the worst, "time", "checks":
 * [ { "id", "state": "well" "soon" "broken" "unknown", "what": …, "remedy": … or null } ] } in the language asked
 * for. Never fails: what cannot be tested is said. */
json_t *daemon_doctor(const VigieDoctorOptions *options);
