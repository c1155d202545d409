/* Prints every declared key of the configuration, for its manual page. */
#include "base/base.h"

#include <stdio.h>

int main(void) {
    g_autofree char *example = vigie_config_example();
    return fputs(example, stdout) < 0;
}
