/* authority.c: from the store, and what is asked of one. */
#include "pki/authority.h"
#include "pki/build.h"
#include "pki/link.h"
#include "pki/row.h"
#include "x509/x509.h"

#include <openssl/pem.h>
#include <string.h>

bool certificate_view(VigieBytes der, CertificateView *ret_view) {
    const char *clause = NULL;
    CertificateView view = {0};
    DerElement whole, tbs, element, validity, from, to, algorithm;
    VigieReader in = vigie_reader(der);
    if (!der_expect(&in, DER_SEQUENCE, &whole, &clause))
        return false;
    VigieReader outer = vigie_reader(whole.value);
    if (!der_expect(&outer, DER_SEQUENCE, &tbs, &clause) ||
        !der_expect(&outer, DER_SEQUENCE, &algorithm, &clause) ||
        !der_expect(&outer, DER_BIT_STRING, &element, &clause) || element.value.size < 1)
        return false;
    view.tbs = tbs.whole;
    view.signature = vigie_bytes(element.value.data + 1, element.value.size - 1);
    in = vigie_reader(tbs.value);
    der_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &element, &clause);
    if (!der_expect(&in, DER_INTEGER, &element, &clause))
        return false;
    view.serial = element.value;
    if (!der_expect(&in, DER_SEQUENCE, &algorithm, &clause) ||
        !der_expect(&in, DER_SEQUENCE, &element, &clause))
        return false;
    view.issuer = element.whole;
    if (!der_expect(&in, DER_SEQUENCE, &validity, &clause) ||
        !der_expect(&in, DER_SEQUENCE, &element, &clause))
        return false;
    view.subject = element.whole;
    if (!der_expect(&in, DER_SEQUENCE, &element, &clause))
        return false;
    view.spki = element.whole;
    while (der_next(&in, &element, &clause) && element.tag != DER_CONTEXT_CONSTRUCTED(3))
        ;
    VigieReader tagged = vigie_reader(element.value);
    if (element.tag == DER_CONTEXT_CONSTRUCTED(3) && der_expect(&tagged, DER_SEQUENCE, &element, &clause))
        view.extensions = element.value;
    in = vigie_reader(validity.value);
    if (!der_next(&in, &from, &clause) || !der_next(&in, &to, &clause) ||
        !der_time(&from, &view.not_before, &clause) || !der_time(&to, &view.not_after, &clause))
        return false;
    *ret_view = view;
    return true;
}

/* ---- Settings ----------------------------------------------------------------------------------------------- */
int64_t authority_setting(const VigieAuthority *authority, const char *key) {
    return json_integer_value(json_object_get(authority->settings, key));
}

const char *authority_policy(const VigieAuthority *authority, const char *profile) {
    return json_string_value(json_object_get(json_object_get(authority->settings, "policies"), profile));
}

/* {name}, and {file}, which is the name with its shard where there are several. */
static char **addresses(const VigieAuthority *authority, const char *key, size_t shard) {
    const json_t *list = json_object_get(authority->settings, key);
    g_autofree char *file =
        authority->shards > 1 ? g_strdup_printf("%s-%zu", authority->name, shard) : g_strdup(authority->name);
    g_autoptr(json_t) values = json_pack("{s:s, s:s}", "name", authority->name, "file", file);
    char **urls = g_new0(char *, json_array_size(list) + 1);
    for (size_t i = 0; i < json_array_size(list); i++)
        urls[i] = vigie_text_fill(json_string_value(json_array_get(list, i)), values);
    return urls;
}

static void fill_addresses(VigieAuthority *authority) {
    authority->shards = (size_t)MAX(1, authority_setting(authority, "crl_shards"));
    authority->points = g_new0(AuthorityPoints, authority->shards);
    for (size_t shard = 0; shard < authority->shards; shard++) {
        authority->points[shard].crl = addresses(authority, "crl_urls", shard);
        authority->points[shard].delta = addresses(authority, "delta_urls", shard);
    }
    authority->issuer_urls = addresses(authority, "issuer_urls", 0);
    authority->ocsp_urls = addresses(authority, "ocsp_urls", 0);
}

