/* text: what a certificate holds as text, made fit to be shown: valid UTF-8, printable, bounded, whatever it held. */
#pragma once

#include "base/base.h"
#include "x509/der.h"

/* How what cannot be shown is written: RFC 4514 (\HH of each octet, and its special characters), or \xHH alone. */
typedef enum { TEXT_RFC4514, TEXT_PLAIN } TextEscape;

/* Appends a string of an ASN.1 string type. 512 octets are shown at most, then "…". */
void text_append(GString *out, uint8_t tag, VigieBytes value, TextEscape escape);
/* A Name (tag and length too) by RFC 4514, most specific first; at most 64 of its parts. */
void text_append_name(GString *out, VigieBytes name, const char **clause);
/* The last CN of a Name, plain; NULL where it has none. Free with g_free. */
char *text_common_name(VigieBytes name);
