/* What is sealed at rest: keys that can be read, and that open what is there. */
#include "daemon/doctor.h"
#include "pki/pki.h"

static const struct {
    const char *name, *key; /* of the word doctor.seal.NAME, and of the configuration */
    const VigieSealed *sealed;
} kinds[] = {{"evidence", "pki.evidence_key", &pki_sealed},
             {"artefacts", "csirt.artefact_key", &csirt_sealed}};

typedef struct {
    int64_t well, older, lost, bare;
} Rows;

static bool count_rows(Doctor *doctor, const VigieSeal *seal, const VigieSealed *sealed, Rows *rows) {
    g_autoptr(json_t) counts = store_seal_count(doctor->store, sealed, NULL);
    const char *id;
    json_t *count;
    json_object_foreach(counts, id, count) {
        int64_t *to = !*id                                           ? &rows->bare
                      : seal && g_str_equal(id, store_seal_id(seal)) ? &rows->well
                      : seal && store_seal_knows(seal, id)           ? &rows->older
                                                                     : &rows->lost;
        *to += json_integer_value(count);
    }
    return counts != NULL;
}

static void tell_rows(Doctor *doctor, const char *what, const char *key, const char *path, const char *id,
                      const Rows *rows) {
    const struct {
        int64_t count;
        DoctorState state;
        const char *word;
    } lines[] = {{rows->lost, DOCTOR_BROKEN, "seal.lost"},
                 {rows->bare, DOCTOR_BROKEN, "seal.bare"},
                 {rows->older, DOCTOR_SOON, "seal.older"}};
    bool well = true;
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *count = g_strdup_printf("%" G_GINT64_FORMAT, lines[i].count);
        well = well && lines[i].count == 0;
        if (lines[i].count > 0)
            doctor_tell(doctor, "seal", lines[i].state, lines[i].word, "what", what, "count", count, "key",
                        key, "path", *path ? path : "–", NULL);
    }
    g_autofree char *count = g_strdup_printf("%" G_GINT64_FORMAT, rows->well);
    if (well && *path)
        doctor_tell(doctor, "seal", DOCTOR_WELL, "seal.well", "what", what, "count", count, "id", id, NULL);
}

static void check_kind(Doctor *doctor, size_t i) {
    const char *key = kinds[i].key, *path = vigie_config_text(doctor->settings->config, key);
    g_autofree char *word = g_strconcat("doctor.seal.", kinds[i].name, NULL);
    const char *what = vigie_word(doctor->lang, word);
    g_autoptr(GError) error = NULL;
    g_autoptr(VigieSeal) seal = *path ? store_seal_load(key, path, &error) : NULL;
    Rows rows = {0};
    if (error)
        doctor_tell(doctor, "seal", DOCTOR_BROKEN, "seal.broken", "what", what, "reason", error->message,
                    NULL);
    else if (doctor->store && count_rows(doctor, seal, kinds[i].sealed, &rows))
        tell_rows(doctor, what, key, path, seal ? store_seal_id(seal) : "", &rows);
}

/* Whoever issues for people will be asked for their papers. */
static void check_evidence_key(Doctor *doctor) {
    g_autoptr(json_t) authorities = doctor->store ? pki_authority_list(doctor->store, NULL, NULL) : NULL;
    if (json_array_size(authorities) > 0 && !*vigie_config_text(doctor->settings->config, "pki.evidence_key"))
        doctor_tell(doctor, "seal", DOCTOR_UNKNOWN, "seal.none", NULL);
}

void doctor_seal(Doctor *doctor) {
    check_evidence_key(doctor);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        check_kind(doctor, i);
}
