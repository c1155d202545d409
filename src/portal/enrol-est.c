/* est: Enrollment over Secure Transport (RFC 7030, with RFC 8951's clarifications). /.well-known/est/[LABEL/]OPERATION, the
 * label an authority's name. A client has the name and secret of an enrolment (HTTP Basic), or a certificate of ours over TLS. */
#include "portal/enrol.h"
#include "portal/pages.h"

#include <string.h>

static const char prefix[] = "/.well-known/est/";
static const char pkcs7[] = "application/pkcs7-mime";
static const char operations[] = "EST here: cacerts, csrattrs, simpleenroll, simplereenroll, serverkeygen";
#define BOUNDARY "vigie-est-boundary" /* base64 has no hyphens: it stands in no part */

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

/* False where `failure` is set, which is passed on: else it was answered. */
static bool passed(GError *failure, GError **error) {
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
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

/* ---- simpleenroll and simplereenroll --------------------------------------------------------------------------- */
typedef struct {
    VigiePkiRequest wanted;
    json_t *enrolment, *shown;
    GByteArray *certificate; /* that was shown */
    char *requester;
} Client;

static void client_clear(Client *client) {
    json_decref(client->enrolment);
    json_decref(client->shown);
    if (client->certificate)
        g_byte_array_unref(client->certificate);
    g_free(client->requester);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Client, client_clear)

/* By its certificate, whose name and profile the new one keeps. */
static bool know_by_certificate(Request *request, Client *client, GError **error) {
    VigieBytes der = vigie_bytes(client->certificate->data, client->certificate->len);
    client->shown = pki_certificate_shown(request->store, der, request->now, error);
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
    client->certificate = enrol_client_certificate(request, &failure);
    bool known = false;
    if (failure)
        g_propagate_error(error, failure);
    else if (client->certificate)
        known = know_by_certificate(request, client, error);
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
    return !label || g_strcmp0(label, json_string_value(json_object_get(known, "authority"))) == 0;
}

static const char *profile_of(const Client *client) {
    const json_t *known = client->enrolment ? client->enrolment : client->shown;
    return json_string_value(json_object_get(known, "profile"));
}

/* Who asks, and for which authority; false: answered, or an error. */
static bool admit(Request *request, const char *label, bool renew, Client *client, GError **error) {
    GError *failure = NULL;
    if (!know(request, renew, client, &failure)) {
        if (failure)
            answer_failure(request, failure, error);
        else
            answer_unknown(request, renew);
        return false;
    }
    if (is_meant(client, label))
        return true;
    answer_text(request, 403, "RFC 7030 3.2.2: what you prove is another authority's than the path's");
    return false;
}

static bool enrol(Request *request, const char *label, bool renew, GError **error) {
    g_auto(Client) client = {0};
    GError *failure = NULL;
    if (!admit(request, label, renew, &client, &failure))
        return passed(failure, error);
    gsize size = 0;
    g_autofree guchar *csr = g_base64_decode(request->body->str, &size);
    client.wanted.csr = vigie_bytes(csr, size);
    g_autoptr(GByteArray) certificate =
        pki_request_ask(request->store, request->portal->group, request->portal->profiles, &client.wanted,
                        request->now, &failure);
    return failure ? answer_failure(request, failure, error) : answer_certificate(request, certificate);
}

/* ---- csrattrs ------------------------------------------------------------------------------------------------------ */
/* RFC 7030 4.5: whoever says who it is learns what its profile asks; nothing is asked of others. */
static bool answer_attributes(Request *request, const char *label, GError **error) {
    g_auto(Client) client = {0};
    GError *failure = NULL;
    if (!know(request, false, &client, &failure) && failure)
        return answer_failure(request, failure, error);
    const char *profile = is_meant(&client, label) ? profile_of(&client) : NULL;
    g_autoptr(GByteArray) attributes =
        profile ? pki_csr_attributes(request->portal->profiles, profile) : NULL;
    if (attributes)
        answer_base64(request, "application/csrattrs", attributes);
    else
        request->status = 204;
    return true;
}

RAW(feed_est_get) {
    g_autofree char *label = NULL;
    const char *asked = operation(request, &label);
    if (strcmp(asked, "cacerts") == 0)
        return answer_authorities(request, label, error);
    if (strcmp(asked, "csrattrs") == 0)
        return answer_attributes(request, label, error);
    answer_text(request, 404, operations);
    return true;
}

/* ---- serverkeygen -------------------------------------------------------------------------------------------------- */
static void add_part(Request *request, const char *type, const GByteArray *der) {
    g_autofree char *text = g_base64_encode(der->data, der->len);
    g_string_append_printf(
        request->answer,
        "--" BOUNDARY "\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n", type, text);
    explicit_bzero(text, strlen(text));
}

/* RFC 7030 4.4.2: the key, then its certificate. */
static bool answer_key(Request *request, const char *type, const GByteArray *key,
                       const GByteArray *certificate) {
    g_autoptr(GByteArray) chain = pki_certs_only(certificate, NULL);
    g_string_truncate(request->answer, 0);
    add_part(request, type, key);
    add_part(request, "application/pkcs7-mime; smime-type=certs-only", chain);
    g_string_append(request->answer, "--" BOUNDARY "--\r\n");
    request->type = "multipart/mixed; boundary=" BOUNDARY;
    request_header(request, "Cache-Control", "no-store");
    return true;
}

/* Sealed as it was asked for, or as it is: TLS seals it (RFC 7030 4.4.1). */
static bool give_key(Request *request, const Client *client, VigieKeySeal seal, const GByteArray *key,
                     const GByteArray *certificate, GError **error) {
    if (seal == VIGIE_SEAL_NONE)
        return answer_key(request, "application/pkcs8", key, certificate);
    VigieBytes shown = vigie_bytes(client->certificate->data, client->certificate->len);
    g_autoptr(GByteArray) sealed = pki_seal_key(enrol_registrar(request->portal->enrol), key, shown, error);
    return sealed && answer_key(request, "application/pkcs7-mime; smime-type=server-generated-key", sealed,
                                certificate);
}

/* What we cannot do is said before a key is made for it. */
static const char *cannot_seal(const Request *request, const Client *client, VigieKeySeal seal) {
    if (seal == VIGIE_SEAL_SECRET)
        return "RFC 7030 4.4.1.1: there is no secret here to encrypt a key with";
    if (seal == VIGIE_SEAL_CERTIFICATE && !client->certificate)
        return "RFC 7030 4.4.1.2: a key is encrypted to the certificate that is shown over TLS, and none is";
    if (seal == VIGIE_SEAL_CERTIFICATE && !request->portal->enrol)
        return "RFC 7030 4.4.2: this portal has no registrar to sign a key with (pki.registrar)";
    return g_str_has_prefix(vigie_config_text(request->portal->config, "site.url"), "https://")
               ? NULL
               : "RFC 7030 4.4: a key travels over TLS alone, and site.url is no https://";
}

static bool make_key(Request *request, const char *label, GError **error) {
    g_auto(Client) client = {0};
    GError *failure = NULL;
    if (!admit(request, label, false, &client, &failure))
        return passed(failure, error);
    gsize size = 0;
    g_autofree guchar *csr = g_base64_decode(request->body->str, &size);
    g_autoptr(GByteArray) identifier = NULL, key = NULL, certificate = NULL;
    client.wanted.csr = vigie_bytes(csr, size);
    VigieKeySeal seal = pki_seal_wanted(client.wanted.csr, &identifier);
    const char *why = cannot_seal(request, &client, seal);
    if (why) {
        answer_text(request, 400, why);
        return true;
    }
    VigieBytes shown =
        client.certificate ? vigie_bytes(client.certificate->data, client.certificate->len) : (VigieBytes){0};
    bool given = (seal == VIGIE_SEAL_NONE || pki_seal_check(shown, identifier, &failure)) &&
                 pki_server_key_ask(request->store, request->portal->profiles, profile_of(&client),
                                    &client.wanted, request->now, &key, &certificate, &failure) &&
                 give_key(request, &client, seal, key, certificate, &failure);
    if (key)
        explicit_bzero(key->data, key->len);
    return given || answer_failure(request, failure, error);
}

RAW(feed_est_post) {
    g_autofree char *label = NULL;
    const char *asked = operation(request, &label);
    if (strcmp(asked, "simpleenroll") == 0 || strcmp(asked, "simplereenroll") == 0)
        return enrol(request, label, strcmp(asked, "simplereenroll") == 0, error);
    if (strcmp(asked, "serverkeygen") == 0)
        return make_key(request, label, error);
    answer_text(request, 404, operations);
    return true;
}
