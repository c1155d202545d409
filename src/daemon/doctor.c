/* The doctor: one small function a check, in the order in which to mend what is found. */
#include "daemon/doctor.h"
#include "document/document.h"
#include "portal/portal.h"
#include "record/record.h"
#include "sandbox/sandbox.h"

#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

static const char *const state_names[] = {"well", "unknown", "soon", "broken"};

void doctor_tell(Doctor *doctor, const char *id, DoctorState state, const char *key, ...) {
    g_autoptr(json_t) values = json_object();
    va_list arguments;
    va_start(arguments, key);
    for (const char *name = va_arg(arguments, const char *); name; name = va_arg(arguments, const char *)) {
        const char *given = va_arg(arguments, const char *);
        g_autofree char *value =
            strcmp(name, "reason") == 0 ? vigie_said(doctor->lang, given) : g_utf8_make_valid(given, -1);
        json_object_set_new(values, name, json_string(value));
    }
    va_end(arguments);
    g_autofree char *what_key = g_strconcat("doctor.", key, NULL);
    g_autofree char *remedy_key = g_strconcat(what_key, ".remedy", NULL);
    g_autofree char *what = vigie_text_fill(vigie_word(doctor->lang, what_key), values);
    const char *remedy_word = vigie_word(doctor->lang, remedy_key);
    g_autofree char *remedy = vigie_text_fill(remedy_word, values);
    bool no_remedy = strcmp(remedy_word, remedy_key) == 0;
    json_array_append_new(doctor->checks,
                          json_pack("{s:s, s:s, s:s, s:s?}", "id", id, "state", state_names[state], "what",
                                    what, "remedy", no_remedy ? NULL : remedy));
    doctor->worst = MAX(doctor->worst, state);
}

/* ---- The configuration ---- */
/* A PostgreSQL URL may hold one: "//user:password@" or "password=". */
static bool names_password(const VigieConfig *config) {
    const char *url = vigie_config_text(config, "store.url");
    g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_NON_DNS, NULL);
    return (uri && g_uri_get_password(uri)) || strstr(url, "password=");
}

static void check_configuration(Doctor *doctor) {
    g_autoptr(GError) error = NULL;
    doctor->settings = settings_load(doctor->options->config_path, &error);
    if (!doctor->settings) {
        doctor_tell(doctor, "configuration", DOCTOR_BROKEN, "configuration.broken", "reason", error->message,
                    NULL);
        return;
    }
    const char *path = vigie_config_path(doctor->settings->config);
    struct stat about;
    if (!path)
        doctor_tell(doctor, "configuration", DOCTOR_WELL, "configuration.default", NULL);
    else if (stat(path, &about) == 0 && about.st_mode & (S_IWGRP | S_IWOTH))
        doctor_tell(doctor, "configuration", DOCTOR_BROKEN, "configuration.writable", "path", path, NULL);
    else if (stat(path, &about) == 0 && about.st_mode & S_IROTH && names_password(doctor->settings->config))
        doctor_tell(doctor, "configuration", DOCTOR_SOON, "configuration.readable", "path", path, NULL);
    else
        doctor_tell(doctor, "configuration", DOCTOR_WELL, "configuration.well", "path", path, NULL);
}

/* ---- The machine ---- */
/* Binding tells most; an address in use is what a Vigie that runs looks like. */
static void check_listen(Doctor *doctor) {
    const char *where = vigie_config_text(doctor->settings->config, "portal.listen");
    g_autoptr(GError) error = NULL;
    int fd = -1;
    if (g_str_has_prefix(where, "unix:")) {
        g_autofree char *folder = g_path_get_dirname(where + strlen("unix:"));
        if (access(folder, W_OK) == 0)
            doctor_tell(doctor, "listen", DOCTOR_WELL, "listen.well", "where", where, NULL);
        else
            doctor_tell(doctor, "listen", DOCTOR_BROKEN, "listen.folder", "where", where, "folder", folder,
                        NULL);
    } else if (portal_listen(where, &fd, NULL, &error)) {
        close(fd);
        doctor_tell(doctor, "listen", DOCTOR_WELL, "listen.well", "where", where, NULL);
    } else if (g_error_matches(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT) ||
               strstr(error->message, "in use")) {
        doctor_tell(doctor, "listen", DOCTOR_UNKNOWN, "listen.used", "where", where, NULL);
    } else {
        doctor_tell(doctor, "listen", DOCTOR_BROKEN, "listen.broken", "where", where, "reason",
                    error->message, NULL);
    }
}

