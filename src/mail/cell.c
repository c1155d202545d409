/* The keeper: a small process that forks one child for each request, and ends those that take too long. */
#include "mail/work.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHILDREN_MAX = 8,
    CHILD_MS = 60000,
    CLIENT_MS = CHILD_MS + 30000, /* it may have waited for its turn */
    CPU_SECONDS = 60,
    MEMORY_MAX = 1 << 30,
    FILE_MAX = 512 << 20,
};

#define NO_CELL "mail: no process that reads mail can be started (%s); see ulimit -n and ulimit -u"

/* The sanitizers reserve more addresses than any machine has memory. */
#if defined __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#if defined __SANITIZE_ADDRESS__ && !defined SANITIZED
#define SANITIZED
#endif

struct VigieMailCell {
    int fd;
    pid_t pid;
};

typedef struct {
    pid_t pid;
    int64_t deadline;
} Child;

/* What the keeper has; it owns all of it. */
typedef struct {
    int requests, signals;
    Means means;
    char *scratch; /* a keyring of its own where none is configured, removed at the end */
    bool used_keys;
    VigieSandboxReady parser, keys;
    Child children[CHILDREN_MAX];
    size_t count;
} Keeper;

/* ---- The child ---- */
static void limit_child(void) {
    const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS}, file = {FILE_MAX, FILE_MAX};
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_FSIZE, &file);
#if !defined SANITIZED
    const struct rlimit memory = {MEMORY_MAX, MEMORY_MAX};
    setrlimit(RLIMIT_AS, &memory);
#endif
}

static void answer_failure(Parcel *answer, const GError *failure) {
    int code = failure->domain == VIGIE_ERROR ? failure->code : VIGIE_ERROR_INTERNAL;
    g_autofree char *message = g_utf8_make_valid(failure->message, -1);
    json_decref(answer->about);
    answer->about = json_pack("{s:i, s:s}", "failed", code, "message", message);
}

static void run_child(const Keeper *keeper, CellRoom room, int fd) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, room == ROOM_KEYS ? SIG_IGN : SIG_DFL);
    limit_child();
    g_autoptr(GError) failure = NULL;
    if (!sandbox_enter_ready(room == ROOM_KEYS ? &keeper->keys : &keeper->parser, &failure)) {
        vigie_log(VIGIE_LOG_ERROR, "%s", failure->message);
        _exit(1);
    }
    Parcel request = {0}, answer = {.about = json_object()};
    if (!parcel_receive(fd, &request, CHILD_MS, NULL))
        _exit(1);
    Operation operation = work_find(room, json_string_value(json_object_get(request.about, "op")));
    if (!operation)
        _exit(1);
    if (!operation(&keeper->means, &request, &answer, &failure))
        answer_failure(&answer, failure);
    _exit(parcel_send(fd, &answer, CHILD_MS, NULL) ? 0 : 1);
}

/* ---- The keeper ---- */
static int64_t now_ms(void) {
    return g_get_monotonic_time() / 1000;
}

