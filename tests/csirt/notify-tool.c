/* For the tests in Python: the search for contacts and the ladder by hand, with a clock of its own.
 *     notify-tool CONFIG lookup DOMAIN       asks, and prints what was found */
#include "csirt/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool print_json(json_t *value) {
    g_autoptr(json_t) owned = value;
    g_autofree char *text = owned ? json_dumps(owned, JSON_INDENT(1)) : NULL;
    if (text)
        puts(text);
    return text != NULL;
}

static bool look_up(const VigieConfig *config, const char *domain, GError **error) {
    g_autoptr(VigieLookup) lookup = csirt_lookup_new(config, error);
    return lookup && print_json(csirt_lookup_domain(lookup, domain, vigie_time_now(), NULL, error));
}

static bool act(int argc, char **argv, const VigieConfig *config, GError **error) {
    if (argc == 4 && strcmp(argv[2], "lookup") == 0)
        return look_up(config, argv[3], error);
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "usage: notify-tool CONFIG lookup DOMAIN");
    return false;
}

int main(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieConfig) config = argc > 2 ? vigie_config_load(argv[1], &error) : NULL;
    if (config && vigie_words_load(&error) && act(argc, argv, config, &error))
        return 0;
    fprintf(stderr, "%s\n", error ? error->message : "usage: notify-tool CONFIG …");
    return 2;
}
