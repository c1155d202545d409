/* enrol: what the enrolment protocols share. Each reads its own messages and states what the client has proven; the one path
 * of requests does the rest, and the signer checks it all again. */
#include "pki/enrol.h"
#include "pki/authority.h"
#include "pki/registration.h"
#include "pki/row.h"
#include "x509/der-write.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

enum { WAIT_MS = 5000 };

typedef struct {
    const VigieProfiles *profiles;
    const VigiePkiRequest *request;
    VigieTime now;
    int64_t id;
} Adding;

static bool add(VigieStore *store, void *data, GError **error) {
    Adding *adding = data;
    return pki_request_add(store, adding->profiles, adding->request, adding->now, &adding->id, NULL, error);
}

/* Threads that wait for SQLite's lock one by one spend more on waiting than on their request. */
static bool add_shared(VigieStore *store, VigieStoreGroup *group, const VigieProfiles *profiles,
                       const VigiePkiRequest *request, VigieTime now, int64_t *ret_id, GError **error) {
    Adding adding = {profiles, request, now, 0};
    if (!(group ? store_group_write(group, store, add, &adding, error) : add(store, &adding, error)))
        return false;
    *ret_id = adding.id;
    return true;
}

GByteArray *pki_request_ask(VigieStore *store, VigieStoreGroup *group, const VigieProfiles *profiles,
                            const VigiePkiRequest *request, VigieTime now, GError **error) {
    int64_t id = 0;
    VigiePkiState state = VIGIE_REQUEST_WAITING;
    /* Looked for before it is added: what is repeated may have used up its enrolment. */
    if (!registration_again(store, request, now, &id, error) ||
        (id == 0 && !add_shared(store, group, profiles, request, now, &id, error)) ||
        !pki_request_wait(store, id, WAIT_MS, &state, error))
        return NULL;
    if (state == VIGIE_REQUEST_ISSUED && request->kind == VIGIE_REQUEST_REVOKE)
        return g_byte_array_new();
    bool decided = state == VIGIE_REQUEST_ISSUED || state == VIGIE_REQUEST_REFUSED;
    return decided ? pki_request_certificate(store, id, error) : NULL;
}

bool enrol_find(VigieStore *store, const char *protocol, const char *requester, int64_t *ret_id,
                GError **error) {
    g_autofree char *fold = vigie_text_fold(requester);
    return store_get_int(
        store, ret_id, error,
        "SELECT COALESCE(MAX(id), 0) FROM pki_request WHERE requester_fold = $1 AND protocol = $2", "tt",
        fold, protocol);
}

/* RFC 5652 5.1 and 5.2: no signer, no content. */
GByteArray *enrol_signed_data(const GByteArray *first, const GPtrArray *others, const GByteArray *list) {
    static const char signed_data[] = "1.2.840.113549.1.7.2", data[] = "1.2.840.113549.1.7.1";
    GByteArray *out = g_byte_array_new();
    size_t info = der_open(out, DER_SEQUENCE);
    der_put_oid(out, signed_data);
    size_t content = der_open(out, DER_CONTEXT_CONSTRUCTED(0)), body = der_open(out, DER_SEQUENCE);
    der_put_unsigned(out, DER_INTEGER, 1);
    der_put(out, DER_SET, "", 0); /* digest algorithms */
    size_t inner = der_open(out, DER_SEQUENCE);
    der_put_oid(out, data);
    der_close(out, inner);
    if (first || others) {
        size_t certificates = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
        if (first)
            der_put_whole(out, der_bytes(first));
        for (guint i = 0; others && i < others->len; i++)
            der_put_whole(out, der_bytes(g_ptr_array_index(others, i)));
        der_close(out, certificates);
    }
    if (list)
        der_put(out, DER_CONTEXT_CONSTRUCTED(1), list->data, list->len);
    der_put(out, DER_SET, "", 0); /* signers */
    der_close(out, body);
    der_close(out, content);
    der_close(out, info);
    return out;
}

GByteArray *pki_certs_only(const GByteArray *first, const GPtrArray *others) {
    return enrol_signed_data(first, others, NULL);
}

/* ---- What messages hold --------------------------------------------------------------------------------------- */
static char *name_text(const GENERAL_NAME *name) {
    int type = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    const char *kind = type == GEN_DNS ? "dns" : type == GEN_EMAIL ? "email" : NULL;
    const unsigned char *data = value ? ASN1_STRING_get0_data(value) : NULL;
    int size = value ? ASN1_STRING_length(value) : 0;
    if (kind && size > 0 && !memchr(data, 0, (size_t)size))
        return g_strdup_printf("%s:%.*s", kind, size, (const char *)data);
    char text[INET6_ADDRSTRLEN];
    if (type == GEN_IPADD && (size == 4 || size == 16) &&
        inet_ntop(size == 4 ? AF_INET : AF_INET6, data, text, sizeof text))
        return g_strconcat("ip:", text, NULL);
    return g_strdup("other:"); /* which no profile and no enrolment allows */
}

