/* vigie lint FILE…: certificates and revocation lists against the rules they should keep. */
#include "cli/cli.h"
#include "pki/pki.h"
#include "x509/x509.h"

#include <stdio.h>
#include <string.h>

static bool check_waived(char **waived, GError **error) {
    for (; waived && *waived; waived++) {
        if (x509_lint_known(*waived) || pki_profile_lint_known(*waived))
            continue;
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            "--waive %s: there is no such check; the last word of each line that vigie lint prints is one",
            *waived);
        return false;
    }
    return true;
}

static void print_one(VigieLang lang, const char *path, const char *how, const json_t *one) {
    const char *id = json_string_value(json_object_get(one, "id")),
               *detail = json_string_value(json_object_get(one, "detail"));
    g_autofree char *word = g_strconcat("lint.", id, NULL);
    const char *colon = cli_colon();
    printf("%s%s%s%s%s%s%s [%s, %s]\n", path, colon, how, colon, vigie_word(lang, word), *detail ? colon : "",
           detail, json_string_value(json_object_get(one, "clause")), id);
}

static void print(VigieLang lang, const json_t *file, const char *profile) {
    const char *path = json_string_value(json_object_get(file, "file"));
    const json_t *found = json_object_get(file, "findings");
    size_t index;
    json_t *one;
    if (json_array_size(found) == 0) {
        g_autofree char *line = vigie_words(lang, "lint.clean", "file", path, NULL);
        printf("%s\n", line);
    }
    json_array_foreach(found, index, one) {
        g_autofree char *severity =
            g_strconcat("lint.", json_string_value(json_object_get(one, "severity")), NULL);
        print_one(lang, path, vigie_word(lang, severity), one);
    }
    json_array_foreach(json_object_get(file, "waived"), index, one) {
        g_autofree char *how = vigie_words(lang, "lint.waived", "profile", profile, NULL);
        print_one(lang, path, how, one);
    }
}

typedef struct {
    char **waived;
    const char *profile, *policy;
    VigieProfiles *profiles; /* where a profile is named */
    json_t *all;             /* { "file", "kind", "subject", "findings", "waived" } */
} Run;

static bool add(Run *run, const char *name, const char *kind, const char *subject, json_t *found,
                json_t *waived) {
    if (found)
        json_array_append_new(run->all, json_pack("{s:s, s:s, s:s*, s:o, s:o*}", "file", name, "kind", kind,
                                                  "subject", subject, "findings", found, "waived", waived));
    return found != NULL;
}

/* An authority's certificate is of no profile. */
static bool lint_profile(Run *run, const char *name, const VigieFileObject *object, const char *subject,
                         GError **error) {
    const VigieProfileLint lint = {.profile = run->profile,
                                   .policy = run->policy,
                                   .waived = (const char *const *)run->waived,
                                   .request = strcmp(object->kind, "certificate-request") == 0};
    g_autoptr(json_t) answer =
        pki_profile_lint(run->profiles, &lint, vigie_bytes(object->der, object->size), error);
    return answer && add(run, name, object->kind, subject, json_incref(json_object_get(answer, "findings")),
                         json_incref(json_object_get(answer, "waived")));
}

static bool lint_object(Run *run, const char *name, const VigieFileObject *object, GError **error) {
    VigieBytes der = vigie_bytes(object->der, object->size);
    const char *const *waived = (const char *const *)run->waived;
    if (strcmp(object->kind, "crl") == 0)
        return add(run, name, object->kind, NULL, x509_lint_list(der, waived, error), NULL);
    if (strcmp(object->kind, "certificate-request") == 0)
        return lint_profile(run, name, object, NULL, error);
    g_autoptr(VigieCertificate) certificate = x509_certificate_new(der, error);
    if (!certificate)
        return false;
    if (run->profile && !certificate->is_ca)
        return lint_profile(run, name, object, certificate->subject, error);
    return add(run, name, object->kind, certificate->subject, x509_lint(der, waived, error), NULL);
}

