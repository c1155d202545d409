/* adopt.c: what the world still has of us and a restored store does not: certificates, revocations, numbers of lists. */
#include "pki/authority.h"
#include "pki/journal.h"
#include "pki/revoke.h"
#include "pki/row.h"
#include "x509/x509.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_CRL, X509_CRL_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)

typedef struct {
    Journal journal;
    GPtrArray *authorities; /* VigieAuthority, without keys */
    int64_t certificates, revocations, known, others;
} Adoption;

static bool read_authorities(Adoption *adoption, GError **error) {
    g_autoptr(json_t) list = pki_authority_list(adoption->journal.store, NULL, error);
    size_t index;
    json_t *one;
    json_array_foreach(list, index, one) {
        VigieAuthority *authority = pki_authority_open(
            adoption->journal.store, json_string_value(json_object_get(one, "name")), NULL, error);
        if (!authority)
            return false;
        g_ptr_array_add(adoption->authorities, authority);
    }
    return list != NULL;
}

static EVP_PKEY *key_of(const VigieAuthority *authority) {
    const unsigned char *at = authority->spki.data;
    return d2i_PUBKEY(NULL, &at, (long)authority->spki.size);
}

static bool is_named(const VigieAuthority *authority, const X509_NAME *name) {
    unsigned char *der = NULL;
    int size = i2d_X509_NAME(name, &der);
    bool same = size > 0 && vigie_bytes_equal(vigie_bytes(der, (size_t)size), authority->subject);
    OPENSSL_free(der);
    return same;
}

/* The authority here that signed it; NULL: none. */
static VigieAuthority *issuer_of(const Adoption *adoption, X509 *certificate, X509_CRL *list) {
    const X509_NAME *name = certificate ? X509_get_issuer_name(certificate) : X509_CRL_get_issuer(list);
    for (guint i = 0; i < adoption->authorities->len; i++) {
        VigieAuthority *one = adoption->authorities->pdata[i];
        g_autoptr(EVP_PKEY) key = is_named(one, name) ? key_of(one) : NULL;
        if (key && (certificate ? X509_verify(certificate, key) : X509_CRL_verify(list, key)) == 1)
            return one;
    }
    return NULL;
}

/* 0: the store does not know it. */
static bool find(const Adoption *adoption, const VigieAuthority *authority, VigieBytes serial,
                 int64_t *ret_id, GError **error) {
    return store_get_int(
        adoption->journal.store, ret_id, error,
        "SELECT COALESCE((SELECT id FROM pki_certificate WHERE authority = $1 AND serial = $2), 0)", "ib",
        authority->id, &serial);
}

/* `certificate` NULL: of it no more is known than its number. */
static bool add(Adoption *adoption, const VigieAuthority *authority, VigieBytes serial,
                const VigieCertificate *certificate, int64_t *ret_id, GError **error) {
    g_autofree char *object = vigie_hex_text(serial),
                    *sha256 = certificate ? vigie_hex_text(vigie_bytes(certificate->sha256, 32)) : NULL;
    g_autoptr(json_t) told = json_pack("{s:s, s:s?}", "authority", authority->name, "sha256", sha256);
    g_autofree char *details = vigie_json_text(told);
    VigieBytes der = certificate ? certificate->der : vigie_bytes("", 0);
    adoption->certificates += certificate != NULL;
    return journal_add(&adoption->journal, "adopted", object, details, error) &&
           store_get_int(
               adoption->journal.store, ret_id, error,
               "INSERT INTO pki_certificate (authority, serial, entry, profile, subject, not_before, "
               "not_after, shard, device, der) VALUES ($1, $2, $3, 'adopted', $4, $5, $6, $7, 0, $8) "
               "RETURNING "
               "id",
               "ibitiiib", authority->id, &serial, adoption->journal.seq,
               certificate ? certificate->subject : "",
               certificate ? certificate->not_before : authority->not_before,
               certificate ? certificate->not_after : authority->not_after,
               (int64_t)(serial.size ? serial.data[serial.size - 1] % authority->shards : 0), &der);
}