char **enrol_names(const X509_EXTENSIONS *extensions) {
    GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    GPtrArray *texts = g_ptr_array_new();
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        g_ptr_array_add(texts, name_text(sk_GENERAL_NAME_value(names, i)));
    g_ptr_array_add(texts, NULL);
    GENERAL_NAMES_free(names);
    return (char **)g_ptr_array_free(texts, FALSE);
}

X509 *enrol_x509(const GByteArray *der) {
    const unsigned char *at = der->data;
    return d2i_X509(NULL, &at, (long)der->len);
}

static gboolean same_bytes(gconstpointer a, gconstpointer b) {
    const GByteArray *one = a, *other = b;
    return vigie_bytes_equal(vigie_bytes(one->data, one->len), vigie_bytes(other->data, other->len));
}

static GPtrArray *both_chains(VigieStore *store, const char *authority, VigieTime now) {
    g_autofree char *current = pki_authority_current(store, authority, NULL);
    g_autoptr(GPtrArray) chain = current ? pki_authority_chain(store, current, now, NULL) : NULL;
    g_autoptr(GPtrArray) own = chain ? pki_authority_chain(store, authority, now, NULL) : NULL;
    for (guint i = 0; own && i < own->len; i++)
        if (!g_ptr_array_find_with_equal_func(chain, own->pdata[i], same_bytes, NULL))
            g_ptr_array_add(chain, g_byte_array_ref(own->pdata[i]));
    return own ? g_steal_pointer(&chain) : NULL;
}

bool enrol_authority(VigieStore *store, VigieBytes issuer, int64_t *ret_id, GError **error) {
    g_autoptr(VigieRows) rows = store_query(store, error, "SELECT id, certificate FROM pki_authority", "");
    GError *why = NULL;
    CertificateView view;
    *ret_id = 0;
    while (rows && *ret_id == 0 && rows_next(rows, &why))
        if (certificate_view(rows_blob(rows, 1), &view) && vigie_bytes_equal(view.subject, issuer))
            *ret_id = rows_int(rows, 0);
    return rows_ended(rows, &why, error);
}

/* ---- The registrar -------------------------------------------------------------------------------------------- */
static bool read_pem(BIO *file, VigieRegistrar *registrar) {
    registrar->certificate = PEM_read_bio_X509(file, NULL, NULL, NULL);
    return registrar->certificate && BIO_reset(file) == 0 &&
           (registrar->key = PEM_read_bio_PrivateKey(file, NULL, NULL, NULL)) != NULL &&
           X509_check_private_key(registrar->certificate, registrar->key) == 1;
}

json_t *enrol_shown(VigieStore *store, const X509 *certificate, VigieTime now, GError **error) {
    uint8_t *der = NULL;
    int size = i2d_X509(certificate, &der);
    json_t *shown =
        size > 0 ? pki_certificate_shown(store, vigie_bytes(der, (size_t)size), now, error) : NULL;
    OPENSSL_free(der);
    return shown;
}

static bool find_authority(VigieStore *store, VigieRegistrar *registrar, VigieTime now, GError **error) {
    g_autoptr(json_t) shown = enrol_shown(store, registrar->certificate, now, error);
    registrar->authority = shown ? g_strdup(json_string_value(json_object_get(shown, "authority"))) : NULL;
    return registrar->authority != NULL;
}

bool enrol_registrar_good(const VigieRegistrar *registrar, VigieStore *store, VigieTime now, GError **error) {
    g_autoptr(GError) why = NULL;
    g_autoptr(json_t) shown = enrol_shown(store, registrar->certificate, now, &why);
    if (!shown)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE,
                    "the registrar of this portal is to be renewed (pki.registrar): %s", why->message);
    return shown != NULL;
}

GPtrArray *enrol_chain(VigieStore *store, const VigieRegistrar *registrar, const GByteArray *certificate,
                       VigieTime now) {
    g_autoptr(json_t) shown =
        certificate
            ? pki_certificate_shown(store, vigie_bytes(certificate->data, certificate->len), now, NULL)
            : NULL;
    const char *authority = json_string_value(json_object_get(shown, "authority"));
    return authority ? pki_authority_chain(store, authority, now, NULL)
                     : both_chains(store, registrar->authority, now);
}

VigieRegistrar *pki_registrar_load(VigieStore *store, const char *path, const VigieSeal *seal, VigieTime now,
                                   GError **error) {
    g_autoptr(VigieRegistrar) registrar = g_new0(VigieRegistrar, 1);
    registrar->seal = seal;
    BIO *file = BIO_new_file(path, "r");
    bool well = file && read_pem(file, registrar);
    BIO_free(file);
    ERR_clear_error();
    if (!well) {
        g_set_error(
            error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
            "pki.registrar: %s: a PEM file that can be read, with a certificate of the profile registrar "
            "and its private key, is wanted",
            path);
        return NULL;
    }
    if (!find_authority(store, registrar, now, error)) {
        g_prefix_error(error, "pki.registrar: %s: ", path);
        return NULL;
    }
    return g_steal_pointer(&registrar);
}

void pki_registrar_free(VigieRegistrar *registrar) {
    if (!registrar)
        return;
    X509_free(registrar->certificate);
    EVP_PKEY_free(registrar->key);
    g_free(registrar->authority);
    g_free(registrar);
}
