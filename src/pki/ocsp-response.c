/* ocsp-response.c: what an answer says, and under whose signature. */
#include "pki/ocsp-response.h"
#include "pki/build.h"
#include "pki/revoke.h"
#include "x509/der-write.h"

void response_put_failure(GByteArray *out, OcspFailure failure) {
    const uint8_t answer[] = {0x30, 0x03, 0x0A, 0x01, (uint8_t)failure};
    g_byte_array_append(out, answer, sizeof answer);
}

/* A CertID by our own hashes; a request by either finds its own in the answer, which has both. */
static void put_id(GByteArray *out, const Responder *responder, const OcspAsked *asked) {
    size_t id = der_open(out, DER_SEQUENCE), algorithm = der_open(out, DER_SEQUENCE);
    der_put_oid(out, asked->sha256 ? "2.16.840.1.101.3.4.2.1" : "1.3.14.3.2.26");
    der_put(out, 0x05, "", 0);
    der_close(out, algorithm);
    if (asked->sha256) {
        der_put(out, DER_OCTET_STRING, responder->name_sha256, 32);
        der_put(out, DER_OCTET_STRING, responder->key_sha256, 32);
    } else {
        der_put(out, DER_OCTET_STRING, responder->name_sha1, 20);
        der_put(out, DER_OCTET_STRING, responder->key_sha1, 20);
    }
    der_put(out, DER_INTEGER, asked->serial.data, asked->serial.size);
    der_close(out, id);
}

static void put_status(GByteArray *out, const OcspStatus *status) {
    if (!status->known) {
        der_put(out, DER_CONTEXT(2), "", 0);
    } else if (status->reason < 0 || status->reason == REASON_RELEASE) {
        der_put(out, DER_CONTEXT(0), "", 0);
    } else {
        size_t revoked = der_open(out, DER_CONTEXT_CONSTRUCTED(1));
        der_put_generalized_time(out, DER_GENERALIZED_TIME, status->at);
        if (status->reason != 0) {
            size_t reason = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
            der_put_unsigned(out, 0x0A, (uint64_t)status->reason);
            der_close(out, reason);
        }
        der_close(out, revoked);
    }
}

void response_put_single(GByteArray *out, const Responder *responder, const OcspAsked *asked,
                         const OcspStatus *status, VigieTime from, VigieTime to) {
    size_t single = der_open(out, DER_SEQUENCE);
    if (asked->id.size > 0)
        der_put_whole(out, asked->id);
    else
        put_id(out, responder, asked);
    put_status(out, status);
    der_put_generalized_time(out, DER_GENERALIZED_TIME, from);
    size_t next = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
    der_put_generalized_time(out, DER_GENERALIZED_TIME, to);
    der_close(out, next);
    der_close(out, single);
}

/* ResponseData: what is signed. */
static void put_data(GByteArray *out, const Responder *responder, const GByteArray *singles, VigieBytes nonce,
                     VigieTime now) {
    size_t whole = der_open(out, DER_SEQUENCE), id = der_open(out, DER_CONTEXT_CONSTRUCTED(2));
    der_put(out, DER_OCTET_STRING, responder->responder, sizeof responder->responder);
    der_close(out, id);
    der_put_generalized_time(out, DER_GENERALIZED_TIME, now);
    der_put(out, DER_SEQUENCE, singles->data, singles->len);
    if (nonce.size > 0) {
        size_t tagged = der_open(out, DER_CONTEXT_CONSTRUCTED(1)), list = der_open(out, DER_SEQUENCE);
        g_autoptr(GByteArray) value = g_byte_array_new();
        der_put(value, DER_OCTET_STRING, nonce.data, nonce.size);
        extension_put(out, "1.3.6.1.5.5.7.48.1.2", false, der_bytes(value));
        der_close(out, list);
        der_close(out, tagged);
    }
    der_close(out, whole);
}

/* BasicOCSPResponse. */
static void put_basic(GByteArray *out, const Responder *responder, VigieBytes data, VigieBytes signature) {
    size_t basic = der_open(out, DER_SEQUENCE);
    der_put_whole(out, data);
    der_put_whole(out, responder->signer->algorithm);
    der_put_bits(out, signature);
    size_t certificates = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
    der_put(out, DER_SEQUENCE, responder->certificate->data, responder->certificate->len);
    der_close(out, certificates);
    der_close(out, basic);
}

bool response_put(GByteArray *out, const Responder *responder, const GByteArray *singles, VigieBytes nonce,
                  VigieTime now, GError **error) {
    g_autoptr(GByteArray) data = g_byte_array_sized_new(512), signature = g_byte_array_sized_new(512);
    put_data(data, responder, singles, nonce, now);
    if (!signer_sign(responder->signer, der_bytes(data), signature, error))
        return false;
    size_t response = der_open(out, DER_SEQUENCE);
    der_put(out, 0x0A, "\x00", 1);
    size_t bytes = der_open(out, DER_CONTEXT_CONSTRUCTED(0)), typed = der_open(out, DER_SEQUENCE);
    der_put_oid(out, "1.3.6.1.5.5.7.48.1.1");
    size_t octets = der_open(out, DER_OCTET_STRING);
    put_basic(out, responder, der_bytes(data), der_bytes(signature));
    der_close(out, octets);
    der_close(out, typed);
    der_close(out, bytes);
    der_close(out, response);
    return true;
}
