/* The outgoing queue: rows whose state never claims more than is known. */
#include "mail/message.h"

#include <string.h>

enum { LONG_WAIT = 6 * 3600 };

typedef struct {
    int64_t id, created;
    char *message_id, *sender, *recipient, *subject, *body, *lang, *state, *answer;
    GBytes *message; /* as it travels, or NULL: made when it is sent */
} Row;

static void row_free(Row *row) {
    char *texts[] = {row->message_id, row->sender, row->recipient, row->subject,
                     row->body,       row->lang,   row->state,     row->answer};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    g_clear_pointer(&row->message, g_bytes_unref);
    g_free(row);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Row, row_free)

typedef struct {
    VigieStore *store;
    int64_t id;
    VigieTime (*clock)(void);
    bool lost; /* another worker has it, or had it */
    GError *error;
} Commit;

/* ---- Adding ---- */
static char *new_message_id(const char *address) {
    g_autofree char *uuid = g_uuid_string_random();
    return g_strdup_printf("%s%s", uuid, strchr(address, '@'));
}

static bool find_by_key(VigieStore *store, const char *unique_key, int64_t *ret_id, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT id FROM mail WHERE unique_key = $1", "t", unique_key);
    *ret_id = 0;
    if (!rows)
        return false;
    g_autoptr(GError) failure = NULL;
    if (rows_next(rows, &failure))
        *ret_id = rows_int(rows, 0);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    return *ret_id || !(error && *error);
}

static bool add_job(VigieStore *store, int64_t id, VigieTime run_at, GError **error) {
    g_autoptr(json_t) payload = json_pack("{s:I}", "mail", (json_int_t)id);
    g_autofree char *key = g_strdup_printf("mail:%" G_GINT64_FORMAT, id);
    return store_job_add(store, MAIL_JOB_KIND, payload, run_at, key, NULL, error);
}

/* Text alone is made anew when it is sent; anything else is stored as it will travel. */
static bool is_plain(const VigieMail *mail) {
    return !message_sealed(mail) && mail->file_count == 0 && !mail->in_reply_to && !mail->references &&
           !mail->auto_submitted;
}

static bool insert(VigieStore *store, const VigieMail *mail, const char *unique_key, const char *message_id,
                   GBytes *message, VigieTime now, int64_t *ret_id, GError **error) {
    bool hidden = mail->encrypt_to && mail->encrypt_to[0];
    gsize size = 0;
    const void *data = message ? g_bytes_get_data(message, &size) : NULL;
    VigieBytes bytes = vigie_bytes(data, size);
    return store_get_int(
        store, ret_id, error,
        "INSERT INTO mail (unique_key, message_id, sender, recipient, subject, body, lang, message, "
        "state, created, changed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $9) "
        "RETURNING id",
        "tttttt"
        "tbi",
        unique_key, message_id, mail->from, mail->to, hidden ? "..." : mail->subject,
        message ? "" : mail->text, mail->lang, message ? &bytes : NULL, now);
}

/* Built before the transaction is begun: sealing takes gpg's time. */
static bool add_built(VigieStore *store, const VigieMail *mail, const char *unique_key,
                      const char *message_id, VigieTime now, int64_t *ret_id, GError **error) {
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    bool plain = is_plain(mail); /* built when it is sent */
    g_autoptr(GBytes) message =
        plain ? NULL : mail_build(mail, message_id, now, mail->zone ? mail->zone : utc, error);
    bool well = plain ? message_check(mail, message_id, error) : message != NULL;
    g_autoptr(VigieTransaction) tx = well ? store_begin(store, error) : NULL;
    return tx && insert(store, mail, unique_key, message_id, message, now, ret_id, error) &&
           add_job(store, *ret_id, now, error) && store_commit(&tx, error);
}

bool mail_queue_add(VigieStore *store, const VigieMail *mail, const char *unique_key, VigieTime now,
                    int64_t *ret_id, GError **error) {
    g_autofree char *address = mail_address(mail->from, error);
    int64_t id = 0;
    if (!address || (unique_key && !find_by_key(store, unique_key, &id, error)))
        return false;
    g_autofree char *message_id = mail->message_id ? g_strdup(mail->message_id) : new_message_id(address);
    if (id == 0 && !add_built(store, mail, unique_key, message_id, now, &id, error))
        return false;
    if (ret_id)
        *ret_id = id;
    return true;
}

