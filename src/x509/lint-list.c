/* lint-list.c: revocation lists (RFC 5280 5) against their rules: the frame and the extensions of the list. */
#include "x509/lint-list.h"
#include "x509/oid.h"

#include <string.h>

enum { DAY = 86400, SEEN_MAX = 32 };

/* clang-format off */
static const struct {
    const char *id;
    bool warning;
    const char *clause;
} rules[RULES] = {
    [MALFORMED] = {"rfc5280.crl-malformed", false, "RFC 5280 5.1"},
    [VERSION] = {"rfc5280.crl-version", false, "RFC 5280 5.1.2.1"},
    [ALGORITHM] = {"rfc5280.crl-algorithm", false, "RFC 5280 5.1.1.2"},
    [ISSUER] = {"rfc5280.crl-issuer", false, "RFC 5280 5.1.2.3"},
    [TIME_TYPE] = {"rfc5280.crl-time", false, "RFC 5280 5.1.2.4"},
    [NEXT_UPDATE] = {"rfc5280.crl-next-update", false, "RFC 5280 5.1.2.5"},
    [PERIOD] = {"rfc5280.crl-period", false, "RFC 5280 5.1.2.5"},
    [EMPTY] = {"rfc5280.crl-empty", false, "RFC 5280 5.1.2.6"},
    [SERIAL] = {"rfc5280.crl-serial", false, "RFC 5280 4.1.2.2"},
    [TWIN] = {"rfc5280.crl-serial-twice", false, "RFC 5280 5.1.2.6"},
    [EXTENSION_TWICE] = {"rfc5280.crl-extension-twice", false, "RFC 5280 4.2"},
    [UNKNOWN_CRITICAL] = {"rfc5280.crl-unknown-critical", true, "RFC 5280 5.2"},
    [AUTHORITY_KEY] = {"rfc5280.crl-authority-key", false, "RFC 5280 5.2.1"},
    [NUMBER] = {"rfc5280.crl-number", false, "RFC 5280 5.2.3"},
    [DELTA_CRITICAL] = {"rfc5280.crl-delta-critical", false, "RFC 5280 5.2.4"},
    [DELTA_BASE] = {"rfc5280.crl-delta-base", false, "RFC 5280 5.2.4"},
    [SCOPE_CRITICAL] = {"rfc5280.crl-scope-critical", false, "RFC 5280 5.2.5"},
    [SCOPE] = {"rfc5280.crl-scope", false, "RFC 5280 5.2.5"},
    [NEWER] = {"rfc5280.crl-freshest", false, "RFC 5280 5.2.6"},
    [REASON] = {"rfc5280.crl-reason", false, "RFC 5280 5.3.1"},
    [REASON_UNSPECIFIED] = {"rfc5280.crl-reason-unspecified", true, "RFC 5280 5.3.1"},
    [REASON_REMOVE] = {"rfc5280.crl-reason-remove", false, "RFC 5280 5.3.1"},
    [INVALIDITY] = {"rfc5280.crl-invalidity", false, "RFC 5280 5.3.2"},
    [ENTRY_ISSUER] = {"rfc5280.crl-entry-issuer", false, "RFC 5280 5.3.3"},
    [ENTRY_CRITICAL] = {"rfc5280.crl-entry-critical", true, "RFC 5280 5.3"},
    [WEAK_DIGEST] = {"cabf.crl-digest", false, "CA/B BR 7.1.3.2"},
    [LIFETIME] = {"cabf.crl-lifetime", false, "CA/B BR 4.9.7"},
    [PUBLIC_SCOPE] = {"cabf.crl-scope", false, "CA/B BR 7.2.2.1"},
    [HOLD] = {"cabf.crl-hold", true, "CA/B BR 4.9.13"},
};
/* clang-format on */

/* The first time is told. */
void list_tell(ListLint *list, Rule rule, const char *detail) {
    if (list->broken[rule])
        return;
    list->broken[rule] = true;
    g_strlcpy(list->detail[rule], detail, LIST_DETAIL_MAX);
}

void list_tell_serial(ListLint *list, Rule rule, VigieBytes serial) {
    if (list->broken[rule])
        return;
    g_autofree char *text = vigie_hex_text(vigie_bytes(serial.data, MIN(serial.size, LIST_SERIAL_MAX)));
    list_tell(list, rule, text);
}

