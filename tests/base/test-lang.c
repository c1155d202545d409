#include "base/base.h"

#include <glib/gstdio.h>

static void test_languages(void) {
    VigieLang lang = VIGIE_FR;
    g_assert_true(vigie_lang_parse("en_GB.UTF-8", &lang));
    g_assert_cmpint(lang, ==, VIGIE_EN);
    g_assert_true(vigie_lang_parse("FR", &lang));
    g_assert_cmpint(lang, ==, VIGIE_FR);
    g_assert_false(vigie_lang_parse("frp", &lang));
    g_assert_false(vigie_lang_parse("C", &lang));
    g_assert_false(vigie_lang_parse("", &lang));
}

static void test_words(void) {
    g_autofree char *text = vigie_words(VIGIE_EN, "base.when.future", "span", "2 h", "date", "today", NULL);
    g_assert_cmpstr(text, ==, "in 2 h (today)");
    g_assert_cmpstr(vigie_word(VIGIE_FR, "no.such.key"), ==, "no.such.key");
}

static void test_fill(void) {
    g_autoptr(json_t) values = json_pack("{s:s,s:i}", "name", "pompe", "n", 3);
    g_autofree char *text = vigie_text_fill("{n} × {name}, {unknown}, {not a name} {", values);
    g_assert_cmpstr(text, ==, "3 × pompe, {unknown}, {not a name} {");
}

/* Proves that a refusal is said by the entry that says most of it, with what it quotes, what is within it, whatever its quotation marks,
 * and that one that nobody translated, or that quotes what looks like a placeholder, does no harm; and that a library's words
 * stay within ours. */
static void test_refusals(void) {
    static const char *const known[][2] = {
        {"task 12: it is done already", "la tâche 12 est déjà faite"},
        {"reason: another order than the rules' needs one",
         "Motif\u00a0: un autre ordre que celui des règles demande un motif"},
        {"title: 200 characters at most", "Objet\u00a0: 200 caractères au plus"},
        {"CVSS vector, “{why}”: there is no such metric in this version",
         "vecteur CVSS, «\u00a0{why}\u00a0»\u00a0: ce critère n’existe pas dans cette version"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
        g_autofree char *said = vigie_refusal(VIGIE_FR, known[i][0], "desk.member.");
        g_assert_cmpstr(said, ==, known[i][1]);
    }
    g_assert_null(vigie_refusal(VIGIE_FR, "title: nobody translated this", "desk.member."));
    g_assert_null(vigie_refusal(VIGIE_FR, "", "desk.member."));
    g_autofree char *deep = g_strnfill(4000, ':');
    g_assert_null(vigie_refusal(VIGIE_FR, deep, "desk.member."));
    g_autofree char *kept = vigie_said(VIGIE_FR, "nobody translated this: \xff");
    g_assert_cmpstr(kept, ==, "nobody translated this: \uFFFD");
    g_autofree char *within = vigie_said(VIGIE_FR, "imaps://a: the conversation failed (words of a library)");
    g_assert_cmpstr(within, ==, "imaps://a\u00a0: la conversation a échoué (words of a library)");
    g_autofree char *english = vigie_said(VIGIE_EN, "task 12: it is done already");
    g_assert_cmpstr(english, ==, "task 12: it is done already");
}

/* A catalogue in a folder of its own, loaded by a child: a process loads its words once. */
static void refused(const char *catalogue, const char *because) {
    g_autofree char *folder = g_dir_make_tmp("vigie-words-XXXXXX", NULL);
    g_autofree char *words = g_build_filename(folder, "words", NULL);
    g_autofree char *file = g_build_filename(words, "bad.json", NULL);
    g_assert_cmpint(g_mkdir(words, 0700), ==, 0);
    g_assert_true(g_file_set_contents(file, catalogue, -1, NULL));
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    const char *argv[] = {program, "--load", NULL};
    g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "VIGIE_KNOWLEDGE", folder, TRUE);
    g_autofree char *output = NULL;
    g_assert_true(g_spawn_sync(NULL, (char **)argv, environment, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL,
                               NULL, NULL));
    g_assert_nonnull(strstr(output, because));
    g_remove(file);
    g_rmdir(words);
    g_rmdir(folder);
}

static void test_bad_catalogues(void) {
    refused("{\"a\": {\"fr\": \"seul\"}}", "wants two texts");
    refused("{\"a\": {\"fr\": \"{n} ici\", \"en\": \"{m} here\"}}", "placeholders");
    refused("{\"a\": ", "line 1");
    refused("{\"a\": {\"fr\": \"x\", \"en\": \"x\"}, \"a\": {\"fr\": \"x\", \"en\": \"x\"}}", "line 1");
}

int main(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    bool loaded = vigie_words_load(&error);
    if (argc == 2 && strcmp(argv[1], "--load") == 0) {
        puts(loaded ? "loaded" : error->message);
        return 0;
    }
    g_assert_true(loaded);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lang/languages", test_languages);
    g_test_add_func("/lang/words", test_words);
    g_test_add_func("/lang/fill", test_fill);
    g_test_add_func("/lang/refusals", test_refusals);
    g_test_add_func("/lang/bad-catalogues", test_bad_catalogues);
    return g_test_run();
}
