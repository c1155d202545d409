/* ocsp-responder.c: the authorities of the store by the hashes that requests name them by, and their responders' keys. */
#include "pki/ocsp-responder.h"
#include "pki/authority.h"
#include "x509/der-write.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

static void responder_free(Responder *responder) {
    g_free(responder->name);
    signer_free(responder->signer);
    if (responder->certificate)
        g_byte_array_unref(responder->certificate);
    g_free(responder);
}

VigieOcsp *pki_ocsp_new(void) {
    VigieOcsp *ocsp = g_new0(VigieOcsp, 1);
    ocsp->responders = g_ptr_array_new_with_free_func((GDestroyNotify)responder_free);
    return ocsp;
}

void pki_ocsp_free(VigieOcsp *ocsp) {
    if (!ocsp)
        return;
    g_ptr_array_unref(ocsp->responders);
    g_free(ocsp);
}

void pki_ocsp_set_client(VigieOcsp *ocsp, VigieOcspClient *client) {
    ocsp->client = client;
}

/* ---- Authorities -------------------------------------------------------------------------------------------- */
Responder *responder_by_id(const VigieOcsp *ocsp, int64_t id) {
    for (guint i = 0; i < ocsp->responders->len; i++) {
        Responder *one = ocsp->responders->pdata[i];
        if (one->id == id)
            return one;
    }
    return NULL;
}

Responder *responder_by_name(const VigieOcsp *ocsp, const char *authority) {
    for (guint i = 0; i < ocsp->responders->len; i++) {
        Responder *one = ocsp->responders->pdata[i];
        if (strcmp(one->name, authority) == 0)
            return one;
    }
    return NULL;
}

Responder *responder_by_hashes(const VigieOcsp *ocsp, const OcspAsked *asked) {
    for (guint i = 0; i < ocsp->responders->len; i++) {
        Responder *one = ocsp->responders->pdata[i];
        VigieBytes name = asked->sha256 ? vigie_bytes(one->name_sha256, 32) : vigie_bytes(one->name_sha1, 20);
        VigieBytes key = asked->sha256 ? vigie_bytes(one->key_sha256, 32) : vigie_bytes(one->key_sha1, 20);
        if (vigie_bytes_equal(asked->name_hash, name) && vigie_bytes_equal(asked->key_hash, key))
            return one;
    }
    return NULL;
}

/* The bits of a SubjectPublicKeyInfo's key. */
static VigieBytes key_bits(VigieBytes spki) {
    const char *clause = NULL;
    DerElement whole, algorithm, bits;
    VigieReader in = vigie_reader(spki);
    if (!der_expect(&in, DER_SEQUENCE, &whole, &clause))
        return (VigieBytes){0};
    in = vigie_reader(whole.value);
    if (!der_expect(&in, DER_SEQUENCE, &algorithm, &clause) ||
        !der_expect(&in, DER_BIT_STRING, &bits, &clause) || bits.value.size < 2)
        return (VigieBytes){0};
    return vigie_bytes(bits.value.data + 1, bits.value.size - 1);
}

static void add_authority(VigieOcsp *ocsp, int64_t id, const char *name, VigieBytes der,
                          const char *settings_text) {
    CertificateView view;
    g_autoptr(json_t) settings = json_loads(settings_text, 0, NULL);
    if (!certificate_view(der, &view))
        return;
    Responder *responder = responder_by_id(ocsp, id);
    if (!responder) {
        responder = g_new0(Responder, 1);
        g_ptr_array_add(ocsp->responders, responder);
    }
    VigieBytes key = key_bits(view.spki);
    responder->id = id;
    responder->hours = json_integer_value(json_object_get(settings, "answer_hours"));
    g_free(responder->name);
    responder->name = g_strdup(name);
    SHA1(view.subject.data, view.subject.size, responder->name_sha1);
    SHA1(key.data, key.size, responder->key_sha1);
    SHA256(view.subject.data, view.subject.size, responder->name_sha256);
    SHA256(key.data, key.size, responder->key_sha256);
}

bool responders_read(VigieOcsp *ocsp, VigieStore *store, VigieTime age, VigieTime now, GError **error) {
    if (ocsp->read != 0 && now >= ocsp->read && now - ocsp->read < age)
        return true;
    g_autoptr(VigieRows) rows = store_query(
        store, error, "SELECT id, name, certificate, settings FROM pki_authority ORDER BY id", "");
    g_autoptr(GError) why = NULL;
    if (!rows)
        return false;
    while (rows_next(rows, &why))
        add_authority(ocsp, rows_int(rows, 0), rows_text(rows, 1), rows_blob(rows, 2), rows_text(rows, 3));
    if (why) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    ocsp->read = now;
    return true;
}

/* ---- Keys ---------------------------------------------------------------------------------------------------- */
bool pki_ocsp_add_key(VigieOcsp *ocsp, VigieStore *store, const char *authority, const char *passphrase,
                      GError **error) {
    if (!responders_read(ocsp, store, RESPONDERS_KEPT, vigie_time_now(), error))
        return false;
    Responder *responder = responder_by_name(ocsp, authority);
    g_autoptr(VigieRows) rows =
        store_query(store, error,
                    "SELECT r.key_file, c.der, c.id FROM pki_responder r JOIN pki_certificate c ON c.id = "
                    "r.certificate JOIN pki_authority a ON a.id = r.authority WHERE a.name = $1",
                    "t", authority);
    if (!rows)
        return false;
    if (!responder || !rows_next(rows, error)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND, "%s has no responder: see vigie ca responder",
                    authority);
        return false;
    }
    g_autoptr(Signer) signer = signer_open(rows_text(rows, 0), passphrase, error);
    VigieBytes der = rows_blob(rows, 1);
    if (!signer)
        return false;
    VigieBytes key = key_bits(der_bytes(signer->spki));
    SHA1(key.data, key.size, responder->responder);
    signer_free(responder->signer);
    if (responder->certificate)
        g_byte_array_unref(responder->certificate);
    responder->signer = g_steal_pointer(&signer);
    responder->certificate = g_byte_array_append(g_byte_array_new(), der.data, (guint)der.size);
    responder->certificate_id = rows_int(rows, 2);
    return true;
}

bool ocsp_has_key(const VigieOcsp *ocsp, const char *authority) {
    const Responder *responder = responder_by_name(ocsp, authority);
    return responder && responder->signer;
}

bool pki_ocsp_follow(VigieOcsp *ocsp, VigieStore *store, const char *authority, VigiePassphrase passphrase,
                     void *data, GError **error) {
    int64_t certificate = 0;
    if (!store_get_int(store, &certificate, error,
                       "SELECT COALESCE(MAX(r.certificate), 0) FROM pki_responder r JOIN pki_authority a ON "
                       "a.id = r.authority WHERE a.name = $1",
                       "t", authority))
        return false;
    const Responder *responder = responder_by_name(ocsp, authority);
    if (responder && responder->signer && responder->certificate_id == certificate)
        return true;
    char *secret = passphrase(authority, false, data, error);
    bool added = secret && pki_ocsp_add_key(ocsp, store, authority, secret, error);
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    g_free(secret);
    return added;
}
