/* Configuration: one declared table of keys, one file, one line of error. */
#include "base/base.h"

#include <string.h>

#define DEFAULT_PATH "/etc/vigie/vigie.conf"

typedef enum {
    TYPE_TEXT,
    TYPE_PLACE, /* text; "sqlite:" and "unix:" stand before a path */
    TYPE_PATH,  /* of a file or folder; an address where it has "://" */
    TYPE_INT,
    TYPE_BOOL,
    TYPE_SECONDS,
    TYPE_LIST,
    TYPE_PATHS
} Type;

/* The words config.type.NAME say them. */
static const char *const types[] = {"text", "text", "path", "int", "bool", "seconds", "list", "paths"};

typedef struct {
    const char *key; /* group.name; a group may hold dots: [mailbox.incident] */
    Type type;
    const char *fallback;
    const char *example;
} Key; /* the words config.KEY say what it means */

/* In the order in which the example shows them: a group's keys stand together. */
static const Key keys[] = {
    {"site.name", TYPE_TEXT, "Vigie", "CHU de Kermarec"},
    {"site.url", TYPE_TEXT, "http://127.0.0.1:8080", "https://vigie.chu.example"},
    {"site.time_zone", TYPE_TEXT, "Europe/Paris", "Europe/Zurich"},
    {"site.language", TYPE_TEXT, "fr", "en"},
    {"store.url", TYPE_PLACE, "sqlite:/var/lib/vigie/vigie.db", "postgresql:///vigie?host=/run/postgresql"},
    {"store.signer_url", TYPE_TEXT, "", "postgresql://vigie-signer@/vigie?host=/run/postgresql"},
    {"portal.listen", TYPE_PLACE, "127.0.0.1:8080", "unix:/run/vigie/portal.sock"},
    {"portal.proxy", TYPE_BOOL, "false", "true"},
    {"portal.client_certificates", TYPE_BOOL, "false", "true"},
    {"portal.session_idle", TYPE_SECONDS, "2 h", "30 min"},
    {"portal.session_max", TYPE_SECONDS, "12 h", "7 d"},
    {"portal.upload_file", TYPE_INT, "25", "10"},
    {"portal.upload_total", TYPE_INT, "100", "40"},
    {"pki.registrar", TYPE_PATH, "", "/etc/vigie/pki/registrar.pem"},
    {"pki.operator_mail", TYPE_TEXT, "", "igc@chu.example"},
    {"pki.evidence_key", TYPE_PATH, "", "/etc/vigie/evidence-key"},
    {"pki.enrolment_key", TYPE_PATH, "", "/etc/vigie/enrolment-key"},
    {"pki.policies", TYPE_PATH, "", "/etc/vigie/pki/policies"},
    {"pki.directory", TYPE_TEXT, "", "ldaps://annuaire.chu.example"},
    {"pki.directory_base", TYPE_TEXT, "", "ou=certificats,dc=chu,dc=example"},
    {"pki.directory_user", TYPE_TEXT, "", "cn=vigie,dc=chu,dc=example"},
    {"pki.directory_password_file", TYPE_PATH, "", "/etc/vigie/pki/annuaire.password"},
    {"pki.directory_ca_file", TYPE_PATH, "", "/etc/vigie/roots/ac-racine-chu.pem"},
    {"pki.directory_start_tls", TYPE_BOOL, "true", "false"},
    {"pki.acme_http_port", TYPE_INT, "80", "8080"},
    {"pki.acme_tls_port", TYPE_INT, "443", "8443"},
    {"pki.acme_resolvers", TYPE_TEXT, "", "10.0.0.53,10.0.1.53"},
    {"trust.roots", TYPE_PATHS, "", "/etc/vigie/roots/ac-racine-chu.pem"},
    {"trust.system", TYPE_BOOL, "true", "false"},
    {"alarms.days", TYPE_LIST, "90;30;7;1;0", "60;30;15;0"},
    {"alarms.hour", TYPE_INT, "7", "8"},
    {"alarms.silent_after", TYPE_INT, "3", "1"},
    {"alarms.fallback", TYPE_TEXT, "", "biomed@chu.example"},
    {"fleet.mapping", TYPE_PATH, "", "/etc/vigie/gmao.conf"},
    {"fleet.soon_days", TYPE_INT, "30", "60"},
    {"survey.schedule", TYPE_LIST, "", "02:30;sun 14:00"},
    {"survey.depth", TYPE_TEXT, "protocols", "full"},
    {"survey.by_organisation", TYPE_BOOL, "false", "true"},
    {"survey.parallel", TYPE_INT, "500", "5000"},
    {"survey.rate", TYPE_INT, "0", "200"},
    {"mail.server", TYPE_TEXT, "", "smtp://relais.chu.example:587"},
    {"mail.tls", TYPE_TEXT, "required", "none"},
    {"mail.ca_file", TYPE_PATH, "", "/etc/vigie/roots/ac-racine-chu.pem"},
    {"mail.user", TYPE_TEXT, "", "vigie"},
    {"mail.password_file", TYPE_PATH, "", "/etc/vigie/smtp-password"},
    {"mail.from", TYPE_TEXT, "", "Vigie <vigie@chu.example>"},
    {"mail.timeout", TYPE_SECONDS, "60 s", "2 min"},
    {"mail.give_up", TYPE_SECONDS, "5 d", "2 d"},
    {"mail.gnupg_home", TYPE_PATH, "", "/var/lib/vigie/gnupg"},
    {"mail.smime_file", TYPE_PATH, "", "/etc/vigie/smime.pem"},
    {"mailbox.every", TYPE_SECONDS, "60 s", "5 min"},
    {"mailbox.timeout", TYPE_SECONDS, "60 s", "2 min"},
    {"mailbox.ca_file", TYPE_PATH, "", "/etc/vigie/roots/ac-racine-chu.pem"},
    {"mailbox.incident.url", TYPE_TEXT, "", "imaps://imap.chu.example"},
    {"mailbox.incident.user", TYPE_TEXT, "", "incident@chu.example"},
    {"mailbox.incident.password_file", TYPE_PATH, "", "/etc/vigie/imap-incident"},
    {"mailbox.incident.folder", TYPE_TEXT, "INBOX", "Signalements"},
    {"mailbox.incident.archive", TYPE_TEXT, "", "Vigie"},
    {"mailbox.contact.url", TYPE_TEXT, "", "imaps://imap.chu.example"},
    {"mailbox.contact.user", TYPE_TEXT, "", "csirt@chu.example"},
    {"mailbox.contact.password_file", TYPE_PATH, "", "/etc/vigie/imap-contact"},
    {"mailbox.contact.folder", TYPE_TEXT, "INBOX", "Questions"},
    {"mailbox.contact.archive", TYPE_TEXT, "", "Vigie"},
    {"csirt.team", TYPE_PATH, "", "/etc/vigie/team.json"},
    {"csirt.artefact_key", TYPE_PATH, "", "/etc/vigie/artefact-key"},
    {"csirt.head_certificate", TYPE_PATH, "", "/etc/vigie/head-of-csirt.pem"},
    {"csirt.anchor_mail", TYPE_TEXT, "", "rssi@gouvernance.example"},
    {"csirt.lookup_private", TYPE_BOOL, "false", "true"},
    {"csirt.lookup_timeout", TYPE_SECONDS, "15 s", "30 s"},
    {"csirt.rdap", TYPE_PATH, "", "https://rdap.example/"},
    {"csirt.whois", TYPE_TEXT, "", "whois.example:43"},
    {"pki.signer_authorities", TYPE_LIST, "", "equipements;serveurs"},
    {"pki.token_folders", TYPE_PATHS, "", "/etc/softhsm;/var/lib/softhsm/tokens"},
    {"pki.signer_passphrases", TYPE_PATH, "", "/etc/vigie/ca/passphrases"},
    {"csirt.declarations_address", TYPE_INT, "30", "10"},
    {"csirt.declarations_minute", TYPE_INT, "120", "600"},
    {"retention.observations", TYPE_SECONDS, "400 d", "1095 d"},
    {"retention.mail", TYPE_SECONDS, "400 d", "90 d"},
    {"retention.evidence", TYPE_SECONDS, "2557 d", "3653 d"},
    {"retention.evidence_refused", TYPE_SECONDS, "90 d", "30 d"},
    {"process.user", TYPE_TEXT, "", "vigie"},
    {"process.signer_user", TYPE_TEXT, "", "vigie-signer"},
    {"process.reach_itself", TYPE_BOOL, "false", "true"},
    {"process.lease", TYPE_SECONDS, "60 s", "5 min"},
};

