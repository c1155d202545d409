/* For the tests in Python: what a cell does, by hand.
 *     cell-tool CONFIG read FILE …      one line of JSON each, as mail/read.h says, "bytes" of each attachment in hex
 *     cell-tool - read FILE …           in this very process */
#include "mail/mail.h"

#include <stdio.h>
#include <string.h>

static GBytes *load(const char *path, GError **error) {
    char *text = NULL;
    gsize size = 0;
    return g_file_get_contents(path, &text, &size, error) ? g_bytes_new_take(text, size) : NULL;
}

static bool read_one(VigieMailCell *cell, const char *path, GError **error) {
    g_autoptr(GBytes) raw = load(path, error);
    g_autoptr(VigieMailRead) read = raw ? mail_read(cell, raw, error) : NULL;
    if (!read)
        return false;
    size_t i = 0;
    json_t *attachment = NULL;
    json_array_foreach(json_object_get(read->about, "attachments"), i, attachment) {
        g_autoptr(GBytes) bytes = mail_read_attachment(read, attachment);
        g_autofree char *hex =
            vigie_hex_text(vigie_bytes(g_bytes_get_data(bytes, NULL), MIN(g_bytes_get_size(bytes), 4096)));
        json_object_set_new(attachment, "bytes", json_string(hex));
    }
    g_autofree char *text = vigie_json_text(read->about);
    printf("%s\n", text);
    return true;
}

static bool read_all(VigieMailCell *cell, char **paths, GError **error) {
    for (; *paths; paths++)
        if (!read_one(cell, *paths, error))
            return false;
    return true;
}

static const struct {
    const char *name;
    bool (*act)(VigieMailCell *cell, char **arguments, GError **error);
} commands[] = {
    {"read", read_all},
};

int main(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    bool alone = argc > 1 && strcmp(argv[1], "-") == 0;
    g_autoptr(VigieConfig) config = argc > 2 ? vigie_config_load(alone ? NULL : argv[1], &error) : NULL;
    g_autoptr(VigieMailCell) cell = config && !alone ? mail_cell_start(config, &error) : NULL;
    for (size_t i = 0; config && !error && i < G_N_ELEMENTS(commands); i++)
        if (strcmp(commands[i].name, argv[2]) == 0 && commands[i].act(cell, argv + 3, &error))
            return 0;
    fprintf(stderr, "%s\n", error ? error->message : "cell-tool CONFIG COMMAND …");
    return 1;
}
