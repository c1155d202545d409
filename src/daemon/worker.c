#include "daemon/worker.h"
#include "csirt/csirt.h"
#include "csirt/letter.h"
#include "csirt/notify.h"
#include "daemon/child.h"
#include "pki/pki.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAIL_REST_US = 15000000, IDLE_MS = 1000, TROUBLE_MS = 5000, TICK_MS = 200 };

typedef struct {
    const char *kind;
    bool (*work)(Lane *lane, const VigieJob *job, GError **error);
} Handler;

static const Handler surveys[] = {{FLEET_JOB_SURVEY, worker_survey}, {0}};
static const Handler polls[] = {{MAIL_JOB_POLL, worker_poll}, {0}};
static const Handler filings[] = {{MAIL_JOB_INBOUND, worker_inbound}, {0}};
static const Handler lookups[] = {{CSIRT_JOB_CONTACTS, worker_contacts}, {0}};
static const Handler errands[] = {
    {MAIL_JOB_KIND, worker_mail},      {WORKER_ALARMS, worker_alarms},    {WORKER_CLEANING, worker_clean},
    {CSIRT_JOB_NOTICE, worker_notice}, {CSIRT_JOB_LETTER, worker_letter}, {CSIRT_JOB_FOLLOW, worker_follow},
    {CSIRT_JOB_WORDS, worker_words},   {CSIRT_JOB_ANCHOR, worker_anchor}, {0}};

/* Speak to servers that may never answer: a mail does not wait for that, nor the directory for servers that strangers name, nor
 * each of these for the one before. */
static const Handler directories[] = {{PKI_JOB_DIRECTORY, worker_directory}, {0}};
static const Handler challenges[] = {{PKI_JOB_CHALLENGE, worker_challenge}, {0}};

/* A lane, and what its thread shares with the keeper of leases. */
typedef struct {
    Lane lane;
    const Handler *handlers;
    bool keeps_time, tried; /* tried: to send mail */
    gint64 rest_until;      /* mail, monotonic µs */
    GMutex *lock;
    const VigieJob *job; /* under the lock */
} Track;

bool worker_mail(Lane *lane, const VigieJob *job, GError **error) {
    const Settings *settings = lane->settings;
    return mail_queue_send(lane->store, settings->server, job, lane->worker, settings->give_up,
                           vigie_config_zone(settings->config), lane->clock, error);
}

/* ---- A lane ---- */
static void pause_ms(int milliseconds) {
    for (int passed = 0; passed < milliseconds && !child_stop; passed += TICK_MS)
        g_usleep(TICK_MS * 1000);
}

/* A store that went away is opened anew. */
static bool open_store(Lane *lane) {
    if (lane->store)
        return true;
    g_autoptr(GError) error = NULL;
    lane->store = store_open(vigie_config_text(lane->settings->config, "store.url"), &error);
    if (!lane->store) {
        vigie_log(VIGIE_LOG_ERROR, "%s", error->message);
        pause_ms(TROUBLE_MS);
    }
    return lane->store != NULL;
}

static void store_trouble(Lane *lane, const GError *error) {
    vigie_log(VIGIE_LOG_ERROR, "%s", error->message);
    if (g_error_matches(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE))
        g_clear_pointer(&lane->store, store_close);
    pause_ms(TROUBLE_MS);
}

static void hold(Track *track, const VigieJob *job) {
    g_mutex_lock(track->lock);
    track->job = job;
    track->lane.stop = 0;
    g_mutex_unlock(track->lock);
}

static void do_job(Track *track, const VigieJob *job) {
    Lane *lane = &track->lane;
    const Handler *handler = track->handlers;
    while (strcmp(handler->kind, job->kind) != 0)
        handler++;
    hold(track, job);
    track->tried = track->tried || handler->work == worker_mail;
    g_autoptr(GError) error = NULL;
    bool done = handler->work(lane, job, &error);
    hold(track, NULL);
    if (done)
        return;
    vigie_log(VIGIE_LOG_WARNING, "job %" G_GINT64_FORMAT " (%s): %s", job->id, job->kind, error->message);
    g_autoptr(GError) failure = NULL;
    if (!store_job_failed(lane->store, job, lane->worker, error->message, lane->clock(), &failure))
        store_trouble(lane, failure);
}

static void take_or_wait(Track *track, const char *const *kinds) {
    Lane *lane = &track->lane;
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieJob) job = NULL;
    bool well = !track->keeps_time || worker_keep_time(lane, lane->clock(), &error);
    if (well)
        job = store_job_take(lane->store, kinds, lane->worker, lane->settings->lease, lane->clock(), &error);
    if (job)
        do_job(track, job);
    else if (error || !store_job_wait(lane->store, IDLE_MS, &error))
        store_trouble(lane, error);
}

/* Without a server mail waits; with one that does not answer it rests, so that a long queue is not tried in vain mail by mail,
 * each try a write. */
