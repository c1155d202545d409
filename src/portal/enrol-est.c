/* est: Enrollment over Secure Transport (RFC 7030, with RFC 8951's clarifications). /.well-known/est/[LABEL/]OPERATION, the
 * label an authority's name. A client has the name and secret of an enrolment (HTTP Basic), or a certificate of ours over TLS. */
#include "portal/enrol.h"
#include "portal/pages.h"

#include <string.h>

static const char prefix[] = "/.well-known/est/";
static const char pkcs7[] = "application/pkcs7-mime";

/* The last part of the path; what stands before it in ret_label, NULL: nothing. */
static const char *operation(const Request *request, char **ret_label) {
    const char *rest = request->path + strlen(prefix), *slash = strrchr(rest, '/');
    *ret_label = slash ? g_strndup(rest, (gsize)(slash - rest)) : NULL;
    return slash ? slash + 1 : rest;
}

/* RFC 8951 3.1: base64 on one line, and the field that says so, for clients that look. */
static void answer_base64(Request *request, const char *type, const GByteArray *der) {
    g_autofree char *text = g_base64_encode(der->data, der->len);
    request->type = type;
    request_header(request, "Content-Transfer-Encoding", "base64");
    request_header(request, "Cache-Control", "no-store");
    g_string_assign(request->answer, text);
}

static void answer_text(Request *request, unsigned status, const char *text) {
    request->status = status;
    request->type = "text/plain; charset=utf-8";
    g_string_assign(request->answer, text);
    g_string_append_c(request->answer, '\n');
}

/* RFC 7030 4.2.3: what went wrong, as text for the person before the device. */
static bool answer_failure(Request *request, GError *failure, GError **error) {
    bool trouble = g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_INTERNAL) ||
                   g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE) ||
                   g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_BUSY);
    if (trouble) {
        g_propagate_error(error, failure);
        return false;
    }
    answer_text(request, g_error_matches(failure, VIGIE_ERROR, VIGIE_ERROR_DENIED) ? 403 : 400,
                failure->message);
    g_error_free(failure);
    return true;
}

/* ---- cacerts -------------------------------------------------------------------------------------------------- */
/* Of one authority its chain; without a label each authority's own certificate, for the client is not known yet. */
static GPtrArray *authorities(Request *request, const char *label, GError **error) {
    if (label)
        return pki_authority_chain(request->store, label, request->now, error);
    g_autoptr(json_t) list = pki_authority_list(request->store, NULL, error);
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
    size_t i;
    json_t *authority;
    if (!list)
        return NULL;
    json_array_foreach(list, i, authority) {
        g_autoptr(GPtrArray) chain = pki_authority_chain(
            request->store, json_string_value(json_object_get(authority, "name")), request->now, error);
        if (!chain)
            return NULL;
        if (chain->len > 0)
            g_ptr_array_add(all, g_byte_array_ref(g_ptr_array_index(chain, 0)));
    }
    return g_steal_pointer(&all);
}

static bool answer_authorities(Request *request, const char *label, GError **error) {
    GError *failure = NULL;
    g_autoptr(GPtrArray) chain = authorities(request, label, &failure);
    if (!chain)
        return answer_failure(request, failure, error);
    g_autoptr(GByteArray) der = pki_certs_only(NULL, chain);
    answer_base64(request, pkcs7, der);
    return true;
}

RAW(feed_est_get) {
    g_autofree char *label = NULL;
    const char *asked = operation(request, &label);
    if (strcmp(asked, "cacerts") == 0)
        return answer_authorities(request, label, error);
    if (strcmp(asked, "csrattrs") == 0) { /* RFC 7030 4.5.2: none are wanted; names come from the enrolment */
        request->status = 204;
        return true;
    }
    answer_text(request, 404, "EST here: cacerts, csrattrs, simpleenroll, simplereenroll");
    return true;
}

/* ---- simpleenroll and simplereenroll --------------------------------------------------------------------------- */
typedef struct {
    VigiePkiRequest wanted;
    json_t *enrolment, *shown;
    char *requester;
} Client;

static void client_clear(Client *client) {
    json_decref(client->enrolment);
    json_decref(client->shown);
    g_free(client->requester);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Client, client_clear)

