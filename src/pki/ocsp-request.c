/* ocsp-request.c: RFC 6960 4.1.1. A requestor's name and signature are read over: whoever asks is answered. */
#include "pki/ocsp.h"
#include "x509/der.h"

static bool parse_asked(const DerElement *request, OcspAsked *ret_asked) {
    static const uint8_t sha1[] = {0x2B, 0x0E, 0x03, 0x02, 0x1A};
    static const uint8_t sha256[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};
    const char *clause = NULL;
    DerElement id, algorithm, oid, name, key, serial;
    VigieReader in = vigie_reader(request->value);
    if (!der_expect(&in, DER_SEQUENCE, &id, &clause))
        return false;
    in = vigie_reader(id.value);
    if (!der_expect(&in, DER_SEQUENCE, &algorithm, &clause) ||
        !der_expect(&in, DER_OCTET_STRING, &name, &clause) ||
        !der_expect(&in, DER_OCTET_STRING, &key, &clause) ||
        !der_expect(&in, DER_INTEGER, &serial, &clause) || in.rest.size > 0 || serial.value.size == 0 ||
        serial.value.size > 32)
        return false;
    in = vigie_reader(algorithm.value);
    if (!der_expect(&in, DER_OID, &oid, &clause))
        return false;
    bool wide = vigie_bytes_equal(oid.value, vigie_bytes(sha256, sizeof sha256));
    *ret_asked = (OcspAsked){id.whole, wide, name.value, key.value, serial.value};
    return !clause && (wide || vigie_bytes_equal(oid.value, vigie_bytes(sha1, sizeof sha1)));
}

/* An OCTET STRING inside the extension's; RFC 9654 2.1: 1 to 128 octets, and any other length makes the request malformed. */
static bool parse_nonce(VigieBytes value, VigieBytes *ret_nonce) {
    const char *clause = NULL;
    DerElement nonce;
    VigieReader in = vigie_reader(value);
    if (!der_expect(&in, DER_OCTET_STRING, &nonce, &clause) || in.rest.size > 0 || nonce.value.size == 0 ||
        nonce.value.size > OCSP_NONCE_MAX)
        return false;
    *ret_nonce = nonce.value;
    return true;
}

static bool parse_extensions(const DerElement *extensions, OcspRequest *request) {
    static const uint8_t nonce[] = {0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02};
    const char *clause = NULL;
    DerElement list, extension, oid, critical, value;
    VigieReader in = vigie_reader(extensions->value);
    if (!der_expect(&in, DER_SEQUENCE, &list, &clause))
        return false;
    in = vigie_reader(list.value);
    while (der_next(&in, &extension, &clause)) {
        VigieReader parts = vigie_reader(extension.value);
        if (!der_expect(&parts, DER_OID, &oid, &clause))
            return false;
        bool is_critical = der_optional(&parts, DER_BOOLEAN, &critical, &clause);
        if (!der_expect(&parts, DER_OCTET_STRING, &value, &clause))
            return false;
        bool is_nonce = vigie_bytes_equal(oid.value, vigie_bytes(nonce, sizeof nonce));
        if (is_nonce ? !parse_nonce(value.value, &request->nonce) : is_critical)
            return false;
    }
    return !clause;
}

bool ocsp_request_parse(VigieBytes der, OcspRequest *ret_request) {
    const char *clause = NULL;
    OcspRequest request = {0};
    DerElement whole, tbs, element, list, one;
    VigieReader in = vigie_reader(der);
    if (der.size > OCSP_REQUEST_MAX || !der_expect(&in, DER_SEQUENCE, &whole, &clause) || in.rest.size > 0)
        return false;
    in = vigie_reader(whole.value);
    if (!der_expect(&in, DER_SEQUENCE, &tbs, &clause))
        return false;
    in = vigie_reader(tbs.value);
    der_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &element, &clause);
    der_optional(&in, DER_CONTEXT_CONSTRUCTED(1), &element, &clause);
    if (!der_expect(&in, DER_SEQUENCE, &list, &clause))
        return false;
    if (der_optional(&in, DER_CONTEXT_CONSTRUCTED(2), &element, &clause) &&
        !parse_extensions(&element, &request))
        return false;
    VigieReader asked = vigie_reader(list.value);
    while (der_next(&asked, &one, &clause)) {
        if (request.count == OCSP_ASKED_MAX || one.tag != DER_SEQUENCE ||
            !parse_asked(&one, &request.asked[request.count]))
            return false;
        request.count++;
    }
    if (clause || in.failed || in.rest.size > 0 || request.count == 0)
        return false;
    *ret_request = request;
    return true;
}
