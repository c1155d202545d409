/* request-proof.c: what is said in favour of a request, held against the store, when it is added and when it is signed. */
#include "pki/enrolment.h"
#include "pki/grant.h"
#include "pki/item.h"
#include "pki/request.h"

#include <string.h>

static bool deny(GError **error, const char *why) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s", why);
    return false;
}

static bool enrolment_names(const json_t *request, const json_t *enrolment, GError **error) {
    const json_t *permitted = json_object_get(enrolment, "names");
    bool challenge = json_is_true(json_object_get(enrolment, "challenge"));
    size_t i, j;
    json_t *name, *proven;
    json_array_foreach(json_object_get(request, "names"), i, name) {
        const char *text = json_string_value(name);
        bool passed = !challenge;
        json_array_foreach(json_object_get(request, "proven"), j, proven) {
            passed = passed || g_ascii_strcasecmp(json_string_value(proven), text) == 0;
        }
        if (!passed || (json_is_array(permitted) && !item_name_permitted(permitted, text, false))) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "%s: %s", text,
                        passed ? "the enrolment does not allow this name" : "no challenge proved this name");
            return false;
        }
    }
    return true;
}

/* What an enrolment had issued, it has revoked. */
static bool check_same_enrolment(VigieStore *store, const json_t *request, GError **error) {
    int64_t count = 0;
    if (!store_get_int(
            store, &count, error,
            "SELECT COUNT(*) FROM pki_request q JOIN pki_request r ON r.issued = q.certificate AND "
            "r.enrolment = q.enrolment WHERE q.id = $1",
            "i", (int64_t)json_integer_value(json_object_get(request, "id"))))
        return false;
    return count > 0 || deny(error, "another enrolment, or none, asked for this certificate");
}

static bool check_enrolment(VigieStore *store, const Profile *profile, const json_t *request, VigieTime now,
                            GError **error) {
    bool covers = false;
    if (strcmp(vigie_member(request, "kind"), "revoke") == 0)
        return check_same_enrolment(store, request, error);
    if (strcmp(vigie_member(request, "kind"), "issue") != 0)
        return deny(error, "an enrolment renews nothing: it issues anew");
    g_autoptr(json_t) enrolment =
        enrolment_read(store, json_integer_value(json_object_get(request, "enrolment")), now, error);
    if (!enrolment)
        return false;
    if (strcmp(vigie_member(enrolment, "profile"), profile->name) != 0 ||
        strcmp(vigie_member(enrolment, "authority"), vigie_member(request, "authority")) != 0)
        return deny(error, "the enrolment is for another profile or authority");
    if (!json_equal(json_object_get(enrolment, "fields"), json_object_get(request, "fields")) ||
        json_integer_value(json_object_get(enrolment, "device")) !=
            json_integer_value(json_object_get(request, "device")))
        return deny(error, "the enrolment says otherwise what the certificate says");
    const GrantCase over = {json_integer_value(json_object_get(enrolment, "organisation")),
                            json_object_get(enrolment, "fields")};
    if (!enrolment_names(request, enrolment, error) ||
        !grant_covers(store, vigie_member(enrolment, "account"), profile, NULL, &over, &covers, error))
        return false;
    return covers || deny(error, "who made the enrolment may not validate this any more");
}

/* The one that signed is the one to renew or revoke. */
static bool check_certificate(VigieStore *store, const json_t *request, VigieTime now, GError **error) {
    int64_t good = 0;
    if (!store_get_int(store, &good, error,
                       "SELECT COUNT(*) FROM pki_request q JOIN pki_certificate c ON c.id = q.certificate "
                       "LEFT JOIN pki_revocation r ON r.certificate = c.id WHERE q.id = $1 AND c.not_before "
                       "<= $2 AND c.not_after >= $2 AND (r.reason IS NULL OR r.reason = 8)",
                       "ii", (int64_t)json_integer_value(json_object_get(request, "id")), now))
        return false;
    return good == 1 || deny(error, "the certificate that signed is not good any more");
}

bool request_proof_check(VigieStore *store, const VigieProfiles *profiles, const json_t *request,
                         VigieTime now, GError **error) {
    const Profile *profile = profile_find(profiles, vigie_member(request, "profile"));
    const char *validator = vigie_member(request, "validator"), *proof = vigie_member(request, "proof");
    bool may = false;
    if (!profile)
        return deny(error, "there is no such profile any more");
    if (validator) {
        if (!request_may_decide(store, profiles, request, validator, &may, error))
            return false;
        return may || deny(error, "who validated it has no role that covers it");
    }
    if (profile->dual && strcmp(vigie_member(request, "kind"), "revoke") != 0)
        return deny(error, "this profile wants a person to validate");
    if (strcmp(proof, "enrolment") == 0)
        return check_enrolment(store, profile, request, now, error);
    if (strcmp(proof, "certificate") == 0)
        return check_certificate(store, request, now, error);
    return deny(error, "nobody validated it");
}
