/* build.c: the frame and the common extensions. Written by hand: libcrypto's objects cost more than the signature. */
#include "pki/build.h"
#include "pki/name.h"
#include "x509/der-write.h"
#include "x509/x509.h"

#include <arpa/inet.h>
#include <openssl/rand.h>
#include <string.h>

/* In order of time: in the store's index they come one behind another, however many there are before them. */
bool build_serial(uint8_t ret_serial[SERIAL_OCTETS], VigieTime now, GError **error) {
    if (RAND_bytes(ret_serial, SERIAL_OCTETS) != 1) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INTERNAL, "libcrypto has no random octets");
        return false;
    }
    uint64_t front = UINT64_C(0x40) << 32 | ((uint64_t)now & UINT64_C(0x3FFFFFFFF));
    for (size_t i = 0; i < SERIAL_TIME_OCTETS; i++)
        ret_serial[i] = (uint8_t)(front >> 8 * (SERIAL_TIME_OCTETS - 1 - i));
    return true;
}

void build_tbs(GByteArray *out, const CertificateParts *parts, VigieBytes algorithm) {
    size_t tbs = der_open(out, DER_SEQUENCE);
    size_t version = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
    der_put_unsigned(out, DER_INTEGER, 2);
    der_close(out, version);
    der_put(out, DER_INTEGER, parts->serial, SERIAL_OCTETS);
    der_put_whole(out, algorithm);
    der_put_whole(out, parts->issuer);
    size_t validity = der_open(out, DER_SEQUENCE);
    der_put_time(out, parts->not_before);
    der_put_time(out, parts->not_after);
    der_close(out, validity);
    der_put_whole(out, parts->subject);
    der_put_whole(out, parts->spki);
    size_t extensions = der_open(out, DER_CONTEXT_CONSTRUCTED(3));
    der_put(out, DER_SEQUENCE, parts->extensions->data, parts->extensions->len);
    der_close(out, extensions);
    der_close(out, tbs);
}

void build_signed(GByteArray *out, VigieBytes tbs, VigieBytes algorithm, VigieBytes signature) {
    size_t whole = der_open(out, DER_SEQUENCE);
    der_put_whole(out, tbs);
    der_put_whole(out, algorithm);
    der_put_bits(out, signature);
    der_close(out, whole);
}

bool build_sign(GByteArray *out, VigieBytes tbs, Signer *signer, GError **error) {
    g_autoptr(GByteArray) signature = g_byte_array_new();
    if (!signer_sign(signer, tbs, signature, error))
        return false;
    build_signed(out, tbs, signer->algorithm, der_bytes(signature));
    return true;
}

static bool has_no_errors(const json_t *found, const char *what, GError **error) {
    size_t index;
    json_t *one;
    json_array_foreach(found, index, one) {
        const char *id = json_string_value(json_object_get(one, "id"));
        g_autofree char *key = g_strconcat("lint.", id, NULL);
        if (strcmp(json_string_value(json_object_get(one, "severity")), "error") != 0)
            continue;
        const char *detail = json_string_value(json_object_get(one, "detail"));
        g_autofree char *broken =
            g_strdup_printf("%s (%s)", json_string_value(json_object_get(one, "clause")), id);
        if (*detail)
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                        "%s: not signed, for it breaks %s: %s; it has: %s", what, broken,
                        vigie_word(VIGIE_EN, key), detail);
        else
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s: not signed, for it breaks %s: %s", what,
                        broken, vigie_word(VIGIE_EN, key));
        return false;
    }
    return true;
}

/* With one octet where the signature will stand. */
bool build_check(VigieBytes tbs, VigieBytes algorithm, const char *const *waived, const char *what,
                 GError **error) {
    g_autoptr(GByteArray) unsigned_one = g_byte_array_sized_new((guint)tbs.size + 64);
    build_signed(unsigned_one, tbs, algorithm, vigie_bytes("", 1));
    g_autoptr(json_t) found = x509_lint(der_bytes(unsigned_one), waived, error);
    return found && has_no_errors(found, what, error);
}