/* One letter, and the socket on which the request will be told. False: the owner is gone. */
static bool receive_request(int from, char *ret_letter, int *ret_fd) {
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec piece = {ret_letter, 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
    *ret_fd = -1;
    if (size < 0 && errno == EINTR)
        return true;
    if (size <= 0)
        return false;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
    return true;
}

static bool start_child(Keeper *keeper) {
    char letter = 0;
    int fd = -1;
    if (!receive_request(keeper->requests, &letter, &fd))
        return false;
    if (fd < 0)
        return true;
    keeper->used_keys = keeper->used_keys || letter == ROOM_KEYS;
    pid_t pid = fork();
    if (pid == 0) {
        close(keeper->requests);
        close(keeper->signals);
        run_child(keeper, letter, fd);
    }
    close(fd); /* where the fork failed, the owner sees the other end close */
    if (pid > 0)
        keeper->children[keeper->count++] = (Child){pid, now_ms() + CHILD_MS};
    return true;
}

static void reap(Keeper *keeper) {
    struct signalfd_siginfo info;
    ssize_t size = read(keeper->signals, &info, sizeof info);
    (void)size;
    for (pid_t pid = 0; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
        for (size_t i = 0; i < keeper->count; i++)
            if (keeper->children[i].pid == pid)
                keeper->children[i] = keeper->children[--keeper->count];
}

/* Returns how long nothing more is due, -1: for good. */
static int end_overdue(const Keeper *keeper) {
    int64_t now = now_ms(), next = INT64_MAX;
    for (size_t i = 0; i < keeper->count; i++) {
        if (keeper->children[i].deadline <= now)
            kill(keeper->children[i].pid, SIGKILL);
        next = MIN(next, MAX(keeper->children[i].deadline, now + 100));
    }
    return next == INT64_MAX ? -1 : (int)(next - now);
}

static void keep(Keeper *keeper) {
    for (;;) {
        struct pollfd fds[] = {
            {.fd = keeper->signals, .events = POLLIN},
            {.fd = keeper->count < CHILDREN_MAX ? keeper->requests : -1, .events = POLLIN}};
        if (poll(fds, G_N_ELEMENTS(fds), end_overdue(keeper)) < 0 && errno != EINTR)
            return;
        if (fds[0].revents)
            reap(keeper);
        if (fds[1].revents && !start_child(keeper))
            return;
    }
}

/* ---- Its beginning and its end ---- */
static bool compile_sandboxes(Keeper *keeper, GError **error) {
    g_autoptr(VigieSandbox) parser = sandbox_new(), keys = sandbox_new();
    static const char *const libraries[] = {"/lib", "/lib64", "/usr/lib", "/usr/lib64"};
    for (size_t i = 0; i < G_N_ELEMENTS(libraries); i++) {
        sandbox_allow_read(parser, libraries[i]); /* character sets */
        sandbox_allow_programs(keys, libraries[i]);
    }
    parser->local = true;
    sandbox_allow_system(keys);
    sandbox_allow_programs(keys, "/usr/bin");
    sandbox_allow_read(keys, "/usr/share/gnupg");
    sandbox_allow_read(keys, "/etc/gnupg");
    sandbox_allow_write(keys, "/dev/null");
    sandbox_allow_write(keys, keeper->means.gnupg_home);
    sandbox_allow_read(keys, keeper->means.smime_file);
    for (size_t i = 0; keeper->means.roots[i]; i++)
        sandbox_allow_read(keys, keeper->means.roots[i]);
    keys->connects = keys->local = true;
    return sandbox_compile(parser, &keeper->parser, error) && sandbox_compile(keys, &keeper->keys, error);
}

static void run_program(char **arguments) {
    g_spawn_sync(NULL, arguments, NULL, G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
                 NULL, NULL, NULL, NULL);
}

static void end_keeper(Keeper *keeper) {
    for (size_t i = 0; i < keeper->count; i++)
        kill(keeper->children[i].pid, SIGKILL);
    if (keeper->used_keys) {
        char *arguments[] = {"/usr/bin/gpgconf", "--homedir", (char *)keeper->means.gnupg_home,
                             "--kill",           "gpg-agent", NULL};
        run_program(arguments);
    }
    if (keeper->scratch) {
        char *arguments[] = {"/usr/bin/rm", "-rf", "--", keeper->scratch, NULL};
        run_program(arguments);
    }
}

static void run_keeper(Keeper *keeper) {
    prctl(PR_SET_NAME, "vigie mail cell", 0, 0, 0);
    if (keeper->requests != 3 && dup3(keeper->requests, 3, O_CLOEXEC) < 0)
        _exit(1);
    keeper->requests = 3;
    close_range(4, ~0U, 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_SETMASK, &set, NULL);
    keeper->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    /* Its owner's socket tells it when to end. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sandbox_limit();
    g_autoptr(GError) error = NULL;
    work_prepare(&keeper->means);
    if (keeper->signals >= 0 && compile_sandboxes(keeper, &error))
        keep(keeper);
    if (error)
        vigie_log(VIGIE_LOG_ERROR, "%s", error->message);
    end_keeper(keeper);
    _exit(0);
}

/* ---- The owner's side ---- */
static void add_own(GPtrArray *own, const char *address) {
    char *bare = *address ? mail_address(address, NULL) : NULL;
    if (bare)
        g_ptr_array_add(own, bare);
}

/* Copies: the keeper outlives what it was started with. Never freed: it ends with its process. */
static bool fill_means(Keeper *keeper, const VigieConfig *config, GError **error) {
    const char *home = vigie_config_text(config, "mail.gnupg_home");
    if (!*home) {
        keeper->scratch = g_dir_make_tmp("vigie-keys-XXXXXX", error);
        home = keeper->scratch;
    }
    GPtrArray *own = g_ptr_array_new();
    add_own(own, vigie_config_text(config, "mail.from"));
    add_own(own, vigie_config_text(config, "mailbox.incident.user"));
    add_own(own, vigie_config_text(config, "mailbox.contact.user"));
    g_ptr_array_add(own, NULL);
    keeper->means = (Means){
        .gnupg_home = g_strdup(home),
        .smime_file = g_strdup(vigie_config_text(config, "mail.smime_file")),
        .roots = (const char *const *)g_strdupv((char **)vigie_config_list(config, "trust.roots")),
        .system_roots = vigie_config_bool(config, "trust.system"),
        .own = (const char *const *)g_ptr_array_free(own, FALSE),
    };
    return home != NULL;
}

VigieMailCell *mail_cell_start(const VigieConfig *config, GError **error) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, NO_CELL, g_strerror(errno));
        return NULL;
    }
    pid_t pid = fork();
    if (pid == 0) {
        Keeper keeper = {.requests = pair[1], .parser.ruleset = -1, .keys.ruleset = -1};
        g_autoptr(GError) failure = NULL;
        if (fill_means(&keeper, config, &failure))
            run_keeper(&keeper);
        vigie_log(VIGIE_LOG_ERROR, "%s", failure->message);
        _exit(1);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, NO_CELL, g_strerror(errno));
        return NULL;
    }
    VigieMailCell *cell = g_new0(VigieMailCell, 1);
    cell->fd = pair[0];
    cell->pid = pid;
    return cell;
}

