/* vigie lint FILE…: certificates and revocation lists against the rules they should keep. */
#include "cli/cli.h"
#include "x509/x509.h"

#include <stdio.h>
#include <string.h>

static bool check_waived(char **waived, GError **error) {
    for (; waived && *waived; waived++) {
        if (x509_lint_known(*waived))
            continue;
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            "--waive %s: there is no such check; the last word of each line that vigie lint prints is one",
            *waived);
        return false;
    }
    return true;
}

static void print(VigieLang lang, const char *path, const json_t *found) {
    size_t index;
    json_t *one;
    if (json_array_size(found) == 0) {
        g_autofree char *line = vigie_words(lang, "lint.clean", "file", path, NULL);
        printf("%s\n", line);
    }
    json_array_foreach(found, index, one) {
        const char *id = json_string_value(json_object_get(one, "id")),
                   *detail = json_string_value(json_object_get(one, "detail"));
        g_autofree char *word = g_strconcat("lint.", id, NULL);
        g_autofree char *severity =
            g_strconcat("lint.", json_string_value(json_object_get(one, "severity")), NULL);
        printf("%s: %s: %s%s%s [%s, %s]\n", path, vigie_word(lang, severity), vigie_word(lang, word),
               *detail ? ": " : "", detail, json_string_value(json_object_get(one, "clause")), id);
    }
}

typedef struct {
    char **waived;
    json_t *all; /* { "file", "kind", "subject", "findings" } */
} Run;

static bool add(Run *run, const char *name, const char *kind, const char *subject, json_t *found) {
    if (found)
        json_array_append_new(run->all, json_pack("{s:s, s:s, s:s*, s:o}", "file", name, "kind", kind,
                                                  "subject", subject, "findings", found));
    return found != NULL;
}

static bool lint_object(Run *run, const char *name, const VigieFileObject *object, GError **error) {
    VigieBytes der = vigie_bytes(object->der, object->size);
    const char *const *waived = (const char *const *)run->waived;
    if (strcmp(object->kind, "crl") == 0)
        return add(run, name, object->kind, NULL, x509_lint_list(der, waived, error));
    g_autoptr(VigieCertificate) certificate = x509_certificate_new(der, error);
    return certificate && add(run, name, object->kind, certificate->subject, x509_lint(der, waived, error));
}

static bool is_linted(const VigieFileObject *object) {
    return strcmp(object->kind, "certificate") == 0 || strcmp(object->kind, "crl") == 0;
}

static bool lint_objects(Run *run, const char *path, VigieBytes content, GError **error) {
    g_autoptr(GPtrArray) objects = x509_file_objects(content, NULL);
    size_t count = 0, number = 0;
    for (guint i = 0; i < objects->len; i++)
        count += is_linted(objects->pdata[i]);
    for (guint i = 0; i < objects->len; i++) {
        if (!is_linted(objects->pdata[i]))
            continue;
        number++;
        g_autofree char *name = count > 1 ? g_strdup_printf("%s:%zu", path, number) : g_strdup(path);
        if (!lint_object(run, name, objects->pdata[i], error))
            return false;
    }
    if (count == 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s: neither a certificate nor a revocation list; vigie identify tells what it is", path);
    return count > 0;
}

/* A list of a million entries is looked at where the file lies. */
static bool lint_large(Run *run, const char *path, VigieBytes content, GError **error) {
    GByteArray *decoded = NULL;
    VigieBytes list;
    if (!x509_list_find(content, &decoded, &list)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "%s: more than 16 MiB, and no revocation list",
                    path);
        return false;
    }
    bool done = add(run, path, "crl", NULL, x509_lint_list(list, (const char *const *)run->waived, error));
    if (decoded)
        g_byte_array_unref(decoded);
    return done;
}

static bool lint_file(Run *run, const char *path, GError **error) {
    g_autoptr(GError) why = NULL;
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, &why);
    if (!file) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s", why->message);
        return false;
    }
    VigieBytes content = vigie_bytes(g_mapped_file_get_contents(file), g_mapped_file_get_length(file));
    return (content.size > X509_FILE_MAX ? lint_large : lint_objects)(run, path, content, error);
}

int cli_lint(int argc, char **argv) {
    g_auto(GStrv) waived = NULL;
    gboolean json = FALSE;
    VigieLang lang = VIGIE_FR;
    int status = CLI_FAILED;
    const GOptionEntry entries[] = {
        {"waive", 0, 0, G_OPTION_ARG_STRING_ARRAY, &waived, "pass over this check; may be repeated", "ID"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "one JSON object", NULL},
        {0},
    };
    if (!cli_parse(&argc, &argv, entries, "FILE…",
                   "Example:\n  vigie lint automate.pem --waive cabf.lifetime", &lang, &status))
        return status;
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) all = json_array();
    Run run = {.waived = waived, .all = all};
    if (argc < 2)
        g_set_error_literal(&error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "FILE is wanted, as in: vigie lint automate.pem");
    if (error || !check_waived(waived, &error))
        return cli_fail("lint", error);
    for (int i = 1; i < argc; i++)
        if (!lint_file(&run, argv[i], &error))
            return cli_fail("lint", error);
    size_t index;
    json_t *one;
    status = CLI_WELL;
    json_array_foreach(all, index, one) {
        const json_t *found = json_object_get(one, "findings");
        if (!json)
            print(lang, json_string_value(json_object_get(one, "file")), found);
        if (json_array_size(found) > 0)
            status = CLI_WRONG;
    }
    if (json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "files", all);
        g_autofree char *text = vigie_json_text(object);
        printf("%s\n", text);
    }
    return status;
}
