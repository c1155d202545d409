/* view.c: the certificate's frame. */
#include "x509/view.h"

/* Up to the subject it is a certificate or it is not; what follows is read as far as it goes. */
static bool read_frame(VigieReader *tbs, X509View *view, DerElement *ret_inner) {
    DerElement element, version, serial, validity, issuer, subject;
    const char **clause = &view->clause;
    view->version = 1;
    if (der_optional(tbs, DER_CONTEXT_CONSTRUCTED(0), &element, clause)) {
        VigieReader in = vigie_reader(element.value);
        if (!der_expect(&in, DER_INTEGER, &version, clause))
            return false;
        if (version.value.size != 1 || version.value.data[0] > 2)
            der_refuse(clause, "RFC 5280 4.1.2.1: version is none of v1, v2, v3");
        else
            view->version = version.value.data[0] + 1U;
    }
    if (!der_expect(tbs, DER_INTEGER, &serial, clause) || !der_expect(tbs, DER_SEQUENCE, ret_inner, clause) ||
        !der_expect(tbs, DER_SEQUENCE, &issuer, clause) ||
        !der_expect(tbs, DER_SEQUENCE, &validity, clause) || !der_expect(tbs, DER_SEQUENCE, &subject, clause))
        return false;
    view->serial = serial.value;
    view->issuer = issuer.whole;
    view->subject = subject.whole;
    VigieReader times = vigie_reader(validity.value);
    if (!der_next(&times, &view->not_before, clause) || !der_next(&times, &view->not_after, clause) ||
        times.rest.size > 0)
        der_refuse(clause, "RFC 5280 4.1.2.5: validity is not two times");
    return true;
}

static void read_rest(VigieReader *tbs, X509View *view) {
    DerElement element;
    const char **clause = &view->clause;
    if (!der_expect(tbs, DER_SEQUENCE, &element, clause))
        return;
    view->spki = element.whole;
    bool unique = der_optional(tbs, DER_CONTEXT(1), &element, clause);
    unique = der_optional(tbs, DER_CONTEXT(2), &element, clause) || unique;
    if (unique && view->version < 2)
        der_refuse(clause, "RFC 5280 4.1.2.8: unique identifiers in a v1 certificate");
    if (der_optional(tbs, DER_CONTEXT_CONSTRUCTED(3), &element, clause)) {
        VigieReader in = vigie_reader(element.value);
        if (der_expect(&in, DER_SEQUENCE, &element, clause))
            view->extensions = element.value;
        if (view->version != 3)
            der_refuse(clause, "RFC 5280 4.1.2.9: extensions in a certificate that is not v3");
    }
    if (tbs->failed || tbs->rest.size > 0)
        der_refuse(clause, "RFC 5280 4.1.2: elements after the last of TBSCertificate");
}

bool x509_view(VigieBytes octets, X509View *ret_view) {
    X509View view = {0};
    DerElement certificate, tbs, algorithm, signature, inner;
    VigieReader in = vigie_reader(octets);
    const char **clause = &view.clause;
    bool well = der_expect(&in, DER_SEQUENCE, &certificate, clause);
    VigieReader parts = vigie_reader(well ? certificate.value : (VigieBytes){0});
    if (!well || !der_expect(&parts, DER_SEQUENCE, &tbs, clause)) {
        ret_view->clause = view.clause;
        return false;
    }
    view.der = certificate.whole;
    if (in.rest.size > 0)
        der_refuse(clause, "RFC 5280 4.1: octets after the certificate");
    VigieReader body = vigie_reader(tbs.value);
    if (!read_frame(&body, &view, &inner)) {
        ret_view->clause = view.clause;
        return false;
    }
    read_rest(&body, &view);
    if (der_expect(&parts, DER_SEQUENCE, &algorithm, clause)) {
        view.algorithm = algorithm.whole;
        if (!vigie_bytes_equal(algorithm.whole, inner.whole))
            der_refuse(clause, "RFC 5280 4.1.1.2: the two signature algorithms differ");
        if (der_expect(&parts, DER_BIT_STRING, &signature, clause) && signature.value.size > 0)
            view.signature = vigie_bytes(signature.value.data + 1, signature.value.size - 1);
        else
            der_refuse(clause, "RFC 5280 4.1.1.3: signatureValue is empty");
    }
    *ret_view = view;
    return true;
}
