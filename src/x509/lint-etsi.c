/* lint-etsi.c: ETSI EN 319 412 parts 1, 2, 3 and 5. Its rules are for certificates that claim to follow it: those with
 * qualified certificate statements (RFC 3739 3.2.6), or with a policy of ETSI's. Of a natural person (part 2) unless the subject
 * names an organisation's identifier (part 3). */
#include "x509/lint.h"

#include <string.h>

enum { IDENTIFIER_MIN = 7, OID_TEXT = 64 };

/* ---- What it claims ------------------------------------------------------------------------------------------------- */
/* NCP, NCP+, LCP (EN 319 411-1) and the qualified ones (EN 319 411-2). */
static bool is_etsi_policy(VigieBytes oid) {
    static const char *const arcs[] = {"0.4.0.2042.1.", "0.4.0.194112.1."};
    char text[OID_TEXT];
    for (size_t i = 0; der_oid_text(oid, text, sizeof text) && i < G_N_ELEMENTS(arcs); i++)
        if (g_str_has_prefix(text, arcs[i]))
            return true;
    return false;
}

static bool claims(const Lint *lint) {
    const char *clause = NULL;
    DerElement list, information, oid;
    VigieReader in = vigie_reader(lint->extensions[POLICIES].value);
    if (lint->basic_ca)
        return false;
    if (lint->extensions[STATEMENTS].present)
        return true;
    if (!der_expect(&in, DER_SEQUENCE, &list, &clause))
        return false;
    in = vigie_reader(list.value);
    while (der_expect(&in, DER_SEQUENCE, &information, &clause)) {
        VigieReader parts = vigie_reader(information.value);
        if (der_expect(&parts, DER_OID, &oid, &clause) && is_etsi_policy(oid.value))
            return true;
    }
    return false;
}

/* ---- Names ------------------------------------------------------------------------------------------------------------ */
/* The first value of an attribute of a Name; false where it has none. */
static bool find(VigieBytes name, const char *dotted, VigieBytes *ret_value) {
    const char *clause = NULL;
    DerElement sequence, rdn, pair, type, value;
    char text[OID_TEXT];
    VigieReader in = vigie_reader(name);
    if (!der_expect(&in, DER_SEQUENCE, &sequence, &clause))
        return false;
    in = vigie_reader(sequence.value);
    while (der_next(&in, &rdn, &clause)) {
        VigieReader members = vigie_reader(rdn.value);
        while (der_next(&members, &pair, &clause)) {
            VigieReader parts = vigie_reader(pair.value);
            if (!der_expect(&parts, DER_OID, &type, &clause) || !der_next(&parts, &value, &clause))
                return false;
            if (der_oid_text(type.value, text, sizeof text) && strcmp(text, dotted) == 0) {
                *ret_value = value.value;
                return true;
            }
        }
    }
    return false;
}

static bool has(VigieBytes name, const char *dotted) {
    VigieBytes value;
    return find(name, dotted, &value);
}

#define COMMON_NAME "2.5.4.3"
#define SURNAME "2.5.4.4"
#define SERIAL_NUMBER "2.5.4.5"
#define COUNTRY "2.5.4.6"
#define ORGANISATION "2.5.4.10"
#define GIVEN_NAME "2.5.4.42"
#define PSEUDONYM "2.5.4.65"
#define ORGANISATION_IDENTIFIER "2.5.4.97"

static bool lacks(Lint *lint, VigieBytes name, const char *const wanted[][2]) {
    for (size_t i = 0; wanted[i][0]; i++)
        if (!has(name, wanted[i][0]))
            return lint_tell(lint, wanted[i][1]);
    return false;
}

static bool legal_person(const Lint *lint) {
    return has(lint->view.subject, ORGANISATION_IDENTIFIER);
}

static bool person_name(Lint *lint) {
    static const char *const wanted[][2] = {
        {COUNTRY, "countryName"}, {COMMON_NAME, "commonName"}, {SERIAL_NUMBER, "serialNumber"}, {NULL, NULL}};
    VigieBytes subject = lint->view.subject;
    if (!claims(lint) || legal_person(lint) || lint->server)
        return false;
    if (!has(subject, GIVEN_NAME) && !has(subject, SURNAME) && !has(subject, PSEUDONYM))
        return lint_tell(lint, "givenName, surname or pseudonym");
    return lacks(lint, subject, wanted);
}

