/* vigie user: who may use the portal. A password comes from a prompt, from standard input or from chance, never from
 * the command line, where every user of the machine could read it. */
#include "cli/cli.h"
#include "pki/pki.h"
#include "portal/portal.h"

#include <stdio.h>
#include <string.h>

enum { DAY = 86400 };

typedef struct {
    char *config, *role, *scope, *label;
    gint64 organisation;
    char *profession, *department;
    int days;
    gboolean json, from_stdin, generate;
    VigieLang lang;
    const char *name, *argument; /* argument: may be NULL */
    VigieStore *store;
    VigieTime now;
} User;

static const char *const forms[] = {
    "add NAME --role ROLE [--organisation ID] [--password-stdin | --generate] [--json]",
    "list [--json]",
    "password NAME [--password-stdin | --generate] [--json]",
    "role NAME --role ROLE [--organisation ID]",
    "disable NAME",
    "enable NAME",
    "token NAME [--scope SCOPE] [--label TEXT] [--days N]",
    "grant NAME ROLE [--organisation ID] [--profession CODE] [--department NUMBER]",
    "withdraw NAME [ROLE] [--organisation ID] [--profession CODE] [--department NUMBER]",
    "grants [--json]",
    "certificate NAME SERIAL",
    "no-certificate NAME",
    "certificates [--json]",
    NULL};
static const char *const examples[] = {"vigie user add camille --role admin --generate",
                                       "vigie user token camille --scope metrics \\",
                                       "  --label Prometheus --days 90",
                                       "vigie user grant a.dsi dsi",
                                       "vigie user grant o.lefevre ordre --profession 10 --department 75",
                                       NULL};

/* ---- Passwords ---------------------------------------------------------------------------------------------- */
static CliSecret get_password(const User *user, GError **error) {
    if (user->generate)
        return portal_password_generate();
    if (user->from_stdin)
        return cli_secret_read("fd:0", error);
    return cli_secret_ask(vigie_word(user->lang, "user.password"), vigie_word(user->lang, "user.again"),
                          error);
}

/* A generated password is told here, once. */
static void tell_password(const User *user, const char *password) {
    if (!user->generate)
        return;
    if (user->json) {
        g_autoptr(json_t) told = json_pack("{s:s, s:s}", "name", user->name, "password", password);
        g_autofree char *text = vigie_json_text(told);
        printf("%s\n", text);
    } else {
        g_autofree char *text = vigie_words(user->lang, "user.generated", "password", password, NULL);
        printf("%s\n", text);
    }
}

/* ---- Commands ----------------------------------------------------------------------------------------------- */
static bool add(const User *user, GError **error) {
    VigieRole role;
    if (!user->role || !portal_role_parse(user->role, &role)) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "--role reader, biomed, analyst, head or admin is wanted, as in --role biomed");
        return false;
    }
    g_auto(CliSecret) password = get_password(user, error);
    if (!password ||
        !portal_user_add(user->store, user->name, role, user->organisation, password, NULL, user->now, error))
        return false;
    tell_password(user, password);
    return true;
}

static bool password(const User *user, GError **error) {
    g_auto(CliSecret) text = get_password(user, error);
    if (!text || !portal_user_password(user->store, user->name, text, NULL, user->now, error))
        return false;
    tell_password(user, text);
    return true;
}

static bool disable(const User *user, GError **error) {
    return portal_user_disable(user->store, user->name, true, NULL, user->now, error);
}

static bool change_role(const User *user, GError **error) {
    VigieRole role;
    if (user->role && portal_role_parse(user->role, &role))
        return portal_user_role(user->store, user->name, role, user->organisation, NULL, user->now, error);
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "--role reader, biomed, analyst, head or admin is wanted, as in --role biomed");
    return false;
}

static bool enable(const User *user, GError **error) {
    return portal_user_disable(user->store, user->name, false, NULL, user->now, error);
}

