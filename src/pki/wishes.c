#include "pki/wishes.h"
#include "x509/der-write.h"

#include <string.h>

#define EC_PUBLIC_KEY "1.2.840.10045.2.1"
#define RSA_ENCRYPTION "1.2.840.113549.1.1.1"

static const char *curve_oid(const char *name) {
    static const char *const curves[][2] = {
        {"P-256", "1.2.840.10045.3.1.7"}, {"P-384", "1.3.132.0.34"}, {"P-521", "1.3.132.0.35"}};
    size_t i = 0;
    while (strcmp(curves[i][0], name) != 0) /* the profile's reader knows no others */
        i++;
    return curves[i][1];
}

/* ---- CMP ------------------------------------------------------------------------------------------------------ */
void wishes_put_keys(GByteArray *out, const Profile *profile) {
    size_t controls = der_open(out, DER_SEQUENCE);
    for (char **curve = profile->curves; curve && *curve; curve++) {
        size_t control = der_open(out, DER_SEQUENCE);
        der_put_oid(out, "1.3.6.1.5.5.7.5.1.11"); /* id-regCtrl-algId */
        size_t algorithm = der_open(out, DER_SEQUENCE);
        der_put_oid(out, EC_PUBLIC_KEY);
        der_put_oid(out, curve_oid(*curve));
        der_close(out, algorithm);
        der_close(out, control);
    }
    if (profile->rsa_min) {
        size_t control = der_open(out, DER_SEQUENCE);
        der_put_oid(out, "1.3.6.1.5.5.7.5.1.12"); /* id-regCtrl-rsaKeyLen */
        der_put_unsigned(out, DER_INTEGER, profile->rsa_min);
        der_close(out, control);
    }
    der_close(out, controls);
}

/* ---- EST ------------------------------------------------------------------------------------------------------ */
/* CsrAttrs (RFC 7030 4.5.2, RFC 9908 3): the key that serves best, and the digest to sign with. */
GByteArray *pki_csr_attributes(const VigieProfiles *profiles, const char *name) {
    const Profile *profile = profile_find(profiles, name);
    if (!profile)
        return NULL;
    bool ec = profile->curves && profile->curves[0];
    GByteArray *out = g_byte_array_new();
    size_t all = der_open(out, DER_SEQUENCE), attribute = der_open(out, DER_SEQUENCE);
    der_put_oid(out, ec ? EC_PUBLIC_KEY : RSA_ENCRYPTION);
    size_t values = der_open(out, DER_SET);
    if (ec)
        der_put_oid(out, curve_oid(profile->curves[0]));
    else
        der_put_unsigned(out, DER_INTEGER, profile->rsa_min);
    der_close(out, values);
    der_close(out, attribute);
    der_put_oid(out, ec ? "1.2.840.10045.4.3.2" : "1.2.840.113549.1.1.11");
    der_close(out, all);
    return out;
}
