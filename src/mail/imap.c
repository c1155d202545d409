/* IMAP (RFC 9051, as much of it as RFC 3501 servers speak) over a connection that libcurl made, secured and logged in.
 * Its own FETCH marks what it reads as seen, and cuts long lines: so the rest of the conversation is ours. */
#include "mail/mailbox.h"

#include <poll.h>
#include <string.h>

enum {
    LINE_MAX_BYTES = 4 << 20,
    PIECE = 64 << 10,
    REASON_MAX = 300,
    UIDS_MAX = 500000,
    RESPONSES_MAX = 100000, /* to one command */
    COMMAND_SECONDS = 1800, /* what it brought until then is kept */
};

struct Imap {
    CURL *curl;
    char *url; /* for messages */
    int64_t timeout;
    unsigned tag;
    int64_t deadline; /* of the command, µs */
    bool moves;       /* the server knows MOVE, RFC 6851 */
    bool plus;        /* and UIDPLUS, RFC 4315 */
    GByteArray *buffer;
    size_t used; /* of the buffer */
};

/* A response: its text, literals left out of it as "{n}", and the last literal. */
typedef struct {
    GString *text;
    GBytes *literal;
} Response;

static void response_clear(Response *response) {
    if (response->text)
        g_string_free(response->text, TRUE);
    g_clear_pointer(&response->literal, g_bytes_unref);
    *response = (Response){0};
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Response, response_clear)

static bool fail(const Imap *imap, const char *what, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s: %s", imap->url, what);
    return false;
}

static bool fail_answer(const Imap *imap, const char *answer, GError **error) {
    g_autofree char *clean = g_utf8_make_valid(answer, -1);
    g_strdelimit(g_strstrip(clean), "\r\n\t", ' ');
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s: the server answers: %.*s", imap->url,
                REASON_MAX, clean);
    return false;
}

/* ---- Bytes ---- */
static bool wait_for(const Imap *imap, short events, GError **error) {
    curl_socket_t socket = CURL_SOCKET_BAD;
    curl_easy_getinfo(imap->curl, CURLINFO_ACTIVESOCKET, &socket);
    struct pollfd one = {.fd = socket, .events = events};
    int ready = poll(&one, 1, (int)MIN(imap->timeout * 1000, G_MAXINT));
    return ready > 0 || fail(imap, "the server is silent", error);
}

static bool send_text(const Imap *imap, const char *text, GError **error) {
    size_t size = strlen(text);
    while (size > 0) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(imap->curl, text, size, &sent);
        if (code == CURLE_AGAIN && !wait_for(imap, POLLOUT, error))
            return false;
        if (code != CURLE_OK && code != CURLE_AGAIN)
            return fail(imap, "the server hung up", error);
        text += sent;
        size -= sent;
    }
    return true;
}

static bool receive_more(Imap *imap, GError **error) {
    if (g_get_monotonic_time() > imap->deadline)
        return fail(imap, "the server takes too long to answer", error);
    if (imap->used > PIECE) {
        g_byte_array_remove_range(imap->buffer, 0, (guint)imap->used);
        imap->used = 0;
    }
    guint had = imap->buffer->len;
    size_t got = 0;
    g_byte_array_set_size(imap->buffer, had + PIECE);
    CURLcode code = CURLE_AGAIN;
    while ((code = curl_easy_recv(imap->curl, imap->buffer->data + had, PIECE, &got)) == CURLE_AGAIN)
        if (!wait_for(imap, POLLIN, error))
            break;
    g_byte_array_set_size(imap->buffer, had + (guint)got);
    if (code == CURLE_AGAIN)
        return false;
    return (code == CURLE_OK && got > 0) || fail(imap, "the server hung up", error);
}

/* One line without its end, appended. */
static bool receive_line(Imap *imap, GString *out, GError **error) {
    size_t searched = imap->used;
    for (;;) {
        const uint8_t *newline = searched < imap->buffer->len ? memchr(imap->buffer->data + searched, '\n',
                                                                       imap->buffer->len - searched)
                                                              : NULL;
        if (newline) {
            size_t end = (size_t)(newline - imap->buffer->data), size = end - imap->used;
            if (size > 0 && imap->buffer->data[end - 1] == '\r')
                size--;
            for (size_t i = 0; i < size; i++)
                g_string_append_c(
                    out, imap->buffer->data[imap->used + i] ? (char)imap->buffer->data[imap->used + i] : ' ');
            imap->used = end + 1;
            return true;
        }
        size_t pending = imap->buffer->len - imap->used;
        if (pending + out->len > LINE_MAX_BYTES)
            return fail(imap, "the server answers an endless line", error);
        if (!receive_more(imap, error))
            return false;
        searched = imap->used + pending;
    }
}

