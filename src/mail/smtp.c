/* One message to one server, through libcurl; what a failure means for the next try.
 *
 * libcurl asks for the message piece by piece and sends the final dot only after the callback said that there
 * is no more. That is where the caller's commit is made: before it nothing can have been delivered, after it
 * everything may have been. */
#include "mail/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANSWER_MAX = 300 };

struct VigieMailServer {
    char *url;  /* with the name we greet by as its path */
    char *host; /* for messages: "smtp://relay.chu.test:25" */
    curl_usessl tls;
    char *ca_file;
    char *user;
    char *password_file;
    int64_t timeout;
    gint *silent; /* 1: nobody answered the last time; whatever thread asked */
};

typedef struct {
    VigieBytes rest;
    VigieMailCommit commit;
    void *data;
    bool given;   /* the commit was made: the server may have it all */
    bool replied; /* a line came after that */
    char answer[ANSWER_MAX + 1];
} Transfer;

/* ---- The configuration ---- */
static const struct {
    const char *name;
    curl_usessl tls;
} tls_modes[] = {
    {"required", CURLUSESSL_ALL},
    {"opportunistic", CURLUSESSL_TRY},
    {"none", CURLUSESSL_NONE},
};

static bool read_tls_mode(VigieMailServer *server, const char *name, GError **error) {
    for (size_t i = 0; i < G_N_ELEMENTS(tls_modes); i++)
        if (strcmp(tls_modes[i].name, name) == 0) {
            server->tls = tls_modes[i].tls;
            return true;
        }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                "[mail] tls = %s: required, opportunistic or none is wanted, as in: tls = required", name);
    return false;
}

/* The name in EHLO: servers that check it want a full one. */
static char *greeting_name(const char *from) {
    const char *host = g_get_host_name();
    if (strchr(host, '.'))
        return g_strdup(host);
    g_autofree char *address = mail_address(from, NULL);
    return g_strdup(address ? strchr(address, '@') + 1 : host);
}

static bool read_url(VigieMailServer *server, const char *text, const char *from, GError **error) {
    g_autoptr(GUri) uri = g_uri_parse(text, G_URI_FLAGS_NONE, NULL);
    const char *scheme = uri ? g_uri_get_scheme(uri) : "";
    bool known = strcmp(scheme, "smtp") == 0 || strcmp(scheme, "smtps") == 0;
    const char *path = uri ? g_uri_get_path(uri) : "";
    if (!known || !g_uri_get_host(uri) || !*g_uri_get_host(uri) || g_uri_get_userinfo(uri) ||
        (*path && strcmp(path, "/") != 0)) {
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            "[mail] server = %s: an address of the form smtp://HOST:PORT or smtps://HOST:PORT is wanted, "
            "as in: server = smtp://relais.chu.test:587",
            text);
        return false;
    }
    g_autofree char *name = greeting_name(from);
    server->host = g_str_has_suffix(text, "/") ? g_strndup(text, strlen(text) - 1) : g_strdup(text);
    server->url = g_strdup_printf("%s/%s", server->host, name);
    if (strcmp(scheme, "smtps") == 0)
        server->tls = CURLUSESSL_ALL;
    return true;
}

static char *text_or_null(const VigieConfig *config, const char *key) {
    const char *text = vigie_config_text(config, key);
    return *text ? g_strdup(text) : NULL;
}

static bool check_server(const VigieMailServer *server, const char *from, GError **error) {
    g_autofree char *address = mail_address(from, NULL);
    if (!address) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "[mail] from = %s: one address is wanted, as in: from = Vigie <vigie@chu.test>", from);
        return false;
    }
    if (server->user && server->tls != CURLUSESSL_ALL) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "[mail] user = %s: its password would be sent in clear; encrypt the connection, as in: "
                    "tls = required",
                    server->user);
        return false;
    }
    if (!server->user != !server->password_file) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "[mail] user and password_file go together, as in: user = vigie and "
                    "password_file = /etc/vigie/smtp-password");
        return false;
    }
    return true;
}

