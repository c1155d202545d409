/* mail: messages, and getting them to a server exactly once as far as SMTP allows. Reading what comes in is mail/read.h,
 * where it comes from mail/inbound.h, keys and signatures mail/keys.h, the processes that do it mail/cell.h; this header
 * includes them all.
 *
 * A message is plain text (RFC 3676 format=flowed, UTF-8, quoted-printable), its headers as RFC 5322 and RFC
 * 2047 want them. Nothing from outside can add a header: control characters in any header value are refused.
 *
 * Outgoing mail is a row of the table `mail` and a job of kind "mail". Its state tells what is known:
 *     queued   to be sent; `answer` holds why the last try did not succeed
 *     sending  the whole message was given, the server has not answered yet; written before the final dot
 *     sent     the server took it; `answer` is its reply
 *     failed   refused for good, or given up: visible in `vigie doctor` and the metrics
 *     unknown  the connection or the process died while `sending`: it may have arrived; never sent again
 * silently A message is thus given to the server at most once, and tried again only while it cannot have been
 * taken. */
#pragma once

#include "base/base.h"
#include "mail/cell.h"
#include "mail/inbound.h"
#include "mail/keys.h"
#include "mail/read.h"
#include "store/store.h"

/* ---- Messages ---- */
typedef struct {
    const char *from;    /* "CSIRT Santé <csirt@chu.test>" or "csirt@chu.test"; one address */
    const char *to;      /* the same; a domain in UTF-8 is sent as A-labels */
    const char *subject; /* UTF-8, 500 bytes at most */
    const char
        *text; /* UTF-8, lines end in LF, 1 MiB at most. A paragraph is one line, wrapped at 72 columns;
                  a line that begins with a space (evidence) keeps its breaks and its indentation */
    const char *lang; /* Content-Language ("fr"; "fr, en" where both are in the text), or NULL */
    /* All that follows may be zero. */
    const char
        *auto_submitted;     /* RFC 3834: NULL: "auto-generated"; "auto-replied"; "no": a person wrote it */
    const char *message_id;  /* known beforehand, "LEFT@RIGHT"; NULL: a new one */
    const char *in_reply_to; /* an identifier without brackets */
    const char *const *references; /* the same, NULL-terminated, oldest first; the last 20 are written */
    const VigieMailFile *files;    /* attachments, 20 MiB together at most */
    size_t file_count;
    GTimeZone *zone; /* of the Date field, where the message is stored as it will travel; NULL: UTC */
    /* PGP/MIME (RFC 3156) with protected headers (RFC 9788). Encrypted, the subject outside is "...", and neither it
     * nor text nor names of files are stored or sent in clear. */
    VigieMailCell *cell;   /* who holds the keys; needed for either of these: */
    const char *sign_with; /* fingerprint of our key, or NULL */
    const char *const
        *encrypt_to; /* fingerprints, NULL-terminated, or NULL; add our own to be able to read it again */
} VigieMail;

/* The message as it travels, CRLF line ends. `id` is "LEFT@RIGHT", without angle brackets. Whatever we write bears
 * "X-Loop: <from>", by which mail_read knows it again. */
GBytes *mail_build(const VigieMail *mail, const char *id, VigieTime date, GTimeZone *zone, GError **error);
/* The bare address of "Name <address>", its domain in A-labels; INVALID where it is not one address that
 * SMTP can carry. Free with g_free. */
char *mail_address(const char *text, GError **error);
/* `text` wrapped as VigieMail says, with the soft line breaks of RFC 3676. Free with g_free. */
char *mail_text_flow(const char *text);

/* ---- The server ----
 * From the configuration: mail.server ("smtp://HOST[:PORT]", "smtps://…"; empty: mail is off), mail.tls,
 * mail.ca_file, mail.user, mail.password_file, mail.timeout. The password is read for each connection, and our copy
 * of it wiped. */
typedef struct VigieMailServer VigieMailServer;

/* NULL without an error where mail is off. Does not connect. */
VigieMailServer *mail_server_new(const VigieConfig *config, GError **error);
void mail_server_free(VigieMailServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieMailServer, mail_server_free)

/* Connects, greets, secures and logs in as sending would, and sends nothing. ret_answer, may be NULL: the
 * server's last line; free with g_free. */
bool mail_server_check(const VigieMailServer *server, char **ret_answer, GError **error);

/* Did nobody answer when a message was last to be sent? Then all others would wait for nothing, too. */
bool mail_server_silent(const VigieMailServer *server);

typedef enum {
    VIGIE_MAIL_SENT,
    VIGIE_MAIL_LATER,   /* not taken, worth trying again: a 4xx reply, no connection */
    VIGIE_MAIL_REFUSED, /* a 5xx reply */
    VIGIE_MAIL_UNKNOWN, /* the whole message was given, and no answer came */
} VigieMailResult;

/* Called once, when all but the final dot was given; false: give up, nothing was sent. */
typedef bool (*VigieMailCommit)(void *data);

/* Gives one built message to the server. ret_answer: the server's reply, or what went wrong, in one line of
 * printable text; free with g_free. */
VigieMailResult mail_server_send(const VigieMailServer *server, const char *from, const char *to,
                                 GBytes *message, VigieMailCommit commit, void *data, char **ret_answer);

/* ---- The outgoing queue ---- */
#define MAIL_JOB_KIND "mail"

/* Queues a message inside the caller's transaction. `unique_key` ("alarm:12"), may be NULL: adding it a
 * second time changes nothing and answers the first one's id. Refuses what mail_build would refuse. A message with
 * attachments, other fields or a seal is stored as it will travel: sealed before it is stored. ret_id may be NULL. */
bool mail_queue_add(VigieStore *store, const VigieMail *mail, const char *unique_key, VigieTime now,
                    int64_t *ret_id, GError **error);
/* Does the work of one job taken from the queue, and ends it (done or failed). `give_up` seconds after it was
 * queued a message that is still not taken has failed. False, with the error, only where the store did not
 * answer. */
bool mail_queue_send(VigieStore *store, const VigieMailServer *server, const VigieJob *job,
                     const char *worker, int64_t give_up, GTimeZone *zone, VigieTime (*clock)(void),
                     GError **error);

typedef struct {
    int64_t queued, sending, sent, failed, unknown;
    VigieTime oldest_queued; /* 0 where none is */
} VigieMailCounts;
bool mail_queue_counts(VigieStore *store, VigieMailCounts *ret_counts, GError **error);
/* The same and the mailboxes for Prometheus, doc/metrics.md. */
bool mail_metrics_append(VigieStore *store, GString *out, GError **error);
/* Removes messages that were sent before `before`; the others stay until somebody looked. */
bool mail_queue_forget(VigieStore *store, VigieTime before, GError **error);