typedef struct {
    const Key *key;
    char *text;
    char **list;
    int64_t number;
} Value;

struct VigieConfig {
    char *path;
    GTimeZone *zone;
    Value values[G_N_ELEMENTS(keys)];
};

void vigie_config_free(VigieConfig *config) {
    if (!config)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_free(config->values[i].text);
        g_strfreev(config->values[i].list);
    }
    g_clear_pointer(&config->zone, g_time_zone_unref);
    g_free(config->path);
    g_free(config);
}

static bool parse_int(const char *text, int64_t *ret_number) {
    char *end = NULL;
    *ret_number = g_ascii_strtoll(text, &end, 10);
    return end != text && *end == '\0';
}

/* From `folder`, that of the file: what it means hangs on nobody's working directory. `folder` NULL: the defaults, which are absolute. */
static char *path_from(const char *folder, const char *path) {
    return !folder || *path == '\0' || strstr(path, "://") ? g_strdup(path)
                                                           : g_canonicalize_filename(path, folder);
}

static char *place_from(const char *folder, const char *text) {
    static const char *const before[] = {"sqlite:", "unix:"};
    for (size_t i = 0; i < G_N_ELEMENTS(before); i++)
        if (g_str_has_prefix(text, before[i])) {
            g_autofree char *path = path_from(folder, text + strlen(before[i]));
            return g_strconcat(before[i], path, NULL);
        }
    return g_strdup(text);
}

