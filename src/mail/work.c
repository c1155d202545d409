/* Which operations there are, and what all of them need before a child is forked. */
#include "mail/work.h"
#include "mail/pgp.h"
#include "mail/read-parts.h"

#include <openssl/evp.h>
#include <string.h>

static bool is_cms(const Parcel *request) {
    return g_strcmp0(json_string_value(json_object_get(request->about, "kind")), "smime") == 0;
}

static bool open_any(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    return is_cms(request) ? work_open_cms(means, request, answer, error)
                           : work_open_pgp(means, request, answer, error);
}

static bool verify_any(const Means *means, const Parcel *request, Parcel *answer, GError **error) {
    return is_cms(request) ? work_verify_cms(means, request, answer, error)
                           : work_verify_pgp(means, request, answer, error);
}

static const struct {
    CellRoom room;
    const char *name;
    Operation operation;
} operations[] = {
    {ROOM_PARSER, "read", work_read},
    {ROOM_KEYS, "open", open_any},
    {ROOM_KEYS, "verify", verify_any},
    {ROOM_KEYS, "sign", work_sign},
    {ROOM_KEYS, "encrypt", work_encrypt},
    {ROOM_KEYS, "keys-examine", work_keys_examine},
    {ROOM_KEYS, "keys-import", work_keys_import},
    {ROOM_KEYS, "keys-list", work_keys_list},
    {ROOM_KEYS, "key-export", work_key_export},
};

Operation work_find(CellRoom room, const char *name) {
    for (size_t i = 0; name && i < G_N_ELEMENTS(operations); i++)
        if (operations[i].room == room && strcmp(operations[i].name, name) == 0)
            return operations[i].operation;
    return NULL;
}

void work_prepare(const Means *means) {
    start_gmime();
    pgp_prepare(means);
    static const char sample[] =
        "From: a <a@b.c>\nSubject: =?utf-8?q?=C3=A9?=\nDate: Sat, 21 Nov 2026 20:00:00 +0100\n"
        "Content-Type: text/plain; charset=windows-1252\n\n\xE9\n";
    g_autoptr(GBytes) bytes = g_bytes_new_static(sample, strlen(sample));
    g_autoptr(VigieMailRead) read = mail_read(NULL, bytes, NULL); /* types, digests, character sets: loaded */
}
