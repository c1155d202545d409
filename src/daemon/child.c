#include "daemon/child.h"
#include "daemon/resident.h"
#include "daemon/settings.h"
#include "daemon/worker.h"
#include "pki/pki.h"
#include "portal/portal.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

volatile int child_stop;

static int signal_fd = -1;

/* ---- Birth ---- */
/* First above all places, so that none is overwritten by another. */
static bool place_descriptors(const int descriptors[CHILD_DESCRIPTORS]) {
    int copies[CHILD_DESCRIPTORS];
    for (int i = 0; i < CHILD_DESCRIPTORS; i++)
        copies[i] = descriptors[i] < 0 ? -1 : fcntl(descriptors[i], F_DUPFD, 10);
    close_range(CHILD_LIFE_FD, 9, 0);
    for (int i = 0; i < CHILD_DESCRIPTORS; i++)
        if (descriptors[i] >= 0 && dup2(copies[i], CHILD_LIFE_FD + i) < 0)
            return false;
    return close_range(10, ~0U, 0) == 0;
}

_Noreturn void child_execute(const char *config_path, const char *role,
                             const int descriptors[CHILD_DESCRIPTORS]) {
    if (!place_descriptors(descriptors))
        _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    const char *arguments[8] = {"vigie", "serve", "--child", role};
    if (config_path) {
        arguments[4] = "--config";
        arguments[5] = config_path;
    }
    execv("/proc/self/exe", (char *const *)arguments);
    _exit(127);
}

/* ---- Life ---- */
/* Returns when the supervisor wrote its last, or SIGTERM came. */
static void *watch(void *unused) {
    (void)unused;
    struct pollfd fds[] = {{.fd = CHILD_LIFE_FD, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
    while (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno == EINTR)
        continue;
    child_stop = 1;
    sleep(CHILD_GRACE);
    vigie_log(VIGIE_LOG_WARNING, "did not end within %d s: leaves its work as it is", CHILD_GRACE);
    _exit(1);
}

void child_watch(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    /* Ctrl-C in a terminal reaches the children too, where the supervisor's word is what counts. */
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, watch, NULL) != 0)
        _exit(1);
    pthread_attr_destroy(&attributes);
}

void child_ready(void *unused) {
    (void)unused;
    const char ready = CHILD_READY;
    ssize_t written = write(CHILD_LIFE_FD, &ready, 1);
    (void)written; /* a supervisor that is gone is seen by watch() */
}

/* The supervisor says it: at the start to who started it, later to the log. */
static void tell_reason(const GError *error) {
    g_autofree char *text = g_strdup_printf("%c%.*s", CHILD_REASON, CHILD_REASON_MAX, error->message);
    if (write(CHILD_LIFE_FD, text, strlen(text)) < 0)
        vigie_log(VIGIE_LOG_ERROR, "%s", error->message);
}

/* ---- The portal ---- */
/* The parameters of a PostgreSQL URL; NULL where there are none, or GLib cannot read what libpq can. */
static GHashTable *url_parameters(const char *url) {
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NON_DNS, NULL);
    const char *query = uri ? g_uri_get_query(uri) : NULL;
    return query ? g_uri_parse_params(query, -1, "&", G_URI_PARAMS_NONE, NULL) : NULL;
}

/* Every file that the URL names: keys, authorities, a password file. */
static void allow_url_files(VigieSandbox *sandbox, const char *url) {
    g_autoptr(GHashTable) parameters = url_parameters(url);
    if (!parameters)
        return;
    GHashTableIter iterator;
    gpointer value = NULL;
    g_hash_table_iter_init(&iterator, parameters);
    while (g_hash_table_iter_next(&iterator, NULL, &value))
        if (g_path_is_absolute(value))
            sandbox_allow_read(sandbox, value);
}

/* What every child needs: the knowledge, the configuration, the store. */
static VigieSandbox *common_sandbox(const VigieConfig *config, GError **error) {
    g_autoptr(VigieSandbox) sandbox = sandbox_new();
    sandbox_allow_system(sandbox);
    sandbox_allow_read(sandbox, vigie_knowledge_folder());
    sandbox_allow_read(sandbox, vigie_config_path(config));
    GError *failure = NULL;
    g_autofree char *folder = settings_store_folder(config, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    sandbox_allow_write(sandbox, folder);
    if (folder)
        g_setenv("SQLITE_TMPDIR", folder, TRUE);
    return g_steal_pointer(&sandbox);
}

static void allow_files(VigieSandbox *sandbox, const VigieConfig *config, const char *const *keys,
                        size_t count) {
    for (size_t i = 0; i < count; i++)
        sandbox_allow_read(sandbox, vigie_config_text(config, keys[i]));
}

/* The desk of the CSIRT, on which portal and worker work. */
static void allow_desk(VigieSandbox *sandbox, const VigieConfig *config) {
    static const char *const keys[] = {"csirt.team", "csirt.artefact_key", "csirt.head_certificate"};
    allow_files(sandbox, config, keys, G_N_ELEMENTS(keys));
}

/* The portal has no reason to call anyone but its database, and whoever tells it the database's address. Where the
 * port is not plain (several servers in one URL), it may call any. */
static void allow_database(VigieSandbox *sandbox, const char *url) {
    if (g_str_has_prefix(url, "sqlite:"))
        return;
    allow_url_files(sandbox, url);
    sandbox->connects = true;
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NON_DNS, NULL);
    g_autoptr(GHashTable) parameters = url_parameters(url);
    const char *text = parameters ? g_hash_table_lookup(parameters, "port") : NULL;
    guint64 port = uri && g_uri_get_port(uri) > 0 ? (guint64)g_uri_get_port(uri) : 5432;
    if (!uri || (text && !g_ascii_string_to_unsigned(text, 10, 1, UINT16_MAX, &port, NULL)))
        return;
    const uint16_t ports[] = {53, (uint16_t)port};
    sandbox->ports = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    g_array_append_vals(sandbox->ports, ports, G_N_ELEMENTS(ports));
}

