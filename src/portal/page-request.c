/* page-request: requests for certificates: made, seen, validated, refused. What one sees and decides is what one's roles in
 * the registration cover (pki_grant_add), whatever the account's role here. */
#include "portal/account.h"
#include "portal/multipart.h"
#include "portal/present.h"
#include "portal/registration.h"
#include "x509/x509.h"

#include <openssl/crypto.h>
#include <string.h>

enum { PAGE = 50, REFRESH_SECONDS = 2, MAIL_FIELD_MAX = 254 };

static const char *const states[] = {"requested", "validated", "issued", "refused", NULL};

/* ---- The list ----------------------------------------------------------------------------------------------- */
RESOURCE(page_requests) {
    const char *state = request_query(request, "state");
    VigiePkiFilter filter = {.state = -1,
                             .account = request->reader.name,
                             .device = request_number(request_query(request, "device")),
                             .before = request_number(request_query(request, "before")),
                             .limit = PAGE};
    for (int i = 0; state && states[i]; i++)
        if (strcmp(states[i], state) == 0)
            filter.state = i;
    g_autoptr(json_t) items = pki_request_list(request->store, request->portal->profiles, &filter, error);
    if (!items)
        return NULL;
    size_t count = json_array_size(items);
    json_t *last = count == PAGE ? json_object_get(json_array_get(items, count - 1), "id") : NULL;
    return json_pack("{s:O, s:O?}", "items", items, "next", last);
}

DRESS(dress_requests) {
    (void)error;
    size_t index;
    json_t *one, *items = json_object_get(view, "items");
    json_array_foreach(items, index, one) {
        registration_name_request(request, one);
    }
    const char *state = request_query(request, "state");
    json_object_set_new(view, "states", present_options(request, "request.state.", states, state));
    registration_say_older(request, view);
    json_object_set_new(view, "narrowed", json_boolean(state && *state));
    registration_say_waiting(request, view);
    return true;
}

RESOURCE(page_request_form) {
    return registration_form(request, request_query(request, "profile"), NULL, NULL, error);
}

/* ---- Asking ------------------------------------------------------------------------------------------------- */
static const char *type_of(VigieBytes content) {
    static const struct {
        const char *magic, *type;
    } known[] = {{"%PDF-", "application/pdf"}, {"\x89PNG", "image/png"}, {"\xFF\xD8\xFF", "image/jpeg"}};
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (content.size > 8 && memcmp(content.data, known[i].magic, strlen(known[i].magic)) == 0)
            return known[i].type;
    return "application/octet-stream";
}

static bool keep_evidence(Request *request, int64_t id, GError **error) {
    for (guint i = 0; request->uploads && i < request->uploads->len; i++) {
        const Upload *upload = request->uploads->pdata[i];
        VigieBytes content = vigie_bytes_view(upload->bytes);
        if (strcmp(upload->field, "evidence") == 0 && content.size > 0 &&
            !pki_evidence_add(request->store, request->portal->evidence, id, upload->name, type_of(content),
                              content, request->reader.name, request->now, error))
            return false;
    }
    return true;
}

static bool has_evidence(const Request *request) {
    for (guint i = 0; request->uploads && i < request->uploads->len; i++) {
        const Upload *upload = request->uploads->pdata[i];
        if (strcmp(upload->field, "evidence") == 0 && g_bytes_get_size(upload->bytes) > 0)
            return true;
    }
    return false;
}

/* With evidence, which whoever validates is to look at, it is never validated in the same breath. */
static bool add(Request *request, const char *profile, GError **error) {
    g_autoptr(json_t) fields = registration_fields(request);
    g_auto(GStrv) names = registration_names(request);
    const char *mail = request_form(request, "mail");
    int64_t id = 0;
    VigiePkiRequest asked = {.kind = VIGIE_REQUEST_ISSUE,
                             .profile = profile,
                             .csr = registration_csr(request),
                             .fields = fields,
                             .names = (const char *const *)names,
                             .organisation = request_number(request_form(request, "organisation")),
                             .requester = request->reader.name,
                             .mail = mail && *mail ? mail : NULL,
                             .protocol = request->api ? "rest" : "portal"};
    if (asked.csr.size == 0) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                            vigie_word(request->lang, "request.csr-wanted"));
        return false;
    }
    if (!has_evidence(request))
        return registration_add(request, &asked, &request->id, error);
    if (request->reader.organisation)
        asked.organisation = request->reader.organisation;
    g_autoptr(VigieTransaction) tx = store_begin(request->store, error);
    if (!tx ||
        !pki_request_add(request->store, request->portal->profiles, &asked, request->now, &id, NULL, error) ||
        !keep_evidence(request, id, error) || !store_commit(&tx, error))
        return false;
    request->id = id;
    request->go = g_strdup_printf("/requests/%" G_GINT64_FORMAT, id);
    return true;
}

