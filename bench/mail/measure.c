/* How fast inbound mail is read: mail-measure CONFIG parse|file|open COUNT MESSAGE …
 *     parse  each message read in a child of a cell, in turns
 *     file   the same, from the store, each marked as filed in a commit of its own
 * Prints the seconds that COUNT messages took, and the CPU seconds of all processes, their start included. */
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

static bool file(VigieMailCell *cell, VigieStore *store, int count, GError **error) {
    int64_t after = 0;
    for (int i = 0; i < count; i++) {
        g_autoptr(VigieMailInbound) inbound = mail_inbound_next(store, after, 2, error);
        g_autoptr(VigieMailRead) read = inbound ? mail_read(cell, inbound->raw, error) : NULL;
        g_autoptr(VigieTransaction) tx = read && is_read(read) ? store_begin(store, error) : NULL;
        if (!tx || !mail_inbound_done(store, inbound->id, "measured", 2, error) || !store_commit(&tx, error))
            return false;
        after = inbound->id;
    }
    return true;
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
    bool well = filing ? file(cell, store, count, error) : parse(cell, messages, count, error);
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