/* ---- Times ----------------------------------------------------------------------------------------------- */
/* 2049-12-31T23:59:59Z is the last that UTCTime says. */
bool list_time(ListLint *list, const DerElement *element, VigieTime *ret_time) {
    const VigieTime last = 2524607999;
    const char *clause = NULL;
    VigieTime time = 0;
    if (!der_time(element, &time, &clause)) {
        list_tell(list, TIME_TYPE, clause ? clause : "");
        return false;
    }
    if (clause || (element->tag == DER_UTC_TIME) != (time <= last))
        list_tell(list, TIME_TYPE, clause ? clause : "");
    *ret_time = time;
    return true;
}

static void check_period(ListLint *list) {
    /* 10 days where it is for subscribers' certificates alone, which a list says or not; 12 months in any case. */
    VigieTime life = list->next_update - list->this_update;
    if (list->has_next && life <= 0)
        list_tell(list, PERIOD, "");
    if (list->has_next && life > (VigieTime)(list->user_only ? 10 : 366) * DAY)
        list_tell(list, LIFETIME, "");
}

/* ---- Extensions of the list ------------------------------------------------------------------------------ */
bool list_extension(VigieReader *in, ListExtension *ret_extension, const char **clause) {
    DerElement sequence, oid, critical, value;
    if (!der_expect(in, DER_SEQUENCE, &sequence, clause))
        return false;
    VigieReader parts = vigie_reader(sequence.value);
    if (!der_expect(&parts, DER_OID, &oid, clause))
        return false;
    bool is_critical = der_optional(&parts, DER_BOOLEAN, &critical, clause);
    if (is_critical && (critical.value.size != 1 || critical.value.data[0] != 0xFF))
        der_refuse(clause, "X.690 11.1, 11.5: BOOLEAN that is not TRUE, or the default");
    if (!der_expect(&parts, DER_OCTET_STRING, &value, clause))
        return false;
    if (parts.rest.size > 0)
        der_refuse(clause, "RFC 5280 5.1: octets after the end");
    *ret_extension = (ListExtension){oid.value, value.value, is_critical};
    return true;
}

/* A non-negative INTEGER of 20 octets at most. */
static bool read_number(ListLint *list, const ListExtension *extension, Rule rule, VigieBytes *ret_number) {
    const char *clause = NULL;
    DerElement number;
    VigieReader in = vigie_reader(extension->value);
    if (!der_expect(&in, DER_INTEGER, &number, &clause) || in.rest.size > 0 || number.value.size == 0 ||
        number.value.data[0] & 0x80 || number.value.size > LIST_SERIAL_MAX) {
        list_tell(list, rule, "");
        return false;
    }
    *ret_number = der_magnitude(number.value);
    return true;
}

static void read_authority_key(ListLint *list, const ListExtension *extension) {
    const char *clause = NULL;
    DerElement sequence, key;
    VigieReader in = vigie_reader(extension->value);
    bool named = der_expect(&in, DER_SEQUENCE, &sequence, &clause);
    VigieReader parts = vigie_reader(named ? sequence.value : (VigieBytes){0});
    named = named && der_optional(&parts, DER_CONTEXT(0), &key, &clause) && key.value.size > 0;
    if (!named || extension->critical)
        list_tell(list, AUTHORITY_KEY, named ? "critical" : "keyIdentifier");
}

static void read_crl_number(ListLint *list, const ListExtension *extension) {
    if (read_number(list, extension, NUMBER, &list->number) && extension->critical)
        list_tell(list, NUMBER, "critical");
}

static void read_delta(ListLint *list, const ListExtension *extension) {
    list->delta = true;
    read_number(list, extension, DELTA_BASE, &list->base);
    if (!extension->critical)
        list_tell(list, DELTA_CRITICAL, "");
}

/* TRUE alone is written: FALSE is the default (X.690 11.5). */
static bool read_flag(ListLint *list, VigieReader *in, uint8_t number, const char **clause) {
    DerElement flag;
    if (!der_optional(in, DER_CONTEXT(number), &flag, clause))
        return false;
    if (flag.value.size != 1 || flag.value.data[0] != 0xFF)
        list_tell(list, SCOPE, "FALSE");
    return flag.value.size == 1 && flag.value.data[0] != 0;
}

