/* What the signer's account opens, and the others' do not. Asked before the doctor gives up the right to become others. */
#include "daemon/doctor.h"
#include "daemon/keeper.h"
#include "daemon/resident.h"
#include "pki/pki.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *account(const Doctor *doctor) {
    return vigie_config_text(doctor->settings->config, "process.signer_user");
}

/* ---- Under the signer's account ---- */
/* { authority: null where its key opens, or why not } */
static json_t *try_keys(const VigieConfig *config, VigieStore *store) {
    json_t *told = json_object();
    for (const char *const *name = vigie_config_list(config, "pki.signer_authorities"); *name; name++) {
        g_autoptr(GError) error = NULL;
        bool opens = resident_try(config, store, *name, &error);
        json_object_set_new(told, *name, opens ? json_null() : json_string(error->message));
    }
    return told;
}

static json_t *as_signer(const Doctor *doctor) {
    const VigieConfig *config = doctor->settings->config;
    const char *url = resident_store_url(config);
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieStore) store = NULL;
    if (g_str_has_prefix(url, "sqlite:") && access(url + strlen("sqlite:"), F_OK) != 0)
        return json_object(); /* before the first start: it is not for the doctor to make it */
    if (!sandbox_drop_rights(account(doctor), &error) || !(store = store_open(url, &error)))
        return json_pack("{s:s}", "", error->message);
    return try_keys(config, store);
}

static json_t *ask_process(const Doctor *doctor) {
    int ends[2];
    if (pipe(ends) != 0)
        return NULL;
    pid_t pid = fork();
    if (pid == 0) {
        g_autoptr(json_t) told = as_signer(doctor);
        _exit(json_dumpfd(told, ends[1], 0) == 0 ? 0 : 1);
    }
    close(ends[1]);
    json_t *told = pid > 0 ? json_loadfd(ends[0], JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    close(ends[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return told;
}

void doctor_signer_ask(Doctor *doctor) {
    g_autoptr(GError) error = NULL;
    if (!*account(doctor) || !resident_wanted(doctor->settings->config))
        return;
    if (!keeper_check(doctor->settings->config, &error))
        doctor_tell(doctor, "signer-account", DOCTOR_BROKEN, "signer.account", "reason", error->message,
                    NULL);
    else if (sandbox_may_become_others())
        doctor->signer = ask_process(doctor);
}

/* ---- Under that of the others ---- */
static bool tell_exposed(Doctor *doctor, const char *path) {
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0)
        return false;
    close(fd);
    doctor_tell(doctor, "signer-account", DOCTOR_BROKEN, "signer.exposed", "path", path, "user",
                account(doctor), NULL);
    return true;
}

static bool exposed_key(Doctor *doctor, const char *authority) {
    g_autoptr(json_t) list = pki_authority_list(doctor->store, authority, NULL);
    const char *key = json_string_value(json_object_get(json_array_get(list, 0), "key_file"));
    return key && !g_str_has_prefix(key, "pkcs11:") && tell_exposed(doctor, key);
}

static void check_apart(Doctor *doctor) {
    const VigieConfig *config = doctor->settings->config;
    bool exposed = false;
    for (const char *const *name = vigie_config_list(config, "pki.signer_authorities"); *name; name++) {
        g_autofree char *passphrase = resident_passphrase_path(config, *name);
        exposed = tell_exposed(doctor, passphrase) || exposed;
        exposed = exposed_key(doctor, *name) || exposed;
    }
    for (const char *const *folder = vigie_config_list(config, "pki.token_folders"); *folder; folder++)
        exposed = tell_exposed(doctor, *folder) || exposed;
    if (!exposed)
        doctor_tell(doctor, "signer-account", DOCTOR_WELL, "signer.apart", "user", account(doctor), NULL);
}

static void tell_keys(Doctor *doctor, const json_t *told) {
    const char *name = NULL;
    json_t *reason = NULL;
    json_object_foreach((json_t *)told, name, reason) {
        if (json_is_null(reason))
            doctor_tell(doctor, "signer", DOCTOR_WELL, "signer.well", "name", name, NULL);
        else
            doctor_tell(doctor, "signer", DOCTOR_BROKEN, *name ? "signer.broken" : "signer.account", "name",
                        name, "reason", json_string_value(reason), NULL);
    }
}

void doctor_signer(Doctor *doctor) {
    const VigieConfig *config = doctor->settings->config;
    if (!resident_wanted(config) || !doctor->store)
        return;
    if (*account(doctor)) {
        check_apart(doctor);
        if (doctor->signer)
            tell_keys(doctor, doctor->signer);
        else
            doctor_tell(doctor, "signer", DOCTOR_UNKNOWN, "signer.other", "user", account(doctor), NULL);
        return;
    }
    g_autoptr(json_t) told = try_keys(config, doctor->store);
    tell_keys(doctor, told);
    bool confined = sandbox_landlock_version() > 0;
    doctor_tell(doctor, "signer-account", confined ? DOCTOR_WELL : DOCTOR_SOON,
                confined ? "signer.shared" : "signer.unconfined", NULL);
}
