/* vigie identify FILE…: what each file is, and above all whether a private key is in it. */
#include "cli/cli.h"
#include "x509/x509.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PILE_MIN = 64, PROCESSES_MAX = 16 };

typedef struct {
    VigieLang lang;
    GTimeZone *zone;
    VigieTime now;
    bool password; /* one was given */
} Printing;

static void print_fact(const Printing *how, const char *label, const char *text) {
    const char *word = vigie_word(how->lang, label);
    printf("     %s%*s %s\n", word, (int)MAX(0, 11 - g_utf8_strlen(word, -1)), "", text);
}

static void print_validity(const Printing *how, const json_t *object) {
    VigieTime from = 0, until = 0;
    if (!vigie_member(object, "not_after") ||
        !vigie_time_parse_rfc3339(vigie_member(object, "not_before"), &from, NULL) ||
        !vigie_time_parse_rfc3339(vigie_member(object, "not_after"), &until, NULL))
        return;
    bool future = from > how->now;
    g_autofree char *when = vigie_when_text(how->lang, how->zone, future ? from : until, how->now);
    const char *key = future             ? "identify.validity.future"
                      : until < how->now ? "identify.validity.ended"
                                         : "identify.validity.until";
    g_autofree char *text = vigie_words(how->lang, key, "when", when, NULL);
    print_fact(how, "identify.label.validity", text);
}

static void print_key(const Printing *how, const json_t *object) {
    const json_t *key = json_object_get(object, "key");
    if (!key)
        return;
    const char *curve = vigie_member(key, "curve");
    g_autofree char *name = g_strdup_printf("%s %" JSON_INTEGER_FORMAT "%s%s", vigie_member(key, "type"),
                                            json_integer_value(json_object_get(key, "bits")),
                                            curve ? " " : "", curve ? curve : "");
    const json_t *index = json_object_get(object, "private_key_index");
    g_autofree char *number = g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(index) + 1);
    const char *file = vigie_member(object, "private_key_file");
    g_autofree char *text = NULL;
    if (json_is_integer(index))
        text = vigie_words(how->lang, "identify.key.here", "key", name, "n", number, NULL);
    else if (file)
        text = vigie_words(how->lang, "identify.key.elsewhere", "key", name, "file", file, NULL);
    print_fact(how, "identify.label.key", text ? text : name);
}

static void print_protection(const Printing *how, const json_t *object) {
    const json_t *protection = json_object_get(object, "protection");
    if (protection) {
        const char *cipher = vigie_member(protection, "cipher");
        g_autofree char *n = vigie_json_text(json_object_get(protection, "iterations"));
        g_autofree char *text =
            vigie_words(how->lang,
                        json_is_true(json_object_get(protection, "legacy")) ? "identify.sealed.legacy"
                                                                            : "identify.sealed.text",
                        "cipher", cipher ? cipher : vigie_member(protection, "scheme"), "n", n, NULL);
        print_fact(how, "identify.label.sealed", text);
    }
    if (json_is_false(json_object_get(object, "opened")))
        printf("     %s\n",
               vigie_word(how->lang, how->password ? "identify.sealed.wrong" : "identify.sealed.closed"));
}

static void print_names(const Printing *how, const json_t *object) {
    const json_t *names = json_object_get(object, "names");
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < json_array_size(names); i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "", json_string_value(json_array_get(names, i)));
    if (text->len)
        print_fact(how, "identify.label.names", text->str);
}

static void print_object(const Printing *how, size_t number, const json_t *object) {
    g_autofree char *kind_key = g_strconcat("identify.kind.", vigie_member(object, "kind"), NULL);
    printf("\n  %zu  %s", number, vigie_word(how->lang, kind_key));
    if (vigie_member(object, "role")) {
        g_autofree char *role_key = g_strconcat("identify.role.", vigie_member(object, "role"), NULL);
        printf(" %s", vigie_word(how->lang, role_key));
    }
    printf("  (%s", vigie_member(object, "format") ? vigie_member(object, "format")
                                                   : vigie_member(object, "encoding"));
    if (json_is_integer(json_object_get(object, "line"))) {
        g_autofree char *n = vigie_json_text(json_object_get(object, "line"));
        g_autofree char *line = vigie_words(how->lang, "identify.line", "n", n, NULL);
        printf(", %s", line);
    }
    puts(")");
    static const struct {
        const char *member, *label;
    } facts[] = {{"subject", "identify.label.subject"}, {"issuer", "identify.label.issuer"}};
    for (size_t i = 0; i < G_N_ELEMENTS(facts); i++)
        if (vigie_member(object, facts[i].member))
            print_fact(how, facts[i].label, vigie_member(object, facts[i].member));
    print_names(how, object);
    print_validity(how, object);
    print_key(how, object);
    print_protection(how, object);
    if (json_is_true(json_object_get(object, "signature_weak"))) {
        g_autofree char *weak = vigie_words(how->lang, "identify.weak", "algorithm",
                                            vigie_member(object, "signature_algorithm"), NULL);
        printf("     %s\n", weak);
    }
    if (json_is_false(json_object_get(object, "proof_of_possession")))
        printf("     %s\n", vigie_word(how->lang, "identify.proof.bad"));
}

