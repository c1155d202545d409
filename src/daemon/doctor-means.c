/* What the store, the roots and the mail server say of themselves. */
#include "daemon/doctor.h"
#include "x509/x509.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { DAY = 86400, SOON_DAYS = 90, LITTLE_MB = 1024, NO_MB = 100 };

/* ---- The store ---- */
static void check_space(Doctor *doctor, const char *folder) {
    struct statvfs about;
    if (statvfs(folder, &about) != 0)
        return;
    uint64_t free_mb = (uint64_t)about.f_bavail * about.f_frsize >> 20;
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, free_mb);
    DoctorState state = free_mb < NO_MB ? DOCTOR_BROKEN : free_mb < LITTLE_MB ? DOCTOR_SOON : DOCTOR_WELL;
    doctor_tell(doctor, "disk", state, state == DOCTOR_WELL ? "disk.well" : "disk.little", "folder", folder,
                "mb", text, NULL);
}

/* The folder and file of a SQLite store; false: there is nothing to open. */
static bool check_file(Doctor *doctor) {
    const char *url = vigie_config_text(doctor->settings->config, "store.url");
    if (!g_str_has_prefix(url, "sqlite:"))
        return true;
    const char *path = url + strlen("sqlite:");
    g_autofree char *folder = g_path_get_dirname(path);
    struct stat about;
    if (stat(path, &about) != 0) {
        g_autofree char *parent = g_strdup(folder);
        while (access(parent, F_OK) != 0) {
            char *up = g_path_get_dirname(parent);
            g_free(parent);
            parent = up;
        }
        bool can = access(parent, W_OK | X_OK) == 0;
        doctor_tell(doctor, "store", can ? DOCTOR_UNKNOWN : DOCTOR_BROKEN,
                    can ? "store.none" : "store.folder", "path", path, "folder", parent, NULL);
        return false;
    }
    if (access(folder, W_OK | X_OK) != 0 || access(path, R_OK | W_OK) != 0) {
        doctor_tell(doctor, "store", DOCTOR_BROKEN, "store.folder", "path", path, "folder", folder, NULL);
        return false;
    }
    bool shared = *vigie_config_text(doctor->settings->config, "process.signer_user") != '\0';
    if (about.st_mode & (shared ? S_IRWXO : S_IRWXG | S_IRWXO))
        doctor_tell(doctor, "store-mode", DOCTOR_SOON, "store.mode", "path", path, NULL);
    check_space(doctor, folder);
    return true;
}

/* Writing, and undoing it: a full disk or a read-only server shows here. */
static bool can_write(VigieStore *store, GError **error) {
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    return tx && store_exec(store, error, "INSERT INTO schedule (name, last) VALUES ('doctor', 0)", "");
}

void doctor_store(Doctor *doctor) {
    if (!check_file(doctor))
        return;
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieStore) store =
        store_open(vigie_config_text(doctor->settings->config, "store.url"), &error);
    int64_t here = 0, program = 0;
    if (!store || !store_version(store, &here, &program, &error)) {
        doctor_tell(doctor, "store", DOCTOR_BROKEN, "store.broken", "reason", error->message, NULL);
        return;
    }
    g_autofree char *here_text = g_strdup_printf("%" G_GINT64_FORMAT, here);
    g_autofree char *program_text = g_strdup_printf("%" G_GINT64_FORMAT, program);
    const char *kind = store_kind(store) == VIGIE_STORE_SQLITE ? "SQLite" : "PostgreSQL";
    if (here != program)
        doctor_tell(doctor, "store", here < program ? DOCTOR_SOON : DOCTOR_BROKEN,
                    here < program ? "store.older" : "store.newer", "store", here_text, "program",
                    program_text, NULL);
    else if (!can_write(store, &error))
        doctor_tell(doctor, "store", DOCTOR_BROKEN, "store.read_only", "reason", error->message, NULL);
    else {
        doctor_tell(doctor, "store", DOCTOR_WELL, "store.well", "kind", kind, "version", here_text, NULL);
        doctor->store = g_steal_pointer(&store);
    }
}

void doctor_jobs(Doctor *doctor) {
    g_autoptr(json_t) list = doctor->store ? store_job_list(doctor->store, NULL) : NULL;
    if (!list)
        return;
    const json_t *dead = json_object_get(list, "dead");
    const json_t *last = json_array_get(dead, 0);
    g_autofree char *count = g_strdup_printf("%zu", json_array_size(dead));
    if (last)
        doctor_tell(doctor, "jobs", DOCTOR_SOON, "jobs.dead", "n", count, "kind",
                    json_string_value(json_object_get(last, "kind")), "reason",
                    json_string_value(json_object_get(last, "reason")), NULL);
    else
        doctor_tell(doctor, "jobs", DOCTOR_WELL, "jobs.well", NULL);
}

