/* What the authorities need: keys that open, lists that have not lapsed. */
#include "daemon/doctor.h"
#include "daemon/resident.h"
#include "pki/pki.h"

static void check_keys(Doctor *doctor) {
    const char *const *names = vigie_config_list(doctor->settings->config, "pki.signer_authorities");
    for (; *names; names++) {
        g_autoptr(GError) error = NULL;
        if (resident_try(doctor->settings->config, doctor->store, *names, &error))
            doctor_tell(doctor, "signer", DOCTOR_WELL, "signer.well", "name", *names, NULL);
        else
            doctor_tell(doctor, "signer", DOCTOR_BROKEN, "signer.broken", "name", *names, "reason",
                        error->message, NULL);
    }
}

/* Whoever checks a certificate refuses it when the list has lapsed. */
static void check_lists(Doctor *doctor) {
    g_autoptr(json_t) files = pki_published_list(doctor->store, NULL);
    size_t index;
    json_t *file;
    json_array_foreach(files, index, file) {
        const char *name = json_string_value(file);
        VigieTime since = 0, until = 0;
        GByteArray *der =
            g_str_has_suffix(name, ".crl") ? pki_published(doctor->store, name, &since, &until, NULL) : NULL;
        if (!der)
            continue;
        g_byte_array_unref(der);
        g_autofree char *when =
            vigie_date_time_text(doctor->lang, vigie_config_zone(doctor->settings->config), until);
        if (until < doctor->now)
            doctor_tell(doctor, "lists", DOCTOR_BROKEN, "lists.lapsed", "file", name, "when", when, NULL);
        else
            doctor_tell(doctor, "lists", DOCTOR_WELL, "lists.well", "file", name, "when", when, NULL);
    }
}

void doctor_pki(Doctor *doctor) {
    if (!doctor->store)
        return;
    check_keys(doctor);
    check_lists(doctor);
}