bool build_check_list(VigieBytes der, const char *what, GError **error) {
    /* An authority that rests may speak for more than a year: its hierarchy says how long. */
    static const char *const waived[] = {"cabf.crl-lifetime", NULL};
    g_autoptr(json_t) found = x509_lint_list(der, waived, error);
    return found && has_no_errors(found, what, error);
}

/* ---- Extensions --------------------------------------------------------------------------------------------- */
typedef struct {
    size_t extension, value;
} Open;

static Open open_extension(GByteArray *out, const char *oid, bool critical) {
    Open open = {.extension = der_open(out, DER_SEQUENCE)};
    der_put_oid(out, oid);
    if (critical)
        der_put_boolean(out, true);
    open.value = der_open(out, DER_OCTET_STRING);
    return open;
}

static void close_extension(GByteArray *out, Open open) {
    der_close(out, open.value);
    der_close(out, open.extension);
}

void extension_put(GByteArray *out, const char *oid, bool critical, VigieBytes value) {
    Open open = open_extension(out, oid, critical);
    der_put_whole(out, value);
    close_extension(out, open);
}

void extension_put_basic_constraints(GByteArray *out, bool authority, int path_length) {
    Open open = open_extension(out, "2.5.29.19", authority);
    size_t sequence = der_open(out, DER_SEQUENCE);
    if (authority)
        der_put_boolean(out, true);
    if (authority && path_length >= 0)
        der_put_unsigned(out, DER_INTEGER, (uint64_t)path_length);
    der_close(out, sequence);
    close_extension(out, open);
}

void extension_put_key_usage(GByteArray *out, uint16_t bits) {
    Open open = open_extension(out, "2.5.29.15", true);
    der_put_named_bits(out, bits);
    close_extension(out, open);
}

void extension_put_purposes(GByteArray *out, const char *const *oids) {
    Open open = open_extension(out, "2.5.29.37", false);
    size_t sequence = der_open(out, DER_SEQUENCE);
    for (; *oids; oids++)
        der_put_oid(out, *oids);
    der_close(out, sequence);
    close_extension(out, open);
}

void extension_put_subject_key(GByteArray *out, VigieBytes id) {
    Open open = open_extension(out, "2.5.29.14", false);
    der_put(out, DER_OCTET_STRING, id.data, id.size);
    close_extension(out, open);
}

void extension_put_authority_key(GByteArray *out, const uint8_t id[20]) {
    Open open = open_extension(out, "2.5.29.35", false);
    size_t sequence = der_open(out, DER_SEQUENCE);
    der_put(out, DER_CONTEXT(0), id, 20);
    der_close(out, sequence);
    close_extension(out, open);
}

void extension_put_policies(GByteArray *out, const char *const *oids) {
    if (!oids || !*oids)
        return;
    Open open = open_extension(out, "2.5.29.32", false);
    size_t sequence = der_open(out, DER_SEQUENCE);
    for (; *oids; oids++) {
        size_t policy = der_open(out, DER_SEQUENCE);
        der_put_oid(out, *oids);
        der_close(out, policy);
    }
    der_close(out, sequence);
    close_extension(out, open);
}

void extension_put_mappings(GByteArray *out, const char *const *mappings) {
    if (!mappings || !*mappings)
        return;
    Open open = open_extension(out, "2.5.29.33", true);
    size_t sequence = der_open(out, DER_SEQUENCE);
    for (; *mappings; mappings++) {
        g_auto(GStrv) pair = g_strsplit(*mappings, ":", 2);
        size_t mapping = der_open(out, DER_SEQUENCE);
        der_put_oid(out, pair[0]);
        der_put_oid(out, pair[1]);
        der_close(out, mapping);
    }
    der_close(out, sequence);
    close_extension(out, open);
}

void build_put_full_name(GByteArray *out, const char *const *urls) {
    size_t point = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
    size_t full = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
    for (; *urls; urls++)
        der_put(out, DER_CONTEXT(6), *urls, strlen(*urls));
    der_close(out, full);
    der_close(out, point);
}

