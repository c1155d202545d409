/* What mailboxes and keys say of themselves. */
#include "daemon/doctor.h"
#include "x509/x509.h"

#include <string.h>
#include <sys/stat.h>

enum { LONG_WAIT = 3600, SOON = 30 * 86400 };

/* ---- Mailboxes ---- */
static void check_mailbox(Doctor *doctor, const VigieMailbox *mailbox) {
    g_autoptr(GError) error = NULL;
    int64_t count = 0;
    const char *name = mail_mailbox_name(mailbox);
    bool well = mail_mailbox_check(mailbox, &count, &error);
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, count);
    if (well)
        doctor_tell(doctor, "mailbox", DOCTOR_WELL, "mailbox.well", "mailbox", name, "n", text, NULL);
    else
        doctor_tell(doctor, "mailbox", DOCTOR_BROKEN, "mailbox.broken", "mailbox", name, "reason",
                    error->message, NULL);
}

/* What was taken and nobody filed. */
static void check_filing(Doctor *doctor, const json_t *state) {
    const json_t *oldest = json_object_get(state, "oldest");
    g_autofree char *count =
        g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(state, "waiting")));
    if (json_is_integer(oldest) && doctor->now - json_integer_value(oldest) > LONG_WAIT)
        doctor_tell(doctor, "mail-inbound", DOCTOR_SOON, "inbound.waits", "mailbox",
                    json_string_value(json_object_get(state, "mailbox")), "n", count, NULL);
}

void doctor_mailboxes(Doctor *doctor) {
    const GPtrArray *mailboxes = doctor->settings->mailboxes;
    for (guint i = 0; i < mailboxes->len; i++)
        check_mailbox(doctor, mailboxes->pdata[i]);
    g_autoptr(json_t) states = doctor->store ? mail_mailboxes_state(doctor->store, NULL) : NULL;
    size_t i = 0;
    json_t *state = NULL;
    json_array_foreach(states, i, state) check_filing(doctor, state);
}

/* ---- Keys ---- */
static const char *owner_of(const json_t *key) {
    const char *user = json_string_value(json_array_get(json_object_get(key, "users"), 0));
    return user ? user : json_string_value(json_object_get(key, "fingerprint"));
}

/* The key's first ill, as doctor.key.ID says it. */
static void tell_ill(Doctor *doctor, const json_t *key) {
    const json_t *problem = json_array_get(json_object_get(key, "problems"), 0);
    g_autofree char *word = g_strconcat("key.", json_string_value(json_object_get(problem, "id")), NULL);
    g_autofree char *days =
        g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(problem, "days")));
    bool broken = strcmp(json_string_value(json_object_get(key, "health")), "broken") == 0;
    bool ours = json_is_true(json_object_get(key, "secret"));
    doctor_tell(doctor, "openpgp", broken && ours ? DOCTOR_BROKEN : DOCTOR_SOON, word, "user", owner_of(key),
                "fingerprint", json_string_value(json_object_get(key, "fingerprint")), "days", days, NULL);
}

static void tell_keys(Doctor *doctor, const char *home, const json_t *keys) {
    size_t i = 0, ours = 0;
    json_t *key = NULL;
    json_array_foreach(keys, i, key) {
        ours += json_is_true(json_object_get(key, "signs"));
        if (json_array_size(json_object_get(key, "problems")) > 0)
            tell_ill(doctor, key);
    }
    g_autofree char *count = g_strdup_printf("%zu", json_array_size(keys));
    if (ours > 0)
        doctor_tell(doctor, "openpgp", DOCTOR_WELL, "openpgp.well", "folder", home, "n", count, NULL);
    else
        doctor_tell(doctor, "openpgp", DOCTOR_BROKEN, "openpgp.none", "folder", home, NULL);
}

static void check_openpgp(Doctor *doctor, const char *home) {
    struct stat about;
    g_autoptr(GError) error = NULL;
    if (stat(home, &about) == 0 && about.st_mode & (S_IRWXG | S_IRWXO))
        doctor_tell(doctor, "openpgp", DOCTOR_SOON, "openpgp.mode", "folder", home, NULL);
    g_autoptr(VigieMailCell) cell = mail_cell_start(doctor->settings->config, &error);
    g_autoptr(json_t) keys = cell ? mail_keys_list(cell, NULL, SOON, doctor->now, &error) : NULL;
    if (keys)
        tell_keys(doctor, home, keys);
    else
        doctor_tell(doctor, "openpgp", DOCTOR_BROKEN, "openpgp.broken", "folder", home, "reason",
                    error->message, NULL);
}

/* When the newest of its certificates ends; 0: there is none in it. */
static VigieTime smime_ends(const char *path) {
    g_autofree char *text = NULL;
    gsize size = 0;
    g_autoptr(GPtrArray) certificates = g_file_get_contents(path, &text, &size, NULL)
                                            ? x509_certificates_read(vigie_bytes(text, size), NULL)
                                            : NULL;
    VigieTime newest = 0;
    for (guint i = 0; certificates && i < certificates->len; i++) {
        const VigieCertificate *certificate = certificates->pdata[i];
        newest = MAX(newest, certificate->not_after);
    }
    if (text)
        explicit_bzero(text, size);
    return newest;
}

static void tell_smime(Doctor *doctor, const char *path, VigieTime end) {
    g_autofree char *when =
        vigie_when_text(doctor->lang, vigie_config_zone(doctor->settings->config), end, doctor->now);
    if (end == 0)
        doctor_tell(doctor, "smime", DOCTOR_BROKEN, "smime.broken", "path", path, NULL);
    else if (end - doctor->now < SOON)
        doctor_tell(doctor, "smime", end <= doctor->now ? DOCTOR_BROKEN : DOCTOR_SOON, "smime.ends", "path",
                    path, "when", when, NULL);
    else
        doctor_tell(doctor, "smime", DOCTOR_WELL, "smime.well", "path", path, "when", when, NULL);
}

static void check_smime(Doctor *doctor, const char *path) {
    struct stat about;
    if (stat(path, &about) != 0)
        doctor_tell(doctor, "smime", DOCTOR_BROKEN, "smime.none", "path", path, NULL);
    else if (about.st_mode & (S_IROTH | S_IWOTH))
        doctor_tell(doctor, "smime", DOCTOR_BROKEN, "smime.mode", "path", path, NULL);
    else
        tell_smime(doctor, path, smime_ends(path));
}

void doctor_keys(Doctor *doctor) {
    const char *home = vigie_config_text(doctor->settings->config, "mail.gnupg_home");
    const char *smime = vigie_config_text(doctor->settings->config, "mail.smime_file");
    if (*home)
        check_openpgp(doctor, home);
    if (*smime)
        check_smime(doctor, smime);
}