static void print_chain(const Printing *how, const json_t *chain) {
    const json_t *missing = json_object_get(chain, "missing");
    g_autoptr(GString) names = g_string_new(NULL);
    for (size_t i = 0; i < json_array_size(missing) && i < 10; i++)
        g_string_append_printf(names, "%s%s", i ? " ; " : "", json_string_value(json_array_get(missing, i)));
    if (names->len) {
        g_autofree char *text = vigie_words(how->lang, "identify.chain.missing", "names", names->str, NULL);
        printf("\n  %s\n", text);
    }
    if (json_integer_value(json_object_get(chain, "count")) > 1 &&
        json_is_false(json_object_get(chain, "ordered")))
        printf("\n  %s\n", vigie_word(how->lang, "identify.chain.disorder"));
}

static void print_answer(const Printing *how, const json_t *answer) {
    g_autofree char *verdict = g_strconcat("identify.private.", vigie_member(answer, "private_key"), NULL);
    printf("%s\n  %s\n", vigie_member(answer, "file"), vigie_word(how->lang, verdict));
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(json_object_get(answer, "objects"), i, item) print_object(how, i + 1, item);
    print_chain(how, json_object_get(answer, "chain"));
    json_array_foreach(json_object_get(answer, "damage"), i, item) {
        g_autofree char *key = g_strconcat("identify.damage.", json_string_value(item), NULL);
        printf("%s  %s\n", i == 0 ? "\n" : "", vigie_word(how->lang, key));
    }
    if (json_is_true(json_object_get(answer, "cut")))
        printf("\n  %s\n", vigie_word(how->lang, "identify.cut"));
    putchar('\n');
}

/* ---- Files ---------------------------------------------------------------------------------------------- */

static json_t *identify_file(const char *path, const char *password, GError **error) {
    g_autoptr(GMappedFile) file = cli_file_map(path, error);
    if (!file)
        return NULL;
    VigieBytes content = vigie_bytes(g_mapped_file_get_contents(file), g_mapped_file_get_length(file));
    if (content.size > X509_FILE_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT,
                    "%s: more than 16 MiB; no certificate file is so large. None of it was read: whether a "
                    "key is in it is not known",
                    path);
        return NULL;
    }
    json_t *answer = x509_identify(content, password);
    g_autofree char *shown = g_utf8_make_valid(path, -1);
    json_object_set_new(answer, "file", json_string(shown));
    return answer;
}

/* A certificate whose private key is in another of the files is told so: "private_key_file". */
static void relate_files(GPtrArray *answers) {
    g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint pass = 0; pass < 2; pass++)
        for (guint i = 0; i < answers->len; i++) {
            size_t o = 0;
            json_t *object = NULL;
            json_array_foreach(json_object_get(answers->pdata[i], "objects"), o, object) {
                const char *spki = vigie_member(object, "spki_sha256");
                bool key = spki && strcmp(vigie_member(object, "kind"), "private-key") == 0;
                const char *file = spki ? g_hash_table_lookup(keys, spki) : NULL;
                if (pass == 0 && key)
                    g_hash_table_insert(keys, (void *)spki, (void *)vigie_member(answers->pdata[i], "file"));
                else if (pass == 1 && file && json_is_null(json_object_get(object, "private_key_index")))
                    json_object_set_new(object, "private_key_file", json_string(file));
            }
        }
}

static bool is_known(const json_t *object) {
    static const char *const wrong[] = {"unknown", "unreadable", "empty", "html", NULL};
    return !g_strv_contains(wrong, vigie_member(object, "kind"));
}

static bool all_known(const json_t *answer) {
    const json_t *objects = json_object_get(answer, "objects");
    bool known = true;
    for (size_t i = 0; i < json_array_size(objects); i++)
        known = known && is_known(json_array_get(objects, i));
    return known;
}

/* ---- Many files ----------------------------------------------------------------------------------------- */
/* Processes share a pile: threads would wait for each other at libcrypto's locks. Process k of n has the k-th part of them. */
typedef struct {
    char **paths;
    const char *password;
    guint count, processes;
    json_t **answers;
    GError **errors;
} Pile;

/* Where the part of process `k` begins. */
static guint part(const Pile *pile, guint k) {
    return (guint)((guint64)pile->count * k / pile->processes);
}

static void identify_one(Pile *pile, guint i) {
    pile->answers[i] = identify_file(pile->paths[i], pile->password, &pile->errors[i]);
}

