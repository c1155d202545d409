/* The supervisor: one thread, one poll, no work of its own. */
#include "daemon/child.h"
#include "daemon/keeper.h"
#include "daemon/notify.h"
#include "daemon/resident.h"
#include "daemon/settings.h"
#include "pki/pki.h"
#include "portal/portal.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHILDREN = 3,
    FIRST_BACK_OFF_MS = 1000,
    LONGEST_BACK_OFF_MS = 60000,
    STEADY_MS = 10000,
    KILL_MS = 30000,
};

typedef struct {
    const char *role;
    bool wanted; /* by the configuration */
    bool kept;   /* started by the keeper, under an account of its own */
    pid_t pid;   /* 0: not running; -1: running, and the keeper's to know */
    int life;
    bool ready;                           /* said so, since it was started */
    bool proven;                          /* was ready once since the supervisor started */
    bool stopping;                        /* told to end */
    int64_t started, restart_at, kill_at; /* milliseconds, monotonic; 0: none */
    int64_t back_off;
    char *reason; /* why it ends, in its own words; NULL: it did not say */
} Child;

typedef struct {
    const VigieServeOptions *options;
    int listen_fd, signal_fd;
    int ocsp[2];    /* sockets between the portal and the signer, which outlive both */
    Keeper *keeper; /* of the signer's account; NULL: it has none of its own */
    Child children[CHILDREN];
    bool ending;
    GError *failure; /* why it ends, where it was not asked to */
} Supervisor;

static int64_t now_ms(void) {
    return g_get_monotonic_time() / 1000;
}

/* ---- Starting a child ---- */
static pid_t spawn(const Supervisor *supervisor, const Child *child, int life) {
    bool portal = strcmp(child->role, "portal") == 0, signer = strcmp(child->role, "signer") == 0;
    if (child->kept)
        return keeper_spawn(supervisor->keeper, life) ? -1 : 0;
    const int descriptors[CHILD_DESCRIPTORS] = {life, portal ? supervisor->listen_fd : -1,
                                                portal   ? supervisor->ocsp[0]
                                                : signer ? supervisor->ocsp[1]
                                                         : -1};
    pid_t pid = fork();
    if (pid == 0)
        child_execute(supervisor->options->config_path, child->role, descriptors);
    if (pid < 0)
        vigie_log(VIGIE_LOG_ERROR, "%s: fork: %s", child->role, g_strerror(errno));
    return MAX(pid, 0);
}

static void start_child(Supervisor *supervisor, Child *child) {
    int pair[2];
    child->restart_at = 0;
    child->started = now_ms();
    child->ready = child->stopping = false;
    child->kill_at = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        child->restart_at = now_ms() + LONGEST_BACK_OFF_MS;
        return;
    }
    child->pid = spawn(supervisor, child, pair[1]);
    child->life = pair[0];
    close(pair[1]);
    if (child->pid == 0) {
        close(pair[0]);
        child->restart_at = now_ms() + LONGEST_BACK_OFF_MS;
    }
}

/* ---- What they say ---- */
/* It is at work, or why it is not. What it says is a line, whatever it sends. */
static bool hear(Child *child) {
    char said[CHILD_REASON_MAX + 2] = "";
    ssize_t size = recv(child->life, said, sizeof said - 1, MSG_DONTWAIT);
    if (size <= 0)
        return false;
    bool ready = said[0] == CHILD_READY;
    child->ready = child->ready || ready;
    child->proven = child->proven || ready;
    if (said[ready] == CHILD_REASON) {
        g_free(child->reason);
        child->reason = g_utf8_make_valid(said + ready + 1, -1);
        g_strdelimit(child->reason, "\r\n\t\033", ' ');
    }
    return true;
}

/* ---- Ends ---- */
static void send_signal(const Supervisor *supervisor, const Child *child, int number) {
    if (child->kept)
        keeper_signal(supervisor->keeper, number);
    else
        kill(child->pid, number);
}

static void stop_child(const Supervisor *supervisor, Child *child) {
    if (child->pid && !child->stopping) {
        child->stopping = true;
        child->kill_at = now_ms() + KILL_MS;
        send_signal(supervisor, child, SIGTERM);
    }
    child->restart_at = 0;
}

static void stop_all(Supervisor *supervisor) {
    supervisor->ending = true;
    notify_manager("STOPPING=1");
    for (size_t i = 0; i < CHILDREN; i++)
        stop_child(supervisor, &supervisor->children[i]);
}

