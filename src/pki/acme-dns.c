#include "pki/acme-dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/select.h>

enum { TRY_MS = 2000, TRIES = 2, ALL_SECONDS = 8, RECORDS_MAX = 50 };

typedef struct {
    bool done;
    int status;
    char **texts;
    char *address;
} Asked;

static bool open_channel(const char *resolvers, ares_channel *ret_channel, GError **error) {
    struct ares_options options = {.timeout = TRY_MS, .tries = TRIES};
    int status = ares_init_options(ret_channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (status == ARES_SUCCESS && resolvers && *resolvers &&
        (status = ares_set_servers_ports_csv(*ret_channel, resolvers)) != ARES_SUCCESS)
        ares_destroy(*ret_channel);
    if (status != ARES_SUCCESS)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "name servers \"%s\": %s",
                    resolvers ? resolvers : "", ares_strerror(status));
    return status == ARES_SUCCESS;
}

static void wait_for(ares_channel channel, const Asked *asked) {
    gint64 until = g_get_monotonic_time() + ALL_SECONDS * G_USEC_PER_SEC;
    while (!asked->done && g_get_monotonic_time() < until) {
        fd_set in, out;
        FD_ZERO(&in);
        FD_ZERO(&out);
        int top = ares_fds(channel, &in, &out);
        struct timeval most = {.tv_usec = 100000}, left;
        if (top == 0)
            break;
        select(top, &in, &out, NULL, ares_timeout(channel, &most, &left));
        ares_process(channel, &in, &out);
    }
}

static void on_txt(void *data, int status, int timeouts, unsigned char *answer, int size) {
    Asked *asked = data;
    (void)timeouts;
    asked->done = true;
    asked->status = status;
    struct ares_txt_ext *records = NULL;
    if (status != ARES_SUCCESS ||
        (asked->status = ares_parse_txt_reply_ext(answer, size, &records)) != ARES_SUCCESS)
        return;
    GPtrArray *texts = g_ptr_array_new();
    GString *text = NULL;
    for (struct ares_txt_ext *piece = records; piece && texts->len < RECORDS_MAX; piece = piece->next) {
        if (piece->record_start && text)
            g_ptr_array_add(texts, g_string_free(text, FALSE));
        if (piece->record_start || !text)
            text = g_string_new(NULL);
        g_string_append_len(text, (const char *)piece->txt, (gssize)piece->length);
    }
    if (text)
        g_ptr_array_add(texts, g_string_free(text, FALSE));
    g_ptr_array_add(texts, NULL);
    asked->texts = (char **)g_ptr_array_free(texts, FALSE);
    ares_free_data(records);
}

static void on_address(void *data, int status, int timeouts, struct ares_addrinfo *result) {
    Asked *asked = data;
    char text[INET6_ADDRSTRLEN];
    (void)timeouts;
    asked->done = true;
    asked->status = status;
    if (status == ARES_SUCCESS && result->nodes &&
        getnameinfo(result->nodes->ai_addr, (socklen_t)result->nodes->ai_addrlen, text, sizeof text, NULL, 0,
                    NI_NUMERICHOST) == 0)
        asked->address = g_strdup(text);
    ares_freeaddrinfo(result);
}

static void refuse(const char *name, const Asked *asked, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "DNS: %s: %s", name,
                asked->done ? ares_strerror(asked->status) : "no answer in time");
}

char **acme_dns_txt(const char *resolvers, const char *name, GError **error) {
    ares_channel channel;
    Asked asked = {0};
    if (!open_channel(resolvers, &channel, error))
        return NULL;
    ares_query(channel, name, ns_c_in, ns_t_txt, on_txt, &asked);
    wait_for(channel, &asked);
    ares_destroy(channel); /* which ends the question, should it still stand */
    if (!asked.texts)
        refuse(name, &asked, error);
    return asked.texts;
}

char *acme_dns_address(const char *resolvers, const char *name, GError **error) {
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    ares_channel channel;
    Asked asked = {0};
    if (!open_channel(resolvers, &channel, error))
        return NULL;
    ares_getaddrinfo(channel, name, NULL, &hints, on_address, &asked);
    wait_for(channel, &asked);
    ares_destroy(channel);
    if (!asked.address)
        refuse(name, &asked, error);
    return asked.address;
}