void extension_put_points(GByteArray *out, const char *oid, const char *const *urls) {
    if (!urls || !*urls)
        return;
    Open open = open_extension(out, oid, false);
    size_t sequence = der_open(out, DER_SEQUENCE), point = der_open(out, DER_SEQUENCE);
    build_put_full_name(out, urls);
    der_close(out, point);
    der_close(out, sequence);
    close_extension(out, open);
}

static void put_access(GByteArray *out, const char *method, const char *const *urls) {
    for (; urls && *urls; urls++) {
        size_t access = der_open(out, DER_SEQUENCE);
        der_put_oid(out, method);
        der_put(out, DER_CONTEXT(6), *urls, strlen(*urls));
        der_close(out, access);
    }
}

void extension_put_access(GByteArray *out, const char *const *ocsp, const char *const *issuers) {
    if (!(ocsp && *ocsp) && !(issuers && *issuers))
        return;
    Open open = open_extension(out, "1.3.6.1.5.5.7.1.1", false);
    size_t sequence = der_open(out, DER_SEQUENCE);
    put_access(out, "1.3.6.1.5.5.7.48.1", ocsp);
    put_access(out, "1.3.6.1.5.5.7.48.2", issuers);
    der_close(out, sequence);
    close_extension(out, open);
}

/* ---- Alternative names -------------------------------------------------------------------------------------- */
typedef struct {
    const char *prefix;
    uint8_t tag;
} NameKind;

static const NameKind name_kinds[] = {
    {"email:", DER_CONTEXT(1)}, {"dns:", DER_CONTEXT(2)}, {"uri:", DER_CONTEXT(6)}, {"ip:", DER_CONTEXT(7)}};

static const NameKind *kind_of(const char *text) {
    for (size_t i = 0; i < G_N_ELEMENTS(name_kinds); i++)
        if (g_str_has_prefix(text, name_kinds[i].prefix))
            return &name_kinds[i];
    return NULL;
}

/* What resolvers take for an address, or a part of one (RFC 3986 7.4): "10.0.0.1", "127.1", "0x7f000001". No zone of the root is
 * called so. */
static bool is_number(const char *label) {
    bool hexadecimal = label[0] == '0' && (label[1] == 'x' || label[1] == 'X');
    const char *digits = hexadecimal ? label + 2 : label;
    return strspn(digits, hexadecimal ? "0123456789abcdefABCDEF" : "0123456789") == strlen(digits);
}

/* Letters, digits and hyphens in labels of 1 to 63 (RFC 5890's A-labels among them); a first label "*". */
static bool is_dns(const char *text, bool range) {
    size_t size = strlen(text), label = 0;
    const char *last = strrchr(text, '.');
    if (is_number(last ? last + 1 : text))
        return false;
    if (g_str_has_prefix(text, "*.") && !range)
        text += 2;
    if (size == 0 || size > 253)
        return false;
    for (; *text; text++) {
        if (*text == '.') {
            if (label == 0 || text[-1] == '-')
                return false;
            label = 0;
        } else if (!(g_ascii_isalnum(*text) || (*text == '-' && label > 0)) || ++label > 63) {
            return false;
        }
    }
    return label > 0 && text[-1] != '-';
}

static bool is_email(const char *text, bool range) {
    const char *at = strrchr(text, '@');
    if (range && !at)
        return is_dns(text, true);
    if (!at || at == text || at - text > 64 || !is_dns(at + 1, true))
        return false;
    for (; text < at; text++)
        if (!g_ascii_isalnum(*text) && !strchr("!#$%&'*+-/=?^_`{|}~.", *text))
            return false;
    return true;
}

