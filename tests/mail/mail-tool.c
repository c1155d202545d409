/* For the tests in Python: the outgoing queue by hand, with a clock of its own.
 *     mail-tool CONFIG add FROM TO SUBJECT TEXT KEY
 *     mail-tool CONFIG run OFFSET       sends every job due OFFSET seconds from now, each once
 *     mail-tool CONFIG check            talks to the server, sends nothing
 *     mail-tool CONFIG metrics          for Prometheus
 *     mail-tool CONFIG show             one line per message: state, tries, answer */
#include "mail/mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static VigieTime offset;

static VigieTime shifted(void) {
    return vigie_time_now() + offset;
}

static bool run_due(VigieStore *store, const VigieConfig *config, const VigieMailServer *server,
                    GError **error) {
    static const char *const kinds[] = {MAIL_JOB_KIND, NULL};
    for (;;) {
        g_autoptr(GError) failure = NULL;
        g_autoptr(VigieJob) job = store_job_take(store, kinds, "tool", 60, shifted(), &failure);
        if (!job) {
            if (failure)
                g_propagate_error(error, g_steal_pointer(&failure));
            return !(error && *error);
        }
        if (!mail_queue_send(store, server, job, "tool", vigie_config_seconds(config, "mail.give_up"),
                             vigie_config_zone(config), shifted, error))
            return false;
    }
}

static bool show(VigieStore *store, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT state, tries, COALESCE(answer, '') FROM mail ORDER BY id", "");
    while (rows && rows_next(rows, error))
        printf("%s %" G_GINT64_FORMAT " %s\n", rows_text(rows, 0), rows_int(rows, 1), rows_text(rows, 2));
    return rows != NULL;
}

static bool act(int argc, char **argv, const VigieConfig *config, VigieStore *store, GError **error) {
    g_autoptr(VigieMailServer) server = mail_server_new(config, error);
    if (!server)
        return false;
    if (argc == 8 && strcmp(argv[2], "add") == 0) {
        VigieMail mail = {.from = argv[3], .to = argv[4], .subject = argv[5], .text = argv[6], .lang = "fr"};
        return mail_queue_add(store, &mail, argv[7], vigie_time_now(), NULL, error);
    }
    if (argc == 4 && strcmp(argv[2], "run") == 0) {
        offset = atoll(argv[3]);
        return run_due(store, config, server, error);
    }
    if (strcmp(argv[2], "check") == 0) {
        g_autofree char *answer = NULL;
        if (!mail_server_check(server, &answer, error))
            return false;
        printf("%s\n", answer);
        return true;
    }
    if (strcmp(argv[2], "metrics") == 0) {
        g_autoptr(GString) out = g_string_new(NULL);
        bool well = mail_metrics_append(store, out, error);
        printf("%s", out->str);
        return well;
    }
    return show(store, error);
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieConfig) config = vigie_config_load(argv[1], &error);
    g_autoptr(VigieStore) store = config ? store_open(vigie_config_text(config, "store.url"), &error) : NULL;
    if (store && store_migrate(store, &error) && act(argc, argv, config, store, &error))
        return 0;
    fprintf(stderr, "%s\n", error ? error->message : "mail is off");
    return 1;
}
