/* vigie serve: the portal and the worker, under a supervisor. */
#include "cli/cli.h"
#include "daemon/daemon.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const forms[] = {"[OPTIONS]", NULL};
static const char *const examples[] = {"vigie serve --config ./vigie.conf --listen 127.0.0.1:8081", NULL};

/* What the supervisor starts; it leaves without exit handlers, which a sandboxed process may not all run. */
static _Noreturn void serve_child(const VigieServeOptions *options, const char *role) {
    _exit(daemon_child(options, role) ? CLI_WELL : CLI_FAILED);
}

int cli_serve(int argc, char **argv) {
    g_autofree char *config = NULL, *listen = NULL, *child = NULL;
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &config, NULL, "FILE"},
        {"listen", 'l', 0, G_OPTION_ARG_STRING, &listen, NULL, "ADDRESS:PORT | unix:PATH"},
        {"child", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &child, NULL, ""},
        {0},
    };
    VigieLang lang = VIGIE_FR;
    int status = CLI_FAILED;
    if (!cli_parse(&argc, &argv, entries, forms, examples, &lang, &status))
        return status;
    VigieServeOptions options = {.config_path = config, .listen = listen};
    if (child)
        serve_child(&options, child);
    g_autoptr(GError) error = NULL;
    return daemon_serve(&options, &error) ? CLI_WELL : cli_fail("serve", error);
}
