/* vigie csr: a key and a certificate request whose names are the device's; vigie csr check FILE reads one back. */
#include "cli/cli.h"
#include "fleet/fleet.h"
#include "token/token.h"
#include "x509/x509.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <string.h>

typedef struct {
    char *config, *device, *key_type, *use_key, *key_out, *out, *organisation, *country, *password_file;
    char **names;
    gboolean json;
    VigieLang lang;
} Options;

static const char *const forms[] = {
    "(--device TEXT | --name NAME …) (--key-out FILE | --use-key FILE) --out FILE [--key TYPE] "
    "[--password-file FILE] [--organisation TEXT] [--country CC]",
    "check FILE [--json]", NULL};
static const char *const examples[] = {
    "vigie csr --name echo-04.chu.example --name 10.1.2.3 \\",
    "  --key-out echo-04.key --out echo-04.csr",
    "vigie csr --name echo-04.chu.example --out echo-04.csr --key-out \\",
    "  'pkcs11:token=Echo;object=echo?module-path=/usr/lib/softhsm/libsofthsm2.so'",
    "vigie csr check echo-04.csr",
    NULL};

/* ---- Names from the fleet ------------------------------------------------------------------------------- */

/* Case and accents aside; of an FQDN the first label is enough. */
static bool is_meant(const json_t *device, const char *folded) {
    static const char *const members[] = {"gmao", "fqdn", "name", "serial"};
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
        g_autofree char *value =
            vigie_text_fold(vigie_member(device, members[i]) ? vigie_member(device, members[i]) : "");
        bool label = strcmp(members[i], "fqdn") == 0 && g_str_has_prefix(value, folded) &&
                     value[strlen(folded)] == '.';
        if (label || strcmp(value, folded) == 0)
            return true;
    }
    return false;
}

/* The one device that is called so: by its GMAO number, FQDN or the first label of it, name or serial number. */
static json_t *find_device(const Options *options, GError **error) {
    g_autoptr(VigieConfig) config = vigie_config_load(options->config, error);
    g_autoptr(VigieStore) store = config ? store_open(vigie_config_text(config, "store.url"), error) : NULL;
    VigieFleetFilter filter = {.q = options->device, .page_size = 100};
    g_autoptr(json_t) list = store && store_migrate(store, error)
                                 ? fleet_device_list(store, &filter, vigie_time_now(), error)
                                 : NULL;
    if (!list)
        return NULL;
    g_autofree char *folded = vigie_text_fold(options->device);
    json_t *found = NULL;
    size_t i = 0, matches = 0;
    json_t *device = NULL;
    json_array_foreach(json_object_get(list, "items"), i, device) if (is_meant(device, folded)) {
        found = device;
        matches++;
    }
    if (matches == 1)
        return json_incref(found);
    g_set_error(error, VIGIE_ERROR, matches ? VIGIE_ERROR_CONFLICT : VIGIE_ERROR_NOT_FOUND,
                matches ? "%s: several devices are called so; give its GMAO number"
                        : "%s: no device of the fleet is called so; vigie fleet list shows them",
                options->device);
    return NULL;
}

/* What the device is reached by: its FQDN and its address. */
static bool add_device_names(const Options *options, GPtrArray *names, GError **error) {
    g_autoptr(json_t) device = find_device(options, error);
    if (!device)
        return false;
    static const char *const members[] = {"fqdn", "ip"};
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
        if (vigie_member(device, members[i]))
            g_ptr_array_add(names, g_strdup(vigie_member(device, members[i])));
    if (names->len == 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s has neither FQDN nor IP address in the fleet: add one, or give --name",
                    options->device);
    return names->len > 0;
}

/* ---- Making --------------------------------------------------------------------------------------------- */

static bool read_file(const char *path, const char *password, GPtrArray **ret_objects, GError **error) {
    g_autoptr(GMappedFile) file = cli_file_map(path, error);
    if (file)
        *ret_objects = x509_file_objects(
            vigie_bytes(g_mapped_file_get_contents(file), g_mapped_file_get_length(file)), password);
    return file != NULL;
}

static const VigieFileObject *object_of(const GPtrArray *objects, const char *kind) {
    for (guint i = 0; i < objects->len; i++)
        if (strcmp(((const VigieFileObject *)objects->pdata[i])->kind, kind) == 0)
            return objects->pdata[i];
    return NULL;
}

