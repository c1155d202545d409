/* lint.c: one row a rule. A check answers whether the rule is broken, and may say where. */
#include "x509/lint.h"
#include "x509/oid.h"

#include <string.h>

enum { DAY = 86400 };

static const struct {
    uint8_t size, oid[8];
} known_oids[KNOWN] = {
    [AKI] = {3, {0x55, 0x1D, 0x23}},
    [SKI] = {3, {0x55, 0x1D, 0x0E}},
    [KEY_USAGE] = {3, {0x55, 0x1D, 0x0F}},
    [POLICIES] = {3, {0x55, 0x1D, 0x20}},
    [ALTERNATIVE] = {3, {0x55, 0x1D, 0x11}},
    [BASIC] = {3, {0x55, 0x1D, 0x13}},
    [CONSTRAINTS] = {3, {0x55, 0x1D, 0x1E}},
    [MAPPINGS] = {3, {0x55, 0x1D, 0x21}},
    [PURPOSES] = {3, {0x55, 0x1D, 0x25}},
    [POINTS] = {3, {0x55, 0x1D, 0x1F}},
    [ACCESS] = {8, {0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01}},
    [FRESHEST] = {3, {0x55, 0x1D, 0x2E}},
    [STATEMENTS] = {8, {0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x03}},
};

/* ---- Reading ------------------------------------------------------------------------------------------------ */
static void note_extension(Lint *lint, VigieBytes oid, bool critical, VigieBytes value) {
    for (Known i = 0; i < KNOWN; i++) {
        if (!vigie_bytes_equal(oid, vigie_bytes(known_oids[i].oid, known_oids[i].size)))
            continue;
        lint->extensions[i] = (Extension){true, critical, value};
        return;
    }
    lint->unknown_critical = lint->unknown_critical || critical;
}

static void read_extensions(Lint *lint) {
    VigieBytes seen[LINT_EXTENSIONS_MAX];
    size_t count = 0;
    const char *clause = NULL;
    VigieReader in = vigie_reader(lint->view.extensions);
    DerElement extension, oid, critical, value;
    while (count < LINT_EXTENSIONS_MAX && der_next(&in, &extension, &clause)) {
        VigieReader parts = vigie_reader(extension.value);
        if (!der_expect(&parts, DER_OID, &oid, &clause))
            continue;
        bool is_critical = der_optional(&parts, DER_BOOLEAN, &critical, &clause) &&
                           critical.value.size == 1 && critical.value.data[0] != 0;
        if (!der_expect(&parts, DER_OCTET_STRING, &value, &clause))
            continue;
        for (size_t i = 0; i < count; i++)
            lint->duplicate = lint->duplicate || vigie_bytes_equal(seen[i], oid.value);
        seen[count++] = oid.value;
        note_extension(lint, oid.value, is_critical, value.value);
    }
}

