/* portal: the web face. Pages for people, the same data as JSON for programs, feeds for calendars and
 * monitors.
 *
 * One process, no key, no connection outwards. A gate, one thread, holds all connections, judges the raw head of each
 * request and lets through what has exactly one reading; it answers by itself what may be kept. Behind it, a few lanes,
 * each a thread with its own store. It speaks plain HTTP/1.1, to loopback or a Unix socket unless told otherwise; nginx
 * stands in front when it is exposed.
 */
#pragma once

#include "base/base.h"
#include "store/store.h"

typedef struct {
    const VigieConfig *config; /* borrowed; groups site, store, portal */
    int listen_fd; /* a listening socket, from portal_listen: bound before rights are dropped. Borrowed */
    struct VigieOcspClient *ocsp; /* who signs OCSP answers on the spot; may be NULL. Borrowed */
    const volatile int *stop; /* the portal ends within half a second after it became non-zero; may be NULL */
    void (*ready)(void *data); /* called once, when requests are answered; may be NULL */
    void *data;
} VigiePortalOptions;

/* Binds and listens. `where` is portal.listen: "127.0.0.1:8080", "[::1]:8080", port 0 for any, or
 * "unix:/PATH" (mode 0660). `ret_url` (may be NULL; g_free) is where it is reached: "http://127.0.0.1:8080",
 * "unix:/PATH". */
bool portal_listen(const char *where, int *ret_fd, char **ret_url, GError **error);

/* Serves until stopped. The store has been migrated. Reads the knowledge folder before `ready` and not after;
 * opens the store a few times (one connection a lane). */
bool portal_run(const VigiePortalOptions *options, GError **error);

/* ---- Accounts -------------------------------------------------------------------------------------------
 * What a role may do is one table, in account.c. */
typedef enum {
    VIGIE_ROLE_READER,
    VIGIE_ROLE_BIOMED,
    VIGIE_ROLE_ANALYST, /* works at the CSIRT's desk */
    VIGIE_ROLE_HEAD,    /* of the CSIRT */
    VIGIE_ROLE_ADMIN,
    VIGIE_ROLES
} VigieRole;

const char *portal_role_name(VigieRole role); /* "reader" "biomed" "analyst" "head" "admin" */
bool portal_role_parse(const char *name, VigieRole *ret_role);

/* Names are 1 to 64 letters, digits, . _ - @, told apart without case. A password has 12 to 512 octets; it is
 * kept as yescrypt. `organisation` confines the account to it; 0: all. Errors: INVALID, CONFLICT (the name is
 * taken). */
bool portal_user_add(VigieStore *store, const char *name, VigieRole role, int64_t organisation,
                     const char *password, const char *by, VigieTime now, GError **error);
/* Changes the password, ends the account's sessions and removes its tokens that read or act: who stole the password may have
 * made one. Those of metrics and calendars, which show less, stay. */
bool portal_user_password(VigieStore *store, const char *name, const char *password, const char *by,
                          VigieTime now, GError **error);
/* Changes what the account is, and the organisation that it is confined to (0: none), at once in its sessions, too. By
 * somebody in the portal, the last administrator of all organisations stays one: CONFLICT. */
bool portal_user_role(VigieStore *store, const char *name, VigieRole role, int64_t organisation,
                      const char *by, VigieTime now, GError **error);
/* Disabled: its sessions end, its tokens sleep, it cannot log in. As above of the last administrator. */
bool portal_user_disable(VigieStore *store, const char *name, bool disabled, const char *by, VigieTime now,
                         GError **error);
/* [ { "id", "name", "role", "organisation", "language", "disabled", "created", "last_login", "tokens": n } ] */
json_t *portal_user_list(VigieStore *store, GError **error);
/* Certificates like the one of this serial number (of its authority, profile and subject) let the account in. Only of a
 * profile with dual control, whose subjects are validated by a second person: DENIED. */
bool portal_user_certificate_add(VigieStore *store, const char *name, const char *serial, const char *by,
                                 VigieTime now, GError **error);
/* All of the account's. NOT_FOUND where it had none. */
bool portal_user_certificate_remove(VigieStore *store, const char *name, const char *by, VigieTime now,
                                    GError **error);
/* [ { "account", "authority", "profile", "subject", "added" } ] */
json_t *portal_user_certificate_list(VigieStore *store, GError **error);
/* A password of 24 random letters and digits (more than 120 bits), easy to read aloud. Free with g_free. */
char *portal_password_generate(void);

/* `scope` is one of: read, act (read, acknowledge, survey), fleet (read, keep the fleet), case (the CSIRT's desk), metrics, calendar. `seconds` of life. The token
 * is told here once; a hash of it is kept. Free with g_free. */
char *portal_token_add(VigieStore *store, const char *user, const char *name, const char *scope,
                       int64_t seconds, VigieTime now, GError **error);
