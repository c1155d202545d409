#include "pki/cmp-look.h"
#include "x509/der.h"

enum { KID_MAX = 128, NONCE_MAX = 128 };

static const char mac_oids[][24] = {"1.2.840.113533.7.66.13", "1.2.840.113549.1.5.14"};

/* The one element within an explicit tag of PKIHeader; empty where it is not there. */
static VigieBytes inner(VigieReader *header, uint8_t number, uint8_t tag, const char **clause) {
    DerElement outer, element;
    if (!der_optional(header, DER_CONTEXT_CONSTRUCTED(number), &outer, clause))
        return (VigieBytes){0};
    VigieReader in = vigie_reader(outer.value);
    return der_expect(&in, tag, &element, clause) ? element.value : (VigieBytes){0};
}

static bool is_mac(VigieBytes algorithm, const char **clause) {
    VigieReader in = vigie_reader(algorithm);
    DerElement oid;
    char text[64];
    if (!der_expect(&in, DER_OID, &oid, clause) || !der_oid_text(oid.value, text, sizeof text))
        return false;
    return strcmp(text, mac_oids[0]) == 0 || strcmp(text, mac_oids[1]) == 0;
}

/* PKIHeader: pvno, sender, recipient, then what is tagged, in order (RFC 9810 5.1.1). */
static void look_at_header(VigieBytes header, CmpLook *look, const char **clause) {
    VigieReader in = vigie_reader(header);
    DerElement element;
    if (!der_expect(&in, DER_INTEGER, &element, clause) || !der_next(&in, &element, clause) ||
        !der_next(&in, &element, clause))
        return;
    inner(&in, 0, DER_GENERALIZED_TIME, clause);
    look->mac = is_mac(inner(&in, 1, DER_SEQUENCE, clause), clause);
    look->kid = inner(&in, 2, DER_OCTET_STRING, clause);
    inner(&in, 3, DER_OCTET_STRING, clause);
    look->transaction = inner(&in, 4, DER_OCTET_STRING, clause);
    look->nonce = inner(&in, 5, DER_OCTET_STRING, clause);
}

bool cmp_look(VigieBytes message, CmpLook *look) {
    const char *clause = NULL;
    VigieReader in = vigie_reader(message);
    DerElement whole, header, body, protection, extra, list, certificate;
    *look = (CmpLook){0};
    if (!der_expect(&in, DER_SEQUENCE, &whole, &clause))
        return false;
    in = vigie_reader(whole.value);
    if (!der_expect(&in, DER_SEQUENCE, &header, &clause) || !der_next(&in, &body, &clause))
        return false;
    look_at_header(header.value, look, &clause);
    der_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &protection, &clause);
    if (der_optional(&in, DER_CONTEXT_CONSTRUCTED(1), &extra, &clause)) {
        VigieReader certificates = vigie_reader(extra.value);
        if (!der_expect(&certificates, DER_SEQUENCE, &list, &clause))
            return false;
        certificates = vigie_reader(list.value);
        if (der_expect(&certificates, DER_SEQUENCE, &certificate, &clause))
            look->certificate = certificate.whole;
    }
    return look->transaction.size >= 1 && look->transaction.size <= 64 && look->kid.size <= KID_MAX &&
           look->nonce.size <= NONCE_MAX;
}

/* PKIMessage: what is within its body, which must be of this kind. */
static bool read_body(VigieBytes message, uint8_t kind, VigieBytes *ret_body) {
    const char *clause = NULL;
    DerElement element, body;
    VigieReader in = vigie_reader(message);
    if (!der_expect(&in, DER_SEQUENCE, &element, &clause))
        return false;
    in = vigie_reader(element.value);
    if (!der_expect(&in, DER_SEQUENCE, &element, &clause) ||
        !der_expect(&in, DER_CONTEXT_CONSTRUCTED(kind), &body, &clause))
        return false;
    *ret_body = body.value;
    return true;
}

/* GenMsgContent: InfoTypeAndValue, one after the other. */
VigieBytes cmp_look_value(VigieBytes message, size_t place) {
    enum { GENERAL = 21 };
    const char *clause = NULL;
    VigieBytes body;
    DerElement element, oid, value;
    if (!read_body(message, GENERAL, &body))
        return (VigieBytes){0};
    VigieReader in = vigie_reader(body);
    if (!der_expect(&in, DER_SEQUENCE, &element, &clause))
        return (VigieBytes){0};
    in = vigie_reader(element.value);
    for (size_t i = 0; i <= place; i++)
        if (!der_expect(&in, DER_SEQUENCE, &element, &clause))
            return (VigieBytes){0};
    in = vigie_reader(element.value);
    return der_expect(&in, DER_OID, &oid, &clause) && der_next(&in, &value, &clause) ? value.whole
                                                                                     : (VigieBytes){0};
}

/* One Extension: reasonCode, an ENUMERATED of one octet. */
static bool read_reason(VigieBytes extension, int64_t *ret_reason) {
    enum { ENUMERATED = 0x0A };
    static const uint8_t reason_code[] = {0x55, 0x1D, 0x15};
    const char *clause = NULL;
    DerElement oid, critical, value, reason;
    VigieReader in = vigie_reader(extension);
    if (!der_expect(&in, DER_OID, &oid, &clause) ||
        !vigie_bytes_equal(oid.value, vigie_bytes(reason_code, sizeof reason_code)))
        return false;
    der_optional(&in, DER_BOOLEAN, &critical, &clause);
    if (!der_expect(&in, DER_OCTET_STRING, &value, &clause) || in.rest.size > 0)
        return false;
    in = vigie_reader(value.value);
    if (!der_expect(&in, ENUMERATED, &reason, &clause) || in.rest.size > 0 || reason.value.size != 1)
        return false;
    *ret_reason = reason.value.data[0];
    return true;
}

/* RevReqContent, its first RevDetails: a template, then extensions (RFC 9810 5.3.9). */
bool cmp_look_reason(VigieBytes message, int64_t *ret_reason) {
    enum { REVOCATION = 11 };
    const char *clause = NULL;
    VigieBytes body;
    DerElement element, extensions;
    if (!read_body(message, REVOCATION, &body))
        return false;
    VigieReader in = vigie_reader(body);
    for (int depth = 0; depth < 2; depth++) {
        if (!der_expect(&in, DER_SEQUENCE, &element, &clause))
            return false;
        in = vigie_reader(element.value);
    }
    if (!der_expect(&in, DER_SEQUENCE, &element, &clause))
        return false;
    *ret_reason = 0;
    if (in.rest.size == 0)
        return true;
    if (!der_expect(&in, DER_SEQUENCE, &extensions, &clause) || in.rest.size > 0)
        return false;
    in = vigie_reader(extensions.value);
    return der_expect(&in, DER_SEQUENCE, &element, &clause) && in.rest.size == 0 &&
           read_reason(element.value, ret_reason);
}
