/* vigie convert FILE… --to FORMAT --out FILE: the same objects in the format that a device wants. */
#include "cli/cli.h"
#include "token/token.h"
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
    g_autoptr(GMappedFile) file = cli_file_map(path, error);
    if (!file)
        return false;
    VigieBytes content = vigie_bytes(g_mapped_file_get_contents(file), g_mapped_file_get_length(file));
    if (content.size > X509_FILE_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT,
                    "%s: more than 16 MiB; no certificate file is so large. None of it was read: whether a "
                    "key is in it is not known",
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

static bool write_file(const GPtrArray *objects, const Options *options, VigieFileFormat format,
                       VigieLang lang, GError **error) {
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

/* The certificate beside its key, which was made in the token. */
static bool store_in_token(const GPtrArray *objects, const Options *options, VigieLang lang, GError **error) {
    g_auto(CliSecret) pin = cli_pin_get(options->out, options->out_password_file, lang, error);
    const VigieTokenAccess access = {.uri = options->out, .pin = pin, .write = true};
    g_autoptr(VigieTokenKey) key = pin ? token_key_open(&access, error) : NULL;
    return key && token_key_keep(key, objects, error);
}

static const char *wrong_options(const Options *options, bool token) {
    if (!options->to || !options->out)
        return "FILE, --to (pem der pkcs7 pkcs12 pkcs12-old key key-der key-traditional token) and --out are "
               "wanted, as in: vigie convert serveur.pfx --to pem --out serveur.pem";
    if (token != token_uri_is(options->out))
        return "--to token and --out pkcs11:… go together: the URI names the key beside which the "
               "certificate is "
               "stored";
    if (token && options->private_key)
        return "a private key is not brought into a token, but made there: vigie csr --key-out pkcs11:…";
    return NULL;
}

static bool convert(char **paths, const Options *options, VigieLang lang, GError **error) {
    VigieFileFormat format = X509_TO_PEM;
    bool token = options->to && strcmp(options->to, "token") == 0;
    if (options->to && !token && !x509_format_parse(options->to, &format)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "--to %s: no such format; pem, der, pkcs7, pkcs12, pkcs12-old, key, key-der, "
                    "key-traditional and token are known",
                    options->to);
        return false;
    }
    const char *wrong = wrong_options(options, token);
    if (wrong || !paths[0]) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            wrong ? wrong : "FILE is wanted: what is to be converted");
        return false;
    }
    g_autoptr(GPtrArray) objects = x509_file_objects((VigieBytes){0}, NULL);
    for (size_t i = 0; paths[i]; i++)
        if (!add_file(objects, paths[i], options, lang, error))
            return false;
    return token ? store_in_token(objects, options, lang, error)
                 : write_file(objects, options, format, lang, error);
}

static const char *const forms[] = {"FILE… --to FORMAT --out FILE [OPTIONS]", NULL};
static const char *const examples[] = {
    "vigie convert server.pfx --to pem --out server.pem",
    "vigie convert server.crt server.key --to pkcs12-old \\",
    "  --private-key --out server.p12",
    "vigie convert echo-04.pem --to token --out \\",
    "  'pkcs11:token=Echo;object=echo?module-path=/usr/lib/softhsm/libsofthsm2.so'",
    NULL};

int cli_convert(int argc, char **argv) {
    g_auto(Options) options = {0};
    const GOptionEntry entries[] = {
        {"to", 't', 0, G_OPTION_ARG_STRING, &options.to, NULL, "FORMAT"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &options.out, NULL, "FILE|pkcs11:URI"},
        {"private-key", 0, 0, G_OPTION_ARG_NONE, &options.private_key, NULL, NULL},
        {"password-file", 0, 0, G_OPTION_ARG_FILENAME, &options.password_file, NULL, "FILE|fd:N"},
        {"out-password-file", 0, 0, G_OPTION_ARG_FILENAME, &options.out_password_file, NULL, "FILE|fd:N"},
        {0},
    };
    VigieLang lang = VIGIE_FR;
    int status = CLI_FAILED;
    if (!cli_parse(&argc, &argv, entries, forms, examples, &lang, &status))
        return status;
    g_autoptr(GError) error = NULL;
    if (!convert(argv + 1, &options, lang, &error))
        return cli_fail("convert", error);
    const char *word = token_uri_is(options.out) ? "convert.done.token"
                       : options.private_key     ? "convert.done.private"
                                                 : "convert.done.public";
    g_autofree char *shown = g_strndup(options.out, strcspn(options.out, "?"));
    g_autofree char *done =
        vigie_words(lang, word, "file", token_uri_is(options.out) ? shown : options.out, NULL);
    puts(done);
    return CLI_WELL;
}