static bool token(const User *user, GError **error) {
    g_autofree char *secret =
        portal_token_add(user->store, user->name, user->label ? user->label : "",
                         user->scope ? user->scope : "read", (int64_t)user->days * DAY, user->now, error);
    if (secret)
        printf("%s\n", secret);
    return secret != NULL;
}

static void print_user(const User *user, const json_t *one) {
    g_autofree char *role =
        g_strconcat("portal.role.", json_string_value(json_object_get(one, "role")), NULL);
    const char *last = json_string_value(json_object_get(one, "last_login"));
    bool disabled = json_is_true(json_object_get(one, "disabled"));
    printf("%-24s %-18s %-20s %s\n", json_string_value(json_object_get(one, "name")),
           vigie_word(user->lang, role), last ? last : "–",
           disabled ? vigie_word(user->lang, "user.disabled") : "");
}

static bool list(const User *user, GError **error) {
    g_autoptr(json_t) users = portal_user_list(user->store, error);
    if (!users)
        return false;
    if (user->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "users", users);
        g_autofree char *text = vigie_json_text(object);
        printf("%s\n", text);
        return true;
    }
    size_t index;
    json_t *one;
    json_array_foreach(users, index, one) {
        print_user(user, one);
    }
    if (json_array_size(users) == 0)
        printf("%s\n", vigie_word(user->lang, "user.none"));
    return true;
}

/* ---- Roles in the registration of certificates ---------------------------------------------------------------- */
static bool known(const User *user, GError **error) {
    g_autoptr(json_t) users = portal_user_list(user->store, error);
    g_autofree char *wanted = vigie_text_fold(user->name);
    size_t index;
    json_t *one;
    if (!users)
        return false;
    json_array_foreach(users, index, one) {
        g_autofree char *folded = vigie_text_fold(json_string_value(json_object_get(one, "name")));
        if (strcmp(folded, wanted) == 0)
            return true;
    }
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is no user %s: vigie user list shows them",
                user->name);
    return false;
}

static VigieGrant scope_of(const User *user) {
    return (VigieGrant){.role = user->argument,
                        .organisation = user->organisation,
                        .profession = user->profession ? user->profession : "",
                        .department = user->department ? user->department : ""};
}

static const char *or_dash(const json_t *object, const char *member) {
    const char *text = json_string_value(json_object_get(object, member));
    return text && *text ? text : "–";
}

static bool grant(const User *user, GError **error) {
    g_autoptr(VigieProfiles) profiles = known(user, error) ? pki_profiles_load(error) : NULL;
    const VigieGrant scope = scope_of(user);
    return profiles &&
           pki_grant_add(user->store, profiles, user->name, &scope, g_get_user_name(), user->now, error);
}

static bool withdraw(const User *user, GError **error) {
    const VigieGrant scope = scope_of(user);
    return pki_grant_remove(user->store, user->name, user->argument ? &scope : NULL, g_get_user_name(),
                            user->now, error);
}

static bool grants(const User *user, GError **error) {
    g_autoptr(json_t) list = pki_grant_list(user->store, NULL, error);
    size_t index;
    json_t *one;
    if (!list)
        return false;
    if (user->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "grants", list);
        g_autofree char *text = vigie_json_text(object);
        printf("%s\n", text);
        return true;
    }
    json_array_foreach(list, index, one) {
        printf("%-24s %-24s %6" JSON_INTEGER_FORMAT "  %-3s %-3s  %.10s  %s\n",
               json_string_value(json_object_get(one, "account")),
               json_string_value(json_object_get(one, "role")),
               json_integer_value(json_object_get(one, "organisation")), or_dash(one, "profession"),
               or_dash(one, "department"), json_string_value(json_object_get(one, "since")),
               json_string_value(json_object_get(one, "by")));
    }
    if (json_array_size(list) == 0)
        printf("%s\n", vigie_word(user->lang, "user.grants.none"));
    return true;
}