bool mail_queue_find(VigieStore *store, const char *message_id, int64_t *ret_id, char **ret_recipient,
                     GError **error) {
    g_autoptr(GError) failure = NULL;
    g_autoptr(VigieRows) rows = store_query(
        store, &failure, "SELECT id, recipient FROM mail WHERE message_id = $1 ORDER BY id LIMIT 1", "t",
        message_id);
    bool found = rows && rows_next(rows, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    *ret_id = found ? rows_int(rows, 0) : 0;
    *ret_recipient = found ? g_strdup(rows_text(rows, 1)) : NULL;
    return true;
}

/* ---- Sending ---- */
static Row *load_row(VigieStore *store, int64_t id, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT created, message_id, sender, recipient, subject, body, lang, state, answer, message "
        "FROM mail WHERE id = $1",
        "i", id);
    if (!rows || !rows_next(rows, error))
        return NULL;
    Row *row = g_new0(Row, 1);
    row->id = id;
    row->created = rows_int(rows, 0);
    char **texts[] = {&row->message_id, &row->sender, &row->recipient, &row->subject,
                      &row->body,       &row->lang,   &row->state,     &row->answer};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        *texts[i] = g_strdup(rows_text(rows, (int)i + 1));
    VigieBytes message = rows_blob(rows, 9);
    row->message = rows_null(rows, 9) ? NULL : g_bytes_new(message.data, message.size);
    return row;
}

/* Only one process can pass here for a message, whatever became of leases. */
static bool mark_sending(void *data) {
    Commit *commit = data;
    int64_t rows = 0;
    if (!store_exec_count(commit->store, &rows, &commit->error,
                          "UPDATE mail SET state = 'sending', tries = tries + 1, changed = $2 "
                          "WHERE id = $1 AND state = 'queued'",
                          "ii", commit->id, commit->clock()))
        return false;
    commit->lost = rows == 0;
    return !commit->lost;
}

static bool set_state(VigieStore *store, int64_t id, const char *state, const char *answer, VigieTime now,
                      GError **error) {
    return store_exec(store, error, "UPDATE mail SET state = $2, answer = $3, changed = $4 WHERE id = $1",
                      "itti", id, state, answer, now);
}

/* The queue buries a job after half a day of tries; a message waits longer for its server, in a new one. */
static bool wait_on(VigieStore *store, const Row *row, const VigieJob *job, const char *worker,
                    const char *answer, VigieTime now, GError **error) {
    if (job->tries < STORE_JOB_TRIES)
        return store_job_failed(store, job, worker, answer, now, error);
    return store_job_done(store, job, worker, error) && add_job(store, row->id, now + LONG_WAIT, error);
}

/* Both or neither: a worker that lost its lease meanwhile must not bring back what another judged. */
static bool try_later(VigieStore *store, const Row *row, const VigieJob *job, const char *worker,
                      const char *answer, int64_t give_up, VigieTime now, GError **error) {
    bool over = now - row->created >= give_up;
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && set_state(store, row->id, over ? "failed" : "queued", answer, now, error) &&
           (over ? store_job_done(store, job, worker, error)
                 : wait_on(store, row, job, worker, answer, now, error)) &&
           store_commit(&tx, error);
}

static GBytes *message_of(const Row *row, VigieTime now, GTimeZone *zone, GError **error) {
    VigieMail mail = {.from = row->sender,
                      .to = row->recipient,
                      .subject = row->subject,
                      .text = row->body,
                      .lang = row->lang};
    return row->message ? g_bytes_ref(row->message) : mail_build(&mail, row->message_id, now, zone, error);
}

/* The state is written, and committed, before the job is ended: a job that runs again finds it. */
static bool send_row(VigieStore *store, const VigieMailServer *server, const Row *row, const VigieJob *job,
                     const char *worker, int64_t give_up, GTimeZone *zone, VigieTime (*clock)(void),
                     GError **error) {
    g_autofree char *from = mail_address(row->sender, error);
    g_autofree char *to = from ? mail_address(row->recipient, error) : NULL;
    g_autoptr(GBytes) message = to ? message_of(row, clock(), zone, error) : NULL;
    if (!message)
        return false;
    Commit commit = {.store = store, .id = row->id, .clock = clock};
    g_autofree char *answer = NULL;
    VigieMailResult result = mail_server_send(server, from, to, message, mark_sending, &commit, &answer);
    if (commit.error) {
        g_propagate_error(error, commit.error);
        return false;
    }
    if (commit.lost)
        return true;
    static const char *const states[] = {
        [VIGIE_MAIL_SENT] = "sent", [VIGIE_MAIL_REFUSED] = "failed", [VIGIE_MAIL_UNKNOWN] = "unknown"};
    if (result == VIGIE_MAIL_LATER)
        return try_later(store, row, job, worker, answer, give_up, clock(), error);
    return set_state(store, row->id, states[result], answer, clock(), error) &&
           store_job_done(store, job, worker, error);
}

