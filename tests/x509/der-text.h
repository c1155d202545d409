/* der-text: DER described by text, for tests. Blanks aside:
 *     30{ … }      a tag and its contents: the length is worked out, in the shortest form
 *     0603551D11   octets in hexadecimal
 *     'text'       its octets */
#pragma once

#include <glib.h>

GByteArray *der_text(const char *text);
