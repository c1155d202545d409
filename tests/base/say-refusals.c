/* Each line of stdin, a refusal, as a French reader gets it; an empty line where nobody translated it. */
#include "base/base.h"

#include <stdio.h>

int main(void) {
    g_autoptr(GError) error = NULL;
    if (!vigie_words_load(&error)) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        g_autofree char *said = vigie_refusal(VIGIE_FR, g_strchomp(line), "refusal.member.");
        printf("%s\n", said ? said : "");
    }
    free(line);
    return 0;
}
