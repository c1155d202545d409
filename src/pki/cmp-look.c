#include "pki/cmp-look.h"
#include "x509/der.h"

enum { KID_MAX = 128 };

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
    return look->transaction.size >= 1 && look->transaction.size <= 64 && look->kid.size <= KID_MAX;
}
