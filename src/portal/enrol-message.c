/* CMP over HTTP (RFC 9811) and SCEP (RFC 8894 4): messages that prove themselves, whatever carries them. Both need a
 * registrar: the key and certificate that pki.registrar names. */
#include "portal/enrol.h"
#include "portal/pages.h"

#include <string.h>

struct EnrolServer {
    VigieRegistrar *registrar;
};

bool enrol_server_open(const VigieConfig *config, const VigieSeal *seal, EnrolServer **ret_server,
                       GError **error) {
    const char *file = vigie_config_text(config, "pki.registrar");
    *ret_server = NULL;
    if (!*file)
        return true;
    g_autoptr(VigieStore) store = store_open(vigie_config_text(config, "store.url"), error);
    VigieRegistrar *registrar = store ? pki_registrar_load(store, file, seal, vigie_time_now(), error) : NULL;
    if (!registrar)
        return false;
    *ret_server = g_new(EnrolServer, 1);
    **ret_server = (EnrolServer){registrar};
    return true;
}

void enrol_server_close(EnrolServer *server) {
    if (!server)
        return;
    pki_registrar_free(server->registrar);
    g_free(server);
}

const VigieRegistrar *enrol_registrar(const EnrolServer *server) {
    return server->registrar;
}

static bool must_serve(Request *request, GError **error) {
    if (request->portal->enrol)
        return true;
    request->api = true; /* the client is a program */
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_NOT_FOUND,
                "this portal has no registrar: pki.registrar names its key and certificate");
    return false;
}

static bool answer_der(Request *request, const char *type, GByteArray *der) {
    if (!der) {
        request->api = true;
        return false;
    }
    request->type = type;
    request_header(request, "Cache-Control", "no-store");
    g_string_append_len(request->answer, (const char *)der->data, (gssize)der->len);
    g_byte_array_unref(der);
    return true;
}

static const char *address_of(const Request *request) {
    return *request->address ? request->address : NULL;
}

RAW(feed_cmp) {
    if (!must_serve(request, error))
        return false;
    VigieBytes message = vigie_bytes(request->body->str, request->body->len);
    return answer_der(request, "application/pkixcmp",
                      pki_cmp_answer(request->portal->enrol->registrar, request->store,
                                     request->portal->profiles, message, address_of(request), request->now,
                                     error));
}

/* ---- SCEP ------------------------------------------------------------------------------------------------------------ */
static bool answer_scep(Request *request, VigieBytes message, GError **error) {
    return answer_der(request, "application/x-pki-message",
                      pki_scep_answer(request->portal->enrol->registrar, request->store,
                                      request->portal->profiles, message, address_of(request), request->now,
                                      error));
}

/* RFC 8894 4.1: PKIOperation by GET has its message in base64. */
static bool answer_scep_message(Request *request, GError **error) {
    const char *text = request_query(request, "message");
    gsize size = 0;
    g_autofree guchar *message = g_base64_decode(text ? text : "", &size);
    return answer_scep(request, vigie_bytes(message, size), error);
}

static bool answer_capabilities(Request *request, GError **error) {
    (void)error;
    request->type = "text/plain";
    /* SHA-384 is no word of RFC 8894, but true; without it strongSwan 5.9.8 finds no digest to its liking. */
    g_string_assign(request->answer,
                    "AES\nPOSTPKIOperation\nRenewal\nSHA-256\nSHA-384\nSHA-512\nSCEPStandard\n");
    return true;
}

static bool answer_authorities(Request *request, GError **error) {
    return answer_der(
        request, "application/x-x509-ca-ra-cert",
        pki_scep_authorities(request->portal->enrol->registrar, request->store, request->now, error));
}

RAW(feed_scep_get) {
    static const struct {
        const char *name;
        bool (*answer)(Request *, GError **);
    } operations[] = {{"GetCACaps", answer_capabilities},
                      {"GetCACert", answer_authorities},
                      {"PKIOperation", answer_scep_message}};
    const char *asked = request_query(request, "operation");
    if (!must_serve(request, error))
        return false;
    for (size_t i = 0; asked && i < G_N_ELEMENTS(operations); i++)
        if (strcmp(asked, operations[i].name) == 0)
            return operations[i].answer(request, error);
    request->api = true;
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                "RFC 8894 4.1: ?operation=GetCACaps, GetCACert or PKIOperation is wanted");
    return false;
}

RAW(feed_scep_post) {
    return must_serve(request, error) &&
           answer_scep(request, vigie_bytes(request->body->str, request->body->len), error);
}