static bool write_objects(const GPtrArray *objects, VigieFileFormat format, bool private_key,
                          const char *path, GError **error) {
    size_t size = 0;
    uint8_t *file = x509_file_write(objects, format, private_key, NULL, &size, error);
    bool written = file && cli_write_new(path, file, size, private_key, error);
    if (file)
        OPENSSL_cleanse(file, size);
    g_free(file);
    return written;
}

static bool check_options(const Options *options, VigieRequest *request, GError **error) {
    const char *wrong = NULL;
    if (!options->out || !options->key_out == !options->use_key)
        wrong =
            "--out and --key-out (or --use-key) are wanted, as in --key-out echo-04.key --out echo-04.csr";
    else if (!options->device && !options->names)
        wrong = "--device, or --name at least once, is wanted, as in --name echo-04.chu.example";
    else if (options->key_type && !x509_new_key_parse(options->key_type, &request->key))
        wrong = "--key is p256, p384, rsa3072, rsa4096 or rsa2048 (for devices that know no other)";
    else if (options->country && strlen(options->country) != 2)
        wrong = "--country has two letters, as in --country FR";
    if (wrong)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, wrong);
    return !wrong;
}

/* The key to use instead of a new one: NULL where none was named. */
static bool existing_key(const Options *options, GPtrArray **ret_objects, const VigieFileObject **ret_key,
                         GError **error) {
    if (!options->use_key)
        return true;
    g_auto(CliSecret) password =
        options->password_file ? cli_secret_read(options->password_file, error) : NULL;
    if ((options->password_file && !password) || !read_file(options->use_key, password, ret_objects, error))
        return false;
    *ret_key = object_of(*ret_objects, "private-key");
    if (!*ret_key)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s: no private key that can be read; is it under a password (--password-file)?",
                    options->use_key);
    return *ret_key != NULL;
}

static GPtrArray *make_in_files(const Options *options, const VigieRequest *request, GError **error) {
    g_autoptr(GPtrArray) key_file = NULL;
    const VigieFileObject *key = NULL;
    if (!existing_key(options, &key_file, &key, error))
        return NULL;
    g_autoptr(GPtrArray) made = x509_request_new(request, key, error);
    /* The key first: a request whose key could not be kept would be good for nothing. */
    if (made && options->key_out && !write_objects(made, X509_TO_KEY, true, options->key_out, error))
        return NULL;
    return g_steal_pointer(&made);
}

static bool sign_in_token(void *key, VigieBytes octets, GByteArray *out, GError **error) {
    return token_key_sign(key, octets, out, error);
}

/* What may be wrong is found before a key is made in the token, which nobody would remove. */
static bool is_possible(const Options *options, const VigieRequest *request, GError **error) {
    VigieRequest trial = *request;
    trial.key = X509_KEY_P256;
    g_autoptr(GPtrArray) tried = x509_request_new(&trial, NULL, error);
    if (tried && g_file_test(options->out, G_FILE_TEST_EXISTS))
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                    "%s exists already, and is left as it is: choose another name", options->out);
    else
        return tried != NULL;
    return false;
}

static GPtrArray *make_in_token(const Options *options, const VigieRequest *request, const char *uri,
                                GError **error) {
    if (!is_possible(options, request, error))
        return NULL;
    g_auto(CliSecret) pin = cli_pin_get(uri, options->password_file, options->lang, error);
    if (!pin)
        return NULL;
    const VigieTokenAccess access = {.uri = uri, .pin = pin};
    g_autoptr(VigieTokenKey) key = options->key_out
                                       ? token_key_make(&access, x509_key_kind(request->key), error)
                                       : token_key_open(&access, error);
    if (!key)
        return NULL;
    const VigieForeignKey foreign = {.spki = token_key_spki(key),
                                     .algorithm = token_key_kind(key)->algorithm,
                                     .sign = sign_in_token,
                                     .key = key};
    return x509_request_for(request, &foreign, error);
}

static bool make(const Options *options, GError **error) {
    VigieRequest request = {.organisation = options->organisation, .country = options->country};
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    if (!check_options(options, &request, error) ||
        (options->device && !add_device_names(options, names, error)))
        return false;
    for (size_t i = 0; options->names && options->names[i]; i++)
        g_ptr_array_add(names, g_strdup(options->names[i]));
    g_ptr_array_add(names, NULL);
    request.names = (const char *const *)names->pdata;
    const char *kept = options->key_out ? options->key_out : options->use_key;
    bool token = token_uri_is(kept);
    g_autoptr(GPtrArray) made =
        token ? make_in_token(options, &request, kept, error) : make_in_files(options, &request, error);
    if (!made || !write_objects(made, X509_TO_PEM, false, options->out, error))
        return false;
    g_autofree char *all = g_strjoinv(", ", (char **)names->pdata);
    g_autofree char *shown = g_strndup(kept, token ? strcspn(kept, "?") : strlen(kept));
    g_autofree char *text = vigie_words(options->lang, token ? "csr.done.token" : "csr.done", "file",
                                        options->out, "names", all, "key", shown, NULL);
    puts(text);
    return true;
}

