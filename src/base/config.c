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

static const char *const type_names[] = {"text",
                                         "text",
                                         "a path",
                                         "a whole number",
                                         "true or false",
                                         "a duration",
                                         "a list, ';' between",
                                         "paths, ';' between"};

typedef struct {
    const char *key; /* group.name; a group may hold dots: [mailbox.incident] */
    Type type;
    const char *fallback;
    const char *example;
    const char *meaning;
} Key;

/* In the order in which the example shows them: a group's keys stand together. */
static const Key keys[] = {
    {"site.name", TYPE_TEXT, "Vigie", "CHU de Kermarec",
     "the establishment's name, as pages and mails show it"},
    {"site.url", TYPE_TEXT, "http://127.0.0.1:8080", "https://vigie.chu.example",
     "where people reach the portal"},
    {"site.time_zone", TYPE_TEXT, "Europe/Paris", "Europe/Zurich", "the readers' time zone"},
    {"site.language", TYPE_TEXT, "fr", "en", "fr or en, where the reader's own is not known"},
    {"store.url", TYPE_PLACE, "sqlite:/var/lib/vigie/vigie.db", "postgresql:///vigie?host=/run/postgresql",
     "the database: sqlite:PATH or postgresql://…"},
    {"store.signer_url", TYPE_TEXT, "", "postgresql://vigie-signer@/vigie?host=/run/postgresql",
     "the same PostgreSQL database for the signer, under a role of its own; empty: as the others"},
    {"portal.listen", TYPE_PLACE, "127.0.0.1:8080", "unix:/run/vigie/portal.sock",
     "where the portal listens: ADDRESS:PORT or unix:PATH; it speaks plain HTTP, so put a proxy before it "
     "elsewhere"},
    {"portal.proxy", TYPE_BOOL, "false", "true",
     "a proxy stands in front: the reader's address is the last of X-Forwarded-For"},
    {"portal.client_certificates", TYPE_BOOL, "false", "true",
     "the proxy asks for client certificates, with which people log in and devices renew theirs, and tells "
     "in "
     "X-SSL-Client-Verify and X-SSL-Client-Cert what it saw; portal.listen must be a Unix socket, so that "
     "nobody "
     "else can say so"},
    {"portal.session_idle", TYPE_SECONDS, "2 h", "30 min", "a session ends when it was not used for so long"},
    {"portal.session_max", TYPE_SECONDS, "12 h", "7 d", "a session ends so long after its login"},
    {"portal.upload_file", TYPE_INT, "25", "10", "the largest file that may be sent to the portal, in MiB"},
    {"portal.upload_total", TYPE_INT, "100", "40",
     "the most that may be sent in one form with its files, in MiB"},
    {"pki.registrar", TYPE_PATH, "", "/etc/vigie/pki/registrar.pem",
     "key and certificate (profile registrar, RSA), PEM, by which the portal answers CMP and SCEP; empty: it "
     "does not"},
    {"pki.operator_mail", TYPE_TEXT, "", "igc@chu.example",
     "who is told by mail what the authorities will want: a next generation, a list made with a key that is "
     "locked away, a certificate of a responder or a registrar; empty: nobody"},
    {"pki.evidence_key", TYPE_PATH, "", "/etc/vigie/evidence-key",
     "a file of 32 random octets that seals at rest what comes beside requests, as copies of identity papers "
     "(openssl rand -out FILE 32), or of several keys, the newest first; mode 0640 at most; empty: no "
     "evidence is taken"},
    {"pki.policies", TYPE_PATH, "", "/etc/vigie/pki/policies",
     "the folder of certification policies as documents, each named by its OID with .pdf, .html or .txt: "
     "published below /pki/policy/"},
    {"pki.directory", TYPE_TEXT, "", "ldaps://annuaire.chu.example",
     "the LDAP directory in which certificates and revocation lists are published; empty: none"},
    {"pki.directory_base", TYPE_TEXT, "", "ou=certificats,dc=chu,dc=example",
     "the entry below which they stand; it exists already"},
    {"pki.directory_user", TYPE_TEXT, "", "cn=vigie,dc=chu,dc=example", "who logs in there; empty: nobody"},
    {"pki.directory_password_file", TYPE_PATH, "", "/etc/vigie/pki/annuaire.password",
     "the file whose first line is its password"},
    {"pki.directory_ca_file", TYPE_PATH, "", "/etc/vigie/roots/ac-racine-chu.pem",
     "the authority that the directory's certificate is verified with; empty: the system's"},
    {"pki.directory_start_tls", TYPE_BOOL, "true", "false",
     "encrypt a connection to ldap:// before the login"},
    {"pki.acme_http_port", TYPE_INT, "80", "8080",
     "the port on which the challenge http-01 of ACME is looked for"},
    {"pki.acme_tls_port", TYPE_INT, "443", "8443",
     "the port on which the challenge tls-alpn-01 of ACME is looked for"},
    {"pki.acme_resolvers", TYPE_TEXT, "", "10.0.0.53,10.0.1.53",
     "the name servers that are asked for ACME's challenges, ADDRESS[:PORT] with commas between; empty: the "
     "system's"},
    {"trust.roots", TYPE_PATHS, "", "/etc/vigie/roots/ac-racine-chu.pem",
     "files of the hospital's own root certificates"},
    {"trust.system", TYPE_BOOL, "true", "false", "trust the system's roots too"},
    {"alarms.days", TYPE_LIST, "90;30;7;1;0", "60;30;15;0",
     "days before a certificate's end at which its owner is told"},
    {"alarms.hour", TYPE_INT, "7", "8",
     "the hour of the morning at which what is not urgent is told, in one mail"},
    {"alarms.silent_after", TYPE_INT, "3", "1",
     "an endpoint is silent after so many failed examinations in a row"},
    {"alarms.fallback", TYPE_TEXT, "", "biomed@chu.example",
     "who is told where an organisation has no contact"},
    {"fleet.mapping", TYPE_PATH, "", "/etc/vigie/gmao.conf",
     "which column of the GMAO's file is what, as knowledge/fleet-mapping.conf, which is meant where it is "
     "empty"},
    {"fleet.soon_days", TYPE_INT, "30", "60",
     "a certificate that ends within so many days is shown as ending soon"},
    {"survey.schedule", TYPE_LIST, "", "02:30;sun 14:00",
     "when the fleet is surveyed, local time, each HH:MM or DAY HH:MM (mon … sun); empty: only when asked"},
    {"survey.depth", TYPE_TEXT, "protocols", "full",
     "how deep those surveys look: certificate, protocols or full"},
    {"survey.by_organisation", TYPE_BOOL, "false", "true",
     "a survey of its own for each organisation, instead of one of the whole fleet"},
    {"survey.parallel", TYPE_INT, "500", "5000", "connections in flight, all endpoints together"},
    {"survey.rate", TYPE_INT, "0", "200", "new connections a second at most; 0: no limit"},
    {"mail.server", TYPE_TEXT, "", "smtp://relais.chu.example:587",
     "the SMTP server that takes our mail, smtp:// or smtps://; empty: no mail is sent"},
    {"mail.tls", TYPE_TEXT, "required", "none",
     "STARTTLS with an smtp:// server: required, opportunistic, or none (a relay on this machine)"},
    {"mail.ca_file", TYPE_PATH, "", "/etc/vigie/roots/ac-racine-chu.pem",
     "the authority of the server's certificate, where the system does not know it"},
    {"mail.user", TYPE_TEXT, "", "vigie", "the account at the server, where it wants one"},
    {"mail.password_file", TYPE_PATH, "", "/etc/vigie/smtp-password",
     "a file whose first line is that account's password; mode 0640 at most"},
    {"mail.from", TYPE_TEXT, "", "Vigie <vigie@chu.example>", "whom our mail is from"},
    {"mail.timeout", TYPE_SECONDS, "60 s", "2 min", "how long one conversation with the server may last"},
    {"mail.give_up", TYPE_SECONDS, "5 d", "2 d",
     "how long a message is tried again before it counts as failed"},
    {"mail.gnupg_home", TYPE_PATH, "", "/var/lib/vigie/gnupg",
     "the GnuPG folder with our key, without passphrase, and our partners'; mode 0700; empty: no OpenPGP"},
    {"mail.smime_file", TYPE_PATH, "", "/etc/vigie/smime.pem",
     "our S/MIME key and certificates in PEM, several where older mail must stay readable; mode 0640 at "
     "most"},
    {"mailbox.every", TYPE_SECONDS, "60 s", "5 min", "how often mailboxes are looked at"},
    {"mailbox.timeout", TYPE_SECONDS, "60 s", "2 min", "how long a mail server may be silent"},
    {"mailbox.ca_file", TYPE_PATH, "", "/etc/vigie/roots/ac-racine-chu.pem",
     "the authority of the mail servers' certificates, where the system does not know it"},
    {"mailbox.incident.url", TYPE_TEXT, "", "imaps://imap.chu.example",
     "where incidents are reported by mail: imaps://HOST[:PORT], or imap:// for STARTTLS; empty: nowhere"},
    {"mailbox.incident.user", TYPE_TEXT, "", "incident@chu.example", "that mailbox's account"},
    {"mailbox.incident.password_file", TYPE_PATH, "", "/etc/vigie/imap-incident",
     "a file whose first line is that account's password; mode 0640 at most"},
    {"mailbox.incident.folder", TYPE_TEXT, "INBOX", "Signalements", "the folder that is read"},
    {"mailbox.incident.archive", TYPE_TEXT, "", "Vigie",
     "an existing folder to which what was taken is moved; empty: it stays, marked as read"},
    {"mailbox.contact.url", TYPE_TEXT, "", "imaps://imap.chu.example",
     "the mailbox for all that is no incident, as mailbox.incident.url"},
    {"mailbox.contact.user", TYPE_TEXT, "", "csirt@chu.example", "that mailbox's account"},
    {"mailbox.contact.password_file", TYPE_PATH, "", "/etc/vigie/imap-contact",
     "a file whose first line is that account's password; mode 0640 at most"},
    {"mailbox.contact.folder", TYPE_TEXT, "INBOX", "Questions", "the folder that is read"},
    {"mailbox.contact.archive", TYPE_TEXT, "", "Vigie",
     "an existing folder to which what was taken is moved; empty: it stays, marked as read"},
    {"csirt.team", TYPE_PATH, "", "/etc/vigie/team.json",
     "who the CSIRT is, as the examples in csirt/teams/ of the knowledge folder; empty: no CSIRT works here"},
    {"csirt.artefact_key", TYPE_PATH, "", "/etc/vigie/artefact-key",
     "a file of 32 random octets that seals artefacts at rest (openssl rand -out FILE 32), or of several "
     "keys, the newest first; mode 0640 at most"},
    {"csirt.head_certificate", TYPE_PATH, "", "/etc/vigie/head-of-csirt.pem",
     "the certificate to which protected sources are sealed; its key stays with the head of the CSIRT"},
    {"csirt.anchor_mail", TYPE_TEXT, "", "rssi@gouvernance.example",
     "who is sent each day the anchor of all timelines, to keep where this database is not; empty: nobody "
     "(vigie case anchor prints it)"},
    {"csirt.lookup_private", TYPE_BOOL, "false", "true",
     "also ask addresses that are not of the public Internet for contacts; no stranger can then be trusted "
     "not to lead there"},
    {"csirt.lookup_timeout", TYPE_SECONDS, "15 s", "30 s", "how long one question for a contact may last"},
    {"csirt.rdap", TYPE_PATH, "", "https://rdap.example/",
     "the RDAP server to ask, or a folder with dns.json, ipv4.json and ipv6.json of IANA's bootstrap; empty: "
     "the servers "
     "of csirt/contacts.json in the knowledge folder"},
    {"csirt.whois", TYPE_TEXT, "", "whois.example:43",
     "the whois server to ask first; empty: that of csirt/contacts.json"},
    {"pki.signer_authorities", TYPE_LIST, "", "equipements;serveurs",
     "authorities that sign by themselves what was validated; empty: keys are opened by `vigie ca` alone"},
    {"pki.token_folders", TYPE_PATHS, "", "/etc/softhsm;/var/lib/softhsm/tokens",
     "folders that the signer's PKCS#11 module reads and writes"},
    {"pki.signer_passphrases", TYPE_PATH, "", "/etc/vigie/ca/passphrases",
     "a file with the passphrase of their keys, or a folder with one for each, named after it; empty: "
     "systemd's "
     "credentials, so named"},
    {"csirt.declarations_address", TYPE_INT, "30", "10",
     "so many declarations from one address in ten minutes, then it has to wait; 0: no limit"},
    {"csirt.declarations_minute", TYPE_INT, "120", "600",
     "above so many declarations a minute, each wants a proof of work; 0: never"},
    {"retention.observations", TYPE_SECONDS, "400 d", "1095 d",
     "how long observations that changed nothing are kept"},
    {"retention.mail", TYPE_SECONDS, "400 d", "90 d", "how long messages are kept after they were sent"},
    {"retention.evidence", TYPE_SECONDS, "2557 d", "3653 d",
     "how long what came beside a request is kept after the end of its certificate and of those that renewed "
     "it (ETSI EN 319 411-1 6.4.6: seven years at least); its SHA-256 stays in the log"},
    {"retention.evidence_refused", TYPE_SECONDS, "90 d", "30 d",
     "how long what came beside a request is kept after it was refused"},
    {"process.user", TYPE_TEXT, "", "vigie", "the account that `vigie serve` becomes when root starts it"},
    {"process.signer_user", TYPE_TEXT, "", "vigie-signer",
     "the account of the signer alone, which then has passphrases and keys that process.user cannot read; "
     "root must start `vigie serve`, or who may become another (CAP_SETUID, CAP_SETGID); empty: "
     "process.user"},
    {"process.lease", TYPE_SECONDS, "60 s", "5 min",
     "how long a job waits after its worker died before another takes it"},
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

static bool set_value(Value *value, GKeyFile *file, const char *path, const char *folder, GError **error) {
    const char *dot = strrchr(value->key->key, '.');
    g_autofree char *group = g_strndup(value->key->key, (gsize)(dot - value->key->key));
    g_autofree char *given = file ? g_key_file_get_string(file, group, dot + 1, NULL) : NULL;
    if (parse_value(value, given ? given : value->key->fallback, folder))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                "%s: [%s] %s = %s: %s is wanted (%s), as in: %s = %s", path ? path : "default", group,
                dot + 1, given, type_names[value->key->type], value->key->meaning, dot + 1,
                value->key->example);
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
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "%s: %s",
                    config->path ? config->path : "default", wrong);
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