static bool organisation_name(Lint *lint) {
    static const char *const wanted[][2] = {{COUNTRY, "countryName"},
                                            {ORGANISATION, "organizationName"},
                                            {COMMON_NAME, "commonName"},
                                            {NULL, NULL}};
    return claims(lint) && legal_person(lint) && lacks(lint, lint->view.subject, wanted);
}

static bool issuer_name(Lint *lint) {
    static const char *const wanted[][2] = {{COUNTRY, "countryName"},
                                            {ORGANISATION, "organizationName"},
                                            {COMMON_NAME, "commonName"},
                                            {NULL, NULL}};
    return claims(lint) && lacks(lint, lint->view.issuer, wanted);
}

/* Three letters of a kind (or two of a country and a colon), two of a country, a hyphen, the identifier: "NTRFR-750712184". */
static bool identifier_form(Lint *lint) {
    static const char *const kinds[] = {"VAT", "NTR", "PSD", "LEI"};
    VigieBytes value;
    bool known = false;
    if (!claims(lint) || !find(lint->view.subject, ORGANISATION_IDENTIFIER, &value))
        return false;
    g_autofree char *text = g_strndup((const char *)value.data, value.size);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        known = known || g_str_has_prefix(text, kinds[i]);
    known =
        known || (strlen(text) > 2 && g_ascii_isupper(text[0]) && g_ascii_isupper(text[1]) && text[2] == ':');
    bool well = known && strlen(text) >= IDENTIFIER_MIN && g_ascii_isupper(text[3]) &&
                g_ascii_isupper(text[4]) && text[5] == '-';
    return !well && lint_tell(lint, text);
}

/* ---- Extensions --------------------------------------------------------------------------------------------------------- */
/* Part 2, 4.3.2, table: types A to F; a signature that binds is not mixed with other uses but authentication. */
static bool usage_mixed(Lint *lint) {
    static const uint16_t types[] = {USE_COMMIT,
                                     USE_COMMIT | USE_SIGN,
                                     USE_SIGN,
                                     USE_SIGN | USE_ENCIPHER_KEYS,
                                     USE_SIGN | USE_AGREE,
                                     USE_ENCIPHER_KEYS,
                                     USE_AGREE,
                                     USE_COMMIT | USE_SIGN | USE_ENCIPHER_KEYS,
                                     USE_COMMIT | USE_SIGN | USE_AGREE};
    if (!claims(lint) || !lint->extensions[KEY_USAGE].present)
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        if (types[i] == lint->key_usage)
            return false;
    return true;
}

static bool usage_not_critical(Lint *lint) {
    return claims(lint) && (!lint->extensions[KEY_USAGE].present || !lint->extensions[KEY_USAGE].critical);
}

static bool policies_missing(Lint *lint) {
    return claims(lint) && !lint->extensions[POLICIES].present;
}

/* 1.3.6.1.5.5.7.48.2 */
static bool issuer_unreachable(Lint *lint) {
    static const uint8_t ca_issuers[] = {0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02};
    const char *clause = NULL;
    DerElement list, description, oid;
    VigieReader in = vigie_reader(lint->extensions[ACCESS].value);
    if (!claims(lint))
        return false;
    if (!der_expect(&in, DER_SEQUENCE, &list, &clause))
        return true;
    in = vigie_reader(list.value);
    while (der_expect(&in, DER_SEQUENCE, &description, &clause)) {
        VigieReader parts = vigie_reader(description.value);
        if (der_expect(&parts, DER_OID, &oid, &clause) &&
            vigie_bytes_equal(oid.value, vigie_bytes(ca_issuers, sizeof ca_issuers)))
            return false;
    }
    return true;
}

static bool not_revocable(Lint *lint) {
    return claims(lint) && !lint->extensions[POINTS].present && !lint->extensions[ACCESS].present;
}

/* ---- Qualified certificate statements (part 5) ------------------------------------------------------------------------------ */
#define QC_COMPLIANCE "0.4.0.1862.1.1"
#define QC_DISCLOSURE "0.4.0.1862.1.5"
#define QC_TYPE "0.4.0.1862.1.6"

