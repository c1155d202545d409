/* record.c: the line in the log and the row, together. */
#include "pki/record.h"

#include <string.h>

/* {"authority":…,"profile":…,"sha256":…,"subject":…,…}: by hand, one for each certificate issued. */
static void append_member(GString *out, const char *name, const char *text) {
    if (!text)
        return;
    g_string_append_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
    vigie_json_append_string(out, text, strlen(text));
}

static char *details_of(const IssuedRecord *record) {
    const VigieCertificate *certificate = record->certificate;
    g_autofree char *sha256 = vigie_hex_text(vigie_bytes(certificate->sha256, sizeof certificate->sha256));
    GString *text = g_string_sized_new(384);
    g_string_append_c(text, '{');
    append_member(text, "authority", record->authority->name);
    append_member(text, "profile", record->profile);
    append_member(text, "subject", certificate->subject);
    append_member(text, "sha256", sha256);
    append_member(text, "requester", record->requester);
    append_member(text, "validator", record->validator);
    g_string_append_c(text, '}');
    return g_string_free(text, FALSE);
}

bool record_issued(Journal *journal, const IssuedRecord *record, int64_t *ret_id, GError **error) {
    const VigieCertificate *certificate = record->certificate;
    CertificateView view;
    g_autofree char *details = details_of(record);
    int64_t id = 0;
    if (!certificate_view(certificate->der, &view)) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL,
                            "a certificate of ours cannot be read back");
        return false;
    }
    if (!journal_add(journal, "issued", certificate->serial, details, error) ||
        !store_get_int(journal->store, &id, error,
                       "INSERT INTO pki_certificate (authority, serial, entry, profile, subject, not_before, "
                       "not_after, shard, "
                       "device, der) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
                       "ibittiiiib", record->authority->id, &view.serial, journal->seq, record->profile,
                       certificate->subject, certificate->not_before, certificate->not_after,
                       (int64_t)record->shard, record->device, &certificate->der))
        return false;
    if (ret_id)
        *ret_id = id;
    return true;
}
