/* Processes that are killed, and two that want the same: no case is told of and lost, none is half there. Both databases. */
#include "csirt-test.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLS = 6, KEYS = 40, OPENERS = 3 };

static void must(const GError *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", error->message);
    _exit(3);
}

static void open_case(VigieStore *store, const VigieTeam *team, const char *key, VigieOpened *ret,
                      GError **error) {
    g_autoptr(json_t) declarant = test_json("{'name': 'Anne', 'mail': 'anne@chu.test'}");
    const VigieOpening opening = {.kind = "incident",
                                  .channel = "form",
                                  .source = "open",
                                  .title = "Panne",
                                  .text = "Tout est arrêté",
                                  .declarant = declarant,
                                  .unique_key = key};
    csirt_case_open(store, team, &opening, TEST_NOW, ret, error);
}

/* Opens, notes, moves and merges without end; tells each reference once it is durable. */
static _Noreturn void work(const char *url, const VigieTeam *team, int fd) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieStore) store = test_store_open(url);
    int64_t before = 0;
    for (;;) {
        g_auto(VigieOpened) opened = {0};
        open_case(store, team, NULL, &opened, &error);
        must(error);
        g_autofree char *line = g_strconcat(opened.reference, "\n", NULL);
        if (write(fd, line, strlen(line)) < 0)
            _exit(3);
        csirt_note_add(store, &test_analyst, opened.id, "note", "vu", TEST_NOW, &error);
        must(error);
        csirt_case_move(store, team, &test_analyst, opened.id, "qualified", NULL, TEST_NOW, &error);
        must(error);
        if (before)
            csirt_case_merge(store, team, &test_analyst, opened.id, before, "la même", TEST_NOW, &error);
        must(error);
        before = before ? 0 : opened.id;
    }
}

static char *read_all(int fd) {
    GString *text = g_string_new(NULL);
    char part[4096];
    for (ssize_t size; (size = read(fd, part, sizeof part)) > 0;)
        g_string_append_len(text, part, size);
    close(fd);
    return g_string_free(text, FALSE);
}

/* Killed so long after its start or, where it works, after the first case that it told of. */
static char *work_and_die(const char *url, const VigieTeam *team, bool works, unsigned milliseconds) {
    int fds[2];
    g_assert_cmpint(pipe(fds), ==, 0);
    pid_t child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0)
        work(url, team, fds[1]);
    close(fds[1]);
    struct pollfd told = {.fd = fds[0], .events = POLLIN};
    if (works)
        g_assert_cmpint(poll(&told, 1, 60000), ==, 1);
    g_usleep(milliseconds * 1000UL);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    g_assert_true(WIFSIGNALED(status));
    return read_all(fds[0]);
}

static int64_t number(VigieStore *store, const char *sql) {
    g_autoptr(GError) error = NULL;
    int64_t found = -1;
    store_get_int(store, &found, &error, sql, "");
    g_assert_no_error(error);
    return found;
}

/* Whenever it is killed: what it told is there, whole, and the chains hold. */
static void test_killed(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *url = test_store_url();
    g_autoptr(VigieStore) store = test_store_open(url);
    store_migrate(store, &error);
    g_assert_no_error(error);
    g_clear_pointer(&store, store_close); /* a forked process must not share it */
    g_autoptr(VigieTeam) team = test_team();
    g_autoptr(GString) told = g_string_new(NULL);
    for (unsigned i = 0; i < KILLS; i++) {
        g_autofree char *lines = work_and_die(url, team, i % 2, 120 + 83 * i);
        g_string_append(told, lines);
    }
    store = test_store_open(url);
    g_auto(GStrv) references = g_strsplit(told->str, "\n", -1);
    guint count = g_strv_length(references) - 1;
    g_test_message("%u cases were told", count);
    g_assert_cmpuint(count, >, 0);
    for (guint i = 0; i < count; i++) {
        int64_t id = 0;
        csirt_case_find(store, team, &test_analyst, references[i], &id, &error);
        g_assert_no_error(error);
    }
    g_assert_cmpint(number(store, "SELECT count(*) FROM csirt_case"), ==,
                    number(store, "SELECT count(*) FROM csirt_message"));
    g_assert_cmpint(number(store, "SELECT count(*) FROM csirt_case"), ==,
                    number(store, "SELECT count(*) FROM csirt_party"));
    g_assert_cmpint(
        number(store, "SELECT count(*) FROM csirt_case c WHERE state = 'merged' AND EXISTS (SELECT 1 FROM "
                      "csirt_message m WHERE m.case_id = c.id)"),
        ==, 0);
    g_autoptr(json_t) report = csirt_timeline_verify(store, 0, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(json_array_size(test_at(report, "faults")), ==, 0);
}

/* Several open the same declarations at once, as a form sent twice: each key has one case, whoever came first. */
static void test_same_key(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *url = test_store_url();
    g_autoptr(VigieStore) store = test_store_open(url);
    store_migrate(store, &error);
    g_clear_pointer(&store, store_close);
    g_autoptr(VigieTeam) team = test_team();
    pid_t children[OPENERS];
    for (int c = 0; c < OPENERS; c++) {
        children[c] = fork();
        if (children[c] != 0)
            continue;
        g_autoptr(GError) failure = NULL;
        VigieStore *own = test_store_open(url);
        for (int k = 0; k < KEYS; k++) {
            g_auto(VigieOpened) opened = {0};
            g_autofree char *key = g_strdup_printf("form:%d", k);
            open_case(own, team, key, &opened, &failure);
            must(failure);
        }
        store_close(own);
        _exit(0);
    }
    for (int c = 0; c < OPENERS; c++) {
        int status = 1;
        waitpid(children[c], &status, 0);
        g_assert_cmpint(status, ==, 0);
    }
    store = test_store_open(url);
    g_assert_cmpint(number(store, "SELECT count(*) FROM csirt_case"), ==, KEYS);
    g_assert_cmpint(number(store, "SELECT count(*) FROM csirt_message"), ==, KEYS);
    g_assert_cmpint(number(store, "SELECT count(DISTINCT reference) FROM csirt_case"), ==, KEYS);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/crash/killed", test_killed);
    g_test_add_func("/crash/same-key", test_same_key);
    return test_csirt_run(argc, argv);
}