/* Without what is empty. */
static char **parse_list(const char *text, const char *folder) {
    char **list = g_strsplit(text, ";", -1);
    size_t kept = 0;
    for (size_t i = 0; list[i]; i++) {
        g_autofree char *item = list[i];
        if (*g_strstrip(item))
            list[kept++] = path_from(folder, item);
    }
    list[kept] = NULL;
    return list;
}

static bool parse_value(Value *value, const char *text, const char *folder) {
    value->text = value->key->type == TYPE_PATH    ? path_from(folder, text)
                  : value->key->type == TYPE_PLACE ? place_from(folder, text)
                                                   : g_strdup(text);
    switch (value->key->type) {
    case TYPE_TEXT:
    case TYPE_PLACE:
    case TYPE_PATH:
        return true;
    case TYPE_INT:
        return parse_int(text, &value->number);
    case TYPE_BOOL:
        value->number = strcmp(text, "true") == 0;
        return value->number || strcmp(text, "false") == 0;
    case TYPE_SECONDS:
        return vigie_duration_parse(text, &value->number, NULL);
    case TYPE_LIST:
        value->list = parse_list(text, NULL);
        return true;
    case TYPE_PATHS:
        value->list = parse_list(text, folder);
        return true;
    }
    return false;
}

static const Key *find_key(const char *group, const char *name) {
    g_autofree char *full = g_strconcat(group, ".", name, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (strcmp(keys[i].key, full) == 0)
            return &keys[i];
    return NULL;
}

static bool check_known(GKeyFile *file, const char *path, GError **error) {
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
    for (size_t g = 0; groups[g]; g++) {
        g_auto(GStrv) names = g_key_file_get_keys(file, groups[g], NULL, NULL);
        for (size_t n = 0; names && names[n]; n++) {
            if (find_key(groups[g], names[n]))
                continue;
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "%s: [%s] %s is not a key of Vigie; `vigie doctor --example` lists them all", path,
                        groups[g], names[n]);
            return false;
        }
    }
    return true;
}

static const char *meaning_of(VigieLang lang, const Key *key) {
    g_autofree char *word = g_strconcat("config.", key->key, NULL);
    return vigie_word(lang, g_intern_string(word));
}

static const char *type_of(VigieLang lang, const Key *key) {
    g_autofree char *word = g_strconcat("config.type.", types[key->type], NULL);
    return vigie_word(lang, g_intern_string(word));
}

static bool set_value(Value *value, GKeyFile *file, const char *path, const char *folder, GError **error) {
    const char *dot = strrchr(value->key->key, '.');
    g_autofree char *group = g_strndup(value->key->key, (gsize)(dot - value->key->key));
    g_autofree char *given = file ? g_key_file_get_string(file, group, dot + 1, NULL) : NULL;
    if (parse_value(value, given ? given : value->key->fallback, folder))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: [%s] %s = %s: %s is wanted, as in: %s = %s",
                path, group, dot + 1, given, type_of(VIGIE_EN, value->key), dot + 1, value->key->example);
    return false;
}

