/* Addresses, names in A-labels, and sockets that begin to connect. */
#include "net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <idn2.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- Addresses --------------------------------------------------------------------------------------- */
bool net_address_parse(const char *text, VigieAddress *ret_address) {
    VigieAddress address = {0};
    address.v6 = strchr(text, ':') != NULL;
    if (inet_pton(address.v6 ? AF_INET6 : AF_INET, text, address.octets) != 1)
        return false;
    *ret_address = address;
    return true;
}

void net_address_text(const VigieAddress *address, char text[NET_ADDRESS_TEXT]) {
    inet_ntop(address->v6 ? AF_INET6 : AF_INET, address->octets, text, NET_ADDRESS_TEXT);
}

VigieAddress net_address_plus(const VigieAddress *address, uint64_t offset) {
    VigieAddress sum = *address;
    for (size_t i = address->v6 ? 16 : 4; i-- > 0 && offset > 0; offset >>= 8) {
        uint64_t octet = sum.octets[i] + (offset & 0xff);
        sum.octets[i] = (uint8_t)octet;
        offset += (octet >> 8) << 8;
    }
    return sum;
}

/* ---- Names ------------------------------------------------------------------------------------------- */
static const char *label_problem(const char *label, size_t size) {
    if (size == 0)
        return "a label is empty";
    if (size > 63)
        return "a label is longer than 63 octets";
    for (size_t i = 0; i < size; i++)
        if (!g_ascii_isalnum(label[i]) && label[i] != '-' && label[i] != '_')
            return "it holds a character that names do not have";
    return NULL;
}

static const char *name_problem(const char *name) {
    for (const char *label = name;;) {
        size_t size = strcspn(label, ".");
        const char *problem = label_problem(label, size);
        if (problem || !label[size])
            return problem;
        label += size + 1;
    }
}

static bool is_ascii(const char *name) {
    for (; *name; name++)
        if (*name & 0x80)
            return false;
    return true;
}

bool net_name_ascii(const char *name, char ret_ascii[NET_NAME_MAX], const char **ret_problem) {
    char *converted = NULL;
    if (!is_ascii(name)) {
        int code = strlen(name) > 4 * NET_NAME_MAX
                       ? IDN2_TOO_BIG_DOMAIN
                       : idn2_to_ascii_8z(name, &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
        if (code != IDN2_OK) {
            *ret_problem = idn2_strerror(code);
            return false;
        }
        name = converted;
    }
    size_t size = strlen(name);
    if (size > 1 && name[size - 1] == '.')
        size--;
    char ascii[NET_NAME_MAX] = {0};
    *ret_problem = size >= NET_NAME_MAX ? "it is longer than 253 octets" : NULL;
    if (!*ret_problem) {
        for (size_t i = 0; i < size; i++)
            ascii[i] = g_ascii_tolower(name[i]);
        *ret_problem = name_problem(ascii);
    }
    idn2_free(converted);
    if (*ret_problem)
        return false;
    memcpy(ret_ascii, ascii, sizeof ascii);
    return true;
}

/* ---- Sockets ----------------------------------------------------------------------------------------- */
static socklen_t fill(const VigieAddress *address, uint16_t port, struct sockaddr_storage *storage) {
    if (address->v6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&in6->sin6_addr, address->octets, 16);
        return sizeof *in6;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)storage;
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&in->sin_addr, address->octets, 4);
    return sizeof *in;
}

int net_dial(const VigieAddress *address, uint16_t port) {
    struct sockaddr_storage storage;
    socklen_t size = fill(address, port, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&storage, size) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int net_dial_error(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return errno;
    return error;
}

void net_hang_up(int fd, bool abrupt) {
    if (abrupt)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1, .l_linger = 0},
                   sizeof(struct linger));
    close(fd);
}

size_t net_descriptors(size_t count) {
    enum { OTHERS = 64 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return count;
    rlim_t wanted = (rlim_t)count + OTHERS;
    if (limit.rlim_cur < wanted) {
        struct rlimit raised = {.rlim_cur = wanted, .rlim_max = MAX(limit.rlim_max, wanted)};
        if (setrlimit(RLIMIT_NOFILE, &raised) != 0) {
            raised.rlim_cur = raised.rlim_max = limit.rlim_max;
            setrlimit(RLIMIT_NOFILE, &raised);
        }
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur <= OTHERS ? 1 : MIN(count, (size_t)limit.rlim_cur - OTHERS);
}
