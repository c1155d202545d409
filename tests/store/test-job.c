/* The job queue: durable, leased, run at least once, set aside after too many failures; on both databases. */
#include "store-test.h"

#include <string.h>

static int64_t add(VigieStore *store, const char *kind, const char *key, VigieTime at) {
    g_autoptr(json_t) payload = json_pack("{s:s}", "for", kind);
    g_autoptr(GError) error = NULL;
    int64_t id = 0;
    store_job_add(store, kind, payload, at, key, &id, &error);
    g_assert_no_error(error);
    return id;
}

static VigieJob *take(VigieStore *store, VigieTime now) {
    g_autoptr(GError) error = NULL;
    VigieJob *job = store_job_take(store, NULL, "w", 60, now, &error);
    g_assert_no_error(error);
    return job;
}

static void test_order(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    int64_t late = add(store, "late", NULL, 1000), soon = add(store, "soon", NULL, 500);
    g_assert_null(take(store, 499));
    g_autoptr(VigieJob) first = take(store, 2000);
    g_assert_cmpint(first->id, ==, soon);
    g_assert_cmpstr(first->kind, ==, "soon");
    g_assert_cmpstr(json_string_value(json_object_get(first->payload, "for")), ==, "soon");
    g_assert_cmpint(first->tries, ==, 1);
    g_assert_null(first->unique_key);
    g_autoptr(VigieJob) second = take(store, 2000);
    g_assert_cmpint(second->id, ==, late);
    g_assert_null(take(store, 2000));
    g_assert_true(store_job_done(store, first, "w", &error));
    g_assert_true(store_job_done(store, second, "w", &error));
    g_assert_null(take(store, 100000));
}

static void test_kinds(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    add(store, "mail", NULL, 0);
    add(store, "survey", NULL, 0);
    const char *const others[] = {"import", NULL}, *const mine[] = {"import", "survey", NULL};
    g_assert_null(store_job_take(store, others, "w", 60, 10, &error));
    g_assert_no_error(error);
    g_autoptr(VigieJob) job = store_job_take(store, mine, "w", 60, 10, &error);
    g_assert_cmpstr(job->kind, ==, "survey");
    g_assert_null(store_job_take(store, mine, "w", 60, 10, &error));
}

/* Adding twice is adding once, until it is done. */
static void test_unique(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    int64_t id = add(store, "survey", "survey:7", 100);
    g_assert_cmpint(add(store, "survey", "survey:7", 50), ==, id);
    g_assert_cmpint(add(store, "survey", "survey:8", 50), !=, id);
    g_autoptr(VigieJob) other = take(store, 60);
    g_assert_cmpstr(other->unique_key, ==, "survey:8");
    g_assert_null(take(store, 60));
    g_autoptr(VigieJob) job = take(store, 100);
    g_assert_cmpint(job->id, ==, id);
    g_assert_cmpstr(job->unique_key, ==, "survey:7");
    g_assert_cmpint(add(store, "survey", "survey:7", 100), ==, id);
    g_assert_true(store_job_done(store, job, "w", &error));
    g_assert_cmpint(add(store, "survey", "survey:7", 100), !=, id);
}

static void test_payload(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) list = json_array();
    g_assert_false(store_job_add(store, "x", list, 0, NULL, NULL, &error));
    test_error_says(&error, VIGIE_ERROR_INTERNAL, "object", NULL);
    g_assert_true(store_exec(
        store, &error, "INSERT INTO job (kind, payload, state, due_at) VALUES ('x', 'broken', 'waiting', 0)",
        ""));
    g_assert_null(take(store, 10));
    g_autoptr(json_t) told = store_job_list(store, &error);
    json_t *dead = json_array_get(json_object_get(told, "dead"), 0);
    g_assert_nonnull(strstr(json_string_value(json_object_get(dead, "reason")), "payload"));
}

/* A worker that died loses its job to another, and cannot end it any more. */
static void test_lease(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    add(store, "mail", NULL, 0);
    g_autoptr(VigieJob) lost = store_job_take(store, NULL, "first", 60, 1000, &error);
    g_assert_true(store_job_renew(store, lost, "first", 60, 1050, &error));
    g_assert_null(store_job_take(store, NULL, "second", 60, 1109, &error));
    g_autoptr(VigieJob) taken = store_job_take(store, NULL, "second", 60, 1110, &error);
    g_assert_nonnull(taken);
    g_assert_cmpint(taken->id, ==, lost->id);
    g_assert_cmpint(taken->tries, ==, 2);
    g_assert_false(store_job_renew(store, lost, "first", 60, 1111, &error));
    test_error_says(&error, VIGIE_ERROR_DENIED, "lease", NULL);
    g_assert_false(store_job_done(store, lost, "first", &error));
    test_error_says(&error, VIGIE_ERROR_DENIED, NULL);
    g_assert_false(store_job_failed(store, lost, "first", "late", 1111, &error));
    test_error_says(&error, VIGIE_ERROR_DENIED, NULL);
    /* Nor where the worker that took it has the same name. */
    g_assert_false(store_job_done(store, lost, "second", &error));
    test_error_says(&error, VIGIE_ERROR_DENIED, NULL);
    g_assert_true(store_job_done(store, taken, "second", &error));
}

