/* page-issued: certificates that our authorities issued, their end before its time, and the device's next one. */
#include "portal/authorities.h"
#include "portal/present.h"
#include "portal/registration.h"
#include "x509/x509.h"

#include <string.h>

enum { PAGE = 50, PASSWORD_MIN = 12, PASSWORD_MAX = 512 };

static const char *const reasons[] = {"superseded",         "cessationOfOperation", "keyCompromise",
                                      "affiliationChanged", "privilegeWithdrawn",   "unspecified",
                                      "certificateHold",    "removeFromCRL",        NULL};

/* ---- The list ----------------------------------------------------------------------------------------------- */
RESOURCE(page_issued) {
    VigieIssuedFilter filter = {.account = request->reader.name,
                                .device = request_number(request_query(request, "device")),
                                .before = request_number(request_query(request, "before")),
                                .limit = PAGE};
    const char *serial = request_query(request, "q"), *authority = request_query(request, "authority");
    if (serial && *serial)
        filter.serial = serial;
    if (authority && *authority)
        filter.authority = authority;
    g_autoptr(json_t) items = pki_certificate_list(request->store, &filter, request->now, error);
    if (!items)
        return NULL;
    size_t count = json_array_size(items);
    json_t *last = count == PAGE ? json_object_get(json_array_get(items, count - 1), "id") : NULL;
    /* How the authorities stand is said where the newest of all is shown. */
    bool all = !filter.before && !filter.device && !filter.serial && !filter.authority;
    g_autoptr(json_t) lives =
        all ? pki_authority_lives(request->store, request->portal->profiles, request->now, error)
            : json_array();
    return lives ? json_pack("{s:O, s:O?, s:O}", "items", items, "next", last, "authorities", lives) : NULL;
}

static void name_certificate(const Request *request, json_t *one) {
    const char *subject = json_string_value(json_object_get(one, "subject")),
               *state = json_string_value(json_object_get(one, "state"));
    static const char *const marks[][2] = {
        {"good", "well"}, {"held", "soon"}, {"revoked", "broken"}, {"expired", "unknown"}};
    const char *common = strstr(subject, "CN="), *end = common ? strpbrk(common + 3, ",+") : NULL;
    g_autofree char *name =
        common ? end ? g_strndup(common + 3, (gsize)(end - common - 3)) : g_strdup(common + 3)
               : g_strdup(*subject ? subject : "–");
    g_autofree char *profile = registration_profile_title(request,
                                                          json_string_value(json_object_get(one, "profile"))),
                    *key = g_strconcat("ca.state.", state, NULL);
    json_object_set_new(one, "name", json_string(name));
    json_object_set_new(one, "profile_text", json_string(profile));
    json_object_set_new(one, "state_text", json_string(vigie_word(request->lang, key)));
    for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
        if (strcmp(marks[i][0], state) == 0)
            json_object_set_new(one, "mark", json_string(marks[i][1]));
}

static char *day_of(const Request *request, const json_t *one, const char *name) {
    VigieTime at = 0;
    const char *text = json_string_value(json_object_get(one, name));
    return text && vigie_time_parse_rfc3339(text, &at, NULL)
               ? vigie_when_text(request->lang, request->portal->zone, at, request->now)
               : NULL;
}