/* ---- Certificates instead of passwords ------------------------------------------------------------------------ */
static bool certificate(const User *user, GError **error) {
    return portal_user_certificate_add(user->store, user->name, user->argument, NULL, user->now, error);
}

static bool no_certificate(const User *user, GError **error) {
    return portal_user_certificate_remove(user->store, user->name, NULL, user->now, error);
}

static bool certificates(const User *user, GError **error) {
    g_autoptr(json_t) list = portal_user_certificate_list(user->store, error);
    size_t index;
    json_t *one;
    if (!list)
        return false;
    if (user->json) {
        g_autoptr(json_t) object = json_pack("{s:O}", "certificates", list);
        g_autofree char *text = vigie_json_text(object);
        printf("%s\n", text);
        return true;
    }
    json_array_foreach(list, index, one) {
        printf("%-24s %-16s %-28s %s\n", json_string_value(json_object_get(one, "account")),
               json_string_value(json_object_get(one, "authority")),
               json_string_value(json_object_get(one, "profile")),
               json_string_value(json_object_get(one, "subject")));
    }
    if (json_array_size(list) == 0)
        printf("%s\n", vigie_word(user->lang, "user.certificates.none"));
    return true;
}

static const struct {
    const char *name;
    bool (*run)(const User *user, GError **error);
} commands[] = {
    {"add", add},
    {"list", list},
    {"password", password},
    {"role", change_role},
    {"disable", disable},
    {"enable", enable},
    {"token", token},
    {"grant", grant},
    {"withdraw", withdraw},
    {"grants", grants},
    {"certificate", certificate},
    {"no-certificate", no_certificate},
    {"certificates", certificates},
};

static bool run(User *user, char **argv, GError **error) {
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i].name, argv[1]) != 0)
            continue;
        g_autoptr(VigieConfig) config = vigie_config_load(user->config, error);
        g_autoptr(VigieStore) store =
            config ? store_open(vigie_config_text(config, "store.url"), error) : NULL;
        user->store = store;
        user->name = argv[2];
        user->argument = argv[2] ? argv[3] : NULL;
        return store && store_migrate(store, error) && commands[i].run(user, error);
    }
    return false;
}

int cli_user(int argc, char **argv) {
    User user = {.now = vigie_time_now(), .days = 365};
    const GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &user.config, NULL, "FILE"},
        {"role", 'r', 0, G_OPTION_ARG_STRING, &user.role, NULL, "ROLE"},
        {"organisation", 'o', 0, G_OPTION_ARG_INT64, &user.organisation, NULL, "ID"},
        {"profession", 0, 0, G_OPTION_ARG_STRING, &user.profession, NULL, "CODE"},
        {"department", 0, 0, G_OPTION_ARG_STRING, &user.department, NULL, "NUMBER"},
        {"password-stdin", 0, 0, G_OPTION_ARG_NONE, &user.from_stdin, NULL, NULL},
        {"generate", 'g', 0, G_OPTION_ARG_NONE, &user.generate, NULL, NULL},
        {"scope", 0, 0, G_OPTION_ARG_STRING, &user.scope, NULL, "SCOPE"},
        {"label", 0, 0, G_OPTION_ARG_STRING, &user.label, NULL, "TEXT"},
        {"days", 0, 0, G_OPTION_ARG_INT, &user.days, NULL, "N"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &user.json, NULL, NULL},
        {0},
    };
    int status = CLI_FAILED;
    if (cli_parse(&argc, &argv, entries, forms, examples, &user.lang, &status)) {
        g_autoptr(GError) error = NULL;
        status = run(&user, argv, &error) ? CLI_WELL : cli_fail("user", error);
    }
    g_free(user.config);
    g_free(user.role);
    g_free(user.scope);
    g_free(user.label);
    g_free(user.profession);
    g_free(user.department);
    return status;
}
