/* certificate.c: what is shown and judged of a certificate, by our own walk: libcrypto's decoding costs 150 µs, and
 * refuses whole certificates for a single fault. */
#include "x509/oid.h"
#include "x509/text.h"
#include "x509/view.h"
#include "x509/x509.h"

#include <arpa/inet.h>
#include <openssl/sha.h>

enum { SIZE_MAX_DER = 1 << 20, NAMES_MAX = 4096, SERIAL_MAX = 20, SERIAL_SHOWN = 64, EXTENSIONS_MAX = 256 };

static char *name_text(VigieBytes name, const char **clause) {
    GString *text = g_string_sized_new(96);
    text_append_name(text, name, clause);
    return g_string_free(text, FALSE);
}

static char *serial_text(VigieBytes serial, const char **clause) {
    if (serial.size == 0 || (serial.data[0] == 0 && serial.size == 1))
        der_refuse(clause, "RFC 5280 4.1.2.2: serial number is zero");
    else if (serial.data[0] & 0x80)
        der_refuse(clause, "RFC 5280 4.1.2.2: serial number is negative");
    else if (serial.size > 1 && serial.data[0] == 0 && !(serial.data[1] & 0x80))
        der_refuse(clause, "X.690 8.3.2: serial number not in the shortest form");
    VigieBytes digits = der_magnitude(serial);
    if (digits.size > SERIAL_MAX)
        der_refuse(clause, "RFC 5280 4.1.2.2: serial number longer than 20 octets");
    VigieBytes shown = {digits.data, MIN(digits.size, SERIAL_SHOWN)};
    return digits.size == 0 ? g_strdup("00") : vigie_hex_text(shown);
}

/* ---- Keys --------------------------------------------------------------------------------------------------- */
/* The modulus of an RSAPublicKey. */
static unsigned rsa_bits(VigieBytes key, const char **clause) {
    VigieReader in = vigie_reader(key);
    DerElement sequence, modulus;
    if (!der_expect(&in, DER_SEQUENCE, &sequence, clause))
        return 0;
    in = vigie_reader(sequence.value);
    return der_expect(&in, DER_INTEGER, &modulus, clause) ? der_bits(modulus.value) : 0;
}

/* A named curve, or the field's prime of explicit parameters (RFC 5480 2.1.1 forbids them). */
static unsigned curve_bits(const DerElement *parameters, const char **ret_curve, const char **clause) {
    if (parameters->tag == DER_OID) {
        const Oid *curve = oid_find(OID_CURVE, parameters->value);
        *ret_curve = curve ? curve->name : NULL;
        return curve ? curve->value : 0;
    }
    der_refuse(clause, "RFC 5480 2.1.1: curve without a name");
    VigieReader in = vigie_reader(parameters->value);
    DerElement element;
    const char *ignored = NULL;
    if (parameters->tag != DER_SEQUENCE || !der_expect(&in, DER_INTEGER, &element, &ignored) ||
        !der_expect(&in, DER_SEQUENCE, &element, &ignored))
        return 0;
    in = vigie_reader(element.value);
    if (!der_expect(&in, DER_OID, &element, &ignored) || !der_expect(&in, DER_INTEGER, &element, &ignored))
        return 0;
    return der_bits(element.value);
}

static void read_key_parameters(VigieCertificate *certificate, VigieReader *algorithm, VigieBytes key) {
    DerElement parameters = {0};
    const char *none = NULL;
    const char **clause = &certificate->malformed;
    bool given = der_next(algorithm, &parameters, &none);
    switch (certificate->key) {
    case VIGIE_KEY_RSA:
    case VIGIE_KEY_RSA_PSS:
        certificate->key_bits = rsa_bits(key, clause);
        break;
    case VIGIE_KEY_EC:
        if (given)
            certificate->key_bits = curve_bits(&parameters, &certificate->curve, clause);
        else
            der_refuse(clause, "RFC 5480 2.1.1: curve without a name");
        break;
    case VIGIE_KEY_DSA: {
        VigieReader in = vigie_reader(parameters.value);
        DerElement prime;
        if (given && parameters.tag == DER_SEQUENCE && der_expect(&in, DER_INTEGER, &prime, &none))
            certificate->key_bits = der_bits(prime.value);
        break;
    }
    case VIGIE_KEY_ED25519:
        certificate->key_bits = 256;
        break;
    case VIGIE_KEY_ED448:
        certificate->key_bits = 456;
        break;
    default:
        break;
    }
}

