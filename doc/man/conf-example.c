/* Prints every declared key of the configuration in a language, for its manual page: conf-example fr|en. */
#include "base/base.h"

#include <stdio.h>

int main(int argc, char **argv) {
    VigieLang lang = VIGIE_EN;
    if (argc != 2 || !vigie_lang_parse(argv[1], &lang) || !vigie_words_load(NULL))
        return 2;
    g_autofree char *example = vigie_config_example(lang);
    return fputs(example, stdout) < 0;
}