/* ---- The roots ---- */
static void tell_root(Doctor *doctor, const char *path, const VigieCertificate *root) {
    GTimeZone *zone = vigie_config_zone(doctor->settings->config);
    g_autofree char *when = vigie_when_text(doctor->lang, zone, root->not_after, doctor->now);
    if (root->not_after <= doctor->now)
        doctor_tell(doctor, "trust", DOCTOR_BROKEN, "trust.ended", "path", path, "subject", root->subject,
                    "when", when, NULL);
    else if (root->not_after - doctor->now < (int64_t)SOON_DAYS * DAY)
        doctor_tell(doctor, "trust", DOCTOR_SOON, "trust.ends", "path", path, "subject", root->subject,
                    "when", when, NULL);
    else if (!root->is_ca)
        doctor_tell(doctor, "trust", DOCTOR_SOON, "trust.not_ca", "path", path, "subject", root->subject,
                    NULL);
}

static GPtrArray *read_roots(const char *path, GError **error) {
    g_autofree char *text = NULL;
    gsize size = 0;
    if (!g_file_get_contents(path, &text, &size, error))
        return NULL;
    return x509_certificates_read(vigie_bytes(text, size), error);
}

void doctor_trust(Doctor *doctor) {
    const char *const *files = vigie_config_list(doctor->settings->config, "trust.roots");
    guint count = 0;
    for (size_t i = 0; files[i]; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) roots = read_roots(files[i], &error);
        if (!roots) {
            doctor_tell(doctor, "trust", DOCTOR_BROKEN, "trust.broken", "path", files[i], "reason",
                        error->message, NULL);
            continue;
        }
        for (guint r = 0; r < roots->len; r++)
            tell_root(doctor, files[i], roots->pdata[r]);
        count += roots->len;
    }
    bool system = vigie_config_bool(doctor->settings->config, "trust.system");
    g_autofree char *text = g_strdup_printf("%u", count);
    if (!count && !system)
        doctor_tell(doctor, "trust", DOCTOR_BROKEN, "trust.none", NULL);
    else
        doctor_tell(doctor, "trust", DOCTOR_WELL, system ? "trust.with_system" : "trust.well", "n", text,
                    NULL);
}

/* ---- Mail ---- */
static bool go_on(void *data) {
    (void)data;
    return true;
}

static void send_test(Doctor *doctor, const char *address) {
    const VigieConfig *config = doctor->settings->config;
    VigieMail mail = {.from = vigie_config_text(config, "mail.from"),
                      .to = address,
                      .subject = vigie_word(doctor->lang, "doctor.test.subject"),
                      .text = vigie_word(doctor->lang, "doctor.test.text"),
                      .lang = vigie_lang_code(doctor->lang)};
    g_autoptr(GError) error = NULL;
    g_autofree char *uuid = g_uuid_string_random();
    g_autofree char *from = mail_address(mail.from, &error);
    g_autofree char *to = from ? mail_address(address, &error) : NULL;
    g_autofree char *id = to ? g_strconcat(uuid, strchr(from, '@'), NULL) : NULL;
    g_autoptr(GBytes) message =
        to ? mail_build(&mail, id, doctor->now, vigie_config_zone(config), &error) : NULL;
    g_autofree char *answer = NULL;
    bool sent = message && mail_server_send(doctor->settings->server, from, to, message, go_on, NULL,
                                            &answer) == VIGIE_MAIL_SENT;
    doctor_tell(doctor, "mail-test", sent ? DOCTOR_WELL : DOCTOR_BROKEN, sent ? "test.sent" : "test.broken",
                "address", address, "reason", error ? error->message : answer, NULL);
}

void doctor_mail(Doctor *doctor) {
    const char *url = vigie_config_text(doctor->settings->config, "mail.server");
    if (!doctor->settings->server) {
        doctor_tell(doctor, "mail", DOCTOR_SOON, "mail.off", NULL);
        return;
    }
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = NULL;
    if (!mail_server_check(doctor->settings->server, &answer, &error)) {
        doctor_tell(doctor, "mail", DOCTOR_BROKEN, "mail.broken", "server", url, "reason", error->message,
                    NULL);
        return;
    }
    doctor_tell(doctor, "mail", DOCTOR_WELL, "mail.well", "server", url, "answer", answer, NULL);
    if (doctor->options->send_test)
        send_test(doctor, doctor->options->send_test);
}

void doctor_queue(Doctor *doctor) {
    VigieMailCounts counts;
    if (!doctor->store || !mail_queue_counts(doctor->store, &counts, NULL))
        return;
    g_autofree char *failed = g_strdup_printf("%" G_GINT64_FORMAT, counts.failed);
    g_autofree char *unknown = g_strdup_printf("%" G_GINT64_FORMAT, counts.unknown);
    g_autofree char *queued = g_strdup_printf("%" G_GINT64_FORMAT, counts.queued);
    if (counts.failed)
        doctor_tell(doctor, "mail-failed", DOCTOR_SOON, "queue.failed", "n", failed, NULL);
    if (counts.unknown)
        doctor_tell(doctor, "mail-unknown", DOCTOR_SOON, "queue.unknown", "n", unknown, NULL);
    if (counts.queued && doctor->now - counts.oldest_queued > DAY)
        doctor_tell(doctor, "mail-queue", DOCTOR_SOON, "queue.old", "n", queued, NULL);
    else
        doctor_tell(doctor, "mail-queue", DOCTOR_WELL, "queue.well", "n", queued, NULL);
}