/* A line for each file: what it is, or why it was not read. */
static void tell_share(Pile *pile, guint k, FILE *out) {
    for (guint i = part(pile, k); i < part(pile, k + 1); i++) {
        identify_one(pile, i);
        const GError *error = pile->errors[i];
        g_autoptr(json_t) line = error
                                     ? json_pack("{s:i, s:s}", "code", error->code, "message", error->message)
                                     : json_incref(pile->answers[i]);
        g_autofree char *text = vigie_json_text(line);
        fprintf(out, "%s\n", text);
        fflush(out); /* all that was found out is there, whatever the next file does */
    }
}

/* What the process told; what it did not come to is done here, but for the file at which it ended. */
static void take_share(Pile *pile, guint k, FILE *in) {
    g_autofree char *line = NULL;
    size_t size = 0;
    bool ended = false;
    for (guint i = part(pile, k); i < part(pile, k + 1); i++) {
        g_autoptr(json_t) told = !ended && getline(&line, &size, in) > 0 ? json_loads(line, 0, NULL) : NULL;
        if (ended)
            identify_one(pile, i);
        else if (!told)
            g_set_error(&pile->errors[i], VIGIE_ERROR, VIGIE_ERROR_INTERNAL,
                        "%s: the process that read it has ended: whether a key is in it is not known",
                        pile->paths[i]);
        else if (vigie_member(told, "message"))
            g_set_error_literal(&pile->errors[i], VIGIE_ERROR,
                                (gint)json_integer_value(json_object_get(told, "code")),
                                vigie_member(told, "message"));
        else
            pile->answers[i] = g_steal_pointer(&told);
        ended = ended || (!pile->answers[i] && !told);
    }
}

static pid_t start_share(Pile *pile, guint k, FILE **ret_told) {
    FILE *told = tmpfile();
    pid_t pid = told ? fork() : -1;
    if (pid == 0) {
        tell_share(pile, k, told);
        _exit(0);
    }
    *ret_told = told;
    return pid;
}

static void identify_pile(Pile *pile) {
    pid_t pids[PROCESSES_MAX] = {0};
    FILE *told[PROCESSES_MAX] = {0};
    pile->processes = pile->count < PILE_MIN ? 1 : MIN(g_get_num_processors(), (guint)PROCESSES_MAX);
    for (guint k = 1; k < pile->processes; k++)
        pids[k] = start_share(pile, k, &told[k]);
    for (guint i = 0; i < part(pile, 1); i++)
        identify_one(pile, i);
    for (guint k = 1; k < pile->processes; k++) {
        if (pids[k] > 0)
            waitpid(pids[k], NULL, 0);
        for (guint i = part(pile, k); pids[k] < 0 && i < part(pile, k + 1); i++)
            identify_one(pile, i);
        if (pids[k] > 0) {
            rewind(told[k]);
            take_share(pile, k, told[k]);
        }
        if (told[k])
            fclose(told[k]);
    }
}

static int identify_all(char **paths, const char *password, bool json, Printing *how) {
    g_autoptr(GPtrArray) answers = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    Pile pile = {.paths = paths, .password = password, .count = g_strv_length(paths)};
    g_autofree json_t **found = pile.answers = g_new0(json_t *, pile.count);
    g_autofree GError **errors = pile.errors = g_new0(GError *, pile.count);
    int status = CLI_WELL;
    identify_pile(&pile);
    for (guint i = 0; i < pile.count; i++) {
        g_autoptr(GError) error = errors[i];
        if (!found[i]) {
            status = cli_fail("identify", error);
            continue;
        }
        g_ptr_array_add(answers, found[i]);
        if (status == CLI_WELL && !all_known(found[i]))
            status = CLI_WRONG;
    }
    relate_files(answers);
    for (guint i = 0; i < answers->len; i++) {
        g_autofree char *text = json ? vigie_json_text(answers->pdata[i]) : NULL;
        if (json)
            puts(text);
        else
            print_answer(how, answers->pdata[i]);
    }
    return status;
}

static const char *const forms[] = {"[OPTIONS] FILE…", NULL};
static const char *const examples[] = {"vigie identify server.pfx", "vigie identify *.crt *.key --json",
                                       NULL};

int cli_identify(int argc, char **argv) {
    gboolean json = FALSE;
    g_autofree char *password_file = NULL;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, NULL, NULL},
        {"password-file", 0, 0, G_OPTION_ARG_FILENAME, &password_file, NULL, "FILE"},
        {0},
    };
    Printing how = {.now = vigie_time_now()};
    int status = CLI_FAILED;
    if (!cli_parse(&argc, &argv, entries, forms, examples, &how.lang, &status))
        return status;
    g_autoptr(GError) error = NULL;
    g_autoptr(GTimeZone) zone = g_time_zone_new_local();
    g_auto(CliSecret) password = password_file ? cli_secret_read(password_file, &error) : NULL;
    how.zone = zone;
    how.password = password != NULL;
    if (error)
        return cli_fail("identify", error);
    if (argc < 2) {
        g_set_error_literal(&error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "which file? as in: vigie identify serveur.crt");
        return cli_fail("identify", error);
    }
    status = identify_all(argv + 1, password, json, &how);
    return status;
}
