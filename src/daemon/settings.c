#include "daemon/settings.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const char *const depths[] = {
    [VIGIE_DEPTH_CERTIFICATE] = "certificate",
    [VIGIE_DEPTH_PROTOCOLS] = "protocols",
    [VIGIE_DEPTH_FULL] = "full",
};

static bool refuse(const Settings *settings, const char *key, const char *value, const char *wanted,
                   GError **error) {
    const char *dot = strrchr(key, '.');
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: [%.*s] %s = %s: %s",
                vigie_config_place(settings->config), (int)(dot - key), key, dot + 1, value, wanted);
    return false;
}

static bool read_depth(Settings *settings, GError **error) {
    const char *name = vigie_config_text(settings->config, "survey.depth");
    for (size_t i = 0; i < G_N_ELEMENTS(depths); i++)
        if (strcmp(depths[i], name) == 0) {
            settings->depth = (VigieDepth)i;
            return true;
        }
    return refuse(settings, "survey.depth", name,
                  "certificate, protocols or full is wanted, as in: depth = full", error);
}

static bool read_number(const Settings *settings, const char *key, int64_t least, int64_t most,
                        unsigned *ret_value, GError **error) {
    int64_t value = vigie_config_int(settings->config, key);
    if (value >= least && value <= most) {
        *ret_value = (unsigned)value;
        return true;
    }
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);
    g_autofree char *wanted = g_strdup_printf("%" G_GINT64_FORMAT " to %" G_GINT64_FORMAT
                                              " is wanted, as in: %s = %" G_GINT64_FORMAT,
                                              least, most, strchr(key, '.') + 1, MAX(least, 200));
    return refuse(settings, key, text, wanted, error);
}

static bool read_schedule(Settings *settings, GError **error) {
    if (daemon_schedule_parse(vigie_config_list(settings->config, "survey.schedule"), &settings->surveys,
                              error))
        return true;
    g_prefix_error(error, "%s: [survey] schedule: ", vigie_config_place(settings->config));
    return false;
}

static bool check_durations(const Settings *settings, GError **error) {
    const struct {
        const char *key;
        int64_t seconds, least;
        const char *wanted;
    } durations[] = {
        {"process.lease", settings->lease, 3, "3 s at least are wanted, as in: lease = 60 s"},
        {"mailbox.every", settings->poll_every, 5, "5 s at least are wanted, as in: every = 60 s"},
        {"retention.observations", settings->keep_observations, 86400,
         "a day at least is wanted, as in: observations = 400 d"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(durations); i++) {
        g_autofree char *given = g_strdup_printf("%" G_GINT64_FORMAT " s", durations[i].seconds);
        if (durations[i].seconds < durations[i].least)
            return refuse(settings, durations[i].key, given, durations[i].wanted, error);
    }
    return true;
}

static bool check_roots(const Settings *settings, GError **error) {
    const char *const *roots = vigie_config_list(settings->config, "trust.roots");
    for (size_t i = 0; roots[i]; i++)
        if (!g_file_test(roots[i], G_FILE_TEST_EXISTS))
            return refuse(settings, "trust.roots", roots[i],
                          "there is no such file, as in: roots = /etc/vigie/roots/ac-racine-chu.pem", error);
    return true;
}

static bool read_team(Settings *settings, GError **error) {
    GError *failure = NULL;
    if (!csirt_rules_load(error))
        return false;
    settings->team = csirt_team_load(settings->config, &failure);
    if (failure)
        g_propagate_error(error, failure);
    return failure == NULL;
}

Settings *settings_load(const char *config_path, GError **error) {
    g_autoptr(Settings) settings = g_new0(Settings, 1);
    settings->config = vigie_config_load(config_path, error);
    if (!settings->config)
        return NULL;
    GError *failure = NULL;
    settings->server = mail_server_new(settings->config, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    settings->mailboxes = mail_mailboxes_load(settings->config, error);
    if (!settings->mailboxes)
        return NULL;
    settings->poll_every = vigie_config_seconds(settings->config, "mailbox.every");
    settings->lease = vigie_config_seconds(settings->config, "process.lease");
    settings->give_up = vigie_config_seconds(settings->config, "mail.give_up");
    settings->keep_observations = vigie_config_seconds(settings->config, "retention.observations");
    settings->keep_mail = vigie_config_seconds(settings->config, "retention.mail");
    settings->keep_evidence = vigie_config_seconds(settings->config, "retention.evidence");
    settings->keep_refused = vigie_config_seconds(settings->config, "retention.evidence_refused");
    bool good = read_team(settings, error) && fleet_policy_load(settings->config, &settings->policy, error) &&
                read_schedule(settings, error) && read_depth(settings, error) &&
                read_number(settings, "survey.parallel", 1, 20000, &settings->parallel, error) &&
                read_number(settings, "survey.rate", 0, 100000, &settings->rate, error) &&
                check_durations(settings, error) && check_roots(settings, error);
    return good ? g_steal_pointer(&settings) : NULL;
}

void settings_free(Settings *settings) {
    if (!settings)
        return;
    mail_server_free(settings->server);
    g_clear_pointer(&settings->mailboxes, g_ptr_array_unref);
    csirt_team_free(settings->team);
    vigie_config_free(settings->config);
    g_free(settings);
}

char *settings_store_folder(const VigieConfig *config, GError **error) {
    const char *url = vigie_config_text(config, "store.url");
    if (!g_str_has_prefix(url, "sqlite:"))
        return NULL;
    g_autofree char *folder = g_path_get_dirname(url + strlen("sqlite:"));
    if (g_mkdir_with_parents(folder, 0700) == 0)
        return g_steal_pointer(&folder);
    g_set_error(
        error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
        "[store] url = %s: the folder %s cannot be made (%s); make it, owned by the account that runs vigie",
        url, folder, g_strerror(errno));
    return NULL;
}
