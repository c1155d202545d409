/* Polling a mailbox: what is new is kept, then the server is told. */
#include "mail/mailbox.h"

#include <string.h>

enum { BATCH = 20, LONGEST_WAIT = 3600 };

/* ---- The configuration ---- */
static const char *const names[] = {"incident", "contact"};

static char *text_of(const VigieConfig *config, const char *name, const char *key) {
    g_autofree char *full = g_strdup_printf("mailbox.%s.%s", name, key);
    return g_strdup(vigie_config_text(config, full));
}

void mail_mailbox_free(VigieMailbox *mailbox) {
    if (!mailbox)
        return;
    char *texts[] = {mailbox->name,   mailbox->url,     mailbox->user,   mailbox->password_file,
                     mailbox->folder, mailbox->archive, mailbox->ca_file};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    g_free(mailbox);
}

static bool check(const VigieMailbox *mailbox, GError **error) {
    g_autoptr(GUri) uri = g_uri_parse(mailbox->url, G_URI_FLAGS_NONE, NULL);
    const char *scheme = uri ? g_uri_get_scheme(uri) : "", *path = uri ? g_uri_get_path(uri) : "";
    bool known = strcmp(scheme, "imaps") == 0 || strcmp(scheme, "imap") == 0;
    if (!known || !g_uri_get_host(uri) || !*g_uri_get_host(uri) || g_uri_get_userinfo(uri) ||
        (*path && strcmp(path, "/") != 0))
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "[mailbox.%s] url = %s: an address of the form imaps://HOST:PORT is wanted, as in: url = "
                    "imaps://imap.chu.test",
                    mailbox->name, mailbox->url);
    else if (!*mailbox->user || !*mailbox->password_file)
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            "[mailbox.%s] user and password_file are wanted with url, as in: user = incident@chu.test and "
            "password_file = /etc/vigie/imap-incident",
            mailbox->name);
    else if (!*mailbox->folder || strcmp(mailbox->folder, mailbox->archive) == 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "[mailbox.%s] folder = %s: a folder other than archive is wanted, as in: folder = INBOX",
                    mailbox->name, mailbox->folder);
    else
        return true;
    return false;
}

static VigieMailbox *load(const VigieConfig *config, const char *name) {
    VigieMailbox *mailbox = g_new0(VigieMailbox, 1);
    const char *ca_file = vigie_config_text(config, "mailbox.ca_file");
    mailbox->name = g_strdup(name);
    mailbox->url = text_of(config, name, "url");
    mailbox->user = text_of(config, name, "user");
    mailbox->password_file = text_of(config, name, "password_file");
    mailbox->folder = text_of(config, name, "folder");
    mailbox->archive = text_of(config, name, "archive");
    mailbox->ca_file = *ca_file ? g_strdup(ca_file) : NULL;
    mailbox->tls = CURLUSESSL_ALL; /* a password goes over it */
    mailbox->timeout = vigie_config_seconds(config, "mailbox.timeout");
    mailbox->every = vigie_config_seconds(config, "mailbox.every");
    return mailbox;
}

static void free_mailbox(void *mailbox) {
    mail_mailbox_free(mailbox);
}

GPtrArray *mail_mailboxes_load(const VigieConfig *config, GError **error) {
    g_autoptr(GPtrArray) mailboxes = g_ptr_array_new_with_free_func(free_mailbox);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(VigieMailbox) mailbox = load(config, names[i]);
        if (!*mailbox->url)
            continue;
        if (!check(mailbox, error)) {
            g_prefix_error(error, "%s: ", vigie_config_place(config));
            return NULL;
        }
        g_ptr_array_add(mailboxes, g_steal_pointer(&mailbox));
    }
    return g_steal_pointer(&mailboxes);
}

const char *mail_mailbox_name(const VigieMailbox *mailbox) {
    return mailbox->name;
}

bool mail_mailbox_check(const VigieMailbox *mailbox, int64_t *ret_waiting, GError **error) {
    g_autoptr(Imap) imap = imap_open(mailbox, error);
    ImapFolder folder = {0};
    if (!imap || (*mailbox->archive && !imap_select(imap, mailbox->archive, &folder, error)) ||
        !imap_select(imap, mailbox->folder, &folder, error))
        return false;
    *ret_waiting = folder.messages;
    return true;
}

