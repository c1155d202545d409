/* For the tests in Python: the outgoing queue by hand, with a clock of its own.
 *     mail-tool CONFIG add FROM TO SUBJECT TEXT KEY
 *     mail-tool CONFIG run OFFSET       sends every job due OFFSET seconds from now, each once
 *     mail-tool CONFIG check            talks to the server, sends nothing
 *     mail-tool CONFIG metrics          for Prometheus
 *     mail-tool CONFIG show             one line per message: state, tries, answer
 *     mail-tool CONFIG seal FROM TO SUBJECT TEXT SIGNER FINGERPRINT      sealed, then queued
 *     mail-tool CONFIG poll MAILBOX     prints how many were taken
 *     mail-tool CONFIG look MAILBOX     how many messages are in its folder
 *     mail-tool CONFIG inbound          one line of JSON per inbound message that waits
 *     mail-tool CONFIG file ID OUTCOME  marks it as filed
 *     mail-tool CONFIG state            mail_mailboxes_state */
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

static volatile int never;

static const VigieMailbox *find_mailbox(const GPtrArray *mailboxes, const char *name, GError **error) {
    for (guint i = 0; i < mailboxes->len; i++)
        if (strcmp(mail_mailbox_name(mailboxes->pdata[i]), name) == 0)
            return mailboxes->pdata[i];
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "no mailbox %s", name);
    return NULL;
}

static bool mailbox(const char *what, const char *name, const VigieConfig *config, VigieStore *store,
                    GError **error) {
    g_autoptr(GPtrArray) mailboxes = mail_mailboxes_load(config, error);
    const VigieMailbox *one = mailboxes ? find_mailbox(mailboxes, name, error) : NULL;
    int64_t count = 0;
    if (!one)
        return false;
    bool well = strcmp(what, "poll") == 0 ? mail_mailbox_poll(one, store, shifted, &never, &count, error)
                                          : mail_mailbox_check(one, &count, error);
    printf("%" G_GINT64_FORMAT "\n", count);
    return well;
}

static bool print_json(json_t *value) {
    g_autofree char *text = value ? vigie_json_text(value) : NULL;
    printf("%s\n", text ? text : "");
    json_decref(value);
    return text != NULL;
}

static bool inbound(VigieStore *store, GError **error) {
    for (int64_t after = 0;;) {
        g_autoptr(GError) failure = NULL;
        g_autoptr(VigieMailInbound) one = mail_inbound_next(store, after, shifted(), &failure);
        if (failure)
            g_propagate_error(error, g_steal_pointer(&failure));
        if (!one)
            return !(error && *error);
        print_json(json_pack("{s:I, s:s, s:I, s:I, s:s, s:I}", "id", (json_int_t)one->id, "mailbox",
                             one->mailbox, "size", (json_int_t)one->size, "kept",
                             (json_int_t)g_bytes_get_size(one->raw), "sha256", one->sha256, "tries",
                             (json_int_t)one->tries));
        after = one->id;
    }
}

static bool seal(char **words, const VigieConfig *config, VigieStore *store, GError **error) {
    g_autoptr(VigieMailCell) cell = mail_cell_start(config, error);
    const char *const to[] = {words[5], NULL};
    VigieMail mail = {.from = words[0],
                      .to = words[1],
                      .subject = words[2],
                      .text = words[3],
                      .cell = cell,
                      .sign_with = words[4],
                      .encrypt_to = to};
    return cell && mail_queue_add(store, &mail, NULL, vigie_time_now(), NULL, error);
}

static bool act_inbound(int argc, char **argv, const VigieConfig *config, VigieStore *store, bool *ret_well,
                        GError **error) {
    const char *what = argv[2];
    if (argc == 4 && (strcmp(what, "poll") == 0 || strcmp(what, "look") == 0))
        *ret_well = mailbox(what, argv[3], config, store, error);
    else if (strcmp(what, "inbound") == 0)
        *ret_well = inbound(store, error);
    else if (strcmp(what, "state") == 0)
        *ret_well = print_json(mail_mailboxes_state(store, error));
    else if (argc == 5 && strcmp(what, "file") == 0)
        *ret_well = mail_inbound_done(store, atoll(argv[3]), argv[4], vigie_time_now(), error);
    else if (argc == 9 && strcmp(what, "seal") == 0)
        *ret_well = seal(argv + 3, config, store, error);
    else
        return false;
    return true;
}

static bool act(int argc, char **argv, const VigieConfig *config, VigieStore *store, GError **error) {
    bool well = false;
    if (act_inbound(argc, argv, config, store, &well, error))
        return well;
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
        well = mail_metrics_append(store, out, error);
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
