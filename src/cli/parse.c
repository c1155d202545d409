/* The arguments of a command: what it takes, what it does not, and its --help. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 80, LABEL_MAX = 28 };

/* What is known of a command's arguments. */
typedef struct {
    const char *command;
    GArray *entries; /* GOptionEntry: its own, then those of all commands */
    const char *const *forms, *const *examples;
    const char *form; /* of them, the one that is meant; NULL where none is */
    VigieLang lang;
} Syntax;

static void syntax_clear(Syntax *syntax) {
    g_clear_pointer(&syntax->entries, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Syntax, syntax_clear)

/* ---- Forms -------------------------------------------------------------------------------------------------- */
#define LETTERS "abcdefghijklmnopqrstuvwxyz-"

/* "issue --profile …" is called issue; "FILE… [--json]" is called nothing. */
static size_t name_size(const char *form) {
    return *form == '-' ? 0 : strspn(form, LETTERS);
}

static bool is_called(const char *form, const char *name) {
    return strlen(name) == name_size(form) && strncmp(form, name, strlen(name)) == 0;
}

static bool form_has(const char *form, const GOptionEntry *option) {
    for (const char *at = form; (at = strstr(at, "--")); at += strspn(at, LETTERS))
        if (is_called(at + 2, option->long_name))
            return true;
    return false;
}

/* An option that no form names goes with all of them. */
static bool goes_with_all(const Syntax *syntax, const GOptionEntry *option) {
    for (const char *const *form = syntax->forms; *form; form++)
        if (form_has(*form, option))
            return false;
    return true;
}

static const char *find_form(const Syntax *syntax, const char *name) {
    for (const char *const *form = syntax->forms; *form; form++)
        if (is_called(*form, name))
            return *form;
    return *name ? find_form(syntax, "") : NULL;
}

/* ---- Words ------------------------------------------------------------------------------------------------------------- */
/* The words of help.COMMAND.NAME; NULL where there are none. */
static const char *words_of(const Syntax *syntax, const char *command, const char *name) {
    g_autofree char *key = g_strjoin(".", "help", command, *name ? name : NULL, NULL);
    const char *words = vigie_word(syntax->lang, key);
    return words == key ? NULL : words;
}

/* FILE is FICHIER in French: each word in capitals that help.arg knows. */
static char *say(const Syntax *syntax, const char *usage) {
    GString *said = g_string_new(NULL);
    while (*usage) {
        size_t size = strspn(usage, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        g_autofree char *name = g_strndup(usage, MAX(size, 1));
        const char *word = size > 1 ? words_of(syntax, "arg", name) : NULL;
        g_string_append(said, word ? word : name);
        usage += strlen(name);
    }
    return g_string_free(said, FALSE);
}

/* ---- What was given ----------------------------------------------------------------------------------------- */
static const GOptionEntry *find_option(const Syntax *syntax, const char *name, size_t size, char letter) {
    for (guint i = 0; i < syntax->entries->len; i++) {
        const GOptionEntry *entry = &g_array_index(syntax->entries, GOptionEntry, i);
        if (letter ? entry->short_name == letter
                   : strlen(entry->long_name) == size && strncmp(entry->long_name, name, size) == 0)
            return entry;
    }
    return NULL;
}

/* The options of one argument, into `given`; true where the next argument is the value of one. */
static bool look_at(const Syntax *syntax, const char *argument, GPtrArray *given) {
    bool value = false;
    size_t size = strcspn(argument, "=");
    if (argument[1] == '-') {
        const GOptionEntry *option = find_option(syntax, argument + 2, size - 2, 0);
        if (option)
            g_ptr_array_add(given, (void *)option);
        return option && option->arg != G_OPTION_ARG_NONE && !argument[size];
    }
    for (const char *letter = argument + 1; *letter; letter++) {
        const GOptionEntry *option = find_option(syntax, NULL, 0, *letter);
        if (option)
            g_ptr_array_add(given, (void *)option);
        value = value || (option && option->arg != G_OPTION_ARG_NONE);
    }
    return value;
}

/* The options that were given; sets the form that the first argument beside them names. */
static GPtrArray *look(Syntax *syntax, int argc, char **argv) {
    GPtrArray *given = g_ptr_array_new();
    const char *first = NULL;
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (argv[i][0] != '-' || !argv[i][1])
            first = first ? first : argv[i];
        else if (look_at(syntax, argv[i], given))
            i++;
    }
    if (!first && i + 1 < argc)
        first = argv[i + 1];
    syntax->form = find_form(syntax, first ? first : "");
    return given;
}

/* "vigie ca issue, renew": the forms that take an option. */
static char *forms_with(const Syntax *syntax, const GOptionEntry *option) {
    GString *names = g_string_new("vigie ");
    const char *between = " ";
    g_string_append(names, syntax->command);
    for (const char *const *form = syntax->forms; *form; form++) {
        if (!form_has(*form, option) || name_size(*form) == 0)
            continue;
        g_string_append_printf(names, "%s%.*s", between, (int)name_size(*form), *form);
        between = ", ";
    }
    return g_string_free(names, FALSE);
}

/* How many arguments a form wants beside its options, which stand behind them; -1: any number. */
static void count_wanted(const char *form, int *ret_least, int *ret_most) {
    g_auto(GStrv) words = g_strsplit(form + name_size(form), " ", -1);
    bool any = false;
    int least = 0, most = 0;
    for (char **word = words;
         *word && !strchr("-(|", **word ? **word : ' ') && !g_str_has_prefix(*word, "[-"); word++) {
        any = any || g_str_has_suffix(*word, "…") || g_str_has_suffix(*word, "…]");
        if (!**word || g_str_has_prefix(*word, "…"))
            continue;
        least += **word == '[' ? 0 : 1;
        most++;
    }
    *ret_least = least;
    *ret_most = any ? -1 : most;
}

/* A command that has no forms by name says itself what it wants. */
static bool check_count(const Syntax *syntax, int count, GError **error) {
    int least = 0, most = 0;
    count_wanted(syntax->form, &least, &most);
    if (name_size(syntax->form) == 0 || (count >= least && (most < 0 || count <= most)))
        return true;
    const char *options = strstr(syntax->form, " [-");
    g_autofree char *plain =
        g_strndup(syntax->form, options ? (size_t)(options - syntax->form) : strlen(syntax->form));
    g_autofree char *usage = say(syntax, plain);
    g_autofree char *why =
        vigie_words(syntax->lang, "cli.wanted", "command", syntax->command, "usage", usage, NULL);
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, why);
    return false;
}

