/* System calls by allow list. What is not listed does not exist (ENOSYS), as on an older kernel: libraries cope. What
 * only an intruder would ask for ends the process. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

G_DEFINE_AUTO_CLEANUP_FREE_FUNC(scmp_filter_ctx, seccomp_release, NULL)

static const char *const allowed[] = {
    /* files */
    "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 open openat close "
    "close_range stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat "
    "getdents64 lseek _llseek fcntl fcntl64 flock ftruncate fsync fdatasync fallocate fadvise64 unlink "
    "unlinkat rename renameat renameat2 fchmod fchown umask getcwd statfs fstatfs dup dup3 pipe2 "
    "sendfile",
    /* memory */
    "munmap mremap madvise brk mlock munlock mincore",
    /* waiting */
    "poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 "
    "eventfd2 inotify_init1 inotify_add_watch timerfd_create timerfd_settime timerfd_gettime signalfd4 "
    "nanosleep clock_nanosleep "
    "restart_syscall",
    /* sockets; socket(), connect() and their families are below */
    "socketpair bind accept accept4 getsockname getpeername getsockopt setsockopt sendto recvfrom "
    "sendmsg recvmsg sendmmsg recvmmsg shutdown",
    /* time */
    "clock_gettime clock_getres gettimeofday time times",
    /* threads and signals */
    "futex futex_waitv set_robust_list get_robust_list rseq set_tid_address sched_yield "
    "sched_getaffinity sched_getparam sched_getscheduler membarrier getcpu rt_sigaction rt_sigprocmask "
    "rt_sigreturn rt_sigtimedwait rt_sigpending sigaltstack exit exit_group arch_prctl",
    /* oneself */
    "getpid getppid gettid getuid geteuid getgid getegid getgroups getrandom getrusage getrlimit sysinfo "
    "uname capget",
};

/* Starting programs, and what gpg and its agent do besides. */
static const char *const starting[] = {
    "execve fork vfork wait4 waitid kill setsid setpgid getpgrp getpgid getsid chdir fchdir mkdir "
    "mkdirat "
    "rmdir link linkat symlink symlinkat chmod fchmodat utimensat utime utimes inotify_init inotify_init1 "
    "inotify_add_watch inotify_rm_watch listen pipe dup2 alarm setitimer getresuid getresgid getpriority "
    "pause rt_sigsuspend memfd_create munlockall mlockall",
};

static const char *const fatal[] = {
    "ptrace process_vm_readv process_vm_writev mount umount2 pivot_root "
    "chroot unshare setns init_module finit_module delete_module kexec_load kexec_file_load bpf "
    "perf_event_open userfaultfd add_key request_key keyctl open_by_handle_at setuid setgid setreuid "
    "setregid setresuid setresgid setgroups capset reboot swapon swapoff iopl ioperm settimeofday "
    "clock_settime sethostname",
};

static const char *const fatal_unless_starting[] = {"execve execveat fork vfork"};

/* Arguments of the calls that are allowed in part; a mask of 0 compares for equality. */
typedef struct {
    const char *call;
    unsigned argument;
    uint64_t mask, value;
} Partial;

static const Partial partial[] = {
    {"socket", 0, 0, AF_UNIX},
    {"mmap", 2, PROT_WRITE | PROT_EXEC, 0},
    {"mmap", 2, PROT_WRITE | PROT_EXEC, PROT_WRITE},
    {"mmap", 2, PROT_WRITE | PROT_EXEC, PROT_EXEC}, /* libraries loaded late */
    {"mprotect", 2, PROT_EXEC, 0},
    {"clone", 0, CLONE_VM | CLONE_THREAD | CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID,
     CLONE_VM | CLONE_THREAD},
    {"ioctl", 1, 0, FIONREAD},
    {"ioctl", 1, 0, FIONBIO},
    {"ioctl", 1, 0, TCGETS},
    {"ioctl", 1, 0, TIOCGWINSZ},
    {"prctl", 0, 0, PR_SET_NAME},
    {"prctl", 0, 0, PR_GET_NAME},
    {"prctl", 0, 0, PR_GET_DUMPABLE},
    {"prctl", 0, 0, PR_SET_VMA},
    {"prlimit64", 2, 0, 0}, /* reading alone */
};

static const Partial remote[] = {
    {"socket", 0, 0, AF_INET},
    {"socket", 0, 0, AF_INET6},
    {"socket", 0, 0, AF_NETLINK}, /* which addresses this machine has: getaddrinfo */
};

static const Partial starting_partial[] = {
    {"clone", 0, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS, 0},
};

