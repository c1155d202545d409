/* What is sealed at rest: keys that can be read, and that open what is there. */
#include "daemon/doctor.h"
#include "pki/pki.h"

static const struct {
    const char *name, *key; /* of the word doctor.seal.NAME, and of the configuration */
    const VigieSealed *sealed;
} kinds[] = {{"evidence", "pki.evidence_key", &pki_sealed},
             {"artefacts", "csirt.artefact_key", &csirt_sealed},
             {"enrolments", "pki.enrolment_key", &pki_enrolment_sealed}};

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

/* Where the secret of an enrolment does not open, clients of ACME and CMP want another. */
static void tell_enrolments(Doctor *doctor, const VigieSeal *seal, const char *path) {
    g_autoptr(json_t) lost =
        doctor->store ? pki_enrolment_lost(doctor->store, seal, vigie_time_now(), NULL) : NULL;
    g_autoptr(GString) names = g_string_new(NULL);
    for (size_t i = 0; i < json_array_size(lost); i++)
        g_string_append_printf(names, "%s%s", i ? ", " : "", json_string_value(json_array_get(lost, i)));
    if (names->len > 0)
        doctor_tell(doctor, "seal", DOCTOR_BROKEN, "seal.enrolments.lost", "names", names->str, "path", path,
                    NULL);
}

static void check_enrolments(Doctor *doctor, size_t i) {
    g_autofree char *path = pki_enrolment_key_path(doctor->settings->config);
    const char *what = vigie_word(doctor->lang, "doctor.seal.enrolments");
    g_autoptr(GError) error = NULL;
    bool there = g_file_test(path, G_FILE_TEST_EXISTS);
    g_autoptr(VigieSeal) seal = there ? store_seal_load(kinds[i].key, path, &error) : NULL;
    Rows rows = {0};
    if (error)
        doctor_tell(doctor, "seal", DOCTOR_BROKEN, "seal.broken", "what", what, "reason", error->message,
                    NULL);
    else
        tell_enrolments(doctor, seal, path);
    if (seal && doctor->store && count_rows(doctor, seal, kinds[i].sealed, &rows)) {
        rows.lost = 0; /* told by their names, where they matter */
        tell_rows(doctor, what, kinds[i].key, path, store_seal_id(seal), &rows);
    }
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
        (kinds[i].sealed == &pki_enrolment_sealed ? check_enrolments : check_kind)(doctor, i);
}
