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
} VigieSandbox;

VigieSandbox *sandbox_new(void);
void sandbox_free(VigieSandbox *sandbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VigieSandbox, sandbox_free)
/* Relative paths are from the working folder; NULL and "" are skipped. */
void sandbox_allow_read(VigieSandbox *sandbox, const char *path);
void sandbox_allow_write(VigieSandbox *sandbox, const char *folder);
/* What the C library, OpenSSL, time zones and name resolution read. */
void sandbox_allow_system(VigieSandbox *sandbox);

/* Becomes `user` for good where the process is root; all capabilities go in any case, and new privileges with them.
 * `user` "": stays who it is. */
bool sandbox_drop_rights(const char *user, GError **error);
/* No core dumps, no debugger, and room for many connections. */
void sandbox_limit(void);
/* Both log a warning where the kernel cannot, and go on: less protection is better than no look-out. */
bool sandbox_enter(const VigieSandbox *sandbox, GError **error);

/* What this kernel can do, for the doctor: landlock's version (0: none), whether seccomp filters. */
int sandbox_landlock_version(void);
bool sandbox_seccomp_works(void);

/* Landlock and seccomp, each in its file. */
bool landlock_enter(const VigieSandbox *sandbox, GError **error);
bool seccomp_enter(const VigieSandbox *sandbox, GError **error);
