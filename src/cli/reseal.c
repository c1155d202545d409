/* vigie reseal: what is kept sealed, sealed anew with the newest key of its file. */
#include "cli/cli.h"
#include "csirt/csirt.h"
#include "pki/pki.h"

#include <stdio.h>

static const char *const forms[] = {"[OPTIONS]", NULL};
static const char *const examples[] = {
    "openssl rand -out new 32",
    "cat new /etc/vigie/evidence-key > both",
    "chmod 0640 both && chgrp vigie both && mv both /etc/vigie/evidence-key",
    "systemctl restart vigie",
    "vigie reseal",
    NULL};

/* What is sealed, and by which key of the configuration. */
static const struct {
    const char *name, *key;
    const VigieSealed *sealed;
} kinds[] = {{"evidence", "pki.evidence_key", &pki_sealed},
             {"artefacts", "csirt.artefact_key", &csirt_sealed},
             {"enrolments", "pki.enrolment_key", &pki_enrolment_sealed}};

/* NULL: there is no key. That of enrolments has a place of its own where none is named. */
static char *path_of(const VigieConfig *config, size_t i) {
    const char *path = vigie_config_text(config, kinds[i].key);
    g_autofree char *own = kinds[i].sealed == &pki_enrolment_sealed ? pki_enrolment_key_path(config) : NULL;
    if (own && !*path && !g_file_test(own, G_FILE_TEST_EXISTS))
        return NULL;
    return own ? g_steal_pointer(&own) : *path ? g_strdup(path) : NULL;
}

static bool reseal(const VigieConfig *config, VigieStore *store, size_t i, json_t *told, GError **error) {
    g_autofree char *path = path_of(config, i);
    int64_t count = 0;
    if (!path)
        return true;
    g_autoptr(VigieSeal) seal = store_seal_load(kinds[i].key, path, error);
    bool enrolments = kinds[i].sealed == &pki_enrolment_sealed;
    if (!seal || (enrolments && !pki_enrolments_seal(store, seal, error)) ||
        !store_seal_renew(store, seal, kinds[i].sealed, false, &count, error))
        return false;
    json_object_set_new(told, kinds[i].name,
                        json_pack("{s:s, s:I}", "key", store_seal_id(seal), "sealed", (json_int_t)count));
    return true;
}

static void print(const json_t *told, VigieLang lang) {
    const char *name;
    json_t *one;
    if (json_object_size(told) == 0)
        printf("%s\n", vigie_word(lang, "reseal.none"));
    json_object_foreach((json_t *)told, name, one) {
        g_autofree char *word = g_strconcat("reseal.", name, NULL),
                        *line = vigie_text_fill(vigie_word(lang, word), one);
        printf("%s\n", line);
    }
}

static bool run(const char *config_path, bool json, VigieLang lang, GError **error) {
    g_autoptr(VigieConfig) config = vigie_config_load(config_path, error);
    g_autoptr(VigieStore) store = config ? store_open(vigie_config_text(config, "store.url"), error) : NULL;
    g_autoptr(json_t) told = json_object();
    if (!store || !store_migrate(store, error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (!reseal(config, store, i, told, error))
            return false;
    if (!json) {
        print(told, lang);
        return true;
    }
    g_autofree char *text = vigie_json_text(told);
    printf("%s\n", text);
    return true;
}

int cli_reseal(int argc, char **argv) {
    g_autofree char *config = NULL;
    gboolean json = FALSE;
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &config, NULL, "FILE"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, NULL, NULL},
        {0},
    };
    VigieLang lang = VIGIE_FR;
    int status = CLI_FAILED;
    g_autoptr(GError) error = NULL;
    if (!cli_parse(&argc, &argv, entries, forms, examples, &lang, &status))
        return status;
    return run(config, json, lang, &error) ? CLI_WELL : cli_fail("reseal", error);
}
