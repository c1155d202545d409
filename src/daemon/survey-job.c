/* One run of a survey: targets from the store, the engine on this thread, and a second thread that keeps what was
 * seen, many records in a transaction. A transaction is open only while records are written: it never waits for the
 * network with the store's lock in hand. */
#include "daemon/worker.h"
#include "survey/survey.h"

#include <string.h>

enum { BATCH = 200, WAITING_MAX = 2000 };

/* Records on their way from the engine to the store. */
typedef struct {
    const Settings *settings;
    int64_t run;
    GMutex lock;
    GCond changed;
    GQueue waiting; /* of VigieRecord, owned */
    bool closed;
    GError *error; /* why writing ended */
} Writer;

typedef struct {
    Writer *writer;
    Lane *lane;
    VigieFleetTargets *targets;
    GError *error; /* why reading targets ended */
} Run;

/* ---- Writing ---- */
static void record_free(VigieRecord *record) {
    vigie_record_clear(record);
    g_free(record);
}

static bool write_batch(VigieStore *store, const Writer *writer, VigieRecord **records, size_t count,
                        GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    if (!tx)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!fleet_observe(store, &writer->settings->policy, records[i]->target.tag, writer->run, records[i],
                           vigie_time_now(), error))
            return false;
    return store_commit(&tx, error);
}

/* Waits for records; 0: there will be no more. */
static size_t take_batch(Writer *writer, VigieRecord **records) {
    size_t count = 0;
    g_mutex_lock(&writer->lock);
    while (!writer->waiting.length && !writer->closed)
        g_cond_wait(&writer->changed, &writer->lock);
    while (count < BATCH && writer->waiting.length)
        records[count++] = g_queue_pop_head(&writer->waiting);
    g_cond_broadcast(&writer->changed);
    g_mutex_unlock(&writer->lock);
    return count;
}

static void give_up(Writer *writer, GError *error) {
    g_mutex_lock(&writer->lock);
    writer->error = error;
    g_cond_broadcast(&writer->changed);
    g_mutex_unlock(&writer->lock);
}

static void *write_records(void *data) {
    Writer *writer = data;
    GError *error = NULL;
    g_autoptr(VigieStore) store =
        store_open(vigie_config_text(writer->settings->config, "store.url"), &error);
    VigieRecord *records[BATCH];
    size_t count = 0;
    while (!error && (count = take_batch(writer, records)) > 0) {
        write_batch(store, writer, records, count, &error);
        for (size_t i = 0; i < count; i++)
            record_free(records[i]);
    }
    if (error)
        give_up(writer, error);
    return NULL;
}

/* ---- The engine's ends ---- */
static bool next_target(VigieTarget *ret_target, void *data) {
    Run *run = data;
    return !run->lane->stop && fleet_targets_next(run->targets, ret_target, &run->error);
}

static bool keep_record(VigieRecord *record, void *data) {
    Run *run = data;
    Writer *writer = run->writer;
    VigieRecord *stolen = g_memdup2(record, sizeof *record);
    memset(record, 0, sizeof *record);
    g_mutex_lock(&writer->lock);
    while (writer->waiting.length >= WAITING_MAX && !writer->error)
        g_cond_wait(&writer->changed, &writer->lock);
    g_queue_push_tail(&writer->waiting, stolen);
    g_cond_broadcast(&writer->changed);
    bool well = !writer->error;
    g_mutex_unlock(&writer->lock);
    return well && !run->lane->stop;
}

static VigieRoots *load_roots(const VigieConfig *config, GError **error) {
    g_autoptr(VigieRoots) roots = x509_roots_new();
    if (vigie_config_bool(config, "trust.system") && !x509_roots_add_system(roots, error))
        return NULL;
    const char *const *files = vigie_config_list(config, "trust.roots");
    for (size_t i = 0; files[i]; i++)
        if (!x509_roots_add_file(roots, files[i], NULL, NULL, error))
            return NULL;
    return g_steal_pointer(&roots);
}

