/* What a directory answers, and the address that a certificate names it by: the first line, then the octets of the connection. */
#include "net/directory.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libldap 2.5 forgets a request whose answer is of no type that it knows: a few kilobytes for an address. */
const char *__lsan_default_suppressions(void) {
    return "leak:liblber\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { SIZE_MAX_READ = 4096 };
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    size_t length = line ? (size_t)(line - data) : size;
    g_autofree char *url = g_strndup((const char *)data, length);
    g_autoptr(GPtrArray) values = NULL;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        return 0;
    if (line && write(pair[1], line + 1, size - length - 1) < 0)
        length = size;
    shutdown(pair[1], SHUT_WR);
    net_entry_read(pair[0], url, g_get_monotonic_time() + G_USEC_PER_SEC / 5, SIZE_MAX_READ, &values, NULL);
    close(pair[1]);
    return 0;
}