/* By its certificate, whose name and profile the new one keeps. */
static bool know_by_certificate(Request *request, const GByteArray *der, Client *client, GError **error) {
    client->shown =
        pki_certificate_shown(request->store, vigie_bytes(der->data, der->len), request->now, error);
    if (!client->shown)
        return false;
    client->requester =
        g_strconcat("est:", json_string_value(json_object_get(client->shown, "serial")), NULL);
    client->wanted.kind = VIGIE_REQUEST_RENEW;
    client->wanted.proof = VIGIE_PROOF_CERTIFICATE;
    client->wanted.serial = json_string_value(json_object_get(client->shown, "serial"));
    return true;
}

static bool know_by_secret(Request *request, const char *name, const char *secret, Client *client,
                           GError **error) {
    client->enrolment = pki_enrolment_login(request->store, name, secret, request->now, error);
    if (!client->enrolment)
        return false;
    client->requester = g_strconcat("est:", name, NULL);
    client->wanted.kind = VIGIE_REQUEST_ISSUE;
    client->wanted.proof = VIGIE_PROOF_ENROLMENT;
    client->wanted.enrolment = json_integer_value(json_object_get(client->enrolment, "id"));
    return true;
}

/* False without an error where it showed nothing. */
static bool know(Request *request, bool renew, Client *client, GError **error) {
    g_autofree char *name = NULL, *secret = NULL;
    GError *failure = NULL;
    g_autoptr(GByteArray) shown = enrol_client_certificate(request, &failure);
    bool known = false;
    if (failure)
        g_propagate_error(error, failure);
    else if (shown)
        known = know_by_certificate(request, shown, client, error);
    else if (!renew && enrol_basic(request, &name, &secret))
        known = know_by_secret(request, name, secret, client, error);
    if (secret)
        explicit_bzero(secret, strlen(secret));
    client->wanted.requester = client->requester;
    client->wanted.protocol = "est";
    client->wanted.again = VIGIE_AGAIN_SAME; /* RFC 7030 4.2.3: who was told to wait asks the same again */
    client->wanted.address = *request->address ? request->address : NULL;
    return known;
}

static bool answer_unknown(Request *request, bool renew) {
    request_header(request, "WWW-Authenticate", "Basic realm=\"est\"");
    answer_text(request, 401,
                renew ? "RFC 7030 4.2.2: show the certificate that is to be renewed, over TLS"
                      : "RFC 7030 3.2.3: the name and the secret of an enrolment are wanted, or a "
                        "certificate over TLS");
    return true;
}

static bool answer_certificate(Request *request, const GByteArray *certificate) {
    if (!certificate) { /* RFC 7030 4.2.3: not decided yet, the same again later */
        request_header(request, "Retry-After", "30");
        answer_text(request, 202, "the request waits for the authority: ask again");
        return true;
    }
    g_autoptr(GByteArray) der = pki_certs_only(certificate, NULL);
    answer_base64(request, "application/pkcs7-mime; smime-type=certs-only", der);
    return true;
}

/* RFC 7030 3.2.2: a label is the authority that the client means. */
static bool is_meant(const Client *client, const char *label) {
    const json_t *known = client->enrolment ? client->enrolment : client->shown;
    return !label || strcmp(label, json_string_value(json_object_get(known, "authority"))) == 0;
}

static bool enrol(Request *request, const char *label, bool renew, GError **error) {
    g_auto(Client) client = {0};
    GError *failure = NULL;
    if (!know(request, renew, &client, &failure))
        return failure ? answer_failure(request, failure, error) : answer_unknown(request, renew);
    if (!is_meant(&client, label)) {
        answer_text(request, 403, "RFC 7030 3.2.2: what you prove is another authority's than the path's");
        return true;
    }
    gsize size = 0;
    g_autofree guchar *csr = g_base64_decode(request->body->str, &size);
    client.wanted.csr = vigie_bytes(csr, size);
    g_autoptr(GByteArray) certificate =
        pki_request_ask(request->store, request->portal->profiles, &client.wanted, request->now, &failure);
    return failure ? answer_failure(request, failure, error) : answer_certificate(request, certificate);
}

RAW(feed_est_post) {
    g_autofree char *label = NULL;
    const char *asked = operation(request, &label);
    if (strcmp(asked, "simpleenroll") == 0 || strcmp(asked, "simplereenroll") == 0)
        return enrol(request, label, strcmp(asked, "simplereenroll") == 0, error);
    answer_text(request, 404, "EST here: cacerts, csrattrs, simpleenroll, simplereenroll");
    return true;
}
