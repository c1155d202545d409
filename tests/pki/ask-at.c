/* Asks the enrolment protocols as the portal does, at another time than the machine's: what a clock that jumped would do.
 *     ask-at STORE REGISTRAR SECONDS scep|cmp|shown FILE
 *     ask-at STORE REGISTRAR SECONDS est FILE NAME SECRET       the request is added, and not waited for
 * SECONDS are beside the machine's clock. Prints "answered" or "refused", and why. */
#include "pki/pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    VigieStore *store;
    VigieProfiles *profiles;
    VigieRegistrar *registrar;
    VigieBytes message;
    const char *name, *secret;
    VigieTime now;
} Asking;

static bool ask_scep(const Asking *asking, GError **error) {
    g_autoptr(GByteArray) answer = pki_scep_answer(asking->registrar, asking->store, asking->profiles,
                                                   asking->message, NULL, asking->now, error);
    return answer != NULL;
}

static bool ask_cmp(const Asking *asking, GError **error) {
    g_autoptr(GByteArray) answer = pki_cmp_answer(asking->registrar, asking->store, asking->profiles,
                                                  asking->message, NULL, asking->now, error);
    return answer != NULL;
}

static bool ask_shown(const Asking *asking, GError **error) {
    g_autoptr(json_t) shown = pki_certificate_shown(asking->store, asking->message, asking->now, error);
    return shown != NULL;
}

static bool ask_est(const Asking *asking, GError **error) {
    int64_t id = 0;
    g_autoptr(json_t) enrolment =
        pki_enrolment_login(asking->store, asking->name, asking->secret, asking->now, error);
    const VigiePkiRequest request = {.csr = asking->message,
                                     .requester = "est:test",
                                     .protocol = "est",
                                     .proof = VIGIE_PROOF_ENROLMENT,
                                     .enrolment = json_integer_value(json_object_get(enrolment, "id"))};
    return enrolment &&
           pki_request_add(asking->store, asking->profiles, &request, asking->now, &id, NULL, error);
}

static const struct {
    const char *name;
    bool (*ask)(const Asking *asking, GError **error);
} protocols[] = {{"scep", ask_scep}, {"cmp", ask_cmp}, {"shown", ask_shown}, {"est", ask_est}};

int main(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    g_autofree char *message = NULL;
    gsize size = 0;
    if (argc < 6 || !g_file_get_contents(argv[5], &message, &size, &error))
        return 2;
    const VigieTime real = vigie_time_now();
    g_autoptr(VigieStore) store = store_open(argv[1], &error);
    g_autoptr(VigieProfiles) profiles = store ? pki_profiles_load(&error) : NULL;
    g_autoptr(VigieRegistrar) registrar =
        profiles ? pki_registrar_load(store, argv[2], NULL, real, &error) : NULL;
    Asking asking = {.store = store,
                     .profiles = profiles,
                     .registrar = registrar,
                     .message = vigie_bytes(message, size),
                     .name = argc > 7 ? argv[6] : "",
                     .secret = argc > 7 ? argv[7] : "",
                     .now = real + strtoll(argv[3], NULL, 10)};
    bool answered = false;
    for (size_t i = 0; registrar && i < G_N_ELEMENTS(protocols); i++)
        if (strcmp(protocols[i].name, argv[4]) == 0)
            answered = protocols[i].ask(&asking, &error);
    printf("%s: %s\n", answered ? "answered" : "refused", error ? error->message : "");
    return registrar ? 0 : 2;
}
