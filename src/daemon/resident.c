#include "daemon/resident.h"
#include "daemon/child.h"
#include "daemon/responder.h"
#include "pki/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What one request brought about waits a little for the next before lists are made; without requests, lists and answers
 * are looked after once a minute. */
enum { PASSPHRASE_MAX = 1024, IDLE_MS = 1000, TROUBLE_MS = 5000, GATHER_US = 300000, KEEP_US = 60000000 };

bool resident_wanted(const VigieConfig *config) {
    return vigie_config_list(config, "pki.signer_authorities")[0] != NULL;
}

const char *resident_store_url(const VigieConfig *config) {
    const char *own = vigie_config_text(config, "store.signer_url");
    return *own ? own : vigie_config_text(config, "store.url");
}

/* ---- Passphrases -------------------------------------------------------------------------------------------- */
static const char *passphrase_place(const VigieConfig *config) {
    const char *place = vigie_config_text(config, "pki.signer_passphrases");
    return *place ? place : g_getenv("CREDENTIALS_DIRECTORY");
}

static bool refuse(const char *path, const char *why, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "[pki] signer_passphrases: %s: %s", path, why);
    return false;
}

static char *read_first_line(const char *path, GError **error) {
    struct stat about;
    char *line = g_malloc0(PASSPHRASE_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool well = fd >= 0 && fstat(fd, &about) == 0 && read(fd, line, PASSPHRASE_MAX - 1) > 0;
    int reason = errno;
    if (fd >= 0)
        close(fd);
    line[strcspn(line, "\r\n")] = '\0';
    if (!well)
        refuse(path, fd < 0 ? g_strerror(reason) : "its first line is empty", error);
    else if (about.st_mode & (S_IROTH | S_IWOTH))
        well = refuse(path, "it can be read by everybody: chmod 600 it", error);
    if (well)
        return line;
    explicit_bzero(line, PASSPHRASE_MAX);
    g_free(line);
    return NULL;
}

char *resident_passphrase_path(const VigieConfig *config, const char *authority) {
    const char *place = passphrase_place(config);
    if (!place || !g_file_test(place, G_FILE_TEST_IS_DIR))
        return g_strdup(place);
    return g_build_filename(place, authority, NULL);
}

static char *give_passphrase(const char *authority, bool new_key, void *data, GError **error) {
    (void)new_key;
    g_autofree char *path = resident_passphrase_path(data, authority);
    if (!path) {
        refuse(authority,
               "a file or a folder is wanted, as in: signer_passphrases = /etc/vigie/ca/passphrases", error);
        return NULL;
    }
    return read_first_line(path, error);
}

bool resident_try(const VigieConfig *config, VigieStore *store, const char *authority, GError **error) {
    char *passphrase = give_passphrase(authority, false, (void *)config, error);
    g_autoptr(VigieAuthority) opened =
        passphrase ? pki_authority_open(store, authority, passphrase, error) : NULL;
    if (passphrase)
        explicit_bzero(passphrase, strlen(passphrase));
    g_free(passphrase);
    return opened != NULL;
}

/* ---- The sandbox -------------------------------------------------------------------------------------------- */
/* The keys, and beside them room for those of the responders that it makes. */
bool resident_allow(const VigieConfig *config, VigieSandbox *sandbox, GError **error) {
    const char *const *names = vigie_config_list(config, "pki.signer_authorities");
    g_autoptr(VigieStore) store = store_open(resident_store_url(config), error);
    if (!store)
        return false;
    for (; *names; names++) {
        g_autoptr(json_t) list = pki_authority_list(store, *names, error);
        if (!list) {
            g_prefix_error(error, "[pki] signer_authorities: ");
            return false;
        }
        const char *key_file = json_string_value(json_object_get(json_array_get(list, 0), "key_file"));
        g_autofree char *folder = g_path_get_dirname(key_file);
        if (!g_str_has_prefix(key_file, "pkcs11:"))
            sandbox_allow_write(sandbox, folder);
    }
    for (const char *const *folder = vigie_config_list(config, "pki.token_folders"); *folder; folder++)
        sandbox_allow_write(sandbox, *folder);
    sandbox_allow_read(sandbox, passphrase_place(config));
    return true;
}

/* ---- The work ----------------------------------------------------------------------------------------------- */
typedef struct {
    const VigieConfig *config;
    VigieStore *store;
    VigieSigner *signer;
    gint64 keep_at;  /* monotonic, µs */
    char *complaint; /* the last, which is not told twice */
} Resident;

static void pause_ms(int milliseconds) {
    for (int passed = 0; passed < milliseconds && !child_stop; passed += 100)
        g_usleep(100000);
}

static void say_once(Resident *resident, const GError *error) {
    if (g_strcmp0(resident->complaint, error->message) != 0)
        vigie_log(VIGIE_LOG_ERROR, "%s", error->message);
    g_free(resident->complaint);
    resident->complaint = g_strdup(error->message);
}

static void complain(Resident *resident, const GError *error) {
    say_once(resident, error);
    if (g_error_matches(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE))
        g_clear_pointer(&resident->store, store_close);
    pause_ms(TROUBLE_MS);
}

static bool work(Resident *resident, GError **error) {
    bool stirred = false;
    if (!store_mark(resident->store, error) ||
        !pki_signer_answer(resident->signer, resident->store, vigie_time_now(), &stirred, error))
        return false;
    gint64 now = g_get_monotonic_time();
    if (stirred)
        resident->keep_at = MIN(resident->keep_at, now + GATHER_US);
    if (resident->keep_at <= now) {
        resident->keep_at = g_get_monotonic_time() + KEEP_US;
        g_autoptr(GError) why = NULL;
        if (pki_signer_keep(resident->signer, resident->store, vigie_time_now(), &why))
            g_clear_pointer(&resident->complaint, g_free);
        else
            say_once(resident, why); /* requests do not wait for it */
    }
    gint64 left = (resident->keep_at - g_get_monotonic_time()) / 1000;
    return store_job_wait(resident->store, (int)CLAMP(left, 1, IDLE_MS), error);
}

static bool open_store(Resident *resident, GError **error) {
    if (!resident->store)
        resident->store = store_open(resident_store_url(resident->config), error);
    return resident->store != NULL;
}

bool resident_run(const VigieConfig *config, GError **error) {
    Resident resident = {.config = config};
    if (!open_store(&resident, error))
        return false;
    g_autofree char *who = g_strdup_printf("signer@%s", g_get_host_name());
    resident.signer = pki_signer_new(resident.store, vigie_config_list(config, "pki.signer_authorities"),
                                     give_passphrase, (void *)config, who, error);
    if (resident.signer)
        child_ready(NULL);
    bool began = resident.signer != NULL;
    Responder *responder = began ? responder_start(config, give_passphrase, (void *)config) : NULL;
    while (began && !child_stop) {
        g_autoptr(GError) why = NULL;
        if (!open_store(&resident, &why) || !work(&resident, &why))
            complain(&resident, why);
    }
    if (responder)
        responder_join(responder);
    pki_signer_free(resident.signer);
    store_close(resident.store);
    g_free(resident.complaint);
    return began;
}