/* ---- Opening ------------------------------------------------------------------------------------------------ */
VigieAuthority *authority_new(int64_t id, const char *name, const char *key_file, VigieBytes der,
                              const char *settings, GError **error) {
    g_autoptr(VigieAuthority) authority = g_new0(VigieAuthority, 1);
    CertificateView view;
    authority->id = id;
    authority->name = g_strdup(name);
    authority->key_file = g_strdup(key_file);
    authority->der = g_byte_array_append(g_byte_array_new(), der.data, (guint)der.size);
    authority->settings = json_loads(settings, 0, NULL);
    if (!authority->settings ||
        !certificate_view(vigie_bytes(authority->der->data, authority->der->len), &view) ||
        !signer_key_id(view.spki, authority->key_id)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL,
                    "authority %s: what the store holds of it cannot be read", name);
        return NULL;
    }
    authority->subject = view.subject;
    authority->spki = view.spki;
    authority->not_before = view.not_before;
    authority->not_after = view.not_after;
    fill_addresses(authority);
    return g_steal_pointer(&authority);
}

static bool open_key(VigieAuthority *authority, const char *passphrase, GError **error) {
    if (!signer_settle(authority->key_file, error))
        return false;
    authority->signer = signer_open(authority->key_file, passphrase, error);
    if (!authority->signer)
        return false;
    VigieBytes spki = vigie_bytes(authority->signer->spki->data, authority->signer->spki->len);
    if (vigie_bytes_equal(spki, authority->spki))
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT,
                "key %s is not the key of %s's certificate: put the right file back", authority->key_file,
                authority->name);
    return false;
}

VigieAuthority *pki_authority_open(VigieStore *store, const char *name, const char *passphrase,
                                   GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT id, key_file, certificate, settings FROM pki_authority WHERE name = $1", "t",
        name);
    if (!rows_first(rows, error, "there is no authority %s: see vigie ca list", name))
        return NULL;
    g_autoptr(VigieAuthority) authority = authority_new(rows_int(rows, 0), name, rows_text(rows, 1),
                                                        rows_blob(rows, 2), rows_text(rows, 3), error);
    if (!authority || (passphrase && !open_key(authority, passphrase, error)))
        return NULL;
    return g_steal_pointer(&authority);
}

char *pki_authority_current(VigieStore *store, const char *name, GError **error) {
    int64_t id = 0;
    g_autoptr(VigieAuthority) authority = pki_authority_open(store, name, NULL, error);
    return authority && generation_current(store, authority->id, &id, error)
               ? authority_name(store, id, error)
               : NULL;
}

char *authority_name(VigieStore *store, int64_t id, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT name FROM pki_authority WHERE id = $1", "i", id);
    return rows_first(rows, error, "there is no such authority") ? g_strdup(rows_text(rows, 0)) : NULL;
}

void pki_authority_close(VigieAuthority *authority) {
    if (!authority)
        return;
    for (size_t shard = 0; shard < authority->shards; shard++) {
        g_strfreev(authority->points[shard].crl);
        g_strfreev(authority->points[shard].delta);
    }
    g_free(authority->points);
    g_strfreev(authority->issuer_urls);
    g_strfreev(authority->ocsp_urls);
    g_free(authority->name);
    g_free(authority->key_file);
    if (authority->der)
        g_byte_array_unref(authority->der);
    json_decref(authority->settings);
    signer_free(authority->signer);
    g_free(authority);
}

bool authority_must_sign(const VigieAuthority *authority, GError **error) {
    if (authority->signer)
        return true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                "%s was opened without its key: give its passphrase (--passphrase-file)", authority->name);
    return false;
}