/* `word`: the first that is no option, or NULL. */
static bool check(const Syntax *syntax, const char *word, const GPtrArray *given, GError **error) {
    if (!syntax->form && word) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "%s is no command of vigie %s: vigie %s --help lists them", word, syntax->command,
                    syntax->command);
        return false;
    }
    if (!syntax->form) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "a command is wanted after vigie %s: vigie %s --help lists them", syntax->command,
                    syntax->command);
        return false;
    }
    for (guint i = 0; i < given->len; i++) {
        const GOptionEntry *option = given->pdata[i];
        if (form_has(syntax->form, option) || goes_with_all(syntax, option))
            continue;
        g_autofree char *names = forms_with(syntax, option);
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "--%s is an option of %s, not of this command",
                    option->long_name, names);
        return false;
    }
    return true;
}

/* ---- The help ----------------------------------------------------------------------------------------------- */
/* Appends the text, broken at spaces outside brackets; `column` is where it begins, `indent` where its further lines do. */
static void append_wrapped(GString *out, const char *text, int column, int indent) {
    while (*text) {
        int depth = 0;
        size_t size = 0;
        for (; text[size] && text[size] != '\n' && (text[size] != ' ' || depth > 0); size++)
            depth += strchr("[(", text[size]) ? 1 : strchr("])", text[size]) ? -1 : 0;
        int width = (int)g_utf8_strlen(text, (gssize)size);
        if (column > indent && column + width > WIDTH) {
            g_string_truncate(out, out->len - (g_str_has_suffix(out->str, " ") ? 1 : 0));
            g_string_append_printf(out, "\n%*s", indent, "");
            column = indent;
        }
        g_string_append_len(out, text, (gssize)size);
        column += width + 1;
        text += size;
        if (*text == '\n') {
            g_string_append_printf(out, "\n%*s", indent, "");
            column = indent;
        } else if (*text) {
            g_string_append_c(out, ' ');
        }
        text += *text ? 1 : 0;
    }
    g_string_append_c(out, '\n');
}

