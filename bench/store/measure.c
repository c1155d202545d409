/* What the store costs: store-measure URL prints lines of FIGURE, unit, rate per second, µs of this process's CPU.
 *
 * An observation is what a survey writes for one endpoint: its id, a time, an outcome, a hash and a record of 800
 * bytes. A commit is told when it is on the disk, so its size decides the rate. */
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { RECORD_SIZE = 800, READS = 20000, JOBS = 2000 };

static void die(const GError *error) {
    if (!error)
        return;
    fprintf(stderr, "store-measure: %s\n", error->message);
    exit(2);
}

static void exec(VigieStore *store, const char *sql) {
    g_autoptr(GError) error = NULL;
    store_exec(store, &error, sql, "");
    die(error);
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

typedef struct {
    gint64 wall;
    double cpu;
} Start;

static Start start(void) {
    return (Start){.wall = g_get_monotonic_time(), .cpu = cpu_seconds()};
}

static void tell(const char *figure, const char *unit, Start since, int count) {
    double seconds = (double)(g_get_monotonic_time() - since.wall) / 1e6;
    double cpu = (cpu_seconds() - since.cpu) * 1e6 / count;
    printf("%s\t%s\t%.0f\t%.1f\n", figure, unit, count / seconds, cpu);
    fflush(stdout);
}

static void observe(VigieStore *store, int64_t endpoint, const char *record) {
    uint8_t hash[32];
    memset(hash, (int)(endpoint & 0xff), sizeof hash);
    VigieBytes bytes = {hash, sizeof hash};
    g_autoptr(GError) error = NULL;
    store_exec(store, &error,
               "INSERT INTO measured (endpoint, time, outcome, hash, record) VALUES ($1, $2, $3, $4, $5)",
               "iitbt", endpoint, (int64_t)1800000000 + endpoint, "ok", &bytes, record);
    die(error);
}

/* `count` observations, `group` of them to a commit. */
static void measure_commits(VigieStore *store, int group, int count) {
    char record[RECORD_SIZE + 1];
    memset(record, 'r', RECORD_SIZE);
    record[RECORD_SIZE] = '\0';
    exec(store, "DELETE FROM measured");
    Start since = start();
    for (int done = 0; done < count;) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VigieTransaction) tx = store_begin(store, &error);
        die(error);
        for (int i = 0; i < group; i++)
            observe(store, done++, record);
        store_commit(&tx, &error);
        die(error);
    }
    g_autofree char *figure = g_strdup_printf("write, %d to a commit", group);
    tell(figure, "observations", since, count);
}

typedef struct {
    const char *url;
    VigieStoreGroup *group;
    int64_t endpoint, end;
    char record[RECORD_SIZE + 1];
} Writer;

static bool write_one(VigieStore *store, void *data, GError **error) {
    (void)error;
    Writer *writer = data;
    observe(store, writer->endpoint++, writer->record);
    return true;
}

static void *run_writer(void *data) {
    Writer *writer = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieStore) store = store_open(writer->url, &error);
    die(error);
    while (writer->endpoint < writer->end &&
           store_group_write(writer->group, store, write_one, writer, &error))
        ;
    die(error);
    return NULL;
}

/* Each thread waits for the disk before it writes its next. */
static void measure_group(VigieStore *store, const char *url, int threads, int count) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieStoreGroup) group = store_group_open(url, &error);
    die(error);
    g_autofree Writer *writers = g_new0(Writer, (gsize)threads);
    g_autofree GThread **running = g_new0(GThread *, (gsize)threads);
    exec(store, "DELETE FROM measured");
    Start since = start();
    for (int i = 0; i < threads; i++) {
        int64_t first = (int64_t)i * count;
        writers[i] = (Writer){.url = url, .group = group, .endpoint = first, .end = first + count / threads};
        memset(writers[i].record, 'r', RECORD_SIZE);
        running[i] = g_thread_new("writer", run_writer, &writers[i]);
    }
    for (int i = 0; i < threads; i++)
        g_thread_join(running[i]);
    g_autofree char *figure = g_strdup_printf("write, %d threads, shared commits", threads);
    tell(figure, "observations", since, count);
}

static void measure_reads(VigieStore *store) {
    g_autoptr(GError) error = NULL;
    Start since = start();
    for (int64_t i = 0; i < READS; i++) {
        g_autoptr(VigieRows) rows = store_query(
            store, &error, "SELECT endpoint, time, outcome, hash, record FROM measured WHERE endpoint = $1",
            "i", i * 7919 % READS);
        while (rows && rows_next(rows, &error))
            g_assert(strlen(rows_text(rows, 4)) == RECORD_SIZE);
        die(error);
    }
    tell("read one by its key", "observations", since, READS);
    since = start();
    g_autoptr(VigieRows) rows =
        store_query(store, &error, "SELECT endpoint, time, outcome, hash, record FROM measured", "");
    int count = 0;
    for (; rows && rows_next(rows, &error); count++)
        g_assert(rows_blob(rows, 3).size == 32 && strlen(rows_text(rows, 4)) == RECORD_SIZE);
    die(error);
    tell("read all", "observations", since, count);
}

static void measure_jobs(VigieStore *store) {
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) payload = json_pack("{s:i}", "endpoint", 1);
    Start since = start();
    for (int i = 0; i < JOBS; i++) {
        store_job_add(store, "measured", payload, 0, NULL, NULL, &error);
        die(error);
        g_autoptr(VigieJob) job = store_job_take(store, NULL, "measure", 60, 10, &error);
        die(error);
        store_job_done(store, job, "measure", &error);
        die(error);
    }
    tell("add, take and end (3 commits)", "jobs", since, JOBS);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "store-measure URL, as in store-measure sqlite:/tmp/measured.db\n");
        return 2;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieStore) store = store_open(argv[1], &error);
    die(error);
    store_migrate(store, &error);
    die(error);
    bool sqlite = store_kind(store) == VIGIE_STORE_SQLITE;
    g_autofree char *create =
        g_strdup_printf("CREATE TABLE measured (endpoint BIGINT PRIMARY KEY, time BIGINT NOT "
                        "NULL, outcome TEXT NOT NULL, hash %s NOT NULL, record TEXT NOT NULL)",
                        sqlite ? "BLOB" : "BYTEA");
    exec(store, create);
    measure_commits(store, 1, 1000);
    measure_commits(store, 16, 8000);
    measure_commits(store, 64, 16000);
    measure_group(store, argv[1], 8, 4000);
    measure_group(store, argv[1], 32, 8000);
    measure_commits(store, 1000, READS);
    measure_reads(store);
    measure_jobs(store);
    return 0;
}