/* ---- Polling ---- */
typedef struct {
    const VigieMailbox *mailbox;
    VigieStore *store;
    VigieTime (*clock)(void);
    Imap *imap;
    ImapFolder folder;
    int64_t last_uid;
    bool first; /* never looked at before */
    int64_t taken;
} Poll;

static bool load_state(Poll *poll, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(poll->store, error, "SELECT uidvalidity, last_uid FROM mailbox WHERE name = $1", "t",
                    poll->mailbox->name);
    g_autoptr(GError) failure = NULL;
    if (!rows)
        return false;
    bool found = rows_next(rows, &failure);
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    poll->first = !found || rows_int(rows, 0) == 0;
    poll->last_uid = found && rows_int(rows, 0) == poll->folder.uidvalidity ? rows_int(rows, 1) : 0;
    return true;
}

static bool save_position(const Poll *poll, int64_t uid, GError **error) {
    return store_exec(
        poll->store, error,
        "INSERT INTO mailbox (name, uidvalidity, last_uid) VALUES ($1, $2, $3) ON CONFLICT (name) DO "
        "UPDATE SET uidvalidity = excluded.uidvalidity, last_uid = excluded.last_uid",
        "tii", poll->mailbox->name, poll->folder.uidvalidity, uid);
}

/* The message and how far we are: both or neither. */
static bool take(void *data, int64_t uid, int64_t size, GBytes *raw, GError **error) {
    Poll *poll = data;
    InboundOrigin origin = {poll->mailbox->name, poll->folder.uidvalidity, uid, size};
    bool new = false;
    g_autoptr(VigieTransaction) tx = store_begin(poll->store, error);
    if (!tx || !inbound_keep(poll->store, &origin, raw, poll->clock(), &new, error) ||
        !save_position(poll, MAX(uid, poll->last_uid), error) ||
        (new && poll->taken == 0 && !inbound_ask(poll->store, poll->clock(), error)) ||
        !store_commit(&tx, error))
        return false;
    poll->last_uid = MAX(uid, poll->last_uid);
    poll->taken += new;
    return true;
}

/* Those that are kept and of which the server has not been told. */
static GArray *unmoved(const Poll *poll, GError **error) {
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(int64_t));
    g_autoptr(GError) failure = NULL;
    g_autoptr(VigieRows) rows = store_query(
        poll->store, &failure,
        "SELECT uid FROM mail_inbound WHERE mailbox = $1 AND uidvalidity = $2 AND moved = 0 ORDER BY id "
        "LIMIT 100",
        "ti", poll->mailbox->name, poll->folder.uidvalidity);
    while (rows && rows_next(rows, &failure)) {
        int64_t uid = rows_int(rows, 0);
        g_array_append_val(uids, uid);
    }
    if (!failure)
        return g_steal_pointer(&uids);
    g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}

static bool note_moved(const Poll *poll, const GArray *uids, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(poll->store, error);
    for (guint i = 0; tx && i < uids->len; i++)
        if (!store_exec(
                poll->store, error,
                "UPDATE mail_inbound SET moved = 1 WHERE mailbox = $1 AND uidvalidity = $2 AND uid = $3",
                "tii", poll->mailbox->name, poll->folder.uidvalidity, g_array_index(uids, int64_t, i)))
            return false;
    return tx && store_commit(&tx, error);
}

static bool tell_server(const Poll *poll, GError **error) {
    for (;;) {
        g_autoptr(GArray) uids = unmoved(poll, error);
        if (!uids || uids->len == 0)
            return uids != NULL;
        if (!imap_file(poll->imap, (const int64_t *)uids->data, uids->len, poll->mailbox->archive, error) ||
            !note_moved(poll, uids, error))
            return false;
    }
}

static bool take_new(Poll *poll, const volatile int *stop, GError **error) {
    g_autoptr(GArray) uids = imap_search(poll->imap, poll->last_uid + 1, poll->first, error);
    if (!uids)
        return false;
    for (guint i = 0; i < uids->len && !*stop; i += BATCH)
        if (!imap_fetch(poll->imap, &g_array_index(uids, int64_t, i), MIN(BATCH, uids->len - i), take, poll,
                        error) ||
            !tell_server(poll, error))
            return false;
    /* What others read before we ever looked is theirs. */
    return !poll->first || *stop || save_position(poll, MAX(poll->last_uid, poll->folder.uidnext - 1), error);
}