bool mail_queue_send(VigieStore *store, const VigieMailServer *server, const VigieJob *job,
                     const char *worker, int64_t give_up, GTimeZone *zone, VigieTime (*clock)(void),
                     GError **error) {
    int64_t id = json_integer_value(json_object_get(job->payload, "mail"));
    g_autoptr(GError) failure = NULL;
    g_autoptr(Row) row = load_row(store, id, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (row && strcmp(row->state, "queued") == 0)
        return send_row(store, server, row, job, worker, give_up, zone, clock, error);
    if (row && strcmp(row->state, "sending") == 0 &&
        !set_state(store, id, "unknown", "the program ended before the server answered", clock(), error))
        return false;
    return store_job_done(store, job, worker, error);
}

/* ---- Looking ---- */
bool mail_queue_counts(VigieStore *store, VigieMailCounts *ret_counts, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT state, COUNT(*), MIN(created) FROM mail GROUP BY state", "");
    if (!rows)
        return false;
    VigieMailCounts counts = {0};
    const struct {
        const char *state;
        int64_t *count;
    } states[] = {{"queued", &counts.queued},
                  {"sending", &counts.sending},
                  {"sent", &counts.sent},
                  {"failed", &counts.failed},
                  {"unknown", &counts.unknown}};
    g_autoptr(GError) failure = NULL;
    while (rows_next(rows, &failure))
        for (size_t i = 0; i < G_N_ELEMENTS(states); i++)
            if (strcmp(states[i].state, rows_text(rows, 0)) == 0) {
                *states[i].count = rows_int(rows, 1);
                if (i == 0)
                    counts.oldest_queued = rows_int(rows, 2);
            }
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    *ret_counts = counts;
    return true;
}

static void append_gauge(GString *out, const json_t *states, const char *metric, const char *help,
                         const char *member) {
    size_t i = 0;
    json_t *state = NULL;
    g_string_append_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", metric, help, metric);
    json_array_foreach(states, i, state)
        g_string_append_printf(out, "%s{mailbox=\"%s\"} %" JSON_INTEGER_FORMAT "\n", metric,
                               json_string_value(json_object_get(state, "mailbox")),
                               json_integer_value(json_object_get(state, member)));
}

static bool append_mailboxes(VigieStore *store, GString *out, GError **error) {
    g_autoptr(json_t) states = mail_mailboxes_state(store, error);
    if (!states)
        return false;
    append_gauge(out, states, "vigie_mailbox_last_good_timestamp_seconds",
                 "When the mailbox was last looked at without trouble; 0: never.", "last_good");
    append_gauge(out, states, "vigie_mailbox_failures", "Looks that failed since then.", "failures");
    append_gauge(out, states, "vigie_mail_inbound_waiting",
                 "Messages taken from the mailbox and not filed yet.", "waiting");
    return true;
}

bool mail_metrics_append(VigieStore *store, GString *out, GError **error) {
    VigieMailCounts counts;
    if (!mail_queue_counts(store, &counts, error))
        return false;
    const struct {
        const char *state;
        int64_t count;
    } rows[] = {{"queued", counts.queued},
                {"sending", counts.sending},
                {"sent", counts.sent},
                {"failed", counts.failed},
                {"unknown", counts.unknown}};
    g_string_append(out, "# HELP vigie_mails Messages by what is known of them.\n# TYPE vigie_mails gauge\n");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        g_string_append_printf(out, "vigie_mails{state=\"%s\"} %" G_GINT64_FORMAT "\n", rows[i].state,
                               rows[i].count);
    g_string_append_printf(
        out,
        "# HELP vigie_mail_oldest_queued_timestamp_seconds When the oldest message that waits "
        "was written; 0: none waits.\n"
        "# TYPE vigie_mail_oldest_queued_timestamp_seconds gauge\n"
        "vigie_mail_oldest_queued_timestamp_seconds %" G_GINT64_FORMAT "\n",
        counts.oldest_queued);
    return append_mailboxes(store, out, error);
}

bool mail_queue_forget(VigieStore *store, VigieTime before, GError **error) {
    return store_exec(store, error, "DELETE FROM mail WHERE state = 'sent' AND changed < $1", "i", before);
}
