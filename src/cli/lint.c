/* vigie lint FILE…: certificates against the rules they should keep. */
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

static bool lint_file(const char *path, char **waived, json_t *all, GError **error) {
    g_autofree char *text = NULL;
    gsize size = 0;
    g_autoptr(GError) why = NULL;
    if (!g_file_get_contents(path, &text, &size, &why)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s", why->message);
        return false;
    }
    g_autoptr(GPtrArray) certificates = x509_certificates_read(vigie_bytes(text, size), error);
    for (guint i = 0; certificates && i < certificates->len; i++) {
        const VigieCertificate *certificate = certificates->pdata[i];
        json_t *found = x509_lint(certificate->der, (const char *const *)waived, error);
        if (!found)
            return false;
        g_autofree char *name =
            certificates->len > 1 ? g_strdup_printf("%s:%u", path, i + 1) : g_strdup(path);
        json_array_append_new(all, json_pack("{s:s, s:s, s:o}", "file", name, "subject", certificate->subject,
                                             "findings", found));
    }
    return certificates != NULL;
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
    if (argc < 2)
        g_set_error_literal(&error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "FILE is wanted, as in: vigie lint automate.pem");
    if (error || !check_waived(waived, &error))
        return cli_fail("lint", error);
    for (int i = 1; i < argc; i++)
        if (!lint_file(argv[i], waived, all, &error))
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