static char *describe_end(int status) {
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS
                   ? g_strdup("was ended by its sandbox: it made a forbidden system call")
                   : g_strdup_printf("was ended by signal %d (%s)", WTERMSIG(status),
                                     strsignal(WTERMSIG(status)));
    return g_strdup_printf("ended with status %d", WEXITSTATUS(status));
}

static void child_ended(Supervisor *supervisor, Child *child, int status) {
    while (hear(child))
        continue;
    close(child->life);
    g_autofree char *reason = g_steal_pointer(&child->reason);
    child->pid = 0;
    child->kill_at = 0;
    child->ready = false;
    if (child->stopping) {
        child->restart_at = supervisor->ending || !child->wanted ? 0 : now_ms();
        return;
    }
    g_autofree char *how = describe_end(status);
    if (!child->proven && WIFEXITED(status)) {
        g_set_error(&supervisor->failure, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "vigie %s could not start: %s", child->role,
                    reason ? reason : "it did not say why; its log does");
        stop_all(supervisor);
        return;
    }
    bool steady = now_ms() - child->started >= STEADY_MS;
    child->back_off =
        steady || !child->back_off ? FIRST_BACK_OFF_MS : MIN(child->back_off * 2, LONGEST_BACK_OFF_MS);
    child->restart_at = supervisor->ending ? 0 : now_ms() + child->back_off;
    vigie_log(VIGIE_LOG_ERROR, "the %s %s%s%s; it is started again in %d s", child->role, how,
              reason ? ": " : "", reason ? reason : "", (int)(child->back_off / 1000));
}

static void reap(Supervisor *supervisor) {
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < CHILDREN; i++)
            if (supervisor->children[i].pid == pid)
                child_ended(supervisor, &supervisor->children[i], status);
}

/* Without it the signer could not be started again: whoever started the supervisor starts all of it anew. */
static void lose_keeper(Supervisor *supervisor) {
    g_clear_pointer(&supervisor->keeper, keeper_free);
    for (size_t i = 0; i < CHILDREN; i++) {
        Child *child = &supervisor->children[i];
        if (child->kept && child->pid)
            close(child->life); /* by which the signer ends */
        if (child->kept)
            *child = (Child){.role = child->role};
    }
    if (!supervisor->failure)
        g_set_error_literal(&supervisor->failure, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                            "the keeper of the signer's account has ended");
    stop_all(supervisor);
}

static void hear_keeper(Supervisor *supervisor) {
    int status = 0;
    if (!keeper_hear(supervisor->keeper, &status)) {
        lose_keeper(supervisor);
        return;
    }
    for (size_t i = 0; i < CHILDREN; i++)
        if (supervisor->children[i].kept && supervisor->children[i].pid)
            child_ended(supervisor, &supervisor->children[i], status);
}

/* ---- The loop ---- */
/* The signer, where there are authorities to sign for. */
static void choose_children(Supervisor *supervisor, const VigieConfig *config) {
    for (size_t i = 0; i < CHILDREN; i++) {
        Child *child = &supervisor->children[i];
        bool signer = strcmp(child->role, "signer") == 0;
        child->wanted = !signer || resident_wanted(config);
        child->kept = signer && supervisor->keeper;
    }
}

static void reload(Supervisor *supervisor) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Settings) settings = settings_load(supervisor->options->config_path, &error);
    if (!settings) {
        vigie_log(VIGIE_LOG_ERROR, "the configuration is not taken, work goes on as before: %s",
                  error->message);
        return;
    }
    vigie_log(VIGIE_LOG_NOTICE, "reads its configuration again; portal.listen, process.user and "
                                "process.signer_user wait for a restart");
    choose_children(supervisor, settings->config);
    for (size_t i = 0; i < CHILDREN; i++) {
        stop_child(supervisor, &supervisor->children[i]);
        if (supervisor->children[i].wanted && !supervisor->children[i].pid)
            supervisor->children[i].restart_at = now_ms();
    }
}