/* ---- Telling ------------------------------------------------------------------------------------------------ */
static json_t *tell(VigieRows *rows, GError **error) {
    g_autoptr(VigieCertificate) certificate = x509_certificate_new(rows_blob(rows, 3), error);
    if (!certificate)
        return NULL;
    g_autofree char *sha256 = vigie_hex_text(vigie_bytes(certificate->sha256, sizeof certificate->sha256));
    g_autofree char *from = vigie_time_rfc3339(certificate->not_before),
                    *to = vigie_time_rfc3339(certificate->not_after);
    g_autofree char *key = g_strdup_printf("%s %u", x509_key_name(certificate->key), certificate->key_bits);
    json_t *settings = json_loads(rows_text(rows, 5), 0, NULL);
    g_autofree char *destroyed = rows_int(rows, 11) ? vigie_time_rfc3339(rows_int(rows, 11)) : NULL;
    json_t *told =
        json_pack("{s:s, s:s, s:s?, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:o}", "name", rows_text(rows, 0),
                  "title", rows_text(rows, 1), "issuer", rows_text(rows, 2), "subject", certificate->subject,
                  "not_before", from, "not_after", to, "sha256", sha256, "key", key, "key_file",
                  rows_text(rows, 4), "certificates", (json_int_t)rows_int(rows, 6), "revoked",
                  (json_int_t)rows_int(rows, 7), "settings", settings ? settings : json_object());
    json_t *of_generation = json_pack("{s:s?, s:s?, s:s, s:I, s:s?}", "succeeds", rows_text(rows, 8),
                                      "successor", rows_text(rows, 9), "serial", certificate->serial,
                                      "shares", (json_int_t)rows_int(rows, 10), "destroyed", destroyed);
    json_object_update_new(told, of_generation);
    return told;
}

json_t *pki_authority_list(VigieStore *store, const char *name, GError **error) {
    g_autoptr(VigieRows) rows = store_query(
        store, error,
        "SELECT a.name, a.title, p.name, a.certificate, a.key_file, a.settings, "
        "(SELECT COUNT(*) FROM pki_certificate c WHERE c.authority = a.id), "
        "(SELECT COUNT(*) FROM pki_revocation r WHERE r.authority = a.id AND r.reason <> 8), "
        "b.name, s.name, a.threshold, a.destroyed "
        "FROM pki_authority a LEFT JOIN pki_authority p ON p.id = a.parent "
        "LEFT JOIN pki_authority b ON b.id = a.succeeds LEFT JOIN pki_authority s ON s.succeeds = a.id "
        "WHERE $1 IS NULL OR a.name = $1 ORDER BY a.id",
        "t", name);
    g_autoptr(json_t) list = json_array();
    GError *why = NULL;
    if (!rows)
        return NULL;
    while (rows_next(rows, &why)) {
        json_t *one = tell(rows, error);
        if (!one)
            return NULL;
        json_array_append_new(list, one);
    }
    if (!rows_ended(rows, &why, error))
        return NULL;
    if (name && json_array_size(list) == 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "there is no authority %s: see vigie ca list",
                    name);
        return NULL;
    }
    return g_steal_pointer(&list);
}

json_t *pki_authority_titles(VigieStore *store, GError **error) {
    g_autoptr(VigieRows) rows =
        store_query(store, error, "SELECT name, title FROM pki_authority ORDER BY id", "");
    g_autoptr(json_t) titles = json_object();
    GError *why = NULL;
    while (rows && rows_next(rows, &why))
        json_object_set_new(titles, rows_text(rows, 0), json_string(rows_text(rows, 1)));
    return rows_ended(rows, &why, error) ? g_steal_pointer(&titles) : NULL;
}

char *pki_authority_pem(VigieStore *store, const char *name, GError **error) {
    g_autoptr(VigieAuthority) authority = pki_authority_open(store, name, NULL, error);
    if (!authority)
        return NULL;
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    PEM_write_bio(out, "CERTIFICATE", "", authority->der->data, (long)authority->der->len);
    long size = BIO_get_mem_data(out, &text);
    char *pem = g_strndup(text, (gsize)size);
    BIO_free(out);
    return pem;
}
