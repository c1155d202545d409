#include "portal/registration.h"
#include "portal/account.h"
#include "portal/multipart.h"
#include "portal/present.h"

#include <string.h>

/* How long a page waits for the signer: an idle one takes some milliseconds. */
enum { WAIT_MS = 2500 };

VigieBytes registration_csr(const Request *request) {
    for (guint i = 0; request->uploads && i < request->uploads->len; i++) {
        const Upload *upload = request->uploads->pdata[i];
        gsize size = 0;
        const void *bytes = g_bytes_get_data(upload->bytes, &size);
        if (strcmp(upload->field, "csr") == 0 && size > 0)
            return vigie_bytes(bytes, size);
    }
    const char *text = request_form(request, "csr");
    return text ? vigie_bytes(text, strlen(text)) : (VigieBytes){0};
}

json_t *registration_fields(const Request *request) {
    json_t *fields = json_object();
    GHashTableIter iter;
    gpointer name, value;
    g_hash_table_iter_init(&iter, request->form);
    while (g_hash_table_iter_next(&iter, &name, &value))
        if (g_str_has_prefix(name, "field.") && *(const char *)value)
            json_object_set_new(fields, (const char *)name + strlen("field."), json_string(value));
    return fields;
}

static bool validate(Request *request, int64_t id, GError **error) {
    bool sees = false, decides = false;
    VigiePkiState state;
    const VigieProfiles *profiles = request->portal->profiles;
    if (!pki_request_may(request->store, profiles, id, request->reader.name, &sees, &decides, error))
        return false;
    return !decides ||
           (pki_request_validate(request->store, profiles, id, request->reader.name, request->now, error) &&
            pki_request_wait(request->store, id, WAIT_MS, &state, error));
}

bool registration_add(Request *request, VigiePkiRequest *asked, int64_t *ret_id, GError **error) {
    asked->requester = request->reader.name;
    asked->protocol = request->api ? "rest" : "portal";
    asked->address = *request->address ? request->address : NULL;
    if (request->reader.organisation && asked->kind == VIGIE_REQUEST_ISSUE)
        asked->organisation = request->reader.organisation;
    int64_t id = 0;
    if (!pki_request_add(request->store, request->portal->profiles, asked, request->now, &id, NULL, error) ||
        !validate(request, id, error))
        return false;
    *ret_id = id;
    request->go = g_strdup_printf("/requests/%" G_GINT64_FORMAT, id);
    return true;
}

char *registration_problem(Request *request, const GError *error) {
    static const int mendable[] = {VIGIE_ERROR_INVALID, VIGIE_ERROR_DENIED, VIGIE_ERROR_CONFLICT,
                                   VIGIE_ERROR_LIMIT, VIGIE_ERROR_NOT_FOUND};
    for (size_t i = 0; !request->api && i < G_N_ELEMENTS(mendable); i++)
        if (g_error_matches(error, VIGIE_ERROR, mendable[i])) {
            request->status = 400;
            return present_refusal(request->lang, error->message);
        }
    return NULL;
}

json_t *registration_profile(const Request *request, const char *name) {
    g_autoptr(json_t) list = pki_profile_list(request->portal->profiles, request->lang);
    size_t index;
    json_t *one;
    json_array_foreach(list, index, one) {
        if (name && strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
            return json_incref(one);
    }
    return NULL;
}

char *registration_profile_title(const Request *request, const char *name) {
    g_autoptr(json_t) profile = registration_profile(request, name);
    const char *title = json_string_value(json_object_get(profile, "title"));
    return g_strdup(title ? title : name ? name : "");
}
