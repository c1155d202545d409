/* name: distinguished names, written. What goes into a certificate as text passes here. */
#pragma once

#include "base/base.h"

typedef struct {
    const char *attribute; /* "CN", "O" …: of the table in name.c */
    const char *value;     /* UTF-8 */
    bool joined;           /* in the same RDN as the one before it */
} NamePart;

/* Appends the Name. INVALID where an attribute is not known, or a value is empty, too long, or holds what does not
 * show or turns the direction of writing. */
bool name_put(GByteArray *out, const NamePart *parts, size_t count, GError **error);
bool name_attribute_known(const char *attribute);
/* What an attribute of this OID is called ("2.5.4.3": "CN"); NULL where it is none of them. */
const char *name_attribute_of(const char *oid);
/* "C=FR", "O=CHU" …; NULL-terminated. */
bool name_put_list(GByteArray *out, const char *const *list, GError **error);
/* Is this text fit for a certificate: UTF-8, all of it to be seen, nothing that turns the direction, no space at either
 * end, `max` characters at most? NULL where it is, else why not. */
const char *name_text_fault(const char *text, size_t max);
