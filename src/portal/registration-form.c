/* registration-form: what a form of the registration shows and sends. */
#include "portal/present.h"
#include "portal/registration.h"

#include <string.h>

/* The profiles that some authority issues to others. */
static json_t *offered(Request *request, GError **error) {
    g_autoptr(json_t) authorities = pki_authority_list(request->store, NULL, error),
                      profiles = pki_profile_list(request->portal->profiles, request->lang);
    json_t *list = json_array(), *profile, *authority, *served;
    size_t i, j, k;
    json_array_foreach(profiles, i, profile) {
        const char *name = json_string_value(json_object_get(profile, "name"));
        bool found = false;
        json_array_foreach(authorities, j, authority) {
            json_array_foreach(json_object_get(json_object_get(authority, "settings"), "profiles"), k,
                               served) {
                found = found || strcmp(json_string_value(served), name) == 0;
            }
        }
        if (found && strcmp(name, "ocsp-responder") != 0)
            json_array_append(list, profile);
    }
    if (authorities)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *form_values(const Request *request) {
    json_t *values = json_object();
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, request->form);
    while (g_hash_table_iter_next(&iter, &name, &value))
        if (strcmp(name, "csrf") != 0)
            json_object_set_new(values, name, json_string(value));
    return values;
}

/* Which of the form's inputs the refusal is of: "profile, field rpps: …" names it. Borrowed from the profile; NULL: none of them. */
static const char *find_wrong(const json_t *profile, const char *message) {
    size_t index;
    json_t *one;
    json_array_foreach(json_object_get(profile, "fields"), index, one) {
        g_autofree char *named = g_strdup_printf(", field %s:", vigie_member(one, "name"));
        if (strstr(message, named))
            return vigie_member(one, "name");
    }
    return strstr(message, "PKCS#10") || g_str_has_prefix(message, "certificate request:") ? "csr" : NULL;
}

json_t *registration_form(Request *request, const char *profile, const char *problem, const GError *why,
                          GError **error) {
    g_autoptr(json_t) profiles = offered(request, error);
    g_autoptr(json_t) chosen = profiles && profile ? registration_profile(request, profile) : NULL;
    if (!profiles)
        return NULL;
    json_t *form = json_pack("{s:O, s:O?, s:o, s:s}", "profiles", profiles, "profile", chosen, "values",
                             form_values(request), "problem", problem ? problem : "");
    if (why && find_wrong(chosen, why->message))
        json_object_set_new(form, "wrong_input", json_string(find_wrong(chosen, why->message)));
    return form;
}

static json_t *field_view(const Request *request, const json_t *field, const json_t *values,
                          const char *wrong) {
    const char *name = json_string_value(json_object_get(field, "name"));
    g_autofree char *member = g_strconcat("field.", name, NULL),
                    *word = g_strconcat("request.field.", name, NULL),
                    *hint = g_strconcat(word, ".hint", NULL);
    const char *value = json_string_value(json_object_get(values, member));
    const char *said = vigie_word(request->lang, hint);
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "name", member, "label",
                     vigie_word(request->lang, word), "hint", strcmp(said, hint) == 0 ? "" : said, "value",
                     value ? value : "", "wrong", g_strcmp0(name, wrong) == 0, "optional",
                     json_is_true(json_object_get(field, "optional")));
}

void registration_say_validators(const Request *request, json_t *profile) {
    g_autoptr(GString) text = g_string_new(NULL);
    size_t index;
    json_t *role;
    json_array_foreach(json_object_get(profile, "validators"), index, role) {
        g_autofree char *key = g_strconcat("request.role.", json_string_value(role), NULL);
        const char *word = vigie_word(request->lang, key);
        g_string_append_printf(text, "%s%s", index ? ", " : "",
                               strcmp(word, key) == 0 ? json_string_value(role) : word);
    }
    json_object_set_new(profile, "validators_text", json_string(text->str));
}

static bool add_organisations(Request *request, json_t *view, GError **error) {
    const char *chosen = json_string_value(json_object_get(json_object_get(view, "values"), "organisation"));
    json_t *options = present_organisations(request, chosen, error);
    return options && json_object_set_new(view, "organisations", options) == 0;
}

DRESS(dress_request_form) {
    json_t *profile = json_object_get(view, "profile"), *values = json_object_get(view, "values"), *one;
    json_t *fields = json_array();
    const char *wrong = vigie_member(view, "wrong_input");
    size_t index;
    json_array_foreach(json_object_get(view, "profiles"), index, one) {
        registration_say_validators(request, one);
    }
    json_array_foreach(json_object_get(profile, "fields"), index, one) {
        json_array_append_new(fields, field_view(request, one, values, wrong));
    }
    json_object_set_new(view, "inputs", fields);
    json_object_set_new(view, "wrong_csr", json_boolean(g_strcmp0(wrong, "csr") == 0));
    json_object_set_new(view, "takes_evidence", json_boolean(request->portal->evidence));
    json_object_set_new(view, "none", json_boolean(json_array_size(json_object_get(view, "profiles")) == 0));
    if (!json_is_object(profile))
        return true;
    registration_say_validators(request, profile);
    json_object_set_new(profile, "named",
                        json_boolean(json_array_size(json_object_get(profile, "names")) > 0));
    return add_organisations(request, view, error);
}

/* Names one a line, as people type them: "automate.chu.example", "10.1.2.3", "a@chu.example". */
char **registration_names(const Request *request) {
    const char *text = request_form(request, "names");
    g_auto(GStrv) lines = g_strsplit_set(text ? text : "", "\r\n,; ", 200);
    GPtrArray *names = g_ptr_array_new();
    for (char **line = lines; *line; line++) {
        const char *name = g_strstrip(*line);
        const char *kind = strchr(name, '@') ? "email:" : g_hostname_is_ip_address(name) ? "ip:" : "dns:";
        bool said = g_str_has_prefix(name, "dns:") || g_str_has_prefix(name, "ip:") ||
                    g_str_has_prefix(name, "email:");
        if (*name)
            g_ptr_array_add(names, g_strconcat(said ? "" : kind, name, NULL));
    }
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}
