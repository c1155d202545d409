/* An encrypted ZIP file for whom OpenPGP is too much, and the password that is told by phone. */
#include "mail/mail.h"

#include <archive.h>
#include <archive_entry.h>
#include <openssl/rand.h>
#include <string.h>

typedef struct archive Archive;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Archive, archive_write_free)
typedef struct archive_entry Entry;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Entry, archive_entry_free)

enum { GROUPS = 6, GROUP = 4, PASSWORD_LEAST = 12 };

/* No 0 O, 1 I, 8 B, 5 S, 2 Z; no D, T, P, G, V, E beside B; no N beside M. */
static const char alphabet[] = "34679ACFHJKLMQRUWXY2";

/* ---- The password ---- */
/* A symbol, each as likely: bytes beyond the last whole round of the alphabet are thrown away. */
static bool random_symbol(char *ret_symbol) {
    const unsigned count = sizeof alphabet - 1, limit = 256 - 256 % count;
    uint8_t byte = 0;
    do {
        if (RAND_bytes(&byte, 1) != 1)
            return false;
    } while (byte >= limit);
    *ret_symbol = alphabet[byte % count];
    return true;
}

char *mail_container_password(GError **error) {
    char *password = g_malloc0(GROUPS * (GROUP + 1));
    for (size_t i = 0; i < GROUPS * (GROUP + 1) - 1; i++) {
        password[i] = '-';
        if (i % (GROUP + 1) != GROUP && !random_symbol(&password[i])) {
            mail_secret_free(password);
            g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL,
                                "mail: no random numbers are to be had");
            return NULL;
        }
    }
    return password;
}

void mail_secret_free(char *secret) {
    if (secret)
        explicit_bzero(secret, strlen(secret));
    g_free(secret);
}

/* ---- The file ---- */
static la_ssize_t keep(Archive *archive, void *data, const void *buffer, size_t size) {
    (void)archive;
    g_byte_array_append(data, buffer, (guint)size);
    return (la_ssize_t)size;
}

static bool fail(Archive *archive, GError **error) {
    const char *reason = archive_error_string(archive);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "mail: the encrypted container: %s",
                reason ? reason : "out of memory");
    return false;
}

static bool add_file(Archive *archive, const VigieMailFile *file, VigieTime now) {
    gsize size = 0;
    const void *data = g_bytes_get_data(file->content, &size);
    g_autoptr(Entry) entry = archive_entry_new();
    archive_entry_set_pathname_utf8(entry, file->name);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_mtime(entry, now, 0);
    return archive_write_header(archive, entry) == ARCHIVE_OK &&
           (size == 0 || archive_write_data(archive, data, size) == (la_ssize_t)size);
}

static bool fill(Archive *archive, GByteArray *out, const VigieMailFile *files, size_t count,
                 const char *password, VigieTime now) {
    if (archive_write_set_format_zip(archive) != ARCHIVE_OK ||
        archive_write_set_options(archive, "zip:encryption=aes256,zip:hdrcharset=UTF-8") != ARCHIVE_OK ||
        archive_write_set_passphrase(archive, password) != ARCHIVE_OK ||
        archive_write_open(archive, out, NULL, keep, NULL) != ARCHIVE_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!add_file(archive, &files[i], now))
            return false;
    return archive_write_close(archive) == ARCHIVE_OK;
}

static bool check(const VigieMailFile *files, size_t count, const char *password, GError **error) {
    size_t total = 0;
    bool named = count > 0;
    for (size_t i = 0; i < count; i++) {
        total += g_bytes_get_size(files[i].content);
        named = named && *files[i].name && !strpbrk(files[i].name, "/\\") && files[i].name[0] != '.';
    }
    if (!named || strlen(password) < PASSWORD_LEAST) {
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            "mail: a container wants files whose names hold no folder, and a password of %d characters at "
            "least",
            PASSWORD_LEAST);
        return false;
    }
    if (total <= MAIL_FILE_MAX)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "mail: a container holds %d MiB at most",
                MAIL_FILE_MAX >> 20);
    return false;
}

GBytes *mail_container_make(const VigieMailFile *files, size_t count, const char *password, VigieTime now,
                            GError **error) {
    if (!check(files, count, password, error))
        return NULL;
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autoptr(Archive) archive = archive_write_new();
    if (!archive || !fill(archive, out, files, count, password, now)) {
        fail(archive, error);
        return NULL;
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}
