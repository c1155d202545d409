/* vigie verify FILE…: would a relying party accept this certificate, and if not, what speaks against it. */
#include "cli/cli.h"
#include "net/net.h"
#include "x509/x509.h"

#include <stdio.h>
#include <string.h>

enum { TIMEOUT_SECONDS = 10, TOTAL_SECONDS = 60 };

typedef struct {
    char **roots, **crls, **ocsp, **policies;
    char *purpose, *name, *at;
    int timeout;
    gboolean no_system, online, loopback, soft_fail, explicit_policy, inhibit_any, inhibit_mapping, json;
    VigieLang lang;
} Options;

static const char *const forms[] = {"[OPTIONS] FILE…", NULL};
static const char *const examples[] = {"vigie verify server.pem --ca root.pem --name pacs.chu.example",
                                       "vigie verify card.crt --ca root.pem --purpose client \\",
                                       "  --crl root.crl --crl between.crl",
                                       "vigie verify server.pem --online", NULL};

/* A list of a million entries is larger than any other file. */
static bool add_large_list(GPtrArray *found, VigieBytes content) {
    GByteArray *decoded = NULL;
    VigieBytes list;
    if (content.size > X509_LIST_MAX || !x509_list_find(content, &decoded, &list))
        return false;
    VigieFileObject *object = g_new(VigieFileObject, 1);
    *object = (VigieFileObject){.kind = "crl", .der = g_memdup2(list.data, list.size), .size = list.size};
    g_ptr_array_add(found, object);
    if (decoded)
        g_byte_array_unref(decoded);
    return true;
}

static bool add_objects(GPtrArray **objects, char **paths, GError **error) {
    for (size_t i = 0; paths && paths[i]; i++) {
        g_autoptr(GMappedFile) file = cli_file_map(paths[i], error);
        if (!file)
            return false;
        VigieBytes content = vigie_bytes(g_mapped_file_get_contents(file), g_mapped_file_get_length(file));
        bool large = content.size > X509_FILE_MAX;
        g_autoptr(GPtrArray) found = x509_file_objects(large ? vigie_bytes(NULL, 0) : content, NULL);
        if (large && !add_large_list(found, content)) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "%s: more than 16 MiB, and no revocation list",
                        paths[i]);
            return false;
        }
        for (guint o = found->len; o-- > 0;)
            if (strcmp(((const VigieFileObject *)found->pdata[o])->kind, "private-key") == 0)
                g_ptr_array_remove_index(found, o); /* wiped: a verifier has no use for it */
        if (*objects)
            g_ptr_array_extend_and_steal(*objects, g_steal_pointer(&found));
        else
            *objects = g_steal_pointer(&found);
    }
    return true;
}

static bool add_responses(GPtrArray *responses, char **paths, GError **error) {
    for (size_t i = 0; paths && paths[i]; i++) {
        g_autoptr(GMappedFile) file = cli_file_map(paths[i], error);
        if (!file)
            return false;
        g_ptr_array_add(responses, g_mapped_file_get_bytes(file));
    }
    return true;
}

static void free_bytes(void *bytes) {
    g_bytes_unref(bytes);
}

static bool load_roots(const Options *options, VigieRoots *roots, GError **error) {
    if (!options->no_system && !x509_roots_add_system(roots, error))
        return false;
    for (size_t i = 0; options->roots && options->roots[i]; i++)
        if (!x509_roots_add_file(roots, options->roots[i], NULL, NULL, error))
            return false;
    return true;
}

/* What is fetched bears its issuer's signature: whose server it comes from proves nothing. */
static bool fetch(void *data, const char *url, VigieBytes post, long timeout_ms, size_t size_max,
                  GPtrArray **ret_values, GError **error) {
    const Options *options = data;
    const VigieHttp http = {.timeout_ms = timeout_ms,
                            .reach = options->loopback ? VIGIE_REACH_ALL : VIGIE_REACH_SITE,
                            .reach_hint = ", which --loopback allows",
                            .unproven = true};
    if (g_ascii_strncasecmp(url, "ldap", strlen("ldap")) == 0 && !post.size)
        return net_ldap_ask(&http, url, size_max, ret_values, error);
    const VigiePost question = {.body = post, .type = "application/ocsp-request"};
    g_auto(VigieFetched) answer = {0};
    if (!net_http_ask(&http, url, post.size ? &question : NULL, size_max, &answer, error))
        return false;
    if (answer.status != 200) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "%s: the server answers %ld", url,
                    answer.status);
        return false;
    }
    *ret_values = g_ptr_array_new_with_free_func(free_bytes);
    g_ptr_array_add(*ret_values, g_byte_array_free_to_bytes(g_steal_pointer(&answer.body)));
    return true;
}

