/* A certificate or a request from a stranger against the profiles: whatever it holds, what is found is of rules that are known,
 * and text. */
#include "pki/pki.h"
#include "x509/x509.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const json_t *found) {
    size_t i;
    const json_t *one;
    json_array_foreach(found, i, one) {
        const char *id = json_string_value(json_object_get(one, "id"));
        if (!(pki_profile_lint_known(id) || x509_lint_known(id)) ||
            !json_string_value(json_object_get(one, "detail")))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"device", "professional-signature", "staff-signature",
                                        "ocsp-responder"};
    static VigieProfiles *profiles;
    if (!profiles && !(profiles = pki_profiles_load(NULL)))
        abort(); /* $VIGIE_KNOWLEDGE says where they are */
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(names); i++) {
        const VigieProfileLint lint = {.profile = names[i / 2], .policy = "1.2.3", .request = i % 2};
        g_autoptr(json_t) answer = pki_profile_lint(profiles, &lint, vigie_bytes(data, size), NULL);
        if (lint.request && !answer)
            abort();
        check(json_object_get(answer, "findings"));
        check(json_object_get(answer, "waived"));
    }
    return 0;
}