static void read_key(VigieCertificate *certificate, VigieBytes spki) {
    const char **clause = &certificate->malformed;
    VigieReader in = vigie_reader(spki);
    DerElement sequence, algorithm, type, key;
    if (spki.size > 0)
        SHA256(spki.data, spki.size, certificate->spki_sha256);
    if (!der_expect(&in, DER_SEQUENCE, &sequence, clause))
        return;
    in = vigie_reader(sequence.value);
    if (!der_expect(&in, DER_SEQUENCE, &algorithm, clause) || !der_expect(&in, DER_BIT_STRING, &key, clause))
        return;
    VigieReader inner = vigie_reader(algorithm.value);
    if (!der_expect(&inner, DER_OID, &type, clause))
        return;
    const Oid *known = oid_find(OID_KEY, type.value);
    if (!known)
        return;
    if (key.value.size < 1 || key.value.data[0] != 0) {
        der_refuse(clause, "RFC 5280 4.1.2.7: subjectPublicKey is no whole number of octets");
        return;
    }
    certificate->key = (VigieKeyType)known->value;
    read_key_parameters(certificate, &inner, vigie_bytes(key.value.data + 1, key.value.size - 1));
}

/* ---- Signature ---------------------------------------------------------------------------------------------- */
/* RFC 4055 3.1: the digest of RSASSA-PSS stands in its parameters, SHA-1 where it does not. */
static bool pss_weak(VigieReader *algorithm) {
    const char *ignored = NULL;
    DerElement parameters, hash, digest;
    if (!der_expect(algorithm, DER_SEQUENCE, &parameters, &ignored))
        return true;
    VigieReader in = vigie_reader(parameters.value);
    if (!der_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &hash, &ignored))
        return true;
    in = vigie_reader(hash.value);
    if (!der_expect(&in, DER_SEQUENCE, &hash, &ignored))
        return true;
    in = vigie_reader(hash.value);
    const Oid *known =
        der_expect(&in, DER_OID, &digest, &ignored) ? oid_find(OID_DIGEST, digest.value) : NULL;
    return known && known->weak;
}

/* An algorithm without a name here is written in dotted form, in `dotted`. */
static void read_signature_algorithm(VigieCertificate *certificate, VigieBytes algorithm, char *dotted,
                                     size_t capacity) {
    const char **clause = &certificate->malformed;
    VigieReader in = vigie_reader(algorithm);
    DerElement sequence, oid;
    certificate->signature_algorithm = "unknown";
    if (!der_expect(&in, DER_SEQUENCE, &sequence, clause))
        return;
    in = vigie_reader(sequence.value);
    if (!der_expect(&in, DER_OID, &oid, clause))
        return;
    const Oid *known = oid_find(OID_SIGNATURE, oid.value);
    if (!known) {
        if (der_oid_text(oid.value, dotted, capacity))
            certificate->signature_algorithm = dotted;
        return;
    }
    certificate->signature_algorithm = known->name;
    certificate->signature_weak = known->weak || (strcmp(known->name, "rsassaPss") == 0 && pss_weak(&in));
}

/* ---- Extensions --------------------------------------------------------------------------------------------- */
static char *address_text(VigieBytes address, const char **clause) {
    char text[INET6_ADDRSTRLEN];
    if (address.size == 4 || address.size == 16)
        return g_strdup(inet_ntop(address.size == 4 ? AF_INET : AF_INET6, address.data, text, sizeof text));
    der_refuse(clause, "RFC 5280 4.2.1.6: iPAddress of neither 4 nor 16 octets");
    GString *octets = g_string_new(NULL);
    for (size_t i = 0; i < address.size && i < 64; i++)
        g_string_append_printf(octets, "\\x%02X", address.data[i]);
    return g_string_free(octets, FALSE);
}

/* directoryName, otherName and the rest: said, not taken apart. */
static char *other_text(const DerElement *name, const char **clause) {
    static const char *const kinds[] = {"otherName",    NULL, NULL, "x400Address", "dirName",
                                        "ediPartyName", NULL, NULL, "RID"};
    unsigned number = name->tag & 0x1F;
    GString *text = g_string_new(number < G_N_ELEMENTS(kinds) && kinds[number] ? kinds[number] : "unknown");
    char dotted[128];
    DerElement oid;
    const char *ignored = NULL;
    VigieReader in = vigie_reader(name->value);
    if (name->tag == DER_CONTEXT_CONSTRUCTED(4)) {
        g_string_append_c(text, ':');
        text_append_name(text, name->value, clause);
    } else if (name->tag == DER_CONTEXT_CONSTRUCTED(0) && der_expect(&in, DER_OID, &oid, &ignored) &&
               der_oid_text(oid.value, dotted, sizeof dotted)) {
        g_string_append_printf(text, ":%s", dotted);
    } else if (name->tag == DER_CONTEXT(8) && der_oid_text(name->value, dotted, sizeof dotted)) {
        g_string_append_printf(text, ":%s", dotted);
    }
    return g_string_free(text, FALSE);
}