VigieMailServer *mail_server_new(const VigieConfig *config, GError **error) {
    const char *url = vigie_config_text(config, "mail.server");
    const char *from = vigie_config_text(config, "mail.from");
    if (!*url)
        return NULL;
    g_autoptr(VigieMailServer) server = g_new0(VigieMailServer, 1);
    server->silent = g_new0(gint, 1);
    server->ca_file = text_or_null(config, "mail.ca_file");
    server->user = text_or_null(config, "mail.user");
    server->password_file = text_or_null(config, "mail.password_file");
    server->timeout = vigie_config_seconds(config, "mail.timeout");
    if (!read_tls_mode(server, vigie_config_text(config, "mail.tls"), error) ||
        !read_url(server, url, from, error) || !check_server(server, from, error)) {
        g_prefix_error(error, "%s: ", vigie_config_place(config));
        return NULL;
    }
    return g_steal_pointer(&server);
}

void mail_server_free(VigieMailServer *server) {
    if (!server)
        return;
    g_free(server->url);
    g_free(server->host);
    g_free(server->ca_file);
    g_free(server->user);
    g_free(server->password_file);
    g_free(server->silent);
    g_free(server);
}

/* ---- The password ---- */
bool mail_password_read(const char *key, const char *path, char ret_password[PASSWORD_MAX], GError **error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) != 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s = %s: the password cannot be read (%s)",
                    key, path, g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    ssize_t size = read(fd, ret_password, PASSWORD_MAX - 1);
    close(fd);
    if (about.st_mode & (S_IROTH | S_IWOTH)) {
        explicit_bzero(ret_password, PASSWORD_MAX);
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s = %s: everybody can read it: chmod 640 %s",
                    key, path, path);
        return false;
    }
    ret_password[size > 0 ? size : 0] = '\0';
    ret_password[strcspn(ret_password, "\r\n")] = '\0';
    return true;
}

/* ---- A conversation ---- */
static size_t give_message(char *buffer, size_t size, size_t count, void *data) {
    Transfer *transfer = data;
    size_t piece = MIN(size * count, transfer->rest.size);
    if (piece > 0) {
        memcpy(buffer, transfer->rest.data, piece);
        transfer->rest.data += piece;
        transfer->rest.size -= piece;
        return piece;
    }
    if (!transfer->given && !transfer->commit(transfer->data))
        return CURL_READFUNC_ABORT;
    transfer->given = true;
    return 0;
}

/* libcurl passes each line of the server here; the one that answers its QUIT says nothing of the message. */
static size_t hear_line(char *line, size_t size, size_t count, void *data) {
    Transfer *transfer = data;
    if (size * count >= 3 && memcmp(line, "221", 3) == 0)
        return size * count;
    size_t length = MIN(size * count, (size_t)ANSWER_MAX);
    while (length > 0 && g_ascii_isspace(line[length - 1]))
        length--;
    for (size_t i = 0; i < length; i++)
        transfer->answer[i] = g_ascii_isprint(line[i]) ? line[i] : '?';
    transfer->answer[length] = '\0';
    transfer->replied = transfer->given;
    return size * count;
}

/* What answers NOOP is a body to libcurl, which would print it. */
static size_t ignore_body(char *body, size_t size, size_t count, void *data) {
    (void)body;
    (void)data;
    return size * count;
}

static bool set_password(CURL *curl, const VigieMailServer *server, GError **error) {
    if (!server->user)
        return true;
    char password[PASSWORD_MAX];
    if (!mail_password_read("[mail] password_file", server->password_file, password, error))
        return false;
    curl_easy_setopt(curl, CURLOPT_USERNAME, server->user);
    curl_easy_setopt(curl, CURLOPT_PASSWORD, password);
    explicit_bzero(password, sizeof password);
    return true;
}

static CURL *open_conversation(const VigieMailServer *server, Transfer *transfer, char *reason,
                               GError **error) {
    CURL *curl = curl_easy_init();
    if (!curl || !set_password(curl, server, error)) {
        curl_easy_cleanup(curl);
        return NULL;
    }
    curl_easy_setopt(curl, CURLOPT_URL, server->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)server->tls);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (server->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, server->ca_file);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(MIN(server->timeout, 30) * 1000));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(server->timeout * 1000));
    /* also bounds the wait for an answer to QUIT, which the whole timeout does not */
    curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)server->timeout);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, hear_line);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore_body);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    return curl;
}