static bool rests(Track *track) {
    const VigieMailServer *server = track->lane.settings->server;
    if (!server)
        return true;
    if (mail_server_silent(server) && track->tried) {
        track->rest_until = g_get_monotonic_time() + MAIL_REST_US;
        track->tried = false;
    }
    return g_get_monotonic_time() < track->rest_until;
}

/* The kinds of job it may take now. */
static void choose_kinds(Track *track, const char **ret_kinds) {
    size_t count = 0;
    for (const Handler *handler = track->handlers; handler->kind; handler++)
        if (handler->work != worker_mail || !rests(track))
            ret_kinds[count++] = handler->kind;
    ret_kinds[count] = NULL;
}

static void *run_lane(void *data) {
    Track *track = data;
    const char *kinds[16];
    while (!child_stop)
        if (open_store(&track->lane)) {
            choose_kinds(track, kinds);
            take_or_wait(track, kinds);
        }
    g_clear_pointer(&track->lane.store, store_close);
    return NULL;
}

/* ---- The keeper of leases ---- */
/* Under the lock, so that no job ends while its lease is renewed. */
static void renew(VigieStore *store, Track *track) {
    g_autoptr(GError) error = NULL;
    if (!track->job || track->lane.stop ||
        store_job_renew(store, track->job, track->lane.worker, track->lane.settings->lease, vigie_time_now(),
                        &error))
        return;
    vigie_log(VIGIE_LOG_WARNING, "%s", error->message);
    if (g_error_matches(error, VIGIE_ERROR, VIGIE_ERROR_DENIED))
        track->lane.stop = 1;
}

/* Where a program rewrote /etc/resolv.conf, the new file lies outside our sandbox, which names the old one. */
static bool resolver_moved(ino_t *known) {
    struct stat about;
    ino_t now = stat("/etc/resolv.conf", &about) == 0 ? about.st_ino : 0;
    bool moved = *known != now && *known != 0 && now != 0;
    *known = now ? now : *known;
    return moved;
}

/* Renews three times a lease's length, and passes the word to end on to the lanes. */
static void keep_leases(VigieStore *store, Track *tracks, size_t count, GMutex *lock, int64_t lease) {
    int64_t renewed = g_get_monotonic_time();
    ino_t resolver = 0;
    while (!child_stop) {
        g_usleep(TICK_MS * 1000);
        if (resolver_moved(&resolver)) {
            vigie_log(VIGIE_LOG_NOTICE, "the name servers changed: the worker starts anew");
            child_stop = 1;
        }
        if (!mail_cell_alive(tracks[0].lane.cell)) {
            vigie_log(VIGIE_LOG_ERROR, "the process that reads mail ended: the worker starts anew");
            child_stop = 1;
        }
        if (g_get_monotonic_time() - renewed < lease * G_USEC_PER_SEC / 3)
            continue;
        renewed = g_get_monotonic_time();
        g_mutex_lock(lock);
        for (size_t i = 0; i < count; i++)
            renew(store, &tracks[i]);
        g_mutex_unlock(lock);
    }
    g_mutex_lock(lock);
    for (size_t i = 0; i < count; i++)
        tracks[i].lane.stop = 1;
    g_mutex_unlock(lock);
}

bool worker_run(const Settings *settings, VigieMailCell *cell, GError **error) {
    g_autoptr(VigieRules) rules = record_rules_load(error);
    g_autoptr(VigieStore) store =
        rules ? store_open(vigie_config_text(settings->config, "store.url"), error) : NULL;
    if (!store)
        return false;
    g_autofree char *name = g_strdup_printf("%s:%d:%08x", g_get_host_name(), (int)getpid(), g_random_int());
    Lane lane = {.settings = settings, .rules = rules, .worker = name, .clock = vigie_time_now, .cell = cell};
    GMutex lock;
    g_mutex_init(&lock);
    Track tracks[] = {
        {.lane = lane, .handlers = surveys, .lock = &lock},
        {.lane = lane, .handlers = polls, .lock = &lock},
        {.lane = lane, .handlers = filings, .lock = &lock},
        {.lane = lane, .handlers = lookups, .lock = &lock},
        {.lane = lane, .handlers = directories, .lock = &lock},
        {.lane = lane, .handlers = challenges, .lock = &lock},
        {.lane = lane, .handlers = challenges, .lock = &lock},
        {.lane = lane, .handlers = challenges, .lock = &lock},
        {.lane = lane, .handlers = challenges, .lock = &lock},
        {.lane = lane, .handlers = errands, .lock = &lock, .keeps_time = true},
    };
    GThread *threads[G_N_ELEMENTS(tracks)];
    for (size_t i = 0; i < G_N_ELEMENTS(tracks); i++)
        threads[i] = g_thread_new(tracks[i].handlers[0].kind, run_lane, &tracks[i]);
    child_ready(NULL);
    keep_leases(store, tracks, G_N_ELEMENTS(tracks), &lock, settings->lease);
    for (size_t i = 0; i < G_N_ELEMENTS(tracks); i++)
        g_thread_join(threads[i]);
    g_mutex_clear(&lock);
    return true;
}
