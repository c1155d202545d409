/* Passwords on their way in, and files that may hold a private key on their way out. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { SECRET_MAX = 1024, TRIES = 5 };

void cli_secret_free(CliSecret secret) {
    if (secret)
        explicit_bzero(secret, strlen(secret));
    g_free(secret);
}

/* The first line of a descriptor. */
static char *read_line(int fd, GError **error) {
    char line[SECRET_MAX + 1];
    size_t size = 0;
    ssize_t got = 0;
    while (size < SECRET_MAX && (got = read(fd, line + size, 1)) == 1 && line[size] != '\n')
        size++;
    char *secret = NULL;
    if (got < 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "the password cannot be read: %s",
                    g_strerror(errno));
    else if (size == 0)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "the password is empty");
    else if (size == SECRET_MAX)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "the password is longer than %d characters",
                    SECRET_MAX);
    else
        secret = g_strndup(line, size > 0 && line[size - 1] == '\r' ? size - 1 : size);
    explicit_bzero(line, sizeof line);
    return secret;
}

CliSecret cli_secret_read(const char *source, GError **error) {
    char *end = NULL;
    if (g_str_has_prefix(source, "fd:")) {
        gint64 fd = g_ascii_strtoll(source + 3, &end, 10);
        if (end != source + 3 && *end == '\0' && fd >= 0 && fd < 65536)
            return read_line((int)fd, error);
    }
    int fd = open(source, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "password file %s: %s", source,
                    g_strerror(errno));
        return NULL;
    }
    char *secret = read_line(fd, error);
    close(fd);
    return secret;
}

/* One answer, the echo being off. */
static CliSecret ask(int terminal, const char *question, GError **error) {
    dprintf(terminal, "%s ", question);
    CliSecret secret = read_line(terminal, error);
    dprintf(terminal, "\n");
    return secret;
}

static CliSecret ask_twice(int terminal, const char *question, const char *again, GError **error) {
    for (int i = 1;; i++) {
        g_auto(CliSecret) first = ask(terminal, question, error);
        if (!first || !again)
            return g_steal_pointer(&first);
        g_auto(CliSecret) second = ask(terminal, again, error);
        if (second && strcmp(first, second) == 0)
            return g_steal_pointer(&first);
        if (!second)
            return NULL;
        g_autoptr(GError) differ =
            g_error_new_literal(VIGIE_ERROR, VIGIE_ERROR_INVALID, "the two passwords differ: try again");
        if (i == TRIES) {
            g_propagate_error(error, g_steal_pointer(&differ));
            return NULL;
        }
        g_autofree char *said = cli_words(differ);
        dprintf(terminal, "%s\n", said);
    }
}

CliSecret cli_secret_ask(const char *question, const char *again, GError **error) {
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before;
    if (terminal < 0 || tcgetattr(terminal, &before) != 0) {
        if (terminal >= 0)
            close(terminal);
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                            "there is no terminal to ask for the password at: see --help for the other ways");
        return NULL;
    }
    struct termios silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    /* Silent first: what is typed as soon as the question is seen must be neither shown nor lost. */
    tcsetattr(terminal, TCSAFLUSH, &silent);
    CliSecret secret = ask_twice(terminal, question, again, error);
    tcsetattr(terminal, TCSAFLUSH, &before);
    close(terminal);
    return secret;
}

CliSecret cli_pin_get(const char *uri, const char *source, VigieLang lang, GError **error) {
    if (source)
        return cli_secret_read(source, error);
    g_autofree char *shown = g_strndup(uri, strcspn(uri, "?"));
    g_autofree char *question = vigie_words(lang, "token.ask", "uri", shown, NULL);
    return cli_secret_ask(question, NULL, error);
}

static int open_terminal(GError **error) {
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                            "there is no terminal to ask at: start the command from one");
    return terminal;
}

char *cli_line_ask(const char *question, GError **error) {
    int terminal = open_terminal(error);
    if (terminal < 0)
        return NULL;
    dprintf(terminal, "%s ", question);
    char *line = read_line(terminal, NULL);
    close(terminal);
    if (!line)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "nothing was answered: start again");
    return line;
}

bool cli_terminal_write(const char *text, GError **error) {
    int terminal = open_terminal(error);
    bool written = terminal >= 0 && dprintf(terminal, "%s\n", text) >= 0;
    if (terminal >= 0)
        close(terminal);
    return written;
}

/* Home, clear, and what was scrolled away too (xterm's 3J, which terminals without it pass over). */
void cli_terminal_clear(void) {
    int terminal = open_terminal(NULL);
    if (terminal < 0)
        return;
    dprintf(terminal, "\033[H\033[2J\033[3J");
    close(terminal);
}

bool cli_write_new(const char *path, const void *data, size_t size, bool secret, GError **error) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, secret ? 0600 : 0644);
    if (fd < 0) {
        if (errno == EEXIST)
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                        "%s exists already, and is left as it is: choose another name", path);
        else
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s: %s", path, g_strerror(errno));
        return false;
    }
    const char *at = data;
    while (size > 0) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno != EINTR)
            break;
        at += MAX(written, 0);
        size -= (size_t)MAX(written, 0);
    }
    bool kept = size == 0 && fsync(fd) == 0;
    if (!kept) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s could not be written: %s", path,
                    g_strerror(errno));
        unlink(path);
    }
    close(fd);
    return kept;
}

GMappedFile *cli_file_map(const char *path, GError **error) {
    if (!g_file_test(path, G_FILE_TEST_IS_DIR))
        return g_mapped_file_new(path, FALSE, error);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: %s", path, g_strerror(EISDIR));
    return NULL;
}