/* What a type cannot say. */
static bool check_values(VigieConfig *config, GError **error) {
    VigieLang lang = VIGIE_FR;
    const char *zone = vigie_config_text(config, "site.time_zone");
    config->zone = g_time_zone_new_identifier(zone);
    const char *url = vigie_config_text(config, "store.url");
    const char *signer_url = vigie_config_text(config, "store.signer_url"), *wrong = NULL;
    if (!config->zone)
        wrong = "[site] time_zone is not a zone of this system, as in: time_zone = Europe/Paris";
    else if (!vigie_lang_parse(vigie_config_text(config, "site.language"), &lang))
        wrong = "[site] language is fr or en, as in: language = fr";
    else if (*signer_url &&
             !(g_str_has_prefix(url, "postgresql:") && g_str_has_prefix(signer_url, "postgresql:")))
        wrong = "[store] signer_url is for PostgreSQL: both it and url begin with postgresql:";
    else if (!g_str_has_prefix(url, "sqlite:") && !g_str_has_prefix(url, "postgresql:"))
        wrong = "[store] url begins with sqlite: or postgresql:, as in: url = sqlite:/var/lib/vigie/vigie.db";
    if (wrong)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: %s", vigie_config_place(config), wrong);
    return !wrong;
}

VigieConfig *vigie_config_load(const char *path, GError **error) {
    bool given = path != NULL;
    path = given ? path : DEFAULT_PATH;
    g_autoptr(VigieConfig) config = g_new0(VigieConfig, 1);
    g_autoptr(GKeyFile) file = NULL;
    g_autofree char *folder = NULL;
    if (given || g_file_test(path, G_FILE_TEST_EXISTS)) {
        file = g_key_file_new();
        config->path = g_strdup(path);
        g_autofree char *absolute = g_canonicalize_filename(path, NULL);
        folder = g_path_get_dirname(absolute);
        if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, error)) {
            g_prefix_error(error, "%s: ", path);
            return NULL;
        }
        if (!check_known(file, path, error))
            return NULL;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        config->values[i].key = &keys[i];
        if (!set_value(&config->values[i], file, config->path, folder, error))
            return NULL;
    }
    return check_values(config, error) ? g_steal_pointer(&config) : NULL;
}

const char *vigie_config_path(const VigieConfig *config) {
    return config->path;
}

const char *vigie_config_place(const VigieConfig *config) {
    return config->path ? config->path : DEFAULT_PATH;
}

/* As which of these three a value is asked for: text, a list, itself. */
static Type accessor(Type type) {
    return type == TYPE_PLACE || type == TYPE_PATH ? TYPE_TEXT : type == TYPE_PATHS ? TYPE_LIST : type;
}

static const Value *value_of(const VigieConfig *config, const char *key, Type type) {
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (strcmp(keys[i].key, key) == 0 && accessor(keys[i].type) == type)
            return &config->values[i];
    g_error("configuration key %s is not declared as %s", key, types[type]);
}

const char *vigie_config_text(const VigieConfig *config, const char *key) {
    return value_of(config, key, TYPE_TEXT)->text;
}

int64_t vigie_config_int(const VigieConfig *config, const char *key) {
    return value_of(config, key, TYPE_INT)->number;
}

bool vigie_config_bool(const VigieConfig *config, const char *key) {
    return value_of(config, key, TYPE_BOOL)->number != 0;
}

int64_t vigie_config_seconds(const VigieConfig *config, const char *key) {
    return value_of(config, key, TYPE_SECONDS)->number;
}

const char *const *vigie_config_list(const VigieConfig *config, const char *key) {
    return (const char *const *)value_of(config, key, TYPE_LIST)->list;
}

GTimeZone *vigie_config_zone(const VigieConfig *config) {
    return config->zone;
}

char *vigie_config_example(VigieLang lang) {
    GString *out = g_string_new(NULL);
    const char *group = "";
    size_t group_size = 0;
    g_string_append_printf(out, "# %s\n", vigie_word(lang, "config.head"));
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *name = strrchr(keys[i].key, '.') + 1;
        size_t size = (size_t)(name - keys[i].key - 1);
        if (size != group_size || strncmp(group, keys[i].key, size) != 0)
            g_string_append_printf(out, "\n[%.*s]\n", (int)size, keys[i].key);
        group = keys[i].key;
        group_size = size;
        g_autofree char *said =
            vigie_words(lang, "config.line", "meaning", meaning_of(lang, &keys[i]), "type",
                        type_of(lang, &keys[i]), "example", keys[i].example, NULL);
        g_string_append_printf(out, "# %s\n#%s = %s\n", said, name, keys[i].fallback);
    }
    return g_string_free(out, FALSE);
}
