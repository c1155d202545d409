/* A message from a stranger: always described, within its bounds, attachments within the content. */
#include "mail/mail.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autoptr(GBytes) raw = g_bytes_new_static(data, size);
    g_autoptr(VigieMailRead) read = mail_read(NULL, raw, NULL);
    if (!read || json_object_size(read->about) != 24)
        abort();
    const char *text = json_string_value(json_object_get(read->about, "text"));
    if (!text || strlen(text) > MAIL_READ_TEXT)
        abort();
    const json_t *attachments = json_object_get(read->about, "attachments");
    size_t i = 0;
    json_t *attachment = NULL;
    json_array_foreach(attachments, i, attachment) {
        g_autoptr(GBytes) bytes = mail_read_attachment(read, attachment);
        const char *name = json_string_value(json_object_get(attachment, "name"));
        if (!bytes || !*name || strpbrk(name, "/\\") || name[0] == '.')
            abort();
    }
    return json_array_size(attachments) > MAIL_READ_PARTS;
}