/* 30 s, 60 s … 6 h, each up to a fifth sooner; dead after the last try, with its reason. */
static void test_back_off(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    int64_t id = add(store, "mail", "m", 0);
    VigieTime now = 1000;
    int64_t longest = 30;
    for (int try = 1; try <= STORE_JOB_TRIES; try++) {
        g_autoptr(VigieJob) job = take(store, now);
        g_assert_nonnull(job);
        g_assert_cmpint(job->tries, ==, try);
        store_job_failed(store, job, "w", "450 mailbox busy", now, &error);
        g_assert_no_error(error);
        g_assert_null(take(store, now + longest - longest / 5 - 1));
        now += longest;
        longest = MIN(2 * longest, 6 * 3600);
    }
    g_assert_null(take(store, now + 1000000));
    g_autoptr(json_t) told = store_job_list(store, &error);
    json_t *dead = json_object_get(told, "dead"), *one = json_array_get(dead, 0);
    g_assert_cmpuint(json_array_size(dead), ==, 1);
    g_assert_cmpint(json_integer_value(json_object_get(one, "id")), ==, id);
    g_assert_cmpint(json_integer_value(json_object_get(one, "tries")), ==, STORE_JOB_TRIES);
    g_assert_cmpstr(json_string_value(json_object_get(one, "reason")), ==, "450 mailbox busy");
    g_assert_true(store_job_retry(store, id, now, &error));
    g_autoptr(VigieJob) again = take(store, now);
    g_assert_cmpint(again->tries, ==, 1);
    g_assert_false(store_job_retry(store, id, now, &error));
    test_error_says(&error, VIGIE_ERROR_NOT_FOUND, NULL);
}

/* A job that kills its worker each time does not do so for ever. */
static void test_poison(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    add(store, "capture", NULL, 0);
    int64_t healthy = add(store, "mail", NULL, 5000);
    VigieTime now = 0;
    for (int try = 1; try <= STORE_JOB_TRIES; try++, now += 60) {
        g_autoptr(VigieJob) job = take(store, now);
        g_assert_cmpstr(job->kind, ==, "capture");
    }
    g_autoptr(VigieJob) job = take(store, 6000);
    g_assert_cmpint(job->id, ==, healthy);
    g_autoptr(json_t) told = store_job_list(store, &error);
    json_t *one = json_array_get(json_object_get(told, "dead"), 0);
    g_assert_nonnull(strstr(json_string_value(json_object_get(one, "reason")), "worker died"));
}

/* Of a key that dies every day, the last death is kept; a retry beside a waiting one is a conflict. */
static void test_dead_keys(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    for (int day = 0; day < 3; day++) {
        add(store, "feed", "feed:1", 0);
        g_assert_true(store_exec(store, &error, "UPDATE job SET tries = $1 WHERE state = 'waiting'", "i",
                                 (int64_t)STORE_JOB_TRIES - 1));
        g_autoptr(VigieJob) job = take(store, 10);
        g_assert_true(store_job_failed(store, job, "w", "no answer", 10, &error));
    }
    int64_t dead = 0;
    g_assert_true(store_get_int(store, &dead, &error, "SELECT count(*) FROM job WHERE state = 'dead'", ""));
    g_assert_cmpint(dead, ==, 1);
    add(store, "feed", "feed:1", 0);
    g_assert_true(store_get_int(store, &dead, &error, "SELECT id FROM job WHERE state = 'dead'", ""));
    g_assert_false(store_job_retry(store, dead, 10, &error));
    test_error_says(&error, VIGIE_ERROR_CONFLICT, "already", NULL);
}

static void test_list(void) {
    g_autoptr(VigieStore) store = test_store_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) empty = store_job_list(store, &error);
    g_assert_cmpuint(json_array_size(json_object_get(empty, "kinds")), ==, 0);
    add(store, "mail", NULL, 30);
    add(store, "mail", NULL, 20);
    add(store, "survey", NULL, 10);
    g_autoptr(VigieJob) job = take(store, 10);
    g_assert_cmpstr(job->kind, ==, "survey");
    g_autoptr(json_t) told = store_job_list(store, &error);
    g_assert_no_error(error);
    g_autoptr(json_t) wanted =
        json_pack("{s:[{s:s,s:i,s:i,s:i,s:i},{s:s,s:i,s:i,s:i,s:n}],s:[]}", "kinds", "kind", "mail",
                  "waiting", 2, "running", 0, "dead", 0, "next_at", 20, "kind", "survey", "waiting", 0,
                  "running", 1, "dead", 0, "next_at", "dead");
    g_assert_true(json_equal(told, wanted));
}

