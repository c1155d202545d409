/* What a sandboxed process can still do, and what it cannot: each try in a process of its own. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder; /* may be written */
static char *secret; /* a file outside, of the same user */
static uint16_t open_port, other_port;

/* What a try returns: 0 it worked, else errno. */
typedef int (*Try)(void);

static int done(bool well) {
    return well ? 0 : errno;
}

static int read_secret(void) {
    return done(open(secret, O_RDONLY) >= 0);
}

static int write_outside(void) {
    return done(open("/tmp/vigie-sandbox-test", O_WRONLY | O_CREAT, 0600) >= 0);
}

static int write_inside(void) {
    g_autofree char *path = g_build_filename(folder, "made", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    return done(fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && unlink(path) == 0);
}

static int make_folder(void) {
    g_autofree char *path = g_build_filename(folder, "sub", NULL);
    return done(mkdir(path, 0700) == 0);
}

static int connect_to(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return done(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
}

static int connect_open(void) {
    return connect_to(open_port);
}

static int connect_other(void) {
    return connect_to(other_port);
}

static int bind_tcp(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return done(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
}

static int packet_socket(void) {
    return done(socket(AF_PACKET, SOCK_RAW, 0) >= 0);
}

static int execute(void) {
    execl("/bin/true", "true", NULL);
    return errno;
}

static int trace(void) {
    return done(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
}

static int make_process(void) {
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return done(pid > 0);
}

static int signal_parent(void) {
    return done(kill(getppid(), 0) == 0);
}

static int write_and_execute(void) {
    return done(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                MAP_FAILED);
}

static void *run_thread(void *data) {
    return data;
}

static int start_thread(void) {
    pthread_t thread;
    void *result = NULL;
    int failed = pthread_create(&thread, NULL, run_thread, &open_port);
    return failed ? failed : done(pthread_join(thread, &result) == 0 && result == &open_port);
}

static int resolve(void) {
    struct addrinfo *found = NULL;
    int failed = getaddrinfo("localhost", "443", NULL, &found);
    if (!failed)
        freeaddrinfo(found);
    return failed ? 255 : 0;
}

static int local_time(void) {
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("Asia/Tokyo");
    return zone ? 0 : 255;
}

/* No capability, no new privileges, filtered, no core: as the kernel itself tells, through a descriptor opened before. */
static int status_fd = -1;

static int kernel_says(void) {
    char text[8192];
    ssize_t size = pread(status_fd, text, sizeof text - 1, 0);
    text[MAX(size, 0)] = '\0';
    static const char *const wanted[] = {"CapEff:\t0000000000000000", "CapPrm:\t0000000000000000",
                                         "NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t0000000000000000"};
    /* Who has no right has none to give up the bounding set, and nothing to gain by it. */
    for (size_t i = 0; i < G_N_ELEMENTS(wanted) - (geteuid() != 0); i++)
        if (!strstr(text, wanted[i]))
            return 255;
    return 0;
}

enum { KILLED = 1000 };

/* What came of `attempt` in a sandboxed process: 0, an errno, or KILLED. */
static int attempt_in(const VigieSandbox *sandbox, Try attempt) {
    pid_t pid = fork();
    if (pid == 0) {
        status_fd = open("/proc/self/status", O_RDONLY);
        sandbox_limit();
        if (!sandbox_drop_rights("", NULL) || !sandbox_enter(sandbox, NULL))
            _exit(254);
        _exit(attempt());
    }
    int status = 0;
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : -WTERMSIG(status);
    return WEXITSTATUS(status);
}

static VigieSandbox *base_sandbox(void) {
    VigieSandbox *sandbox = sandbox_new();
    sandbox_allow_system(sandbox);
    sandbox_allow_write(sandbox, folder);
    sandbox_allow_read(sandbox, "/does/not/exist");
    return sandbox;
}

static void expect(const VigieSandbox *sandbox, const char *what, Try attempt, int wanted) {
    int got = attempt_in(sandbox, attempt);
    if (got != wanted)
        g_error("%s: %d (%s), not %d", what, got, g_strerror(got), wanted);
}

/* Proves what both processes need, and what neither may do. */
static void test_common(void) {
    g_autoptr(VigieSandbox) sandbox = base_sandbox();
    expect(sandbox, "kernel", kernel_says, 0);
    expect(sandbox, "write inside", write_inside, 0);
    expect(sandbox, "thread", start_thread, 0);
    expect(sandbox, "zone", local_time, 0);
    expect(sandbox, "execute", execute, KILLED);
    expect(sandbox, "trace", trace, KILLED);
    expect(sandbox, "process", make_process, ENOSYS);
    expect(sandbox, "signal", signal_parent, ENOSYS);
    expect(sandbox, "packet socket", packet_socket, ENOSYS);
    expect(sandbox, "writable code", write_and_execute, ENOSYS);
    expect(sandbox, "folder", make_folder, ENOSYS);
}

/* Proves that files are out of reach; needs landlock. */
static void test_files(void) {
    if (sandbox_landlock_version() < 1) {
        g_test_skip("no landlock in this kernel");
        return;
    }
    g_autoptr(VigieSandbox) sandbox = base_sandbox();
    expect(sandbox, "secret", read_secret, EACCES);
    expect(sandbox, "write outside", write_outside, EACCES);
    sandbox_allow_read(sandbox, secret);
    expect(sandbox, "secret that is allowed", read_secret, 0);
}

/* Proves that the portal connects nowhere, the worker everywhere, and a PostgreSQL portal to its port alone. */
static void test_network(void) {
    g_autoptr(VigieSandbox) portal = base_sandbox();
    expect(portal, "portal", connect_open, EACCES);
    g_autoptr(VigieSandbox) worker = base_sandbox();
    worker->connects = true;
    expect(worker, "worker", connect_open, 0);
    expect(worker, "worker", connect_other, 0);
    expect(worker, "names", resolve, 0);
    if (sandbox_landlock_version() < 4) {
        g_test_skip("this kernel's landlock knows no ports");
        return;
    }
    expect(worker, "bind", bind_tcp, EACCES);
    g_autoptr(VigieSandbox) database = base_sandbox();
    database->connects = true;
    database->ports = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    g_array_append_val(database->ports, open_port);
    expect(database, "its port", connect_open, 0);
    expect(database, "another port", connect_other, EACCES);
}

static int listen_somewhere(uint16_t *ret_port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, size), ==, 0);
    g_assert_cmpint(listen(fd, 16), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&address, &size), ==, 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("vigie-sandbox-XXXXXX", NULL);
    g_autofree char *outside = g_dir_make_tmp("vigie-outside-XXXXXX", NULL);
    secret = g_build_filename(outside, "secret", NULL);
    g_file_set_contents(secret, "secret", -1, NULL);
    int first = listen_somewhere(&open_port), second = listen_somewhere(&other_port);
    g_test_add_func("/sandbox/common", test_common);
    g_test_add_func("/sandbox/files", test_files);
    g_test_add_func("/sandbox/network", test_network);
    int status = g_test_run();
    close(first);
    close(second);
    unlink(secret);
    rmdir(outside);
    rmdir(folder);
    g_free(secret);
    g_free(folder);
    return status;
}