static void print_list(const char *title, const json_t *items, size_t *number) {
    size_t i = 0;
    const json_t *item = NULL;
    if (json_array_size(items) && title)
        printf("\n  %s\n", title);
    json_array_foreach(items, i, item) {
        g_autofree char *words = cli_said(json_string_value(json_object_get(item, "clause")));
        printf("\n  %zu  %s\n     %s\n", ++*number, words,
               json_string_value(json_object_get(item, "subject")));
    }
}

/* Which addresses were asked, and what came of it: the network's failures are no word about the certificate. */
static void print_fetches(const Options *options, const json_t *fetches) {
    size_t i = 0;
    const json_t *item = NULL;
    if (json_array_size(fetches))
        printf("\n  %s\n", vigie_word(options->lang, "verify.fetches"));
    json_array_foreach(fetches, i, item) {
        const char *detail = json_string_value(json_object_get(item, "detail"));
        g_autofree char *kind =
            g_strconcat("verify.fetch.", json_string_value(json_object_get(item, "kind")), NULL);
        const char *url = json_string_value(json_object_get(item, "url"));
        g_autofree char *words = detail ? cli_said(detail) : NULL;
        bool named = detail && g_str_has_prefix(detail, url); /* the network's words name the address */
        printf("     %s %s  %s\n", detail ? "!" : "✓", vigie_word(options->lang, kind), named ? words : url);
        if (words && !named)
            printf("       %s\n", words);
    }
}

static bool ends_on_a_day_before(const json_t *one, const json_t *other) {
    return strncmp(vigie_member(one, "not_after"), vigie_member(other, "not_after"), strlen("2026-11-22")) <
           0;
}

/* Below the certificate, when it ends, and its names where one was asked for; of the others, whichever ends on a day before it. */
static void print_limits(const Options *options, const json_t *answer, size_t i, const json_t *item) {
    const json_t *names = json_object_get(item, "names");
    VigieTime at = 0, until = 0;
    if ((i > 0 && !ends_on_a_day_before(item, json_array_get(json_object_get(answer, "path"), 0))) ||
        !vigie_time_parse_rfc3339(vigie_member(answer, "at"), &at, NULL) ||
        !vigie_time_parse_rfc3339(vigie_member(item, "not_after"), &until, NULL))
        return;
    g_autoptr(GTimeZone) zone = g_time_zone_new_local();
    g_autofree char *when = vigie_when_text(options->lang, zone, until, at);
    g_autofree char *text =
        vigie_words(options->lang, until < at ? "identify.validity.ended" : "identify.validity.until", "when",
                    when, NULL);
    int indent = (int)(2 * MIN(i, 10));
    printf("     %*s%s\n", indent, "", text);
    if (i > 0 || !options->name)
        return;
    printf("     %s%s", vigie_word(options->lang, "verify.names"), cli_colon());
    for (size_t n = 0; n < json_array_size(names); n++)
        printf("%s%s", n ? ", " : "", json_string_value(json_array_get(names, n)));
    puts(json_array_size(names) ? "" : "–");
}

static void print_path(const Options *options, const json_t *answer) {
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(json_object_get(answer, "path"), i, item) {
        const char *status =
            json_string_value(json_object_get(json_object_get(item, "revocation"), "status"));
        g_autofree char *word = g_strconcat("verify.status.", status ? status : "", NULL);
        printf("  %*s%s", (int)(2 * MIN(i, 10)), "", json_string_value(json_object_get(item, "subject")));
        if (status)
            printf("  (%s)", vigie_word(options->lang, word));
        putchar('\n');
        print_limits(options, answer, i, item);
    }
}

static void print_answer(const Options *options, const json_t *answer) {
    const char *verdict = json_string_value(json_object_get(answer, "verdict"));
    g_autofree char *key = g_strconcat("verify.", verdict, NULL);
    puts(vigie_word(options->lang, key));
    print_path(options, answer);
    size_t number = 0;
    print_list(NULL, json_object_get(answer, "refusals"), &number);
    print_list(vigie_word(options->lang, "verify.remarks"), json_object_get(answer, "remarks"), &number);
    if (json_is_true(json_object_get(answer, "cut")))
        printf("\n  %s\n", vigie_word(options->lang, "verify.cut"));
    const char *status = json_string_value(json_object_get(json_object_get(answer, "revocation"), "status"));
    g_autofree char *state = g_strconcat("verify.revocation.", status ? status : "none", NULL);
    printf("\n  %s\n", vigie_word(options->lang, state));
    print_fetches(options, json_object_get(answer, "fetches"));
}