static void read_scope(ListLint *list, const ListExtension *extension) {
    const char *clause = NULL;
    DerElement sequence, point, reasons;
    VigieReader in = vigie_reader(extension->value);
    if (!extension->critical)
        list_tell(list, SCOPE_CRITICAL, "");
    if (!der_expect(&in, DER_SEQUENCE, &sequence, &clause) || in.rest.size > 0 || sequence.value.size == 0) {
        list_tell(list, SCOPE, clause ? clause : "");
        return;
    }
    in = vigie_reader(sequence.value);
    der_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &point, &clause);
    list->user_only = read_flag(list, &in, 1, &clause);
    bool authorities = read_flag(list, &in, 2, &clause),
         some = der_optional(&in, DER_CONTEXT(3), &reasons, &clause);
    list->indirect = read_flag(list, &in, 4, &clause);
    bool attributes = read_flag(list, &in, 5, &clause);
    if (in.failed || in.rest.size > 0 || clause)
        list_tell(list, SCOPE, clause ? clause : "");
    if (list->user_only + authorities + attributes > 1)
        list_tell(list, SCOPE, "onlyContains…");
    if (some && (reasons.value.size < 2 || reasons.value.size > 3))
        list_tell(list, SCOPE, "onlySomeReasons");
    if (some || list->indirect || attributes)
        list_tell(list, PUBLIC_SCOPE, some ? "onlySomeReasons" : list->indirect ? "indirectCRL" : "");
}

static void read_freshest(ListLint *list, const ListExtension *extension) {
    if (extension->critical)
        list_tell(list, NEWER, "critical");
}

/* Those that programs know; `read` NULL: nothing to say of it. */
static const struct {
    uint8_t size, oid[8];
    void (*read)(ListLint *list, const ListExtension *extension);
} known[] = {
    {3, {0x55, 0x1D, 0x23}, read_authority_key},
    {3, {0x55, 0x1D, 0x14}, read_crl_number},
    {3, {0x55, 0x1D, 0x1B}, read_delta},
    {3, {0x55, 0x1D, 0x1C}, read_scope},
    {3, {0x55, 0x1D, 0x2E}, read_freshest},
    {3, {0x55, 0x1D, 0x12}, NULL},                               /* issuerAltName */
    {8, {0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01}, NULL}, /* authorityInfoAccess */
};
enum { KNOWN_AUTHORITY_KEY, KNOWN_NUMBER, KNOWN_FRESHEST = 4, KNOWN_OF_LISTS = G_N_ELEMENTS(known) };

static void read_extensions(ListLint *list) {
    VigieBytes seen[SEEN_MAX];
    size_t count = 0;
    bool has[KNOWN_OF_LISTS] = {0};
    const char *clause = NULL;
    ListExtension extension;
    VigieReader in = vigie_reader(list->extensions);
    while (count < SEEN_MAX && !vigie_reader_empty(&in) && list_extension(&in, &extension, &clause)) {
        size_t i = 0;
        for (size_t j = 0; j < count; j++)
            if (vigie_bytes_equal(seen[j], extension.oid))
                list_tell(list, EXTENSION_TWICE, "");
        seen[count++] = extension.oid;
        while (i < KNOWN_OF_LISTS &&
               !vigie_bytes_equal(extension.oid, vigie_bytes(known[i].oid, known[i].size)))
            i++;
        if (i < KNOWN_OF_LISTS && known[i].read)
            known[i].read(list, &extension);
        if (i < KNOWN_OF_LISTS)
            has[i] = true;
        else if (extension.critical)
            list_tell(list, UNKNOWN_CRITICAL, "");
    }
    if (clause || count == SEEN_MAX)
        list_tell(list, MALFORMED, clause ? clause : "more than 32 extensions");
    if (!has[KNOWN_AUTHORITY_KEY])
        list_tell(list, AUTHORITY_KEY, "");
    if (!has[KNOWN_NUMBER])
        list_tell(list, NUMBER, "");
    if (list->delta && has[KNOWN_FRESHEST])
        list_tell(list, NEWER, "delta");
    bool later = list->base.size > list->number.size ||
                 (list->base.size == list->number.size && list->base.size > 0 &&
                  memcmp(list->base.data, list->number.data, list->base.size) > 0);
    if (list->delta && later)
        list_tell(list, DELTA_BASE, "");
}

/* ---- The frame ------------------------------------------------------------------------------------------- */
static void read_times(ListLint *list, const DerElement *this_update, VigieReader *in, const char **clause) {
    DerElement next;
    bool first = list_time(list, this_update, &list->this_update);
    bool has = der_optional(in, DER_UTC_TIME, &next, clause) ||
               der_optional(in, DER_GENERALIZED_TIME, &next, clause);
    if (!has)
        list_tell(list, NEXT_UPDATE, "");
    list->has_next = has && list_time(list, &next, &list->next_update) && first;
}