/* What stands behind a statement's OID, empty where nothing does; false where there is no such statement. */
static bool statement(const Lint *lint, const char *dotted, VigieBytes *ret_information) {
    const char *clause = NULL;
    DerElement list, one, oid;
    char text[OID_TEXT];
    VigieReader in = vigie_reader(lint->extensions[STATEMENTS].value);
    if (!der_expect(&in, DER_SEQUENCE, &list, &clause))
        return false;
    in = vigie_reader(list.value);
    while (der_expect(&in, DER_SEQUENCE, &one, &clause)) {
        VigieReader parts = vigie_reader(one.value);
        if (!der_expect(&parts, DER_OID, &oid, &clause) || !der_oid_text(oid.value, text, sizeof text) ||
            strcmp(text, dotted) != 0)
            continue;
        *ret_information = parts.rest;
        return true;
    }
    return false;
}

static bool statements_malformed(Lint *lint) {
    const char *clause = NULL;
    DerElement list, one, oid;
    VigieReader in = vigie_reader(lint->extensions[STATEMENTS].value);
    if (!lint->extensions[STATEMENTS].present)
        return false;
    if (!der_expect(&in, DER_SEQUENCE, &list, &clause) || in.rest.size > 0)
        return true;
    in = vigie_reader(list.value);
    while (in.rest.size > 0) {
        if (!der_expect(&in, DER_SEQUENCE, &one, &clause))
            return true;
        VigieReader parts = vigie_reader(one.value);
        if (!der_expect(&parts, DER_OID, &oid, &clause))
            return true;
    }
    return false;
}

static bool statements_critical(Lint *lint) {
    return lint->extensions[STATEMENTS].critical;
}

static bool type_missing(Lint *lint) {
    VigieBytes information;
    return statement(lint, QC_COMPLIANCE, &information) && !statement(lint, QC_TYPE, &information);
}

/* PdsLocations: each an URL, https, and a language; one of them English. */
static bool disclosure_missing(Lint *lint) {
    const char *clause = NULL;
    VigieBytes information;
    DerElement list, location, url, language;
    bool english = false;
    if (!statement(lint, QC_COMPLIANCE, &information))
        return false;
    VigieReader in =
        vigie_reader(statement(lint, QC_DISCLOSURE, &information) ? information : (VigieBytes){0});
    if (!der_expect(&in, DER_SEQUENCE, &list, &clause))
        return lint_tell(lint, "QcPDS");
    in = vigie_reader(list.value);
    while (der_expect(&in, DER_SEQUENCE, &location, &clause)) {
        VigieReader parts = vigie_reader(location.value);
        if (!der_next(&parts, &url, &clause) || !der_next(&parts, &language, &clause))
            return lint_tell(lint, "PdsLocation");
        if (url.value.size < 8 || g_ascii_strncasecmp((const char *)url.value.data, "https://", 8) != 0)
            return lint_tell(lint, "https");
        english = english || (language.value.size == 2 &&
                              g_ascii_strncasecmp((const char *)language.value.data, "en", 2) == 0);
    }
    return !english && lint_tell(lint, "en");
}

/* clang-format off */
const LintCheck lint_etsi_checks[] = {
    {"etsi.subject-person", false, "ETSI EN 319 412-2 4.2.4", person_name},
    {"etsi.subject-organisation", false, "ETSI EN 319 412-3 4.2.1", organisation_name},
    {"etsi.issuer", false, "ETSI EN 319 412-2 4.2.3", issuer_name},
    {"etsi.organisation-identifier", false, "ETSI EN 319 412-1 5.1.4", identifier_form},
    {"etsi.key-usage", false, "ETSI EN 319 412-2 4.3.2", usage_mixed},
    {"etsi.key-usage-critical", false, "ETSI EN 319 412-2 4.3.2", usage_not_critical},
    {"etsi.policies", false, "ETSI EN 319 412-2 4.3.3", policies_missing},
    {"etsi.issuer-access", false, "ETSI EN 319 412-2 4.4.1", issuer_unreachable},
    {"etsi.revocation", false, "ETSI EN 319 412-2 4.3.11", not_revocable},
    {"etsi.statements", false, "ETSI EN 319 412-5 4.1", statements_malformed},
    {"etsi.statements-critical", false, "ETSI EN 319 412-5 4.1", statements_critical},
    {"etsi.type", false, "ETSI EN 319 412-5 4.2.3", type_missing},
    {"etsi.disclosure", false, "ETSI EN 319 412-5 4.3.4", disclosure_missing},
    {NULL, false, NULL, NULL},
};
/* clang-format on */