static int verify(const Options *options, char **paths, GError **error) {
    g_autoptr(VigieRoots) roots = x509_roots_new();
    g_autoptr(GPtrArray) objects = NULL;
    const VigieFetcher fetcher = {.fetch = fetch,
                                  .data = (void *)(uintptr_t)options,
                                  .timeout_ms = options->timeout * 1000L,
                                  .total_ms = TOTAL_SECONDS * 1000L};
    g_autoptr(GPtrArray) responses = g_ptr_array_new_with_free_func(free_bytes);
    VigieVerification asked = {.roots = roots,
                               .ocsp = responses,
                               .purpose = options->purpose ? options->purpose : "server",
                               .name = options->name,
                               .at = vigie_time_now(),
                               .policies = (const char *const *)options->policies,
                               .explicit_policy = options->explicit_policy || options->policies,
                               .inhibit_any_policy = options->inhibit_any,
                               .inhibit_policy_mapping = options->inhibit_mapping,
                               .online = options->online ? &fetcher : NULL,
                               .soft_fail = options->soft_fail};
    if (!paths[0]) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "which file? as in: vigie verify serveur.pem --ca racine.pem");
        return CLI_FAILED;
    }
    if (options->timeout < 1 || options->timeout > TOTAL_SECONDS) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "--timeout: 1 to 60 seconds, as in: --timeout 10");
        return CLI_FAILED;
    }
    if ((options->at && !vigie_time_parse_rfc3339(options->at, &asked.at, error)) ||
        !load_roots(options, roots, error) || !add_objects(&objects, paths, error) ||
        !add_objects(&objects, options->crls, error) || !add_responses(responses, options->ocsp, error))
        return CLI_FAILED;
    asked.objects = objects;
    g_autoptr(json_t) answer = x509_verify(&asked, error);
    if (!answer)
        return CLI_FAILED;
    g_autofree char *text = options->json ? vigie_json_text(answer) : NULL;
    if (text)
        puts(text);
    else
        print_answer(options, answer);
    return json_array_size(json_object_get(answer, "refusals")) ? CLI_WRONG : CLI_WELL;
}

int cli_verify(int argc, char **argv) {
    Options options = {.timeout = TIMEOUT_SECONDS};
    const GOptionEntry entries[] = {
        {"ca", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.roots, NULL, "FILE"},
        {"no-system-roots", 0, 0, G_OPTION_ARG_NONE, &options.no_system, NULL, NULL},
        {"crl", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.crls, NULL, "FILE"},
        {"ocsp", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.ocsp, NULL, "FILE"},
        {"online", 0, 0, G_OPTION_ARG_NONE, &options.online, NULL, NULL},
        {"loopback", 0, 0, G_OPTION_ARG_NONE, &options.loopback, NULL, NULL},
        {"timeout", 0, 0, G_OPTION_ARG_INT, &options.timeout, NULL, "SECONDS"},
        {"soft-fail", 0, 0, G_OPTION_ARG_NONE, &options.soft_fail, NULL, NULL},
        {"policy", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.policies, NULL, "OID"},
        {"explicit-policy", 0, 0, G_OPTION_ARG_NONE, &options.explicit_policy, NULL, NULL},
        {"inhibit-any-policy", 0, 0, G_OPTION_ARG_NONE, &options.inhibit_any, NULL, NULL},
        {"inhibit-policy-mapping", 0, 0, G_OPTION_ARG_NONE, &options.inhibit_mapping, NULL, NULL},
        {"purpose", 0, 0, G_OPTION_ARG_STRING, &options.purpose, NULL, "PURPOSE"},
        {"name", 'n', 0, G_OPTION_ARG_STRING, &options.name, NULL, "NAME"},
        {"at", 0, 0, G_OPTION_ARG_STRING, &options.at, NULL, "TIME"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &options.json, NULL, NULL},
        {0},
    };
    int status = CLI_FAILED;
    if (cli_parse(&argc, &argv, entries, forms, examples, &options.lang, &status)) {
        g_autoptr(GError) error = NULL;
        status = verify(&options, argv + 1, &error);
        if (error)
            status = cli_fail("verify", error);
    }
    g_strfreev(options.roots);
    g_strfreev(options.crls);
    g_strfreev(options.ocsp);
    g_strfreev(options.policies);
    g_free(options.purpose);
    g_free(options.name);
    g_free(options.at);
    return status;
}
