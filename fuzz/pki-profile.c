/* A profile written by whoever: a profile that is whole, or a refusal that says why. */
#include "pki/profile.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Profile) profile = profile_parse((const char *)data, size, "fuzz", &error);
    if (!profile != !!error || (profile && (!profile->title || profile->days < 1)))
        abort();
    return 0;
}