static bool is_linted(const Run *run, const VigieFileObject *object) {
    return strcmp(object->kind, "certificate") == 0 || strcmp(object->kind, "crl") == 0 ||
           (run->profile && strcmp(object->kind, "certificate-request") == 0);
}

static bool lint_objects(Run *run, const char *path, VigieBytes content, GError **error) {
    g_autoptr(GPtrArray) objects = x509_file_objects(content, NULL);
    size_t count = 0, number = 0;
    for (guint i = 0; i < objects->len; i++)
        count += is_linted(run, objects->pdata[i]);
    for (guint i = 0; i < objects->len; i++) {
        if (!is_linted(run, objects->pdata[i]))
            continue;
        number++;
        g_autofree char *name = count > 1 ? g_strdup_printf("%s:%zu", path, number) : g_strdup(path);
        if (!lint_object(run, name, objects->pdata[i], error))
            return false;
    }
    if (count == 0)
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            run->profile
                ? "%s: neither certificate, request nor revocation list; vigie identify tells what it is"
                : "%s: neither certificate nor revocation list (a request is held against --profile); vigie "
                  "identify tells what it is",
            path);
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
    bool done =
        add(run, path, "crl", NULL, x509_lint_list(list, (const char *const *)run->waived, error), NULL);
    if (decoded)
        g_byte_array_unref(decoded);
    return done;
}

static bool lint_file(Run *run, const char *path, GError **error) {
    g_autoptr(GMappedFile) file = cli_file_map(path, error);
    if (!file)
        return false;
    VigieBytes content = vigie_bytes(g_mapped_file_get_contents(file), g_mapped_file_get_length(file));
    return (content.size > X509_FILE_MAX ? lint_large : lint_objects)(run, path, content, error);
}

static bool lint_all(Run *run, char **paths, GError **error) {
    if (!paths[0])
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "FILE is wanted, as in: vigie lint automate.pem");
    else if (run->policy && !run->profile)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "--policy goes with --profile, as in --profile device --policy 1.2.250.1.999.1");
    else if (check_waived(run->waived, error) &&
             (!run->profile || (run->profiles = pki_profiles_load(error)))) {
        while (*paths && lint_file(run, *paths, error))
            paths++;
        return *paths == NULL;
    }
    return false;
}

static const char *const forms[] = {"[OPTIONS] FILE…", NULL};
static const char *const examples[] = {"vigie lint automate.pem --waive cabf.lifetime",
                                       "vigie lint --profile device automate.csr automate.pem",
                                       "vigie lint /var/www/pki/*.crl --waive cabf.crl-hold", NULL};

int cli_lint(int argc, char **argv) {
    g_auto(GStrv) waived = NULL;
    g_autofree char *profile = NULL, *policy = NULL;
    gboolean json = FALSE;
    VigieLang lang = VIGIE_FR;
    int status = CLI_FAILED;
    const GOptionEntry entries[] = {
        {"profile", 'p', 0, G_OPTION_ARG_STRING, &profile, NULL, "NAME"},
        {"policy", 0, 0, G_OPTION_ARG_STRING, &policy, NULL, "OID"},
        {"waive", 0, 0, G_OPTION_ARG_STRING_ARRAY, &waived, NULL, "ID"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, NULL, NULL},
        {0},
    };
    if (!cli_parse(&argc, &argv, entries, forms, examples, &lang, &status))
        return status;
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) all = json_array();
    Run run = {.waived = waived, .profile = profile, .policy = policy, .all = all};
    bool done = lint_all(&run, argv + 1, &error);
    pki_profiles_free(run.profiles);
    if (!done)
        return cli_fail("lint", error);
    size_t index;
    json_t *one;
    status = CLI_WELL;
    json_array_foreach(all, index, one) {
        if (!json)
            print(lang, one, profile);
        if (json_array_size(json_object_get(one, "findings")) > 0)
            status = CLI_WRONG;
    }
    if (json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "files", all);
        g_autofree char *text = vigie_json_text(object);
        printf("%s\n", text);
    }
    return status;
}