static void name_authority(const Request *request, json_t *one) {
    static const char *const marks[][2] = {{"current", "well"},
                                           {"succeeded", "unknown"},
                                           {"done", "unknown"},
                                           {"revoked", "broken"},
                                           {"ended", "unknown"}};
    const char *state = json_string_value(json_object_get(one, "state"));
    bool late = json_is_true(json_object_get(one, "late")), succeeded = strcmp(state, "succeeded") == 0;
    g_autofree char *key = g_strconcat("ca.life.", state, NULL), *by = day_of(request, one, "roll_over_by"),
                    *last = day_of(request, one, "last_end");
    const char *word = succeeded ? "request.generation.until"
                       : late    ? "request.generation.late"
                                 : "request.generation.by",
               *day = succeeded ? last : by;
    const char *successor = json_string_value(json_object_get(one, "successor"));
    g_autofree char *title = successor ? authorities_title(request, successor) : NULL;
    g_autofree char *note =
        day ? vigie_words(request->lang, word, "day", day, "successor", title, NULL) : NULL;
    json_object_set_new(one, "note", note ? json_string(note) : json_null());
    json_object_set_new(one, "life_text", json_string(vigie_word(request->lang, key)));
    for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
        if (strcmp(marks[i][0], state) == 0)
            json_object_set_new(one, "mark", json_string(late ? "soon" : marks[i][1]));
}

DRESS(dress_issued) {
    (void)error;
    size_t index;
    json_t *one, *items = json_object_get(view, "items"), *authorities = json_object_get(view, "authorities");
    json_array_foreach(authorities, index, one) {
        name_authority(request, one);
    }
    json_object_set_new(view, "shows_authorities", json_boolean(json_array_size(authorities) > 0));
    json_array_foreach(items, index, one) {
        name_certificate(request, one);
    }
    const char *q = request_query(request, "q"), *authority = request_query(request, "authority");
    registration_say_older(request, view);
    json_object_set_new(view, "q", json_string(q ? q : ""));
    json_object_set_new(view, "of_authority", authorities_options(request, authority));
    json_object_set_new(view, "narrowed", json_boolean((q && *q) || (authority && *authority)));
    return true;
}

/* ---- One ---------------------------------------------------------------------------------------------------- */
static json_t *find(Request *request, GError **error) {
    const VigieIssuedFilter filter = {.account = request->reader.name, .id = request->id, .limit = 1};
    g_autoptr(json_t) items = pki_certificate_list(request->store, &filter, request->now, error);
    if (items && json_array_size(items) == 0)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "there is no certificate of this number that you may see");
    return items && json_array_size(items) > 0 ? json_incref(json_array_get(items, 0)) : NULL;
}

static json_t *with_pem(Request *request, json_t *one, GError **error) {
    g_autofree char *pem = pki_certificate_pem(
        request->store, json_string_value(json_object_get(one, "serial")), request->now, error);
    if (!pem) {
        json_decref(one);
        return NULL;
    }
    json_object_set_new(one, "pem", json_string(pem));
    return one;
}

RESOURCE(page_issued_one) {
    json_t *one = find(request, error);
    return one ? with_pem(request, one, error) : NULL;
}

/* What stands in the certificate beside its subject, by which people know it again. */
static void add_contents(json_t *view) {
    const char *pem = json_string_value(json_object_get(view, "pem"));
    g_autoptr(GPtrArray) chain = x509_certificates_read(vigie_bytes(pem, strlen(pem)), NULL);
    if (!chain || chain->len == 0)
        return;
    const VigieCertificate *own = chain->pdata[0];
    json_t *names = json_array();
    for (size_t i = 0; i < own->name_count; i++)
        json_array_append_new(names, json_string(own->names[i].text));
    g_autofree char *key = g_strdup_printf("%s %u", x509_key_name(own->key), own->key_bits),
                    *sha256 = vigie_hex_text(vigie_bytes(own->sha256, sizeof own->sha256));
    json_object_set_new(view, "names", names);
    json_object_set_new(view, "named", json_boolean(own->name_count > 0));
    json_object_set_new(view, "key", json_string(key));
    json_object_set_new(view, "sha256", json_string(sha256));
}

