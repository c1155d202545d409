/* Mailboxes, and the mail that came in.
 *
 * A mailbox is polled over IMAP: each new message is stored raw, in the transaction that records its UID, and only then
 * marked seen and, where an archive folder is named, moved there. A crash at any point neither loses nor doubles one.
 * Its filing is a job of kind "mail-inbound", for csirt/: mail_inbound_next, mail_read, then everything that filing
 * writes, and mail_inbound_done, in one transaction.
 *
 * From the configuration, groups [mailbox.incident] and [mailbox.contact]: url ("imaps://HOST[:PORT]", "imap://…" with
 * STARTTLS; empty: there is none), user, password_file, folder, archive; and [mailbox] every, tls, ca_file, timeout. */
#pragma once

#include "base/base.h"
#include "store/store.h"

#define MAIL_JOB_POLL "mail-poll"       /* payload { "mailbox": "incident" }, unique "mail-poll:incident" */
#define MAIL_JOB_INBOUND "mail-inbound" /* no payload, unique: files all that waits */

/* ---- Mailboxes ---- */
typedef struct VigieMailbox VigieMailbox;
void mail_mailbox_free(VigieMailbox *mailbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieMailbox, mail_mailbox_free)

/* Those that are configured, of VigieMailbox, owned; may be none. INVALID names key and remedy. Does not connect. */
GPtrArray *mail_mailboxes_load(const VigieConfig *config, GError **error);
const char *mail_mailbox_name(const VigieMailbox *mailbox); /* "incident" */
/* Connects, logs in and opens the folder as polling would, and takes nothing. ret_waiting: messages in the folder. */
bool mail_mailbox_check(const VigieMailbox *mailbox, int64_t *ret_waiting, GError **error);
/* Takes what is new, and adds a job "mail-inbound" where there is any. Ends early, in order, once *stop is not 0. What the
 * server did wrong is UNAVAILABLE or DENIED, and recorded for mail_mailboxes_state; the next poll is then later. */
bool mail_mailbox_poll(const VigieMailbox *mailbox, VigieStore *store, VigieTime (*clock)(void),
                       const volatile int *stop, int64_t *ret_taken, GError **error);
/* [ { "mailbox", "last_poll": or null, "last_good": or null, "failures": in a row, "error": or null, "next": when it is
 * due, "waiting": taken and not yet filed, "oldest": the oldest of those or null } ], a row a mailbox ever polled. */
json_t *mail_mailboxes_state(VigieStore *store, GError **error);

/* ---- What came in ---- */
typedef struct {
    int64_t id;
    char *mailbox;
    VigieTime received; /* when we took it */
    GBytes *raw;        /* as the server had it */
    int64_t
        size; /* on the server; more than raw holds: it was too large, is cut, and still lies on the server */
    char *sha256;  /* of raw */
    int64_t tries; /* filings that failed */
} VigieMailInbound;

void mail_inbound_free(VigieMailInbound *inbound);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieMailInbound, mail_inbound_free)

/* Keeps a message that came otherwise (a file, a test); inside the caller's transaction. Adds the job "mail-inbound". */
bool mail_inbound_add(VigieStore *store, const char *mailbox, GBytes *raw, VigieTime now, int64_t *ret_id,
                      GError **error);
/* The next that waits to be filed, id above `after`; NULL without an error where there is none. */
VigieMailInbound *mail_inbound_next(VigieStore *store, int64_t after, VigieTime now, GError **error);
/* Any, filed or not; NOT_FOUND. raw is empty once it was forgotten. */
VigieMailInbound *mail_inbound_get(VigieStore *store, int64_t id, GError **error);
/* Inside the transaction that filed it. `outcome`: what became of it, for whoever looks ("case 123", "autoresponder").
 * CONFLICT where another filed it meanwhile: roll back. */
bool mail_inbound_done(VigieStore *store, int64_t id, const char *outcome, VigieTime now, GError **error);
/* It could not be filed: it waits longer each time (a minute to six hours), the others go on. Adds the job for then. */
bool mail_inbound_failed(VigieStore *store, int64_t id, const char *reason, VigieTime now, GError **error);
/* Empties one now: the raw message says who wrote, which its case must not know. */
bool mail_inbound_erase(VigieStore *store, int64_t id, GError **error);
/* Empties what was filed before `before`; the row stays, so that it is known again. */
bool mail_inbound_forget(VigieStore *store, VigieTime before, GError **error);
/* Whether a message of ours bears this identifier, and who it went to (free with g_free, NULL where it does not). */
bool mail_queue_find(VigieStore *store, const char *message_id, int64_t *ret_id, char **ret_recipient,
                     GError **error);