static bool take_certificate(Adoption *adoption, const VigieFileObject *object, GError **error) {
    const unsigned char *at = object->der;
    int64_t id = 0;
    CertificateView view;
    g_autoptr(X509) decoded = d2i_X509(NULL, &at, (long)object->size);
    VigieAuthority *authority = decoded ? issuer_of(adoption, decoded, NULL) : NULL;
    VigieBytes der = vigie_bytes(object->der, object->size);
    if (!authority || !certificate_view(der, &view)) {
        adoption->others++;
        return true;
    }
    if (!find(adoption, authority, view.serial, &id, error))
        return false;
    adoption->known += id != 0;
    g_autoptr(VigieCertificate) certificate = id ? NULL : x509_certificate_new(der, error);
    return id != 0 || (certificate && add(adoption, authority, view.serial, certificate, &id, error));
}

/* ---- Lists -------------------------------------------------------------------------------------------------- */
static VigieTime time_of(const ASN1_TIME *time) {
    struct tm parts;
    return time && ASN1_TIME_to_tm(time, &parts) == 1 ? (VigieTime)timegm(&parts) : 0;
}

static bool add_revocation(Adoption *adoption, const VigieAuthority *authority, int64_t certificate,
                           VigieBytes serial, int64_t reason, VigieTime at, GError **error) {
    g_autofree char *object = vigie_hex_text(serial),
                    *details = g_strdup_printf("{\"reason\":\"%s\"}", revoke_reason_name(reason));
    adoption->revocations++;
    return journal_add(&adoption->journal, "revoked", object, details, error) &&
           store_exec(
               adoption->journal.store, error,
               "INSERT INTO pki_revocation (certificate, authority, shard, serial, entry, at, reason, "
               "not_after) "
               "SELECT id, authority, shard, serial, $2, $3, $4, not_after FROM pki_certificate WHERE id = "
               "$1 ON "
               "CONFLICT (certificate) DO UPDATE SET entry = excluded.entry, at = excluded.at, reason = "
               "excluded.reason",
               "iiii", certificate, adoption->journal.seq, at, reason) &&
           store_exec(adoption->journal.store, error,
                      "UPDATE pki_answer SET next_update = 0 WHERE certificate = $1", "i", certificate) &&
           store_exec(
               adoption->journal.store, error,
               "UPDATE pki_authority SET revoked = $2 WHERE revoked = 0 AND certificate = (SELECT der FROM "
               "pki_certificate WHERE id = $1) AND parent = $3",
               "iii", certificate, at, authority->id);
}

static bool take_entry(Adoption *adoption, const VigieAuthority *authority, X509_REVOKED *entry,
                       GError **error) {
    const ASN1_INTEGER *number = X509_REVOKED_get0_serialNumber(entry);
    g_autoptr(GByteArray) octets = g_byte_array_new();
    ASN1_ENUMERATED *code = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    int64_t reason = code ? ASN1_ENUMERATED_get(code) : 0, id = 0, revoked = 0;
    const unsigned char *data = ASN1_STRING_get0_data(number);
    ASN1_ENUMERATED_free(code);
    if (data[0] & 0x80)
        g_byte_array_append(octets, (const uint8_t *)"", 1);
    g_byte_array_append(octets, data, (guint)ASN1_STRING_length(number));
    VigieBytes serial = vigie_bytes(octets->data, octets->len);
    if (reason == REASON_RELEASE)
        return true;
    if (!find(adoption, authority, serial, &id, error) ||
        (!id && !add(adoption, authority, serial, NULL, &id, error)) ||
        !store_get_int(
            adoption->journal.store, &revoked, error,
            "SELECT COUNT(*) FROM pki_revocation WHERE certificate = $1 AND reason <> 8 AND (reason = $2 OR "
            "reason <> 6)",
            "ii", id, reason))
        return false;
    adoption->known += revoked != 0;
    return revoked != 0 || add_revocation(adoption, authority, id, serial, reason,
                                          time_of(X509_REVOKED_get0_revocationDate(entry)), error);
}