/* Settings that others check are not read here: who does not send mail has no business with its passwords. */
static bool run_portal(const VigieServeOptions *options, GError **error) {
    static const char *const keys[] = {"pki.registrar", "pki.evidence_key", "pki.policies", "fleet.mapping"};
    g_autoptr(VigieConfig) config = vigie_config_load(options->config_path, error);
    g_autoptr(VigieSandbox) sandbox = config ? common_sandbox(config, error) : NULL;
    if (!sandbox)
        return false;
    allow_database(sandbox, vigie_config_text(config, "store.url"));
    allow_desk(sandbox, config);
    allow_files(sandbox, config, keys, G_N_ELEMENTS(keys));
    g_autofree char *enrolments = pki_enrolment_key_path(config);
    sandbox_allow_read(sandbox, enrolments);
    if (!sandbox_enter(sandbox, error))
        return false;
    child_watch();
    VigieOcspClient *ocsp = resident_wanted(config) ? pki_ocsp_client_new(CHILD_OCSP_FD) : NULL;
    VigiePortalOptions portal = {.config = config,
                                 .listen_fd = CHILD_LISTEN_FD,
                                 .ocsp = ocsp,
                                 .stop = &child_stop,
                                 .ready = child_ready};
    bool ran = portal_run(&portal, error);
    pki_ocsp_client_free(ocsp);
    return ran;
}

/* ---- The worker ---- */
static void allow_worker_files(VigieSandbox *sandbox, const VigieConfig *config) {
    static const char *const keys[] = {"mail.ca_file",
                                       "mail.password_file",
                                       "mailbox.ca_file",
                                       "mailbox.incident.password_file",
                                       "mailbox.contact.password_file",
                                       "pki.directory_password_file",
                                       "pki.directory_ca_file"};
    const char *const *roots = vigie_config_list(config, "trust.roots");
    for (size_t i = 0; roots[i]; i++)
        sandbox_allow_read(sandbox, roots[i]);
    if (g_path_is_absolute(vigie_config_text(config, "csirt.rdap")))
        sandbox_allow_read(sandbox, vigie_config_text(config, "csirt.rdap"));
    allow_desk(sandbox, config);
    allow_files(sandbox, config, keys, G_N_ELEMENTS(keys));
}

static bool run_worker(const VigieServeOptions *options, GError **error) {
    g_autoptr(Settings) settings = settings_load(options->config_path, error);
    g_autoptr(VigieSandbox) sandbox = settings ? common_sandbox(settings->config, error) : NULL;
    if (!sandbox)
        return false;
    allow_url_files(sandbox, vigie_config_text(settings->config, "store.url"));
    allow_worker_files(sandbox, settings->config);
    sandbox->connects = true;
    /* What the worker itself may no longer do once it is confined: start gpg, and see the keys. */
    VigieMailCell *cell = mail_cell_start(settings->config, error);
    if (!cell || !sandbox_enter(sandbox, error))
        return false;
    child_watch();
    return worker_run(settings, cell, error);
}

/* ---- The signer ---- */
static bool run_signer(const VigieServeOptions *options, GError **error) {
    g_autoptr(VigieConfig) config = vigie_config_load(options->config_path, error);
    g_autoptr(VigieSandbox) sandbox = config ? common_sandbox(config, error) : NULL;
    if (!sandbox || !resident_allow(config, sandbox, error))
        return false;
    allow_database(sandbox, resident_store_url(config));
    if (!sandbox_enter(sandbox, error))
        return false;
    child_watch();
    return resident_run(config, error);
}

static const struct {
    const char *role, *log_name;
    bool (*run)(const VigieServeOptions *options, GError **error);
} roles[] = {
    {"portal", "vigie portal", run_portal},
    {"worker", "vigie worker", run_worker},
    {"signer", "vigie signer", run_signer},
};

/* Leaves without the C library's exit handlers: nothing is open that matters, and a sandboxed process may not do all
 * that they might try. */
bool daemon_child(const VigieServeOptions *options, const char *role) {
    g_autoptr(GError) error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(roles); i++) {
        if (strcmp(roles[i].role, role) != 0)
            continue;
        vigie_log_name(roles[i].log_name);
        sandbox_limit();
        bool well = roles[i].run(options, &error);
        if (!well)
            tell_reason(error);
        return well;
    }
    return false;
}