/* From here on with the rights of the processes, so that what they cannot reach is seen. */
static void check_user(Doctor *doctor) {
    const char *user = vigie_config_text(doctor->settings->config, "process.user");
    g_autoptr(GError) error = NULL;
    if (geteuid() == 0 && !*user)
        doctor_tell(doctor, "user", DOCTOR_SOON, "user.root", NULL);
    else if (*user && !sandbox_drop_rights(user, &error)) {
        g_prefix_error(&error, "[process] user = ");
        doctor_tell(doctor, "user", DOCTOR_BROKEN, "user.broken", "reason", error->message, NULL);
    } else {
        const struct passwd *account = getpwuid(geteuid());
        doctor_tell(doctor, "user", DOCTOR_WELL, "user.well", "user", account ? account->pw_name : "?", NULL);
    }
}

/* In the order in which `vigie serve` does it. */
static void check_listen_and_user(Doctor *doctor) {
    bool file = g_str_has_prefix(vigie_config_text(doctor->settings->config, "portal.listen"), "unix:");
    doctor_signer_ask(doctor);
    if (!file)
        check_listen(doctor);
    check_user(doctor);
    if (file)
        check_listen(doctor);
}

static void check_sandbox(Doctor *doctor) {
    int version = sandbox_landlock_version();
    g_autofree char *text = g_strdup_printf("%d", version);
    if (version == 0)
        doctor_tell(doctor, "sandbox", DOCTOR_SOON, "sandbox.no_landlock", NULL);
    else if (!sandbox_seccomp_works())
        doctor_tell(doctor, "sandbox", DOCTOR_SOON, "sandbox.no_seccomp", NULL);
    else
        doctor_tell(doctor, "sandbox", DOCTOR_WELL, version < 4 ? "sandbox.no_ports" : "sandbox.well",
                    "version", text, NULL);
}

/* The kernel's own word: does something discipline its clock? */
static void check_clock(Doctor *doctor) {
    struct timex timex = {0};
    int state = adjtimex(&timex);
    if (state < 0)
        doctor_tell(doctor, "clock", DOCTOR_UNKNOWN, "clock.unknown", NULL);
    else if (state == TIME_ERROR || timex.status & STA_UNSYNC)
        doctor_tell(doctor, "clock", DOCTOR_SOON, "clock.unsynchronised", NULL);
    else
        doctor_tell(doctor, "clock", DOCTOR_WELL, "clock.well", NULL);
}

/* ---- Knowledge ---- */
static bool check_mail_words(GError **error) {
    for (VigieLang lang = 0; lang < VIGIE_LANGS; lang++) {
        g_autofree char *name = g_strdup_printf("mail/alarm.%s.mustache", vigie_lang_code(lang));
        gsize size = 0;
        g_autofree char *text = vigie_knowledge_text(name, &size, error);
        g_autoptr(VigieTemplate) template = text ? document_template_compile(text, size, error) : NULL;
        if (!template)
            return false;
    }
    return true;
}

static void check_knowledge(Doctor *doctor) {
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieRules) rules = record_rules_load(&error);
    bool well = rules && check_mail_words(&error) && fleet_classes(&error);
    const char *folder = vigie_knowledge_folder();
    if (well)
        doctor_tell(doctor, "knowledge", DOCTOR_WELL, "knowledge.well", "folder", folder, NULL);
    else
        doctor_tell(doctor, "knowledge", DOCTOR_BROKEN, "knowledge.broken", "folder", folder, "reason",
                    error->message, NULL);
}

/* ---- Surveys ---- */
static void check_schedule(Doctor *doctor) {
    GTimeZone *zone = vigie_config_zone(doctor->settings->config);
    VigieTime next = daemon_schedule_next(&doctor->settings->surveys, zone, doctor->now);
    g_autofree char *when = vigie_when_text(doctor->lang, zone, next, doctor->now);
    if (next == 0)
        doctor_tell(doctor, "schedule", DOCTOR_SOON, "schedule.none", NULL);
    else
        doctor_tell(doctor, "schedule", DOCTOR_WELL, "schedule.well", "when", when, NULL);
}

json_t *daemon_doctor(const VigieDoctorOptions *options) {
    Doctor doctor = {
        .options = options, .lang = options->lang, .now = vigie_time_now(), .checks = json_array()};
    check_configuration(&doctor);
    if (doctor.settings) {
        static void (*const checks[])(Doctor *) = {
            check_listen_and_user, check_knowledge, check_clock,    check_sandbox, doctor_store,
            doctor_jobs,           doctor_trust,    check_schedule, doctor_mail,   doctor_queue,
            doctor_mailboxes,      doctor_keys,     doctor_signer,  doctor_pki,    doctor_seal,
        };
        for (size_t i = 0; i < G_N_ELEMENTS(checks); i++)
            checks[i](&doctor);
    }
    json_decref(doctor.signer);
    g_clear_pointer(&doctor.store, store_close);
    g_clear_pointer(&doctor.settings, settings_free);
    g_autofree char *time = vigie_time_rfc3339(doctor.now);
    return json_pack("{s:s, s:s, s:o}", "state", state_names[doctor.worst], "time", time, "checks",
                     doctor.checks);
}