/* ---- Reading back --------------------------------------------------------------------------------------- */

static void print_check(const Options *options, const char *path, const json_t *answer) {
    const json_t *problems = json_object_get(answer, "problems");
    g_autoptr(GString) names = g_string_new(NULL);
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(json_object_get(answer, "names"), i, item)
        g_string_append_printf(names, "%s%s", i ? ", " : "", json_string_value(item));
    printf("%s\n  %s\n", path,
           vigie_word(options->lang, json_array_size(problems) ? "csr.check.wrong" : "csr.check.well"));
    g_autofree char *facts =
        vigie_words(options->lang, "csr.check.facts", "subject", vigie_member(answer, "subject"), "names",
                    names->len ? names->str : "–", NULL);
    printf("  %s\n", facts);
    json_array_foreach(problems, i, item) {
        g_autofree char *key = g_strconcat("csr.problem.", vigie_member(item, "id"), NULL);
        g_autofree char *text =
            vigie_text_fill(vigie_word(options->lang, key), json_object_get(item, "evidence"));
        printf("\n  %zu  %s\n", i + 1, text);
    }
}

static int check(const Options *options, const char *path) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) objects = NULL;
    if (!read_file(path, NULL, &objects, &error))
        return cli_fail("csr", error);
    const VigieFileObject *request = object_of(objects, "certificate-request");
    g_autoptr(json_t) answer =
        x509_request_check(request ? vigie_bytes(request->der, request->size) : (VigieBytes){0}, &error);
    if (error)
        g_prefix_error(&error, "%s: ", path);
    if (!answer)
        return cli_fail("csr", error);
    g_autofree char *text = options->json ? vigie_json_text(answer) : NULL;
    if (text)
        puts(text);
    else
        print_check(options, path, answer);
    return json_array_size(json_object_get(answer, "problems")) ? CLI_WRONG : CLI_WELL;
}

static int run(const Options *options, int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "check") == 0)
        return check(options, argv[2]);
    g_autoptr(GError) error = NULL;
    if (argc == 1 && make(options, &error))
        return CLI_WELL;
    if (!error)
        g_set_error(&error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: not understood; see vigie csr --help",
                    argv[1]);
    return cli_fail("csr", error);
}

int cli_csr(int argc, char **argv) {
    Options options = {0};
    const GOptionEntry entries[] = {
        {"device", 'd', 0, G_OPTION_ARG_STRING, &options.device, NULL, "TEXT"},
        {"name", 'n', 0, G_OPTION_ARG_STRING_ARRAY, &options.names, NULL, "NAME"},
        {"key", 0, 0, G_OPTION_ARG_STRING, &options.key_type, NULL, "TYPE"},
        {"key-out", 0, 0, G_OPTION_ARG_FILENAME, &options.key_out, NULL, "FILE|pkcs11:URI"},
        {"use-key", 0, 0, G_OPTION_ARG_FILENAME, &options.use_key, NULL, "FILE|pkcs11:URI"},
        {"password-file", 0, 0, G_OPTION_ARG_FILENAME, &options.password_file, NULL, "FILE|fd:N"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &options.out, NULL, "FILE"},
        {"organisation", 0, 0, G_OPTION_ARG_STRING, &options.organisation, NULL, "TEXT"},
        {"country", 0, 0, G_OPTION_ARG_STRING, &options.country, NULL, "CC"},
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &options.config, NULL, "FILE"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &options.json, NULL, NULL},
        {0},
    };
    int status = CLI_FAILED;
    if (cli_parse(&argc, &argv, entries, forms, examples, &options.lang, &status))
        status = run(&options, argc, argv);
    char *owned[] = {options.config,       options.device,  options.key_type,
                     options.use_key,      options.key_out, options.out,
                     options.organisation, options.country, options.password_file};
    for (size_t i = 0; i < G_N_ELEMENTS(owned); i++)
        g_free(owned[i]);
    g_strfreev(options.names);
    return status;
}
