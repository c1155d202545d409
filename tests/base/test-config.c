#include "base/base.h"

#include <glib/gstdio.h>

static VigieConfig *load(const char *content, GError **error) {
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("vigie-XXXXXX.conf", &path, NULL);
    g_assert_cmpint(fd, >=, 0);
    g_close(fd, NULL);
    g_assert_true(g_file_set_contents(path, content, -1, NULL));
    VigieConfig *config = vigie_config_load(path, error);
    g_remove(path);
    return config;
}

static void test_values_and_defaults(void) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieConfig) config =
        load("[site]\nname = CHU\n[alarms]\ndays = 60; 30;\n[trust]\nsystem=false\n", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(vigie_config_text(config, "site.name"), ==, "CHU");
    g_assert_cmpstr(vigie_config_text(config, "site.language"), ==, "fr");
    g_assert_false(vigie_config_bool(config, "trust.system"));
    const char *const *days = vigie_config_list(config, "alarms.days");
    g_assert_cmpuint(g_strv_length((char **)days), ==, 2);
    g_assert_cmpstr(days[1], ==, "30");
}

/* What a file names stands beside it, whoever reads it from where; what is no path is left alone. */
static void test_paths_are_from_the_file(void) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieConfig) config =
        load("[store]\nurl = sqlite:vigie.db\n[portal]\nlisten = unix:run/portal.sock\n[trust]\nroots = "
             "a.pem; /etc/b.pem\n[csirt]\nteam = ../team.json\nrdap = https://rdap.example/\n[mail]\n"
             "smime_file = keys/us.pem\n",
             &error);
    g_assert_no_error(error);
    const char *folder = g_get_tmp_dir();
    g_autofree char *url = g_strconcat("sqlite:", folder, "/vigie.db", NULL),
                    *listen = g_strconcat("unix:", folder, "/run/portal.sock", NULL),
                    *root = g_build_filename(folder, "a.pem", NULL), *above = g_path_get_dirname(folder),
                    *team = g_build_filename(above, "team.json", NULL),
                    *key = g_build_filename(folder, "keys", "us.pem", NULL);
    g_assert_cmpstr(vigie_config_text(config, "store.url"), ==, url);
    g_assert_cmpstr(vigie_config_text(config, "portal.listen"), ==, listen);
    g_assert_cmpstr(vigie_config_list(config, "trust.roots")[0], ==, root);
    g_assert_cmpstr(vigie_config_list(config, "trust.roots")[1], ==, "/etc/b.pem");
    g_assert_cmpstr(vigie_config_text(config, "csirt.team"), ==, team);
    g_assert_cmpstr(vigie_config_text(config, "csirt.rdap"), ==, "https://rdap.example/");
    g_assert_cmpstr(vigie_config_text(config, "mail.smime_file"), ==, key);
    g_assert_cmpstr(vigie_config_text(config, "pki.registrar"), ==, "");
}

static void test_refusals_say_key_reason_and_example(void) {
    static const struct {
        const char *content, *key, *because;
    } cases[] = {
        {"[site]\nnom = CHU\n", "nom", "is not a key"},
        {"[trust]\nsystem = perhaps\n", "system", "true or false"},
        {"[site]\ntime_zone = Mars/Olympus\n", "time_zone", "Europe/Paris"},
        {"[store]\nurl = mysql:x\n", "url", "sqlite:"},
        {"[site]\nlanguage = de\n", "language", "language = fr"},
        {"[site\n", ".conf", ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VigieConfig) config = load(cases[i].content, &error);
        g_assert_null(config);
        g_assert_nonnull(strstr(error->message, cases[i].key));
        g_assert_nonnull(strstr(error->message, cases[i].because));
        g_assert_null(strchr(error->message, '\n'));
    }
}

static void test_missing_file_that_was_named(void) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieConfig) config = vigie_config_load("/nonexistent/vigie.conf", &error);
    g_assert_null(config);
    g_assert_nonnull(strstr(error->message, "/nonexistent/vigie.conf"));
}

static void test_the_example_loads(void) {
    for (int lang = 0; lang < VIGIE_LANGS; lang++) {
        g_autofree char *example = vigie_config_example((VigieLang)lang);
        g_autoptr(GString) all = g_string_new(example);
        g_string_replace(all, "\n#", "\n", 0);
        g_string_replace(all, "\n ", "\n# ", 0);
        g_autoptr(GError) error = NULL;
        g_autoptr(VigieConfig) config = load(all->str, &error);
        g_assert_no_error(error);
        g_assert_nonnull(config);
        g_assert_null(strstr(example, "config.")); /* each key has its words */
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_assert_true(vigie_words_load(NULL));
    g_test_add_func("/config/values-and-defaults", test_values_and_defaults);
    g_test_add_func("/config/paths-are-from-the-file", test_paths_are_from_the_file);
    g_test_add_func("/config/refusals-say-key-reason-and-example", test_refusals_say_key_reason_and_example);
    g_test_add_func("/config/missing-file-that-was-named", test_missing_file_that_was_named);
    g_test_add_func("/config/the-example-loads", test_the_example_loads);
    return g_test_run();
}