static bool receive_literal(Imap *imap, size_t size, GBytes **ret_literal, GError **error) {
    if (size > MAIL_READ_MAX)
        return fail(imap, "the server answers more than was asked", error);
    g_autoptr(GByteArray) literal = g_byte_array_sized_new((guint)size);
    for (;;) {
        size_t piece = MIN(size - literal->len, imap->buffer->len - imap->used);
        g_byte_array_append(literal, imap->buffer->data + imap->used, (guint)piece);
        imap->used += piece;
        if (literal->len == size)
            break;
        if (!receive_more(imap, error))
            return false;
    }
    g_clear_pointer(ret_literal, g_bytes_unref);
    *ret_literal = g_byte_array_free_to_bytes(g_steal_pointer(&literal));
    return true;
}

/* Whether the text ends in "{123}". */
static bool announces_literal(const GString *text, size_t *ret_size) {
    const char *open = text->len > 2 && text->str[text->len - 1] == '}' ? strrchr(text->str, '{') : NULL;
    guint64 size = 0;
    char *end = NULL;
    if (open)
        size = g_ascii_strtoull(open + 1, &end, 10);
    *ret_size = (size_t)size;
    return open && end == text->str + text->len - 1 && end > open + 1;
}

static bool receive_response(Imap *imap, Response *ret_response, GError **error) {
    size_t size = 0;
    ret_response->text = g_string_new(NULL);
    while (receive_line(imap, ret_response->text, error)) {
        if (!announces_literal(ret_response->text, &size))
            return true;
        if (!receive_literal(imap, size, &ret_response->literal, error))
            return false;
    }
    return false;
}

/* ---- Commands ---- */
typedef bool (*Hear)(void *data, const Response *response, GError **error);

/* `hear`, may be NULL, is given each untagged response. */
static bool command(Imap *imap, const char *text, Hear hear, void *data, GError **error) {
    g_autofree char *tag = g_strdup_printf("V%u ", ++imap->tag);
    g_autofree char *line = g_strconcat(tag, text, "\r\n", NULL);
    imap->deadline = g_get_monotonic_time() + (int64_t)COMMAND_SECONDS * G_USEC_PER_SEC;
    if (!send_text(imap, line, error))
        return false;
    for (unsigned i = 0; i < RESPONSES_MAX; i++) {
        g_auto(Response) response = {0};
        if (!receive_response(imap, &response, error))
            return false;
        const char *answer = response.text->str;
        if (g_str_has_prefix(answer, tag))
            return g_ascii_strncasecmp(answer + strlen(tag), "OK", 2) == 0 ||
                   fail_answer(imap, answer + strlen(tag), error);
        if (g_str_has_prefix(answer, "* BYE"))
            return fail_answer(imap, answer, error);
        if (hear && g_str_has_prefix(answer, "* ") && !hear(data, &response, error))
            return false;
    }
    return fail(imap, "the server does not stop answering", error);
}

static bool hear_capabilities(void *data, const Response *response, GError **error) {
    (void)error;
    Imap *imap = data;
    g_autofree char *padded = g_strconcat(response->text->str, " ", NULL);
    imap->moves = imap->moves || strcasestr(padded, " MOVE ");
    imap->plus = imap->plus || strcasestr(padded, " UIDPLUS ");
    return true;
}

/* RFC 3501 5.1.3 and a quoted string; NULL where it cannot be said. */
static char *folder_name(const char *folder) {
    g_autofree char *encoded = g_convert(folder, -1, "UTF-7-IMAP", "UTF-8", NULL, NULL, NULL);
    if (!encoded || strpbrk(encoded, "\r\n"))
        return NULL;
    GString *out = g_string_new("\"");
    for (const char *p = encoded; *p; p++) {
        if (*p == '"' || *p == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *p);
    }
    return g_string_free(g_string_append_c(out, '"'), FALSE);
}

