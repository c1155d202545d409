/* Mailboxes and what they are made of. The room's own business. */
#pragma once

#include "mail/mail.h"

#include <curl/curl.h>

struct VigieMailbox {
    char *name;
    char *url; /* "imaps://imap.chu.test:993" */
    char *user, *password_file, *folder, *archive, *ca_file;
    curl_usessl tls;
    int64_t timeout, every;
};

/* ---- IMAP (imap.c) ---- */
typedef struct Imap Imap;

/* Connected, secured and logged in. */
Imap *imap_open(const VigieMailbox *mailbox, GError **error);
void imap_close(Imap *imap);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Imap, imap_close)

typedef struct {
    int64_t uidvalidity, uidnext, messages;
} ImapFolder;
bool imap_select(Imap *imap, const char *folder, ImapFolder *ret_folder, GError **error);
/* UIDs from `from` on, ascending, each once; `unseen`: those alone that nobody read. Of int64_t. */
GArray *imap_search(Imap *imap, int64_t from, bool unseen, GError **error);
/* Hands each message over as it comes; size is the server's, raw at most MAIL_READ_MAX bytes of it. False: stop. */
typedef bool (*ImapTake)(void *data, int64_t uid, int64_t size, GBytes *raw, GError **error);
bool imap_fetch(Imap *imap, const int64_t *uids, size_t count, ImapTake take, void *data, GError **error);
/* Seen and, where `archive` is not "", moved there. */
bool imap_file(Imap *imap, const int64_t *uids, size_t count, const char *archive, GError **error);

/* The first line of a file that others may not read, on the caller's stack so that it can be wiped (smtp.c). */
enum { PASSWORD_MAX = 1024 };
bool mail_password_read(const char *key, const char *path, char ret_password[PASSWORD_MAX], GError **error);

/* ---- The store (inbound.c) ---- */
typedef struct {
    const char *mailbox;
    int64_t uidvalidity, uid, size;
} InboundOrigin;
/* Inside the caller's transaction. ret_new: it was not there yet. */
bool inbound_keep(VigieStore *store, const InboundOrigin *origin, GBytes *raw, VigieTime now, bool *ret_new,
                  GError **error);
/* Adds the job that files what waits. */
bool inbound_ask(VigieStore *store, VigieTime now, GError **error);
