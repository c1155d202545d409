/* The journal of a survey that can be resumed. In memory a finished target is 8 octets: a hash of its name. */
#include "survey/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

struct VigieJournal {
    int fd;
    char *path;
    GString *pending;
    uint64_t *ended; /* sorted */
    size_t count, capacity;
};

static const char *const depth_names[] = {"certificate", "protocols", "full"};

/* FNV-1a, then mixed: among a million targets two share a hash with a chance of 1 in 30 million. */
static uint64_t hash_of(const char *name, size_t size) {
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3;
    hash = (hash ^ (hash >> 32)) * 0x9fb21c651e98df25;
    return hash ^ (hash >> 32);
}

static int compare(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static bool refuse(const VigieJournal *journal, int code, const char *what, GError **error) {
    g_set_error(error, VIGIE_ERROR, code, "journal %s: %s", journal->path, what);
    return false;
}

/* The first line: what this is, and of which depth. */
static bool check_head(VigieJournal *journal, FILE *file, const char *head, GError **error) {
    char line[64] = "";
    if (!fgets(line, sizeof line, file))
        line[0] = '\0';
    if (strcmp(line, head) == 0)
        return true;
    if (g_str_has_prefix(line, "vigie-survey "))
        return refuse(journal, VIGIE_ERROR_INVALID,
                      "belongs to a survey of another depth; give its --depth, or another file", error);
    return refuse(journal, VIGIE_ERROR_INVALID, "is not a survey's journal; give another file, or a new name",
                  error);
}

/* Reads what has ended; `ret_good` is where the last whole line ends: a kill may have torn the one after. */
static void read_ended(VigieJournal *journal, FILE *file, long *ret_good) {
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    while ((size = getline(&line, &capacity, file)) > 0 && line[size - 1] == '\n') {
        if (journal->count == journal->capacity) {
            journal->capacity = MAX(1024, 2 * journal->capacity);
            journal->ended = g_renew(uint64_t, journal->ended, journal->capacity);
        }
        journal->ended[journal->count++] = hash_of(line, (size_t)size - 1);
        *ret_good = ftell(file);
    }
    free(line);
    if (journal->count > 0)
        qsort(journal->ended, journal->count, sizeof *journal->ended, compare);
}

static bool load(VigieJournal *journal, VigieDepth depth, GError **error) {
    g_autofree char *head = g_strdup_printf("vigie-survey 1 %s\n", depth_names[depth]);
    long good = 0;
    FILE *file = fdopen(dup(journal->fd), "r");
    if (!file)
        return refuse(journal, VIGIE_ERROR_UNAVAILABLE, g_strerror(errno), error);
    bool fresh = lseek(journal->fd, 0, SEEK_END) == 0;
    rewind(file);
    bool ok = fresh || check_head(journal, file, head, error);
    if (ok && !fresh) {
        good = ftell(file);
        read_ended(journal, file, &good);
    }
    fclose(file);
    if (!ok)
        return false;
    if (ftruncate(journal->fd, good) != 0 || lseek(journal->fd, good, SEEK_SET) < 0)
        return refuse(journal, VIGIE_ERROR_UNAVAILABLE, g_strerror(errno), error);
    if (fresh)
        g_string_append(journal->pending, head);
    return survey_journal_sync(journal, error);
}

VigieJournal *survey_journal_open(const char *path, VigieDepth depth, GError **error) {
    g_autoptr(VigieJournal) journal = g_new0(VigieJournal, 1);
    journal->fd = -1;
    journal->path = g_strdup(path);
    journal->pending = g_string_new(NULL);
    journal->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (journal->fd < 0) {
        refuse(journal, VIGIE_ERROR_UNAVAILABLE, g_strerror(errno), error);
        return NULL;
    }
    if (flock(journal->fd, LOCK_EX | LOCK_NB) != 0) {
        refuse(journal, VIGIE_ERROR_BUSY,
               "another survey is writing it; wait for its end, or give another file", error);
        return NULL;
    }
    return load(journal, depth, error) ? g_steal_pointer(&journal) : NULL;
}

void survey_journal_close(VigieJournal *journal) {
    if (!journal)
        return;
    if (journal->fd >= 0)
        close(journal->fd);
    g_string_free(journal->pending, TRUE);
    g_free(journal->path);
    g_free(journal->ended);
    g_free(journal);
}

bool survey_journal_has(const VigieJournal *journal, const VigieTarget *target) {
    if (journal->count == 0)
        return false;
    g_autofree char *name = vigie_target_text(target);
    uint64_t hash = hash_of(name, strlen(name));
    return bsearch(&hash, journal->ended, journal->count, sizeof hash, compare) != NULL;
}

size_t survey_journal_count(const VigieJournal *journal) {
    return journal->count;
}

void survey_journal_add(VigieJournal *journal, const VigieTarget *target) {
    g_autofree char *name = vigie_target_text(target);
    g_string_append(journal->pending, name);
    g_string_append_c(journal->pending, '\n');
}

bool survey_journal_sync(VigieJournal *journal, GError **error) {
    for (size_t done = 0; done < journal->pending->len;) {
        ssize_t size = write(journal->fd, journal->pending->str + done, journal->pending->len - done);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return refuse(journal, VIGIE_ERROR_UNAVAILABLE, g_strerror(errno), error);
        done += (size_t)size;
    }
    bool synced = journal->pending->len == 0 || fdatasync(journal->fd) == 0;
    g_string_truncate(journal->pending, 0);
    return synced || refuse(journal, VIGIE_ERROR_UNAVAILABLE, g_strerror(errno), error);
}