/* The address, and behind it the mask of a range; its size, 0 where it is none. */
static size_t read_ip(const char *text, bool range, uint8_t octets[32]) {
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    size_t size = !parts[0]                                    ? 0
                  : inet_pton(AF_INET, parts[0], octets) == 1  ? 4
                  : inet_pton(AF_INET6, parts[0], octets) == 1 ? 16
                                                               : 0;
    if (size == 0 || range != (parts[1] != NULL))
        return 0;
    if (!range)
        return size;
    guint64 prefix = 0;
    if (!g_ascii_string_to_unsigned(parts[1], 10, 0, 8 * size, &prefix, NULL))
        return 0;
    for (size_t i = 0; i < size; i++) {
        int bits = (int)prefix - (int)(8 * i);
        octets[size + i] = (uint8_t)(bits >= 8 ? 0xFF : bits <= 0 ? 0 : 0xFF << (8 - bits));
    }
    return 2 * size;
}

bool build_ip_below(const char *address, const char *range) {
    uint8_t octets[32], wanted[32];
    size_t size = read_ip(address, false, octets), of = read_ip(range, true, wanted);
    bool below = size > 0 && of == 2 * size;
    for (size_t i = 0; below && i < size; i++)
        below = ((octets[i] ^ wanted[i]) & wanted[size + i]) == 0;
    return below;
}

static bool is_uri(const char *text) {
    if (!g_uri_is_valid(text, G_URI_FLAGS_NONE, NULL))
        return false;
    for (; *text; text++)
        if (*text <= ' ' || (unsigned char)*text >= 0x7F)
            return false;
    return true;
}

const char *general_name_fault(const char *text, bool range) {
    const NameKind *kind = kind_of(text);
    const char *value = kind ? text + strlen(kind->prefix) : text;
    uint8_t octets[32];
    if (!kind)
        return "dns:, ip:, email: or uri: is wanted before it";
    switch (kind->tag) {
    case DER_CONTEXT(1):
        return is_email(value, range) ? NULL : "this is no mail address in plain letters";
    case DER_CONTEXT(2):
        return is_dns(value, range) ? NULL : "this is no DNS name in letters, digits and hyphens";
    case DER_CONTEXT(6):
        return !range && is_uri(value) ? NULL : "this is no address of the web that may stand here";
    default:
        return read_ip(value, range, octets) ? NULL
               : range                       ? "this is no range of addresses, as in ip:10.0.0.0/8"
                                             : "this is no IP address";
    }
}

static void put_general_name(GByteArray *out, const char *text, bool range) {
    const NameKind *kind = kind_of(text);
    uint8_t octets[32];
    if (!kind)
        return;
    const char *value = text + strlen(kind->prefix);
    if (kind->tag == DER_CONTEXT(7))
        der_put(out, kind->tag, octets, read_ip(value, range, octets));
    else
        der_put(out, kind->tag, value, strlen(value));
}

void extension_put_names(GByteArray *out, const char *const *names, bool critical) {
    if (!names || !*names)
        return;
    Open open = open_extension(out, "2.5.29.17", critical);
    size_t sequence = der_open(out, DER_SEQUENCE);
    for (; *names; names++)
        put_general_name(out, *names, false);
    der_close(out, sequence);
    close_extension(out, open);
}

static void put_subtrees(GByteArray *out, uint8_t tag, const char *const *names) {
    if (!names || !*names)
        return;
    size_t subtrees = der_open(out, tag);
    for (; *names; names++) {
        size_t subtree = der_open(out, DER_SEQUENCE);
        put_general_name(out, *names, true);
        der_close(out, subtree);
    }
    der_close(out, subtrees);
}

void extension_put_constraints(GByteArray *out, const char *const *permitted, const char *const *excluded) {
    if (!(permitted && *permitted) && !(excluded && *excluded))
        return;
    Open open = open_extension(out, "2.5.29.30", true);
    size_t sequence = der_open(out, DER_SEQUENCE);
    put_subtrees(out, DER_CONTEXT_CONSTRUCTED(0), permitted);
    put_subtrees(out, DER_CONTEXT_CONSTRUCTED(1), excluded);
    der_close(out, sequence);
    close_extension(out, open);
}