DRESS(dress_issued_one) {
    (void)error;
    const char *state = json_string_value(json_object_get(view, "state")),
               *reason = json_string_value(json_object_get(view, "reason"));
    bool held = strcmp(state, "held") == 0;
    g_autoptr(json_t) profile =
        registration_profile(request, json_string_value(json_object_get(view, "profile")));
    json_t *options = json_array();
    for (size_t i = 0; reasons[i]; i++) {
        bool holds = strcmp(reasons[i], "certificateHold") == 0,
             releases = strcmp(reasons[i], "removeFromCRL") == 0;
        if ((holds && (held || !json_is_true(json_object_get(profile, "hold")))) || (releases && !held))
            continue;
        g_autofree char *key = g_strconcat("request.reason.", reasons[i], NULL);
        json_array_append_new(
            options, json_pack("{s:s, s:s}", "value", reasons[i], "label", vigie_word(request->lang, key)));
    }
    name_certificate(request, view);
    add_contents(view);
    json_object_set_new(view, "title", json_incref(json_object_get(view, "name")));
    json_object_set_new(view, "reasons", options);
    /* An authority's own certificate has no profile to ask by: its next, and its end, are ceremonies. */
    json_object_set_new(view, "by_ceremony", json_boolean(!profile));
    json_object_set_new(view, "revocable", json_boolean(profile && (held || strcmp(state, "good") == 0)));
    json_object_set_new(
        view, "renewable",
        json_boolean(profile && (strcmp(state, "good") == 0 || strcmp(state, "expired") == 0)));
    if (reason) {
        g_autofree char *key = g_strconcat("request.reason.", reason, NULL);
        json_object_set_new(view, "reason_text", json_string(vigie_word(request->lang, key)));
    }
    return true;
}

/* What cannot be asked for so is said on the page that it was asked from. */
static json_t *ask(Request *request, VigiePkiRequest *asked, GError **error) {
    g_autoptr(GError) why = NULL;
    int64_t issued = request->id;
    if (registration_add(request, asked, &request->id, &why))
        return page_request(request, error);
    g_autofree char *problem = registration_problem(request, why);
    if (!problem) {
        g_propagate_error(error, g_steal_pointer(&why));
        return NULL;
    }
    json_t *page = page_issued_one(request, error);
    if (page)
        json_object_set_new(page, "problem", json_string(problem));
    request->here = g_strdup_printf("/issued/%" G_GINT64_FORMAT, issued);
    return page;
}

RESOURCE(page_issued_revoke) {
    g_autoptr(json_t) one = find(request, error);
    if (!one)
        return NULL;
    VigiePkiRequest asked = {.kind = VIGIE_REQUEST_REVOKE,
                             .serial = json_string_value(json_object_get(one, "serial")),
                             .reason = request_form(request, "reason")};
    return ask(request, &asked, error);
}

RESOURCE(page_issued_renew) {
    g_autoptr(json_t) one = find(request, error);
    if (!one)
        return NULL;
    VigiePkiRequest asked = {.kind = VIGIE_REQUEST_RENEW,
                             .serial = json_string_value(json_object_get(one, "serial")),
                             .csr = registration_csr(request)};
    return ask(request, &asked, error);
}

/* ---- A device's next certificate ---------------------------------------------------------------------------- */
static json_t *name_list(const GPtrArray *names) {
    json_t *list = json_array();
    for (guint i = 0; names->pdata[i]; i++)
        json_array_append_new(list, json_string(strchr(names->pdata[i], ':') + 1));
    return list;
}

static json_t *device_form(Request *request, const char *problem, GError **error) {
    VigieFleetFilter scope = {.organisation = request->reader.organisation};
    g_autoptr(json_t) device = fleet_device_get(request->store, &scope, request->id, request->now, error);
    if (!device)
        return NULL;
    g_autoptr(GPtrArray) names = pki_device_names(device);
    json_t *list = name_list(names);
    return json_pack("{s:O, s:O, s:o, s:s, s:b}", "id", json_object_get(device, "id"), "name",
                     json_object_get(device, "name"), "names", list, "problem", problem ? problem : "",
                     "nameless", json_array_size(list) == 0);
}

RESOURCE(page_device_certificate) {
    return device_form(request, NULL, error);
}

