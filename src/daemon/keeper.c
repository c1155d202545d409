#include "daemon/keeper.h"
#include "daemon/child.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILL_MS = 30000, MESSAGE_MAX = 512, GROUPS_MAX = 256 };

/* What the two say to each other, each a packet of its own. */
typedef struct {
    enum { WORD_SPAWN, WORD_SIGNAL, WORD_ENDED } what;
    int value; /* a signal's number, a wait status; of a spawn: a descriptor comes with it */
} Word;

struct Keeper {
    int control;
};

/* ---- Words ---- */
static bool say(int control, Word word, int descriptor) {
    struct iovec part = {&word, sizeof word};
    union {
        struct cmsghdr align;
        char octets[CMSG_SPACE(sizeof(int))];
    } room = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = room.octets;
        message.msg_controllen = sizeof room.octets;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    }
    return sendmsg(control, &message, MSG_NOSIGNAL) == (ssize_t)sizeof word;
}

/* ret_descriptor: -1 where none came with it. */
static bool hear(int control, Word *ret_word, int *ret_descriptor) {
    struct iovec part = {ret_word, sizeof *ret_word};
    union {
        struct cmsghdr align;
        char octets[CMSG_SPACE(sizeof(int))];
    } room = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room.octets, .msg_controllen = sizeof room.octets};
    *ret_descriptor = -1;
    ssize_t size = 0;
    while ((size = recvmsg(control, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        continue;
    struct cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(ret_descriptor, CMSG_DATA(header), sizeof(int));
    return size == (ssize_t)sizeof *ret_word;
}

/* ---- The process ---- */
typedef struct {
    const char *config_path;
    int control, ocsp, signals;
    pid_t signer; /* 0: none */
} Keeping;

static void spawn(Keeping *keeping, int life) {
    const int descriptors[CHILD_DESCRIPTORS] = {life, -1, keeping->ocsp};
    pid_t pid = keeping->signer == 0 && life >= 0 ? fork() : -1;
    if (pid == 0)
        child_execute(keeping->config_path, "signer", descriptors);
    if (pid > 0)
        keeping->signer = pid;
    else
        say(keeping->control, (Word){WORD_ENDED, W_EXITCODE(1, 0)}, -1);
    if (life >= 0)
        close(life);
}

static bool obey(Keeping *keeping) {
    Word word = {0};
    int descriptor = -1;
    if (!hear(keeping->control, &word, &descriptor))
        return false;
    if (word.what == WORD_SPAWN)
        spawn(keeping, descriptor);
    else if (word.what == WORD_SIGNAL && keeping->signer)
        kill(keeping->signer, word.value);
    return true;
}

static void reap(Keeping *keeping) {
    struct signalfd_siginfo info;
    int status = 0;
    while (read(keeping->signals, &info, sizeof info) > 0)
        continue;
    if (keeping->signer && waitpid(keeping->signer, &status, WNOHANG) == keeping->signer) {
        keeping->signer = 0;
        say(keeping->control, (Word){WORD_ENDED, status}, -1);
    }
}

/* The supervisor is no more. */
static void end(Keeping *keeping) {
    struct pollfd child = {.fd = keeping->signals, .events = POLLIN};
    gint64 until = g_get_monotonic_time() / 1000 + KILL_MS;
    if (keeping->signer)
        kill(keeping->signer, SIGTERM);
    for (gint64 left = KILL_MS; keeping->signer && left > 0; left = until - g_get_monotonic_time() / 1000)
        if (poll(&child, 1, (int)left) > 0)
            reap(keeping);
    if (keeping->signer)
        kill(keeping->signer, SIGKILL);
}

/* Signals that people and service managers send to all processes are the supervisor's to act on. */
static _Noreturn void keep(const char *config_path, int control, int ocsp) {
    Keeping keeping = {.config_path = config_path, .control = control, .ocsp = ocsp};
    sigset_t all, child;
    sigfillset(&all);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &all, NULL);
    keeping.signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    struct pollfd fds[] = {{.fd = control, .events = POLLIN}, {.fd = keeping.signals, .events = POLLIN}};
    for (bool there = keeping.signals >= 0; there;) {
        if (poll(fds, G_N_ELEMENTS(fds), -1) <= 0)
            continue;
        if (fds[1].revents)
            reap(&keeping);
        if (fds[0].revents)
            there = obey(&keeping);
    }
    end(&keeping);
    _exit(0);
}

/* The supervisor's own, which this process has by being forked. */
static void close_others(int one, int two) {
    unsigned low = (unsigned)MIN(one, two), high = (unsigned)MAX(one, two);
    if (low > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, low - 1, 0);
    if (high > low + 1)
        close_range(low + 1, high - 1, 0);
    close_range(high + 1, ~0U, 0);
}

/* Its first message is empty, or why it cannot be. */
static _Noreturn void become(const char *user, const char *config_path, int control, int ocsp) {
    g_autoptr(GError) error = NULL;
    vigie_log_name("vigie keeper");
    prctl(PR_SET_NAME, "vigie-keeper", 0, 0, 0);
    close_others(control, ocsp);
    bool well = sandbox_drop_rights(user, &error);
    sandbox_limit();
    char message[MESSAGE_MAX] = "";
    if (!well)
        g_strlcpy(message, error->message, sizeof message);
    if (send(control, message, strlen(message) + 1, MSG_NOSIGNAL) > 0 && well)
        keep(config_path, control, ocsp);
    _exit(1);
}

/* ---- The supervisor's side ---- */
static bool refuse(const char *user, VigieErrorCode code, const char *why, GError **error) {
    g_set_error(error, VIGIE_ERROR, (gint)code, "[process] signer_user = %s: %s", user, why);
    return false;
}

static bool in_group(const struct passwd *account, gid_t group) {
    gid_t groups[GROUPS_MAX];
    int count = GROUPS_MAX;
    if (getgrouplist(account->pw_name, account->pw_gid, groups, &count) < 0)
        return false;
    for (int i = 0; i < count; i++)
        if (groups[i] == group)
            return true;
    return false;
}

bool keeper_check(const VigieConfig *config, GError **error) {
    const char *user = vigie_config_text(config, "process.signer_user");
    const char *others = vigie_config_text(config, "process.user");
    const struct passwd *account = *others ? getpwnam(others) : getpwuid(geteuid());
    if (!account)
        return true; /* whoever becomes it will say so */
    uid_t uid = account->pw_uid;
    gid_t group = account->pw_gid;
    if (uid == 0)
        return refuse(user, VIGIE_ERROR_INVALID,
                      "the other processes want an account, too, or they are root: [process] user = vigie",
                      error);
    account = getpwnam(user);
    if (!account)
        return true;
    if (account->pw_uid == uid || account->pw_uid == 0)
        return refuse(user, VIGIE_ERROR_INVALID,
                      "an account is wanted that neither root nor another process has: adduser --system "
                      "--group vigie-signer",
                      error);
    if (!g_str_has_prefix(vigie_config_text(config, "store.url"), "sqlite:") || in_group(account, group))
        return true;
    const struct group *shared = getgrgid(group);
    g_autofree char *why =
        g_strdup_printf("it is not in the group by which the store is shared: adduser %s %s", user,
                        shared ? shared->gr_name : "GROUP");
    return refuse(user, VIGIE_ERROR_DENIED, why, error);
}

Keeper *keeper_start(const VigieConfig *config, const char *config_path, int ocsp, GError **error) {
    const char *user = vigie_config_text(config, "process.signer_user");
    int pair[2];
    if (!keeper_check(config, error))
        return NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        refuse(user, VIGIE_ERROR_INTERNAL, g_strerror(errno), error);
        return NULL;
    }
    pid_t pid = fork();
    if (pid == 0)
        become(user, config_path, pair[1], ocsp);
    close(pair[1]);
    g_autoptr(Keeper) keeper = g_new0(Keeper, 1);
    keeper->control = pair[0];
    char message[MESSAGE_MAX] = "it ended at once";
    if (pid > 0 && recv(keeper->control, message, sizeof message, 0) == 1)
        return g_steal_pointer(&keeper);
    message[sizeof message - 1] = '\0';
    refuse(user, VIGIE_ERROR_DENIED, message, error);
    return NULL;
}

void keeper_free(Keeper *keeper) {
    if (!keeper)
        return;
    close(keeper->control);
    g_free(keeper);
}

bool keeper_spawn(Keeper *keeper, int life) {
    return say(keeper->control, (Word){WORD_SPAWN, 0}, life);
}

void keeper_signal(Keeper *keeper, int number) {
    say(keeper->control, (Word){WORD_SIGNAL, number}, -1);
}

int keeper_fd(const Keeper *keeper) {
    return keeper->control;
}

bool keeper_hear(Keeper *keeper, int *ret_status) {
    Word word = {0};
    int descriptor = -1;
    if (!hear(keeper->control, &word, &descriptor) || word.what != WORD_ENDED)
        return false;
    *ret_status = word.value;
    return true;
}
