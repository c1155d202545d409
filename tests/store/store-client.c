/* A store in a process of its own, for tests that kill it or take its disk, its lock or its server away.
 *
 * store-client URL: reads commands, answers each with one line, "ok", "ok NUMBER" or "error CODE MESSAGE".
 *     migrate | begin | commit | rollback | do SQL | get SQL | fill BYTES | wait MS | flood | again
 * `fill` inserts a row of so many bytes into t (n, b). `flood` commits row after row, and tells each once it is. `again` opens
 * the store a second time, until the end. */
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static VigieTransaction *tx;
static const char *url;
static VigieStore *second;

static bool fill(VigieStore *store, const char *argument, GError **error) {
    size_t size = strtoul(argument, NULL, 10);
    g_autofree uint8_t *bytes = g_malloc0(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)g_random_int();
    VigieBytes blob = {bytes, size};
    return store_exec(store, error, "INSERT INTO t (n, b) VALUES (0, $1)", "b", &blob);
}

static bool flood(VigieStore *store, GError **error) {
    for (int64_t n = 1;; n++) {
        g_autoptr(VigieTransaction) one = store_begin(store, error);
        if (!one || !store_exec(store, error, "INSERT INTO t (n) VALUES ($1)", "i", n) ||
            !store_exec(store, error, "INSERT INTO t (n) VALUES ($1)", "i", -n) || !store_commit(&one, error))
            return false;
        printf("%d\n", (int)n);
        fflush(stdout);
    }
}

static bool obey(VigieStore *store, const char *command, const char *argument, int64_t *ret_value,
                 GError **error) {
    if (strcmp(command, "migrate") == 0)
        return store_migrate(store, error);
    if (strcmp(command, "begin") == 0)
        return (tx = store_begin(store, error)) != NULL;
    if (strcmp(command, "commit") == 0)
        return store_commit(&tx, error);
    if (strcmp(command, "rollback") == 0) {
        store_rollback(g_steal_pointer(&tx));
        return true;
    }
    if (strcmp(command, "do") == 0)
        return store_exec(store, error, argument, "");
    if (strcmp(command, "get") == 0)
        return store_get_int(store, ret_value, error, argument, "");
    if (strcmp(command, "fill") == 0)
        return fill(store, argument, error);
    if (strcmp(command, "wait") == 0)
        return store_job_wait(store, atoi(argument), error);
    if (strcmp(command, "again") == 0)
        return (second = store_open(url, error)) != NULL;
    if (strcmp(command, "flood") == 0)
        return flood(store, error);
    g_error("store-client: no command %s", command);
}

static void answer(bool well, int64_t value, const GError *error) {
    static const char *const codes[] = {"INVALID", "NOT_FOUND", "CONFLICT",    "DENIED",
                                        "LIMIT",   "BUSY",      "UNAVAILABLE", "INTERNAL"};
    if (well)
        printf("ok %" G_GINT64_FORMAT "\n", value);
    else
        printf("error %s %s\n", codes[error->code], error->message);
    fflush(stdout);
}

int main(int argc, char **argv) {
    g_assert(argc == 2);
    g_autoptr(GError) failure = NULL;
    url = argv[1];
    g_autoptr(VigieStore) store = store_open(url, &failure);
    answer(store != NULL, 0, failure);
    char line[1000];
    while (store && fgets(line, sizeof line, stdin)) {
        g_strchomp(line);
        char *argument = strchr(line, ' ');
        if (argument)
            *argument++ = '\0';
        g_autoptr(GError) error = NULL;
        int64_t value = 0;
        bool well = obey(store, line, argument ? argument : "", &value, &error);
        answer(well, value, error);
    }
    store_rollback(tx);
    store_close(second);
    return store ? 0 : 1;
}