/* Surveys what is left of the run; true when all of it was seen and kept. */
static bool examine(Run *run, const VigieRoots *roots, VigieDepth depth, GError **error) {
    Writer *writer = run->writer;
    const Settings *settings = run->lane->settings;
    VigieSurveyOptions options = survey_options_default();
    options.depth = depth;
    options.parallel = settings->parallel;
    options.rate = settings->rate;
    options.roots = roots;
    options.rules = run->lane->rules;
    GThread *thread = g_thread_new("writer", write_records, writer);
    VigieSurveyProgress progress = {0};
    bool well = survey_run(&options, next_target, run, keep_record, run, &run->lane->stop, &progress, error);
    g_mutex_lock(&writer->lock);
    writer->closed = true;
    g_cond_broadcast(&writer->changed);
    g_mutex_unlock(&writer->lock);
    g_thread_join(thread);
    GError *failures[] = {run->error, writer->error};
    for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
        if (failures[i] && well)
            g_propagate_error(error, failures[i]);
        else
            g_clear_error(&failures[i]);
        well = well && !failures[i];
    }
    vigie_log(VIGIE_LOG_INFO, "survey %" G_GINT64_FORMAT ": %" G_GUINT64_FORMAT " endpoints in %.1f s",
              writer->run, progress.ended, progress.seconds);
    return well;
}

/* ---- The job ---- */
static bool end_run(Lane *lane, const VigieJob *job, int64_t run, GError **error) {
    VigieTime now = lane->clock();
    g_autoptr(VigieTransaction) tx = store_begin(lane->store, error);
    return tx && fleet_survey_finish(lane->store, run, NULL, now, error) &&
           worker_alarms_ask(lane->store, now, error) &&
           store_job_done(lane->store, job, lane->worker, error) && store_commit(&tx, error);
}

/* The process ends, not the run: it goes on where it was, at once and as a first try. Where the lease was lost, it is
 * somebody else's. */
static bool hand_back(Lane *lane, const VigieJob *job, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(lane->store, error);
    g_autoptr(GError) lost = NULL;
    if (tx && !store_job_done(lane->store, job, lane->worker, &lost))
        return true;
    return tx &&
           store_job_add(lane->store, job->kind, job->payload, lane->clock(), job->unique_key, NULL, error) &&
           store_commit(&tx, error);
}

/* The last try: the run itself has failed, and says why. */
static void give_up_run(Lane *lane, const VigieJob *job, int64_t run, const GError *reason) {
    g_autoptr(GError) error = NULL;
    if (job->tries >= STORE_JOB_TRIES &&
        !fleet_survey_finish(lane->store, run, reason->message, lane->clock(), &error))
        vigie_log(VIGIE_LOG_ERROR, "survey %" G_GINT64_FORMAT ": %s", run, error->message);
}

bool worker_survey(Lane *lane, const VigieJob *job, GError **error) {
    Writer writer = {.settings = lane->settings,
                     .run = json_integer_value(json_object_get(job->payload, "run"))};
    g_mutex_init(&writer.lock);
    g_cond_init(&writer.changed);
    g_queue_init(&writer.waiting);
    VigieDepth depth = VIGIE_DEPTH_CERTIFICATE;
    GError *failure = NULL;
    g_autoptr(VigieRoots) roots = load_roots(lane->settings->config, &failure);
    g_autoptr(VigieFleetTargets) targets =
        roots ? fleet_survey_targets(lane->store, writer.run, lane->clock(), &depth, &failure) : NULL;
    Run run = {.writer = &writer, .lane = lane, .targets = targets};
    bool well = targets && examine(&run, roots, depth, &failure);
    g_clear_pointer(&targets, fleet_targets_free);
    g_queue_clear_full(&writer.waiting, (GDestroyNotify)record_free);
    g_cond_clear(&writer.changed);
    g_mutex_clear(&writer.lock);
    if (failure) {
        give_up_run(lane, job, writer.run, failure);
        g_propagate_error(error, failure);
        return false;
    }
    return well && !lane->stop ? end_run(lane, job, writer.run, error) : hand_back(lane, job, error);
}