RESOURCE(page_request_add) {
    const char *profile = request_form(request, "profile");
    g_autoptr(GError) why = NULL;
    if (add(request, profile, &why))
        return page_request(request, error);
    g_autofree char *problem = registration_problem(request, why);
    if (problem)
        return registration_form(request, profile, problem, why, error);
    g_propagate_error(error, g_steal_pointer(&why));
    return NULL;
}

/* ---- One ---------------------------------------------------------------------------------------------------- */
static bool may_see(Request *request, bool *ret_decide, GError **error) {
    bool sees = false;
    if (!pki_request_may(request->store, request->portal->profiles, request->id, request->reader.name, &sees,
                         ret_decide, error))
        return false;
    if (!sees)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                    "there is no request of this number that you may see");
    return sees;
}

RESOURCE(page_request) {
    bool decides = false;
    if (!may_see(request, &decides, error))
        return NULL;
    json_t *one = pki_request_get(request->store, request->portal->profiles, request->id, error);
    if (one)
        json_object_set_new(one, "may_decide",
                            json_boolean(decides && (request->reader.may & (1U << MAY_REGISTER))));
    return one;
}

static json_t *served_row(const Request *request, const json_t *endpoint, const char *wanted) {
    const char *served =
        json_string_value(json_object_get(json_object_get(endpoint, "certificate"), "sha256"));
    bool well = g_strcmp0(served, wanted) == 0;
    bool seen = json_is_string(json_object_get(endpoint, "checked"));
    const char *key = well     ? "request.served.well"
                      : served ? "request.served.other"
                      : seen   ? "request.served.none"
                               : "request.served.unseen";
    json_t *row = json_pack("{s:O, s:O, s:O, s:s, s:s}", "id", json_object_get(endpoint, "id"), "target",
                            json_object_get(endpoint, "target"), "checked",
                            json_object_get(endpoint, "checked"), "mark",
                            well     ? "well"
                            : served ? "soon"
                                     : "unknown",
                            "text", vigie_word(request->lang, key));
    present(request, row);
    return row;
}

/* Does each endpoint of the device serve what was issued? A device that left the reader's sight is not spoken of. */
static void add_served(Request *request, json_t *view) {
    int64_t device = json_integer_value(json_object_get(view, "device"));
    VigieFleetFilter scope = {.organisation = request->reader.organisation, .retired = true};
    g_autoptr(GByteArray) der = device ? pki_request_certificate(request->store, request->id, NULL) : NULL;
    g_autoptr(json_t) told =
        device ? fleet_device_get(request->store, &scope, device, request->now, NULL) : NULL;
    if (!told)
        return;
    json_object_set_new(view, "device_name", json_incref(json_object_get(told, "name")));
    if (!der)
        return;
    g_autofree char *wanted = g_compute_checksum_for_data(G_CHECKSUM_SHA256, der->data, der->len);
    json_t *rows = json_array(), *endpoint;
    size_t index;
    json_array_foreach(json_object_get(told, "endpoints"), index, endpoint) {
        json_array_append_new(rows, served_row(request, endpoint, wanted));
    }
    json_object_set_new(view, "served", json_boolean(json_array_size(rows) > 0));
    json_object_set_new(view, "served_rows", rows);
}

static json_t *field_rows(const Request *request, const json_t *fields) {
    json_t *rows = json_array(), *value;
    const char *name;
    json_object_foreach((json_t *)fields, name, value) {
        g_autofree char *key = g_strconcat("request.field.", name, NULL);
        json_array_append_new(
            rows, json_pack("{s:s, s:O}", "label", vigie_word(request->lang, key), "value", value));
    }
    return rows;
}

static void set_word(const Request *request, json_t *view, const char *member, const char *prefix,
                     const char *value) {
    g_autofree char *key = g_strconcat(prefix, value, NULL);
    json_object_set_new(view, member, json_string(vigie_word(request->lang, key)));
}

static bool asked_it(const Request *request, const json_t *view) {
    g_autofree char *asker = vigie_text_fold(json_string_value(json_object_get(view, "requester"))),
                    *own = vigie_text_fold(request->reader.name);
    return strcmp(asker, own) == 0;
}

