/* responder.c: the key and certificate by which an authority's answers are signed, so that its own key can rest. */
#include "pki/build.h"
#include "pki/name.h"
#include "pki/record.h"
#include "pki/revoke.h"
#include "x509/der-write.h"

#include <string.h>
#include <unistd.h>

/* A request by the new key, so that it passes where all others pass. */
static bool put_csr(GByteArray *out, Signer *signer, GError **error) {
    g_autoptr(GByteArray) info = g_byte_array_new();
    size_t sequence = der_open(info, DER_SEQUENCE);
    der_put_unsigned(info, DER_INTEGER, 0);
    der_put(info, DER_SEQUENCE, "", 0);
    der_put_whole(info, der_bytes(signer->spki));
    der_put(info, DER_CONTEXT_CONSTRUCTED(0), "", 0);
    der_close(info, sequence);
    return build_sign(out, der_bytes(info), signer, error);
}

static bool issue(VigieStore *store, VigieAuthority *authority, const VigieProfiles *profiles, Signer *signer,
                  const char *title, const char *who, VigieTime now, char **ret_serial, GError **error) {
    g_autoptr(GByteArray) csr = g_byte_array_new();
    g_autofree char *name = g_strconcat("OCSP ", title, NULL);
    g_autoptr(json_t) fields = json_pack("{s:s, s:s}", "organisation", title, "common_name", name);
    VigieIssued issued = {0};
    if (!put_csr(csr, signer, error))
        return false;
    VigieIssueRequest request = {.profile = "ocsp-responder", .csr = der_bytes(csr), .fields = fields};
    bool well = pki_issue(store, authority, profiles, &request, 1, &issued, who, now, error);
    if (well && issued.error)
        g_propagate_error(error, g_steal_pointer(&issued.error));
    else if (well)
        *ret_serial = g_strdup(issued.serial);
    pki_issued_clear(&issued);
    return well && *ret_serial;
}

/* The certificate just issued is found by its serial number, which is what its issuing told. */
static bool keep(VigieStore *store, const VigieAuthority *authority, const char *serial, const char *key_file,
                 GError **error) {
    uint8_t octets[32];
    VigieBytes wanted;
    return revoke_serial(serial, octets, &wanted, error) &&
           store_exec(store, error,
                      "INSERT INTO pki_responder (authority, certificate, key_file) SELECT c.authority, "
                      "c.id, $3 FROM pki_certificate "
                      "c WHERE c.authority = $1 AND c.serial = $2 "
                      "ON CONFLICT (authority) DO UPDATE SET certificate = excluded.certificate, key_file = "
                      "excluded.key_file",
                      "ibt", authority->id, &wanted, key_file);
}

bool pki_responder_make(VigieStore *store, VigieAuthority *authority, const VigieProfiles *profiles,
                        const char *passphrase, const char *who, VigieTime now, GError **error) {
    g_autofree char *when = vigie_time_rfc3339(now), *serial = NULL;
    g_autofree char *name =
        g_strdup_printf("%s-ocsp-%.10s-%04x", authority->name, when, g_random_int_range(0, 0x10000));
    g_autofree char *path = signer_beside(authority->key_file, name);
    g_autoptr(json_t) told = pki_authority_list(store, authority->name, error);
    if (!told || !authority_must_sign(authority, error))
        return false;
    const char *title = json_string_value(json_object_get(json_array_get(told, 0), "title"));
    g_autoptr(Signer) signer = signer_make(path, "P-256", passphrase, error);
    if (!signer)
        return false;
    if (issue(store, authority, profiles, signer, title, who, now, &serial, error) &&
        keep(store, authority, serial, path, error))
        return true;
    if (!signer_in_token(path))
        unlink(path);
    return false;
}
