/* What the authorities need: lists that have not lapsed, and successors in time. */
#include "daemon/doctor.h"
#include "pki/pki.h"

#include <string.h>

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

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

/* From half a year before the day on it is time to begin. */
enum { NOTICE = 183 * 86400 };

static void check_life(Doctor *doctor, const json_t *life) {
    const char *name = text_of(life, "name"), *state = text_of(life, "state"),
               *by = text_of(life, "roll_over_by");
    VigieTime roll = 0;
    if (strcmp(state, "revoked") == 0 && !text_of(life, "successor") &&
        json_integer_value(json_object_get(life, "living")) > 0)
        doctor_tell(doctor, "generations", DOCTOR_BROKEN, "generations.revoked", "name", name, NULL);
    if (!by || !vigie_time_parse_rfc3339(by, &roll, NULL) || roll > doctor->now + NOTICE)
        return;
    g_autofree char *when =
        vigie_date_time_text(doctor->lang, vigie_config_zone(doctor->settings->config), roll);
    doctor_tell(doctor, "generations", DOCTOR_SOON,
                roll < doctor->now ? "generations.late" : "generations.soon", "name", name, "when", when,
                NULL);
}

/* Whose requests the signer would leave lying. */
static void check_signer(Doctor *doctor, const json_t *life) {
    const char *const *names = vigie_config_list(doctor->settings->config, "pki.signer_authorities");
    const char *name = text_of(life, "name"), *before = text_of(life, "succeeds");
    if (before && g_strv_contains(names, before) && !g_strv_contains(names, name) &&
        strcmp(text_of(life, "state"), "current") == 0)
        doctor_tell(doctor, "generations", DOCTOR_BROKEN, "generations.signer", "name", name, "before",
                    before, NULL);
}

/* Mails go out, and none of them would say what the authorities will want. */
static void check_told(Doctor *doctor, const json_t *lives) {
    const VigieConfig *config = doctor->settings->config;
    if (json_array_size(lives) > 0 && doctor->settings->server &&
        !*vigie_config_text(config, "pki.operator_mail"))
        doctor_tell(doctor, "generations", DOCTOR_SOON, "generations.nobody", NULL);
}

static void check_generations(Doctor *doctor) {
    g_autoptr(VigieProfiles) profiles = pki_profiles_load(NULL);
    g_autoptr(json_t) lives =
        profiles ? pki_authority_lives(doctor->store, profiles, doctor->now, NULL) : NULL;
    size_t index;
    json_t *life;
    check_told(doctor, lives);
    json_array_foreach(lives, index, life) {
        check_life(doctor, life);
        check_signer(doctor, life);
    }
}

void doctor_pki(Doctor *doctor) {
    if (!doctor->store)
        return;
    check_lists(doctor);
    check_generations(doctor);
}
