/* A name that a stranger asks for, as the protocols pass it on: refused, or one that a certificate can say. */
#include "pki/build.h"
#include "pki/item.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autofree char *name = g_strndup((const char *)data, size);
    g_autoptr(json_t) permitted = json_pack("[s, s, s]", "dns:chu.test", "ip:10.0.0.0/8", "email:chu.test");
    general_name_fault(name, true);
    if (general_name_fault(name, false))
        return 0;
    for (const char *at = name; *at; at++)
        if (*at <= ' ' || (unsigned char)*at >= 0x7F)
            abort();
    if (g_str_has_prefix(name, "dns:") && item_name_permitted(permitted, name, false) &&
        !g_str_has_suffix(name, "chu.test")) {
        g_autofree char *lower = g_ascii_strdown(name, -1);
        if (!g_str_has_suffix(lower, "chu.test"))
            abort();
    }
    const char *const names[] = {name, NULL};
    g_autoptr(GByteArray) out = g_byte_array_new();
    extension_put_names(out, names, false);
    if (out->len == 0)
        abort();
    return 0;
}
