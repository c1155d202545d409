/* A revocation list from a stranger: whatever it holds, what is found in it is JSON of rules that are known, and the same
 * each time. The same octets as a file. */
#include "x509/x509.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    VigieBytes octets = vigie_bytes(data, size), list;
    g_autoptr(json_t) found = x509_lint_list(octets, NULL, NULL), again = x509_lint_list(octets, NULL, NULL);
    size_t i;
    json_t *one;
    if (!found != !again || (found && !json_equal(found, again)))
        abort();
    json_array_foreach(found, i, one) if (!x509_lint_known(json_string_value(json_object_get(one, "id"))))
        abort();
    GByteArray *decoded = NULL;
    if (x509_list_find(octets, &decoded, &list) && decoded)
        json_decref(x509_lint_list(list, NULL, NULL));
    if (decoded)
        g_byte_array_unref(decoded);
    return 0;
}
