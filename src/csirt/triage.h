/* The rules of the CSIRT that need no store: references, taxonomy, scores, priority, escalation, deadlines, marking.
 *
 * Part of the public header csirt/csirt.h; apart from it, so that the rules can be read and tested without the cases.
 * Every function here is pure: what it needs comes in, what it decides comes out with its reasons, the same each time.
 * The rules themselves are data below knowledge/csirt/. */
#pragma once

#include "base/base.h"

/* ---- References (reference.c) -------------------------------------------------------------------------------
 * "VIG-2026-000123-K": prefix of the team, year, number within the year (six digits, more when needed), check letter.
 * The check letter catches any one wrong digit and any two digits (or digit and letter) that changed places. */
typedef struct {
    int year;       /* 2000 to 9999 */
    int64_t number; /* 1 to 999,999,999 */
} VigieReference;

enum { CSIRT_REFERENCE_MAX = 40 }; /* characters, its NUL included */

/* Two to twelve capital letters or digits, the first a letter: what "csirt.prefix" may be. */
bool csirt_prefix_valid(const char *prefix);
/* Free with g_free. */
char *csirt_reference_text(const char *prefix, VigieReference reference);
/* Accepts lower case, and spaces or dashes (of any kind) anywhere or nowhere. The error says what is wrong: another
 * team's prefix, not a digit, missing or wrong check letter. */
bool csirt_reference_parse(const char *prefix, const char *text, VigieReference *ret_reference,
                           GError **error);
/* The valid references within a text (a mail's subject), each once, in their order; 16 at most, from the first 4,096
 * bytes. Free with g_array_unref; elements are VigieReference. */
GArray *csirt_references_find(const char *prefix, const char *text);