static char *label_of(const Syntax *syntax, const GOptionEntry *option) {
    g_autofree char *value = option->arg_description ? say(syntax, option->arg_description) : NULL;
    char letter[] = {'-', option->short_name, ',', 0};
    return g_strdup_printf("%3s --%s%s%s", option->short_name ? letter : "", option->long_name,
                           value ? " " : "", value ? value : "");
}

/* What an option does: in this form, else in this command, else in all. */
static const char *meaning_of(const Syntax *syntax, const GOptionEntry *option) {
    g_autofree char *dashed = g_strconcat("--", option->long_name, NULL);
    g_autofree char *within =
        syntax->form ? g_strdup_printf("%.*s.%s", (int)name_size(syntax->form), syntax->form, dashed) : NULL;
    const char *words = within ? words_of(syntax, syntax->command, within) : NULL;
    words = words ? words : words_of(syntax, syntax->command, dashed);
    words = words ? words : words_of(syntax, dashed, "");
    return words ? words : "–";
}

/* First those of the form that is meant, then those of all. */
static GPtrArray *shown(const Syntax *syntax) {
    GPtrArray *options = g_ptr_array_new();
    for (int all = 0; all < 2; all++) {
        for (guint i = 0; i < syntax->entries->len; i++) {
            const GOptionEntry *option = &g_array_index(syntax->entries, GOptionEntry, i);
            bool meant = all ? goes_with_all(syntax, option) : syntax->form && form_has(syntax->form, option);
            if (meant && !(option->flags & G_OPTION_FLAG_HIDDEN))
                g_ptr_array_add(options, (void *)option);
        }
    }
    return options;
}

static void append_options(GString *out, const Syntax *syntax) {
    g_autoptr(GPtrArray) options = shown(syntax);
    g_autoptr(GPtrArray) labels = g_ptr_array_new_with_free_func(g_free);
    int width = 0;
    for (guint i = 0; i < options->len; i++) {
        char *label = label_of(syntax, options->pdata[i]);
        int size = (int)g_utf8_strlen(label, -1);
        g_ptr_array_add(labels, label);
        width = size > LABEL_MAX ? width : MAX(width, size);
    }
    for (guint i = 0; i < options->len; i++) {
        int size = (int)g_utf8_strlen(labels->pdata[i], -1), indent = width + 4;
        g_string_append_printf(out, "  %s%*s", (char *)labels->pdata[i], size > width ? 0 : indent - size - 2,
                               "");
        if (size > width)
            g_string_append_printf(out, "\n%*s", indent, "");
        append_wrapped(out, meaning_of(syntax, options->pdata[i]), indent, indent);
    }
}

static void append_usage(GString *out, const Syntax *syntax, const char *usage) {
    g_autofree char *said = say(syntax, usage),
                    *head = g_strdup_printf("%s vigie %s", vigie_word(syntax->lang, "help.usage"),
                                            syntax->command);
    int column = (int)g_utf8_strlen(head, -1) + 1;
    g_string_append_printf(out, "%s%s", head, *said ? " " : "");
    append_wrapped(out, said, column, 4);
}

static void append_commands(GString *out, const Syntax *syntax) {
    size_t width = 0;
    for (const char *const *form = syntax->forms; *form; form++)
        width = MAX(width, name_size(*form));
    if (width == 0)
        return;
    g_string_append_printf(out, "\n%s\n", vigie_word(syntax->lang, "help.commands"));
    for (const char *const *form = syntax->forms; *form; form++) {
        g_autofree char *name = g_strndup(*form, name_size(*form));
        const char *summary = *name ? words_of(syntax, syntax->command, name) : NULL;
        if (*name)
            g_string_append_printf(out, "  %-*s  ", (int)width, name);
        if (*name)
            append_wrapped(out, summary ? summary : "–", (int)width + 4, (int)width + 4);
    }
    g_autofree char *more = vigie_words(syntax->lang, "help.more", "command", syntax->command, NULL);
    g_string_append_printf(out, "\n%s\n", more);
}