static char *uid_set(const int64_t *uids, size_t count) {
    GString *out = g_string_new(NULL);
    for (size_t i = 0; i < count; i++)
        g_string_append_printf(out, "%s%" G_GINT64_FORMAT, i ? "," : "", uids[i]);
    return g_string_free(out, FALSE);
}

/* ---- The connection ---- */
static size_t ignore(char *bytes, size_t size, size_t count, void *data) {
    (void)bytes;
    (void)data;
    return size * count;
}

static void set_options(CURL *curl, const VigieMailbox *mailbox, char *reason) {
    curl_easy_setopt(curl, CURLOPT_URL, mailbox->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "imap,imaps");
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)mailbox->tls);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (mailbox->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, mailbox->ca_file);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(mailbox->timeout * 1000));
    curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)mailbox->timeout);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
}

static bool log_in(const VigieMailbox *mailbox, CURL *curl, GError **error) {
    char password[PASSWORD_MAX], reason[CURL_ERROR_SIZE] = "";
    g_autofree char *key = g_strdup_printf("[mailbox.%s] password_file", mailbox->name);
    if (!mail_password_read(key, mailbox->password_file, password, error))
        return false;
    set_options(curl, mailbox, reason);
    curl_easy_setopt(curl, CURLOPT_USERNAME, mailbox->user);
    curl_easy_setopt(curl, CURLOPT_PASSWORD, password);
    explicit_bzero(password, sizeof password);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        return true;
    if (code == CURLE_LOGIN_DENIED)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s: the server refuses user and password",
                    mailbox->url);
    else
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s: the conversation failed (%s)",
                    mailbox->url, *reason ? reason : curl_easy_strerror(code));
    return false;
}

Imap *imap_open(const VigieMailbox *mailbox, GError **error) {
    CURL *curl = curl_easy_init();
    if (!curl || !log_in(mailbox, curl, error)) {
        curl_easy_cleanup(curl);
        return NULL;
    }
    g_autoptr(Imap) imap = g_new0(Imap, 1);
    imap->curl = curl;
    imap->url = g_strdup(mailbox->url);
    imap->timeout = mailbox->timeout;
    imap->buffer = g_byte_array_new();
    return command(imap, "CAPABILITY", hear_capabilities, imap, error) ? g_steal_pointer(&imap) : NULL;
}

void imap_close(Imap *imap) {
    if (!imap)
        return;
    send_text(imap, "V0 LOGOUT\r\n", NULL);
    curl_easy_cleanup(imap->curl);
    g_byte_array_unref(imap->buffer);
    g_free(imap->url);
    g_free(imap);
}

/* ---- Folders ---- */
static bool hear_select(void *data, const Response *response, GError **error) {
    (void)error;
    ImapFolder *folder = data;
    const char *text = response->text->str, *found = NULL;
    if ((found = strcasestr(text, "[UIDVALIDITY ")))
        folder->uidvalidity = g_ascii_strtoll(found + 13, NULL, 10);
    if ((found = strcasestr(text, "[UIDNEXT ")))
        folder->uidnext = g_ascii_strtoll(found + 9, NULL, 10);
    char *end = NULL;
    int64_t number = g_ascii_strtoll(text + 2, &end, 10);
    if (end > text + 2 && g_ascii_strcasecmp(end, " EXISTS") == 0)
        folder->messages = number;
    return true;
}

bool imap_select(Imap *imap, const char *name, ImapFolder *ret_folder, GError **error) {
    g_autofree char *quoted = folder_name(name);
    g_autofree char *text = g_strdup_printf("SELECT %s", quoted ? quoted : "\"\"");
    ImapFolder folder = {0};
    if (!command(imap, text, hear_select, &folder, error)) {
        g_prefix_error(error, "folder %s: ", name);
        return false;
    }
    if (folder.uidvalidity <= 0)
        return fail(imap, "the server does not number its messages (UIDVALIDITY)", error);
    *ret_folder = folder;
    return true;
}

typedef struct {
    GArray *uids;
    int64_t from;
} Search;

