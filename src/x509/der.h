/* der: a walk over DER (X.690) that allocates nothing. One element at a time, from a VigieReader; what it holds is walked
 * with a reader of its own, so the depth of a walk is that of the code that makes it, never that of the input.
 *
 * A refusal sets `*clause`, unless an earlier one is there already: the first mistake is the one to tell. Lengths that
 * are not in the shortest form are told so and read all the same, because devices that make them do exist. */
#pragma once

#include "base/bytes.h"

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_UTF8 = 0x0C,
    DER_NUMERIC = 0x12,
    DER_PRINTABLE = 0x13,
    DER_T61 = 0x14,
    DER_IA5 = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_VISIBLE = 0x1A,
    DER_UNIVERSAL = 0x1C,
    DER_BMP = 0x1E,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};
/* Context-specific tags: primitive, constructed. */
#define DER_CONTEXT(n) (0x80 | (n))
#define DER_CONTEXT_CONSTRUCTED(n) (0xA0 | (n))

typedef struct {
    uint8_t tag;
    VigieBytes value; /* the contents */
    VigieBytes whole; /* tag and length too */
} DerElement;

/* The next element, of any tag; false at the end of the input too (then without a clause). */
bool der_next(VigieReader *in, DerElement *ret_element, const char **clause);
/* The next element, which must have this tag. */
bool der_expect(VigieReader *in, uint8_t tag, DerElement *ret_element, const char **clause);
/* The next element if it has this tag; nothing is consumed otherwise. */
bool der_optional(VigieReader *in, uint8_t tag, DerElement *ret_element, const char **clause);
/* Sets the clause unless there is one. */
void der_refuse(const char **clause, const char *why);

/* An INTEGER's magnitude without leading zeros, and its length in bits. */
VigieBytes der_magnitude(VigieBytes integer);
unsigned der_bits(VigieBytes integer);
/* UTCTime or GeneralizedTime as seconds since 1970 UTC (RFC 5280 4.1.2.5); an offset, or seconds left out, are read and
 * refused in the clause. False where no time can be made of it. */
bool der_time(const DerElement *element, int64_t *ret_time, const char **clause);
/* An object identifier in dotted form; NUL-terminated, false where it is malformed or does not fit. */
bool der_oid_text(VigieBytes oid, char *text, size_t capacity);