static void check_algorithms(ListLint *list, VigieBytes inner, VigieBytes outer) {
    const char *clause = NULL;
    DerElement sequence, oid;
    VigieReader in = vigie_reader(outer);
    if (!vigie_bytes_equal(inner, outer))
        list_tell(list, ALGORITHM, "");
    if (!der_expect(&in, DER_SEQUENCE, &sequence, &clause))
        return;
    in = vigie_reader(sequence.value);
    const Oid *known_oid =
        der_expect(&in, DER_OID, &oid, &clause) ? oid_find(OID_SIGNATURE, oid.value) : NULL;
    if (known_oid && known_oid->weak)
        list_tell(list, WEAK_DIGEST, known_oid->name);
}

/* Up to thisUpdate it is a list or it is not; what follows is read as far as it goes. */
static bool read_frame(ListLint *list, VigieBytes der, const char **clause) {
    DerElement whole, tbs, outer, signature, version = {0}, inner, issuer, time, element;
    VigieReader in = vigie_reader(der);
    if (!der_expect(&in, DER_SEQUENCE, &whole, clause))
        return false;
    VigieReader parts = vigie_reader(whole.value);
    if (!der_expect(&parts, DER_SEQUENCE, &tbs, clause))
        return false;
    VigieReader body = vigie_reader(tbs.value);
    bool has_version = der_optional(&body, DER_INTEGER, &version, clause);
    if (!der_expect(&body, DER_SEQUENCE, &inner, clause) ||
        !der_expect(&body, DER_SEQUENCE, &issuer, clause) || !der_next(&body, &time, clause) ||
        (time.tag != DER_UTC_TIME && time.tag != DER_GENERALIZED_TIME))
        return false;
    list->der = whole.whole;
    if (!has_version || version.value.size != 1 || version.value.data[0] != 1)
        list_tell(list, VERSION, "");
    if (issuer.value.size == 0)
        list_tell(list, ISSUER, "");
    read_times(list, &time, &body, clause);
    if (der_optional(&body, DER_SEQUENCE, &element, clause)) {
        list->entries = element.value;
        if (element.value.size == 0)
            list_tell(list, EMPTY, "");
    }
    if (der_optional(&body, DER_CONTEXT_CONSTRUCTED(0), &element, clause)) {
        VigieReader tagged = vigie_reader(element.value);
        if (der_expect(&tagged, DER_SEQUENCE, &element, clause))
            list->extensions = element.value;
    }
    if (body.failed || body.rest.size > 0 || in.rest.size > 0)
        der_refuse(clause, "RFC 5280 5.1: octets after the end");
    if (!der_expect(&parts, DER_SEQUENCE, &outer, clause))
        return true;
    check_algorithms(list, inner.whole, outer.whole);
    if (!der_expect(&parts, DER_BIT_STRING, &signature, clause) || signature.value.size < 2 ||
        parts.rest.size > 0)
        der_refuse(clause, "RFC 5280 5.1.1.3: signatureValue is empty, or not the last");
    return true;
}

bool lint_list_known(const char *id) {
    for (size_t i = 0; i < RULES; i++)
        if (strcmp(rules[i].id, id) == 0)
            return true;
    return false;
}

json_t *x509_lint_list(VigieBytes der, const char *const *waived, GError **error) {
    const char *clause = NULL;
    g_autofree ListLint *list = g_new0(ListLint, 1);
    if (der.size > X509_LIST_MAX) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT,
                            "a revocation list of more than 128 MiB is not read");
        return NULL;
    }
    if (!read_frame(list, der, &clause)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "this is no revocation list (%s); vigie identify tells what it is",
                    clause ? clause : "RFC 5280 5.1");
        return NULL;
    }
    if (clause)
        list_tell(list, MALFORMED, clause);
    read_extensions(list);
    check_period(list);
    list_walk_entries(list);
    json_t *found = json_array();
    for (size_t i = 0; i < RULES; i++)
        if (list->broken[i] && !(waived && g_strv_contains(waived, rules[i].id)))
            lint_add(found, rules[i].id, rules[i].warning, rules[i].clause, list->detail[i]);
    return found;
}