static bool hear_search(void *data, const Response *response, GError **error) {
    (void)error;
    Search *search = data;
    if (g_ascii_strncasecmp(response->text->str, "* SEARCH", 8) != 0)
        return true;
    for (const char *p = response->text->str + 8; *p && search->uids->len < UIDS_MAX;) {
        char *end = NULL;
        int64_t uid = g_ascii_strtoll(p, &end, 10);
        if (end == p)
            break;
        if (uid >= search->from) /* "n:*" names the last one too, however low */
            g_array_append_val(search->uids, uid);
        p = end;
    }
    return true;
}

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

GArray *imap_search(Imap *imap, int64_t from, bool unseen, GError **error) {
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(int64_t));
    Search search = {uids, from};
    g_autofree char *text =
        g_strdup_printf("UID SEARCH UID %" G_GINT64_FORMAT ":*%s", from, unseen ? " UNSEEN" : "");
    if (!command(imap, text, hear_search, &search, error))
        return NULL;
    g_array_sort(uids, by_number);
    guint kept = 0;
    for (guint i = 0; i < uids->len; i++)
        if (kept == 0 || g_array_index(uids, int64_t, i) != g_array_index(uids, int64_t, kept - 1))
            g_array_index(uids, int64_t, kept++) = g_array_index(uids, int64_t, i);
    g_array_set_size(uids, kept);
    return g_steal_pointer(&uids);
}

/* ---- Messages ---- */
typedef struct {
    ImapTake take;
    void *data;
} Fetch;

static int64_t number_after(const char *text, const char *name) {
    const char *found = strcasestr(text, name);
    return found ? g_ascii_strtoll(found + strlen(name), NULL, 10) : 0;
}

/* Unasked ones, of flags alone, have neither UID nor body. */
static bool hear_fetch(void *data, const Response *response, GError **error) {
    Fetch *fetch = data;
    const char *text = response->text->str;
    int64_t uid = number_after(text, "UID ");
    const char *body = strcasestr(text, "BODY[]");
    if (!strcasestr(text, " FETCH (") || uid <= 0 || !body)
        return true;
    g_autoptr(GBytes) raw = response->literal ? g_bytes_ref(response->literal) : g_bytes_new(NULL, 0);
    int64_t size = number_after(text, "RFC822.SIZE ");
    /* The size is what the server counts, which for some is not what they send; only a cut one is larger for sure. */
    bool cut = g_bytes_get_size(raw) == MAIL_READ_MAX && size > MAIL_READ_MAX;
    return fetch->take(fetch->data, uid, cut ? size : (int64_t)g_bytes_get_size(raw), raw, error);
}

bool imap_fetch(Imap *imap, const int64_t *uids, size_t count, ImapTake take, void *data, GError **error) {
    Fetch fetch = {take, data};
    g_autofree char *set = uid_set(uids, count);
    g_autofree char *text =
        g_strdup_printf("UID FETCH %s (RFC822.SIZE BODY.PEEK[]<0.%d>)", set, MAIL_READ_MAX);
    return command(imap, text, hear_fetch, &fetch, error);
}

/* Without MOVE: copied, then deleted; expunged only where that can be said of these alone. */
static bool move(Imap *imap, const char *set, const char *archive, GError **error) {
    g_autofree char *quoted = folder_name(archive);
    g_autofree char *words =
        g_strdup_printf("UID %s %s %s", imap->moves ? "MOVE" : "COPY", set, quoted ? quoted : "\"\"");
    if (!command(imap, words, NULL, NULL, error)) {
        g_prefix_error(error, "archive %s: ", archive);
        return false;
    }
    if (imap->moves)
        return true;
    g_autofree char *deleted = g_strdup_printf("UID STORE %s +FLAGS.SILENT (\\Deleted)", set);
    g_autofree char *expunge = g_strdup_printf("UID EXPUNGE %s", set);
    return command(imap, deleted, NULL, NULL, error) &&
           (!imap->plus || command(imap, expunge, NULL, NULL, error));
}

bool imap_file(Imap *imap, const int64_t *uids, size_t count, const char *archive, GError **error) {
    g_autofree char *set = uid_set(uids, count);
    g_autofree char *seen = g_strdup_printf("UID STORE %s +FLAGS.SILENT (\\Seen)", set);
    return command(imap, seen, NULL, NULL, error) && (!*archive || move(imap, set, archive, error));
}