static bool poll_folder(Poll *poll, const volatile int *stop, GError **error) {
    poll->imap = imap_open(poll->mailbox, error);
    return poll->imap && imap_select(poll->imap, poll->mailbox->folder, &poll->folder, error) &&
           load_state(poll, error) && tell_server(poll, error) && take_new(poll, stop, error);
}

static bool note_success(const Poll *poll, GError **error) {
    VigieTime now = poll->clock();
    return store_exec(
        poll->store, error,
        "INSERT INTO mailbox (name, last_poll, last_good, next_poll) VALUES ($1, $2, $2, $3) "
        "ON CONFLICT (name) DO UPDATE SET last_poll = excluded.last_poll, last_good = excluded.last_good, "
        "next_poll = excluded.next_poll, failures = 0, error = NULL",
        "tii", poll->mailbox->name, now, now + poll->mailbox->every);
}

/* The wait doubles with each failure, up to an hour. */
static bool note_failure(const Poll *poll, const char *reason, GError **error) {
    VigieTime now = poll->clock();
    int64_t failures = 0;
    if (!store_get_int(poll->store, &failures, error,
                       "INSERT INTO mailbox (name, last_poll, failures, error) VALUES ($1, $2, 1, $3) ON "
                       "CONFLICT (name) "
                       "DO UPDATE SET last_poll = excluded.last_poll, failures = mailbox.failures + 1, "
                       "error = excluded.error RETURNING failures",
                       "tit", poll->mailbox->name, now, reason))
        return false;
    int64_t wait = poll->mailbox->every << MIN(failures, 10);
    return store_exec(
        poll->store, error, "UPDATE mailbox SET next_poll = $2 WHERE name = $1", "ti", poll->mailbox->name,
        now + CLAMP(wait, poll->mailbox->every, MAX((int64_t)LONGEST_WAIT, poll->mailbox->every)));
}

bool mail_mailbox_poll(const VigieMailbox *mailbox, VigieStore *store, VigieTime (*clock)(void),
                       const volatile int *stop, int64_t *ret_taken, GError **error) {
    Poll poll = {.mailbox = mailbox, .store = store, .clock = clock};
    g_autoptr(GError) failure = NULL;
    bool well = poll_folder(&poll, stop, &failure);
    imap_close(poll.imap);
    *ret_taken = poll.taken;
    if (well)
        return note_success(&poll, error);
    if (note_failure(&poll, failure->message, error))
        g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* ---- How it goes ---- */
static json_t *time_or_null(const VigieRows *rows, int column) {
    return rows_null(rows, column) ? json_null() : json_integer(rows_int(rows, column));
}

json_t *mail_mailboxes_state(VigieStore *store, GError **error) {
    g_autoptr(json_t) list = json_array();
    g_autoptr(GError) failure = NULL;
    g_autoptr(VigieRows) rows = store_query(
        store, &failure,
        "SELECT m.name, m.last_poll, m.last_good, m.failures, m.error, m.next_poll, COUNT(i.id), "
        "MIN(i.received) "
        "FROM mailbox m LEFT JOIN mail_inbound i ON i.mailbox = m.name AND i.handled IS NULL "
        "GROUP BY m.name, m.last_poll, m.last_good, m.failures, m.error, m.next_poll ORDER BY m.name",
        "");
    while (rows && rows_next(rows, &failure))
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:o, s:I, s:s?, s:I, s:I, s:o}", "mailbox", rows_text(rows, 0),
                            "last_poll", time_or_null(rows, 1), "last_good", time_or_null(rows, 2),
                            "failures", (json_int_t)rows_int(rows, 3), "error", rows_text(rows, 4), "next",
                            (json_int_t)rows_int(rows, 5), "waiting", (json_int_t)rows_int(rows, 6), "oldest",
                            time_or_null(rows, 7)));
    if (!failure)
        return g_steal_pointer(&list);
    g_propagate_error(error, g_steal_pointer(&failure));
    return NULL;
}
