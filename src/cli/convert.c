/* vigie convert FILE… --to FORMAT --out FILE: the same objects in the format that a device wants. */
#include "cli/cli.h"
#include "x509/x509.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <string.h>

typedef struct {
    char *to, *out, *password_file, *out_password_file;
    gboolean private_key;
} Options;

static void options_clear(Options *options) {
    g_free(options->to);
    g_free(options->out);
    g_free(options->password_file);
    g_free(options->out_password_file);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* True where a private key of the file stays closed. */
static bool sealed(VigieBytes content, const char *password) {
    g_autoptr(json_t) answer = x509_identify(content, password);
    size_t i = 0;
    const json_t *object = NULL;
    json_array_foreach(json_object_get(answer, "objects"), i,
                       object) if (json_is_false(json_object_get(object, "opened"))) return true;
    return false;
}

/* Adds the objects of a file, asking for its password where it is sealed and none was given. */
static bool add_file(GPtrArray *objects, const char *path, const Options *options, VigieLang lang,
                     GError **error) {
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, error);
    if (!file)
        return false;
    VigieBytes content = vigie_bytes(g_mapped_file_get_contents(file), g_mapped_file_get_length(file));
    if (content.size > X509_FILE_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "%s: more than 16 MiB; no certificate file is",
                    path);
        return false;
    }
    g_auto(CliSecret) password = NULL;
    if (options->password_file && !(password = cli_secret_read(options->password_file, error)))
        return false;
    if (!password && sealed(content, NULL)) {
        g_autofree char *question = vigie_words(lang, "convert.ask.open", "file", path, NULL);
        if (!(password = cli_secret_ask(question, NULL, error)))
            return false;
    }
    bool open = !password || !sealed(content, password);
    if (!open)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s: this password does not open it", path);
    g_autoptr(GPtrArray) found = x509_file_objects(content, password);
    g_ptr_array_extend_and_steal(objects, g_steal_pointer(&found));
    return open;
}

/* The password that seals the output: from a file, or asked where the format cannot do without. */
static bool out_password(const Options *options, VigieFileFormat format, VigieLang lang,
                         CliSecret *ret_password, GError **error) {
    if (options->out_password_file)
        *ret_password = cli_secret_read(options->out_password_file, error);
    else if (format == X509_TO_PKCS12 || format == X509_TO_PKCS12_OLD)
        *ret_password =
            cli_secret_ask(vigie_word(lang, "convert.ask.seal"), vigie_word(lang, "user.again"), error);
    else
        return true;
    return *ret_password != NULL;
}

static bool convert(char **paths, const Options *options, VigieLang lang, GError **error) {
    VigieFileFormat format = X509_TO_PEM;
    if (!options->to || !options->out || !paths[0] || !x509_format_parse(options->to, &format)) {
        g_set_error_literal(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            "FILE, --to (pem der pkcs7 pkcs12 pkcs12-old key key-der key-traditional) and --out are wanted, "
            "as in: vigie convert serveur.pfx --to pem --out serveur.pem");
        return false;
    }
    g_autoptr(GPtrArray) objects = NULL;
    for (size_t i = 0; paths[i]; i++) {
        if (!objects)
            objects = x509_file_objects((VigieBytes){0}, NULL);
        if (!add_file(objects, paths[i], options, lang, error))
            return false;
    }
    g_auto(CliSecret) password = NULL;
    if (!out_password(options, format, lang, &password, error))
        return false;
    size_t size = 0;
    uint8_t *file = x509_file_write(objects, format, options->private_key, password, &size, error);
    bool done = file && cli_write_new(options->out, file, size, options->private_key, error);
    if (file)
        OPENSSL_cleanse(file, size);
    g_free(file);
    return done;
}

int cli_convert(int argc, char **argv) {
    g_auto(Options) options = {0};
    const GOptionEntry entries[] = {
        {"to", 't', 0, G_OPTION_ARG_STRING, &options.to,
         "pem, der, pkcs7, pkcs12, pkcs12-old, key, key-der or key-traditional", "FORMAT"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &options.out, "a file that does not exist yet", "FILE"},
        {"private-key", 0, 0, G_OPTION_ARG_NONE, &options.private_key,
         "write the private key too (mode 0600)", NULL},
        {"password-file", 0, 0, G_OPTION_ARG_FILENAME, &options.password_file, "opens what is given",
         "FILE|fd:N"},
        {"out-password-file", 0, 0, G_OPTION_ARG_FILENAME, &options.out_password_file,
         "seals what is written", "FILE|fd:N"},
        {0},
    };
    VigieLang lang = VIGIE_FR;
    int status = CLI_FAILED;
    if (!cli_parse(&argc, &argv, entries, "FILE…",
                   "Examples:\n  vigie convert serveur.pfx --to pem --out serveur.pem\n"
                   "  vigie convert serveur.crt serveur.key --to pkcs12-old --private-key --out serveur.p12",
                   &lang, &status))
        return status;
    g_autoptr(GError) error = NULL;
    if (!convert(argv + 1, &options, lang, &error))
        return cli_fail("convert", error);
    g_autofree char *done =
        vigie_words(lang, options.private_key ? "convert.done.private" : "convert.done.public", "file",
                    options.out, NULL);
    puts(done);
    return CLI_WELL;
}