/* What may still be done with it, and by whom. */
static void add_ways(const Request *request, json_t *view, const char *state) {
    bool open = strcmp(state, "requested") == 0 || strcmp(state, "validated") == 0,
         own = asked_it(request, view);
    bool decides = json_is_true(json_object_get(view, "may_decide"));
    bool refuses = open && (decides || own) && (request->reader.may & (1U << MAY_REGISTER));
    json_object_set_new(view, "own", json_boolean(own));
    json_object_set_new(view, "is_requested", json_boolean(strcmp(state, "requested") == 0));
    json_object_set_new(view, "is_issued", json_boolean(strcmp(state, "issued") == 0));
    json_object_set_new(view, "has_key",
                        json_boolean(json_integer_value(json_object_get(view, "sealed_key")) != 0));
    json_object_set_new(view, "may_refuse", json_boolean(refuses));
    json_object_set_new(
        view, "refuse_title",
        json_string(vigie_word(request->lang, decides ? "request.refuse" : "request.take-back")));
    if (strcmp(state, "validated") == 0)
        json_object_set_new(view, "refresh", json_integer(REFRESH_SECONDS));
}

DRESS(dress_request) {
    (void)error;
    const char *reason = json_string_value(json_object_get(view, "reason"));
    registration_name_request(request, view);
    registration_say_validators(request, view);
    set_word(request, view, "proof_text", "request.proof.",
             json_string_value(json_object_get(view, "proof")));
    if (reason)
        set_word(request, view, "reason_text", "request.reason.", reason);
    json_object_set(view, "title", json_object_get(view, "subject_text"));
    json_object_set(view, "request_id", json_object_get(view, "id"));
    json_object_set_new(view, "field_rows", field_rows(request, json_object_get(view, "fields")));
    json_object_set_new(
        view, "is_revocation",
        json_boolean(strcmp(json_string_value(json_object_get(view, "kind")), "revoke") == 0));
    json_object_set_new(
        view, "takes_evidence",
        json_boolean(request->portal->evidence && (request->reader.may & (1U << MAY_REGISTER)) != 0));
    const char *refusal = vigie_member(view, "refusal");
    g_autofree char *said = refusal ? present_refusal(request->lang, refusal) : NULL;
    if (said)
        json_object_set_new(view, "refusal", json_string(said));
    add_ways(request, view, json_string_value(json_object_get(view, "state")));
    add_served(request, view);
    if (!json_is_true(json_object_get(view, "may_decide")))
        registration_say_waiting(request, view);
    return true;
}

/* ---- Deciding ----------------------------------------------------------------------------------------------- */
static void come_back(Request *request) {
    request->go = g_strdup_printf("/requests/%" G_GINT64_FORMAT, request->id);
}

RESOURCE(page_request_validate) {
    VigiePkiState state;
    if (!pki_request_validate(request->store, request->portal->profiles, request->id, request->reader.name,
                              request->now, error) ||
        !pki_request_wait(request->store, request->id, 2500, &state, error))
        return NULL;
    come_back(request);
    return page_request(request, error);
}

RESOURCE(page_request_refuse) {
    const char *reason = request_form(request, "reason");
    if (!pki_request_refuse(request->store, request->portal->profiles, request->id, request->reader.name,
                            reason ? reason : "", request->now, error))
        return NULL;
    come_back(request);
    return page_request(request, error);
}

RESOURCE(page_request_evidence_add) {
    bool decides = false;
    if (!may_see(request, &decides, error) || !keep_evidence(request, request->id, error))
        return NULL;
    come_back(request);
    return page_request(request, error);
}

/* ---- Files -------------------------------------------------------------------------------------------------- */
static void attach(Request *request, const char *type, const char *name) {
    g_autofree char *escaped = g_uri_escape_string(name, NULL, FALSE);
    g_autofree char *disposition = g_strdup_printf("attachment; filename*=UTF-8''%s", escaped);
    request->type = type;
    request_header(request, "Content-Disposition", disposition);
    request_header(request, "Cache-Control", "no-store");
}

/* As it came, and never shown within our pages: it is a stranger's. */
RAW(file_request_evidence) {
    bool decides = false;
    g_autofree char *name = NULL;
    if (!may_see(request, &decides, error))
        return false;
    g_autoptr(GBytes) content = pki_evidence_get(request->store, request->portal->evidence, request->id,
                                                 request_number(request_query(request, "file")),
                                                 request->reader.name, request->now, &name, error);
    if (!content)
        return false;
    gsize size = 0;
    const char *data = g_bytes_get_data(content, &size);
    attach(request, "application/octet-stream", name);
    g_string_append_len(request->answer, data, (gssize)size);
    return true;
}

