/* For the tests in Python: what a cell does, by hand.
 *     cell-tool CONFIG read FILE …      one line of JSON each, as mail/read.h says, "bytes" of each attachment in hex
 *     cell-tool - read FILE …           in this very process
 *     cell-tool CONFIG examine|import FILE
 *     cell-tool CONFIG list [FINGERPRINT …]
 *     cell-tool CONFIG export FINGERPRINT
 *     cell-tool CONFIG sign FILE FINGERPRINT
 *     cell-tool CONFIG verify FILE [SIGNATURE]
 *     cell-tool CONFIG encrypt FILE SIGNER|- FINGERPRINT …
 *     cell-tool CONFIG build FROM SUBJECT TEXT FILE|- SIGNER|- [FINGERPRINT …]
 *     cell-tool CONFIG container OUTPUT FILE …      prints the password */
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

enum { SOON = 30 * 86400 };

static bool print_list(json_t *list) {
    g_autofree char *text = list ? vigie_json_text(list) : NULL;
    if (text)
        printf("%s\n", text);
    json_decref(list);
    return text != NULL;
}

static bool print_bytes(GBytes *bytes) {
    gsize size = 0;
    const void *data = bytes ? g_bytes_get_data(bytes, &size) : NULL;
    fwrite(data ? data : "", 1, size, stdout);
    g_clear_pointer(&bytes, g_bytes_unref);
    return data != NULL;
}

static bool examine(VigieMailCell *cell, char **arguments, GError **error) {
    g_autoptr(GBytes) bytes = load(arguments[0], error);
    return bytes && print_list(mail_keys_examine(cell, bytes, SOON, vigie_time_now(), error));
}

static bool import(VigieMailCell *cell, char **arguments, GError **error) {
    g_autoptr(GBytes) bytes = load(arguments[0], error);
    return bytes && print_list(mail_keys_import(cell, bytes, SOON, vigie_time_now(), error));
}

static bool list(VigieMailCell *cell, char **arguments, GError **error) {
    const char *const *which = *arguments ? (const char *const *)arguments : NULL;
    return print_list(mail_keys_list(cell, which, SOON, vigie_time_now(), error));
}

static bool export(VigieMailCell *cell, char **arguments, GError **error) {
    return print_bytes(mail_key_export(cell, arguments[0], error));
}

static bool sign(VigieMailCell *cell, char **arguments, GError **error) {
    g_autoptr(GBytes) bytes = load(arguments[0], error);
    return bytes && print_bytes(mail_sign(cell, bytes, arguments[1], error));
}

static bool verify(VigieMailCell *cell, char **arguments, GError **error) {
    g_autoptr(GBytes) bytes = load(arguments[0], error);
    g_autoptr(GBytes) signature = bytes && arguments[1] ? load(arguments[1], error) : NULL;
    GBytes *content = NULL;
    if (!bytes || (arguments[1] && !signature) ||
        !print_list(mail_verify(cell, bytes, signature, &content, error)))
        return false;
    return !content || print_bytes(content);
}

static const char *unless_dash(const char *text) {
    return strcmp(text, "-") == 0 ? NULL : text;
}

static bool encrypt(VigieMailCell *cell, char **arguments, GError **error) {
    g_autoptr(GBytes) bytes = load(arguments[0], error);
    return bytes && print_bytes(mail_encrypt(cell, bytes, unless_dash(arguments[1]),
                                             (const char *const *)arguments + 2, error));
}

static bool build(VigieMailCell *cell, char **arguments, GError **error) {
    VigieMailFile file = {.name = "pièce jointe.bin"};
    if (unless_dash(arguments[3]) && !(file.content = load(arguments[3], error)))
        return false;
    const char *const references[] = {"one@chu.test", "two@chu.test", NULL};
    VigieMail mail = {.from = arguments[0],
                      .to = "Destinataire <dest@hop.test>",
                      .subject = arguments[1],
                      .text = arguments[2],
                      .lang = "fr",
                      .auto_submitted = "no",
                      .in_reply_to = "two@chu.test",
                      .references = references,
                      .files = &file,
                      .file_count = file.content != NULL,
                      .cell = cell,
                      .sign_with = unless_dash(arguments[4]),
                      .encrypt_to = (const char *const *)arguments + 5};
    g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
    bool built = print_bytes(mail_build(&mail, "id-1@chu.test", 1795287600, zone, error));
    g_clear_pointer(&file.content, g_bytes_unref);
    return built;
}

static bool container(VigieMailCell *cell, char **arguments, GError **error) {
    (void)cell;
    VigieMailFile files[8];
    size_t count = 0;
    for (; arguments[count + 1] && count < G_N_ELEMENTS(files); count++) {
        files[count] = (VigieMailFile){.name = strrchr(arguments[count + 1], '/') + 1};
        files[count].content = load(arguments[count + 1], NULL);
    }
    char *password = mail_container_password(error);
    g_autoptr(GBytes) made = mail_container_make(files, count, password, vigie_time_now(), error);
    bool well = made && g_file_set_contents(arguments[0], g_bytes_get_data(made, NULL),
                                            (gssize)g_bytes_get_size(made), error);
    if (well)
        printf("%s\n", password);
    mail_secret_free(password);
    for (size_t i = 0; i < count; i++)
        g_bytes_unref(files[i].content);
    return well;
}

static const struct {
    const char *name;
    bool (*act)(VigieMailCell *cell, char **arguments, GError **error);
} commands[] = {
    {"read", read_all}, {"examine", examine},     {"import", import}, {"list", list},
    {"export", export}, {"sign", sign},           {"verify", verify}, {"encrypt", encrypt},
    {"build", build},   {"container", container},
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
