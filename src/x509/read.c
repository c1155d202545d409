/* read.c: certificates, or one large list, in a file as people have them: PEM with or without text around it, from Windows or
 * Unix; or DER. */
#include "x509/pem.h"
#include "x509/view.h"
#include "x509/x509.h"

enum { FILE_MAX = 16 << 20, CERTIFICATES_IN_FILE_MAX = 10000 };

static bool label_is(VigieBytes label, const char *name) {
    return vigie_bytes_equal(label, vigie_bytes(name, strlen(name)));
}

static bool is_certificate(VigieBytes label) {
    return label_is(label, "CERTIFICATE") || label_is(label, "X509 CERTIFICATE") ||
           label_is(label, "TRUSTED CERTIFICATE");
}

/* Lines such as "Proc-Type: …" may stand before the base64: it begins after the last line with a colon. */
static VigieBytes skip_headers(VigieBytes body) {
    const uint8_t *colon = memrchr(body.data, ':', body.size);
    const uint8_t *line = colon ? memchr(colon, '\n', body.size - (size_t)(colon - body.data)) : NULL;
    return line ? vigie_bytes(line, body.size - (size_t)(line - body.data)) : body;
}

static bool add(GPtrArray *certificates, VigieBytes der, GError **error) {
    VigieCertificate *certificate = x509_certificate_new(der, error);
    if (!certificate) {
        g_prefix_error(error, "certificate %u of the file: ", certificates->len + 1);
        return false;
    }
    g_ptr_array_add(certificates, certificate);
    return true;
}

static bool add_block(GPtrArray *certificates, VigieBytes body, GError **error) {
    body = skip_headers(body);
    g_autofree guchar *octets = g_malloc(body.size / 4 * 3 + 6);
    int state = 0;
    guint save = 0;
    VigieBytes der = vigie_bytes(octets, 0);
    der.size = g_base64_decode_step((const char *)body.data, body.size, octets, &state, &save);
    X509View view;
    if (x509_view(der, &view)) /* OpenSSL's TRUSTED CERTIFICATE has settings of its own after it */
        der = view.der;
    return add(certificates, der, error);
}

static bool add_blocks(GPtrArray *certificates, VigieBytes file, char **ret_other, GError **error) {
    PemScan scan = pem_scan(file);
    for (PemBlock block; pem_next(&scan, &block);) {
        if (!is_certificate(block.label)) {
            g_free(*ret_other);
            *ret_other = g_strndup((const char *)block.label.data, MIN(block.label.size, 40));
            continue;
        }
        if (certificates->len == CERTIFICATES_IN_FILE_MAX) {
            g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT,
                        "more than %d certificates in one file: split it", CERTIFICATES_IN_FILE_MAX);
            return false;
        }
        if (!add_block(certificates, block.body, error))
            return false;
    }
    return true;
}

GPtrArray *x509_certificates_read(VigieBytes file, GError **error) {
    g_autoptr(GPtrArray) certificates =
        g_ptr_array_new_with_free_func((GDestroyNotify)x509_certificate_unref);
    g_autofree char *other = NULL;
    if (file.size > FILE_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_LIMIT, "file of %zu octets: more than 16 MiB is not read",
                    file.size);
        return NULL;
    }
    bool der = file.size > 1 && file.data[0] == 0x30;
    if (der ? !add(certificates, file, error) : !add_blocks(certificates, file, &other, error))
        return NULL;
    if (certificates->len > 0)
        return g_steal_pointer(&certificates);
    if (other && g_str_is_ascii(other))
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "no certificate in the file: it holds a %s; give the file that has BEGIN CERTIFICATE",
                    other);
    else
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "no certificate in the file: neither PEM (BEGIN CERTIFICATE) nor DER");
    return NULL;
}

bool x509_list_find(VigieBytes file, GByteArray **ret_decoded, VigieBytes *ret_list) {
    PemScan scan = pem_scan(file);
    PemBlock block;
    if (file.size > 0 && file.data[0] == DER_SEQUENCE) {
        *ret_list = file;
        return true;
    }
    while (pem_next(&scan, &block)) {
        if (!label_is(block.label, "X509 CRL"))
            continue;
        GByteArray *decoded = g_byte_array_sized_new((guint)(block.body.size / 4 * 3 + 8));
        int state = 0;
        guint save = 0;
        decoded->len = (guint)g_base64_decode_step((const char *)block.body.data, block.body.size,
                                                   decoded->data, &state, &save);
        *ret_list = vigie_bytes(decoded->data, decoded->len);
        *ret_decoded = decoded;
        return true;
    }
    return false;
}