static char *issued_pem(Request *request, char **ret_serial, GError **error) {
    g_autoptr(json_t) one = pki_request_get(request->store, request->portal->profiles, request->id, error);
    const char *serial = json_string_value(json_object_get(one, "serial"));
    if (one && !serial)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_CONFLICT, "it is not issued");
    *ret_serial = g_strdup(serial);
    return serial ? pki_certificate_pem(request->store, serial, request->now, error) : NULL;
}

RAW(file_request_certificate) {
    bool decides = false;
    g_autofree char *serial = NULL;
    g_autofree char *pem = may_see(request, &decides, error) ? issued_pem(request, &serial, error) : NULL;
    if (!pem)
        return false;
    g_autofree char *name = g_strdup_printf("%.16s.pem", serial);
    attach(request, "application/x-pem-file", name);
    g_string_append(request->answer, pem);
    return true;
}

/* ---- The key, once ------------------------------------------------------------------------------------------ */
/* Certificate, issuers and key in one file, sealed with the same password. */
static uint8_t *write_key_file(Request *request, VigieFileFormat format, const char *password,
                               char **ret_serial, size_t *ret_size, GError **error) {
    g_autoptr(GByteArray) sealed = pki_request_key(request->store, request->id, error);
    g_autofree char *pem = sealed ? issued_pem(request, ret_serial, error) : NULL;
    if (!pem)
        return NULL;
    g_autoptr(GPtrArray) keys = x509_file_objects(vigie_bytes(sealed->data, sealed->len), password),
                         chain = x509_file_objects(vigie_bytes(pem, strlen(pem)), NULL),
                         all = g_ptr_array_new();
    const VigieFileObject *key = keys->len == 1 ? keys->pdata[0] : NULL;
    if (!key || strcmp(key->kind, "private-key") != 0) {
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                            vigie_word(request->lang, "request.key.wrong"));
        return NULL;
    }
    for (guint i = 0; i < chain->len; i++)
        g_ptr_array_add(all, chain->pdata[i]);
    g_ptr_array_add(all, (gpointer)key);
    return x509_file_write(all, format, true, password, ret_size, error);
}

static void wipe(gpointer data) {
    GByteArray *file = data;
    OPENSSL_cleanse(file->data, file->len);
    g_byte_array_unref(file);
}

static bool read_format(const Request *request, VigieFileFormat *ret_format, GError **error) {
    const char *wanted = request_form(request, "format");
    VigieFileFormat format = X509_TO_PKCS12;
    bool known = !wanted || x509_format_parse(wanted, &format);
    if (known && (format == X509_TO_PKCS12 || format == X509_TO_PKCS12_OLD || format == X509_TO_PEM)) {
        *ret_format = format;
        return true;
    }
    g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                        "format: pkcs12, pkcs12-old or pem is wanted");
    return false;
}

static bool is_own(Request *request, GError **error) {
    g_autoptr(json_t) one = pki_request_get(request->store, request->portal->profiles, request->id, error);
    const char *asker = json_string_value(json_object_get(one, "requester"));
    g_autofree char *asked = vigie_text_fold(asker ? asker : ""),
                    *own = vigie_text_fold(request->reader.name);
    if (one && strcmp(asked, own) != 0)
        g_set_error_literal(error, VIGIE_ERROR, VIGIE_ERROR_DENIED, "the key is given to who asked, alone");
    return one && strcmp(asked, own) == 0;
}

/* To who asked alone, who chose the password; then it is here no more. */
RESOURCE(page_request_key) {
    const char *password = request_form(request, "password");
    VigieFileFormat format;
    g_autofree char *serial = NULL;
    size_t size = 0;
    if (!is_own(request, error) || !read_format(request, &format, error))
        return NULL;
    uint8_t *made = write_key_file(request, format, password ? password : "", &serial, &size, error);
    if (!made)
        return NULL;
    GByteArray *file = g_byte_array_new_take(made, size);
    if (!pki_request_key_taken(request->store, request->id, request->reader.name, request->now, error)) {
        wipe(file);
        return NULL;
    }
    bool pem = format == X509_TO_PEM;
    g_autofree char *name = g_strdup_printf("%.16s.%s", serial, pem ? "pem" : "p12");
    attach(request, pem ? "application/x-pem-file" : "application/x-pkcs12", name);
    request->file = g_bytes_new_with_free_func(file->data, file->len, wipe, file);
    return json_object();
}
