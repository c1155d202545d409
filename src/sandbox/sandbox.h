/* sandbox: what a process may still do once it speaks with strangers, or reads what they sent: files and ports by
 * landlock, system calls by seccomp, no capabilities, no new privileges. Entered once, before any thread is
 * started. */
#pragma once

#include "base/base.h"

typedef struct {
    GPtrArray *read;  /* files, and folders with all below; what does not exist is skipped; owned strings */
    GPtrArray *write; /* folders in which files may also be made, changed and removed */
    GArray *ports;    /* of uint16_t: the TCP ports it may connect to; NULL: all */
    bool connects;    /* false: it connects nowhere, by any protocol */
    bool local;       /* where it connects: to sockets of this machine's file system alone */
    /* Folders with programs that it may start; these work in this same sandbox, and may also make folders, links and
     * sockets below `write`. Empty: it starts none. */
    GPtrArray *programs;
} VigieSandbox;

VigieSandbox *sandbox_new(void);
void sandbox_free(VigieSandbox *sandbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieSandbox, sandbox_free)
/* Relative paths are from the working folder; NULL and "" are skipped. */
void sandbox_allow_read(VigieSandbox *sandbox, const char *path);
void sandbox_allow_write(VigieSandbox *sandbox, const char *folder);
void sandbox_allow_programs(VigieSandbox *sandbox, const char *folder);
/* What the C library, OpenSSL, time zones and name resolution read. */
void sandbox_allow_system(VigieSandbox *sandbox);

/* Becomes `user` for good where the process is root, or may become others (CAP_SETUID and CAP_SETGID); all capabilities go in
 * any case, and new privileges with them. `user` "": stays who it is. The error does not say which key named the account. */
bool sandbox_drop_rights(const char *user, GError **error);
/* Has it CAP_SETUID and CAP_SETGID? */
bool sandbox_may_become_others(void);
/* No core dumps, no debugger, and room for many connections. */
void sandbox_limit(void);
/* Logs a warning where the kernel cannot, and goes on: less protection is better than no look-out. */
bool sandbox_enter(const VigieSandbox *sandbox, GError **error);

/* The same in two steps, for a process that forks many children into one sandbox: the second costs some microseconds. */
typedef struct {
    int ruleset; /* landlock's, -1: none */
    void *filter;
    size_t filter_size; /* 0: none */
} VigieSandboxReady;

bool sandbox_compile(const VigieSandbox *sandbox, VigieSandboxReady *ret_ready, GError **error);
bool sandbox_enter_ready(const VigieSandboxReady *ready, GError **error);
void sandbox_ready_clear(VigieSandboxReady *ready);

/* What this kernel can do, for the doctor: landlock's version (0: none), whether seccomp filters. */
int sandbox_landlock_version(void);
bool sandbox_seccomp_works(void);

/* Landlock and seccomp, each in its file. */
bool landlock_compile(const VigieSandbox *sandbox, VigieSandboxReady *ready, GError **error);
bool landlock_enter(const VigieSandboxReady *ready, GError **error);
bool seccomp_compile(const VigieSandbox *sandbox, VigieSandboxReady *ready, GError **error);
bool seccomp_enter(const VigieSandboxReady *ready, GError **error);
