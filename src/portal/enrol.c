#include "portal/enrol.h"

#include <string.h>

#define VERIFY_FIELD "x-ssl-client-verify"
#define CERTIFICATE_FIELD "x-ssl-client-cert"

/* The body of one PEM certificate. */
static GByteArray *decode_pem(const char *pem) {
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    const char *from = strstr(pem, begin), *to = from ? strstr(from, end) : NULL;
    if (!to)
        return NULL;
    g_autofree char *base64 = g_strndup(from + strlen(begin), (gsize)(to - from) - strlen(begin));
    gsize size = 0;
    guchar *der = g_base64_decode(base64, &size);
    return g_byte_array_new_take(der, size);
}

GByteArray *enrol_client_certificate(const Request *request, GError **error) {
    const char *verified = request_field(request, VERIFY_FIELD),
               *field = request_field(request, CERTIFICATE_FIELD);
    if (!request->portal->client_certificates || !verified || !field || strcmp(verified, "NONE") == 0)
        return NULL;
    if (strcmp(verified, "SUCCESS") != 0) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_DENIED,
                    "the certificate shown over TLS does not hold: %.200s", verified);
        return NULL;
    }
    g_autofree char *pem = portal_url_decode(field, strlen(field), false);
    GByteArray *der = pem ? decode_pem(pem) : NULL;
    if (!der)
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "the proxy's field " CERTIFICATE_FIELD
                    " is no certificate: in nginx it is $ssl_client_escaped_cert");
    return der;
}

bool enrol_basic(const Request *request, char **ret_name, char **ret_secret) {
    const char *field = request_field(request, "authorization");
    if (!field || g_ascii_strncasecmp(field, "Basic ", 6) != 0)
        return false;
    gsize size = 0;
    g_autofree guchar *pair = g_base64_decode(field + 6, &size);
    g_autofree char *text = g_strndup((const char *)pair, size);
    char *colon = strchr(text, ':');
    bool well = colon && strlen(text) == size && g_utf8_validate(text, (gssize)size, NULL);
    if (well) {
        *ret_name = g_strndup(text, (gsize)(colon - text));
        *ret_secret = g_strdup(colon + 1);
    }
    explicit_bzero(pair, size);
    explicit_bzero(text, size);
    return well;
}
