#include "portal/registration.h"
#include "portal/account.h"
#include "portal/authorities.h"
#include "portal/multipart.h"
#include "portal/present.h"

#include <string.h>

/* How long a page waits for the signer: an idle one takes some milliseconds. */
enum { WAIT_MS = 2500 };

VigieBytes registration_csr(const Request *request) {
    for (guint i = 0; request->uploads && i < request->uploads->len; i++) {
        const Upload *upload = request->uploads->pdata[i];
        if (strcmp(upload->field, "csr") == 0 && g_bytes_get_size(upload->bytes) > 0)
            return vigie_bytes_view(upload->bytes);
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
    if (g_strcmp0(name, "authority") == 0)
        return g_strdup(vigie_word(request->lang, "request.profile.authority"));
    g_autoptr(json_t) profile = registration_profile(request, name);
    const char *title = json_string_value(json_object_get(profile, "title"));
    return g_strdup(title ? title : name ? name : "");
}

void registration_say_older(const Request *request, json_t *view) {
    const json_t *next = json_object_get(view, "next");
    g_autofree char *before = g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(next));
    g_autofree char *older =
        json_is_null(next) ? NULL : request_link(request, request->path, "before", before, NULL);
    json_object_set_new(view, "older", older ? json_string(older) : json_null());
    json_object_set_new(view, "empty", json_boolean(json_array_size(json_object_get(view, "items")) == 0));
}

void registration_name_request(const Request *request, json_t *one) {
    const json_t *names = json_object_get(one, "names"), *fields = json_object_get(one, "fields");
    const char *first = json_string_value(json_array_get(names, 0));
    const char *surname = json_string_value(json_object_get(fields, "surname"));
    const char *given = json_string_value(json_object_get(fields, "given_name"));
    const char *service = json_string_value(json_object_get(fields, "service"));
    const char *replaces = json_string_value(json_object_get(one, "replaces"));
    g_autofree char *title = surname    ? g_strdup_printf("%s %s", given ? given : "", surname)
                             : first    ? g_strdup(strchr(first, ':') ? strchr(first, ':') + 1 : first)
                             : service  ? g_strdup(service)
                             : replaces ? g_strdup_printf("%.16s…", replaces)
                                        : g_strdup("–");
    g_autofree char *kind =
        g_strconcat("request.kind.", json_string_value(json_object_get(one, "kind")), NULL);
    g_autofree char *profile =
        registration_profile_title(request, json_string_value(json_object_get(one, "profile")));
    static const char *const marks[][2] = {
        {"requested", "soon"}, {"validated", "unknown"}, {"issued", "well"}, {"refused", "broken"}};
    const char *state = json_string_value(json_object_get(one, "state"));
    for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
        if (strcmp(marks[i][0], state) == 0)
            json_object_set_new(one, "mark", json_string(marks[i][1]));
    json_object_set_new(one, "subject_text", json_string(g_strstrip(title)));
    json_object_set_new(one, "kind_text", json_string(vigie_word(request->lang, kind)));
    json_object_set_new(one, "profile_text", json_string(profile));
}

void registration_say_waiting(Request *request, json_t *view) {
    enum { LOOKED_AT = 50 };
    const VigiePkiFilter filter = {
        .state = VIGIE_REQUEST_WAITING, .account = request->reader.name, .limit = LOOKED_AT};
    if (!(request->reader.may & (1U << MAY_REGISTER)) || !authorities_any(request))
        return;
    g_autoptr(json_t) open = pki_request_list(request->store, request->portal->profiles, &filter, NULL);
    int64_t next = 0;
    size_t count = 0, index;
    json_t *one;
    json_array_foreach(open, index, one) {
        int64_t id = json_integer_value(json_object_get(one, "id"));
        bool sees = false, decides = false;
        if (id == request->id ||
            !pki_request_may(request->store, request->portal->profiles, id, request->reader.name, &sees,
                             &decides, NULL) ||
            !decides)
            continue;
        count++;
        if (next == 0 || next > request->id || request->id == 0) /* the one before this, or else the oldest */
            next = id;
    }
    if (count == 0)
        return;
    g_autofree char *n = g_strdup_printf("%zu%s", count, count == LOOKED_AT ? "+" : "");
    g_autofree char *text = vigie_words(request->lang, "request.waiting", "n", n, NULL);
    json_object_set_new(view, "waiting_text", json_string(text));
    json_object_set_new(view, "waiting_next", json_integer(next));
    json_object_set_new(view, "waiting_many", json_boolean(count > 1));
}