static bool add_rule(scmp_filter_ctx filter, uint32_t action, const char *call,
                     const struct scmp_arg_cmp *compare, GError **error) {
    int number = seccomp_syscall_resolve_name(call);
    if (number == __NR_SCMP_ERROR)
        return true; /* unknown to this machine */
    int result = seccomp_rule_add_array(filter, action, number, compare ? 1 : 0, compare);
    if (result == 0 || result == -EDOM) /* EDOM: the architecture has no such call */
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "seccomp: %s: %s", call, g_strerror(-result));
    return false;
}

static bool add_list(scmp_filter_ctx filter, uint32_t action, const char *const *groups, size_t count,
                     GError **error) {
    for (size_t g = 0; g < count; g++) {
        g_auto(GStrv) calls = g_strsplit(groups[g], " ", -1);
        for (size_t i = 0; calls[i]; i++)
            if (!add_rule(filter, action, calls[i], NULL, error))
                return false;
    }
    return true;
}

static bool add_partial(scmp_filter_ctx filter, const Partial *rule, GError **error) {
    struct scmp_arg_cmp compare = {.arg = rule->argument, .op = SCMP_CMP_MASKED_EQ};
    compare.datum_a = rule->mask ? rule->mask : UINT64_MAX;
    compare.datum_b = rule->value;
    /* int arguments leave the upper half of the register undefined */
    if (!rule->mask && strcmp(rule->call, "prlimit64") != 0)
        compare.datum_a = UINT32_MAX;
    return add_rule(filter, SCMP_ACT_ALLOW, rule->call, &compare, error);
}

static bool add_partials(scmp_filter_ctx filter, const Partial *rules, size_t count, GError **error) {
    for (size_t i = 0; i < count; i++)
        if (!add_partial(filter, &rules[i], error))
            return false;
    return true;
}

static bool add_starting(scmp_filter_ctx filter, const VigieSandbox *sandbox, GError **error) {
    if (sandbox->programs->len > 0)
        return add_list(filter, SCMP_ACT_ALLOW, starting, G_N_ELEMENTS(starting), error) &&
               add_partials(filter, starting_partial, G_N_ELEMENTS(starting_partial), error);
    return add_list(filter, SCMP_ACT_KILL_PROCESS, fatal_unless_starting, G_N_ELEMENTS(fatal_unless_starting),
                    error);
}

static bool fill(scmp_filter_ctx filter, const VigieSandbox *sandbox, GError **error) {
    struct scmp_arg_cmp self = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid()};
    return add_partials(filter, partial, G_N_ELEMENTS(partial), error) &&
           (sandbox->local || add_partials(filter, remote, G_N_ELEMENTS(remote), error)) &&
           add_rule(filter, SCMP_ACT_ALLOW, "tgkill", &self, error) &&
           add_rule(filter, sandbox->connects ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EACCES), "connect", NULL,
                    error) &&
           add_list(filter, SCMP_ACT_ALLOW, allowed, G_N_ELEMENTS(allowed), error) &&
           add_starting(filter, sandbox, error) &&
           add_list(filter, SCMP_ACT_KILL_PROCESS, fatal, G_N_ELEMENTS(fatal), error);
}

bool sandbox_seccomp_works(void) {
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

/* The filter as the kernel takes it. */
static bool export_filter(scmp_filter_ctx filter, VigieSandboxReady *ready, GError **error) {
    int fd = memfd_create("filter", MFD_CLOEXEC);
    int result = fd < 0 ? -errno : seccomp_export_bpf(filter, fd);
    off_t size = result == 0 ? lseek(fd, 0, SEEK_END) : 0;
    if (size > 0) {
        ready->filter = g_malloc((gsize)size);
        ready->filter_size = pread(fd, ready->filter, (size_t)size, 0) == size ? (size_t)size : 0;
    }
    if (fd >= 0)
        close(fd);
    if (ready->filter_size == 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "seccomp: %s", g_strerror(-result));
    return ready->filter_size > 0;
}

bool seccomp_compile(const VigieSandbox *sandbox, VigieSandboxReady *ready, GError **error) {
    if (!sandbox_seccomp_works()) {
        vigie_log(VIGIE_LOG_WARNING, "this kernel has no seccomp: the process can make every system call");
        return true;
    }
    g_auto(scmp_filter_ctx) filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "seccomp: out of memory");
        return false;
    }
    seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree: a survey makes many calls */
    return fill(filter, sandbox, error) && export_filter(filter, ready, error);
}

bool seccomp_enter(const VigieSandboxReady *ready, GError **error) {
    if (ready->filter_size == 0)
        return true;
    struct sock_fprog program = {.len = (unsigned short)(ready->filter_size / sizeof(struct sock_filter)),
                                 .filter = ready->filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "seccomp: %s", g_strerror(errno));
    return false;
}
