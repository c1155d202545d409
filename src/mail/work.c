/* Which operations there are, and what all of them need before a child is forked. */
#include "mail/work.h"
#include "mail/read-parts.h"

#include <openssl/evp.h>
#include <string.h>

static const struct {
    CellRoom room;
    const char *name;
    Operation operation;
} operations[] = {
    {ROOM_PARSER, "read", work_read},
};

Operation work_find(CellRoom room, const char *name) {
    for (size_t i = 0; name && i < G_N_ELEMENTS(operations); i++)
        if (operations[i].room == room && strcmp(operations[i].name, name) == 0)
            return operations[i].operation;
    return NULL;
}

void work_prepare(const Means *means) {
    (void)means;
    start_gmime();
    static const char sample[] =
        "From: a <a@b.c>\nSubject: =?utf-8?q?=C3=A9?=\nDate: Sat, 21 Nov 2026 20:00:00 +0100\n"
        "Content-Type: text/plain; charset=windows-1252\n\n\xE9\n";
    g_autoptr(GBytes) bytes = g_bytes_new_static(sample, strlen(sample));
    g_autoptr(VigieMailRead) read = mail_read(NULL, bytes, NULL); /* types, digests, character sets: loaded */
}