static VigieAlternativeName alternative_name(const DerElement *name, const char **clause) {
    static const struct {
        uint8_t tag;
        VigieNameType type;
    } kinds[] = {{DER_CONTEXT(1), VIGIE_NAME_EMAIL},
                 {DER_CONTEXT(2), VIGIE_NAME_DNS},
                 {DER_CONTEXT(6), VIGIE_NAME_URI}};
    if (name->tag == DER_CONTEXT(7))
        return (VigieAlternativeName){VIGIE_NAME_IP, address_text(name->value, clause)};
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (name->tag != kinds[i].tag)
            continue;
        GString *text = g_string_sized_new(name->value.size + 1 < 256 ? name->value.size + 1 : 256);
        text_append(text, DER_IA5, name->value, TEXT_PLAIN);
        return (VigieAlternativeName){kinds[i].type, g_string_free(text, FALSE)};
    }
    return (VigieAlternativeName){VIGIE_NAME_OTHER, other_text(name, clause)};
}

static void read_alternative_names(VigieCertificate *certificate, VigieBytes value) {
    const char **clause = &certificate->malformed;
    VigieReader in = vigie_reader(value);
    DerElement sequence, name;
    if (!der_expect(&in, DER_SEQUENCE, &sequence, clause))
        return;
    if (sequence.value.size == 0)
        der_refuse(clause, "RFC 5280 4.2.1.6: subjectAltName without a name");
    GArray *names = g_array_new(FALSE, FALSE, sizeof(VigieAlternativeName));
    in = vigie_reader(sequence.value);
    while (der_next(&in, &name, clause)) {
        if (names->len == NAMES_MAX) {
            certificate->names_cut = true;
            break;
        }
        VigieAlternativeName kept = alternative_name(&name, clause);
        g_array_append_val(names, kept);
    }
    certificate->name_count = names->len;
    certificate->names = (VigieAlternativeName *)(void *)g_array_free(names, names->len == 0);
}

static void read_basic_constraints(VigieCertificate *certificate, VigieBytes value) {
    const char **clause = &certificate->malformed;
    VigieReader in = vigie_reader(value);
    DerElement sequence, flag;
    if (!der_expect(&in, DER_SEQUENCE, &sequence, clause))
        return;
    in = vigie_reader(sequence.value);
    if (!der_optional(&in, DER_BOOLEAN, &flag, clause))
        return;
    if (flag.value.size != 1 || flag.value.data[0] != 0xFF)
        der_refuse(clause, "X.690 11.1: BOOLEAN that is neither written as TRUE nor left out");
    certificate->is_ca = flag.value.size == 1 && flag.value.data[0] != 0;
}

static void read_purposes(VigieCertificate *certificate, VigieBytes value) {
    VigieReader in = vigie_reader(value);
    DerElement sequence, purpose;
    certificate->for_servers = false;
    if (!der_expect(&in, DER_SEQUENCE, &sequence, &certificate->malformed))
        return;
    in = vigie_reader(sequence.value);
    while (der_next(&in, &purpose, &certificate->malformed))
        if (purpose.tag == DER_OID && oid_find(OID_PURPOSE, purpose.value))
            certificate->for_servers = true;
}

/* One extension; the second of a kind we read is refused and passed over. */
static bool read_extension(VigieCertificate *certificate, VigieReader *in, uint8_t *seen) {
    static void (*const readers[])(VigieCertificate *, VigieBytes) = {
        [EXTENSION_ALTERNATIVE_NAME] = read_alternative_names,
        [EXTENSION_BASIC_CONSTRAINTS] = read_basic_constraints,
        [EXTENSION_PURPOSES] = read_purposes,
    };
    const char **clause = &certificate->malformed;
    DerElement extension, oid, critical, value;
    if (!der_expect(in, DER_SEQUENCE, &extension, clause))
        return false;
    VigieReader parts = vigie_reader(extension.value);
    if (!der_expect(&parts, DER_OID, &oid, clause))
        return false;
    der_optional(&parts, DER_BOOLEAN, &critical, clause);
    if (!der_expect(&parts, DER_OCTET_STRING, &value, clause))
        return false;
    const Oid *known = oid_find(OID_EXTENSION, oid.value);
    if (!known)
        return true;
    if (*seen & 1 << known->value) {
        der_refuse(clause, "RFC 5280 4.2: an extension twice");
        return true;
    }
    *seen |= (uint8_t)(1 << known->value);
    readers[known->value](certificate, value.value);
    return true;
}