void mail_cell_free(VigieMailCell *cell) {
    if (!cell)
        return;
    close(cell->fd);
    waitpid(cell->pid, NULL, 0); /* where the owner may not wait any more, the keeper ends all the same */
    g_free(cell);
}

bool mail_cell_alive(const VigieMailCell *cell) {
    struct pollfd one = {.fd = cell->fd};
    return poll(&one, 1, 0) == 0 || !(one.revents & (POLLHUP | POLLERR));
}

static bool pass(const VigieMailCell *cell, char letter, int fd) {
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {&letter, 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
    ssize_t sent = 0;
    while ((sent = sendmsg(cell->fd, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        continue;
    return sent == 1;
}

static bool take_failure(const Parcel *answer, GError **error) {
    const json_t *code = json_object_get(answer->about, "failed");
    const char *message = json_string_value(json_object_get(answer->about, "message"));
    if (!code)
        return true;
    int kind = CLAMP((int)json_integer_value(code), 0, VIGIE_ERROR_INTERNAL);
    g_set_error_literal(error, VIGIE_ERROR, kind, message ? message : "mail: failed");
    return false;
}

bool cell_ask(VigieMailCell *cell, CellRoom room, json_t *about, GBytes *bytes, Parcel *ret_answer,
              GError **error) {
    Parcel request = {.about = about, .bytes = bytes ? g_bytes_ref(bytes) : NULL};
    g_auto(Parcel) answer = {0};
    int pair[2];
    bool well = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0;
    if (well) {
        well = pass(cell, (char)room, pair[1]);
        close(pair[1]);
        if (!well)
            g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                                "mail: the isolated reader is gone; the process that started it starts anew");
        well = well && parcel_send(pair[0], &request, CLIENT_MS, error) &&
               parcel_receive(pair[0], &answer, CLIENT_MS, error) && take_failure(&answer, error);
        close(pair[0]);
    } else {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, NO_CELL, g_strerror(errno));
    }
    parcel_clear(&request);
    if (!well)
        return false;
    *ret_answer = answer;
    answer = (Parcel){0};
    return true;
}