/* Those of the form that is meant; all where none is. A line that begins with a space goes on. */
static void append_examples(GString *out, const Syntax *syntax, const char *name) {
    g_autofree char *head = g_strconcat("vigie ", syntax->command, " ", *name ? name : NULL, NULL);
    bool told = false, meant = false;
    for (const char *const *line = syntax->examples; *line; line++) {
        meant = g_ascii_isspace(**line)
                    ? meant
                    : !*name || (g_str_has_prefix(*line, head) &&
                                 (!(*line)[strlen(head)] || (*line)[strlen(head)] == ' '));
        if (meant && !told)
            g_string_append_printf(out, "\n%s\n", vigie_word(syntax->lang, "help.examples"));
        if (meant)
            g_string_append_printf(out, "  %s\n", *line);
        told = told || meant;
    }
}

/* Of a form that has a name, or of the command. */
static int print_help(Syntax *syntax) {
    g_autofree char *name = syntax->form ? g_strndup(syntax->form, name_size(syntax->form)) : g_strdup("");
    g_autoptr(GString) out = g_string_new(NULL);
    const char *summary = words_of(syntax, syntax->command, name), *notes = NULL;
    g_autofree char *noted = g_strconcat(name, *name ? "." : "", "notes", NULL);
    append_usage(out, syntax, syntax->form ? syntax->form : "COMMAND [OPTIONS]");
    g_string_append(out, "\n");
    append_wrapped(out, summary ? summary : "–", 0, 0);
    if (!*name)
        append_commands(out, syntax);
    bool of_all = !syntax->form;
    g_string_append_printf(out, "\n%s\n",
                           vigie_word(syntax->lang, of_all ? "help.options.all" : "help.options"));
    append_options(out, syntax);
    if ((notes = words_of(syntax, syntax->command, noted))) {
        g_string_append(out, "\n");
        append_wrapped(out, notes, 0, 0);
    }
    append_examples(out, syntax, name);
    fputs(out->str, stdout);
    return CLI_WELL;
}

/* ---- Parsing ------------------------------------------------------------------------------------------------ */
static bool parse(const Syntax *syntax, int *argc, char ***argv, GError **error) {
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_add_main_entries(context, (const GOptionEntry *)(void *)syntax->entries->data, NULL);
    return g_option_context_parse(context, argc, argv, error);
}

static bool read_lang(const char *text, VigieLang *ret_lang, GError **error) {
    if (!text || vigie_lang_parse(text, ret_lang))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "--lang %s: fr or en is wanted, as in --lang fr",
                text);
    return false;
}

bool cli_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *const *forms,
               const char *const *examples, VigieLang *ret_lang, int *ret_status) {
    g_autofree char *lang_text = NULL;
    gboolean help = FALSE;
    const GOptionEntry common[] = {
        {"lang", 0, 0, G_OPTION_ARG_STRING, &lang_text, NULL, "fr|en"},
        {"help", 'h', 0, G_OPTION_ARG_NONE, &help, NULL, NULL},
    };
    g_auto(Syntax) syntax = {.command = (*argv)[0],
                             .entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry)),
                             .forms = forms,
                             .examples = examples,
                             .lang = cli_reader()};
    for (const GOptionEntry *entry = entries; entry->long_name; entry++)
        g_array_append_vals(syntax.entries, entry, 1);
    g_array_append_vals(syntax.entries, common, G_N_ELEMENTS(common));
    g_autoptr(GPtrArray) given = look(&syntax, *argc, *argv);
    g_autoptr(GError) error = NULL;
    if (g_ptr_array_find(given, find_option(&syntax, NULL, 0, 'h'), NULL)) {
        *ret_status = print_help(&syntax);
        return false;
    }
    VigieLang lang = vigie_lang_default();
    if (parse(&syntax, argc, argv, &error) && check(&syntax, *argc > 1 ? (*argv)[1] : NULL, given, &error) &&
        check_count(&syntax, *argc - 2, &error) && read_lang(lang_text, &lang, &error)) {
        *ret_lang = lang;
        return true;
    }
    *ret_status = cli_fail(syntax.command, error);
    return false;
}
