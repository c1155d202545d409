/* page-enrolment: validations given in advance to machines; the secret is shown once. */
#include "portal/present.h"
#include "portal/registration.h"

#include <string.h>

enum { DAY = 86400, DAYS = 30, DAYS_MAX = 3650, USES_MAX = 1000000 };

/* Those that the reader made, or over whose organisation the reader has a role. */
static bool sees(const json_t *grants, const Request *request, const json_t *enrolment) {
    g_autofree char *maker = vigie_text_fold(json_string_value(json_object_get(enrolment, "account"))),
                    *own = vigie_text_fold(request->reader.name);
    json_int_t organisation = json_integer_value(json_object_get(enrolment, "organisation"));
    bool seen = strcmp(maker, own) == 0;
    size_t index;
    json_t *grant;
    json_array_foreach(grants, index, grant) {
        json_int_t over = json_integer_value(json_object_get(grant, "organisation"));
        seen = seen || over == 0 || over == organisation;
    }
    return seen;
}

RESOURCE(page_enrolments) {
    g_autoptr(json_t) all = pki_enrolment_list(request->store, request->now, error),
                      grants = all ? pki_grant_list(request->store, request->reader.name, error) : NULL;
    json_t *items = json_array(), *one;
    size_t index;
    json_array_foreach(grants ? all : NULL, index, one) {
        if (sees(grants, request, one))
            json_array_append(items, one);
    }
    if (grants)
        return json_pack("{s:o}", "items", items);
    json_decref(items);
    return NULL;
}

DRESS(dress_enrolments) {
    (void)error;
    size_t index;
    json_t *one, *items = json_object_get(view, "items");
    json_array_foreach(items, index, one) {
        bool usable = json_is_true(json_object_get(one, "usable"));
        g_autofree char *profile =
            registration_profile_title(request, json_string_value(json_object_get(one, "profile")));
        const char *label = json_string_value(json_object_get(one, "label"));
        json_object_set_new(one, "title",
                            json_string(*label ? label : json_string_value(json_object_get(one, "name"))));
        json_object_set_new(one, "profile_text", json_string(profile));
        json_object_set_new(one, "mark", json_string(usable ? "well" : "unknown"));
        json_object_set_new(one, "usable_text",
                            json_string(vigie_word(request->lang, usable ? "request.enrolment.usable"
                                                                         : "request.enrolment.ended")));
        json_object_set_new(one, "limited",
                            json_boolean(json_integer_value(json_object_get(one, "uses")) > 0));
    }
    json_object_set_new(view, "empty", json_boolean(json_array_size(items) == 0));
    return true;
}

RESOURCE(page_enrolment_form) {
    return registration_form(request, request_query(request, "profile"), NULL, NULL, error);
}

/* A profile whose requests a person validates, each, has no enrolments. What was made is shown without the form. */
DRESS(dress_enrolment_form) {
    json_t *profiles = json_object_get(view, "profiles");
    if (json_object_get(view, "made"))
        return true;
    for (size_t i = json_array_size(profiles); i > 0; i--)
        if (json_is_true(json_object_get(json_array_get(profiles, i - 1), "dual_control")))
            json_array_remove(profiles, i - 1);
    return dress_request_form(request, view, error);
}

static int number(const Request *request, const char *name, int least, int most, int otherwise) {
    gint64 value = 0;
    const char *text = request_form(request, name);
    return text && g_ascii_string_to_signed(text, 10, least, most, &value, NULL) ? (int)value : otherwise;
}

static json_t *add(Request *request, const char *profile, GError **error) {
    g_autoptr(json_t) fields = registration_fields(request);
    g_auto(GStrv) names = registration_names(request);
    const char *label = request_form(request, "label");
    VigieEnrolment enrolment = {
        .label = label ? label : "",
        .profile = profile ? profile : "",
        .fields = fields,
        .names = names[0] ? (const char *const *)names : NULL,
        .challenge = request_form(request, "challenge") != NULL,
        .open = request_form(request, "open") != NULL,
        .uses = number(request, "uses", 0, USES_MAX, 0),
        .ends = request->now + (VigieTime)number(request, "days", 1, DAYS_MAX, DAYS) * DAY,
        .organisation = request->reader.organisation ? request->reader.organisation
                                                     : number(request, "organisation", 1, G_MAXINT, 0),
        .account = request->reader.name};
    return pki_enrolment_add(request->store, request->portal->profiles, request->portal->enrolments,
                             &enrolment, request->now, error);
}

/* The secret is in this answer alone: it cannot be asked for again. */
RESOURCE(page_enrolment_add) {
    const char *profile = request_form(request, "profile");
    g_autoptr(GError) why = NULL;
    json_t *made = add(request, profile, &why);
    if (made)
        return json_pack("{s:o}", "made", made);
    g_autofree char *problem = registration_problem(request, why);
    if (problem)
        return registration_form(request, profile, problem, why, error);
    g_propagate_error(error, g_steal_pointer(&why));
    return NULL;
}

RESOURCE(page_enrolment_end) {
    if (!pki_enrolment_end(request->store, request->portal->profiles, request->id, request->reader.name,
                           request->now, error))
        return NULL;
    request->go = g_strdup("/enrolments");
    return page_enrolments(request, error);
}
