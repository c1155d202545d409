/* der-write: DER (X.690) onto the end of a GByteArray. An element that holds others is opened and closed; its length is
 * written when it is known. Memory grows with what is written, so what is written is ours, or bounded by the caller. */
#pragma once

#include "base/base.h"
#include "x509/der.h"

/* Opens an element; close it with the mark returned, inner ones first. */
size_t der_open(GByteArray *out, uint8_t tag);
void der_close(GByteArray *out, size_t mark);

void der_put(GByteArray *out, uint8_t tag, const void *value, size_t size);
/* Octets that are DER already. */
void der_put_whole(GByteArray *out, VigieBytes whole);
void der_put_boolean(GByteArray *out, bool value);
void der_put_unsigned(GByteArray *out, uint8_t tag, uint64_t value);
/* An INTEGER from its big-endian magnitude. */
void der_put_magnitude(GByteArray *out, VigieBytes magnitude);
/* Dotted text; false where it is none (then nothing is written). */
bool der_put_oid(GByteArray *out, const char *dotted);
/* UTCTime until 2049, GeneralizedTime after (RFC 5280 4.1.2.5), or always the latter. */
void der_put_time(GByteArray *out, VigieTime time);
void der_put_generalized_time(GByteArray *out, uint8_t tag, VigieTime time);
/* Whole octets as a BIT STRING. */
void der_put_bits(GByteArray *out, VigieBytes octets);
/* A BIT STRING of named bits, bit 0 the highest of the first octet, without zeros at its end (X.690 11.2.2). */
void der_put_named_bits(GByteArray *out, uint16_t bits);

static inline VigieBytes der_bytes(const GByteArray *array) {
    return vigie_bytes(array->data, array->len);
}
