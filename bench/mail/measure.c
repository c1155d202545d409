/* How fast inbound mail is read: mail-measure CONFIG parse|file|open COUNT MESSAGE …
 *     parse  each message read in a child of a cell, in turns
 *     file   the same, from the store, each filed by the CSIRT in a commit of its own: the first of a thread opens a case, the
 *            others join it
 * Prints the seconds that COUNT messages took, and the CPU seconds of all processes, their start included. */
#include "csirt/csirt.h"
#include "csirt/inbound.h"
#include "mail/mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static GPtrArray *load(char **paths, GError **error) {
    g_autoptr(GPtrArray) messages = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    for (; *paths; paths++) {
        char *text = NULL;
        gsize size = 0;
        if (!g_file_get_contents(*paths, &text, &size, error))
            return NULL;
        g_ptr_array_add(messages, g_bytes_new_take(text, size));
    }
    return g_steal_pointer(&messages);
}

/* What could not be opened must not count as fast. */
static bool is_read(const VigieMailRead *read) {
    const json_t *encryption = json_object_get(read->about, "encryption");
    return json_is_true(json_object_get(read->about, "readable")) &&
           (json_is_null(encryption) || json_is_true(json_object_get(encryption, "decrypted")));
}

static bool parse(VigieMailCell *cell, const GPtrArray *messages, int count, GError **error) {
    for (int i = 0; i < count; i++) {
        g_autoptr(VigieMailRead) read = mail_read(cell, messages->pdata[(guint)i % messages->len], error);
        if (!read || !is_read(read))
            return false;
    }
    return true;
}

static bool fill(VigieStore *store, const GPtrArray *messages, int count, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    for (int i = 0; tx && i < count; i++)
        if (!mail_inbound_add(store, "incident", messages->pdata[(guint)i % messages->len], 1, NULL, error))
            return false;
    return tx && store_commit(&tx, error);
}

static volatile int stop;

/* Joined, opened, judged, indexed later: as the worker does it. */
static bool file(const VigieConfig *config, VigieMailCell *cell, VigieStore *store, GError **error) {
    g_autoptr(VigieTeam) team = csirt_rules_load(error) ? csirt_team_load(config, error) : NULL;
    const VigieNotifier notifier = {config, team, cell};
    int64_t waiting = 0;
    if (!team || !csirt_inbound_work(store, &notifier, &stop, vigie_time_now, error) ||
        !store_get_int(store, &waiting, error, "SELECT COUNT(*) FROM mail_inbound WHERE handled IS NULL", ""))
        return false;
    return waiting == 0;
}

static double cpu_seconds(int who) {
    struct rusage used;
    getrusage(who, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / G_USEC_PER_SEC;
}

static bool measure(char **argv, GError **error) {
    int count = atoi(argv[3]);
    g_autoptr(VigieConfig) config = vigie_config_load(argv[1], error);
    VigieMailCell *cell = config ? mail_cell_start(config, error) : NULL;
    g_autoptr(GPtrArray) messages = cell ? load(argv + 4, error) : NULL;
    bool filing = strcmp(argv[2], "file") == 0;
    g_autoptr(VigieStore) store =
        messages && filing ? store_open(vigie_config_text(config, "store.url"), error) : NULL;
    if (!messages || !parse(cell, messages, 1, error) ||
        (filing && (!store || !store_migrate(store, error) || !fill(store, messages, count, error))))
        return false;
    int64_t begun = g_get_monotonic_time();
    bool well = filing ? file(config, cell, store, error) : parse(cell, messages, count, error);
    double seconds = (double)(g_get_monotonic_time() - begun) / G_USEC_PER_SEC;
    mail_cell_free(cell);
    printf("%.6f %.6f\n", seconds, cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN));
    return well;
}

int main(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    if (argc > 4 && measure(argv, &error))
        return 0;
    fprintf(stderr, "mail-measure: %s\n", error ? error->message : "a message could not be read");
    return 1;
}
