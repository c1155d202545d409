/* The supervisor: one thread, one poll, no work of its own. */
#include "daemon/child.h"
#include "daemon/notify.h"
#include "daemon/resident.h"
#include "daemon/settings.h"
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
    KILL_MS = 30000
};

typedef struct {
    const char *role;
    bool wanted; /* by the configuration */
    pid_t pid;   /* 0: not running */
    int life;
    bool ready;                           /* said so, since it was started */
    bool proven;                          /* was ready once since the supervisor started */
    bool stopping;                        /* told to end */
    int64_t started, restart_at, kill_at; /* milliseconds, monotonic; 0: none */
    int64_t back_off;
} Child;

typedef struct {
    const VigieServeOptions *options;
    int listen_fd, signal_fd;
    Child children[CHILDREN];
    bool ending;
    GError *failure; /* why it ends, where it was not asked to */
} Supervisor;

static int64_t now_ms(void) {
    return g_get_monotonic_time() / 1000;
}

/* ---- Starting a child ---- */
static void run_child(const Supervisor *supervisor, const Child *child, int life) {
    /* Duplicates above the places they go to, so that neither is overwritten by the other. */
    int life_copy = fcntl(life, F_DUPFD, 10), listen_copy = fcntl(supervisor->listen_fd, F_DUPFD, 10);
    bool portal = strcmp(child->role, "portal") == 0;
    if (dup2(life_copy, CHILD_LIFE_FD) < 0 || (portal && dup2(listen_copy, CHILD_LISTEN_FD) < 0))
        _exit(1);
    close_range(portal ? CHILD_LISTEN_FD + 1 : CHILD_LIFE_FD + 1, ~0U, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    const char *arguments[8] = {"vigie", "serve", "--child", child->role};
    if (supervisor->options->config_path) {
        arguments[4] = "--config";
        arguments[5] = supervisor->options->config_path;
    }
    execv("/proc/self/exe", (char *const *)arguments);
    _exit(127);
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
    pid_t pid = fork();
    if (pid == 0)
        run_child(supervisor, child, pair[1]);
    close(pair[1]);
    if (pid < 0) {
        vigie_log(VIGIE_LOG_ERROR, "%s: fork: %s", child->role, g_strerror(errno));
        close(pair[0]);
        child->restart_at = now_ms() + LONGEST_BACK_OFF_MS;
        return;
    }
    child->pid = pid;
    child->life = pair[0];
}

/* ---- Ends ---- */
static void stop_child(Child *child) {
    if (child->pid && !child->stopping) {
        child->stopping = true;
        child->kill_at = now_ms() + KILL_MS;
        kill(child->pid, SIGTERM);
    }
    child->restart_at = 0;
}

static void stop_all(Supervisor *supervisor) {
    supervisor->ending = true;
    notify_manager("STOPPING=1");
    for (size_t i = 0; i < CHILDREN; i++)
        stop_child(&supervisor->children[i]);
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
    close(child->life);
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
                    "the %s could not start; its own message is above", child->role);
        stop_all(supervisor);
        return;
    }
    bool steady = now_ms() - child->started >= STEADY_MS;
    child->back_off =
        steady || !child->back_off ? FIRST_BACK_OFF_MS : MIN(child->back_off * 2, LONGEST_BACK_OFF_MS);
    child->restart_at = supervisor->ending ? 0 : now_ms() + child->back_off;
    vigie_log(VIGIE_LOG_ERROR, "the %s %s; it is started again in %d s", child->role, how,
              (int)(child->back_off / 1000));
}

static void reap(Supervisor *supervisor) {
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < CHILDREN; i++)
            if (supervisor->children[i].pid == pid)
                child_ended(supervisor, &supervisor->children[i], status);
}

/* ---- The loop ---- */
/* The signer, where there are authorities to sign for. */
static void choose_children(Supervisor *supervisor, const Settings *settings) {
    for (size_t i = 0; i < CHILDREN; i++)
        supervisor->children[i].wanted =
            strcmp(supervisor->children[i].role, "signer") != 0 || resident_wanted(settings);
}

static void reload(Supervisor *supervisor) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Settings) settings = settings_load(supervisor->options->config_path, &error);
    if (!settings) {
        vigie_log(VIGIE_LOG_ERROR, "the configuration is not taken, work goes on as before: %s",
                  error->message);
        return;
    }
    vigie_log(VIGIE_LOG_NOTICE,
              "reads its configuration again; portal.listen and process.user wait for a restart");
    choose_children(supervisor, settings);
    for (size_t i = 0; i < CHILDREN; i++) {
        stop_child(&supervisor->children[i]);
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
    char letter = 0;
    if (read(child->life, &letter, 1) != 1) {
        /* it closed its end: the wait will tell how it went */
        struct pollfd nothing = {.fd = -1};
        poll(&nothing, 1, 10);
        reap(supervisor);
        return;
    }
    child->ready = child->proven = true;
    bool all = true, signer = false;
    for (size_t i = 0; i < CHILDREN; i++) {
        const Child *one = &supervisor->children[i];
        all = all && (one->ready || !one->wanted);
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
            kill(child->pid, SIGKILL);
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
        struct pollfd fds[CHILDREN + 1] = {{.fd = supervisor->signal_fd, .events = POLLIN}};
        for (size_t i = 0; i < CHILDREN; i++) {
            const Child *child = &supervisor->children[i];
            fds[i + 1] = (struct pollfd){.fd = child->pid ? child->life : -1, .events = POLLIN};
        }
        if (poll(fds, G_N_ELEMENTS(fds), timeout) <= 0)
            continue;
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

static bool prepare_store(const Settings *settings, GError **error) {
    GError *failure = NULL;
    g_autofree char *folder = settings_store_folder(settings, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    g_autoptr(VigieStore) store = store_open(vigie_config_text(settings->config, "store.url"), error);
    return store && store_migrate(store, error);
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

/* A TCP port may want root; a socket's file is to be the account's, so that it can be replaced at the next start. */
static bool listen_and_drop_rights(const Settings *settings, const char *where, int *ret_fd, char **ret_url,
                                   GError **error) {
    const char *user = vigie_config_text(settings->config, "process.user");
    bool file = g_str_has_prefix(where, "unix:");
    return (!file || sandbox_drop_rights(user, error)) && portal_listen(where, ret_fd, ret_url, error) &&
           (file || sandbox_drop_rights(user, error));
}

bool daemon_serve(const VigieServeOptions *options, GError **error) {
    umask(0077);
    vigie_log_name("vigie");
    g_autoptr(Settings) settings = settings_load(options->config_path, error);
    if (!settings)
        return false;
    const char *listen =
        options->listen ? options->listen : vigie_config_text(settings->config, "portal.listen");
    g_autofree char *url = NULL;
    Supervisor supervisor = {.options = options,
                             .children = {{.role = "portal"}, {.role = "worker"}, {.role = "signer"}}};
    choose_children(&supervisor, settings);
    supervisor.listen_fd = -1;
    bool good = listen_and_drop_rights(settings, listen, &supervisor.listen_fd, &url, error) &&
                prepare_store(settings, error);
    if (good) {
        sandbox_limit();
        supervisor.signal_fd = open_signals();
        tell_start(settings, url);
        supervise(&supervisor);
        close(supervisor.signal_fd);
    }
    if (supervisor.listen_fd >= 0)
        close(supervisor.listen_fd);
    if (supervisor.failure) {
        g_propagate_error(error, supervisor.failure);
        return false;
    }
    return good;
}
