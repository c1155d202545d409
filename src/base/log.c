/* One line a message on stderr, whole or not at all: several processes share it. */
#include "base/base.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *process = "vigie";

static const char *const level_names[] = {
    [VIGIE_LOG_ERROR] = "error",
    [VIGIE_LOG_WARNING] = "warning",
    [VIGIE_LOG_NOTICE] = "notice",
    [VIGIE_LOG_INFO] = "info",
};

void vigie_log_name(const char *name) {
    process = name;
}

/* The journal adds time and process by itself, and reads the level from "<4>" (sd-daemon(3)). */
static bool to_journal(void) {
    static gsize known = 0; /* 1: no, 2: yes */
    if (g_once_init_enter(&known)) {
        const char *stream = g_getenv("JOURNAL_STREAM");
        g_autofree char *here = NULL;
        struct stat about;
        if (fstat(STDERR_FILENO, &about) == 0)
            here = g_strdup_printf("%ju:%ju", (uintmax_t)about.st_dev, (uintmax_t)about.st_ino);
        g_once_init_leave(&known, stream && g_strcmp0(stream, here) == 0 ? 2 : 1);
    }
    return known == 2;
}

void vigie_log(VigieLogLevel level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    /* What strangers sent may be in it: it must not end the line or move the reader's cursor. */
    for (char *p = message; *p; p++)
        if (g_ascii_iscntrl(*p))
            *p = ' ';
    g_autofree char *now = vigie_time_rfc3339(vigie_time_now());
    g_autofree char *line =
        to_journal() ? g_strdup_printf("<%d>%s: %s\n", level, process, message)
                     : g_strdup_printf("%s %s %s: %s\n", now, process, level_names[level], message);
    ssize_t written = write(STDERR_FILENO, line, strlen(line));
    (void)written; /* there is nowhere to tell of it */
}