static void take_signals(Supervisor *supervisor) {
    struct signalfd_siginfo info;
    while (read(supervisor->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            reap(supervisor);
        else if (info.ssi_signo == SIGHUP && !supervisor->ending)
            reload(supervisor);
        else if (info.ssi_signo != SIGHUP)
            stop_all(supervisor);
    }
}

static void hear_child(Supervisor *supervisor, Child *child) {
    bool before = child->ready;
    if (!hear(child)) {
        /* it closed its end: the wait will tell how it went */
        struct pollfd nothing = {.fd = -1};
        poll(&nothing, 1, 10);
        reap(supervisor);
        return;
    }
    if (before || !child->ready)
        return;
    bool all = true, signer = false;
    for (size_t i = 0; i < CHILDREN; i++) {
        const Child *one = &supervisor->children[i];
        all = all && ((one->ready && !one->stopping) || !one->wanted);
        signer = signer || (one->wanted && strcmp(one->role, "signer") == 0);
    }
    if (all) {
        vigie_log(VIGIE_LOG_NOTICE,
                  signer ? "portal, worker and signer are at work" : "portal and worker are at work");
        notify_manager("READY=1");
    }
}

/* Does what its time has come; returns how long nothing more is due. */
static int keep_time(Supervisor *supervisor) {
    int64_t now = now_ms(), next = now + notify_interval_ms();
    for (size_t i = 0; i < CHILDREN; i++) {
        Child *child = &supervisor->children[i];
        if (child->restart_at && child->restart_at <= now)
            start_child(supervisor, child);
        if (child->kill_at && child->kill_at <= now) {
            vigie_log(VIGIE_LOG_WARNING, "the %s did not end: killed", child->role);
            send_signal(supervisor, child, SIGKILL);
            child->kill_at = now + KILL_MS;
        }
        if (child->restart_at)
            next = MIN(next, child->restart_at);
        if (child->kill_at)
            next = MIN(next, child->kill_at);
    }
    notify_manager("WATCHDOG=1");
    int64_t wait = next - now_ms(); /* apart: MAX() would read the clock twice */
    return (int)MAX(wait, 0);
}

static bool any_running(const Supervisor *supervisor) {
    for (size_t i = 0; i < CHILDREN; i++)
        if (supervisor->children[i].pid)
            return true;
    return false;
}

static void supervise(Supervisor *supervisor) {
    for (size_t i = 0; i < CHILDREN; i++)
        if (supervisor->children[i].wanted)
            start_child(supervisor, &supervisor->children[i]);
    while (!supervisor->ending || any_running(supervisor)) {
        int timeout = keep_time(supervisor);
        struct pollfd fds[CHILDREN + 2] = {{.fd = supervisor->signal_fd, .events = POLLIN}};
        for (size_t i = 0; i < CHILDREN; i++) {
            const Child *child = &supervisor->children[i];
            fds[i + 1] = (struct pollfd){.fd = child->pid ? child->life : -1, .events = POLLIN};
        }
        fds[CHILDREN + 1] =
            (struct pollfd){.fd = supervisor->keeper ? keeper_fd(supervisor->keeper) : -1, .events = POLLIN};
        if (poll(fds, G_N_ELEMENTS(fds), timeout) <= 0)
            continue;
        if (fds[CHILDREN + 1].revents)
            hear_keeper(supervisor);
        for (size_t i = 0; i < CHILDREN; i++)
            if (fds[i + 1].revents && supervisor->children[i].pid)
                hear_child(supervisor, &supervisor->children[i]);
        if (fds[0].revents)
            take_signals(supervisor);
    }
}

/* ---- Starting ---- */
static int open_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What has the mode is left alone: a service manager may have set it, and forbid us to. */
static bool set_mode(const char *path, mode_t mode) {
    struct stat about;
    if (stat(path, &about) != 0)
        return errno == ENOENT;
    return (about.st_mode & 07777) == mode || chmod(path, mode) == 0;
}

/* Two accounts that write one file: SQLite gives its log and its index the file's own mode, and the folder its group. */
static bool share_store(const char *folder, const char *url, GError **error) {
    const char *path = url + strlen("sqlite:");
    const char *const suffixes[] = {"", "-wal", "-shm"};
    bool shared = set_mode(folder, 02770);
    for (size_t i = 0; shared && i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *file = g_strconcat(path, suffixes[i], NULL);
        shared = set_mode(file, 0660);
    }
    if (!shared)
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
            "[process] signer_user: the store %s cannot be shared with it (%s); its folder and it belong "
            "to [process] user: chown -R USER: %s && chmod 2770 %s",
            path, g_strerror(errno), folder, folder);
    return shared;
}

/* What an earlier version kept in clear, or sealed without saying with which key. */
static bool seal_old(const Settings *settings, VigieStore *store, const char *key, const VigieSealed *sealed,
                     GError **error) {
    const char *path = vigie_config_text(settings->config, key);
    g_autoptr(GError) failure = NULL;
    int64_t count = 0;
    if (!*path)
        return true;
    g_autoptr(VigieSeal) seal = store_seal_load(key, path, error);
    if (!seal)
        return false;
    if (!store_seal_renew(store, seal, sealed, true, &count, &failure))
        vigie_log(VIGIE_LOG_WARNING, "what is kept from before could not all be sealed: %s",
                  failure->message);
    return true;
}

/* Also without an authority, which may be made while we run; nobody enrols until then. A key that is gone stops what wants it,
 * and nothing else. */