/* The next one is numbered above it, whatever the clock says. */
static bool take_number(Adoption *adoption, const VigieAuthority *authority, X509_CRL *list, GError **error) {
    ASN1_INTEGER *number = X509_CRL_get_ext_d2i(list, NID_crl_number, NULL, NULL);
    int64_t value = 0;
    bool read = number && ASN1_INTEGER_get_int64(&value, number) == 1;
    ASN1_INTEGER_free(number);
    return !read || store_exec(adoption->journal.store, error,
                               "UPDATE pki_authority SET crl_number = $2 WHERE id = $1 AND crl_number < $2",
                               "ii", authority->id, value);
}

static bool take_list(Adoption *adoption, const VigieFileObject *object, GError **error) {
    const unsigned char *at = object->der;
    g_autoptr(X509_CRL) list = d2i_X509_CRL(NULL, &at, (long)object->size);
    VigieAuthority *authority = list ? issuer_of(adoption, NULL, list) : NULL;
    if (!authority) {
        adoption->others++;
        return true;
    }
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(list);
    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++)
        if (!take_entry(adoption, authority, sk_X509_REVOKED_value(entries, i), error))
            return false;
    return take_number(adoption, authority, list, error);
}

/* ---- Checkpoints -------------------------------------------------------------------------------------------- */
/* That the log once went on to there, and does not any more, is a line of it from now on. */
static bool take_checkpoint(Adoption *adoption, const char *text, GError **error) {
    g_auto(GStrv) lines = g_strsplit(text, "\n", 8);
    int64_t seq = 0;
    if (g_strv_length(lines) < 6 || !g_ascii_string_to_signed(lines[1], 10, 1, INT64_MAX, &seq, NULL)) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            "this is no checkpoint: vigie audit-log checkpoint prints one");
        return false;
    }
    g_autoptr(VigieRows) rows =
        store_query(adoption->journal.store, error, "SELECT hash FROM pki_log WHERE seq = $1", "i", seq);
    GError *why = NULL;
    g_autofree char *hash = rows && rows_next(rows, &why) ? vigie_hex_text(rows_blob(rows, 0)) : NULL;
    if (!rows_ended(rows, &why, error))
        return false;
    if (g_strcmp0(hash, lines[3]) == 0) {
        adoption->known++;
        return true;
    }
    g_autoptr(json_t) told =
        json_pack("{s:I, s:s, s:s}", "seq", (json_int_t)seq, "time", lines[2], "hash", lines[3]);
    g_autofree char *details = told ? vigie_json_text(told) : NULL;
    return details && journal_add(&adoption->journal, "restored", "log", details, error);
}

static bool take_file(Adoption *adoption, VigieBytes file, GError **error) {
    static const char first[] = "Vigie log checkpoint 1\n";
    if (file.size > strlen(first) && memcmp(file.data, first, strlen(first)) == 0) {
        g_autofree char *text = g_strndup((const char *)file.data, file.size);
        return take_checkpoint(adoption, text, error);
    }
    g_autoptr(GPtrArray) objects = x509_file_objects(file, NULL);
    for (guint i = 0; i < objects->len; i++) {
        const VigieFileObject *one = objects->pdata[i];
        if ((strcmp(one->kind, "certificate") == 0 && !take_certificate(adoption, one, error)) ||
            (strcmp(one->kind, "crl") == 0 && !take_list(adoption, one, error)))
            return false;
    }
    return true;
}

json_t *pki_adopt(VigieStore *store, VigieBytes file, const char *who, VigieTime now, GError **error) {
    Adoption adoption = {.authorities = g_ptr_array_new_with_free_func((GDestroyNotify)pki_authority_close)};
    g_autoptr(VigieTransaction) tx = store_begin(store, error);
    bool well = tx && journal_begin(&adoption.journal, store, who, now, error) &&
                read_authorities(&adoption, error) && take_file(&adoption, file, error) &&
                journal_end(&adoption.journal, NULL, 0, error) && store_commit(&tx, error);
    g_ptr_array_unref(adoption.authorities);
    ERR_clear_error();
    return well ? json_pack("{s:I, s:I, s:I, s:I}", "certificates", (json_int_t)adoption.certificates,
                            "revocations", (json_int_t)adoption.revocations, "known",
                            (json_int_t)adoption.known, "others", (json_int_t)adoption.others)
                : NULL;
}
