/* probe: one connection with the codec, for tests against real servers. Prints what was read as one JSON
 * object. probe PORT [versions=MASK] [until=hello] [shares=23,29|none] [groups=24,23] [suites=C02F,1301]
 * [form=small|bare] [name=HOST] [alpn=h2] [drip=1] [deflate=1] [save=FILE] */
#include "tls/tls.h"

#include <arpa/inet.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { LIST_MAX = 512 };

static const char *option(int argc, char **argv, const char *name) {
    size_t size = strlen(name);
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], name, size) == 0 && argv[i][size] == '=')
            return argv[i] + size + 1;
    return NULL;
}

static size_t list(const char *text, int radix, uint16_t *ret_values) {
    size_t count = 0;
    while (*text && count < LIST_MAX && strcmp(text, "none") != 0) {
        char *end;
        ret_values[count++] = (uint16_t)strtoul(text, &end, radix);
        text = *end == ',' ? end + 1 : end;
    }
    return count;
}

static int dial(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        exit(2);
    return fd;
}

static void print_result(const VigieTlsReader *reader) {
    static const char *const states[] = {"more", "done", "retry", "alert", "not-tls", "failed", "limit"};
    const VigieTlsResult *result = &reader->result;
    const char *suite = tls_suite_name(result->suite), *group = tls_group_name(result->group);
    printf("{\"state\": \"%s\", \"version\": \"%s\", \"suite\": \"%s\", \"group\": \"%s\", \"dh_bits\": %u, ",
           states[reader->state], result->version < VIGIE_VERSIONS ? tls_version_name(result->version) : "",
           suite ? suite : "", group ? group : "", result->dh_bits);
    printf("\"certificates\": [");
    for (size_t i = 0; i < result->certificate_count; i++) {
        uint8_t digest[SHA256_DIGEST_LENGTH];
        SHA256(result->certificates[i].data, result->certificates[i].size, digest);
        printf("%s\"", i ? ", " : "");
        for (size_t n = 0; n < sizeof digest; n++)
            printf("%02x", digest[n]);
        printf("\"");
    }
    printf("], \"request\": %s, \"complete\": %s, \"has_time\": %s, \"time\": %u, \"downgrade\": %u, ",
           result->certificate_request ? "true" : "false", result->complete ? "true" : "false",
           result->has_time ? "true" : "false", result->time, result->downgrade);
    printf("\"alpn\": \"%.*s\", \"compression\": %u, \"ssl2_suites\": %zu, \"server_groups\": [",
           (int)result->alpn.size, (const char *)result->alpn.data, result->compression,
           result->ssl2_suites.size / 3);
    for (size_t i = 0; i < result->server_group_count; i++)
        printf("%s\"%s\"", i ? ", " : "", tls_group_name(result->server_groups[i]));
    printf("], \"alert\": \"%s\", \"warning\": \"%s\", \"clause\": \"%s\", \"speaks\": \"%s\", \"retried\": "
           "%s}\n",
           result->alert ? result->alert : "", result->warning ? result->warning : "",
           result->clause ? result->clause : "", result->speaks ? result->speaks : "",
           reader->retried ? "true" : "false");
}

static void exchange(int fd, VigieTlsReader *reader, uint8_t *hello, size_t piece, const char *save,
                     bool stay) {
    static uint8_t buffer[65536];
    FILE *file = save ? fopen(save, "wb") : NULL;
    VigieTlsState state = VIGIE_TLS_MORE;
    while (state == VIGIE_TLS_MORE) {
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) {
            tls_reader_close(reader);
            break;
        }
        if (file)
            fwrite(buffer, 1, (size_t)n, file);
        for (size_t at = 0; at < (size_t)n; at += piece)
            state = tls_reader_feed(
                reader, vigie_bytes(buffer + at, (size_t)n - at < piece ? (size_t)n - at : piece));
        size_t size = 0;
        if (state == VIGIE_TLS_RETRY && !stay &&
            (size = tls_reader_retry(reader, hello, VIGIE_HELLO_MAX)) > 0)
            state = send(fd, hello, size, 0) == (ssize_t)size ? VIGIE_TLS_MORE : VIGIE_TLS_RETRY;
    }
    if (file)
        fclose(file);
}

int main(int argc, char **argv) {
    static uint16_t shares[LIST_MAX], groups[LIST_MAX], suites[LIST_MAX];
    uint8_t hello[VIGIE_HELLO_MAX];
    if (argc < 2)
        return 2;
    const char *text = option(argc, argv, "versions"), *form = option(argc, argv, "form");
    VigieHello plan = tls_hello_plan((uint8_t)(text ? strtoul(text, NULL, 0) : 0x3C));
    plan.server_name = option(argc, argv, "name");
    plan.alpn = option(argc, argv, "alpn");
    plan.deflate = option(argc, argv, "deflate");
    plan.form = VIGIE_HELLO_NORMAL;
    if (form)
        plan.form = form[0] == 's' ? VIGIE_HELLO_SMALL : VIGIE_HELLO_BARE;
    if ((text = option(argc, argv, "shares")))
        plan.share_count = list(text, 10, shares), plan.shares = shares;
    if ((text = option(argc, argv, "groups")))
        plan.group_count = list(text, 10, groups), plan.groups = groups;
    if ((text = option(argc, argv, "suites")))
        plan.suite_count = list(text, 16, suites), plan.suites = suites;
    bool stay = option(argc, argv, "until");
    VigieTlsContext *tls = tls_context_new();
    if (plan.form == VIGIE_HELLO_SMALL && plan.suite_count > tls_hello_room(tls, &plan))
        plan.suite_count = tls_hello_room(tls, &plan);
    size_t size = tls_hello_write(tls, &plan, hello, sizeof hello);
    VigieTlsReader reader;
    int fd = dial(argv[1]);
    if (size == 0 || send(fd, hello, size, 0) != (ssize_t)size)
        return 2;
    tls_reader_start(&reader, tls, &plan, vigie_bytes(hello, size),
                     stay ? VIGIE_UNTIL_HELLO : VIGIE_UNTIL_CERTIFICATE);
    text = option(argc, argv, "drip");
    exchange(fd, &reader, hello, text ? strtoul(text, NULL, 10) : 65536, option(argc, argv, "save"), stay);
    print_result(&reader);
    tls_reader_end(&reader);
    tls_context_free(tls);
    close(fd);
}