static void read_values(Lint *lint) {
    static const uint8_t server_auth[] = {0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
    static const uint8_t any[] = {0x55, 0x1D, 0x25, 0x00};
    const char *clause = NULL;
    DerElement element, inner;
    VigieReader in = vigie_reader(lint->extensions[BASIC].value);
    if (der_expect(&in, DER_SEQUENCE, &element, &clause)) {
        VigieReader parts = vigie_reader(element.value);
        lint->basic_ca = der_optional(&parts, DER_BOOLEAN, &inner, &clause) && inner.value.size == 1 &&
                         inner.value.data[0];
        lint->basic_path_length = der_optional(&parts, DER_INTEGER, &inner, &clause);
    }
    in = vigie_reader(lint->extensions[KEY_USAGE].value);
    if (der_expect(&in, DER_BIT_STRING, &element, &clause) && element.value.size > 1)
        lint->key_usage =
            (uint16_t)(element.value.data[1] << 8 | (element.value.size > 2 ? element.value.data[2] : 0));
    lint->key_usage_empty = lint->extensions[KEY_USAGE].present && lint->key_usage == 0;
    in = vigie_reader(lint->extensions[PURPOSES].value);
    if (!der_expect(&in, DER_SEQUENCE, &element, &clause))
        return;
    in = vigie_reader(element.value);
    while (der_next(&in, &inner, &clause)) {
        lint->server =
            lint->server || vigie_bytes_equal(inner.value, vigie_bytes(server_auth, sizeof server_auth));
        lint->purposes_any =
            lint->purposes_any || vigie_bytes_equal(inner.value, vigie_bytes(any, sizeof any));
    }
}

static bool is_leaf_server(const Lint *lint) {
    return lint->server && !lint->basic_ca;
}

bool lint_tell(Lint *lint, const char *text) {
    g_strlcpy(lint->detail, text, sizeof lint->detail);
    return true;
}

/* ---- RFC 5280 ----------------------------------------------------------------------------------------------- */
static bool malformed(Lint *lint) {
    return lint->certificate->malformed && lint_tell(lint, lint->certificate->malformed);
}

static bool old_version(Lint *lint) {
    return lint->view.version != 3;
}

static bool validity_reversed(Lint *lint) {
    return lint->certificate->not_after < lint->certificate->not_before;
}

/* 2049-12-31T23:59:59Z is the last that UTCTime says. */
static bool time_type(Lint *lint) {
    const VigieTime last = 2524607999;
    bool from = (lint->view.not_before.tag == DER_UTC_TIME) != (lint->certificate->not_before <= last);
    return from || (lint->view.not_after.tag == DER_UTC_TIME) != (lint->certificate->not_after <= last);
}

static bool duplicate(Lint *lint) {
    return lint->duplicate;
}

static bool unknown_critical(Lint *lint) {
    return lint->unknown_critical;
}

static bool authority_not_critical(Lint *lint) {
    return lint->basic_ca && !lint->extensions[BASIC].critical;
}

static bool authority_key_usage(Lint *lint) {
    return lint->basic_ca && !(lint->key_usage & USE_SIGN_CERTIFICATES);
}

static bool signs_without_being_authority(Lint *lint) {
    return !lint->basic_ca && (lint->key_usage & USE_SIGN_CERTIFICATES);
}

static bool path_length_alone(Lint *lint) {
    return lint->basic_path_length && (!lint->basic_ca || !(lint->key_usage & USE_SIGN_CERTIFICATES));
}

static bool authority_key_missing(Lint *lint) {
    return !lint->extensions[AKI].present && !lint->certificate->self_issued;
}

static bool key_ids_critical(Lint *lint) {
    return lint->extensions[AKI].critical || lint->extensions[SKI].critical;
}

static bool subject_key_missing(Lint *lint) {
    return lint->basic_ca && !lint->extensions[SKI].present;
}

static bool subject_empty(Lint *lint) {
    return lint->view.subject.size <= 2;
}

static bool empty_subject(Lint *lint) {
    return subject_empty(lint) && (lint->basic_ca || !lint->extensions[ALTERNATIVE].critical);
}

static bool constraints_misplaced(Lint *lint) {
    return lint->extensions[CONSTRAINTS].present &&
           (!lint->basic_ca || !lint->extensions[CONSTRAINTS].critical);
}

static bool key_usage_empty(Lint *lint) {
    return lint->key_usage_empty;
}

static bool access_critical(Lint *lint) {
    return lint->extensions[ACCESS].critical || lint->extensions[FRESHEST].critical;
}

static bool is_label_fault(const char *name) {
    size_t label = 0;
    const char *at = g_str_has_prefix(name, "*.") ? name + 2 : name;
    for (; *at; at++) {
        if (*at == '.' ? label == 0 || at[-1] == '-' : !(g_ascii_isalnum(*at) || (*at == '-' && label > 0)))
            return true;
        label = *at == '.' ? 0 : label + 1;
        if (label > 63)
            return true;
    }
    return label == 0 || at[-1] == '-' || at - name > 253;
}

static bool names_empty(Lint *lint) {
    return lint->extensions[ALTERNATIVE].present && lint->certificate->name_count == 0;
}

static bool names_dns(Lint *lint) {
    for (size_t i = 0; i < lint->certificate->name_count; i++) {
        const VigieAlternativeName *name = &lint->certificate->names[i];
        if (name->type == VIGIE_NAME_DNS && is_label_fault(name->text))
            return lint_tell(lint, name->text);
    }
    return false;
}

/* RFC 5480 3: an EC key enciphers nothing; RFC 3279 2.3.1: an RSA key agrees on nothing. */
static bool usage_against_key(Lint *lint) {
    if (lint->certificate->key == VIGIE_KEY_EC)
        return (lint->key_usage & (USE_ENCIPHER_KEYS | USE_ENCIPHER_DATA)) != 0;
    return lint->certificate->key == VIGIE_KEY_RSA && (lint->key_usage & USE_AGREE) != 0;
}

/* Each of `subject` and `issuer`: a country of two capital letters in PrintableString. */
static bool country(Lint *lint) {
    static const uint8_t oid[] = {0x55, 0x04, 0x06};
    const char *clause = NULL;
    DerElement sequence, rdn, pair, type, value;
    VigieReader in = vigie_reader(lint->view.subject);
    if (!der_expect(&in, DER_SEQUENCE, &sequence, &clause))
        return false;
    in = vigie_reader(sequence.value);
    while (der_next(&in, &rdn, &clause)) {
        VigieReader members = vigie_reader(rdn.value);
        while (der_next(&members, &pair, &clause)) {
            VigieReader parts = vigie_reader(pair.value);
            if (!der_expect(&parts, DER_OID, &type, &clause) || !der_next(&parts, &value, &clause))
                return false;
            if (vigie_bytes_equal(type.value, vigie_bytes(oid, sizeof oid)) &&
                !(value.tag == DER_PRINTABLE && value.value.size == 2 &&
                  g_ascii_isupper(value.value.data[0]) && g_ascii_isupper(value.value.data[1])))
                return true;
        }
    }
    return false;
}

static bool policies_twice(Lint *lint) {
    VigieBytes seen[LINT_EXTENSIONS_MAX];
    size_t count = 0;
    const char *clause = NULL;
    DerElement sequence, policy, oid;
    VigieReader in = vigie_reader(lint->extensions[POLICIES].value);
    if (!der_expect(&in, DER_SEQUENCE, &sequence, &clause))
        return false;
    in = vigie_reader(sequence.value);
    while (count < LINT_EXTENSIONS_MAX && der_next(&in, &policy, &clause)) {
        VigieReader parts = vigie_reader(policy.value);
        if (!der_expect(&parts, DER_OID, &oid, &clause))
            return false;
        for (size_t i = 0; i < count; i++)
            if (vigie_bytes_equal(seen[i], oid.value))
                return true;
        seen[count++] = oid.value;
    }
    return false;
}

/* ---- CA/B Forum, Baseline Requirements ---------------------------------------------------------------------- */
static bool short_serial(Lint *lint) {
    return der_magnitude(lint->view.serial).size < 8;
}

static bool weak_digest(Lint *lint) {
    return lint->certificate->signature_weak;
}

static bool weak_key(Lint *lint) {
    const VigieCertificate *certificate = lint->certificate;
    switch (certificate->key) {
    case VIGIE_KEY_RSA:
        return certificate->key_bits < 2048 || certificate->key_bits % 8 != 0;
    case VIGIE_KEY_EC:
        return !certificate->curve || !(strcmp(certificate->curve, "secp256r1") == 0 ||
                                        strcmp(certificate->curve, "secp384r1") == 0 ||
                                        strcmp(certificate->curve, "secp521r1") == 0);
    case VIGIE_KEY_ED25519:
    case VIGIE_KEY_ED448:
        return false;
    default:
        return true;
    }
}

static bool weak_rsa(Lint *lint) {
    const char *weakness = x509_key_weakness(lint->view.spki);
    return weakness && lint_tell(lint, weakness);
}

static bool server_names(Lint *lint) {
    return is_leaf_server(lint) && !lint->extensions[ALTERNATIVE].present;
}

static bool server_common_name(Lint *lint) {
    const VigieCertificate *certificate = lint->certificate;
    if (!is_leaf_server(lint) || !certificate->common_name)
        return false;
    for (size_t i = 0; i < certificate->name_count; i++)
        if (g_ascii_strcasecmp(certificate->names[i].text, certificate->common_name) == 0)
            return false;
    return lint_tell(lint, certificate->common_name);
}

/* 398 days; from 15 March 2026 200, from 15 March 2027 100, from 15 March 2029 47 (ballot SC-081). */
static bool server_lifetime(Lint *lint) {
    static const struct {
        VigieTime from;
        int days;
    } steps[] = {{1868227200, 47}, {1805068800, 100}, {1773532800, 200}, {1598918400, 398}, {INT64_MIN, 825}};
    VigieTime from = lint->certificate->not_before, life = lint->certificate->not_after - from + 1;
    size_t step = 0;
    while (from < steps[step].from)
        step++;
    return is_leaf_server(lint) && life > (VigieTime)steps[step].days * DAY;
}

static bool server_any_purpose(Lint *lint) {
    return lint->purposes_any && !lint->basic_ca;
}

static bool is_internal(const VigieAlternativeName *name) {
    static const char *const ends[] = {".local", ".lan",  ".internal", ".intranet", ".home",
                                       ".corp",  ".test", ".example",  NULL};
    if (name->type == VIGIE_NAME_IP)
        return g_str_has_prefix(name->text, "10.") || g_str_has_prefix(name->text, "192.168.") ||
               g_str_has_prefix(name->text, "127.") || g_str_has_prefix(name->text, "fd") ||
               strcmp(name->text, "::1") == 0;
    if (name->type != VIGIE_NAME_DNS)
        return false;
    for (size_t i = 0; ends[i]; i++)
        if (g_str_has_suffix(name->text, ends[i]))
            return true;
    return strchr(name->text, '.') == NULL;
}

static bool server_internal_name(Lint *lint) {
    for (size_t i = 0; is_leaf_server(lint) && i < lint->certificate->name_count; i++)
        if (is_internal(&lint->certificate->names[i]))
            return lint_tell(lint, lint->certificate->names[i].text);
    return false;
}

static bool no_revocation(Lint *lint) {
    return is_leaf_server(lint) && !lint->extensions[POINTS].present && !lint->extensions[ACCESS].present;
}

/* ---- The table ---------------------------------------------------------------------------------------------- */
/* clang-format off */
static const LintCheck checks[] = {
    {"rfc5280.malformed", false, "RFC 5280 4.1", malformed},
    {"rfc5280.version", false, "RFC 5280 4.1.2.1", old_version},
    {"rfc5280.validity", false, "RFC 5280 4.1.2.5", validity_reversed},
    {"rfc5280.time-type", false, "RFC 5280 4.1.2.5", time_type},
    {"rfc5280.extension-twice", false, "RFC 5280 4.2", duplicate},
    {"rfc5280.unknown-critical", true, "RFC 5280 4.2", unknown_critical},
    {"rfc5280.ca-basic-constraints", false, "RFC 5280 4.2.1.9", authority_not_critical},
    {"rfc5280.ca-key-usage", false, "RFC 5280 4.2.1.3", authority_key_usage},
    {"rfc5280.key-cert-sign", false, "RFC 5280 4.2.1.3", signs_without_being_authority},
    {"rfc5280.path-length", false, "RFC 5280 4.2.1.9", path_length_alone},
    {"rfc5280.authority-key", false, "RFC 5280 4.2.1.1", authority_key_missing},
    {"rfc5280.key-id-critical", false, "RFC 5280 4.2.1.1", key_ids_critical},
    {"rfc5280.subject-key", false, "RFC 5280 4.2.1.2", subject_key_missing},
    {"rfc5280.subject-empty", false, "RFC 5280 4.1.2.6", empty_subject},
    {"rfc5280.name-constraints", false, "RFC 5280 4.2.1.10", constraints_misplaced},
    {"rfc5280.key-usage-empty", false, "RFC 5280 4.2.1.3", key_usage_empty},
    {"rfc5280.access-critical", false, "RFC 5280 4.2.2.1", access_critical},
    {"rfc5280.san-empty", false, "RFC 5280 4.2.1.6", names_empty},
    {"rfc5280.san-dns", false, "RFC 5280 4.2.1.6", names_dns},
    {"rfc5280.country", false, "RFC 5280 appendix A.1", country},
    {"rfc5280.policy-twice", false, "RFC 5280 4.2.1.4", policies_twice},
    {"rfc5480.key-usage", false, "RFC 5480 3, RFC 3279 2.3.1", usage_against_key},
    {"cabf.serial", false, "CA/B BR 7.1", short_serial},
    {"cabf.digest", false, "CA/B BR 7.1.3.2", weak_digest},
    {"cabf.key", false, "CA/B BR 6.1.5", weak_key},
    {"cabf.rsa", false, "CA/B BR 6.1.1.3, 6.1.6", weak_rsa},
    {"cabf.san-missing", false, "CA/B BR 7.1.2.7.12", server_names},
    {"cabf.common-name", false, "CA/B BR 7.1.4.3", server_common_name},
    {"cabf.lifetime", false, "CA/B BR 6.3.2", server_lifetime},
    {"cabf.any-purpose", false, "CA/B BR 7.1.2.7.10", server_any_purpose},
    {"cabf.internal-name", true, "CA/B BR 4.2.2", server_internal_name},
    {"cabf.revocation", false, "CA/B BR 7.1.2.11.2", no_revocation},
    {NULL, false, NULL, NULL},
};
/* clang-format on */

static const LintCheck *const tables[] = {checks, lint_etsi_checks};

bool x509_lint_known(const char *id) {
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        for (const LintCheck *check = tables[i]; check->id; check++)
            if (strcmp(check->id, id) == 0)
                return true;
    return lint_list_known(id);
}

void lint_add(json_t *found, const char *id, bool warning, const char *clause, const char *detail) {
    const char *cut = NULL;
    g_utf8_validate(detail, -1, &cut);
    json_array_append_new(found, json_pack("{s:s, s:s, s:s, s:s%}", "id", id, "severity",
                                           warning ? "warning" : "error", "clause", clause, "detail", detail,
                                           (size_t)(cut - detail)));
}

json_t *x509_lint(VigieBytes der, const char *const *waived, GError **error) {
    Lint lint = {0};
    g_autoptr(VigieCertificate) certificate = x509_certificate_new(der, error);
    if (!certificate)
        return NULL;
    x509_view(der, &lint.view);
    lint.certificate = certificate;
    read_extensions(&lint);
    read_values(&lint);
    json_t *found = json_array();
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        for (const LintCheck *check = tables[i]; check->id; check++) {
            lint.detail[0] = '\0';
            if (!(waived && g_strv_contains(waived, check->id)) && check->broken(&lint))
                lint_add(found, check->id, check->warning, check->clause, lint.detail);
        }
    return found;
}
