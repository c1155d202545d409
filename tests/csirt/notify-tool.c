/* For the tests in Python: the search for contacts and the worker by hand, with a clock of its own.
 *     notify-tool CONFIG lookup DOMAIN       asks, and prints what was found
 *     notify-tool CONFIG open KIND TLP ORGANISATION NAME MAIL
 *                                            opens a case that NAME with MAIL reported; prints its reference
 *     notify-tool CONFIG inbound MAILBOX FILE
 *                                            a message comes in
 *     notify-tool CONFIG work OFFSET         does every job of the CSIRT and the mail's that is due OFFSET seconds from now */
#include "csirt/inbound.h"
#include "csirt/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static VigieTime offset;
static volatile int stop;

static VigieTime shifted(void) {
    return vigie_time_now() + offset;
}

static bool print_json(json_t *value) {
    g_autoptr(json_t) owned = value;
    g_autofree char *text = owned ? json_dumps(owned, JSON_INDENT(1)) : NULL;
    if (text)
        puts(text);
    return text != NULL;
}

static bool look_up(const VigieConfig *config, const char *domain, GError **error) {
    g_autoptr(VigieLookup) lookup = csirt_lookup_new(config, error);
    return lookup && print_json(csirt_lookup_domain(lookup, domain, vigie_time_now(), NULL, error));
}

/* ---- A case ---- */
static bool open_case(const VigieConfig *config, const VigieTeam *team, char **words, GError **error) {
    g_autoptr(VigieStore) store = store_open(vigie_config_text(config, "store.url"), error);
    g_autoptr(json_t) declarant = json_pack("{s:s, s:s}", "name", words[3], "mail", words[4]);
    const VigieOpening opening = {.kind = words[0],
                                  .channel = "form",
                                  .source = "open",
                                  .title = words[3],
                                  .organisation_name = words[2],
                                  .tlp = words[1],
                                  .text = words[4],
                                  .declarant = declarant};
    g_auto(VigieOpened) opened = {0};
    if (!store || !store_migrate(store, error) ||
        !csirt_case_open(store, team, &opening, vigie_time_now(), &opened, error))
        return false;
    puts(opened.reference);
    return true;
}

static bool take_in(const VigieConfig *config, const char *mailbox, const char *path, GError **error) {
    g_autofree char *text = NULL;
    gsize size = 0;
    g_autoptr(VigieStore) store = store_open(vigie_config_text(config, "store.url"), error);
    if (!store || !store_migrate(store, error) || !g_file_get_contents(path, &text, &size, error))
        return false;
    g_autoptr(GBytes) raw = g_bytes_new(text, size);
    int64_t id = 0;
    return mail_inbound_add(store, mailbox, raw, vigie_time_now(), &id, error);
}

/* ---- The worker ---- */
typedef struct {
    const VigieConfig *config;
    VigieStore *store;
    VigieNotifier notifier;
    VigieLookup *lookup;
    VigieMailServer *server;
} Worker;

static bool do_job(Worker *worker, const VigieJob *job, GError **error) {
    if (strcmp(job->kind, MAIL_JOB_KIND) == 0)
        return mail_queue_send(worker->store, worker->server, job, "tool", 5 * 86400,
                               vigie_config_zone(worker->config), shifted, error);
    if (strcmp(job->kind, MAIL_JOB_INBOUND) == 0)
        return csirt_inbound_work(worker->store, &worker->notifier, &stop, shifted, error) &&
               store_job_done(worker->store, job, "tool", error);
    bool done = strcmp(job->kind, CSIRT_JOB_CONTACTS) == 0
                    ? csirt_contacts_work(worker->store, &worker->notifier, worker->lookup, job->payload,
                                          NULL, shifted, error)
                    : csirt_notice_work(worker->store, &worker->notifier, job->payload, shifted(), error);
    return done && store_job_done(worker->store, job, "tool", error);
}

static bool work(Worker *worker, GError **error) {
    static const char *const kinds[] = {CSIRT_JOB_CONTACTS, CSIRT_JOB_NOTICE, MAIL_JOB_KIND, MAIL_JOB_INBOUND,
                                        NULL};
    if (!csirt_follow_work(worker->store, &worker->notifier, shifted(), error))
        return false;
    for (;;) {
        g_autoptr(GError) failure = NULL;
        g_autoptr(VigieJob) job = store_job_take(worker->store, kinds, "tool", 60, shifted(), &failure);
        if (failure)
            g_propagate_error(error, g_steal_pointer(&failure));
        if (!job)
            return !(error && *error);
        if (!do_job(worker, job, error))
            return false;
    }
}

static bool start_work(const VigieConfig *config, const VigieTeam *team, GError **error) {
    g_autoptr(VigieMailCell) cell = mail_cell_start(config, error);
    g_autoptr(VigieStore) store = cell ? store_open(vigie_config_text(config, "store.url"), error) : NULL;
    g_autoptr(VigieLookup) lookup = store ? csirt_lookup_new(config, error) : NULL;
    g_autoptr(VigieMailServer) server = lookup ? mail_server_new(config, error) : NULL;
    Worker worker = {config, store, {config, team, cell}, lookup, server};
    return server && work(&worker, error);
}

static bool act(int argc, char **argv, const VigieConfig *config, GError **error) {
    if (argc == 4 && strcmp(argv[2], "lookup") == 0)
        return look_up(config, argv[3], error);
    g_autoptr(VigieTeam) team = csirt_rules_load(error) ? csirt_team_load(config, error) : NULL;
    if (!team)
        return false;
    if (argc == 8 && strcmp(argv[2], "open") == 0)
        return open_case(config, team, argv + 3, error);
    if (argc == 5 && strcmp(argv[2], "inbound") == 0)
        return take_in(config, argv[3], argv[4], error);
    if (argc == 4 && strcmp(argv[2], "work") == 0) {
        offset = atoll(argv[3]);
        return start_work(config, team, error);
    }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "usage: see the head of notify-tool.c");
    return false;
}

int main(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieConfig) config = argc > 2 ? vigie_config_load(argv[1], &error) : NULL;
    if (config && vigie_words_load(&error) && act(argc, argv, config, &error))
        return 0;
    fprintf(stderr, "%s\n", error ? error->message : "usage: notify-tool CONFIG …");
    return 2;
}
