/* Landlock: the file system and TCP ports by allow list, landlock(7).
 *
 * The kernel's interface grows by version; ours is compiled on older headers, so what they lack is defined here
 * with the values of the kernel's own. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ACCESS_TRUNCATE (1ULL << 14)  /* version 3 */
#define ACCESS_IOCTL_DEV (1ULL << 15) /* version 5 */
#define NET_BIND_TCP (1ULL << 0)      /* version 4 */
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT_SOCKET (1ULL << 0) /* version 6 */
#define SCOPE_SIGNAL (1ULL << 1)
#define RULE_NET_PORT 2

struct ruleset_attr {
    uint64_t handled_access_fs, handled_access_net, scoped;
};

struct net_port_attr {
    uint64_t allowed_access, port;
};

/* Which parts of the attribute, and which rights, each version knows. */
static const struct {
    size_t attr_size;
    uint64_t fs, net, scoped;
} versions[] = {
    {0, 0, 0, 0},
    {8, (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1, 0, 0},
    {8, (LANDLOCK_ACCESS_FS_REFER << 1) - 1, 0, 0},
    {8, (ACCESS_TRUNCATE << 1) - 1, 0, 0},
    {16, (ACCESS_TRUNCATE << 1) - 1, NET_BIND_TCP | NET_CONNECT_TCP, 0},
    {16, (ACCESS_IOCTL_DEV << 1) - 1, NET_BIND_TCP | NET_CONNECT_TCP, 0},
    {24, (ACCESS_IOCTL_DEV << 1) - 1, NET_BIND_TCP | NET_CONNECT_TCP, SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL},
};

static const uint64_t read_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t file_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                    LANDLOCK_ACCESS_FS_EXECUTE | ACCESS_TRUNCATE;
static const uint64_t write_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                                     LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                                     LANDLOCK_ACCESS_FS_REMOVE_FILE | ACCESS_TRUNCATE;

/* What gpg and its agent do in their folder. */
static const uint64_t workshop_access = LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                        LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
                                        LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_REFER;
static const uint64_t program_access =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;

int sandbox_landlock_version(void) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version < 0 ? 0 : (int)version;
}

static bool allow_path(int ruleset, const char *path, uint64_t access, GError **error) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) != 0) {
        int reason = errno;
        if (fd >= 0)
            close(fd);
        if (reason == ENOENT || reason == ENOTDIR || reason == EACCES)
            return true; /* not there, or not for us anyway: whoever opens it will say so */
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "landlock: %s: %s", path, g_strerror(reason));
        return false;
    }
    struct landlock_path_beneath_attr rule = {
        .parent_fd = fd, .allowed_access = S_ISDIR(about.st_mode) ? access : access & file_access};
    bool added = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    if (!added)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "landlock: %s: %s", path, g_strerror(errno));
    close(fd);
    return added;
}

static bool allow_paths(int ruleset, const GPtrArray *paths, uint64_t access, GError **error) {
    for (guint i = 0; i < paths->len; i++)
        if (!allow_path(ruleset, paths->pdata[i], access, error))
            return false;
    return true;
}

static bool allow_ports(int ruleset, const GArray *ports, GError **error) {
    for (guint i = 0; i < ports->len; i++) {
        struct net_port_attr rule = {NET_CONNECT_TCP, g_array_index(ports, uint16_t, i)};
        if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) != 0) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "landlock: port %d: %s", (int)rule.port,
                        g_strerror(errno));
            return false;
        }
    }
    return true;
}

static bool add_rules(int ruleset, const VigieSandbox *sandbox, uint64_t fs, uint64_t net, GError **error) {
    uint64_t write = sandbox->programs->len > 0 ? write_access | workshop_access : write_access;
    return allow_paths(ruleset, sandbox->read, read_access & fs, error) &&
           allow_paths(ruleset, sandbox->write, write & fs, error) &&
           allow_paths(ruleset, sandbox->programs, program_access & fs, error) &&
           (!(net & NET_CONNECT_TCP && sandbox->ports) || allow_ports(ruleset, sandbox->ports, error));
}

bool landlock_compile(const VigieSandbox *sandbox, VigieSandboxReady *ready, GError **error) {
    int version = MIN(sandbox_landlock_version(), (int)G_N_ELEMENTS(versions) - 1);
    if (version == 0) {
        vigie_log(VIGIE_LOG_WARNING,
                  "this kernel has no landlock: the process can reach every file of its user");
        return true;
    }
    struct ruleset_attr attr = {versions[version].fs, versions[version].net, versions[version].scoped};
    if (sandbox->connects && !sandbox->local && !sandbox->ports)
        attr.handled_access_net &= ~NET_CONNECT_TCP;
    ready->ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, versions[version].attr_size, 0);
    if (ready->ruleset >= 0)
        return add_rules(ready->ruleset, sandbox, attr.handled_access_fs, attr.handled_access_net, error);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "landlock: %s", g_strerror(errno));
    return false;
}

bool landlock_enter(const VigieSandboxReady *ready, GError **error) {
    if (ready->ruleset < 0 || syscall(SYS_landlock_restrict_self, ready->ruleset, 0) == 0)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "landlock: %s", g_strerror(errno));
    return false;
}