static bool prepare_enrolments(const Settings *settings, VigieStore *store, GError **error) {
    g_autoptr(json_t) authorities = pki_authority_list(store, NULL, error);
    g_autoptr(GError) failure = NULL;
    if (!authorities)
        return false;
    g_autoptr(VigieSeal) seal = pki_enrolment_seal(store, settings->config, vigie_time_now(), &failure);
    if (failure && json_array_size(authorities) > 0 &&
        !g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_CONFLICT)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (!seal || !pki_enrolments_seal(store, seal, &failure))
        vigie_log(VIGIE_LOG_WARNING, "the secrets of enrolments: %s", failure->message);
    return true;
}

static bool prepare_store(const Supervisor *supervisor, const Settings *settings, GError **error) {
    const char *url = vigie_config_text(settings->config, "store.url");
    GError *failure = NULL;
    g_autofree char *folder = settings_store_folder(settings->config, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    g_autoptr(VigieStore) store = store_open(url, error);
    return store && store_migrate(store, error) &&
           seal_old(settings, store, "pki.evidence_key", &pki_sealed, error) &&
           seal_old(settings, store, "csirt.artefact_key", &csirt_sealed, error) &&
           prepare_enrolments(settings, store, error) &&
           (!supervisor->keeper || !folder || share_store(folder, url, error));
}

static void tell_start(const Settings *settings, const char *url) {
    if (geteuid() == 0)
        vigie_log(VIGIE_LOG_WARNING,
                  "runs as root, without root's capabilities; give it an account of its own: "
                  "[process] user = vigie");
    if (!settings->server)
        vigie_log(VIGIE_LOG_WARNING, "no mail is sent: [mail] server is empty");
    vigie_log(VIGIE_LOG_NOTICE, "the portal is at %s", url);
}

static bool drop_rights(const VigieConfig *config, GError **error) {
    if (sandbox_drop_rights(vigie_config_text(config, "process.user"), error))
        return true;
    g_prefix_error(error, "[process] user = ");
    return false;
}

/* From the rights it was started with to those it keeps. A TCP port may want root; a socket's file is to be the account's, so
 * that it can be replaced at the next start. What the account cannot read is not read before, either. */
static Settings *settle(Supervisor *supervisor, const VigieConfig *config, char **ret_url, GError **error) {
    const char *path = supervisor->options->config_path, *where = supervisor->options->listen;
    where = where ? where : vigie_config_text(config, "portal.listen");
    bool file = g_str_has_prefix(where, "unix:");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, supervisor->ocsp) != 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "socketpair: %s", g_strerror(errno));
        return NULL;
    }
    if (*vigie_config_text(config, "process.signer_user")) {
        umask(0007); /* from its first moment on, SQLite's log is for both accounts */
        supervisor->keeper = keeper_start(config, path, supervisor->ocsp[1], error);
        if (!supervisor->keeper)
            return NULL;
    }
    if ((!file && !portal_listen(where, &supervisor->listen_fd, ret_url, error)) ||
        !drop_rights(config, error))
        return NULL;
    g_autoptr(Settings) settings = settings_load(path, error);
    if (!settings || (file && !portal_listen(where, &supervisor->listen_fd, ret_url, error)))
        return NULL;
    return g_steal_pointer(&settings);
}

static void close_all(const Supervisor *supervisor) {
    const int descriptors[] = {supervisor->listen_fd, supervisor->signal_fd, supervisor->ocsp[0],
                               supervisor->ocsp[1]};
    keeper_free(supervisor->keeper);
    for (size_t i = 0; i < G_N_ELEMENTS(descriptors); i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
}

bool daemon_serve(const VigieServeOptions *options, GError **error) {
    umask(0077);
    vigie_log_name("vigie");
    g_autofree char *url = NULL;
    Supervisor supervisor = {.options = options,
                             .listen_fd = -1,
                             .signal_fd = -1,
                             .ocsp = {-1, -1},
                             .children = {{.role = "portal"}, {.role = "worker"}, {.role = "signer"}}};
    g_autoptr(VigieConfig) config = vigie_config_load(options->config_path, error);
    g_autoptr(Settings) settings = config ? settle(&supervisor, config, &url, error) : NULL;
    bool good = settings && prepare_store(&supervisor, settings, error);
    if (good) {
        choose_children(&supervisor, config);
        sandbox_limit();
        supervisor.signal_fd = open_signals();
        tell_start(settings, url);
        supervise(&supervisor);
    }
    close_all(&supervisor);
    if (supervisor.failure) {
        g_propagate_error(error, supervisor.failure);
        return false;
    }
    return good;
}