/* ---- Several workers ------------------------------------------------------------------------------------- */

enum { WORKERS = 4, JOBS = 200 };

typedef struct {
    const char *url;
    char name[8];
    int done;
    int *runs; /* by job, all workers */
} Worker;

static gpointer work(gpointer data) {
    Worker *worker = data;
    g_autoptr(VigieStore) store = test_store_open(worker->url);
    for (;;) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VigieJob) job = store_job_take(store, NULL, worker->name, 600, 1000, &error);
        g_assert_no_error(error);
        if (!job) {
            /* None free to take is not none left. */
            int64_t left = 0;
            g_assert_true(
                store_get_int(store, &left, &error, "SELECT count(*) FROM job WHERE due_at <= 1000", ""));
            if (left == 0)
                return NULL;
            continue;
        }
        g_atomic_int_inc(&worker->runs[json_integer_value(json_object_get(job->payload, "n"))]);
        worker->done++;
        g_assert_true(store_job_done(store, job, worker->name, &error));
    }
}

/* Each job is run by one worker, once. */
static void test_workers(void) {
    g_autofree char *url = test_store_url();
    g_autoptr(VigieStore) store = test_store_open(url);
    g_autoptr(GError) error = NULL;
    g_assert_true(store_migrate(store, &error));
    g_autoptr(VigieTransaction) tx = store_begin(store, &error);
    for (int i = 0; i < JOBS; i++) {
        g_autoptr(json_t) payload = json_pack("{s:i}", "n", i);
        g_assert_true(store_job_add(store, "n", payload, i, NULL, NULL, &error));
    }
    g_assert_true(store_commit(&tx, &error));
    int runs[JOBS] = {0};
    Worker workers[WORKERS];
    GThread *threads[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (Worker){.url = url, .runs = runs};
        g_snprintf(workers[i].name, sizeof workers[i].name, "w%d", i);
        threads[i] = g_thread_new("worker", work, &workers[i]);
    }
    int total = 0;
    for (int i = 0; i < WORKERS; i++) {
        g_thread_join(threads[i]);
        total += workers[i].done;
    }
    g_assert_cmpint(total, ==, JOBS);
    for (int i = 0; i < JOBS; i++)
        g_assert_cmpint(runs[i], ==, 1);
}

static gpointer add_later(gpointer url) {
    g_usleep(200000);
    g_autoptr(VigieStore) store = test_store_open(url);
    add(store, "mail", NULL, 0);
    return NULL;
}

static void test_wait(void) {
    g_autofree char *url = test_store_url();
    g_autoptr(VigieStore) store = test_store_open(url);
    g_autoptr(GError) error = NULL;
    g_assert_true(store_migrate(store, &error));
    g_assert_null(take(store, 10));
    gint64 start = g_get_monotonic_time();
    g_assert_true(store_job_wait(store, 250, &error));
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 240000);
    /* Added by another while this one waits: long before the time is out. */
    GThread *thread = g_thread_new("add", add_later, url);
    start = g_get_monotonic_time();
    g_assert_true(store_job_wait(store, 30000, &error));
    g_assert_cmpint(g_get_monotonic_time() - start, <, 10000000);
    g_thread_join(thread);
    g_autoptr(VigieJob) job = take(store, 10);
    g_assert_nonnull(job);
    g_assert_null(take(store, 10));
    /* Added between the last look and the wait: not missed. */
    g_autoptr(VigieStore) other = test_store_open(url);
    add(other, "mail", NULL, 0);
    start = g_get_monotonic_time();
    g_assert_true(store_job_wait(store, 30000, &error));
    g_assert_cmpint(g_get_monotonic_time() - start, <, 10000000);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/job/order", test_order);
    g_test_add_func("/job/kinds", test_kinds);
    g_test_add_func("/job/unique", test_unique);
    g_test_add_func("/job/payload", test_payload);
    g_test_add_func("/job/lease", test_lease);
    g_test_add_func("/job/back-off", test_back_off);
    g_test_add_func("/job/poison", test_poison);
    g_test_add_func("/job/dead-keys", test_dead_keys);
    g_test_add_func("/job/list", test_list);
    g_test_add_func("/job/workers", test_workers);
    g_test_add_func("/job/wait", test_wait);
    return test_store_run(argc, argv);
}