/* ---- What came of it ---- */
/* A 5xx is about the message only where it answers MAIL, RCPT or DATA, for which libcurl says SEND_ERROR, and
 * is not 530 (log in, or secure the line, first: RFC 4954 6, RFC 3207 4). All else is a matter of the server
 * or of our configuration, and may be mended while the message waits. */
static VigieMailResult judge(CURLcode code, const Transfer *transfer) {
    int reply = atoi(transfer->answer);
    if (code == CURLE_OK)
        return VIGIE_MAIL_SENT;
    if (!transfer->given)
        return code == CURLE_SEND_ERROR && reply >= 500 && reply < 600 && reply != 530 ? VIGIE_MAIL_REFUSED
                                                                                       : VIGIE_MAIL_LATER;
    if (!transfer->replied || reply < 400)
        return VIGIE_MAIL_UNKNOWN;
    return reply >= 500 ? VIGIE_MAIL_REFUSED : VIGIE_MAIL_LATER;
}

/* The server's own words where it spoke last, else libcurl's. */
static char *tell(const VigieMailServer *server, CURLcode code, const Transfer *transfer,
                  const char *reason) {
    bool server_refused = code == CURLE_SEND_ERROR || code == CURLE_WEIRD_SERVER_REPLY ||
                          code == CURLE_LOGIN_DENIED || code == CURLE_REMOTE_ACCESS_DENIED ||
                          code == CURLE_USE_SSL_FAILED;
    if (code == CURLE_OK || ((!transfer->given || transfer->replied) && server_refused && *transfer->answer))
        return g_strdup(transfer->answer);
    return g_strdup_printf("%s: the conversation failed (%s)", server->host,
                           *reason ? reason : curl_easy_strerror(code));
}

VigieMailResult mail_server_send(const VigieMailServer *server, const char *from, const char *to,
                                 GBytes *message, VigieMailCommit commit, void *data, char **ret_answer) {
    Transfer transfer = {.commit = commit, .data = data};
    transfer.rest.data = g_bytes_get_data(message, &transfer.rest.size);
    char reason[CURL_ERROR_SIZE] = "";
    g_autoptr(GError) error = NULL;
    CURL *curl = open_conversation(server, &transfer, reason, &error);
    if (!curl) {
        *ret_answer = g_strdup(error ? error->message : "libcurl: out of memory");
        return VIGIE_MAIL_LATER;
    }
    g_autofree char *sender = g_strdup_printf("<%s>", from);
    g_autofree char *recipient = g_strdup_printf("<%s>", to);
    struct curl_slist *recipients = curl_slist_append(NULL, recipient);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, sender);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_message);
    curl_easy_setopt(curl, CURLOPT_READDATA, &transfer);
    CURLcode code = curl_easy_perform(curl);
    VigieMailResult result = judge(code, &transfer);
    g_atomic_int_set(server->silent, code != CURLE_OK && !*transfer.answer);
    *ret_answer = tell(server, code, &transfer, reason);
    curl_slist_free_all(recipients);
    curl_easy_cleanup(curl);
    return result;
}

bool mail_server_silent(const VigieMailServer *server) {
    return g_atomic_int_get(server->silent) != 0;
}

bool mail_server_check(const VigieMailServer *server, char **ret_answer, GError **error) {
    Transfer transfer = {0};
    char reason[CURL_ERROR_SIZE] = "";
    CURL *curl = open_conversation(server, &transfer, reason, error);
    if (!curl)
        return false;
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "NOOP");
    CURLcode code = curl_easy_perform(curl);
    g_autofree char *answer = tell(server, code, &transfer, reason);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    g_ascii_isdigit(*answer) ? "the mail server answers: %s" : "%s", answer);
        return false;
    }
    if (ret_answer)
        *ret_answer = g_steal_pointer(&answer);
    return true;
}