static void read_extensions(VigieCertificate *certificate, VigieBytes extensions) {
    VigieReader in = vigie_reader(extensions);
    uint8_t seen = 0;
    for (size_t i = 0; !vigie_reader_empty(&in); i++) {
        if (i == EXTENSIONS_MAX) {
            der_refuse(&certificate->malformed, "RFC 5280 4.2: more than 256 extensions");
            return;
        }
        if (!read_extension(certificate, &in, &seen))
            return;
    }
}

/* ---- The certificate ---------------------------------------------------------------------------------------- */
typedef struct {
    VigieCertificate public; /* first: it is what is handed out */
    char dotted[128];        /* the signature algorithm, where it has no name here */
} Certificate;

static void certificate_clear(void *data) {
    VigieCertificate *certificate = data;
    g_free((void *)(uintptr_t)certificate->der.data);
    g_free(certificate->subject);
    g_free(certificate->issuer);
    g_free(certificate->common_name);
    g_free(certificate->serial);
    for (size_t i = 0; i < certificate->name_count; i++)
        g_free(certificate->names[i].text);
    g_free(certificate->names);
}

static void read_times(VigieCertificate *certificate, const X509View *view) {
    const char **clause = &certificate->malformed;
    bool known = der_time(&view->not_before, &certificate->not_before, clause);
    known = der_time(&view->not_after, &certificate->not_after, clause) && known;
    if (known && certificate->not_after < certificate->not_before)
        der_refuse(clause, "RFC 5280 4.1.2.5: notAfter is before notBefore");
}

VigieCertificate *x509_certificate_new(VigieBytes der, GError **error) {
    X509View view;
    if (der.size > SIZE_MAX_DER) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT,
                    "certificate of %zu octets: more than 1 MiB is not read", der.size);
        return NULL;
    }
    if (!x509_view(der, &view)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "not a certificate in DER: %s",
                    view.clause ? view.clause : "it is empty");
        return NULL;
    }
    Certificate *whole = g_atomic_rc_box_new0(Certificate);
    VigieCertificate *certificate = &whole->public;
    certificate->malformed = view.clause;
    certificate->der = vigie_bytes(g_memdup2(der.data, der.size), der.size);
    SHA256(der.data, der.size, certificate->sha256);
    certificate->serial = serial_text(view.serial, &certificate->malformed);
    certificate->issuer = name_text(view.issuer, &certificate->malformed);
    certificate->subject = name_text(view.subject, &certificate->malformed);
    certificate->common_name = text_common_name(view.subject);
    certificate->self_issued = vigie_bytes_equal(view.subject, view.issuer);
    if (*certificate->issuer == '\0')
        der_refuse(&certificate->malformed, "RFC 5280 4.1.2.4: issuer is empty");
    certificate->for_servers = true;
    read_times(certificate, &view);
    read_key(certificate, view.spki);
    read_signature_algorithm(certificate, view.algorithm, whole->dotted, sizeof whole->dotted);
    read_extensions(certificate, view.extensions);
    return certificate;
}

VigieCertificate *x509_certificate_ref(VigieCertificate *certificate) {
    return g_atomic_rc_box_acquire(certificate);
}

void x509_certificate_unref(VigieCertificate *certificate) {
    if (certificate)
        g_atomic_rc_box_release_full(certificate, certificate_clear);
}

const char *x509_key_name(VigieKeyType type) {
    static const char *const names[] = {
        [VIGIE_KEY_UNKNOWN] = "unknown", [VIGIE_KEY_RSA] = "RSA",     [VIGIE_KEY_EC] = "EC",
        [VIGIE_KEY_ED25519] = "Ed25519", [VIGIE_KEY_ED448] = "Ed448", [VIGIE_KEY_DSA] = "DSA",
        [VIGIE_KEY_RSA_PSS] = "RSA-PSS",
    };
    return type < G_N_ELEMENTS(names) ? names[type] : "unknown";
}
