#include "sandbox/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- What it may touch ---- */
VigieSandbox *sandbox_new(void) {
    VigieSandbox *sandbox = g_new0(VigieSandbox, 1);
    sandbox->read = g_ptr_array_new_with_free_func(g_free);
    sandbox->write = g_ptr_array_new_with_free_func(g_free);
    sandbox->programs = g_ptr_array_new_with_free_func(g_free);
    return sandbox;
}

void sandbox_free(VigieSandbox *sandbox) {
    if (!sandbox)
        return;
    g_ptr_array_unref(sandbox->read);
    g_ptr_array_unref(sandbox->write);
    g_ptr_array_unref(sandbox->programs);
    g_clear_pointer(&sandbox->ports, g_array_unref);
    g_free(sandbox);
}

void sandbox_allow_read(VigieSandbox *sandbox, const char *path) {
    if (path && *path)
        g_ptr_array_add(sandbox->read, g_strdup(path));
}

void sandbox_allow_write(VigieSandbox *sandbox, const char *folder) {
    if (folder && *folder)
        g_ptr_array_add(sandbox->write, g_strdup(folder));
}

void sandbox_allow_programs(VigieSandbox *sandbox, const char *folder) {
    if (folder && *folder)
        g_ptr_array_add(sandbox->programs, g_strdup(folder));
}

void sandbox_allow_system(VigieSandbox *sandbox) {
    static const char *const paths[] = {
        "/dev/null",
        "/dev/random",
        "/dev/urandom",
        /* loaded late: name services, OpenSSL's providers, character sets */
        "/lib",
        "/lib64",
        "/usr/lib",
        "/usr/lib64",
        "/etc/ld.so.cache",
        "/etc/localtime",
        "/etc/fonts",
        "/usr/share/fonts",
        "/usr/local/share/fonts",
        "/usr/share/fontconfig",
        "/var/cache/fontconfig",
        "/usr/share/zoneinfo",
        "/etc/ssl",
        "/usr/share/ca-certificates",
        "/usr/local/share/ca-certificates",
        "/etc/nsswitch.conf",
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/host.conf",
        "/etc/gai.conf",
        "/etc/services",
        "/etc/protocols",
        "/etc/passwd",
        "/proc/sys/crypto",
        "/proc/sys/net/core",
        "/sys/devices/system/cpu",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
        sandbox_allow_read(sandbox, paths[i]);
    /* Where /etc/resolv.conf is a link, whoever keeps it replaces the file it leads to. */
    char resolver[4096];
    if (realpath("/etc/resolv.conf", resolver) && !g_str_has_prefix(resolver, "/etc/")) {
        *strrchr(resolver, '/') = '\0';
        sandbox_allow_read(sandbox, resolver);
    }
}

/* ---- Rights ---- */
bool sandbox_may_become_others(void) {
    cap_t held = cap_get_proc();
    cap_flag_value_t uid = CAP_CLEAR, gid = CAP_CLEAR;
    bool asked = held && cap_get_flag(held, CAP_SETUID, CAP_EFFECTIVE, &uid) == 0 &&
                 cap_get_flag(held, CAP_SETGID, CAP_EFFECTIVE, &gid) == 0;
    cap_free(held);
    return asked && uid == CAP_SET && gid == CAP_SET;
}

static bool become(const char *user, GError **error) {
    const struct passwd *account = getpwnam(user);
    if (!account) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s: there is no such account; adduser --system --group %s, or name another", user, user);
        return false;
    }
    if (geteuid() == account->pw_uid)
        return true;
    if (!sandbox_may_become_others()) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                    "%s: only root can become another; start as root or as %s", user, user);
        return false;
    }
    if (initgroups(user, account->pw_gid) != 0 ||
        setresgid(account->pw_gid, account->pw_gid, account->pw_gid) != 0 ||
        setresuid(account->pw_uid, account->pw_uid, account->pw_uid) != 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                    "%s: its rights cannot be taken (%s); start as root or as %s", user, g_strerror(errno),
                    user);
        return false;
    }
    return true;
}

/* What no program that is started may ever gain; who has no right has none to give this up. */
static void drop_bounding(void) {
    for (int capability = 0; cap_get_bound(capability) >= 0; capability++)
        cap_drop_bound(capability);
}

/* Where there are none left, nothing is asked of the kernel: a service manager may forbid the question. */
static bool drop_capabilities(GError **error) {
    cap_t none = cap_init(), held = cap_get_proc();
    bool dropped = true;
    if (!none || !held || cap_compare(none, held) != 0) {
        cap_reset_ambient();
        dropped = none && cap_set_proc(none) == 0;
    }
    if (!dropped)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "capabilities cannot be given up: %s",
                    g_strerror(errno));
    cap_free(none);
    cap_free(held);
    return dropped;
}

bool sandbox_drop_rights(const char *user, GError **error) {
    drop_bounding(); /* first: another account has no right to */
    if ((*user && !become(user, error)) || !drop_capabilities(error))
        return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "PR_SET_NO_NEW_PRIVS: %s", g_strerror(errno));
        return false;
    }
    return true;
}

void sandbox_limit(void) {
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = MIN(files.rlim_max, 65536);
        setrlimit(RLIMIT_NOFILE, &files);
    }
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* ---- Entering ---- */
bool sandbox_compile(const VigieSandbox *sandbox, VigieSandboxReady *ret_ready, GError **error) {
    VigieSandboxReady ready = {.ruleset = -1};
    if (landlock_compile(sandbox, &ready, error) && seccomp_compile(sandbox, &ready, error)) {
        *ret_ready = ready;
        return true;
    }
    sandbox_ready_clear(&ready);
    return false;
}

bool sandbox_enter_ready(const VigieSandboxReady *ready, GError **error) {
    return landlock_enter(ready, error) && seccomp_enter(ready, error);
}

void sandbox_ready_clear(VigieSandboxReady *ready) {
    if (ready->ruleset >= 0)
        close(ready->ruleset);
    g_free(ready->filter);
    *ready = (VigieSandboxReady){.ruleset = -1};
}

bool sandbox_enter(const VigieSandbox *sandbox, GError **error) {
    VigieSandboxReady ready;
    if (!sandbox_compile(sandbox, &ready, error))
        return false;
    bool entered = sandbox_enter_ready(&ready, error);
    sandbox_ready_clear(&ready);
    return entered;
}