/* As which of these three a value is asked for: text, a list, itself. */
static Type accessor(Type type) {
    return type == TYPE_PLACE || type == TYPE_PATH ? TYPE_TEXT : type == TYPE_PATHS ? TYPE_LIST : type;
}

static const Value *value_of(const VigieConfig *config, const char *key, Type type) {
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (strcmp(keys[i].key, key) == 0 && accessor(keys[i].type) == type)
            return &config->values[i];
    g_error("configuration key %s is not declared as %s", key, type_names[type]);
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

char *vigie_config_example(void) {
    GString *out = g_string_new(
        "# Vigie's configuration. Every key is shown with its default; remove # to change it.\n");
    const char *group = "";
    size_t group_size = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *name = strrchr(keys[i].key, '.') + 1;
        size_t size = (size_t)(name - keys[i].key - 1);
        if (size != group_size || strncmp(group, keys[i].key, size) != 0)
            g_string_append_printf(out, "\n[%.*s]\n", (int)size, keys[i].key);
        group = keys[i].key;
        group_size = size;
        g_string_append_printf(out, "# %s (%s); for example: %s\n#%s = %s\n", keys[i].meaning,
                               type_names[keys[i].type], keys[i].example, name, keys[i].fallback);
    }
    return g_string_free(out, FALSE);
}