DRESS(dress_device_certificate) {
    (void)error;
    g_autofree char *title = vigie_words(request->lang, "request.device.title", "device",
                                         json_string_value(json_object_get(view, "name")), NULL);
    json_object_set_new(view, "title", json_string(title));
    return true;
}

/* A key that is in this process's memory and nowhere else in clear: the store has it sealed with the reader's password. */
static bool make_key(Request *request, const GPtrArray *names, GPtrArray **ret_made, uint8_t **ret_sealed,
                     size_t *ret_size, GError **error) {
    const char *password = request_form(request, "password"), *again = request_form(request, "again"),
               *type = request_form(request, "key");
    VigieRequest wanted = {.key = X509_KEY_P256};
    size_t length = password ? strlen(password) : 0;
    g_autoptr(GPtrArray) bare = g_ptr_array_new();
    if (length < PASSWORD_MIN || length > PASSWORD_MAX || (again && strcmp(password, again) != 0) ||
        (type && !x509_new_key_parse(type, &wanted.key))) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            vigie_word(request->lang, "request.key.password-rule"));
        return false;
    }
    for (guint i = 0; names->pdata[i]; i++)
        g_ptr_array_add(bare, strchr(names->pdata[i], ':') + 1);
    g_ptr_array_add(bare, NULL);
    wanted.names = (const char *const *)bare->pdata;
    g_autoptr(GPtrArray) made = x509_request_new(&wanted, NULL, error);
    if (!made)
        return false;
    *ret_sealed = x509_file_write(made, X509_TO_KEY, true, password, ret_size, error);
    *ret_made = *ret_sealed ? g_steal_pointer(&made) : NULL;
    return *ret_sealed != NULL;
}

static VigieBytes csr_of(const GPtrArray *made) {
    for (guint i = 0; made && i < made->len; i++) {
        const VigieFileObject *object = made->pdata[i];
        if (strcmp(object->kind, "certificate-request") == 0)
            return vigie_bytes(object->der, object->size);
    }
    return (VigieBytes){0};
}

static bool ask_for_device(Request *request, const json_t *device, GError **error) {
    const char *mode = request_form(request, "mode"),
               *organisation =
                   json_string_value(json_object_get(json_object_get(device, "organisation"), "name")),
               *serial = json_string_value(json_object_get(device, "serial"));
    g_autoptr(json_t) fields = json_pack("{s:s}", "organisation", organisation ? organisation : "");
    g_autoptr(GPtrArray) names = pki_device_names(device), made = NULL;
    g_autofree uint8_t *sealed = NULL;
    size_t size = 0;
    bool own_key = mode && strcmp(mode, "key") == 0;
    if (serial && *serial)
        json_object_set_new(fields, "serial_number", json_string(serial));
    if (own_key && !make_key(request, names, &made, &sealed, &size, error))
        return false;
    VigiePkiRequest asked = {.kind = VIGIE_REQUEST_ISSUE,
                             .profile = "device",
                             .csr = own_key ? csr_of(made) : registration_csr(request),
                             .fields = fields,
                             .names = (const char *const *)names->pdata,
                             .device = json_integer_value(json_object_get(device, "id")),
                             .sealed_key = vigie_bytes(sealed, size)};
    if (asked.csr.size > 0)
        return registration_add(request, &asked, &request->id, error);
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        vigie_word(request->lang, "request.csr-wanted"));
    return false;
}

RESOURCE(page_device_certificate_ask) {
    VigieFleetFilter scope = {.organisation = request->reader.organisation};
    g_autoptr(json_t) device = fleet_device_get(request->store, &scope, request->id, request->now, error);
    g_autoptr(GError) why = NULL;
    if (!device)
        return NULL;
    if (ask_for_device(request, device, &why))
        return page_request(request, error);
    g_autofree char *problem = registration_problem(request, why);
    if (problem)
        return device_form(request, problem, error);
    g_propagate_error(error, g_steal_pointer(&why));
    return NULL;
}
